/// fetch_body — packing, reading and moving windows.
///
/// The first BODY_SPARE octets of the first chunk hold the sets of bodies_set_seen: it must not wait for another chunk.
#include "front/imap/fetch_body.h"

#include <string.h>

#include "base/num.h"
#include "front/imap/update.h"
#include "mail/header.h"

enum { BODY_SPARE = BODY_BATCH * 2 * sizeof(struct pl_uids) };

/// A place of `octets` for the next message; false where it has to wait for the next request.
FIB static enum ec find_place(
	struct cx *cx, struct chunks *c, struct bodies *b, uint32_t octets, struct range *rest, bool *found)
{
	bool first = b->n_chunks == 0;

	*found = rest->len >= octets && !first;
	if (*found)
		return E_OK;
	if (!first && (b->n_chunks == BODY_CHUNKS || !chunks_any_free(c)))
		return E_OK;
	enum ec e = chunks_take(cx, c, rest);
	if (e != E_OK)
		return e;
	b->chunk[b->n_chunks++] = *rest;
	*found = true;
	if (first)
		*rest = (struct range){ rest->off + BODY_SPARE, rest->len - BODY_SPARE };
	return E_OK;
}

/// Gives as many messages as fit their places. One of which more is wanted than fits is alone, so that a session that
/// waits in its middle, for room or for the client, holds one chunk.
FIB static enum ec pack(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b)
{
	struct range rest = { 0, 0 };

	for (size_t i = 0; i < n && b->n < BODY_BATCH; i++) {
		uint32_t octets = rows[i].octets < head_max ? rows[i].octets : head_max;
		bool found, alone = head_max == CHUNK_OCTETS && rows[i].octets > CHUNK_OCTETS;
		if (alone && i > 0)
			return E_OK;
		enum ec e = find_place(cx, client_chunks(im->store), b, octets, &rest, &found);
		if (e != E_OK)
			return e;
		if (!found)
			return E_OK;
		if (octets > rest.len)
			octets = rest.len;
		b->v[b->n++] = (struct body){ .row = &rows[i], .place = { rest.off, octets } };
		rest.off += octets;
		rest.len -= octets;
		if (alone)
			return E_OK;
	}
	return E_OK;
}

/// What has come into the place. literal = "{" number "}" CRLF *CHAR8; CHAR8 = %x01-ff (RFC 3501 §9), but old senders'
/// mail may hold NUL and is stored as it came: IMAP shows 0x80 in its place, here for everything that is made of a
/// message, so that its size, offsets and parts are the same in all items.
static void take_octets(struct imap *im, struct body *b, uint32_t from, uint32_t n)
{
	uint8_t *p = chunks_at(client_chunks(im->store), b->place);

	b->from = from;
	b->n = n;
	if (!n || !memchr(p, 0, n))
		return;
	for (uint32_t i = 0; i < n; i++)
		p[i] = p[i] ? p[i] : 0x80;
}

/// Notes what the store says of one message.
static void take_got(struct imap *im, struct body *b, uint32_t got)
{
	if (got == READ_GONE)
		b->state = BODY_GONE;
	else if (got != b->place.len)
		b->state = BODY_DAMAGED;
	else
		take_octets(im, b, 0, got);
}

FIB enum ec bodies_ask(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b)
{
	*b = (struct bodies){ .req = { .handle = im->handle, .mbox = im->view->mbox } };
	enum ec e = pack(cx, im, rows, n, head_max, b);
	if (e != E_OK) {
		bodies_give(im, b);
		return e;
	}
	for (size_t i = 0; i < b->n; i++) {
		b->req.uid[i] = b->v[i].row->uid;
		b->req.out.r[i] = b->v[i].place;
	}
	b->req.out.n = (uint32_t)b->n;
	client_ask(im->store, VERB_mbox_read, &b->req, &b->ans, &b->asked);
	return E_OK;
}

FIB void bodies_ask_ahead(struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b)
{
	struct chunks *c = client_chunks(im->store);
	struct cx quiet = { 0 };

	b->n = 0;
	if (n && chunks_used(c) < chunks_octets(c) / CHUNK_OCTETS / 2)
		(void)bodies_ask(&quiet, im, rows, n, head_max, b); // waits for no chunk, so it does not fail
	cx_end(&quiet);
}

FIB enum ec bodies_take(struct cx *cx, struct imap *im, struct bodies *b)
{
	enum ec e = client_answer(cx, im->store, &b->asked);

	if (e != E_OK) {
		bodies_give(im, b);
		return e;
	}
	for (size_t i = 0; i < b->n; i++)
		take_got(im, &b->v[i], b->ans.got[i]);
	return E_OK;
}

FIB void bodies_drop(struct imap *im, struct bodies *b)
{
	struct cx quiet = { 0 };

	if (b->n && bodies_take(&quiet, im, b) == E_OK)
		bodies_give(im, b);
	cx_end(&quiet);
}

