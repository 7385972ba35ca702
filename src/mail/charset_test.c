/// Tests of mail/charset: labels, each kind of converter whole and cut at each octet, broken octets, guessing, limits.
#include "base/check.h"

#include "base/num.h"
#include "base/utf8.h"
#include "mail/charset.h"

static const struct {
	const char *name; // also the label
	struct sl in;
	const char *want;
	enum charset_how how;
	bool whole_only; // guessing sees other pieces when cut
} cases[] = {
	{ "utf-8", SL_INIT("\xe9\xb8\xbf\xe9\x9b\x81 ok"), "鸿雁 ok", CHARSET_EXACT, false },
	{ "UTF8", SL_INIT("a\xe9\xb8 b\xff"), "a�� b�", CHARSET_REPAIRED, false },
	{ "utf-8", SL_INIT("x\xf0\x9f\x98"), "x�", CHARSET_REPAIRED, true },
	{ "gb2312", SL_INIT("\xba\xe8\xd1\xe3\xb4\xab\xca\xe9"), "鸿雁传书", CHARSET_EXACT, false },
	{ "GBK", SL_INIT("\x96\x7c"), "東", CHARSET_EXACT, false },
	{ "gb18030", SL_INIT("\x95\x32\x82\x36!"), "𠀀!", CHARSET_EXACT, false },
	{ "gb18030", SL_INIT("a\xff\xba\xe8"), "a�鸿", CHARSET_REPAIRED, false },
	{ "big5", SL_INIT("\xc2\x45\xb6\xad\xb6\xc7\xae\xd1"), "鴻雁傳書", CHARSET_EXACT, false },
	{ "hz-gb-2312", SL_INIT("a~~ ~{:hQc~}.~{4+Ji\nb"), "a~ 鸿雁.传书\nb", CHARSET_EXACT, false },
	{ "iso-2022-jp", SL_INIT("\x1b$B4A;z\x1b(B!"), "漢字!", CHARSET_EXACT, false },
	{ "Shift_JIS", SL_INIT("\x8a\xbf\x8e\x9a\x87\x40"), "漢字①", CHARSET_EXACT, false },
	{ "euc-jp", SL_INIT("\xb4\xc1\xbb\xfa"), "漢字", CHARSET_EXACT, false },
	{ "ks_c_5601-1987", SL_INIT("\xc7\xd1\xb1\xdb\x8c\x63"), "한글똠", CHARSET_EXACT, false },
	{ "ISO-8859-1", SL_INIT("caf\xe9 \x80\x93\x81"), "café €“\xc2\x81", CHARSET_EXACT, false },
	{ "iso-8859-8-i", SL_INIT("\xf9\xec\xe5\xed"), "שלום", CHARSET_EXACT, false },
	{ "koi8-r", SL_INIT("\xf0\xd2\xc9\xd7\xc5\xd4"), "Привет", CHARSET_EXACT, false },
	{ "windows-1251", SL_INIT("\xcf\xf0\xe8\xe2\xe5\xf2"), "Привет", CHARSET_EXACT, false },
	{ "windows-1258", SL_INIT("a\xec"), "á", CHARSET_EXACT, false },
	{ "utf-7", SL_INIT("1 +- 2 +ncU-!"), "1 + 2 鷅!", CHARSET_EXACT, false },
	{ "us-ascii", SL_INIT("plain"), "plain", CHARSET_EXACT, false },
	{ "us-ascii", SL_INIT("\xe9\xb8\xbf"), "鸿", CHARSET_GUESSED, true },
	{ "", SL_INIT("\xba\xe8\xd1\xe3"), "鸿雁", CHARSET_GUESSED, true },
	{ "", SL_INIT("caf\xe9 noir"), "café noir", CHARSET_GUESSED, true },
	{ "", SL_INIT("caf\xe9"), "café", CHARSET_GUESSED, true },
	{ "x-no-such", SL_INIT("\xba\xe8\xd1\xe3"), "鸿雁", CHARSET_GUESSED, true },
	{ "x-no-such", SL_INIT("ascii"), "ascii", CHARSET_GUESSED, false },
	{ "utf-8//TRANSLIT", SL_INIT("\xe9\xb8\xbf"), "鸿", CHARSET_GUESSED, true },
};

