/// answer_body — requests that carry message octets: uploads, append, deliver, resolving targets, reading.
#include "base/hash.h"
#include "store/request.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "store/deliver.h"
#include "store/directory.h"

// ---- uploads

static void upload_begin(struct cx *cx, struct request *r)
{
	const struct req_upload_begin *q = r->in;
	struct ans_upload_begin *a = r->out;
	struct peer *p = r->peer;
	struct blob *b;
	enum ec e = blob_new(cx, r->s->store, &b);

	if (e != E_OK) {
		request_answer(r, e);
		return;
	}
	e = E_LIMIT;
	pthread_mutex_lock(&p->lock);
	for (int i = 0; e == E_LIMIT && i < UPLOADS_MAX; i++) {
		if (p->upload[i].id)
			continue;
		a->upload = random_u64() | 1; // a request sent again after a restart must not meet another's upload
		p->upload[i] = (struct upload){ .id = a->upload, .blob = b };
		share_begin(&r->s->share, &p->upload[i].part, q->who);
		e = E_OK;
	}
	pthread_mutex_unlock(&p->lock);
	if (e != E_OK)
		blob_free(b);
	request_answer(r, e);
}

/// Ends an upload, whatever came of it.
static void upload_end(struct request *r, uint64_t id)
{
	struct body_in body = { .upload = id };

	body_end(r, &body, true);
}

/// Whether it may take the disk that it asks for now. The operator's may. errors: those of share_take.
static enum ec upload_fits(const struct request *r, const struct req_upload_add *q, const struct body_in *body)
{
	uint64_t octets = 0;

	for (uint32_t i = 0; i < q->body.n; i++)
		octets += q->body.r[i].len;
	return r->peer->by.kind == BY_ADMIN
	               ? E_OK
	               : share_take(&r->s->share, body->part, octets, store_free_room(r->s->store));
}

static void upload_add(struct cx *cx, struct request *r)
{
	const struct req_upload_add *q = r->in;
	struct ans_upload_add *a = r->out;
	struct body_in body;
	enum ec e = q->upload ? body_take(cx, r, NULL, 0, q->upload, &body) : E_NOTFOUND;

	if (e != E_OK) {
		request_answer(
			r, e == E_NOTFOUND ? E_TEMP : e); // it ended with the store that had it: the sender tries again
		return;
	}
	e = upload_fits(r, q, &body);
	if (e != E_OK) {
		body_end(r, &body, false); // it stays as it was: there may be room soon
		request_answer(r, e);
		return;
	}
	for (uint32_t i = 0; e == E_OK && i < q->body.n; i++) {
		struct sl piece = { request_at(r, q->body.r[i]), q->body.r[i].len };
		e = blob_octets(body.blob) + piece.n > MESSAGE_MAX ? E_TOOBIG : blob_add(cx, body.blob, piece);
	}
	a->octets = blob_octets(body.blob);
	if (e == E_OK)
		e = request_arena(r);
	if (e == E_OK)
		e = blob_rest(cx, body.blob); // who stalls now holds no memory
	if (e == E_OK)
		body_end(r, &body, false);
	else
		upload_end(r, q->upload); // the blob is good for nothing now
	request_answer(r, e);
}

/// The body of a change. An upload that is gone gives none (E_OK, blob NULL): the change was perhaps done before the
/// store restarted, and then its outcome is the answer; else it ends with E_TEMP.
static enum ec body_find(
	struct cx *cx, struct request *r, const struct range *ranges, uint32_t n, uint64_t upload, struct body_in *out)
{
	enum ec e = body_take(cx, r, ranges, n, upload, out);

	return e == E_NOTFOUND && upload ? E_OK : e;
}

static void upload_drop(struct cx *cx, struct request *r)
{
	const struct req_upload_drop *q = r->in;
	struct body_in body;
	enum ec e = q->upload ? body_take(cx, r, NULL, 0, q->upload, &body) : E_NOTFOUND;

	if (e == E_OK)
		upload_end(r, q->upload);
	request_answer(r, e);
}

// ---- append

struct append_work {
	struct body_in body;
	struct mbox_message msg;
};

