/// mbox — the one-file form of a mailbox, and what all forms share. Pure but for reading the file.
///
/// Two ways exist to keep a line of a message from being taken for the From_ line of the next: '>' before it (mboxrd,
/// mboxo), or a length in the header, which programs that edit the file leave wrong. So here a From_ line is one that
/// looks like it: it has a date, or a header field stands below it.
#include "base/clock.h"
#include "base/num.h"
#include "ipc/verbs.h"
#include "mail/header.h"
#include "main/file.h"
#include "main/letter.h"

enum { MESSAGE_OCTETS_MAX = 0x7fffffff };

void letter_crlf(struct sl in, struct buf *out)
{
	while (in.n) {
		size_t lf = sl_find(in, '\n');
		struct sl line = sl_head(in, lf);
		bool ended = lf < in.n;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		for (size_t cr; (cr = sl_find(line, '\r')) < line.n; line = sl_from(line, cr + 1)) {
			buf_add(out, sl_head(line, cr));
			buf_add(out, SL("\r\n"));
		}
		buf_add(out, line);
		if (ended)
			buf_add(out, SL("\r\n"));
		in = sl_from(in, lf + 1);
	}
}

static bool is_atom(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || sl_find(SL("(){%*\"\\]"), s.p[i]) < 8)
			return false;
	return s.n > 0 && s.n <= 128;
}

void letter_add_keyword(struct letter *l, struct sl keyword)
{
	if (is_atom(keyword) && l->n_keywords < LETTER_KEYWORDS)
		l->keyword[l->n_keywords++] = keyword;
}

bool letter_sent(struct sl text, struct date *out)
{
	struct header_field field;

	return header_find(text, SL("Date"), &field) && date_parse_mail(field.value, out) == E_OK;
}

/// Octets "HH:MM" at the start, and nothing but digits and ":" behind.
static bool is_time(struct sl word)
{
	size_t digits = 0;

	for (size_t i = 0; i < word.n; i++)
		digits += is_digit(word.p[i]);
	return word.n >= 4 && word.n <= 8 && sl_find(word, ':') <= 2 && digits >= 3 &&
	       word.n - digits == (word.n > 5 ? 2 : 1);
}

struct from_line {
	struct sl day, month, year, time, zone; // year.n == 0: no date was found
};

/// "From sender Thu Jan  1 00:00:00 2020": the month and day stand before the time, year and zone behind it in either
/// order. The sender may hold blanks; without a zone it is UTC.
/// source: RFC 4155 §A; zones as mutt, Gmail and old mail programs write them.
static struct from_line from_line_words(struct sl line)
{
	struct from_line f = { .zone = SL("+0000") };

	for (struct sl rest = sl_trim(line); rest.n;) {
		struct sl word = sl_cut(&rest, ' ');
		if (word.n == 0)
			continue;
		if (is_time(word)) {
			f.time = word;
			f.year = (struct sl){ 0 };
		} else if (!f.time.n) {
			f.month = f.day;
			f.day = word;
		} else if (!f.year.n && word.n == 4 && is_digit(word.p[0])) {
			f.year = word;
		} else {
			f.zone = word;
		}
	}
	return f;
}

static bool from_line_date(struct sl line, struct date *out)
{
	struct from_line f = from_line_words(line);
	struct buf b = BUF(1024);

	buf_printf(&b, "%.*s %.*s %.*s %.*s %.*s", SLF(f.day), SLF(f.month), SLF(f.year), SLF(f.time), SLF(f.zone));
	bool ok = f.year.n && b.err == E_OK && date_parse_mail(buf_sl(&b), out) == E_OK;
	buf_free(&b);
	return ok;
}

static void take_status(struct sl value, struct letter *l)
{
	static const struct {
		uint8_t letter, flag;
	} marks[] = { { 'R', FLAG_SEEN }, { 'A', FLAG_ANSWERED }, { 'F', FLAG_FLAGGED }, { 'D', FLAG_DELETED },
		{ 'T', FLAG_DRAFT } };

	for (size_t i = 0; i < ARRAY_N(marks); i++)
		if (sl_find(value, marks[i].letter) < value.n)
			l->flags |= marks[i].flag;
}

/// True where the header line is one of mbox's own, which then has done its work.
static bool take_own_field(struct sl line, struct letter *l)
{
	if (sl_starts_ci(line, SL("Status:")) || sl_starts_ci(line, SL("X-Status:"))) {
		take_status(line, l);
		return true;
	}
	if (!sl_starts_ci(line, SL("X-Keywords:")))
		return false;
	struct sl rest = sl_trim(sl_from(line, 11));
	while (rest.n)
		letter_add_keyword(l, sl_trim(sl_cut(&rest, ' ')));
	return true;
}

