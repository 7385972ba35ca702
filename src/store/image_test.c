/// image_test — with an image in the log no commit up to its first part is needed, whatever goes on meanwhile.
#include "store/image.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "store/check_log.h"
#include "store/replay.h"
#include "store/testbed.h"

enum { CELLS = 3, KEYS = 600, VALUE = 700 };

static struct cell_id cell_at(unsigned i)
{
	return (struct cell_id){ 1, 10 + i };
}

/// One random change of one cell: a few puts, patches and deletions.
struct change_job {
	struct cell_id id;
	unsigned seed;
	bool drop;
};

static struct sl key_of_number(unsigned n, char out[static 16])
{
	return (struct sl){ (uint8_t *)out, (size_t)snprintf(out, 16, "key-%05u", n) };
}

static enum ec change_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct change_job *j = job->arg;
	uint8_t value[VALUE];
	uint64_t version = 0;
	struct sl head;
	char name[16];

	enum ec e = cell_head(cx, txn_view(t), j->id, &version, &head);
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	struct change *c = change_begin(t, j->id, version);
	for (unsigned i = 0; i < 4 && !j->drop; i++) {
		struct sl key = key_of_number((unsigned)rand_r(&j->seed) % KEYS, name);
		memset(value, rand_r(&j->seed) & 0xff, sizeof value);
		struct sl some = { value, 1 + (unsigned)rand_r(&j->seed) % VALUE };
		switch (rand_r(&j->seed) % 4) {
		case 0: change_del(c, key); break;
		case 1:
			change_patch(c, key, (uint32_t)rand_r(&j->seed) % 64, sl_head(some, min_size(some.n, 9)));
			break;
		default: change_put(c, key, some); break;
		}
	}
	if (j->drop)
		change_drop(c);
	else if (rand_r(&j->seed) % 2)
		change_head(c, (struct sl){ value, 1 + (unsigned)rand_r(&j->seed) % 50 });
	return change_commit(cx, c, NULL, SL(""), &version);
}

static void change(struct store *s, unsigned i, unsigned seed, bool drop)
{
	struct change_job j = { cell_at(i), seed, drop };

	assert_int_equal(store_do(NULL, s, false, change_run, &j), E_OK);
}

struct changer {
	struct store *s;
	atomic_bool stop;
	pthread_t thread;
};

static void *changer_main(void *arg)
{
	struct changer *c = arg;

	for (unsigned i = 0; !atomic_load(&c->stop); i++)
		change(c->s, i % CELLS, i * 7919 + 1, false);
	return NULL;
}

/// The log's records in their order, but for commits that an image of the live index makes needless: all of them, or
/// any, as compaction takes one segment and leaves another.
struct filter {
	bool any;
	unsigned seed;
	struct itxn *live, *made;
	uint64_t left_out, images, gaps;
};

static enum ec apply_needed(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct filter *f = arg;
	struct cell_row row, after;
	struct commit c = { 0 };
	struct image im;
	struct sl head;

	if (r->type == REC_IMAGE) {
		im = image_of(r, payload);
		f->images++;
		return apply_image(cx, f->made, &im);
	}
	if (r->type != REC_COMMIT)
		return E_OK;
	c = commit_of(r, payload);
	enum ec e = cell_row_get(cx, f->live, c.id, &row, &head);
	if (e || (c.version <= row.image && (!f->any || rand_r(&f->seed) % 8 == 0))) {
		f->left_out++;
		return e;
	}
	uint64_t now = 0;
	e = apply_version(cx, f->made, c.id, &now);
	if (e == E_OK && c.version > now + 1) {
		f->gaps++;
		e = apply_gap(cx, f->made, c.id, c.version);
	}
	return e ? e : apply_commit(cx, f->made, &c, &after);
}

struct comparing {
	struct itxn *other;
	enum index_table table;
	uint64_t rows;
};

static bool same_row(void *arg, struct sl key, struct sl value)
{
	struct comparing *c = arg;
	struct sl other;

	c->rows++;
	assert_int_equal(index_get(NULL, c->other, c->table, key, &other), E_OK);
	assert_true(sl_eq(value, other));
	return true;
}

static void same_tables(struct itxn *a, struct itxn *b)
{
	static const enum index_table tables[] = { T_CELL, T_KEY };

	for (size_t i = 0; i < ARRAY_N(tables); i++) {
		struct comparing ab = { b, tables[i], 0 }, ba = { a, tables[i], 0 };
		assert_int_equal(index_scan(NULL, a, tables[i], SL(""), SL(""), same_row, &ab), E_OK);
		assert_int_equal(index_scan(NULL, b, tables[i], SL(""), SL(""), same_row, &ba), E_OK);
		assert_int_equal(ab.rows, ba.rows);
	}
}

static bool none(void *arg, struct sl key, struct sl value)
{
	(void)arg, (void)key, (void)value;
	assert_true(false); // a cell is left damaged
	return false;
}

