/// Tests of smtp_command, smtp_path and smtp_param: command lines as clients write them.
#include "base/check.h"

#include "base/num.h"
#include "proto/smtp_command.h"

static const struct {
	const char *name, *in;
	enum ec want;
	enum smtp_verb verb;
} cases[] = {
	{ "helo", "HELO mail.example.com", E_OK, SMTP_HELO },
	{ "ehlo, lower case", "ehlo [192.0.2.1]", E_OK, SMTP_EHLO },
	{ "lhlo", "LHLO a", E_OK, SMTP_LHLO },
	{ "ehlo without a name", "EHLO", E_SYNTAX, SMTP_EHLO },
	{ "ehlo with a space only", "EHLO ", E_SYNTAX, SMTP_EHLO },
	{ "ehlo with two names", "EHLO a b", E_SYNTAX, SMTP_EHLO },
	{ "ehlo of a PC", "EHLO MY_PC", E_OK, SMTP_EHLO },
	{ "mail", "MAIL FROM:<joe@example.com>", E_OK, SMTP_MAIL },
	{ "mail from nobody", "MAIL FROM:<>", E_OK, SMTP_MAIL },
	{ "mail with a space", "mail from: <joe@example.com>", E_OK, SMTP_MAIL },
	{ "mail with spaces", "MAIL  FROM : <joe@example.com>  SIZE=1 ", E_OK, SMTP_MAIL },
	{ "mail without brackets", "MAIL FROM:joe@example.com SIZE=1", E_OK, SMTP_MAIL },
	{ "mail without colon", "MAIL FROM <joe@example.com>", E_SYNTAX, SMTP_MAIL },
	{ "mail without a path", "MAIL FROM:", E_SYNTAX, SMTP_MAIL },
	{ "mail from the postmaster alone", "MAIL FROM:<postmaster>", E_SYNTAX, SMTP_MAIL },
	{ "mail, open bracket", "MAIL FROM:<joe@example.com", E_SYNTAX, SMTP_MAIL },
	{ "mail, two brackets", "MAIL FROM:<<joe@example.com>>", E_SYNTAX, SMTP_MAIL },
	{ "mail, text behind", "MAIL FROM:<joe@example.com>x", E_SYNTAX, SMTP_MAIL },
	{ "rcpt", "RCPT TO:<joe@example.com>", E_OK, SMTP_RCPT },
	{ "rcpt to nobody", "RCPT TO:<>", E_SYNTAX, SMTP_RCPT },
	{ "rcpt to the postmaster", "RCPT TO:<PostMaster>", E_OK, SMTP_RCPT },
	{ "rcpt without a domain", "RCPT TO:<joe>", E_SYNTAX, SMTP_RCPT },
	{ "rcpt with an empty domain", "RCPT TO:<joe@>", E_SYNTAX, SMTP_RCPT },
	{ "data", "DATA", E_OK, SMTP_DATA },
	{ "data with a space", "DATA ", E_OK, SMTP_DATA },
	{ "data with an argument", "DATA x", E_SYNTAX, SMTP_DATA },
	{ "bdat", "BDAT 1000", E_OK, SMTP_BDAT },
	{ "bdat last", "BDAT 0 LAST", E_OK, SMTP_BDAT },
	{ "bdat, other marker", "BDAT 0 MORE", E_SYNTAX, SMTP_BDAT },
	{ "bdat, marker without space", "BDAT 0LAST", E_SYNTAX, SMTP_BDAT },
	{ "bdat without a size", "BDAT LAST", E_SYNTAX, SMTP_BDAT },
	{ "bdat beyond 63 bits", "BDAT 9223372036854775808", E_RANGE, SMTP_BDAT },
	{ "rset", "RSET", E_OK, SMTP_RSET },
	{ "noop", "NOOP", E_OK, SMTP_NOOP },
	{ "noop with text", "NOOP hello there", E_OK, SMTP_NOOP },
	{ "quit", "QUIT", E_OK, SMTP_QUIT },
	{ "help", "HELP MAIL", E_OK, SMTP_HELP },
	{ "vrfy", "VRFY joe", E_OK, SMTP_VRFY },
	{ "vrfy of nothing", "VRFY", E_SYNTAX, SMTP_VRFY },
	{ "expn", "EXPN list", E_OK, SMTP_EXPN },
	{ "starttls", "STARTTLS", E_OK, SMTP_STARTTLS },
	{ "starttls with an argument", "STARTTLS now", E_SYNTAX, SMTP_STARTTLS },
	{ "auth", "AUTH SCRAM-SHA-256", E_OK, SMTP_AUTH },
	{ "auth with response", "AUTH PLAIN AGEAYg==", E_OK, SMTP_AUTH },
	{ "auth with two", "AUTH PLAIN a b", E_SYNTAX, SMTP_AUTH },
	{ "auth without mechanism", "AUTH", E_SYNTAX, SMTP_AUTH },
	{ "HTTP", "GET / HTTP/1.1", E_UNSUPPORTED, 0 },
	{ "empty", "", E_UNSUPPORTED, 0 },
	{ "verb glued to its argument", "MAILFROM:<a@b>", E_UNSUPPORTED, 0 },
	{ "space first", " NOOP", E_UNSUPPORTED, 0 },
};

