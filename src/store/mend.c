/// mend — one durable job for each damaged mailbox.
#include "store/mend.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "store/account.h"
#include "store/directory.h"
#include "store/grave.h"
#include "store/keys.h"
#include "store/mbox_rows.h"

enum { DAMAGED_MAX = 16 << 20 };

struct gap {
	struct cell_id id;
	uint64_t version; // behind the newest missing commit; of an account: the least id that it may give out
	bool restored;    // nothing is missing within: its newest changes may be
	bool unknown;     // a mailbox that its account does not know
	bool mended;
};

static bool note_gap(struct buf *gaps, struct gap g)
{
	buf_add(gaps, (struct sl){ (const uint8_t *)&g, sizeof g });
	return gaps->err == E_OK;
}

static bool collect(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	(void)head;
	return note_gap(arg, (struct gap){ .id = id, .version = version });
}

// ---- counting anew

/// A mailbox's summaries and sums as its pages have them.
struct recount {
	struct change *c;
	struct mbox_head *h;
	struct summary sum, old; // of the block under way: as it is to be, as it was
	struct page page;
};

static void set_bit(struct summary *s, enum sum_bits which, uint32_t uid)
{
	s->o[(uint32_t)which * SUM_BITS_OCTETS + uid % SUM_UIDS / 8] |= (uint8_t)(1u << uid % 8);
}

static void count_row(struct recount *r, const struct pl_row *row)
{
	set_bit(&r->sum, SUM_PRESENT, row->uid);
	if (row->flags & FLAG_SEEN)
		set_bit(&r->sum, SUM_SEEN, row->uid);
	if (row->flags & FLAG_DELETED)
		set_bit(&r->sum, SUM_DELETED, row->uid);
	r->h->messages++;
	r->h->unseen += !(row->flags & FLAG_SEEN);
	r->h->deleted += (row->flags & FLAG_DELETED) != 0;
	r->h->octets += row->octets;
}

/// Counts one page. What names no body is no message: its append is lost, and later ones brought its present bit.
static void count_page(struct recount *r, const struct page *p)
{
	uint32_t bits = get_le32(p->o), there = 0;
	struct key k = key_num32('P', p->number);
	uint8_t octets[4];

	for (uint32_t slot = 0; slot < PAGE_UIDS; slot++) {
		struct pl_row row;
		page_row(p, slot, &row);
		if (!page_present(p, slot) || row.body == 0)
			continue;
		there |= 1u << slot;
		count_row(r, &row);
	}
	put_le32(octets, there);
	if (there != bits)
		change_patch(r->c, key_sl(&k), 0, (struct sl){ octets, sizeof octets });
}

/// Every group that was ever used counts as changed: nobody knows what was.
static void raise_modseqs(struct summary *s, const struct summary *old, uint64_t modseq)
{
	for (uint32_t g = 0; g < SUM_GROUPS; g++)
		if (summary_modseq(old, g) || summary_word(s, SUM_PRESENT, g))
			put_le64(s->o + SUM_MODSEQ * SUM_BITS_OCTETS + (size_t)g * 8, modseq);
}

static enum ec count_block(struct cx *cx, struct view *v, struct cell_id id, struct recount *r, uint32_t block)
{
	struct key k = key_num32('S', block);
	enum ec e = summary_load(cx, v, id, block, &r->old);

	memset(&r->sum, 0, sizeof r->sum);
	for (uint32_t i = 0; e == E_OK && i < SUM_UIDS / PAGE_UIDS; i++) {
		e = page_load(cx, v, id, block * (SUM_UIDS / PAGE_UIDS) + i, &r->page);
		if (e == E_OK)
			count_page(r, &r->page);
	}
	if (e)
		return e;
	raise_modseqs(&r->sum, &r->old, r->h->version + 1);
	if (memcmp(r->sum.o, r->old.o, SUM_OCTETS) != 0)
		change_put(r->c, key_sl(&k), (struct sl){ r->sum.o, SUM_OCTETS });
	return E_OK;
}

