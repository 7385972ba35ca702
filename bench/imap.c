/// imap — tags, literals and counting (RFC 9051 §2.2, §4.3, §7).
#include "bench/imap.h"

#include <stdarg.h>

#include "base/num.h"

enum { COMMAND_MAX = 1024 };

/// The number at the start of `s`, and what stands behind it.
static bool leading_number(struct sl *s, uint64_t *n)
{
	size_t digits = 0;

	while (digits < s->n && is_digit(s->p[digits]))
		digits++;
	if (!num_parse(sl_head(*s, digits), UINT32_MAX, n))
		return false;
	*s = sl_from(*s, digits);
	return true;
}

/// Adds the number behind `key` to *sum; false where the line has no such key.
static bool number_after(struct sl line, struct sl key, uint64_t *n)
{
	struct sl rest = sl_from(line, min_size(line.n, sl_find_sl(line, key) + key.n));

	return rest.n > 0 && leading_number(&rest, n);
}

/// Counts one untagged response, or the first line of one.
static void count_line(struct sl line, struct imap_answer *a)
{
	struct sl rest = sl_from(line, 2);
	uint64_t n;

	if (sl_starts(rest, SL("STATUS ")) && number_after(rest, SL("MESSAGES "), &n)) {
		a->messages = (uint32_t)n;
		a->has_messages = true;
	} else if (leading_number(&rest, &n) && sl_starts(rest, SL(" FETCH "))) {
		a->fetches++;
		if (number_after(rest, SL("RFC822.SIZE "), &n))
			a->size_octets += n;
	} else if (sl_eq(rest, SL(" EXISTS"))) {
		a->exists = (uint32_t)n;
		a->has_exists = true;
	}
}

/// literal = "{" number64 ["+"] "}" CRLF *CHAR8 — the length where a line ends so. source: RFC 9051 §9.
static bool ends_in_literal(struct sl line, uint64_t *octets)
{
	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	size_t open = sl_rfind(line, '{');
	struct sl digits = sl_sub(line, open + 1, line.n - 1);
	return open < line.n && num_parse(digits, UINT32_MAX, octets);
}

/// Reads one response; its last line is *line. Literals in it are counted and dropped.
FIB static enum ec response(struct cx *cx, struct client *c, struct imap_answer *a, struct sl *line)
{
	uint64_t octets = 0;
	enum ec e = client_line(cx, c, line);

	if (e == E_OK && sl_starts(*line, SL("* ")))
		count_line(*line, a);
	while (e == E_OK && ends_in_literal(*line, &octets)) {
		a->literals++;
		a->literal_octets += octets;
		e = client_skip(cx, c, octets);
		if (e == E_OK)
			e = client_line(cx, c, line);
	}
	return e;
}

FIB enum ec imap_answer(struct cx *cx, struct client *c, struct imap_answer *a)
{
	struct imap_answer unused = { 0 };
	char tag[16];
	int n = snprintf(tag, sizeof tag, "a%u ", c->tag);
	struct sl line, want = { (const uint8_t *)tag, (size_t)n };

	for (;;) {
		enum ec e = response(cx, c, a ? a : &unused, &line);
		if (e != E_OK)
			return wrap(cx, e, "waiting for the answer to a%u", c->tag);
		if (sl_starts(line, SL("* BYE")) && !a)
			continue;
		if (!sl_starts(line, want))
			continue;
		line = sl_from(line, want.n);
		return sl_starts(line, SL("OK")) ? E_OK : fail(cx, E_DENIED, "answer: %.*s", SLF(line));
	}
}

FIB enum ec imap_invited(struct cx *cx, struct client *c)
{
	struct imap_answer a = { 0 };
	struct sl line;
	enum ec e;

	do
		e = response(cx, c, &a, &line);
	while (e == E_OK && sl_starts(line, SL("* ")));
	if (e == E_OK && !sl_starts(line, SL("+")))
		e = fail(cx, E_DENIED, "no invitation but: %.*s", SLF(line));
	return e;
}

FIB static enum ec send_command(struct cx *cx, struct client *c, const char *fmt, va_list ap)
{
	char text[COMMAND_MAX];
	int head = snprintf(text, sizeof text, "a%u ", ++c->tag);
	int n = vsnprintf(text + head, sizeof text - (size_t)head, fmt, ap);

	if (n < 0 || (size_t)(head + n) >= sizeof text)
		return fail(cx, E_TOOBIG, "command too long");
	enum ec e = io_put(cx, c->io, (struct sl){ (const uint8_t *)text, (size_t)(head + n) });
	if (e == E_OK)
		e = io_put(cx, c->io, SL("\r\n"));
	return e == E_OK ? io_flush(cx, c->io) : e;
}

FIB enum ec imap_send(struct cx *cx, struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	enum ec e = send_command(cx, c, fmt, ap);
	va_end(ap);
	return e;
}

FIB enum ec imap_do(struct cx *cx, struct client *c, struct imap_answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	enum ec e = send_command(cx, c, fmt, ap);
	va_end(ap);
	return e == E_OK ? imap_answer(cx, c, a) : e;
}

FIB enum ec imap_begin(struct cx *cx, struct client *c, const struct load *l, uint64_t number)
{
	char text[USER_TEXT];
	struct sl user = load_user(l, number, text), line;
	enum ec e = client_open(cx, c, &l->target, (unsigned)number);

	if (e == E_OK)
		e = client_line(cx, c, &line);
	if (e == E_OK && !sl_starts(line, SL("* OK")))
		e = fail(cx, E_DENIED, "greeting: %.*s", SLF(line));
	if (e == E_OK)
		e = imap_do(cx, c, NULL, "LOGIN \"%.*s\" \"%.*s\"", SLF(user), SLF(l->o.password));
	return e == E_OK ? E_OK : wrap(cx, e, "logging in as %.*s", SLF(user));
}

FIB enum ec imap_select(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &w->client, &a, "SELECT %.*s", SLF(w->load->o.mailbox));

	if (e == E_OK && !a.has_exists)
		e = fail(cx, E_CORRUPT, "SELECT told no EXISTS");
	if (e == E_OK)
		w->exists = a.exists;
	return e;
}

FIB enum ec imap_end(struct cx *cx, struct client *c)
{
	enum ec e = imap_do(cx, c, NULL, "LOGOUT");

	client_close(c);
	return e;
}
