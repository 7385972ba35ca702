/// mbox_edit — dirty spans of one page and one summary; expunged ranges go to the ring at commit.
#include "store/mbox_edit.h"

#include <stdlib.h>

#include "base/num.h"
#include "store/keys.h"

/// Octets [lo, hi) of a value that differ from what is stored; empty where hi is 0.
struct span {
	uint32_t lo, hi;
};
enum { SPANS = 4 };

struct mbox_edit {
	struct view *v;
	struct cell_id cell;
	struct change *c;
	struct mbox_head head;
	uint64_t modseq;
	struct buf gone; // struct pl_uids
	bool have_page, have_sum;
	struct span page_dirty[SPANS]; // present, what changes, what never does
	struct span sum_dirty[SPANS];  // by enum sum_bits
	struct page page;
	struct summary sum;
};

static void touch(struct span *s, uint32_t at, uint32_t n)
{
	if (s->hi == 0 || at < s->lo)
		s->lo = at;
	if (at + n > s->hi)
		s->hi = at + n;
}

static void flush_spans(struct mbox_edit *ed, struct key k, struct span *s, const uint8_t *o)
{
	for (int i = 0; i < SPANS; i++)
		if (s[i].hi)
			change_patch(ed->c, key_sl(&k), s[i].lo, (struct sl){ o + s[i].lo, s[i].hi - s[i].lo });
	memset(s, 0, SPANS * sizeof *s);
}

static void flush_page(struct mbox_edit *ed)
{
	if (ed->have_page)
		flush_spans(ed, key_num32('P', ed->page.number), ed->page_dirty, ed->page.o);
	ed->have_page = false;
}

static void flush_summary(struct mbox_edit *ed)
{
	if (ed->have_sum)
		flush_spans(ed, key_num32('S', ed->sum.number), ed->sum_dirty, ed->sum.o);
	ed->have_sum = false;
}

/// Brings the page and the summary of a UID into memory.
static enum ec at_uid(struct cx *cx, struct mbox_edit *ed, uint32_t uid)
{
	enum ec e = E_OK;

	if (!ed->have_page || ed->page.number != uid / PAGE_UIDS) {
		flush_page(ed);
		e = page_load(cx, ed->v, ed->cell, uid / PAGE_UIDS, &ed->page);
		ed->have_page = e == E_OK;
	}
	if (e == E_OK && (!ed->have_sum || ed->sum.number != uid / SUM_UIDS)) {
		flush_summary(ed);
		e = summary_load(cx, ed->v, ed->cell, uid / SUM_UIDS, &ed->sum);
		ed->have_sum = e == E_OK;
	}
	return e;
}

enum ec mbox_edit_begin(struct cx *cx, struct txn *t, struct mbox_ref m, struct mbox_edit **out)
{
	struct mbox_edit *ed = calloc(1, sizeof *ed);

	if (!ed)
		return fail(cx, E_TEMP, "memory for a change");
	ed->v = txn_view(t);
	ed->cell = mbox_cell(m);
	ed->gone = BUF((size_t)1 << 30);
	enum ec e = mbox_head_load(cx, ed->v, ed->cell, &ed->head);
	if (e != E_OK) {
		free(ed);
		return e;
	}
	ed->modseq = ed->head.version + 1;
	ed->c = change_begin(t, ed->cell, ed->head.version);
	*out = ed;
	return E_OK;
}

static void edit_free(struct mbox_edit *ed)
{
	buf_free(&ed->gone);
	free(ed);
}

void mbox_edit_abort(struct mbox_edit *ed)
{
	if (!ed)
		return;
	change_drop_all(ed->c);
	edit_free(ed);
}

struct mbox_head *mbox_edit_head(struct mbox_edit *ed)
{
	return &ed->head;
}

uint64_t mbox_edit_modseq(const struct mbox_edit *ed)
{
	return ed->modseq;
}

