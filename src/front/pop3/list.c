/// list — STAT, LIST, UIDL, DELE, RSET: what needs only the snapshot.
#include "front/pop3/pop3.h"

enum { LISTING_MAX = 16 * 1024, LISTING_LINE = 40 };

bool pop3_message(const struct pop3 *p, uint32_t msg, uint32_t *index)
{
	if (msg == 0 || msg > p->drop.n || (p->drop.mark[msg - 1] & DROP_DELETED))
		return false;
	*index = msg - 1;
	return true;
}

FIB static enum ec no_message(struct cx *cx, struct pop3 *p)
{
	return pop3_err(cx, p, (struct pop3_words){ NULL, "No such message" });
}

static uint32_t messages_left(const struct drop *d)
{
	return d->n - d->deleted;
}

/// source: RFC 1939 §5 (drop listing).
FIB enum ec pop3_do_stat(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	const struct drop *d = &p->drop;

	return pop3_ok(cx, p, "%u %llu", messages_left(d), (unsigned long long)(d->octets - d->deleted_octets));
}

/// Prints one line of a listing.
typedef void line_of(const struct drop *d, uint32_t index, struct buf *b);

/// Every message that is not marked as deleted, one line each, then the end.
FIB static enum ec listing(struct cx *cx, struct pop3 *p, line_of *line)
{
	struct buf b = BUF(LISTING_MAX);
	enum ec e = E_OK;

	for (uint32_t i = 0; i < p->drop.n && e == E_OK; i++) {
		if (p->drop.mark[i] & DROP_DELETED)
			continue;
		line(&p->drop, i, &b);
		if (b.n + LISTING_LINE < LISTING_MAX)
			continue;
		e = io_put(cx, p->io, buf_sl(&b));
		buf_clear(&b);
		cx_deadline_in(cx, POP3_IDLE_MS);
	}
	buf_puts(&b, ".\r\n");
	if (e == E_OK)
		e = b.err;
	if (e == E_OK)
		e = io_put(cx, p->io, buf_sl(&b));
	buf_free(&b);
	return e;
}

/// scan listing = message-number SP size
static void scan_line(const struct drop *d, uint32_t index, struct buf *b)
{
	buf_num(b, (uint64_t)index + 1);
	buf_addc(b, ' ');
	buf_num(b, d->msg[index].octets);
	buf_puts(b, "\r\n");
}

/// unique-id listing = message-number SP unique-id
///
/// UIDVALIDITY and UID together never name another message, in no session (RFC 1939 §7).
static void unique_line(const struct drop *d, uint32_t index, struct buf *b)
{
	buf_num(b, (uint64_t)index + 1);
	buf_addc(b, ' ');
	buf_num(b, d->uidvalidity);
	buf_addc(b, '.');
	buf_num(b, d->msg[index].uid);
	buf_puts(b, "\r\n");
}

FIB static enum ec one_line(struct cx *cx, struct pop3 *p, uint32_t msg, line_of *line)
{
	struct buf b = BUF(2 * LISTING_LINE);
	uint32_t index;

	if (!pop3_message(p, msg, &index))
		return no_message(cx, p);
	buf_puts(&b, "+OK ");
	line(&p->drop, index, &b);
	enum ec e = b.err;
	if (e == E_OK)
		e = io_put(cx, p->io, buf_sl(&b));
	buf_free(&b);
	return e;
}

/// source: RFC 1939 §5.
FIB enum ec pop3_do_list(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	const struct drop *d = &p->drop;

	if (c->has_msg)
		return one_line(cx, p, c->msg, scan_line);
	enum ec e = pop3_ok(cx, p, "%u messages (%llu octets)", messages_left(d),
		(unsigned long long)(d->octets - d->deleted_octets));
	return e == E_OK ? listing(cx, p, scan_line) : e;
}

/// source: RFC 1939 §7.
FIB enum ec pop3_do_uidl(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	if (c->has_msg)
		return one_line(cx, p, c->msg, unique_line);
	enum ec e = pop3_ok(cx, p, "Unique ids follow");
	return e == E_OK ? listing(cx, p, unique_line) : e;
}

/// source: RFC 1939 §5.
FIB enum ec pop3_do_dele(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	uint32_t index;

	if (!pop3_message(p, c->msg, &index))
		return no_message(cx, p);
	drop_delete(&p->drop, index);
	return pop3_ok(cx, p, "Will be removed at QUIT");
}

/// Forgets the deletions, and what reading would do at QUIT (account.pop3_retr): who goes back to the start loses
/// nothing.
/// source: RFC 1939 §5.
FIB enum ec pop3_do_rset(struct cx *cx, struct pop3 *p, const struct pop3_command *)
{
	drop_reset(&p->drop);
	return pop3_ok(cx, p, "%u messages", p->drop.n);
}
