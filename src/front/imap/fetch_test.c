/// Tests of FETCH on a mailbox in memory: items, sections, \Seen, large messages, what is gone, damaged or too large.
#include "base/check.h"

#include "base/num.h"
#include "front/imap/fetch_bed.h"

#define HEAD  "From: a@x\r\nSubject: hi\r\nTo: b@y\r\n\r\n"
#define PLAIN HEAD "one\r\ntwo\r\n"
#define MULTI                                                                                                         \
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-ID: <1>\r\n\r\none\r\n--b\r\nContent-Type: " \
	"message/rfc822\r\n\r\nSubject: in\r\nX: y\r\n\r\ninner\r\n--b--\r\n"

static void check_said(const struct bed *b, const char *want, const char *name)
{
	if (!sl_eq(buf_sl(&b->said), sl_cstr(want)))
		print_error("got:  %.*s\nwant: %s\n", SLF(sl_head(buf_sl(&b->said), 3000)), want);
	CHECK(sl_eq(buf_sl(&b->said), sl_cstr(want)), name);
}

/// Each on a mailbox of: 1 UID 1 PLAIN, 2 UID 3 MULTI (\Seen, $Junk), 3 UID 4 empty.
static const struct {
	const char *name, *command;
	enum ec end;
	const char *said;
} cases[] = {
	{ "flags", "FETCH 1:2 FLAGS", E_OK, "* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS (\\Seen $Junk))\r\n" },
	{ "one item in a list", "FETCH 1 (UID)", E_OK, "* 1 FETCH (UID 1)\r\n" },
	{ "UID FETCH tells the UID", "UID FETCH 3 FLAGS", E_OK, "* 2 FETCH (UID 3 FLAGS (\\Seen $Junk))\r\n" },
	{ "absent UIDs are left out", "UID FETCH 2,4:100 FLAGS", E_OK, "* 3 FETCH (UID 4 FLAGS ())\r\n" },
	{ "no such UID", "UID FETCH 2 FLAGS", E_OK, "" },
	{ "no such number", "FETCH 4 FLAGS", E_RANGE, "" },
	{ "star", "FETCH * UID", E_OK, "* 3 FETCH (UID 4)\r\n" },
	{ "fast", "FETCH 1 FAST", E_OK,
		"* 1 FETCH (FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 45)\r\n" },
	{ "all", "FETCH 1 ALL", E_OK,
		"* 1 FETCH (FLAGS () INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 45 ENVELOPE (NIL \"hi\" "
		"((NIL "
		"NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) ((NIL NIL \"a\" \"x\")) ((NIL NIL \"b\" \"y\")) NIL NIL NIL "
		"NIL))\r\n" },
	{ "body structure", "FETCH 1 (BODY BODYSTRUCTURE)", E_OK,
		"* 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2) BODYSTRUCTURE "
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 10 2 NIL NIL NIL NIL))\r\n" },
	{ "whole, and seen", "FETCH 1 BODY[]", E_OK, "* 1 FETCH (FLAGS (\\Seen) BODY[] {45}\r\n" PLAIN ")\r\n" },
	{ "peek", "FETCH 1 BODY.PEEK[]", E_OK, "* 1 FETCH (BODY[] {45}\r\n" PLAIN ")\r\n" },
	{ "seen already", "FETCH 2 BODY[1]", E_OK, "* 2 FETCH (BODY[1] {3}\r\none)\r\n" },
	{ "flags once", "FETCH 1 (BODY[TEXT] FLAGS)", E_OK,
		"* 1 FETCH (FLAGS (\\Seen) BODY[TEXT] {10}\r\none\r\ntwo\r\n)\r\n" },
	{ "header", "FETCH 1 BODY.PEEK[HEADER]", E_OK, "* 1 FETCH (BODY[HEADER] {35}\r\n" HEAD ")\r\n" },
	{ "old names", "FETCH 1 (RFC822.HEADER)", E_OK, "* 1 FETCH (RFC822.HEADER {35}\r\n" HEAD ")\r\n" },
	{ "old text sets seen", "FETCH 1 RFC822.TEXT", E_OK,
		"* 1 FETCH (FLAGS (\\Seen) RFC822.TEXT {10}\r\none\r\ntwo\r\n)\r\n" },
	{ "old whole", "UID FETCH 1 RFC822", E_OK, "* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822 {45}\r\n" PLAIN ")\r\n" },
	{ "fields", "FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT to)]", E_OK,
		"* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT to)] {24}\r\nSubject: hi\r\nTo: b@y\r\n\r\n)\r\n" },
	{ "fields not", "FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (To Subject)]", E_OK,
		"* 1 FETCH (BODY[HEADER.FIELDS.NOT (To Subject)] {13}\r\nFrom: a@x\r\n\r\n)\r\n" },
	{ "partial", "FETCH 1 BODY.PEEK[TEXT]<3.4>", E_OK, "* 1 FETCH (BODY[TEXT]<3> {4}\r\n\r\ntw)\r\n" },
	{ "partial over the end", "FETCH 1 BODY.PEEK[]<40.4000000000>", E_OK,
		"* 1 FETCH (BODY[]<40> {5}\r\ntwo\r\n)\r\n" },
	{ "partial behind the end", "FETCH 1 BODY.PEEK[]<45.1>", E_OK, "* 1 FETCH (BODY[]<45> \"\")\r\n" },
	{ "partial of fields", "FETCH 1 BODY.PEEK[HEADER.FIELDS (To)]<2.3>", E_OK,
		"* 1 FETCH (BODY[HEADER.FIELDS (To)]<2> {3}\r\n: b)\r\n" },
	{ "parts", "FETCH 2 (BODY[1.MIME] BODY[2] BODY[2.1])", E_OK,
		"* 2 FETCH (BODY[1.MIME] {19}\r\nContent-ID: <1>\r\n\r\n BODY[2] {26}\r\nSubject: in\r\nX: "
		"y\r\n\r\ninner "
		"BODY[2.1] {5}\r\ninner)\r\n" },
	{ "header and text of a part", "FETCH 2 (BODY[2.HEADER] BODY[2.TEXT] BODY[2.HEADER.FIELDS (X)])", E_OK,
		"* 2 FETCH (BODY[2.HEADER] {21}\r\nSubject: in\r\nX: y\r\n\r\n BODY[2.TEXT] {5}\r\ninner "
		"BODY[2.HEADER.FIELDS (X)] {8}\r\nX: y\r\n\r\n)\r\n" },
	{ "no such part", "FETCH 2 (BODY[3] BODY[1.HEADER] BODY[1.1]<0.9>)", E_OK,
		"* 2 FETCH (BODY[3] NIL BODY[1.HEADER] NIL BODY[1.1]<0> NIL)\r\n" },
	{ "part 1 of a plain message", "FETCH 1 BODY.PEEK[1]", E_OK, "* 1 FETCH (BODY[1] {10}\r\none\r\ntwo\r\n)\r\n" },
	{ "empty message", "FETCH 3 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] RFC822.SIZE)", E_OK,
		"* 3 FETCH (RFC822.SIZE 0 BODY[] \"\" BODY[HEADER] \"\" BODY[TEXT] \"\" BODY[1] \"\")\r\n" },
	{ "same section twice", "FETCH 1 (BODY.PEEK[1]<0.1> BODY.PEEK[1]<1.1>)", E_OK,
		"* 1 FETCH (BODY[1]<0> {1}\r\no BODY[1]<1> {1}\r\nn)\r\n" },
};

