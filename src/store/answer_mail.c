/// answer_mail — requests that read one mailbox. Those that end a watch's silence note that before they look.
#include "store/request.h"

#include "store/mbox_rows.h"
#include "store/tree.h"

static struct mbox_ref ref(const struct request *r, uint64_t mbox)
{
	return (struct mbox_ref){ r->account, mbox };
}

#define STATUS_FILL(r, a, st)                               \
	do {                                                \
		(a)->uidvalidity = (st)->uidvalidity;       \
		(a)->uidnext = (st)->uidnext;               \
		(a)->messages = (st)->messages;             \
		(a)->unseen = (st)->unseen;                 \
		(a)->deleted = (st)->deleted;               \
		(a)->recent = (st)->recent;                 \
		(a)->octets = (st)->octets;                 \
		(a)->modseq = modseq_told(r, (st)->modseq); \
	} while (0)

/// Runs a reading handler in a view that is opened after the watch was told.
static void look(struct cx *cx, struct request *r, uint64_t mbox,
	enum ec (*read)(struct cx *cx, struct request *r, struct view *v))
{
	struct view *v;

	watch_seen(r->s->watches, r->peer, (struct cell_id){ r->account, mbox });
	enum ec e = view_open(cx, r->s->store, &v);
	if (e == E_OK) {
		e = read(cx, r, v);
		view_close(v);
	}
	request_answer(r, e);
}

static enum ec mbox_status(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_status *q = r->in;
	struct ans_mbox_status *a = r->out;
	struct mbox_status st;
	enum ec e = mailbox_status(cx, v, ref(r, q->mbox), &st);

	if (e == E_OK)
		STATUS_FILL(r, a, &st);
	return e;
}

struct keyword_out {
	struct out out;
	uint32_t count;
	bool full;
};
static bool keyword_entry(void *arg, uint8_t bit, struct sl name)
{
	struct keyword_out *k = arg;
	_Alignas(8) uint8_t o[sizeof(struct pl_keyword) + KEYWORD_OCTETS + 8] = { 0 };
	size_t size = (sizeof(struct pl_keyword) + name.n + 7) & ~(size_t)7;
	struct pl_keyword e = { .size = (uint16_t)size, .bit = bit, .name_octets = (uint8_t)name.n };

	if (name.n > KEYWORD_OCTETS)
		return true;
	memcpy(o, &e, sizeof e);
	memcpy(o + sizeof e, name.p, name.n);
	k->full = !out_put(&k->out, o, size);
	k->count += !k->full;
	return !k->full;
}

static enum ec keywords_read(
	struct cx *cx, struct request *r, struct view *v, uint64_t mbox, struct range to, uint32_t *count)
{
	struct keyword_out k = { .out = request_out(r, to) };
	enum ec e = mailbox_keywords(cx, v, ref(r, mbox), keyword_entry, &k);

	*count = k.count;
	return e == E_OK && k.full ? fail(cx, E_TOOBIG, "no room for the keywords") : e;
}

static enum ec mbox_keywords(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_keywords *q = r->in;
	struct ans_mbox_keywords *a = r->out;

	return keywords_read(cx, r, v, q->mbox, q->out, &a->count);
}

/// What SELECT shows of a->mbox; recent_from as it was before it was claimed.
static enum ec open_read(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_open *q = r->in;
	struct ans_mbox_open *a = r->out;
	struct out out = request_out(r, q->out);
	struct mbox_status st;
	enum ec e = mailbox_status(cx, v, ref(r, a->mbox), &st);

	if (e == E_OK)
		e = mailbox_first_unseen(cx, v, ref(r, a->mbox), &a->first_unseen);
	if (e == E_OK)
		e = mailbox_presence(cx, v, ref(r, a->mbox), 0, &out, &a->blocks, &a->next_block);
	if (e == E_OK)
		e = keywords_read(cx, r, v, a->mbox, q->out_keywords, &a->keywords);
	if (e != E_OK)
		return e;
	STATUS_FILL(r, a, &st);
	a->recent_from = st.recent_from;
	return E_OK;
}

static enum ec open_run(struct cx *cx, struct txn *t, struct request *r)
{
	struct ans_mbox_open *a = r->out;
	uint32_t from, recent;
	enum ec e = open_read(cx, r, txn_view(t));

	recent = a->recent;
	if (e == E_OK)
		e = mailbox_claim_recent(cx, t, ref(r, a->mbox), &from);
	if (e == E_OK)
		e = open_read(cx, r, txn_view(t)); // once more: claiming made a new version
	if (e == E_OK) {
		a->recent_from = from;
		a->recent = recent;
	}
	return e;
}

/// Finds the mailbox and watches it, so that no change falls between this and the view that is read. A watch stays
/// where reading then fails: it may be another session's of this front, too.
static enum ec open_watch(struct cx *cx, struct request *r)
{
	const struct req_mbox_open *q = r->in;
	struct ans_mbox_open *a = r->out;
	enum mbox_use use;
	struct view *v;

