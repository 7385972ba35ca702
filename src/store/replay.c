/// replay — start, step by step:
///   1 which segments are the log: from the newest back along `prev`; what has no header left is set aside
///   2 does the log hold what the index says is applied? otherwise the index is made anew (store.c)
///   3 batch by batch from there: check it, apply its commits
///   4 a batch that fails its checks: damage where it was durable (an LSN up to the highest durable one that the log or
///     the index knows, or a segment that has a successor): what in it proves itself is applied, the rest is lost and
///     counted; otherwise the torn tail: the log ends before it
#include "store/replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"

enum { RECORDS_PER_COMMIT = 4096, TELL_EVERY_S = 10 };

/// True where nothing was ever written: a crash while the segment was made. A header is flushed before anything follows
/// it, so one that is gone while something follows was damaged.
static bool is_unborn(int dir, const char *name)
{
	enum { STEP = 64 << 10 };
	int fd = disk_real.open(NULL, dir, name, O_RDONLY);
	uint8_t *octets = malloc(STEP);
	bool zeros = fd >= 0 && octets;
	off_t at = 0;

	while (zeros && (at = lseek(fd, at, SEEK_DATA)) >= 0) { // allocated octets that were never written are skipped
		ssize_t n = pread(fd, octets, STEP, at);
		if (n == 0)
			break;
		zeros = n > 0 && octets[0] == 0 && memcmp(octets, octets + 1, (size_t)n - 1) == 0;
		at += n;
	}
	free(octets);
	if (fd >= 0)
		close(fd);
	return zeros;
}

static enum ec add_info(struct cx *cx, struct seg_list *l, const struct seg_info *info)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct seg_info *more = reallocarray(l->all, cap, sizeof *more);
		if (!more)
			return fail(cx, E_TEMP, "no memory for the list of segments");
		l->all = more;
		l->cap = cap;
	}
	l->all[l->n++] = *info;
	return E_OK;
}

static const char lost_end[] = ".lost";

/// A segment that was set aside: "ID.seg.lost".
static bool is_lost(const char *name, uint32_t *id)
{
	char segment[SEG_NAME] = { 0 };
	size_t n = strlen(name), end = sizeof lost_end - 1;

	if (n <= end || n - end >= sizeof segment || strcmp(name + n - end, lost_end) != 0)
		return false;
	memcpy(segment, name, n - end);
	return seg_name_parse(segment, id);
}

/// A section of a pack. It counts where no newer pack has one for the same segment.
struct placed {
	uint32_t pack;
	struct pack_section section;
};

struct reading {
	const struct disk *disk; // NULL: nothing is removed or set aside
	int dir;
	struct seg_list *l;
	struct buf sections; // struct placed, of all packs
	struct buf aside;    // uint32_t, of what is to be set aside
};

/// A segment whose header, or map, proves itself in neither copy will be set aside, so that everything else is served.
/// One without anything in it is removed.
static enum ec give_up(struct cx *cx, struct reading *r, const char *name, uint32_t id)
{
	bool unborn = is_unborn(r->dir, name);

	if (!unborn)
		log_failure(cx, LOG_ERROR, "store.segment.lost", E_CORRUPT);
	if (cx)
		cx_forget(cx); // it is dealt with
	if (!unborn) {
		buf_add(&r->aside, (struct sl){ (const uint8_t *)&id, sizeof id });
		return r->aside.err ? fail(cx, E_TEMP, "no memory for the names of damaged segments") : E_OK;
	}
	int rc = r->disk->unlink(r->disk->arg, r->dir, name);
	return rc < 0 ? disk_error(cx, rc, name) : E_OK;
}

static enum ec set_aside(struct cx *cx, struct reading *r)
{
	char name[SEG_NAME], lost[SEG_NAME + sizeof lost_end];

	for (size_t at = 0; at < r->aside.n; at += sizeof(uint32_t)) {
		uint32_t id;
		memcpy(&id, r->aside.p + at, sizeof id);
		seg_name(id, name);
		snprintf(lost, sizeof lost, "%s%s", name, lost_end);
		int rc = r->disk->rename(r->disk->arg, r->dir, name, lost);
		if (rc < 0)
			return disk_error(cx, rc, name);
		r->l->lost++;
	}
	return E_OK;
}