static void fill(struct bed *b)
{
	bed_begin(b);
	struct bed_message *m = bed_add(b, 0, SL(PLAIN));
	m->date_s = 837596665;
	m->zone_min = -7 * 60;
	m = bed_add(b, 1, SL(MULTI));
	m->flags = FLAG_SEEN;
	m->keywords = 1;
	bed_add(b, 0, SL(""));
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b;
		fill(&b);
		enum ec e = bed_run(&b, sl_cstr(cases[i].command));
		CHECK(e == cases[i].end, cases[i].name);
		check_said(&b, cases[i].said, cases[i].name);
		bed_end(&b);
	}
}

/// What is read only never sets \Seen; a store that cannot set it still gives the message.
static void test_seen(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.im.view->read_only = true;
	assert_int_equal(bed_run(&b, SL("FETCH 1 BODY[]")), E_OK);
	check_said(&b, "* 1 FETCH (BODY[] {45}\r\n" PLAIN ")\r\n", "read only");
	assert_int_equal(b.m[0].flags, 0);
	b.im.view->read_only = false;
	b.flags_error = E_FULL;
	assert_int_equal(bed_run(&b, SL("FETCH 1 BODY[]")), E_OK);
	check_said(&b, "* 1 FETCH (BODY[] {45}\r\n" PLAIN ")\r\n", "flags fail");
	b.flags_error = E_OK;
	assert_int_equal(bed_run(&b, SL("FETCH 1:3 BODY[]")), E_OK);
	assert_int_equal(b.m[0].flags, FLAG_SEEN);
	assert_int_equal(b.m[2].flags, FLAG_SEEN);
	assert_int_equal(b.im.view->modseq, 11); // our own change: nothing of it is news
	assert_int_equal(b.calls, 3);            // rows, one read and one change for all of them
	bed_end(&b);
}

