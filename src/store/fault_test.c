/// fault_test — stores on failing and full disks: each call fails in turn, all fail from one on, and what heals.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "store/compact.h"
#include "store/fault_bed.h"
#include "store/state.h"

enum { STEPS = 9 };

/// Lazy and durable commits, a body in the log and one in bulk. acked[i]: step i was answered E_OK.
static void script(struct store *s, bool acked[static STEPS], struct body_ref refs[static STEPS])
{
	struct sl body = bed_octets(3000, 1), big = bed_octets(BLOB_INLINE_MAX + 5000, 2);

	for (unsigned i = 0; i < STEPS; i++) {
		struct put p = { { 3, i }, 0, 0, SL("k"), SL("v"), SL("h"), .outcome = SL("") };
		enum ec e = i % 4 == 3 ? blob_new(NULL, s, &p.blob) : E_OK;
		if (e == E_OK && p.blob)
			e = blob_add(NULL, p.blob, i == 3 ? body : big);
		if (e == E_OK)
			e = store_do(NULL, s, i % 2, put_run, &p);
		blob_free(p.blob);
		acked[i] = e == E_OK;
		refs[i] = p.ref;
	}
	sl_free(body);
	sl_free(big);
}

/// All that was acknowledged is there, with its bodies.
static void check_script(
	struct store *s, const bool acked[static STEPS], const struct body_ref refs[static STEPS], const char *name)
{
	struct sl body = bed_octets(3000, 1), big = bed_octets(BLOB_INLINE_MAX + 5000, 2);

	CHECK(s->damaged_batches == 0, name);
	for (unsigned i = 0; i < STEPS; i++) {
		struct view *v;
		uint64_t version = 0;
		struct sl head = SL("h"), value;
		assert_int_equal(view_open(NULL, s, &v), E_OK);
		enum ec e = cell_head(NULL, v, (struct cell_id){ 3, i }, &version, &head);
		CHECK(e == E_OK || (e == E_NOTFOUND && !acked[i]), name);
		CHECK(e || (sl_eq(head, SL("h")) &&
				   cell_get(NULL, v, (struct cell_id){ 3, i }, SL("k"), &value) == E_OK),
			name);
		view_close(v);
		if (acked[i] && i % 4 == 3)
			CHECK(bed_same_body(s, refs[i], i == 3 ? body : big) == E_OK, name);
	}
	sl_free(body);
	sl_free(big);
}

static void fault_run(const struct bad_disk *how, unsigned *calls, bool close_it)
{
	struct bed b = bed_make();
	struct bad_disk bad = *how;
	struct disk disk = bad_disk_over(&bad);
	struct store *s = NULL;
	bool acked[STEPS] = { 0 };
	struct body_ref refs[STEPS] = { 0 };
	char name[64];

	snprintf(name, sizeof name, "calls %u to %u, errno %d", bad.fail_from, bad.fail_to, bad.err);
	b.conf.segment_octets = 10 << 10;
	b.conf.flush_lazy_ms = 60000;
	b.conf.dir = sl_cstr(b.dir);
	enum ec e = store_open_on(NULL, &b.conf, &disk, &s);
	CHECK(e == E_OK || bad.calls >= bad.fail_from, name);
	if (e == E_OK) {
		script(s, acked, refs);
		unsigned lost = 0;
		for (unsigned i = 0; i < STEPS; i++)
			lost += !acked[i];
		CHECK(bad.fail_from != bad.fail_to || lost <= 1, name); // one failed call costs at most its own body
		*calls = bad_calls(&bad);
		if (close_it)
			store_close(s);
		else
			bed_crash(s);
	} else {
		*calls = bad.calls;
	}
	for (int round = 0; round < 2; round++) {
		if (round)
			no_index(&b);
		s = bed_open(&b);
		check_script(s, acked, refs, name);
		store_close(s);
	}
	bed_remove(&b);
}

