/// Tests of grave: a deleted mailbox is hidden at once and dropped after its grace.
#include "store/grave.h"

#include "store/check_mail.h"
#include "store/mailbed.h"
#include "store/mbox_rows.h"

struct delete_args {
	struct tree_op op;
	uint64_t mbox;
};

static enum ec delete_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct delete_args *a = arg;

	(void)b;
	return tree_delete(cx, t, &a->op, a->mbox);
}

static void delete_box(struct mailbed *b, struct mbox_ref m, int64_t now_s)
{
	struct delete_args a = { { .account = m.account, .now_s = now_s, .quota = b->quota }, m.mbox };

	assert_int_equal(bed_do(b, delete_job, &a), E_OK);
}

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

static void no_fault(void *arg, unsigned invariant, struct cell_id at, const char *what)
{
	(void)arg;
	print_error("M%u %llu/%llu %s\n", invariant, (unsigned long long)at.account, (unsigned long long)at.name, what);
}

static void check(struct mailbed *b)
{
	struct check_slice slice = { .budget_ns = INT64_MAX / 2, .bodies = true };

	do
		assert_int_equal(check_mail(&b->cx, b->s, b->quota, &slice, no_fault, NULL), E_OK);
	while (slice.cursor);
	assert_int_equal(slice.faults, 0);
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
	delete_box(b, one, then);
	delete_box(b, two, then + 1000);
	assert_true(is_there(b, one) && !is_served(b, one) && !is_served(b, two));
	check(b);
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S), E_OK);
	assert_true(is_there(b, one));
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S + 1), E_OK);
	assert_true(!is_there(b, one) && is_there(b, two));
	check(b);
	assert_int_equal(grave_sweep(&b->cx, b->s, then + GRAVE_S + 1001), E_OK);
	assert_false(is_there(b, two));
	check(b);
	mailbed_free(b);
}

/// What a user deleted goes with the user.
static void test_account_removed(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct sl bob = SL("bob@example.org");
	struct mbox_ref m;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m.account = bed_user(b, bob, 0);
	assert_int_equal(bed_create(b, m.account, SL("one"), &m.mbox), E_OK);
	delete_box(b, m, b->now_s);
	assert_int_equal(bed_do(b, remove_job, &bob), E_OK);
	assert_false(is_there(b, m));
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + 2 * GRAVE_S), E_OK);
	check(b);
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
		delete_box(b, m[i], b->now_s);
	}
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + GRAVE_S + 1), E_OK);
	for (size_t i = 0; i < ARRAY_N(m); i++)
		assert_false(is_there(b, m[i]));
	check(b);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_account_removed),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