static void set_sum_bit(struct mbox_edit *ed, enum sum_bits which, uint32_t uid, bool on)
{
	uint32_t at = (uint32_t)which * SUM_BITS_OCTETS + uid % SUM_UIDS / 8;
	uint8_t bit = (uint8_t)(1u << uid % 8), was = ed->sum.o[at];

	ed->sum.o[at] = on ? was | bit : (uint8_t)(was & ~bit);
	if (ed->sum.o[at] != was)
		touch(&ed->sum_dirty[which], at, 1);
}

/// The row's part that changes, the page's present bit and the summary, all at once.
static void set_live(struct mbox_edit *ed, uint32_t uid, bool present, uint8_t flags, uint64_t keywords)
{
	uint32_t slot = uid % PAGE_UIDS, live = PAGE_LIVE + slot * LIVE_OCTETS, bits = get_le32(ed->page.o);
	uint32_t now = present ? bits | 1u << slot : bits & ~(1u << slot);
	uint32_t group = SUM_MODSEQ * SUM_BITS_OCTETS + uid % SUM_UIDS / GROUP_UIDS * 8;

	if (now != bits) {
		put_le32(ed->page.o, now);
		touch(&ed->page_dirty[0], 0, 4);
	}
	ed->page.o[live] = flags;
	put_le64(ed->page.o + live + 1, ed->modseq);
	put_le64(ed->page.o + live + 9, keywords);
	touch(&ed->page_dirty[1], live, LIVE_OCTETS);
	set_sum_bit(ed, SUM_PRESENT, uid, present);
	set_sum_bit(ed, SUM_SEEN, uid, present && flags & FLAG_SEEN);
	set_sum_bit(ed, SUM_DELETED, uid, present && flags & FLAG_DELETED);
	put_le64(ed->sum.o + group, ed->modseq);
	touch(&ed->sum_dirty[SUM_MODSEQ], group, 8);
}

/// Counts a message in (sign 1) or out (-1) of the head's figures about flags.
static void count_flags(struct mbox_head *h, uint8_t flags, int sign)
{
	h->unseen += flags & FLAG_SEEN ? 0 : (uint32_t)sign;
	h->deleted += flags & FLAG_DELETED ? (uint32_t)sign : 0;
}

enum ec mbox_edit_append(struct cx *cx, struct mbox_edit *ed, const struct mbox_message *msg, int64_t now_s)
{
	uint32_t uid = ed->head.uidnext, fixed = PAGE_FIXED + uid % PAGE_UIDS * FIXED_OCTETS;

	if (uid == UINT32_MAX)
		return fail(cx, E_LIMIT, "the mailbox's UIDs are used up");
	enum ec e = at_uid(cx, ed, uid);
	if (e != E_OK)
		return e;
	uint8_t *p = ed->page.o + fixed;
	put_le64(p, msg->body.at);
	put_le32(p + 8, msg->body.octets);
	put_le64(p + 12, (uint64_t)msg->date_s);
	put_le16(p + 20, (uint16_t)msg->zone_min);
	put_le32(p + 22, (uint32_t)now_s);
	touch(&ed->page_dirty[2], fixed, FIXED_OCTETS);
	set_live(ed, uid, true, msg->flags, msg->keywords);
	ed->head.uidnext++;
	ed->head.messages++;
	ed->head.octets += msg->body.octets;
	count_flags(&ed->head, msg->flags, 1);
	return E_OK;
}

enum ec mbox_edit_flags(struct cx *cx, struct mbox_edit *ed, const struct pl_row *row, uint8_t flags, uint64_t keywords)
{
	enum ec e = at_uid(cx, ed, row->uid);

	if (e != E_OK)
		return e;
	count_flags(&ed->head, row->flags, -1);
	count_flags(&ed->head, flags, 1);
	set_live(ed, row->uid, true, flags, keywords);
	return E_OK;
}

