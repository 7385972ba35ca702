/// seat — one chained hash table under a lock; a pair's seats hang in one bucket and are counted there.
#include "store/seat.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "store/request.h"

enum { SEAT_BUCKETS = 16384 };

struct seat {
	struct seat *next;
	struct peer *peer;
	struct seat_place at;
};
struct seats {
	pthread_mutex_t lock;
	struct hash_key key;
	uint32_t n;
	struct seat *bucket[SEAT_BUCKETS];
};

enum ec seats_new(struct seats **out)
{
	struct seats *s = calloc(1, sizeof *s);

	if (!s)
		return E_TEMP;
	pthread_mutex_init(&s->lock, NULL);
	random_octets(&s->key, sizeof s->key);
	*out = s;
	return E_OK;
}

void seats_free(struct seats *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct seat **bucket_of(struct seats *s, const struct seat_place *at)
{
	uint8_t text[8 + FAIR_WHO];

	put_le64(text, at->account);
	memcpy(text + 8, at->who, FAIR_WHO);
	return &s->bucket[hash_keyed(&s->key, (struct sl){ text, sizeof text }) % SEAT_BUCKETS];
}

static bool is_same_pair(const struct seat_place *a, const struct seat_place *b)
{
	return a->account == b->account && memcmp(a->who, b->who, FAIR_WHO) == 0;
}

static bool is_same_front(const struct peer *a, const struct peer *b)
{
	return a->by.kind == b->by.kind && a->by.front == b->by.front;
}

/// Lock held. Where the front's seat hangs, or the end of its chain. out: *taken — by its pair, of all fronts.
static struct seat **find(struct seats *s, const struct peer *p, const struct seat_place *at, uint32_t *taken)
{
	struct seat **found = NULL, **link = bucket_of(s, at);

	for (*taken = 0; *link; link = &(*link)->next) {
		if (!is_same_pair(&(*link)->at, at))
			continue;
		++*taken;
		if ((*link)->at.session == at->session && is_same_front((*link)->peer, p))
			found = link;
	}
	return found ? found : link;
}

static void move(struct seat *one, struct peer *to)
{
	one->peer->seats--;
	one->peer = to;
	to->seats++;
}

enum ec seat_take(struct seats *s, struct peer *p, const struct seat_place *at, uint32_t most)
{
	uint32_t taken;
	enum ec e = E_OK;

	pthread_mutex_lock(&s->lock);
	struct seat **link = find(s, p, at, &taken);
	if (*link) {
		move(*link, p);
	} else if (taken >= most) {
		e = E_LIMIT;
	} else if (p->seats < SEATS_MAX && (*link = calloc(1, sizeof **link))) {
		**link = (struct seat){ .peer = p, .at = *at };
		p->seats++;
		s->n++;
	} else {
		e = E_TEMP;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

/// Lock held.
static void seat_remove(struct seats *s, struct seat **link)
{
	struct seat *one = *link;

	*link = one->next;
	one->peer->seats--;
	s->n--;
	free(one);
}

void seat_give(struct seats *s, struct peer *p, const struct seat_place *at)
{
	uint32_t taken;

	pthread_mutex_lock(&s->lock);
	struct seat **link = find(s, p, at, &taken);
	if (*link && (*link)->peer == p)
		seat_remove(s, link);
	pthread_mutex_unlock(&s->lock);
}

void seats_end_peer(struct seats *s, struct peer *p)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; p->seats && i < SEAT_BUCKETS; i++)
		for (struct seat **link = &s->bucket[i]; *link;) {
			if ((*link)->peer == p)
				seat_remove(s, link);
			else
				link = &(*link)->next;
		}
	pthread_mutex_unlock(&s->lock);
}

uint32_t seats_count(struct seats *s)
{
	pthread_mutex_lock(&s->lock);
	uint32_t n = s->n;
	pthread_mutex_unlock(&s->lock);
	return n;
}
