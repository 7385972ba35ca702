/// walk — checked reading of batches, and finding the way again behind damage.
#include "store/walk.h"

#include <string.h>

#include "base/num.h"

/// Whether a commit's or an image's payload is what its header says, and its operations are well formed.
static bool commit_proves(const struct rec *r, struct sl payload)
{
	struct sl ops = sl_head(payload, payload.n - r->outcome);
	struct op o;
	enum ec e;

	if (crc32c(0, payload) != r->crc)
		return false;
	while ((e = op_next(&ops, &o)) == E_OK)
		;
	return e == E_NOTFOUND;
}

/// Reads the record at `at`, which must end at `limit` or before, and checks its payload (a body only where `body`).
/// errors: E_CORRUPT, E_UNSUPPORTED, E_IO, E_TEMP.
static enum ec read_rec(
	struct cx *cx, struct walk *w, uint64_t at, uint64_t limit, bool body, struct rec *r, struct sl *payload)
{
	*payload = (struct sl){ 0 };
	*r = (struct rec){ 0 }; // of no type, until its header proves itself
	if (at > limit || limit - at < REC_HEAD)
		return E_CORRUPT;
	enum ec e = segfile_rec(cx, w->f, at, r);
	if (e == E_OK && r->octets > limit - at - REC_HEAD)
		e = E_CORRUPT;
	if (e == E_OK && (r->type == REC_COMMIT || r->type == REC_IMAGE)) {
		e = segfile_at(cx, w->f, at + REC_HEAD, r->octets, payload);
		if (e == E_OK && !commit_proves(r, *payload))
			e = E_CORRUPT;
	} else if (e == E_OK && r->type == REC_BLOB && body) {
		e = segfile_body(cx, w->f, r);
	}
	return e == E_RANGE ? E_CORRUPT : e;
}

/// BEGIN as it must be at w->pos.
static enum ec read_begin(struct cx *cx, struct walk *w, struct rec *begin)
{
	struct sl none;
	enum ec e = read_rec(cx, w, w->pos.at, w->limit, false, begin, &none);

	if (e == E_OK && begin->type == REC_SEAL && begin->lsn == w->pos.lsn && begin->arg[SEAL_CHAIN] == w->pos.chain)
		return E_NOTFOUND;
	if (e == E_OK &&
		(begin->type != REC_BEGIN || begin->lsn != w->pos.lsn + 1 || begin->arg[BEGIN_CHAIN] != w->pos.chain ||
			begin->arg[BEGIN_OCTETS] < 2 * REC_HEAD || begin->arg[BEGIN_OCTETS] > w->limit - w->pos.at))
		e = E_CORRUPT;
	return e;
}

enum ec walk_batch(struct cx *cx, struct walk *w, struct journal_pos *next)
{
	struct rec begin = { 0 }, r = { 0 };
	struct sl payload;

	if (w->pos.at >= w->limit)
		return E_NOTFOUND;
	enum ec e = read_begin(cx, w, &begin);
	if (e)
		return e;
	uint64_t end = w->pos.at + begin.arg[BEGIN_OCTETS], at = w->pos.at + REC_HEAD;
	uint64_t chain = w->pos.chain, records = 0;
	bool bodies = begin.lsn >= w->bodies_from;
	while ((e = read_rec(cx, w, at, end, bodies, &r, &payload)) == E_OK && r.lsn == begin.lsn) {
		at += REC_HEAD + r.octets;
		if (r.type != REC_COMMIT && r.type != REC_BLOB && r.type != REC_BULK && r.type != REC_IMAGE)
			break;
		chain = chain_next(chain, r.check);
		records++;
	}
	if (e)
		return e;
	chain = chain_next(chain, begin.check);
	if (r.type != REC_END || r.lsn != begin.lsn || at != end || r.arg[END_CHAIN] != chain ||
		r.arg[END_OCTETS] != begin.arg[BEGIN_OCTETS] || r.arg[END_RECORDS] != records)
		return E_CORRUPT;
	*next = (struct journal_pos){ w->pos.segment, end, begin.lsn, chain };
	return E_OK;
}

