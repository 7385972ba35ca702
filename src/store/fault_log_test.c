/// fault_log_test — what a failed write or flush leaves in the log, and what of it the next start finds.
#include <limits.h>

#include "store/fault_bed.h"

/// Where there is no memory to keep an unflushed batch for a restart of the log, it is flushed at once, and what was
/// kept before stays.
static void test_no_room_to_keep(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.flush_lazy_ms = 60000;
	struct store *s = bed_open(&b);
	struct put first = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") };
	struct put second = { cell_b, 0, 0, SL("k"), SL("b"), .outcome = SL("") };
	uint64_t restarts = s->journal.made;

	assert_int_equal(store_do(NULL, s, false, put_run, &first), E_OK);
	assert_true(s->journal.kept.n > 0);
	s->journal.kept.max = s->journal.kept.n + 1;
	assert_int_equal(store_do(NULL, s, false, put_run, &second), E_OK);
	assert_int_equal(s->journal.made, restarts);
	assert_int_equal(s->journal.durable.lsn, s->journal.end.lsn);
	bed_crash(s);
	no_index(&b);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("a")) && has(s, cell_b, SL("b")));
	store_close(s);
	bed_remove(&b);
}

/// A batch whose flush failed and that was answered so is not found in the log by the next start.
static void test_failed_is_not_done(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct bad_disk bad = { .err = EIO, .fail_from = UINT_MAX, .fail_to = UINT_MAX, .truncates = true };
	struct disk disk = bad_disk_over(&bad);
	struct store *s = bed_open_on(&b, &disk);
	struct put lazy = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") };
	struct put failed = { cell_b, 0, 0, SL("k"), SL("b"), .outcome = SL("") };

	assert_int_equal(store_do(NULL, s, false, put_run, &lazy), E_OK);
	bad_from_now(&bad, 2, false); // its write comes through
	assert_int_equal(store_do(NULL, s, true, put_run, &failed), E_TEMP);
	bed_crash(s);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("a")) && !has(s, cell_b, SL("b")));
	store_close(s);
	bed_remove(&b);
}

/// What was written again in a new segment is where the index says: the next start need not make the index anew.
static void test_written_again_is_known(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct bad_disk bad = { .err = EIO, .fail_from = UINT_MAX, .fail_to = UINT_MAX };
	struct disk disk = bad_disk_over(&bad);
	b.conf.flush_lazy_ms = 1;
	struct store *s = bed_open_on(&b, &disk);
	struct put lazy = { cell_a, 0, 0, SL("k"), SL("a"), .outcome = SL("") };
	struct store_stats before, after;

	store_get_stats(s, &before);
	bad_from_now(&bad, 2, true); // its lazy flush
	assert_int_equal(store_do(NULL, s, false, put_run, &lazy), E_OK);
	do {
		usleep(1000);
		store_get_stats(s, &after);
	} while (after.segments == before.segments);
	store_close(s);
	s = bed_open(&b);
	assert_true(has(s, cell_a, SL("a")) && s->start == START_INDEX);
	store_close(s);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_room_to_keep),
		cmocka_unit_test(test_failed_is_not_done),
		cmocka_unit_test(test_written_again_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
