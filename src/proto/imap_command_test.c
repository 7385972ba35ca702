/// Tests of imap_command, and of LIST, STATUS, APPEND, STORE through it: which lines are commands, and what they say.
#include "proto/imap_check.h"

#include "base/num.h"
#include "proto/imap_print.h"

static const struct {
	const char *name, *in;
	enum ec want;
	enum imap_verb verb;
	bool uid;
} cases[] = {
	{ "noop", "a1 NOOP", E_OK, IMAP_NOOP, false },
	{ "lower case", "a1 capability", E_OK, IMAP_CAPABILITY, false },
	{ "odd tag", ".[]-/&1 LOGOUT", E_OK, IMAP_LOGOUT, false },
	{ "argument where none is", "a NOOP x", E_SYNTAX, IMAP_NOOP, false },
	{ "space at the end", "a NOOP ", E_SYNTAX, IMAP_NOOP, false },
	{ "unknown verb", "a XYZZY", E_UNSUPPORTED, 0, false },
	{ "no verb", "a", E_UNSUPPORTED, 0, false },
	{ "two spaces", "a  NOOP", E_UNSUPPORTED, 0, false },
	{ "UID alone", "a UID", E_UNSUPPORTED, 0, false },
	{ "UID of a verb without", "a UID NOOP", E_UNSUPPORTED, 0, false },
	{ "no tag", " NOOP", E_SYNTAX, 0, false },
	{ "plus in the tag", "a+ NOOP", E_SYNTAX, 0, false },
	{ "star as the tag", "* NOOP", E_SYNTAX, 0, false },
	{ "empty", "", E_SYNTAX, 0, false },

	{ "login", "a LOGIN joe secret", E_OK, IMAP_LOGIN, false },
	{ "login without password", "a LOGIN joe", E_SYNTAX, IMAP_LOGIN, false },
	{ "login with literals", "a LOGIN {3}\r\njoe {6+}\r\nsecret", E_OK, IMAP_LOGIN, false },
	{ "literal too short", "a LOGIN {4}\r\njoe", E_SYNTAX, IMAP_LOGIN, false },
	{ "literal with NUL length", "a LOGIN joe {}\r\n", E_SYNTAX, IMAP_LOGIN, false },
	{ "literal beyond 63 bits", "a LOGIN joe {9223372036854775808}\r\nx", E_RANGE, IMAP_LOGIN, false },
	{ "starttls", "a STARTTLS", E_OK, IMAP_STARTTLS, false },
	{ "authenticate", "a AUTHENTICATE SCRAM-SHA-256", E_OK, IMAP_AUTHENTICATE, false },
	{ "authenticate, initial response", "a AUTHENTICATE PLAIN AGEAYg==", E_OK, IMAP_AUTHENTICATE, false },
	{ "authenticate, empty response", "a AUTHENTICATE EXTERNAL =", E_OK, IMAP_AUTHENTICATE, false },
	{ "authenticate, nothing behind SP", "a AUTHENTICATE PLAIN ", E_SYNTAX, IMAP_AUTHENTICATE, false },

	{ "select", "a SELECT INBOX", E_OK, IMAP_SELECT, false },
	{ "select quoted", "a SELECT \"To \\\"do\\\"\"", E_OK, IMAP_SELECT, false },
	{ "select without a name", "a SELECT", E_SYNTAX, IMAP_SELECT, false },
	{ "select with wildcard", "a SELECT a*", E_SYNTAX, IMAP_SELECT, false },
	{ "examine", "a EXAMINE \"\"", E_OK, IMAP_EXAMINE, false },
	{ "create", "a CREATE owatagusiam/", E_OK, IMAP_CREATE, false },
	{ "create with use", "a CREATE X (USE (\\Sent \\Drafts))", E_OK, IMAP_CREATE, false },
	{ "create with empty use", "a CREATE X (USE ())", E_OK, IMAP_CREATE, false },
	{ "create with open use", "a CREATE X (USE (\\Sent)", E_SYNTAX, IMAP_CREATE, false },
	{ "delete", "a DELETE x", E_OK, IMAP_DELETE, false },
	{ "rename", "a RENAME x \"y z\"", E_OK, IMAP_RENAME, false },
	{ "subscribe", "a SUBSCRIBE #news.x", E_OK, IMAP_SUBSCRIBE, false },
	{ "unsubscribe", "a UNSUBSCRIBE x", E_OK, IMAP_UNSUBSCRIBE, false },
	{ "namespace", "a NAMESPACE", E_OK, IMAP_NAMESPACE, false },
	{ "idle", "a IDLE", E_OK, IMAP_IDLE, false },
	{ "enable", "a ENABLE UTF8=ACCEPT IMAP4rev2", E_OK, IMAP_ENABLE, false },
	{ "enable nothing", "a ENABLE", E_SYNTAX, IMAP_ENABLE, false },
	{ "id", "a ID (\"name\" \"x\" \"version\" NIL)", E_OK, IMAP_ID, false },
	{ "id nil", "a ID NIL", E_OK, IMAP_ID, false },
	{ "id empty", "a ID ()", E_OK, IMAP_ID, false },
	{ "id without value", "a ID (\"name\")", E_SYNTAX, IMAP_ID, false },
	{ "id name too long", "a ID (\"1234567890123456789012345678901\" \"x\")", E_LIMIT, IMAP_ID, false },

	{ "list", "a LIST \"\" *", E_OK, IMAP_LIST, false },
	{ "list without pattern", "a LIST \"\"", E_SYNTAX, IMAP_LIST, false },
	{ "list recursive alone", "a LIST (RECURSIVEMATCH) \"\" *", E_SYNTAX, IMAP_LIST, false },
	{ "list unknown option", "a LIST (NONSENSE) \"\" *", E_SYNTAX, IMAP_LIST, false },
	{ "lsub", "a LSUB \"\" %", E_OK, IMAP_LSUB, false },
	{ "lsub with options", "a LSUB (SUBSCRIBED) \"\" %", E_SYNTAX, IMAP_LSUB, false },
	{ "status", "a STATUS blurdybloop (UIDNEXT MESSAGES)", E_OK, IMAP_STATUS, false },
	{ "status of nothing", "a STATUS x ()", E_SYNTAX, IMAP_STATUS, false },
	{ "status unknown", "a STATUS x (MESSAGES FOO)", E_SYNTAX, IMAP_STATUS, false },

	{ "check", "a CHECK", E_OK, IMAP_CHECK, false },
	{ "close", "a CLOSE", E_OK, IMAP_CLOSE, false },
	{ "unselect", "a UNSELECT", E_OK, IMAP_UNSELECT, false },
	{ "expunge", "a EXPUNGE", E_OK, IMAP_EXPUNGE, false },
	{ "expunge with a set", "a EXPUNGE 1", E_SYNTAX, IMAP_EXPUNGE, false },
	{ "uid expunge", "a uid expunge 3000:3002", E_OK, IMAP_EXPUNGE, true },
	{ "uid expunge without a set", "a UID EXPUNGE", E_SYNTAX, IMAP_EXPUNGE, true },
	{ "copy", "a COPY 2:4 MEETING", E_OK, IMAP_COPY, false },
	{ "uid copy", "a UID COPY 2:* \"MEET ING\"", E_OK, IMAP_COPY, true },
	{ "move", "a MOVE $ Trash", E_OK, IMAP_MOVE, false },
	{ "uid store", "a UID STORE 1:* +FLAGS.SILENT (\\Deleted $Junk)", E_OK, IMAP_STORE, true },
	{ "store", "a STORE 2:4 FLAGS ()", E_OK, IMAP_STORE, false },
	{ "store, open list", "a STORE 2 FLAGS (\\Seen", E_SYNTAX, IMAP_STORE, false },
	{ "store, \\Recent", "a STORE 2 FLAGS (\\Seen \\Recent)", E_SYNTAX, IMAP_STORE, false },
	{ "store, \\Recent without a list", "a STORE 2 -FLAGS \\recent", E_SYNTAX, IMAP_STORE, false },
	{ "store, no such system flag", "a STORE 2 +FLAGS (\\Foo)", E_SYNTAX, IMAP_STORE, false },
	{ "append, \\Recent", "a APPEND INBOX (\\Recent) {1}", E_SYNTAX, IMAP_APPEND, false },
	{ "append, no such system flag", "a APPEND INBOX (\\Seenx) {1}", E_SYNTAX, IMAP_APPEND, false },
	{ "store, no flags", "a STORE 2 +FLAGS", E_SYNTAX, IMAP_STORE, false },
	{ "store, space in the list", "a STORE 2 FLAGS (\\Seen )", E_SYNTAX, IMAP_STORE, false },
	{ "fetch", "a FETCH 1 FLAGS", E_OK, IMAP_FETCH, false },
	{ "uid search", "a UID SEARCH ALL", E_OK, IMAP_SEARCH, true },
	{ "append", "a APPEND INBOX (\\Seen) {310}", E_OK, IMAP_APPEND, false },
	{ "append, mailbox announced", "a APPEND {5}", E_SYNTAX, IMAP_APPEND,
		false }, // the framer reads it and asks again
	{ "append, mailbox came", "a APPEND {5}\r\nINBOX {310}", E_OK, IMAP_APPEND, false },
	{ "append without literal", "a APPEND INBOX (\\Seen)", E_SYNTAX, IMAP_APPEND, false },
	{ "append, literal not last", "a APPEND INBOX {310} x", E_SYNTAX, IMAP_APPEND, false },
	{ "append, literal too large", "a APPEND INBOX {99999999999999999999}", E_TOOBIG, IMAP_APPEND, false },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct parsed p = parse_text(sl_cstr(cases[i].in), 1 << 16);
		CHECK(p.e == cases[i].want, cases[i].name);
		if (p.e == E_OK)
			CHECK(p.cmd.verb == cases[i].verb && p.cmd.uid == cases[i].uid, cases[i].name);
		parsed_free(&p);
		check_sweep(cases[i].in, cases[i].name);
	}
}

