/// Tests of mail/encword: RFC 2047 examples, broken words, split characters, raw octets; and the vectors.
#include "base/check.h"

#include "base/num.h"
#include "base/utf8.h"
#include "mail/encword.h"
#include "mail/vector.h"

static const struct {
	const char *name;
	struct sl in;
	const char *want;
} cases[] = {
	{ "plain", SL_INIT(" Hello,\r\n world "), "Hello, world" },
	{ "q", SL_INIT("=?ISO-8859-1?Q?Andr=E9_x?="), "André x" },
	{ "b", SL_INIT("=?gb2312?B?uujR4w==?="), "鸿雁" },
	{ "adjacent words join", SL_INIT("=?utf-8?q?a?= \r\n =?utf-8?q?b?="), "ab" },
	{ "word and text do not", SL_INIT("=?utf-8?q?a?= b =?utf-8?q?c?="), "a b c" },
	{ "character split over words", SL_INIT("=?utf-8?B?6bg=?= =?UTF-8?B?v+mbgQ==?="), "鸿雁" },
	{ "split, B and Q", SL_INIT("=?gbk?q?=BA?= =?GBK?B?6Ns=?="), "鸿�" },
	{ "two charsets", SL_INIT("=?utf-8?q?a?= =?koi8-r?q?=F0?="), "aП" },
	{ "language", SL_INIT("=?us-ascii*en?q?Keith?="), "Keith" },
	{ "not an encoding", SL_INIT("=?utf-8?x?a?="), "=?utf-8?x?a?=" },
	{ "open", SL_INIT("=?utf-8?q?abc"), "=?utf-8?q?abc" },
	{ "empty word",
		SL_INIT("a =?utf-8?q?"
			"?= b"),
		"a  b" },
	{ "text begins with =", SL_INIT("=?utf-8?Q?=41=?="), "A=" },
	{ "unknown charset", SL_INIT("=?x-none?q?=E9=B8=BF?="), "鸿" },
	{ "line end in a word", SL_INIT("=?utf-8?q?a=0D=0ABcc:_x?="), "a  Bcc: x" },
	{ "raw UTF-8", SL_INIT("Re: \xe9\xb8\xbf"), "Re: 鸿" },
	{ "raw GB", SL_INIT("Re: \xba\xe8\xd1\xe3"), "Re: 鸿雁" },
	{ "raw Latin", SL_INIT("caf\xe9 au lait"), "café au lait" },
	{ "raw beside a word", SL_INIT("\xba\xe8 =?utf-8?q?=E9=9B=81?="), "鸿 雁" },
	{ "base64 without padding", SL_INIT("=?utf-8?b?YQ?="), "a" },
	{ "empty", SL_INIT(""), "" },
};

static void test_cases(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(cases[i].in);
		struct buf out = BUF(300);
		encword_decode_text(&cc, in, &out);
		if (!sl_eq(buf_sl(&out), sl_cstr(cases[i].want)))
			print_error("got \"%.*s\"\n", SLF(buf_sl(&out)));
		CHECK(out.err == E_OK && sl_eq(buf_sl(&out), sl_cstr(cases[i].want)), cases[i].name);
		for (size_t max = 0; max < out.n; max++) {
			struct buf small = BUF(max);
			encword_decode_text(&cc, in, &small);
			CHECK(small.err == E_TOOBIG && small.n <= max, cases[i].name);
			buf_free(&small);
		}
		for (size_t n = 0; n < in.n; n++) { // cut anywhere: valid UTF-8 on one line
			struct sl cut = heap_copy(sl_head(in, n));
			struct buf part = BUF(300);
			encword_decode_text(&cc, cut, &part);
			CHECK(utf8_valid(buf_sl(&part)) && sl_find(buf_sl(&part), '\n') == part.n, cases[i].name);
			buf_free(&part);
			vector_free(cut);
		}
		buf_free(&out);
		vector_free(in);
	}
	charset_cache_free(&cc);
}

/// Vectors (by line, from 1) where we differ, and why. Each is checked to differ, so that the list stays true.
static const struct {
	size_t line;
	const char *why;
} differs[] = {
	{ 3, "RFC 5322 §2.2.3: unfolding takes the line end only, the blanks stay" },
	{ 5, "likewise" },
	{ 20, "likewise" },
	{ 4, "the vector is a header of two fields; we are given one value" },
	{ 12, "likewise" },
	{ 22, "RFC 2047 §5 (1): blanks beside a word stay; the vector adds one where there is none" },
	{ 23, "likewise" },
	{ 28, "likewise" },
	{ 29, "likewise" },
};

static void test_vectors(void **state)
{
	(void)state;
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	struct sl file = vector_read("tests/vectors/mime-headers/unstructured.txt"), rest = file;
	bool bad = false;
	for (size_t n = 1; rest.n; n++) {
		struct sl line = sl_cut(&rest, '\n');
		struct sl in = vector_hex(&line), want = vector_hex(&line);
		struct buf out = BUF(1000);
		bool known = false;
		encword_decode_text(&cc, in, &out);
		for (size_t i = 0; i < ARRAY_N(differs); i++)
			known |= differs[i].line == n;
		if (sl_eq(buf_sl(&out), want) == known)
			print_error("line %zu: in \"%.*s\" got \"%.*s\" want \"%.*s\"\n", n, SLF(in), SLF(buf_sl(&out)),
				SLF(want));
		bad |= sl_eq(buf_sl(&out), want) == known;
		buf_free(&out);
		vector_free(in);
		vector_free(want);
	}
	vector_free(file);
	charset_cache_free(&cc);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_vectors),
	};
	return cmocka_run_group_tests_name("mail/encword", tests, NULL, NULL);
}