/// After lost commits, summaries and head say what is not in the pages: that is mended from the pages.
static enum ec count_anew(struct cx *cx, struct view *v, struct cell_id id, struct change *c, struct mbox_head *h)
{
	struct recount *r = calloc(1, sizeof *r);
	enum ec e = E_OK;

	if (!r)
		return fail(cx, E_TEMP, "no memory to count a mailbox");
	r->c = c;
	r->h = h;
	h->messages = h->unseen = h->deleted = 0;
	h->octets = 0;
	for (uint32_t block = 0; e == E_OK && block <= (h->uidnext - 1) / SUM_UIDS; block++)
		e = count_block(cx, v, id, r, block);
	free(r);
	return e;
}

// ----

static enum ec mend_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct gap *g = job->arg;
	struct mbox_head h;
	struct sl done;
	uint8_t row[8];
	uint64_t version;
	enum ec e = mbox_head_load(cx, txn_view(t), g->id, &h);

	g->mended = false;
	if (e == E_NOTFOUND || e == E_CORRUPT)
		return E_OK; // dropped since, or no head is left: `hongyan store check` reports it
	if (e == E_OK)
		e = cell_get(cx, txn_view(t), g->id, SL("D"), &done);
	if (e == E_OK && done.n == sizeof row && get_le64(done.p) >= g->version)
		return E_OK;
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	put_le64(row, g->version);
	struct change *c = change_begin(t, g->id, h.version);
	struct mbox_head counted = h;
	e = g->restored ? E_OK : count_anew(cx, txn_view(t), g->id, c, &counted);
	if (e == E_OK) {
		h = counted;
	} else {
		change_drop_all(c);
		if (e != E_CORRUPT)
			return e;
		c = change_begin(t, g->id, h.version); // a row has lost its form: `hongyan store check` reports it
	}
	h.uidnext = h.uidnext < UINT32_MAX - MEND_UIDS ? h.uidnext + MEND_UIDS : UINT32_MAX;
	h.gone_floor = h.version + 1;
	mbox_head_put(c, &h);
	change_put(c, SL("D"), (struct sl){ row, sizeof row });
	e = change_commit(cx, c, NULL, SL(""), &version);
	g->mended = e == E_OK;
	return e;
}

/// An account's ids go on behind all that it may have given away.
static enum ec leap_run(struct cx *cx, struct txn *t, struct job *job)
{
	const struct gap *g = job->arg;
	enum ec e = account_leap(cx, t, g->id.account, g->version);

	return e == E_NOTFOUND || e == E_CORRUPT ? E_OK : e; // removed since; `hongyan store check` reports it
}

struct found {
	struct mbox_ref m;
	struct account a;
	bool is;
};

static enum ec found_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct found *f = job->arg;
	enum ec e = grave_found(cx, t, f->m, clock_now_s());

	if (e == E_OK)
		e = account_load(cx, txn_view(t), f->m.account, &f->a);
	f->is = e == E_OK;
	return e == E_NOTFOUND || e == E_CORRUPT ? E_OK : e; // no account, or no head: `hongyan store check` reports it
}

/// The change that named a mailbox is lost: it comes to those that were deleted, from where it can be brought back.
static enum ec bury_unknown(struct cx *cx, struct store *s, struct cell_id id)
{
	struct found f = { .m = { id.account, id.name } };
	enum ec e = store_free(cx, s, true, found_run, &f);

	if (e == E_OK && f.is)
		LOG(cx, LOG_ERROR, "store.mailbox.found", kv_sl("user", account_address(&f.a)),
			kv_u("mailbox", f.m.mbox));
	return e;
}

// ---- everything

/// What the loss of anybody's newest changes asks for.
struct all {
	struct cx *cx;
	struct view *v;
	struct buf *gaps;
	size_t account_at; // in gaps: the account whose mailboxes come now
	uint64_t account;  // the highest with a cell
	uint64_t damage;
};