static enum ec parse(struct sl line, size_t budget, struct smtp_command *out)
{
	struct sl in = heap_copy(line);
	struct arena a;

	arena_init(&a, budget);
	*out = (struct smtp_command){ .verb = SMTP_VERB_COUNT };
	enum ec e = smtp_parse_command(in, &a, out);
	arena_free(&a);
	free((void *)(uintptr_t)in.p);
	return e;
}

/// Cut at each octet, and with each budget: an error leaves the struct untouched.
static void check_sweep(struct sl line, const char *name)
{
	struct smtp_command cmd;
	enum ec full = parse(line, 1 << 20, &cmd);

	for (size_t n = 0; n < line.n; n++) {
		enum ec e = parse(sl_head(line, n), 1 << 20, &cmd);
		CHECK((e == E_OK) == (cmd.verb != SMTP_VERB_COUNT), name);
	}
	for (size_t budget = 0; budget < 2048; budget += 64) {
		enum ec e = parse(line, budget, &cmd);
		CHECK(e == full || e == E_TEMP, name);
		CHECK((e == E_OK) == (cmd.verb != SMTP_VERB_COUNT), name);
	}
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct smtp_command cmd;
		enum ec e = parse(sl_cstr(cases[i].in), 1 << 16, &cmd);
		CHECK(e == cases[i].want, cases[i].name);
		CHECK(e != E_OK || cmd.verb == cases[i].verb, cases[i].name);
		check_sweep(sl_cstr(cases[i].in), cases[i].name);
	}
	for (size_t i = 0; i < SMTP_VERB_COUNT; i++)
		assert_true(
			smtp_verbs[i].verb == i && (i == 0 || sl_cmp(smtp_verbs[i - 1].name, smtp_verbs[i].name) < 0));
}

