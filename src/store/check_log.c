/// check_log — the verifier of S1 to S11.
#include "store/check_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "store/body.h"
#include "store/replay.h"

struct check {
	const struct check_conf *conf;
	struct check_result out;
	int dir, log, lock;
	struct seg_list segs;
	struct segfile *now; // the log segment under way
	uint64_t done;       // of check_all's steps
	uint64_t durable;    // batches up to this one were flushed, the last segment says
	enum ec err;         // that ended a scan of the index
	struct cx *cx;
	struct itxn *other; // the scratch index, where the live one is scanned
	enum index_table table;
	uint64_t rows, others;
};

[[gnu::format(printf, 3, 4)]] static void violated(struct check *c, unsigned invariant, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->out.violations++;
	if (c->conf->report)
		c->conf->report(c->conf->arg, invariant, sl_cstr(text));
}

/// One step more: the log's segments in turn, then all segments that may be packs, then the index.
static void step(struct check *c)
{
	c->done++;
	if (c->conf->progress)
		c->conf->progress(c->conf->arg, c->done, c->segs.chain_n + c->segs.n + 1);
}

/// Damage is a violation, not an error of the check.
static enum ec unless_damage(enum ec e)
{
	return e == E_CORRUPT || e == E_RANGE || e == E_NOTFOUND ? E_OK : e;
}

/// S7: the body proves itself.
static enum ec check_body(struct cx *cx, struct check *c, struct segfile *f, const struct rec *r)
{
	enum ec e = segfile_body(cx, f, r);

	c->out.bodies++;
	c->out.body_octets += r->arg[BLOB_OCTETS];
	if (e == E_CORRUPT || e == E_RANGE)
		violated(c, 7, "segment %08x offset %u: the body does not match its checksums", f->head.id, r->at);
	return unless_damage(e);
}

/// S8: what a BULK record names is there, with the same length.
static enum ec check_bulk(struct cx *cx, struct check *c, const struct rec *named)
{
	uint32_t id = (uint32_t)(named->arg[BULK_AT] >> 32), at = (uint32_t)named->arg[BULK_AT];
	struct segfile f;
	struct rec r = { 0 };
	if (seg_list_packed(&c->segs, id))
		return E_OK; // the pack has those that rows name
	enum ec e = segfile_open(cx, c->log, id, &f);

	if (e == E_OK) {
		e = segfile_rec(cx, &f, at, &r);
		if (e == E_OK && (f.head.kind != SEG_BULK || r.type != REC_BLOB ||
					 r.arg[BLOB_OCTETS] != named->arg[BULK_OCTETS]))
			e = E_CORRUPT;
		enum ec body = e == E_OK ? check_body(cx, c, &f, &r) : E_OK;
		segfile_close(&f);
		if (body)
			return body;
	}
	if (e)
		violated(c, 8, "the bulk body at segment %08x offset %u is not there", id, at);
	return unless_damage(e);
}

static enum ec check_rec(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct check *c = arg;

	(void)payload;
	c->out.commits += r->type == REC_COMMIT;
	if (r->type == REC_BLOB)
		return check_body(cx, c, c->now, r);
	return r->type == REC_BULK ? check_bulk(cx, c, r) : E_OK;
}

/// S3, S4, S5: one batch that fails its checks; goes on behind it. E_NOTFOUND: nothing follows.
static enum ec check_bad_batch(struct cx *cx, struct check *c, struct walk *w, bool last)
{
	struct rec begin;
	uint64_t bad = 0, to = w->limit;
	enum ec e = walk_find_begin(cx, w, w->pos.at + 1, w->pos.lsn + 2, &begin);

	if (e == E_NOTFOUND && last && w->pos.lsn + 1 > c->durable)
		return e; // a torn tail; the next start cuts it off
	bool more = e == E_OK;
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	e = walk_records(cx, w, w->pos.at, more ? begin.at : to, w->pos.lsn + 1, check_rec, c, &bad);
	if (bad)
		violated(c, 3,
			"segment %08x offset %" PRIu64 ": %" PRIu64 " records of batch %" PRIu64
			" do not prove themselves (or S5: their operations)",
			c->now->head.id, w->pos.at, bad, w->pos.lsn + 1);
	else
		violated(c, 4, "segment %08x offset %" PRIu64 ": batch %" PRIu64 " is not complete", c->now->head.id,
			w->pos.at, w->pos.lsn + 1);
	if (!more)
		return e ? e : E_NOTFOUND;
	w->pos.at = begin.at;
	w->pos.lsn = begin.lsn - 1;
	w->pos.chain = begin.arg[BEGIN_CHAIN];
	return e;
}

