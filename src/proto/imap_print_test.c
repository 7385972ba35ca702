/// Tests of imap_print and imap_lex together: forms chosen, and parse(print(x)) = x.
#include "base/check.h"

#include "base/num.h"
#include "proto/imap_print.h"
#include "proto/mboxname.h"

static const struct {
	const char *name;
	struct sl in;
	const char *string, *astring, *utf8; // utf8: the string where UTF-8 is enabled
} texts[] = {
	{ "atom", SL_INIT("abc"), "\"abc\"", "abc", "\"abc\"" },
	{ "empty", SL_INIT(""), "\"\"", "\"\"", "\"\"" },
	{ "space", SL_INIT("a b"), "\"a b\"", "\"a b\"", "\"a b\"" },
	{ "bracket", SL_INIT("a]"), "\"a]\"", "a]", "\"a]\"" },
	{ "nil", SL_INIT("nil"), "\"nil\"", "\"nil\"", "\"nil\"" },
	{ "quoted specials", SL_INIT("a\"\\"), "\"a\\\"\\\\\"", "\"a\\\"\\\\\"", "\"a\\\"\\\\\"" },
	{ "CR", SL_INIT("a\rb"), "{3}\r\na\rb", "{3}\r\na\rb", "{3}\r\na\rb" },
	{ "LF", SL_INIT("a\nb"), "{3}\r\na\nb", "{3}\r\na\nb", "{3}\r\na\nb" },
	{ "NUL", SL_INIT("a\0b"), "\"a?b\"", "\"a?b\"", "\"a?b\"" },
	{ "UTF-8", SL_INIT("\xc3\xa9"), "{2}\r\n\xc3\xa9", "{2}\r\n\xc3\xa9", "\"\xc3\xa9\"" },
	{ "not UTF-8", SL_INIT("\xc3"), "{1}\r\n\xc3", "{1}\r\n\xc3", "{1}\r\n\xc3" },
	{ "wildcard", SL_INIT("a*"), "\"a*\"", "\"a*\"", "\"a*\"" },
	{ "control", SL_INIT("\x01\x7f"), "\"\x01\x7f\"", "\"\x01\x7f\"", "\"\x01\x7f\"" },
};

typedef void (*print_fn)(struct buf *, struct sl, bool);

static void check_text(print_fn print, struct sl in, bool utf8, const char *want, const char *name)
{
	struct buf b = BUF(4096);

	print(&b, in, utf8);
	CHECK(sl_eq(buf_sl(&b), sl_cstr(want)), name);
	buf_free(&b);
}

static void test_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(texts); i++) {
		check_text(imap_print_string, texts[i].in, false, texts[i].string, texts[i].name);
		check_text(imap_print_nstring, texts[i].in, false, texts[i].string, texts[i].name);
		check_text(imap_print_astring, texts[i].in, false, texts[i].astring, texts[i].name);
		check_text(imap_print_string, texts[i].in, true, texts[i].utf8, texts[i].name);
	}
	check_text(imap_print_nstring, (struct sl){ 0 }, false, "NIL", "no text");
}

typedef struct sl (*parse_fn)(struct cur *, struct arena *);

static void check_round(print_fn print, parse_fn parse, struct sl in, bool utf8)
{
	struct buf b = BUF(8192);
	struct arena a;

	arena_init(&a, 8192);
	print(&b, in, utf8);
	struct sl wire = heap_copy(buf_sl(&b));
	struct cur c = cur_over(wire);
	struct sl out = parse(&c, &a);
	cur_need_end(&c);
	assert_int_equal(c.err, E_OK);
	assert_true(sl_eq(in, out));
	free((void *)(uintptr_t)wire.p);
	buf_free(&b);
	arena_free(&a);
}

/// Every pair of octets but NUL, and lengths around the limit of quoted strings.
static void test_round_trip(void **state)
{
	(void)state;
	uint8_t octets[IMAP_QUOTED_MAX + 2];
	for (unsigned i = 0; i < 255 * 255; i++) {
		octets[0] = (uint8_t)(i % 255 + 1);
		octets[1] = (uint8_t)(i / 255 + 1);
		check_round(imap_print_string, imap_parse_string, (struct sl){ octets, 2 }, i & 1);
		check_round(imap_print_astring, imap_parse_astring, (struct sl){ octets, 2 }, i & 1);
		check_round(imap_print_nstring, imap_parse_nstring, (struct sl){ octets, 2 }, i & 1);
	}
	memset(octets, '"', sizeof octets);
	for (size_t n = IMAP_QUOTED_MAX - 1; n <= sizeof octets; n++)
		check_round(imap_print_string, imap_parse_string, (struct sl){ octets, n }, false);
}

static const struct {
	const char *name, *in, *plain, *utf8;
} mailboxes[] = {
	{ "inbox", "INBOX", "INBOX", "INBOX" },
	{ "Chinese", "已发送", "&XfJT0ZAB-", "\"已发送\"" },
	{ "ampersand", "a&b", "a&-b", "a&b" },
	{ "space", "a b", "\"a b\"", "\"a b\"" },
};

