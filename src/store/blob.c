/// blob — bodies on their way in (any thread) and into a batch; out again they go by body.c.
///
/// Octets are copied to private memory before they are checksummed: a racing peer cannot make a body that does not
/// match its CRCs. A body address names the record header; the body follows it, then the CRC table.
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/engine.h"

enum { BULK_FLUSH_OCTETS = 16 << 20 }; // the sender flushes as often, so that the writer has little left to flush
static const uint64_t body_octets_max = 0xf0000000;

struct blob {
	struct store *s;
	struct buf body;  // all of it, or what waits to be sent to the bulk segment
	struct buf table; // CRCs of complete pieces; after closing of all
	uint64_t octets;
	uint32_t crc; // of the piece under way
	enum ec err;
	bool closed; // no more octets
	struct bulk_file *bulk;
	uint64_t sent, flushed; // octets in the bulk segment
	bool named;             // its bulk record is complete and flushed
	struct body_ref ref;
	uint64_t attempt; // the try to build a batch that `ref` belongs to
	bool finished;    // its record in the bulk segment is complete: the place is never used again
	bool stored;      // that batch is in the log
};

enum ec blob_new(struct cx *cx, struct store *s, struct blob **out)
{
	struct blob *b = calloc(1, sizeof *b);

	if (!b)
		return fail(cx, E_TEMP, "no memory for a body");
	b->s = s;
	b->body = BUF(BLOB_INLINE_MAX);
	b->table = BUF(pieces_octets(UINT32_MAX));
	*out = b;
	return E_OK;
}

/// Sends what is in memory to the bulk segment and now and then flushes it.
static enum ec spill(struct cx *cx, struct blob *b)
{
	struct bulk *bulk = &b->s->bulk;
	enum ec e = b->bulk ? E_OK : bulk_take(cx, bulk, &b->bulk);

	if (e == E_OK && b->body.n)
		e = bulk_write(cx, bulk, b->bulk, buf_sl(&b->body), b->bulk->at + REC_HEAD + b->sent);
	if (e)
		return e;
	b->sent += b->body.n;
	buf_clear(&b->body);
	if (b->sent - b->flushed < BULK_FLUSH_OCTETS)
		return E_OK;
	b->flushed = b->sent;
	return bulk_flush(cx, bulk, b->bulk);
}

/// Copies some of *octets, at most to the end of the piece or of the memory.
static enum ec add_part(struct cx *cx, struct blob *b, struct sl *octets)
{
	bool full = b->body.n == BLOB_INLINE_MAX;
	if (full && store_is_low(b->s)) // each MiB asks anew: the writer looks only when it has work
		return fail(cx, E_FULL, "the disk is down to its reserve");
	enum ec e = full ? spill(cx, b) : E_OK;
	if (e)
		return e;
	size_t n = min_size(octets->n, PIECE_OCTETS - b->octets % PIECE_OCTETS);
	n = min_size(n, BLOB_INLINE_MAX - b->body.n);
	buf_add(&b->body, sl_head(*octets, n));
	if (b->body.err)
		return fail(cx, E_TEMP, "no memory for a body");
	b->crc = crc32c(b->crc, sl_from(buf_sl(&b->body), b->body.n - n)); // of the private copy
	b->octets += n;
	*octets = sl_from(*octets, n);
	if (b->octets % PIECE_OCTETS == 0) {
		uint8_t le[4];
		put_le32(le, b->crc);
		buf_add(&b->table, (struct sl){ le, sizeof le });
		b->crc = 0;
	}
	return b->table.err ? fail(cx, E_TEMP, "no memory for a CRC table") : E_OK;
}

enum ec blob_add(struct cx *cx, struct blob *b, struct sl octets)
{
	if (b->err)
		return fail(cx, b->err, "an earlier failure of this body");
	if (b->closed)
		return fail(cx, E_STATE, "the body is already stored");
	if (octets.n > body_octets_max - b->octets)
		return b->err = fail(cx, E_TOOBIG, "body over %llu octets", (unsigned long long)body_octets_max);
	if (b->body.cap == 0 && !b->bulk && buf_room(&b->body, min_size(octets.n, BLOB_INLINE_MAX)) == NULL)
		return b->err = fail(cx, E_TEMP, "no memory for a body");
	while (octets.n && !b->err)
		b->err = add_part(cx, b, &octets);
	return b->err;
}

enum ec blob_rest(struct cx *cx, struct blob *b)
{
	if (b->err || b->closed)
		return b->err;
	b->err = store_is_low(b->s) ? fail(cx, E_FULL, "the disk is down to its reserve") : spill(cx, b);
	buf_free(&b->body);
	b->body = BUF(BLOB_INLINE_MAX);
	return b->err;
}

