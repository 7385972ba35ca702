/// fair — a list sorted by rank and round. A newcomer's round is the present one of its rank, or the one behind its own
/// last.
#include "base/fair.h"

#include <stddef.h>
#include <string.h>

static uint64_t round_for(const struct fair *q, const struct fair_node *t)
{
	uint64_t round = q->round[t->rank];

	for (const struct fair_node *o = q->first; o; o = o->next)
		if (o->rank == t->rank && memcmp(o->who, t->who, FAIR_WHO) == 0 && o->round >= round)
			round = o->round + 1;
	return round;
}

static bool goes_behind(const struct fair_node *t, const struct fair_node *o)
{
	return o->rank != t->rank ? o->rank < t->rank : o->round <= t->round;
}

static struct fair_node *take_last(struct fair *q)
{
	struct fair_node **at = &q->first;

	while ((*at)->next)
		at = &(*at)->next;
	struct fair_node *last = *at;
	*at = NULL;
	q->n--;
	return last;
}

void fair_add(struct fair *q, struct fair_node *t, struct fair_node **put_out)
{
	struct fair_node **at = &q->first;

	t->round = round_for(q, t);
	while (*at && goes_behind(t, *at))
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	q->n++;
	*put_out = q->n > q->max ? take_last(q) : NULL;
}

struct fair_node *fair_take(struct fair *q)
{
	struct fair_node *t = q->first;

	if (!t)
		return NULL;
	q->first = t->next;
	q->round[t->rank] = t->round;
	q->n--;
	return t;
}
