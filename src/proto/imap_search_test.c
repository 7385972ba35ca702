/// Tests of imap_search: every key, nesting, what to return, and the limits.
#include "proto/imap_check.h"

#include "base/num.h"
#include "proto/imap_print.h"

/// Indexed by enum imap_key_op.
static const char *const op_names[] = { "all", "and", "or", "not", "seq", "uid", "flag", "noflag", "recent", "old",
	"new", "keyword", "unkeyword", "before", "on", "since", "sentbefore", "senton", "sentsince", "larger",
	"smaller", "header", "body", "text" };

static void dump_key(struct buf *b, const struct imap_key *k)
{
	buf_puts(b, op_names[k->op]);
	if (k->op == KEY_AND || k->op == KEY_OR || k->op == KEY_NOT) {
		buf_addc(b, '(');
		for (const struct imap_key *kid = k->kids; kid; kid = kid->next) {
			dump_key(b, kid);
			buf_puts(b, kid->next ? " " : ")");
		}
		return;
	}
	if (k->op >= KEY_SEQUENCE && k->op != KEY_RECENT && k->op != KEY_OLD && k->op != KEY_NEW)
		buf_addc(b, '=');
	if (k->op == KEY_SEQUENCE || k->op == KEY_UID)
		seqset_print(b, &k->set);
	else if (k->op == KEY_FLAG || k->op == KEY_NOT_FLAG)
		buf_num(b, k->flag);
	else if (k->op >= KEY_BEFORE && k->op <= KEY_SENT_SINCE)
		imap_print_date(b, k->date);
	else if (k->op == KEY_LARGER || k->op == KEY_SMALLER)
		buf_num(b, k->number);
	else if (k->op == KEY_HEADER)
		buf_printf(b, "%.*s:%.*s", SLF(k->field), SLF(k->text));
	else if (k->op == KEY_KEYWORD || k->op == KEY_UNKEYWORD || k->op == KEY_BODY || k->op == KEY_TEXT)
		buf_add(b, k->text);
}

static const struct {
	const char *name, *in;
	const char *tree; // NULL: E_SYNTAX
} cases[] = {
	{ "all", "ALL", "all" },
	{ "flags set", "ANSWERED DELETED DRAFT FLAGGED SEEN", "and(flag=1 flag=4 flag=16 flag=2 flag=8)" },
	{ "flags unset", "UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
		"and(noflag=1 noflag=4 noflag=16 noflag=2 noflag=8)" },
	{ "of IMAP4rev1", "NEW OLD RECENT", "and(new old recent)" },
	{ "keywords", "KEYWORD $Junk UNKEYWORD 工作", "and(keyword=$Junk unkeyword=工作)" },
	{ "fields", "FROM smith TO \"a b\" CC c BCC d SUBJECT {3}\r\nx y",
		"and(header=From:smith header=To:a b header=Cc:c header=Bcc:d header=Subject:x y)" },
	{ "header", "HEADER Message-ID \"\"", "header=Message-ID:" },
	{ "texts", "BODY x TEXT \"\\\"\"", "and(body=x text=\")" },
	{ "dates", "BEFORE 1-Feb-1994 ON \"29-Feb-2024\" SINCE 01-feb-1994",
		"and(before=1-Feb-1994 on=29-Feb-2024 since=1-Feb-1994)" },
	{ "sent dates", "SENTBEFORE 1-Jan-2000 SENTON 2-Jan-2000 SENTSINCE 31-Dec-1999",
		"and(sentbefore=1-Jan-2000 senton=2-Jan-2000 sentsince=31-Dec-1999)" },
	{ "sizes", "LARGER 4294967296 SMALLER 0", "and(larger=4294967296 smaller=0)" },
	{ "sets", "2:4,7 UID 5:* *", "and(seq=2:4,7 uid=5:* seq=*)" },
	{ "saved set", "UID $", "uid=$" },
	{ "not", "NOT SEEN", "not(flag=8)" },
	{ "not not", "NOT NOT 1", "not(not(seq=1))" },
	{ "or", "OR SEEN FROM x", "or(flag=8 header=From:x)" },
	{ "or of groups", "OR (SEEN 1) (NOT (DRAFT 2)) ALL", "and(or(and(flag=8 seq=1) not(and(flag=16 seq=2))) all)" },
	{ "group of one", "((SEEN))", "flag=8" },
	{ "RFC 9051 example", "FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
		"and(flag=2 since=1-Feb-1994 not(header=From:Smith))" },
	{ "nothing", "", NULL },
	{ "unknown", "FOO", NULL },
	{ "key without argument", "FROM", NULL },
	{ "or with one", "OR SEEN", NULL },
	{ "open group", "(SEEN", NULL },
	{ "empty group", "()", NULL },
	{ "closed too often", "SEEN)", NULL },
	{ "space last", "SEEN ", NULL },
	{ "two spaces", "SEEN  1", NULL },
	{ "30 February", "ON 30-Feb-2024", NULL },
	{ "29 February of 1900", "ON 29-Feb-1900", NULL },
	{ "day of three digits", "ON 001-Feb-2024", NULL },
	{ "year of two digits", "ON 1-Feb-24", NULL },
	{ "minus", "LARGER -1", NULL },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf line = BUF(1024), tree = BUF(1024);
		buf_printf(&line, "a SEARCH %s", cases[i].in);
		struct parsed p = parse_text(buf_sl(&line), 1 << 16);
		CHECK(p.e == (cases[i].tree ? E_OK : E_SYNTAX), cases[i].name);
		if (p.e == E_OK) {
			dump_key(&tree, p.cmd.search.key);
			CHECK(sl_eq(buf_sl(&tree), sl_cstr(cases[i].tree)), cases[i].name);
		}
		parsed_free(&p);
		buf_addc(&line, 0);
		check_sweep((const char *)line.p, cases[i].name);
		buf_free(&line);
		buf_free(&tree);
	}
}

