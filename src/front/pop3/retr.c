/// retr — RETR and TOP: bodies from the store, dot-stuffed, to the client.
///
///   message → is it in ahead? else ahead_read: it and those after it, as many as fit whole into one chunk
///           → answer +OK only when its first octets are here → dotstuff → io; large ones go on piece by piece
///             (RETR: when the store has looked at all of it, a part in each request)
///
/// Reading ahead costs one chunk and no extra request, and is done only for clients that go through their messages in
/// order or send commands ahead.
///
/// Events:
///   pop3.retr.failed why= code=   a message could not be read; in its middle this ends the session
#include "front/pop3/pop3.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/num.h"
#include "proto/dotstuff.h"

enum { STUFFED = 16 * 1024 };

void pop3_ahead_rest(struct pop3 *p, bool always)
{
	struct pop3_ahead *a = &p->ahead;
	bool useful = a->n && a->part[a->n - 1].index >= p->next;
	struct chunks *arena = client_chunks(p->store);
	bool crowded = chunks_used(arena) > chunks_octets(arena) / CHUNK_OCTETS / 2;

	if (!a->has || (useful && !crowded && !always))
		return;
	chunks_give(arena, a->chunk);
	*a = (struct pop3_ahead){ 0 };
}

/// Chooses what to read: the message, then those behind it that fit whole.
static void ahead_plan(struct pop3 *p, uint32_t index, bool more)
{
	struct pop3_ahead *a = &p->ahead;
	uint32_t used = 0;

	a->n = 0;
	for (uint32_t i = index; i < p->drop.n && a->n < (more ? POP3_AHEAD_MAX : 1); i++) {
		uint32_t octets = p->drop.msg[i].octets;
		if (p->drop.mark[i] & DROP_DELETED)
			continue;
		if (i != index && (used == CHUNK_OCTETS || octets > CHUNK_OCTETS - used))
			return;
		octets = octets < CHUNK_OCTETS - used ? octets : CHUNK_OCTETS - used;
		a->part[a->n].index = i;
		a->part[a->n].off = used;
		a->part[a->n++].octets = octets;
		used += octets;
	}
}

/// Reads into the session's chunk, which is taken here if need be: message `index` and what follows.
FIB static enum ec ahead_read(struct cx *cx, struct pop3 *p, uint32_t index, bool prove)
{
	struct pop3_ahead *a = &p->ahead;
	struct req_mbox_read req = { .handle = p->handle, .mbox = p->drop.mbox };
	struct ans_mbox_read ans;
	enum ec e = a->has ? E_OK : chunks_take(cx, client_chunks(p->store), &a->chunk);

	if (e != E_OK)
		return e;
	a->has = true;
	req.prove = prove ? READ_PROVE_MAX : 0;
	ahead_plan(p, index, index == p->next || io_input(p->io).n);
	req.out.n = a->n;
	for (unsigned i = 0; i < a->n; i++) {
		req.uid[i] = p->drop.msg[a->part[i].index].uid;
		req.out.r[i] = (struct range){ a->chunk.off + a->part[i].off, a->part[i].octets };
	}
	e = call_mbox_read(cx, p->store, &req, &ans);
	for (unsigned i = 0; e == E_OK && i < a->n; i++)
		a->part[i].got = ans.got[i];
	if (e != E_OK)
		a->n = 0;
	return e;
}

/// A piece of one message from `offset` on, in the session's chunk.
FIB static enum ec read_piece(struct cx *cx, struct pop3 *p, uint32_t index, uint32_t offset, struct sl *out)
{
	struct pop3_ahead *a = &p->ahead;
	uint32_t want = (uint32_t)min_size(p->drop.msg[index].octets - offset, CHUNK_OCTETS);
	struct req_mbox_read req = { .handle = p->handle,
		.mbox = p->drop.mbox,
		.uid = { p->drop.msg[index].uid },
		.offset = { offset },
		.out = { .n = 1, .r = { { a->chunk.off, want } } } };
	struct ans_mbox_read ans;

	a->n = 0; // what was read ahead is overwritten
	enum ec e = call_mbox_read(cx, p->store, &req, &ans);
	if (e != E_OK)
		return e;
	if (ans.got[0] != want)
		return fail(cx, ans.got[0] == READ_GONE ? E_NOTFOUND : E_CORRUPT, "message %u broke off at octet %u",
			p->drop.msg[index].uid, offset);
	*out = (struct sl){ chunks_at(client_chunks(p->store), a->chunk), want };
	return E_OK;
}

/// Has the store look at what is behind the first octets that it looked at, in parts, so that others get their turn.
///
/// errors: E_NOTFOUND, E_CORRUPT; those of mbox_read.
FIB static enum ec prove_rest(struct cx *cx, struct pop3 *p, uint32_t index)
{
	const struct drop_msg *m = &p->drop.msg[index];
	struct req_mbox_read req = {
		.handle = p->handle, .mbox = p->drop.mbox, .uid = { m->uid }, .out = { .n = 1 }, .prove = READ_PROVE_MAX
	};
	struct ans_mbox_read ans;
	enum ec e = E_OK;

	for (uint32_t at = READ_PROVE_MAX; e == E_OK && at < m->octets; at += READ_PROVE_MAX) {
		req.offset[0] = at;
		e = call_mbox_read(cx, p->store, &req, &ans);
		if (e == E_OK && ans.got[0])
			e = fail(cx, ans.got[0] == READ_GONE ? E_NOTFOUND : E_CORRUPT,
				"message %u cannot be read behind octet %u", m->uid, at);
	}
	return e;
}

