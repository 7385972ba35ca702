/// drop — loading INBOX's rows and keeping of each message its UID, its size and two marks: 9 octets.
#include "front/pop3/drop.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ipc/payload.h"

/// A request brings so many rows; each range holds whole ones.
enum { ROWS_PER_CHUNK = CHUNK_OCTETS / sizeof(struct pl_row), CHUNKS_MAX = 4 };

/// Octets that are counted for so many messages.
static size_t counted(uint32_t cap)
{
	size_t octets = cap * (sizeof(struct drop_msg) + 1);

	return octets > ROOM_FREE_OCTETS ? octets : 0;
}

/// Room for n messages in all. errors: E_TEMP; what is there stays.
FIB static enum ec reserve(struct cx *cx, struct drop *d, uint32_t n)
{
	if (n <= d->cap)
		return E_OK;
	uint32_t cap = n < DROP_MAX / 2 && d->cap ? n * 2 : n;
	enum ec e = room_take(cx, &d->share, counted(cap));
	if (e != E_OK)
		return wrap(cx, e, "a list of %u messages", n);
	struct drop_msg *msg = reallocarray(d->msg, cap, sizeof *msg);
	if (msg)
		d->msg = msg;
	uint8_t *mark = msg ? realloc(d->mark, cap) : NULL;
	if (!mark)
		return fail(cx, E_TEMP, "no memory for %u messages", n);
	memset(mark + d->cap, 0, cap - d->cap);
	d->mark = mark;
	d->cap = cap;
	return E_OK;
}

FIB static enum ec take_row(struct cx *cx, struct drop *d, const uint8_t *at)
{
	struct pl_row row;

	memcpy(&row, at, sizeof row);
	if (d->n == DROP_MAX)
		return E_OK;
	if (d->n && row.uid <= d->msg[d->n - 1].uid)
		return E_CORRUPT;
	enum ec e = reserve(cx, d, d->n + 1); // more than were counted before
	if (e != E_OK)
		return e;
	d->msg[d->n++] = (struct drop_msg){ row.uid, row.octets };
	d->octets += row.octets;
	return E_OK;
}

/// Reads all rows through `out`, whose ranges each hold ROWS_PER_CHUNK of them.
FIB static enum ec load_rows(struct cx *cx, struct client *store, struct drop *d, struct req_mbox_rows *req)
{
	struct chunks *arena = client_chunks(store);
	struct ans_mbox_rows ans;
	enum ec e;

	do {
		e = call_mbox_rows(cx, store, req, &ans);
		if (e == E_OK && ans.count > req->out.n * ROWS_PER_CHUNK)
			e = fail(cx, E_CORRUPT, "%u rows came, more than asked for", ans.count);
		for (uint32_t i = 0; e == E_OK && i < ans.count; i++)
			e = take_row(cx, d,
				chunks_at(arena, req->out.r[i / ROWS_PER_CHUNK]) +
					i % ROWS_PER_CHUNK * sizeof(struct pl_row));
		if (e == E_OK && ans.next_uid && ans.next_uid <= req->from_uid)
			e = fail(cx, E_CORRUPT, "rows that do not go on");
		req->from_uid = ans.next_uid;
	} while (e == E_OK && ans.next_uid && d->n < DROP_MAX);
	return e;
}

/// Chunks for the rows, as many as they need and as are free, then the rows.
FIB static enum ec load_through_chunks(
	struct cx *cx, struct client *store, const struct handle *handle, struct drop *d, uint32_t expected)
{
	struct chunks *arena = client_chunks(store);
	struct req_mbox_rows req = { .handle = *handle, .mbox = d->mbox, .all = 1 };
	uint32_t want = (uint32_t)min_size(expected / ROWS_PER_CHUNK + 1, CHUNKS_MAX);
	enum ec e = E_OK;

	while (e == E_OK && req.out.n < want && (req.out.n == 0 || chunks_any_free(arena))) {
		struct range *r = &req.out.r[req.out.n];
		e = chunks_take(cx, arena, r);
		if (e == E_OK) {
			r->len = ROWS_PER_CHUNK * sizeof(struct pl_row);
			req.out.n++;
		}
	}
	if (e == E_OK)
		e = load_rows(cx, store, d, &req);
	while (req.out.n)
		chunks_give(arena, req.out.r[--req.out.n]);
	return e;
}

FIB enum ec drop_load(struct cx *cx, struct client *store, const struct handle *handle, struct drop *d)
{
	struct req_mbox_find find = { .handle = *handle };
	struct ans_mbox_find found;
	struct ans_mbox_status status;
	struct drop fresh = { .share = d->share };

	enum ec e = field_set(find.name, SL("INBOX"));
	if (e == E_OK)
		e = call_mbox_find(cx, store, &find, &found);
	if (e != E_OK)
		return wrap(cx, e, "finding INBOX");
	struct req_mbox_status ask = { .handle = *handle, .mbox = found.mbox };
	e = call_mbox_status(cx, store, &ask, &status);
	if (e != E_OK)
		return wrap(cx, e, "status of INBOX");
	fresh.mbox = found.mbox;
	fresh.uidvalidity = status.uidvalidity;
	e = reserve(cx, &fresh, (uint32_t)min_size(status.messages, DROP_MAX));
	if (e == E_OK)
		e = load_through_chunks(cx, store, handle, &fresh, status.messages);
	if (e != E_OK) {
		drop_free(&fresh);
		return wrap(cx, e, "reading INBOX");
	}
	*d = fresh;
	return E_OK;
}

void drop_free(struct drop *d)
{
	free(d->msg);
	free(d->mark);
	room_give(&d->share);
	*d = (struct drop){ .share = d->share };
}

void drop_delete(struct drop *d, uint32_t index)
{
	d->mark[index] |= DROP_DELETED;
	d->deleted++;
	d->deleted_octets += d->msg[index].octets;
}

void drop_reset(struct drop *d)
{
	if (d->n)
		memset(d->mark, 0, d->n);
	d->deleted = 0;
	d->deleted_octets = 0;
}

uint32_t drop_uids(const struct drop *d, uint8_t mask, uint8_t want, uint32_t *index, void *out, uint32_t room)
{
	struct pl_uids pair = { 0 };
	uint8_t *at = out;
	uint32_t n = 0;

	for (; *index < d->n; ++*index) {
		uint32_t uid = d->msg[*index].uid;
		if ((d->mark[*index] & mask) != want)
			continue;
		if (n && uid == pair.hi + 1) {
			pair.hi = uid;
		} else if (n == room) {
			break;
		} else {
			pair = (struct pl_uids){ uid, uid };
			n++;
		}
		memcpy(at + (n - 1) * sizeof pair, &pair, sizeof pair);
	}
	return n;
}
