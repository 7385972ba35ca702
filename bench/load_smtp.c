/// load_smtp — mail in: SMTP with a connection for each message, LMTP over kept ones.
///
/// With check_port the clock stops only when IMAP STATUS at that port says that every message is in its mailbox; one
/// mailbox after the other is asked, so that asking costs the server little.
#include <stdlib.h>

#include "base/num.h"
#include "bench/imap.h"

enum { REPLY_LINES_MAX = 64, POLL_MS = 5, LMTP_MESSAGES = 900 };

/// One reply, all its lines, must have this code. *pipelining (may be NULL) — a line offers it.
FIB static enum ec reply(struct cx *cx, struct client *c, struct sl code, bool *pipelining)
{
	struct sl line;

	for (int i = 0; i < REPLY_LINES_MAX; i++) {
		enum ec e = client_line(cx, c, &line);
		if (e != E_OK)
			return wrap(cx, e, "waiting for %.*s", SLF(code));
		if (!sl_starts(line, code) || line.n < 4)
			return fail(cx, E_DENIED, "%.*s expected, got: %.*s", SLF(code), SLF(line));
		if (pipelining && sl_eq_ci(sl_from(line, 4), SL("PIPELINING")))
			*pipelining = true;
		if (line.p[3] == ' ')
			return E_OK;
	}
	return fail(cx, E_TOOBIG, "a reply without end");
}

FIB static enum ec say(struct cx *cx, struct client *c, struct sl text, struct sl code)
{
	enum ec e = io_put(cx, c->io, text);

	if (e == E_OK)
		e = io_put(cx, c->io, SL("\r\n"));
	if (e == E_OK)
		e = io_flush(cx, c->io);
	return e == E_OK ? reply(cx, c, code, NULL) : e;
}

/// Connects and says hello.
FIB static enum ec hello(struct cx *cx, struct worker *w, struct sl verb)
{
	struct client *c = &w->client;
	bool pipelining = false;
	enum ec e = client_open(cx, c, &w->load->target, w->number);

	if (e == E_OK)
		e = reply(cx, c, SL("220"), NULL);
	if (e == E_OK)
		e = io_printf(cx, c->io, "%.*s load.elsewhere.test\r\n", SLF(verb));
	if (e == E_OK)
		e = io_flush(cx, c->io);
	if (e == E_OK)
		e = reply(cx, c, SL("250"), &pipelining);
	if (e == E_OK && w->load->o.pipeline && !pipelining)
		e = fail(cx, E_UNSUPPORTED, "the server offers no PIPELINING: use pipeline=0");
	return e;
}

/// MAIL, RCPT, DATA: in one go, or one by one.
FIB static enum ec envelope(struct cx *cx, struct worker *w)
{
	struct client *c = &w->client;
	struct options *o = &w->load->o;
	char text[USER_TEXT];
	struct sl rcpt = load_user(w->load, w->ticket, text);
	enum ec e = io_printf(cx, c->io, "MAIL FROM:<%.*s>\r\n", SLF(o->from));

	if (e == E_OK && !o->pipeline)
		e = reply(cx, c, SL("250"), NULL);
	if (e == E_OK)
		e = io_printf(cx, c->io, "RCPT TO:<%.*s>\r\n", SLF(rcpt));
	if (e == E_OK && !o->pipeline)
		e = reply(cx, c, SL("250"), NULL);
	if (e == E_OK)
		e = io_put(cx, c->io, SL("DATA\r\n"));
	for (int i = 0; e == E_OK && o->pipeline && i < 2; i++)
		e = reply(cx, c, SL("250"), NULL);
	return e == E_OK ? reply(cx, c, SL("354"), NULL) : e;
}

FIB static enum ec transaction(struct cx *cx, struct worker *w)
{
	enum ec e = envelope(cx, w);

	if (e == E_OK)
		e = io_put(cx, w->client.io, message_number(&w->load->message, w->ticket));
	if (e == E_OK)
		e = say(cx, &w->client, SL("."), SL("250"));
	w->load->octets += e == E_OK ? w->load->message.n : 0;
	return e;
}

FIB static enum ec smtp_once(struct cx *cx, struct worker *w)
{
	enum ec e = hello(cx, w, SL("EHLO"));

	if (e == E_OK)
		e = transaction(cx, w);
	if (e == E_OK)
		e = say(cx, &w->client, SL("QUIT"), SL("221"));
	client_close(&w->client);
	return e;
}

FIB static enum ec lmtp_setup(struct cx *cx, struct worker *w)
{
	return hello(cx, w, SL("LHLO"));
}

FIB static enum ec quit(struct cx *cx, struct worker *w)
{
	return w->client.io ? say(cx, &w->client, SL("QUIT"), SL("221")) : E_OK;
}

/// Servers take so many messages over one connection and then ask for another (ours after 1,000).
FIB static enum ec lmtp_once(struct cx *cx, struct worker *w)
{
	enum ec e = E_OK;

	if (w->done % LMTP_MESSAGES == LMTP_MESSAGES - 1) {
		e = quit(cx, w);
		client_close(&w->client);
		if (e == E_OK)
			e = lmtp_setup(cx, w);
	}
	return e == E_OK ? transaction(cx, w) : e;
}

// ---- until all can be read

/// A session for each user's INBOX, and how many messages it must have in the end.
struct checker {
	struct client client;
	uint64_t want;
};

FIB static enum ec count_messages(struct cx *cx, struct checker *k, const struct options *o, uint32_t *n)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &k->client, &a, "STATUS %.*s (MESSAGES)", SLF(o->mailbox));

	if (e == E_OK && !a.has_messages)
		e = fail(cx, E_CORRUPT, "STATUS told no MESSAGES");
	if (e == E_OK)
		*n = a.messages;
	return e;
}

FIB static enum ec check_begin(struct cx *cx, struct load *l)
{
	struct load there = *l; // the same users at another port
	uint32_t n = 0;
	enum ec e = E_OK;

	there.target.to.port = (uint16_t)l->o.check_port;
	there.target.tls = NULL;
	if (!l->o.check_port)
		return E_OK;
	l->checker = calloc(l->o.users, sizeof *l->checker);
	if (!l->checker)
		return fail(cx, E_TEMP, "no memory");
	for (uint64_t u = 0; e == E_OK && u < l->o.users; u++) {
		e = imap_begin(cx, &l->checker[u].client, &there, u);
		if (e == E_OK)
			e = count_messages(cx, &l->checker[u], &l->o, &n);
		l->checker[u].want = n + l->o.count / l->o.users + (u < l->o.count % l->o.users);
	}
	return e == E_OK ? E_OK : wrap(cx, e, "the port that is asked what can be read");
}

FIB static enum ec check_end(struct cx *cx, struct load *l)
{
	enum ec e = E_OK;

	for (uint64_t u = 0; e == E_OK && l->checker && u < l->o.users; u++) {
		struct checker *k = &l->checker[u];
		uint32_t n = 0;
		do
			e = count_messages(cx, k, &l->o, &n);
		while (e == E_OK && n < k->want && (e = fib_sleep(cx, POLL_MS)) == E_OK);
		if (e == E_OK && n > k->want)
			e = fail(cx, E_CORRUPT, "%u messages where %lu were sent", n, k->want);
		client_free(&k->client);
	}
	free(l->checker);
	l->checker = NULL;
	return e;
}

const struct work smtp_works[] = {
	{ "smtp", "a connection and a message each", check_begin, NULL, smtp_once, check_end, NULL },
	{ "lmtp", "messages over kept connections", check_begin, lmtp_setup, lmtp_once, check_end, quit },
	{ 0 },
};
