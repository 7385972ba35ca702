/// cell_mem — cells in sorted arrays under one lock, bodies in a list; every job is its own batch.
///
/// A view holds the read lock, so nobody may submit a job while having one open. Borrowed slices of a job's view stay
/// good until the job ends, which is longer than cell.h promises; ASan still finds use after a commit, since changed
/// values are new allocations and old ones are freed at once.
#include "store/cell_mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

struct octets {
	uint8_t *p;
	size_t n;
};
struct entry {
	struct octets key, value;
};
struct cell {
	struct cell_id id;
	uint64_t version;
	struct octets head;
	struct entry *e;
	size_t n, cap;
};
struct outcome {
	struct op_id op;
	int64_t until_s;
	uint8_t n, octets[OUTCOME_MAX];
};
struct undo {
	struct cell_id id;
	struct cell *was; // NULL: it did not exist
};
struct change_op {
	enum { OP_HEAD, OP_PUT, OP_DEL, OP_PATCH, OP_DROP } kind;
	struct octets key, value;
	uint32_t off;
};
struct change {
	struct txn *t;
	struct cell_id id;
	uint64_t expect;
	struct change_op *op;
	size_t n, cap;
};
struct view {
	struct store *s;
};
struct txn {
	struct store *s;
	struct view view;
	struct undo *undo;
	size_t undos;
	bool unnoted;
	size_t outcomes_at;
	struct {
		struct cell_id id;
		uint64_t version;
	} * changed;
	size_t changes;
};
struct blob {
	struct octets raw;
	size_t cap;
	struct body_ref ref; // at 0 = not put
};
struct body {
	struct octets raw;
};
struct store {
	pthread_rwlock_t lock;
	pthread_mutex_t writer;
	struct cell **cell;
	size_t cells, cells_cap;
	struct body *body;
	size_t bodies, bodies_cap;
	struct outcome *outcome;
	size_t outcomes, outcomes_cap;
	store_watch *watch;
	void *watch_arg;
	unsigned fail_at;
	enum ec fail_with, fail_batches;
	bool run_twice, damaged;
	struct store_stats stats;
};

static void *must(void *p)
{
	if (!p)
		abort(); // tests only
	return p;
}

#define GROW(array, n, cap)                                                        \
	do {                                                                       \
		if ((n) == (cap)) {                                                \
			(cap) = (cap) ? (cap)*2 : 8;                               \
			(array) = must(realloc((array), (cap) * sizeof *(array))); \
		}                                                                  \
	} while (0)

static struct octets copy_of(struct sl s)
{
	struct octets o = { must(malloc(s.n ? s.n : 1)), s.n };

	if (s.n)
		memcpy(o.p, s.p, s.n);
	return o;
}

static struct sl sl_of(struct octets o)
{
	return (struct sl){ o.p, o.n };
}

static int id_cmp(struct cell_id a, struct cell_id b)
{
	if (a.account != b.account)
		return a.account < b.account ? -1 : 1;
	return a.name < b.name ? -1 : a.name > b.name;
}

/// Index of the cell, or where it would stand.
static size_t cell_at(const struct store *s, struct cell_id id, bool *found)
{
	size_t lo = 0, hi = s->cells;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (id_cmp(s->cell[mid]->id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < s->cells && id_cmp(s->cell[lo]->id, id) == 0;
	return lo;
}

static struct cell *cell_of(const struct store *s, struct cell_id id)
{
	bool found;
	size_t at = cell_at(s, id, &found);

	return found ? s->cell[at] : NULL;
}

static size_t key_at(const struct cell *c, struct sl key, bool *found)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (sl_cmp(sl_of(c->e[mid].key), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < c->n && sl_eq(sl_of(c->e[lo].key), key);
	return lo;
}

static void cell_free(struct cell *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->e[i].key.p);
		free(c->e[i].value.p);
	}
	free(c->e);
	free(c->head.p);
	free(c);
}

static struct cell *cell_copy(const struct cell *c)
{
	struct cell *k = must(calloc(1, sizeof *k));

	*k = (struct cell){ .id = c->id, .version = c->version, .head = copy_of(sl_of(c->head)), .n = c->n };
	k->cap = c->n ? c->n : 1;
	k->e = must(calloc(k->cap, sizeof *k->e));
	for (size_t i = 0; i < c->n; i++)
		k->e[i] = (struct entry){ copy_of(sl_of(c->e[i].key)), copy_of(sl_of(c->e[i].value)) };
	return k;
}

static void cell_insert(struct store *s, struct cell *c)
{
	bool found;
	size_t at = cell_at(s, c->id, &found);

	GROW(s->cell, s->cells, s->cells_cap);
	memmove(s->cell + at + 1, s->cell + at, (s->cells - at) * sizeof *s->cell);
	s->cell[at] = c;
	s->cells++;
}

static void cell_remove(struct store *s, struct cell_id id)
{
	bool found;
	size_t at = cell_at(s, id, &found);

	if (!found)
		return;
	cell_free(s->cell[at]);
	memmove(s->cell + at, s->cell + at + 1, (s->cells - at - 1) * sizeof *s->cell);
	s->cells--;
}

enum ec store_open(struct cx *cx, const struct store_conf *conf, struct store **out)
{
	(void)cx;
	(void)conf;
	struct store *s = must(calloc(1, sizeof *s));
	pthread_rwlock_init(&s->lock, NULL);
	pthread_mutex_init(&s->writer, NULL);
	*out = s;
	return E_OK;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->cells; i++)
		cell_free(s->cell[i]);
	for (size_t i = 0; i < s->bodies; i++)
		free(s->body[i].raw.p);
	free(s->cell);
	free(s->body);
	free(s->outcome);
	pthread_rwlock_destroy(&s->lock);
	pthread_mutex_destroy(&s->writer);
	free(s);
}

