/// section — see the header.
#include "store/section.h"

#include <string.h>

#include "base/num.h"

/// One section under way.
struct section {
	struct section_maker *m;
	struct segfile *from; // the segment's file, or the pack that has it now
	uint32_t id;
	bool oldest;     // no segment of the log is before it
	uint64_t needed; // octets of records, where they are only counted
};

/// What the index says of the record's cell now.
static enum ec row_of(struct cx *cx, struct store *s, const struct rec *r, struct cell_row *row)
{
	struct cell_id id = { r->arg[COMMIT_ACCOUNT], r->arg[COMMIT_NAME] };
	struct itxn *t;
	struct sl head;
	enum ec e = index_read(cx, s->index, &t);

	if (e)
		return e;
	e = cell_row_get(cx, t, id, row, &head);
	itxn_abort(t);
	return e;
}

/// A recent one is needed as long as its outcome may be asked for, and then what drops its cell, too.
static bool is_needed_commit(
	const struct section *se, const struct rec *r, struct sl payload, const struct cell_row *row)
{
	bool recent = r->time_s + OPERATION_KEPT_S >= se->m->now_s, drop = ops_drop(payload);

	if (recent && (drop || op_is_set(&r->op)))
		return true;
	return row->version ? r->arg[COMMIT_VERSION] > row->image : drop && !se->oldest;
}

static enum ec is_needed(struct cx *cx, const struct section *se, const struct rec *r, struct sl payload, bool *out)
{
	struct cell_row row = { 0 };
	uint32_t bulk = (uint32_t)(r->arg[BULK_AT] >> 32);
	enum ec e = r->type == REC_COMMIT || r->type == REC_IMAGE ? row_of(cx, se->m->s, r, &row) : E_OK;

	*out = false;
	if (r->type == REC_COMMIT)
		*out = is_needed_commit(se, r, payload, &row);
	else if (r->type == REC_IMAGE)
		*out = row.version && image_sums_get(r).first == row.image;
	else if (r->type == REC_BULK)
		*out = !seg_list_packed(se->m->segs, bulk) && places_find(&se->m->s->places, bulk) == bulk;
	return e;
}

static enum ec carry(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	const struct section *se = arg;
	bool needed = false;
	enum ec e = is_needed(cx, se, r, payload, &needed);

	return e == E_OK && needed ? pack_record(cx, se->m->pack, r, payload) : e;
}

static enum ec count(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct section *se = arg;
	bool needed = false;
	enum ec e = is_needed(cx, se, r, payload, &needed);

	se->needed += needed ? REC_HEAD + r->octets : 0;
	return e;
}

/// Goes over the records that are no bodies, of a file of its own or of the pack that has them now.
static enum ec walk_section(struct cx *cx, struct section *se, const struct seg_info *info, walk_each *each)
{
	uint64_t from = SEG_DATA, to = info->limit < se->from->size ? info->limit : se->from->size, bad = 0;

	if (info->head.kind != SEG_LOG)
		return E_OK;
	if (info->pack) {
		from = info->section.from;
		to = info->section.to;
	}
	struct walk w = { .f = se->from, .limit = to };
	enum ec e = walk_records(cx, &w, from, to, 0, each, se, &bad);
	return e == E_OK && bad ? fail(cx, E_CORRUPT, "segment %08x is damaged", se->id) : e;
}

