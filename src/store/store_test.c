/// store_test — cells, bodies, jobs and views of a store that nothing bad happens to.
#include <semaphore.h>

#include "store/testbed.h"

#include "base/clock.h"

static const struct cell_id one = { 1, 7 };

static void test_commit(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	static const struct {
		const char *name;
		uint64_t expect;
		enum ec want;
	} cases[] = {
		{ "of a cell that is not there", 1, E_CONFLICT },
		{ "first", 0, E_OK },
		{ "first again", 0, E_CONFLICT },
		{ "second", 1, E_OK },
		{ "older version", 1, E_CONFLICT },
		{ "newer version", 3, E_CONFLICT },
		{ "third", 2, E_OK },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct put p = { one, cases[i].expect, 99, SL("k"), SL("v"), SL("head"), .outcome = SL("") };
		enum ec e = store_do(NULL, s, true, put_run, &p);
		CHECK(e == cases[i].want, cases[i].name);
		CHECK(p.version == (e ? 99 : cases[i].expect + 1), cases[i].name);
	}
	struct view *v;
	uint64_t version;
	struct sl head, value;
	assert_int_equal(view_open(NULL, s, &v), E_OK);
	assert_int_equal(cell_head(NULL, v, one, &version, &head), E_OK);
	assert_true(version == 3 && sl_eq(head, SL("head")));
	assert_int_equal(cell_get(NULL, v, one, SL("k"), &value), E_OK);
	assert_true(sl_eq(value, SL("v")));
	assert_int_equal(cell_get(NULL, v, one, SL("x"), &value), E_NOTFOUND);
	assert_int_equal(cell_head(NULL, v, (struct cell_id){ 1, 8 }, &version, &head), E_NOTFOUND);
	view_close(v);
	store_close(s);
	bed_remove(&b);
}

static enum ec run_limits(struct cx *cx, struct txn *t, struct job *job)
{
	static uint8_t big[CELL_VALUE_MAX + 1];
	struct sl key_ok = { big, CELL_KEY_MAX }, key_big = { big, CELL_KEY_MAX + 1 };
	struct sl value_ok = { big, CELL_VALUE_MAX }, value_big = { big, CELL_VALUE_MAX + 1 };
	uint64_t version = 0;
	struct change *c;

	(void)job;
	for (int i = 0; i < 6; i++) {
		c = change_begin(t, one, 0);
		switch (i) {
		case 0: change_put(c, key_big, SL("")); break;
		case 1: change_put(c, SL("k"), value_big); break;
		case 2: change_head(c, (struct sl){ big, CELL_HEAD_MAX + 1 }); break;
		case 3: change_patch(c, SL("k"), CELL_VALUE_MAX, SL("x")); break;
		case 4: change_patch(c, SL("k"), UINT32_MAX, SL("xy")); break;
		default: change_del(c, key_big); break;
		}
		change_put(c, SL("after"), SL("error")); // sticky: must not be applied
		if (change_commit(cx, c, NULL, SL(""), &version) != E_TOOBIG)
			return E_STATE;
	}
	c = change_begin(t, one, 0);
	if (change_commit(cx, c, NULL, (struct sl){ big, OUTCOME_MAX + 1 }, &version) != E_TOOBIG)
		return E_STATE;
	c = change_begin(t, one, 0);
	change_drop(c);
	if (change_commit(cx, c, NULL, SL(""), &version) != E_CONFLICT) // nothing there to drop
		return E_STATE;
	c = change_begin(t, one, 0);
	change_put(c, key_ok, value_ok);
	change_head(c, (struct sl){ big, CELL_HEAD_MAX });
	change_patch(c, SL("k"), CELL_VALUE_MAX - 1, SL("x"));
	return change_commit(cx, c, NULL, SL(""), &version);
}

