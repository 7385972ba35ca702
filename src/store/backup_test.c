/// Tests of backup: what is sent meanwhile, and given up, spoils none; what packs stand for is no loss.
#include "store/backup.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/bad_sector.h"
#include "store/compact_bed.h"
#include "store/restore.h"

enum { UPLOADS = 18, OCTETS = 1200000 }; // more than are kept for the next ones: some of their files go

struct sending {
	struct cx cx;
	struct town *t;
	struct blob *blob[UPLOADS];
	struct backup backup;
	char dir[100], back[100];
};

/// A store with mail in a bulk segment.
static void open_town(struct sending *s)
{
	struct town *t = s->t = town_new(1);

	t->bed.conf.segment_octets = 8 << 20;
	town_restart(t, false);
	assert_int_equal(town_live(t, 20), E_OK);
	assert_int_equal(town_put(t, 0, 0, 1200000), E_OK);
	snprintf(s->dir, sizeof s->dir, "%s/backup", t->bed.dir);
	snprintf(s->back, sizeof s->back, "%s/back", t->bed.dir);
}

/// Behind that mail, and in segments of their own, many send more.
static void send_many(struct sending *s)
{
	struct sl body = bed_octets(OCTETS, 1);

	for (size_t i = 0; i < UPLOADS; i++) {
		assert_int_equal(blob_new(NULL, s->t->s, &s->blob[i]), E_OK);
		assert_int_equal(blob_add(NULL, s->blob[i], body), E_OK);
	}
	sl_free(body);
}

static void roll(struct town *t)
{
	assert_int_equal(store_roll(NULL, t->s), E_OK);
	assert_int_equal(town_put(t, 0, TOWN_ROWS - 1, 0), E_OK); // begins the next segment
}

/// Lists what is to be backed up. in: late — they begin to send only when the store is held.
static void list(struct sending *s, bool late)
{
	struct store_held held;

	roll(s->t);
	assert_int_equal(store_hold(NULL, s->t->s, false, &held), E_OK);
	if (late)
		send_many(s);
	assert_int_equal(backup_begin(&s->cx, s->t->bed.dir, s->dir, held.segment, false, &s->backup), E_OK);
}

static void begin(struct sending *s)
{
	open_town(s);
	send_many(s);
	list(s, false);
}

static void give_up(struct sending *s)
{
	for (size_t i = 0; i < UPLOADS; i++) {
		blob_free(s->blob[i]);
		s->blob[i] = NULL;
	}
}

static enum ec count_segment(struct cx *cx, void *arg, const char *name)
{
	uint32_t id;

	(void)cx;
	*(size_t *)arg += seg_name_parse(name, &id);
	return E_OK;
}

static void count_files(int dir, const struct manifest *list)
{
	size_t files = 0;

	assert_int_equal(disk_each_name(NULL, dir, count_segment, &files), E_OK);
	assert_int_equal(files, manifest_count(list));
}

static void finish_with(struct cx *cx, struct backup *b, uint64_t kept, uint64_t damaged)
{
	bool more = true;

	while (more)
		assert_int_equal(backup_step(cx, b, &more), E_OK);
	assert_int_equal(b->count.done, b->count.total);
	assert_int_equal(backup_finish(cx, b), E_OK);
	assert_int_equal(b->kept.n, kept);
	assert_int_equal(b->damaged.n, damaged);
	if (!damaged) // else what a damaged pack stands for stays there, too
		count_files(b->to.log, &b->list);
	backup_end(b);
}

/// Nothing that is there was lost in the store, or is damaged, or too much.
static void finish(struct cx *cx, struct backup *b)
{
	finish_with(cx, b, 0, 0);
}

static void bring_back(struct sending *s, bool anyway, uint64_t damaged)
{
	struct restore r;
	bool more = true;

	assert_int_equal(restore_begin(&s->cx, s->dir, s->back, anyway, &r), E_OK);
	while (more)
		assert_int_equal(restore_step(&s->cx, &r, &more), E_OK);
	assert_int_equal(r.count.done, r.count.total);
	assert_int_equal(restore_finish(&s->cx, &r), E_OK);
	assert_int_equal(r.damaged.n, damaged);
	count_files(r.to.log, &r.list);
	restore_end(&r);
}

/// From here on the store is the one that was brought back.
static void move_in(struct sending *s)
{
	struct store_conf conf = s->t->bed.conf;

	store_close(s->t->s);
	conf.dir = sl_cstr(s->back);
	assert_int_equal(store_open(NULL, &conf, &s->t->s), E_OK);
	assert_int_equal(s->t->s->damaged_batches, 0);
}

static void end(struct sending *s)
{
	town_same(s->t);
	town_free(s->t);
	cx_end(&s->cx);
}

