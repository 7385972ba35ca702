/// mailbox — what is read of a mailbox, its keywords, and changes within it; COPY and MOVE: mailbox_copy.c.
#include "store/mailbox.h"

#include <stdlib.h>

#include "base/num.h"
#include "store/keys.h"
#include "store/mailbox_inner.h"
#include "store/mbox_edit.h"
#include "store/mbox_rows.h"
#include "store/operation.h"

enum ec uid_set_check(struct uid_set set)
{
	uint32_t after = 0;

	if (set.n > SET_MAX)
		return E_SYNTAX;
	for (uint32_t i = 0; i < set.n; i++) {
		if (set.r[i].lo <= after || set.r[i].hi < set.r[i].lo)
			return E_SYNTAX;
		after = set.r[i].hi;
	}
	return E_OK;
}

bool uid_set_has(struct uid_set set, uint32_t uid)
{
	uint32_t lo = 0, hi = set.n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (set.r[mid].hi < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return set.all || (lo < set.n && set.r[lo].lo <= uid);
}

enum ec mailbox_make(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t uidvalidity)
{
	struct mbox_head h = { .uidvalidity = uidvalidity, .uidnext = 1, .recent_from = 1 };
	struct sl old;
	uint64_t version = 0;
	enum ec e = cell_head(cx, txn_view(t), mbox_cell(m), &version, &old);

	if (e != E_NOTFOUND)
		return e == E_OK ? fail(cx, E_EXISTS, "a mailbox has that id") : e;
	struct change *c = change_begin(t, mbox_cell(m), 0);
	mbox_head_put(c, &h);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

enum ec mailbox_drop(struct cx *cx, struct txn *t, struct mbox_ref m)
{
	uint64_t version;
	struct sl head;
	enum ec e = m.account && m.mbox ? cell_head(cx, txn_view(t), mbox_cell(m), &version, &head) : E_NOTFOUND;

	if (e != E_OK)
		return e == E_NOTFOUND ? E_OK : e;
	struct change *c = change_begin(t, mbox_cell(m), version);
	change_drop(c);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

// ---- reading

/// How many messages are there from `from` on.
static enum ec count_from(
	struct cx *cx, struct view *v, struct cell_id cell, const struct mbox_head *h, uint32_t from, uint32_t *count)
{
	struct summary s;
	uint32_t n = 0;

	for (uint32_t block = from / SUM_UIDS; from < h->uidnext && block <= (h->uidnext - 1) / SUM_UIDS; block++) {
		enum ec e = summary_load(cx, v, cell, block, &s);
		if (e != E_OK)
			return e;
		for (uint32_t g = 0; g < SUM_GROUPS; g++) {
			uint64_t bits = summary_word(&s, SUM_PRESENT, g);
			uint32_t first = block * SUM_UIDS + g * GROUP_UIDS;
			if (first + (GROUP_UIDS - 1) < from)
				continue;
			if (first < from)
				bits &= ~UINT64_C(0) << (from - first);
			n += bits_count(bits);
		}
	}
	*count = n;
	return E_OK;
}

enum ec mailbox_status(struct cx *cx, struct view *v, struct mbox_ref m, struct mbox_status *out)
{
	struct mbox_head h;
	uint32_t recent;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e == E_OK)
		e = count_from(cx, v, mbox_cell(m), &h, h.recent_from, &recent);
	if (e == E_OK)
		*out = (struct mbox_status){ h.uidvalidity, h.uidnext, h.messages, h.unseen, h.deleted, recent,
			h.octets, h.version, h.recent_from };
	return e;
}

enum ec mailbox_first_unseen(struct cx *cx, struct view *v, struct mbox_ref m, uint32_t *uid)
{
	struct mbox_head h;
	struct summary s;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e != E_OK)
		return e;
	for (uint32_t block = 0; h.unseen && block <= (h.uidnext - 1) / SUM_UIDS; block++) {
		e = summary_load(cx, v, mbox_cell(m), block, &s);
		if (e != E_OK)
			return e;
		for (uint32_t g = 0; g < SUM_GROUPS; g++) {
			uint64_t bits = summary_word(&s, SUM_PRESENT, g) & ~summary_word(&s, SUM_SEEN, g);
			if (bits) {
				*uid = block * SUM_UIDS + g * GROUP_UIDS + (uint32_t)__builtin_ctzll(bits);
				return E_OK;
			}
		}
	}
	*uid = 0;
	return E_OK;
}

enum ec mailbox_presence(struct cx *cx, struct view *v, struct mbox_ref m, uint32_t from_block, struct out *out,
	uint32_t *blocks, uint32_t *next)
{
	struct mbox_head h;
	struct summary s;
	uint32_t n = 0, block = from_block;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e != E_OK)
		return e;
	for (; block <= (h.uidnext - 1) / SUM_UIDS; block++) {
		struct pl_presence p = { .block = block };
		e = summary_load(cx, v, mbox_cell(m), block, &s);
		if (e != E_OK)
			return e;
		for (uint32_t g = 0; g < SUM_GROUPS; g++) {
			p.present[g] = summary_word(&s, SUM_PRESENT, g);
			p.count += bits_count(p.present[g]);
		}
		if (p.count && !out_put(out, &p, sizeof p)) {
			*blocks = n;
			*next = block;
			// Block 0 is never what is left to do: a room too small for one block is refused.
			return n == 0 ? fail(cx, E_TOOBIG, "no room for one block") : E_OK;
		}
		n += p.count > 0;
	}
	*blocks = n;
	*next = 0;
	return E_OK;
}