/// A keyword that the client has not heard of is told before the flags that have it.
static void test_new_keyword(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.m[0].keywords = 8;
	assert_int_equal(bed_run(&b, SL("FETCH 1 FLAGS")), E_OK);
	assert_true(sl_starts(buf_sl(&b.said), SL("* FLAGS (")));
	assert_true(sl_ends_ci(buf_sl(&b.said), SL("* 1 FETCH (FLAGS (work))\r\n")));
	bed_end(&b);
}

enum { LARGE = 300000 };

/// A message that came with NUL is shown with 0x80 in its place, whatever is asked of it; its size is as stored.
static void test_nul(void **state)
{
	(void)state;
	static const struct sl small = SL_INIT("Subject: a\0b\r\nX\0: y\r\n\r\n\0one\0"), items[] = {
		SL_INIT("BODY[]"),
		SL_INIT("BODY[]<20.20>"),
		SL_INIT("RFC822"),
		SL_INIT("BODY[TEXT]"),
		SL_INIT("RFC822.TEXT"),
		SL_INIT("BODY[HEADER]"),
		SL_INIT("RFC822.HEADER"),
		SL_INIT("BODY[1]"),
		SL_INIT("BODY[1.MIME]"),
		SL_INIT("BODY[HEADER.FIELDS (Subject)]"),
		SL_INIT("BODY[HEADER.FIELDS.NOT (To)]"),
		SL_INIT("ENVELOPE"),
		SL_INIT("BODYSTRUCTURE"),
	};
	uint8_t *large = calloc(1, LARGE); // NUL everywhere, at every edge of a piece too
	struct bed b;

	assert_non_null(large);
	memcpy(large, small.p, small.n);
	bed_begin(&b);
	bed_add(&b, 0, small);
	bed_add(&b, 0, (struct sl){ large, LARGE });
	for (size_t i = 0; i < ARRAY_N(items); i++) {
		struct buf command = BUF(256);
		buf_printf(&command, "FETCH 1:2 %.*s", SLF(items[i]));
		assert_int_equal(bed_run(&b, buf_sl(&command)), E_OK);
		CHECK(b.said.n > 30 && !memchr(b.said.p, 0, b.said.n), (const char *)items[i].p);
		buf_free(&command);
	}
	b.n = 1;
	assert_int_equal(bed_run(&b, SL("FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT] BODY.PEEK[HEADER])")), E_OK);
	check_said(&b,
		"* 1 FETCH (RFC822.SIZE 28 BODY[TEXT] {5}\r\n\x80one\x80 BODY[HEADER] {23}\r\nSubject: a\x80"
		"b\r\nX\x80: "
		"y\r\n\r\n)\r\n",
		"NUL");
	bed_end(&b);
	free(large);
}