FIB enum ec bodies_read(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b)
{
	enum ec e = bodies_ask(cx, im, rows, n, head_max, b);

	return e == E_OK ? bodies_take(cx, im, b) : e;
}

void bodies_give(struct imap *im, struct bodies *b)
{
	for (size_t i = 0; i < b->n_chunks; i++)
		chunks_give(client_chunks(im->store), b->chunk[i]);
	b->n = b->n_chunks = 0;
}

static bool is_unseen(const struct body *b)
{
	return b->state == BODY_HERE && !b->row->expunged && !(b->row->flags & FLAG_SEEN);
}

FIB enum ec bodies_set_seen(struct cx *cx, struct imap *im, struct bodies *b)
{
	struct req_mbox_flags req = { .handle = im->handle,
		.mbox = im->view->mbox,
		.mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
		.unchanged_since = UINT64_MAX };
	struct ans_mbox_flags ans;
	uint32_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct pl_uids one = { b->v[i].row->uid, b->v[i].row->uid };
		if (is_unseen(&b->v[i]))
			memcpy(chunks_at(client_chunks(im->store), b->chunk[0]) + n++ * sizeof one, &one, sizeof one);
	}
	if (n == 0)
		return E_OK;
	client_op(req.op);
	req.set = (struct range){ b->chunk[0].off, n * (uint32_t)sizeof(struct pl_uids) };
	req.out_failed = (struct range){ b->chunk[0].off + BODY_SPARE / 2, BODY_SPARE / 2 };
	enum ec e = call_mbox_flags(cx, im->store, &req, &ans);
	if (e != E_OK)
		return e;
	update_own(im, ans.modseq);
	for (size_t i = 0; i < b->n; i++)
		if (is_unseen(&b->v[i]))
			b->v[i].row->flags |= FLAG_SEEN;
	return E_OK;
}

/// A message that has the first chunk to itself takes the spare octets, too, once it goes on: then its windows are the
/// pieces that the store checks, which otherwise reads two for each.
static void take_chunk(struct body *b, uint32_t *from)
{
	if (b->place.len == CHUNK_OCTETS - BODY_SPARE)
		b->place = (struct range){ b->place.off - BODY_SPARE, CHUNK_OCTETS };
	if (b->place.len == CHUNK_OCTETS)
		*from -= *from % CHUNK_OCTETS;
}

/// Fills the place with the message's octets, so that the one at `from` is among them.
FIB static enum ec move_window(struct cx *cx, struct imap *im, struct body *b, uint32_t from)
{
	struct req_mbox_read req = { .handle = im->handle, .mbox = im->view->mbox };
	struct ans_mbox_read ans;

	take_chunk(b, &from);
	uint32_t left = b->row->octets - from, want = left < b->place.len ? left : b->place.len;
	req.uid[0] = b->row->uid;
	req.offset[0] = from;
	req.out.r[0] = (struct range){ b->place.off, want };
	req.out.n = 1;
	b->n = 0; // nothing, until it is known what is there
	enum ec e = call_mbox_read(cx, im->store, &req, &ans);
	if (e != E_OK)
		return e;
	if (ans.got[0] == READ_GONE)
		return fail(cx, E_NOTFOUND, "message %u was expunged while it was read", b->row->uid);
	if (ans.got[0] != want)
		return fail(cx, E_CORRUPT, "message %u cannot be read at octet %u", b->row->uid, from);
	take_octets(im, b, from, want);
	return E_OK;
}

FIB enum ec body_window(struct cx *cx, struct imap *im, struct body *b, uint32_t from, struct sl *out)
{
	if (from < b->from || from - b->from >= b->n) {
		enum ec e = move_window(cx, im, b, from);
		if (e != E_OK)
			return e;
	}
	uint32_t skip = from - b->from;
	*out = (struct sl){ chunks_at(client_chunks(im->store), b->place) + skip, b->n - skip };
	return E_OK;
}

// ---- looking into a message

/// Parts: 10,000 of them take 4 MiB, a parameter or an address has at least two octets.
static size_t parts_max(uint64_t octets)
{
	return (size_t)(octets < BODY_PARTS_MAX / 32 ? (4 << 20) + 32 * octets : BODY_PARTS_MAX);
}

size_t body_print_max(uint64_t octets)
{
	return (size_t)(octets < BODY_PRINT_MAX / 32 ? (2 << 20) + 32 * octets : BODY_PRINT_MAX);
}

size_t body_work_room(uint64_t octets)
{
	return (size_t)octets + parts_max(octets) + 2 * body_print_max(octets);
}

static uint64_t whole_max(const struct front_conf *conf)
{
	return conf->message_max > BODY_WHOLE_MIN ? conf->message_max : BODY_WHOLE_MIN;
}

size_t body_work_room_most(const struct front_conf *conf)
{
	return body_work_room(whole_max(conf));
}

struct body_work body_work_make(struct imap *im)
{
	struct body_work w = { .octets = BUF((size_t)whole_max(im->s->conf)) };

