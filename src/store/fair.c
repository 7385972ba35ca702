/// fair — a list sorted by round. A newcomer's round is the present one, or the one behind its own last.
#include "store/fair.h"

#include <stddef.h>
#include <string.h>

static uint64_t round_for(const struct fair *q, const struct fair_node *t)
{
	uint64_t round = q->round;

	for (const struct fair_node *o = q->first; o; o = o->next)
		if (memcmp(o->who, t->who, FAIR_WHO) == 0 && o->round >= round)
			round = o->round + 1;
	return round;
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
	while (*at && (*at)->round <= t->round)
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
	q->round = t->round;
	q->n--;
	return t;
}
