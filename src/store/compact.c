/// compact — see the header; what goes into a pack decides section.c.
#include "store/compact.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/mark.h"
#include "store/section.h"
#include "store/snapshot.h"

enum {
	SAMPLE_MAX = 1 << 20, // bodies looked at to judge segments
	GROUP_MAX = 64,       // segments in one pack
	FULL_MAX = 3,         // segments that may find no room for what is alive in them, before a run ends
	SMALL_MANY = 16,      // so many small segments are worth one larger
	SMALL_PART = 8,       // small: below this part of a segment
};

/// A segment's file that may go.
struct victim {
	const struct seg_info *info;
	uint64_t octets;        // of the file
	uint64_t living, named; // octets and bodies that rows name, about
	bool damaged;
};

struct compacting {
	struct store *s;
	const struct compact_conf *conf;
	struct compact_result *out;
	struct seg_list segs;
	struct victim *all;
	size_t n;
	uint64_t done, total; // octets, for progress
	unsigned full;        // segments left alone because there was no room
};

// ---- judging

struct sampling {
	uint64_t rate;
};

static bool wants_sample(void *arg, struct body_ref ref)
{
	const struct sampling *sa = arg;
	uint8_t octets[8];

	put_le64(octets, ref.at);
	return sa->rate == 1 || crc32c(0, (struct sl){ octets, sizeof octets }) % sa->rate == 0;
}

static struct victim *find_victim(struct compacting *c, uint32_t segment)
{
	uint32_t file = places_find(&c->s->places, segment);