enum ec view_open(struct cx *cx, struct store *s, struct view **out)
{
	(void)cx;
	struct view *v = must(malloc(sizeof *v));
	v->s = s;
	pthread_rwlock_rdlock(&s->lock);
	*out = v;
	return E_OK;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	pthread_rwlock_unlock(&v->s->lock);
	free(v);
}

struct view *txn_view(struct txn *t)
{
	return &t->view;
}

enum ec cell_head(struct cx *cx, struct view *v, struct cell_id id, uint64_t *version, struct sl *head)
{
	struct cell *c = cell_of(v->s, id);

	if (!c)
		return fail(cx, E_NOTFOUND, "no cell");
	*version = c->version;
	*head = sl_of(c->head);
	return E_OK;
}

enum ec cell_get(struct cx *cx, struct view *v, struct cell_id id, struct sl key, struct sl *value)
{
	struct cell *c = cell_of(v->s, id);
	bool found = false;
	size_t at = c ? key_at(c, key, &found) : 0;

	if (!found)
		return fail(cx, E_NOTFOUND, "no key");
	*value = sl_of(c->e[at].value);
	return E_OK;
}

enum ec cell_scan(struct cx *cx, struct view *v, struct cell_id id, struct sl from, cell_each *each, void *arg)
{
	struct cell *c = cell_of(v->s, id);
	bool found;

	if (!c)
		return fail(cx, E_NOTFOUND, "no cell");
	for (size_t i = key_at(c, from, &found); i < c->n; i++)
		if (!each(arg, sl_of(c->e[i].key), sl_of(c->e[i].value)))
			break;
	return E_OK;
}

enum ec cell_scan_cells(struct cx *cx, struct view *v, struct cell_id from, cell_each_cell *each, void *arg)
{
	(void)cx;
	for (size_t i = 0; i < v->s->cells; i++) {
		const struct cell *c = v->s->cell[i];
		bool before = c->id.account == from.account ? c->id.name < from.name : c->id.account < from.account;
		if (!before && !each(arg, c->id, c->version, sl_of(c->head)))
			break;
	}
	return E_OK;
}

uint64_t store_damage(const struct store *s)
{
	(void)s;
	return 0;
}

uint64_t store_version_raise(const struct store *s)
{
	(void)s;
	return 0; // nothing of it outlives its process
}

// ---- bodies

enum ec blob_new(struct cx *cx, struct store *s, struct blob **out)
{
	(void)cx;
	(void)s;
	*out = must(calloc(1, sizeof **out));
	return E_OK;
}

enum ec blob_add(struct cx *cx, struct blob *b, struct sl octets)
{
	(void)cx;
	while (b->raw.n + octets.n > b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		b->raw.p = must(realloc(b->raw.p, b->cap));
	}
	if (octets.n)
		memcpy(b->raw.p + b->raw.n, octets.p, octets.n);
	b->raw.n += octets.n;
	return E_OK;
}

enum ec blob_rest(struct cx *cx, struct blob *b)
{
	(void)cx, (void)b;
	return E_OK;
}

uint64_t blob_octets(const struct blob *b)
{
	return b->raw.n;
}

