/// carry_test — what packs carry beside bodies: commits that are still needed and sections, as few as there can be.
#include "store/compact_bed.h"

#include <errno.h>
#include <semaphore.h>

enum { PLAIN_CELLS = 120 };

static const struct compact_conf hourly = { .dead_percent = 33 }, any_dead = { .dead_percent = 1 };

/// A cell without bodies: one of its keys is written.
struct plain {
	struct cell_id id;
	unsigned key;
	uint32_t octets;
};

static enum ec plain_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct plain *p = job->arg;
	uint64_t version = 0;
	struct sl head;
	uint8_t key[4];
	enum ec e = cell_head(cx, txn_view(t), p->id, &version, &head);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	struct change *c = change_begin(t, p->id, version);
	struct sl value = bed_octets(p->octets, p->key + (uint32_t)p->id.name * 77 + (uint32_t)version);
	put_be32(key, p->key);
	change_put(c, (struct sl){ key, sizeof key }, value);
	e = change_commit(cx, c, NULL, SL(""), &version);
	sl_free(value);
	return e;
}

static void plain(struct town *t, uint64_t name, unsigned key, uint32_t octets)
{
	struct plain p = { { 9, name }, key, octets };

	assert_int_equal(store_do(NULL, t->s, false, plain_run, &p), E_OK);
}

/// Seals what is there, and is behind it.
static void roll(struct town *t)
{
	assert_int_equal(store_roll(NULL, t->s), E_OK);
	plain(t, 1, 1, 10);
}

/// What the folder of the log holds.
struct folder {
	uint64_t octets;
	size_t files, packs, log, bulk; // log, bulk: sections
	size_t chain;
};

static struct folder look(const struct town *t)
{
	struct folder f = { 0 };
	struct seg_list l;

	assert_int_equal(seg_list_look(NULL, t->s->log_fd, &l), E_OK);
	for (size_t i = 0; i < l.n; i++) {
		const struct seg_info *s = &l.all[i];
		f.octets += s->size;
		f.files += s->size > 0;
		f.packs += s->head.kind == SEG_PACK;
		f.log += s->head.kind == SEG_LOG && s->pack;
		f.bulk += s->head.kind == SEG_BULK && s->pack;
	}
	f.chain = l.chain_n;
	seg_list_free(&l);
	return f;
}

/// Commits that were carried into a pack and are covered by images later are given back.
static void test_given_back(void **state)
{
	(void)state;
	struct town *t = town_new(1);
	uint64_t living = PLAIN_CELLS * 3000ull;

	for (unsigned round = 0; round < 12; round++)
		for (uint64_t name = 0; name < PLAIN_CELLS; name++)
			plain(t, 1000 + name, 1, 3000);
	roll(t);
	town_compact(t, &any_dead);
	assert_true(look(t).packs > 0 && look(t).octets > 10 * living); // no image: all are needed
	for (uint64_t name = 0; name < PLAIN_CELLS; name++)
		assert_int_equal(image_write(NULL, t->s, (struct cell_id){ 9, 1000 + name }, true), E_OK);
	roll(t);
	struct compact_result r = town_compact(t, &hourly);
	assert_true(r.octets_gone > 10 * living && r.octets_gone > r.octets_new);
	town_compact(t, &any_dead);
	assert_true(look(t).octets < 2 * living + t->bed.conf.segment_octets);
	town_restart(t, true);
	town_free(t);
}

/// Segments of commits that are still needed are full, whatever they hold of bodies: nothing is to be won there.
static void test_needed_are_living(void **state)
{
	(void)state;
	struct town *t = town_new(2);

	for (uint64_t name = 0; name < 60; name++)
		plain(t, 1000 + name, 1, 50000);
	roll(t);
	size_t files = look(t).files;
	assert_true(files > 10);
	struct compact_result r = town_compact(t, &hourly);
	assert_int_equal(r.segments, 0);
	for (uint64_t name = 0; name < 60; name++)
		assert_int_equal(image_write(NULL, t->s, (struct cell_id){ 9, 1000 + name }, true), E_OK);
	r = town_compact(t, &hourly);
	assert_true(r.segments >= files - 2 && r.packs < r.segments);
	town_restart(t, true);
	town_free(t);
}

/// However little one pack can hold: what has room goes into some pack, what has none stays, and no run fails.
static void test_small_packs(void **state)
{
	(void)state;
	static const uint64_t most[] = { 9000, 20 << 10, 64 << 10, 100 << 10, 150 << 10, 260 << 10, 1 << 20 };
	uint64_t gone = 0;

	for (size_t i = 0; i < ARRAY_N(most); i++) {
		struct compact_conf conf = { .dead_percent = 1, .pack_max = most[i] };
		struct town *t = town_new(30 + (unsigned)i);
		for (unsigned round = 0; round < 3; round++) {
			assert_int_equal(town_live(t, 250), E_OK);
			for (uint64_t name = 0; name < 20; name++)
				plain(t, 1000 + name, round, 900);
			roll(t);
			struct compact_result r = town_compact(t, &conf);
			assert_int_equal(r.damaged, 0);
			assert_true(r.octets_new <= r.packs * most[i]);
			gone += r.segments;
			town_same(t);
		}
		town_restart(t, i % 2);
		town_same(t);
		town_free(t);
	}
	assert_true(gone > 100);
}

