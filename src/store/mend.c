/// mend — one durable job for each damaged mailbox.
#include "store/mend.h"

#include "base/buf.h"
#include "base/num.h"
#include "store/mbox_rows.h"

enum { DAMAGED_MAX = 16 << 20 };

struct gap {
	struct cell_id id;
	uint64_t version; // behind the newest missing commit
	bool mended;
};

static bool collect(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct buf *gaps = arg;
	struct gap g = { .id = id, .version = version };

	(void)head;
	buf_add(gaps, (struct sl){ (const uint8_t *)&g, sizeof g });
	return gaps->err == E_OK;
}

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
	h.uidnext = h.uidnext < UINT32_MAX - MEND_UIDS ? h.uidnext + MEND_UIDS : UINT32_MAX;
	h.gone_floor = h.version + 1;
	put_le64(row, g->version);
	struct change *c = change_begin(t, g->id, h.version);
	mbox_head_put(c, &h);
	change_put(c, SL("D"), (struct sl){ row, sizeof row });
	e = change_commit(cx, c, NULL, SL(""), &version);
	g->mended = e == E_OK;
	return e;
}

/// A restored mailbox's versions and UIDs go on behind what clients may have seen since.
static bool collect_restored(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	return id.account == 0 || collect(arg, id, version + 1, head);
}

enum ec mend_damaged(struct cx *cx, struct store *s, uint32_t *mended, uint32_t *damaged)
{
	struct buf gaps = BUF((size_t)DAMAGED_MAX * sizeof(struct gap));
	bool restored = store_is_restored(s);
	struct view *v;
	uint32_t n = 0;
	size_t gaps_n = 0;
	enum ec e = view_open(cx, s, &v);

	if (e)
		return e;
	e = store_damaged_cells(cx, v, collect, &gaps);
	gaps_n = gaps.n / sizeof(struct gap);
	if (e == E_OK && restored)
		e = cell_scan_cells(cx, v, collect_restored, &gaps);
	view_close(v);
	if (e == E_OK)
		e = gaps.err;
	for (size_t at = 0; e == E_OK && at < gaps.n; at += sizeof(struct gap)) {
		struct gap g;
		memcpy(&g, gaps.p + at, sizeof g);
		if (g.id.name != ACCOUNT_NAME)
			e = store_do(cx, s, true, mend_run, &g);
		n += g.mended;
	}
	if (e == E_OK && restored)
		e = store_restored_done(cx, s);
	if (e == E_OK) {
		*mended = n;
		*damaged = (uint32_t)gaps_n;
	}
	buf_free(&gaps);
	return e ? wrap(cx, e, "mending damaged mailboxes") : E_OK;
}
