/// places — a sorted array under a lock that readers share.
#include "store/places.h"

#include <stdlib.h>
#include <string.h>

void places_init(struct places *p)
{
	*p = (struct places){ 0 };
	pthread_rwlock_init(&p->lock, NULL);
}

void places_end(struct places *p)
{
	free(p->all);
	pthread_rwlock_destroy(&p->lock);
}

/// Where the segment is, or belongs.
static size_t search(const struct places *p, uint32_t segment)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (p->all[mid].segment < segment)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has(const struct places *p, size_t at, uint32_t segment)
{
	return at < p->n && p->all[at].segment == segment;
}

static enum ec make_room(struct cx *cx, struct places *p)
{
	size_t cap = p->cap ? p->cap * 2 : 64;

	if (p->n < p->cap)
		return E_OK;
	struct place *more = reallocarray(p->all, cap, sizeof *more);
	if (!more)
		return fail(cx, E_TEMP, "no memory for the places of segments");
	p->all = more;
	p->cap = cap;
	return E_OK;
}

enum ec places_put(struct cx *cx, struct places *p, uint32_t segment, uint32_t pack)
{
	pthread_rwlock_wrlock(&p->lock);
	size_t at = search(p, segment);
	enum ec e = has(p, at, segment) ? E_OK : make_room(cx, p);
	if (e == E_OK && !has(p, at, segment)) {
		memmove(&p->all[at + 1], &p->all[at], (p->n - at) * sizeof *p->all);
		p->all[at].segment = segment;
		p->n++;
	}
	if (e == E_OK)
		p->all[at].pack = pack;
	pthread_rwlock_unlock(&p->lock);
	return e;
}

uint32_t places_find(struct places *p, uint32_t segment)
{
	pthread_rwlock_rdlock(&p->lock);
	size_t at = search(p, segment);
	uint32_t found = has(p, at, segment) ? p->all[at].pack : segment;
	pthread_rwlock_unlock(&p->lock);
	return found;
}