static void test_gone(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.m[0].expunged = true; // a moment ago: still readable, and told as it was
	assert_int_equal(bed_run(&b, SL("FETCH 1 (FLAGS BODY[TEXT])")), E_OK);
	check_said(&b, "* 1 FETCH (FLAGS () BODY[TEXT] {10}\r\none\r\ntwo\r\n)\r\n", "expunged, not told");
	b.m[0].gone = true;
	assert_int_equal(bed_run(&b, SL("FETCH 1:2 UID")), E_NOTFOUND);
	check_said(&b, "* 2 FETCH (UID 3)\r\n", "gone");
	assert_string_equal(b.im.refusal.code, "EXPUNGEISSUED");
	assert_int_equal(bed_run(&b, SL("UID FETCH 1:3 UID")), E_OK);
	check_said(&b, "* 2 FETCH (UID 3)\r\n", "gone UID");
	bed_end(&b);
}

/// A message that cannot be read at all is left out, the others are served.
static void test_damaged(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.m[0].damaged_at = 5;
	assert_int_equal(bed_run(&b, SL("FETCH 1:3 (UID BODY[TEXT]<0.1>)")), E_CORRUPT);
	check_said(&b,
		"* 2 FETCH (UID 3 BODY[TEXT]<0> {1}\r\n-)\r\n* 3 FETCH (UID 4 FLAGS (\\Seen) BODY[TEXT]<0> \"\")\r\n",
		"damaged");
	assert_string_equal(b.im.refusal.code, "SERVERBUG");
	assert_int_equal(b.m[0].flags, 0);                              // not seen
	assert_int_equal(bed_run(&b, SL("FETCH 1 (UID FLAGS)")), E_OK); // its row is well
	bed_end(&b);
}

/// PLAIN's header and then LARGE octets, each telling its place.
static struct sl large_message(void)
{
	size_t head = sizeof HEAD - 1;
	uint8_t *p = malloc(head + LARGE);

	assert_non_null(p);
	memcpy(p, HEAD, head);
	for (size_t i = 0; i < LARGE; i++)
		p[head + i] = (uint8_t)('a' + (i / 1000 + i) % 26);
	return (struct sl){ p, head + LARGE };
}

/// True where the answer is `before`, octets [from, to) of the message, `after`.
static bool is_said(const struct bed *b, const char *before, struct sl octets, const char *after)
{
	struct sl said = buf_sl(&b->said), front = sl_cstr(before), back = sl_cstr(after);

	return said.n == front.n + octets.n + back.n && sl_starts(said, front) &&
	       sl_eq(sl_head(sl_from(said, front.n), octets.n), octets) &&
	       sl_eq(sl_from(said, front.n + octets.n), back);
}

/// Messages larger than a chunk pass by in pieces; sections of them are found all the same.
static void test_large(void **state)
{
	(void)state;
	struct sl m = large_message();
	struct bed b;

	fill(&b);
	bed_add(&b, 0, m)->flags = FLAG_SEEN;
	assert_int_equal(bed_run(&b, SL("FETCH 4 BODY[]")), E_OK);
	assert_true(is_said(&b, "* 4 FETCH (BODY[] {300035}\r\n", m, ")\r\n"));
	assert_int_equal(b.reads, 6); // the first leaves room in its chunk, the others are the store's pieces
	assert_int_equal(bed_run(&b, SL("FETCH 4 (BODY[TEXT] BODY[HEADER])")), E_OK);
	assert_true(is_said(
		&b, "* 4 FETCH (BODY[TEXT] {300000}\r\n", sl_from(m, 35), " BODY[HEADER] {35}\r\n" HEAD ")\r\n"));
	assert_int_equal(bed_run(&b, SL("FETCH 4 BODY[]<200000.1000>")), E_OK);
	assert_true(is_said(&b, "* 4 FETCH (BODY[]<200000> {1000}\r\n", sl_sub(m, 200000, 201000), ")\r\n"));
	assert_int_equal(bed_run(&b, SL("FETCH 4 (BODY[1] ENVELOPE)")), E_OK); // parsed, so in one piece
	assert_true(sl_ends_ci(buf_sl(&b.said), SL(")\r\n")) && b.said.n > LARGE);
	assert_int_equal(bed_run(&b, SL("FETCH 1:4 BODY.PEEK[HEADER]")), E_OK);
	assert_true(sl_ends_ci(buf_sl(&b.said), SL("* 4 FETCH (BODY[HEADER] {35}\r\n" HEAD ")\r\n")));
	bed_end(&b);
	free((void *)(uintptr_t)m.p);
}

