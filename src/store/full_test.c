/// full_test — stores whose index finds no room: a disk gets full in the middle of a write, and that write ends short.
///
/// The limit of a file's length (RLIMIT_FSIZE) stands for the disk's: the kernel cuts a write there as it does on a
/// disk with room for some of it, LMDB's own writes included. It is above all files but the index; a reserve that is
/// given up raises it.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "store/testbed.h"

enum {
	SEGMENT = 64 << 10,
	ROWS = 120,
	VALUE = 3000, // of a row: the index is larger than any segment
	PAGES = 2,    // that still have room
	ROOM = 4 << 20,
};

struct full {
	struct bed b;
	_Atomic bool is; // the disk has no room
	struct store *s;
	uint64_t version; // of the one cell
};

static const struct cell_id cell = { 1, 1 };

static void limit_to(rlim_t octets)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

static int full_fallocate(void *arg, int fd, uint64_t octets)
{
	struct full *f = arg;

	return f->is ? -ENOSPC : disk_real.fallocate(NULL, fd, octets);
}

static int64_t full_free(void *arg, int dir)
{
	struct full *f = arg;

	return f->is ? 8192 : disk_real.free_octets(NULL, dir);
}

static int full_unlink(void *arg, int dir, const char *name)
{
	struct full *f = arg;
	struct rlimit r;
	int rc = disk_real.unlink(NULL, dir, name);

	if (rc == 0 && f->is && sl_starts(sl_cstr(name), SL("reserve-"))) {
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
		limit_to(r.rlim_cur + ROOM);
	}
	return rc;
}

static struct sl index_path(const struct full *f, const char *name, char out[static 128])
{
	return (struct sl){ (uint8_t *)out, (size_t)snprintf(out, 128, "%s/index/%s", f->b.dir, name) };
}

/// From now on the disk has room for some pages behind what the index has now.
static void get_full(struct full *f)
{
	char path[128];
	struct stat st;

	index_path(f, "data.mdb", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 2 * SEGMENT);
	f->is = true;
	limit_to((rlim_t)st.st_size + (rlim_t)PAGES * 4096);
}

static void get_room(struct full *f)
{
	f->is = false;
	limit_to(RLIM_INFINITY);
}

static struct full *full_new(void)
{
	struct full *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->b = bed_make();
	f->b.conf.segment_octets = SEGMENT;
	f->b.disk.fallocate = full_fallocate;
	f->b.disk.free_octets = full_free;
	f->b.disk.unlink = full_unlink;
	f->b.disk.arg = f;
	signal(SIGXFSZ, SIG_IGN);
	f->s = bed_open(&f->b);
	return f;
}

static void full_end(struct full *f)
{
	get_room(f);
	store_close(f->s);
	bed_remove(&f->b);
	free(f);
}

/// Writes, or deletes, so many rows.
struct rows {
	struct job job;
	struct full *f;
	unsigned from, n;
	bool del;
	_Atomic int answer; // -1 until there is one
};

static enum ec rows_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct rows *r = job->arg;
	uint64_t version = 0;
	struct sl head, value = bed_octets(VALUE, r->from);
	enum ec e = cell_head(cx, txn_view(t), cell, &version, &head);

	if (e == E_OK || e == E_NOTFOUND) {
		struct change *c = change_begin(t, cell, version);
		for (unsigned i = r->from; i < r->from + r->n; i++) {
			uint8_t key[1] = { (uint8_t)i };
			if (r->del)
				change_del(c, (struct sl){ key, sizeof key });
			else
				change_put(c, (struct sl){ key, sizeof key }, value);
		}
		e = change_commit(cx, c, NULL, SL(""), &r->f->version);
	}
	sl_free(value);
	return e;
}

static void rows_done(struct job *job, enum ec e)
{
	((struct rows *)job)->answer = (int)e;
}

static void rows_submit(struct rows *r)
{
	r->answer = -1;
	r->job = (struct job){ .run = rows_run, .done = rows_done, .arg = r, .durable = !r->del, .frees = r->del };
	store_submit(r->f->s, &r->job);
}

static enum ec rows_wait(const struct rows *r, unsigned ms)
{
	for (unsigned i = 0; i < ms && r->answer < 0; i++)
		usleep(1000);
	return r->answer < 0 ? E_TIMEOUT : (enum ec)r->answer;
}