/// One quoted message of the file → its text: own fields and one '>' of each quoted From_ line go.
static void unquote(struct sl raw, struct buf *out, struct letter *l)
{
	bool in_header = true;

	while (raw.n) {
		size_t end = sl_find(raw, '\n');
		struct sl line = sl_head(raw, end + 1);
		struct sl bare = sl_trim(line), text = line;
		raw = sl_from(raw, end + 1);
		if (in_header && bare.n == 0)
			in_header = false;
		if (in_header && take_own_field(line, l))
			continue;
		while (text.n && text.p[0] == '>')
			text = sl_from(text, 1);
		bool quoted = line.n && line.p[0] == '>' && sl_starts(text, SL("From "));
		letter_crlf(quoted ? sl_from(line, 1) : line, out);
	}
}

/// source: RFC 5322 §2.2.
static bool begins_with_field(struct sl s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != ':')
		n++;
	return n > 0 && n < s.n && s.p[n] == ':';
}

static bool is_from_line(struct sl in)
{
	size_t lf = sl_find(in, '\n');

	return from_line_words(sl_head(in, lf)).year.n || begins_with_field(sl_from(in, lf + 1));
}

/// Index of the next From_ line behind an empty line, or in.n.
static size_t next_message(struct sl in, size_t at)
{
	for (;;) {
		size_t hit = at + sl_find_sl(sl_from(in, at), SL("\nFrom "));
		if (hit >= in.n)
			return in.n;
		bool behind_empty = hit == 0 || in.p[hit - 1] == '\n' ||
		                    (hit >= 2 && in.p[hit - 1] == '\r' && in.p[hit - 2] == '\n');
		if (behind_empty && is_from_line(sl_from(in, hit + 1)))
			return hit + 1;
		at = hit + 1;
	}
}

FIB static enum ec take_one(struct cx *cx, struct sl raw, letter_take *take, void *arg, uint64_t done, uint64_t total)
{
	struct letter l = { 0 };
	bool dated = from_line_date(sl_head(raw, sl_find(raw, '\n')), &l.date);
	struct buf text = BUF(MESSAGE_OCTETS_MAX);
	struct sl body = sl_from(raw, sl_find(raw, '\n') + 1);
	enum ec e;

	// the empty line before the next From_ line belongs to the file, not to the message
	if (done + raw.n < total || sl_ends_ci(body, SL("\n\n")) || sl_ends_ci(body, SL("\n\r\n")))
		body.n -= body.n && body.p[body.n - 1] == '\n';
	if (body.n && body.p[body.n - 1] == '\r')
		body.n--;
	unquote(body, &text, &l);
	l.text = buf_sl(&text);
	if (!dated && !letter_sent(l.text, &l.date))
		l.date.unix_s = clock_now_s();
	e = text.err ? fail(cx, text.err, "a message is too large") : take(cx, arg, &l, done + raw.n, total);
	buf_free(&text);
	return e;
}

FIB enum ec mbox_read(struct cx *cx, const char *path, letter_take *take, void *arg)
{
	struct sl in = { 0 };
	enum ec e = file_map(cx, path, &in);
	size_t at = 0;

	if (e == E_OK && in.n && !sl_starts(in, SL("From ")))
		e = fail(cx, E_UNSUPPORTED, "%s is no mbox file: it does not begin with \"From \"", path);
	while (e == E_OK && at < in.n) {
		size_t next = next_message(in, at);
		e = take_one(cx, sl_sub(in, at, next), take, arg, at, in.n);
		at = next;
	}
	file_unmap(in);
	return e;
}

static void print_from_line(struct buf *out, const struct letter *l)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = clock_civil(l->date.unix_s);

	buf_printf(out, "From MAILER-DAEMON %.3s %.3s %2d %02d:%02d:%02d %04d\n", days + c.weekday * 3,
		months + (c.month - 1) * 3, c.day, c.hour, c.minute, c.second, (int)c.year);
}

static void print_own_fields(struct buf *out, const struct letter *l)
{
	buf_printf(out, "Status: %sO\n", l->flags & FLAG_SEEN ? "R" : "");
	if (l->flags & ~FLAG_SEEN)
		buf_printf(out, "X-Status: %s%s%s%s\n", l->flags & FLAG_ANSWERED ? "A" : "",
			l->flags & FLAG_FLAGGED ? "F" : "", l->flags & FLAG_DELETED ? "D" : "",
			l->flags & FLAG_DRAFT ? "T" : "");
	if (l->n_keywords)
		buf_puts(out, "X-Keywords:");
	for (size_t i = 0; i < l->n_keywords; i++)
		buf_printf(out, " %.*s", SLF(l->keyword[i]));
	if (l->n_keywords)
		buf_puts(out, "\n");
}

void mbox_print(struct buf *out, const struct letter *l)
{
	struct sl rest = l->text;

	print_from_line(out, l);
	print_own_fields(out, l);
	while (rest.n) {
		size_t lf = sl_find(rest, '\n');
		struct sl line = sl_head(rest, lf), bare = line;
		rest = sl_from(rest, lf + 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		while (bare.n && bare.p[0] == '>')
			bare = sl_from(bare, 1);
		if (sl_starts(bare, SL("From ")))
			buf_puts(out, ">");
		buf_add(out, line);
		buf_puts(out, "\n");
	}
	buf_puts(out, "\n");
}
