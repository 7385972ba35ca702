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
	const struct seg_info **parts; // segments that it stands for: itself, or a pack's
	size_t parts_n;
	uint64_t octets; // of the file
	uint64_t living; // octets that are still needed, about
	uint64_t named;  // bodies that rows name, about
	bool damaged;
};

struct compacting {
	struct store *s;
	const struct compact_conf *conf;
	struct compact_result *out;
	struct seg_list segs;
	struct buf open; // bulk segments that were open before the list was made; see struct section_maker
	struct victim *all;
	size_t n, small_n;             // small_n: how many of them are small
	const struct seg_info **parts; // of all victims
	uint64_t pack_max, now_s;
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

/// The victim whose file has the bodies of this segment; NULL where none has.
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

	v->living = bodies;
	if (v->named < entries)
		v->living -= bodies / entries * (entries - v->named);
}

static bool is_small(const struct compacting *c, const struct victim *v)
{
	return v->octets < c->s->segment_octets / SMALL_PART;
}

static bool is_worth_it(const struct compacting *c, const struct victim *v)
{
	uint64_t dead = v->octets > v->living ? v->octets - v->living : 0;

	return dead * 100 >= v->octets * c->conf->dead_percent || (c->small_n >= SMALL_MANY && is_small(c, v));
}

static enum ec must_stop(struct cx *cx, const struct compacting *c)
{
	bool stop = c->conf->stop && atomic_load(c->conf->stop);

	return stop ? fail(cx, E_CANCELED, "compaction was told to stop") : E_OK;
}

/// Opens a victim's file. errors: E_CORRUPT (also where the disk cannot read it), E_TEMP.
static enum ec open_victim(struct cx *cx, const struct compacting *c, struct victim *v, struct segfile *out)
{
	enum ec e = segfile_open(cx, c->s->log_fd, v->info->head.id, out);

	if (e == E_IO)
		e = wrap(cx, E_CORRUPT, "segment %08x cannot be read", v->info->head.id);
	v->damaged |= e == E_CORRUPT;
	return e;
}

/// Adds the records that a start still needs, by reading all of them.
static enum ec judge_records(struct cx *cx, struct compacting *c, struct victim *v)
{
	struct section_maker m = { .s = c->s, .segs = &c->segs, .now_s = c->now_s };
	struct segfile f;
	enum ec e = open_victim(cx, c, v, &f);

	if (e)
		return e == E_CORRUPT ? E_OK : e; // whoever copies it finds that, too
	for (size_t i = 0; e == E_OK && i < v->parts_n; i++)
		e = section_count(cx, &m, v->parts[i], &f, &v->living);
	segfile_close(&f);
	return e == E_CORRUPT ? E_OK : e;
}

/// About how much of each segment rows still name.
static enum ec judge_bodies(struct cx *cx, struct compacting *c)
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

/// About how much of each segment is needed. Only where the bodies leave it open are its records read.
static enum ec judge(struct cx *cx, struct compacting *c)
{
	enum ec e = judge_bodies(cx, c);

	for (size_t i = 0; e == E_OK && i < c->n; i++) {
		e = must_stop(cx, c);
		if (e == E_OK && is_worth_it(c, &c->all[i]))
			e = judge_records(cx, c, &c->all[i]);
	}
	return e;
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
static bool may_go(const struct compacting *c, const struct seg_info *i, uint32_t applied)
{
	if (i->stale || (i->pack && i->head.kind != SEG_PACK))
		return false;
	if (i->head.made_s <= c->now_s && c->now_s - i->head.made_s < c->conf->cool_s)
		return false; // one of the future was made before the clock was set back: nobody knows when
	switch (i->head.kind) {
	case SEG_LOG: // one that no other continues may be left from a failed write, or what was before it moved away
		return i->head.id < applied && seg_list_place(&c->segs, i->head.id) < c->segs.chain_n;
	case SEG_BULK: return !bulk_is_open(&c->s->bulk, i->head.id);
	case SEG_PACK: return true;
	}
	return false;
}

/// The file that has what is left of a segment.
static uint32_t file_of(const struct seg_info *i)
{
	return i->pack ? i->pack : i->head.id;
}

static int by_file(const void *a, const void *b)
{
	const struct seg_info *const *x = a, *const *y = b;
	uint32_t fx = file_of(*x), fy = file_of(*y);

	if (fx != fy)
		return fx < fy ? -1 : 1;
	return (*x)->head.id < (*y)->head.id ? -1 : (*x)->head.id > (*y)->head.id;
}

/// Whether it has a section of its own, or will: one that a later segment's stands for has none any more.
static bool has_section(const struct seg_info *i)
{
	return i->head.kind != SEG_PACK && (!i->pack || i->section.head.id == i->head.id);
}

/// Gives each victim its parts.
static void find_parts(struct compacting *c)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < c->segs.n; i++)
		if (has_section(&c->segs.all[i]))
			c->parts[n++] = &c->segs.all[i];
	if (n)
		qsort(c->parts, n, sizeof *c->parts, by_file);
	for (size_t i = 0; i < c->n; i++) {
		struct victim *v = &c->all[i];
		while (at < n && file_of(c->parts[at]) < v->info->head.id)
			at++;
		v->parts = &c->parts[at];
		while (at < n && file_of(c->parts[at]) == v->info->head.id)
			at++;
		v->parts_n = (size_t)(&c->parts[at] - v->parts);
	}
}