static enum ec change_rows(struct full *f, unsigned from, unsigned n, bool del)
{
	struct rows r = { .f = f, .from = from, .n = n, .del = del };

	rows_submit(&r);
	return rows_wait(&r, 60000);
}

/// Until the store has found that it cannot write.
static void wait_refusing(const struct full *f)
{
	struct store_stats stats = { 0 };

	for (int i = 0; i < 10000 && !stats.read_only; i++) {
		usleep(1000);
		store_get_stats(f->s, &stats);
	}
	assert_true(stats.read_only);
}

static bool has_row(const struct full *f, unsigned row)
{
	struct view *v;
	struct sl value;
	uint8_t key[1] = { (uint8_t)row };

	assert_int_equal(view_open(NULL, f->s, &v), E_OK);
	bool there = cell_get(NULL, v, cell, (struct sl){ key, sizeof key }, &value) == E_OK;
	view_close(v);
	return there;
}

/// Rows in steps that fit a segment. The last one is nearly empty then.
static void fill_rows(struct full *f)
{
	for (unsigned i = 0; i < ROWS; i += 10)
		assert_int_equal(change_rows(f, i, 10, false), E_OK);
	atomic_store(&f->s->writer.roll, true);
	assert_int_equal(change_rows(f, 0, 1, false), E_OK);
}

/// A write of the index that ends short takes the reserve: the change is done, what frees space goes on.
static void test_short_write(void **state)
{
	(void)state;
	struct full *f = full_new();

	fill_rows(f);
	get_full(f);
	assert_int_equal(change_rows(f, ROWS, 15, false), E_OK);
	assert_int_equal(f->s->journal.reserves, JOURNAL_RESERVES - 1);
	assert_true(has_row(f, ROWS) && has_row(f, ROWS + 14));
	assert_int_equal(change_rows(f, ROWS + 15, 1, false), E_FULL); // the reserve is not for this
	assert_int_equal(change_rows(f, 0, 2, true), E_OK);
	assert_true(!has_row(f, 1) && has_row(f, 2));
	full_end(f);
}

/// An index that fails on a disk with room for it costs no reserve.
static void test_no_reserve_for_other_errors(void **state)
{
	(void)state;
	struct full *f = full_new();
	struct rows r = { .f = f, .from = ROWS, .n = 15 };

	fill_rows(f);
	get_full(f);
	f->is = false; // room for all but the index
	rows_submit(&r);
	wait_refusing(f);
	assert_int_equal(r.answer, -1);
	assert_int_equal(change_rows(f, ROWS + 15, 1, false), E_TEMP);
	assert_int_equal(f->s->journal.reserves, JOURNAL_RESERVES);
	get_room(f);
	assert_int_equal(rows_wait(&r, 10000), E_OK);
	assert_true(has_row(f, ROWS + 14));
	full_end(f);
}

/// With no reserve left others hear at once that the disk is full, whoever is in the log hears within seconds that he
/// is, and all is well where there is room again.
static void test_nothing_left(void **state)
{
	(void)state;
	struct full *f = full_new();
	struct rows r = { .f = f, .from = ROWS, .n = 15 };

	assert_true(f->s->hold_ms <= 10000);
	fill_rows(f);
	f->is = true; // nothing comes back
	while (journal_give_reserve(&f->s->journal))
		;
	f->s->hold_ms = 1;
	get_full(f);
	rows_submit(&r);
	wait_refusing(f);
	assert_int_equal(change_rows(f, ROWS + 15, 1, false), E_FULL);
	assert_int_equal(change_rows(f, 0, 1, true), E_FULL);
	assert_int_equal(rows_wait(&r, 10000), E_OK);
	assert_true(!has_row(f, ROWS) && has_row(f, 0)); // reading goes on
	get_room(f);
	for (int i = 0; i < 200 && !has_row(f, ROWS); i++)
		usleep(50000);
	assert_true(has_row(f, ROWS + 14));
	assert_int_equal(change_rows(f, 0, 1, true), E_OK);
	full_end(f);
}

static void copy_file(const char *from, const char *to)
{
	char command[300];

	snprintf(command, sizeof command, "cp %s %s", from, to);
	assert_int_equal(system(command), 0);
}