/// The first octets of a message: all of it, or as many as a chunk holds.
///
/// in:     whole — more will follow: the store looks at all of it before the client is promised anything
/// errors: E_NOTFOUND (removed over an hour ago), E_CORRUPT; those of mbox_read.
FIB static enum ec first_piece(struct cx *cx, struct pop3 *p, uint32_t index, bool whole, struct sl *out)
{
	struct pop3_ahead *a = &p->ahead;
	bool prove = whole && p->drop.msg[index].octets > CHUNK_OCTETS;
	unsigned i = 0;

	while (i < a->n && a->part[i].index != index)
		i++;
	if (i == a->n || prove) {
		enum ec e = ahead_read(cx, p, index, prove);
		if (e != E_OK)
			return e;
		i = 0;
	}
	if (a->part[i].got == READ_GONE)
		return fail(cx, E_NOTFOUND, "message %u is gone", p->drop.msg[index].uid);
	if (a->part[i].got != a->part[i].octets)
		return fail(cx, E_CORRUPT, "message %u is damaged", p->drop.msg[index].uid);
	*out = (struct sl){ chunks_at(client_chunks(p->store), a->chunk) + a->part[i].off, a->part[i].octets };
	return prove ? prove_rest(cx, p, index) : E_OK;
}

/// Encodes one piece and sends it. `full` once TOP has enough.
FIB static enum ec send_piece(
	struct cx *cx, struct pop3 *p, struct dotstuff *d, struct sl piece, uint8_t *stuffed, bool *full)
{
	enum ec e = E_OK;

	while (e == E_OK && piece.n && !*full) {
		struct dotstuff_step step = dotstuff_feed(d, piece, stuffed, STUFFED);
		piece = sl_from(piece, step.consumed);
		*full = step.full;
		cx_deadline_in(cx, POP3_IDLE_MS);
		e = io_put(cx, p->io, (struct sl){ stuffed, step.written });
	}
	return e;
}

/// Sends a message whose first piece is here. A failure in the middle ends the session: an end line would make the
/// client believe that it has all of it. What RETR sends was looked at before, so that a damaged message costs a client
/// that goes through all of them this one alone, and not the session and with it each time all that follow.
FIB static enum ec send_message(struct cx *cx, struct pop3 *p, uint32_t index, struct dotstuff *d, struct sl piece)
{
	uint32_t octets = p->drop.msg[index].octets, sent = 0;
	uint8_t *stuffed = malloc(STUFFED), end[DOTSTUFF_END_MAX];
	bool full = false;
	enum ec e = stuffed ? E_OK : fail(cx, E_TEMP, "no memory to send a message");

	while (e == E_OK) {
		e = send_piece(cx, p, d, piece, stuffed, &full);
		sent += (uint32_t)piece.n;
		if (e != E_OK || full || sent == octets)
			break;
		e = read_piece(cx, p, index, sent, &piece);
		if (e != E_OK)
			log_failure(cx, LOG_WARN, "pop3.retr.failed", e);
	}
	free(stuffed);
	if (e == E_OK)
		e = io_put(cx, p->io, (struct sl){ end, dotstuff_finish(d, end) });
	return e;
}

/// What RETR (the whole message) and TOP share. out: *sent.
FIB static enum ec answer_message(
	struct cx *cx, struct pop3 *p, const struct pop3_command *c, struct dotstuff d, bool whole, bool *sent)
{
	uint32_t index;
	struct sl piece = { 0 };

	if (!pop3_message(p, c->msg, &index))
		return pop3_err(cx, p, (struct pop3_words){ NULL, "No such message" });
	enum ec e = first_piece(cx, p, index, whole, &piece);
	if (e != E_OK) {
		log_failure(cx, LOG_WARN, "pop3.retr.failed", e);
		return pop3_err(cx, p, pop3_words(e));
	}
	p->next = index + 1;
	struct holder held = { 0 };
	holder_begin(cx, &p->s->front->holders, &held, p->io);
	e = pop3_ok(cx, p, "%u octets", p->drop.msg[index].octets);
	if (e == E_OK)
		e = send_message(cx, p, index, &d, piece);
	holder_end(&held);
	*sent = e == E_OK;
	return e;
}

/// source: RFC 1939 §5.
FIB enum ec pop3_do_retr(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	bool sent = false;
	enum ec e = answer_message(cx, p, c, dotstuff_start(), true, &sent);

	if (sent)
		p->drop.mark[c->msg - 1] |= DROP_RETRIEVED;
	return e;
}

/// source: RFC 1939 §7.
FIB enum ec pop3_do_top(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	bool sent = false;

	return answer_message(cx, p, c, dotstuff_start_top(c->lines), false, &sent);
}
