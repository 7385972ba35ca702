/// imap_lex — the words of RFC 9051 §9; see the header.
#include "proto/imap_lex.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"

const char imap_months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

const struct imap_word imap_flag_words[5] = {
	{ SL_INIT("\\Answered"), IMAP_ANSWERED },
	{ SL_INIT("\\Flagged"), IMAP_FLAGGED },
	{ SL_INIT("\\Deleted"), IMAP_DELETED },
	{ SL_INIT("\\Seen"), IMAP_SEEN },
	{ SL_INIT("\\Draft"), IMAP_DRAFT },
};

/// ATOM-CHAR = <any CHAR except atom-specials>
/// atom-specials = "(" / ")" / "{" / SP / CTL / list-wildcards / quoted-specials / resp-specials
bool imap_is_atom_char(uint8_t c)
{
	return c > 0x20 && c < 0x7f && !memchr("(){%*\"\\]", c, 8);
}

/// ASTRING-CHAR = ATOM-CHAR / resp-specials
bool imap_is_astring_char(uint8_t c)
{
	return imap_is_atom_char(c) || c == ']';
}

/// list-char = ATOM-CHAR / list-wildcards / resp-specials
bool imap_is_list_char(uint8_t c)
{
	return imap_is_astring_char(c) || c == '%' || c == '*';
}

/// tag = 1*<any ASTRING-CHAR except "+">
bool imap_is_tag_char(uint8_t c)
{
	return imap_is_astring_char(c) && c != '+';
}

/// Keywords are atoms, yet clients whose users do not write English also send raw UTF-8; refusing it loses the tag.
static bool accept_utf8_keyword(uint8_t c)
{
	return imap_is_atom_char(c) || c >= 0x80;
}

void *imap_room_for_one(struct cur *c, struct arena *a, void *items, size_t n, size_t size)
{
	if (!cur_ok(c))
		return NULL;
	if (n != 0 && (n < 4 || n & (n - 1)))
		return items; // capacities are 4, 8, 16, …
	void *more = arena_alloc(a, n ? n * 2 : 4, size);
	if (!more)
		cur_fail(c, E_TEMP);
	else if (n)
		memcpy(more, items, n * size);
	return more;
}

void imap_texts_add(struct cur *c, struct arena *a, struct imap_texts *list, size_t max, struct sl s)
{
	if (list->n >= max)
		cur_fail(c, E_LIMIT);
	struct sl *p = imap_room_for_one(c, a, list->p, list->n, sizeof *p);
	if (!p)
		return;
	list->p = p;
	list->p[list->n++] = s;
}

struct sl imap_parse_atom(struct cur *c)
{
	return cur_need_while(c, imap_is_atom_char);
}

struct sl imap_parse_tag(struct cur *c)
{
	struct sl tag = cur_need_while(c, imap_is_tag_char);

	if (tag.n > IMAP_TAG_MAX)
		cur_fail(c, E_SYNTAX);
	return tag;
}

/// quoted = DQUOTE *QUOTED-CHAR DQUOTE
/// QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
static struct sl parse_quoted(struct cur *c, struct arena *a)
{
	size_t start, escapes = 0;
	int ch;

	cur_need(c, '"');
	start = c->at;
	while ((ch = cur_peek(c)) >= 0 && ch != '"') {
		if (ch == '\\') {
			c->at++;
			escapes++;
			ch = cur_peek(c);
			if (ch != '"' && ch != '\\')
				cur_fail(c, E_SYNTAX);
		}
		if (ch <= 0 || ch == '\r' || ch == '\n')
			cur_fail(c, E_SYNTAX);
		c->at++;
	}
	struct sl raw = sl_sub(c->in, start, c->at);
	cur_need(c, '"');
	if (!cur_ok(c) || escapes == 0)
		return raw;

	uint8_t *p = arena_alloc(a, raw.n - escapes, 1);
	if (!p) {
		cur_fail(c, E_TEMP);
		return raw;
	}
	for (size_t from = 0, to = 0; from < raw.n; from++, to++) {
		from += raw.p[from] == '\\';
		p[to] = raw.p[from];
	}
	return (struct sl){ p, raw.n - escapes };
}

