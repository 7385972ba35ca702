/// inventory — see the header.
#include "store/inventory.h"

#include <stdlib.h>

#include "base/num.h"
#include "store/body.h"
#include "store/walk.h"

enum { SEGMENTS_MAX = 1 << 20, SECTIONS_MAX = 1 << 20, NAMED_MAX = 1 << 24 };

bool inventory_is_damage(enum ec e)
{
	return e == E_CORRUPT || e == E_RANGE || e == E_NOTFOUND || e == E_UNSUPPORTED || e == E_IO;
}

// ---- reading

static enum ec read_one(struct cx *cx, void *arg, const char *name)
{
	struct inventory *v = arg;
	struct segfile f;
	uint32_t id;

	if (!seg_name_parse(name, &id))
		return E_OK;
	enum ec e = segfile_open(cx, v->dir, id, &f);
	if (inventory_is_damage(e)) {
		cx_forget(cx);
		return E_OK;
	}
	if (e)
		return e;
	buf_add(&v->heads, (struct sl){ (const uint8_t *)&f.head, sizeof f.head });
	for (size_t i = 0; i < f.map.n; i++) {
		struct pack_section s = f.map.sections[i];
		s.entries = id;
		buf_add(&v->sections, (struct sl){ (const uint8_t *)&s, sizeof s });
	}
	segfile_close(&f);
	return v->heads.err || v->sections.err ? fail(cx, E_TEMP, "no memory for the list of segments") : E_OK;
}

static const struct seg_head *heads(const struct inventory *v, size_t *n)
{
	*n = v->heads.n / sizeof(struct seg_head);
	return (const struct seg_head *)(const void *)v->heads.p;
}

static const struct pack_section *sections(const struct inventory *v, size_t *n)
{
	*n = v->sections.n / sizeof(struct pack_section);
	return (const struct pack_section *)(const void *)v->sections.p;
}

/// Of all files, then of all sections; NULL behind the last.
static const struct seg_head *any_head(const struct inventory *v, size_t i)
{
	size_t n, k;
	const struct seg_head *h = heads(v, &n);
	const struct pack_section *s = sections(v, &k);

	return i < n ? &h[i] : i - n < k ? &s[i - n].head : NULL;
}

static int by_id(const void *a, const void *b)
{
	const struct seg_head *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct inventory fresh(int dir)
{
	return (struct inventory){
		.dir = dir,
		.heads = BUF((size_t)SEGMENTS_MAX * sizeof(struct seg_head)),
		.sections = BUF((size_t)SECTIONS_MAX * sizeof(struct pack_section)),
		.named = BUF((size_t)NAMED_MAX * sizeof(uint64_t)),
	};
}

enum ec inventory_read_listed(struct cx *cx, int dir, const struct manifest *files, struct inventory *out)
{
	struct inventory v = fresh(dir);
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < manifest_count(files); i++)
		if (!manifest_at(files, i)->damaged)
			e = read_one(cx, &v, manifest_at(files, i)->name);
	if (e == E_OK)
		*out = v;
	else
		inventory_free(&v);
	return e;
}

enum ec inventory_read(struct cx *cx, int dir, struct inventory *out)
{
	struct inventory v = fresh(dir);
	size_t n;
	enum ec e = disk_each_name(cx, dir, read_one, &v);

	if (e) {
		inventory_free(&v);
		return e;
	}
	heads(&v, &n);
	if (n)
		qsort(v.heads.p, n, sizeof(struct seg_head), by_id);
	for (const struct seg_head *h = heads(&v, &n), *end = h + n; h < end; h++)
		v.store = h->kind == SEG_LOG && h->store ? h->store : v.store;
	*out = v;
	return E_OK;
}

void inventory_free(struct inventory *v)
{
	buf_free(&v->heads);
	buf_free(&v->sections);
	buf_free(&v->named);
}

const struct seg_head *inventory_find(const struct inventory *v, uint32_t id)
{
	struct seg_head key = { .id = id };
	size_t n;
	const struct seg_head *all = heads(v, &n);

	return n ? bsearch(&key, all, n, sizeof key, by_id) : NULL;
}

/// Whether a section stands for these segments.
static bool stands_for(const struct pack_section *s, enum seg_kind kind, uint32_t oldest, uint32_t id)
{
	return s->head.kind == kind && s->oldest <= oldest && id <= s->head.id;
}