uint64_t blob_octets(const struct blob *b)
{
	return b->octets;
}

void blob_free(struct blob *b)
{
	if (!b)
		return;
	if (b->bulk) {
		if (b->finished) // a failed batch may stand in the log and name it
			b->bulk->at += REC_HEAD + b->octets + b->table.n;
		bulk_give(&b->s->bulk, b->bulk, b->err == E_OK); // after a failed write the file is not written again
	}
	buf_free(&b->body);
	buf_free(&b->table);
	free(b);
}

/// Adds the last, incomplete piece's CRC.
static enum ec close_table(struct cx *cx, struct blob *b)
{
	uint8_t le[4];

	if (b->closed)
		return E_OK;
	if (b->octets % PIECE_OCTETS) {
		put_le32(le, b->crc);
		buf_add(&b->table, (struct sl){ le, sizeof le });
	}
	b->closed = true;
	return b->table.err ? fail(cx, E_TEMP, "no memory for a CRC table") : E_OK;
}

/// Completes the record in the bulk segment: the last octets, the table, and then the header.
static enum ec finish_bulk(struct cx *cx, struct blob *b)
{
	uint8_t head[REC_HEAD];
	struct bulk_file *f = b->bulk;
	struct rec r = {
		.type = REC_BLOB,
		.octets = (uint32_t)(b->octets + b->table.n),
		.at = (uint32_t)f->at,
		.crc = crc32c(0, buf_sl(&b->table)),
		.arg = { [BLOB_OCTETS] = b->octets },
	};

	enum ec e = spill(cx, b);
	if (e == E_OK)
		e = bulk_write(cx, &b->s->bulk, f, buf_sl(&b->table), f->at + REC_HEAD + b->octets);
	rec_encode(&f->head.nonce, &r, head);
	if (e == E_OK)
		e = bulk_write(cx, &b->s->bulk, f, (struct sl){ head, sizeof head }, f->at);
	b->finished = e == E_OK;
	return e;
}

/// Whether the present job may put a body of this size.
static enum ec check_put(struct cx *cx, const struct txn *t, const struct blob *b)
{
	if (t->bodies_refused && !t->job->frees)
		return fail(cx, E_FULL, "the disk is down to its reserve");
	if (t->broken)
		return fail(cx, E_TEMP, "this batch cannot be committed");
	return batch_check_room(cx, &t->batch, b->bulk ? 0 : b->octets + pieces_octets((uint32_t)b->octets));
}

enum ec blob_put(struct cx *cx, struct txn *t, struct blob *b, struct body_ref *ref)
{
	if (b->err)
		return fail(cx, b->err, "an earlier failure of this body");
	if (b->stored || b->attempt == t->attempt) {
		*ref = b->ref;
		return E_OK;
	}
	enum ec e = check_put(cx, t, b);
	if (e == E_OK)
		e = close_table(cx, b);
	if (e == E_OK && b->bulk && !b->named)
		e = b->err = finish_bulk(cx, b);
	if (e == E_OK)
		e = txn_note_blob(cx, t, b);
	if (e)
		return e;
	if (b->bulk) {
		b->ref = (struct body_ref){ (uint64_t)b->bulk->head.id << 32 | b->bulk->at, (uint32_t)b->octets };
		e = apply_bulk(cx, t->view.t, b->ref);
		if (e)
			return t->broken = e;
		batch_bulk(&t->batch, b->ref);
	} else {
		b->ref = batch_blob(&t->batch, buf_sl(&b->body), buf_sl(&b->table));
	}
	b->attempt = t->attempt;
	*ref = b->ref;
	return E_OK;
}

enum ec txn_note_blob(struct cx *cx, struct txn *t, struct blob *b)
{
	if (t->blobs_n == t->blobs_cap) {
		size_t cap = t->blobs_cap ? t->blobs_cap * 2 : 64;
		struct blob **more = reallocarray(t->blobs, cap, sizeof(struct blob *));
		if (!more)
			return fail(cx, E_TEMP, "no memory for a body");
		t->blobs = more;
		t->blobs_cap = cap;
	}
	t->blobs[t->blobs_n++] = b;
	return E_OK;
}

enum ec txn_flush_bulk(struct cx *cx, struct txn *t)
{
	for (size_t i = 0; i < t->blobs_n; i++) {
		struct blob *b = t->blobs[i];
		if (!b->bulk || b->named)
			continue;
		b->err = bulk_flush(cx, &t->s->bulk, b->bulk);
		if (b->err)
			return b->err;
		b->named = true;
	}
	return E_OK;
}

void txn_blobs_stored(struct txn *t)
{
	for (size_t i = 0; i < t->blobs_n; i++)
		t->blobs[i]->stored = true;
}