/// What of a large message is copied, what a helper does, and what is held while it is sent.
static void test_large_work(void **state)
{
	(void)state;
	static const struct {
		const char *command;
		unsigned offloads;
	} items[] = {
		{ "FETCH 4 (BODY[] BODY[]<5.300000> RFC822)", 0 },
		{ "FETCH 4 (BODY[TEXT] BODY[HEADER] RFC822.TEXT RFC822.HEADER ENVELOPE BODY[HEADER.FIELDS (To)])", 0 },
		{ "FETCH 4 BODYSTRUCTURE", 1 },
		{ "FETCH 4 (ENVELOPE BODY[1] BODY[1.MIME])", 1 },
		{ "FETCH 1 (BODYSTRUCTURE BODY[1])", 0 },
	};
	struct sl m = large_message();
	struct bed b;

	fill(&b);
	bed_add(&b, 0, m)->flags = FLAG_SEEN;
	for (size_t i = 0; i < ARRAY_N(items); i++) {
		assert_int_equal(bed_run(&b, sl_cstr(items[i].command)), E_OK);
		CHECK(b.offloads == items[i].offloads, items[i].command);
		CHECK((b.front.room.high >= m.n) == (items[i].offloads > 0), items[i].command);
		CHECK(b.room_sending == 0, items[i].command);
		CHECK(b.unblamed == 0 && !b.front.holders.first, items[i].command);
	}
	bed_end(&b);
	free((void *)(uintptr_t)m.p);
}

/// A small message is heavy where many names are compared with all of its fields.
static void test_many_names(void **state)
{
	(void)state;
	struct buf m = BUF(1 << 16), command = BUF(1 << 16);
	struct bed b;

	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&m, "%u:\r\n", i);
	buf_puts(&command, "FETCH 1 (BODY.PEEK[HEADER.FIELDS (x)]");
	bed_begin(&b);
	bed_add(&b, 0, buf_sl(&m));
	for (unsigned i = 0; i < 100; i++) {
		buf_puts(&command, " BODY.PEEK[HEADER.FIELDS (");
		for (unsigned k = 0; k < 100; k++)
			buf_printf(&command, "%sa%u", k ? " " : "", k);
		buf_puts(&command, ")]");
		if (i == 0 || i == 99) {
			buf_addc(&command, ')');
			assert_int_equal(bed_run(&b, buf_sl(&command)), E_OK);
			assert_int_equal(b.offloads, i > 0);
			buf_cut(&command, command.n - 1);
		}
	}
	bed_end(&b);
	buf_free(&m);
	buf_free(&command);
}

