#pragma once
/// compact_bed — a store whose rows name bodies, with a model of what must be in it. Only tests include this.
#include "store/check_log.h"
#include "store/compact.h"
#include "store/image.h"
#include "store/replay.h"
#include "store/testbed.h"

enum { TOWN_CELLS = 6, TOWN_ROWS = 40 };

/// What a row of the model names.
struct town_row {
	bool there;
	uint32_t seed, octets;
	struct body_ref ref;
};

struct town {
	struct bed bed;
	struct store *s;
	struct town_row rows[TOWN_CELLS][TOWN_ROWS];
	bool dropped[TOWN_CELLS];
	unsigned seed, generation;
};

static inline struct cell_id town_cell(unsigned i)
{
	return (struct cell_id){ 5, 100 + i };
}

/// A row's value: address and length of its body.
static inline void town_bodies(
	struct cell_id id, struct sl key, struct sl value, int64_t now_s, body_each *each, void *arg)
{
	(void)id, (void)key, (void)now_s;
	if (value.n == 12)
		each(arg, (struct body_ref){ get_le64(value.p), get_le32(value.p + 8) });
}

/// Octets that compress for even seeds, and do not for odd ones.
static inline struct sl town_octets(const struct town_row *r)
{
	struct sl s = bed_octets(r->octets, r->seed);
	uint8_t *p = (uint8_t *)(uintptr_t)s.p;

	for (size_t i = 0; r->seed % 2 == 0 && i < s.n; i++)
		p[i] = (uint8_t)('a' + p[i] % 4);
	return s;
}

struct town_job {
	struct town *t;
	unsigned cell, row, from; // from: another cell whose row is copied; TOWN_CELLS = a new body
	struct blob *blob;
	enum { TOWN_PUT, TOWN_DEL, TOWN_DROP } what;
	struct body_ref ref;
	struct op_id op;
};

static inline enum ec town_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct town_job *j = job->arg;
	uint64_t version = 0;
	uint8_t key[2] = { (uint8_t)j->row, 0 }, value[12];
	struct sl head, k = { key, sizeof key };
	enum ec e = cell_head(cx, txn_view(t), town_cell(j->cell), &version, &head);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	if (j->what == TOWN_DROP && version == 0)
		return E_OK;
	if (j->blob)
		e = blob_put(cx, t, j->blob, &j->ref);
	else
		e = E_OK;
	if (e)
		return e;
	struct change *c = change_begin(t, town_cell(j->cell), version);
	put_le64(value, j->ref.at);
	put_le32(value + 8, j->ref.octets);
	if (j->what == TOWN_PUT)
		change_put(c, k, (struct sl){ value, sizeof value });
	else if (j->what == TOWN_DEL)
		change_del(c, k);
	else
		change_drop(c);
	return change_commit(cx, c, &j->op, SL("done"), &version);
}

/// Puts a body of `octets` into a row; 0 takes the row's body away.
static inline enum ec town_put(struct town *t, unsigned cell, unsigned row, uint32_t octets)
{
	struct town_row r = { .there = octets > 0, .seed = ++t->generation, .octets = octets };
	struct town_job j = { .t = t, .cell = cell, .row = row, .what = octets ? TOWN_PUT : TOWN_DEL };
	enum ec e = E_OK;

	random_octets(&j.op, sizeof j.op);
	if (octets) {
		struct sl body = town_octets(&r);
		e = blob_new(NULL, t->s, &j.blob);
		if (e == E_OK)
			e = blob_add(NULL, j.blob, body);
		sl_free(body);
	}
	if (e == E_OK)
		e = store_do(NULL, t->s, true, town_run, &j);
	blob_free(j.blob);
	r.ref = j.ref;
	if (e == E_OK)
		t->rows[cell][row] = r;
	return e;
}

/// One more row names the same body.
static inline enum ec town_copy(struct town *t, unsigned from, unsigned row, unsigned to)
{
	struct town_job j = { .cell = to, .row = row, .what = TOWN_PUT, .ref = t->rows[from][row].ref };
	enum ec e = store_do(NULL, t->s, true, town_run, &j);

	if (e == E_OK)
		t->rows[to][row] = t->rows[from][row];
	return e;
}

static inline void town_drop(struct town *t, unsigned cell)
{
	struct town_job j = { .cell = cell, .what = TOWN_DROP };

	assert_int_equal(store_do(NULL, t->s, true, town_run, &j), E_OK);
	memset(t->rows[cell], 0, sizeof t->rows[cell]);
	t->dropped[cell] = true;
}