static enum ec read_name(struct cx *cx, void *arg, const char *name)
{
	struct reading *r = arg;
	struct segfile f;
	uint32_t id;
	bool lost = is_lost(name, &id);

	r->l->lost += lost;
	if (!lost && !seg_name_parse(name, &id))
		return E_OK;
	r->l->newest = id > r->l->newest ? id : r->l->newest;
	if (lost)
		return E_OK;
	enum ec e = segfile_open(cx, r->dir, id, &f);
	if (e == E_CORRUPT && r->disk)
		return give_up(cx, r, name, id);
	if (e == E_NOTFOUND || (e == E_CORRUPT && is_unborn(r->dir, name)))
		return r->disk ? e : E_OK; // compaction took it away just now, or it is just being made
	if (e)
		return e;
	struct seg_info info = { .head = f.head, .size = f.size, .limit = UINT64_MAX, .entries = f.map.entries };
	for (size_t i = 0; i < f.map.n; i++) {
		struct placed one = { id, f.map.sections[i] };
		info.carried += one.section.to - one.section.from;
		buf_add(&r->sections, (struct sl){ (const uint8_t *)&one, sizeof one });
	}
	segfile_close(&f);
	return r->sections.err ? fail(cx, E_TEMP, "no memory for the sections of packs") : add_info(cx, r->l, &info);
}

static int by_id(const void *a, const void *b)
{
	const struct seg_info *x = a, *y = b;

	return x->head.id < y->head.id ? -1 : x->head.id > y->head.id;
}

/// The newest log segment with an id of at most `id` among the first `n`; l->n where there is none.
static size_t find_log(const struct seg_list *l, size_t n, uint32_t id)
{
	for (size_t i = n; i-- > 0;)
		if (l->all[i].head.kind == SEG_LOG && l->all[i].head.id <= id)
			return i;
	return l->n;
}

/// Goes back from the newest segment along `prev`; segments that nobody names were left after a failed write.
static enum ec find_chain(struct cx *cx, struct seg_list *l)
{
	l->chain = calloc(l->n ? l->n : 1, sizeof *l->chain);
	if (!l->chain)
		return fail(cx, E_TEMP, "no memory for the list of segments");
	for (size_t i = find_log(l, l->n, UINT32_MAX); i < l->n;) {
		const struct seg_head *h = &l->all[i].head;
		l->chain[l->chain_n++] = (uint32_t)i;
		if (h->prev == 0 || h->prev >= h->id)
			break;
		i = find_log(l, i, h->prev);
		if (i < l->n && l->all[i].head.id == h->prev)
			l->all[i].limit = h->prev_end;
		else if (l->missing_n < STORE_MISSING_MAX)
			l->missing[l->missing_n++] = h->prev;
	}
	for (size_t a = 0, b = l->chain_n; a + 1 < b; a++) {
		uint32_t swap = l->chain[a];
		l->chain[a] = l->chain[--b];
		l->chain[b] = swap;
	}
	return E_OK;
}

/// The entry of segment `id` among the first `n`, which are in order; NULL where there is none.
static struct seg_info *find_info(struct seg_list *l, size_t n, uint32_t id)
{
	struct seg_info key = { .head = { .id = id } };

	return n ? bsearch(&key, l->all, n, sizeof *l->all, by_id) : NULL;
}

static int by_kind_and_age(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->section.head.kind != y->section.head.kind)
		return x->section.head.kind < y->section.head.kind ? -1 : 1;
	if (x->section.head.id != y->section.head.id)
		return x->section.head.id > y->section.head.id ? -1 : 1;
	return x->pack > y->pack ? -1 : x->pack < y->pack;
}

