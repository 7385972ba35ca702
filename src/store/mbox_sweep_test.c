/// Tests of mbox_sweep: pages go when nothing is left in them, and nobody sees a difference.
#include "store/mbox_sweep.h"

#include "store/keys.h"
#include "store/mailbed.h"
#include "store/mbox_rows.h"

struct expunge_args {
	struct mbox_op op;
	struct pl_uids range;
	struct expunge_result r;
};

static enum ec expunge_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct expunge_args *a = arg;
	struct buf gone = BUF(1 << 16);
	enum ec e = mailbox_expunge(cx, t, &a->op, (struct uid_set){ &a->range, 1, false }, true, &gone, &a->r);

	(void)b;
	buf_free(&gone);
	return e;
}

static void expunge(struct mailbed *b, struct mbox_ref m, uint32_t lo, uint32_t hi)
{
	struct expunge_args a = { .op = { .m = m, .now_s = b->now_s, .quota = b->quota }, .range = { lo, hi } };

	assert_int_equal(bed_do(b, expunge_job, &a), E_OK);
	assert_int_equal(a.r.count, hi - lo + 1);
}

static bool count_page(void *arg, struct sl key, struct sl value)
{
	(void)value;
	*(unsigned *)arg += key.p[0] == 'P';
	return key.p[0] == 'P';
}

static unsigned pages(struct mailbed *b, struct mbox_ref m)
{
	struct view *v = bed_view(b);
	unsigned n = 0;

	assert_int_equal(cell_scan(&b->cx, v, mbox_cell(m), SL("P"), count_page, &n), E_OK);
	view_close(v);
	return n;
}

static struct mbox_ref inbox(struct mailbed *b)
{
	struct mbox_ref m = { 0 };

	assert_int_equal(bed_domain(b, SL("example.org"), SL("")), E_OK);
	m.account = bed_user(b, SL("a@example.org"), 0);
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	return m;
}

/// All that a session can ask about what is there and what went.
struct told {
	uint32_t count, next, gone;
	bool unknown;
	uint8_t rows[1 << 15], ranges[1 << 12], presence[1 << 12];
};

static void ask(struct mailbed *b, struct mbox_ref m, struct told *t)
{
	struct view *v = bed_view(b);
	struct rows_query q = { .set.all = true, .now_s = b->now_s };
	struct out rows = out_over(t->rows, sizeof t->rows), ranges = out_over(t->ranges, sizeof t->ranges),
		   presence = out_over(t->presence, sizeof t->presence);
	uint32_t blocks;

	assert_int_equal(mailbox_rows(&b->cx, v, m, &q, &rows, &t->count, &t->next), E_OK);
	assert_int_equal(mailbox_gone(&b->cx, v, m, 1, &ranges, &t->gone, &t->unknown), E_OK);
	assert_int_equal(mailbox_presence(&b->cx, v, m, 0, &presence, &blocks, &(uint32_t){ 0 }), E_OK);
	view_close(v);
}

static void test_pages(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref m = inbox(b);
	struct told *before = calloc(1, sizeof *before), *after = calloc(1, sizeof *after);

	for (int i = 0; i < 500; i++) // 16 pages: UIDs 1 to 31, 32 to 63 …
		bed_append(b, m, SL("body"), 0);
	expunge(b, m, 1, 40);
	expunge(b, m, 42, 500);
	ask(b, m, before);
	assert_int_equal(before->count, 1);
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s + EXPUNGED_READABLE_S), E_OK);
	assert_int_equal(pages(b, m), 16); // they may still be read
	b->now_s += EXPUNGED_KEPT_S + 1;
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s), E_OK);
	assert_int_equal(pages(b, m), 2); // that of UID 41, and that of the next one
	ask(b, m, after);
	assert_memory_equal(before, after, sizeof *before);
	bed_check(b);
	uint64_t modseq = bed_status(b, m).modseq;
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s), E_OK);
	assert_int_equal(bed_status(b, m).modseq, modseq); // nothing left to do
	assert_int_equal(bed_append(b, m, SL("more"), 0), 501);
	assert_int_equal(bed_status(b, m).messages, 2);
	bed_check(b);
	free(before);
	free(after);
	mailbed_free(b);
}

/// A few pages, or a few messages of many, are left alone.
static void test_not_worth(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref m = inbox(b);

	for (int i = 0; i < 400; i++)
		bed_append(b, m, SL("body"), 0);
	expunge(b, m, 1, 223); // 7 pages
	b->now_s += EXPUNGED_KEPT_S + 1;
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s), E_OK);
	assert_int_equal(pages(b, m), 13);
	expunge(b, m, 224, 255);
	b->now_s += EXPUNGED_KEPT_S + 1;
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s), E_OK);
	assert_int_equal(pages(b, m), 5);
	bed_check(b);
	mailbed_free(b);
}

/// A damaged mailbox is told, and keeps nothing from those behind it.
static void test_damaged(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref bad = inbox(b), m = { .account = bad.account };

	assert_int_equal(bed_create(b, m.account, SL("box"), &m.mbox), E_OK);
	assert_true(m.mbox > bad.mbox); // looked at after it
	for (int i = 0; i < 400; i++)
		bed_append(b, m, SL("body"), 0);
	expunge(b, m, 1, 400);
	b->now_s += EXPUNGED_KEPT_S + 1;
	bed_spoil(b, bad, SL("no head"));
	assert_int_equal(mbox_sweep(&b->cx, b->s, b->now_s), E_CORRUPT);
	assert_int_equal(pages(b, m), 1);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_not_worth),
		cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
