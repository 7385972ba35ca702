/// Tests of structure_print and structure_text: grammar rules one by one, 8-bit text, messages after RFC examples.
#include "base/check.h"

#include <stdio.h>

#include "base/num.h"
#include "front/imap/structure_check.h"
#include "front/imap/structure_print.h"

static struct charset_cache charsets;

enum what { ENVELOPE, BODY, BODYSTRUCTURE };

/// Prints one of the three; out is empty where the arena did not suffice.
static void print(struct sl message, enum what what, bool utf8, size_t budget, struct buf *out)
{
	struct structure_style style = { &charsets, utf8 };
	struct mime_tree tree;
	struct envelope env;
	struct arena a;

	arena_init(&a, budget);
	if (what == ENVELOPE && envelope_parse(message, &a, &env) == E_OK)
		structure_print_envelope(out, &env, &style);
	if (what != ENVELOPE && mime_parse(message, &a, &tree) == E_OK)
		structure_print_body(out, tree.root, what == BODYSTRUCTURE, &style);
	arena_free(&a);
}

static void check_print(const char *name, struct sl message, enum what what, bool utf8, struct sl want)
{
	struct sl copy = heap_copy(message);
	struct buf out = BUF(1 << 20);

	print(copy, what, utf8, 1 << 20, &out);
	if (!sl_eq(buf_sl(&out), want))
		print_error("got:  %.*s\nwant: %.*s\n", SLF(buf_sl(&out)), SLF(want));
	CHECK(sl_eq(buf_sl(&out), want), name);
	CHECK(check_structure(buf_sl(&out), utf8), name);
	buf_free(&out);
	free((void *)(uintptr_t)copy.p);
}

static const struct {
	const char *name;
	struct sl in;
	const char *want; // the text between (NIL and the rest of the envelope's ten fields is written out
} envelopes[] = {
	{ "nothing", SL_INIT("\r\n"), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "all fields",
		SL_INIT("Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nSubject: hi\r\nFrom: A <a@x>\r\nSender: s@x\r\n"
			"Reply-To: r@x\r\nTo: t@x, u@y\r\nCc: c@x\r\nBcc: b@x\r\nIn-Reply-To: <1@x>\r\n"
			"Message-ID: <2@x>\r\n\r\n"),
		"(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"hi\" ((\"A\" NIL \"a\" \"x\")) ((NIL NIL \"s\" \"x\")) "
		"((NIL NIL \"r\" \"x\")) ((NIL NIL \"t\" \"x\")(NIL NIL \"u\" \"y\")) ((NIL NIL \"c\" \"x\")) "
		"((NIL NIL \"b\" \"x\")) \"<1@x>\" \"<2@x>\")" },
	{ "sender and reply-to default to from", SL_INIT("From: a@x\r\n\r\n"),
		"(NIL NIL ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) NIL NIL NIL NIL "
		"NIL)" },
	{ "empty texts are not NIL", SL_INIT("Subject:\r\nMessage-ID: \r\n\r\n"),
		"(NIL \"\" NIL NIL NIL NIL NIL NIL NIL \"\")" },
	{ "group", SL_INIT("To: friends: a@x;\r\n\r\n"),
		"(NIL NIL NIL NIL NIL ((NIL NIL \"friends\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)) NIL NIL NIL "
		"NIL)" },
	{ "no domain is no group", SL_INIT("To: joe\r\n\r\n"),
		"(NIL NIL NIL NIL NIL ((NIL NIL \"joe\" \"\")) NIL NIL NIL NIL)" },
	{ "route", SL_INIT("To: <@a,@b:c@d>\r\n\r\n"),
		"(NIL NIL NIL NIL NIL ((NIL \"@a,@b\" \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ "quoted specials", SL_INIT("Subject: say \"hi\" \\ bye\r\n\r\n"),
		"(NIL \"say \\\"hi\\\" \\\\ bye\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "fold and control octets",
		SL_INIT("Subject: a\r\n\tb\x07"
			"c\r\n\r\n"),
		"(NIL \"a b c\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

static void test_envelopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(envelopes); i++)
		check_print(envelopes[i].name, envelopes[i].in, ENVELOPE, false, sl_cstr(envelopes[i].want));
}

