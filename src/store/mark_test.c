/// Tests of mark: what is changed while the walk goes on loses no body.
#include "store/mark.h"

#include "base/clock.h"
#include "store/grave.h"
#include "store/mailbed.h"
#include "store/mbox_rows.h"

/// A walk in the smallest views, in the middle of which a mailbox is copied to where the walk has been, and deleted.
struct amid {
	struct mailbed *b;
	struct mbox_ref passed, source, other[2];
	uint64_t passed_at; // the body that the row in `passed` names
	bool done;
};

struct copy_args {
	struct mbox_op op;
	uint64_t to;
	struct copy_result r;
};

static enum ec copy_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct copy_args *a = arg;
	struct buf from = BUF(1 << 10);
	enum ec e = mailbox_copy(cx, t, &a->op, a->to, (struct uid_set){ .all = true }, false, &from, &a->r);

	(void)b;
	buf_free(&from);
	return e;
}

static bool wants(void *arg, struct body_ref ref)
{
	struct amid *m = arg;
	struct copy_args copy = { .op = { .m = m->source, .now_s = m->b->now_s, .quota = m->b->quota },
		.to = m->passed.mbox };

	if (m->done || ref.at != m->passed_at)
		return true;
	m->done = true;
	assert_int_equal(bed_do(m->b, copy_job, &copy), E_OK);
	assert_int_equal(copy.r.count, 1);
	bed_delete(m->b, m->source, m->b->now_s);
	for (size_t i = 0; i < ARRAY_N(m->other); i++) { // all three are over the quota: the oldest are given up
		bed_append(m->b, m->other[i], SL("twenty octets of it."), 0);
		bed_delete(m->b, m->other[i], m->b->now_s);
	}
	return true;
}

static struct body_ref body_of(struct mailbed *b, struct mbox_ref m, uint32_t uid)
{
	struct pl_row row = { 0 };
	struct view *v = bed_view(b);

	assert_int_equal(mailbox_row(&b->cx, v, m, uid, b->now_s, &row), E_OK);
	view_close(v);
	return (struct body_ref){ row.body, row.octets };
}

static void test_copied_and_deleted(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct amid amid = { .b = b };
	struct mark m = { .wants = wants, .arg = &amid, .view_rows = 1 };
	struct mbox_status st;
	bool named = false;
	size_t n;

	b->s->bodies = mbox_bodies;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	amid.passed.account = amid.source.account = bed_user(b, SL("bob@example.org"), 36);
	assert_int_equal(bed_create(b, amid.passed.account, SL("passed"), &amid.passed.mbox), E_OK);
	assert_int_equal(bed_create(b, amid.passed.account, SL("source"), &amid.source.mbox), E_OK);
	assert_true(amid.source.mbox > amid.passed.mbox); // the walk comes there later
	bed_append(b, amid.passed, SL("a"), 0);
	bed_append(b, amid.source, SL("the copied"), 0);
	amid.passed_at = body_of(b, amid.passed, 1).at;
	uint64_t copied_at = body_of(b, amid.source, 1).at;
	for (size_t i = 0; i < ARRAY_N(amid.other); i++) {
		amid.other[i].account = amid.source.account;
		struct sl name = i ? SL("one") : SL("two");
		assert_int_equal(bed_create(b, amid.source.account, name, &amid.other[i].mbox), E_OK);
	}
	assert_int_equal(mark_walk(&b->cx, b->s, &m), E_OK);
	assert_true(amid.done);
	const struct marked *body = mark_bodies(&m, &n);
	for (size_t i = 0; i < n; i++)
		named = named || body[i].at == copied_at;
	assert_true(named);
	buf_free(&m.bodies);
	st = bed_status(b, amid.passed);
	assert_int_equal(st.messages, 2);
	mailbed_free(b);
}

// ---- a low disk

static bool wants_all(void *, struct body_ref)
{
	return true;
}

struct gone_args {
	struct mbox_op op;
	struct expunge_result r;
};
static enum ec expunge_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct gone_args *a = arg;
	struct buf gone = BUF(1 << 10);
	enum ec e = mailbox_expunge(cx, t, &a->op, (struct uid_set){ .all = true }, false, &gone, &a->r);

	buf_free(&gone);
	return e;
}

/// What was expunged keeps its body for an hour; on a low disk only where it may have gone during the walk.
static void test_low_disk(void **state)
{
	static const struct {
		const char *name;
		int64_t ago_s;
		bool low, named;
	} cases[] = {
		{ "just now", 0, false, true },
		{ "just now, low", 0, true, true },
		{ "minutes ago", 300, false, true },
		{ "minutes ago, low", 300, true, false },
		{ "an hour and more ago", EXPUNGED_KEPT_S + 10, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct mailbed *b = mailbed_new();
		struct mark m = { .wants = wants_all };
		struct gone_args gone = { .op = { .quota = b->quota } };
		size_t n;
		b->s->bodies = mbox_bodies;
		b->s->hurry_s = EXPUNGED_KEPT_S - EXPUNGED_KEPT_LOW_S;
		assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
		gone.op.m.account = bed_user(b, SL("bob@example.org"), 0);
		gone.op.m.mbox = bed_mbox(b, gone.op.m.account, SL("INBOX"));
		gone.op.now_s = clock_now_s() - cases[i].ago_s;
		bed_append(b, gone.op.m, SL("one"), FLAG_DELETED);
		assert_int_equal(bed_do(b, expunge_job, &gone), E_OK);
		assert_int_equal(gone.r.count, 1);
		if (cases[i].low)
			b->s->free_min_octets = UINT64_MAX;
		assert_int_equal(mark_walk(&b->cx, b->s, &m), E_OK);
		(void)mark_bodies(&m, &n);
		CHECK(n == cases[i].named, cases[i].name);
		buf_free(&m.bodies);
		mailbed_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copied_and_deleted),
		cmocka_unit_test(test_low_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
