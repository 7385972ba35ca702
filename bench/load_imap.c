/// load_imap — sessions as such: logging in, waiting in IDLE, adding messages.
#include "base/num.h"
#include "bench/imap.h"

FIB static enum ec login_once(struct cx *cx, struct worker *w)
{
	struct client *c = &w->client;
	enum ec e = imap_begin(cx, c, w->load, w->ticket);

	if (e == E_OK && w->load->o.select)
		e = imap_select(cx, w);
	if (e == E_OK)
		e = imap_end(cx, c);
	client_close(c);
	return e;
}

// ---- idle

FIB static enum ec idle_setup(struct cx *cx, struct worker *w)
{
	enum ec e = imap_begin(cx, &w->client, w->load, w->number);

	if (e == E_OK)
		e = imap_select(cx, w);
	if (e == E_OK)
		e = imap_send(cx, &w->client, "IDLE");
	if (e == E_OK)
		e = imap_invited(cx, &w->client);
	client_rest(&w->client);
	return e;
}

FIB static enum ec idle_goodbye(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = io_put(cx, w->client.io, SL("DONE\r\n"));

	return e == E_OK ? imap_answer(cx, &w->client, &a) : e;
}

// ---- append

FIB static enum ec append_setup(struct cx *cx, struct worker *w)
{
	struct client *c = &w->client;
	struct sl line;
	enum ec e = imap_begin(cx, c, w->load, w->number);

	if (e == E_OK)
		e = imap_send(cx, c, "CAPABILITY");
	while (e == E_OK) {
		e = client_line(cx, c, &line);
		if (e != E_OK || !sl_starts(line, SL("* ")))
			break;
		c->literal_plus |= sl_find_sl(line, SL(" LITERAL+")) < line.n;
		c->literal_minus |= sl_find_sl(line, SL(" LITERAL-")) < line.n;
	}
	return e;
}

/// With a literal that waits for no invitation where the server takes such. source: RFC 7888.
FIB static enum ec append_once(struct cx *cx, struct worker *w)
{
	enum { LITERAL_MINUS_MAX = 4096 };
	struct client *c = &w->client;
	struct load *l = w->load;
	struct imap_answer a = { 0 };
	bool at_once = c->literal_plus || (c->literal_minus && l->message.n <= LITERAL_MINUS_MAX);
	enum ec e = io_printf(cx, c->io, "a%u APPEND %.*s {%zu%s}\r\n", ++c->tag, SLF(l->o.mailbox), l->message.n,
		at_once ? "+" : "");

	if (e == E_OK && !at_once)
		e = imap_invited(cx, c);
	if (e == E_OK)
		e = io_put(cx, c->io, message_number(&l->message, w->ticket));
	if (e == E_OK)
		e = io_put(cx, c->io, SL("\r\n"));
	if (e == E_OK)
		e = imap_answer(cx, c, &a);
	l->octets += e == E_OK ? l->message.n : 0;
	return e;
}

FIB static enum ec end(struct cx *cx, struct worker *w)
{
	return imap_end(cx, &w->client);
}

const struct work imap_works[] = {
	{ "imap-login", "connect, log in, SELECT, log out", NULL, NULL, login_once, NULL, NULL },
	{ "idle", "sessions that wait in IDLE; use hold=1 count=0", NULL, idle_setup, NULL, NULL, idle_goodbye },
	{ "imap-append", "APPEND by kept sessions", NULL, append_setup, append_once, NULL, end },
	{ 0 },
};
