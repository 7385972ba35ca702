/// Tests of mail/mime and mail/envelope: trees of well-made and broken messages, part numbers, limits, budgets.
#include "base/check.h"

#include "base/num.h"
#include "mail/mime.h"
#include "mail/vector.h"

/// Prints type/subtype, body in brackets and line count, children in parentheses; a message's subject as {…}.
static void print_part(const struct mime_tree *t, const struct mime_part *p, struct buf *out)
{
	struct sl body = mime_body(t, p);

	buf_printf(out, "%.*s/%.*s", SLF(p->type), SLF(p->subtype));
	if (p->class == MIME_LEAF) {
		buf_addc(out, '[');
		for (size_t i = 0; i < body.n; i++)
			buf_addc(out, body.p[i] == '\r' ? '^' : body.p[i] == '\n' ? '$' : body.p[i]);
		buf_printf(out, "]%u", p->lines);
		return;
	}
	if (p->envelope)
		buf_printf(out, "{%.*s}", SLF(p->envelope->subject));
	buf_addc(out, '(');
	for (const struct mime_part *c = p->first; c; c = c->next) {
		print_part(t, c, out);
		if (c->next)
			buf_addc(out, ' ');
	}
	buf_addc(out, ')');
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
	const char *name;
	struct sl in;
	const char *want;
} cases[] = {
	{ "no type", SL_INIT("Subject: x\r\n\r\nHello\r\n"), "text/plain[Hello^$]1" },
	{ "case kept", SL_INIT("Content-type: TEXT/Html\r\n\r\nx"), "TEXT/Html[x]0" },
	{ "no blank line", SL_INIT("Subject: x\r\n"), "text/plain[]0" },
	{ "empty", SL_INIT(""), "text/plain[]0" },
	{ "bad type", SL_INIT("Content-Type: nonsense\r\n\r\nx"), "text/plain[x]0" },
	{ "two parts", SL_INIT(MIXED "pre\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue\r\n"),
		"multipart/mixed(text/plain[one]0 text/plain[two^$]1)" },
	{ "bare LF", SL_INIT("Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n"),
		"multipart/mixed(text/plain[one]0 text/plain[two]0)" },
	{ "no final delimiter", SL_INIT(MIXED "--b\r\n\r\none\r\n"), "multipart/mixed(text/plain[one^$]1)" },
	{ "padding", SL_INIT(MIXED "--b \t\r\n\r\none\r\n--b-- \r\nx"), "multipart/mixed(text/plain[one]0)" },
	{ "longer lines are text", SL_INIT(MIXED "--b\r\n\r\n--bb\r\n--b-\r\n--b--x\r\n--b--\r\n"),
		"multipart/mixed(text/plain[--bb^$--b-^$--b--x]2)" },
	{ "empty parts", SL_INIT(MIXED "--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--"),
		"multipart/mixed(text/plain[]0 text/plain[]0 text/plain[]0)" },
	{ "header without a blank line", SL_INIT(MIXED "--b\r\nContent-Type: a/b\r\n--b\r\n\r\nx\r\n--b--"),
		"multipart/mixed(a/b[]0 text/plain[x]0)" },
	{ "nested",
		SL_INIT(MIXED "--b\r\nContent-Type: multipart/alternative; boundary=\"c d\"\r\n\r\n"
			      "--c d\r\n\r\n1\r\n--c d\r\n\r\n2\r\n--c d--\r\n--b\r\n\r\n3\r\n--b--\r\n"),
		"multipart/mixed(multipart/alternative(text/plain[1]0 text/plain[2]0) text/plain[3]0)" },
	{ "outer boundary ends the inner",
		SL_INIT(MIXED "--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n"
			      "--c\r\n\r\n1\r\n--b\r\n\r\n2\r\n--c\r\nstill 2\r\n--b--\r\n"),
		"multipart/mixed(multipart/x(text/plain[1]0) text/plain[2^$--c^$still 2]2)" },
	{ "prefix boundary",
		SL_INIT("Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n"
			"Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\n1\r\n--bb--\r\n"),
		"multipart/mixed(multipart/x(text/plain[1]0))" },
	{ "same boundary within",
		SL_INIT(MIXED "--b\r\nContent-Type: multipart/x; boundary=b\r\n\r\n"
			      "--b\r\n\r\n1\r\n--b--\r\n--b--\r\n"),
		"multipart/mixed(multipart/x(text/plain[1]0))" },
	{ "the outer one of the same boundary goes on",
		SL_INIT(MIXED "--b\r\nContent-Type: multipart/x; boundary=\"b \"\r\n\r\n"
			      "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n--b--\r\n"),
		"multipart/mixed(multipart/x(text/plain[1]0) text/plain[2]0)" },
	{ "three that begin alike",
		SL_INIT("Content-Type: multipart/x; boundary=a\n\n--a\nContent-Type: multipart/y; boundary=ab\n\n--ab\n"
			"Content-Type: multipart/z; "
			"boundary=abc\n\n--abc\n\n1\n--ab\n\n2\n--abc\n--a\n\n3\n--ab\n--a--\n"),
		"multipart/x(multipart/y(multipart/z(text/plain[1]0) text/plain[2$--abc]1) text/plain[3$--ab]1)" },
	{ "no boundary", SL_INIT("Content-Type: multipart/mixed\r\n\r\nx\r\n"), "multipart/mixed(text/plain[x^$]1)" },
	{ "no part", SL_INIT(MIXED "nothing\r\n--b--\r\n"), "multipart/mixed(text/plain[nothing^$--b--^$]2)" },
	{ "boundary with blanks", SL_INIT("Content-Type: multipart/x; boundary=\"b \"\r\n\r\n--b\r\n\r\n1\r\n--b --"),
		"multipart/x(text/plain[1]0)" },
	{ "text behind a delimiter", SL_INIT(MIXED "--b junk\r\n\r\n1\r\n--b-- junk\r\n"),
		"multipart/mixed(text/plain[1]0)" },
	{ "exact before loose",
		SL_INIT("Content-Type: multipart/x; boundary=\"b c\"\r\n\r\n--b c\r\nContent-Type: multipart/y; "
			"boundary=b"
			"\r\n\r\n--b\r\n\r\n1\r\n--b c\r\n\r\n2\r\n--b c--"),
		"multipart/x(multipart/y(text/plain[1]0) text/plain[2]0)" },
	{ "part after the end", SL_INIT(MIXED "--b\r\n\r\n1\r\n--b--\r\n--b\r\n\r\n2\r\n"),
		"multipart/mixed(text/plain[1]0)" },
	{ "message", SL_INIT("Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n"),
		"message/rfc822{in}(text/plain[body^$]1)" },
	{ "digest",
		SL_INIT("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\n1\r\n"
			"--b\r\nContent-Type: text/plain\r\n\r\n2\r\n--b--\r\n"),
		"multipart/digest(message/rfc822{one}(text/plain[1]0) text/plain[2]0)" },
	{ "message with multipart",
		SL_INIT(MIXED "--b\r\nContent-Type: message/global\r\n\r\nSubject: in\r\n"
			      "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n1\r\n"
			      "--c--\r\n--b--\r\n"),
		"multipart/mixed(message/global{in}(multipart/mixed(text/plain[1]0)))" },
	{ "message cut by a delimiter", SL_INIT(MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n"),
		"multipart/mixed(message/rfc822{}(text/plain[]0))" },
	{ "message header cut", SL_INIT(MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: s\r\n--b--\r\n"),
		"multipart/mixed(message/rfc822{s}(text/plain[]0))" },
	{ "first type counts", SL_INIT("Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n"), "a/b[]0" },
};

/// M1 and M2.
static void check_tree(const struct mime_tree *t, const struct mime_part *p, const char *name)
{
	size_t at = p->body_at;

	CHECK(p->header_at <= p->body_at && p->body_at <= p->end && p->end <= t->message.n, name);
	CHECK((p->class == MIME_LEAF) == !p->first, name);
	CHECK(p->class != MIME_MESSAGE || (p->envelope && !p->first->next), name);
	for (const struct mime_part *c = p->first; c; c = c->next) {
		CHECK(c->parent == p && c->header_at >= at && c->end <= p->end, name);
		at = c->end;
		check_tree(t, c, name);
	}
}

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (size_t n = 0; n <= cases[i].in.n; n++) { // cut at each octet
			struct sl in = heap_copy(sl_head(cases[i].in, n));
			struct mime_tree t;
			struct arena a;
			struct buf got = BUF(2000);
			arena_init(&a, 1 << 20);
			CHECK(mime_parse(in, &a, &t) == E_OK, cases[i].name);
			check_tree(&t, t.root, cases[i].name);
			print_part(&t, t.root, &got);
			if (n == in.n && n == cases[i].in.n && !sl_eq(buf_sl(&got), sl_cstr(cases[i].want)))
				print_error("got %.*s\n", SLF(buf_sl(&got)));
			CHECK(n < cases[i].in.n || sl_eq(buf_sl(&got), sl_cstr(cases[i].want)), cases[i].name);
			buf_free(&got);
			arena_free(&a);
			vector_free(in);
		}
		static uint8_t mem[24576];
		enum ec e = E_TEMP;
		for (size_t room = 0; room <= sizeof mem; room += 128) { // every memory budget
			struct arena a = ARENA_OVER(mem, room);
			struct mime_tree t = { .parts = 99 };
			e = mime_parse(cases[i].in, &a, &t);
			CHECK(e == E_OK || (e == E_TEMP && t.parts == 99), cases[i].name);
		}
		CHECK(e == E_OK, cases[i].name);
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct sl in = SL("Content-Type: application/pdf; name=\"a b.pdf\"; x=1\r\nContent-ID: <i@d>\r\n"
			  "Content-Description: some\r\n thing\r\nContent-Transfer-Encoding: BASE64\r\n"
			  "Content-MD5: Q2hlY2s=\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
			  "Content-Language: en, zh-CN ,\r\nContent-Location: http://x/\r\n\r\nAAAA\r\n");
	struct mime_tree t;
	struct arena a;
	arena_init(&a, 1 << 16);
	assert_int_equal(mime_parse(in, &a, &t), E_OK);
	const struct mime_part *p = t.root;
	assert_true(sl_eq(param_find(p->params, SL("NAME")), SL("a b.pdf")));
	assert_true(sl_eq(p->id, SL("<i@d>")) && sl_eq(p->description, SL("some thing")));
	assert_true(sl_eq(p->encoding, SL("BASE64")) && p->transfer == TRANSFER_BASE64);
	assert_true(sl_eq(p->md5, SL("Q2hlY2s=")) && sl_eq(p->location, SL("http://x/")));
	assert_true(sl_eq(p->disposition, SL("attachment")));
	assert_true(sl_eq(param_find(p->disposition_params, SL("filename")), SL("a.pdf")));
	assert_true(sl_eq(p->languages->tag, SL("en")) && sl_eq(p->languages->next->tag, SL("zh-CN")));
	assert_null(p->languages->next->next);
	arena_free(&a);
}

/// The example of RFC 9051 §6.4.5.1: 1 text, 2 octets, 3 message with two parts, 4 multipart with image and message.
static const struct sl rfc_message =
	SL_INIT("Subject: top\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
		"--a\r\n\r\none\r\n"
		"--a\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
		"--a\r\nContent-Type: message/rfc822\r\n\r\n"
		"Subject: three\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n3.1\r\n"
		"--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n"
		"--a\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
		"--c\r\nContent-Type: image/gif\r\n\r\n4.1\r\n"
		"--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: 4.2\r\n\r\n4.2.1\r\n--c--\r\n"
		"--a--\r\n");

static void test_sections(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint32_t path[4];
		size_t n;
		enum mime_section what;
		const char *want; // how the section begins; NULL: E_NOTFOUND
	} sections[] = {
		{ "HEADER", { 0 }, 0, MIME_SECTION_HEADER, "Subject: top" },
		{ "TEXT", { 0 }, 0, MIME_SECTION_TEXT, "--a\r\n" },
		{ "MIME", { 0 }, 0, MIME_SECTION_MIME, NULL },
		{ "1", { 1 }, 1, MIME_SECTION_ALL, "one" },
		{ "1.1", { 1, 1 }, 2, MIME_SECTION_ALL, NULL },
		{ "2", { 2 }, 1, MIME_SECTION_ALL, "two" },
		{ "2.MIME", { 2 }, 1, MIME_SECTION_MIME, "Content-Type: application/octet-stream\r\n\r\n" },
		{ "2.HEADER", { 2 }, 1, MIME_SECTION_HEADER, NULL },
		{ "3", { 3 }, 1, MIME_SECTION_ALL, "Subject: three" },
		{ "3.HEADER", { 3 }, 1, MIME_SECTION_HEADER, "Subject: three" },
		{ "3.TEXT", { 3 }, 1, MIME_SECTION_TEXT, "--b\r\n\r\n3.1" },
		{ "3.MIME", { 3 }, 1, MIME_SECTION_MIME, "Content-Type: message/rfc822\r\n" },
		{ "3.1", { 3, 1 }, 2, MIME_SECTION_ALL, "3.1" },
		{ "3.2", { 3, 2 }, 2, MIME_SECTION_ALL, "3.2" },
		{ "3.3", { 3, 3 }, 2, MIME_SECTION_ALL, NULL },
		{ "4", { 4 }, 1, MIME_SECTION_ALL, "--c\r\n" },
		{ "4.1", { 4, 1 }, 2, MIME_SECTION_ALL, "4.1" },
		{ "4.1.MIME", { 4, 1 }, 2, MIME_SECTION_MIME, "Content-Type: image/gif" },
		{ "4.2", { 4, 2 }, 2, MIME_SECTION_ALL, "Subject: 4.2" },
		{ "4.2.HEADER", { 4, 2 }, 2, MIME_SECTION_HEADER, "Subject: 4.2" },
		{ "4.2.TEXT", { 4, 2 }, 2, MIME_SECTION_TEXT, "4.2.1" },
		{ "4.2.1", { 4, 2, 1 }, 3, MIME_SECTION_ALL, "4.2.1" },
		{ "4.2.2", { 4, 2, 2 }, 3, MIME_SECTION_ALL, NULL },
		{ "4.2.1.1", { 4, 2, 1, 1 }, 4, MIME_SECTION_ALL, NULL },
		{ "0", { 0 }, 1, MIME_SECTION_ALL, NULL },
		{ "5", { 5 }, 1, MIME_SECTION_ALL, NULL },
	};
	struct mime_tree t;
	struct arena a;
	arena_init(&a, 1 << 16);
	assert_int_equal(mime_parse(rfc_message, &a, &t), E_OK);
	for (size_t i = 0; i < ARRAY_N(sections); i++) {
		struct sl out = SL("untouched");
		enum ec e = mime_find_section(&t, sections[i].path, sections[i].n, sections[i].what, &out);
		CHECK(e == (sections[i].want ? E_OK : E_NOTFOUND), sections[i].name);
		CHECK(sl_starts(out, sl_cstr(sections[i].want ? sections[i].want : "untouched")), sections[i].name);
	}
	struct sl out;
	assert_int_equal(mime_find_section(&t, NULL, 0, MIME_SECTION_ALL, &out), E_OK);
	assert_true(sl_eq(out, rfc_message));
	// A message that is not multipart: 1 is its body, 1.MIME its header, 1.HEADER is nothing.
	const uint32_t one[] = { 1, 1 };
	assert_int_equal(mime_parse(SL("Subject: x\r\n\r\nbody"), &a, &t), E_OK);
	assert_int_equal(mime_find_section(&t, one, 1, MIME_SECTION_ALL, &out), E_OK);
	assert_true(sl_eq(out, SL("body")));
	assert_int_equal(mime_find_section(&t, one, 1, MIME_SECTION_MIME, &out), E_OK);
	assert_true(sl_eq(out, SL("Subject: x\r\n\r\n")));
	assert_int_equal(mime_find_section(&t, one, 1, MIME_SECTION_HEADER, &out), E_NOTFOUND);
	assert_int_equal(mime_find_section(&t, one, 2, MIME_SECTION_ALL, &out), E_NOTFOUND);
	arena_free(&a);
}

