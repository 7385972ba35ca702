/// intake — chunks filled one after the other.
///
///   first chunk: | headroom, filled from its end | octets … |      later ones: | octets … |
///
/// A chunk's range names its filled part; what room is left behind it follows from the chunk's end.
#include "front/intake.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "front/front.h"

enum { UPLOAD_TRIES = 50, UPLOAD_TRY_MS = 20 };

struct intake intake_start(struct front *f, struct io *io, uint32_t headroom)
{
	assert(headroom <= INTAKE_HEADROOM);
	return (struct intake){ .store = f->store, .all = &f->holders, .io = io, .headroom = headroom };
}

static struct chunks *arena_of(const struct intake *b)
{
	return client_chunks(b->store);
}

/// Octets of the chunk behind its filled part.
static size_t left_of(struct range r)
{
	uint32_t end = r.off / CHUNK_OCTETS * CHUNK_OCTETS + CHUNK_OCTETS;

	return end - (r.off + r.len);
}

static bool last_is_full(const struct intake *b)
{
	return b->n > 0 && left_of(b->chunk[b->n - 1]) < INTAKE_ROOM_MIN;
}

FIB enum ec intake_room(struct cx *cx, struct intake *b, uint8_t **p, size_t *room)
{
	struct chunks *arena = arena_of(b);

	holder_begin(cx, b->all, &b->held, b->io);
	if (b->n == 0 || last_is_full(b)) {
		assert(b->n < INTAKE_CHUNKS);
		struct range r;
		enum ec e = chunks_take(cx, arena, &r);
		if (e != E_OK)
			return e;
		uint32_t skip = b->n == 0 && !b->uploading ? b->headroom : 0;
		b->chunk[b->n++] = (struct range){ r.off + skip, 0 };
	}
	struct range *last = &b->chunk[b->n - 1];
	*p = chunks_at(arena, *last) + last->len;
	*room = left_of(*last);
	return E_OK;
}

void intake_took(struct intake *b, size_t n)
{
	assert(b->n > 0 && n <= left_of(b->chunk[b->n - 1]));
	b->chunk[b->n - 1].len += (uint32_t)n;
}

bool intake_is_full(const struct intake *b)
{
	struct chunks *arena = arena_of(b);

	if (!last_is_full(b))
		return false;
	// Where half of the arena is used, full chunks go to the store at once: the other half then serves as many
	// senders as it has chunks, and none waits for a chunk while it holds others.
	return b->n == INTAKE_CHUNKS || chunks_used(arena) >= chunks_octets(arena) / CHUNK_OCTETS / 2;
}

struct sl intake_head(const struct intake *b, bool *whole)
{
	*whole = b->n <= 1 && !b->uploading;
	if (b->uploading || b->n == 0)
		return SL("");
	return (struct sl){ chunks_at(arena_of(b), b->chunk[0]), b->chunk[0].len };
}

FIB enum ec intake_put_front(struct cx *cx, struct intake *b, struct sl text)
{
	uint8_t *p;
	size_t room;

	assert(!b->uploading && !b->fronted);
	if (text.n > b->headroom)
		return fail(cx, E_TOOBIG, "a trace header of %zu octets", text.n);
	enum ec e = b->n ? E_OK : intake_room(cx, b, &p, &room);
	if (e != E_OK)
		return e;
	b->chunk[0].off -= (uint32_t)text.n;
	b->chunk[0].len += (uint32_t)text.n;
	memcpy(chunks_at(arena_of(b), b->chunk[0]), text.p, text.n);
	b->fronted = true;
	return E_OK;
}

static void chunks_back(struct intake *b, unsigned keep)
{
	while (b->n > keep)
		chunks_give(arena_of(b), b->chunk[--b->n]);
}

/// One number for each address (IPv4) or network (IPv6 /64): one half of the key is the same for all of its kind.
static uint64_t stranger(const struct io *io)
{
	uint8_t key[16];

	addr_stranger_key(io_peer(io), key);
	return get_be64(key) ^ get_be64(key + 8);
}

