/// snapshot_test — what a start goes on from, after every kind of end.
#include "store/snapshot.h"

#include <errno.h>

#include "store/state.h"
#include "store/testbed.h"

static const struct cell_id cell = { 1, 7 };

static void put(struct store *s, struct cell_id id, uint64_t expect, struct sl value)
{
	struct put p = { id, expect, 0, SL("k"), value, SL("head"), .outcome = SL("") };

	assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
}

/// As if the machine had gone down and come up again since.
static void forget_boot(struct bed *b)
{
	struct state st = { .boot = "another boot" };
	int dir = open(b->dir, O_RDONLY | O_DIRECTORY);

	assert_int_equal(state_write(NULL, &b->disk, dir, &st), E_OK);
	close(dir);
}

static void path_of(const struct bed *b, const char *name, char out[static 128])
{
	snprintf(out, 128, "%s/%s", b->dir, name);
}

/// Changes one octet in the middle of a file.
static void damage(const struct bed *b, const char *name)
{
	char path[128];
	uint8_t octet;

	path_of(b, name, path);
	int fd = open(path, O_RDWR);
	off_t at = lseek(fd, 0, SEEK_END) / 2;
	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= 0x55;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

static void drop(const struct bed *b, const char *name)
{
	char path[128];

	path_of(b, name, path);
	assert_int_equal(unlink(path), 0);
}

static void copy(const struct bed *from, const struct bed *to, const char *name)
{
	char a[128], b[128], command[300];

	path_of(from, name, a);
	path_of(to, name, b);
	snprintf(command, sizeof command, "cp %s %s", a, b);
	assert_int_equal(system(command), 0);
}

static const char snap1[] = "snapshot/0000000000000001.mdb", snap2[] = "snapshot/0000000000000002.mdb";

enum end { CLEAN, KILLED, MACHINE };
enum harm {
	NONE = 0,
	NO_INDEX = 1 << 0,
	INDEX_DAMAGED = 1 << 1,
	SNAP1 = 1 << 2, // damaged
	SNAP2 = 1 << 3,
	LOG_CUT = 1 << 4, // what was written after the second snapshot is lost
	OTHER_INDEX = 1 << 5,
	OTHER_SNAPS = 1 << 6,
	REBUILD = 1 << 7, // the operator wants it
};

static const struct {
	const char *name;
	enum end end;
	unsigned harm;
	enum store_start want;
} ends[] = {
	{ "clean", CLEAN, NONE, START_INDEX },
	{ "killed", KILLED, NONE, START_INDEX },
	{ "machine down", MACHINE, NONE, START_SNAPSHOT },
	{ "index missing", CLEAN, NO_INDEX, START_SNAPSHOT },
	{ "index missing, killed", KILLED, NO_INDEX, START_SNAPSHOT },
	{ "index damaged", KILLED, INDEX_DAMAGED, START_SNAPSHOT },
	{ "index ahead of the log", KILLED, LOG_CUT, START_SNAPSHOT },
	{ "newest snapshot damaged", MACHINE, SNAP2, START_SNAPSHOT },
	{ "both snapshots damaged", MACHINE, SNAP1 | SNAP2, START_LOG },
	{ "nothing but the log", CLEAN, NO_INDEX | SNAP1 | SNAP2, START_LOG },
	{ "index of another store", KILLED, OTHER_INDEX, START_SNAPSHOT },
	{ "snapshots of another store", MACHINE, OTHER_SNAPS, START_LOG },
	{ "rebuild wanted", CLEAN, REBUILD, START_LOG },
};

/// Three values, a snapshot after each of the first two. out: *cut — where the log stood at the second snapshot.
static void fill(struct bed *b, enum end end, uint64_t *cut)
{
	struct store *s = bed_open(b);

	put(s, cell, 0, SL("one"));
	assert_int_equal(snapshot_take(NULL, s), E_OK);
	put(s, cell, 1, SL("two"));
	assert_int_equal(snapshot_take(NULL, s), E_OK);
	*cut = s->journal.end.at;
	put(s, cell, 2, SL("three"));
	if (end == CLEAN)
		store_close(s);
	else
		bed_crash(s);
	if (end == MACHINE)
		forget_boot(b);
}

static void harm(struct bed *b, const struct bed *other, unsigned what, uint64_t cut)
{
	char path[128];

	if (what & NO_INDEX)
		drop(b, "index/data.mdb");
	path_of(b, "index/data.mdb", path);
	if (what & INDEX_DAMAGED)
		assert_int_equal(truncate(path, 100), 0);
	if (what & SNAP1)
		damage(b, snap1);
	if (what & SNAP2)
		damage(b, snap2);
	path_of(b, "log/00000001.seg", path);
	if (what & LOG_CUT)
		assert_int_equal(truncate(path, (off_t)cut), 0);
	if (what & OTHER_INDEX)
		copy(other, b, "index/data.mdb");
	path_of(b, "rebuild", path);
	if (what & REBUILD)
		close(open(path, O_CREAT | O_WRONLY, 0600));
	if (what & OTHER_SNAPS) {
		copy(other, b, snap1);
		copy(other, b, snap2);
	}
}

static size_t count(const struct store *s)
{
	struct snapshot list[SNAPSHOTS_KEPT];
	size_t n = 0;

	assert_int_equal(snapshot_list(NULL, s, list, &n), E_OK);
	return n;
}

static void test_ends(void **state)
{
	(void)state;
	uint64_t cut;
	struct bed other = bed_make();

	fill(&other, KILLED, &cut);
	for (size_t i = 0; i < ARRAY_N(ends); i++) {
		struct bed b = bed_make();
		fill(&b, ends[i].end, &cut);
		harm(&b, &other, ends[i].harm, cut);
		for (int round = 0; round < 2; round++) { // what the first start left is good for a second
			struct store *s = bed_open(&b);
			if (round == 0)
				CHECK(s->start == ends[i].want, ends[i].name);
			CHECK(count(s) == (ends[i].harm & REBUILD ? 0 : 2), ends[i].name);
			CHECK(has(s, cell, ends[i].harm & LOG_CUT ? SL("two") : SL("three")), ends[i].name);
			if (round == 0)
				put(s, (struct cell_id){ 1, 8 }, 0, SL("more"));
			else
				CHECK(has(s, (struct cell_id){ 1, 8 }, SL("more")) && s->start == START_INDEX,
					ends[i].name);
			store_close(s);
		}
		bed_remove(&b);
	}
	bed_remove(&other);
}

/// A copy of the whole folder went its own way for a while: its index and its snapshots, put into the other one, are
/// of another log, though both have as many batches, in the same places.
static void test_parted(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		struct bed b = bed_make(), other = bed_make();
		char command[300];
		uint64_t cut;
		fill(&b, CLEAN, &cut);
		snprintf(command, sizeof command, "cp -a %s/. %s", b.dir, other.dir);
		assert_int_equal(system(command), 0);
		struct store *s = bed_open(&other);
		put(s, cell, 3, SL("thine"));
		put(s, (struct cell_id){ 2, 9 }, 0, SL("none"));
		assert_int_equal(snapshot_take(NULL, s), E_OK); // the third
		store_close(s);
		s = bed_open(&b);
		put(s, cell, 3, SL("yours"));
		put(s, (struct cell_id){ 2, 8 }, 0, SL("more"));
		if (what == 2)
			bed_crash(s);
		else
			store_close(s);
		if (what == 2)
			forget_boot(&b);
		if (what != 1)
			copy(&other, &b, "index/data.mdb");
		else
			drop(&b, "index/data.mdb");
		if (what > 0)
			copy(&other, &b, "snapshot/0000000000000003.mdb");
		for (int round = 0; round < 2; round++) {
			s = bed_open(&b);
			assert_int_equal(s->start, round ? START_INDEX : START_SNAPSHOT); // one from before they parted
			assert_true(has(s, cell, SL("yours")) && has(s, (struct cell_id){ 2, 8 }, SL("more")));
			assert_false(has(s, (struct cell_id){ 2, 9 }, SL("none")));
			store_close(s);
		}
		bed_remove(&b);
		bed_remove(&other);
	}
}