static void test_whole(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(cases[i].in);
		struct buf out = BUF(200);
		enum charset_how how = CHARSET_EXACT;
		CHECK(charset_to_utf8(&cc, sl_cstr(cases[i].name), in, &out, &how) == E_OK, cases[i].name);
		CHECK(utf8_valid(buf_sl(&out)) && how == cases[i].how, cases[i].name);
		CHECK(sl_eq(buf_sl(&out), sl_cstr(cases[i].want)), cases[i].name);
		for (size_t max = 0; max < out.n; max++) {
			struct buf small = BUF(max);
			how = (enum charset_how)99;
			CHECK(charset_to_utf8(&cc, sl_cstr(cases[i].name), in, &small, &how) == E_TOOBIG,
				cases[i].name);
			CHECK(small.n <= max && how == (enum charset_how)99, cases[i].name);
			buf_free(&small);
		}
		buf_free(&out);
		free((void *)(uintptr_t)in.p);
	}
	charset_cache_free(&cc);
}

static void test_pieces(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (size_t step = 1; !cases[i].whole_only && step <= cases[i].in.n; step++) {
			struct charset_stream s;
			struct buf out = BUF(200);
			charset_begin(&s, &cc, sl_cstr(cases[i].name));
			for (size_t at = 0; at < cases[i].in.n; at += step) {
				struct sl piece = heap_copy(sl_sub(cases[i].in, at, at + step));
				charset_feed(&s, piece, &out);
				free((void *)(uintptr_t)piece.p);
			}
			charset_end(&s, &out);
			CHECK(s.how == cases[i].how, cases[i].name);
			CHECK(sl_eq(buf_sl(&out), sl_cstr(cases[i].want)), cases[i].name);
			buf_free(&out);
		}
	}
	charset_cache_free(&cc);
}

/// A guess in pieces: the piece with the first 8-bit octet decides, an unfinished character at its end does not count.
static void test_guess_pieces(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	struct charset_stream s;
	struct buf out = BUF(100);
	charset_begin(&s, &cc, SL("us-ascii"));
	charset_feed(&s, SL("a "), &out);
	charset_feed(&s, SL("\xba\xe8\xd1"), &out);
	charset_feed(&s, SL("\xe3"), &out);
	charset_end(&s, &out);
	assert_true(sl_eq(buf_sl(&out), SL("a 鸿雁")));
	buf_clear(&out);
	charset_begin(&s, &cc, SL(""));
	charset_feed(&s, SL("\xe9\xb8\xbf\xe9"), &out);
	charset_feed(&s, SL("\x9b\x81"), &out);
	charset_end(&s, &out);
	assert_true(sl_eq(buf_sl(&out), SL("鸿雁")));
	assert_true(sl_eq(charset_guess(&cc, SL("caf\xe9")), SL("windows-1252")));
	assert_true(sl_eq(charset_guess(&cc, SL("\xba\xe8")), SL("gb18030")));
	assert_true(sl_eq(charset_guess(&cc, SL("plain")), SL("utf-8")));
	buf_free(&out);
	charset_cache_free(&cc);
}

/// After the preload nothing is opened: a converter that is missing then is guessed instead.
static void test_preload(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	assert_int_equal(charset_preload(&cc), E_OK);
	for (size_t i = 0; i < 40; i++)
		assert_non_null(cc.converters[i]);
	charset_cache_free(&cc);
	charset_cache_free(&cc);
	cc.missing = ~(uint64_t)0;
	struct buf out = BUF(100);
	enum charset_how how;
	assert_int_equal(charset_to_utf8(&cc, SL("gbk"), SL("\xba\xe8"), &out, &how), E_OK);
	assert_int_equal(how, CHARSET_GUESSED);
	assert_true(utf8_valid(buf_sl(&out)));
	buf_free(&out);
	assert_true(charset_known(SL(" csGB2312 ")) && charset_known(SL("x-sjis")) && !charset_known(SL("utf-9")));
	assert_false(charset_known(SL("X-UNKNOWN"))); // such text is guessed, but cannot be asked for
	assert_false(charset_known(SL("unknown-8bit")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_guess_pieces),
		cmocka_unit_test(test_preload),
	};
	return cmocka_run_group_tests_name("mail/charset", tests, NULL, NULL);
}
