/// Tests of SEARCH on a mailbox in memory: every key, charsets, what is read for which key, answers in both forms.
#include "base/check.h"

#include "base/num.h"
#include "front/imap/fetch_bed.h"

enum { DAY = 86400, FEB_1_1994 = 8797 }; // days since 1970-01-01

/// The mailbox of the table: message number, UID.
///   1  1  \Seen      1-Feb-1994 23:30 +0100  Chinese subject in GBK, sent 31-Jan-1994 (late at night, far west)
///   2  3  \Recent    2-Feb-1994              multipart with HTML in base64
///   3  4  $Junk \Recent \Seen  3-Feb-1994    no Date, "Café" raw
///   4  9  \Answered \Flagged \Deleted \Draft, empty
static void fill(struct bed *b)
{
	bed_begin(b);
	struct bed_message *m = bed_add(b, 0,
		SL("From: Ann <ann@example.org>\r\nTo: bob@x, carol@y\r\nCc: dave@z\r\nBcc: eve@z\r\nSubject: "
		   "=?GBK?B?xOO6w8rAvec=?=\r\nDate: Mon, 31 Jan 1994 23:59:00 -0800\r\nX-Empty:\r\n\r\nplain body of "
		   "one\r\n"));
	m->flags = FLAG_SEEN;
	m->date_s = (int64_t)FEB_1_1994 * DAY + 22 * 3600 + 1800;
	m->zone_min = 60;
	m = bed_add(b, 1,
		SL("From: bob@x\r\nSubject: two\r\nDate: 2 Feb 1994 01:00 +0800\r\nContent-Type: multipart/mixed; "
		   "boundary=b\r\n\r\n"
		   "--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
		   "PHA+5L2g5aW9PC9wPjxiPmI8L2I+b2xkPGk+IHRleHQ8L2k+\r\n--b--\r\n"));
	m->date_s = (int64_t)(FEB_1_1994 + 1) * DAY;
	m = bed_add(b, 0, SL("From: carol@y\r\nSubject: Caf\xe9 STRASSE\r\n\r\nThe quick\r\nbrown fox\r\n"));
	m->flags = FLAG_SEEN;
	m->keywords = 1;
	m->date_s = (int64_t)(FEB_1_1994 + 2) * DAY;
	m = bed_add(b, 4, SL(""));
	m->flags = FLAG_ANSWERED | FLAG_FLAGGED | FLAG_DELETED | FLAG_DRAFT;
	m->date_s = (int64_t)(FEB_1_1994 + 30) * DAY;
	b->im.view->recent_from = 3;
}

#define NI  "\xe4\xbd\xa0"
#define HAO "\xe5\xa5\xbd"

