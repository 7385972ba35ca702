/// quota — a table of sums, hashed by account, under one lock.
///
/// The table holds at most SUMS_MAX accounts; when it is full it is emptied, since a sum costs a few microseconds.
#include "store/quota.h"

#include <pthread.h>
#include <stdlib.h>

#include "store/mbox_rows.h"
#include "store/tree.h"

enum { SUMS_BITS = 16, SUMS = 1 << SUMS_BITS, SUMS_MAX = SUMS / 2 };

struct sum {
	uint64_t account; // 0 = empty
	struct quota_used used;
	bool known;
	uint64_t brought; // octets within the window that began at since_s
	int64_t since_s;
};
struct quota {
	pthread_mutex_t lock;
	uint32_t n;
	struct sum sum[SUMS];
};

enum ec quota_new(struct quota **out)
{
	struct quota *q = calloc(1, sizeof *q);

	if (!q)
		return E_TEMP;
	pthread_mutex_init(&q->lock, NULL);
	*out = q;
	return E_OK;
}

void quota_free(struct quota *q)
{
	if (!q)
		return;
	pthread_mutex_destroy(&q->lock);
	free(q);
}

/// The slot of an account, or the empty one where it belongs. Lock held.
static struct sum *slot_of(struct quota *q, uint64_t account)
{
	uint64_t h = account * 0x9e3779b97f4a7c15u >> (64 - SUMS_BITS);

	while (q->sum[h].account && q->sum[h].account != account)
		h = (h + 1) & (SUMS - 1);
	return &q->sum[h];
}

static bool lookup(struct quota *q, uint64_t account, struct quota_used *out)
{
	pthread_mutex_lock(&q->lock);
	struct sum *s = slot_of(q, account);
	bool known = s->account == account && s->known;
	if (known)
		*out = s->used;
	pthread_mutex_unlock(&q->lock);
	return known;
}

struct summing {
	struct cx *cx;
	struct view *v;
	uint64_t account;
	struct quota_used used;
	enum ec err;
};

static bool sum_mbox(void *arg, uint64_t mbox, uint64_t node)
{
	struct summing *s = arg;
	struct mbox_head h;

	(void)node;
	s->err = mbox_head_load(s->cx, s->v, (struct cell_id){ s->account, mbox }, &h);
	if (s->err == E_NOTFOUND || s->err == E_CORRUPT) {
		s->err = E_OK; // damage took it: nothing to count, and no reason to refuse mail for the others
		cx_forget(s->cx);
		return true;
	}
	if (s->err != E_OK)
		return false;
	s->used.octets += h.octets;
	s->used.messages += h.messages;
	return true;
}

enum ec quota_sum(struct cx *cx, struct view *v, uint64_t account, struct quota_used *out)
{
	struct summing s = { .cx = cx, .v = v, .account = account };
	enum ec e = tree_mailboxes(cx, v, account, sum_mbox, &s);

	if (e == E_OK)
		e = s.err;
	if (e == E_OK)
		*out = s.used;
	return e;
}

enum ec quota_read(struct cx *cx, struct quota *q, struct view *v, uint64_t account, struct quota_used *out)
{
	return lookup(q, account, out) ? E_OK : quota_sum(cx, v, account, out);
}

enum ec quota_load(struct cx *cx, struct quota *q, struct txn *t, uint64_t account, struct quota_used *out)
{
	if (lookup(q, account, out))
		return E_OK;
	enum ec e = quota_sum(cx, txn_view(t), account, out);
	if (e != E_OK)
		return e;
	pthread_mutex_lock(&q->lock);
	if (q->n == SUMS_MAX) {
		memset(q->sum, 0, sizeof q->sum);
		q->n = 0;
	}
	struct sum *s = slot_of(q, account);
	q->n += s->account == 0;
	if (s->account == 0)
		*s = (struct sum){ .account = account };
	s->used = *out;
	s->known = true;
	pthread_mutex_unlock(&q->lock);
	return E_OK;
}

void quota_add(struct quota *q, uint64_t account, int64_t octets, int64_t messages)
{
	pthread_mutex_lock(&q->lock);
	struct sum *s = slot_of(q, account);
	if (s->account == account && s->known) {
		s->used.octets += (uint64_t)octets;
		s->used.messages += (uint64_t)messages;
	}
	pthread_mutex_unlock(&q->lock);
}

void quota_forget(struct quota *q, uint64_t account)
{
	pthread_mutex_lock(&q->lock);
	struct sum *s = slot_of(q, account);
	if (s->account == account)
		s->known = false;
	pthread_mutex_unlock(&q->lock);
}

void quota_forget_all(struct quota *q)
{
	pthread_mutex_lock(&q->lock);
	memset(q->sum, 0, sizeof q->sum);
	q->n = 0;
	pthread_mutex_unlock(&q->lock);
}

/// Lock held. What was brought in within the window that is still open.
static uint64_t brought_of(struct sum *s, int64_t now_s)
{
	if (now_s - s->since_s >= QUOTA_WINDOW_S || now_s < s->since_s) {
		s->since_s = now_s;
		s->brought = 0;
	}
	return s->brought;
}

void quota_brought(struct quota *q, uint64_t account, uint64_t octets, int64_t now_s)
{
	pthread_mutex_lock(&q->lock);
	struct sum *s = slot_of(q, account);
	if (s->account == account)
		s->brought = brought_of(s, now_s) + octets;
	pthread_mutex_unlock(&q->lock);
}

/// limit 0 = none. The limit in percent is worked out without wrapping.
static bool passes(uint64_t limit, uint64_t used, uint64_t more, unsigned percent)
{
	uint64_t wide = limit / 100 * percent + limit % 100 * percent / 100;

	return limit && (used > wide || more > wide - used);
}

bool quota_over(
	const struct account *a, const struct quota_used *u, uint64_t octets, uint64_t messages, unsigned percent)
{
	return passes(a->quota_octets, u->octets, octets, percent) ||
	       passes(a->quota_messages, u->messages, messages, percent);
}

bool quota_floods(
	struct quota *q, uint64_t id, const struct account *a, uint64_t octets, int64_t now_s, unsigned percent)
{
	uint64_t brought = 0;

	pthread_mutex_lock(&q->lock);
	struct sum *s = slot_of(q, id);
	if (s->account == id)
		brought = brought_of(s, now_s);
	pthread_mutex_unlock(&q->lock);
	return passes(a->quota_octets, brought, octets, percent);
}
