/// compact_test — whatever is compacted, and whenever that ends: what rows name is there, octet for octet.
#include "store/compact_bed.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>

#include <stdatomic.h>

static const struct compact_conf any_dead = { .dead_percent = 1 };

static uint64_t files_octets(const struct town *t)
{
	struct seg_list l;
	uint64_t octets = 0;

	assert_int_equal(seg_list_look(NULL, t->s->log_fd, &l), E_OK);
	for (size_t i = 0; i < l.n; i++)
		octets += l.all[i].size;
	seg_list_free(&l);
	return octets;
}

static void test_rounds(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 3; seed++) {
		struct town *t = town_new(seed);
		struct compact_result r = { 0 };
		for (int round = 0; round < 5; round++) {
			assert_int_equal(town_live(t, 250), E_OK);
			if (round == 2)
				town_drop(t, 3);
			for (unsigned c = 0; c < TOWN_CELLS; c++)
				assert_int_equal(image_write(NULL, t->s, town_cell(c), (round + (int)c) % 2), E_OK);
			r = town_compact(t, &any_dead);
			assert_true(r.damaged == 0 && r.packs > 0 && r.segments > 0 && r.octets_gone > r.octets_new);
			town_same(t);
			town_restart(t, round % 2);
			town_same(t);
		}
		r = town_compact(t, &any_dead); // what start and stop left; then there is nothing to win any more
		uint64_t before = files_octets(t);
		r = town_compact(t, &any_dead);
		assert_true(r.octets_gone <= r.octets_new + SEG_DATA * 4 && files_octets(t) <= before);
		town_free(t);
	}
}

/// Whoever copies the files learns that some may have gone meanwhile.
static void test_hold(void **state)
{
	(void)state;
	struct town *t = town_new(7);
	struct store_held first, again;

	assert_int_equal(town_live(t, 50), E_OK);
	assert_int_equal(store_hold(NULL, t->s, true, &first), E_OK);
	assert_int_equal(store_hold(NULL, t->s, false, &again), E_OK);
	assert_true(again.files == first.files && again.segment == first.segment);
	assert_int_equal(store_hold(NULL, t->s, true, &again), E_OK);
	assert_true(again.files == first.files && again.segment >= first.segment);
	town_restart(t, true);
	assert_int_equal(store_hold(NULL, t->s, false, &again), E_OK);
	assert_true(again.files != first.files);
	town_free(t);
}

static enum ec full_sweep(struct cx *cx, struct store *s)
{
	(void)cx, (void)s;
	return E_FULL;
}

/// A full disk may keep what has had its time from going; it must not keep compaction from making room.
static void test_sweep_fails(void **state)
{
	(void)state;
	struct town *t = town_new(8);
	struct store_compaction done = { 0 };

	store_close(t->s);
	t->bed.conf.keep = true;
	t->bed.conf.sweep = full_sweep;
	t->s = bed_open(&t->bed);
	assert_int_equal(town_live(t, 250), E_OK);
	assert_int_equal(store_compact(NULL, t->s), E_OK);
	while (done.runs == 0)
		store_get_compaction(t->s, &done);
	assert_true(done.result == E_OK && done.segments > 0);
	town_same(t);
	town_free(t);
}

struct reading_thread {
	struct town *t;
	atomic_bool stop;
	atomic_uint_least64_t read;
	pthread_t thread;
};

static void *read_on(void *arg)
{
	struct reading_thread *r = arg;
	struct town *t = r->t;

	for (unsigned i = 0; !atomic_load(&r->stop); i++) {
		const struct town_row *row = &t->rows[i % TOWN_CELLS][i / TOWN_CELLS % TOWN_ROWS];
		if (!row->there)
			continue;
		struct sl want = town_octets(row);
		assert_int_equal(bed_same_body(t->s, row->ref, want), E_OK);
		sl_free(want);
		atomic_fetch_add(&r->read, 1);
	}
	return NULL;
}

/// Readers never notice.
static void test_readers(void **state)
{
	(void)state;
	struct town *t = town_new(9);
	struct reading_thread r = { .t = t };

	assert_int_equal(town_live(t, 400), E_OK);
	assert_int_equal(pthread_create(&r.thread, NULL, read_on, &r), 0);
	for (unsigned i = 0; i < 3; i++) {
		town_compact(t, &any_dead);
		t->bed.conf.segment_octets += 4096;
	}
	while (atomic_load(&r.read) < 100)
		sched_yield();
	atomic_store(&r.stop, true);
	pthread_join(r.thread, NULL);
	town_free(t);
}

