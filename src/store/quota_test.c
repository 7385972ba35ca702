/// Tests of quota: what an account may bring in while it removes as much again.
#include "store/mailbed.h"

struct flood {
	struct mbox_op op;
	struct mbox_message msg;
	enum quota_rule rule;
	struct append_result appended;
	struct expunge_result gone;
};

static enum ec append_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct flood *f = arg;

	return mailbox_append(cx, t, &f->op, &f->msg, 1, f->rule, &f->appended);
}

static enum ec expunge_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct flood *f = arg;
	struct buf gone = BUF(1 << 10);
	enum ec e = mailbox_expunge(cx, t, &f->op, (struct uid_set){ .all = true }, true, &gone, &f->gone);

	buf_free(&gone);
	return e;
}

/// Appends and expunges 360 octets until that is refused, at most `most` times.
static unsigned flood(struct mailbed *b, struct flood *f, unsigned most)
{
	unsigned n = 0;

	f->op.now_s = b->now_s;
	while (n < most && bed_do(b, append_job, f) == E_OK) {
		assert_int_equal(bed_do(b, expunge_job, f), E_OK);
		n++;
	}
	return n;
}

/// Twice the quota within the window, a bit more for what others send, again in the next one; copies and accounts
/// without quota are not bound.
static void test_flood(void **state)
{
	static const struct {
		const char *name;
		uint64_t quota;
		enum quota_rule rule;
		unsigned first, then;
	} cases[] = {
		{ "by APPEND", 1000, QUOTA_APPEND, 5, 5 },
		{ "by COPY", 1000, QUOTA_STRICT, 50, 50 },
		{ "by others", 1000, QUOTA_DELIVERY, 6, 6 },
		{ "no quota", 0, QUOTA_APPEND, 50, 50 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct mailbed *b = mailbed_new();
		assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
		struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), cases[i].quota) };
		m.mbox = bed_mbox(b, m.account, SL("INBOX"));
		struct flood f = {
			.op = { .m = m, .quota = b->quota }, .msg = { .body = { 1, 360 } }, .rule = cases[i].rule
		};
		CHECK(flood(b, &f, 50) == cases[i].first, cases[i].name);
		b->now_s += QUOTA_WINDOW_S - 1;
		CHECK(flood(b, &f, 50) == (cases[i].first == 50 ? 50 : 0), cases[i].name);
		b->now_s += 1;
		quota_forget(b->quota, m.account); // of what it has; not of what it brought
		CHECK(flood(b, &f, 50) == cases[i].then, cases[i].name);
		mailbed_free(b);
	}
}

static enum ec drop_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	return mailbox_drop(cx, t, *(const struct mbox_ref *)arg);
}

/// A mailbox that damage took counts nothing, and what the others have can be told.
static void test_lost_mailbox(void **state)
{
	struct mailbed *b = mailbed_new();
	struct quota_used used;

	(void)state;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 1000) }, lost = m;
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	lost.mbox = bed_mbox(b, m.account, SL("Trash"));
	struct flood f = { .op = { .m = m, .quota = b->quota, .now_s = b->now_s }, .msg = { .body = { 1, 360 } } };
	assert_int_equal(bed_do(b, append_job, &f), E_OK);
	assert_int_equal(bed_do(b, drop_job, &lost), E_OK);
	struct view *v = bed_view(b);
	assert_int_equal(quota_sum(&b->cx, v, m.account, &used), E_OK);
	assert_true(used.octets == 360 && used.messages == 1);
	view_close(v);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_lost_mailbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