/// Where the marked bodies of a segment begin.
static size_t first_body(const struct marked *all, size_t n, uint64_t at)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (all[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum ec carry_body(struct cx *cx, struct section *se, const struct marked *b)
{
	uint64_t at = (uint32_t)b->at;
	struct rec r = { 0 };
	enum ec e =
		se->from->head.kind == SEG_PACK ? pack_map_find(cx, se->from->fd, &se->from->map, b->at, &at) : E_OK;

	se->from->unread |= e == E_IO;
	if (e == E_OK)
		e = segfile_rec(cx, se->from, at, &r);
	if (e == E_OK && (r.type != REC_BLOB || r.arg[BLOB_OCTETS] != b->octets))
		e = E_CORRUPT;
	if (e == E_OK)
		e = pack_body(cx, se->m->pack, se->from, &r, b->at);
	if (e == E_NOTFOUND || e == E_RANGE || e == E_CORRUPT)
		return fail(cx, E_CORRUPT, "the body at %08x/%u does not prove itself", se->id, (unsigned)b->at);
	return e;
}

static enum ec carry_bodies(struct cx *cx, struct section *se)
{
	size_t n;
	const struct marked *all = mark_bodies(se->m->mark, &n);
	enum ec e = E_OK;

	for (size_t i = first_body(all, n, (uint64_t)se->id << 32); e == E_OK && i < n && all[i].at >> 32 == se->id;
		i++)
		e = carry_body(cx, se, &all[i]);
	return e;
}

/// A log segment's section says where the log goes on behind it.
static void say_end(const struct seg_list *l, size_t place, struct pack_section *out)
{
	const struct seg_info *next = place + 1 < l->chain_n ? &l->all[l->chain[place + 1]] : NULL;

	out->end = next ? next->head.prev_end : SEG_DATA;
	out->end_lsn = next ? next->head.first_lsn - 1 : out->head.first_lsn - 1;
	out->end_chain = next ? next->head.prev_chain : out->head.prev_chain;
}

/// Whether a stream has its bulk segment between the two, with a file or before it.
static bool is_open_between(const struct buf *open, uint32_t from, uint32_t to)
{
	uint32_t id;

	for (size_t i = 0; i + sizeof id <= open->n; i += sizeof id) {
		memcpy(&id, open->p + i, sizeof id);
		if (from < id && id < to)
			return true;
	}
	return false;
}

/// Whether what stands for `next` may stand for `last`, too: there is nothing between the two.
static bool follows(const struct section_maker *m, const struct pack_section *last, const struct pack_section *next)
{
	const struct seg_list *l = m->segs;

	if (last->head.kind != next->head.kind)
		return false;
	if (next->head.kind == SEG_LOG)
		return next->head.prev == last->head.id && next->head.prev_chain == last->end_chain &&
		       next->head.first_lsn == last->end_lsn + 1;
	if (is_open_between(m->open, last->head.id, next->oldest))
		return false;
	const struct seg_info *i = seg_list_find(l, last->head.id), *end = l->all + l->n;
	for (i = i ? i + 1 : l->all; i < end && i->head.id < next->oldest; i++)
		if (i->head.kind == SEG_BULK && !i->stale)
			return false;
	return true;
}

static enum ec begin(struct cx *cx, struct section *se, const struct pack_section *new)
{
	struct pack *p = se->m->pack;
	const struct pack_section *last = pack_joinable(p);

	if (!last || !follows(se->m, last, new))
		return pack_begin(cx, p, new);
	pack_join(p, new);
	return E_OK;
}

/// The section of a segment whose own file is there.
static struct pack_section first_section(const struct seg_list *l, const struct seg_info *info)
{
	struct pack_section new = { .head = info->head, .oldest = info->head.id };

	if (info->head.kind == SEG_LOG)
		say_end(l, seg_list_place(l, info->head.id), &new);
	return new;
}

static struct section section_of(struct section_maker *m, const struct seg_info *info, struct segfile *from)
{
	return (struct section){
		.m = m,
		.from = from,
		.id = info->head.id,
		.oldest = seg_list_place(m->segs, info->head.id) == 0,
	};
}

/// A segment that cannot be read is as damaged as one that does not prove itself; other failures are not its own.
static enum ec judge(struct cx *cx, const struct section *se, enum ec e)
{
	return e == E_IO && se->from->unread ? wrap(cx, E_CORRUPT, "segment %08x cannot be read", se->id) : e;
}

enum ec section_make(struct cx *cx, struct section_maker *m, const struct seg_info *info, struct segfile *from)
{
	struct section se = section_of(m, info, from);
	struct pack_section new = info->pack ? info->section : first_section(m->segs, info);
	enum ec e = begin(cx, &se, &new);

	if (e == E_OK)
		e = walk_section(cx, &se, info, carry);
	return judge(cx, &se, e ? e : carry_bodies(cx, &se));
}

enum ec section_count(
	struct cx *cx, struct section_maker *m, const struct seg_info *info, struct segfile *from, uint64_t *octets)
{
	struct section se = section_of(m, info, from);
	enum ec e = judge(cx, &se, walk_section(cx, &se, info, count));

	if (e == E_OK)
		*octets += se.needed;
	return e;
}
