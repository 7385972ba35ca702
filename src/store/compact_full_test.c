/// compact_full_test — compaction on a disk without any room: it goes on in the room kept for it, gives more than it
/// takes, and whatever is expunged after that finds room again.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#include "store/compact_bed.h"
#include "store/snapshot.h"

static const struct compact_conf any_dead = { .dead_percent = 1 };

/// A disk that holds so many octets of log, and cuts a write short where it gets full in the middle of it.
struct tight {
	pthread_mutex_t lock;
	char log[80];
	uint64_t most; // UINT64_MAX: as many as one likes
	long left;     // changing calls until the process dies
};

static uint64_t octets_of(const char *folder)
{
	uint64_t octets = 0;
	DIR *d = opendir(folder);

	assert_non_null(d);
	for (struct dirent *entry; (entry = readdir(d));) {
		struct stat st;
		if (fstatat(dirfd(d), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			octets += (uint64_t)st.st_size;
	}
	closedir(d);
	return octets;
}

/// Octets that are free; the lock is held.
static uint64_t room_of(const struct tight *d)
{
	uint64_t used = d->most == UINT64_MAX ? 0 : octets_of(d->log);

	return used < d->most ? d->most - used : 0;
}

/// How many octets more a file up to `end` takes.
static uint64_t growth(int fd, uint64_t end)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return end > (uint64_t)st.st_size ? end - (uint64_t)st.st_size : 0;
}

static bool dead(struct tight *d)
{
	return d->left-- <= 0;
}

static ssize_t tight_pwritev(void *arg, int fd, const struct iovec *iov, int n, uint64_t at)
{
	struct tight *d = arg;
	uint64_t octets = 0;
	ssize_t k = -EIO;

	for (int i = 0; i < n; i++)
		octets += iov[i].iov_len;
	pthread_mutex_lock(&d->lock);
	uint64_t more = growth(fd, at + octets), room = room_of(d);
	uint64_t fits = more <= octets + room ? octets + room - more : 0; // 0: a hole in front of it takes all
	struct iovec part = { iov->iov_base, min_size(iov->iov_len, (size_t)fits) };
	if (!dead(d))
		k = more <= room   ? disk_real.pwritev(NULL, fd, iov, n, at)
		    : part.iov_len ? disk_real.pwritev(NULL, fd, &part, 1, at)
		                   : -ENOSPC;
	pthread_mutex_unlock(&d->lock);
	return k;
}

static int tight_fallocate(void *arg, int fd, uint64_t octets)
{
	struct tight *d = arg;
	int rc = -EIO;

	pthread_mutex_lock(&d->lock);
	if (!dead(d))
		rc = growth(fd, octets) <= room_of(d) ? disk_real.fallocate(NULL, fd, octets) : -ENOSPC;
	pthread_mutex_unlock(&d->lock);
	return rc;
}

static bool dead_now(struct tight *d)
{
	pthread_mutex_lock(&d->lock);
	bool is = dead(d);
	pthread_mutex_unlock(&d->lock);
	return is;
}

static int tight_open(void *arg, int dir, const char *name, int flags)
{
	return flags & O_CREAT && dead_now(arg) ? -EIO : disk_real.open(NULL, dir, name, flags);
}
static int tight_ftruncate(void *arg, int fd, uint64_t octets)
{
	return dead_now(arg) ? -EIO : disk_real.ftruncate(NULL, fd, octets);
}
static int tight_unlink(void *arg, int dir, const char *name)
{
	return dead_now(arg) ? -EIO : disk_real.unlink(NULL, dir, name);
}
static int tight_rename(void *arg, int dir, const char *from, const char *to)
{
	return dead_now(arg) ? -EIO : disk_real.rename(NULL, dir, from, to);
}

static int64_t tight_free(void *arg, int dir)
{
	struct tight *d = arg;

	(void)dir;
	pthread_mutex_lock(&d->lock);
	uint64_t room = room_of(d);
	pthread_mutex_unlock(&d->lock);
	return room > INT64_MAX ? INT64_MAX : (int64_t)room;
}

/// A town on a tight disk that has room yet.
static struct town *tight_town(struct tight *d, unsigned seed)
{
	struct town *t = town_new(seed);

	*d = (struct tight){ .most = UINT64_MAX, .left = LONG_MAX };
	pthread_mutex_init(&d->lock, NULL);
	snprintf(d->log, sizeof d->log, "%s/log", t->bed.dir);
	store_close(t->s);
	t->bed.disk = (struct disk){ tight_open, tight_pwritev, unflushed_fdatasync, tight_fallocate, tight_ftruncate,
		tight_unlink, tight_rename, unflushed_fsync_dir, tight_free, d };
	t->s = bed_open(&t->bed);
	return t;
}

/// Not an octet more has room, or all that comes.
static void hold_octets(struct tight *d, bool full)
{
	pthread_mutex_lock(&d->lock);
	d->most = full ? octets_of(d->log) : UINT64_MAX;
	pthread_mutex_unlock(&d->lock);
}

/// Mail of 60 KB in cells 1 and 2 that does not compress, one in `alive` of which still has a row, then the disk is
/// full. All of it is in sealed segments but the last ones.
static void fill_disk(struct town *t, struct tight *d, unsigned messages, unsigned alive)
{
	for (unsigned i = 0; i < messages; i++) {
		unsigned cell = i % alive ? 1 : 2, row = i % alive ? i % 5 : i / alive % TOWN_ROWS;
		t->generation += t->generation % 2;
		assert_int_equal(town_put(t, cell, row, 60000), E_OK);
	}
	hold_octets(d, true);
}

static enum ec run_free(struct cx *cx, struct txn *t, struct job *job)
{
	struct job k = { .arg = job->arg };

	return town_run(cx, t, &k);
}

/// Takes a row away, as an expunge does.
static enum ec expunge(struct town *t, unsigned cell, unsigned row)
{
	struct town_job j = { .cell = cell, .row = row, .what = TOWN_DEL };

	random_octets(&j.op, sizeof j.op);
	enum ec e = store_free(NULL, t->s, false, run_free, &j);
	if (e == E_OK)
		t->rows[cell][row].there = false;
	return e;
}

/// Without room for an octet: what is dead goes, the room kept is there again, and mail comes in again.
static void test_full(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned alive;
	} cases[] = { { "nearly all dead", 30 }, { "half alive", 2 }, { "most alive", 1 } };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct tight d;
		struct town *t = tight_town(&d, 1);
		fill_disk(t, &d, 60, cases[i].alive);
		uint64_t before = octets_of(d.log);
		CHECK(store_room(t->s) == 0, cases[i].name);
		if (cases[i].alive == 1)
			CHECK(expunge(t, 2, 25) == E_OK, cases[i].name);
		struct compact_result r = town_compact(t, &any_dead);
		CHECK(r.segments > 0 && r.octets_gone > r.octets_new, cases[i].name);
		CHECK(octets_of(d.log) == before - r.octets_gone + r.octets_new, cases[i].name);
		CHECK(t->s->spare.octets == t->s->segment_octets, cases[i].name);
		town_same(t);
		if (cases[i].alive > 1)
			CHECK(town_put(t, 3, 1, 3000) == E_OK, cases[i].name);
		town_restart(t, i % 2);
		town_same(t);
		hold_octets(&d, false);
		town_free(t);
	}
}

