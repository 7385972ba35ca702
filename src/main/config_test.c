/// Tests of the configuration: defaults, every kind of value, and the words for what is wrong.
#include "base/check.h"

#include "base/figures.h"
#include "base/num.h"
#include "main/config.h"
#include "main/edit.h"

static void test_defaults(void **state)
{
	(void)state;
	struct config c;
	struct buf why = BUF(4096);
	struct cx cx = { 0 };
	assert_int_equal(config_parse(&cx, SL("x/hongyan.conf"), SL(""), &c, &why), E_OK);
	assert_int_equal(c.port[PORT_IMAPS], 993);
	assert_int_equal(c.message_max, 50 << 20);
	assert_int_equal(c.listen.n, 2);
	assert_true(sl_eq(c.listen.item[1], SL("::")));
	assert_true(c.scram && !c.pop3_lock);
	assert_true(sl_eq(config_file(&c, SL("x/hongyan.conf"), SL("data")), SL("x/data")));
	assert_true(sl_eq(config_file(&c, SL("x/hongyan.conf"), SL("/data")), SL("/data")));
	config_free(&c);
	buf_free(&why);
	cx_end(&cx);
}

static const struct {
	const char *name, *text, *says;
} wrong[] = {
	{ "unknown with a guess", "hostname = \"a\"\n\nbare_newlines = \"fix\"\n",
		"c:3: unknown option \"bare_newlines\"; did you mean \"bare_newline\"?" },
	{ "unknown behind comments", "# one\n# \"two\nhostname = \"a # b\" # three\n\npot = 1\n",
		"c:5: unknown option \"pot\"" },
	{ "a longer name before", "quota_full = \"defer\"\nquota = -1\n", "c:2: quota: not a number" },
	{ "unknown without one", "colour = \"red\"\n",
		"c:1: unknown option \"colour\"; `hongyan config print` lists all" },
	{ "no such choice", "\nquota_full = \"never\"\n", "c:2: quota_full: no such choice (one of: reject defer)" },
	{ "port too large", "port_imap = 70000\n", "c:1: port_imap: out of range (0 to 65535)" },
	{ "not a number", "recipients_max = \"many\"\n", "c:1: recipients_max: not a number (100 to 10000)" },
	{ "size with a wrong unit", "message_max = 5X\n", "c:1: message_max: not a number" },
	{ "suffix on a count", "recipients_max = 1K\n", "c:1: recipients_max: not a number" },
	{ "size out of range", "message_max = 1\n", "c:1: message_max: out of range (1K to 2G)" },
	{ "address", "listen = {\"127.0.0.1\", \"here\"}\n", "c:1: listen: not an IP address" },
	{ "network bits", "proxy_networks = {\"10.0.0.1/8\"}\n", "c:1: proxy_networks: not a network" },
	{ "empty name", "hostname = \"\"\n", "c:1: hostname: must not be empty" },
	{ "syntax", "hostname \"x\"\n", "c:1: " },
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(wrong); i++) {
		struct config c = { .message_max = 7 };
		struct buf why = BUF(4096);
		struct cx cx = { 0 };
		CHECK(config_parse(&cx, SL("c"), sl_cstr(wrong[i].text), &c, &why) == E_SYNTAX, wrong[i].name);
		CHECK(sl_starts(buf_sl(&why), sl_cstr(wrong[i].says)), wrong[i].name);
		CHECK(c.message_max == 7, wrong[i].name);
		buf_free(&why);
		cx_end(&cx);
	}
}

static void test_values(void **state)
{
	(void)state;
	struct config c;
	struct buf why = BUF(4096);
	struct cx cx = { 0 };
	struct sl text =
		SL("message_max = 2M\nlisten = {}\npop3_lock = on\nport_smtp = 0\nproxy_networks = {\"10.0.0.0/8\"}\n");
	assert_int_equal(config_parse(&cx, SL("c"), text, &c, &why), E_OK);
	assert_int_equal(c.message_max, 2 << 20);
	assert_int_equal(c.port[PORT_SMTP], 0);
	assert_true(c.pop3_lock);
	assert_int_equal(c.proxy_networks.n, 1);
	struct buf printed = BUF(1 << 20), again = BUF(1 << 20);
	struct config c2;
	config_print(&printed, &c, false);
	assert_int_equal(config_parse(&cx, SL("c"), buf_sl(&printed), &c2, &why), E_OK);
	config_print(&again, &c2, false);
	assert_true(sl_eq(buf_sl(&printed), buf_sl(&again))); // what is printed can be read
	config_free(&c);
	config_free(&c2);
	buf_free(&printed);
	buf_free(&again);
	buf_free(&why);
	cx_end(&cx);
}

