/// body — reading bodies: from the segment where they were born, or from the pack that compaction made of it.
///
/// Every octet that is given out was checked against the table from its delivery: where a part is asked for, the
/// pieces of 64 KiB at its ends are read whole. Compressed bodies are our own compressor's work under a checksum with a
/// key, so the store may take them apart.
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/num.h"
#include "store/body.h"
#include "store/engine.h"

enum { READ_IOV_MAX = 64, OPEN_TRIES = 4 };

/// Where the walk over octets that were read stands: each piece is compared with the table at its end.
struct verify {
	const uint8_t *table;
	uint64_t pos, body; // `pos` is where a piece begins at first
	uint32_t crc;
};

static bool verify_part(struct verify *v, struct sl octets)
{
	while (octets.n) {
		uint64_t piece = v->pos / PIECE_OCTETS;
		uint64_t end = (piece + 1) * PIECE_OCTETS < v->body ? (piece + 1) * PIECE_OCTETS : v->body;
		size_t n = min_size(octets.n, (size_t)(end - v->pos));
		if (v->pos % PIECE_OCTETS == 0)
			v->crc = 0;
		v->crc = crc32c(v->crc, sl_head(octets, n));
		v->pos += n;
		octets = sl_from(octets, n);
		if (v->pos == end && v->crc != get_le32(v->table + piece * 4))
			return false;
	}
	return true;
}

/// Reads header, asked octets and table; a body that is read whole takes one system call.
static enum ec read_record(struct cx *cx, const struct segfile *f, uint64_t at, struct iovec *iov, size_t n,
	uint64_t off, uint64_t asked, uint64_t body)
{
	if (off == 0 && asked == body)
		return disk_read(cx, f->fd, iov, n, at);
	struct iovec head = iov[0], table = iov[n - 1];
	enum ec e = disk_read(cx, f->fd, &head, 1, at);
	if (e == E_OK)
		e = disk_read(cx, f->fd, iov + 1, n - 2, at + REC_HEAD + off);
	return e ? e : disk_read(cx, f->fd, &table, 1, at + REC_HEAD + body);
}

struct reading {
	struct segfile *f;
	struct body_ref ref;
	uint64_t at, off, asked;
	const struct iovec *iov;
	int n;
	uint8_t head[REC_HEAD];
	uint8_t *table;
};

/// Whether this is the header of the body that is asked for.
static bool head_proves(const struct reading *r, struct rec *rec)
{
	bool packed = r->f->head.kind == SEG_PACK;

	return rec_decode(&r->f->head.nonce, (struct sl){ r->head, REC_HEAD }, r->at, rec) == E_OK &&
	       rec->type == REC_BLOB && rec->arg[BLOB_OCTETS] == r->ref.octets &&
	       rec->arg[BLOB_BIRTH] == (packed ? r->ref.at : 0);
}

/// Checks what was read, which are whole pieces, against the table.
static bool pieces_prove(const struct reading *r, uint64_t from, const struct iovec *iov, size_t n)
{
	struct verify v = { .table = r->table, .pos = from, .body = r->ref.octets };

	for (size_t i = 0; i < n; i++)
		if (!verify_part(&v, (struct sl){ iov[i].iov_base, iov[i].iov_len }))
			return false;
	return true;
}

static enum ec damaged(struct cx *cx, const struct reading *r)
{
	return fail(cx, E_CORRUPT, "damaged body: segment %08x offset %llu (born in %08x)", r->f->head.id,
		(unsigned long long)r->at, (unsigned)(r->ref.at >> 32));
}

/// What is read beside what is asked for, so that it is whole pieces.
struct margins {
	uint64_t from; // where the first piece begins
	size_t before, after;
};

static struct margins margins_of(const struct reading *r)
{
	uint64_t end = r->off + r->asked, piece_end = (end + PIECE_OCTETS - 1) / PIECE_OCTETS * PIECE_OCTETS;
	struct margins m = { .from = r->off };

	if (r->asked == 0)
		return m;
	m.before = (size_t)(r->off % PIECE_OCTETS);
	m.from -= m.before;
	m.after = (size_t)((piece_end < r->ref.octets ? piece_end : r->ref.octets) - end);
	return m;
}

/// in: room — for the margins.
static enum ec read_pieces(struct cx *cx, struct reading *r, const struct margins *m, uint8_t *room)
{
	struct iovec all[READ_IOV_MAX + 4];
	uint32_t table_octets = pieces_octets(r->ref.octets);
	size_t n = 0;
	struct rec rec;