	for (size_t lo = 0, hi = c->n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;
		uint32_t id = c->all[mid].info->head.id;
		if (id == file)
			return &c->all[mid];
		if (id < file)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/// Bodies in a pack are as long as they are: it is their number that tells.
static void judge_pack(struct victim *v)
{
	uint64_t entries = v->info->entries, bodies = v->octets - v->info->carried;

	v->living = v->octets;
	if (v->named < entries)
		v->living -= bodies / entries * (entries - v->named);
}

/// About how much of each segment rows still name.
static enum ec judge(struct cx *cx, struct compacting *c)
{
	struct store_stats stats;
	size_t n;

	store_get_stats(c->s, &stats);
	struct sampling sa = { .rate = stats.bodies / SAMPLE_MAX + 1 };
	struct mark m = { .wants = wants_sample, .arg = &sa };
	enum ec e = mark_walk(cx, c->s, &m);
	if (e)
		return e;
	const struct marked *body = mark_bodies(&m, &n);
	for (size_t i = 0; i < n; i++) {
		struct victim *v = find_victim(c, (uint32_t)(body[i].at >> 32));
		if (!v)
			continue;
		v->living += sa.rate * (REC_HEAD + body[i].octets + pieces_octets(body[i].octets));
		v->named += sa.rate;
	}
	buf_free(&m.bodies);
	for (size_t i = 0; i < c->n; i++)
		if (c->all[i].info->head.kind == SEG_PACK)
			judge_pack(&c->all[i]);
	return E_OK;
}

/// The log segment before which all is applied, also in the newest snapshot: a start from it must find what follows.
static enum ec find_applied(struct cx *cx, struct store *s, uint32_t *out)
{
	struct snapshot list[SNAPSHOTS_KEPT];
	struct store_stats stats;
	size_t n = 0;

	store_get_stats(s, &stats);
	*out = stats.applied_segment;
	enum ec e = snapshot_list(cx, s, list, &n);
	if (e || (n && list[0].segment >= stats.applied_segment))
		return e;
	e = snapshot_take(cx, s);
	return e == E_FULL ? E_OK : e; // room comes first
}

/// Whether a segment may go at all: sealed, applied, old enough, and its file is what counts.
static bool may_go(const struct compacting *c, const struct seg_info *i, uint32_t applied, uint64_t now_s)
{
	if (i->stale || (i->pack && i->head.kind != SEG_PACK))
		return false;
	if (i->head.made_s <= now_s && now_s - i->head.made_s < c->conf->cool_s)
		return false; // one of the future was made before the clock was set back: nobody knows when
	switch (i->head.kind) {
	case SEG_LOG: // one that no other continues may be left from a failed write, or what was before it moved away
		return i->head.id < applied && seg_list_place(&c->segs, i->head.id) < c->segs.chain_n;
	case SEG_BULK: return !bulk_is_open(&c->s->bulk, i->head.id);
	case SEG_PACK: return true;
	}
	return false;
}

static enum ec list_victims(struct cx *cx, struct compacting *c)
{
	uint64_t now_s = (uint64_t)clock_now_s();
	uint32_t applied = 0;

	enum ec e = find_applied(cx, c->s, &applied);
	if (e == E_OK)
		e = seg_list_look(cx, c->s->log_fd, &c->segs);
	if (e)
		return e;
	c->all = calloc(c->segs.n + 1, sizeof *c->all);
	if (!c->all)
		return fail(cx, E_TEMP, "no memory to compact");
	for (size_t i = 0; i < c->segs.n; i++)
		if (may_go(c, &c->segs.all[i], applied, now_s))
			c->all[c->n++] = (struct victim){
				.info = &c->segs.all[i],
				.octets = c->segs.all[i].size,
			};
	return E_OK;
}

/// Leaves those that are worth it, the emptiest first.
static int by_living(const void *a, const void *b)
{
	const struct victim *x = a, *y = b;

	return x->living < y->living ? -1 : x->living > y->living;
}

static void choose(struct compacting *c)
{
	uint64_t small = c->s->segment_octets / SMALL_PART;
	size_t kept = 0, smalls = 0;

	for (size_t i = 0; i < c->n; i++)
		smalls += c->all[i].octets < small;
	for (size_t i = 0; i < c->n; i++) {
		const struct victim *v = &c->all[i];
		uint64_t dead = v->octets > v->living ? v->octets - v->living : 0;
		if (dead * 100 < v->octets * c->conf->dead_percent && (smalls < SMALL_MANY || v->octets >= small))
			continue;
		c->total += v->octets;
		c->all[kept++] = *v;
	}
	c->n = kept;
	if (kept)
		qsort(c->all, kept, sizeof *c->all, by_living);
}

// ---- doing

/// The segments of one pack.
struct group {
	struct victim *all;
	size_t n;
};

static int by_segment(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/// The segments whose bodies are in the group's files, in order.
struct births {
	uint32_t *all;
	size_t n;
};

static bool wants_birth(void *arg, struct body_ref ref)
{
	const struct births *b = arg;
	uint32_t id = (uint32_t)(ref.at >> 32);

	return b->n && bsearch(&id, b->all, b->n, sizeof id, by_segment);
}

static enum ec find_births(struct cx *cx, const struct compacting *c, const struct group *g, struct births *out)
{
	struct births b = { .all = calloc(c->segs.n + 1, sizeof *b.all) };

	if (!b.all)
		return fail(cx, E_TEMP, "no memory to compact");
	for (size_t i = 0; i < c->segs.n; i++)
		for (size_t k = 0; k < g->n; k++) {
			const struct seg_info *s = &c->segs.all[i], *v = g->all[k].info;
			if (s->head.kind != SEG_PACK && (s->pack == v->head.id || (s == v && !s->pack)))
				b.all[b.n++] = s->head.id;
		}
	if (b.n)
		qsort(b.all, b.n, sizeof *b.all, by_segment);
	*out = b;
	return E_OK;
}

/// Fills the pack. A damaged segment is marked as such, and the pack is void.
static enum ec fill(struct cx *cx, struct compacting *c, struct group *g, struct section_maker *m)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < g->n; i++) {
		e = section_make(cx, m, g->all[i].info);
		if (e == E_CORRUPT)
			g->all[i].damaged = true;
		if (e == E_OK && c->conf->stop && atomic_load(c->conf->stop))
			e = fail(cx, E_CANCELED, "compaction was told to stop");
		if (e == E_OK && c->conf->progress)
			c->conf->progress(c->conf->arg, c->done += g->all[i].octets, c->total);
	}
	return e;
}

/// Until what the index says, of which commits are needless, is durable in the log.
static enum ec wait_durable(struct cx *cx, struct store *s)
{
	struct store_stats now;

	store_get_stats(s, &now);
	return store_wait_durable(cx, s, now.applied_lsn);
}

/// Readers go to the pack, the files go.
static enum ec replace(
	struct cx *cx, struct compacting *c, const struct group *g, const struct births *b, uint32_t pack)
{
	struct store *s = c->s;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < b->n; i++)
		e = places_put(cx, &s->places, b->all[i], pack);
	if (e)
		return e; // who is not told of the pack reads what is still there; the next start does the rest
	for (size_t i = 0; i < g->n; i++) {
		char name[SEG_NAME];
		seg_name(g->all[i].info->head.id, name);
		segcache_drop(&s->cache, g->all[i].info->head.id);
		if (s->disk->unlink(s->disk->arg, s->log_fd, name) == 0)
			c->out->octets_gone += g->all[i].octets;
		c->out->segments++;
	}
	return E_OK;
}

/// Where the disk is full a pack must give more than it takes: otherwise the spare would not come back.
static bool is_worth(const struct group *g, const struct pack *p)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < g->n; i++)
		octets += g->all[i].octets;
	return !p->spare || p->at < octets;
}