static enum ec list_victims(struct cx *cx, struct compacting *c)
{
	uint32_t applied = 0;

	enum ec e = find_applied(cx, c->s, &applied);
	if (e)
		return e;
	bulk_list_open(&c->s->bulk, &c->open);
	e = c->open.err ? fail(cx, E_TEMP, "no memory to compact") : seg_list_look(cx, c->s->log_fd, &c->segs);
	if (e)
		return e;
	c->all = calloc(c->segs.n + 1, sizeof *c->all);
	c->parts = calloc(c->segs.n + 1, sizeof *c->parts);
	if (!c->all || !c->parts)
		return fail(cx, E_TEMP, "no memory to compact");
	for (size_t i = 0; i < c->segs.n; i++) {
		struct victim v = { .info = &c->segs.all[i], .octets = c->segs.all[i].size };
		if (!may_go(c, v.info, applied))
			continue;
		c->small_n += is_small(c, &v);
		c->all[c->n++] = v;
	}
	find_parts(c);
	return E_OK;
}

static int by_living(const void *a, const void *b)
{
	const struct victim *x = a, *y = b;

	if (x->living != y->living)
		return x->living < y->living ? -1 : 1;
	return x->info->head.id < y->info->head.id ? -1 : x->info->head.id > y->info->head.id;
}

/// Leaves those that are worth it, the emptiest first.
static void choose(struct compacting *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (!is_worth_it(c, &c->all[i]))
			continue;
		c->total += c->all[i].octets;
		c->all[kept++] = c->all[i];
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
	uint64_t octets;
	struct segfile *files; // while the pack is filled
	size_t opened;
};

/// A segment of the group, and who has it.
struct birth {
	const struct seg_info *info;
	struct victim *owner;
};

static int by_segment(const void *a, const void *b)
{
	const struct birth *x = a, *y = b;
	uint32_t ix = x->info->head.id, iy = y->info->head.id;

	return ix < iy ? -1 : ix > iy;
}

/// The segments whose bodies are in the group's files, in order.
struct births {
	struct birth *all;
	size_t n;
};

static bool wants_birth(void *arg, struct body_ref ref)
{
	const struct births *b = arg;
	struct seg_info info = { .head = { .id = (uint32_t)(ref.at >> 32) } };
	struct birth key = { .info = &info };

	return b->n && bsearch(&key, b->all, b->n, sizeof key, by_segment);
}

static enum ec find_births(struct cx *cx, const struct compacting *c, const struct group *g, struct births *out)
{
	struct births b = { .all = calloc(c->segs.n + 1, sizeof *b.all) };

	if (!b.all)
		return fail(cx, E_TEMP, "no memory to compact");
	for (size_t i = 0; i < g->n; i++)
		for (size_t k = 0; k < g->all[i].parts_n; k++)
			b.all[b.n++] = (struct birth){ g->all[i].parts[k], &g->all[i] };
	if (b.n)
		qsort(b.all, b.n, sizeof *b.all, by_segment);
	*out = b;
	return E_OK;
}

static enum ec open_group(struct cx *cx, const struct compacting *c, struct group *g)
{
	g->files = calloc(g->n, sizeof *g->files);
	enum ec e = g->files ? E_OK : fail(cx, E_TEMP, "no memory to compact");

	for (size_t i = 0; e == E_OK && i < g->n; i++) {
		e = open_victim(cx, c, &g->all[i], &g->files[i]);
		g->opened += e == E_OK;
	}
	return e;
}

static void close_group(struct group *g)
{
	while (g->opened)
		segfile_close(&g->files[--g->opened]);
	free(g->files);
	g->files = NULL;
}

/// One section. A damaged segment is marked as such, and the pack is void.
static enum ec fill_one(
	struct cx *cx, struct compacting *c, struct group *g, const struct birth *b, struct section_maker *m)
{
	enum ec e = section_make(cx, m, b->info, &g->files[b->owner - g->all]);

	if (e == E_CORRUPT)
		b->owner->damaged = true;
	return e ? e : must_stop(cx, c);
}

/// Fills the pack: the log in order, so that its empty sections become one, then the rest.
static enum ec fill(
	struct cx *cx, struct compacting *c, struct group *g, const struct births *b, struct section_maker *m)
{
	enum ec e = open_group(cx, c, g);
	size_t made = 0;