struct rows_put {
	struct out *out;
	uint64_t raise;
	uint32_t count, next_uid;
};
static bool put_row(void *arg, const struct pl_row *row)
{
	struct rows_put *p = arg;
	struct pl_row told = *row;

	told.modseq += p->raise;
	if (!out_put(p->out, &told, sizeof told)) {
		p->next_uid = row->uid;
		return false;
	}
	p->count++;
	return true;
}

enum ec mailbox_rows(struct cx *cx, struct view *v, struct mbox_ref m, const struct rows_query *q, struct out *out,
	uint32_t *count, uint32_t *next_uid)
{
	struct walk w = { q->set, q->from_uid, q->changed_since,
		q->expunged_too ? q->now_s - EXPUNGED_READABLE_S : INT64_MAX };
	struct rows_put put = { .out = out, .raise = q->raise };
	struct mbox_head h;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e == E_OK)
		e = mbox_walk(cx, v, mbox_cell(m), &h, &w, put_row, &put);
	if (e == E_OK) {
		*count = put.count;
		*next_uid = put.next_uid;
	}
	return e;
}

static bool take_row(void *arg, const struct pl_row *row)
{
	*(struct pl_row *)arg = *row;
	return false;
}

enum ec mailbox_row(struct cx *cx, struct view *v, struct mbox_ref m, uint32_t uid, int64_t now_s, struct pl_row *row)
{
	struct pl_uids one = { uid, uid };
	struct walk w = { { &one, 1, false }, 0, 0, now_s - EXPUNGED_READABLE_S };
	struct pl_row found = { 0 };
	struct mbox_head h;
	enum ec e = uid == 0 ? E_NOTFOUND : mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e == E_OK)
		e = mbox_walk(cx, v, mbox_cell(m), &h, &w, take_row, &found);
	if (e == E_OK && found.uid != uid)
		e = fail(cx, E_NOTFOUND, "no message %u", uid);
	if (e == E_OK)
		*row = found;
	return e;
}

// ---- what is gone

struct gone_list {
	struct pl_uids *r;
	size_t n;
	uint64_t since, first; // modseq; ring number of the first range that counts
};
static bool see_gone(void *arg, struct sl key, struct sl value)
{
	struct gone_list *g = arg;

	if (key.p[0] != 'E' || key.n != 9)
		return false;
	uint64_t seq = get_be64(key.p + 1) * GONE_PAGE;
	for (size_t at = 0; at + GONE_OCTETS <= value.n; at += GONE_OCTETS, seq++)
		if (seq >= g->first && get_le64(value.p + at) > g->since && g->n < GONE_RANGES_MAX)
			g->r[g->n++] = (struct pl_uids){ get_le32(value.p + at + 8), get_le32(value.p + at + 12) };
	return true;
}

