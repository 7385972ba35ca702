/// grave — see the header.
#include "store/grave.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/keys.h"
#include "store/mbox_rows.h"
#include "store/sweep.h"
#include "store/tree_rows.h"

static const uint64_t time_found = 1ULL << 63; // in a row's time: nobody deleted that mailbox
enum {
	GRAVES_AT_A_TIME = 64,
	WEIGHED_MAX = 2 * GRAVES_MAX, // more than there can be: each deletion trims
};

enum ec grave_note(struct cx *cx, struct txn *t, const struct tree_op *op, struct change *c, uint64_t mbox)
{
	struct key k = key_num64('g', mbox), live = key_num64('m', mbox);
	struct buf row = BUF(8 + NAME_MAX_OCTETS);
	uint8_t at[8];

	put_le64(at, (uint64_t)op->now_s);
	buf_add(&row, (struct sl){ at, sizeof at });
	enum ec e = tree_name(cx, txn_view(t), op->account, mbox, &row);
	if (e == E_OK) {
		change_put(c, key_sl(&k), buf_sl(&row));
		change_del(c, key_sl(&live));
	}
	buf_free(&row);
	return e;
}

enum ec grave_known(struct cx *cx, struct view *v, struct mbox_ref m)
{
	static const char kinds[] = { 'm', 'g', 'd' };
	enum ec e = E_NOTFOUND;

	for (size_t i = 0; e == E_NOTFOUND && i < sizeof kinds; i++) {
		struct key k = key_num64(kinds[i], m.mbox);
		struct sl value;
		e = cell_get(cx, v, tree_cell(m.account), key_sl(&k), &value);
	}
	return e;
}

enum ec grave_found(struct cx *cx, struct txn *t, struct mbox_ref m, int64_t now_s)
{
	struct key k = key_num64('g', m.mbox);
	struct buf row = BUF(64);
	struct mbox_head h;
	struct account a;
	uint8_t at[8];
	enum ec e = mbox_head_load(cx, txn_view(t), mbox_cell(m), &h);

	if (e == E_NOTFOUND)
		e = mbox_head_buried(cx, txn_view(t), mbox_cell(m), &h);
	if (e == E_OK)
		e = account_load(cx, txn_view(t), m.account, &a);
	if (e != E_OK)
		return e;
	put_le64(at, (uint64_t)now_s | time_found);
	buf_add(&row, (struct sl){ at, sizeof at });
	buf_printf(&row, "Found-%llu", (unsigned long long)m.mbox);
	struct change *c = change_begin(t, tree_cell(m.account), a.version);
	change_put(c, key_sl(&k), buf_sl(&row));
	e = change_commit(cx, c, NULL, (struct sl){ 0 }, &a.version);
	buf_free(&row);
	return e == E_OK ? grave_close(cx, t, m) : e;
}

enum ec grave_close(struct cx *cx, struct txn *t, struct mbox_ref m)
{
	struct mbox_head h;
	uint64_t version;
	enum ec e = mbox_head_load(cx, txn_view(t), mbox_cell(m), &h);

	if (e != E_OK)
		return e == E_NOTFOUND ? E_OK : e;
	struct change *c = change_begin(t, mbox_cell(m), h.version);
	mbox_head_bury(c, &h);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

enum ec grave_find(struct cx *cx, struct view *v, struct mbox_ref m)
{
	struct key k = key_num64('g', m.mbox);
	struct mbox_head h;
	struct sl value;
	enum ec e = cell_get(cx, v, tree_cell(m.account), key_sl(&k), &value);

	return e == E_OK ? mbox_head_buried(cx, v, mbox_cell(m), &h) : e;
}

void grave_forget(struct change *c, uint64_t mbox)
{
	struct key k = key_num64('g', mbox);

	change_del(c, key_sl(&k));
}

enum ec grave_open(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t uidvalidity)
{
	struct mbox_head h;
	uint64_t version;
	enum ec e = mbox_head_buried(cx, txn_view(t), mbox_cell(m), &h);

