/// Tests of mail/header: the walk over well-made and broken headers, unfolding, subsets, limits.
#include "base/check.h"

#include "base/num.h"
#include "mail/header.h"

static const struct {
	const char *name;
	struct sl in;
	const char *want; // name=value for each field, '|' between; folds as they are
	size_t body;
} walks[] = {
	{ "two fields", SL_INIT("A: 1\r\nB: 2\r\n\r\nbody"), "A= 1|B= 2|", 14 },
	{ "bare LF", SL_INIT("A: 1\nB: 2\n\nbody"), "A= 1|B= 2|", 11 },
	{ "mixed line ends", SL_INIT("A: 1\n\r\nbody"), "A= 1|", 7 },
	{ "folded", SL_INIT("A: 1\r\n 2\r\n\t3\r\nB:\r\n\r\nx"), "A= 1\r\n 2\r\n\t3|B=|", 20 },
	{ "blank line with a blank goes on", SL_INIT("A: 1\r\n \r\nB: 2\r\n\r\n"), "A= 1\r\n |B= 2|", 17 },
	{ "no colon", SL_INIT("A: 1\r\nnonsense\r\nB: 2\r\n\r\n"), "A= 1|=nonsense|B= 2|", 24 },
	{ "blank in the name", SL_INIT("From me: x\r\n\r\n"), "=From me: x|", 14 },
	{ "blanks before the colon", SL_INIT("A \t: 1\r\n\r\n"), "A= 1|", 10 },
	{ "only a colon", SL_INIT(": 1\r\n\r\n"), "=: 1|", 7 },
	{ "no blank line", SL_INIT("A: 1\r\nB: 2"), "A= 1|B= 2|", 10 },
	{ "empty", SL_INIT(""), "", 0 },
	{ "only a blank line", SL_INIT("\r\nbody"), "", 2 },
	{ "begins folded", SL_INIT(" x\r\nA: 1\r\n\r\n"), "= x|A= 1|", 12 },
	{ "8-bit name and value", SL_INIT("\xe4: \xff\r\n\r\n"), "\xe4= \xff|", 8 },
	{ "bare CR is no line end", SL_INIT("A: 1\rB: 2\r\n\r\n"), "A= 1\rB: 2|", 13 },
	{ "CR at the end", SL_INIT("A: 1\r\n\r"), "A= 1|=|", 7 },
};

static void test_walks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(walks); i++) {
		struct sl in = heap_copy(walks[i].in);
		struct header_iter it = header_over(in);
		struct header_field f;
		struct buf got = BUF(1000);
		size_t whole = 0;
		while (header_next(&it, &f)) {
			CHECK(f.whole.p == in.p + whole, walks[i].name); // no gaps
			whole += f.whole.n;
			buf_add(&got, f.name);
			buf_addc(&got, '=');
			buf_add(&got, f.value);
			buf_addc(&got, '|');
		}
		CHECK(sl_eq(buf_sl(&got), sl_cstr(walks[i].want)), walks[i].name);
		CHECK(it.at == walks[i].body && it.done, walks[i].name);
		CHECK(header_octets(in) == walks[i].body, walks[i].name);
		CHECK(!header_next(&it, &f), walks[i].name);
		buf_free(&got);
		free((void *)(uintptr_t)in.p);
	}
}

/// In two pieces, wherever they part, and octet by octet the header ends at the same place.
static void test_end_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(walks); i++) {
		struct sl in = walks[i].in;
		for (size_t n = 0; n <= in.n; n++) {
			struct header_end h = { 0 };
			bool found = header_end_feed(&h, sl_head(in, n)) || header_end_feed(&h, sl_from(in, n));
			CHECK(h.octets == walks[i].body, walks[i].name);
			CHECK(found || h.octets == in.n, walks[i].name);
		}
		struct header_end h = { 0 };
		for (size_t n = 0; n < in.n && !header_end_feed(&h, sl_sub(in, n, n + 1)); n++)
			continue;
		CHECK(h.octets == walks[i].body, walks[i].name);
	}
}

/// Cut at each octet, the walk still covers the header without a gap.
static void test_cut(void **state)
{
	(void)state;
	struct sl all = SL("A: 1\r\n fold\r\nbad\r\nB \t: 2\n\r\nbody");
	for (size_t n = 0; n <= all.n; n++) {
		struct sl in = heap_copy(sl_head(all, n));
		struct header_iter it = header_over(in);
		struct header_field f;
		size_t sum = 0;
		while (header_next(&it, &f))
			sum += f.whole.n;
		CHECK(it.at == header_octets(in) && it.at - sum <= 2, "cut");
		free((void *)(uintptr_t)in.p);
	}
}