/// Every single call of the script fails, in every manner; nothing acknowledged is lost and the store goes on.
static void test_each_call_fails(void **state)
{
	(void)state;
	static const struct bad_disk how[] = { { .err = EIO }, { .err = ENOSPC }, { .err = EIO, .cut = true } };

	for (size_t h = 0; h < ARRAY_N(how); h++) {
		unsigned calls = UINT32_MAX;
		for (unsigned n = 1; n <= calls; n++) {
			struct bad_disk d = how[h];
			unsigned made = 0;
			pthread_mutex_init(&d.lock, NULL);
			d.fail_from = d.fail_to = n;
			fault_run(&d, &made, n % 2);
			calls = made >= n ? calls : n; // the script was over before call n
			if (made < n)
				break;
		}
	}
}

/// Every call from the n-th on fails.
static void test_all_calls_fail(void **state)
{
	(void)state;

	for (unsigned n = 1; n < 100; n += 3) {
		struct bad_disk d = { .err = n % 2 ? EIO : ENOSPC, .fail_from = n, .fail_to = UINT32_MAX };
		unsigned made;
		pthread_mutex_init(&d.lock, NULL);
		fault_run(&d, &made, n % 4 == 0);
	}
}

/// A disk that fails for a while: refused meanwhile, read as ever, healed by itself, lazy commits not lost.
static void test_heals(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct bad_disk bad = { .err = EIO };
	struct store_stats st;

	pthread_mutex_init(&bad.lock, NULL);
	struct disk disk = bad_disk_over(&bad);
	b.conf.flush_lazy_ms = 60000;
	struct store *s = bed_open_on(&b, &disk);
	struct put p = { cell_a, 0, 0, SL("k"), SL("lazy"), .outcome = SL("") };
	assert_int_equal(store_do(NULL, s, false, put_run, &p), E_OK);
	bad_from_now(&bad, 1, false);
	struct put q = { cell_b, 0, 0, SL("k"), SL("refused"), .outcome = SL("") };
	assert_int_equal(store_do(NULL, s, true, put_run, &q), E_TEMP);
	store_get_stats(s, &st);
	assert_true(st.read_only);
	assert_true(has(s, cell_a, SL("lazy")) && !has(s, cell_b, SL("refused")));
	pthread_mutex_lock(&bad.lock);
	bad.fail_to = 0;
	pthread_mutex_unlock(&bad.lock);
	enum ec e = E_TEMP;
	for (int i = 0; i < 200 && e == E_TEMP; i++) {
		usleep(50000);
		e = store_do(NULL, s, true, put_run, &q);
	}
	assert_int_equal(e, E_OK);
	store_get_stats(s, &st);
	assert_false(st.read_only);
	bed_crash(s);
	no_index(&b);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("lazy")) && has(s, cell_b, SL("refused")) && s->damaged_batches == 0);
	store_close(s);
	bed_remove(&b);
}

static void other_boot(const struct bed *b)
{
	struct state st = { .boot = "another boot" };
	int dir = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(state_write(NULL, &disk_real, dir, &st), E_OK);
	close(dir);
}

/// After a stop of the machine versions are raised, also where the first start does not come to its end.
static void test_raise(void **state)
{
	(void)state;
	const uint64_t step = 1 << 20;

	for (unsigned n = 1, failed = 1; failed; n++) {
		struct bed b = bed_make();
		struct bad_disk bad = { .err = EIO, .fail_from = n, .fail_to = UINT32_MAX };
		struct disk disk = bad_disk_over(&bad);
		struct put p = { cell_a, 0, 0, SL("k"), SL("v"), .outcome = SL("") };
		struct store *s = bed_open(&b);
		char name[32];
		snprintf(name, sizeof name, "call %u", n);
		pthread_mutex_init(&bad.lock, NULL);
		assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
		CHECK(store_version_raise(s) == 0, name);
		bed_crash(s);
		s = bed_open(&b);
		CHECK(store_version_raise(s) == 0, name); // only the process died
		bed_crash(s);
		other_boot(&b);
		failed = store_open_on(NULL, &b.conf, &disk, &s) != E_OK;
		if (!failed) {
			CHECK(store_version_raise(s) == step, name);
			bed_crash(s);
		}
		s = bed_open(&b);
		uint64_t raise = store_version_raise(s);
		CHECK(raise == step || (failed && raise == 2 * step), name);
		store_close(s);
		s = bed_open(&b);
		CHECK(store_version_raise(s) == raise && has(s, cell_a, SL("v")), name);
		store_close(s);
		bed_remove(&b);
	}
}

