/// Tests of base64: RFC 4648 §10, strictness, round trip of every length.
#include "base/check.h"

#include "base/num.h"
#include "proto/base64.h"

static const struct {
	const char *name, *in, *out; // out NULL: E_SYNTAX
} cases[] = {
	{ "empty", "", "" },
	{ "RFC 4648 f", "Zg==", "f" },
	{ "RFC 4648 fo", "Zm8=", "fo" },
	{ "RFC 4648 foo", "Zm9v", "foo" },
	{ "RFC 4648 foobar", "Zm9vYmFy", "foobar" },
	{ "all ones", "////", "\xff\xff\xff" },
	{ "no padding", "Zg", NULL },
	{ "half the padding", "Zg=", NULL },
	{ "too much padding", "Z===", NULL },
	{ "only padding", "====", NULL },
	{ "padding inside", "Zg==Zg==", NULL },
	{ "pad bits of one", "Zh==", NULL },
	{ "pad bits of two", "Zm9=", NULL },
	{ "space", "Zm 9v===", NULL },
	{ "newline", "Zm9v\r\n==", NULL },
	{ "URL alphabet", "__--", NULL },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		uint8_t mem[64];
		struct arena a = ARENA_OVER(mem, sizeof mem);
		struct sl in = heap_copy(sl_cstr(cases[i].in)), out = SL("untouched");
		CHECK(base64_decode(in, &a, &out) == (cases[i].out ? E_OK : E_SYNTAX), cases[i].name);
		CHECK(sl_eq(out, sl_cstr(cases[i].out ? cases[i].out : "untouched")), cases[i].name);
		free((void *)(uintptr_t)in.p);
	}
	uint8_t none[1];
	struct arena spent = ARENA_OVER(none, 0);
	struct sl out;
	assert_int_equal(base64_decode(SL("Zm9v"), &spent, &out), E_TEMP);
}

static void test_round_trip(void **state)
{
	(void)state;
	uint8_t octets[256];
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i * 37);
	for (size_t n = 0; n <= sizeof octets; n++) {
		struct buf b = BUF(1024);
		struct arena a;
		struct sl out;
		arena_init(&a, 4096);
		base64_encode(&b, (struct sl){ octets, n });
		assert_int_equal(b.n, (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(buf_sl(&b), &a, &out), E_OK);
		assert_true(sl_eq(out, (struct sl){ octets, n }));
		buf_free(&b);
		arena_free(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_round_trip) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