/// The backup is complete and holds all mail.
static void check(struct sending *s)
{
	finish(&s->cx, &s->backup);
	bring_back(s, false, 0);
	move_in(s);
	end(s);
}

/// A sector goes bad below the body in the bulk segment, in the store or in the backup.
static void spoil(struct sending *s, const char *dir)
{
	uint32_t id = (uint32_t)(s->t->rows[0][0].ref.at >> 32), at = (uint32_t)s->t->rows[0][0].ref.at;
	char name[SEG_NAME], path[160];

	seg_name(id, name);
	snprintf(path, sizeof path, "%s/log/%s", dir, name);
	bad_sector_at(path, at + 500000, 1);
	assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0); // the file is looked at again
}

/// The body with the bad sector cannot be read; without it all is as it was.
static void check_but_one(struct sending *s)
{
	const struct town_row *row = &s->t->rows[0][0];
	struct sl want = town_octets(row);

	assert_int_equal(bed_same_body(s->t->s, row->ref, want), E_CORRUPT);
	sl_free(want);
	assert_int_equal(town_put(s->t, 0, 0, 0), E_OK);
	end(s);
}

/// What the disk does not give in the store: the rest is backed up, and told; the copy that is there stays.
static void test_bad_sector_in_the_store(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct sending s = { 0 };
		open_town(&s);
		list(&s, false);
		if (first) {
			finish(&s.cx, &s.backup);
			spoil(&s, s.t->bed.dir);
			list(&s, false);
			finish_with(&s.cx, &s.backup, 1, 0);
			bring_back(&s, false, 0);
			bad_sector.is = false;
			move_in(&s);
			end(&s);
		} else {
			spoil(&s, s.t->bed.dir);
			finish_with(&s.cx, &s.backup, 0, 1);
			bring_back(&s, false, 0);
			bad_sector.is = false;
			move_in(&s);
			check_but_one(&s);
		}
	}
}

static enum ec find_pack(struct cx *cx, void *arg, const char *name)
{
	struct inventory *v = arg;
	uint32_t id;

	(void)cx;
	if (seg_name_parse(name, &id) && inventory_find(v, id)->kind == SEG_PACK)
		v->dir = (int)id;
	return E_OK;
}

/// Changes an octet of the first bulk body in the pack.
static void hurt_pack(struct town *t)
{
	struct inventory v;
	struct segfile f;
	uint8_t entry[ENTRY_OCTETS], octet = 0;
	char path[160], name[SEG_NAME];

	snprintf(path, sizeof path, "%s/log", t->bed.dir);
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(inventory_read(NULL, dir, &v), E_OK);
	assert_int_equal(disk_each_name(NULL, dir, find_pack, &v), E_OK);
	assert_int_equal(segfile_open(NULL, dir, (uint32_t)v.dir, &f), E_OK);
	const struct pack_section *s = pack_map_section(&f.map, (uint32_t)(t->rows[0][0].ref.at >> 32));
	assert_non_null(s);
	assert_int_equal(s->entries, 2);
	off_t at = (off_t)(f.map.entries_at + (uint64_t)s->first * ENTRY_OCTETS);
	assert_int_equal(pread(f.fd, entry, sizeof entry, at), sizeof entry);
	at = (off_t)get_le32(entry + 4) + REC_HEAD + 100000;
	seg_name((uint32_t)v.dir, name);
	int fd = openat(dir, name, O_RDWR);
	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= 1;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
	close(dir);
	segfile_close(&f);
	inventory_free(&v);
}

/// A pack that is damaged in the store makes way for what the backup has of a bulk segment, but not where that is less.
static void test_damaged_pack(void **state)
{
	(void)state;
	const struct compact_conf any_dead = { .dead_percent = 1 };
	struct compact_result r;

	for (unsigned grown = 0; grown < 2; grown++) {
		struct sending s = { 0 };
		open_town(&s);
		for (unsigned late = 0; late < 2; late++) {
			if (late == grown) {
				assert_int_equal(town_put(s.t, 0, 1, 1200000), E_OK);
				assert_int_equal(town_put(s.t, 0, 2, 1200000), E_OK);
			}
			if (!late) {
				list(&s, false);
				finish(&s.cx, &s.backup);
			}
		}
		assert_int_equal(s.t->rows[0][0].ref.at >> 32, s.t->rows[0][1].ref.at >> 32);
		assert_int_equal(town_put(s.t, 0, 2, 0), E_OK);
		town_restart(s.t, false);
		assert_int_equal(compact_run(&s.cx, s.t->s, &any_dead, &r), E_OK);
		assert_int_equal(r.packs, 1);
		hurt_pack(s.t);
		for (int night = 0; night < 2; night++) {
			list(&s, false);
			finish_with(&s.cx, &s.backup, grown ? 0 : 2, grown);
		}
		bring_back(&s, false, 0);
		move_in(&s);
		if (grown)
			check_but_one(&s);
		else
			end(&s);
	}
}