static const struct {
	const char *name, *in;
	enum ec want;
	const char *local, *domain, *printed;
	enum smtp_host_kind kind;
	bool utf8;
} paths[] = {
	{ "plain", "<Joe@Example.COM>", E_OK, "Joe", "example.com", "Joe@example.com", SMTP_HOST_NAME, false },
	{ "signs", "<a+b/c=!#$%&'*-?^_`{|}~@x>", E_OK, "a+b/c=!#$%&'*-?^_`{|}~", "x", "a+b/c=!#$%&'*-?^_`{|}~@x",
		SMTP_HOST_NAME, false },
	{ "source route", "<@one,@two.example:joe@x>", E_OK, "joe", "x", "joe@x", SMTP_HOST_NAME, false },
	{ "quoted", "<\"joe\"@x>", E_OK, "joe", "x", "joe@x", SMTP_HOST_NAME, false },
	{ "quoted space", "<\"jo e\"@x>", E_OK, "jo e", "x", "\"jo e\"@x", SMTP_HOST_NAME, false },
	{ "quoted pair", "<\"j\\\"\\o\\\\e\"@x>", E_OK, "j\"o\\e", "x", "\"j\\\"o\\\\e\"@x", SMTP_HOST_NAME, false },
	{ "quoted at and bracket", "<\"a@b>c\"@x>", E_OK, "a@b>c", "x", "\"a@b>c\"@x", SMTP_HOST_NAME, false },
	{ "loose dots", "<a..b.@x>", E_OK, "a..b.", "x", "\"a..b.\"@x", SMTP_HOST_NAME, false },
	{ "IPv4", "<a@[192.0.2.1]>", E_OK, "a", "[192.0.2.1]", "a@[192.0.2.1]", SMTP_HOST_IPV4, false },
	{ "IPv6", "<a@[ipv6:2001:DB8::1]>", E_OK, "a", "[ipv6:2001:DB8::1]", "a@[ipv6:2001:DB8::1]", SMTP_HOST_IPV6,
		false },
	{ "general", "<a@[x-tag:data]>", E_OK, "a", "[x-tag:data]", "a@[x-tag:data]", SMTP_HOST_GENERAL, false },
	{ "UTF-8", "<工@例.CN>", E_OK, "工", "例.cn", "工@例.cn", SMTP_HOST_NAME, true },
	{ "absolute domain", "<a@x.example.>", E_OK, "a", "x.example", "a@x.example", SMTP_HOST_NAME, false },
	{ "digits", "<a@163.com>", E_OK, "a", "163.com", "a@163.com", SMTP_HOST_NAME, false },
	{ "empty local part", "<@x>", E_SYNTAX },
	{ "empty quoted local part", "<\"\"@x>", E_OK, "", "x", "\"\"@x", SMTP_HOST_NAME, false },
	{ "open quotes", "<\"a@x>", E_SYNTAX },
	{ "text behind quotes", "<\"a\"b@x>", E_SYNTAX },
	{ "space", "<a b@x>", E_SYNTAX },
	{ "tab in quotes", "<\"a\tb\"@x>", E_SYNTAX },
	{ "control", "<a\x01@x>", E_SYNTAX },
	{ "not UTF-8", "<a\xff@x>", E_SYNTAX },
	{ "not UTF-8 in the domain", "<a@x\xff>", E_SYNTAX },
	{ "two at signs", "<a@b@c>", E_SYNTAX },
	{ "empty label", "<a@b..c>", E_SYNTAX },
	{ "dot first", "<a@.c>", E_SYNTAX },
	{ "only a dot", "<a@.>", E_SYNTAX },
	{ "hyphen first", "<a@-c>", E_SYNTAX },
	{ "hyphen last", "<a@c-.d>", E_SYNTAX },
	{ "underscores", "<a@_b_c._>", E_OK, "a", "_b_c._", "a@_b_c._", SMTP_HOST_NAME, false },
	{ "IPv4 of five", "<a@[192.0.2.1.5]>", E_SYNTAX },
	{ "IPv4 above 255", "<a@[192.0.2.256]>", E_SYNTAX },
	{ "IPv6 without tag", "<a@[2001:db8::1]>", E_OK, "a", "[2001:db8::1]", "a@[2001:db8::1]", SMTP_HOST_GENERAL,
		false },
	{ "IPv6 wrong", "<a@[IPv6:2001::db8::1]>", E_SYNTAX },
	{ "open literal", "<a@[192.0.2.1>", E_SYNTAX },
	{ "route without colon", "<@one joe@x>", E_SYNTAX },
};

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(paths); i++) {
		struct sl in = heap_copy(sl_cstr(paths[i].in));
		struct smtp_path p = { .postmaster = true };
		struct cur c = cur_over(in);
		struct arena a;
		struct buf b = BUF(1024);
		arena_init(&a, 8192);
		smtp_parse_path(&c, &a, true, &p);
		cur_need_end(&c);
		CHECK(c.err == paths[i].want, paths[i].name);
		if (c.err == E_OK) {
			smtp_print_path(&b, &p);
			CHECK(sl_eq(p.local, sl_cstr(paths[i].local)), paths[i].name);
			CHECK(sl_eq(p.host.text, sl_cstr(paths[i].domain)), paths[i].name);
			CHECK(sl_eq(buf_sl(&b), sl_cstr(paths[i].printed)), paths[i].name);
			CHECK(p.host.kind == paths[i].kind && p.utf8 == paths[i].utf8, paths[i].name);
		}
		buf_free(&b);
		arena_free(&a);
		free((void *)(uintptr_t)in.p);
	}
}

