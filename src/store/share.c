/// share — see the header.
#include "store/share.h"

#include <stddef.h>

void share_init(struct share *s)
{
	*s = (struct share){ .first = NULL };
	pthread_mutex_init(&s->lock, NULL);
}

void share_free(struct share *s)
{
	pthread_mutex_destroy(&s->lock);
}

void share_begin(struct share *s, struct share_part *p, uint64_t who)
{
	pthread_mutex_lock(&s->lock);
	*p = (struct share_part){ .next = s->first, .link = &s->first, .who = who };
	if (p->next)
		p->next->link = &p->next;
	s->first = p;
	pthread_mutex_unlock(&s->lock);
}

void share_end(struct share *s, struct share_part *p)
{
	if (!p->link)
		return;
	pthread_mutex_lock(&s->lock);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	s->octets -= p->octets;
	*p = (struct share_part){ .link = NULL };
	pthread_mutex_unlock(&s->lock);
}

/// Whether `octets` more fit where `of` are taken, `own` of them by who asks.
static bool fits(uint64_t of, uint64_t own, uint64_t octets, uint64_t most)
{
	return of == own || (of <= most && octets <= most - of);
}

enum ec share_take(struct share *s, struct share_part *p, uint64_t octets, uint64_t room)
{
	uint64_t his = 0;

	pthread_mutex_lock(&s->lock);
	uint64_t all = (room < UINT64_MAX - s->octets ? room + s->octets : UINT64_MAX) / SHARE_ALL;
	for (const struct share_part *one = s->first; one; one = one->next)
		his += one->who == p->who ? one->octets : 0;
	enum ec e = !fits(his, p->octets, octets, all / SHARE_ONE) ? E_QUOTA
	            : !fits(s->octets, p->octets, octets, all)     ? E_LIMIT
	                                                           : E_OK;
	if (e == E_OK) {
		p->octets += octets;
		s->octets += octets;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}
