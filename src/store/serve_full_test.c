/// Tests of what users can still do where the log lives on the room kept back: delete, and mark for that.
#include <errno.h>

#include "store/engine.h"
#include "store/serve_town.h"

static int full_fallocate(void *arg, int fd, uint64_t octets)
{
	(void)arg, (void)fd, (void)octets;
	return -ENOSPC;
}

static int64_t full_free(void *arg, int dir)
{
	(void)arg, (void)dir;
	return 0;
}

static enum ec store_flags(struct client *c, const struct handle *h, uint64_t mbox, enum flags_mode mode, uint8_t flags)
{
	struct req_mbox_flags q = { .handle = *h,
		.mbox = mbox,
		.all = 1,
		.mode = (uint8_t)mode,
		.flags = flags,
		.unchanged_since = UINT64_MAX };
	struct ans_mbox_flags a;

	return ASK(c, mbox_flags, &q, &a);
}

static void test_delete_on_full_disk(void **state)
{
	struct town *t = town_new();
	struct handle h = login_as(&t->user, SL("alice@example.org"));
	uint64_t inbox = find(&t->user, &h, SL("INBOX"));
	struct req_mbox_expunge q = { .handle = h, .mbox = inbox, .all = 1 };
	struct ans_mbox_expunge a = { 0 };
	struct disk disk = disk_real;
	struct store *s = t->b->s;
	static uint8_t octets[1000000];

	(void)state;
	while (s->journal.end.at < s->segment_octets) // the next batch takes a reserve segment
		append(&t->user, &h, inbox, (struct sl){ octets, sizeof octets });
	disk.fallocate = full_fallocate;
	disk.free_octets = full_free;
	s->disk = s->journal.disk = &disk;
	assert_int_equal(store_flags(&t->user, &h, inbox, FLAGS_ADD, FLAG_FLAGGED), E_FULL);
	assert_int_equal(store_flags(&t->user, &h, inbox, FLAGS_ADD, FLAG_DELETED), E_OK);
	assert_int_equal(store_flags(&t->user, &h, inbox, FLAGS_DEL, FLAG_DELETED), E_FULL);
	assert_int_equal(ASK(&t->user, mbox_expunge, &q, &a), E_OK);
	assert_true(a.count > 0);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete_on_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