/// Subjects as stored, and as a client without UTF-8 sees them.
static const struct {
	const char *name, *in, *want, *utf8;
} texts[] = {
	{ "encoded word stays", "=?GBK?B?xOO6ww==?= x", "=?GBK?B?xOO6ww==?= x", "=?GBK?B?xOO6ww==?= x" },
	{ "raw UTF-8", "\xe4\xbd\xa0\xe5\xa5\xbd", "=?UTF-8?B?5L2g5aW9?=", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "raw GB2312", "\xc4\xe3\xba\xc3", "=?UTF-8?B?5L2g5aW9?=", "\xe4\xbd\xa0\xe5\xa5\xbd" },
	{ "raw GB18030 of four octets", "\xc4\xe3\x81\x30\x84\x36", "=?UTF-8?B?5L2gwqU=?=", "\xe4\xbd\xa0\xc2\xa5" },
	{ "raw Windows-1252", "caf\xe9", "=?UTF-8?B?Y2Fmw6k=?=", "caf\xc3\xa9" },
	{ "plain words around", "Re: \xe4\xbd\xa0 \xe5\xa5\xbd now", "Re: =?UTF-8?B?5L2gIOWlvQ==?= now",
		"Re: \xe4\xbd\xa0 \xe5\xa5\xbd now" },
	{ "blank before goes into the word", "=?utf-8?q?a?= \xe4\xbd\xa0",
		"=?utf-8?q?a?= =?UTF-8?B?IOS9oA==?=", "=?utf-8?q?a?= \xe4\xbd\xa0" },
	{ "blank behind too",
		"\xe4\xbd\xa0 =?utf-8?q?a?=", "=?UTF-8?B?5L2gIA==?= =?utf-8?q?a?=", "\xe4\xbd\xa0 =?utf-8?q?a?=" },
	{ "no blank between", "\xe4\xbd\xa0=?utf-8?q?a?=\xe4\xbd\xa0",
		"=?UTF-8?B?5L2g?= =?utf-8?q?a?= =?UTF-8?B?5L2g?=", "\xe4\xbd\xa0=?utf-8?q?a?=\xe4\xbd\xa0" },
	{ "raw octets in an encoded word",
		"=?utf-8?q?\xe4\xbd\xa0?=", "=?UTF-8?B?PT91dGYtOD9xP+S9oD89?=", "=?utf-8?q?\xe4\xbd\xa0?=" },
	{ "words end between characters",
		"\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4"
		"\xb8\x80"
		"\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80"
		"ab\xe4\xb8\x80",
		"=?UTF-8?B?5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiA5LiAYWI=?= =?UTF-8?B?5LiA?=",
		"\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4"
		"\xb8\x80"
		"\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80\xe4\xb8\x80"
		"ab\xe4\xb8\x80" },
	{ "control octets beside it",
		"\x01\xe4\xbd\xa0\x7f"
		"b",
		" =?UTF-8?B?5L2g?= b", " \xe4\xbd\xa0 b" },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(texts); i++) {
		for (int utf8 = 0; utf8 < 2; utf8++) {
			struct structure_style style = { &charsets, utf8 };
			struct sl in = heap_copy(sl_cstr(texts[i].in));
			struct buf out = BUF(4096), want = BUF(4096);
			buf_printf(&want, "\"%s\"", utf8 ? texts[i].utf8 : texts[i].want);
			structure_print_text(&out, in, &style);
			if (!sl_eq(buf_sl(&out), buf_sl(&want)))
				print_error("got:  %.*s\nwant: %.*s\n", SLF(buf_sl(&out)), SLF(buf_sl(&want)));
			CHECK(sl_eq(buf_sl(&out), buf_sl(&want)), texts[i].name);
			buf_free(&want);
			buf_free(&out);
			free((void *)(uintptr_t)in.p);
		}
	}
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
#define PLAIN "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""