/// What gives nothing is not done, and what is broken off leaves the room where it was.
static void test_nothing_to_win(void **state)
{
	(void)state;
	static const struct compact_conf all = { .dead_percent = 0 };
	atomic_bool stop = true;
	const struct compact_conf stopped = { .dead_percent = 0, .stop = &stop };
	struct tight d;
	struct town *t = tight_town(&d, 3);
	struct compact_result r = { .packs = 1 };
	struct stat st;

	fill_disk(t, &d, 20, 2);
	int spare = openat(t->s->log_fd, SPARE_NAME, O_RDONLY);
	assert_true(spare >= 0);
	assert_int_equal(compact_run(NULL, t->s, &stopped, &r), E_CANCELED);
	assert_int_equal(fstat(spare, &st), 0);
	assert_true(st.st_nlink == 1 && (uint64_t)st.st_size == t->s->segment_octets); // nobody can take it meanwhile
	close(spare);
	r.packs = 1;
	for (unsigned i = 0; i < 10 && r.packs; i++) {
		enum ec e = compact_run(NULL, t->s, &all, &r);
		assert_true(e == E_OK || (e == E_FULL && r.packs == 0)); // there is one that is larger than the room
		assert_true(r.octets_new <= r.octets_gone);
		hold_octets(&d, true);
	}
	assert_int_equal(r.packs, 0);
	assert_int_equal(t->s->spare.octets, t->s->segment_octets);
	town_same(t);
	hold_octets(&d, false);
	town_free(t);
}