static enum ec append_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_append *q = r->in;
	struct ans_mbox_append *a = r->out;
	struct append_work *w = r->work;
	struct mbox_op op = { .m = { r->account, q->mbox }, .now_s = r->now_s, .quota = r->s->quota };
	struct append_result res;
	struct mbox_status st;

	memcpy(op.op.octets, q->op, sizeof op.op.octets);
	enum ec e = mailbox_status(cx, txn_view(t), op.m, &st); // before the body goes into the log
	if (e == E_OK)
		e = mailbox_append(cx, t, &op, &w->msg, 1, QUOTA_APPEND, &res);
	if (e == E_OK) {
		a->uidvalidity = res.uidvalidity;
		a->uid = res.first_uid;
		a->modseq = modseq_told(r, res.modseq);
	}
	return e;
}

static void append_finish(struct request *r, enum ec e)
{
	struct append_work *w = r->work;

	body_end(r, &w->body, e == E_OK);
}

static bool zone_ok(int64_t zone_min)
{
	return zone_min > -24 * 60 && zone_min < 24 * 60;
}

static void mbox_append(struct cx *cx, struct request *r)
{
	const struct req_mbox_append *q = r->in;
	struct append_work *w = r->work = request_alloc(r, sizeof *w);
	enum ec e = !w ? E_TEMP : zone_ok(q->zone_min) ? E_OK : E_RANGE;

	if (e == E_OK)
		e = body_find(cx, r, q->body.r, q->body.n, q->upload, &w->body);
	if (e != E_OK) {
		request_answer(r, e);
		return;
	}
	w->msg = (struct mbox_message){ .blob = w->body.blob,
		.flags = q->flags,
		.keywords = q->keywords,
		.date_s = q->date_s,
		.zone_min = (int16_t)q->zone_min };
	r->run = append_run;
	r->finish = append_finish;
	request_submit(r, (struct request_job){ .durable = true });
}

// ---- deliver

/// Targets as asked may repeat; each account gets one copy.
struct wanted {
	uint64_t account;
	uint32_t at; // index as asked
};
struct deliver_work {
	struct delivery d;
	struct body_in body;
	struct wanted *wanted; // sorted by account
	uint32_t n;
	uint64_t *target;
	uint8_t *status; // per unique target
};

static int wanted_cmp(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->account < y->account ? -1 : x->account > y->account;
}

static enum ec targets_take(struct request *r, struct range from, struct deliver_work *w)
{
	struct sl octets;
	enum ec e = from.len % 8 || from.len == 0 ? E_SYNTAX
	                                          : request_copy(r, from, (size_t)DELIVER_TARGETS_MAX * 8, &octets);

	if (e != E_OK)
		return e;
	w->n = (uint32_t)(octets.n / 8);
	w->wanted = request_alloc(r, w->n * sizeof *w->wanted);
	w->target = request_alloc(r, w->n * sizeof *w->target);
	w->status = request_alloc(r, w->n);
	if (!w->wanted || !w->target || !w->status)
		return E_TEMP;
	for (uint32_t i = 0; i < w->n; i++) {
		w->wanted[i].at = i;
		memcpy(&w->wanted[i].account, octets.p + (size_t)i * 8, 8);
	}
	qsort(w->wanted, w->n, sizeof *w->wanted, wanted_cmp);
	for (uint32_t i = 0; i < w->n; i++)
		if (i == 0 || w->wanted[i].account != w->wanted[i - 1].account)
			w->target[w->d.targets++] = w->wanted[i].account;
	w->d.target = w->target;
	return E_OK;
}

static enum ec deliver_run(struct cx *cx, struct txn *t, struct request *r)
{
	struct ans_deliver *a = r->out;
	struct deliver_work *w = r->work;

	return deliver(cx, t, &w->d, w->status, &a->stored);
}

static void deliver_finish(struct request *r, enum ec e)
{
	const struct req_deliver *q = r->in;
	struct deliver_work *w = r->work;
	uint8_t *out = request_at(r, q->out);
	uint32_t unique = 0, stored = 0;

	body_end(r, &w->body, e == E_OK);
	if (e != E_OK)
		return;
	for (uint32_t i = 0; i < w->n; i++) {
		if (i && w->wanted[i].account != w->wanted[i - 1].account)
			unique++;
		out[w->wanted[i].at] = w->status[unique];
		stored += w->status[unique] == E_OK;
	}
	((struct ans_deliver *)r->out)->stored = stored;
}

