/// watch — two chained hash tables, each under a lock of its own.
#include "store/watch.h"

#include <stdlib.h>

#include "store/request.h"

enum { WATCH_BUCKETS = 8192, LOCK_BUCKETS = 1024 };

struct watch {
	struct watch *next;
	struct peer *peer;
	struct cell_id cell;
	bool noted;
};
struct watches {
	pthread_mutex_t lock;
	struct watch *bucket[WATCH_BUCKETS];
};
struct pop3 {
	struct pop3 *next;
	uint64_t account;
	struct peer *peer;
};
struct pop3_locks {
	pthread_mutex_t lock;
	uint32_t n;
	struct pop3 *bucket[LOCK_BUCKETS];
};

static size_t mix(uint64_t a, uint64_t b, size_t buckets)
{
	return ((a * 0x9e3779b97f4a7c15u ^ b) * 0x9e3779b97f4a7c15u >> 32) % buckets;
}

enum ec watches_new(struct watches **out)
{
	struct watches *w = calloc(1, sizeof *w);

	if (!w)
		return E_TEMP;
	pthread_mutex_init(&w->lock, NULL);
	*out = w;
	return E_OK;
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static bool is_cell(struct cell_id a, struct cell_id b)
{
	return a.account == b.account && a.name == b.name;
}

/// Where a peer's watch of a cell hangs, or the end of its chain. Lock held.
static struct watch **watch_at(struct watches *w, const struct peer *p, struct cell_id cell)
{
	struct watch **at = &w->bucket[mix(cell.account, cell.name, WATCH_BUCKETS)];

	while (*at && !((*at)->peer == p && is_cell((*at)->cell, cell)))
		at = &(*at)->next;
	return at;
}

enum ec watch_on(struct watches *w, struct peer *p, struct cell_id cell)
{
	enum ec e = E_OK;

	pthread_mutex_lock(&w->lock);
	struct watch **at = watch_at(w, p, cell);
	if (*at) {
		(*at)->noted = false; // asked again: it will look now
	} else if (p->watches == WATCHES_MAX) {
		e = E_LIMIT;
	} else if ((*at = calloc(1, sizeof **at))) {
		**at = (struct watch){ .peer = p, .cell = cell };
		p->watches++;
	} else {
		e = E_TEMP;
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

void watch_off(struct watches *w, struct peer *p, struct cell_id cell)
{
	pthread_mutex_lock(&w->lock);
	struct watch **at = watch_at(w, p, cell), *one = *at;
	if (one) {
		*at = one->next;
		free(one);
		p->watches--;
	}
	pthread_mutex_unlock(&w->lock);
}

void watch_seen(struct watches *w, struct peer *p, struct cell_id cell)
{
	pthread_mutex_lock(&w->lock);
	struct watch *one = *watch_at(w, p, cell);
	if (one)
		one->noted = false;
	pthread_mutex_unlock(&w->lock);
}

void watch_end_peer(struct watches *w, struct peer *p)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; p->watches && i < WATCH_BUCKETS; i++)
		for (struct watch **at = &w->bucket[i]; *at;) {
			struct watch *one = *at;
			if (one->peer != p) {
				at = &one->next;
				continue;
			}
			*at = one->next;
			free(one);
			p->watches--;
		}
	pthread_mutex_unlock(&w->lock);
}

void watch_changed(struct watches *w, struct cell_id cell, uint64_t version)
{
	struct frame_head head = { .verb = VERB_note };
	struct note note = { cell.account, cell.name, version };

	pthread_mutex_lock(&w->lock);
	for (struct watch *one = w->bucket[mix(cell.account, cell.name, WATCH_BUCKETS)]; one; one = one->next) {
		if (one->noted || !is_cell(one->cell, cell))
			continue;
		one->noted = true;
		peer_send(one->peer, &head, &note, sizeof note, true);
	}
	pthread_mutex_unlock(&w->lock);
}

// ---- POP3

enum ec pop3_locks_new(struct pop3_locks **out)
{
	struct pop3_locks *l = calloc(1, sizeof *l);

	if (!l)
		return E_TEMP;
	pthread_mutex_init(&l->lock, NULL);
	*out = l;
	return E_OK;
}

void pop3_locks_free(struct pop3_locks *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct pop3 **pop3_at(struct pop3_locks *l, uint64_t account)
{
	struct pop3 **at = &l->bucket[mix(account, 0, LOCK_BUCKETS)];

	while (*at && (*at)->account != account)
		at = &(*at)->next;
	return at;
}

enum ec pop3_lock(struct pop3_locks *l, uint64_t account, struct peer *p)
{
	enum ec e = E_OK;

	pthread_mutex_lock(&l->lock);
	struct pop3 **at = pop3_at(l, account);
	if (*at) {
		e = E_CONFLICT;
	} else if (l->n == POP3_LOCKS_MAX) {
		e = E_LIMIT;
	} else if ((*at = calloc(1, sizeof **at))) {
		**at = (struct pop3){ NULL, account, p };
		l->n++;
	} else {
		e = E_TEMP;
	}
	pthread_mutex_unlock(&l->lock);
	return e;
}

static void pop3_remove(struct pop3_locks *l, struct pop3 **at)
{
	struct pop3 *one = *at;

	*at = one->next;
	free(one);
	l->n--;
}

enum ec pop3_lock_drop(struct pop3_locks *l, uint64_t account, struct peer *p)
{
	enum ec e = E_STATE;

	pthread_mutex_lock(&l->lock);
	struct pop3 **at = pop3_at(l, account);
	if (*at && (*at)->peer == p) {
		pop3_remove(l, at);
		e = E_OK;
	}
	pthread_mutex_unlock(&l->lock);
	return e;
}

void pop3_end_peer(struct pop3_locks *l, struct peer *p)
{
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < LOCK_BUCKETS; i++)
		for (struct pop3 **at = &l->bucket[i]; *at;) {
			if ((*at)->peer == p)
				pop3_remove(l, at);
			else
				at = &(*at)->next;
		}
	pthread_mutex_unlock(&l->lock);
}