static int uids_cmp(const void *a, const void *b)
{
	const struct pl_uids *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/// Sorted, neighbours joined; a UID is expunged once, so ranges never overlap.
static size_t uids_merge(struct pl_uids *r, size_t n)
{
	size_t k = 0;

	if (n)
		qsort(r, n, sizeof *r, uids_cmp);
	for (size_t i = 0; i < n; i++) {
		if (k && r[k - 1].hi + 1 == r[i].lo)
			r[k - 1].hi = r[i].hi;
		else
			r[k++] = r[i];
	}
	return k;
}

static enum ec gone_load(
	struct cx *cx, struct view *v, struct cell_id cell, const struct mbox_head *h, struct gone_list *g)
{
	g->first = h->gone_next > GONE_RANGES_MAX ? h->gone_next - GONE_RANGES_MAX : 0;
	g->r = calloc(GONE_RANGES_MAX, sizeof *g->r);
	if (!g->r)
		return fail(cx, E_TEMP, "memory for expunged ranges");
	struct key from = key_num64('E', g->first / GONE_PAGE);
	enum ec e = cell_scan(cx, v, cell, key_sl(&from), see_gone, g);
	g->n = uids_merge(g->r, g->n);
	return e;
}

enum ec mailbox_gone(struct cx *cx, struct view *v, struct mbox_ref m, uint64_t since, struct out *out, uint32_t *count,
	bool *unknown)
{
	struct gone_list g = { .since = since };
	struct mbox_head h;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e != E_OK)
		return e;
	*count = 0;
	*unknown = since < h.gone_floor;
	if (*unknown || since >= h.version)
		return E_OK;
	e = gone_load(cx, v, mbox_cell(m), &h, &g);
	for (size_t i = 0; e == E_OK && i < g.n && !*unknown; i++)
		*unknown = !out_put(out, &g.r[i], sizeof g.r[i]);
	*count = e == E_OK && !*unknown ? (uint32_t)g.n : 0;
	free(g.r);
	return e;
}

// ---- keywords: row 'K' is entries bit(1) octets(1) name
//
// A bit means one name as long as its mailbox lives, also where no message carries it any more: sessions keep the names
// of bits they were told, and send bits that they mapped earlier. Who has 64 names gets no 65th.

static struct sl keyword_row(struct cx *cx, struct view *v, struct cell_id cell, enum ec *e)
{
	struct sl row = { 0 };

	*e = cell_get(cx, v, cell, SL("K"), &row);
	if (*e != E_OK)
		row = (struct sl){ 0 };
	if (*e == E_NOTFOUND)
		*e = E_OK;
	return row;
}

/// The next entry of a row; false at its end or where it is damaged.
static bool keyword_next(struct sl *row, uint8_t *bit, struct sl *name)
{
	if (row->n < 2 || row->n < 2u + row->p[1] || row->p[0] >= KEYWORDS_MAX)
		return false;
	*bit = row->p[0];
	*name = sl_sub(*row, 2, 2u + row->p[1]);
	*row = sl_from(*row, 2u + row->p[1]);
	return true;
}

enum ec mailbox_keywords(struct cx *cx, struct view *v, struct mbox_ref m, keyword_each *each, void *arg)
{
	struct mbox_head h;
	uint8_t bit;
	struct sl name;
	enum ec e = mbox_head_load(cx, v, mbox_cell(m), &h);

	if (e != E_OK)
		return e;
	struct sl row = keyword_row(cx, v, mbox_cell(m), &e);
	while (keyword_next(&row, &bit, &name))
		if (!each(arg, bit, name))
			return e;
	return e == E_OK && row.n ? fail(cx, E_CORRUPT, "a keyword row") : e;
}