static enum ec check_batches(struct cx *cx, struct check *c, struct walk *w, bool last)
{
	struct journal_pos next;
	uint64_t bad = 0;
	enum ec e = E_OK;

	while (e == E_OK) {
		e = walk_batch(cx, w, &next);
		if (e == E_OK) {
			c->out.batches++;
			e = walk_records(cx, w, w->pos.at, next.at, next.lsn, check_rec, c, &bad);
			w->pos = next;
		} else if (e == E_CORRUPT) {
			e = check_bad_batch(cx, c, w, last);
		}
	}
	return e == E_NOTFOUND ? E_OK : e;
}

/// S2: the segment names the one before it and goes on where that ended.
static void check_follows(struct check *c, const struct seg_info *s, const struct journal_pos *pos)
{
	if (pos->segment ? s->head.prev != pos->segment || s->head.prev_chain != pos->chain ||
				   s->head.first_lsn != pos->lsn + 1
			 : s->head.prev != 0)
		violated(c, 2, "segment %08x does not follow what is before it", s->head.id);
}

/// S1 and S2 of one segment of the chain, then its batches. *pos is where the one before ended.
static enum ec check_segment(
	struct cx *cx, struct check *c, const struct seg_info *s, bool last, struct journal_pos *pos)
{
	struct segfile f;

	check_follows(c, s, pos);
	if (s->pack) { // check_pack looks at what it says
		*pos = (struct journal_pos){ s->head.id, s->section.end, s->section.end_lsn, s->section.end_chain };
		return E_OK;
	}
	enum ec e = segfile_open(cx, c->log, s->head.id, &f);
	if (e)
		return e;
	struct walk w = {
		.f = &f,
		.limit = s->limit < f.size ? s->limit : f.size,
		.pos = { s->head.id, SEG_DATA, s->head.first_lsn - 1, s->head.prev_chain },
		.bodies_from = UINT64_MAX,
	};
	c->now = &f;
	if (last)
		e = walk_durable(cx, &w, &c->durable);
	if (e == E_OK)
		e = check_batches(cx, c, &w, last);
	c->now = NULL;
	segfile_close(&f);
	*pos = w.pos;
	return e;
}

/// S1 of all segments.
static enum ec check_headers(struct cx *cx, struct check *c)
{
	for (size_t i = 0; i < c->segs.n; i++) {
		struct segfile f;
		if (c->segs.all[i].size == 0)
			continue; // only its section in a pack is left
		enum ec e = segfile_open(cx, c->log, c->segs.all[i].head.id, &f);
		if (e)
			return e;
		if (!f.two_copies)
			violated(c, 1, "segment %08x: one copy of its header is damaged", f.head.id);
		segfile_close(&f);
		c->out.segments++;
	}
	return E_OK;
}

/// S11 and S7: one body of a pack.
static enum ec check_packed(struct cx *cx, struct check *c, struct segfile *f, uint32_t segment, const uint8_t *entry)
{
	uint64_t birth = (uint64_t)segment << 32 | get_le32(entry);
	struct body_place place = { f, get_le32(entry + 4) };
	struct rec r = { 0 };
	enum ec e = segfile_rec(cx, f, place.at, &r);

	if (e == E_OK && (r.type != REC_BLOB || r.arg[BLOB_BIRTH] != birth))
		e = E_CORRUPT;
	if (e)
		violated(c, 11, "pack %08x: no body born at %08x/%u stands at %u", f->head.id, segment, (unsigned)birth,
			(unsigned)place.at);
	struct body_ref ref = { birth, (uint32_t)r.arg[BLOB_OCTETS] };
	bool stands = e == E_OK;
	if (stands)
		e = body_check(cx, &place, ref);
	if (stands && (e == E_CORRUPT || e == E_NOTFOUND))
		violated(c, 7, "pack %08x offset %u: the body does not match its checksums", f->head.id,
			(unsigned)place.at);
	c->out.bodies++;
	c->out.body_octets += ref.octets;
	return unless_damage(e);
}

