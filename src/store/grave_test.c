/// Tests of grave: a deleted mailbox is hidden at once and dropped after its grace.
#include "store/grave.h"

#include "store/mailbed.h"
#include "store/mbox_rows.h"

static enum ec remove_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	uint64_t id;

	(void)b;
	return account_remove(cx, t, *(struct sl *)arg, &id);
}

/// Whether the cell is there, hidden or not.
static bool is_there(struct mailbed *b, struct mbox_ref m)
{
	struct view *v = bed_view(b);
	uint64_t version;
	struct sl head;
	enum ec e = cell_head(&b->cx, v, mbox_cell(m), &version, &head);

	view_close(v);
	return e == E_OK;
}

static bool is_served(struct mailbed *b, struct mbox_ref m)
{
	struct mbox_head h;
	struct view *v = bed_view(b);
	enum ec e = mbox_head_load(&b->cx, v, mbox_cell(m), &h);

	view_close(v);
	return e == E_OK;
}

static void test_grace(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref one, two;
	int64_t then = b->now_s;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	one.account = two.account = bed_user(b, SL("bob@example.org"), 0);
	assert_int_equal(bed_create(b, 1, SL("one"), &one.mbox), E_OK);
	assert_int_equal(bed_create(b, 1, SL("two"), &two.mbox), E_OK);
	assert_int_equal(bed_append(b, one, SL("kept for a week"), 0), 1);
	bed_delete(b, one, then);
	bed_delete(b, two, then + 1000);
	assert_true(is_there(b, one) && !is_served(b, one) && !is_served(b, two));
	bed_check(b);
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S), E_OK);
	assert_true(is_there(b, one));
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S + 1), E_OK);
	assert_true(!is_there(b, one) && is_there(b, two));
	bed_check(b);
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S + 1001), E_OK);
	assert_false(is_there(b, two));
	bed_check(b);
	mailbed_free(b);
}

static bool note_seen(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	struct buf *seen = arg;

	buf_printf(seen, "%llu %lld %.*s;", (unsigned long long)mbox, (long long)gone_s, SLF(name));
	return true;
}

static unsigned graves(struct mailbed *b, uint64_t account)
{
	struct buf seen = BUF(1 << 20);
	struct view *v = bed_view(b);
	unsigned n = 0;

	assert_int_equal(grave_list(&b->cx, v, account, INT64_MAX, note_seen, &seen), E_OK);
	view_close(v);
	for (size_t i = 0; i < seen.n; i++)
		n += seen.p[i] == ';';
	buf_free(&seen);
	return n;
}

struct restore_args {
	struct tree_op op;
	uint64_t mbox;
	struct sl name;
};

static enum ec restore_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct restore_args *a = arg;

	(void)b;
	return tree_restore(cx, t, &a->op, a->mbox, a->name);
}

static enum ec restore(struct mailbed *b, struct mbox_ref m, struct sl name)
{
	struct restore_args a = { { .account = m.account, .now_s = b->now_s, .quota = b->quota }, m.mbox, name };

	return bed_do(b, restore_job, &a);
}

/// What a user deleted goes with the user.
static void test_account_removed(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct sl bob = SL("bob@example.org");
	struct mbox_ref m;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m.account = bed_user(b, bob, 30);
	assert_int_equal(bed_create(b, m.account, SL("one"), &m.mbox), E_OK);
	bed_append(b, m, SL("less than the quota"), 0);
	struct mbox_ref given_up = m;
	bed_delete(b, m, b->now_s);
	assert_int_equal(bed_create(b, m.account, SL("two"), &m.mbox), E_OK);
	bed_append(b, m, SL("more than the quota"), 0);
	bed_delete(b, m, b->now_s);
	assert_int_equal(graves(b, m.account), 1); // the other was given up
	assert_int_equal(bed_do(b, remove_job, &bob), E_OK);
	assert_false(is_there(b, m) || is_there(b, given_up));
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + 2 * GRAVE_S), E_OK);
	bed_check(b);
	mailbed_free(b);
}

/// Many at a time.
static void test_many(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref m[150] = { 0 };
	char name[16];

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	uint64_t account = bed_user(b, SL("bob@example.org"), 0);
	for (size_t i = 0; i < ARRAY_N(m); i++) {
		snprintf(name, sizeof name, "box-%zu", i);
		m[i].account = account;
		assert_int_equal(bed_create(b, account, sl_cstr(name), &m[i].mbox), E_OK);
		bed_delete(b, m[i], b->now_s);
	}
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + GRAVE_S + 1), E_OK);
	for (size_t i = 0; i < ARRAY_N(m); i++)
		assert_false(is_there(b, m[i]));
	bed_check(b);
	mailbed_free(b);
}