struct keyword_search {
	struct sl name;
	uint64_t used;
	uint8_t bit;
	bool found;
};
static bool match_keyword(void *arg, uint8_t bit, struct sl name)
{
	struct keyword_search *s = arg;

	s->used |= UINT64_C(1) << bit;
	if (sl_eq_ci(name, s->name)) {
		s->bit = bit;
		s->found = true;
	}
	return true;
}

enum ec mailbox_keyword_find(struct cx *cx, struct view *v, struct mbox_ref m, struct sl name, uint8_t *bit)
{
	struct keyword_search s = { .name = name };
	enum ec e = mailbox_keywords(cx, v, m, match_keyword, &s);

	if (e == E_OK && !s.found)
		e = fail(cx, E_NOTFOUND, "no such keyword");
	if (e == E_OK)
		*bit = s.bit;
	return e;
}

enum ec keywords_known(struct cx *cx, struct view *v, struct mbox_ref m, uint64_t bits)
{
	struct keyword_search s = { 0 };
	enum ec e = bits ? mailbox_keywords(cx, v, m, match_keyword, &s) : E_OK;

	return e == E_OK && bits & ~s.used ? fail(cx, E_RANGE, "a keyword without a name") : e;
}

/// flag-keyword = atom (RFC 9051 §9); octets above 0x7f are taken since some clients send them.
static bool keyword_ok(struct sl name)
{
	if (name.n == 0 || name.n > KEYWORD_OCTETS)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == 0x7f || memchr("(){%*\"\\]", name.p[i], 8))
			return false;
	return true;
}

enum ec mailbox_keyword_make(struct cx *cx, struct txn *t, struct mbox_ref m, struct sl name, uint8_t *bit)
{
	struct view *v = txn_view(t);
	struct keyword_search s = { .name = name };
	struct buf row = BUF(KEYWORDS_MAX * (KEYWORD_OCTETS + 2));
	struct mbox_head h;
	uint64_t version;
	uint8_t b;
	enum ec e = keyword_ok(name) ? mailbox_keywords(cx, v, m, match_keyword, &s) : E_SYNTAX;

	if (e == E_OK && s.found)
		*bit = s.bit;
	if (e != E_OK || s.found)
		return e;
	if (s.used == UINT64_MAX)
		return fail(cx, E_LIMIT, "all %d keywords are in use", KEYWORDS_MAX);
	e = mbox_head_load(cx, v, mbox_cell(m), &h);
	if (e != E_OK)
		return e;
	b = (uint8_t)__builtin_ctzll(~s.used);
	buf_add(&row, keyword_row(cx, v, mbox_cell(m), &e));
	buf_addc(&row, b);
	buf_addc(&row, (uint8_t)name.n);
	buf_add(&row, name);
	if (e == E_OK)
		e = row.err;
	if (e == E_OK) {
		struct change *c = change_begin(t, mbox_cell(m), h.version);
		change_put(c, SL("K"), buf_sl(&row));
		e = change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
	}
	if (e == E_OK)
		*bit = b;
	buf_free(&row);
	return e;
}

// ---- changing

enum ec mailbox_claim_recent(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t *from)
{
	struct mbox_edit *ed;
	enum ec e = mbox_edit_begin(cx, t, m, &ed);

	if (e != E_OK)
		return e;
	struct mbox_head *h = mbox_edit_head(ed);
	*from = h->recent_from;
	if (h->recent_from >= h->uidnext) {
		mbox_edit_abort(ed);
		return E_OK;
	}
	h->recent_from = h->uidnext;
	return mbox_edit_commit(cx, ed, NULL, (struct sl){ 0 });
}

enum ec quota_check(
	struct cx *cx, struct txn *t, const struct mbox_op *op, struct quota_used more, enum quota_rule rule)
{
	struct account a;
	struct quota_used used;
	enum ec e = quota_load(cx, op->quota, t, op->m.account, &used);