void uids_add(struct buf *b, uint32_t uid)
{
	struct pl_uids r = { uid, uid };

	if (b->n >= sizeof r) {
		memcpy(&r, b->p + b->n - sizeof r, sizeof r);
		if (r.hi + 1 == uid) {
			r.hi = uid;
			memcpy(b->p + b->n - sizeof r, &r, sizeof r);
			return;
		}
	}
	r = (struct pl_uids){ uid, uid };
	buf_add(b, (struct sl){ (const uint8_t *)&r, sizeof r });
}

enum ec mbox_edit_expunge(struct cx *cx, struct mbox_edit *ed, const struct pl_row *row, int64_t now_s)
{
	enum ec e = at_uid(cx, ed, row->uid);

	if (e != E_OK)
		return e;
	set_live(ed, row->uid, false, row->flags, (uint64_t)now_s);
	ed->head.messages--;
	ed->head.octets -= row->octets;
	count_flags(&ed->head, row->flags, -1);
	uids_add(&ed->gone, row->uid);
	return ed->gone.err;
}

/// The modseq of range `seq` of the ring as stored; 0 where it is not there.
static uint64_t gone_modseq(struct cx *cx, struct mbox_edit *ed, uint64_t seq)
{
	struct key k = key_num64('E', seq / GONE_PAGE);
	struct sl value;
	size_t at = seq % GONE_PAGE * GONE_OCTETS;

	if (cell_get(cx, ed->v, ed->cell, key_sl(&k), &value) != E_OK || value.n < at + GONE_OCTETS)
		return 0;
	return get_le64(value.p + at);
}

/// Forgets the ring's pages that lie wholly before the last GONE_RANGES_MAX ranges.
static void gone_forget(struct cx *cx, struct mbox_edit *ed, uint64_t next_before)
{
	uint64_t first = ed->head.gone_next > GONE_RANGES_MAX ? ed->head.gone_next - GONE_RANGES_MAX : 0;
	uint64_t was = next_before > GONE_RANGES_MAX ? next_before - GONE_RANGES_MAX : 0;

	for (uint64_t page = was / GONE_PAGE; page < first / GONE_PAGE; page++) {
		struct key k = key_num64('E', page);
		change_del(ed->c, key_sl(&k));
	}
	if (first == 0)
		return;
	// The newest range that is no longer counted: a sync from before it cannot be answered.
	uint64_t floor = first - 1 < next_before ? gone_modseq(cx, ed, first - 1) : ed->modseq;
	if (floor > ed->head.gone_floor)
		ed->head.gone_floor = floor;
}

static void gone_write(struct cx *cx, struct mbox_edit *ed)
{
	size_t n = ed->gone.n / sizeof(struct pl_uids);
	uint64_t before = ed->head.gone_next;

	for (size_t i = n > GONE_RANGES_MAX ? n - GONE_RANGES_MAX : 0; i < n; i++) {
		uint64_t seq = before + i;
		struct key k = key_num64('E', seq / GONE_PAGE);
		struct pl_uids r;
		uint8_t o[GONE_OCTETS];
		memcpy(&r, ed->gone.p + i * sizeof r, sizeof r);
		put_le64(o, ed->modseq);
		put_le32(o + 8, r.lo);
		put_le32(o + 12, r.hi);
		change_patch(ed->c, key_sl(&k), (uint32_t)(seq % GONE_PAGE * GONE_OCTETS), (struct sl){ o, sizeof o });
	}
	ed->head.gone_next += n;
	if (n)
		gone_forget(cx, ed, before);
}

enum ec mbox_edit_commit(struct cx *cx, struct mbox_edit *ed, const struct op_id *bound, struct sl outcome)
{
	uint64_t version;

	flush_page(ed);
	flush_summary(ed);
	gone_write(cx, ed);
	mbox_head_put(ed->c, &ed->head);
	enum ec e = change_commit(cx, ed->c, bound, outcome, &version);
	edit_free(ed);
	return e;
}
