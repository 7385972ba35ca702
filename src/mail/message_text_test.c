/// Tests of mail/message_text: one or two Chinese characters found in every charset and encoding; fields; early stop.
#include "base/check.h"

#include "base/num.h"
#include "mail/message_text.h"
#include "mail/vector.h"

static bool body_has(struct sl message, struct sl text, bool headers)
{
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	struct arena a;
	struct mime_tree t;
	struct fold_needle needle;
	struct sl in = heap_copy(message);

	arena_init(&a, 1 << 20);
	assert_int_equal(mime_parse(in, &a, &t), E_OK);
	assert_int_equal(fold_needle_make(text, &a, &needle), E_OK);
	assert_int_equal(text_search_message(&cc, &t, headers, (struct text_needles){ &needle, 1 }), E_OK);
	arena_free(&a);
	charset_cache_free(&cc);
	vector_free(in);
	return needle.found;
}

static const struct {
	const char *name;
	struct sl message, needle;
	bool body, text; // found by BODY, by TEXT
} cases[] = {
	{ "utf-8 8bit", SL_INIT("Content-Type: text/plain; charset=utf-8\r\n\r\n鸿雁传书"), SL_INIT("雁传"), true,
		true },
	{ "gb2312 base64",
		SL_INIT("Content-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: base64\r\n\r\n"
			"uujR\r\n47Sr\r\nyuk=\r\n"),
		SL_INIT("雁"), true, true },
	{ "gbk quoted-printable",
		SL_INIT("Content-Type: text/plain; charset=GBK\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
			"=BA=E8=D1=\r\n=E3=B4=AB"),
		SL_INIT("鸿雁"), true, true },
	{ "big5 8bit", SL_INIT("Content-Type: text/plain; charset=big5\r\n\r\n\xc2\x45\xb6\xad x"), SL_INIT("x"), true,
		true },
	{ "hz", SL_INIT("Content-Type: text/plain; charset=hz-gb-2312\r\n\r\n~{:hQc~}"), SL_INIT("雁"), true, true },
	{ "unlabelled GB", SL_INIT("\r\n\xba\xe8\xd1\xe3"), SL_INIT("雁"), true, true },
	{ "half a character is no match", SL_INIT("Content-Type: text/plain; charset=gbk\r\n\r\n\xba\xe8\xd1\xe3"),
		SL_INIT("柩"), false, false },
	{ "html", SL_INIT("Content-Type: text/html; charset=utf-8\r\n\r\n<p title='no'>鸿<b>雁</b> &#20256;书</p>"),
		SL_INIT("鸿雁 传书"), true, true },
	{ "html tags are not text", SL_INIT("Content-Type: text/html\r\n\r\n<p title='no'>x"), SL_INIT("title"), false,
		false },
	{ "over a line end", SL_INIT("\r\nHello\r\nWorld"), SL_INIT("hello world"), true, true },
	{ "subject", SL_INIT("Subject: =?gb2312?B?uujR4w==?=\r\n\r\nx"), SL_INIT("鸿雁"), false, true },
	{ "field name and value", SL_INIT("X-Y: abc\r\n\r\nx"), SL_INIT("x-y: abc"), false, true },
	{ "not over two texts", SL_INIT("X: ab\r\n\r\ncd"), SL_INIT("abcd"), false, false },
	{ "subject of a message within", SL_INIT("Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx"),
		SL_INIT("INNER"), true, true },
	{ "not in other types", SL_INIT("Content-Type: image/gif\r\n\r\nneedle"), SL_INIT("needle"), false, false },
	{ "second part",
		SL_INIT("Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n--b\r\n"
			"Content-Type: text/html\r\n\r\n<i>T</i>wo\r\n--b--\r\nepilogue"),
		SL_INIT("two"), true, true },
	{ "not the preamble", SL_INIT("Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\n\r\n--b--"),
		SL_INIT("pre"), false, false },
	{ "nothing is everywhere", SL_INIT("\r\n"), SL_INIT(""), true, true },
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		CHECK(body_has(cases[i].message, cases[i].needle, false) == cases[i].body, cases[i].name);
		CHECK(body_has(cases[i].message, cases[i].needle, true) == cases[i].text, cases[i].name);
	}
}

/// A needle at every place around the border of two pieces, in base64, where piece, group and character disagree.
static void test_pieces(void **state)
{
	(void)state;
	for (size_t before = 12200; before < 12340; before++) {
		struct buf text = BUF(1 << 20), message = BUF(1 << 20);
		buf_puts(&message,
			"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
		for (size_t i = 0; i < before; i++)
			buf_addc(&text, 'a');
		buf_puts(&text, "鸿雁传书");
		transfer_encode_base64(buf_sl(&text), 0, &message);
		assert_true(body_has(buf_sl(&message), SL("a鸿雁传书"), false));
		buf_free(&text);
		buf_free(&message);
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct sl header =
		SL("Subject: =?utf-8?b?6bg=?=\r\n =?utf-8?b?v+mbgQ==?= rest\r\nFrom: \"D\xc3\xb6ner\" <a@b>\r\n"
		   "To: one\r\nTo: two\r\n\r\nSubject: body\r\n");
	static const struct {
		struct sl name, needle;
		bool want;
	} fields[] = {
		{ SL_INIT("subject"), SL_INIT("鸿雁"), true },
		{ SL_INIT("SUBJECT"), SL_INIT("body"), false },
		{ SL_INIT("Subject"), SL_INIT("subject"), false },
		{ SL_INIT("from"), SL_INIT("DÖNER"), true },
		{ SL_INIT("from"), SL_INIT("a@b"), true },
		{ SL_INIT("to"), SL_INIT("two"), true },
		{ SL_INIT("to"), SL_INIT("onetwo"), false },
		{ SL_INIT("cc"), SL_INIT("one"), false },
	};
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	for (size_t i = 0; i < ARRAY_N(fields); i++) {
		struct arena a;
		struct fold_needle needle;
		arena_init(&a, 4096);
		assert_int_equal(fold_needle_make(fields[i].needle, &a, &needle), E_OK);
		assert_int_equal(
			text_search_field(&cc, header, fields[i].name, (struct text_needles){ &needle, 1 }), E_OK);
		CHECK(needle.found == fields[i].want, (const char *)fields[i].needle.p);
		arena_free(&a);
	}
	charset_cache_free(&cc);
}

/// Several needles in one walk; it goes on until the last is found.
static void test_many_needles(void **state)
{
	(void)state;
	static const struct sl texts[] = { SL_INIT("one"), SL_INIT("three"), SL_INIT("none") };
	struct charset_cache cc = CHARSET_CACHE_EMPTY;
	struct arena a;
	struct mime_tree t;
	struct fold_needle v[3];
	arena_init(&a, 65536);
	assert_int_equal(mime_parse(SL("\r\none two three"), &a, &t), E_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fold_needle_make(texts[i], &a, &v[i]), E_OK);
	assert_int_equal(text_search_message(&cc, &t, true, (struct text_needles){ v, 3 }), E_OK);
	assert_true(v[0].found && v[1].found && !v[2].found);
	arena_free(&a);
	charset_cache_free(&cc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_many_needles),
	};
	return cmocka_run_group_tests_name("mail/message_text", tests, NULL, NULL);
}