/// `reads`: requests for octets that the search may make.
static const struct {
	const char *name, *command;
	unsigned reads;
	const char *numbers;
} cases[] = {
	{ "all", "ALL", 0, " 1 2 3 4" },
	{ "sequence", "2:3", 0, " 2 3" },
	{ "star", "*", 0, " 4" },
	{ "range of star", "3:*,1", 0, " 1 3 4" },
	{ "uid", "UID 3:5", 0, " 2 3" },
	{ "uid beyond", "UID 10:20", 0, "" },
	{ "uid star beyond", "UID 100:*", 0, " 4" },
	{ "answered", "ANSWERED", 0, " 4" },
	{ "unanswered", "UNANSWERED", 0, " 1 2 3" },
	{ "deleted", "DELETED", 0, " 4" },
	{ "undeleted", "UNDELETED", 0, " 1 2 3" },
	{ "draft", "DRAFT", 0, " 4" },
	{ "undraft", "UNDRAFT", 0, " 1 2 3" },
	{ "flagged", "FLAGGED", 0, " 4" },
	{ "unflagged", "UNFLAGGED", 0, " 1 2 3" },
	{ "seen", "SEEN", 0, " 1 3" },
	{ "unseen", "UNSEEN", 0, " 2 4" },
	{ "recent", "RECENT", 0, " 2 3 4" },
	{ "old", "OLD", 0, " 1" },
	{ "new", "NEW", 0, " 2 4" },
	{ "keyword", "KEYWORD $junk", 0, " 3" },
	{ "unkeyword", "UNKEYWORD $Junk", 0, " 1 2 4" },
	{ "unknown keyword", "KEYWORD $none", 0, "" },
	{ "not the unknown keyword", "UNKEYWORD $none", 0, " 1 2 3 4" },
	{ "larger", "LARGER 230", 0, " 2" },
	{ "smaller", "SMALLER 1", 0, " 4" },
	{ "before", "BEFORE 2-Feb-1994", 0, " 1" }, // 2 Feb 00:30 at UTC+2, but 1 Feb as shown
	{ "on", "ON 1-Feb-1994", 0, " 1" },
	{ "since", "SINCE 3-Feb-1994", 0, " 3 4" },
	{ "sent before", "SENTBEFORE 1-Feb-1994", 1, " 1" },
	{ "sent on", "SENTON 2-Feb-1994", 1, " 2" },
	{ "sent since", "SENTSINCE 31-Jan-1994", 1, " 1 2" },
	{ "not sent", "NOT SENTSINCE 1-Jan-1990", 1, " 3 4" },
	{ "from", "FROM ANN@", 1, " 1" },
	{ "to", "TO carol", 1, " 1" },
	{ "cc", "CC dave", 1, " 1" },
	{ "bcc", "BCC eve", 1, " 1" },
	{ "display name", "FROM ann", 1, " 1" },
	{ "subject", "SUBJECT TWO", 1, " 2" },
	{ "field there", "HEADER x-empty \"\"", 1, " 1" },
	{ "field not there", "NOT HEADER Date \"\"", 1, " 3 4" },
	{ "any field", "HEADER Content-Type multipart", 1, " 2" },
	{ "one Chinese character", "CHARSET UTF-8 SUBJECT {3}\r\n" NI, 1, " 1" },
	{ "two Chinese characters", "CHARSET utf-8 SUBJECT {6}\r\n" NI HAO, 1, " 1" },
	{ "in GBK", "CHARSET GBK SUBJECT {2}\r\n\xba\xc3", 1, " 1" },
	{ "without charset, as it looks", "SUBJECT {2}\r\n\xba\xc3", 1, " 1" },
	{ "raw Latin 1", "CHARSET UTF-8 SUBJECT {5}\r\ncaf\xc3\xa9", 1, " 3" },
	{ "accents and case", "SUBJECT CAFE", 1, " 3" },
	{ "sharp s",
		"CHARSET UTF-8 SUBJECT {7}\r\nstra\xc3\x9f"
		"e",
		1, " 3" },
	{ "body", "BODY \"body of\"", 1, " 1" },
	{ "body is not the header", "BODY carol", 1, "" },
	{ "text is both", "TEXT carol", 1, " 1 3" },
	{ "body over a line end", "BODY \"quick brown\"", 1, " 3" },
	{ "html in base64", "CHARSET UTF-8 BODY {3}\r\n" HAO, 1, " 2" },
	{ "html without tags", "BODY \"bold text\"", 1, " 2" },
	{ "empty text", "BODY \"\"", 1, " 1 2 3 4" },
	{ "and", "SEEN RECENT", 0, " 3" },
	{ "or", "OR SEEN FLAGGED", 0, " 1 3 4" },
	{ "not", "NOT (OR SEEN FLAGGED)", 0, " 2" },
	{ "nested", "OR (SEEN NOT OLD) (NOT SEEN SMALLER 1)", 0, " 3 4" },
	{ "cheap keys decide alone", "BODY x SUBJECT x DELETED SEEN", 0, "" },
	{ "cheap keys of OR too", "OR BODY x ALL", 0, " 1 2 3 4" },
	{ "cheap keys come first", "BODY body SEEN", 1, " 1" },
	{ "two texts of one pass", "BODY body BODY plain BODY one", 1, " 1" },
	{ "header before body", "SUBJECT two BODY bold", 2, " 2" },
	{ "header decides", "SUBJECT none BODY bold", 1, "" },
	{ "set narrows what is read", "2 TEXT bob", 1, " 2" },
};

static void test_keys(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf command = BUF(4096), want = BUF(4096);
		buf_printf(&command, "SEARCH %s", cases[i].command);
		buf_printf(&want, "* SEARCH%s\r\n", cases[i].numbers);
		CHECK(bed_run(&b, buf_sl(&command)) == E_OK, cases[i].name);
		if (!sl_eq(buf_sl(&b.said), buf_sl(&want)))
			print_error(
				"%s\ngot:  %.*swant: %.*s", cases[i].name, SLF(buf_sl(&b.said)), SLF(buf_sl(&want)));
		CHECK(sl_eq(buf_sl(&b.said), buf_sl(&want)), cases[i].name);
		CHECK(b.reads <= 2 * cases[i].reads, cases[i].name); // rows come in threes, so in two batches
		buf_free(&command);
		buf_free(&want);
	}
	bed_end(&b);
}

static const struct {
	const char *name, *command;
	enum ec end;
	const char *said;
} answers[] = {
	{ "uid", "UID SEARCH SEEN", E_OK, "* SEARCH 1 4\r\n" },
	{ "nothing", "UID SEARCH UID 2", E_OK, "* SEARCH\r\n" },
	{ "min max count", "SEARCH RETURN (MIN MAX COUNT) RECENT", E_OK,
		"* ESEARCH (TAG \"a1\") MIN 2 MAX 4 COUNT 3\r\n" },
	{ "all", "SEARCH RETURN () OR 1 3:4", E_OK, "* ESEARCH (TAG \"a1\") ALL 1,3:4\r\n" },
	{ "uid all", "UID SEARCH RETURN (ALL) ALL", E_OK, "* ESEARCH (TAG \"a1\") UID ALL 1,3:4,9\r\n" },
	{ "nothing, extended", "UID SEARCH RETURN (MIN MAX ALL COUNT) UID 2", E_OK,
		"* ESEARCH (TAG \"a1\") UID COUNT 0\r\n" },
	{ "nothing but all", "SEARCH RETURN (ALL) KEYWORD x", E_OK, "* ESEARCH (TAG \"a1\")\r\n" },
	{ "min of text", "SEARCH RETURN (MIN) TEXT o", E_OK, "* ESEARCH (TAG \"a1\") MIN 1\r\n" },
	{ "number too large", "SEARCH 5", E_RANGE, "" },
	{ "number too large within", "SEARCH OR SEEN 5", E_RANGE, "" },
	{ "charset", "SEARCH CHARSET X-NONE SEEN", E_UNSUPPORTED, "" },
	{ "save", "SEARCH RETURN (SAVE) SEEN", E_UNSUPPORTED, "" },
};