struct waiting_job {
	struct job job;
	struct put put;
	_Atomic int answer; // -1 until there is one
};

static void note_answer(struct job *job, enum ec e)
{
	((struct waiting_job *)job)->answer = (int)e;
}

static enum ec submit(struct store *s, struct waiting_job *w)
{
	w->answer = -1;
	w->job.run = put_run;
	w->job.done = note_answer;
	w->job.arg = &w->put;
	store_submit(s, &w->job);
	while (w->answer < 0)
		usleep(200);
	return (enum ec)w->answer;
}

static _Atomic bool disk_is_full;

static int full_fallocate(void *arg, int fd, uint64_t octets)
{
	return disk_is_full ? -ENOSPC : disk_real.fallocate(arg, fd, octets);
}

static int64_t full_free(void *arg, int dir)
{
	return disk_is_full ? 0 : disk_real.free_octets(arg, dir);
}

/// A full disk: bodies and ordinary jobs are refused, jobs that free space go on in the reserve; later all is well.
static void test_full(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();

	disk.fallocate = full_fallocate;
	disk.free_octets = full_free;
	disk_is_full = false;
	b.conf.segment_octets = 32 << 10;
	struct store *s = bed_open_on(&b, &disk);
	struct sl filling = bed_octets(30000, 3);
	struct waiting_job w = { .put = { cell_a, 0, 0, SL("k"), filling, .outcome = SL("") },
		.job = { .durable = true } };
	assert_int_equal(submit(s, &w), E_OK);
	disk_is_full = true; // the next batch needs a new segment
	w.put = (struct put){ cell_a, 1, 0, SL("k"), SL("more"), .outcome = SL("") };
	assert_int_equal(submit(s, &w), E_FULL);
	w.job.frees = true;
	assert_int_equal(submit(s, &w), E_OK);
	w.job.frees = false;
	w.put.expect = 2;
	assert_int_equal(submit(s, &w), E_FULL); // the reserve is not for this
	disk_is_full = false;
	enum ec e = E_FULL;
	for (int i = 0; i < 200 && e == E_FULL; i++) {
		usleep(50000);
		e = submit(s, &w);
	}
	assert_int_equal(e, E_OK);
	bed_crash(s);
	no_index(&b);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("more")) && s->damaged_batches == 0);
	store_close(s);
	sl_free(filling);
	bed_remove(&b);
}

/// On a disk with less room than a segment a backup cannot seal the present one: it is told so, and nobody else is.
static void test_hold_without_room(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();
	struct waiting_job w = { .put = { cell_a, 0, 0, SL("k"), SL("v"), .outcome = SL("") } };
	struct store_held held = { 0 };

	disk.fallocate = full_fallocate;
	disk_is_full = false;
	struct store *s = bed_open_on(&b, &disk);
	assert_int_equal(submit(s, &w), E_OK);
	disk_is_full = true;
	uint32_t segment = s->journal.head.id;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_hold(NULL, s, true, &held), E_FULL);
		w.put.expect++;
		atomic_store(&s->writer.roll, i == 1); // or a job in the same batch as who asks for it
		assert_int_equal(submit(s, &w), E_OK);
	}
	assert_true(s->journal.head.id == segment && s->journal.reserves == JOURNAL_RESERVES);
	disk_is_full = false;
	assert_int_equal(store_hold(NULL, s, true, &held), E_OK);
	assert_true(s->journal.head.id > segment);
	w.put = (struct put){ cell_a, 4, 0, SL("k"), SL("last"), .outcome = SL("") };
	assert_int_equal(submit(s, &w), E_OK);
	bed_crash(s);
	no_index(&b);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("last")) && s->damaged_batches == 0);
	store_close(s);
	bed_remove(&b);
}

