/// brake — three tables of marks under one lock.
///
///   tried   a mark for each pair: how many were wrong, when the last; `until_s` is when it is forgotten
///   wide    for each address, proven for each pair that logged in: `wrong` is a bucket that empties with time
#include "store/brake.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"

enum { NAME_MAX_OCTETS = 320, PURPOSE_PAIR = 'p', PURPOSE_WIDE = 'w' };

struct mark {
	uint64_t tag;    // 0 = free
	int64_t at_s;    // of the last wrong one; of a bucket: until when it was emptied
	int64_t until_s; // forgotten then
	uint32_t wrong;
	uint32_t pending; // being proved
};
struct table {
	struct mark *mark; // sets of BRAKE_WAYS
	size_t sets;
	int64_t kept_s, each_s; // each_s: a bucket loses one in this time
	uint32_t max;           // wrong ones; of pairs those that are free
	bool by_age;            // the oldest leaves a full set, not the most harmless
};
struct brake {
	struct hash_key key;
	pthread_mutex_t lock; // of what follows
	struct table tried, wide, proven;
	uint64_t refused;
};

// ---- places

/// Marks of a clock that went back since would hold for ever.
static void mark_mend(const struct table *t, struct mark *m, int64_t now_s)
{
	if (m->at_s > now_s)
		m->at_s = now_s;
	if (m->until_s > now_s + t->kept_s)
		m->until_s = now_s + t->kept_s;
}

/// A bucket loses what time has taken from it.
static void mark_empty(const struct table *t, struct mark *m, int64_t now_s)
{
	if (t->each_s == 0)
		return;
	int64_t n = (now_s - m->at_s) / t->each_s;
	if (n >= m->wrong) {
		m->wrong = 0;
		m->at_s = now_s;
	} else {
		m->wrong -= (uint32_t)n;
		m->at_s += n * t->each_s;
	}
}

static bool is_alive(const struct mark *m, int64_t now_s)
{
	return m->tag && (m->pending || m->until_s > now_s);
}

/// True where `m` should leave its set before `o`.
static bool leaves_first(const struct table *t, const struct mark *m, const struct mark *o, int64_t now_s)
{
	if (is_alive(m, now_s) != is_alive(o, now_s))
		return !is_alive(m, now_s);
	if (m->wrong != o->wrong && !t->by_age)
		return m->wrong < o->wrong;
	return m->until_s < o->until_s;
}

static struct mark *set_of(const struct table *t, uint64_t tag)
{
	return &t->mark[(tag >> 1) % t->sets * BRAKE_WAYS]; // the lowest bit is set in all
}

/// The mark of `tag` as of now; NULL where there is none.
static struct mark *mark_find(const struct table *t, uint64_t tag, int64_t now_s)
{
	struct mark *set = set_of(t, tag);

	for (int i = 0; i < BRAKE_WAYS; i++) {
		if (set[i].tag != tag || !is_alive(&set[i], now_s))
			continue;
		mark_mend(t, &set[i], now_s);
		mark_empty(t, &set[i], now_s);
		return &set[i];
	}
	return NULL;
}

/// The same, made where there is none.
static struct mark *mark_place(const struct table *t, uint64_t tag, int64_t now_s)
{
	struct mark *set = set_of(t, tag), *m = mark_find(t, tag, now_s);

	if (m)
		return m;
	m = set;
	for (int i = 1; i < BRAKE_WAYS; i++)
		if (leaves_first(t, &set[i], m, now_s))
			m = &set[i];
	*m = (struct mark){ .tag = tag, .at_s = now_s, .until_s = now_s + t->kept_s };
	return m;
}

// ---- judging

static int64_t wait_s(const struct table *t, uint32_t wrong)
{
	uint32_t doubled = wrong - t->max;

	return doubled > 8 || BRAKE_WAIT_S << doubled > BRAKE_WAIT_MAX_S ? BRAKE_WAIT_MAX_S : BRAKE_WAIT_S << doubled;
}

/// `m` may be NULL: nothing is known. A table of buckets, or that of pairs.
static enum ec judge(const struct table *t, const struct mark *m, int64_t now_s)
{
	if (!m)
		return E_OK;
	if (m->wrong < t->max)
		return m->wrong + m->pending < t->max ? E_OK : E_TEMP;
	if (t->each_s || m->pending)
		return E_LIMIT;
	return now_s < m->at_s + wait_s(t, m->wrong) ? E_LIMIT : E_OK;
}

/// Lock held. out: t->proven.
static enum ec judge_try(struct brake *b, struct brake_try *t, int64_t now_s)
{
	const struct mark *m = mark_find(&b->proven, t->pair, now_s);

	t->proven = m;
	if (m)
		return judge(&b->proven, m, now_s);
	enum ec pair = judge(&b->tried, mark_find(&b->tried, t->pair, now_s), now_s);
	enum ec wide = judge(&b->wide, mark_find(&b->wide, t->wide, now_s), now_s);
	return pair == E_LIMIT || wide == E_OK ? pair : wide;
}

// ---- attempts