/// Where the segment behind a log segment is in a pack, that says how far the log segment goes: damage in it is told.
static void test_log_before_a_pack(void **state)
{
	(void)state;
	const struct compact_conf any_dead = { .dead_percent = 1 };
	struct sending s = { 0 };
	char path[160], name[SEG_NAME];

	open_town(&s);
	roll(s.t);
	assert_int_equal(town_put(s.t, 0, 1, 30000), E_OK);
	uint64_t at = s.t->rows[0][1].ref.at;
	for (int i = 0; i < 4; i++) { // segments of which the most is dead
		roll(s.t);
		assert_int_equal(town_put(s.t, 0, 2, 30000), E_OK);
	}
	roll(s.t);
	seg_name((uint32_t)(at >> 32), name);
	snprintf(path, sizeof path, "%s/log/%s", s.t->bed.dir, name);
	bad_sector_at(path, (uint32_t)at + 500, 1);
	assert_int_equal(town_compact(s.t, &any_dead).packs, 1);
	assert_int_equal(access(path, F_OK), 0);
	seg_name((uint32_t)(at >> 32) + 1, name);
	snprintf(path, sizeof path, "%s/log/%s", s.t->bed.dir, name);
	assert_int_equal(access(path, F_OK), -1); // it is in the pack
	list(&s, false);
	finish_with(&s.cx, &s.backup, 0, 1);
	bad_sector.is = false;
	end(&s);
}

/// A body in a bulk segment whose header is damaged seems to be under way, but the log names it.
static void test_header_of_a_body(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) { // zeros or another octet; with the log copied now, or there already
		struct sending s = { 0 };
		uint8_t head[REC_HEAD] = { 0 };
		char live[160], there[160], name[SEG_NAME];
		open_town(&s);
		list(&s, false);
		seg_name((uint32_t)(s.t->rows[0][0].ref.at >> 32), name);
		snprintf(live, sizeof live, "%s/log/%s", s.t->bed.dir, name);
		snprintf(there, sizeof there, "%s/log/%s", s.dir, name);
		if (way >= 2) {
			finish(&s.cx, &s.backup);
			assert_int_equal(unlink(there), 0);
		}
		int fd = open(live, O_RDWR);
		off_t at = (off_t)(uint32_t)s.t->rows[0][0].ref.at;
		assert_int_equal(pread(fd, head, way % 2 ? sizeof head : 0, at), way % 2 ? sizeof head : 0);
		head[40] ^= (uint8_t)(way % 2);
		assert_int_equal(pwrite(fd, head, sizeof head, at), sizeof head);
		close(fd);
		for (int night = way >= 2; night < 3; night++) {
			if (night)
				list(&s, false);
			finish_with(&s.cx, &s.backup, 0, 1);
		}
		bring_back(&s, false, 0);
		move_in(&s);
		check_but_one(&s);
	}
}

/// In the backup: it is no whole backup, and what can be read of it comes back.
static void test_bad_sector_in_the_backup(void **state)
{
	(void)state;
	struct sending s = { 0 };
	struct restore r;
	bool more = true;
	enum ec e = E_OK;

	open_town(&s);
	list(&s, false);
	finish(&s.cx, &s.backup);
	spoil(&s, s.dir);
	assert_int_equal(restore_begin(&s.cx, s.dir, s.back, false, &r), E_OK);
	while (e == E_OK && more)
		e = restore_step(&s.cx, &r, &more);
	assert_int_equal(e, E_CORRUPT);
	restore_undo(&r);
	restore_end(&r);
	bring_back(&s, true, 1);
	bad_sector.is = false;
	move_in(&s);
	check_but_one(&s);
}

/// A second restore does not take away what the first is bringing.
static void test_two_restores(void **state)
{
	(void)state;
	struct sending s = { 0 };
	struct restore one, two;
	bool more = true;

	open_town(&s);
	list(&s, false);
	finish(&s.cx, &s.backup);
	assert_int_equal(restore_begin(&s.cx, s.dir, s.back, false, &one), E_OK);
	while (more) {
		assert_int_equal(restore_begin(&s.cx, s.dir, s.back, false, &two), E_CONFLICT);
		assert_int_equal(restore_step(&s.cx, &one, &more), E_OK);
	}
	assert_int_equal(restore_finish(&s.cx, &one), E_OK);
	assert_int_equal(restore_begin(&s.cx, s.dir, s.back, false, &two), E_CONFLICT);
	count_files(one.to.log, &one.list);
	restore_end(&one);
	assert_int_equal(restore_begin(&s.cx, s.dir, s.back, false, &two), E_EXISTS);
	town_free(s.t);
	cx_end(&s.cx);
}