static void test_rows_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < IMAP_VERB_COUNT; i++) {
		assert_int_equal(imap_verbs[i].verb, i);
		assert_true(i == 0 || sl_cmp(imap_verbs[i - 1].name, imap_verbs[i].name) < 0);
	}
}

/// What a stranger may say before the login, and nothing else.
static void test_verbs_before_login(void **state)
{
	(void)state;
	static const enum imap_verb open[] = { IMAP_AUTHENTICATE, IMAP_CAPABILITY, IMAP_ID, IMAP_LOGIN, IMAP_LOGOUT,
		IMAP_NOOP, IMAP_STARTTLS };
	for (size_t i = 0; i < IMAP_VERB_COUNT; i++) {
		bool is_open = false;
		for (size_t k = 0; k < ARRAY_N(open); k++)
			is_open |= open[k] == imap_verbs[i].verb;
		assert_int_equal(is_open, (imap_verbs[i].states & IMAP_NOAUTH) != 0);
	}
}

static const struct {
	const char *name, *in;
	size_t err_at;
} offsets[] = {
	{ "unknown status item", "a STATUS x (MESSAGES FOO)", 21 },
	{ "end of line", "a COPY 1:2", 10 },
	{ "inside a literal's line", "a LOGIN {1}\r\nu", 14 },
	{ "zero in a set", "a UID FETCH 1,0 FLAGS", 14 },
	{ "unknown fetch item", "a FETCH 1 (FLAGS FOO)", 17 },
	{ "unknown search key", "a SEARCH NOT FOO", 13 },
};