/// Leaves the sections that count, the newest segments of each kind first. A newer pack has an older one's section
/// whole, if perhaps as a part of a larger one.
static void sort_placed(struct buf *sections)
{
	struct placed *all = (struct placed *)(void *)sections->p;
	size_t n = sections->n / sizeof *all, kept = 0;

	if (n)
		qsort(all, n, sizeof *all, by_kind_and_age);
	for (size_t i = 0; i < n; i++) {
		const struct pack_section *last = kept ? &all[kept - 1].section : NULL, *s = &all[i].section;
		if (!last || last->head.kind != s->head.kind || s->head.id < last->oldest)
			all[kept++] = all[i];
	}
	buf_cut(sections, kept * sizeof *all);
}

/// The section that stands for this segment; NULL where none does.
static const struct placed *find_placed(const struct buf *sections, const struct seg_head *h)
{
	const struct placed *all = (const struct placed *)(const void *)sections->p;
	size_t n = sections->n / sizeof *all, lo = 0, hi = n;

	while (lo < hi) { // the first that begins at or before it
		size_t mid = lo + (hi - lo) / 2;
		const struct pack_section *s = &all[mid].section;
		if (s->head.kind < h->kind || (s->head.kind == h->kind && s->oldest > h->id))
			lo = mid + 1;
		else
			hi = mid;
	}
	bool stands = lo < n && all[lo].section.head.kind == h->kind && all[lo].section.head.id >= h->id;
	return stands ? &all[lo] : NULL;
}

/// Files that packs stand for are needless.
static void mark_stale(struct seg_list *l, const struct buf *sections)
{
	for (size_t i = 0; i < l->n; i++) {
		struct seg_info *info = &l->all[i];
		const struct placed *p = find_placed(sections, &info->head);
		info->stale = p || info->head.kind == SEG_PACK;
		if (!p)
			continue;
		info->pack = p->pack;
		info->section = p->section;
		if (p->section.head.id == info->head.id)
			info->head = p->section.head; // what is before it may not be what was before it
	}
}

/// Puts the sections that count in the place of their segments.
static enum ec place_all(struct cx *cx, struct seg_list *l, struct buf *sections)
{
	size_t files = l->n;
	enum ec e = E_OK;

	sort_placed(sections);
	mark_stale(l, sections);
	const struct placed *all = (const struct placed *)(const void *)sections->p;
	for (size_t i = 0; e == E_OK && i < sections->n / sizeof *all; i++) {
		const struct pack_section *s = &all[i].section;
		find_info(l, files, all[i].pack)->stale = false;
		if (!find_info(l, files, s->head.id))
			e = add_info(cx, l,
				&(struct seg_info){
					.head = s->head, .limit = UINT64_MAX, .pack = all[i].pack, .section = *s });
	}
	if (l->n > files)
		qsort(l->all, l->n, sizeof *l->all, by_id);
	return e;
}

static enum ec read_list(struct cx *cx, const struct disk *disk, int dir, struct seg_list *out)
{
	struct seg_list l = { 0 };
	struct reading r = { disk, dir, &l, BUF(SIZE_MAX), BUF(SIZE_MAX) };
	enum ec e = disk_each_name(cx, dir, read_name, &r);

	if (e == E_OK)
		e = set_aside(cx, &r); // not before: the folder would show them twice
	if (e == E_OK && l.n)
		qsort(l.all, l.n, sizeof *l.all, by_id);
	if (e == E_OK)
		e = place_all(cx, &l, &r.sections);
	if (e == E_OK)
		e = find_chain(cx, &l);
	buf_free(&r.sections);
	buf_free(&r.aside);
	if (e) {
		seg_list_free(&l);
		return e;
	}
	*out = l;
	return E_OK;
}

enum ec seg_list_read(struct cx *cx, const struct disk *disk, int dir, struct seg_list *out)
{
	return read_list(cx, disk, dir, out);
}

enum ec seg_list_look(struct cx *cx, int dir, struct seg_list *out)
{
	return read_list(cx, NULL, dir, out);
}

void seg_list_free(struct seg_list *l)
{
	free(l->all);
	free(l->chain);
	*l = (struct seg_list){ 0 };
}

static const struct seg_info *chain_at(const struct seg_list *l, size_t i)
{
	return &l->all[l->chain[i]];
}

