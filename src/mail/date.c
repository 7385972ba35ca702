/// date — three small grammars over one check of what the calendar allows.
#include "base/clock.h"
#include "base/cur.h"
#include "base/num.h"
#include "mail/cfws.h"
#include "mail/date.h"

static const struct sl months[12] = { SL_INIT("Jan"), SL_INIT("Feb"), SL_INIT("Mar"), SL_INIT("Apr"), SL_INIT("May"),
	SL_INIT("Jun"), SL_INIT("Jul"), SL_INIT("Aug"), SL_INIT("Sep"), SL_INIT("Oct"), SL_INIT("Nov"),
	SL_INIT("Dec") };

static bool is_letter(uint8_t c)
{
	return is_alpha(c);
}

static int days_in_month(int64_t year, int month)
{
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// E_RANGE where there is no such day or time.
static void check_civil(struct cur *c, const struct civil *t)
{
	if (t->year < 1 || t->year > 9999 || t->month < 1 || t->month > 12 || t->day < 1 ||
		t->day > days_in_month(t->year, t->month) || t->hour > 23 || t->minute > 59 || t->second > 60)
		cur_fail(c, E_RANGE);
}

/// Exactly `n` digits.
static int need_digits(struct cur *c, size_t n)
{
	struct sl s = cur_need_n(c, n);
	uint64_t v = 0;

	if (cur_ok(c) && !num_parse(s, UINT32_MAX / 4, &v))
		cur_fail(c, E_SYNTAX);
	return (int)v;
}

/// date-month / month-name, at least its first three letters.
static int need_month(struct cur *c)
{
	struct sl word = cur_need_while(c, is_letter);

	for (int i = 0; i < 12; i++)
		if (sl_starts_ci(word, months[i]))
			return i + 1;
	cur_fail(c, E_SYNTAX);
	return 0;
}

/// zone = ("+" / "-") 4DIGIT, in minutes.
static int32_t need_numeric_zone(struct cur *c)
{
	bool minus = cur_take(c, '-');

	if (!minus)
		cur_need(c, '+');
	int hhmm = need_digits(c, 4);
	int32_t minutes = hhmm / 100 * 60 + hhmm % 100;
	if (hhmm % 100 > 59 || minutes > DATE_OFFSET_MAX)
		cur_fail(c, E_RANGE);
	return minus ? -minutes : minutes;
}

/// obs-zone (RFC 5322 §4.3): the American names; military letters and unknown names say nothing, so they are 0.
static int32_t take_zone(struct cur *c)
{
	static const struct {
		struct sl name;
		int hours;
	} zones[] = {
		{ SL_INIT("EST"), -5 },
		{ SL_INIT("EDT"), -4 },
		{ SL_INIT("CST"), -6 },
		{ SL_INIT("CDT"), -5 },
		{ SL_INIT("MST"), -7 },
		{ SL_INIT("MDT"), -6 },
		{ SL_INIT("PST"), -8 },
		{ SL_INIT("PDT"), -7 },
	};

	if (cur_peek(c) == '+' || cur_peek(c) == '-')
		return need_numeric_zone(c);
	struct sl word = cur_take_while(c, is_letter);
	for (size_t i = 0; i < ARRAY_N(zones); i++)
		if (sl_eq_ci(word, zones[i].name))
			return zones[i].hours * 60;
	return 0;
}

/// year = 4*DIGIT; obs-year = 2*DIGIT: below 50 it is 20xx, else, and with three digits, 19xx (RFC 5322 §4.3).
static int64_t need_year(struct cur *c)
{
	size_t from = c->at;
	int64_t year = (int64_t)cur_need_num(c, 9999);
	size_t digits = c->at - from;

	if (digits == 1)
		cur_fail(c, E_SYNTAX);
	if (digits == 2 && year < 50)
		return year + 2000;
	return digits <= 3 ? year + 1900 : year;
}

/// time-of-day = hour ":" minute [ ":" second ]
static void need_time(struct cur *c, struct civil *t)
{
	t->hour = (int)cur_need_num(c, 99);
	cfws_skip(c);
	cur_need(c, ':');
	cfws_skip(c);
	t->minute = (int)cur_need_num(c, 99);
	cfws_skip(c);
	if (!cur_take(c, ':'))
		return;
	cfws_skip(c);
	t->second = (int)cur_need_num(c, 99);
}

static enum ec finish(struct cur *c, const struct civil *t, int32_t offset_min, struct date *d)
{
	check_civil(c, t);
	if (cur_ok(c))
		*d = (struct date){ clock_unix(t) - (int64_t)offset_min * 60, offset_min };
	return c->err;
}

/// date-time = [ day-of-week "," ] date time [CFWS]
enum ec date_parse_mail(struct sl value, struct date *d)
{
	struct cur c = cur_over(value);
	struct civil t = { 0 };

	cfws_skip(&c);
	(void)cur_take_while(&c, is_letter); // the day's name says nothing that the date does not
	cfws_skip(&c);
	(void)cur_take(&c, ',');
	cfws_skip(&c);
	t.day = (int)cur_need_num(&c, 99);
	cfws_skip(&c);
	(void)cur_take(&c, '-'); // "1-Jul-2003", as old mailers write
	t.month = cur_peek(&c) >= '0' && cur_peek(&c) <= '9' ? (int)cur_need_num(&c, 12) : need_month(&c);
	cfws_skip(&c);
	(void)cur_take(&c, '-');
	t.year = need_year(&c);
	cfws_skip(&c);
	need_time(&c, &t);
	cfws_skip(&c);
	int32_t offset = take_zone(&c);
	return finish(&c, &t, offset, d);
}

/// Prints ±hhmm.
static void print_zone(int32_t offset_min, struct buf *out)
{
	int32_t m = offset_min < 0 ? -offset_min : offset_min;

	buf_printf(out, "%c%02d%02d", offset_min < 0 ? '-' : '+', (int)(m / 60), (int)(m % 60));
}

void date_print_mail(const struct date *d, struct buf *out)
{
	static const struct sl days[7] = { SL_INIT("Sun"), SL_INIT("Mon"), SL_INIT("Tue"), SL_INIT("Wed"),
		SL_INIT("Thu"), SL_INIT("Fri"), SL_INIT("Sat") };
	struct civil t = clock_civil(d->unix_s + (int64_t)d->offset_min * 60);

	buf_printf(out, "%.*s, %d %.*s %04lld %02d:%02d:%02d ", SLF(days[t.weekday]), t.day, SLF(months[t.month - 1]),
		(long long)t.year, t.hour, t.minute, t.second);
	print_zone(d->offset_min, out);
}

/// date-day-fixed = (SP DIGIT) / 2DIGIT; date-month = 3ALPHA; date-year = 4DIGIT
static void need_day_month_year(struct cur *c, bool fixed, struct civil *t)
{
	size_t from = c->at;

	if (fixed) {
		t->day = cur_take(c, ' ') ? need_digits(c, 1) : need_digits(c, 2);
	} else {
		t->day = (int)cur_need_num(c, 99);
		if (c->at - from > 2)
			cur_fail(c, E_SYNTAX);
	}
	cur_need(c, '-');
	from = c->at;
	t->month = need_month(c);
	if (c->at - from != 3)
		cur_fail(c, E_SYNTAX);
	cur_need(c, '-');
	t->year = need_digits(c, 4);
}

/// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
/// time = 2DIGIT ":" 2DIGIT ":" 2DIGIT
enum ec date_parse_imap(struct sl text, struct date *d)
{
	struct cur c = cur_over(text);
	struct civil t = { 0 };

	need_day_month_year(&c, true, &t);
	cur_need(&c, ' ');
	t.hour = need_digits(&c, 2);
	cur_need(&c, ':');
	t.minute = need_digits(&c, 2);
	cur_need(&c, ':');
	t.second = need_digits(&c, 2);
	cur_need(&c, ' ');
	int32_t offset = need_numeric_zone(&c);
	cur_need_end(&c);
	return finish(&c, &t, offset, d);
}

void date_print_imap(const struct date *d, struct buf *out)
{
	struct civil t = clock_civil(d->unix_s + (int64_t)d->offset_min * 60);

	buf_printf(out, "%2d-%.*s-%04lld %02d:%02d:%02d ", t.day, SLF(months[t.month - 1]), (long long)t.year, t.hour,
		t.minute, t.second);
	print_zone(d->offset_min, out);
}

/// Days since 1970-01-01 of a second count, rounded down.
static int64_t days_of(int64_t s)
{
	return s / 86400 - (s % 86400 < 0);
}

/// date-text = date-day "-" date-month "-" date-year
enum ec date_parse_day(struct sl text, struct date_day *day)
{
	struct cur c = cur_over(text);
	struct civil t = { 0 };
	struct date d;

	need_day_month_year(&c, false, &t);
	cur_need_end(&c);
	enum ec e = finish(&c, &t, 0, &d);
	if (e == E_OK)
		day->days = days_of(d.unix_s);
	return e;
}

void date_print_day(struct date_day day, struct buf *out)
{
	struct civil t = clock_civil(day.days * 86400);

	buf_printf(out, "%d-%.*s-%04lld", t.day, SLF(months[t.month - 1]), (long long)t.year);
}

struct date_day date_day_of(const struct date *d)
{
	return (struct date_day){ days_of(d->unix_s + (int64_t)d->offset_min * 60) };
}