/// A section's records, then its bodies.
static enum ec check_section(struct cx *cx, struct check *c, struct segfile *f, const struct pack_section *s)
{
	struct walk w = { .f = f, .limit = s->to };
	uint64_t bad = 0, at = f->map.entries_at + (uint64_t)s->first * ENTRY_OCTETS;
	enum ec e = walk_records(cx, &w, s->from, s->to, 0, check_rec, c, &bad);

	if (bad)
		violated(c, 3, "pack %08x: %" PRIu64 " records of segment %08x do not prove themselves", f->head.id,
			bad, s->head.id);
	for (uint32_t i = 0; e == E_OK && i < s->entries; i++) {
		uint8_t entry[ENTRY_OCTETS];
		struct iovec iov = { entry, sizeof entry };
		e = disk_read(cx, f->fd, &iov, 1, at + (uint64_t)i * ENTRY_OCTETS);
		if (e == E_OK)
			e = check_packed(cx, c, f, s->head.id, entry);
	}
	return unless_damage(e);
}

static enum ec check_pack(struct cx *cx, struct check *c, uint32_t id)
{
	struct segfile f;
	bool both = false;
	enum ec e = segfile_open(cx, c->log, id, &f);

	if (e)
		return e;
	c->now = &f;
	e = pack_map_both(cx, f.fd, &f.head, &both);
	if (e == E_OK && !both)
		violated(c, 11, "pack %08x: one copy of its map is damaged", f.head.id);
	for (size_t k = 0; e == E_OK && k < f.map.n; k++)
		e = check_section(cx, c, &f, &f.map.sections[k]);
	c->now = NULL;
	segfile_close(&f);
	return e;
}

static enum ec check_packs(struct cx *cx, struct check *c)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < c->segs.n; i++) {
		const struct seg_info *s = &c->segs.all[i];
		if (s->head.kind == SEG_PACK && !s->stale)
			e = check_pack(cx, c, s->head.id);
		step(c);
	}
	return e;
}

/// A bulk segment that a pack stands for is named or not, as its log's records went.
static bool is_compared(const struct check *c, struct sl key)
{
	if (c->table != T_SEGMENT)
		return true;
	return key.n != 4 || !seg_list_packed(&c->segs, get_be32(key.p));
}

static bool compare_row(void *arg, struct sl key, struct sl value)
{
	struct check *c = arg;
	struct sl other;

	if (!is_compared(c, key))
		return true;
	enum ec e = index_get(c->cx, c->other, c->table, key, &other);
	c->rows++;
	if (e == E_NOTFOUND || (e == E_OK && !sl_eq(value, other)))
		violated(c, 9, "table %d: a row of %zu octets is not what the log says", (int)c->table, key.n);
	c->err = unless_damage(e);
	return c->err == E_OK;
}

static bool count_row(void *arg, struct sl key, struct sl value)
{
	struct check *c = arg;

	(void)value;
	c->others += is_compared(c, key);
	return true;
}

/// S9: cells, keys and bulk segments of the live index are those of the index made from the log.
static enum ec compare(struct cx *cx, struct check *c, struct itxn *live, struct itxn *scratch)
{
	static const enum index_table tables[] = { T_CELL, T_KEY, T_SEGMENT };
	enum ec e = E_OK;

	c->other = scratch;
	for (size_t i = 0; e == E_OK && i < ARRAY_N(tables); i++) {
		c->table = tables[i];
		c->rows = c->others = 0;
		e = index_scan(cx, live, c->table, SL(""), SL(""), compare_row, c);
		if (e == E_OK)
			e = c->err ? c->err : index_scan(cx, scratch, c->table, SL(""), SL(""), count_row, c);
		if (e == E_OK && c->others != c->rows)
			violated(c, 9, "table %d: %" PRIu64 " rows, the log says %" PRIu64, (int)c->table, c->rows,
				c->others);
	}
	return e;
}

/// S9 and S10, with the scratch index brought up from the log.
static enum ec compare_live(struct cx *cx, struct check *c, struct index *scratch, const struct journal_pos *end)
{
	char path[STORE_PATH_MAX + 16];
	struct index *live = NULL;
	struct itxn *a = NULL, *b = NULL;
	struct applied applied = { 0 };

