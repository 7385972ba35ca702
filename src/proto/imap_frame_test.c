/// Tests of imap_frame: which line ends announce a literal.
#include "base/check.h"

#include "base/num.h"
#include "proto/imap_frame.h"

static const struct {
	const char *name, *in;
	enum ec want;
	uint64_t octets;
	bool sync, binary;
	size_t at;
} cases[] = {
	{ "sync", "a LOGIN {5}", E_OK, 5, true, false, 8 },
	{ "non-sync", "a LOGIN {5+}", E_OK, 5, false, false, 8 },
	{ "binary", "a APPEND x ~{5}", E_OK, 5, true, true, 11 },
	{ "binary non-sync", "~{0+}", E_OK, 0, false, true, 0 },
	{ "largest", "{9223372036854775807}", E_OK, INT64_MAX, true, false, 0 },
	{ "64 bits", "{9223372036854775808}", E_TOOBIG },
	{ "many digits", "{99999999999999999999999+}", E_TOOBIG },
	{ "leading zeros", "{0005}", E_OK, 5, true, false, 0 },
	{ "none", "a NOOP", E_NOTFOUND },
	{ "empty", "", E_NOTFOUND },
	{ "brace only", "}", E_NOTFOUND },
	{ "plus only", "+}", E_NOTFOUND },
	{ "no digits", "{}", E_NOTFOUND },
	{ "no digits, plus", "{+}", E_NOTFOUND },
	{ "digits only", "5}", E_NOTFOUND },
	{ "text behind", "{5} ", E_NOTFOUND },
	{ "inside quotes", "a LOGIN \"{5}\"", E_NOTFOUND },
	{ "space inside", "{5 }", E_NOTFOUND },
	{ "minus", "{-5}", E_NOTFOUND },
	{ "two plus", "{5++}", E_NOTFOUND },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(sl_cstr(cases[i].in));
		struct imap_literal lit = { .at = 99 };
		CHECK(imap_frame_literal(in, &lit) == cases[i].want, cases[i].name);
		if (cases[i].want != E_OK)
			CHECK(lit.at == 99, cases[i].name);
		else
			CHECK(lit.octets == cases[i].octets && lit.sync == cases[i].sync &&
					lit.binary == cases[i].binary && lit.at == cases[i].at,
				cases[i].name);
		free((void *)(uintptr_t)in.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
