/// Tests of pop3_command: lines as clients write them.
#include "base/check.h"

#include "base/buf.h"
#include "base/num.h"
#include "proto/pop3_command.h"

static const struct {
	const char *name, *in;
	enum ec want;
	enum pop3_verb verb;
	bool has_msg;
	uint32_t msg, lines;
	const char *text; // user, password or mechanism
} cases[] = {
	{ "user", "USER joe@example.com", E_OK, POP3_USER, false, 0, 0, "joe@example.com" },
	{ "user without a name", "USER", E_SYNTAX },
	{ "user with two names", "USER joe doe", E_SYNTAX },
	{ "pass", "pass secret", E_OK, POP3_PASS, false, 0, 0, "secret" },
	{ "pass with spaces", "PASS  a b ", E_OK, POP3_PASS, false, 0, 0, " a b " },
	{ "pass in UTF-8", "PASS 密码", E_OK, POP3_PASS, false, 0, 0, "密码" },
	{ "pass without a password", "PASS", E_SYNTAX },
	{ "pass with nothing", "PASS ", E_SYNTAX },
	{ "stat", "STAT", E_OK, POP3_STAT },
	{ "stat with a space", "STAT ", E_OK, POP3_STAT },
	{ "stat with an argument", "STAT 1", E_SYNTAX },
	{ "list", "LIST", E_OK, POP3_LIST },
	{ "list one", "LIST 2", E_OK, POP3_LIST, true, 2 },
	{ "list two", "LIST 2 3", E_SYNTAX },
	{ "retr", "RETR 4294967295", E_OK, POP3_RETR, true, 4294967295 },
	{ "retr of nothing", "RETR", E_SYNTAX },
	{ "retr of zero", "RETR 0", E_RANGE },
	{ "retr of 33 bits", "RETR 4294967296", E_RANGE },
	{ "retr of a word", "RETR one", E_SYNTAX },
	{ "retr of minus one", "RETR -1", E_SYNTAX },
	{ "dele", "DELE 1", E_OK, POP3_DELE, true, 1 },
	{ "top", "TOP 1 10", E_OK, POP3_TOP, true, 1, 10 },
	{ "top of no lines", "TOP 1 0", E_OK, POP3_TOP, true, 1, 0 },
	{ "top without lines", "TOP 1", E_SYNTAX },
	{ "uidl", "UIDL", E_OK, POP3_UIDL },
	{ "uidl one", "UIDL 3", E_OK, POP3_UIDL, true, 3 },
	{ "noop", "NOOP", E_OK, POP3_NOOP },
	{ "rset", "RSET", E_OK, POP3_RSET },
	{ "quit", "QUIT", E_OK, POP3_QUIT },
	{ "capa", "CAPA", E_OK, POP3_CAPA },
	{ "stls", "STLS", E_OK, POP3_STLS },
	{ "auth alone", "AUTH", E_OK, POP3_AUTH, false, 0, 0, "" },
	{ "auth", "AUTH PLAIN", E_OK, POP3_AUTH, false, 0, 0, "PLAIN" },
	{ "auth with response", "AUTH PLAIN AGEAYg==", E_OK, POP3_AUTH, false, 0, 0, "PLAIN" },
	{ "auth with two responses", "AUTH PLAIN a b", E_SYNTAX },
	{ "apop", "APOP joe c4c9334bac560ecc979e58001b3e22fb", E_UNSUPPORTED },
	{ "utf8", "UTF8", E_UNSUPPORTED },
	{ "lang", "LANG *", E_UNSUPPORTED },
	{ "unknown", "XYZZY", E_NOTFOUND },
	{ "empty", "", E_NOTFOUND },
	{ "glued", "RETR1", E_NOTFOUND },
};

static struct sl text_of(const struct pop3_command *cmd)
{
	if (cmd->verb == POP3_USER)
		return cmd->name;
	return cmd->verb == POP3_PASS ? cmd->password : cmd->auth.mechanism;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(sl_cstr(cases[i].in));
		struct pop3_command cmd = { .verb = POP3_VERB_COUNT };
		enum ec e = pop3_parse_command(in, &cmd);
		CHECK(e == cases[i].want, cases[i].name);
		CHECK((e == E_OK) == (cmd.verb != POP3_VERB_COUNT), cases[i].name);
		if (e == E_OK) {
			CHECK(cmd.verb == cases[i].verb && cmd.has_msg == cases[i].has_msg, cases[i].name);
			CHECK(cmd.msg == cases[i].msg && cmd.lines == cases[i].lines, cases[i].name);
			CHECK(sl_eq(text_of(&cmd), sl_cstr(cases[i].text)), cases[i].name);
		}
		free((void *)(uintptr_t)in.p);
		for (size_t n = 0; n < strlen(cases[i].in); n++) {
			struct sl part = heap_copy(sl_head(sl_cstr(cases[i].in), n));
			cmd.verb = POP3_VERB_COUNT;
			e = pop3_parse_command(part, &cmd);
			CHECK((e == E_OK) == (cmd.verb != POP3_VERB_COUNT), cases[i].name);
			free((void *)(uintptr_t)part.p);
		}
	}
}

static void test_rows_and_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < POP3_VERB_COUNT; i++)
		assert_true(
			pop3_verbs[i].verb == i && (i == 0 || sl_cmp(pop3_verbs[i - 1].name, pop3_verbs[i].name) < 0));
	struct buf b = BUF(1024);
	struct pop3_command cmd;
	buf_puts(&b, "PASS ");
	while (b.n < POP3_LINE_MAX - 2)
		buf_addc(&b, 'x');
	assert_int_equal(pop3_parse_command(buf_sl(&b), &cmd), E_OK);
	buf_addc(&b, 'x');
	assert_int_equal(pop3_parse_command(buf_sl(&b), &cmd), E_TOOBIG);
	buf_free(&b);
	assert_int_equal(pop3_parse_command(SL("PASS a\0b"), &cmd), E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_rows_and_length) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