static const struct {
	const char *name, *in;
	enum ec want;
	bool esearch;
	unsigned ret;
	const char *charset;
} heads[] = {
	{ "plain", "a SEARCH ALL", E_OK, false, 0, "" },
	{ "return", "a SEARCH RETURN (MIN COUNT) ALL", E_OK, true, SEARCH_MIN | SEARCH_COUNT, "" },
	{ "return all", "a SEARCH RETURN (ALL MAX SAVE) 1", E_OK, true, SEARCH_ALL | SEARCH_MAX | SEARCH_SAVE, "" },
	{ "return nothing", "a SEARCH RETURN () ALL", E_OK, true, SEARCH_ALL, "" },
	{ "charset", "a SEARCH CHARSET UTF-8 TEXT x", E_OK, false, 0, "UTF-8" },
	{ "charset quoted", "a SEARCH CHARSET \"GB18030\" TEXT {2}\r\n\xc4\xe3", E_OK, false, 0, "GB18030" },
	{ "both", "a SEARCH RETURN (MAX) CHARSET UTF-8 ALL", E_OK, true, SEARCH_MAX, "UTF-8" },
	{ "unknown return", "a SEARCH RETURN (FOO) ALL", E_SYNTAX, false, 0, "" },
	{ "return without keys", "a SEARCH RETURN (MIN)", E_SYNTAX, false, 0, "" },
	{ "charset without keys", "a SEARCH CHARSET UTF-8", E_SYNTAX, false, 0, "" },
};

static void test_return_and_charset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(heads); i++) {
		struct parsed p = parse_text(sl_cstr(heads[i].in), 1 << 16);
		CHECK(p.e == heads[i].want, heads[i].name);
		if (p.e == E_OK) {
			CHECK(p.cmd.search.esearch == heads[i].esearch && p.cmd.search.ret == heads[i].ret,
				heads[i].name);
			CHECK(sl_eq(p.cmd.search.charset, sl_cstr(heads[i].charset)), heads[i].name);
		}
		parsed_free(&p);
	}
}

/// "a SEARCH", `unit` n times, tail.
static enum ec search_repeated(const char *unit, int n, const char *tail, const char *tail_unit)
{
	struct buf b = BUF(1 << 20);

	buf_puts(&b, "a SEARCH ");
	for (int i = 0; i < n; i++)
		buf_puts(&b, unit);
	buf_puts(&b, tail);
	for (int i = 0; i < n; i++)
		buf_puts(&b, tail_unit);
	struct parsed p = parse_text(buf_sl(&b), 1 << 20);
	enum ec e = p.e;
	parsed_free(&p);
	buf_free(&b);
	return e;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(search_repeated("NOT ", IMAP_SEARCH_DEPTH_MAX - 1, "ALL", ""), E_OK);
	assert_int_equal(search_repeated("NOT ", IMAP_SEARCH_DEPTH_MAX, "ALL", ""), E_LIMIT);
	assert_int_equal(search_repeated("(", IMAP_SEARCH_DEPTH_MAX - 1, "ALL", ")"), E_OK);
	assert_int_equal(search_repeated("(", IMAP_SEARCH_DEPTH_MAX, "ALL", ")"), E_LIMIT);
	assert_int_equal(search_repeated("(", 100000, "ALL", ")"), E_LIMIT);
	assert_int_equal(search_repeated("OR ALL ", IMAP_SEARCH_DEPTH_MAX, "ALL", ""), E_LIMIT);
	assert_int_equal(search_repeated("ALL ", IMAP_SEARCH_KEYS_MAX - 2, "ALL", ""), E_OK); // and the AND itself
	assert_int_equal(search_repeated("ALL ", IMAP_SEARCH_KEYS_MAX, "ALL", ""), E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_return_and_charset),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
