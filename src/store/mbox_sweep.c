/// mbox_sweep — see the header.
#include "store/mbox_sweep.h"

#include "store/keys.h"
#include "store/mbox_rows.h"
#include "store/sweep.h"

enum {
	PAGES_WORTH = 8,       // fewer are not worth a commit
	PAGES_AT_A_TIME = 256, // in one commit
	LIVE_PART = 4,         // mailboxes that have lost less than this part of what they hold are not looked at
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

static enum ec look_for_hollow(struct cx *cx, struct view *v, struct cell_id cell, void *arg, bool *found)
{
	struct hollow *h = arg;
	struct mbox_head head;

	if (cell.account == 0 || cell.name == ACCOUNT_NAME)
		return E_OK;
	enum ec e = find_hollow(cx, v, cell, h, &head);
	*found = e == E_OK && h->n >= PAGES_WORTH;
	return e;
}

static enum ec drop_hollow(struct cx *cx, struct txn *t, struct cell_id cell, void *arg, bool *more)
{
	struct hollow *h = arg;
	struct mbox_head head;
	uint64_t version;
	enum ec e = find_hollow(cx, txn_view(t), cell, h, &head);

	if (e != E_OK || h->n < PAGES_WORTH)
		return e;
	struct change *c = change_begin(t, cell, head.version);
	for (unsigned i = 0; i < h->n; i++) {
		struct key k = key_num32('P', h->number[i]);
		change_del(c, key_sl(&k));
	}
	*more = h->n == PAGES_AT_A_TIME;
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

enum ec mbox_sweep(struct cx *cx, struct store *s, int64_t now_s)
{
	struct hollow hollow = { .now_s = now_s };

	return sweep_cells(cx, s, &(struct sweep){ .look = look_for_hollow, .clear = drop_hollow, .arg = &hollow });
}
