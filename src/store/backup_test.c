/// Tests of backup: what is sent meanwhile, and given up, spoils none.
#include "store/backup.h"

#include "store/compact_bed.h"

enum { UPLOADS = 18, OCTETS = 1200000 }; // more than are kept for the next ones: some of their files go

struct sending {
	struct cx cx;
	struct town *t;
	struct blob *blob[UPLOADS];
	struct backup backup;
	char dir[100], back[100];
};

/// A store with mail in a bulk segment; behind it there, and in segments of their own, many send more.
static void begin(struct sending *s)
{
	struct sl body = bed_octets(OCTETS, 1);
	struct store_held held;
	struct town *t = s->t = town_new(1);

	t->bed.conf.segment_octets = 8 << 20;
	town_restart(t, false);
	assert_int_equal(town_live(t, 20), E_OK);
	assert_int_equal(town_put(t, 0, 0, 1200000), E_OK);
	for (size_t i = 0; i < UPLOADS; i++) {
		assert_int_equal(blob_new(NULL, t->s, &s->blob[i]), E_OK);
		assert_int_equal(blob_add(NULL, s->blob[i], body), E_OK);
	}
	sl_free(body);
	snprintf(s->dir, sizeof s->dir, "%s/backup", t->bed.dir);
	snprintf(s->back, sizeof s->back, "%s/back", t->bed.dir);
	assert_int_equal(store_roll(NULL, t->s), E_OK);
	assert_int_equal(town_put(t, 0, TOWN_ROWS - 1, 0), E_OK); // begins the next segment
	assert_int_equal(store_hold(NULL, t->s, false, &held), E_OK);
	assert_int_equal(backup_begin(&s->cx, t->bed.dir, s->dir, held.segment, false, &s->backup), E_OK);
}

static void give_up(struct sending *s)
{
	for (size_t i = 0; i < UPLOADS; i++) {
		blob_free(s->blob[i]);
		s->blob[i] = NULL;
	}
}

static void finish(struct cx *cx, struct backup *b, bool restore)
{
	bool more = true;

	while (more)
		assert_int_equal(backup_step(cx, b, &more), E_OK);
	assert_int_equal(b->done, b->total);
	assert_int_equal(restore ? restore_finish(cx, b) : backup_finish(cx, b), E_OK);
	backup_end(b);
}

/// The backup is complete and holds all mail.
static void check(struct sending *s)
{
	struct store_conf conf = s->t->bed.conf;
	struct backup b;

	finish(&s->cx, &s->backup, false);
	assert_int_equal(restore_begin(&s->cx, s->dir, s->back, false, &b), E_OK);
	finish(&s->cx, &b, true);
	store_close(s->t->s);
	conf.dir = sl_cstr(s->back);
	assert_int_equal(store_open(NULL, &conf, &s->t->s), E_OK);
	assert_int_equal(s->t->s->damaged_batches, 0);
	town_same(s->t);
	town_free(s->t);
	cx_end(&s->cx);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_up_before),
		cmocka_unit_test(test_given_up_amid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