	for (unsigned pass = 0; pass < 2; pass++)
		for (size_t i = 0; e == E_OK && i < b->n; i++) {
			if ((b->all[i].info->head.kind == SEG_LOG) != (pass == 0))
				continue;
			e = fill_one(cx, c, g, &b->all[i], m);
			if (e == E_OK && c->conf->progress)
				c->conf->progress(c->conf->arg, c->done + g->octets * ++made / b->n, c->total);
		}
	close_group(g);
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
		e = places_put(cx, &s->places, b->all[i].info->head.id, pack);
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
	return !p->spare || pack_octets(p) < g->octets;
}

static enum ec finish(
	struct cx *cx, struct compacting *c, const struct group *g, const struct births *b, struct pack *p)
{
	uint64_t octets = pack_octets(p);

	if (!is_worth(g, p))
		return E_OK;
	enum ec e = pack_finish(cx, p);
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

/// Makes the spare anew. While the disk takes mail it goes on doing so.
static void fill_spare(struct store *s)
{
	spare_fill(&s->spare, store_is_low(s) ? store_room(s) : store_free_room(s));
}

/// What a pack is written into: on a disk that is nearly full the spare, so that the writer keeps what room there is.
static const struct spare *spare_for(struct compacting *c)
{
	struct store *s = c->s;

	fill_spare(s);
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
		struct section_maker maker = { c->s, &c->segs, &c->open, &p, &m, c->now_s };
		p.octets_max = c->pack_max;
		e = fill(cx, c, g, &b, &maker);
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

/// Takes a victim of the group off the list.
static void leave(struct compacting *c, struct group *g, size_t i)
{
	struct victim *v = &g->all[i];

	memmove(v, v + 1, (size_t)(c->all + c->n - v - 1) * sizeof *v);
	c->n--;
	g->n--;
}

/// Leaves out what turned out to be damaged. Returns whether there was any.
static bool drop_damaged(struct compacting *c, struct group *g)
{
	size_t before = g->n;

	for (size_t i = 0; i < g->n;)
		if (g->all[i].damaged)
			leave(c, g, i);
		else
			i++;
	c->out->damaged += before - g->n;
	return g->n < before;
}

/// What does not fit into one pack: half of it, and the rest comes with the next group. One alone is left as it is.
static bool halve(struct compacting *c, struct group *g)
{
	if (g->n > 1)
		g->n /= 2;
	else
		leave(c, g, 0);
	return true;
}

/// The next victims that make one pack.
static void next_group(const struct compacting *c, size_t from, struct group *g)
{
	uint64_t living = 0;
	size_t sections = 0;

	*g = (struct group){ .all = &c->all[from] };
	for (const struct victim *v = g->all; from + g->n < c->n && g->n < GROUP_MAX; v++, g->n++) {
		living += v->living;
		sections += v->parts_n;
		if (g->n && (living - v->living >= c->s->segment_octets || living > c->pack_max ||
				    sections > PACK_SECTIONS_MAX))
			break;
	}
}

static uint64_t group_octets(const struct group *g)
{
	uint64_t octets = 0;

	for (size_t i = 0; i < g->n; i++)
		octets += g->all[i].octets;
	return octets;
}

/// One segment that finds no room is left as it is, where others may find some; a few such end the run.
static bool leave_full(struct compacting *c, struct group *g)
{
	if (++c->full == FULL_MAX)
		return false;
	leave(c, g, 0);
	return true;
}

/// After a group failed: makes another one of it that may do. False where nothing more can be done.
static bool change_group(struct compacting *c, struct group *g, enum ec e)
{
	if (e == E_CORRUPT)
		return drop_damaged(c, g);
	if (e == E_FULL && g->n == 1)
		return leave_full(c, g);
	return (e == E_TOOBIG || e == E_FULL) && halve(c, g); // the emptier half makes room for the other
}

static enum ec compact_all(struct cx *cx, struct compacting *c)
{
	struct group g;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < c->n; i += g.n) {
		next_group(c, i, &g);
		do {
			g.octets = group_octets(&g);
			e = g.n ? compact_group(cx, c, &g) : E_OK;
		} while (e && change_group(c, &g, e));
		c->done += g.octets;
	}
	fill_spare(c->s);
	if (e == E_FULL || (e == E_OK && c->full))
		e = c->out->segments ? E_OK : wrap(cx, E_FULL, "no room for what is alive in a segment");
	return e;
}

enum ec compact_run(struct cx *cx, struct store *s, const struct compact_conf *conf, struct compact_result *out)
{
	struct compacting c = {
		.s = s,
		.conf = conf,
		.out = out,
		.open = BUF((size_t)2 * BULK_OPEN_MAX * sizeof(uint32_t)),
		.pack_max = conf->pack_max ? conf->pack_max : PACK_OCTETS_MAX,
		.now_s = (uint64_t)clock_now_s(),
	};

	*out = (struct compact_result){ 0 };
	enum ec e = list_victims(cx, &c);
	if (e == E_OK && c.n)
		e = judge(cx, &c);
	if (e == E_OK) {
		choose(&c);
		e = compact_all(cx, &c);
	}
	free(c.all);
	free(c.parts);
	buf_free(&c.open);
	seg_list_free(&c.segs);
	return e ? wrap(cx, e, "compaction") : E_OK;
}