static void test_nul(void **state)
{
	(void)state;
	struct sl in = { (const uint8_t *)"A: x\0y\r\n\r\n", 10 };
	struct header_field f;
	assert_true(header_find(in, SL("a"), &f));
	assert_int_equal(f.value.n, 4);
	struct buf b = BUF(100);
	header_unfold(f.value, &b);
	assert_true(sl_eq(buf_sl(&b), SL(" xy")));
	buf_free(&b);
}

static void test_find(void **state)
{
	(void)state;
	struct sl in = SL("Received: 1\r\nTo: a\r\nRECEIVED: 2\r\n\r\nTo: body\r\n");
	struct header_field f = { .value = SL("untouched") };
	assert_true(header_find_nth(in, SL("received"), 1, &f) && sl_eq(f.value, SL(" 2")));
	assert_true(header_find(in, SL("TO"), &f) && sl_eq(f.value, SL(" a")));
	assert_false(header_find_nth(in, SL("to"), 1, &f));
	assert_false(header_find(in, SL(""), &f));
	assert_true(sl_eq(f.value, SL(" a")));
}

static void test_text(void **state)
{
	(void)state;
	static const struct {
		struct sl raw;
		const char *want;
	} cases[] = {
		{ SL_INIT(" plain "), "plain" },
		{ SL_INIT(" a\r\n b"), "a b" },
		{ SL_INIT("\r\n\ta\n \n b\r\n"), "a  b" },
		{ SL_INIT("  "), "" },
		{ SL_INIT(""), "" },
		{ SL_INIT("a\0 "), "a" },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (size_t room = 0; room <= 64; room++) {
			uint8_t mem[64];
			struct arena a = ARENA_OVER(mem, room);
			struct sl v = SL("untouched");
			enum ec e = header_text(&a, cases[i].raw, &v);
			CHECK(e == E_OK ? sl_eq(v, sl_cstr(cases[i].want)) : e == E_TEMP && sl_eq(v, SL("untouched")),
				cases[i].want);
			CHECK(e == E_OK || room < 32, cases[i].want);
			CHECK(e != E_OK || v.p, cases[i].want);
		}
	}
}

static void test_subset(void **state)
{
	(void)state;
	static const struct sl names[] = { SL_INIT("subject"), SL_INIT("TO") };
	static const struct {
		const char *name;
		struct sl in;
		bool not_these;
		const char *want;
	} cases[] = {
		{ "fields", SL_INIT("To: a\r\nX: 1\r\nSubject: s\r\n t\r\n\r\nb"), false,
			"To: a\r\nSubject: s\r\n t\r\n\r\n" },
		{ "not", SL_INIT("To: a\r\nX: 1\r\nSubject: s\r\n t\r\n\r\nb"), true, "X: 1\r\n\r\n" },
		{ "none there", SL_INIT("X: 1\r\n\r\n"), false, "\r\n" },
		{ "no blank line", SL_INIT("X: 1\r\nTo: a\r\n"), false, "To: a\r\n" },
		{ "no colon", SL_INIT("junk\r\nTo: a\r\n\r\n"), true, "junk\r\n\r\n" },
		{ "bare LF", SL_INIT("To: a\n\nTo: b\n"), false, "To: a\n\n" },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct header_names want = { names, 2, cases[i].not_these };
		struct buf b = BUF(100);
		CHECK(header_subset(cases[i].in, &want, &b) == E_OK, cases[i].name);
		CHECK(sl_eq(buf_sl(&b), sl_cstr(cases[i].want)), cases[i].name);
		buf_free(&b);
		b = BUF(1);
		CHECK(header_subset(cases[i].in, &want, &b) == E_TOOBIG, cases[i].name);
		buf_free(&b);
	}
}

static void test_limits(void **state)
{
	(void)state;
	struct buf b = BUF(200000);
	for (int i = 0; i < HEADER_FIELDS_MAX + 5; i++)
		buf_puts(&b, "A: 1\r\n");
	buf_puts(&b, "\r\nbody");
	struct header_iter it = header_over(buf_sl(&b));
	struct header_field f;
	while (header_next(&it, &f))
		;
	assert_true(it.limited && it.fields == HEADER_FIELDS_MAX);
	assert_int_equal(header_octets(buf_sl(&b)), b.n - 4);
	struct header_names none = { NULL, 0, true };
	struct buf out = BUF(200000);
	assert_int_equal(header_subset(buf_sl(&b), &none, &out), E_OK);
	assert_true(sl_eq(buf_sl(&out), sl_head(buf_sl(&b), b.n - 4))); // NOT of nothing is the whole header
	buf_free(&out);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_end_in_pieces),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_subset),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests_name("mail/header", tests, NULL, NULL);
}