static _Atomic bool reserve_given;

static int full_unlink(void *arg, int dir, const char *name)
{
	struct stat st = { 0 };
	bool reserve = sl_starts(sl_cstr(name), SL("reserve-")) && fstatat(dir, name, &st, 0) == 0;

	reserve_given |= reserve && st.st_size > 0; // one that could not be made has nothing to give
	return disk_real.unlink(arg, dir, name);
}

/// Without room, not even for the state file, until a reserve was given up.
static int full_open(void *arg, int dir, const char *name, int flags)
{
	bool room = !disk_is_full || reserve_given;

	return room || strcmp(name, "state.new") != 0 ? disk_real.open(arg, dir, name, flags) : -ENOSPC;
}

/// A store starts on a full disk: the reserve of the run before has room for its segment and its state.
static void test_full_start(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();
	struct waiting_job w = { .put = { cell_a, 0, 0, SL("k"), SL("v"), .outcome = SL("") },
		.job = { .durable = true, .frees = true } };

	disk.open = full_open;
	disk.unlink = full_unlink;
	disk.fallocate = full_fallocate;
	disk.free_octets = full_free;
	disk_is_full = false;
	for (int round = 0; round < 2; round++) {
		struct store *s = bed_open_on(&b, &disk);
		assert_int_equal(s->journal.reserves, JOURNAL_RESERVES);
		if (round)
			store_close(s);
		else
			bed_crash(s);
		reserve_given = false;
		disk_is_full = true;
		s = bed_open_on(&b, &disk);
		assert_int_equal(s->journal.reserves, JOURNAL_RESERVES - 2); // one each
		assert_int_equal(submit(s, &w), E_OK);
		assert_true(has(s, cell_a, SL("v")));
		w.put.expect++;
		store_close(s);
		disk_is_full = false;
	}
	bed_remove(&b);
}

static int no_fallocate(void *arg, int fd, uint64_t octets)
{
	(void)arg, (void)fd, (void)octets;
	return -EIO;
}

/// A start writes into the index before it is done: from then on a stop of the machine is no clean one.
static void test_clean_mark_goes_first(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();
	struct store *s = bed_open(&b);
	struct waiting_job w = { .put = { cell_a, 0, 0, SL("k"), SL("v"), .outcome = SL("") } };
	struct state st;

	assert_int_equal(submit(s, &w), E_OK);
	store_close(s);
	int dir = open(b.dir, O_RDONLY | O_DIRECTORY);
	assert_true(dir >= 0);
	assert_int_equal(state_read(NULL, dir, &st), E_OK);
	assert_true(st.clean);
	disk.fallocate = no_fallocate;
	assert_int_equal(store_open_on(NULL, &b.conf, &disk, &s), E_IO);
	assert_int_equal(state_read(NULL, dir, &st), E_OK);
	assert_false(st.clean);
	s = bed_open(&b);
	assert_int_equal(store_version_raise(s), 0); // the machine is still the same
	assert_int_equal(s->start, START_INDEX);
	store_close(s);
	close(dir);
	bed_remove(&b);
}

