/// Tests of sectors that the disk cannot read any more (EIO), which is how most damage shows: what is beside them is
/// read, a start goes on, and compaction leaves such a segment alone, and no other.
#include "store/bad_sector.h"
#include "store/compact_bed.h"

static const struct compact_conf any_dead = { .dead_percent = 1 };

/// Nobody reads the sector with this place of a segment any more.
static void spoil(const struct town *t, uint32_t segment, uint64_t at, uint64_t octets)
{
	char path[128], name[SEG_NAME];

	seg_name(segment, name);
	snprintf(path, sizeof path, "%s/log/%s", t->bed.dir, name);
	bad_sector_at(path, at, octets);
}

static void heal(void)
{
	bad_sector.is = false;
}

/// Letters of 60 KB in cells 0 and 1, four to a segment.
static struct town *town_of_letters(void)
{
	struct town *t = town_new(3);

	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(town_put(t, i % 2, i / 2, 60000), E_OK);
	return t;
}

/// Two thirds of the letters go.
static void forget_letters(struct town *t)
{
	for (unsigned i = 0; i < 40; i++)
		if (i % 3)
			assert_int_equal(town_put(t, i % 2, i / 2, 0), E_OK);
	assert_int_equal(store_roll(NULL, t->s), E_OK);
}

static uint32_t segment_of(const struct town *t, unsigned cell, unsigned row)
{
	return (uint32_t)(t->rows[cell][row].ref.at >> 32);
}

/// One copy of a header, or of a pack's map, is enough for a start.
static void test_copies(void **state)
{
	(void)state;
	struct town *t = town_of_letters();
	struct segfile f;

	for (uint64_t at = 0; at <= SEG_SECOND; at += SEG_SECOND) {
		spoil(t, segment_of(t, 0, 1), at, SEG_HEAD);
		store_close(t->s);
		t->s = bed_open(&t->bed);
		assert_int_equal(t->s->damage, 0);
		town_same(t);
		heal();
	}
	forget_letters(t);
	assert_true(town_compact(t, &any_dead).packs > 0);
	uint32_t pack = places_find(&t->s->places, segment_of(t, 0, 0));
	assert_int_equal(segfile_open(NULL, t->s->log_fd, pack, &f), E_OK);
	uint64_t maps[] = { f.head.prev_end, f.head.prev_chain };
	assert_true(f.head.kind == SEG_PACK);
	segfile_close(&f);
	for (size_t i = 0; i < ARRAY_N(maps); i++) {
		spoil(t, pack, maps[i], REC_HEAD);
		store_close(t->s);
		t->s = bed_open(&t->bed);
		assert_int_equal(t->s->damage, 0);
		town_same(t);
		heal();
	}
	town_free(t);
}

/// A bad sector in one segment costs compaction that segment, each time, and the others go; where nobody needs what was
/// in it, that segment goes, too.
static void test_compaction(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned cell, row; // of a letter
		int64_t at;         // from its record, or else the segment's first
		uint64_t damaged;
	} cases[] = {
		{ "a letter", 0, 0, 8192, 1 },
		{ "its table of checksums", 0, 0, REC_HEAD + 60000, 1 },
		{ "the first batch", 0, 3, -1, 1 },
		{ "a letter that went", 1, 0, 8192, 0 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct town *t = town_of_letters();
		uint64_t ref = t->rows[cases[i].cell][cases[i].row].ref.at;
		uint32_t segment = (uint32_t)(ref >> 32);
		forget_letters(t);
		spoil(t, segment, cases[i].at < 0 ? SEG_DATA : (uint32_t)ref + (uint64_t)cases[i].at, 4);
		struct compact_result r = town_compact(t, &any_dead);
		CHECK(r.damaged == cases[i].damaged && r.segments >= 5, cases[i].name);
		CHECK((places_find(&t->s->places, segment) == segment) == (r.damaged == 1), cases[i].name);
		heal();
		town_same(t);
		CHECK(town_compact(t, &any_dead).segments >= cases[i].damaged, cases[i].name);
		town_restart(t, true);
		town_same(t);
		town_free(t);
	}
}

/// Both copies of the header that stood at `bad_sector.from` can be read until rows are looked at.
static void late_bodies(struct cell_id id, struct sl key, struct sl value, int64_t now_s, body_each *each, void *arg)
{
	bad_sector.is = true;
	town_bodies(id, key, value, now_s, each, arg);
}

/// A segment that cannot even be opened any more.
static void test_not_opened(void **state)
{
	(void)state;
	struct town *t = town_of_letters();
	uint32_t segment = segment_of(t, 0, 3);

	forget_letters(t);
	spoil(t, segment, 0, SEG_DATA);
	heal();
	t->s->bodies = late_bodies;
	struct compact_result r = town_compact(t, &any_dead);
	assert_true(r.damaged == 1 && r.segments >= 5 && places_find(&t->s->places, segment) == segment);
	t->s->bodies = town_bodies;
	heal();
	town_same(t);
	assert_true(town_compact(t, &any_dead).segments > 0);
	town_same(t);
	town_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_compaction),
		cmocka_unit_test(test_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