/// A group that does not fit is made smaller until it does, and what is behind it has its turn.
static void test_halves(void **state)
{
	(void)state;
	struct town *t = town_new(3);
	struct compact_conf conf = { .dead_percent = 1, .pack_max = 104000 };

	for (unsigned i = 0; i < 24; i++) { // 24 segments with 20,000 living octets each
		assert_int_equal(town_put(t, i % TOWN_CELLS, i / TOWN_CELLS, 19999), E_OK);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(town_put(t, 0, 30, 20000), E_OK);
		assert_int_equal(store_roll(NULL, t->s), E_OK);
	}
	roll(t);
	struct compact_result r = town_compact(t, &conf);
	assert_true(r.segments == 24 && r.packs > 6 && r.packs < 24); // by fours there were 6
	town_same(t);
	town_restart(t, true);
	town_same(t);
	town_free(t);
}

/// Sections without bodies become one, whether they carry commits or nothing; each start from the log reads them, also
/// where files that they stand for were left.
static void test_sections(void **state)
{
	(void)state;
	struct town *t = town_new(4);
	struct folder f;

	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(town_put(t, 1, i % 5, i % 10 ? 3000 : 1100000), E_OK);
		if (i % 3 == 0)
			plain(t, 1000 + i, 1, 20); // needed for ever
		roll(t);
		if (i % 40 == 39)
			town_compact(t, &any_dead);
		if (i % 100 == 99) {
			town_restart(t, i != 199);
			town_same(t);
		}
	}
	roll(t);
	town_compact(t, &any_dead);
	f = look(t);
	if (f.log >= 30 || f.bulk >= 10)
		print_error("%zu sections of the log, %zu of bulk segments\n", f.log, f.bulk);
	assert_true(f.log < 30 && f.bulk < 10);
	town_restart(t, true);
	town_same(t);
	town_free(t);
}

static int unlink_not(void *arg, int dir, const char *name)
{
	(void)arg, (void)dir, (void)name;
	return -EIO;
}

/// So many segments of the log with one body each in one pack, then without.
static void many_sections(struct town *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(town_put(t, i % TOWN_CELLS, i / TOWN_CELLS, 300), E_OK);
		assert_int_equal(store_roll(NULL, t->s), E_OK);
	}
	roll(t);
	town_compact(t, &any_dead);
	assert_true(look(t).log >= n);
	town_restart(t, true);
	town_same(t);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(town_put(t, i % TOWN_CELLS, i / TOWN_CELLS, 0), E_OK);
	roll(t);
}

/// Where the files of segments that a later one's section stands for could not be removed, the next start does.
static void test_left_files(void **state)
{
	(void)state;
	struct town *t = town_new(5);
	struct disk left;

	many_sections(t, 60);
	store_close(t->s);
	left = t->bed.disk;
	left.unlink = unlink_not;
	t->s = bed_open_on(&t->bed, &left);
	roll(t);
	size_t before = look(t).files;
	assert_true(town_compact(t, &any_dead).packs > 0);
	assert_true(look(t).files > before);
	bed_crash(t->s);
	t->s = bed_open(&t->bed);
	struct folder f = look(t);
	assert_true(f.log <= 3 && f.files <= f.packs + f.chain && f.files < before);
	town_same(t);
	town_restart(t, true);
	town_same(t);
	town_free(t);
}

/// A disk that is slow to make the file of one segment.
struct slow {
	atomic_bool next; // the next one
	sem_t waits, go;
};

static int slow_open(void *arg, int dir, const char *name, int flags)
{
	struct slow *s = arg;

	if (flags & O_EXCL && sl_ends_ci(sl_cstr(name), SL(".seg")) && atomic_exchange(&s->next, false)) {
		sem_post(&s->waits);
		sem_wait(&s->go);
	}
	return disk_real.open(NULL, dir, name, flags);
}

struct sender {
	struct store *s;
	struct blob *blob;
	struct sl body;
};

static void *send_body(void *arg)
{
	struct sender *x = arg;

	assert_int_equal(blob_new(NULL, x->s, &x->blob), E_OK);
	assert_int_equal(blob_add(NULL, x->blob, x->body), E_OK);
	return NULL;
}

