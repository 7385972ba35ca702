/// mbox_rows — decoding, and the walk: block by summary, group by its bits and modseq, then pages.
#include "store/mbox_rows.h"

#include <string.h>

#include "base/num.h"
#include "store/keys.h"

enum { HEAD_KIND = 'M', HEAD_BURIED = 'G', HEAD_FORM = 1, HEAD_OCTETS = 50 };

/// The head of a cell that is a mailbox of this kind.
static enum ec head_load(struct cx *cx, struct view *v, struct cell_id cell, uint8_t kind, struct mbox_head *out)
{
	struct sl h;
	uint64_t version;
	// Name 0 is the account's own cell, account 0 the installation: neither is a mailbox.
	enum ec e = cell.name == 0 || cell.account == 0 ? E_NOTFOUND : cell_head(cx, v, cell, &version, &h);

	if (e != E_OK)
		return e;
	if (h.n == HEAD_OCTETS && h.p[0] != kind && (h.p[0] == HEAD_BURIED || h.p[0] == HEAD_KIND))
		return fail(
			cx, E_NOTFOUND, kind == HEAD_KIND ? "the mailbox was deleted" : "the mailbox was not deleted");
	if (h.n != HEAD_OCTETS || h.p[0] != kind || h.p[1] != HEAD_FORM)
		return fail(cx, E_CORRUPT, "a mailbox's head of %zu octets", h.n);
	const uint8_t *p = h.p;
	*out = (struct mbox_head){ .version = version,
		.uidvalidity = get_le32(p + 2),
		.uidnext = get_le32(p + 6),
		.messages = get_le32(p + 10),
		.unseen = get_le32(p + 14),
		.deleted = get_le32(p + 18),
		.recent_from = get_le32(p + 22),
		.octets = get_le64(p + 26),
		.gone_next = get_le64(p + 34),
		.gone_floor = get_le64(p + 42) };
	return E_OK;
}

enum ec mbox_head_load(struct cx *cx, struct view *v, struct cell_id cell, struct mbox_head *out)
{
	return head_load(cx, v, cell, HEAD_KIND, out);
}

enum ec mbox_head_buried(struct cx *cx, struct view *v, struct cell_id cell, struct mbox_head *out)
{
	return head_load(cx, v, cell, HEAD_BURIED, out);
}

static void head_put(struct change *c, const struct mbox_head *h, uint8_t kind)
{
	uint8_t p[HEAD_OCTETS] = { kind, HEAD_FORM };

	put_le32(p + 2, h->uidvalidity);
	put_le32(p + 6, h->uidnext);
	put_le32(p + 10, h->messages);
	put_le32(p + 14, h->unseen);
	put_le32(p + 18, h->deleted);
	put_le32(p + 22, h->recent_from);
	put_le64(p + 26, h->octets);
	put_le64(p + 34, h->gone_next);
	put_le64(p + 42, h->gone_floor);
	change_head(c, (struct sl){ p, sizeof p });
}

void mbox_head_put(struct change *c, const struct mbox_head *h)
{
	head_put(c, h, HEAD_KIND);
}

void mbox_head_bury(struct change *c, const struct mbox_head *h)
{
	head_put(c, h, HEAD_BURIED);
}

/// A value of at most `n` octets into to[n], the rest zeros.
static enum ec padded_load(
	struct cx *cx, struct view *v, struct cell_id cell, const struct key *k, struct sl *to_have, size_t n)
{
	enum ec e = cell_get(cx, v, cell, key_sl(k), to_have);

	if (e == E_NOTFOUND) {
		*to_have = (struct sl){ 0 };
		return E_OK;
	}
	if (e == E_OK && to_have->n > n)
		e = fail(cx, E_CORRUPT, "a row of %zu octets", to_have->n);
	return e;
}

static void page_fill(struct page *out, uint32_t number, struct sl value)
{
	out->number = number;
	if (value.n)
		memcpy(out->o, value.p, value.n);
	memset(out->o + value.n, 0, PAGE_OCTETS - value.n);
}

enum ec page_load(struct cx *cx, struct view *v, struct cell_id cell, uint32_t number, struct page *out)
{
	struct key k = key_num32('P', number);
	struct sl value;
	enum ec e = padded_load(cx, v, cell, &k, &value, PAGE_OCTETS);

	if (e == E_OK)
		page_fill(out, number, value);
	return e;
}

bool page_present(const struct page *p, uint32_t slot)
{
	return get_le32(p->o) >> slot & 1;
}

void page_row(const struct page *p, uint32_t slot, struct pl_row *out)
{
	const uint8_t *live = p->o + PAGE_LIVE + slot * LIVE_OCTETS, *fixed = p->o + PAGE_FIXED + slot * FIXED_OCTETS;

	*out = (struct pl_row){ .uid = p->number * PAGE_UIDS + slot,
		.flags = live[0],
		.modseq = get_le64(live + 1),
		.keywords = get_le64(live + 9),
		.body = get_le64(fixed),
		.octets = get_le32(fixed + 8),
		.date_s = (int64_t)get_le64(fixed + 12),
		.zone_min = (int16_t)get_le16(fixed + 20),
		.saved_s = get_le32(fixed + 22) };
}

bool page_read(struct sl key, struct sl value, struct page *out)
{
	if (key.n != 5 || key.p[0] != 'P' || value.n > PAGE_OCTETS)
		return false;
	page_fill(out, get_be32(key.p + 1), value);
	return true;
}

