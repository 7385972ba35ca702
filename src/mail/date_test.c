/// Tests of mail/date: the three grammars, what the calendar refuses, days, round trips; and the vectors.
#include "base/check.h"

#include "base/clock.h"
#include "base/num.h"
#include "mail/date.h"
#include "mail/vector.h"

static const struct {
	const char *in;
	enum ec want;
	int64_t s;
	int32_t offset;
} mail[] = {
	{ "Tue, 1 Jul 2003 10:52:37 +0200", E_OK, 1057049557, 120 },
	{ " Fri, 21 Nov 1997 09:55:06 -0600\r\n", E_OK, 880127706, -360 },
	{ "Thu,\r\n 13\r\n Feb\r\n 1969\r\n 23:32\r\n -0330 (Newfoundland Time)", E_OK, -27723480, -210 },
	{ "21 Nov 97 09:55:06 GMT", E_OK, 880106106, 0 },
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", E_OK, 880127706, -360 },
	{ "1 Jan 49 00:00 UT", E_OK, 2493072000, 0 },
	{ "1 Jan 50 00:00 Z", E_OK, -631152000, 0 },
	{ "1 Jan 100 00:00 A", E_OK, 946684800, 0 },
	{ "1 Jan 2000 00:00 EST", E_OK, 946702800, -300 },
	{ "1 January 2000 00:00 xyz", E_OK, 946684800, 0 },
	{ "31 Dec 1998 23:59:60 +0000", E_OK, 915148800, 0 },
	{ "29 Feb 2000 00:00:00 +0000", E_OK, 951782400, 0 },
	{ "29 Feb 1900 00:00:00 +0000", E_RANGE, 0, 0 },
	{ "31 Apr 2000 00:00:00 +0000", E_RANGE, 0, 0 },
	{ "0 Apr 2000 00:00:00 +0000", E_RANGE, 0, 0 },
	{ "1 Apr 0000 00:00:00 +0000", E_RANGE, 0, 0 },
	{ "1 Apr 2000 24:00:00 +0000", E_RANGE, 0, 0 },
	{ "1 Apr 2000 00:00:61 +0000", E_RANGE, 0, 0 },
	{ "1 Apr 2000 00:00:00 +9900", E_RANGE, 0, 0 },
	{ "1 Apr 2000 00:00:00 +0060", E_RANGE, 0, 0 },
	{ "1 Foo 2000 00:00:00 +0000", E_SYNTAX, 0, 0 },
	{ "1 Apr 2000", E_SYNTAX, 0, 0 },
	{ "Tue", E_SYNTAX, 0, 0 },
	{ "", E_SYNTAX, 0, 0 },
	{ "99999999999999999999 Jan 2000 0:0 GMT", E_RANGE, 0, 0 },
};

static const struct {
	const char *in;
	enum ec want;
	int64_t s;
	int32_t offset;
} imap[] = {
	{ " 1-Jul-2003 10:52:37 +0200", E_OK, 1057049557, 120 },
	{ "01-jul-2003 10:52:37 +0200", E_OK, 1057049557, 120 },
	{ "17-Jul-1996 02:44:25 -0700", E_OK, 837596665, -420 },
	{ "1-Jul-2003 10:52:37 +0200", E_SYNTAX, 0, 0 },
	{ "01-July-2003 10:52:37 +0200", E_SYNTAX, 0, 0 },
	{ "01-Jul-03 10:52:37 +0200", E_SYNTAX, 0, 0 },
	{ "01-Jul-2003 10:52:37", E_SYNTAX, 0, 0 },
	{ "01-Jul-2003 10:52:37 GMT", E_SYNTAX, 0, 0 },
	{ "01-Jul-2003 10:52:37 +0200 ", E_SYNTAX, 0, 0 },
	{ "31-Jun-2003 10:52:37 +0200", E_RANGE, 0, 0 },
	{ "", E_SYNTAX, 0, 0 },
};

static void test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(mail); i++) {
		struct sl in = heap_copy(sl_cstr(mail[i].in));
		struct date d = { 7, 7 };
		CHECK(date_parse_mail(in, &d) == mail[i].want, mail[i].in);
		CHECK(mail[i].want ? d.unix_s == 7 : d.unix_s == mail[i].s && d.offset_min == mail[i].offset,
			mail[i].in);
		for (size_t n = 0; n < in.n; n++) { // cut anywhere: an answer, and no octet beyond
			struct sl cut = heap_copy(sl_head(in, n));
			(void)!date_parse_mail(cut, &d);
			vector_free(cut);
		}
		vector_free(in);
	}
}