void blob_free(struct blob *b)
{
	if (!b)
		return;
	free(b->raw.p);
	free(b);
}

static enum ec injected(struct cx *cx, struct store *s)
{
	if (s->fail_at && --s->fail_at == 0)
		return fail(cx, s->fail_with, "injected");
	return E_OK;
}

enum ec blob_put(struct cx *cx, struct txn *t, struct blob *b, struct body_ref *ref)
{
	struct store *s = t->s;
	enum ec e = injected(cx, s);

	if (e != E_OK)
		return e;
	if (!b->ref.at) {
		GROW(s->body, s->bodies, s->bodies_cap);
		s->body[s->bodies++] = (struct body){ copy_of(sl_of(b->raw)) };
		b->ref = (struct body_ref){ s->bodies, (uint32_t)b->raw.n };
	}
	*ref = b->ref;
	return E_OK;
}

enum ec blob_get(struct cx *cx, struct store *s, struct body_ref ref, uint64_t off, const struct iovec *iov, int n)
{
	enum ec e = E_OK;

	pthread_rwlock_rdlock(&s->lock);
	if (ref.at == 0 || ref.at > s->bodies)
		e = fail(cx, E_NOTFOUND, "no body");
	else if (s->damaged)
		e = fail(cx, E_CORRUPT, "damaged body");
	for (int i = 0; e == E_OK && i < n; i++) {
		const struct octets *raw = &s->body[ref.at - 1].raw;
		if (off > raw->n || iov[i].iov_len > raw->n - off)
			e = fail(cx, E_RANGE, "past the body's end");
		else if (iov[i].iov_len)
			memcpy(iov[i].iov_base, raw->p + off, iov[i].iov_len);
		off += iov[i].iov_len;
	}
	pthread_rwlock_unlock(&s->lock);
	return e;
}

enum ec blob_check(struct cx *cx, struct store *s, struct body_ref ref)
{
	return blob_get(cx, s, ref, 0, NULL, 0);
}

// ---- changes

struct change *change_begin(struct txn *t, struct cell_id id, uint64_t expect)
{
	struct change *c = must(calloc(1, sizeof *c));

	*c = (struct change){ .t = t, .id = id, .expect = expect };
	return c;
}

static void change_op(struct change *c, struct change_op op)
{
	GROW(c->op, c->n, c->cap);
	c->op[c->n++] = op;
}

void change_head(struct change *c, struct sl head)
{
	change_op(c, (struct change_op){ .kind = OP_HEAD, .value = copy_of(head) });
}

void change_put(struct change *c, struct sl key, struct sl value)
{
	change_op(c, (struct change_op){ .kind = OP_PUT, .key = copy_of(key), .value = copy_of(value) });
}

void change_del(struct change *c, struct sl key)
{
	change_op(c, (struct change_op){ .kind = OP_DEL, .key = copy_of(key) });
}

void change_patch(struct change *c, struct sl key, uint32_t off, struct sl octets)
{
	change_op(c, (struct change_op){ .kind = OP_PATCH, .key = copy_of(key), .value = copy_of(octets), .off = off });
}

void change_drop(struct change *c)
{
	change_op(c, (struct change_op){ .kind = OP_DROP });
}

void change_drop_all(struct change *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		free(c->op[i].key.p);
		free(c->op[i].value.p);
	}
	free(c->op);
	free(c);
}

static struct octets *value_slot(struct cell *cell, struct sl key)
{
	bool found;
	size_t at = key_at(cell, key, &found);

	if (!found) {
		GROW(cell->e, cell->n, cell->cap);
		memmove(cell->e + at + 1, cell->e + at, (cell->n - at) * sizeof *cell->e);
		cell->e[at] = (struct entry){ copy_of(key), { must(malloc(1)), 0 } };
		cell->n++;
	}
	return &cell->e[at].value;
}

static void apply_patch(struct octets *v, uint32_t off, struct octets with)
{
	size_t end = off + with.n;
	size_t n = end > v->n ? end : v->n;
	uint8_t *p = must(calloc(1, n ? n : 1)); // never in place, so that ASan sees what was borrowed too long

	memcpy(p, v->p, v->n);
	if (with.n)
		memcpy(p + off, with.p, with.n);
	free(v->p);
	*v = (struct octets){ p, n };
}

static void apply_del(struct cell *cell, struct sl key)
{
	bool found;
	size_t at = key_at(cell, key, &found);

	if (!found)
		return;
	free(cell->e[at].key.p);
	free(cell->e[at].value.p);
	memmove(cell->e + at, cell->e + at + 1, (cell->n - at - 1) * sizeof *cell->e);
	cell->n--;
}