	arena_init(&w.parts, BODY_PARTS_MAX);
	w.share = (struct room_share){ .room = &im->s->front->room, .account = im->handle.account };
	return w;
}

void body_work_trim(struct body_work *w)
{
	bool copied = w->octets.cap > 0;

	buf_free(&w->octets);
	arena_reset(&w->parts); // keeps a block of 64 KiB at most
	if (!copied)
		return;
	arena_free(&w->parts);
	arena_init(&w->parts, BODY_PARTS_MAX);
}

void body_work_end(struct body_work *w)
{
	buf_free(&w->octets);
	arena_free(&w->parts);
	room_give(&w->share);
}

/// Copies the first `n` octets of the message.
FIB static enum ec copy_octets(struct cx *cx, struct imap *im, struct body *b, uint32_t n, struct body_work *w)
{
	if (n > w->octets.max)
		return fail(cx, E_LIMIT, "message %u is too large to be looked into", b->row->uid);
	enum ec e = room_take(cx, &w->share, body_work_room(n));
	if (e == E_TEMP)
		return imap_refuse(im, wrap(cx, e, "message %u of %u octets", b->row->uid, b->row->octets), "LIMIT",
			"Too much memory is in use for large messages; try again");
	arena_free(&w->parts);
	arena_init(&w->parts, parts_max(n));
	uint8_t *p = e == E_OK ? buf_room(&w->octets, n) : NULL; // all at once, and no more
	if (e == E_OK && !p)
		return fail(cx, E_TEMP, "no memory for message %u of %u octets", b->row->uid, b->row->octets);
	while (e == E_OK && w->octets.n < n) {
		struct sl piece;
		e = body_window(cx, im, b, (uint32_t)w->octets.n, &piece);
		if (e == E_OK)
			buf_add(&w->octets, sl_head(piece, n - w->octets.n));
	}
	return e;
}

/// The first `n` octets of the message in one piece.
FIB static enum ec first_octets(
	struct cx *cx, struct imap *im, struct body *b, uint32_t n, struct body_work *w, struct sl *out)
{
	struct sl here = SL("");
	enum ec e = E_OK;

	if (n > b->place.len) {
		e = copy_octets(cx, im, b, n, w);
		here = buf_sl(&w->octets);
	} else if (n) {
		e = body_window(cx, im, b, 0, &here);
	}
	if (e == E_OK)
		*out = sl_head(here, n);
	return e;
}

FIB enum ec body_whole(struct cx *cx, struct imap *im, struct body *b, struct body_work *w, struct sl *out)
{
	return first_octets(cx, im, b, b->row->octets, w, out);
}

FIB enum ec body_header_end(struct cx *cx, struct imap *im, struct body *b, uint32_t *octets)
{
	struct header_end h = { 0 };
	bool found = false;

	while (!found && h.octets < b->row->octets) {
		struct sl piece;
		enum ec e = body_window(cx, im, b, (uint32_t)h.octets, &piece);
		if (e != E_OK)
			return e;
		found = header_end_feed(&h, piece);
	}
	*octets = (uint32_t)h.octets;
	return E_OK;
}

FIB enum ec body_header(struct cx *cx, struct imap *im, struct body *b, struct body_work *w, struct sl *out)
{
	uint32_t n;
	enum ec e = body_header_end(cx, im, b, &n);

	return e == E_OK ? first_octets(cx, im, b, n, w, out) : e;
}

// ---- sending it

/// What stands in for octets that are lost, `n` in all: the client has been promised their number.
FIB static enum ec send_lost(struct cx *cx, struct imap *im, uint32_t n)
{
	struct sl words = sl_head(SL("\r\n[The server has lost the rest of this message.]\r\n"), n);
	uint8_t blanks[1024];
	enum ec e = io_put(cx, im->io, words);

	memset(blanks, ' ', sizeof blanks);
	for (n -= (uint32_t)words.n; e == E_OK && n;) {
		uint32_t piece = n < sizeof blanks ? n : (uint32_t)sizeof blanks;
		e = io_put(cx, im->io, (struct sl){ blanks, piece });
		n -= piece;
	}
	return e;
}

FIB enum ec body_send(struct cx *cx, struct imap *im, struct body *b, uint32_t from, uint32_t to)
{
	while (from < to) {
		struct sl piece;
		enum ec e = body_window(cx, im, b, from, &piece);
		cx_deadline_in(cx, IMAP_ANSWER_MS);
		if (e == E_CORRUPT) {
			enum ec wire = send_lost(cx, im, to - from);
			return wire ? wire : E_CORRUPT;
		}
		if (e != E_OK)
			return wrap(cx, E_CLOSED, "in the middle of a message");
		piece = sl_head(piece, to - from);
		e = io_put(cx, im->io, piece);
		if (e != E_OK)
			return e;
		from += (uint32_t)piece.n;
	}
	return E_OK;
}