/// Nor on a full disk: a reserve makes room for that.
static void test_clean_mark_on_full_disk(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();
	struct state st;

	disk_is_full = false;
	store_close(bed_open(&b));
	int dir = open(b.dir, O_RDONLY | O_DIRECTORY);
	disk.open = full_open;
	disk.unlink = full_unlink;
	disk.fallocate = no_fallocate;
	reserve_given = false;
	disk_is_full = true;
	struct store *s;
	assert_int_equal(store_open_on(NULL, &b.conf, &disk, &s), E_IO);
	assert_int_equal(state_read(NULL, dir, &st), E_OK);
	assert_false(st.clean);
	disk_is_full = false;
	store_close(bed_open(&b));
	close(dir);
	bed_remove(&b);
}

/// So much is free, but for the room kept for compaction.
static _Atomic int64_t free_now;

static int64_t some_free(void *arg, int dir)
{
	struct stat st;

	(void)arg;
	return free_now - (fstatat(dir, SPARE_NAME, &st, 0) == 0 ? st.st_size : 0);
}

/// The room kept for compaction is made of what the disk has above its reserve: neither a start nor compaction makes
/// mail be refused. Where it is refused already, compaction takes what it needs.
static void test_spare_leaves_reserve(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int64_t free_octets;
		uint64_t started, compacted;
	} cases[] = {
		{ "little above the reserve", 110 << 20, 4 << 20, 4 << 20 },
		{ "some", 120 << 20, 8 << 20, 8 << 20 },
		{ "much", 200 << 20, 16 << 20, 16 << 20 },
		{ "low", 90 << 20, 0, 16 << 20 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b = bed_make();
		struct disk disk = disk_unflushed();
		struct compact_conf conf = { .dead_percent = 1 };
		struct compact_result r;
		disk.free_octets = some_free;
		free_now = cases[i].free_octets;
		b.conf.free_min_octets = 100 << 20;
		b.conf.segment_octets = 16 << 20;
		struct store *s = bed_open_on(&b, &disk);
		CHECK(s->spare.octets == cases[i].started, cases[i].name);
		assert_int_equal(compact_run(NULL, s, &conf, &r), E_OK);
		CHECK(s->spare.octets == cases[i].compacted, cases[i].name);
		store_close(s);
		bed_remove(&b);
	}
}

/// Little free space: bodies are refused, but not where they help to free some; changes without bodies go on.
static void test_little_space(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool body, frees;
		enum ec want;
	} cases[] = {
		{ "body", true, false, E_FULL },
		{ "no body", false, false, E_OK },
		{ "body of a job that frees", true, true, E_OK },
	};
	struct bed b = bed_make();
	b.conf.free_min_octets = UINT64_MAX;
	struct store *s = bed_open(&b);

	for (uint64_t i = 0; i < ARRAY_N(cases); i++) {
		struct waiting_job w = { .put = { { 5, i }, 0, 0, SL("k"), SL("v"), .outcome = SL("") } };
		w.put.blob = cases[i].body ? bed_blob(s, SL("body")) : NULL;
		w.job.frees = cases[i].frees;
		CHECK(submit(s, &w) == cases[i].want, cases[i].name);
		blob_free(w.put.blob);
	}
	store_close(s);
	bed_remove(&b);
}

static unsigned log_files(const struct bed *b)
{
	char path[128];
	unsigned n = 0;

	snprintf(path, sizeof path, "%s/log", b->dir);
	DIR *d = opendir(path);
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/// Little free space ends streams too, from the first octet that would leave memory on.
static void test_little_space_stream(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t before, after; // octets before and after the space is gone
		enum ec want;
	} cases[] = {
		{ "small", 0, 1000, E_OK },
		{ "as much as stays in memory", 0, BLOB_INLINE_MAX, E_OK },
		{ "large", 0, BLOB_INLINE_MAX + 1, E_FULL },
		{ "under way", BLOB_INLINE_MAX + 100, BLOB_INLINE_MAX, E_FULL },
	};
	struct bed b = bed_make();
	struct disk disk = disk_unflushed();
	struct sl octets = bed_octets(2 * BLOB_INLINE_MAX, 4);

	disk.free_octets = full_free;
	disk_is_full = false;
	struct store *s = bed_open_on(&b, &disk);
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct blob *blob;
		disk_is_full = false;
		assert_int_equal(blob_new(NULL, s, &blob), E_OK);
		CHECK(blob_add(NULL, blob, sl_head(octets, cases[i].before)) == E_OK, cases[i].name);
		unsigned files = log_files(&b);
		disk_is_full = true;
		CHECK(blob_add(NULL, blob, sl_head(octets, cases[i].after)) == cases[i].want, cases[i].name);
		CHECK(log_files(&b) == files, cases[i].name);
		blob_free(blob);
	}
	store_close(s);
	sl_free(octets);
	bed_remove(&b);
}