static void test_error_offsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(offsets); i++) {
		struct parsed p = parse_text(sl_cstr(offsets[i].in), 1 << 16);
		CHECK(p.e == E_SYNTAX && p.err_at == offsets[i].err_at, offsets[i].name);
		parsed_free(&p);
	}
}

static void test_login_words(void **state)
{
	(void)state;
	struct parsed p = parse_text(SL("a LOGIN {5}\r\nj\"o\\e \"s\\\\e\\\"c\""), 1 << 16);
	assert_int_equal(p.e, E_OK);
	assert_true(sl_eq(p.cmd.login.user, SL("j\"o\\e")));
	assert_true(sl_eq(p.cmd.login.password, SL("s\\e\"c")));
	assert_true(p.cmd.login.user.p > p.in.p && p.cmd.login.user.p < p.in.p + p.in.n); // not copied
	parsed_free(&p);
	p = parse_text(SL("a AUTHENTICATE PLAIN AGEAYg=="), 1 << 16);
	assert_true(p.cmd.authenticate.has_initial && sl_eq(p.cmd.authenticate.initial, SL("AGEAYg==")));
	assert_true(sl_eq(p.cmd.authenticate.mechanism, SL("PLAIN")));
	parsed_free(&p);
}

static void test_create_and_id(void **state)
{
	(void)state;
	struct parsed p = parse_text(SL("a CREATE X (USE (\\Sent \\junk \\Foo))"), 1 << 16);
	assert_int_equal(p.e, E_OK);
	assert_int_equal(p.cmd.create.use, USE_SENT | USE_JUNK);
	assert_true(p.cmd.create.use_unknown);
	parsed_free(&p);
	p = parse_text(SL("a ID (\"name\" \"x\" \"os\" NIL)"), 1 << 16);
	assert_int_equal(p.cmd.id.names.n, 2);
	assert_true(sl_eq(p.cmd.id.names.p[1], SL("os")) && !p.cmd.id.values.p[1].p && p.cmd.id.values.p[0].p);
	parsed_free(&p);
}

