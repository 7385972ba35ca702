/// mbox_sweep — see the header.
#include "store/mbox_sweep.h"

#include "store/keys.h"
#include "store/mbox_rows.h"

enum {
	PAGES_WORTH = 8,       // fewer are not worth a commit
	PAGES_AT_A_TIME = 256, // in one commit
	LIVE_PART = 4,         // mailboxes that have lost less than this part of what they hold are not looked at
	CELLS_MAX = 16 << 20,
};

/// The pages of one mailbox that may go.
struct hollow {
	uint32_t below; // the page that takes the next message
	int64_t now_s;
	uint32_t number[PAGES_AT_A_TIME];
	unsigned n;
};

static bool see_page(void *arg, struct sl key, struct sl value)
{
	struct hollow *h = arg;
	struct page p;

	if (key.p[0] != 'P')
		return false;
	if (page_read(key, value, &p) && p.number < h->below && !page_is_needed(&p, h->now_s))
		h->number[h->n++] = p.number;
	return h->n < PAGES_AT_A_TIME;
}

/// Whether so many messages are gone that looking for their pages is worth it.
static bool is_thinned(const struct mbox_head *head)
{
	uint32_t gone = head->uidnext - head->messages; // UID 0 is one of them

	return gone >= PAGES_WORTH * PAGE_UIDS && gone >= head->messages / LIVE_PART;
}

static enum ec find_hollow(struct cx *cx, struct view *v, struct cell_id cell, struct hollow *h, struct mbox_head *head)
{
	enum ec e = mbox_head_load(cx, v, cell, head);

	h->n = 0;
	if (e != E_OK || !is_thinned(head))
		return e == E_NOTFOUND ? E_OK : e; // deleted, or no mailbox at all
	h->below = head->uidnext / PAGE_UIDS;
	return cell_scan(cx, v, cell, SL("P"), see_page, h);
}

struct sweep {
	struct cell_id cell;
	struct hollow hollow;
};

static enum ec sweep_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct sweep *w = job->arg;
	struct mbox_head head;
	uint64_t version;
	enum ec e = find_hollow(cx, txn_view(t), w->cell, &w->hollow, &head);

	if (e != E_OK || w->hollow.n < PAGES_WORTH)
		return e;
	struct change *c = change_begin(t, w->cell, head.version);
	for (unsigned i = 0; i < w->hollow.n; i++) {
		struct key k = key_num32('P', w->hollow.number[i]);
		change_del(c, key_sl(&k));
	}
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

struct finding {
	struct cx *cx;
	struct view *v;
	struct hollow hollow;
	struct buf cells; // struct cell_id
	enum ec err;
};

static bool look_into(void *arg, struct cell_id id, uint64_t version, struct sl octets)
{
	struct finding *f = arg;
	struct mbox_head head;

	(void)version, (void)octets;
	if (id.account == 0 || id.name == 0)
		return true;
	f->err = find_hollow(f->cx, f->v, id, &f->hollow, &head);
	if (f->err == E_OK && f->hollow.n >= PAGES_WORTH)
		buf_add(&f->cells, (struct sl){ (const uint8_t *)&id, sizeof id });
	return f->err == E_OK && f->cells.err == E_OK;
}

enum ec mbox_sweep(struct cx *cx, struct store *s, int64_t now_s)
{
	struct finding f = {
		.cx = cx, .hollow.now_s = now_s, .cells = BUF((size_t)CELLS_MAX * sizeof(struct cell_id))
	};
	enum ec e = view_open(cx, s, &f.v);

	if (e != E_OK)
		return e;
	e = cell_scan_cells(cx, f.v, look_into, &f);
	view_close(f.v);
	if (e == E_OK)
		e = f.err ? f.err : f.cells.err;
	for (size_t at = 0; e == E_OK && at < f.cells.n; at += sizeof(struct cell_id)) {
		struct sweep w = { .hollow.now_s = now_s };
		memcpy(&w.cell, f.cells.p + at, sizeof w.cell);
		do {
			e = store_free(cx, s, sweep_run, &w);
		} while (e == E_OK && w.hollow.n == PAGES_AT_A_TIME);
	}
	buf_free(&f.cells);
	return e;
}