static void test_limits(void **state)
{
	(void)state;
	struct buf in = BUF(8 << 20);
	struct mime_tree t;
	struct arena a;
	arena_init(&a, 64 << 20);
	for (int i = 0; i < MIME_DEPTH_MAX + 50; i++)
		buf_printf(&in, "Content-Type: multipart/x; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
	assert_int_equal(mime_parse(buf_sl(&in), &a, &t), E_OK);
	assert_true(t.limited && t.parts <= MIME_DEPTH_MAX + 1);
	check_tree(&t, t.root, "deep");
	buf_clear(&in);
	for (int i = 0; i < MIME_DEPTH_MAX + 50; i++)
		buf_puts(&in, "Content-Type: message/rfc822\r\n\r\n");
	assert_int_equal(mime_parse(buf_sl(&in), &a, &t), E_OK);
	assert_true(t.limited && t.parts == MIME_DEPTH_MAX);
	check_tree(&t, t.root, "deep messages");
	buf_clear(&in);
	buf_puts(&in, MIXED);
	for (int i = 0; i < MIME_PARTS_MAX + 50; i++)
		buf_puts(&in, "--b\r\n\r\nx\r\n");
	buf_puts(&in, "--b--\r\n");
	assert_int_equal(mime_parse(buf_sl(&in), &a, &t), E_OK);
	assert_true(t.limited && t.parts == MIME_PARTS_MAX);
	check_tree(&t, t.root, "many parts");
	arena_free(&a);
	buf_free(&in);
}

/// Appends MIME_DEPTH_MAX - 1 multiparts within each other; boundary i is `make`'s.
static void put_nested(struct buf *in, void (*make)(struct buf *out, int i))
{
	for (int i = 0; i < MIME_DEPTH_MAX - 1; i++) {
		struct buf boundary = BUF(4096);
		make(&boundary, i);
		buf_printf(in, "Content-Type: multipart/x; boundary=\"%.*s\"\r\n\r\n--%.*s\r\n", SLF(buf_sl(&boundary)),
			SLF(buf_sl(&boundary)));
		buf_free(&boundary);
	}
	buf_puts(in, "\r\n");
}

static void make_same(struct buf *b, int i)
{
	(void)i;
	buf_addc(b, 'b');
}

static void make_numbers(struct buf *b, int i)
{
	buf_printf(b, "b%d", i);
}

static void make_dashes(struct buf *b, int i)
{
	for (int k = 0; k <= i; k++)
		buf_addc(b, '-');
	buf_addc(b, 'x');
}

static void make_shrinking(struct buf *b, int i)
{
	for (int k = i; k < MIME_DEPTH_MAX; k++)
		buf_addc(b, 'b');
}

static void make_octets(struct buf *b, int i)
{
	buf_addc(b, (uint8_t)(0x80 + i));
}

static void make_blanks(struct buf *b, int i)
{
	for (int k = 0; k < i; k++)
		buf_puts(b, "a ");
	buf_puts(b, "a");
}

/// However many boundaries are open and whatever they are, each octet of the message is looked at a few times.
static void test_work(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*make)(struct buf *out, int i);
		const char *line;
	} work[] = {
		{ "the same", make_same, "--bb\r\n" },
		{ "the same, nothing behind", make_same, "--\r\n" },
		{ "short lines", make_numbers, "--b\n" },
		{ "longer lines", make_numbers, "--b123456789\n" },
		{ "dashes", make_dashes,
			"-----------------------------------------------------------------------\r\n" },
		{ "dashes and an end", make_dashes, "--------------------------------------y\r\n" },
		{ "prefixes", make_shrinking,
			"--bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbc\n" },
		{ "octets", make_octets, "--a\n" },
		{ "blanks", make_blanks, "--a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a ab\n" },
	};
	for (size_t i = 0; i < ARRAY_N(work); i++) {
		struct buf in = BUF(16 << 20);
		struct mime_tree t;
		struct arena a;
		arena_init(&a, 16 << 20);
		put_nested(&in, work[i].make);
		while (in.n < 1 << 20)
			buf_puts(&in, work[i].line);
		assert_int_equal(mime_parse(buf_sl(&in), &a, &t), E_OK);
		if (t.compared > MIME_COMPARE_MAX * (uint64_t)in.n)
			print_error("%s: %.1f for each octet\n", work[i].name, (double)t.compared / (double)in.n);
		CHECK(t.compared <= MIME_COMPARE_MAX * (uint64_t)in.n, work[i].name);
		arena_free(&a);
		buf_free(&in);
	}
}