const struct seg_info *seg_list_find(const struct seg_list *l, uint32_t id)
{
	struct seg_info key = { .head = { .id = id } };

	return l->n ? bsearch(&key, l->all, l->n, sizeof *l->all, by_id) : NULL;
}

bool seg_list_packed(const struct seg_list *l, uint32_t bulk)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (l->all[mid].head.id < bulk)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo < l->n && l->all[lo].head.kind != SEG_BULK)
		lo++;
	return lo < l->n && l->all[lo].pack && l->all[lo].section.oldest <= bulk;
}

size_t seg_list_place(const struct seg_list *l, uint32_t id)
{
	size_t lo = 0, hi = l->chain_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (chain_at(l, mid)->head.id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->chain_n && chain_at(l, lo)->head.id == id ? lo : l->chain_n;
}

enum ec replay_knows(struct cx *cx, int dir, const struct seg_list *l, const struct journal_pos *pos)
{
	size_t i = seg_list_place(l, pos->segment);
	struct segfile f;
	struct rec r;

	if (pos->lsn == 0)
		return E_OK; // nothing is applied
	if (i == l->chain_n || chain_at(l, i)->pack || pos->at > chain_at(l, i)->limit || pos->at < SEG_DATA)
		return E_NOTFOUND;
	const struct seg_head *h = &chain_at(l, i)->head;
	if (pos->at == SEG_DATA)
		return h->first_lsn == pos->lsn + 1 && h->prev_chain == pos->chain ? E_OK : E_NOTFOUND;
	enum ec e = segfile_open(cx, dir, pos->segment, &f);
	if (e)
		return e;
	e = segfile_rec(cx, &f, pos->at - REC_HEAD, &r);
	segfile_close(&f);
	if (e == E_OK && r.type == REC_END && r.lsn == pos->lsn && r.arg[END_CHAIN] == pos->chain)
		return E_OK;
	return e == E_IO || e == E_TEMP ? e : E_NOTFOUND;
}

struct run {
	struct index *ix;
	struct itxn *t;
	uint64_t now_s, since_commit;
	uint64_t durable_lsn;
	uint64_t damaged; // what of out.damaged is behind the last commit, for good
	int64_t told_s;   // when the operator last heard of it
	struct replayed out;
};

/// Commits what was applied so far and begins anew.
static enum ec next_txn(struct cx *cx, struct run *run)
{
	enum ec e = applied_put(cx, run->t, &run->out.applied);

	if (e)
		return e;
	struct itxn *t = run->t;
	run->t = NULL;
	e = itxn_commit(cx, t);
	run->since_commit = 0;
	if (e)
		return e;
	run->damaged = run->out.damaged;
	return index_write(cx, run->ix, &run->t);
}

static enum ec apply_rec_commit(struct cx *cx, struct run *run, const struct rec *r, struct sl payload)
{
	uint64_t now = 0;
	struct commit c = commit_of(r, payload);
	struct cell_row after;

	if (r->time_s + OPERATION_KEPT_S < run->now_s)
		c.op = (struct op_id){ 0 }; // older outcomes are forgotten anyway
	enum ec e = apply_version(cx, run->t, c.id, &now);
	if (e)
		return e;
	if (c.version <= now)
		return E_OK; // this cell has it already
	if (c.version > now + 1 && !ops_drop(c.ops))
		e = apply_gap(cx, run->t, c.id, c.version);
	return e ? e : apply_commit(cx, run->t, &c, &after);
}

static enum ec apply_rec(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct run *run = arg;
	struct body_ref ref = { r->arg[BULK_AT], (uint32_t)r->arg[BULK_OCTETS] };
	struct image im;

	run->out.records++;
	run->since_commit++;
	run->out.applied.bodies += r->type == REC_BLOB || r->type == REC_BULK;
	if (r->type == REC_COMMIT)
		return apply_rec_commit(cx, run, r, payload);
	if (r->type == REC_BULK)
		return apply_bulk(cx, run->t, ref);
	if (r->type != REC_IMAGE)
		return E_OK;
	im = image_of(r, payload);
	return apply_image(cx, run->t, &im);
}

/// A commit of which only the header is left: its cell misses it, also where no later commit shows the gap.
static enum ec lose_commit(struct cx *cx, void *arg, const struct rec *r)
{
	struct run *run = arg;
	struct commit c = commit_of(r, SL(""));
	uint64_t now = 0;
	enum ec e = apply_version(cx, run->t, c.id, &now);

	return e || c.version <= now ? e : apply_gap(cx, run->t, c.id, c.version);
}

static void count_damage(struct run *run, uint64_t places)
{
	run->out.damaged += places;
	run->out.applied.damaged += places;
}

/// A durable batch that fails its checks: applies what proves itself and goes on behind it.
static enum ec salvage(struct cx *cx, struct run *run, struct walk *w)
{
	struct rec begin;
	uint64_t bad = 0, to = w->limit < w->f->size ? w->limit : w->f->size;
	enum ec e = walk_find_begin(cx, w, w->pos.at + 1, w->pos.lsn + 2, &begin);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	bool more = e == E_OK;
	e = walk_records(cx, w, w->pos.at, more ? begin.at : to, w->pos.lsn + 1, apply_rec, run, &bad);
	if (e)
		return e;
	count_damage(run, bad ? bad : 1);
	w->pos.at = more ? begin.at : w->limit;
	if (more) {
		w->pos.lsn = begin.lsn - 1;
		w->pos.chain = begin.arg[BEGIN_CHAIN];
	} else {
		w->pos.at = to;
		w->pos.lsn = w->pos.lsn + 1 > run->durable_lsn ? w->pos.lsn + 1 : run->durable_lsn;
	}
	return E_OK;
}

/// Applies the good batch from w->pos to `next`.
static enum ec apply_batch(struct cx *cx, struct run *run, struct walk *w, struct journal_pos next)
{
	uint64_t bad = 0;
	enum ec e = walk_records(cx, w, w->pos.at, next.at, next.lsn, apply_rec, run, &bad);

	w->pos = next;
	return e;
}

/// All batches of one segment from w->pos on.
static enum ec run_segment(struct cx *cx, struct run *run, struct walk *w, bool last)
{
	struct journal_pos next;
	enum ec e = E_OK;

	while (e == E_OK) {
		e = walk_batch(cx, w, &next);
		if (e == E_OK)
			e = apply_batch(cx, run, w, next);
		else if (e == E_CORRUPT && (!last || w->pos.lsn + 1 <= run->durable_lsn))
			e = salvage(cx, run, w);
		else if (e == E_CORRUPT || e == E_NOTFOUND)
			break; // the torn tail, or the end
		run->out.applied.pos = w->pos;
		if (e == E_OK && run->since_commit >= RECORDS_PER_COMMIT)
			e = next_txn(cx, run);
		if (e == E_OK && w->pos.at >= w->limit)
			break;
	}
	run->out.torn_at = w->pos.at;
	return e == E_NOTFOUND || e == E_CORRUPT ? E_OK : e;
}

/// Whether a segment follows what was applied before it; otherwise something between the two is missing.
static void note_missing(struct run *run, const struct seg_info *s)
{
	const struct journal_pos *pos = &run->out.applied.pos;

	if (s->head.first_lsn != pos->lsn + 1 || s->head.prev_chain != pos->chain)
		count_damage(run, 1);
}

static enum ec open_segment(
	struct cx *cx, int dir, const struct seg_info *s, bool last, struct run *run, struct segfile *f, struct walk *w)
{
	uint64_t durable = 0;
	enum ec e = segfile_open(cx, dir, s->head.id, f);

	if (e)
		return e;
	*w = (struct walk){
		.f = f, .limit = s->limit < f->size ? s->limit : f->size, .bodies_from = UINT64_MAX, .lost = lose_commit
	};
	w->pos = run->out.applied.pos;
	if (w->pos.segment != s->head.id) {
		note_missing(run, s);
		w->pos = (struct journal_pos){ s->head.id, SEG_DATA, s->head.first_lsn - 1, s->head.prev_chain };
	}
	if (!last)
		return E_OK;
	e = walk_durable(cx, w, &durable);
	if (e) {
		segfile_close(f);
		return e;
	}
	if (durable > run->durable_lsn)
		run->durable_lsn = durable;
	w->bodies_from = run->durable_lsn + 1;
	return E_OK;
}

/// What a pack says in the place of a segment.
static enum ec run_section(struct cx *cx, int dir, const struct seg_info *s, struct run *run)
{
	const struct pack_section *p = &s->section;
	struct segfile f;
	uint64_t bad = 0;
	enum ec e = segfile_open(cx, dir, s->pack, &f);

	if (e)
		return e;
	struct walk w = { .f = &f, .limit = p->to, .lost = lose_commit };
	note_missing(run, s);
	e = walk_records(cx, &w, p->from, p->to, 0, apply_rec, run, &bad);
	segfile_close(&f);
	count_damage(run, bad);
	run->out.applied.bodies += p->entries;
	run->out.applied.pos = (struct journal_pos){ s->head.id, p->end, p->end_lsn, p->end_chain };
	if (e == E_OK && run->since_commit >= RECORDS_PER_COMMIT)
		e = next_txn(cx, run);
	return e;
}

static bool count_gap(void *arg, struct sl key, struct sl value)
{
	uint64_t *n = arg;

	(void)key, (void)value;
	++*n;
	return true;
}

/// Where in the chain to go on: a section of a pack is applied as a whole or not at all.
static size_t first_to_run(const struct seg_list *l, const struct journal_pos *applied)
{
	size_t i = seg_list_place(l, applied->segment);

	if (i == l->chain_n)
		return 0;
	return chain_at(l, i)->pack ? i + 1 : i;
}

/// An operator who waits for a long start sees how far it is.
static void tell_progress(struct cx *cx, struct run *run, size_t done, size_t of)
{
	int64_t now_s = clock_steady_s();

	if (now_s - run->told_s < TELL_EVERY_S)
		return;
	run->told_s = now_s;
	LOG(cx, LOG_INFO, "store.index.reading", kv_u("segments", done), kv_u("of", of));
}

static enum ec run_all(struct cx *cx, int dir, const struct seg_list *l, struct run *run)
{
	enum ec e = index_write(cx, run->ix, &run->t);

	for (size_t i = first_to_run(l, &run->out.applied.pos); e == E_OK && i < l->chain_n; i++) {
		struct segfile f;
		struct walk w;
		bool last = i + 1 == l->chain_n;
		tell_progress(cx, run, i, l->chain_n);
		if (chain_at(l, i)->pack) {
			e = run_section(cx, dir, chain_at(l, i), run);
			continue;
		}
		e = open_segment(cx, dir, chain_at(l, i), last, run, &f, &w);
		if (e)
			break;
		e = run_segment(cx, run, &w, last);
		segfile_close(&f);
		if (w.pos.at > SEG_DATA) // a segment without a batch may be removed
			run->out.applied.pos = w.pos;
	}
	if (e == E_OK) {
		run->out.applied.durable_lsn = run->durable_lsn;
		e = applied_put(cx, run->t, &run->out.applied);
	}
	if (e == E_OK) // an image further on mends what compaction took away, so only the end tells
		e = index_scan(cx, run->t, T_DAMAGE, SL(""), SL(""), count_gap, &run->out.gaps);
	if (e || !run->t) {
		itxn_abort(run->t);
		return e;
	}
	return itxn_commit(cx, run->t);
}

enum ec replay(struct cx *cx, int dir, const struct seg_list *l, struct index *ix, const struct applied *from,
	struct replayed *out)
{
	struct run run = {
		.ix = ix,
		.now_s = (uint64_t)clock_now_s(),
		.durable_lsn = from->durable_lsn,
		.damaged = out->damaged,
		.told_s = clock_steady_s(),
		.out = { .applied = *from, .damaged = out->damaged, .torn_at = UINT64_MAX },
	};
	enum ec e = run_all(cx, dir, l, &run);

	if (e == E_OK)
		*out = run.out;
	else
		out->damaged = run.damaged;
	return e;
}