	all[n++] = (struct iovec){ r->head, REC_HEAD };
	all[n++] = (struct iovec){ room, m->before };
	for (int i = 0; i < r->n; i++)
		all[n++] = r->iov[i];
	all[n++] = (struct iovec){ room + m->before, m->after };
	all[n++] = (struct iovec){ r->table, table_octets };
	uint64_t asked = m->before + r->asked + m->after;
	enum ec e = read_record(cx, r->f, r->at, all, n, m->from, asked, r->ref.octets);
	if (e == E_RANGE)
		return fail(cx, E_NOTFOUND, "segment %08x ends before the body at %llu", r->f->head.id,
			(unsigned long long)r->at);
	if (e == E_OK && (!head_proves(r, &rec) || crc32c(0, (struct sl){ r->table, table_octets }) != rec.crc ||
				 !pieces_prove(r, m->from, all + 1, n - 2)))
		return damaged(cx, r);
	return e;
}

static enum ec read_raw(struct cx *cx, struct reading *r)
{
	struct margins m = margins_of(r);
	uint8_t *room = malloc(max_size(1, m.before + m.after));

	if (!room)
		return fail(cx, E_TEMP, "no memory to check a body");
	enum ec e = read_pieces(cx, r, &m, room);
	free(room);
	return e;
}

// ---- compressed

/// Copies what is asked for out of octets [pos, pos + raw.n) of the body.
static void scatter(const struct reading *r, uint64_t pos, struct sl raw)
{
	uint64_t at = r->off; // of the present part of iov in the body

	for (int i = 0; i < r->n; at += r->iov[i].iov_len, i++) {
		uint64_t end = at + r->iov[i].iov_len;
		uint64_t lo = at > pos ? at : pos, hi = end < pos + raw.n ? end : pos + raw.n;
		if (lo < hi)
			memcpy((uint8_t *)r->iov[i].iov_base + (lo - at), raw.p + (lo - pos), (size_t)(hi - lo));
	}
}

/// Takes one frame apart and checks it. in: room — FRAME_OCTETS for it, as many for what comes out.
static enum ec read_frame(
	struct cx *cx, const struct reading *r, uint64_t number, uint64_t from, uint32_t octets, uint8_t *room)
{
	uint64_t pos = number * FRAME_OCTETS;
	size_t want = r->ref.octets - pos < FRAME_OCTETS ? (size_t)(r->ref.octets - pos) : FRAME_OCTETS;
	struct iovec iov = { room, octets };
	struct verify v = { .table = r->table, .pos = pos, .body = r->ref.octets };

	if (octets > FRAME_OCTETS)
		return damaged(cx, r);
	enum ec e = disk_read(cx, r->f->fd, &iov, 1, from);
	if (e)
		return e == E_RANGE ? damaged(cx, r) : e;
	struct sl raw = { room + FRAME_OCTETS, want };
	if (ZSTD_decompress(room + FRAME_OCTETS, want, room, octets) != want || !verify_part(&v, raw))
		return damaged(cx, r);
	scatter(r, pos, raw);
	return E_OK;
}

/// Reads the two tables. in: lengths — room for frames_octets.
static enum ec read_tables(struct cx *cx, const struct reading *r, const struct rec *rec, uint8_t *lengths)
{
	uint32_t frames = frames_octets(r->ref.octets), table = pieces_octets(r->ref.octets);
	struct iovec first = { lengths, frames }, last = { r->table, table };
	uint64_t end = r->at + REC_HEAD + rec->octets;
	enum ec e = disk_read(cx, r->f->fd, &first, 1, r->at + REC_HEAD);

	if (e == E_OK)
		e = disk_read(cx, r->f->fd, &last, 1, end - table);
	if (e == E_RANGE || (e == E_OK && crc32c(crc32c(0, (struct sl){ lengths, frames }),
						  (struct sl){ r->table, table }) != rec->crc))
		return damaged(cx, r);
	return e;
}

/// Frame after frame, as far as they hold what is asked for.
static enum ec read_frames(struct cx *cx, const struct reading *r, const uint8_t *lengths, uint8_t *room)
{
	uint32_t n = frames_octets(r->ref.octets) / 4;
	uint64_t from = r->at + REC_HEAD + 4ull * n;
	enum ec e = E_OK;

	for (uint32_t i = 0; e == E_OK && i < n; i++) {
		uint64_t pos = (uint64_t)i * FRAME_OCTETS;
		uint32_t octets = get_le32(lengths + 4ull * i);
		if (pos < r->off + r->asked && pos + FRAME_OCTETS > r->off)
			e = read_frame(cx, r, i, from, octets, room);
		from += octets;
	}
	return e;
}