/// Puts another file behind the index's descriptors. out: the real ones, for index_fds_back.
struct index_fds {
	int fd[4], real[4];
	unsigned n;
};

static struct index_fds index_fds_take(const struct bed *b, const char *stand_in, int flags)
{
	struct index_fds f = { .n = 0 };
	char path[128], link[64], to[256];

	snprintf(path, sizeof path, "%s/index/data.mdb", b->dir);
	int other = open(stand_in ? stand_in : path, flags | O_CLOEXEC);
	assert_true(other >= 0);
	for (int fd = 3; fd < 256 && f.n < ARRAY_N(f.fd); fd++) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		ssize_t n = fd == other ? -1 : readlink(link, to, sizeof to - 1);
		to[n < 0 ? 0 : n] = 0;
		if (strcmp(to, path) == 0)
			f.fd[f.n++] = fd;
	}
	for (unsigned i = 0; i < f.n; i++) {
		f.real[i] = fcntl(f.fd[i], F_DUPFD_CLOEXEC, 0);
		assert_int_equal(dup2(other, f.fd[i]), f.fd[i]);
	}
	close(other);
	assert_true(f.n > 0);
	return f;
}

static void index_fds_back(const struct index_fds *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		dup2(f->real[i], f->fd[i]);
		close(f->real[i]);
	}
}

static enum ec wait_answer(struct waiting_job *w, unsigned ms)
{
	for (unsigned i = 0; i < ms && w->answer < 0; i++)
		usleep(1000);
	return w->answer < 0 ? E_TIMEOUT : (enum ec)w->answer;
}

static void submit_only(struct store *s, struct waiting_job *w)
{
	w->answer = -1;
	w->job = (struct job){ .run = put_run, .done = note_answer, .arg = &w->put, .durable = true };
	store_submit(s, &w->job);
}

struct seen {
	_Atomic int n;
};

static void note_cell(void *arg, struct cell_id id, uint64_t version)
{
	(void)version;
	if (id.name == cell_b.name)
		((struct seen *)arg)->n++;
}

