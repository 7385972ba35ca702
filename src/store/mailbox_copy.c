/// mailbox_copy — COPY and MOVE within one account.
///
/// MOVE commits the destination first, with the operation id and how far the source had come, then the source, with
/// an id of its own. A job is all or nothing, so either both are there or none; should an engine without that ever hold
/// only the first, a repetition does the second, and nothing that came later is touched.
#include <stdlib.h>

#include "base/num.h"
#include "store/mailbox_inner.h"
#include "store/operation.h"

/// What the destination's commit remembers.
struct outcome {
	uint32_t uidvalidity, first_uid, count;
	uint64_t dest_modseq;
	uint32_t source_uidnext;
	uint8_t lost_keywords;
	uint64_t source_modseq;
};
enum { OUTCOME_OCTETS = 33, MOVED_OCTETS = 8 };

static void outcome_encode(const struct outcome *r, uint8_t *o)
{
	put_le32(o, r->uidvalidity);
	put_le32(o + 4, r->first_uid);
	put_le32(o + 8, r->count);
	put_le64(o + 12, r->dest_modseq);
	put_le32(o + 20, r->source_uidnext);
	o[24] = r->lost_keywords;
	put_le64(o + 25, r->source_modseq);
}

static void outcome_decode(const uint8_t *o, struct outcome *r)
{
	*r = (struct outcome){ get_le32(o), get_le32(o + 4), get_le32(o + 8), get_le64(o + 12), get_le32(o + 20), o[24],
		get_le64(o + 25) };
}

struct copying {
	struct cx *cx;
	struct txn *t;
	const struct mbox_op *op;
	struct mbox_ref to;
	struct uid_set set;
	bool move;
	struct buf *from;
	struct buf msgs;   // struct mbox_message
	uint64_t keywords; // all that the messages carry
	struct outcome r;
	struct quota_used grown; // by what the destination took
	struct op_id bound, bound_source;
};

static bool collect_row(void *arg, const struct pl_row *row)
{
	struct copying *k = arg;
	struct mbox_message m = { .body = { row->body, row->octets },
		.keywords = row->keywords,
		.date_s = row->date_s,
		.zone_min = row->zone_min,
		.flags = row->flags };

	buf_add(&k->msgs, (struct sl){ (const uint8_t *)&m, sizeof m });
	uids_add(k->from, row->uid);
	k->keywords |= row->keywords;
	return k->msgs.err == E_OK && k->from->err == E_OK;
}

/// Reads the source into private memory.
static enum ec collect(struct copying *k)
{
	struct walk w = { .set = k->set, .expunged_after_s = INT64_MAX };
	struct mbox_head h;
	enum ec e = mbox_head_load(k->cx, txn_view(k->t), mbox_cell(k->op->m), &h);

	if (e == E_OK)
		e = mbox_walk(k->cx, txn_view(k->t), mbox_cell(k->op->m), &h, &w, collect_row, k);
	if (e != E_OK)
		return e;
	k->r.source_uidnext = h.uidnext;
	k->r.source_modseq = h.version;
	k->r.count = (uint32_t)(k->msgs.n / sizeof(struct mbox_message));
	if (k->msgs.err == E_TOOBIG)
		return fail(k->cx, E_LIMIT, "more than %d messages at once", COPY_MAX);
	return k->msgs.err != E_OK ? k->msgs.err : k->from->err;
}

/// Names of the source's keywords in private memory: making one in the destination ends what is borrowed.
struct names {
	uint64_t wanted;
	struct buf text; // entries bit(1) octets(1) name
};
static bool note_name(void *arg, uint8_t bit, struct sl name)
{
	struct names *n = arg;

	if (n->wanted >> bit & 1) {
		buf_addc(&n->text, bit);
		buf_addc(&n->text, (uint8_t)name.n);
		buf_add(&n->text, name);
	}
	return true;
}