static void test_envelope(void **state)
{
	(void)state;
	struct sl in = SL("Date: d\r\nSubject: a\r\n b\r\nSUBJECT: second\r\nFrom: F <f@x>\r\nTo: a@x\r\nTo: b@x\r\n"
			  "Cc: G: c@x;\r\nIn-Reply-To: <i>\r\nMessage-ID: <m>\r\nSender:\r\n\r\nBcc: body@x\r\n");
	for (size_t room = 0; room <= 4096; room += 64) {
		static uint8_t mem[4096];
		struct arena a = ARENA_OVER(mem, room);
		struct envelope e = { .date = SL("untouched") };
		if (envelope_parse(in, &a, &e) != E_OK) {
			assert_true(room < 2048 && sl_eq(e.date, SL("untouched")));
			continue;
		}
		assert_true(sl_eq(e.date, SL("d")) && sl_eq(e.subject, SL("a b")));
		assert_true(sl_eq(e.in_reply_to, SL("<i>")) && sl_eq(e.message_id, SL("<m>")));
		assert_true(e.from.n == 1 && e.sender.first == e.from.first && e.reply_to.first == e.from.first);
		assert_true(e.to.n == 2 && sl_eq(e.to.first->next->mailbox, SL("b")));
		assert_true(e.cc.n == 3 && e.bcc.n == 0 && !e.bcc.first);
	}
	struct arena a;
	struct envelope e;
	arena_init(&a, 4096);
	assert_int_equal(envelope_parse(SL("\r\nSubject: body"), &a, &e), E_OK);
	assert_null(e.subject.p);
	arena_free(&a);
}