	if (e != E_OK)
		return e;
	h.uidvalidity = uidvalidity;
	struct change *c = change_begin(t, mbox_cell(m), h.version);
	mbox_head_put(c, &h);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

struct listing {
	int64_t before_s;
	grave_each *each;
	void *arg;
	bool deleted; // those only
};

static bool see_grave(void *arg, struct sl key, struct sl value)
{
	struct listing *l = arg;

	if (key.p[0] != 'g')
		return false;
	if (key.n != 9 || value.n < 8)
		return true;
	uint64_t at = get_le64(value.p);
	int64_t gone_s = (int64_t)(at & ~time_found);
	if (gone_s >= l->before_s || (l->deleted && at & time_found))
		return true;
	return l->each(l->arg, get_be64(key.p + 1), gone_s, sl_from(value, 8));
}

static enum ec list(struct cx *cx, struct view *v, uint64_t account, struct listing l)
{
	return cell_scan(cx, v, tree_cell(account), SL("g"), see_grave, &l);
}

enum ec grave_list(struct cx *cx, struct view *v, uint64_t account, int64_t before_s, grave_each *each, void *arg)
{
	return list(cx, v, account, (struct listing){ before_s, each, arg, false });
}

struct due_listing {
	grave_each *each;
	void *arg;
};

static bool see_due(void *arg, struct sl key, struct sl value)
{
	struct due_listing *l = arg;

	(void)value;
	if (key.p[0] != 'd')
		return false;
	return key.n != 9 || l->each(l->arg, get_be64(key.p + 1), 0, (struct sl){ 0 });
}

enum ec grave_list_due(struct cx *cx, struct view *v, uint64_t account, grave_each *each, void *arg)
{
	struct due_listing l = { each, arg };

	return cell_scan(cx, v, tree_cell(account), SL("d"), see_due, &l);
}

// ---- trimming

struct grave {
	uint64_t mbox, octets;
	int64_t gone_s;
};
struct trim {
	struct cx *cx;
	struct view *v;
	uint64_t account, octets;
	struct buf graves; // struct grave
	enum ec err;
};

static bool weigh_grave(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	struct trim *w = arg;
	struct mbox_head h = { 0 };

	(void)name;
	w->err = mbox_head_buried(w->cx, w->v, (struct cell_id){ w->account, mbox }, &h);
	if (w->err == E_NOTFOUND || w->err == E_CORRUPT)
		w->err = E_OK; // damage took the mailbox: nothing to weigh, and no reason to refuse another's deletion
	struct grave g = { mbox, h.octets, gone_s };
	buf_add(&w->graves, (struct sl){ (const uint8_t *)&g, sizeof g });
	w->octets += h.octets;
	return w->err == E_OK && w->graves.err == E_OK && w->graves.n < WEIGHED_MAX * sizeof g;
}

/// Oldest first; of one second in the order in which they were made.
static int by_age(const void *x, const void *y)
{
	const struct grave *a = x, *b = y;

	if (a->gone_s != b->gone_s)
		return a->gone_s < b->gone_s ? -1 : 1;
	return a->mbox < b->mbox ? -1 : a->mbox > b->mbox;
}

static bool count_one(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	(void)mbox, (void)gone_s, (void)name;
	++*(unsigned *)arg;
	return true;
}

/// Row 'g' becomes row 'd': only the account's cell changes, so that no damage elsewhere can refuse it.
static enum ec give_up(struct cx *cx, struct txn *t, uint64_t account, const uint64_t *mbox, unsigned n)
{
	struct account a;
	unsigned waiting = 0;
	enum ec e = grave_list_due(cx, txn_view(t), account, count_one, &waiting);

	if (e == E_OK && waiting >= GRAVES_DUE_MAX)
		e = fail(cx, E_LIMIT, "%u deleted mailboxes wait for their sweep", waiting);
	if (e == E_OK)
		e = account_load(cx, txn_view(t), account, &a);
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, tree_cell(account), a.version);
	for (unsigned i = 0; i < n; i++) {
		struct key due = key_num64('d', mbox[i]);
		grave_forget(c, mbox[i]);
		change_put(c, key_sl(&due), SL(""));
	}
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &a.version);
}

