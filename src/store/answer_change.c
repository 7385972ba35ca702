/// answer_change — requests that change one mailbox without bringing a body: each is one job.
#include "store/request.h"

enum { LIST_MAX = 16 << 20 };

/// What a job collects in private memory; the range gets it when the job is done.
struct change_work {
	struct uid_set set;
	struct buf list; // struct pl_uids
};

static struct mbox_op op_of(struct request *r, uint64_t mbox, const uint8_t op[16])
{
	struct mbox_op m = { .m = { r->account, mbox }, .now_s = r->now_s, .quota = r->s->quota };

	memcpy(m.op.octets, op, sizeof m.op.octets);
	return m;
}

/// The work of a change with its set; answers the request and gives NULL where that fails.
static struct change_work *work_new(struct request *r, bool all, struct range set)
{
	struct change_work *w = r->work = request_alloc(r, sizeof *w);
	enum ec e = w ? request_set(r, all, set, &w->set) : E_TEMP;

	if (e != E_OK) {
		request_answer(r, e);
		return NULL;
	}
	w->list = BUF(LIST_MAX);
	return w;
}

// ---- keyword

static enum ec keyword_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_keyword *q = r->in;
	struct ans_mbox_keyword *a = r->out;

	return mailbox_keyword_make(cx, t, (struct mbox_ref){ r->account, q->mbox }, FIELD_SL(q->name), &a->bit);
}

static void mbox_keyword(struct cx *cx, struct request *r)
{
	const struct req_mbox_keyword *q = r->in;
	struct ans_mbox_keyword *a = r->out;
	struct mbox_ref m = { r->account, q->mbox };
	struct view *v;
	enum ec e = view_open(cx, r->s->store, &v);

	if (e == E_OK) {
		e = mailbox_keyword_find(cx, v, m, FIELD_SL(q->name), &a->bit);
		view_close(v);
	}
	if (e != E_NOTFOUND) {
		request_answer(r, e);
		return;
	}
	r->run = keyword_run; // it, or the mailbox, is missing
	request_submit(r, (struct request_job){ .durable = true });
}

// ---- flags

/// The rows as the change leaves them. The arena gets them before the commit: where that fails, so does the request.
static enum ec flags_rows(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_flags *q = r->in;
	const struct change_work *w = r->work;
	struct ans_mbox_flags *a = r->out;
	struct rows_query query = { .set = w->set, .raise = r->s->raise, .now_s = r->now_s };
	struct out out = out_over(request_at(r, q->out_rows), q->out_rows.len);

	if (q->out_rows.len == 0)
		return E_OK;
	return mailbox_rows(
		cx, txn_view(t), (struct mbox_ref){ r->account, q->mbox }, &query, &out, &a->rows, &a->next_uid);
}

static enum ec flags_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_flags *q = r->in;
	struct ans_mbox_flags *a = r->out;
	struct change_work *w = r->work;
	struct mbox_op op = op_of(r, q->mbox, q->op);
	struct flags_change fc = { w->set, (enum flags_mode)q->mode, q->flags, q->keywords,
		modseq_heard(r, q->unchanged_since) };
	struct flags_result res;

	buf_clear(&w->list);
	enum ec e = mailbox_flags(cx, t, &op, &fc, &w->list, &res);
	if (e == E_OK) {
		a->modseq = modseq_told(r, res.modseq);
		a->changed = res.changed;
		a->failed = res.failed;
		e = flags_rows(cx, t, r);
	}
	return e;
}

static void flags_finish(struct request *r, enum ec e)
{
	const struct req_mbox_flags *q = r->in;
	struct change_work *w = r->work;

	// `failed` counts messages; the list may be cut, and the front then asks the rows it cares for.
	if (e == E_OK)
		(void)request_list(r, q->out_failed, &w->list, sizeof(struct pl_uids));
	buf_free(&w->list);
}

static void mbox_flags(struct cx *cx, struct request *r)
{
	const struct req_mbox_flags *q = r->in;

	(void)cx;
	if (!work_new(r, q->all, q->set))
		return;
	r->run = flags_run;
	r->finish = flags_finish;
	// what is marked can be expunged then: on a full disk that is what clients do to make room
	bool frees = q->mode != FLAGS_DEL && q->flags & FLAG_DELETED;
	request_submit(r, (struct request_job){ .frees = frees });
}

// ---- expunge

static enum ec expunge_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_expunge *q = r->in;
	struct ans_mbox_expunge *a = r->out;
	struct change_work *w = r->work;
	struct mbox_op op = op_of(r, q->mbox, q->op);
	struct expunge_result res;

	buf_clear(&w->list);
	enum ec e = mailbox_expunge(cx, t, &op, w->set, q->all_flags, &w->list, &res);
	if (e == E_OK) {
		a->modseq = modseq_told(r, res.modseq);
		a->count = res.count;
	}
	return e;
}

static void expunge_finish(struct request *r, enum ec e)
{
	const struct req_mbox_expunge *q = r->in;
	struct ans_mbox_expunge *a = r->out;
	struct change_work *w = r->work;

	if (e == E_OK)
		a->out_full = !request_list(r, q->out, &w->list, sizeof(struct pl_uids));
	buf_free(&w->list);
}

static void mbox_expunge(struct cx *cx, struct request *r)
{
	const struct req_mbox_expunge *q = r->in;

	(void)cx;
	if (!work_new(r, q->all, q->set))
		return;
	r->run = expunge_run;
	r->finish = expunge_finish;
	request_submit(r, (struct request_job){ .durable = true, .frees = true });
}

// ---- copy

static enum ec copy_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_copy *q = r->in;
	struct ans_mbox_copy *a = r->out;
	struct change_work *w = r->work;
	struct mbox_op op = op_of(r, q->mbox, q->op);
	struct copy_result res;

	buf_clear(&w->list);
	enum ec e = mailbox_copy(cx, t, &op, q->to, w->set, q->move, &w->list, &res);
	if (e == E_OK) {
		a->uidvalidity = res.uidvalidity;
		a->first_uid = res.first_uid;
		a->count = res.count;
		a->lost_keywords = res.lost_keywords;
		a->modseq = modseq_told(r, res.modseq);
	}
	return e;
}

static void copy_finish(struct request *r, enum ec e)
{
	const struct req_mbox_copy *q = r->in;
	struct ans_mbox_copy *a = r->out;
	struct change_work *w = r->work;

	if (e == E_OK)
		a->out_full = !request_list(r, q->out, &w->list, sizeof(struct pl_uids));
	buf_free(&w->list);
}

static void mbox_copy(struct cx *cx, struct request *r)
{
	const struct req_mbox_copy *q = r->in;

	(void)cx;
	if (!work_new(r, q->all, q->set))
		return;
	r->run = copy_run;
	r->finish = copy_finish;
	request_submit(r, (struct request_job){ .durable = true });
}

const struct handler *handler_change(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_mbox_keyword] = { .start = mbox_keyword },
		[VERB_mbox_flags] = { .start = mbox_flags },
		[VERB_mbox_expunge] = { .start = mbox_expunge },
		[VERB_mbox_copy] = { .start = mbox_copy },
	};

	return handlers[verb].start ? &handlers[verb] : NULL;
}