/// A tight disk on which somebody else takes the room that a failed pack leaves, if any.
struct thief {
	struct tight d; // first: its functions get it
	unsigned cuts, names;
	bool fails; // naming a pack
};

static bool is_spare(int fd)
{
	char link[64], path[200] = "";

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof path - 1) > 0 && strstr(path, SPARE_NAME);
}

static int thief_ftruncate(void *arg, int fd, uint64_t octets)
{
	struct thief *thief = arg;
	int rc = tight_ftruncate(arg, fd, octets);

	thief->cuts += is_spare(fd);
	return rc;
}

static int thief_open(void *arg, int dir, const char *name, int flags)
{
	struct thief *thief = arg;

	if (thief->fails && flags & O_CREAT && strcmp(name, SPARE_NAME) == 0)
		hold_octets(&thief->d, true); // too late
	return tight_open(arg, dir, name, flags);
}

static int thief_rename(void *arg, int dir, const char *from, const char *to)
{
	struct thief *thief = arg;

	if (strcmp(from, SPARE_NAME) == 0 && thief->fails)
		return -EIO;
	thief->names += strcmp(from, SPARE_NAME) == 0;
	return tight_rename(arg, dir, from, to);
}

/// The room that compaction keeps is cut only for a pack that takes its place; where that fails it is there again.
static void test_spare_stays(void **state)
{
	(void)state;
	static const struct compact_conf all = { .dead_percent = 0 };
	struct thief thief = { .fails = false };
	struct town *t = tight_town(&thief.d, 3);
	struct compact_result r;
	unsigned none = 0;

	t->bed.disk.open = thief_open;
	t->bed.disk.ftruncate = thief_ftruncate;
	t->bed.disk.rename = thief_rename;
	fill_disk(t, &thief.d, 20, 2);
	for (unsigned i = 0; i < 8; i++) {
		thief.cuts = thief.names = 0;
		thief.fails = i == 0;
		enum ec e = compact_run(NULL, t->s, &all, &r);
		assert_true(i == 0 ? e == E_IO : e == E_OK || e == E_FULL);
		assert_int_equal(thief.cuts, i == 0 ? 1 : thief.names);
		assert_int_equal(t->s->spare.octets, t->s->segment_octets);
		none += r.packs == 0;
	}
	assert_true(none > 1);
	town_same(t);
	hold_octets(&thief.d, false);
	town_free(t);
}

/// With the reserves gone, what little room there is lets expunges go on.
static void test_little_room(void **state)
{
	(void)state;
	struct tight d;
	struct town *t = tight_town(&d, 4);

	fill_disk(t, &d, 10, 1);
	while (journal_give_reserve(&t->s->journal))
		;
	hold_octets(&d, true);
	atomic_store(&t->s->writer.roll, true);
	assert_int_equal(expunge(t, 2, 0), E_FULL);
	d.most += t->s->segment_octets / 8;
	assert_int_equal(expunge(t, 2, 0), E_OK);
	town_same(t);
	hold_octets(&d, false);
	town_free(t);
}

