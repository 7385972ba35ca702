/// Tests of mboxname: what may name a mailbox, its limits, and names from the wire.
#include "base/check.h"

#include "base/buf.h"
#include "base/num.h"
#include "proto/mboxname.h"

static const struct {
	const char *name, *in;
	enum ec want;
} cases[] = {
	{ "plain", "Archive", E_OK },
	{ "tree", "a/b/c", E_OK },
	{ "Chinese", "已发送邮件", E_OK },
	{ "spaces and signs", "To do & \"later\" *%", E_OK },
	{ "dots inside", "a..b/.c", E_OK },
	{ "empty", "", E_SYNTAX },
	{ "empty component", "a//b", E_SYNTAX },
	{ "separator first", "/a", E_SYNTAX },
	{ "separator last", "a/", E_SYNTAX },
	{ "dot", "a/./b", E_SYNTAX },
	{ "dot dot", "..", E_SYNTAX },
	{ "dot dot inside", "a/../b", E_SYNTAX },
	{ "newline", "a\nb", E_SYNTAX },
	{ "DEL", "a\x7f", E_SYNTAX },
	{ "C1 control", "a\xc2\x85", E_SYNTAX },
	{ "first after C1", "a\xc2\xa0", E_OK },
	{ "line separator", "a\xe2\x80\xa8", E_SYNTAX },
	{ "paragraph separator", "a\xe2\x80\xa9", E_SYNTAX },
	{ "not UTF-8", "a\xff", E_SYNTAX },
	{ "half a character", "a\xe2\x80", E_SYNTAX },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(sl_cstr(cases[i].in));
		CHECK(mboxname_check(in) == cases[i].want, cases[i].name);
		free((void *)(uintptr_t)in.p);
	}
	assert_int_equal(mboxname_check(SL("a\0b")), E_SYNTAX);
}

/// `unit` printed `times`, checked.
static enum ec check_repeated(const char *unit, size_t times, const char *end)
{
	struct buf b = BUF(1 << 16);

	for (size_t i = 0; i < times; i++)
		buf_puts(&b, unit);
	buf_puts(&b, end);
	enum ec e = mboxname_check(buf_sl(&b));
	buf_free(&b);
	return e;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(check_repeated("x", MBOXNAME_COMPONENT_MAX, ""), E_OK);
	assert_int_equal(check_repeated("x", MBOXNAME_COMPONENT_MAX + 1, ""), E_TOOBIG);
	assert_int_equal(check_repeated("x/", MBOXNAME_DEPTH_MAX - 1, "x"), E_OK);
	assert_int_equal(check_repeated("x/", MBOXNAME_DEPTH_MAX, "x"), E_TOOBIG);
	assert_int_equal(
		check_repeated("123456789abcdef0123456789abcdef0123456/", 25, "1234567890123456789012345"), E_OK);
	assert_int_equal(
		check_repeated("123456789abcdef0123456789abcdef0123456/", 25, "12345678901234567890123456"), E_TOOBIG);
}

static const struct {
	const char *name, *wire;
	bool utf8;
	enum ec want;
	const char *out;
} wires[] = {
	{ "inbox", "iNbOx", false, E_OK, "INBOX" },
	{ "below inbox keeps its case", "inbox/x", false, E_OK, "inbox/x" },
	{ "modified UTF-7", "&XfJT0ZAB-", false, E_OK, "已发送" },
	{ "ampersand is itself in UTF-8", "a&-b", true, E_OK, "a&-b" },
	{ "UTF-8", "已发送", true, E_OK, "已发送" },
	{ "UTF-8 before it is enabled", "已发送", false, E_SYNTAX, NULL },
	{ "bad modified UTF-7", "&XfJ", false, E_SYNTAX, NULL },
	{ "separator last, of CREATE", "a/b/", false, E_OK, "a/b" },
	{ "encoded control", "&AAo-", false, E_SYNTAX, NULL },
	{ "empty", "", false, E_SYNTAX, NULL },
	{ "only a separator", "/", false, E_SYNTAX, NULL },
	{ "letter and mark", "Ka&Awg-se", false, E_OK, "Käse" },
	{ "letter and mark in UTF-8", "Ka\xcc\x88se", true, E_OK, "Käse" },
	{ "marks in their order", "s&AwcDIw-", false, E_OK, "\xe1\xb9\xa9" },
	{ "sign that is a letter", "&ISs-", false, E_OK, "Å" },
	{ "no other kind of likeness", "&,yn,Lv8i,y,,OA-", false, E_OK, "ＩＮＢＯＸ" },
	{ "UTF-8 that is none", "\xff", true, E_SYNTAX, NULL },
	{ "a surrogate in UTF-8", "\xed\xa0\x80", true, E_SYNTAX, NULL },
};

static void test_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(wires); i++) {
		uint8_t mem[64];
		struct arena a = ARENA_OVER(mem, sizeof mem);
		struct sl in = heap_copy(sl_cstr(wires[i].wire)), name = SL("untouched");
		CHECK(mboxname_from_wire(in, wires[i].utf8, &a, &name) == wires[i].want, wires[i].name);
		CHECK(sl_eq(name, sl_cstr(wires[i].out ? wires[i].out : "untouched")), wires[i].name);
		free((void *)(uintptr_t)in.p);
	}
	uint8_t none[1];
	struct arena spent = ARENA_OVER(none, 0);
	struct sl name = SL("untouched");
	assert_int_equal(mboxname_from_wire(SL("&XfJT0ZAB-"), false, &spent, &name), E_TEMP);
	assert_true(sl_eq(name, SL("untouched")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