/// What was allocated and not written yet is most of a segment, and is passed over as fast as it is read.
static bool is_zero(struct sl s)
{
	return s.n == 0 || (s.p[0] == 0 && memcmp(s.p, s.p + 1, s.n - 1) == 0);
}

/// Where the next octet in [from, to) stands that could be the type of a record header; `to` where there is none.
static enum ec next_candidate(struct cx *cx, struct walk *w, uint64_t from, uint64_t to, uint64_t *found)
{
	enum { TYPE_AT = 8, STEP = 64 << 10 };

	for (uint64_t at = from; at + REC_HEAD <= to;) {
		size_t n = (size_t)(to - at < STEP ? to - at : STEP);
		struct sl in;
		enum ec e = segfile_at(cx, w->f, at, n, &in);
		if (e)
			return e == E_RANGE ? E_NOTFOUND : e;
		for (size_t i = is_zero(in) ? n : 0; i + REC_HEAD <= n; i++)
			if (rec_type_known(in.p[i + TYPE_AT]) && get_le32(in.p + i + 24) == at + i) {
				*found = at + i;
				return E_OK;
			}
		at += n - REC_HEAD + 1;
	}
	*found = to;
	return E_OK;
}

enum ec walk_records(struct cx *cx, struct walk *w, uint64_t from, uint64_t to, uint64_t lsn_from, walk_each *each,
	void *arg, uint64_t *bad)
{
	struct rec r;
	struct sl payload;

	for (uint64_t at = from; at + REC_HEAD <= to;) {
		enum ec e = read_rec(cx, w, at, to, false, &r, &payload);
		if (e == E_OK && r.lsn >= lsn_from) {
			e = each(cx, arg, &r, payload);
			if (e)
				return e;
			at += REC_HEAD + r.octets;
			continue;
		}
		if (e != E_OK && e != E_CORRUPT)
			return e;
		++*bad;
		e = w->lost && r.type == REC_COMMIT && r.lsn >= lsn_from ? w->lost(cx, arg, &r) : E_OK;
		if (e)
			return e;
		e = next_candidate(cx, w, at + 1, to, &at);
		if (e)
			return e == E_NOTFOUND ? E_OK : e;
	}
	return E_OK;
}

/// The next BEGIN of batch `lsn` or a later one, or (seal_too) the next SEAL.
static enum ec find_mark(struct cx *cx, struct walk *w, uint64_t from, uint64_t lsn, bool seal_too, struct rec *out)
{
	uint64_t to = w->limit < w->f->size ? w->limit : w->f->size;

	for (uint64_t at = from; at + REC_HEAD <= to; at++) {
		enum ec e = next_candidate(cx, w, at, to, &at);
		if (e || at == to)
			return e ? e : E_NOTFOUND;
		e = segfile_rec(cx, w->f, at, out);
		if (e == E_OK && ((out->type == REC_BEGIN && out->lsn >= lsn) || (seal_too && out->type == REC_SEAL)))
			return E_OK;
		if (e == E_IO || e == E_TEMP)
			return e;
	}
	return E_NOTFOUND;
}

enum ec walk_find_begin(struct cx *cx, struct walk *w, uint64_t from, uint64_t lsn, struct rec *out)
{
	return find_mark(cx, w, from, lsn, false, out);
}

enum ec walk_durable(struct cx *cx, struct walk *w, uint64_t *lsn)
{
	uint64_t at = w->pos.at, best = 0;
	struct rec r;
	enum ec e = E_OK;

	while (at + REC_HEAD <= w->limit) {
		e = segfile_rec(cx, w->f, at, &r);
		if (e != E_OK || (r.type != REC_BEGIN && r.type != REC_SEAL)) // damaged, and what is behind it is not
			e = find_mark(cx, w, at, 0, true, &r);
		if (e == E_OK && r.type == REC_SEAL)
			best = r.lsn > best ? r.lsn : best;
		if (e || r.type == REC_SEAL)
			break;
		best = r.arg[BEGIN_DURABLE] > best ? r.arg[BEGIN_DURABLE] : best;
		at = r.at + (r.arg[BEGIN_OCTETS] < 2 * REC_HEAD ? REC_HEAD : r.arg[BEGIN_OCTETS]);
	}
	if (e == E_IO || e == E_TEMP)
		return e;
	*lsn = best;
	return E_OK;
}