/// A full disk is made empty by expunging alone: no expunge is ever refused.
static void test_empty_it(void **state)
{
	(void)state;
	struct tight d;
	struct town *t = tight_town(&d, 5);

	fill_disk(t, &d, TOWN_ROWS, 1);
	uint64_t before = octets_of(d.log);
	for (unsigned row = 0; row < TOWN_ROWS; row++) {
		assert_int_equal(expunge(t, 2, row), E_OK);
		if (row % 4 == 3) {
			town_compact(t, &any_dead);
			t->s->writer.roll = true; // where there is room, a segment of its own for each few of them
		}
	}
	town_same(t);
	assert_true(octets_of(d.log) < before / 2);
	hold_octets(&d, false);
	town_free(t);
}

/// The process ends at each call that compaction makes in its room: the next start finds everything, and room to go on.
static void test_ends_anywhere(void **state)
{
	(void)state;
	struct compact_result r;
	enum ec e = E_IO;

	for (long n = 0; e != E_OK; n++) {
		struct tight d;
		struct town *t = tight_town(&d, 21);
		fill_disk(t, &d, 30, 4);
		d.left = n;
		e = compact_run(NULL, t->s, &any_dead, &r);
		bed_crash(t->s);
		d.left = LONG_MAX;
		t->s = bed_open(&t->bed);
		town_same(t);
		town_compact(t, &any_dead);
		assert_true(octets_of(d.log) <= d.most && t->s->spare.octets > 0);
		town_same(t);
		assert_int_equal(expunge(t, 2, 0), E_OK);
		town_restart(t, n % 2);
		town_same(t);
		hold_octets(&d, false);
		town_free(t);
		assert_true(n < 200);
	}
}

static void limit_to(rlim_t octets)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
	r.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/// Makes the index longer than any other file will be, so that a limit of files' lengths is met by it alone.
static off_t grow_index(struct town *t)
{
	char path[128];
	struct stat st;

	for (unsigned i = 0; i < 600; i++) {
		struct sl value = bed_octets(8000, i);
		struct put p = { .id = { 9, i + 1 }, .key = SL("k"), .value = value };
		assert_int_equal(store_do(NULL, t->s, false, put_run, &p), E_OK);
		sl_free(value);
	}
	assert_int_equal(snapshot_take(NULL, t->s), E_OK); // none is due for a time
	snprintf(path, sizeof path, "%s/index/data.mdb", t->bed.dir);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/// A message is in the log and its sender has his answer, while the index has no room to know of it: no row names the
/// body, and it must not go.
static void test_index_behind(void **state)
{
	(void)state;
	struct town *t = town_new(3);
	struct compact_result r;
	struct store_stats stats = { .read_only = true };

	signal(SIGXFSZ, SIG_IGN);
	t->s->hold_ms = 50;
	rlim_t octets = (rlim_t)grow_index(t);
	limit_to(octets - (rlim_t)8 * 4096);
	assert_int_equal(town_put(t, 1, 1, 1300000), E_OK);
	uint32_t segment = (uint32_t)(t->rows[1][1].ref.at >> 32);
	assert_true(!bulk_is_open(&t->s->bulk, segment) && atomic_load(&t->s->writer.turn) % 2);
	assert_int_equal(compact_run(NULL, t->s, &any_dead, &r), E_TEMP);
	assert_int_equal(r.segments, 0);
	limit_to(RLIM_INFINITY);
	for (int i = 0; i < 10000 && stats.read_only; i++) {
		usleep(1000);
		store_get_stats(t->s, &stats);
	}
	assert_false(stats.read_only);
	town_same(t);
	town_compact(t, &any_dead);
	town_same(t);
	town_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nothing_to_win),
		cmocka_unit_test(test_spare_stays),
		cmocka_unit_test(test_little_room),
		cmocka_unit_test(test_empty_it),
		cmocka_unit_test(test_ends_anywhere),
		cmocka_unit_test(test_index_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