static enum ec finish(
	struct cx *cx, struct compacting *c, const struct group *g, const struct births *b, struct pack *p)
{
	enum ec e = pack_finish(cx, p);
	uint64_t octets = p->at;

	if (e == E_OK && !is_worth(g, p))
		return E_OK;
	if (e == E_OK)
		e = wait_durable(cx, c->s);
	if (e == E_OK)
		e = pack_name(cx, p);
	if (e == E_OK)
		e = replace(cx, c, g, b, p->head.id);
	if (e)
		return e;
	c->out->packs++;
	c->out->bodies += p->entries.n / ENTRY_OCTETS;
	c->out->octets_new += octets;
	atomic_fetch_add(&c->s->segments, 1);
	atomic_fetch_sub(&c->s->segments, g->n);
	return E_OK;
}

/// What a pack is written into: on a disk that is nearly full the spare, so that the writer keeps what room there is.
static const struct spare *spare_for(struct compacting *c)
{
	struct store *s = c->s;

	spare_fill(&s->spare, store_room(s));
	return s->spare.octets && store_room(s) < 2 * s->segment_octets ? &s->spare : NULL;
}

static enum ec compact_group(struct cx *cx, struct compacting *c, struct group *g)
{
	struct births b;
	struct pack p;
	enum ec e = find_births(cx, c, g, &b);
	struct mark m = { .wants = wants_birth, .arg = &b };

	if (e)
		return e;
	e = mark_walk(cx, c->s, &m);
	if (e == E_OK)
		e = pack_new(cx, c->s->disk, c->s->log_fd, atomic_fetch_add(&c->s->next_id, 1), spare_for(c), &p);
	if (e == E_OK) {
		struct section_maker maker = { c->s, &c->segs, &p, &m, (uint64_t)clock_now_s() };
		e = fill(cx, c, g, &maker);
		if (e == E_OK)
			e = finish(cx, c, g, &b, &p);
		pack_end(&p);
		if (p.spare)
			spare_look(&c->s->spare);
	}
	buf_free(&m.bodies);
	free(b.all);
	return e;
}

/// Leaves out what turned out to be damaged. Returns whether there was any.
static bool drop_damaged(struct compacting *c, struct group *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->n; i++)
		if (!g->all[i].damaged)
			g->all[kept++] = g->all[i];
	c->out->damaged += g->n - kept;
	bool any = kept < g->n;
	g->n = kept;
	return any;
}

/// The next victims that make one pack.
static struct group next_group(const struct compacting *c, size_t from)
{
	struct group g = { .all = &c->all[from] };
	uint64_t living = 0;

	while (from + g.n < c->n && g.n < GROUP_MAX && (g.n == 0 || living < c->s->segment_octets))
		living += c->all[from + g.n++].living;
	return g;
}

/// A group, in halves where there is no room for its pack: the emptier one makes room for the other.
static enum ec compact_in_parts(struct cx *cx, struct compacting *c, struct group g)
{
	enum ec e;

	do {
		e = g.n ? compact_group(cx, c, &g) : E_OK;
	} while (e == E_CORRUPT && drop_damaged(c, &g));
	if (e != E_FULL)
		return e;
	if (g.n == 1) // where others find room it is no failure
		return ++c->full < FULL_MAX ? E_OK : e;
	struct group first = { g.all, g.n / 2 }, rest = { g.all + g.n / 2, g.n - g.n / 2 };
	e = compact_in_parts(cx, c, first);
	return e ? e : compact_in_parts(cx, c, rest);
}

static enum ec compact_all(struct cx *cx, struct compacting *c)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < c->n;) {
		struct group g = next_group(c, i);
		i += g.n;
		e = compact_in_parts(cx, c, g);
	}
	spare_fill(&c->s->spare, store_room(c->s));
	if (e == E_FULL || (e == E_OK && c->full))
		e = c->out->segments ? E_OK : wrap(cx, E_FULL, "no room for what is alive in a segment");
	return e;
}

enum ec compact_run(struct cx *cx, struct store *s, const struct compact_conf *conf, struct compact_result *out)
{
	struct compacting c = { .s = s, .conf = conf, .out = out };

	*out = (struct compact_result){ 0 };
	enum ec e = list_victims(cx, &c);
	if (e == E_OK && c.n)
		e = judge(cx, &c);
	if (e == E_OK) {
		choose(&c);
		e = compact_all(cx, &c);
	}
	free(c.all);
	seg_list_free(&c.segs);
	return e ? wrap(cx, e, "compaction") : E_OK;
}