static void apply(struct cell *cell, const struct change_op *op)
{
	struct octets *v;

	switch (op->kind) {
	case OP_HEAD:
		free(cell->head.p);
		cell->head = copy_of(sl_of(op->value));
		break;
	case OP_PUT:
		v = value_slot(cell, sl_of(op->key));
		free(v->p);
		*v = copy_of(sl_of(op->value));
		break;
	case OP_DEL: apply_del(cell, sl_of(op->key)); break;
	case OP_PATCH: apply_patch(value_slot(cell, sl_of(op->key)), op->off, op->value); break;
	case OP_DROP: break;
	}
}

static bool too_big(const struct change_op *op)
{
	if (op->kind == OP_HEAD)
		return op->value.n > CELL_HEAD_MAX;
	return op->key.n > CELL_KEY_MAX || op->off + op->value.n > CELL_VALUE_MAX ||
	       (op->kind != OP_DROP && op->key.n == 0);
}

/// Remembers what the cell was before this job.
static void undo_note(struct txn *t, struct cell_id id)
{
	if (!t->s->run_twice && t->s->fail_batches == E_OK && !t->s->fail_at) {
		t->unnoted = true; // a copy of a large cell for each job would make long tests slow
		return;
	}
	for (size_t i = 0; i < t->undos; i++)
		if (id_cmp(t->undo[i].id, id) == 0)
			return;
	struct cell *c = cell_of(t->s, id);
	t->undo = must(realloc(t->undo, (t->undos + 1) * sizeof *t->undo));
	t->undo[t->undos++] = (struct undo){ id, c ? cell_copy(c) : NULL };
}

static enum ec commit_check(struct cx *cx, struct change *c, struct sl outcome)
{
	struct cell *cell = cell_of(c->t->s, c->id);
	enum ec e = injected(cx, c->t->s);

	if (e != E_OK)
		return e;
	if ((cell ? cell->version : 0) != c->expect)
		return fail(cx, E_CONFLICT, "version");
	if (outcome.n > OUTCOME_MAX)
		return fail(cx, E_TOOBIG, "outcome");
	for (size_t i = 0; i < c->n; i++)
		if (too_big(&c->op[i]))
			return fail(cx, E_TOOBIG, "key or value");
	return E_OK;
}

static void outcome_keep(struct store *s, const struct op_id *op, struct sl outcome)
{
	struct outcome o = { .op = *op, .until_s = clock_now_s() + OPERATION_KEPT_S, .n = (uint8_t)outcome.n };

	if (outcome.n)
		memcpy(o.octets, outcome.p, outcome.n);
	GROW(s->outcome, s->outcomes, s->outcomes_cap);
	s->outcome[s->outcomes++] = o;
}

static bool op_zero(const struct op_id *op)
{
	static const struct op_id zero;

	return !op || memcmp(op, &zero, sizeof zero) == 0;
}

enum ec change_commit(struct cx *cx, struct change *c, const struct op_id *op, struct sl outcome, uint64_t *version)
{
	struct txn *t = c->t;
	struct store *s = t->s;
	enum ec e = commit_check(cx, c, outcome);

	if (e != E_OK) {
		change_drop_all(c);
		return e;
	}
	undo_note(t, c->id);
	uint64_t v = c->expect + 1;
	if (c->n == 1 && c->op[0].kind == OP_DROP) {
		cell_remove(s, c->id);
	} else {
		struct cell *cell = cell_of(s, c->id);
		if (!cell) {
			cell = must(calloc(1, sizeof *cell));
			cell->id = c->id;
			cell->head.p = must(malloc(1));
			cell_insert(s, cell);
		}
		for (size_t i = 0; i < c->n; i++)
			apply(cell, &c->op[i]);
		cell->version = v;
	}
	if (!op_zero(op))
		outcome_keep(s, op, outcome);
	t->changed = must(realloc(t->changed, (t->changes + 1) * sizeof *t->changed));
	t->changed[t->changes].id = c->id;
	t->changed[t->changes++].version = v;
	if (version)
		*version = v;
	change_drop_all(c);
	return E_OK;
}

enum ec op_outcome(struct cx *cx, struct view *v, const struct op_id *op, struct sl *outcome)
{
	struct store *s = v->s;