/// literal = "{" number64 ["+"] "}" CRLF *CHAR8
/// CHAR8 = %x01-ff
static struct sl parse_literal(struct cur *c)
{
	cur_need(c, '{');
	uint64_t n = imap_parse_number64(c);
	cur_take(c, '+');
	cur_need(c, '}');
	cur_need(c, '\r');
	cur_need(c, '\n');
	struct sl s = cur_need_n(c, n);
	if (cur_ok(c) && s.n && memchr(s.p, 0, s.n))
		cur_fail(c, E_SYNTAX);
	return s;
}

struct sl imap_parse_string(struct cur *c, struct arena *a)
{
	return cur_peek(c) == '{' ? parse_literal(c) : parse_quoted(c, a);
}

static bool is_string_next(const struct cur *c)
{
	return cur_peek(c) == '"' || cur_peek(c) == '{';
}

/// astring = 1*ASTRING-CHAR / string
struct sl imap_parse_astring(struct cur *c, struct arena *a)
{
	return is_string_next(c) ? imap_parse_string(c, a) : cur_need_while(c, imap_is_astring_char);
}

struct sl imap_parse_nstring(struct cur *c, struct arena *a)
{
	if (imap_take_word(c, SL("NIL")))
		return (struct sl){ 0 };
	return imap_parse_string(c, a);
}

struct sl imap_parse_list_mailbox(struct cur *c, struct arena *a)
{
	return is_string_next(c) ? imap_parse_string(c, a) : cur_need_while(c, imap_is_list_char);
}

struct sl imap_parse_mailbox(struct cur *c, struct arena *a)
{
	return imap_parse_astring(c, a);
}

bool imap_take_word(struct cur *c, struct sl word)
{
	size_t start = c->at;

	if (cur_ok(c) && sl_eq_ci(cur_take_while(c, imap_is_atom_char), word))
		return true;
	c->at = start;
	return false;
}

unsigned imap_parse_word(struct cur *c, const struct imap_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (imap_take_word(c, words[i].name))
			return words[i].bit;
	cur_fail(c, E_SYNTAX);
	return 0;
}

uint32_t imap_parse_number(struct cur *c)
{
	return (uint32_t)cur_need_num(c, UINT32_MAX);
}

/// nz-number = digit-nz *DIGIT
uint32_t imap_parse_nz_number(struct cur *c)
{
	if (cur_peek(c) == '0')
		cur_fail(c, E_SYNTAX);
	return imap_parse_number(c);
}

uint64_t imap_parse_number64(struct cur *c)
{
	return cur_need_num(c, INT64_MAX);
}

struct sl imap_parse_flag_keyword(struct cur *c)
{
	struct sl s = cur_need_while(c, accept_utf8_keyword);

	if (s.n > IMAP_KEYWORD_MAX)
		cur_fail(c, E_LIMIT);
	return s;
}

static void add_keyword(struct cur *c, struct arena *a, struct imap_texts *list, struct sl s)
{
	for (size_t i = 0; i < list->n; i++)
		if (sl_eq_ci(list->p[i], s))
			return;
	imap_texts_add(c, a, list, IMAP_KEYWORDS_MAX, s);
}

/// flag = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
/// flag-extension = "\" atom ; for future standards, of which we have none. \Recent is not in the rule: no client may
/// change it (RFC 3501 §2.3.2, §9). An OK to either would promise a flag that is not kept.
static void parse_flag(struct cur *c, struct arena *a, struct imap_flags *out)
{
	size_t start = c->at;

	if (cur_peek(c) != '\\') {
		struct sl keyword = imap_parse_flag_keyword(c);
		if (cur_ok(c))
			add_keyword(c, a, &out->keywords, keyword);
		return;
	}
	cur_need(c, '\\');
	struct sl name = imap_parse_atom(c);
	for (size_t i = 0; i < ARRAY_N(imap_flag_words); i++) {
		if (sl_eq_ci(name, sl_from(imap_flag_words[i].name, 1))) {
			out->system |= imap_flag_words[i].bit;
			return;
		}
	}
	if (!cur_ok(c))
		return;
	c->at = start;
	cur_fail(c, E_SYNTAX);
}