static void test_address_octets(void **state)
{
	(void)state;
	struct smtp_host h;
	struct arena a;
	arena_init(&a, 4096);
	struct cur c = cur_over(SL("[192.0.2.1]"));
	smtp_parse_host(&c, &a, &h);
	assert_memory_equal(h.ip, "\xc0\x00\x02\x01", 4);
	c = cur_over(SL("[IPv6:2001:db8::7]"));
	smtp_parse_host(&c, &a, &h);
	assert_memory_equal(h.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
	arena_free(&a);
}

/// A mailbox with a local part of n octets and a domain of m in labels of at most 63, between `head` and `tail`.
static enum ec parse_between(const char *head, size_t local, size_t domain, const char *tail)
{
	struct buf b = BUF(4096);
	struct smtp_command cmd;

	buf_puts(&b, head);
	for (size_t i = 0; i < local; i++)
		buf_addc(&b, 'l');
	buf_addc(&b, '@');
	for (size_t i = 1; i <= domain; i++)
		buf_addc(&b, i % 64 == 0 && i < domain ? '.' : 'd');
	buf_puts(&b, tail);
	enum ec e = parse(buf_sl(&b), 1 << 16, &cmd);
	buf_free(&b);
	return e;
}

static enum ec parse_sized(size_t local, size_t domain)
{
	return parse_between("RCPT TO:<", local, domain, ">");
}

static enum ec parse_bare_sized(size_t local, size_t domain)
{
	return parse_between("RCPT TO:", local, domain, "");
}

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(parse_sized(64, 100), E_OK);
	assert_int_equal(parse_sized(65, 100), E_TOOBIG);
	assert_int_equal(parse_sized(1, 252), E_OK); // 256 with the brackets
	assert_int_equal(parse_sized(1, 253), E_TOOBIG);
	assert_int_equal(parse_sized(1, 256), E_TOOBIG);
	struct smtp_command cmd;
	assert_int_equal(parse_bare_sized(1, 252), E_OK);
	assert_int_equal(parse_bare_sized(1, 253), E_TOOBIG);
	assert_int_equal(
		parse(SL("HELO 1234567890123456789012345678901234567890123456789012345678901234.x"), 4096, &cmd), E_OK);
	assert_false(cmd.hello.is_host); // a label of 64
	struct buf b = BUF(4096);
	buf_puts(&b, "NOOP ");
	while (b.n < SMTP_LINE_MAX - 2)
		buf_addc(&b, 'x');
	assert_int_equal(parse(buf_sl(&b), 4096, &cmd), E_OK);
	buf_addc(&b, 'x');
	assert_int_equal(parse(buf_sl(&b), 4096, &cmd), E_TOOBIG);
	buf_free(&b);
}

static const struct {
	const char *name, *in;
	enum ec want;
	unsigned seen;
	const char *unknown;
} params[] = {
	{ "all of mail", "MAIL FROM:<> SIZE=5 BODY=8BITMIME AUTH=<> RET=HDRS ENVID=QQ314159 SMTPUTF8 REQUIRETLS", E_OK,
		SMTP_SIZE | SMTP_BODY | SMTP_AUTH_PARAM | SMTP_RET | SMTP_ENVID | SMTP_SMTPUTF8 | SMTP_REQUIRETLS, "" },
	{ "all of rcpt", "RCPT TO:<a@b> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob@x", E_OK, SMTP_NOTIFY | SMTP_ORCPT,
		"" },
	{ "lower case", "MAIL FROM:<> body=binarymime size=0", E_OK, SMTP_BODY | SMTP_SIZE, "" },
	{ "unknown", "MAIL FROM:<> FOO=bar BAZ", E_OK, 0, "FOO" },
	{ "of the other command", "RCPT TO:<a@b> SIZE=5", E_OK, 0, "SIZE" },
	{ "twice", "MAIL FROM:<> SIZE=5 SIZE=5", E_SYNTAX, 0, "" },
	{ "without its value", "MAIL FROM:<> SIZE", E_SYNTAX, 0, "" },
	{ "with an empty value", "MAIL FROM:<> SIZE=", E_SYNTAX, 0, "" },
	{ "with a value too many", "MAIL FROM:<> SMTPUTF8=1", E_SYNTAX, 0, "" },
	{ "size of letters", "MAIL FROM:<> SIZE=5k", E_SYNTAX, 0, "" },
	{ "size of 65 bits", "MAIL FROM:<> SIZE=99999999999999999999", E_RANGE, 0, "" },
	{ "unknown body", "MAIL FROM:<> BODY=9BIT", E_SYNTAX, 0, "" },
	{ "body with more", "MAIL FROM:<> BODY=7BITS", E_SYNTAX, 0, "" },
	{ "never and more", "RCPT TO:<a@b> NOTIFY=NEVER,SUCCESS", E_SYNTAX, 0, "" },
	{ "notify comma last", "RCPT TO:<a@b> NOTIFY=SUCCESS,", E_SYNTAX, 0, "" },
	{ "orcpt without type", "RCPT TO:<a@b> ORCPT=Bob@x", E_SYNTAX, 0, "" },
	{ "orcpt without address", "RCPT TO:<a@b> ORCPT=rfc822;", E_SYNTAX, 0, "" },
	{ "xtext cut off", "MAIL FROM:<> ENVID=a+4", E_SYNTAX, 0, "" },
	{ "xtext with CR LF", "MAIL FROM:<> ENVID=a+0D+0Ab", E_SYNTAX, 0, "" },
	{ "equals first", "MAIL FROM:<> =x", E_SYNTAX, 0, "" },
};