/// Which bit of the destination stands for each bit of the source; 0 where it has no room for one more name.
static enum ec map_keywords(struct copying *k, uint64_t map[KEYWORDS_MAX])
{
	struct names n = { k->keywords, BUF(KEYWORDS_MAX * (KEYWORD_OCTETS + 2)) };
	enum ec e = mailbox_keywords(k->cx, txn_view(k->t), k->op->m, note_name, &n);

	if (e == E_OK)
		e = n.text.err;
	for (size_t at = 0; e == E_OK && at + 2 <= n.text.n; at += 2u + n.text.p[at + 1]) {
		struct sl name = { n.text.p + at + 2, n.text.p[at + 1] };
		uint8_t bit;
		e = mailbox_keyword_make(k->cx, k->t, k->to, name, &bit);
		if (e == E_OK)
			map[n.text.p[at]] = UINT64_C(1) << bit;
		if (e == E_LIMIT) { // the copy goes without it (RFC 9051 §6.4.7: SHOULD preserve), and says so
			k->r.lost_keywords++;
			e = E_OK;
		}
	}
	buf_free(&n.text);
	return e;
}

static enum ec translate(struct copying *k)
{
	uint64_t map[KEYWORDS_MAX] = { 0 };

	if (k->keywords == 0 || k->to.mbox == k->op->m.mbox)
		return E_OK;
	enum ec e = map_keywords(k, map);
	for (size_t at = 0; e == E_OK && at < k->msgs.n; at += sizeof(struct mbox_message)) {
		struct mbox_message m;
		uint64_t out = 0;
		memcpy(&m, k->msgs.p + at, sizeof m);
		for (uint64_t in = m.keywords; in; in &= in - 1)
			out |= map[__builtin_ctzll(in)];
		m.keywords = out;
		memcpy(k->msgs.p + at, &m, sizeof m);
	}
	return e;
}

static enum ec commit_dest(struct copying *k)
{
	const struct mbox_message *msg = (const void *)k->msgs.p;
	struct quota_used more = messages_used(msg, k->r.count);
	struct mbox_edit *ed;
	uint8_t o[OUTCOME_OCTETS];
	enum ec e = quota_check(k->cx, k->t, k->op, more, k->move ? QUOTA_NONE : QUOTA_STRICT);

	if (e == E_OK)
		e = translate(k);
	if (e == E_OK)
		e = mbox_edit_begin(k->cx, k->t, k->to, &ed);
	if (e != E_OK)
		return e;
	k->r.uidvalidity = mbox_edit_head(ed)->uidvalidity;
	k->r.first_uid = mbox_edit_head(ed)->uidnext;
	k->r.dest_modseq = mbox_edit_modseq(ed);
	e = append_staged(k->cx, ed, msg, k->r.count, k->op->now_s);
	if (e != E_OK) {
		mbox_edit_abort(ed);
		return e;
	}
	outcome_encode(&k->r, o);
	e = mbox_edit_commit(k->cx, ed, &k->bound, (struct sl){ o, sizeof o });
	if (e == E_OK)
		k->grown = more;
	return e;
}

/// Takes what was copied out of the source: what is in the set and was there when the destination was committed.
static enum ec commit_source(struct copying *k, uint64_t *modseq)
{
	struct expunge_plan plan = { k->op->m, k->set, true, k->r.source_uidnext, k->op->now_s };
	struct mbox_edit *ed;
	uint8_t o[MOVED_OCTETS];
	uint32_t count;
	enum ec e = mbox_edit_begin(k->cx, k->t, k->op->m, &ed);

	if (e != E_OK)
		return e;
	uint64_t octets = mbox_edit_head(ed)->octets, made = mbox_edit_modseq(ed);
	buf_clear(k->from);
	e = expunge_staged(k->cx, txn_view(k->t), ed, &plan, k->from, &count);
	if (e != E_OK) {
		mbox_edit_abort(ed);
		return e;
	}
	octets -= mbox_edit_head(ed)->octets;
	put_le64(o, made);
	e = mbox_edit_commit(k->cx, ed, &k->bound_source, (struct sl){ o, sizeof o });
	if (e == E_OK) {
		quota_add(k->op->quota, k->op->m.account, -(int64_t)octets, -(int64_t)count);
		*modseq = made;
	}
	return e;
}