/// A bulk segment that has its number, and no file yet, lies between two without bodies: nothing stands for all three.
static void test_file_comes_late(void **state)
{
	(void)state;
	struct town *t = town_new(8);
	struct slow slow = { 0 };
	struct town_row row = { .there = true, .seed = 7, .octets = 1300000 };
	struct town_job j = { .t = t, .cell = 2, .row = 5, .what = TOWN_PUT };
	pthread_t thread;

	sem_init(&slow.waits, 0, 0);
	sem_init(&slow.go, 0, 0);
	store_close(t->s);
	t->bed.disk.open = slow_open;
	t->bed.disk.arg = &slow;
	t->s = bed_open(&t->bed);
	struct sender x = { .s = t->s, .body = town_octets(&row) };
	assert_int_equal(town_put(t, 1, 1, 1200000), E_OK);
	atomic_store(&slow.next, true);
	assert_int_equal(pthread_create(&thread, NULL, send_body, &x), 0);
	sem_wait(&slow.waits);
	assert_int_equal(town_put(t, 1, 2, 1200000), E_OK);
	assert_int_equal(town_put(t, 1, 1, 0), E_OK);
	assert_int_equal(town_put(t, 1, 2, 0), E_OK);
	roll(t);
	assert_true(town_compact(t, &any_dead).segments > 2);
	assert_int_equal(look(t).bulk, 2);
	sem_post(&slow.go);
	pthread_join(thread, NULL);
	j.blob = x.blob;
	random_octets(&j.op, sizeof j.op);
	assert_int_equal(store_do(NULL, t->s, true, town_run, &j), E_OK);
	blob_free(x.blob);
	row.ref = j.ref;
	t->rows[2][5] = row;
	town_restart(t, true);
	town_same(t);
	town_compact(t, &any_dead);
	town_same(t);
	sl_free(x.body);
	town_free(t);
}

/// Starts, and backups that begin, do not make segments of nothing.
static void test_nothing_new(void **state)
{
	(void)state;
	struct town *t = town_new(6);
	struct store_held held;

	assert_int_equal(town_live(t, 20), E_OK);
	town_restart(t, false);
	struct folder before = look(t), now;
	for (unsigned i = 0; i < 6; i++) {
		if (i % 2) {
			bed_crash(t->s);
			t->s = bed_open(&t->bed);
		} else {
			town_restart(t, i == 2);
		}
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(store_hold(NULL, t->s, true, &held), E_OK);
		now = look(t);
		assert_true(now.chain == before.chain && now.files == before.files);
	}
	town_same(t);
	town_free(t);
}

/// Cells enough for an index that outgrows a small map, in packs and behind them.
static struct town *town_large(void)
{
	struct town *t = town_new(7);

	for (unsigned part = 0; part < 3; part++) {
		assert_int_equal(town_live(t, 30), E_OK);
		for (uint64_t name = 0; name < 2500; name++)
			plain(t, 2000 + name, part, 700);
		assert_int_equal(store_roll(NULL, t->s), E_OK);
	}
	roll(t);
	town_compact(t, &any_dead);
	return t;
}

static void open_small(struct town *t, uint64_t map_octets)
{
	char command[200];

	store_close(t->s);
	snprintf(command, sizeof command, "rm -f %s/index/* %s/snapshot/*", t->bed.dir, t->bed.dir);
	assert_int_equal(system(command), 0);
	t->bed.conf.map_octets = map_octets;
	t->s = bed_open(&t->bed);
	assert_int_equal(t->s->start, START_LOG);
}

/// The map of the index grows while packs are replayed: each section counts once, and what is damaged is not forgotten.
static void test_map_grows(void **state)
{
	(void)state;
	struct town *t = town_large();
	struct seg_list l;
	char path[128], name[SEG_NAME];
	uint8_t octet = 0x55;

	open_small(t, 256 << 20);
	assert_int_equal(t->s->damaged_batches, 0);
	uint64_t bodies = t->s->writer.applied.bodies;
	assert_true(bodies > 0);
	for (uint64_t map = 1 << 20; map <= 4 << 20; map *= 2) {
		open_small(t, map);
		assert_int_equal(t->s->damaged_batches, 0);
		assert_int_equal(t->s->writer.applied.bodies, bodies);
	}
	assert_int_equal(seg_list_look(NULL, t->s->log_fd, &l), E_OK);
	const struct seg_info *first = &l.all[l.chain[0]];
	assert_true(first->pack && first->section.to > first->section.from);
	seg_name(first->pack, name);
	snprintf(path, sizeof path, "%s/log/%s", t->bed.dir, name);
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)first->section.from + 20), 1);
	close(fd);
	seg_list_free(&l);
	open_small(t, 256 << 20);
	uint64_t damaged = t->s->damaged_batches;
	open_small(t, 1 << 20);
	assert_true(damaged > 0 && t->s->damaged_batches == damaged);
	town_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_needed_are_living),
		cmocka_unit_test(test_small_packs),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_left_files),
		cmocka_unit_test(test_file_comes_late),
		cmocka_unit_test(test_nothing_new),
		cmocka_unit_test(test_map_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