static const struct {
	const char *name, *in;
	unsigned select, ret, status;
	size_t patterns;
	bool extended;
} lists[] = {
	{ "basic", "a LIST \"\" *", 0, 0, 0, 1, false },
	{ "hierarchy only", "a LIST foo \"\"", 0, 0, 0, 1, false },
	{ "subscribed", "a LIST (SUBSCRIBED) \"\" \"*\"", LIST_SELECT_SUBSCRIBED, 0, 0, 1, true },
	{ "recursive", "a LIST (RECURSIVEMATCH SUBSCRIBED) \"\" %", LIST_SELECT_SUBSCRIBED | LIST_SELECT_RECURSIVEMATCH,
		0, 0, 1, true },
	{ "no options", "a LIST () \"\" *", 0, 0, 0, 1, true },
	{ "patterns", "a LIST \"\" (INBOX Drafts Sent/%)", 0, 0, 0, 3, true },
	{ "children", "a LIST \"\" % RETURN (CHILDREN SPECIAL-USE)", 0, LIST_RETURN_CHILDREN | LIST_RETURN_SPECIAL_USE,
		0, 1, true },
	{ "special use", "a LIST (SPECIAL-USE) \"\" *", LIST_SELECT_SPECIAL_USE, 0, 0, 1, true },
	{ "status", "a LIST \"\" % RETURN (SUBSCRIBED STATUS (MESSAGES UNSEEN SIZE))", 0,
		LIST_RETURN_SUBSCRIBED | LIST_RETURN_STATUS, STATUS_MESSAGES | STATUS_UNSEEN | STATUS_SIZE, 1, true },
	{ "empty return", "a LIST \"\" % RETURN ()", 0, 0, 0, 1, true },
};

static void test_list_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(lists); i++) {
		struct parsed p = parse_text(sl_cstr(lists[i].in), 1 << 16);
		const struct imap_list *l = &p.cmd.list;
		CHECK(p.e == E_OK, lists[i].name);
		CHECK(l->select == lists[i].select && l->ret == lists[i].ret && l->status == lists[i].status,
			lists[i].name);
		CHECK(l->patterns.n == lists[i].patterns && l->extended == lists[i].extended, lists[i].name);
		parsed_free(&p);
		check_sweep(lists[i].in, lists[i].name);
	}
}

static const struct {
	const char *name, *in, *mailbox, *flags;
	bool has_date;
	int64_t date_s;
	uint64_t octets;
	bool sync, binary;
} appends[] = {
	{ "bare", "a APPEND INBOX {310}", "INBOX", "()", false, 0, 310, true, false },
	{ "flags", "a APPEND \"a b\" (\\Seen \\draft x) {0}", "a b", "(\\Seen \\Draft x)", false, 0, 0, true, false },
	{ "date", "a APPEND x \" 7-Feb-1994 21:52:25 -0800\" {1+}", "x", "()", true, 760686745, 1, false, false },
	{ "all", "a APPEND {3+}\r\na{b () \"17-Jul-1996 02:44:25 +0530\" ~{9}", "a{b", "()", true, 837551665, 9, true,
		true },
};

static void test_append_head(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(appends); i++) {
		struct parsed p = parse_text(sl_cstr(appends[i].in), 1 << 16);
		const struct imap_append *ap = &p.cmd.append;
		struct buf flags = BUF(256);
		CHECK(p.e == E_OK, appends[i].name);
		imap_print_flags(&flags, &ap->flags);
		CHECK(sl_eq(ap->mailbox, sl_cstr(appends[i].mailbox)), appends[i].name);
		CHECK(sl_eq(buf_sl(&flags), sl_cstr(appends[i].flags)), appends[i].name);
		CHECK(ap->has_date == appends[i].has_date && ap->date_s == appends[i].date_s, appends[i].name);
		CHECK(ap->literal.octets == appends[i].octets && ap->literal.sync == appends[i].sync, appends[i].name);
		CHECK(ap->literal.binary == appends[i].binary, appends[i].name);
		buf_free(&flags);
		parsed_free(&p);
		check_sweep(appends[i].in, appends[i].name);
	}
}

