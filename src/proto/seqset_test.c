/// Tests of seqset: the grammar, `*`, merging, limits, building, printing.
#include "base/check.h"

#include "base/num.h"
#include "proto/seqset.h"

static const struct {
	const char *name, *in;
	enum ec want;
	const char *printed; // parsed and printed again
	const char *of_ten;  // resolved with 10 as the largest number
} cases[] = {
	{ "one", "7", E_OK, "7", "7" },
	{ "list", "1,3,5", E_OK, "1,3,5", "1,3,5" },
	{ "range", "2:4", E_OK, "2:4", "2:4" },
	{ "range reversed", "4:2", E_OK, "2:4", "2:4" },
	{ "unsorted and touching", "9,1:2,3,4:5", E_OK, "1:5,9", "1:5,9" },
	{ "overlapping", "1:5,3:9,4", E_OK, "1:9", "1:9" },
	{ "inside a larger one", "1:9,2:3,9", E_OK, "1:9", "1:9" },
	{ "twice the same", "5,5,5", E_OK, "5", "5" },
	{ "star", "*", E_OK, "*", "10" },
	{ "star to star", "*:*", E_OK, "*", "10" },
	{ "open range", "5:*", E_OK, "5:*", "5:10" },
	{ "open range reversed", "*:5", E_OK, "5:*", "5:10" },
	{ "open range above the largest", "15:*", E_OK, "15:*", "10" },
	{ "RFC 9051 example", "2,4:7,9,12:*", E_OK, "2,4:7,9,12:*", "2,4:7,9:10" },
	{ "two open ranges", "8:*,4:*", E_OK, "4:*", "4:10" },
	{ "largest number", "4294967294:4294967295", E_OK, "4294967294:4294967295", "4294967294:4294967295" },
	{ "saved result", "$", E_OK, "$", "$" },
	{ "empty", "", E_SYNTAX, NULL, NULL },
	{ "zero", "0", E_SYNTAX, NULL, NULL },
	{ "zero in a range", "1:0", E_SYNTAX, NULL, NULL },
	{ "leading zero", "01", E_SYNTAX, NULL, NULL },
	{ "33 bits", "4294967296", E_RANGE, NULL, NULL },
	{ "comma last", "1,", E_SYNTAX, NULL, NULL },
	{ "comma first", ",1", E_SYNTAX, NULL, NULL },
	{ "two commas", "1,,2", E_SYNTAX, NULL, NULL },
	{ "open colon", "1:", E_SYNTAX, NULL, NULL },
	{ "three ends", "1:2:3", E_SYNTAX, NULL, NULL },
	{ "saved result in a list", "$,1", E_SYNTAX, NULL, NULL },
	{ "minus", "-1", E_SYNTAX, NULL, NULL },
};

static enum ec parse_all(struct sl in, struct arena *a, struct seqset *out)
{
	struct cur c = cur_over(in);

	seqset_parse(&c, a, out);
	cur_need_end(&c);
	return c.err;
}

static void check_printed(const struct seqset *s, const char *want, const char *name)
{
	struct buf b = BUF(4096);

	seqset_print(&b, s);
	CHECK(sl_eq(buf_sl(&b), sl_cstr(want)), name);
	buf_free(&b);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(sl_cstr(cases[i].in));
		struct arena a;
		struct seqset s = { 0 };
		arena_init(&a, 65536);
		CHECK(parse_all(in, &a, &s) == cases[i].want, cases[i].name);
		if (cases[i].want == E_OK) {
			check_printed(&s, cases[i].printed, cases[i].name);
			CHECK(seqset_resolve(&s, &a, 10) == E_OK, cases[i].name);
			check_printed(&s, cases[i].of_ten, cases[i].name);
		}
		arena_free(&a);
		free((void *)(uintptr_t)in.p);
	}
}

/// Every memory budget: the answer is the right one or E_TEMP, and *out stays as it was after an error.
static void test_budgets(void **state)
{
	(void)state;
	for (size_t room = 0; room <= 128; room += 8) {
		uint8_t mem[128];
		struct arena a = ARENA_OVER(mem, room);
		struct seqset s = { .star_from = 99 };
		struct cur c = cur_over(SL("1,3,5,7,9:*"));
		seqset_parse(&c, &a, &s);
		assert_true(c.err == E_OK || c.err == E_TEMP);
		assert_true(room < 128 || c.err == E_OK);
		assert_int_equal(s.star_from, c.err ? 99 : 9);
	}
}

static void test_empty_mailbox(void **state)
{
	(void)state;
	struct arena a;
	struct seqset s;
	arena_init(&a, 4096);
	assert_int_equal(parse_all(SL("1:*"), &a, &s), E_OK);
	assert_false(seqset_empty(&s));
	assert_int_equal(seqset_resolve(&s, &a, 0), E_OK);
	assert_true(seqset_empty(&s));
	arena_free(&a);
}

static void test_members(void **state)
{
	(void)state;
	struct arena a;
	struct seqset s;
	uint32_t seen[8], n = 0, at = 0;
	arena_init(&a, 4096);
	assert_int_equal(parse_all(SL("3:5,9,4294967295"), &a, &s), E_OK);
	while (n < 8 && seqset_next(&s, at, &at))
		seen[n++] = at;
	assert_int_equal(n, 5);
	assert_memory_equal(seen, ((uint32_t[]){ 3, 4, 5, 9, 4294967295 }), 5 * sizeof *seen);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(seqset_has(&s, i), (i >= 3 && i <= 5) || i == 9);
	assert_int_equal(seqset_count(&s), 5);
	assert_int_equal(seqset_largest(&s), 4294967295);
	arena_free(&a);
}

static void test_append(void **state)
{
	(void)state;
	struct arena a;
	struct seqset s = { 0 };
	arena_init(&a, 4096);
	for (uint32_t uid = 1; uid < 100; uid += 2)
		assert_int_equal(seqset_append(&s, &a, uid, uid), E_OK);
	assert_int_equal(s.n, 50);
	assert_int_equal(seqset_append(&s, &a, 99, 99), E_RANGE);
	assert_int_equal(seqset_append(&s, &a, 200, 199), E_RANGE);
	assert_int_equal(seqset_append(&s, &a, 0, 300), E_RANGE);
	assert_int_equal(seqset_append(&s, &a, 100, 4294967295), E_OK);
	assert_int_equal(s.n, 50);
	assert_int_equal(seqset_append(&s, &a, 1, 1), E_RANGE);
	arena_free(&a);
	uint8_t mem[8];
	a = ARENA_OVER(mem, sizeof mem);
	s = (struct seqset){ 0 };
	assert_int_equal(seqset_append(&s, &a, 1, 1), E_TEMP);
	assert_true(seqset_empty(&s));
}

static void test_limit(void **state)
{
	(void)state;
	struct buf b = BUF(1 << 20);
	struct arena a;
	struct seqset s = { 0 };
	arena_init(&a, 1 << 20);
	for (int i = 0; i < SEQSET_RANGES_MAX; i++)
		buf_puts(&b, i ? ",7" : "7");
	assert_int_equal(parse_all(buf_sl(&b), &a, &s), E_OK);
	assert_int_equal(s.n, 1);
	buf_puts(&b, ",7");
	assert_int_equal(parse_all(buf_sl(&b), &a, &s), E_LIMIT);
	buf_free(&b);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_budgets),
		cmocka_unit_test(test_empty_mailbox),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