static inline unsigned town_random(struct town *t, unsigned below)
{
	return (unsigned)rand_r(&t->seed) % below;
}

static inline uint32_t town_size(struct town *t)
{
	static const uint32_t sizes[] = { 1, 200, 3000, 20000, 70000, 300000, 1200000 };

	return sizes[town_random(t, town_random(t, 4) ? 4 : ARRAY_N(sizes))];
}

/// So many random changes.
static inline enum ec town_live(struct town *t, unsigned changes)
{
	enum ec e = E_OK;

	for (unsigned i = 0; e == E_OK && i < changes; i++) {
		unsigned cell = town_random(t, TOWN_CELLS), row = town_random(t, TOWN_ROWS),
			 to = town_random(t, TOWN_CELLS);
		if (t->dropped[cell] || t->dropped[to])
			continue;
		if (t->rows[cell][row].there && town_random(t, 4) == 0)
			e = town_copy(t, cell, row, to);
		else
			e = town_put(t, cell, row, town_random(t, 3) ? town_size(t) : 0);
	}
	return e;
}

/// The store is exactly what the model says.
static inline void town_same(struct town *t)
{
	struct view *v;
	uint8_t key[2] = { 0 };

	assert_int_equal(view_open(NULL, t->s, &v), E_OK);
	for (unsigned c = 0; c < TOWN_CELLS; c++)
		for (unsigned r = 0; r < TOWN_ROWS; r++) {
			const struct town_row *row = &t->rows[c][r];
			struct sl value;
			key[0] = (uint8_t)r;
			enum ec e = cell_get(NULL, v, town_cell(c), (struct sl){ key, sizeof key }, &value);
			assert_int_equal(e, row->there ? E_OK : E_NOTFOUND);
			if (!row->there)
				continue;
			assert_true(value.n == 12 && get_le64(value.p) == row->ref.at);
			struct sl want = town_octets(row);
			assert_int_equal(bed_same_body(t->s, row->ref, want), E_OK);
			if (want.n > 10) { // a part, across pieces and frames where it is long enough
				uint8_t part[4096];
				uint64_t off = want.n / 3, n = min_size(sizeof part, want.n - (size_t)off);
				struct iovec iov[2] = { { part, 5 }, { part + 5, (size_t)n - 5 } };
				assert_int_equal(blob_get(NULL, t->s, row->ref, off, iov, 2), E_OK);
				assert_memory_equal(part, want.p + off, n);
			}
			sl_free(want);
		}
	view_close(v);
}

static inline struct town *town_new(unsigned seed)
{
	struct town *t = calloc(1, sizeof *t);

	t->seed = seed;
	t->bed = bed_make();
	t->bed.conf.bodies = town_bodies;
	t->s = bed_open(&t->bed);
	return t;
}

static inline void town_free(struct town *t)
{
	store_close(t->s);
	bed_remove(&t->bed);
	free(t);
}

static inline void town_fault(void *arg, unsigned invariant, struct sl what)
{
	(void)arg;
	print_error("S%u: %.*s\n", invariant, SLF(what));
}

/// Closes, checks all invariants, and opens again: from the index, or from the segments alone.
static inline void town_restart(struct town *t, bool rebuild)
{
	struct check_conf conf = { .dir = sl_cstr(t->bed.dir), .map_octets = 256 << 20, .report = town_fault };
	struct check_result r = { 0 };
	char command[200];

	store_close(t->s);
	assert_int_equal(check_log(NULL, &conf, &r), E_OK);
	assert_true(r.violations == 0 && r.index_compared);
	snprintf(command, sizeof command, "rm -f %s/index/* %s/snapshot/*", t->bed.dir, t->bed.dir);
	if (rebuild)
		assert_int_equal(system(command), 0);
	t->s = bed_open(&t->bed);
	assert_int_equal(t->s->start, rebuild ? START_LOG : START_INDEX);
	assert_int_equal(t->s->damaged_batches, 0);
}

/// One run, which must go well.
static inline struct compact_result town_compact(struct town *t, const struct compact_conf *conf)
{
	struct compact_result r;
	struct cx cx = { 0 };
	char story[1024] = "";
	enum ec e = compact_run(&cx, t->s, conf, &r);

	cx_story(&cx, story, sizeof story);
	if (e)
		print_error("%s: %s\n", ec_name(e), story);
	assert_int_equal(e, E_OK);
	cx_end(&cx);
	return r;
}