static const struct {
	const char *name, *in;
	enum imap_store_op op;
	bool silent;
	const char *flags;
} stores[] = {
	{ "add one", "a STORE 1:* +FLAGS (\\Seen)", STORE_ADD, false, "(\\Seen)" },
	{ "bare flags", "a STORE 7 -flags.silent \\Draft $Junk", STORE_DEL, true, "(\\Draft $Junk)" },
	{ "clear all", "a STORE 2 FLAGS ()", STORE_SET, false, "()" },
	{ "case and repetition", "a STORE 2 FLAGS (\\SEEN $a \\seen $A b)", STORE_SET, false, "(\\Seen $a b)" },
	{ "UTF-8 keyword", "a STORE 2 FLAGS (工作)", STORE_SET, false, "(工作)" },
};

static void test_store(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(stores); i++) {
		struct parsed p = parse_text(sl_cstr(stores[i].in), 1 << 16);
		struct buf flags = BUF(256);
		CHECK(p.e == E_OK, stores[i].name);
		imap_print_flags(&flags, &p.cmd.store.flags);
		CHECK(p.cmd.store.op == stores[i].op && p.cmd.store.silent == stores[i].silent, stores[i].name);
		CHECK(sl_eq(buf_sl(&flags), sl_cstr(stores[i].flags)), stores[i].name);
		buf_free(&flags);
		parsed_free(&p);
		check_sweep(stores[i].in, stores[i].name);
	}
}

/// `head`, then `unit` n times, then `tail`.
static enum ec parse_repeated(const char *head, const char *unit, int n, const char *tail)
{
	struct buf b = BUF(1 << 20);

	buf_puts(&b, head);
	for (int i = 0; i < n; i++)
		buf_printf(&b, unit, i);
	buf_puts(&b, tail);
	struct parsed p = parse_text(buf_sl(&b), 1 << 20);
	enum ec e = p.e;
	parsed_free(&p);
	buf_free(&b);
	return e;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(parse_repeated("a STORE 1 FLAGS (k", " k%d", IMAP_KEYWORDS_MAX - 1, ")"), E_OK);
	assert_int_equal(parse_repeated("a STORE 1 FLAGS (k", " k%d", IMAP_KEYWORDS_MAX, ")"), E_LIMIT);
	assert_int_equal(parse_repeated("a STORE 1 FLAGS ", "k", IMAP_KEYWORD_MAX, ""), E_OK);
	assert_int_equal(parse_repeated("a STORE 1 FLAGS ", "k", IMAP_KEYWORD_MAX + 1, ""), E_LIMIT);
	assert_int_equal(parse_repeated("a LIST \"\" (x", " x", IMAP_PATTERNS_MAX - 1, ")"), E_OK);
	assert_int_equal(parse_repeated("a LIST \"\" (x", " x", IMAP_PATTERNS_MAX, ")"), E_LIMIT);
	assert_int_equal(parse_repeated("a ENABLE", " x", IMAP_ENABLE_MAX, ""), E_OK);
	assert_int_equal(parse_repeated("a ENABLE", " x", IMAP_ENABLE_MAX + 1, ""), E_LIMIT);
	assert_int_equal(parse_repeated("a ID (\"\" NIL", " \"\" NIL", IMAP_ID_PAIRS_MAX - 1, ")"), E_OK);
	assert_int_equal(parse_repeated("a ID (\"\" NIL", " \"\" NIL", IMAP_ID_PAIRS_MAX, ")"), E_LIMIT);
	assert_int_equal(parse_repeated("", "t", IMAP_TAG_MAX, " NOOP"), E_OK);
	assert_int_equal(parse_repeated("", "t", IMAP_TAG_MAX + 1, " NOOP"), E_SYNTAX);
}

static void test_done(void **state)
{
	(void)state;
	assert_true(imap_is_done(SL("DONE")) && imap_is_done(SL("done")));
	assert_false(imap_is_done(SL("DONE ")) || imap_is_done(SL("a DONE")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_rows_in_order),
		cmocka_unit_test(test_verbs_before_login),
		cmocka_unit_test(test_error_offsets),
		cmocka_unit_test(test_login_words),
		cmocka_unit_test(test_create_and_id),
		cmocka_unit_test(test_list_options),
		cmocka_unit_test(test_append_head),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