/// A disk whose n-th changing call from now on fails, and all behind it.
struct dying {
	struct disk real;
	atomic_long left;
};

static bool dies(void *arg)
{
	struct dying *d = arg;

	return atomic_fetch_sub(&d->left, 1) <= 0;
}
static int dying_open(void *arg, int dir, const char *name, int flags)
{
	struct dying *d = arg;
	return flags & O_CREAT && dies(arg) ? -EIO : d->real.open(NULL, dir, name, flags);
}
static ssize_t dying_pwritev(void *arg, int fd, const struct iovec *iov, int n, uint64_t at)
{
	struct dying *d = arg;
	return dies(arg) ? -EIO : d->real.pwritev(NULL, fd, iov, n, at);
}
static int dying_fdatasync(void *arg, int fd)
{
	struct dying *d = arg;
	return dies(arg) ? -EIO : d->real.fdatasync(NULL, fd);
}
static int dying_unlink(void *arg, int dir, const char *name)
{
	struct dying *d = arg;
	return dies(arg) ? -EIO : d->real.unlink(NULL, dir, name);
}
static int dying_rename(void *arg, int dir, const char *from, const char *to)
{
	struct dying *d = arg;
	return dies(arg) ? -EIO : d->real.rename(NULL, dir, from, to);
}
static int dying_fsync_dir(void *arg, int dir)
{
	struct dying *d = arg;
	return dies(arg) ? -EIO : d->real.fsync_dir(NULL, dir);
}

static struct disk disk_dying(struct dying *d)
{
	d->real = disk_unflushed();
	atomic_store(&d->left, LONG_MAX);
	struct disk disk = d->real;
	disk.open = dying_open;
	disk.pwritev = dying_pwritev;
	disk.fdatasync = dying_fdatasync;
	disk.unlink = dying_unlink;
	disk.rename = dying_rename;
	disk.fsync_dir = dying_fsync_dir;
	disk.arg = d;
	return disk;
}

/// The process ends at each change of a file that compaction makes; the next start finds everything, by its index
/// and by the segments alone.
static void test_ends_anywhere(void **state)
{
	(void)state;
	struct compact_result r;
	enum ec e = E_IO;

	for (long n = 0; e != E_OK; n++) {
		struct town *t = town_new(21);
		struct dying d;
		assert_int_equal(town_live(t, 120), E_OK);
		store_close(t->s);
		struct disk disk = disk_dying(&d);
		t->s = bed_open_on(&t->bed, &disk);
		assert_int_equal(town_put(t, 0, 0, 100), E_OK); // so that what is before is applied and sealed
		atomic_store(&d.left, n);
		e = compact_run(NULL, t->s, &any_dead, &r);
		bed_crash(t->s);
		t->s = bed_open(&t->bed);
		town_same(t);
		assert_int_equal(town_live(t, 5), E_OK);
		town_restart(t, true);
		town_same(t);
		town_compact(t, &any_dead);
		town_restart(t, n % 2);
		town_same(t);
		town_free(t);
		assert_true(n < 200);
	}
}

/// A cell that came and went in the oldest segment stays away, though its commits' outcomes are kept for a time.
static void test_drop_in_the_oldest(void **state)
{
	(void)state;
	struct town *t = town_new(8);

	assert_int_equal(town_put(t, 2, 1, 300), E_OK);
	assert_int_equal(town_put(t, 2, 2, 300), E_OK);
	town_drop(t, 2);
	for (int i = 0; i < 30; i++)
		assert_int_equal(town_put(t, 1, 1, 30000), E_OK);
	assert_true(town_compact(t, &any_dead).packs > 0);
	town_restart(t, true);
	town_same(t);
	town_free(t);
}