uint32_t inventory_pack(const struct inventory *v, enum seg_kind kind, uint32_t oldest, uint32_t id)
{
	uint32_t newest = 0;
	size_t n;
	const struct pack_section *s = sections(v, &n);

	for (size_t i = 0; i < n; i++)
		if (stands_for(&s[i], kind, oldest, id) && s[i].entries > newest)
			newest = s[i].entries;
	return newest;
}

void inventory_drop(struct inventory *v, uint32_t pack, const struct seg_head *section)
{
	struct pack_section *s = (struct pack_section *)(void *)v->sections.p;
	size_t n = v->sections.n / sizeof *s, kept = 0;

	for (size_t i = 0; i < n; i++)
		if (s[i].entries != pack || s[i].head.id != section->id || s[i].head.kind != section->kind)
			s[kept++] = s[i];
	buf_cut(&v->sections, kept * sizeof *s);
}

size_t inventory_others(struct inventory *v, uint32_t pack, const struct pack_map *map, bool drop)
{
	size_t n, others = 0;
	const struct pack_section *s = sections(v, &n);

	for (size_t i = n; i-- > 0;) {
		const struct seg_head section = s[i].head;
		if (s[i].entries != pack || pack_map_section(map, section.id))
			continue;
		others++;
		if (drop)
			inventory_drop(v, pack, &section);
	}
	return others;
}

// ---- vouching

/// Where a log segment ends: as the one that goes on behind it says. 0 = none does.
static uint64_t find_end(const struct inventory *v, uint32_t id)
{
	uint32_t newest = 0;
	uint64_t end = 0;
	const struct seg_head *next;

	for (size_t i = 0; (next = any_head(v, i)); i++) {
		if (next->kind != SEG_LOG || next->prev != id || next->id < newest)
			continue;
		newest = next->id;
		end = next->prev_end;
	}
	return end;
}

/// Takes note of the bodies in bulk segments that a log names: of several in a row, of the last.
static enum ec note_named(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct buf *named = arg;
	uint64_t at = r->arg[BULK_AT], *last = named->n ? (uint64_t *)(void *)(named->p + named->n) - 1 : NULL;

	(void)payload;
	if (r->type != REC_BULK)
		return E_OK;
	if (last && *last >> 32 == at >> 32)
		*last = at > *last ? at : *last;
	else
		buf_add(named, (struct sl){ (const uint8_t *)&at, sizeof at });
	return named->err ? fail(cx, E_TEMP, "no memory for what the log names") : E_OK;
}

static enum ec note_batch(struct cx *cx, struct buf *named, struct segfile *f, uint64_t from, uint64_t to)
{
	struct rec r = { 0 };
	enum ec e = E_OK;

	for (uint64_t at = from; e == E_OK && at < to; at += REC_HEAD + (uint64_t)r.octets) {
		e = segfile_rec(cx, f, at, &r);
		if (e == E_OK)
			e = note_named(cx, named, &r, SL(""));
	}
	return e;
}

static enum ec vouch_log(struct cx *cx, struct segfile *f, uint64_t end, struct buf *named)
{
	struct walk w = {
		.f = f,
		.limit = end < f->size ? end : f->size,
		.pos = { f->head.id, SEG_DATA, f->head.first_lsn - 1, f->head.prev_chain },
	};
	struct journal_pos next;
	enum ec e = E_OK;

	if (end == 0)
		return E_OK; // left behind after a failed write: nobody reads it
	while (e == E_OK && w.pos.at < end) {
		e = walk_batch(cx, &w, &next);
		if (e == E_OK)
			e = note_batch(cx, named, f, w.pos.at, next.at);
		if (e == E_OK)
			w.pos = next;
	}
	return e;
}

/// Whole records from the beginning on. out: *at — behind the last.
static enum ec walk_bulk(struct cx *cx, struct segfile *f, bool bodies, uint64_t *at)
{
	struct rec r;
	enum ec e = E_OK;

	for (*at = SEG_DATA; e == E_OK; *at += REC_HEAD + (uint64_t)r.octets) {
		e = segfile_rec(cx, f, *at, &r);
		if (e == E_OK && (r.type != REC_BLOB || r.octets > f->size - *at - REC_HEAD))
			e = E_CORRUPT;
		if (inventory_is_damage(e)) // a body under way has no header yet
			return E_OK;
		if (e == E_OK && bodies)
			e = segfile_body(cx, f, &r);
		if (e)
			break;
	}
	return e;
}