static void try_name(const struct brake *b, struct sl name, const uint8_t who[FAIR_WHO], struct brake_try *out)
{
	uint8_t text[1 + FAIR_WHO + NAME_MAX_OCTETS];
	size_t n = 1 + FAIR_WHO;

	memcpy(text + 1, who, FAIR_WHO);
	text[0] = PURPOSE_WIDE;
	out->wide = hash_keyed(&b->key, (struct sl){ text, n }) | 1; // 0 is a free place
	text[0] = PURPOSE_PAIR;
	for (size_t i = 0; i < name.n && i < NAME_MAX_OCTETS; i++)
		text[n++] = to_lower(name.p[i]);
	out->pair = hash_keyed(&b->key, (struct sl){ text, n }) | 1;
	out->proven = false;
}

enum ec brake_look(struct brake *b, struct sl name, const uint8_t who[FAIR_WHO], int64_t now_s)
{
	struct brake_try t;

	try_name(b, name, who, &t);
	pthread_mutex_lock(&b->lock);
	enum ec e = judge_try(b, &t, now_s);
	b->refused += e == E_LIMIT;
	pthread_mutex_unlock(&b->lock);
	return e == E_LIMIT ? e : E_OK;
}

enum ec brake_begin(struct brake *b, struct sl name, const uint8_t who[FAIR_WHO], int64_t now_s, struct brake_try *out)
{
	struct brake_try t;

	try_name(b, name, who, &t);
	pthread_mutex_lock(&b->lock);
	enum ec e = judge_try(b, &t, now_s);
	b->refused += e == E_LIMIT;
	if (e == E_OK && t.proven) {
		mark_place(&b->proven, t.pair, now_s)->pending++;
	} else if (e == E_OK) {
		mark_place(&b->tried, t.pair, now_s)->pending++;
		mark_place(&b->wide, t.wide, now_s)->pending++;
	}
	pthread_mutex_unlock(&b->lock);
	if (e == E_OK)
		*out = t;
	return e;
}

/// One attempt less under way, and one wrong password more where it was. A mark may have left its set meanwhile; only a
/// right password makes one of the proven again.
static void settle(const struct table *t, uint64_t tag, int64_t now_s, bool wrong)
{
	struct mark *m = wrong && !t->by_age ? mark_place(t, tag, now_s) : mark_find(t, tag, now_s);

	if (!m)
		return;
	m->pending -= m->pending > 0;
	if (!wrong)
		return;
	m->wrong += m->wrong < UINT32_MAX;
	if (t->each_s == 0)
		m->at_s = now_s;
	if (!t->by_age)
		m->until_s = now_s + t->kept_s;
}

/// The right password came from here: what went wrong before was the user's own, or is behind him.
static void prove(struct brake *b, const struct brake_try *t, int64_t now_s)
{
	struct mark *m = mark_find(&b->tried, t->pair, now_s);

	if (m)
		m->wrong = 0;
	m = mark_place(&b->proven, t->pair, now_s);
	m->until_s = now_s + b->proven.kept_s;
}

void brake_end(struct brake *b, const struct brake_try *t, int64_t now_s, enum ec e)
{
	bool wrong = e == E_AUTH;

	pthread_mutex_lock(&b->lock);
	if (t->proven) {
		settle(&b->proven, t->pair, now_s, wrong);
	} else {
		settle(&b->tried, t->pair, now_s, wrong);
		settle(&b->wide, t->wide, now_s, wrong);
	}
	if (e == E_OK || e == E_DENIED || e == E_QUOTA)
		prove(b, t, now_s);
	pthread_mutex_unlock(&b->lock);
}

uint64_t brake_refused(struct brake *b)
{
	pthread_mutex_lock(&b->lock);
	uint64_t n = b->refused;
	pthread_mutex_unlock(&b->lock);
	return n;
}

// ---- birth and end

enum ec brake_new(const struct brake_conf *conf, struct brake **out)
{
	struct brake *b = calloc(1, sizeof *b);

	if (!b)
		return E_TEMP;
	pthread_mutex_init(&b->lock, NULL);
	random_octets(&b->key, sizeof b->key);
	b->tried = (struct table){ .kept_s = BRAKE_KEPT_S, .max = BRAKE_SLIPS };
	b->tried.sets = conf->sets ? conf->sets : BRAKE_SETS;
	b->wide = (struct table){ .max = BRAKE_WIDE, .each_s = BRAKE_WIDE_EACH_S };
	b->wide.sets = conf->wide_sets ? conf->wide_sets : BRAKE_WIDE_SETS;
	b->wide.kept_s = (int64_t)BRAKE_WIDE * BRAKE_WIDE_EACH_S; // it is empty then
	b->proven = (struct table){ .max = BRAKE_PROVEN, .each_s = BRAKE_PROVEN_EACH_S, .by_age = true };
	b->proven.sets = conf->proven_sets ? conf->proven_sets : BRAKE_PROVEN_SETS;
	b->proven.kept_s = BRAKE_PROVEN_KEPT_S;
	struct table *all[] = { &b->tried, &b->wide, &b->proven };
	for (size_t i = 0; i < ARRAY_N(all); i++)
		all[i]->mark = calloc(all[i]->sets * BRAKE_WAYS, sizeof *all[i]->mark);
	if (!b->tried.mark || !b->wide.mark || !b->proven.mark) {
		brake_free(b);
		return E_TEMP;
	}
	*out = b;
	return E_OK;
}

void brake_free(struct brake *b)
{
	if (!b)
		return;
	free(b->tried.mark);
	free(b->wide.mark);
	free(b->proven.mark);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