static void test_limits(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct view *v;
	struct sl value;

	assert_int_equal(store_do(NULL, s, true, run_limits, NULL), E_OK);
	assert_int_equal(view_open(NULL, s, &v), E_OK);
	assert_int_equal(cell_get(NULL, v, one, SL("k"), &value), E_OK);
	assert_true(value.n == CELL_VALUE_MAX && value.p[value.n - 1] == 'x' && value.p[0] == 0);
	assert_int_equal(cell_get(NULL, v, one, SL("after"), &value), E_NOTFOUND);
	view_close(v);
	store_close(s);
	bed_remove(&b);
}

static bool count_keys(void *arg, struct sl key, struct sl value)
{
	unsigned *n = arg;

	(void)key, (void)value;
	return ++*n < 3;
}

static enum ec run_reads(struct cx *cx, struct txn *t, struct job *job)
{
	struct change *c = change_begin(t, one, 1);
	struct sl value;
	uint64_t version;

	(void)job;
	change_put(c, SL("b"), SL("new"));
	change_del(c, SL("a"));
	if (cell_get(cx, txn_view(t), one, SL("a"), &value) != E_OK)
		return E_STATE; // not before the commit
	enum ec e = change_commit(cx, c, NULL, SL(""), &version);
	if (e || cell_get(cx, txn_view(t), one, SL("a"), &value) != E_NOTFOUND)
		return E_STATE;
	change_put(change_begin(t, one, 2), SL("never"), SL("committed"));
	return cell_get(cx, txn_view(t), one, SL("b"), &value) || !sl_eq(value, SL("new")) ? E_STATE : E_QUOTA;
}

/// A job that fails leaves nothing, neither what it committed nor what it did not.
static void test_failed_job(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct put p = { one, 0, 0, SL("a"), SL("1"), .outcome = SL("") };
	struct view *v;
	unsigned n = 0;
	uint64_t version = 0;
	struct sl value, head;

	assert_int_equal(store_do(NULL, s, false, put_run, &p), E_OK);
	assert_int_equal(store_do(NULL, s, true, run_reads, NULL), E_QUOTA);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(view_open(NULL, s, &v), E_OK);
		assert_int_equal(cell_scan(NULL, v, one, SL(""), count_keys, &n), E_OK);
		assert_int_equal(n, 1 + round);
		assert_int_equal(cell_get(NULL, v, one, SL("a"), &value), E_OK);
		assert_int_equal(cell_head(NULL, v, one, &version, &head), E_OK);
		assert_int_equal(version, 1);
		view_close(v);
		store_close(s);
		s = bed_open(&b);
	}
	store_close(s);
	bed_remove(&b);
}

static enum ec run_drop(struct cx *cx, struct txn *t, struct job *job)
{
	struct change *c = change_begin(t, one, 1);

	(void)job;
	change_put(c, SL("ignored"), SL(""));
	change_drop(c);
	uint64_t version;
	return change_commit(cx, c, NULL, SL(""), &version);
}

static void test_drop(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct put near = { { 1, 6 }, 0, 0, SL("k"), SL("v"), .outcome = SL("") };
	struct put far = { { 1, 8 }, 0, 0, SL("k"), SL("v"), .outcome = SL("") };
	struct put p = { one, 0, 0, SL("k"), SL("v"), SL("h"), .outcome = SL("") };
	struct view *v;
	uint64_t version;
	struct sl head;
	unsigned n = 0;

	assert_int_equal(store_do(NULL, s, true, put_run, &near), E_OK);
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
	assert_int_equal(store_do(NULL, s, true, put_run, &far), E_OK);
	assert_int_equal(store_do(NULL, s, true, run_drop, NULL), E_OK);
	assert_int_equal(view_open(NULL, s, &v), E_OK);
	assert_int_equal(cell_head(NULL, v, one, &version, &head), E_NOTFOUND);
	assert_int_equal(cell_scan(NULL, v, one, SL(""), count_keys, &n), E_OK);
	assert_int_equal(n, 0);
	assert_int_equal(cell_head(NULL, v, near.id, &version, &head), E_OK);
	assert_int_equal(cell_head(NULL, v, far.id, &version, &head), E_OK);
	view_close(v);
	store_close(s);
	bed_remove(&b);
}