	if (rule == QUOTA_NONE || e != E_OK)
		return e;
	e = account_load(cx, txn_view(t), op->m.account, &a);
	if (e == E_OK && quota_over(&a, &used, more.octets, more.messages, rule == QUOTA_DELIVERY ? 110 : 100))
		e = fail(cx, E_QUOTA, "account %llu is full", (unsigned long long)op->m.account);
	unsigned percent = rule == QUOTA_DELIVERY ? QUOTA_FLOOD_DELIVERY : QUOTA_FLOOD_APPEND;
	if (e == E_OK && rule != QUOTA_STRICT &&
		quota_floods(op->quota, op->m.account, &a, more.octets, op->now_s, percent))
		e = fail(cx, E_QUOTA, "account %llu got twice its quota within %u minutes",
			(unsigned long long)op->m.account, QUOTA_WINDOW_S / 60);
	return e;
}

enum ec append_staged(struct cx *cx, struct mbox_edit *ed, const struct mbox_message *msg, uint32_t n, int64_t now_s)
{
	enum ec e = E_OK;

	for (uint32_t i = 0; e == E_OK && i < n; i++)
		e = mbox_edit_append(cx, ed, &msg[i], now_s);
	return e;
}

struct quota_used messages_used(const struct mbox_message *msg, uint32_t n)
{
	struct quota_used u = { .messages = n };

	for (uint32_t i = 0; i < n; i++)
		u.octets += msg[i].body.octets;
	return u;
}

/// Sizes of bodies that are still blobs; E_TEMP where a message has neither.
static enum ec size_blobs(struct cx *cx, struct mbox_message *msg, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (msg[i].body.at)
			continue;
		if (!msg[i].blob)
			return fail(cx, E_TEMP, "the upload ended with the store that had it");
		msg[i].body.octets = (uint32_t)blob_octets(msg[i].blob);
	}
	return E_OK;
}

static enum ec put_blobs(struct cx *cx, struct txn *t, struct mbox_message *msg, uint32_t n)
{
	enum ec e = E_OK;

	for (uint32_t i = 0; e == E_OK && i < n; i++)
		if (msg[i].blob)
			e = blob_put(cx, t, msg[i].blob, &msg[i].body);
	return e;
}

enum ec mailbox_append(struct cx *cx, struct txn *t, const struct mbox_op *op, struct mbox_message *msg, uint32_t n,
	enum quota_rule rule, struct append_result *out)
{
	struct op_id bound = op_bind(&op->op, OP_APPEND, mbox_cell(op->m));
	struct quota_used more;
	struct mbox_edit *ed;
	struct sl seen;
	uint64_t bits = 0;
	uint8_t o[16];
	enum ec e = op_earlier(cx, t, &bound, sizeof o, &seen);

	if (e == E_OK)
		*out = (struct append_result){ get_le32(seen.p), get_le32(seen.p + 4), get_le64(seen.p + 8) };
	if (e != E_NOTFOUND)
		return e;
	for (uint32_t i = 0; i < n; i++)
		bits |= msg[i].keywords;
	e = size_blobs(cx, msg, n);
	more = messages_used(msg, n);
	if (e == E_OK)
		e = keywords_known(cx, txn_view(t), op->m, bits);
	if (e == E_OK)
		e = quota_check(cx, t, op, more, rule);
	if (e == E_OK)
		e = put_blobs(cx, t, msg, n);
	if (e == E_OK)
		e = mbox_edit_begin(cx, t, op->m, &ed);
	if (e != E_OK)
		return e;
	struct append_result r = { mbox_edit_head(ed)->uidvalidity, mbox_edit_head(ed)->uidnext, mbox_edit_modseq(ed) };
	e = append_staged(cx, ed, msg, n, op->now_s);
	if (e != E_OK) {
		mbox_edit_abort(ed);
		return e;
	}
	put_le32(o, r.uidvalidity);
	put_le32(o + 4, r.first_uid);
	put_le64(o + 8, r.modseq);
	e = mbox_edit_commit(cx, ed, &bound, (struct sl){ o, sizeof o });
	if (e != E_OK)
		return e;
	quota_add(op->quota, op->m.account, (int64_t)more.octets, (int64_t)more.messages);
	quota_brought(op->quota, op->m.account, more.octets, op->now_s);
	*out = r;
	return E_OK;
}