/// Vectors where we differ, and why; each is checked to differ.
static const struct {
	struct sl name;
	const char *why;
} differs[] = {
	{ SL_INIT("bad-newlines-multiple-parts-base64"),
		"RFC 2046 §5.2.1: a message has no base64; IMAP shows it as it is" },
	{ SL_INIT("base64encoded-rfc822message"), "likewise" },
	{ SL_INIT("base64encoded-rfc822message-nested"), "likewise" },
	{ SL_INIT("malformedHeaderStartsBody-nocrlfcrlf"),
		"RFC 5322 §2.1: the empty line ends the header, nothing else" },
	{ SL_INIT("malformedHeaderStartsBody-noheader"), "likewise" },
	{ SL_INIT("weird-boundary"), "RFC 2046 §5.1.1: blanks at a delimiter's end are padding" },
	{ SL_INIT("very-long-boundary"), "likewise" },
	{ SL_INIT("very-very-long-boundary"), "likewise" },
};

/// The vector's form of a tree: "(a,b)" a multipart, "<a>" a message, a leaf its decoded body in hex. A child that we
/// gave to a multipart without parts is left out.
static void print_vector(const struct mime_tree *t, const struct mime_part *p, struct buf *out)
{
	struct buf body = BUF(1 << 20);

	if (p->class == MIME_LEAF) {
		transfer_decode(p->transfer, mime_body(t, p), &body);
		for (size_t i = 0; i < body.n; i++)
			buf_printf(out, "%02x", body.p[i]);
		buf_free(&body);
		return;
	}
	bool given = p->first->header_at == p->first->body_at && p->first->end == p->end;
	buf_addc(out, p->class == MIME_MULTIPART ? '(' : '<');
	for (const struct mime_part *c = given ? NULL : p->first; c; c = c->next) {
		print_vector(t, c, out);
		if (c->next)
			buf_addc(out, ',');
	}
	buf_addc(out, p->class == MIME_MULTIPART ? ')' : '>');
}

static void test_vectors(void **state)
{
	(void)state;
	struct sl file = vector_read("tests/vectors/mime4j/trees.txt"), rest = file;
	bool bad = false;
	while (rest.n) {
		struct sl line = sl_cut(&rest, '\n'), name = sl_cut(&line, ' '), in = vector_hex(&line);
		struct buf got = BUF(1 << 20);
		struct mime_tree t;
		struct arena a;
		bool known = false;
		arena_init(&a, 1 << 20);
		assert_int_equal(mime_parse(in, &a, &t), E_OK);
		print_vector(&t, t.root, &got);
		for (size_t i = 0; i < ARRAY_N(differs); i++)
			known |= sl_eq(differs[i].name, name);
		if (sl_eq(buf_sl(&got), line) == known)
			print_error("%.*s\n got %.*s\nwant %.*s\n", SLF(name), SLF(sl_head(buf_sl(&got), 900)),
				SLF(sl_head(line, 900)));
		bad |= sl_eq(buf_sl(&got), line) == known;
		arena_free(&a);
		buf_free(&got);
		vector_free(in);
	}
	vector_free(file);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_envelope),
		cmocka_unit_test(test_vectors),
	};
	return cmocka_run_group_tests_name("mail/mime", tests, NULL, NULL);
}