static enum ec move_source(struct copying *k, uint64_t *modseq)
{
	struct sl seen;
	uint32_t count;
	enum ec e = op_earlier(k->cx, k->t, &k->bound_source, MOVED_OCTETS, &seen);

	if (e == E_NOTFOUND)
		return commit_source(k, modseq);
	if (e != E_OK)
		return e;
	*modseq = get_le64(seen.p);
	return gone_at(k->cx, txn_view(k->t), &(struct gone_query){ k->op->m, k->set, *modseq }, k->from, &count);
}

static bool collect_uid(void *arg, const struct pl_row *row)
{
	struct copying *k = arg;

	if (!row->expunged || row->modseq > k->r.source_modseq)
		uids_add(k->from, row->uid);
	return k->from->err == E_OK;
}

/// A repeated COPY: the source UIDs again, with those expunged since; later arrivals are not among them.
static enum ec copied_before(struct copying *k)
{
	struct walk w = { .set = k->set, .expunged_after_s = 0 };
	struct mbox_head h;
	enum ec e = mbox_head_load(k->cx, txn_view(k->t), mbox_cell(k->op->m), &h);

	if (e == E_OK && h.uidnext > k->r.source_uidnext)
		h.uidnext = k->r.source_uidnext;
	if (e == E_OK)
		e = mbox_walk(k->cx, txn_view(k->t), mbox_cell(k->op->m), &h, &w, collect_uid, k);
	return e == E_OK ? k->from->err : e;
}

static enum ec copy_run(struct copying *k, uint64_t *modseq)
{
	struct sl seen;
	enum ec e = op_earlier(k->cx, k->t, &k->bound, OUTCOME_OCTETS, &seen);

	if (e == E_OK) {
		outcome_decode(seen.p, &k->r);
		*modseq = k->r.dest_modseq;
		return k->move ? move_source(k, modseq) : copied_before(k);
	}
	if (e != E_NOTFOUND)
		return e;
	e = collect(k);
	if (e == E_OK && k->r.count == 0) {
		struct mbox_head h; // nothing to do; the destination must exist all the same
		e = mbox_head_load(k->cx, txn_view(k->t), mbox_cell(k->to), &h);
		k->r.uidvalidity = h.uidvalidity;
		*modseq = 0;
		return e;
	}
	if (e == E_OK)
		e = commit_dest(k);
	*modseq = k->r.dest_modseq;
	return e == E_OK && k->move ? move_source(k, modseq) : e;
}

enum ec mailbox_copy(struct cx *cx, struct txn *t, const struct mbox_op *op, uint64_t to, struct uid_set set, bool move,
	struct buf *from, struct copy_result *out)
{
	struct mbox_ref dest = { op->m.account, to };
	struct copying k = { .cx = cx,
		.t = t,
		.op = op,
		.to = dest,
		.set = set,
		.move = move,
		.from = from,
		.msgs = BUF((size_t)COPY_MAX * sizeof(struct mbox_message)),
		.bound = op_bind(&op->op, OP_COPY, mbox_cell(dest)),
		.bound_source = op_bind(&op->op, OP_MOVE_SOURCE, mbox_cell(op->m)) };
	uint64_t modseq = 0;
	enum ec e = copy_run(&k, &modseq);

	if (e == E_OK && k.grown.messages) // only now can nothing fail any more
		quota_add(op->quota, op->m.account, (int64_t)k.grown.octets, (int64_t)k.grown.messages);
	if (e == E_OK)
		*out = (struct copy_result){ k.r.uidvalidity, k.r.first_uid, k.r.count, k.r.lost_keywords, modseq };
	buf_free(&k.msgs);
	return e;
}