static enum ec read_compressed(struct cx *cx, const struct reading *r, const struct rec *rec)
{
	uint32_t frames = frames_octets(r->ref.octets);
	uint8_t *room = malloc(2ull * FRAME_OCTETS + frames);

	if (!room)
		return fail(cx, E_TEMP, "no memory to read a body");
	uint8_t *lengths = room + 2ull * FRAME_OCTETS;
	enum ec e = read_tables(cx, r, rec, lengths);
	if (e == E_OK)
		e = read_frames(cx, r, lengths, room);
	free(room);
	return e;
}

static enum ec read_packed(struct cx *cx, struct reading *r)
{
	struct iovec iov = { r->head, REC_HEAD };
	struct rec rec;
	enum ec e = disk_read(cx, r->f->fd, &iov, 1, r->at);

	if (e == E_RANGE || (e == E_OK && !head_proves(r, &rec)))
		return damaged(cx, r);
	if (e)
		return e;
	return rec.flags & REC_COMPRESSED ? read_compressed(cx, r, &rec) : read_raw(cx, r);
}

// ----

enum ec body_read(struct cx *cx, const struct body_place *place, struct body_ref ref, uint64_t off,
	const struct iovec *iov, int n)
{
	uint8_t small[64]; // tables of bodies up to 1 MiB
	struct reading r = {
		.f = place->f, .at = place->at, .ref = ref, .off = off, .iov = iov, .n = n, .table = small
	};
	uint32_t table_octets = pieces_octets(ref.octets);

	if (n < 0 || n > READ_IOV_MAX)
		return fail(cx, E_RANGE, "%d parts, at most %d", n, READ_IOV_MAX);
	for (int i = 0; i < n; i++)
		if (!num_add(r.asked, iov[i].iov_len, &r.asked))
			return fail(cx, E_RANGE, "too many octets asked for");
	if (off > ref.octets || r.asked > ref.octets - off)
		return fail(cx, E_RANGE, "octets behind the end of the body");
	if (table_octets > sizeof small && !(r.table = malloc(table_octets)))
		return fail(cx, E_TEMP, "no memory for a CRC table");
	enum ec e = r.f->head.kind == SEG_PACK ? read_packed(cx, &r) : read_raw(cx, &r);
	if (r.table != small)
		free(r.table);
	return e;
}

/// Opens the file that has the body now, and finds it there. Give the file back with segcache_put.
static enum ec open_place(struct cx *cx, struct store *s, struct body_ref ref, struct body_place *p)
{
	uint32_t born = (uint32_t)(ref.at >> 32);
	enum ec e = E_NOTFOUND;

	for (int i = 0; i < OPEN_TRIES && e == E_NOTFOUND; i++) // compaction may take it away between the two
		e = segcache_get(cx, &s->cache, places_find(&s->places, born), &p->f);
	if (e)
		return e == E_NOTFOUND ? fail(cx, e, "segment %08x is missing", born) : e;
	p->at = (uint32_t)ref.at;
	if (p->f->head.kind == SEG_PACK)
		e = pack_map_find(cx, p->f->fd, &p->f->map, ref.at, &p->at);
	if (e == E_NOTFOUND)
		e = fail(cx, e, "pack %08x is without the body (born in %08x)", p->f->head.id, born);
	if (e)
		segcache_put(&s->cache, p->f);
	return e;
}

enum ec blob_get(struct cx *cx, struct store *s, struct body_ref ref, uint64_t off, const struct iovec *iov, int n)
{
	struct body_place p;
	enum ec e = open_place(cx, s, ref, &p);

	if (e)
		return e;
	e = body_read(cx, &p, ref, off, iov, n);
	segcache_put(&s->cache, p.f);
	return e;
}

enum ec body_check(struct cx *cx, const struct body_place *place, struct body_ref ref)
{
	size_t step = min_size(ref.octets, BLOB_INLINE_MAX);
	uint8_t *room = malloc(step ? step : 1);
	enum ec e = E_OK;

	if (!room)
		return fail(cx, E_TEMP, "no memory to check a body");
	uint64_t at = 0;
	do {
		struct iovec iov = { room, min_size(step, (size_t)(ref.octets - at)) };
		e = body_read(cx, place, ref, at, &iov, 1);
		at += iov.iov_len;
	} while (e == E_OK && at < ref.octets);
	free(room);
	return e;
}

enum ec blob_check(struct cx *cx, struct store *s, struct body_ref ref)
{
	struct body_place p;
	enum ec e = open_place(cx, s, ref, &p);

	if (e)
		return e;
	e = body_check(cx, &p, ref);
	segcache_put(&s->cache, p.f);
	return e;
}