static enum ec vouch_entry(struct cx *cx, struct segfile *f, uint64_t at)
{
	uint8_t entry[ENTRY_OCTETS];
	struct iovec iov = { entry, sizeof entry };
	struct rec r = { 0 };
	enum ec e = disk_read(cx, f->fd, &iov, 1, at);

	if (e == E_OK)
		e = segfile_rec(cx, f, get_le32(entry + 4), &r);
	if (e == E_OK && r.type != REC_BLOB)
		e = E_CORRUPT;
	struct body_place place = { f, get_le32(entry + 4) };
	return e ? e : body_check(cx, &place, (struct body_ref){ r.arg[BLOB_BIRTH], (uint32_t)r.arg[BLOB_OCTETS] });
}

static enum ec vouch_section(struct cx *cx, struct segfile *f, const struct pack_section *s, struct buf *named)
{
	struct walk w = { .f = f, .limit = s->to };
	uint64_t bad = 0;
	enum ec e = walk_records(cx, &w, s->from, s->to, 0, note_named, named, &bad);

	if (e == E_OK && bad)
		e = E_CORRUPT;
	for (uint32_t i = 0; e == E_OK && i < s->entries; i++)
		e = vouch_entry(cx, f, f->map.entries_at + ((uint64_t)s->first + i) * ENTRY_OCTETS);
	return e;
}

enum ec inventory_vouch_section(struct cx *cx, struct segfile *f, const struct pack_section *s, bool *whole)
{
	struct buf named = BUF((size_t)NAMED_MAX * sizeof(uint64_t));
	enum ec e = vouch_section(cx, f, s, &named);

	buf_free(&named);
	if (e && !inventory_is_damage(e))
		return e;
	if (e)
		cx_forget(cx);
	*whole = e == E_OK;
	return E_OK;
}

static enum ec vouch_pack(struct cx *cx, struct segfile *f, struct buf *named)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < f->map.n; i++)
		e = vouch_section(cx, f, &f->map.sections[i], named);
	return e;
}

enum ec inventory_vouch(struct cx *cx, struct inventory *v, int dir, uint32_t id, struct vouched *out)
{
	struct segfile f;
	uint64_t at = 0;
	enum ec e = segfile_open(cx, dir, id, &f);

	v->sorted = false;
	if (e == E_OK) {
		switch (f.head.kind) {
		case SEG_LOG: e = vouch_log(cx, &f, find_end(v, id), &v->named); break;
		case SEG_BULK: e = walk_bulk(cx, &f, true, &at); break;
		case SEG_PACK: e = vouch_pack(cx, &f, &v->named); break;
		}
		segfile_close(&f);
	}
	if (e && !inventory_is_damage(e))
		return e;
	if (e)
		cx_forget(cx);
	*out = (struct vouched){ e == E_OK, at };
	return E_OK;
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

bool inventory_names_more(struct inventory *v, uint32_t id, uint64_t end)
{
	const uint64_t *at = (const uint64_t *)(const void *)v->named.p;
	size_t lo = 0, hi = v->named.n / sizeof *at;

	if (!v->sorted && hi)
		qsort(v->named.p, hi, sizeof *at, by_number);
	v->sorted = true;
	while (lo < hi) { // the first that is of a later segment
		size_t mid = lo + (hi - lo) / 2;
		if (at[mid] >> 32 <= id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && at[lo - 1] >> 32 == id && (uint32_t)at[lo - 1] >= end;
}

uint32_t inventory_log_before(const struct inventory *v, uint32_t id)
{
	uint32_t newest = 0;
	const struct seg_head *one;

	for (size_t i = 0; (one = any_head(v, i)); i++) {
		if (one->kind == SEG_LOG && one->id < id && one->id > newest)
			newest = one->id;
	}
	return newest;
}

enum ec inventory_finished(struct cx *cx, int dir, uint32_t id, uint64_t *octets)
{
	struct segfile f;
	uint64_t at = 0;
	enum ec e = segfile_open(cx, dir, id, &f);

	if (e)
		return e;
	e = walk_bulk(cx, &f, false, &at);
	segfile_close(&f);
	if (e == E_OK)
		*octets = at;
	return e;
}