/// A start that must write more into the index than there is room for.
struct start_case {
	const char *name;
	bool index;   // there is one, of a while ago
	bool reserve; // that of the run before is there
};

static void start_full(const struct start_case *c)
{
	struct full *f = full_new();
	char path[128], old[128], story[1024];
	struct cx cx = { 0 };

	index_path(f, "data.mdb", path);
	index_path(f, "old.mdb", old);
	assert_int_equal(change_rows(f, 0, 10, false), E_OK);
	copy_file(path, old);
	fill_rows(f);
	while (!c->reserve && journal_give_reserve(&f->s->journal))
		;
	bed_crash(f->s);
	f->s = NULL;
	assert_int_equal(c->index ? rename(old, path) : unlink(path), 0);
	f->is = true;
	limit_to(SEGMENT * 2);
	enum ec e = store_open_on(&cx, &f->b.conf, &f->b.disk, &f->s);
	cx_story(&cx, story, sizeof story);
	cx_end(&cx);
	CHECK(e == (c->reserve ? E_OK : E_FULL), c->name);
	if (e) {
		CHECK(strstr(story, "make room") != NULL, c->name);
		get_room(f);
		f->s = bed_open(&f->b);
	} else {
		CHECK(change_rows(f, 1, 1, true) == E_OK, c->name);
		CHECK(change_rows(f, ROWS, 1, false) == E_FULL, c->name);
	}
	CHECK(has_row(f, 0) && has_row(f, ROWS - 1) && has_row(f, 1) == !c->reserve, c->name);
	CHECK(f->s->damaged_batches == 0 && f->s->start == (c->index ? START_INDEX : START_LOG), c->name);
	full_end(f);
}

/// A start on such a disk goes on in the reserve, and says what is wrong where there is none.
static void test_start(void **state)
{
	(void)state;
	static const struct start_case cases[] = {
		{ "index behind", true, true },
		{ "no index", false, true },
		{ "index behind, nothing left", true, false },
		{ "no index, nothing left", false, false },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++)
		start_full(&cases[i]);
}

/// The readers' table of the index has its room on the disk: it is written through a map.
static void test_readers_have_room(void **state)
{
	(void)state;
	struct bed b = bed_make();
	char path[128];
	struct stat st;

	b.conf.readers_max = 1000;
	struct store *s = bed_open(&b);
	snprintf(path, sizeof path, "%s/index/lock.mdb", b.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size >= 1000 * 64 && (off_t)st.st_blocks * 512 >= st.st_size);
	store_close(s);
	bed_remove(&b);
}

/// Fills a file system up, to the last octet.
static void fill(const struct bed *b)
{
	static const uint8_t zeros[4096];
	char path[128];

	snprintf(path, sizeof path, "%s/filler", b->dir);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	close(fd);
}

/// A file system without room in earnest, where this may mount one: the process dies, the index is lost, and the next
/// start reads all the same.
static void test_real_disk(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct full f = { .b = b };
	char path[128];

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("tmpfs", b.dir, "tmpfs", 0, "size=8m")) {
		bed_remove(&b);
		skip();
	}
	f.b.conf.segment_octets = 512 << 10;
	f.s = bed_open(&f.b);
	for (unsigned i = 0; i < ROWS; i += 10)
		assert_int_equal(change_rows(&f, i, 10, false), E_OK);
	bed_crash(f.s);
	index_path(&f, "data.mdb", path);
	assert_int_equal(unlink(path), 0);
	index_path(&f, "lock.mdb", path);
	assert_int_equal(unlink(path), 0);
	fill(&b);
	f.s = bed_open(&f.b);
	assert_true(has_row(&f, 0) && has_row(&f, ROWS - 1) && f.s->journal.reserves < JOURNAL_RESERVES);
	assert_int_equal(change_rows(&f, 0, 1, true), E_OK);
	assert_true(!has_row(&f, 0));
	store_close(f.s);
	assert_int_equal(umount(b.dir), 0);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_write), cmocka_unit_test(test_no_reserve_for_other_errors),
		cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_start),
		cmocka_unit_test(test_readers_have_room),
		cmocka_unit_test(test_real_disk), // last: it has its own mounts from there on
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
