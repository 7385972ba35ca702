/// Tests of smtp_reply: one line, many, long ones, and octets that must not end a line.
#include "base/check.h"

#include "base/num.h"
#include "proto/smtp_reply.h"

static const struct {
	const char *name;
	unsigned code;
	const char *enhanced;
	struct sl lines[3];
	size_t n;
	const char *printed;
} cases[] = {
	{ "one line", 250, "2.1.0", { SL_INIT("ok") }, 1, "250 2.1.0 ok\r\n" },
	{ "without enhanced status", 220, NULL, { SL_INIT("mx ESMTP") }, 1, "220 mx ESMTP\r\n" },
	{ "three lines", 250, NULL, { SL_INIT("mx"), SL_INIT("SIZE 5"), SL_INIT("HELP") }, 3,
		"250-mx\r\n250-SIZE 5\r\n250 HELP\r\n" },
	{ "status in each line", 550, "5.7.1", { SL_INIT("no"), SL_INIT("really") }, 2,
		"550-5.7.1 no\r\n550 5.7.1 really\r\n" },
	{ "no text", 354, NULL, { SL_INIT("") }, 0, "354 \r\n" },
	{ "empty line", 354, NULL, { SL_INIT("") }, 1, "354 \r\n" },
	{ "injection", 550, "5.1.1", { SL_INIT("a\r\n250 ok\0\x7f\tb") }, 1, "550 5.1.1 a??250 ok???b\r\n" },
	{ "UTF-8", 250, NULL, { SL_INIT("好") }, 1, "250 好\r\n" },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf b = BUF(4096);
		smtp_print_reply(&b, cases[i].code, cases[i].enhanced, cases[i].lines, cases[i].n);
		CHECK(sl_eq(buf_sl(&b), sl_cstr(cases[i].printed)), cases[i].name);
		buf_free(&b);
	}
}

/// Texts of every length around the limit: lines of at most 512 octets, the text whole, no character cut.
static void test_long(void **state)
{
	(void)state;
	for (size_t n = 480; n < 1100; n++) {
		struct buf text = BUF(4096), b = BUF(8192), joined = BUF(4096);
		if (n % 3)
			buf_addc(&text, 'x');
		while (text.n + 3 <= n)
			buf_puts(&text, "好");
		smtp_print_reply1(&b, 550, "5.1.1", buf_sl(&text));
		struct sl rest = buf_sl(&b);
		while (rest.n) {
			size_t end = sl_find_sl(rest, SL("\r\n"));
			assert_true(end + 2 <= SMTP_REPLY_LINE_MAX);
			assert_int_equal(rest.p[3], end + 2 == rest.n ? ' ' : '-');
			assert_true((rest.p[10] & 0xc0) != 0x80);
			buf_add(&joined, sl_sub(rest, 10, end));
			rest = sl_from(rest, end + 2);
		}
		assert_true(sl_eq(buf_sl(&joined), buf_sl(&text)));
		buf_free(&text);
		buf_free(&b);
		buf_free(&joined);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