	for (size_t i = 0; !op_zero(op) && i < s->outcomes; i++)
		if (memcmp(&s->outcome[i].op, op, sizeof *op) == 0 && s->outcome[i].until_s > clock_now_s()) {
			*outcome = (struct sl){ s->outcome[i].octets, s->outcome[i].n };
			return E_OK;
		}
	return fail(cx, E_NOTFOUND, "no such operation");
}

// ---- jobs

static void txn_undo(struct txn *t)
{
	for (size_t i = 0; i < t->undos; i++) {
		cell_remove(t->s, t->undo[i].id);
		if (t->undo[i].was)
			cell_insert(t->s, t->undo[i].was);
	}
	t->undos = 0;
	t->changes = 0;
	t->s->outcomes = t->outcomes_at;
}

static void txn_end(struct txn *t)
{
	for (size_t i = 0; i < t->undos; i++)
		cell_free(t->undo[i].was);
	free(t->undo);
	free(t->changed);
}

static enum ec batch(struct cx *cx, struct txn *t, struct job *job)
{
	struct store *s = t->s;
	enum ec e = job->run(cx, t, job);

	if (s->run_twice) {
		txn_undo(t);
		e = job->run(cx, t, job);
	}
	if (e != E_OK && t->unnoted)
		abort(); // a job that failed by itself after a commit: undo_note must learn of it
	if (e != E_OK)
		txn_undo(t);
	if (s->fail_batches != E_OK) {
		txn_undo(t);
		e = s->fail_batches;
	}
	s->stats.jobs++;
	s->stats.batches++;
	return e;
}

void store_submit(struct store *s, struct job *job)
{
	struct cx cx = { 0 };
	struct txn t = { .s = s, .view = { s } };

	pthread_mutex_lock(&s->writer);
	pthread_rwlock_wrlock(&s->lock);
	t.outcomes_at = s->outcomes;
	enum ec e = batch(&cx, &t, job);
	pthread_rwlock_unlock(&s->lock);
	job->result = e;
	for (size_t i = 0; s->watch && i < t.changes; i++)
		s->watch(s->watch_arg, t.changed[i].id, t.changed[i].version);
	txn_end(&t);
	if (job->done)
		job->done(job, e);
	pthread_mutex_unlock(&s->writer);
	cx_end(&cx);
}

enum ec store_do(struct cx *cx, struct store *s, bool durable, enum ec (*run)(struct cx *, struct txn *, struct job *),
	void *arg)
{
	struct job job = { .run = run, .arg = arg, .durable = durable };

	(void)cx;
	store_submit(s, &job);
	return job.result;
}

enum ec store_free(struct cx *cx, struct store *s, bool durable,
	enum ec (*run)(struct cx *, struct txn *, struct job *), void *arg)
{
	return store_do(cx, s, durable, run, arg);
}

void store_set_watch(struct store *s, store_watch *fn, void *arg)
{
	pthread_mutex_lock(&s->writer);
	s->watch = fn;
	s->watch_arg = arg;
	pthread_mutex_unlock(&s->writer);
}

void store_get_stats(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->writer);
	*out = s->stats;
	out->bodies = s->bodies;
	pthread_mutex_unlock(&s->writer);
}

void mem_fail_at(struct store *s, unsigned n, enum ec e)
{
	s->fail_at = n;
	s->fail_with = e;
}

void mem_run_twice(struct store *s, bool on)
{
	s->run_twice = on;
}

void mem_fail_batches(struct store *s, enum ec e)
{
	s->fail_batches = e;
}

void mem_damage_bodies(struct store *s, bool on)
{
	s->damaged = on;
}

// ---- what an engine in memory has no need of

enum ec store_damaged_cells(struct cx *cx, struct view *v, cell_each_cell *each, void *arg)
{
	(void)cx, (void)v, (void)each, (void)arg;
	return E_OK;
}

uint64_t store_free_room(const struct store *s)
{
	(void)s;
	return UINT64_MAX;
}

bool store_is_restored(const struct store *s)
{
	(void)s;
	return false;
}

enum ec store_restored_done(struct cx *cx, struct store *s)
{
	(void)cx, (void)s;
	return E_OK;
}

enum ec store_compact(struct cx *cx, struct store *s)
{
	(void)s;
	return fail(cx, E_UNSUPPORTED, "nothing to compact in memory");
}

void store_get_compaction(struct store *s, struct store_compaction *out)
{
	(void)s;
	*out = (struct store_compaction){ 0 };
}

enum ec store_hold(struct cx *cx, struct store *s, bool roll, struct store_held *out)
{
	(void)s, (void)roll, (void)out;
	return fail(cx, E_UNSUPPORTED, "nothing to copy in memory");
}