static const size_t body_sizes[] = { 0, 1, 100, 65535, 65536, 65537, 200000, BLOB_INLINE_MAX - 1, BLOB_INLINE_MAX,
	BLOB_INLINE_MAX + 1, 5 << 20, (17 << 20) + 3 };

/// Bodies of all sizes, read whole and in parts, before and after the index is made anew.
static void test_bodies(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct put p[ARRAY_N(body_sizes)];

	for (size_t i = 0; i < ARRAY_N(body_sizes); i++) {
		struct sl body = bed_octets(body_sizes[i], (uint32_t)i);
		struct blob *blob = bed_blob(s, sl_head(body, body.n / 3));
		assert_int_equal(blob_add(NULL, blob, sl_from(body, body.n / 3)), E_OK);
		assert_int_equal(blob_octets(blob), body.n);
		p[i] = (struct put){ one, i, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = blob };
		assert_int_equal(store_do(NULL, s, false, put_run, &p[i]), E_OK);
		struct body_ref first = p[i].ref;
		p[i].expect = 99;
		assert_int_equal(store_do(NULL, s, false, put_run, &p[i]), E_CONFLICT);
		assert_true(p[i].ref.at == first.at && first.octets == body.n); // the same address again
		blob_free(blob);
		sl_free(body);
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_N(body_sizes); i++) {
			struct sl body = bed_octets(body_sizes[i], (uint32_t)i);
			assert_int_equal(bed_same_body(s, p[i].ref, body), E_OK);
			assert_int_equal(blob_check(NULL, s, p[i].ref), E_OK);
			for (size_t from = 0; from < body.n; from += body.n / 3 + 1) {
				uint8_t room[1000];
				size_t n = min_size(sizeof room, body.n - from);
				struct iovec iov[2] = { { room, n / 2 }, { room + n / 2, n - n / 2 } };
				assert_int_equal(blob_get(NULL, s, p[i].ref, from, iov, 2), E_OK);
				assert_memory_equal(room, body.p + from, n);
				assert_int_equal(blob_get(NULL, s, p[i].ref, body.n - n + 1, iov, 2), E_RANGE);
			}
			sl_free(body);
		}
		char path[128];
		store_close(s);
		snprintf(path, sizeof path, "%s/index/data.mdb", b.dir);
		assert_int_equal(unlink(path), 0);
		s = bed_open(&b);
		assert_true(s->damaged_batches == 0);
	}
	struct body_ref nowhere[] = { { 99ull << 32 | SEG_DATA, 5 }, { p[1].ref.at + (1 << 30), 1 } };
	for (size_t i = 0; i < ARRAY_N(nowhere); i++)
		assert_int_equal(blob_check(NULL, s, nowhere[i]), E_NOTFOUND);
	assert_int_equal(blob_check(NULL, s, (struct body_ref){ p[1].ref.at + 1, 1 }), E_CORRUPT);
	store_close(s);
	bed_remove(&b);
}

static void test_two_opens(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b), *second = NULL;
	struct cx cx = { 0 };
	char story[400], pid[32];

	assert_int_equal(store_open(&cx, &b.conf, &second), E_EXISTS);
	assert_null(second);
	cx_story(&cx, story, sizeof story);
	snprintf(pid, sizeof pid, "process %d", (int)getpid());
	assert_non_null(strstr(story, pid));
	cx_end(&cx);
	store_close(s);
	s = bed_open(&b);
	store_close(s);
	store_close(NULL);
	bed_remove(&b);
}