/// The newest two are kept, and what a crash left of a third is replaced.
static void test_kept(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct snapshot list[SNAPSHOTS_KEPT];
	char path[128];
	size_t n = 0;

	assert_int_equal(snapshot_list(NULL, s, list, &n), E_OK);
	assert_int_equal(n, 0);
	path_of(&b, "snapshot/copy.new", path);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "left behind", 11), 11);
	close(fd);
	for (uint64_t i = 0; i < 4; i++) {
		put(s, cell, i, SL("v"));
		assert_int_equal(snapshot_take(NULL, s), E_OK);
	}
	assert_int_equal(snapshot_list(NULL, s, list, &n), E_OK);
	assert_true(n == 2 && list[0].number == 4 && list[1].number == 3);
	assert_true(list[0].lsn == 4 && list[0].segment == 1 && list[0].made_s > 0);
	path_of(&b, snap2, path);
	assert_int_equal(access(path, F_OK), -1);
	path_of(&b, "snapshot/copy.new", path);
	assert_int_equal(access(path, F_OK), -1);
	store_close(s);
	bed_remove(&b);
}

static int no_flush(void *arg, int fd)
{
	(void)arg, (void)fd;
	return -EIO;
}

/// A copy that could not be flushed is no snapshot, and the older ones stay.
static void test_unflushed(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);

	put(s, cell, 0, SL("v"));
	assert_int_equal(snapshot_take(NULL, s), E_OK);
	b.disk.fdatasync = no_flush;
	assert_int_equal(snapshot_take(NULL, s), E_IO);
	b.disk.fdatasync = unflushed_fdatasync;
	assert_int_equal(count(s), 1);
	store_close(s);
	bed_remove(&b);
}

static int64_t little_free(void *arg, int dir)
{
	(void)arg, (void)dir;
	return 64 << 20;
}

/// A disk that is nearly full keeps its room for mail.
static void test_no_room(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);

	b.disk.free_octets = little_free;
	assert_int_equal(snapshot_take(NULL, s), E_FULL);
	b.disk.free_octets = disk_real.free_octets;
	assert_int_equal(snapshot_take(NULL, s), E_OK);
	assert_int_equal(count(s), 1);
	store_close(s);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_parted),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_unflushed),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
