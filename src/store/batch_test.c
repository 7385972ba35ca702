/// batch_test — what becomes one batch: much at once, too much, and jobs that fail among others.
#include <semaphore.h>

#include "store/gate.h"
#include "store/testbed.h"

struct large_put {
	struct job job;
	struct put put;
	enum ec answer;
	sem_t *answered;
};

static void large_done(struct job *job, enum ec e)
{
	struct large_put *l = (struct large_put *)job;

	l->answer = e;
	sem_post(l->answered);
}

/// More octets of bodies wait than one batch may hold: they become several batches, and none is refused.
static void test_many_large(void **state)
{
	enum { JOBS = 140 };
	(void)state;
	struct bed b = bed_make();
	b.conf.segment_octets = 64 << 20;
	struct store *s = bed_open(&b);
	struct sl body = bed_octets(BLOB_INLINE_MAX, 5);
	struct gate gate;
	struct large_put *l = calloc(JOBS, sizeof *l);
	struct store_stats stats;
	sem_t answered;
	assert_non_null(l);
	sem_init(&answered, 0, 0);
	gate_close(&gate, s);
	for (unsigned i = 0; i < JOBS; i++) {
		l[i] = (struct large_put){
			.job = { .run = put_run, .done = large_done, .arg = &l[i].put, .durable = true },
			.put = { { 1, i + 1 }, 0, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = bed_blob(s, body) },
			.answered = &answered
		};
		store_submit(s, &l[i].job);
	}
	gate_open(&gate);
	for (unsigned i = 0; i < JOBS; i++)
		sem_wait(&answered);
	for (unsigned i = 0; i < JOBS; i++) {
		assert_int_equal(l[i].answer, E_OK);
		blob_free(l[i].put.blob);
	}
	store_get_stats(s, &stats);
	assert_true(stats.batches >= JOBS / 33); // half of a batch, and the job that passed it
	assert_int_equal(bed_same_body(s, l[JOBS - 1].put.ref, body), E_OK);
	store_close(s);
	free(l);
	sl_free(body);
	bed_remove(&b);
}

/// What a job saw and did in a batch with others.
struct steps {
	struct job job;
	uint64_t cell, other; // committed in this order; 0 = none
	enum ec want, answer;
	unsigned runs;
	sem_t *answered;
};

static enum ec steps_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct steps *st = (struct steps *)job;
	uint64_t names[2] = { st->cell, st->other }, version = 0;
	struct sl head;

	st->runs++;
	for (unsigned i = 0; i < ARRAY_N(names); i++) {
		struct cell_id id = { 2, names[i] };
		if (!names[i])
			continue;
		if (cell_head(NULL, txn_view(t), id, &version, &head) != E_OK)
			version = 0;
		struct change *c = change_begin(t, id, version);
		change_put(c, SL("k"), SL("v"));
		enum ec e = change_commit(cx, c, NULL, SL(""), &version);
		if (e)
			return e;
	}
	return st->want;
}

static void steps_done(struct job *job, enum ec e)
{
	struct steps *st = (struct steps *)job;

	st->answer = e;
	sem_post(st->answered);
}

static uint64_t version_of(struct store *s, uint64_t name)
{
	struct view *v;
	struct sl head;
	uint64_t version = 0;

	assert_int_equal(view_open(NULL, s, &v), E_OK);
	enum ec e = cell_head(NULL, v, (struct cell_id){ 2, name }, &version, &head);
	view_close(v);
	return e == E_OK ? version : 0;
}

/// Jobs that fail after commits, among others in one batch: only theirs is undone, in time that grows with their number
/// and not with its square.
static void test_failed_among_others(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *jobs; // g: commits cells 1 and 2; b: commits cell 1 and 3, then fails; f: fails at once
		uint64_t versions[3];
	} cases[] = {
		{ "alone", "b", { 0, 0, 0 } },
		{ "first", "bg", { 1, 1, 0 } },
		{ "last", "gb", { 1, 1, 0 } },
		{ "between", "gbg", { 2, 2, 0 } },
		{ "two together", "ggbbg", { 3, 3, 0 } },
		{ "with one that fails at once", "gfbfg", { 2, 2, 0 } },
		{ "many", "gbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbg", { 2, 2, 0 } },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b = bed_make();
		struct store *s = bed_open(&b);
		struct gate gate;
		struct steps st[64];
		size_t n = strlen(cases[i].jobs);
		unsigned runs = 0;
		sem_t answered;
		sem_init(&answered, 0, 0);
		gate_close(&gate, s);
		for (size_t k = 0; k < n; k++) {
			char what = cases[i].jobs[k];
			st[k] = (struct steps){ .job = { .run = steps_run, .done = steps_done, .durable = true },
				.cell = what == 'f' ? 0 : 1,
				.other = what == 'g'   ? 2
				         : what == 'b' ? 3
				                       : 0,
				.want = what == 'g' ? E_OK : E_QUOTA,
				.answered = &answered };
			store_submit(s, &st[k].job);
		}
		gate_open(&gate);
		for (size_t k = 0; k < n; k++)
			sem_wait(&answered);
		for (size_t k = 0; k < n; k++) {
			CHECK(st[k].answer == st[k].want, cases[i].name);
			runs += st[k].runs;
		}
		CHECK(runs <= 3 * n, cases[i].name);
		for (uint64_t name = 1; name <= 3; name++)
			CHECK(version_of(s, name) == cases[i].versions[name - 1], cases[i].name);
		bed_crash(s);
		s = bed_open(&b);
		for (uint64_t name = 1; name <= 3; name++)
			CHECK(version_of(s, name) == cases[i].versions[name - 1], cases[i].name);
		store_close(s);
		bed_remove(&b);
	}
}