	if (q->leave)
		watch_off(r->s->watches, r->peer, (struct cell_id){ r->account, q->leave });
	enum ec e = view_open(cx, r->s->store, &v);
	if (e != E_OK)
		return e;
	e = tree_find(cx, v, r->account, FIELD_SL(q->name), &a->mbox, &use);
	view_close(v);
	return e == E_OK ? watch_on(r->s->watches, r->peer, mbox_cell(ref(r, a->mbox))) : e;
}

static void mbox_open(struct cx *cx, struct request *r)
{
	const struct req_mbox_open *q = r->in;
	struct ans_mbox_open *a = r->out;
	bool claims = false;
	struct view *v = NULL;
	enum ec e = open_watch(cx, r);

	if (e == E_OK)
		e = view_open(cx, r->s->store, &v);
	if (e == E_OK)
		e = open_read(cx, r, v);
	view_close(v);
	claims = e == E_OK && q->claim_recent && a->recent_from < a->uidnext;
	if (!claims) { // and so no change
		request_answer(r, e);
		return;
	}
	r->run = open_run;
	request_submit(r, (struct request_job){ 0 });
}

static enum ec claim_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_claim *q = r->in;
	struct mbox_head h;
	uint32_t from;
	enum ec e = mbox_head_load(cx, txn_view(t), mbox_cell(ref(r, q->mbox)), &h);

	return e == E_OK && h.uidnext == q->uidnext ? mailbox_claim_recent(cx, t, ref(r, q->mbox), &from) : e;
}

static void mbox_claim(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = claim_run;
	request_submit(r, (struct request_job){ 0 });
}

static enum ec presence_read(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_presence *q = r->in;
	struct ans_mbox_presence *a = r->out;
	struct out out = request_out(r, q->out);
	struct mbox_head h;
	enum ec e = mbox_head_load(cx, v, mbox_cell(ref(r, q->mbox)), &h);

	a->modseq = e == E_OK ? modseq_told(r, h.version) : 0;
	return e == E_OK ? mailbox_presence(cx, v, ref(r, q->mbox), q->from_block, &out, &a->blocks, &a->next_block)
	                 : e;
}

static void mbox_presence(struct cx *cx, struct request *r)
{
	const struct req_mbox_presence *q = r->in;

	look(cx, r, q->mbox, presence_read);
}

static enum ec rows_read(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_rows *q = r->in;
	struct ans_mbox_rows *a = r->out;
	struct rows_query query = { .from_uid = q->from_uid,
		.changed_since = modseq_heard(r, q->changed_since),
		.raise = r->s->raise,
		.expunged_too = q->expunged_too,
		.now_s = r->now_s };
	struct mbox_head h;
	struct out out = { 0 };
	enum ec e = request_set(r, q->all, q->set, &query.set);

	for (uint32_t i = 0; i < q->out.n; i++)
		out_piece(&out, request_at(r, q->out.r[i]), q->out.r[i].len);
	if (e == E_OK)
		e = mbox_head_load(cx, v, mbox_cell(ref(r, q->mbox)), &h);
	if (e == E_OK)
		e = mailbox_rows(cx, v, ref(r, q->mbox), &query, &out, &a->count, &a->next_uid);
	if (e == E_OK && a->count == 0 && a->next_uid)
		e = fail(cx, E_TOOBIG, "no room for one row");
	if (e == E_OK)
		a->modseq = modseq_told(r, h.version);
	return e;
}

static void mbox_rows(struct cx *cx, struct request *r)
{
	const struct req_mbox_rows *q = r->in;

	look(cx, r, q->mbox, rows_read);
}

static enum ec sync_read(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_sync *q = r->in;
	struct ans_mbox_sync *a = r->out;
	struct rows_query query = {
		.set.all = true, .changed_since = modseq_heard(r, q->since), .raise = r->s->raise, .now_s = r->now_s
	};
	struct out rows = request_out(r, q->out_rows), gone = request_out(r, q->out_gone);
	struct mbox_status st;
	uint32_t next;
	bool unknown;
	enum ec e = mailbox_status(cx, v, ref(r, q->mbox), &st);

	if (e == E_OK)
		e = mailbox_rows(cx, v, ref(r, q->mbox), &query, &rows, &a->rows, &next);
	if (e == E_OK)
		e = mailbox_gone(cx, v, ref(r, q->mbox), modseq_heard(r, q->since), &gone, &a->gone, &unknown);
	if (e != E_OK)
		return e;
	a->more_rows = next != 0;
	a->gone_unknown = unknown;
	STATUS_FILL(r, a, &st);
	return E_OK;
}

static void mbox_sync(struct cx *cx, struct request *r)
{
	const struct req_mbox_sync *q = r->in;

	look(cx, r, q->mbox, sync_read);
}

const struct handler *handler_mail(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_mbox_status] = { .read = mbox_status },
		[VERB_mbox_open] = { .start = mbox_open },
		[VERB_mbox_claim] = { .start = mbox_claim },
		[VERB_mbox_presence] = { .start = mbox_presence },
		[VERB_mbox_rows] = { .start = mbox_rows },
		[VERB_mbox_sync] = { .start = mbox_sync },
		[VERB_mbox_keywords] = { .read = mbox_keywords },
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