/// Cells come in order: an account, its mailboxes, the next account. A mailbox's versions and UIDs go on behind what
/// clients may have seen.
static bool collect_all(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct all *all = arg;
	struct gap g = { .id = id, .version = version + 1, .restored = true }, last;

	(void)head;
	if (id.account == 0)
		return true;
	all->account = id.account;
	if (id.name == ACCOUNT_NAME) {
		all->account_at = all->gaps->n;
		g.version = 0; // the least id that it may give out
		return note_gap(all->gaps, g);
	}
	g.unknown = grave_known(all->cx, all->v, (struct mbox_ref){ id.account, id.name }) == E_NOTFOUND;
	if (all->account_at < all->gaps->n) {
		memcpy(&last, all->gaps->p + all->account_at, sizeof last);
		last.version = last.id.account == id.account ? id.name + 1 : last.version;
		memcpy(all->gaps->p + all->account_at, &last, sizeof last);
	}
	return note_gap(all->gaps, g);
}

static enum ec all_run(struct cx *cx, struct txn *t, struct job *job)
{
	const struct all *all = job->arg;

	return directory_set_mended(cx, t, all->damage, all->account + 1);
}

/// The work there is. out: *gaps — of damaged cells first; *gaps_n — how many those are; *whole — all are to be mended.
static enum ec look(struct cx *cx, struct store *s, struct all *all, size_t *gaps_n, bool *whole)
{
	uint64_t mended = 0;
	struct view *v;
	enum ec e = view_open(cx, s, &v);

	if (e)
		return e;
	all->cx = cx;
	all->v = v;
	e = store_damaged_cells(cx, v, collect, all->gaps);
	*gaps_n = all->gaps->n / sizeof(struct gap);
	if (e == E_OK)
		e = directory_mended(cx, v, &mended);
	*whole = store_is_restored(s) || all->damage != mended;
	all->account_at = SIZE_MAX;
	if (e == E_OK && *whole)
		e = cell_scan_cells(cx, v, (struct cell_id){ 0 }, collect_all, all);
	view_close(v);
	return e && e != E_CORRUPT ? e : all->gaps->err; // what cannot be read cannot be mended either
}

static enum ec mend_one(struct cx *cx, struct store *s, struct gap *g)
{
	if (g->id.name == ACCOUNT_NAME)
		return g->restored ? store_free(cx, s, false, leap_run, g) : E_OK;
	enum ec e = store_free(cx, s, !g->restored, mend_run, g);
	return e == E_OK && g->unknown ? bury_unknown(cx, s, g->id) : e;
}

enum ec mend_damaged(struct cx *cx, struct store *s, uint32_t *mended, uint32_t *damaged)
{
	struct buf gaps = BUF((size_t)DAMAGED_MAX * sizeof(struct gap));
	struct all all = { .gaps = &gaps, .damage = store_damage(s) };
	uint32_t n = 0;
	size_t gaps_n = 0;
	bool whole = false;
	enum ec e = look(cx, s, &all, &gaps_n, &whole);

	for (size_t at = 0; e == E_OK && at < gaps.n; at += sizeof(struct gap)) {
		struct gap g;
		memcpy(&g, gaps.p + at, sizeof g);
		e = mend_one(cx, s, &g);
		n += g.mended;
	}
	if (e == E_OK && whole) // last: its flush is that of all before it, and whatever ended before it is done again
		e = store_free(cx, s, true, all_run, &all);
	if (e == E_OK && whole && store_is_restored(s))
		e = store_restored_done(cx, s);
	if (e == E_OK) {
		*mended = n;
		*damaged = (uint32_t)gaps_n;
	}
	buf_free(&gaps);
	return e ? wrap(cx, e, "mending damaged mailboxes") : E_OK;
}
