/// request — answering, jobs, and what lies in ranges.
#include "store/request.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"

/// Where the request holds a password, nothing of it stays in freed memory.
static void request_free(struct request *r)
{
	const struct verb_info *info = verb_info(r->verb);

	while (r->pieces) {
		struct piece *piece = r->pieces;
		r->pieces = piece->next;
		if (info->secret)
			OPENSSL_cleanse(piece->o, piece->n);
		free(piece);
	}
	if (info->secret)
		OPENSSL_cleanse((uint8_t *)(r + 1), info->req_octets);
	free(r);
}

void request_answer(struct request *r, enum ec e)
{
	const struct verb_info *info = verb_info(r->verb);
	struct frame_head head = { .verb = r->verb, .status = e, .seq = r->seq };
	struct peer *p = r->peer;
	struct serve *s = r->s;

	figure_time(FIG_REQUESTS, 0, clock_mono_ns() - r->began_ns);
	figure_less(FIG_REQUESTS_IN_FLIGHT, 0, 1);
	// Out of flight first: a peer that sees its answer may ask the next at once.
	atomic_fetch_sub(&p->inflight, 1);
	peer_send(p, &head, r->out, e == E_OK ? info->ans_octets : 0, false);
	request_free(r);
	peer_unref(p);
	pthread_mutex_lock(&s->lock);
	if (--s->inflight == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

// ---- jobs

static enum ec job_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct request *r = job->arg;

	// Run again: the batch before was undone, and with it what the cache of sums had been told.
	if (r->ran)
		quota_forget_all(r->s->quota);
	r->ran = true;
	r->now_s = clock_now_s(); // it may have waited long: what it expunges goes now (mark.h)
	r->run_result = r->run(cx, t, r);
	return r->run_result;
}

static void job_done(struct job *job, enum ec e)
{
	struct request *r = job->arg;

	if (e != E_OK && r->ran && r->run_result == E_OK)
		quota_forget_all(r->s->quota);
	if (r->finish)
		r->finish(r, e);
	request_answer(r, e);
}

void request_submit(struct request *r, struct request_job how)
{
	r->job = (struct job){ .run = job_run,
		.done = job_done,
		.arg = r,
		.durable = how.durable,
		.frees = how.frees,
		.who = r->account };
	store_submit(r->s->store, &r->job);
}

// ---- memory and ranges

void *request_alloc(struct request *r, size_t n)
{
	struct piece *p = calloc(1, sizeof *p + n);

	if (!p)
		return NULL;
	p->next = r->pieces;
	p->n = n;
	r->pieces = p;
	return p->o;
}

uint8_t *request_at(struct request *r, struct range range)
{
	return r->peer->arena + range.off;
}

enum ec request_arena(const struct request *r)
{
	atomic_thread_fence(memory_order_acquire); // what was copied was read before this
	return atomic_load(&r->peer->closed) ? E_CLOSED : E_OK;
}

enum ec request_copy(struct request *r, struct range from, size_t max, struct sl *out)
{
	if (from.len > max)
		return E_TOOBIG;
	uint8_t *p = request_alloc(r, from.len);
	if (!p)
		return E_TEMP;
	if (from.len)
		memcpy(p, request_at(r, from), from.len);
	enum ec e = request_arena(r);
	if (e == E_OK)
		*out = (struct sl){ p, from.len };
	return e;
}

enum ec request_set(struct request *r, bool all, struct range from, struct uid_set *out)
{
	struct sl octets;
	enum ec e = from.len % sizeof(struct pl_uids) || (all && from.len) ? E_SYNTAX : E_OK;

	if (e == E_OK)
		e = request_copy(r, from, SET_MAX * sizeof(struct pl_uids), &octets);
	if (e != E_OK)
		return e;
	struct uid_set set = { (const struct pl_uids *)(const void *)octets.p,
		(uint32_t)(octets.n / sizeof(struct pl_uids)), all };
	e = uid_set_check(set);
	if (e == E_OK)
		*out = set;
	return e;
}

bool request_list(struct request *r, struct range to, const struct buf *list, size_t entry)
{
	size_t n = list->n < to.len ? list->n : to.len - to.len % entry;

	if (n)
		memcpy(request_at(r, to), list->p, n);
	return n == list->n;
}

// ---- bodies

static enum ec body_make(struct cx *cx, struct request *r, const struct range *ranges, uint32_t n, struct blob **out)
{
	struct blob *b;
	uint64_t octets = 0;
	enum ec e = blob_new(cx, r->s->store, &b);

	if (e != E_OK)
		return e;
	for (uint32_t i = 0; e == E_OK && i < n; i++) {
		octets += ranges[i].len;
		e = octets > MESSAGE_MAX ? E_TOOBIG
		                         : blob_add(cx, b, (struct sl){ request_at(r, ranges[i]), ranges[i].len });
	}
	if (e == E_OK)
		e = request_arena(r);
	if (e == E_OK)
		*out = b;
	else
		blob_free(b);
	return e;
}

enum ec body_take(
	struct cx *cx, struct request *r, const struct range *ranges, uint32_t n, uint64_t upload, struct body_in *out)
{
	struct peer *p = r->peer;
	enum ec e = E_NOTFOUND;

	*out = (struct body_in){ .upload = upload };
	if (upload == 0)
		return body_make(cx, r, ranges, n, &out->blob);
	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < UPLOADS_MAX; i++) {
		struct upload *u = &p->upload[i];
		if (u->id != upload)
			continue;
		e = u->busy ? E_STATE : E_OK;
		u->busy = true;
		out->blob = u->blob;
		out->part = &u->part;
	}
	pthread_mutex_unlock(&p->lock);
	return e;
}

void body_end(struct request *r, struct body_in *b, bool used)
{
	struct peer *p = r->peer;

	if (b->upload == 0) {
		blob_free(b->blob);
		return;
	}
	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < UPLOADS_MAX; i++) {
		struct upload *u = &p->upload[i];
		if (u->id != b->upload)
			continue;
		u->busy = false;
		if (used) {
			blob_free(u->blob);
			share_end(&r->s->share, &u->part);
			*u = (struct upload){ 0 };
		}
	}
	pthread_mutex_unlock(&p->lock);
}