static void test_mailboxes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(mailboxes); i++) {
		for (int utf8 = 0; utf8 < 2; utf8++) {
			struct buf b = BUF(4096);
			uint8_t mem[256];
			struct arena a = ARENA_OVER(mem, sizeof mem);
			struct sl name = { 0 };
			imap_print_mailbox(&b, sl_cstr(mailboxes[i].in), utf8);
			CHECK(sl_eq(buf_sl(&b), sl_cstr(utf8 ? mailboxes[i].utf8 : mailboxes[i].plain)),
				mailboxes[i].name);
			struct cur c = cur_over(buf_sl(&b));
			struct sl wire = imap_parse_mailbox(&c, &a);
			CHECK(cur_ok(&c) && mboxname_from_wire(wire, utf8, &a, &name) == E_OK, mailboxes[i].name);
			CHECK(sl_eq(name, sl_cstr(mailboxes[i].in)), mailboxes[i].name);
			buf_free(&b);
		}
	}
	struct buf b = BUF(64);
	imap_print_mailbox(&b, SL("\xff"), false);
	assert_int_equal(b.err, E_SYNTAX);
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

static const struct {
	const char *name;
	int64_t unix_s;
	int zone_min;
	const char *printed;
} times[] = {
	{ "RFC 9051 example", 837596665, -420, "\"17-Jul-1996 02:44:25 -0700\"" },
	{ "one digit", 0, 0, "\" 1-Jan-1970 00:00:00 +0000\"" },
	{ "half an hour", 0, 330, "\" 1-Jan-1970 05:30:00 +0530\"" },
	{ "far west", 0, -719, "\"31-Dec-1969 12:01:00 -1159\"" },
	{ "leap day", 1709164800, 0, "\"29-Feb-2024 00:00:00 +0000\"" },
	{ "last", 253402300799, 0, "\"31-Dec-9999 23:59:59 +0000\"" },
	{ "first", -62135596800, 0, "\" 1-Jan-0001 00:00:00 +0000\"" },
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(times); i++) {
		struct buf b = BUF(64);
		int zone = 9999;
		imap_print_date_time(&b, times[i].unix_s, times[i].zone_min);
		CHECK(sl_eq(buf_sl(&b), sl_cstr(times[i].printed)), times[i].name);
		struct cur c = cur_over(buf_sl(&b));
		CHECK(imap_parse_date_time(&c, &zone) == times[i].unix_s && cur_ok(&c), times[i].name);
		CHECK(zone == times[i].zone_min, times[i].name);
		buf_free(&b);
	}
	struct buf b = BUF(256);
	imap_print_date_time(&b, INT64_MAX, 720);
	imap_print_date_time(&b, INT64_MIN, -720);
	assert_true(sl_eq(buf_sl(&b), SL("\"31-Dec-9999 23:59:59 +1200\"\" 1-Jan-0001 00:00:00 -1200\"")));
	buf_free(&b);
}

static const struct {
	const char *name, *in;
} bad_times[] = {
	{ "no quotes", "17-Jul-1996 02:44:25 -0700" },
	{ "one digit without space", "\"7-Jul-1996 02:44:25 -0700\"" },
	{ "hour", "\"17-Jul-1996 24:44:25 -0700\"" },
	{ "minute", "\"17-Jul-1996 02:60:25 -0700\"" },
	{ "second", "\"17-Jul-1996 02:44:61 -0700\"" },
	{ "zone", "\"17-Jul-1996 02:44:25 -2400\"" },
	{ "zone minutes", "\"17-Jul-1996 02:44:25 -0760\"" },
	{ "zone name", "\"17-Jul-1996 02:44:25 GMT\"" },
	{ "day", "\"31-Jun-1996 02:44:25 -0700\"" },
	{ "day zero", "\"00-Jun-1996 02:44:25 -0700\"" },
	{ "year zero", "\"01-Jun-0000 02:44:25 -0700\"" },
	{ "month", "\"01-Foo-1996 02:44:25 -0700\"" },
	{ "open", "\"17-Jul-1996 02:44:25 -0700" },
};

static void test_bad_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(bad_times); i++) {
		struct sl in = heap_copy(sl_cstr(bad_times[i].in));
		struct cur c = cur_over(in);
		int zone = 0;
		imap_parse_date_time(&c, &zone);
		CHECK(c.err == E_SYNTAX, bad_times[i].name);
		free((void *)(uintptr_t)in.p);
	}
}

static const struct {
	const char *name;
	struct sl in;
} bad_strings[] = {
	{ "open", SL_INIT("\"abc") },
	{ "escape of a letter", SL_INIT("\"a\\b\"") },
	{ "escape at the end", SL_INIT("\"a\\") },
	{ "LF", SL_INIT("\"a\nb\"") },
	{ "CR", SL_INIT("\"a\rb\"") },
	{ "NUL", SL_INIT("\"a\0b\"") },
	{ "atom", SL_INIT("abc") },
	{ "literal with NUL", SL_INIT("{3}\r\na\0b") },
	{ "literal with bare LF", SL_INIT("{3}\nabc") },
	{ "literal8", SL_INIT("~{3}\r\nabc") },
};

static void test_bad_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(bad_strings); i++) {
		uint8_t mem[64];
		struct arena a = ARENA_OVER(mem, sizeof mem);
		struct sl in = heap_copy(bad_strings[i].in);
		struct cur c = cur_over(in);
		imap_parse_string(&c, &a);
		CHECK(c.err == E_SYNTAX && c.err_at <= in.n, bad_strings[i].name);
		free((void *)(uintptr_t)in.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_bad_times),
		cmocka_unit_test(test_bad_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