enum ec grave_trim(struct cx *cx, struct txn *t, uint64_t account, uint64_t octets_max)
{
	struct trim w = { cx, txn_view(t), account, 0, BUF(WEIGHED_MAX * sizeof(struct grave)), E_OK };
	uint64_t mbox[GRAVES_AT_A_TIME];
	unsigned n = 0;
	enum ec e = list(cx, w.v, account, (struct listing){ INT64_MAX, weigh_grave, &w, true });

	e = e ? e : w.err ? w.err : w.graves.err;
	size_t left = w.graves.n / sizeof(struct grave);
	struct grave *all = (void *)w.graves.p;
	if (e == E_OK && left)
		qsort(all, left, sizeof *all, by_age);
	while (e == E_OK && n < left && n < GRAVES_AT_A_TIME &&
		(left - n > GRAVES_MAX || (octets_max && w.octets > octets_max))) {
		mbox[n] = all[n].mbox;
		w.octets -= all[n++].octets;
	}
	buf_free(&w.graves);
	return e == E_OK && n ? give_up(cx, t, account, mbox, n) : e;
}

// ---- sweeping

struct due {
	int64_t before_s;
	struct cx *cx;
	struct view *v;
	uint64_t account;
	uint64_t mbox[GRAVES_AT_A_TIME];
	unsigned n, damaged;
};

static bool note_due(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	(void)mbox, (void)gone_s, (void)name;
	*(bool *)arg = true;
	return false;
}

static enum ec look_for_due(struct cx *cx, struct view *v, struct cell_id cell, void *arg, bool *found)
{
	const struct due *d = arg;

	if (cell.account == 0 || cell.name != ACCOUNT_NAME)
		return E_OK;
	enum ec e = grave_list_due(cx, v, cell.account, note_due, found);
	return e == E_OK && !*found ? grave_list(cx, v, cell.account, d->before_s, note_due, found) : e;
}

/// Damaged ones are passed over: in one job with others they would keep those.
static bool take_due(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	struct due *d = arg;
	struct sl head;
	uint64_t version;

	(void)gone_s, (void)name;
	if (cell_head(d->cx, d->v, (struct cell_id){ d->account, mbox }, &version, &head) == E_CORRUPT)
		d->damaged++;
	else
		d->mbox[d->n++] = mbox;
	return d->n < GRAVES_AT_A_TIME;
}

/// Drops the mailboxes and the rows that name them.
static enum ec drop_some(struct cx *cx, struct txn *t, const struct due *d, uint64_t version)
{
	struct change *c = change_begin(t, tree_cell(d->account), version);

	for (unsigned i = 0; i < d->n; i++) {
		struct key due = key_num64('d', d->mbox[i]);
		grave_forget(c, d->mbox[i]);
		change_del(c, key_sl(&due));
	}
	enum ec e = change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
	for (unsigned i = 0; e == E_OK && i < d->n; i++)
		e = mailbox_drop(cx, t, (struct mbox_ref){ d->account, d->mbox[i] });
	return e;
}

static enum ec drop_due(struct cx *cx, struct txn *t, struct cell_id cell, void *arg, bool *more)
{
	struct due d = {
		.before_s = ((const struct due *)arg)->before_s, .cx = cx, .v = txn_view(t), .account = cell.account
	};
	struct account a;
	enum ec e = account_load(cx, d.v, cell.account, &a);

	if (e != E_OK)
		return e == E_NOTFOUND ? E_OK : e; // the account went meanwhile, with all that was its
	e = grave_list_due(cx, d.v, cell.account, take_due, &d);
	if (e == E_OK && d.n < GRAVES_AT_A_TIME)
		e = grave_list(cx, d.v, cell.account, d.before_s, take_due, &d);
	if (e == E_OK && d.n == 0 && d.damaged)
		e = fail(cx, E_CORRUPT, "%u deleted mailboxes are damaged", d.damaged);
	*more = d.n == GRAVES_AT_A_TIME || (d.n && d.damaged); // once more, to tell of the damage alone
	return e == E_OK && d.n ? drop_some(cx, t, &d, a.version) : e;
}

enum ec grave_sweep(struct cx *cx, struct store *s, int64_t now_s)
{
	struct due due = { .before_s = now_s - GRAVE_S };

	return sweep_cells(cx, s, &(struct sweep){ .look = look_for_due, .clear = drop_due, .arg = &due });
}
