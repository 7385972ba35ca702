/// Tests of mail/fold: what is one text to a searcher, pieces cut at each octet, needles over pieces.
#include "base/check.h"

#include "base/num.h"
#include "base/utf8.h"
#include "mail/fold.h"
#include "mail/vector.h"

static const struct {
	const char *name;
	struct sl a, b; // have the same form
} same[] = {
	{ "case", SL_INIT("Hello"), SL_INIT("hELLO") },
	{ "Greek final sigma", SL_INIT("ΣΑΣ"), SL_INIT("σας") },
	{ "sharp s", SL_INIT("STRASSE"), SL_INIT("straße") },
	{ "composed and not", SL_INIT("\xc3\xa9"), SL_INIT("e\xcc\x81") },
	{ "order of marks", SL_INIT("a\xcc\xa3\xcc\x82"), SL_INIT("a\xcc\x82\xcc\xa3") },
	{ "width", SL_INIT("ＡＢＣ１２３"), SL_INIT("abc123") },
	{ "half-width katakana", SL_INIT("ｶﾞ"), SL_INIT("ガ") },
	{ "ligature", SL_INIT("ﬁ"), SL_INIT("fi") },
	{ "blanks", SL_INIT("a \r\n\t b"), SL_INIT("a b") },
	{ "ideographic space", SL_INIT("鸿\xe3\x80\x80雁"), SL_INIT("鸿 雁") },
	{ "line end in Chinese", SL_INIT("鸿雁\r\n传书"), SL_INIT("鸿雁传书") },
	{ "blanks around it", SL_INIT("鸿雁 \r\n　传书"), SL_INIT("鸿雁传书") },
	{ "blanks without one", SL_INIT("鸿雁 　传书"), SL_INIT("鸿雁 传书") },
	{ "behind wide punctuation", SL_INIT("雁，\n书"), SL_INIT("雁，书") },
	{ "behind kana with a mark", SL_INIT("か\xe3\x82\x99\n\n書"), SL_INIT("が書") },
	{ "before a mark", SL_INIT("書\n\xe3\x82\x99"), SL_INIT("書\xe3\x82\x99") },
	{ "before a letter", SL_INIT("雁\r\nA"), SL_INIT("雁 a") },
	{ "behind a letter", SL_INIT("a\r\n雁"), SL_INIT("a 雁") },
	{ "in Korean", SL_INIT("한\r\n한"), SL_INIT("한 한") },
	{ "at the end", SL_INIT("雁\r\n"), SL_INIT("雁 ") },
	{ "no-break space", SL_INIT("a\xc2\xa0 b"), SL_INIT("a b") },
	{ "leading blanks", SL_INIT("  a"), SL_INIT("a") },
	{ "soft hyphen", SL_INIT("ho\xc2\xadst"), SL_INIT("host") },
	{ "zero width space", SL_INIT("鸿\xe2\x80\x8b雁"), SL_INIT("鸿雁") },
	{ "Cyrillic", SL_INIT("ПРИВЕТ"), SL_INIT("привет") },
	{ "broken", SL_INIT("a\xff"), SL_INIT("a\xef\xbf\xbd") },
	{ "Hangul", SL_INIT("한"), SL_INIT("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab") },
};

static void fold_cut(struct sl s, size_t cut, struct buf *out)
{
	struct fold_stream f;
	struct sl head = heap_copy(sl_head(s, cut)), tail = heap_copy(sl_from(s, cut));

	fold_begin(&f);
	fold_feed(&f, head, out);
	fold_feed(&f, tail, out);
	fold_end(&f, out);
	vector_free(head);
	vector_free(tail);
}

static void test_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(same); i++) {
		struct buf a = BUF(200), again = BUF(200);
		fold_text(same[i].a, &a);
		CHECK(a.n > 0 && utf8_valid(buf_sl(&a)), same[i].name);
		fold_text(buf_sl(&a), &again);
		CHECK(sl_eq(buf_sl(&a), buf_sl(&again)), same[i].name); // folding twice changes nothing
		for (size_t cut = 0; cut <= same[i].b.n; cut++) {
			struct buf b = BUF(200);
			fold_cut(same[i].b, cut, &b);
			CHECK(sl_eq(buf_sl(&a), buf_sl(&b)), same[i].name);
			buf_free(&b);
		}
		for (size_t max = 0; max < a.n; max++) {
			struct buf small = BUF(max);
			fold_text(same[i].a, &small);
			CHECK(small.err == E_TOOBIG && small.n <= max, same[i].name);
			buf_free(&small);
		}
		buf_free(&a);
		buf_free(&again);
	}
}

