/// Tests of mend: a lost commit of a mailbox, found at start.
#include "store/mend.h"

#include <fcntl.h>

#include "store/engine.h"
#include "store/mailbed.h"

/// Damages the octet before `at`, counted from the end of a record, in the newest log segment.
static void damage(const struct mailbed *b, uint32_t segment, uint64_t at)
{
	char path[128], name[SEG_NAME];
	uint8_t octet;

	seg_name(segment, name);
	snprintf(path, sizeof path, "%s/log/%s", b->dir, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet ^= 0xff;
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

static void reopen(struct mailbed *b, bool without_index)
{
	char path[128];

	store_close(b->s);
	snprintf(path, sizeof path, "%s/index/data.mdb", b->dir);
	if (without_index)
		assert_int_equal(unlink(path), 0);
	bed_open_store(b);
}

/// The mailbox has so many messages, by its head and by its rows, and nothing is at odds in it.
static void check_sound(struct mailbed *b, struct mbox_ref m, uint32_t messages)
{
	struct pl_row row[8];
	struct out out = out_over(row, sizeof row);
	struct rows_query all = { .set.all = true, .from_uid = 1 };
	uint32_t count = 0, next = 0;
	struct view *v = bed_view(b);

	assert_int_equal(mailbox_rows(&b->cx, v, m, &all, &out, &count, &next), E_OK);
	view_close(v);
	assert_true(count == messages && next == 0);
	assert_int_equal(bed_status(b, m).messages, messages);
	quota_forget_all(b->quota); // nobody had it before mending
	bed_check(b);
}

static void test_mend(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct pl_uids r[4];
	struct out out = out_over(r, sizeof r);
	uint32_t mended = 9, damaged = 9, count;
	bool unknown;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 0) };
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
	assert_true(mended == 0 && damaged == 0);
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	assert_int_equal(bed_append(b, m, SL("two"), 0), 2);
	struct journal_pos end = b->s->journal.end; // behind it stands what names the second message
	assert_int_equal(bed_append(b, m, SL("three"), 0), 3);
	uint64_t modseq = bed_status(b, m).modseq;
	store_close(b->s);
	damage(b, end.segment, end.at - REC_HEAD - 1);
	bed_open_store(b);
	reopen(b, true);
	assert_int_equal(b->s->damaged_batches, 1);
	for (int round = 0; round < 3; round++) { // once, whatever happens to the index
		assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		assert_true(mended == (round == 0) && damaged == 1);
		assert_int_equal(bed_status(b, m).uidnext, 4 + MEND_UIDS);
		check_sound(b, m, 2);
		reopen(b, round == 1);
	}
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_gone(&b->cx, v, m, modseq, &out, &count, &unknown), E_OK);
	assert_true(unknown);
	assert_int_equal(mailbox_gone(&b->cx, v, m, modseq + 1, &out, &count, &unknown), E_OK);
	assert_false(unknown);
	view_close(v);
	assert_int_equal(bed_append(b, m, SL("four"), 0), 4 + MEND_UIDS);
	mailbed_free(b);
}

/// A log from a backup: UIDs and versions go on behind what clients may have seen since it was made.
static void test_restored(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	uint32_t mended = 9, damaged = 9;
	char path[128];

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 0) };
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	snprintf(path, sizeof path, "%s/restored", b->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (int round = 0; round < 3; round++) {
		assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		assert_true(damaged == 0 && (round ? mended == 0 : mended >= 6)); // every mailbox of a new account
		assert_int_equal(bed_status(b, m).uidnext, 2 + MEND_UIDS);
		assert_int_equal(access(path, F_OK), -1);
		reopen(b, round == 1);
	}
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_restored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