static void deliver_start(struct cx *cx, struct request *r)
{
	const struct req_deliver *q = r->in;
	struct deliver_work *w = r->work = request_alloc(r, sizeof *w);
	enum ec e = !w ? E_TEMP : zone_ok(q->zone_min) ? targets_take(r, q->targets, w) : E_RANGE;

	if (e == E_OK && q->out.len < w->n)
		e = E_TOOBIG;
	if (e == E_OK)
		e = body_find(cx, r, q->body.r, q->body.n, q->upload, &w->body);
	if (e != E_OK) {
		request_answer(r, e);
		return;
	}
	memcpy(w->d.op.octets, q->op, sizeof w->d.op.octets);
	w->d.body = w->body.blob;
	w->d.date_s = q->date_s;
	w->d.zone_min = (int16_t)q->zone_min;
	w->d.now_s = r->now_s;
	w->d.quota = r->s->quota;
	r->run = deliver_run;
	r->finish = deliver_finish;
	request_submit(r, (struct request_job){ .durable = true });
}

/// Leaves out accounts without room, and lost ones; RCPT_FULL where that is all of them. errors: E_CORRUPT where nobody
/// is left and one is lost to damage: the sender keeps the message until the operator has seen to it.
static enum ec with_room(struct cx *cx, struct request *r, struct view *v, struct targets *t, uint64_t octets,
	enum rcpt_verdict *verdict)
{
	uint64_t lost = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		struct account a;
		struct quota_used used;
		enum ec e = account_load(cx, v, t->id[i], &a);
		if (e == E_NOTFOUND || e == E_CORRUPT) {
			lost = t->id[i];
			cx_forget(cx);
			continue;
		}
		bool limited = e == E_OK && (a.quota_octets || a.quota_messages);
		if (limited)
			e = quota_read(cx, r->s->quota, v, t->id[i], &used);
		if (e != E_OK)
			return e;
		if (!limited ||
			(!quota_over(&a, &used, octets, 1, 100) &&
				!quota_floods(r->s->quota, t->id[i], &a, octets, r->now_s, QUOTA_FLOOD_DELIVERY)))
			t->id[n++] = t->id[i];
	}
	if (n == 0 && lost)
		return fail(cx, E_CORRUPT, "account %llu is lost to damage", (unsigned long long)lost);
	*verdict = n ? RCPT_LOCAL : RCPT_FULL;
	t->n = n;
	return E_OK;
}

static enum ec resolve(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_resolve *q = r->in;
	struct ans_resolve *a = r->out;
	struct targets t = { 0 };
	enum rcpt_verdict verdict = RCPT_UNKNOWN;
	struct address addr;
	enum ec e = address_fold(FIELD_SL(q->local), FIELD_SL(q->domain), &addr);

	if (e == E_OK)
		e = directory_resolve(cx, v, &addr, &verdict, &t);
	else
		e = E_OK; // nobody here is called so
	if (e == E_OK && verdict == RCPT_LOCAL)
		e = with_room(cx, r, v, &t, q->octets, &verdict);
	if (e == E_OK && (size_t)t.n * 8 > q->out.len)
		e = fail(cx, E_TOOBIG, "no room for %u targets", t.n);
	if (e == E_OK) {
		a->verdict = (uint8_t)verdict;
		a->count = t.n;
		if (t.n)
			memcpy(request_at(r, q->out), t.id, (size_t)t.n * 8);
	}
	targets_free(&t);
	return e;
}

// ---- reading bodies

enum { READS = 16, UNREAD_TOLD_S = 10 };
struct reads {
	struct body_ref ref[READS];
	bool found[READS];
};

static enum ec find_bodies(struct cx *cx, struct request *r, struct reads *reads)
{
	const struct req_mbox_read *q = r->in;
	struct mbox_ref m = { r->account, q->mbox };
	struct view *v;
	struct mbox_status st;
	enum ec e = view_open(cx, r->s->store, &v);

	if (e != E_OK)
		return e;
	e = mailbox_status(cx, v, m, &st);
	for (uint32_t i = 0; e == E_OK && i < q->out.n; i++) {
		struct pl_row row;
		e = mailbox_row(cx, v, m, q->uid[i], r->now_s, &row);
		reads->found[i] = e == E_OK;
		if (e == E_OK)
			reads->ref[i] = (struct body_ref){ row.body, row.octets };
		else if (e == E_NOTFOUND)
			e = E_OK;
	}
	view_close(v);
	return e;
}

/// Looks at octets that need not go anywhere.
static enum ec prove(struct cx *cx, struct request *r, struct body_ref body, uint32_t offset)
{
	const struct req_mbox_read *q = r->in;
	struct iovec iov = { malloc(READ_PROVE_MAX), min_size(q->prove, body.octets - offset) };
	enum ec e = iov.iov_base ? blob_get(cx, r->s->store, body, offset, &iov, 1)
	                         : fail(cx, E_TEMP, "no memory to look at a body");

