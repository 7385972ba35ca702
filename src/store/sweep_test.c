/// Tests of sweep: short views, and damage that keeps nothing else.
#include "store/sweep.h"

#include "store/engine.h"
#include "store/grave.h"
#include "store/mailbed.h"

/// Makes a user while the pass is at its first cell, and counts the cells of that user.
struct watching {
	struct mailbed *b;
	uint64_t user;
	unsigned cells, others;
};

static enum ec look(struct cx *cx, struct view *v, struct cell_id cell, void *arg, bool *found)
{
	struct watching *w = arg;

	(void)cx, (void)v, (void)found;
	if (w->user == 0)
		w->user = bed_user(w->b, SL("late@example.org"), 0);
	w->cells += cell.account == w->user;
	w->others += cell.account != w->user;
	return E_OK;
}

/// The pass is made in more views than one, and looks at each cell once.
static void test_views(void **state)
{
	(void)state;
	static const struct {
		int64_t view_ns;
		bool sees;
	} cases[] = { { INT64_MAX / 2, false }, { -1, true } };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct mailbed *b = mailbed_new();
		struct watching w = { .b = b };
		assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
		bed_user(b, SL("bob@example.org"), 0);
		struct sweep sweep = { .look = look, .arg = &w, .view_ns = cases[i].view_ns };
		assert_int_equal(sweep_cells(&b->cx, b->s, &sweep), E_OK);
		assert_int_equal(w.others, 1 + 1 + 6); // the directory, an account, its mailboxes
		assert_int_equal(w.cells, cases[i].sees ? 1 + 6 : 0);
		mailbed_free(b);
	}
}

/// Damages the row of a cell in the index.
static void damage(struct mailbed *b, struct mbox_ref m)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct itxn *t;

	cell_key(mbox_cell(m), key);
	assert_int_equal(index_write(&b->cx, b->s->index, &t), E_OK);
	assert_int_equal(index_put(&b->cx, t, T_CELL, (struct sl){ key, sizeof key }, SL("short")), E_OK);
	assert_int_equal(itxn_commit(&b->cx, t), E_OK);
}

static bool count(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	(void)mbox, (void)gone_s, (void)name;
	++*(unsigned *)arg;
	return true;
}

/// What the user deleted and what waits for the sweep.
static void check_graves(struct mailbed *b, uint64_t account, unsigned kept, unsigned due)
{
	struct view *v = bed_view(b);
	unsigned n[2] = { 0 };

	assert_int_equal(grave_list(&b->cx, v, account, INT64_MAX, count, &n[0]), E_OK);
	assert_int_equal(grave_list_due(&b->cx, v, account, count, &n[1]), E_OK);
	view_close(v);
	assert_int_equal(n[0], kept);
	assert_int_equal(n[1], due);
}

/// A grave whose cell cannot be read refuses no deletion, keeps no other grave, and is told.
static void test_damaged_grave(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct mbox_ref bad, behind, m[100];
	char name[16];

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	bad.account = bed_user(b, SL("bob@example.org"), 10);
	for (size_t i = 0; i < ARRAY_N(m); i++) {
		snprintf(name, sizeof name, "box-%zu", i);
		m[i].account = bad.account;
		assert_int_equal(bed_create(b, bad.account, sl_cstr(name), &m[i].mbox), E_OK);
		bed_delete(b, m[i], b->now_s);
	}
	behind.account = bed_user(b, SL("eve@example.org"), 0); // her cells come after the damaged one
	assert_int_equal(bed_create(b, behind.account, SL("box"), &behind.mbox), E_OK);
	bed_delete(b, behind, b->now_s);
	bad = m[3];
	damage(b, bad);
	assert_int_equal(bed_create(b, bad.account, SL("full"), &m[0].mbox), E_OK);
	bed_append(b, m[0], SL("7 octet"), 0);
	bed_delete(b, m[0], b->now_s);
	assert_int_equal(bed_create(b, bad.account, SL("full"), &m[1].mbox), E_OK);
	bed_append(b, m[1], SL("7 octet"), 0);
	b->now_s++;
	bed_delete(b, m[1], b->now_s); // now the oldest are given up, the damaged one among them
	check_graves(b, bad.account, 101 + 1 - 64, 64);
	assert_int_equal(grave_sweep(&b->cx, b->s, b->now_s + GRAVE_S + 1), E_CORRUPT);
	check_graves(b, bad.account, 0, 1);
	check_graves(b, behind.account, 0, 0);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_damaged_grave),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
