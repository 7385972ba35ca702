/// client — a buffer over net/io: what a server floods us with is looked at in place, once.
#include "bench/client.h"

#include <stdlib.h>

#include "base/num.h"

FIB enum ec client_open(struct cx *cx, struct client *c, const struct target *t, unsigned number)
{
	struct addr from = { .ip = { [10] = 0xff, 0xff, 127, 0, 0, 1 }, .v4 = true };
	int fd;

	if (t->sources)
		from.ip[15] = (uint8_t)(2 + number % t->sources);
	cx_deadline_in(cx, CLIENT_WAIT_MS);
	c->at = c->n = 0;
	c->tag = 0;
	enum ec e = connect_open(cx, t->sources ? &from : NULL, &t->to, &fd);
	if (e == E_OK)
		e = io_new(cx, fd, &t->to, &from, &c->io);
	if (e == E_OK && t->tls) {
		e = io_starttls(cx, c->io, t->tls);
		if (e != E_OK)
			client_close(c);
	}
	return e;
}

void client_close(struct client *c)
{
	io_close(c->io);
	c->io = NULL;
}

void client_rest(struct client *c)
{
	if (c->at < c->n)
		return;
	free(c->p);
	c->p = NULL;
	c->at = c->n = 0;
}

void client_free(struct client *c)
{
	client_close(c);
	c->at = c->n = 0;
	client_rest(c);
}

/// More octets behind those that are unread.
FIB static enum ec fill(struct cx *cx, struct client *c)
{
	size_t got;

	if (!c->p)
		c->p = malloc(CLIENT_ROOM);
	if (!c->p)
		return fail(cx, E_TEMP, "no memory");
	if (c->at) {
		memmove(c->p, c->p + c->at, c->n - c->at);
		c->n -= c->at;
		c->at = 0;
	}
	if (c->n == CLIENT_ROOM)
		return fail(cx, E_TOOBIG, "a line of more than %d octets", CLIENT_ROOM);
	enum ec e = io_read(cx, c->io, c->p + c->n, CLIENT_ROOM - c->n, &got);
	if (e == E_OK)
		c->n += got;
	return e;
}

FIB enum ec client_line(struct cx *cx, struct client *c, struct sl *line)
{
	size_t seen = 0;

	for (;;) {
		struct sl in = { c->p + c->at, c->n - c->at };
		uint8_t *lf = in.n > seen ? memchr(in.p + seen, '\n', in.n - seen) : NULL;
		if (lf) {
			size_t n = (size_t)(lf - in.p);
			c->at += n + 1;
			*line = sl_head(in, n && in.p[n - 1] == '\r' ? n - 1 : n);
			return E_OK;
		}
		seen = in.n;
		enum ec e = fill(cx, c);
		if (e != E_OK)
			return e;
	}
}

FIB enum ec client_skip(struct cx *cx, struct client *c, uint64_t n)
{
	for (;;) {
		size_t here = min_size(c->n - c->at, n);
		c->at += here;
		n -= here;
		if (n == 0)
			return E_OK;
		c->at = c->n = 0;
		enum ec e = fill(cx, c);
		if (e != E_OK)
			return e;
	}
}