/// Where no memory is left, what needs none is served, and the rest is refused for now.
static void test_no_room(void **state)
{
	(void)state;
	struct sl m = large_message();
	struct cx cx = { 0 };
	struct bed b;

	fill(&b);
	bed_add(&b, 0, m)->flags = FLAG_SEEN;
	b.taken = (struct room_share){ .room = &b.front.room, .account = 99 };
	b.front.room.limit = b.front.room.user_limit;
	assert_int_equal(room_take(&cx, &b.taken, b.front.room.limit), E_OK);
	assert_int_equal(bed_run(&b, SL("FETCH 1:4 (BODY.PEEK[] ENVELOPE BODY[TEXT] BODY[HEADER.FIELDS (To)])")), E_OK);
	assert_int_equal(bed_run(&b, SL("FETCH 1:3 (BODYSTRUCTURE BODY[1])")), E_OK);
	assert_int_equal(bed_run(&b, SL("FETCH 2:4 (UID BODYSTRUCTURE)")), E_TEMP);
	assert_true(sl_starts(buf_sl(&b.said), SL("* 2 FETCH (UID 3 BODYSTRUCTURE (")));
	assert_string_equal(b.im.refusal.status, "NO");
	assert_string_equal(b.im.refusal.code, "LIMIT");
	assert_int_equal(bed_run(&b, SL("SEARCH TEXT zzz")), E_TEMP);
	assert_string_equal(b.im.refusal.code, "LIMIT");
	room_give(&b.taken);
	assert_int_equal(bed_run(&b, SL("FETCH 4 (UID BODYSTRUCTURE)")), E_OK);
	assert_null(b.im.refusal.text);
	bed_end(&b);
	free((void *)(uintptr_t)m.p);
}

/// A header longer than any chunk.
static void test_large_header(void **state)
{
	(void)state;
	struct buf m = BUF(1 << 20), want = BUF(1 << 20);
	struct bed b;

	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&m, "X-%u: y\r\n", i);
	buf_puts(&m, "Subject: deep\r\n\r\ntext");
	fill(&b);
	bed_add(&b, 0, buf_sl(&m));
	assert_int_equal(bed_run(&b, SL("FETCH 4 BODY.PEEK[HEADER]")), E_OK);
	buf_printf(&want, "* 4 FETCH (BODY[HEADER] {%zu}\r\n", m.n - 4);
	assert_true(sl_starts(buf_sl(&b.said), buf_sl(&want)) && b.said.n == want.n + m.n - 4 + 3);
	assert_int_equal(bed_run(&b, SL("FETCH 4 BODY.PEEK[TEXT]")), E_OK);
	check_said(&b, "* 4 FETCH (BODY[TEXT] {4}\r\ntext)\r\n", "text behind a large header");
	bed_end(&b);
	buf_free(&m);
	buf_free(&want);
}

/// Octets that are lost after the literal has begun are made up for, so that the client stays in step.
static void test_damaged_inside(void **state)
{
	(void)state;
	struct sl m = large_message();
	struct bed b;

	fill(&b);
	bed_add(&b, 0, m)->damaged_at = 150000;
	assert_int_equal(bed_run(&b, SL("FETCH 3:4 (BODY.PEEK[] UID)")), E_CORRUPT);
	struct sl said = buf_sl(&b.said),
		  start = SL("* 3 FETCH (UID 4 BODY[] \"\")\r\n* 4 FETCH (UID 5 BODY[] {300035}\r\n");
	assert_true(sl_starts(said, start));
	assert_int_equal(said.n, start.n + m.n + 3);
	assert_true(sl_eq(sl_head(sl_from(said, start.n), 65536), sl_head(m, 65536)));
	assert_true(sl_find_sl(said, SL("[The server has lost the rest of this message.]")) < said.n);
	assert_int_equal(
		bed_run(&b, SL("FETCH 4 BODYSTRUCTURE")), E_CORRUPT); // nothing of it, where nothing was promised
	check_said(&b, "", "structure of a damaged message");
	bed_end(&b);
	free((void *)(uintptr_t)m.p);
}