static void test_operations(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct op_id op = { "sixteen octets.." }, other = { "sixteen octets.!" };
	struct put p = { one, 0, 0, SL("k"), SL("v"), .op = op, .outcome = SL("uid 17") };
	struct sl outcome;
	struct view *v;

	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(view_open(NULL, s, &v), E_OK);
		assert_int_equal(op_outcome(NULL, v, &op, &outcome), E_OK);
		assert_true(sl_eq(outcome, SL("uid 17")));
		assert_int_equal(op_outcome(NULL, v, &other, &outcome), E_NOTFOUND);
		view_close(v);
		char path[128];
		snprintf(path, sizeof path, "%s/index/data.mdb", b.dir);
		if (round == 0)
			bed_crash(s);
		else
			store_close(s);
		if (round == 1)
			assert_int_equal(unlink(path), 0);
		s = bed_open(&b);
	}
	struct itxn *t;
	store_close(s);
	s = bed_open(&b);
	assert_int_equal(index_write(NULL, s->index, &t), E_OK); // the writer is idle
	assert_int_equal(apply_expire(NULL, t, (uint64_t)clock_now_s() + OPERATION_KEPT_S - 5, 4), E_OK);
	struct sl row;
	assert_int_equal(index_get(NULL, t, T_OP, (struct sl){ op.octets, 16 }, &row), E_OK);
	assert_int_equal(apply_expire(NULL, t, (uint64_t)clock_now_s() + OPERATION_KEPT_S + 5, 4), E_OK);
	assert_int_equal(index_get(NULL, t, T_OP, (struct sl){ op.octets, 16 }, &row), E_NOTFOUND);
	assert_int_equal(index_scan(NULL, t, T_OP_TIME, SL(""), SL(""), count_keys, &(unsigned){ 0 }), E_OK);
	itxn_abort(t);
	store_close(s);
	bed_remove(&b);
}

static void test_readers(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.readers_max = 3;
	struct store *s = bed_open(&b);
	struct view *v[3], *more = NULL;

	for (size_t i = 0; i < ARRAY_N(v); i++)
		assert_int_equal(view_open(NULL, s, &v[i]), E_OK);
	assert_int_equal(view_open(NULL, s, &more), E_TEMP);
	assert_null(more);
	struct put p = { one, 0, 0, SL("k"), SL("v"), .outcome = SL("") };
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK); // the writer needs no slot
	view_close(v[1]);
	assert_int_equal(view_open(NULL, s, &v[1]), E_OK);
	for (size_t i = 0; i < ARRAY_N(v); i++)
		view_close(v[i]);
	store_close(s);
	bed_remove(&b);
}

struct reader {
	pthread_t thread;
	struct store *s;
	_Atomic bool stop, wrong;
	_Atomic unsigned reads;
};

static bool same_as_first(void *arg, struct sl key, struct sl value)
{
	struct sl *first = arg;

	(void)key;
	if (!first->p)
		*first = value;
	return sl_eq(*first, value);
}

static void *read_on(void *arg)
{
	struct reader *r = arg;

	while (!r->stop) {
		struct view *v;
		struct sl first = { 0 }, head, value;
		uint64_t version;
		if (view_open(NULL, r->s, &v))
			continue;
		if (cell_head(NULL, v, one, &version, &head) == E_OK) {
			if (cell_scan(NULL, v, one, SL(""), same_as_first, &first) || !sl_eq(first, head) ||
				cell_get(NULL, v, one, SL("a"), &value) || !sl_eq(value, head))
				r->wrong = true;
			r->reads++;
		}
		view_close(v);
	}
	return NULL;
}

static enum ec run_all_keys(struct cx *cx, struct txn *t, struct job *job)
{
	uint64_t *n = job->arg, version;
	uint8_t octets[8];
	struct change *c = change_begin(t, one, *n);

	put_be64(octets, *n + 1);
	for (const char *k = "abcdefgh"; *k; k++)
		change_put(c, (struct sl){ (const uint8_t *)k, 1 }, (struct sl){ octets, 8 });
	change_head(c, (struct sl){ octets, 8 });
	return change_commit(cx, c, NULL, SL(""), &version);
}

/// Each view sees one moment, however many commits pass.
static void test_concurrent(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct reader r[2] = { 0 };
	struct store *s = bed_open(&b);

	for (size_t i = 0; i < ARRAY_N(r); i++) {
		r[i].s = s;
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_on, &r[i]), 0);
	}
	for (uint64_t n = 0; n < 2000 || r[0].reads + r[1].reads < 50; n++)
		assert_int_equal(store_do(NULL, s, false, run_all_keys, &n), E_OK);
	for (size_t i = 0; i < ARRAY_N(r); i++) {
		r[i].stop = true;
		pthread_join(r[i].thread, NULL);
		assert_false(r[i].wrong);
	}
	store_close(s);
	bed_remove(&b);
}