/// Whether the body of a slot is kept, be it of a message that is gone. out: *row.
static bool body_is_kept(const struct page *p, uint32_t slot, int64_t now_s, struct pl_row *row)
{
	page_row(p, slot, row);
	return row->body != 0 && (page_present(p, slot) || (int64_t)row->keywords + EXPUNGED_KEPT_S >= now_s);
}

bool page_is_needed(const struct page *p, int64_t now_s)
{
	struct pl_row row;
	uint32_t slot = 0;

	while (slot < PAGE_UIDS && !page_present(p, slot) && !body_is_kept(p, slot, now_s, &row))
		slot++;
	return slot < PAGE_UIDS;
}

void mbox_bodies(struct cell_id id, struct sl key, struct sl value, int64_t now_s, body_each *each, void *arg)
{
	struct page p;
	struct pl_row row;

	if (id.account == 0 || id.name == 0 || !page_read(key, value, &p))
		return;
	for (uint32_t slot = 0; slot < PAGE_UIDS; slot++)
		if (body_is_kept(&p, slot, now_s, &row))
			each(arg, (struct body_ref){ row.body, row.octets });
}

enum ec summary_load(struct cx *cx, struct view *v, struct cell_id cell, uint32_t number, struct summary *out)
{
	struct key k = key_num32('S', number);
	struct sl value;
	enum ec e = padded_load(cx, v, cell, &k, &value, SUM_OCTETS);

	if (e != E_OK)
		return e;
	out->number = number;
	if (value.n)
		memcpy(out->o, value.p, value.n);
	memset(out->o + value.n, 0, SUM_OCTETS - value.n);
	return E_OK;
}

uint64_t summary_word(const struct summary *s, enum sum_bits which, uint32_t group)
{
	return get_le64(s->o + (size_t)which * SUM_BITS_OCTETS + (size_t)group * 8);
}

uint64_t summary_modseq(const struct summary *s, uint32_t group)
{
	return summary_word(s, SUM_MODSEQ, group);
}

// ---- walking

struct walking {
	struct cx *cx;
	struct view *v;
	struct cell_id cell;
	const struct walk *w;
	mbox_each_row *each;
	void *arg;
	bool stop, have_sum, have_page;
	struct summary sum;
	struct page page;
};

static enum ec need_page(struct walking *k, uint32_t number)
{
	if (k->have_page && k->page.number == number)
		return E_OK;
	enum ec e = page_load(k->cx, k->v, k->cell, number, &k->page);
	k->have_page = e == E_OK;
	return e;
}

static enum ec need_summary(struct walking *k, uint32_t number)
{
	if (k->have_sum && k->sum.number == number)
		return E_OK;
	enum ec e = summary_load(k->cx, k->v, k->cell, number, &k->sum);
	k->have_sum = e == E_OK;
	return e;
}

static void meet(struct walking *k, uint32_t uid)
{
	uint32_t slot = uid % PAGE_UIDS;
	struct pl_row row;

	page_row(&k->page, slot, &row);
	if (row.modseq <= k->w->changed_since)
		return;
	if (!page_present(&k->page, slot)) {
		if (row.body == 0 || (int64_t)row.keywords <= k->w->expunged_after_s)
			return;
		row.expunged = 1;
		row.keywords = 0;
	}
	k->stop = !k->each(k->arg, &row);
}

/// UIDs lo … hi, all within one group.
static enum ec walk_group(struct walking *k, uint32_t lo, uint32_t hi)
{
	uint32_t group = lo % SUM_UIDS / GROUP_UIDS;
	uint64_t bits = summary_word(&k->sum, SUM_PRESENT, group) >> lo % GROUP_UIDS;
	bool gone_too = k->w->expunged_after_s != INT64_MAX;

	if (summary_modseq(&k->sum, group) <= k->w->changed_since)
		return E_OK;
	if (hi - lo < 63)
		bits &= (UINT64_C(1) << (hi - lo + 1)) - 1;
	for (uint32_t uid = lo; !k->stop && (bits || gone_too) && uid <= hi; uid++, bits >>= 1) {
		if (!gone_too && !(bits & 1))
			continue;
		enum ec e = need_page(k, uid / PAGE_UIDS);
		if (e != E_OK)
			return e;
		meet(k, uid);
	}
	return E_OK;
}

static enum ec walk_range(struct walking *k, uint32_t lo, uint32_t hi)
{
	while (!k->stop) {
		uint32_t end = lo | (GROUP_UIDS - 1);
		enum ec e = need_summary(k, lo / SUM_UIDS);
		if (e == E_OK)
			e = walk_group(k, lo, end < hi ? end : hi);
		if (e != E_OK || end >= hi)
			return e;
		lo = end + 1;
	}
	return E_OK;
}

enum ec mbox_walk(struct cx *cx, struct view *v, struct cell_id cell, const struct mbox_head *h, const struct walk *w,
	mbox_each_row *each, void *arg)
{
	const struct pl_uids all = { 1, UINT32_MAX };
	const struct pl_uids *r = w->set.all ? &all : w->set.r;
	uint32_t n = w->set.all ? 1 : w->set.n;
	struct walking k = { .cx = cx, .v = v, .cell = cell, .w = w, .each = each, .arg = arg };
	enum ec e = E_OK;

	for (uint32_t i = 0; e == E_OK && !k.stop && i < n; i++) {
		uint32_t lo = r[i].lo > w->from_uid ? r[i].lo : w->from_uid, hi = r[i].hi;
		if (lo == 0)
			lo = 1;
		if (hi >= h->uidnext)
			hi = h->uidnext - 1;
		if (lo <= hi)
			e = walk_range(&k, lo, hi);
	}
	return e;
}