/// A batch that is in the log and cannot go into the index is done: its job is answered E_OK, late, and never anything
/// else; others are refused meanwhile.
static void test_index_full(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct waiting_job first = { .put = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") } };
	struct waiting_job held = { .put = { cell_b, 0, 0, SL("k"), SL("b"), .op = { "held" }, .outcome = SL("1") } };
	struct waiting_job other = { .put = { cell_a, 1, 0, SL("k"), SL("c"), .outcome = SL("") } };
	struct seen seen = { 0 };
	struct view *v;
	struct sl outcome;

	assert_int_equal(submit(s, &first), E_OK);
	store_set_watch(s, note_cell, &seen);
	struct index_fds fds = index_fds_take(&b, "/dev/full", O_RDWR);
	submit_only(s, &held);
	assert_int_equal(wait_answer(&held, 300), E_TIMEOUT);
	submit_only(s, &other);
	enum ec e = wait_answer(&other, 5000);
	assert_true(e == E_FULL || e == E_TEMP);
	assert_int_equal(held.answer, -1);
	assert_int_equal(seen.n, 0);
	index_fds_back(&fds);
	assert_int_equal(wait_answer(&held, 10000), E_OK);
	assert_true(has(s, cell_b, SL("b")) && seen.n == 1);
	assert_int_equal(view_open(NULL, s, &v), E_OK);
	assert_int_equal(op_outcome(NULL, v, &held.put.op, &outcome), E_OK);
	view_close(v);
	assert_int_equal(submit(s, &other), E_OK);
	store_set_watch(s, NULL, NULL);
	store_close(s);
	bed_remove(&b);
}

/// The wait for the index has an end: what is in the log is on disk, and that is what the answer says.
static void test_index_full_long(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool close; // the store ends while the job waits
	} cases[] = { { "waited long", false }, { "the store ends", true } };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b = bed_make();
		struct store *s = bed_open(&b);
		struct waiting_job first = { .put = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") } };
		struct waiting_job held = { .put = { cell_b, 0, 0, SL("k"), SL("b"), .outcome = SL("") } };

		assert_int_equal(submit(s, &first), E_OK);
		s->hold_ms = cases[i].close ? 60000 : 1;
		struct index_fds fds = index_fds_take(&b, "/dev/full", O_RDWR);
		submit_only(s, &held);
		if (!cases[i].close) {
			CHECK(wait_answer(&held, 10000) == E_OK, cases[i].name);
			CHECK(!has(s, cell_b, SL("b")), cases[i].name);
			index_fds_back(&fds);
			for (int k = 0; k < 200 && !has(s, cell_b, SL("b")); k++)
				usleep(50000);
			CHECK(has(s, cell_b, SL("b")), cases[i].name);
		}
		store_close(s);
		CHECK(wait_answer(&held, 0) == E_OK, cases[i].name);
		if (cases[i].close)
			for (unsigned k = 0; k < fds.n; k++)
				close(fds.real[k]);
		s = bed_open(&b);
		CHECK(has(s, cell_b, SL("b")) && s->start == START_INDEX, cases[i].name);
		store_close(s);
		bed_remove(&b);
	}
}

/// An index whose commits fail for another reason is opened anew, and the batch goes into it.
static void test_index_broken(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct waiting_job first = { .put = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") } };
	struct waiting_job w = { .put = { cell_b, 0, 0, SL("k"), SL("b"), .outcome = SL("") } };
	struct view *v;

	assert_int_equal(submit(s, &first), E_OK);
	for (uint64_t i = 0; i < 2; i++) { // with an open view it takes longer
		struct index_fds fds = index_fds_take(&b, NULL, O_RDONLY);
		w.put.expect = i;
		if (i)
			assert_int_equal(view_open(NULL, s, &v), E_OK);
		submit_only(s, &w);
		if (i) {
			assert_int_equal(wait_answer(&w, 1500), E_TIMEOUT);
			view_close(v);
		}
		assert_int_equal(wait_answer(&w, 10000), E_OK);
		assert_true(has(s, cell_a, SL("a")) && has(s, cell_b, SL("b")));
		for (unsigned k = 0; k < fds.n; k++)
			close(fds.real[k]);
	}
	store_close(s);
	s = bed_open(&b);
	assert_true(has(s, cell_b, SL("b")) && s->start == START_INDEX);
	store_close(s);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_all_calls_fail),
		cmocka_unit_test(test_heals),
		cmocka_unit_test(test_raise),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_hold_without_room),
		cmocka_unit_test(test_full_start),
		cmocka_unit_test(test_clean_mark_goes_first),
		cmocka_unit_test(test_clean_mark_on_full_disk),
		cmocka_unit_test(test_spare_leaves_reserve),
		cmocka_unit_test(test_little_space),
		cmocka_unit_test(test_little_space_stream),
		cmocka_unit_test(test_index_full),
		cmocka_unit_test(test_index_full_long),
		cmocka_unit_test(test_index_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
