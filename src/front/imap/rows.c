/// rows — one chunk per request: the set in front, the answer behind it.
#include "front/imap/rows.h"

#include <string.h>

#include "base/num.h"

FIB enum ec set_chunk_take(struct cx *cx, struct imap *im, const struct pl_uids *set, size_t n, struct set_chunk *out)
{
	struct chunks *chunks = client_chunks(im->store);
	struct set_chunk c = { .taken = min_size(n, ROWS_SET_MAX) };
	enum ec e = chunks_take(cx, chunks, &c.chunk);

	if (e != E_OK)
		return e;
	uint32_t octets = (uint32_t)(c.taken * sizeof *set);
	if (octets)
		memcpy(chunks_at(chunks, c.chunk), set, octets);
	c.set = (struct range){ c.chunk.off, octets };
	c.out = (struct range){ c.chunk.off + octets, c.chunk.len - octets };
	*out = c;
	return E_OK;
}

void set_chunk_give(struct imap *im, const struct set_chunk *c)
{
	chunks_give(client_chunks(im->store), c->chunk);
}

void *set_chunk_copy(struct imap *im, const struct set_chunk *c, uint32_t count, size_t size)
{
	void *copy = count <= c->out.len / size ? arena_alloc(&im->cmd, count, size) : NULL;

	if (copy && count)
		memcpy(copy, chunks_at(client_chunks(im->store), c->out), count * size);
	return copy;
}

enum ec set_chunk_uids(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t uids, struct pl_uids **out, size_t *n)
{
	const uint8_t *p = chunks_at(client_chunks(im->store), c->out);
	size_t room = c->out.len / sizeof **out, ranges = 0;
	uint64_t named = 0;
	struct pl_uids r;

	for (; named < uids && ranges < room; ranges++) {
		memcpy(&r, p + ranges * sizeof r, sizeof r);
		if (r.lo == 0 || r.hi < r.lo)
			break;
		named += (uint64_t)r.hi - r.lo + 1;
	}
	if (named != uids)
		return fail(cx, E_CORRUPT, "%u UIDs in an answer's ranges", uids);
	*out = set_chunk_copy(im, c, (uint32_t)ranges, sizeof **out);
	*n = ranges;
	return *out ? E_OK : fail(cx, E_TEMP, "no memory for %zu ranges", ranges);
}

/// How many rows a batch may have: no more than the set has UIDs, nor than a chunk holds.
static size_t batch_max(const struct rows *w)
{
	size_t max = CHUNK_OCTETS / sizeof *w->row, n = 0;

	for (size_t i = 0; i < w->n_set && n < max; i++)
		n = min_size(max, n + w->set[i].hi - w->set[i].lo + 1);
	return n;
}

/// Where the batch goes: taken once, used again for every batch of a walk, and by the next walk where it is enough.
static enum ec batch_room(struct imap *im, struct rows *w)
{
	size_t want = batch_max(w);

	if (w->room >= want)
		return E_OK;
	w->row = arena_alloc(&im->cmd, want, sizeof *w->row);
	w->room = w->row ? want : 0;
	return w->row ? E_OK : E_TEMP;
}

/// Copies the rows of an answer, which has `c` as its range.
static enum ec take_batch(
	struct cx *cx, struct imap *im, struct rows *w, const struct set_chunk *c, uint32_t count, uint32_t next_uid)
{
	if (count > w->room || count > c->out.len / sizeof *w->row || (next_uid && next_uid <= w->from_uid))
		return fail(cx, E_CORRUPT, "%u rows in an answer", count);
	memcpy(w->row, chunks_at(client_chunks(im->store), c->out), count * sizeof *w->row);
	w->n = count;
	w->from_uid = next_uid;
	if (!next_uid)
		w->at += c->taken;
	return E_OK;
}

/// Asks once for rows of the present part of the set.
FIB static enum ec read_batch(struct cx *cx, struct imap *im, struct rows *w)
{
	struct req_mbox_rows req = { .handle = im->handle, .mbox = im->view->mbox };
	struct ans_mbox_rows ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, w->set + w->at, w->n_set - w->at, &c);

	if (e != E_OK)
		return e;
	req.set = c.set;
	req.from_uid = w->from_uid;
	req.changed_since = w->changed_since;
	req.expunged_too = w->expunged_too;
	req.out.n = 1;
	req.out.r[0] = c.out;
	e = call_mbox_rows(cx, im->store, &req, &ans);
	if (e == E_OK)
		e = take_batch(cx, im, w, &c, ans.count, ans.next_uid);
	if (e == E_OK)
		w->modseq = ans.modseq;
	set_chunk_give(im, &c);
	return e;
}

enum ec rows_begin(
	struct cx *cx, struct imap *im, struct rows *w, const struct set_chunk *c, uint32_t count, uint32_t next_uid)
{
	enum ec e = batch_room(im, w);

	w->at = w->from_uid = 0;
	return e == E_OK ? take_batch(cx, im, w, c, count, next_uid) : e;
}

FIB enum ec rows_next(struct cx *cx, struct imap *im, struct rows *w)
{
	enum ec e = batch_room(im, w);

	w->n = 0;
	while (e == E_OK && w->n == 0 && w->at < w->n_set)
		e = read_batch(cx, im, w);
	return e;
}
