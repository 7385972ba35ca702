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

enum { PIECE = 32 << 10, ROOM = 16 * PIECE };
static atomic_uint_least64_t uploaded;

/// A disk on which the pieces of uploads take room.
static int64_t shrinking_free(void *arg, int dir)
{
	(void)arg, (void)dir;
	int64_t left = 1 + ROOM - (int64_t)atomic_load(&uploaded);

	return left > 0 ? left : 0;
}

static uint64_t upload_begin(struct client *c, uint64_t who)
{
	struct req_upload_begin q = { .who = who };
	struct ans_upload_begin a = { 0 };

	must(ASK(c, upload_begin, &q, &a), "begin");
	return a.upload;
}

static enum ec upload_piece(struct client *c, uint64_t upload)
{
	struct req_upload_add q = { .upload = upload, .body = { .n = 1, .r = { { 0, PIECE } } } };
	struct ans_upload_add a;
	enum ec e = ASK(c, upload_add, &q, &a);

	if (e == E_OK)
		atomic_fetch_add(&uploaded, PIECE);
	return e;
}

static unsigned upload_pieces(struct client *c, uint64_t upload, enum ec *last)
{
	unsigned n = 0;

	while ((*last = upload_piece(c, upload)) == E_OK)
		n++;
	return n;
}

static void upload_drop(struct client *c, uint64_t upload, unsigned pieces)
{
	struct req_upload_drop q = { .upload = upload };
	struct ans_upload_drop a;

	must(ASK(c, upload_drop, &q, &a), "drop");
	atomic_fetch_sub(&uploaded, pieces * PIECE);
}

/// Messages that nobody ends take a quarter of the disk, those of one sender half of that, from whatever front; who is
/// refused goes on when there is room again.
static void test_unfinished(void **state)
{
	struct town *t = town_new();
	struct client mx = client_new(t->s, BY_MX, 7), more = client_new(t->s, BY_USER, 8);
	struct disk disk = disk_real;
	enum ec e;

	(void)state;
	disk.free_octets = shrinking_free;
	t->b->s->disk = &disk;
	uint64_t a = upload_begin(&mx, 1), b = upload_begin(&more, 1), c = upload_begin(&mx, 2),
		 d = upload_begin(&more, 3);
	assert_true(upload_piece(&mx, a) == E_OK && upload_piece(&more, b) == E_OK);
	assert_int_equal(upload_piece(&mx, a), E_QUOTA);
	assert_int_equal(upload_piece(&more, b), E_QUOTA);
	assert_int_equal(upload_piece(&mx, c), E_OK);
	assert_int_equal(upload_piece(&more, d), E_OK);
	assert_int_equal(upload_piece(&mx, c), E_LIMIT);
	upload_drop(&mx, a, 1);
	assert_int_equal(upload_piece(&mx, c), E_OK);
	assert_int_equal(upload_pieces(&more, d, &e), 0);
	client_end(&mx); // its uploads end with it
	atomic_fetch_sub(&uploaded, 2 * PIECE);
	for (int i = 0; i < 1000 && (e = upload_piece(&more, d)) == E_LIMIT; i++)
		usleep(10000);
	assert_int_equal(e, E_OK);
	upload_drop(&more, b, 1);
	unsigned n = upload_pieces(&more, d, &e); // alone: to the reserve, as one message may
	assert_true(n > 4 && e == E_FULL);
	client_end(&more);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delete_on_full_disk),
		cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