	free(iov.iov_base);
	return e;
}

/// Straight into the arena, after the view is closed: a cold disk must not pin the index. errors: those of blob_get.
static enum ec read_one(struct cx *cx, struct request *r, struct body_ref body, uint32_t i, uint32_t *got)
{
	const struct req_mbox_read *q = r->in;
	struct range to = q->out.r[i];
	uint32_t n = q->offset[i] < body.octets ? body.octets - q->offset[i] : 0;
	struct iovec iov = { request_at(r, to), n < to.len ? n : to.len };
	enum ec e = q->prove && n ? prove(cx, r, body, q->offset[i]) : E_OK;

	if (e == E_OK && iov.iov_len)
		e = blob_get(cx, r->s->store, body, q->offset[i], &iov, 1);
	if (e == E_OK)
		*got = (uint32_t)iov.iov_len;
	return e;
}

/// Whether the message is still there, now that its octets are not: it may be expunged, or the mailbox be dropped. On a
/// low disk the octets of expunged ones go before their hour is over.
static enum ec still_there(struct cx *cx, struct request *r, uint32_t uid, bool *there)
{
	const struct req_mbox_read *q = r->in;
	struct view *v;
	struct pl_row row;
	enum ec e = view_open(cx, r->s->store, &v);

	if (e != E_OK)
		return e;
	e = mailbox_row(cx, v, (struct mbox_ref){ r->account, q->mbox }, uid, INT64_MAX, &row);
	view_close(v);
	*there = e == E_OK;
	return e == E_NOTFOUND ? E_OK : e;
}

/// One line in UNREAD_TOLD_S: a client that reads a whole mailbox may meet thousands.
static void tell_unread(struct cx *cx, struct request *r, uint32_t uid, enum ec e)
{
	const struct req_mbox_read *q = r->in;
	int64_t now_s = clock_steady_s(), last_s = atomic_load(&r->s->unread_told_s);
	char story[512] = "";

	atomic_fetch_add(&r->s->unread, 1);
	if ((last_s && now_s - last_s < UNREAD_TOLD_S) ||
		!atomic_compare_exchange_strong(&r->s->unread_told_s, &last_s, now_s))
		return;
	cx_story(cx, story, sizeof story);
	LOG(cx, LOG_ERROR, "store.body.unread", kv_u("account", r->account), kv_u("mailbox", q->mbox), kv_u("uid", uid),
		kv_u("since_last", atomic_exchange(&r->s->unread, 0)), kv_word("code", ec_name(e)),
		kv_sl("why", sl_cstr(story)));
}

/// What the answer says of a message whose octets cannot be had. E_IO is damage: a disk says so of a bad sector, and
/// it concerns the messages there alone. errors: E_TEMP — what failed may pass, no memory or no descriptor. That is
/// never told as damage.
static enum ec unread(struct cx *cx, struct request *r, uint32_t uid, enum ec why, uint32_t *got)
{
	bool there = true;
	enum ec e = why == E_NOTFOUND ? still_there(cx, r, uid, &there) : E_OK;

	if (e != E_OK)
		return e;
	if (there)
		tell_unread(cx, r, uid, why);
	*got = there ? READ_DAMAGED : READ_GONE;
	return why == E_NOTFOUND || why == E_CORRUPT || why == E_UNSUPPORTED || why == E_IO ? E_OK : E_TEMP;
}

static void mbox_read(struct cx *cx, struct request *r)
{
	const struct req_mbox_read *q = r->in;
	struct ans_mbox_read *a = r->out;
	struct reads reads = { 0 };
	bool alone = !q->prove || q->out.n == 1; // to look at more takes more requests
	enum ec e = alone ? find_bodies(cx, r, &reads) : E_RANGE;

	for (uint32_t i = 0; e == E_OK && i < q->out.n; i++) {
		a->got[i] = READ_GONE;
		enum ec one = reads.found[i] ? read_one(cx, r, reads.ref[i], i, &a->got[i]) : E_OK;
		if (one != E_OK)
			e = unread(cx, r, q->uid[i], one, &a->got[i]);
	}
	request_answer(r, e);
}

const struct handler *handler_body(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_upload_begin] = { .start = upload_begin },
		[VERB_upload_add] = { .start = upload_add },
		[VERB_upload_drop] = { .start = upload_drop },
		[VERB_mbox_append] = { .start = mbox_append },
		[VERB_deliver] = { .start = deliver_start },
		[VERB_resolve] = { .read = resolve },
		[VERB_mbox_read] = { .start = mbox_read },
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
