/// body — chunks filled one after the other.
///
///   first chunk: | headroom, filled from its end | octets … |      later ones: | octets … |
///
/// A chunk's range names its filled part; what room is left behind it follows from the chunk's end.
#include "front/smtp/body.h"

#include <assert.h>
#include <string.h>

struct body body_start(struct client *store)
{
	return (struct body){ .store = store };
}

/// Octets of the chunk behind its filled part.
static size_t left_of(struct range r)
{
	uint32_t end = r.off / CHUNK_OCTETS * CHUNK_OCTETS + CHUNK_OCTETS;

	return end - (r.off + r.len);
}

static bool last_is_full(const struct body *b)
{
	return b->n > 0 && left_of(b->chunk[b->n - 1]) < BODY_ROOM_MIN;
}

FIB enum ec body_room(struct cx *cx, struct body *b, uint8_t **p, size_t *room)
{
	struct chunks *arena = client_chunks(b->store);

	if (b->n == 0 || last_is_full(b)) {
		assert(b->n < BODY_CHUNKS);
		struct range r;
		enum ec e = chunks_take(cx, arena, &r);
		if (e != E_OK)
			return e;
		uint32_t skip = b->n == 0 && !b->uploading ? BODY_HEADROOM : 0;
		b->chunk[b->n++] = (struct range){ r.off + skip, 0 };
	}
	struct range *last = &b->chunk[b->n - 1];
	*p = chunks_at(arena, *last) + last->len;
	*room = left_of(*last);
	return E_OK;
}

void body_took(struct body *b, size_t n)
{
	assert(b->n > 0 && n <= left_of(b->chunk[b->n - 1]));
	b->chunk[b->n - 1].len += (uint32_t)n;
}

bool body_is_full(const struct body *b)
{
	struct chunks *arena = client_chunks(b->store);

	if (!last_is_full(b))
		return false;
	// Where the arena runs low, full chunks go to the store at once: a sender that waited for another chunk while
	// it holds some could wait for one that waits for it.
	return b->n == BODY_CHUNKS || chunks_used(arena) >= chunks_octets(arena) / CHUNK_OCTETS / 4 * 3;
}

struct sl body_head(const struct body *b, bool *whole)
{
	*whole = b->n <= 1 && !b->uploading;
	if (b->uploading || b->n == 0)
		return SL("");
	return (struct sl){ chunks_at(client_chunks(b->store), b->chunk[0]), b->chunk[0].len };
}

FIB enum ec body_put_front(struct cx *cx, struct body *b, struct sl text)
{
	uint8_t *p;
	size_t room;

	assert(!b->uploading && !b->fronted);
	if (text.n > BODY_HEADROOM)
		return fail(cx, E_TOOBIG, "a trace header of %zu octets", text.n);
	enum ec e = b->n ? E_OK : body_room(cx, b, &p, &room);
	if (e != E_OK)
		return e;
	b->chunk[0].off -= (uint32_t)text.n;
	b->chunk[0].len += (uint32_t)text.n;
	memcpy(chunks_at(client_chunks(b->store), b->chunk[0]), text.p, text.n);
	b->fronted = true;
	return E_OK;
}

static void chunks_back(struct body *b, unsigned keep)
{
	while (b->n > keep)
		chunks_give(client_chunks(b->store), b->chunk[--b->n]);
}

FIB enum ec body_push(struct cx *cx, struct body *b)
{
	struct req_upload_add req = { .body.n = b->n };
	struct ans_upload_add ans;

	if (!b->uploading) {
		struct req_upload_begin begin = { 0 };
		struct ans_upload_begin begun;
		enum ec e = call_upload_begin(cx, b->store, &begin, &begun);
		if (e != E_OK)
			return e;
		b->upload = begun.upload;
		b->uploading = true;
	}
	memcpy(req.body.r, b->chunk, b->n * sizeof *b->chunk);
	req.upload = b->upload;
	enum ec e = call_upload_add(cx, b->store, &req, &ans);
	if (e != E_OK)
		return e;
	chunks_back(b, 1);
	if (b->n)
		b->chunk[0] = (struct range){ b->chunk[0].off / CHUNK_OCTETS * CHUNK_OCTETS, 0 };
	return E_OK;
}

FIB enum ec body_finish(struct cx *cx, struct body *b, struct range *ranges, uint32_t *n, uint64_t *upload)
{
	enum ec e = E_OK;

	if (b->uploading && b->n && b->chunk[0].len)
		e = body_push(cx, b);
	if (e != E_OK)
		return e;
	*upload = b->uploading ? b->upload : 0;
	*n = b->uploading ? 0 : b->n;
	memcpy(ranges, b->chunk, *n * sizeof *ranges);
	return E_OK;
}

FIB void body_fail(struct cx *cx, struct body *b, enum ec e)
{
	body_drop(cx, b);
	if (b->err == E_OK)
		b->err = e;
}

FIB void body_drop(struct cx *cx, struct body *b)
{
	if (!b->store)
		return;
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

void body_upload_used(struct body *b)
{
	b->uploading = false;
	b->upload = 0;
}
