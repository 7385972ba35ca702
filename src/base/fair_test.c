#include "base/fair.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/num.h"

/// Each letter of `in` asks once, by name (capitals have a rank); what is served, in order. Octets of `left_out` are
/// those put out.
static void serve(const char *in, unsigned max, char *out, char *left_out)
{
	struct fair q = { .max = max };
	size_t n = strlen(in), o = 0, l = 0;
	struct fair_node *all = calloc(n + 1, sizeof *all), *t;

	assert_non_null(all);
	for (size_t i = 0; i < n; i++) {
		if (in[i] == '.') { // one is served
			t = fair_take(&q);
			if (t)
				out[o++] = (char)t->who[0];
			continue;
		}
		all[i].who[0] = (uint8_t)in[i];
		all[i].rank = in[i] < 'a';
		fair_add(&q, &all[i], &t);
		if (t)
			left_out[l++] = (char)t->who[0];
	}
	while ((t = fair_take(&q)))
		out[o++] = (char)t->who[0];
	out[o] = left_out[l] = 0;
	assert_int_equal(q.n, 0);
	free(all);
}

static void test_fair(void **)
{
	static const struct {
		const char *name, *in;
		unsigned max;
		const char *out, *left_out;
	} cases[] = {
		{ "nobody", "", 4, "", "" },
		{ "one who asks", "aaa", 4, "aaa", "" },
		{ "in order of arrival", "abc", 4, "abc", "" },
		{ "a flood waits behind itself", "aaaaab", 8, "abaaaa", "" },
		{ "two floods take turns", "aaabbb", 8, "ababab", "" },
		{ "who comes late need not wait for the flood", "aaaa..b", 8, "aabaa", "" },
		{ "who was served stands behind again", "ab.a.c", 8, "abac", "" },
		{ "no room: the flood's last leaves", "aaab", 3, "aba", "a" },
		{ "no room: the newcomer of a flood leaves", "abaa", 3, "aba", "a" },
		{ "no room among equals: who comes last leaves", "abcd", 3, "abc", "d" },
		{ "a rank waits for those without", "ABcd", 4, "cdAB", "" },
		{ "no room: a rank leaves for those without", "ABCd", 3, "dAB", "C" },
		{ "no room: who has a rank finds none", "abcD", 3, "abc", "D" },
		{ "a flood without a rank before one who has it", "aaBaa", 8, "aaaaB", "" },
		{ "rounds of a rank are its own", "AAA..bA", 8, "AAbAA", "" },
		{ "empty again", "aa..b", 3, "aab", "" },
	};
	char out[32], left_out[32];

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		serve(cases[i].in, cases[i].max, out, left_out);
		CHECK(strcmp(out, cases[i].out) == 0 && strcmp(left_out, cases[i].left_out) == 0, cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fair) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