static const struct {
	const char *name;
	struct sl in;
	const char *body, *bodystructure;
} bodies[] = {
	{ "no MIME", SL_INIT("Subject: x\r\n\r\none\r\ntwo\r\n"), "(" PLAIN " 10 2)",
		"(" PLAIN " 10 2 NIL NIL NIL NIL)" },
	{ "empty message", SL_INIT(""), "(" PLAIN " 0 0)", "(" PLAIN " 0 0 NIL NIL NIL NIL)" },
	{ "every field",
		SL_INIT("Content-Type: Text/HTML; charset=utf-8; x=\"a b\"\r\nContent-ID: "
			"<i@x>\r\nContent-Description: d\r\n"
			"Content-Transfer-Encoding: Quoted-Printable\r\nContent-MD5: Q2hlY2s=\r\n"
			"Content-Disposition: attachment; filename=\"f.html\"\r\nContent-Language: en, zh-CN\r\n"
			"Content-Location: http://x/\r\n\r\n=41\r\n"),
		"(\"Text\" \"HTML\" (\"charset\" \"utf-8\" \"x\" \"a b\") \"<i@x>\" \"d\" \"Quoted-Printable\" 5 1)",
		"(\"Text\" \"HTML\" (\"charset\" \"utf-8\" \"x\" \"a b\") \"<i@x>\" \"d\" \"Quoted-Printable\" 5 1 "
		"\"Q2hlY2s=\" (\"attachment\" (\"filename\" \"f.html\")) (\"en\" \"zh-CN\") \"http://x/\")" },
	{ "not text: no lines", SL_INIT("Content-Type: image/png\r\nContent-Disposition: inline\r\n\r\nxx\r\n"),
		"(\"image\" \"png\" NIL NIL NIL \"7bit\" 4)",
		"(\"image\" \"png\" NIL NIL NIL \"7bit\" 4 NIL (\"inline\" NIL) NIL NIL)" },
	{ "multipart",
		SL_INIT("Content-Type: multipart/mixed; boundary=b\r\nContent-Disposition: inline\r\nContent-Language: "
			"de\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: a/b\r\n\r\ntwo\r\n--b--\r\n"),
		"((" PLAIN " 3 0)(\"a\" \"b\" NIL NIL NIL \"7bit\" 3) \"mixed\")",
		"((" PLAIN " 3 0 NIL NIL NIL NIL)(\"a\" \"b\" NIL NIL NIL \"7bit\" 3 NIL NIL NIL NIL) \"mixed\" "
		"(\"boundary\" \"b\") (\"inline\" NIL) (\"de\") NIL)" },
	{ "multipart without a part", SL_INIT("Content-Type: multipart/mixed\r\n\r\nx\r\n"),
		"((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 1) \"mixed\")",
		"((\"text\" \"plain\" NIL NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL)" },
	{ "message within",
		SL_INIT(MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n\r\n--b--\r\n"),
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN
		" 4 1) 3) \"mixed\")",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 19 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN
		" 4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "message/global is a leaf for old clients",
		SL_INIT("Content-Type: message/global\r\n\r\nSubject: in\r\n\r\nhi"),
		"(\"message\" \"global\" NIL NIL NIL \"7bit\" 17)",
		"(\"message\" \"global\" NIL NIL NIL \"7bit\" 17 NIL NIL NIL NIL)" },
	{ "digest",
		SL_INIT("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nhi\r\n--b--"),
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN
		" 2 0) 2) \"digest\")",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL) (" PLAIN
		" 2 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \"digest\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ "raw file name", SL_INIT("Content-Type: a/b; name=\"\xc4\xe3.txt\"\r\n\r\n"),
		"(\"a\" \"b\" (\"name\" \"=?UTF-8?B?5L2gLnR4dA==?=\") NIL NIL \"7bit\" 0)",
		"(\"a\" \"b\" (\"name\" \"=?UTF-8?B?5L2gLnR4dA==?=\") NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" },
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(bodies); i++) {
		check_print(bodies[i].name, bodies[i].in, BODY, false, sl_cstr(bodies[i].body));
		check_print(bodies[i].name, bodies[i].in, BODYSTRUCTURE, false, sl_cstr(bodies[i].bodystructure));
	}
}