/// Damage in a segment: it is left alone, and the others are compacted.
static void test_damage(void **state)
{
	(void)state;
	struct town *t = town_new(5);
	char path[128];
	uint8_t octet = 0xff;

	assert_int_equal(town_live(t, 300), E_OK);
	struct town_row *row = &t->rows[2][7];
	assert_int_equal(town_put(t, 2, 7, 3000), E_OK);
	for (int i = 0; i < 40; i++)
		assert_int_equal(town_put(t, 1, 1, 30000), E_OK);
	snprintf(path, sizeof path, "%s/log/%08x.seg", t->bed.dir, (unsigned)(row->ref.at >> 32));
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)(uint32_t)row->ref.at + REC_HEAD + 100), 1);
	close(fd);
	struct compact_result r = town_compact(t, &any_dead);
	assert_true(r.damaged == 1 && r.segments > 0);
	assert_int_equal(access(path, F_OK), 0);
	struct sl want = town_octets(row);
	assert_int_equal(bed_same_body(t->s, row->ref, want), E_CORRUPT);
	sl_free(want);
	assert_int_equal(town_put(t, 2, 7, 0), E_OK); // nobody needs it any more
	town_same(t);
	r = town_compact(t, &any_dead);
	assert_int_equal(r.damaged, 0);
	assert_int_equal(access(path, F_OK), -1);
	town_free(t);
}

/// Says in the header of every segment that it was made so much later.
static void make_later(const struct town *t, uint64_t by_s)
{
	struct seg_list l;
	char path[128], name[SEG_NAME];

	assert_int_equal(seg_list_look(NULL, t->s->log_fd, &l), E_OK);
	for (size_t i = 0; i < l.n; i++) {
		l.all[i].head.made_s += by_s;
		seg_name(l.all[i].head.id, name);
		snprintf(path, sizeof path, "%s/log/%s", t->bed.dir, name);
		int fd = open(path, O_RDWR);
		assert_int_equal(segfile_write_head(NULL, t->s->disk, fd, &l.all[i].head), E_OK);
		close(fd);
	}
	seg_list_free(&l);
}

/// The clock was years ahead and was set right: what was written by then does not wait until it is that late again.
static void test_clock_set_back(void **state)
{
	(void)state;
	static const struct compact_conf cool = { .dead_percent = 1, .cool_s = 3600 };
	struct town *t = town_new(9);
	struct compact_result r;

	assert_int_equal(town_live(t, 300), E_OK);
	assert_int_equal(compact_run(NULL, t->s, &cool, &r), E_OK);
	assert_int_equal(r.packs, 0); // all of it is of this hour
	make_later(t, 10ull * 365 * 24 * 3600);
	assert_int_equal(compact_run(NULL, t->s, &cool, &r), E_OK);
	assert_true(r.packs > 0 && r.damaged == 0 && r.octets_gone > r.octets_new);
	town_same(t);
	town_restart(t, true);
	town_same(t);
	town_free(t);
}

/// A stream that is under way keeps its segment, also where nothing in it is named any more.
static void test_streams(void **state)
{
	(void)state;
	struct town *t = town_new(7);
	struct town_row row = { .there = true, .seed = 11, .octets = 3 << 20 };
	struct town_job j = { .cell = 1, .row = 3, .what = TOWN_PUT };
	struct sl body = town_octets(&row);

	t->bed.conf.segment_octets = 8 << 20;
	town_restart(t, false);
	assert_int_equal(town_put(t, 1, 1, 2 << 20), E_OK); // its segment waits for the next stream
	assert_int_equal(town_put(t, 1, 1, 0), E_OK);
	assert_int_equal(town_live(t, 60), E_OK);
	town_compact(t, &any_dead);
	assert_int_equal(blob_new(NULL, t->s, &j.blob), E_OK);
	assert_int_equal(blob_add(NULL, j.blob, sl_head(body, 2 << 20)), E_OK);
	town_compact(t, &any_dead);
	assert_int_equal(blob_add(NULL, j.blob, sl_from(body, 2 << 20)), E_OK);
	assert_int_equal(store_do(NULL, t->s, true, town_run, &j), E_OK);
	town_compact(t, &any_dead);
	blob_free(j.blob);
	row.ref = j.ref;
	t->rows[1][3] = row;
	town_same(t);
	town_restart(t, true);
	town_same(t);
	town_compact(t, &any_dead);
	town_same(t);
	sl_free(body);
	town_free(t);
}

/// A store that cannot say what its rows name is never compacted.
static void test_unknown_rows(void **state)
{
	(void)state;
	struct town *t = town_new(6);
	struct compact_result r;

	assert_int_equal(town_live(t, 100), E_OK);
	t->s->bodies = NULL;
	assert_int_equal(compact_run(NULL, t->s, &any_dead, &r), E_UNSUPPORTED);
	assert_int_equal(r.segments, 0);
	town_same(t);
	town_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_sweep_fails),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_ends_anywhere),
		cmocka_unit_test(test_drop_in_the_oldest),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_unknown_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