static void test_answers(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	for (size_t i = 0; i < ARRAY_N(answers); i++) {
		CHECK(bed_run(&b, sl_cstr(answers[i].command)) == answers[i].end, answers[i].name);
		if (!sl_eq(buf_sl(&b.said), sl_cstr(answers[i].said)))
			print_error("%s\ngot:  %.*s", answers[i].name, SLF(buf_sl(&b.said)));
		CHECK(sl_eq(buf_sl(&b.said), sl_cstr(answers[i].said)), answers[i].name);
	}
	assert_int_equal(bed_run(&b, SL("SEARCH CHARSET X-NONE SEEN")), E_UNSUPPORTED);
	assert_true(sl_starts(sl_cstr(b.im.refusal.code), SL("BADCHARSET (US-ASCII UTF-8 ")));
	bed_end(&b);
}

static void check_found(struct bed *b, const char *command, const char *said)
{
	CHECK(bed_run(b, sl_cstr(command)) == E_OK, command);
	if (!sl_eq(buf_sl(&b->said), sl_cstr(said)))
		print_error("got:  %.*s", SLF(buf_sl(&b->said)));
	CHECK(sl_eq(buf_sl(&b->said), sl_cstr(said)), command);
}

/// Messages that cannot be read do not match, and do not stand in the way of others.
static void test_unreadable(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.m[0].damaged_at = 1;
	b.m[1].gone = true;
	b.m[3].expunged = true;
	check_found(&b, "SEARCH TEXT o", "* SEARCH 3\r\n");
	check_found(&b, "SEARCH NOT TEXT zzz", "* SEARCH 3\r\n");
	check_found(&b, "SEARCH NOT SEEN", "* SEARCH\r\n");
	bed_end(&b);
}

static void test_empty_mailbox(void **state)
{
	(void)state;
	struct bed b;

	bed_begin(&b);
	check_found(&b, "SEARCH 1:*", "* SEARCH\r\n");
	check_found(&b, "UID SEARCH UID 1:* UNSEEN", "* SEARCH\r\n");
	check_found(&b, "SEARCH BODY x", "* SEARCH\r\n");
	check_found(&b, "SEARCH RETURN (MIN COUNT) ALL", "* ESEARCH (TAG \"a1\") COUNT 0\r\n");
	assert_int_equal(bed_run(&b, SL("SEARCH 1")), E_RANGE);
	bed_end(&b);
}

/// Text deep in a message of many chunks, over the border of two, and a header longer than what is read first.
static void test_large(void **state)
{
	(void)state;
	struct buf m = BUF(1 << 20);
	struct bed b;

	for (unsigned i = 0; i < 9000; i++)
		buf_printf(&m, "X-%u: y\r\n", i);
	buf_puts(&m, "Subject: deep\r\n\r\n");
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&m, "word%u ", i);
	fill(&b);
	bed_add(&b, 0, buf_sl(&m));
	check_found(&b, "SEARCH SUBJECT deep", "* SEARCH 5\r\n");
	assert_int_equal(b.offloads, 0); // a header below HEAVY_OCTETS
	struct buf many = BUF(4096);
	buf_puts(&many, "SEARCH");
	for (unsigned i = 0; i < 100; i++)
		buf_puts(&many, " SUBJECT deep");
	assert_int_equal(bed_run(&b, buf_sl(&many)), E_OK);
	assert_int_equal(b.offloads, 1); // many looks at it
	buf_free(&many);
	check_found(&b, "SEARCH BODY \"word19999\"", "* SEARCH 5\r\n");
	assert_int_equal(b.offloads, 1);
	assert_true(b.front.room.high > m.n);
	check_found(&b, "SEARCH SUBJECT deep BODY \"word5 word6 word7\" NOT BODY word20000", "* SEARCH 5\r\n");
	bed_end(&b);
	buf_free(&m);
}

static void test_breaks(void **state)
{
	(void)state;
	struct bed b;

	fill(&b);
	b.away = true;
	assert_int_equal(bed_run(&b, SL("SEARCH SEEN")), E_TEMP);
	assert_int_equal(bed_run(&b, SL("SEARCH 1:2")), E_OK); // the view knows
	b.away = false;
	b.breaks_after = 1;
	assert_int_equal(bed_run(&b, SL("SEARCH TEXT o")), E_CLOSED);
	b.breaks_after = 0;
	b.cx.canceled = true;
	assert_int_equal(bed_run(&b, SL("SEARCH TEXT o")), E_CANCELED);
	bed_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_empty_mailbox),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_breaks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