/// Between listing and copying.
static void test_given_up_before(void **state)
{
	(void)state;
	struct sending s = { 0 };

	begin(&s);
	give_up(&s);
	check(&s);
}

/// After each octet count at which a step ends.
static void test_given_up_amid(void **state)
{
	(void)state;
	for (unsigned steps = 1; steps < 40; steps += 4) {
		struct sending s = { 0 };
		bool more = true;
		begin(&s);
		for (unsigned i = 0; i < steps && more; i++)
			assert_int_equal(backup_step(&s.cx, &s.backup, &more), E_OK);
		give_up(&s);
		if (!more)
			steps = 40;
		check(&s);
	}
}

/// Between one backup and the next.
static void test_given_up_between(void **state)
{
	(void)state;
	struct sending s = { 0 };

	begin(&s);
	finish(&s.cx, &s.backup);
	give_up(&s);
	list(&s, false);
	check(&s);
}

/// What is begun when the store is held is in no backup: once it is given up its number may be another's.
static void test_begun_since(void **state)
{
	(void)state;
	struct sending s = { 0 };

	open_town(&s);
	list(&s, true);
	finish(&s.cx, &s.backup);
	give_up(&s);
	town_restart(s.t, false);
	for (unsigned i = 0; i < UPLOADS; i++)
		roll(s.t);
	list(&s, false);
	check(&s);
}

/// A pack's section may stand for many segments, the next pack's for more: the backup needs none of those.
static void test_packed(void **state)
{
	(void)state;
	const struct compact_conf any_dead = { .dead_percent = 1 };
	struct compact_result r;
	struct sending s = { 0 };

	open_town(&s);
	for (unsigned i = 0; i < 60; i++) {
		assert_int_equal(town_put(s.t, 1, i % 5, i % 10 ? 3000 : 1100000), E_OK);
		roll(s.t);
		if (i % 20 < 19)
			continue;
		list(&s, false);
		finish(&s.cx, &s.backup);
		assert_int_equal(compact_run(&s.cx, s.t->s, &any_dead, &r), E_OK);
		assert_true(r.segments > 0);
	}
	list(&s, false);
	check(&s);
}

/// Lists a bulk segment that goes on behind what the last backup has of it, and looks at it as far as to copy it.
static struct backup_file *copy_grown(struct sending *s)
{
	bool more = true;

	open_town(s);
	list(s, false);
	finish(&s->cx, &s->backup);
	assert_int_equal(town_put(s->t, 0, 1, 1200000), E_OK);
	list(s, false);
	for (size_t i = 0; i < manifest_count(&s->backup.list); i++) {
		struct backup_file *f = manifest_at(&s->backup.list, i);
		if (f->todo != TODO_COMPARE)
			continue;
		assert_true(f->bulk && f->fixed > SEG_DATA);
		while (f->todo == TODO_COMPARE)
			assert_int_equal(backup_step(&s->cx, &s->backup, &more), E_OK);
		assert_int_equal(f->todo, TODO_COPY);
		return f;
	}
	assert_true(false); // none has grown
	return NULL;
}

/// What was finished in a bulk segment is neither cut off nor goes: the copy that is there stays.
static void test_lost_amid(void **state)
{
	(void)state;
	for (int cut = 0; cut < 2; cut++) {
		struct sending s = { 0 };
		struct stat before, after;
		char kept[140], live[140];
		bool more = true;
		struct backup_file *f = copy_grown(&s);
		snprintf(kept, sizeof kept, "%s/log/%s", s.dir, f->name);
		snprintf(live, sizeof live, "%s/log/%s", s.t->bed.dir, f->name);
		if (cut)
			assert_int_equal(backup_step(&s.cx, &s.backup, &more), E_OK);
		assert_int_equal(stat(kept, &before), 0);
		assert_int_equal(cut ? truncate(live, SEG_DATA) : unlink(live), 0);
		assert_int_equal(backup_step(&s.cx, &s.backup, &more), cut ? E_CORRUPT : E_NOTFOUND);
		backup_end(&s.backup);
		assert_int_equal(stat(kept, &after), 0);
		assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
		town_free(s.t);
		cx_end(&s.cx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_up_before),
		cmocka_unit_test(test_given_up_amid),
		cmocka_unit_test(test_given_up_between),
		cmocka_unit_test(test_begun_since),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_lost_amid),
		cmocka_unit_test(test_two_restores),
		cmocka_unit_test(test_bad_sector_in_the_store),
		cmocka_unit_test(test_bad_sector_in_the_backup),
		cmocka_unit_test(test_damaged_pack),
		cmocka_unit_test(test_log_before_a_pack),
		cmocka_unit_test(test_header_of_a_body),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