static void note_watch(void *arg, struct cell_id id, uint64_t version)
{
	uint64_t *sum = arg;

	*sum = *sum * 10 + id.name + version;
}

static void done_closed(struct job *job, enum ec e)
{
	job->result = e == E_CLOSED ? E_CLOSED : E_STATE;
}

static void test_watch_and_close(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	uint64_t sum = 0;
	struct store_stats st;
	struct put p = { one, 0, 0, SL("k"), SL("v"), .outcome = SL("") };

	store_set_watch(s, note_watch, &sum);
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
	assert_int_equal(sum, 8);
	p.expect = 1;
	p.want = E_QUOTA;
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_QUOTA);
	assert_int_equal(sum, 8); // what was undone is told to nobody
	p.expect = 5;
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_CONFLICT);
	assert_int_equal(sum, 8);
	store_get_stats(s, &st);
	assert_true(st.jobs == 3 && st.batches == 1 && st.applied_lsn == 1 && st.durable_lsn == 1 && !st.read_only);
	writer_stop(s); // as store_close does first
	struct job late = { .run = put_run, .done = done_closed };
	store_submit(s, &late);
	assert_int_equal(late.result, E_CLOSED);
	store_close(s);
	bed_remove(&b);
}

static _Atomic unsigned flushes;

static int count_flush(void *arg, int fd)
{
	flushes++;
	return disk_real.fdatasync(arg, fd);
}

/// A lazy change is answered at once and flushed later; a durable one takes all earlier ones along.
static void test_lazy(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_real;
	disk.fdatasync = count_flush;
	b.conf.flush_lazy_ms = 60000;
	struct store *s = bed_open_on(&b, &disk);
	struct put p = { one, 0, 0, SL("k"), SL("v"), .outcome = SL("") };
	struct store_stats st;

	unsigned before = flushes;
	for (; p.expect < 5; p.expect++)
		assert_int_equal(store_do(NULL, s, false, put_run, &p), E_OK);
	store_get_stats(s, &st);
	assert_true(flushes == before && st.applied_lsn == 5 && st.durable_lsn == 0);
	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
	store_get_stats(s, &st);
	assert_true(flushes == before + 1 && st.durable_lsn == 6);
	store_close(s);

	b.conf.flush_lazy_ms = 1;
	s = bed_open_on(&b, &disk);
	before = flushes;
	p.expect = 6;
	assert_int_equal(store_do(NULL, s, false, put_run, &p), E_OK);
	for (int i = 0; i < 10000 && flushes == before; i++)
		usleep(1000);
	assert_int_equal(flushes, before + 1);
	store_close(s);
	bed_remove(&b);
}

/// The map grows by itself, live and at start, and nothing is lost by that.
static void test_map_full(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.map_octets = 128 << 10;
	struct store *s = bed_open(&b);
	struct sl value = bed_octets(20000, 1);
	uint64_t version;
	struct sl head;
	struct view *v;

	for (uint64_t i = 0; i < 40; i++) {
		struct put p = { { 1, i }, 0, 0, SL("k"), value, .outcome = SL("") };
		assert_int_equal(store_do(NULL, s, i % 2, put_run, &p), E_OK);
	}
	for (int round = 0; round < 2; round++) {
		assert_int_equal(view_open(NULL, s, &v), E_OK);
		for (uint64_t i = 0; i < 40; i++)
			assert_int_equal(cell_head(NULL, v, (struct cell_id){ 1, i }, &version, &head), E_OK);
		view_close(v);
		store_close(s);
		char path[128];
		snprintf(path, sizeof path, "%s/index/data.mdb", b.dir);
		assert_int_equal(unlink(path), 0);
		s = bed_open(&b);
	}
	store_close(s);
	sl_free(value);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_failed_job),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_two_opens),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_concurrent),
		cmocka_unit_test(test_watch_and_close),
		cmocka_unit_test(test_lazy),
		cmocka_unit_test(test_map_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