/// Begins its upload. Where there are too many, a slow one must go, and its place comes free a little later.
FIB static enum ec begin_upload(struct cx *cx, struct intake *b)
{
	struct req_upload_begin req = { .who = stranger(b->io) };
	struct ans_upload_begin ans;
	enum ec e = E_LIMIT;

	for (int tries = 0; e == E_LIMIT && tries < UPLOAD_TRIES; tries++) {
		e = call_upload_begin(cx, b->store, &req, &ans);
		if (e == E_LIMIT && tries == 0 && !holders_make_room(b->all, true, clock_mono_ns()))
			break;
		if (e == E_LIMIT && fib_sleep(cx, UPLOAD_TRY_MS) != E_OK)
			break;
	}
	if (e == E_OK) {
		b->upload = ans.upload;
		b->uploading = b->held.upload = true;
	}
	return e == E_LIMIT ? fail(cx, E_TEMP, "too many large messages are under way") : e;
}

/// Sends the chunks. Where uploads have taken their share of the disk, a slow one must go; who finds no room then
/// either is told to come again. So is at once who has taken his own share: no other's place would help him.
FIB static enum ec add_chunks(struct cx *cx, struct intake *b)
{
	struct req_upload_add req = { .upload = b->upload, .body.n = b->n };
	struct ans_upload_add ans;
	enum ec e = E_LIMIT;

	memcpy(req.body.r, b->chunk, b->n * sizeof *b->chunk);
	for (int tries = 0; e == E_LIMIT && tries < UPLOAD_TRIES; tries++) {
		e = call_upload_add(cx, b->store, &req, &ans);
		if (e == E_LIMIT && tries == 0 && !holders_make_room(b->all, true, clock_mono_ns()))
			break;
		if (e == E_LIMIT && fib_sleep(cx, UPLOAD_TRY_MS) != E_OK)
			break;
	}
	if (e == E_QUOTA)
		return fail(cx, E_LIMIT, "unfinished messages from that address have taken their share of the disk");
	return e == E_LIMIT ? fail(cx, e, "unfinished messages have taken their share of the disk") : e;
}

FIB enum ec intake_push(struct cx *cx, struct intake *b)
{
	enum ec e = b->uploading ? E_OK : begin_upload(cx, b);

	if (e == E_OK)
		e = add_chunks(cx, b);
	if (e == E_FULL)
		holders_make_room(b->all, true, clock_mono_ns()); // what the slowest has brought so far takes room too
	if (e != E_OK)
		return e;
	chunks_back(b, 1);
	if (b->n)
		b->chunk[0] = (struct range){ b->chunk[0].off / CHUNK_OCTETS * CHUNK_OCTETS, 0 };
	return E_OK;
}

FIB enum ec intake_finish(struct cx *cx, struct intake *b, struct range *ranges, uint32_t *n, uint64_t *upload)
{
	enum ec e = E_OK;

	if (b->uploading && b->n && b->chunk[0].len)
		e = intake_push(cx, b);
	if (e != E_OK)
		return e;
	*upload = b->uploading ? b->upload : 0;
	*n = b->uploading ? 0 : b->n;
	memcpy(ranges, b->chunk, *n * sizeof *ranges);
	return E_OK;
}

FIB void intake_fail(struct cx *cx, struct intake *b, enum ec e)
{
	intake_drop(cx, b);
	if (b->err == E_OK)
		b->err = e;
}

FIB void intake_drop(struct cx *cx, struct intake *b)
{
	if (!b->store)
		return;
	holder_end(&b->held);
	chunks_back(b, 0);
	if (b->uploading) {
		struct req_upload_drop req = { .upload = b->upload };
		struct ans_upload_drop ans;
		if (call_upload_drop(cx, b->store, &req, &ans) != E_OK)
			cx_forget(cx); // uploads end with the connection to the store in any case
	}
	b->uploading = false;
	b->upload = 0;
}

void intake_upload_used(struct intake *b)
{
	b->uploading = false;
	b->upload = 0;
}