/// More than may be parsed: left out, with words about it.
static void test_too_large(void **state)
{
	(void)state;
	struct buf m = BUF(16 << 20);
	struct bed b;

	buf_puts(&m, "To: ");
	for (unsigned i = 0; i < 9000; i++)
		buf_printf(&m, "%070u@x,\r\n ", i);
	buf_puts(&m, "z@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n");
	for (unsigned i = 0; i < 9000; i++) {
		buf_puts(&m, "Content-Type: a/b");
		for (unsigned j = 0; j < 120; j++)
			buf_puts(&m, ";a=b");
		buf_puts(&m, "\r\n\r\n--b\r\n");
	}
	assert_int_equal(m.err, E_OK);
	fill(&b);
	bed_add(&b, 0, buf_sl(&m));
	assert_int_equal(bed_run(&b, SL("FETCH 3:4 (UID BODYSTRUCTURE)")), E_LIMIT);
	assert_true(sl_starts(buf_sl(&b.said), SL("* 3 FETCH (UID 4 BODYSTRUCTURE (")));
	assert_true(b.said.n < 200);
	assert_string_equal(b.im.refusal.code, "LIMIT");
	assert_int_equal(bed_run(&b, SL("FETCH 4 ENVELOPE")), E_OK);
	bed_end(&b);
	buf_free(&m);
}

/// Many small messages share requests and chunks, and no session takes more chunks than its share.
static void test_groups(void **state)
{
	(void)state;
	uint8_t *octets = malloc(40000);
	struct bed b;

	assert_non_null(octets);
	memset(octets, 'x', 40000);
	bed_begin(&b);
	for (unsigned i = 0; i < 60; i++)
		bed_add(&b, i % 3, i % 5 == 4 ? (struct sl){ octets, 40000 } : SL("Subject: x\r\n\r\nbody"));
	assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_OK);
	assert_int_equal(b.reads, 20); // rows come in threes here, and each three is one request
	assert_true(b.chunks_max <= 4);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(b.m[i].flags, FLAG_SEEN);
	bed_end(&b);
	free(octets);
}

/// While one message is sent the next is read, where there are plenty of chunks. Whatever breaks, and wherever, the
/// answers before it are whole, nothing is held and nothing is under way (bed_run looks).
static void test_ahead(void **state)
{
	(void)state;
	struct sl m = large_message();
	struct buf all = BUF(1 << 20);
	struct bed b;

	bed_begin(&b);
	for (unsigned i = 0; i < 3; i++)
		bed_add(&b, 0, sl_head(m, 70000 + i * 10000))->flags = FLAG_SEEN;
	assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_OK);
	buf_add(&all, buf_sl(&b.said));
	assert_true(b.ahead > 0);
	unsigned calls = b.calls;
	b.chunks_others = BED_CHUNKS / 2 - 1;
	assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_OK);
	assert_int_equal(b.ahead, 0);
	assert_int_equal(b.calls, calls);
	assert_true(sl_eq(buf_sl(&b.said), buf_sl(&all)));
	b.chunks_others = 0;
	for (b.breaks_after = 1; b.breaks_after < all.n; b.breaks_after += 3001)
		assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_CLOSED);
	b.breaks_after = 0;
	for (b.away_after = 1; b.away_after < calls; b.away_after++) {
		assert_int_not_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_OK);
		assert_true(sl_starts(buf_sl(&all), buf_sl(&b.said)));
	}
	assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_OK);
	b.away_after = 0;
	b.m[1].damaged_at = 1;
	assert_int_equal(bed_run(&b, SL("FETCH 1:* BODY[]")), E_CORRUPT);
	assert_true(b.ahead > 0);
	bed_end(&b);
	buf_free(&all);
	free((void *)(uintptr_t)m.p);
}

/// The store or the client goes away: the error comes back, and every chunk is given back (bed_run looks).
static void test_breaks(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.away = true;
	assert_int_equal(bed_run(&b, SL("FETCH 1 FLAGS")), E_TEMP);
	b.away = false;
	for (b.breaks_after = 1; b.breaks_after < 100; b.breaks_after++)
		assert_int_equal(bed_run(&b, SL("FETCH 1:* (ENVELOPE BODY[])")), E_CLOSED);
	b.breaks_after = 0;
	b.cx.canceled = true;
	assert_int_equal(bed_run(&b, SL("FETCH 1:* ENVELOPE")), E_CANCELED);
	bed_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_new_keyword),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_large_work),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_large_header),
		cmocka_unit_test(test_damaged_inside),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_breaks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