void imap_parse_bare_flags(struct cur *c, struct arena *a, struct imap_flags *out)
{
	do
		parse_flag(c, a, out);
	while (cur_take(c, ' '));
}

void imap_parse_flag_list(struct cur *c, struct arena *a, struct imap_flags *out)
{
	cur_need(c, '(');
	if (cur_take(c, ')'))
		return;
	imap_parse_bare_flags(c, a, out);
	cur_need(c, ')');
}

/// n DIGIT
static int parse_digits(struct cur *c, size_t n)
{
	struct sl s = cur_need_n(c, n);
	uint64_t v = 0;

	if (cur_ok(c) && !num_parse(s, UINT32_MAX, &v))
		cur_fail(c, E_SYNTAX);
	return (int)v;
}

/// date-month = "Jan" / … / "Dec"; 1 … 12
static int parse_date_month(struct cur *c)
{
	for (int i = 0; i < 12; i++)
		if (cur_take_ci(c, sl_cstr(imap_months[i])))
			return i + 1;
	cur_fail(c, E_SYNTAX);
	return 1;
}

static int days_of(int year, int month)
{
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (month == 2)
		return leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// "-" date-month "-" date-year, for a day that was read before
static struct imap_date parse_month_year(struct cur *c, int day)
{
	struct imap_date d = { .day = day };

	cur_need(c, '-');
	d.month = parse_date_month(c);
	cur_need(c, '-');
	d.year = parse_digits(c, 4);
	if (cur_ok(c) && (d.year == 0 || d.day == 0 || d.day > days_of(d.year, d.month)))
		cur_fail(c, E_SYNTAX);
	return d;
}

static bool is_digit_next(const struct cur *c)
{
	int ch = cur_peek(c);
	return ch >= 0 && is_digit((uint8_t)ch);
}

/// date-text = date-day "-" date-month "-" date-year
/// date-day = 1*2DIGIT
struct imap_date imap_parse_date(struct cur *c)
{
	bool quoted = cur_take(c, '"');
	int day = parse_digits(c, 1);

	if (is_digit_next(c))
		day = day * 10 + parse_digits(c, 1);
	struct imap_date d = parse_month_year(c, day);
	if (quoted)
		cur_need(c, '"');
	return d;
}

/// zone = ("+" / "-") 4DIGIT ; hhmm east of UTC
static int parse_zone(struct cur *c)
{
	bool west = cur_take(c, '-');

	if (!west)
		cur_need(c, '+');
	int hours = parse_digits(c, 2), minutes = parse_digits(c, 2);
	if (hours > 23 || minutes > 59)
		cur_fail(c, E_SYNTAX);
	return west ? -(hours * 60 + minutes) : hours * 60 + minutes;
}

/// date-day-fixed = (SP DIGIT) / 2DIGIT
/// time = 2DIGIT ":" 2DIGIT ":" 2DIGIT
int64_t imap_parse_date_time(struct cur *c, int *zone_min)
{
	struct civil t;

	cur_need(c, '"');
	int day = cur_take(c, ' ') ? parse_digits(c, 1) : parse_digits(c, 2);
	struct imap_date d = parse_month_year(c, day);
	cur_need(c, ' ');
	int hour = parse_digits(c, 2);
	cur_need(c, ':');
	int minute = parse_digits(c, 2);
	cur_need(c, ':');
	int second = parse_digits(c, 2);
	if (hour > 23 || minute > 59 || second > 60) // 60: a leap second
		cur_fail(c, E_SYNTAX);
	cur_need(c, ' ');
	int zone = parse_zone(c);
	cur_need(c, '"');
	if (!cur_ok(c))
		return 0;
	*zone_min = zone;
	t = (struct civil){ .year = d.year, .month = d.month, .day = d.day, .hour = hour, .minute = minute };
	t.second = second;
	return clock_unix(&t) - (int64_t)zone * 60;
}