// ---- flags

struct flagging {
	struct cx *cx;
	const struct flags_change *fc;
	struct mbox_edit *ed;
	struct buf *failed;
	struct flags_result r;
	uint64_t not_modseq; // a repeated change: rows it made are no failures
	enum ec err;
};

static uint64_t flags_apply(enum flags_mode mode, uint64_t was, uint64_t with)
{
	switch (mode) {
	case FLAGS_ADD: return was | with;
	case FLAGS_DEL: return was & ~with;
	case FLAGS_SET:
	case FLAGS_MODES: break;
	}
	return with;
}

static bool flag_row(void *arg, const struct pl_row *row)
{
	struct flagging *f = arg;
	uint8_t flags = (uint8_t)flags_apply(f->fc->mode, row->flags, f->fc->flags);
	uint64_t keywords = flags_apply(f->fc->mode, row->keywords, f->fc->keywords);

	if (row->modseq > f->fc->unchanged_since && row->modseq != f->not_modseq) {
		uids_add(f->failed, row->uid);
		f->r.failed++;
		f->err = f->failed->err;
	} else if (f->ed && (flags != row->flags || keywords != row->keywords)) {
		f->err = mbox_edit_flags(f->cx, f->ed, row, flags, keywords);
		f->r.changed++;
	}
	return f->err == E_OK;
}

static enum ec flags_walk(struct txn *t, const struct mbox_op *op, const struct mbox_head *h, struct flagging *f)
{
	struct walk w = { .set = f->fc->set, .expunged_after_s = INT64_MAX };
	enum ec e = mbox_walk(f->cx, txn_view(t), mbox_cell(op->m), h, &w, flag_row, f);

	return e == E_OK ? f->err : e;
}

/// A repeated change: the first one's figures, and which failed then as far as that still shows.
static enum ec flags_repeated(
	struct cx *cx, struct txn *t, const struct mbox_op *op, struct flagging *f, struct sl outcome)
{
	struct mbox_head h;
	struct flags_result r = { get_le64(outcome.p), get_le32(outcome.p + 8), get_le32(outcome.p + 12) };
	enum ec e = mbox_head_load(cx, txn_view(t), mbox_cell(op->m), &h);

	f->not_modseq = r.modseq;
	if (e == E_OK)
		e = flags_walk(t, op, &h, f);
	f->r = r;
	return e;
}

enum ec mailbox_flags(struct cx *cx, struct txn *t, const struct mbox_op *op, const struct flags_change *fc,
	struct buf *failed, struct flags_result *out)
{
	struct op_id bound = op_bind(&op->op, OP_FLAGS, mbox_cell(op->m));
	struct flagging f = { .cx = cx, .fc = fc, .failed = failed };
	struct sl seen;
	uint8_t o[16];
	enum ec e = op_earlier(cx, t, &bound, sizeof o, &seen);

	if (e == E_OK) {
		e = flags_repeated(cx, t, op, &f, seen);
		if (e == E_OK)
			*out = f.r;
		return e;
	}
	if (e != E_NOTFOUND)
		return e;
	e = fc->mode == FLAGS_DEL ? E_OK : keywords_known(cx, txn_view(t), op->m, fc->keywords);
	if (e == E_OK)
		e = mbox_edit_begin(cx, t, op->m, &f.ed);
	if (e != E_OK)
		return e;
	struct mbox_head before = *mbox_edit_head(f.ed);
	e = flags_walk(t, op, &before, &f);
	if (e != E_OK || f.r.changed == 0) {
		mbox_edit_abort(f.ed);
	} else {
		f.r.modseq = mbox_edit_modseq(f.ed);
		put_le64(o, f.r.modseq);
		put_le32(o + 8, f.r.changed);
		put_le32(o + 12, f.r.failed);
		e = mbox_edit_commit(cx, f.ed, &bound, (struct sl){ o, sizeof o });
	}
	if (e == E_OK)
		*out = f.r;
	return e;
}

// ---- expunge

