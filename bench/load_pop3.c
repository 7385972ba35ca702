/// load_pop3 — a reader's whole visit: log in, STAT, UIDL, RETR of every message, QUIT (RFC 1939).
#include <inttypes.h>

#include "base/num.h"
#include "bench/load.h"

enum { COMMAND_MAX = 256 };

/// One command and its "+OK"; the line's rest goes to *rest (may be NULL), borrowed until the next line.
FIB static enum ec ask(struct cx *cx, struct client *c, struct sl *rest, const char *verb, struct sl argument)
{
	struct sl line;
	char text[COMMAND_MAX];
	int n = snprintf(text, sizeof text, argument.n ? "%s %.*s\r\n" : "%s%.*s\r\n", verb, SLF(argument));
	enum ec e = E_OK;

	if (n < 0 || (size_t)n >= sizeof text)
		return fail(cx, E_TOOBIG, "command too long");
	if (*verb)
		e = io_put(cx, c->io, (struct sl){ (const uint8_t *)text, (size_t)n });
	if (e == E_OK)
		e = client_line(cx, c, &line);
	if (e == E_OK && !sl_starts(line, SL("+OK")))
		e = fail(cx, E_DENIED, "%s: %.*s", verb, SLF(line));
	if (e == E_OK && rest)
		*rest = sl_trim(sl_from(line, 3));
	return e;
}

/// A multi-line answer up to its end; how many lines and octets it had, dots off.
FIB static enum ec lines(struct cx *cx, struct client *c, uint64_t *count, uint64_t *octets)
{
	struct sl line;
	enum ec e;

	*count = *octets = 0;
	while ((e = client_line(cx, c, &line)) == E_OK && !sl_eq(line, SL("."))) {
		*octets += line.n + 2 - (line.n && line.p[0] == '.');
		++*count;
	}
	return e;
}

FIB static enum ec log_in(struct cx *cx, struct worker *w)
{
	struct load *l = w->load;
	char text[USER_TEXT];
	struct sl user = load_user(l, w->ticket, text);
	enum ec e = client_open(cx, &w->client, &l->target, w->number);

	if (e == E_OK)
		e = ask(cx, &w->client, NULL, "", SL(""));
	if (e == E_OK)
		e = ask(cx, &w->client, NULL, "USER", user);
	return e == E_OK ? ask(cx, &w->client, NULL, "PASS", l->o.password) : e;
}

/// RETR of messages 1 … n: together they have the octets that STAT told.
FIB static enum ec retrieve(struct cx *cx, struct client *c, uint64_t n, uint64_t want)
{
	uint64_t sum = 0, count, octets;
	enum ec e = E_OK;

	for (uint64_t i = 1; e == E_OK && i <= n; i++) {
		char number[24];
		int digits = snprintf(number, sizeof number, "%" PRIu64, i);
		e = ask(cx, c, NULL, "RETR", (struct sl){ (const uint8_t *)number, (size_t)digits });
		if (e == E_OK)
			e = lines(cx, c, &count, &octets);
		sum += e == E_OK ? octets : 0;
	}
	if (e == E_OK && sum != want)
		e = fail(cx, E_CORRUPT, "%" PRIu64 " octets came where STAT told %" PRIu64, sum, want);
	return e;
}

FIB static enum ec visit(struct cx *cx, struct worker *w)
{
	struct client *c = &w->client;
	struct sl stat;
	uint64_t n = 0, octets = 0, uids = 0, unused;
	enum ec e = log_in(cx, w);

	if (e == E_OK)
		e = ask(cx, c, &stat, "STAT", SL(""));
	if (e == E_OK) {
		struct sl first = sl_cut(&stat, ' ');
		if (!num_parse(first, UINT32_MAX, &n) || !num_parse(sl_cut(&stat, ' '), UINT64_MAX, &octets) || !n)
			e = fail(cx, E_CORRUPT, "STAT: no messages, or no numbers");
	}
	if (e == E_OK)
		e = ask(cx, c, NULL, "UIDL", SL(""));
	if (e == E_OK)
		e = lines(cx, c, &uids, &unused);
	if (e == E_OK && uids != n)
		e = fail(cx, E_CORRUPT, "UIDL told %" PRIu64 " messages, STAT %" PRIu64, uids, n);
	if (e == E_OK)
		e = retrieve(cx, c, n, octets);
	if (e == E_OK)
		e = ask(cx, c, NULL, "QUIT", SL(""));
	client_close(c);
	w->load->octets += e == E_OK ? octets : 0;
	return e;
}

const struct work pop3_works[] = {
	{ "pop3", "log in, STAT, UIDL, RETR of all, QUIT", NULL, NULL, visit, NULL, NULL },
	{ 0 },
};