/// Makes an index from the records that are still needed and compares it with the live one.
static void rebuild_and_compare(struct bed *b, struct store *s, struct filter *f)
{
	char path[128];
	struct index *made;
	struct seg_list l = { 0 };
	uint64_t bad = 0;

	snprintf(path, sizeof path, "%s/made", b->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(index_open(NULL, path, 256 << 20, 8, &made), E_OK);
	assert_int_equal(index_write(NULL, made, &f->made), E_OK);
	assert_int_equal(index_read(NULL, s->index, &f->live), E_OK);
	assert_int_equal(seg_list_read(NULL, s->disk, s->log_fd, &l), E_OK);
	for (size_t i = 0; i < l.chain_n; i++) {
		struct segfile file;
		const struct seg_info *info = &l.all[l.chain[i]];
		assert_int_equal(segfile_open(NULL, s->log_fd, info->head.id, &file), E_OK);
		struct walk w = { .f = &file, .limit = info->limit < file.size ? info->limit : file.size };
		uint64_t end = i + 1 == l.chain_n ? s->journal.end.at : w.limit;
		assert_int_equal(walk_records(NULL, &w, SEG_DATA, end, 0, apply_needed, f, &bad), E_OK);
		segfile_close(&file);
	}
	seg_list_free(&l);
	assert_int_equal(bad, 0);
	same_tables(f->live, f->made);
	assert_int_equal(index_scan(NULL, f->made, T_DAMAGE, SL(""), SL(""), none, NULL), E_OK);
	itxn_abort(f->live);
	itxn_abort(f->made);
	index_close(made);
	snprintf(path, sizeof path, "rm -r %s/made", b->dir);
	assert_int_equal(system(path), 0);
}

static void test_commits_before_are_needless(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct changer c = { .s = s };

	for (unsigned i = 0; i < 1500; i++) // each cell of some 300 KB, so of several parts
		change(s, i % CELLS, i, false);
	assert_int_equal(pthread_create(&c.thread, NULL, changer_main, &c), 0);
	for (int i = 0; i < 12; i++)
		assert_int_equal(image_write(NULL, s, cell_at((unsigned)i % CELLS), true), E_OK);
	atomic_store(&c.stop, true);
	pthread_join(c.thread, NULL);
	struct filter all = { 0 }, any = { .any = true };
	rebuild_and_compare(&b, s, &all);
	assert_true(all.left_out >= 1500 && all.images >= 12 * 2);
	for (int i = 0; i < 4; i++)
		rebuild_and_compare(&b, s, &any);
	assert_true(any.left_out > 500 && any.gaps > 0);
	store_close(s);
	bed_remove(&b);
}

static void count_fault(void *arg, unsigned invariant, struct sl what)
{
	(void)arg;
	print_error("S%u: %.*s\n", invariant, SLF(what));
}

/// After a kill in the middle, an index made anew from everything is the live one.
static void test_images_and_a_start(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct changer c = { .s = s };
	struct check_result r;
	char path[128];

	for (unsigned i = 0; i < CELLS; i++)
		change(s, i, i, false);
	assert_int_equal(pthread_create(&c.thread, NULL, changer_main, &c), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(image_write(NULL, s, cell_at(i % CELLS), true), E_OK);
	atomic_store(&c.stop, true);
	pthread_join(c.thread, NULL);
	change(s, 1, 0, true);
	assert_int_equal(image_write(NULL, s, cell_at(1), true), E_OK); // gone: fine
	bed_crash(s);
	for (int round = 0; round < 2; round++) {
		s = bed_open(&b);
		store_close(s);
		struct check_conf conf = { .dir = sl_cstr(b.dir), .map_octets = 256 << 20, .report = count_fault };
		assert_int_equal(check_log(NULL, &conf, &r), E_OK);
		assert_true(r.violations == 0 && r.index_compared);
		snprintf(path, sizeof path, "%s/index/data.mdb", b.dir);
		assert_int_equal(unlink(path), 0); // the second time from the log alone
	}
	bed_remove(&b);
}

/// A cell is due once its commits outgrow its image, and not again before they do so again.
static void test_due(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct cell_id id;
	struct itxn *t;
	struct cell_row row;
	struct sl head;
	unsigned n = 0;

	assert_false(keeper_take(&s->keeper, &id));
	for (; n < 1000 && !keeper_take(&s->keeper, &id); n++)
		change(s, 0, n, false);
	assert_true(n > 20 && n < 200 && id.account == 1 && id.name == 10);
	assert_int_equal(image_write(NULL, s, id, false), E_OK);
	assert_int_equal(index_read(NULL, s->index, &t), E_OK);
	assert_int_equal(cell_row_get(NULL, t, id, &row, &head), E_OK);
	itxn_abort(t);
	assert_true(row.image == n && row.version == n && row.since == 0 && row.image_octets > 10000);
	uint64_t before = s->journal.written;
	assert_int_equal(image_write(NULL, s, id, false), E_OK); // not due any more
	assert_int_equal(s->journal.written, before);
	assert_false(keeper_take(&s->keeper, &id));
	store_close(s);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commits_before_are_needless),
		cmocka_unit_test(test_images_and_a_start),
		cmocka_unit_test(test_due),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