struct gone_once {
	uint64_t modseq;
	struct buf *gone;
	uint32_t count;
};
static bool see_gone_once(void *arg, const struct pl_row *row)
{
	struct gone_once *g = arg;

	if (!row->expunged || row->modseq != g->modseq)
		return true;
	uids_add(g->gone, row->uid);
	g->count++;
	return g->gone->err == E_OK;
}

enum ec gone_at(struct cx *cx, struct view *v, const struct gone_query *q, struct buf *gone, uint32_t *count)
{
	struct walk w = { .set = q->set, .changed_since = q->modseq - 1, .expunged_after_s = 0 };
	struct gone_once g = { .modseq = q->modseq, .gone = gone };
	struct mbox_head h;
	enum ec e = mbox_head_load(cx, v, mbox_cell(q->m), &h);

	if (e == E_OK)
		e = mbox_walk(cx, v, mbox_cell(q->m), &h, &w, see_gone_once, &g);
	if (e == E_OK)
		e = gone->err;
	if (e == E_OK)
		*count = g.count;
	return e;
}

struct expunging {
	struct cx *cx;
	struct mbox_edit *ed;
	struct buf *gone;
	bool all_flags;
	int64_t now_s;
	uint32_t count;
	enum ec err;
};

static bool expunge_row(void *arg, const struct pl_row *row)
{
	struct expunging *x = arg;

	if (!x->all_flags && !(row->flags & FLAG_DELETED))
		return true;
	x->err = mbox_edit_expunge(x->cx, x->ed, row, x->now_s);
	uids_add(x->gone, row->uid);
	if (x->err == E_OK)
		x->err = x->gone->err;
	x->count++;
	return x->err == E_OK;
}

enum ec expunge_staged(struct cx *cx, struct view *v, struct mbox_edit *ed, const struct expunge_plan *plan,
	struct buf *gone, uint32_t *count)
{
	struct mbox_head before = *mbox_edit_head(ed);
	struct walk w = { .set = plan->set, .expunged_after_s = INT64_MAX };
	struct expunging x = { cx, ed, gone, plan->all_flags, plan->now_s, 0, E_OK };

	if (plan->below_uid && plan->below_uid < before.uidnext)
		before.uidnext = plan->below_uid;
	enum ec e = mbox_walk(cx, v, mbox_cell(plan->m), &before, &w, expunge_row, &x);
	*count = x.count;
	return e == E_OK ? x.err : e;
}

enum ec mailbox_expunge(struct cx *cx, struct txn *t, const struct mbox_op *op, struct uid_set set, bool all_flags,
	struct buf *gone, struct expunge_result *out)
{
	struct op_id bound = op_bind(&op->op, OP_EXPUNGE, mbox_cell(op->m));
	struct expunge_plan plan = { op->m, set, all_flags, 0, op->now_s };
	struct expunge_result r = { 0 };
	struct mbox_edit *ed;
	struct sl seen;
	uint8_t o[8];
	enum ec e = op_earlier(cx, t, &bound, sizeof o, &seen);

	if (e == E_OK) {
		r.modseq = get_le64(seen.p);
		e = gone_at(cx, txn_view(t), &(struct gone_query){ op->m, set, r.modseq }, gone, &r.count);
		if (e == E_OK)
			*out = r;
		return e;
	}
	if (e == E_NOTFOUND)
		e = mbox_edit_begin(cx, t, op->m, &ed);
	if (e != E_OK)
		return e;
	uint64_t octets = mbox_edit_head(ed)->octets;
	e = expunge_staged(cx, txn_view(t), ed, &plan, gone, &r.count);
	if (e != E_OK || r.count == 0) {
		mbox_edit_abort(ed);
	} else {
		octets -= mbox_edit_head(ed)->octets;
		r.modseq = mbox_edit_modseq(ed);
		put_le64(o, r.modseq);
		e = mbox_edit_commit(cx, ed, &bound, (struct sl){ o, sizeof o });
		if (e == E_OK)
			quota_add(op->quota, op->m.account, -(int64_t)octets, -(int64_t)r.count);
	}
	if (e == E_OK)
		*out = r;
	return e;
}