static void test_imap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(imap); i++) {
		struct sl in = heap_copy(sl_cstr(imap[i].in));
		struct date d = { 7, 7 };
		CHECK(date_parse_imap(in, &d) == imap[i].want, imap[i].in);
		CHECK(imap[i].want ? d.unix_s == 7 : d.unix_s == imap[i].s && d.offset_min == imap[i].offset,
			imap[i].in);
		vector_free(in);
	}
}

static void test_print(void **state)
{
	(void)state;
	struct buf b = BUF(100);
	for (int64_t s = -2000000000; s < 200000000000; s += 123456789) {
		struct date d = { s, (int32_t)(s % 1439) }, back = { 0 };
		buf_clear(&b);
		date_print_mail(&d, &b);
		assert_int_equal(date_parse_mail(buf_sl(&b), &back), E_OK);
		assert_true(back.unix_s == d.unix_s && back.offset_min == d.offset_min);
		buf_clear(&b);
		date_print_imap(&d, &b);
		assert_int_equal(date_parse_imap(buf_sl(&b), &back), E_OK);
		assert_true(back.unix_s == d.unix_s && back.offset_min == d.offset_min);
	}
	buf_clear(&b);
	date_print_mail(&(struct date){ 1057049557, 120 }, &b);
	assert_true(sl_eq(buf_sl(&b), SL("Tue, 1 Jul 2003 10:52:37 +0200")));
	buf_free(&b);
}

static void test_days(void **state)
{
	(void)state;
	struct date_day day = { 7 };
	struct date d;
	struct buf b = BUF(100);
	assert_int_equal(date_parse_day(SL("1-Feb-1994"), &day), E_OK);
	assert_int_equal(day.days, 8797);
	date_print_day(day, &b);
	assert_true(sl_eq(buf_sl(&b), SL("1-Feb-1994")));
	assert_int_equal(date_parse_day(SL("01-FEB-1994"), &day), E_OK);
	assert_int_equal(date_parse_day(SL("30-Feb-1994"), &day), E_RANGE);
	assert_int_equal(date_parse_day(SL("001-Feb-1994"), &day), E_SYNTAX);
	assert_int_equal(day.days, 8797);
	// 23:30 in New York is the next day in UTC, but was written on the first.
	assert_int_equal(date_parse_mail(SL("1 Feb 1994 23:30:00 -0500"), &d), E_OK);
	assert_int_equal(date_day_of(&d).days, 8797);
	assert_int_equal(date_parse_mail(SL("31 Dec 1969 12:00:00 +0000"), &d), E_OK);
	assert_int_equal(date_day_of(&d).days, -1);
	buf_free(&b);
}

/// Vectors (by line, from 1) where we differ, and why; each is checked to differ.
static const struct {
	size_t line;
	const char *why;
} differs[] = {
	{ 13, "RFC 5322 §3.3: no month has that name and no time that form" },
	{ 15, "the value has its comment within a comment, which RFC 5322 §3.2.2 allows; what follows is a date" },
	{ 29, "a Received field, of which only the part behind the semicolon is a date" },
};

static void test_vectors(void **state)
{
	(void)state;
	struct sl file = vector_read("tests/vectors/mime-headers/date.txt"), rest = file;
	bool bad = false;
	for (size_t n = 1; rest.n; n++) {
		struct sl line = sl_cut(&rest, '\n'), in = vector_hex(&line);
		long long year = 0;
		struct civil t = { 0 };
		int offset = 0;
		char text[100] = { 0 };
		struct date d = { 0 };
		memcpy(text, line.p, line.n < 99 ? line.n : 99);
		bool valid = sscanf(text, "%lld %d %d %d %d %d %d", &year, &t.month, &t.day, &t.hour, &t.minute,
				     &t.second, &offset) == 7;
		t.year = year;
		bool got = date_parse_mail(in, &d) == E_OK, known = false;
		bool same =
			got == valid && (!got || (d.unix_s == clock_unix(&t) - offset * 60 && d.offset_min == offset));
		for (size_t i = 0; i < ARRAY_N(differs); i++)
			known |= differs[i].line == n;
		if (same == known)
			print_error("line %zu: \"%.*s\" want %s\n", n, SLF(in), text);
		bad |= same == known;
		vector_free(in);
	}
	vector_free(file);
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_imap),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_vectors),
	};
	return cmocka_run_group_tests_name("mail/date", tests, NULL, NULL);
}