struct heap {
	struct blob *blob[80];
	unsigned n, put;
	bool commits; // instead of bodies
};

static enum ec heap_run(struct cx *cx, struct txn *t, struct job *job)
{
	static uint8_t value[CELL_VALUE_MAX];
	struct heap *h = job->arg;
	struct body_ref ref;
	enum ec e = E_OK;

	for (h->put = 0; e == E_OK && h->put < h->n; h->put += e == E_OK) {
		if (!h->commits) {
			e = blob_put(cx, t, h->blob[h->put], &ref);
			continue;
		}
		struct change *c = change_begin(t, (struct cell_id){ 9, h->put }, 0);
		uint64_t version;
		for (unsigned i = 0; i < 16; i++)
			change_patch(c, SL("k"), 0, (struct sl){ value, sizeof value });
		e = change_commit(cx, c, NULL, SL(""), &version);
	}
	return e;
}

/// One job with more than a batch may hold is refused whole, whatever it is made of; the store goes on.
static void test_too_much(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.segment_octets = 128 << 20;
	struct store *s = bed_open(&b);
	struct sl body = bed_octets(BLOB_INLINE_MAX, 6);
	struct heap h = { .n = 80 };
	struct store_stats st;

	for (unsigned i = 0; i < h.n; i++)
		h.blob[i] = bed_blob(s, body);
	for (int round = 0; round < 2; round++) {
		h.commits = round;
		h.n = 80;
		assert_int_equal(store_do(NULL, s, true, heap_run, &h), E_TOOBIG);
		assert_int_equal(h.put, 63); // 64 less the headers
		store_get_stats(s, &st);
		assert_true(st.bodies == 0 && st.batches == 0 && !st.read_only);
	}
	h.commits = false;
	h.n = 63;
	assert_int_equal(store_do(NULL, s, true, heap_run, &h), E_OK);
	for (unsigned i = 0; i < ARRAY_N(h.blob); i++)
		blob_free(h.blob[i]);
	store_close(s);
	sl_free(body);
	bed_remove(&b);
}

/// The place of a body that was put stays its own, though its batch came to nothing: what failed may stand in the log.
/// One never put leaves its place to the next.
static void test_bulk_place(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool put, stored, same_place;
	} cases[] = {
		{ "stored", true, true, false },
		{ "put in a batch that came to nothing", true, false, false },
		{ "never put", false, false, true },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b = bed_make();
		b.conf.segment_octets = 16 << 20;
		struct store *s = bed_open(&b);
		struct sl body = bed_octets(BLOB_INLINE_MAX + 100, 7), next = bed_octets(BLOB_INLINE_MAX + 200, 8);
		struct put p = { { 1, 1 }, 0, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = bed_blob(s, body) };
		p.want = cases[i].stored ? E_OK : E_QUOTA;
		if (cases[i].put)
			CHECK(store_do(NULL, s, true, put_run, &p) == p.want, cases[i].name);
		blob_free(p.blob);
		struct put q = { { 1, 2 }, 0, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = bed_blob(s, next) };
		CHECK(store_do(NULL, s, true, put_run, &q) == E_OK, cases[i].name);
		blob_free(q.blob);
		CHECK(((uint32_t)q.ref.at == SEG_DATA) == cases[i].same_place, cases[i].name);
		CHECK(bed_same_body(s, q.ref, next) == E_OK, cases[i].name);
		CHECK(!cases[i].put || bed_same_body(s, p.ref, body) == E_OK, cases[i].name);
		store_close(s);
		sl_free(body);
		sl_free(next);
		bed_remove(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_large),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_bulk_place),
		cmocka_unit_test(test_failed_among_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