	snprintf(path, sizeof path, "%.*s/index", SLF(c->conf->dir));
	enum ec e = index_open(cx, path, c->conf->map_octets, 8, &live);
	if (e == E_OK)
		e = index_read(cx, live, &a);
	if (e == E_OK)
		e = index_read(cx, scratch, &b);
	if (e == E_OK)
		e = applied_get(cx, a, &applied);
	if (e == E_OK && replay_knows(cx, c->log, &c->segs, &applied.pos))
		violated(c, 10, "the index names batch %" PRIu64 ", which the log does not hold", applied.pos.lsn);
	if (e == E_OK && applied.pos.lsn == end->lsn && applied.pos.chain == end->chain) {
		c->out.index_compared = true;
		e = compare(cx, c, a, b);
	}
	itxn_abort(a);
	itxn_abort(b);
	index_close(live);
	return e == E_CORRUPT || e == E_NOTFOUND ? E_OK : e; // the next start makes it anew
}

/// S6, then the index, with a scratch index under DIR/check.
static enum ec check_index(struct cx *cx, struct check *c)
{
	char path[STORE_PATH_MAX + 16];
	struct index *scratch = NULL;
	struct replayed r = { 0 };

	snprintf(path, sizeof path, "%.*s/check", SLF(c->conf->dir));
	if (mkdirat(c->dir, "check", 0700) && errno != EEXIST)
		return disk_error(cx, -errno, "making the scratch folder");
	(void)unlinkat(c->dir, "check/data.mdb", 0);
	(void)unlinkat(c->dir, "check/lock.mdb", 0);
	enum ec e = index_open(cx, path, c->conf->map_octets, 8, &scratch);
	if (e == E_OK)
		e = replay(cx, c->log, &c->segs, scratch, &(struct applied){ 0 }, &r);
	if (e == E_OK && r.gaps)
		violated(c, 6, "commits of %" PRIu64 " cells are missing", r.gaps);
	if (e == E_OK)
		e = compare_live(cx, c, scratch, &r.applied.pos);
	index_close(scratch);
	(void)unlinkat(c->dir, "check/data.mdb", 0);
	(void)unlinkat(c->dir, "check/lock.mdb", 0);
	(void)unlinkat(c->dir, "check", AT_REMOVEDIR);
	return e;
}

static enum ec check_all(struct cx *cx, struct check *c)
{
	struct journal_pos pos = { 0 };

	enum ec e = seg_list_look(cx, c->log, &c->segs);
	if (e == E_CORRUPT) {
		violated(c, 1, "a segment has no readable header; nothing else can be checked before it is moved away");
		return E_OK;
	}
	if (e == E_OK)
		e = check_headers(cx, c);
	for (size_t i = 0; e == E_OK && i < c->segs.chain_n; i++) {
		e = check_segment(cx, c, &c->segs.all[c->segs.chain[i]], i + 1 == c->segs.chain_n, &pos);
		step(c);
	}
	if (e == E_OK)
		e = check_packs(cx, c);
	if (e == E_OK)
		e = check_index(cx, c);
	step(c);
	return e;
}

/// Opens the folder and takes the data lock, so that no store runs meanwhile.
static enum ec open_dir(struct cx *cx, struct check *c)
{
	char path[STORE_PATH_MAX + 1];

	if (c->conf->dir.n > STORE_PATH_MAX)
		return fail(cx, E_RANGE, "path of %zu octets", c->conf->dir.n);
	snprintf(path, sizeof path, "%.*s", SLF(c->conf->dir));
	c->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0)
		return disk_error(cx, -errno, "opening the data folder");
	c->lock = openat(c->dir, "lock", O_RDWR | O_CLOEXEC);
	if (c->lock < 0)
		return disk_error(cx, -errno, "opening the lock");
	if (flock(c->lock, LOCK_EX | LOCK_NB))
		return fail(cx, E_EXISTS, "the store is open; stop it first");
	c->log = openat(c->dir, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return c->log < 0 ? disk_error(cx, -errno, "opening the log's folder") : E_OK;
}

enum ec check_log(struct cx *cx, const struct check_conf *conf, struct check_result *out)
{
	struct check c = { .conf = conf, .cx = cx, .dir = -1, .log = -1, .lock = -1 };
	enum ec e = open_dir(cx, &c);

	if (e == E_OK)
		e = check_all(cx, &c);
	seg_list_free(&c.segs);
	int fds[] = { c.log, c.lock, c.dir };
	for (size_t i = 0; i < ARRAY_N(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (e == E_OK)
		*out = c.out;
	return e;
}