static const struct {
	const char *text, *says;
} doubts[] = {
	{ "scram = false\nport_imap = 1\n", "" },
	{ "scram = false\n\nscram = true\n", "c:3: scram: is given twice; only the last counts\n" },
	{ "listen = {\"::1\"}\nlisten += {\"127.0.0.1\"}\n", "" },
	{ "port_imaps = 143\n", "c:1: port_imaps is the port of imap already\n" },
	{ "port_imaps = 0\nport_imap = 0\n", "" },
	{ "port_lmtp = 25\n", "c:1: port_lmtp is the port of smtp already\n" },
	{ "port_lmtp = 25\nlisten = {\"192.0.2.1\"}\n", "" },
};

static void test_doubts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(doubts); i++) {
		struct config c;
		struct buf why = BUF(4096);
		struct cx cx = { 0 };
		struct sl text = sl_cstr(doubts[i].text);
		CHECK(config_parse(&cx, SL("c"), text, &c, &why) == E_OK, doubts[i].text);
		config_doubts(&c, SL("c"), text, &why);
		CHECK(sl_eq(buf_sl(&why), sl_cstr(doubts[i].says)), doubts[i].text);
		config_free(&c);
		buf_free(&why);
		cx_end(&cx);
	}
}

static void test_keep(void **state)
{
	(void)state;
	struct config old, fresh;
	struct buf why = BUF(4096), names = BUF(4096), printed = BUF(1 << 20);
	struct cx cx = { 0 };
	struct sl before = SL("data = \"a\\\"b\\\\c\\${HOME}\"\nlisten = {\"127.0.0.1\"}\nscram = false\n");
	struct sl after = SL("port_imap = 1\nhostname = \"new\"\n");
	assert_int_equal(config_parse(&cx, SL("c"), before, &old, &why), E_OK);
	assert_true(sl_eq(old.data, SL("a\"b\\c${HOME}")));
	assert_int_equal(config_parse(&cx, SL("c"), after, &fresh, &why), E_OK);
	assert_int_equal(config_keep(&cx, &fresh, &old, &names), E_OK);
	assert_true(sl_eq(buf_sl(&names), SL("listen port_imap data scram")));
	config_free(&old);
	assert_int_equal(fresh.port[PORT_IMAP], 143);
	assert_int_equal(fresh.listen.n, 1);
	assert_true(!fresh.scram && sl_eq(fresh.hostname, SL("new")));
	config_print(&printed, &fresh, false);
	config_free(&fresh);
	assert_int_equal(config_parse(&cx, SL("c"), buf_sl(&printed), &fresh, &why), E_OK);
	assert_true(sl_eq(fresh.data, SL("a\"b\\c${HOME}")) && sl_eq(fresh.listen.item[0], SL("127.0.0.1")));
	config_free(&fresh);
	buf_free(&why);
	buf_free(&names);
	buf_free(&printed);
	cx_end(&cx);
}

static void test_edit(void **state)
{
	(void)state;
	assert_int_equal(edit_distance(SL("kitten"), SL("sitting")), 3);
	assert_int_equal(edit_distance(SL(""), SL("abc")), 3);
	assert_int_equal(edit_distance(SL("abc"), SL("abc")), 0);
}

/// What is counted by port has the ports' names.
static void test_port_labels(void **state)
{
	(void)state;
	for (unsigned k = 0; k < PORT_KINDS; k++)
		assert_string_equal(figure_sets[LABEL_PROTO].word[k], port_name((enum port_kind)k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_port_labels),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_edit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