/// A message that lacks a shape cannot come from mime_parse; the printer must keep to the grammar all the same.
static void test_leaf_without_shape(void **state)
{
	(void)state;
	struct structure_style style = { &charsets, false };
	struct mime_part leaf = { .class = MIME_LEAF, .type = SL("message"), .subtype = SL("rfc822"), .end = 7 };
	struct buf out = BUF(4096);

	structure_print_body(&out, &leaf, false, &style);
	assert_true(sl_eq(buf_sl(&out), SL("(\"application\" \"octet-stream\" NIL NIL NIL \"7bit\" 7)")));
	buf_free(&out);
}

/// Every cut of a message, and every budget of its parse, gives well-formed data or nothing.
static void test_cuts_and_budgets(void **state)
{
	(void)state;
	struct sl in =
		SL("From: \xc4\xe3 <a@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
		   "message/rfc822; x=\"\xff\"\r\n\r\nSubject: \"\\\x01\r\n\r\nhi\r\n--b--\r\n");

	for (size_t n = 0; n <= in.n; n++) {
		struct sl copy = heap_copy(sl_head(in, n));
		for (enum what what = ENVELOPE; what <= BODYSTRUCTURE; what++) {
			struct buf out = BUF(1 << 16);
			print(copy, what, false, 1 << 16, &out);
			CHECK(check_structure(buf_sl(&out), false), "cut");
			buf_free(&out);
		}
		free((void *)(uintptr_t)copy.p);
	}
	for (size_t budget = 0; budget < 16384; budget += 256) {
		struct buf out = BUF(1 << 16);
		print(in, BODYSTRUCTURE, false, budget, &out);
		CHECK(out.n == 0 || check_structure(buf_sl(&out), false), "budget");
		buf_free(&out);
	}
}

/// The whole file as malloc'd octets with CRLF line ends.
static struct sl read_crlf(const char *path)
{
	struct buf b = BUF(1 << 20);
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	for (int c, last = 0; (c = getc(f)) != EOF; last = c) {
		if (c == '\n' && last != '\r')
			buf_addc(&b, '\r');
		buf_addc(&b, (uint8_t)c);
	}
	fclose(f);
	return buf_sl(&b);
}

/// Lines "NNN ENVELOPE …" and "NNN BODYSTRUCTURE …" about the messages beside them.
static void test_vectors(void **state)
{
	(void)state;
	struct sl all = read_crlf("tests/vectors/mime-eml/structure.txt"), rest = all;
	unsigned lines = 0;

	while (rest.n) {
		struct sl line = sl_trim(sl_cut(&rest, '\n'));
		if (line.n == 0 || line.p[0] == '#')
			continue;
		struct sl name = sl_cut(&line, ' '), what = sl_cut(&line, ' ');
		char path[100];
		snprintf(path, sizeof path, "tests/vectors/mime-eml/%.*s.eml", SLF(name));
		struct sl message = read_crlf(path);
		check_print(path, message, sl_eq(what, SL("ENVELOPE")) ? ENVELOPE : BODYSTRUCTURE, false, line);
		free((void *)(uintptr_t)message.p);
		lines++;
	}
	free((void *)(uintptr_t)all.p);
	assert_int_equal(lines, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_leaf_without_shape),
		cmocka_unit_test(test_cuts_and_budgets),
		cmocka_unit_test(test_vectors),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	charset_cache_free(&charsets);
	return failed;
}