/// Nobody fills the disk with what he deletes. What is given up goes with the next sweep.
static void test_trim(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref m, old;
	uint8_t body[600];

	memset(body, 'x', sizeof body);
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m.account = bed_user(b, SL("bob@example.org"), 1500);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(bed_create(b, m.account, SL("box"), &m.mbox), E_OK);
		bed_append(b, m, (struct sl){ body, sizeof body }, 0);
		bed_delete(b, m, b->now_s + i);
		assert_int_equal(graves(b, m.account), i < 2 ? i + 1 : 2);
		assert_true(is_there(b, m));
		bed_check(b);
	}
	m.account = old.account = bed_user(b, SL("eve@example.org"), 0);
	assert_int_equal(bed_create(b, m.account, SL("box"), &old.mbox), E_OK);
	bed_delete(b, old, b->now_s - 10);
	for (int i = 0; i < GRAVES_MAX; i++) {
		assert_true(is_there(b, old));
		assert_int_equal(bed_create(b, m.account, SL("box"), &m.mbox), E_OK);
		bed_delete(b, m, b->now_s);
	}
	assert_int_equal(graves(b, m.account), GRAVES_MAX);
	bed_check(b);
	assert_int_equal(restore(b, old, SL("Back")), E_NOTFOUND); // given up
	assert_true(is_there(b, old));                             // until nobody looks for bodies
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s), E_OK);
	assert_true(!is_there(b, old) && is_there(b, m));
	assert_int_equal(graves(b, m.account), GRAVES_MAX);
	bed_check(b);
	mailbed_free(b);
}

/// One damaged grave is no reason to refuse other deletions.
static void test_damaged_grave(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref bad, m;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m.account = bad.account = bed_user(b, SL("bob@example.org"), 0);
	assert_int_equal(bed_create(b, m.account, SL("bad"), &bad.mbox), E_OK);
	assert_int_equal(bed_create(b, m.account, SL("box"), &m.mbox), E_OK);
	bed_delete(b, bad, b->now_s);
	bed_spoil(b, bad, SL("G but no head"));
	bed_delete(b, m, b->now_s);
	assert_int_equal(graves(b, m.account), 2);
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + GRAVE_S + 1), E_OK);
	assert_false(is_there(b, bad) || is_there(b, m));
	mailbed_free(b);
}

static struct quota_used used(struct mailbed *b, uint64_t account)
{
	struct quota_used u = { 0 };
	struct view *v = bed_view(b);

	assert_int_equal(quota_read(&b->cx, b->quota, v, account, &u), E_OK);
	view_close(v);
	return u;
}

/// Brought back it is what it was, under any free name, and nobody takes its UIDs for those that he knew.
static void test_restore(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref m, again;
	struct buf seen = BUF(1024);

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m.account = again.account = bed_user(b, SL("bob@example.org"), 0);
	assert_int_equal(bed_create(b, m.account, SL("Work/Old"), &m.mbox), E_OK);
	bed_append(b, m, SL("first"), 0);
	bed_append(b, m, SL("second"), 1);
	struct mbox_status before = bed_status(b, m);
	assert_int_equal(restore(b, m, SL("Back")), E_NOTFOUND); // it was never deleted
	bed_delete(b, m, b->now_s + 5);
	assert_int_equal(used(b, m.account).messages, 0);
	struct view *v = bed_view(b);
	assert_int_equal(grave_list(&b->cx, v, m.account, INT64_MAX, note_seen, &seen), E_OK);
	view_close(v);
	char want[64];
	snprintf(want, sizeof want, "%llu %d Work/Old;", (unsigned long long)m.mbox, BED_NOW + 5);
	assert_true(sl_eq(buf_sl(&seen), sl_cstr(want)));

	assert_int_equal(bed_create(b, m.account, SL("Work/Old"), &again.mbox), E_OK);
	assert_int_equal(restore(b, m, SL("Work/Old")), E_EXISTS);
	assert_int_equal(restore(b, m, SL("Work//Old")), E_SYNTAX);
	assert_int_equal(restore(b, (struct mbox_ref){ m.account, 4711 }, SL("Back")), E_NOTFOUND);
	assert_int_equal(restore(b, again, SL("Back")), E_NOTFOUND);
	uint32_t newest = bed_status(b, again).uidvalidity;
	bed_delete(b, again, b->now_s);
	assert_int_equal(restore(b, m, SL("Work/Old")), E_OK);
	assert_int_equal(bed_mbox(b, m.account, SL("Work/Old")), m.mbox);
	struct mbox_status after = bed_status(b, m);
	assert_true(after.messages == 2 && after.uidnext == 3 && after.unseen == before.unseen &&
		    after.modseq > before.modseq && after.uidvalidity > newest);
	assert_int_equal(used(b, m.account).messages, 2);
	assert_int_equal(restore(b, m, SL("Other")), E_NOTFOUND); // once is enough
	assert_int_equal(restore(b, again, SL("Deep/Down/Here")), E_OK);
	bed_check(b);
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + 2 * GRAVE_S), E_OK);
	assert_true(is_served(b, m) && is_served(b, again));
	bed_check(b);
	buf_free(&seen);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_account_removed),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_damaged_grave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
