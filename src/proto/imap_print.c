/// imap_print — quoted or literal, and the other words of responses.
#include "proto/imap_print.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/utf8.h"
#include "proto/mboxname.h"
#include "proto/mutf7.h"

static bool fits_quoted(struct sl s, bool utf8)
{
	if (s.n > IMAP_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return utf8 ? utf8_valid(s) : sl_is_ascii(s);
}

/// Adds `s` with NUL as '?' and, in quoted strings, a backslash before each quoted-special.
static void add_octets(struct buf *b, struct sl s, bool quoted)
{
	for (size_t i = 0; i < s.n; i++) {
		if (quoted && (s.p[i] == '"' || s.p[i] == '\\'))
			buf_addc(b, '\\');
		buf_addc(b, s.p[i] ? s.p[i] : '?');
	}
}

void imap_print_string(struct buf *b, struct sl s, bool utf8)
{
	if (fits_quoted(s, utf8)) {
		buf_addc(b, '"');
		add_octets(b, s, true);
		buf_addc(b, '"');
		return;
	}
	buf_addc(b, '{');
	buf_num(b, s.n);
	buf_puts(b, "}\r\n");
	add_octets(b, s, false);
}

void imap_print_nstring(struct buf *b, struct sl s, bool utf8)
{
	if (s.p)
		imap_print_string(b, s, utf8);
	else
		buf_puts(b, "NIL");
}

void imap_print_astring(struct buf *b, struct sl s, bool utf8)
{
	bool bare = s.n > 0 && s.n <= IMAP_QUOTED_MAX && !sl_eq_ci(s, SL("NIL"));

	for (size_t i = 0; bare && i < s.n; i++)
		bare = imap_is_astring_char(s.p[i]);
	if (bare)
		buf_add(b, s);
	else
		imap_print_string(b, s, utf8);
}

void imap_print_mailbox(struct buf *b, struct sl name, bool utf8)
{
	if (utf8) {
		imap_print_astring(b, name, true);
		return;
	}
	struct buf wire = BUF(MBOXNAME_WIRE_MAX);
	enum ec e = mutf7_from_utf8(name, &wire);
	if (e == E_OK)
		imap_print_astring(b, buf_sl(&wire), false);
	else if (b->err == E_OK)
		b->err = e;
	buf_free(&wire);
}

void imap_print_flags(struct buf *b, const struct imap_flags *flags)
{
	const char *gap = "";

	buf_addc(b, '(');
	for (size_t i = 0; i < ARRAY_N(imap_flag_words); i++) {
		if (!(flags->system & imap_flag_words[i].bit))
			continue;
		buf_puts(b, gap);
		buf_add(b, imap_flag_words[i].name);
		gap = " ";
	}
	for (size_t i = 0; i < flags->keywords.n; i++) {
		buf_puts(b, gap);
		buf_add(b, flags->keywords.p[i]);
		gap = " ";
	}
	buf_addc(b, ')');
}

/// Four digits hold the years 1 to 9999: 0001-01-01 00:00:00 to 9999-12-31 23:59:59.
static int64_t clamp_to_four_digit_years(int64_t unix_s)
{
	const int64_t first = -62135596800, last = 253402300799;

	return unix_s < first ? first : unix_s > last ? last : unix_s;
}

void imap_print_date_time(struct buf *b, int64_t unix_s, int zone_min)
{
	int64_t local_s = clamp_to_four_digit_years(clamp_to_four_digit_years(unix_s) + (int64_t)zone_min * 60);
	struct civil t = clock_civil(local_s);
	int zone = zone_min < 0 ? -zone_min : zone_min;

	buf_printf(b, "\"%2d-%s-%04d %02d:%02d:%02d %c%02d%02d\"", t.day, imap_months[t.month - 1], (int)t.year, t.hour,
		t.minute, t.second, zone_min < 0 ? '-' : '+', zone / 60, zone % 60);
}

void imap_print_date(struct buf *b, struct imap_date d)
{
	buf_printf(b, "%d-%s-%04d", d.day, imap_months[d.month - 1], d.year);
}