static void test_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(params); i++) {
		struct smtp_command cmd;
		enum ec e = parse(sl_cstr(params[i].in), 1 << 16, &cmd);
		CHECK(e == params[i].want, params[i].name);
		if (e == E_OK)
			CHECK(cmd.envelope.params.seen == params[i].seen &&
					cmd.envelope.params.unknown.n == strlen(params[i].unknown),
				params[i].name);
		check_sweep(sl_cstr(params[i].in), params[i].name);
	}
}

static void test_param_values(void **state)
{
	(void)state;
	struct arena a;
	struct smtp_command cmd;
	arena_init(&a, 1 << 16);
	assert_int_equal(
		smtp_parse_command(
			SL("MAIL FROM:<> SIZE=1000000 AUTH=e+3Dmc2@x ENVID=a+2Bb RET=FULL BODY=BINARYMIME"), &a, &cmd),
		E_OK);
	const struct smtp_params *p = &cmd.envelope.params;
	assert_true(
		cmd.envelope.path.null && p->size == 1000000 && p->body == SMTP_BINARYMIME && p->ret == SMTP_RET_FULL);
	assert_true(sl_eq(p->auth, SL("e=mc2@x")) && sl_eq(p->envid, SL("a+b")));
	assert_int_equal(
		smtp_parse_command(SL("RCPT TO:<a@b> ORCPT=rfc822;a+2Bx@y=z NOTIFY=DELAY,success"), &a, &cmd), E_OK);
	assert_true(sl_eq(p->orcpt_type, SL("rfc822")) && sl_eq(p->orcpt, SL("a+x@y=z")));
	assert_int_equal(p->notify, SMTP_NOTIFY_DELAY | SMTP_NOTIFY_SUCCESS);
	assert_int_equal(smtp_parse_command(SL("RCPT TO:<a@b> ORCPT=utf-8;\\x{5DE5}@x"), &a, &cmd), E_OK);
	assert_true(sl_eq(p->orcpt, SL("\\x{5DE5}@x")));
	assert_int_equal(smtp_parse_command(SL("BDAT 86 LAST"), &a, &cmd), E_OK);
	assert_true(cmd.bdat.octets == 86 && cmd.bdat.last);
	assert_int_equal(smtp_parse_command(SL("AUTH PLAIN ="), &a, &cmd), E_OK);
	assert_true(cmd.auth.has_initial && sl_eq(cmd.auth.initial, SL("=")));
	arena_free(&a);
}

static void test_xtext(void **state)
{
	(void)state;
	for (unsigned first = 0x20; first < 256; first++) {
		uint8_t in[2] = { (uint8_t)first, (uint8_t)(255 - first < 0x20 ? '+' : 255 - first) };
		if (in[0] == 0x7f || in[1] == 0x7f)
			continue; // control octets do not come back
		struct buf b = BUF(64);
		uint8_t mem[64];
		struct arena a = ARENA_OVER(mem, sizeof mem);
		struct sl out;
		smtp_xtext_print(&b, (struct sl){ in, 2 });
		assert_int_equal(smtp_xtext_decode(buf_sl(&b), &a, &out), E_OK);
		assert_true(sl_eq(out, (struct sl){ in, 2 }));
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_address_octets),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_param_values),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