static void test_many_marks(void **state)
{
	(void)state;
	struct buf in = BUF(10000), out = BUF(20000);
	for (int i = 0; i < 2000; i++)
		buf_puts(&in, i % 2 ? "\xcc\x81" : "\xcc\xa3");
	fold_text(buf_sl(&in), &out);
	assert_int_equal(out.err, E_OK);
	assert_int_equal(out.n, in.n);
	buf_free(&in);
	buf_free(&out);
}

static bool search(struct sl needle, struct sl text, size_t step)
{
	struct arena a;
	struct fold_needle n;
	struct buf folded = BUF(1000);
	arena_init(&a, 65536);
	assert_int_equal(fold_needle_make(needle, &a, &n), E_OK);
	fold_text(text, &folded);
	for (size_t at = 0; at < folded.n; at += step)
		fold_needle_feed(&n, sl_sub(buf_sl(&folded), at, at + step));
	bool found = n.found;
	buf_free(&folded);
	arena_free(&a);
	return found;
}

static void test_needles(void **state)
{
	(void)state;
	static const struct {
		struct sl needle, text;
		bool want;
	} cases[] = {
		{ SL_INIT("雁"), SL_INIT("鸿雁传书"), true },
		{ SL_INIT("雁传"), SL_INIT("鸿雁传书"), true },
		{ SL_INIT("雁书"), SL_INIT("鸿雁传书"), false },
		{ SL_INIT("雁传"), SL_INIT("鸿雁\r\n传书"), true },
		{ SL_INIT("aab"), SL_INIT("aaaab"), true },
		{ SL_INIT("abab"), SL_INIT("abaabab"), true },
		{ SL_INIT("ababc"), SL_INIT("abababac ababab"), false },
		{ SL_INIT("CAFE"), SL_INIT("un café noir"), true },
		{ SL_INIT("hello world"), SL_INIT("Hello\r\n  World"), true },
		{ SL_INIT(""), SL_INIT(""), true },
		{ SL_INIT("a"), SL_INIT(""), false },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++)
		for (size_t step = 1; step < 20; step++)
			CHECK(search(cases[i].needle, cases[i].text, step) == cases[i].want,
				(const char *)cases[i].needle.p);
}

/// Against the obvious search, on texts of two letters, where borders abound.
static void test_needles_random(void **state)
{
	(void)state;
	uint32_t seed = 7;
	for (int round = 0; round < 3000; round++) {
		uint8_t text[40], needle[6];
		for (size_t i = 0; i < sizeof text + sizeof needle; i++) {
			seed = seed * 1103515245 + 12345;
			*(i < sizeof text ? &text[i] : &needle[i - sizeof text]) = seed >> 16 & 1 ? 'a' : 'b';
		}
		struct sl t = { text, sizeof text }, n = { needle, 1 + (size_t)round % sizeof needle };
		assert_true(search(n, t, 1 + (size_t)round % 7) == (sl_find_sl(t, n) < t.n));
	}
}

static void test_needle_budget(void **state)
{
	(void)state;
	for (size_t room = 0; room < 64; room++) {
		uint8_t mem[64];
		struct arena a = ARENA_OVER(mem, room);
		struct fold_needle n = { .seen = 99 };
		enum ec e = fold_needle_make(SL("needle"), &a, &n);
		assert_true(e == E_OK ? n.text.n == 6 : e == E_TEMP && n.seen == 99);
	}
	struct arena a;
	struct fold_needle n;
	static uint8_t big[FOLD_NEEDLE_MAX + 1];
	memset(big, 'a', sizeof big);
	arena_init(&a, 1 << 20);
	assert_int_equal(fold_needle_make((struct sl){ big, sizeof big }, &a, &n), E_TOOBIG);
	// A match must not span what was broken apart.
	assert_int_equal(fold_needle_make(SL("ab"), &a, &n), E_OK);
	fold_needle_feed(&n, SL("a"));
	fold_needle_break(&n);
	assert_false(fold_needle_feed(&n, SL("b")));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_many_marks),
		cmocka_unit_test(test_needles),
		cmocka_unit_test(test_needles_random),
		cmocka_unit_test(test_needle_budget),
	};
	return cmocka_run_group_tests_name("mail/fold", tests, NULL, NULL);
}
