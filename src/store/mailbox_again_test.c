/// Tests of changes asked for again under their operation id: the answer is the first one's, whatever was expunged
/// before or since, and in however many ranges.
#include "store/mailbed.h"
#include "store/operation.h"
#include "store/tree_rows.h"

enum { MESSAGES = 10000, GONE_BEFORE = 11, GONE_SINCE = 21 };

struct again {
	struct mbox_op op;
	struct uid_set set;
	struct mbox_message msg[MESSAGES];
	uint64_t to;
	struct buf out;
	uint32_t count;
};

static enum ec append_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct again *a = arg;
	struct append_result r;

	(void)b;
	return mailbox_append(cx, t, &a->op, a->msg, MESSAGES, QUOTA_STRICT, &r);
}

static enum ec expunge_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct again *a = arg;
	struct expunge_result r;

	(void)b;
	buf_clear(&a->out);
	enum ec e = mailbox_expunge(cx, t, &a->op, a->set, true, &a->out, &r);
	a->count = e == E_OK ? r.count : 0;
	return e;
}

static enum ec copy_or_move(struct cx *cx, struct txn *t, struct again *a, bool move)
{
	struct copy_result r;

	buf_clear(&a->out);
	enum ec e = mailbox_copy(cx, t, &a->op, a->to, a->set, move, &a->out, &r);
	a->count = e == E_OK ? r.count : 0;
	return e;
}

static enum ec copy_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)b;
	return copy_or_move(cx, t, arg, false);
}

static enum ec move_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)b;
	return copy_or_move(cx, t, arg, true);
}

static void expunge_one(struct mailbed *b, const struct mbox_op *op, uint32_t uid)
{
	struct pl_uids one = { uid, uid };
	struct again *a = calloc(1, sizeof *a);

	assert_non_null(a);
	a->op = *op;
	a->op.op = (struct op_id){ 0 };
	a->set = (struct uid_set){ &one, 1, false };
	a->out = BUF(1024);
	assert_int_equal(bed_do(b, expunge_job, a), E_OK);
	buf_free(&a->out);
	free(a);
}

/// The change, on every step-th message, is done twice.
static void change_twice(bed_call *change, uint32_t step, const char *name)
{
	struct mailbed *b = mailbed_new();
	struct again *a = calloc(1, sizeof *a);
	struct pl_uids *set = calloc(MESSAGES, sizeof *set);
	struct buf first = BUF(1 << 20);

	assert_true(a && set);
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	a->op = (struct mbox_op){ .now_s = b->now_s, .quota = b->quota };
	a->op.m.account = bed_user(b, SL("a@example.org"), 0);
	a->op.m.mbox = bed_mbox(b, a->op.m.account, SL("INBOX"));
	a->out = BUF(1 << 20);
	assert_int_equal(bed_create(b, a->op.m.account, SL("to"), &a->to), E_OK);
	for (uint32_t i = 0; i < MESSAGES; i++)
		a->msg[i].body = (struct body_ref){ 1, 1 };
	for (uint32_t uid = 1; uid <= MESSAGES; uid += step)
		set[a->set.n++] = (struct pl_uids){ uid, uid };
	a->set.r = set;
	assert_int_equal(bed_do(b, append_job, a), E_OK);
	expunge_one(b, &a->op, GONE_BEFORE);
	a->op.op = bed_op(1);
	CHECK(bed_do(b, change, a) == E_OK && a->count == MESSAGES / step - 1, name);
	buf_add(&first, buf_sl(&a->out));
	expunge_one(b, &a->op, GONE_SINCE);
	CHECK(bed_do(b, change, a) == E_OK && a->count == MESSAGES / step - 1, name);
	CHECK(sl_eq(buf_sl(&first), buf_sl(&a->out)), name);
	buf_free(&first);
	buf_free(&a->out);
	free(set);
	free(a);
	mailbed_free(b);
}

static void test_again(void **state)
{
	static const struct {
		const char *name;
		bed_call *change;
		uint32_t step;
	} cases[] = {
		{ "COPY", copy_job, 1 },
		{ "COPY of many ranges", copy_job, 2 },
		{ "MOVE", move_job, 1 },
		{ "MOVE of many ranges", move_job, 2 },
		{ "EXPUNGE", expunge_job, 1 },
		{ "EXPUNGE of many ranges", expunge_job, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++)
		change_twice(cases[i].change, cases[i].step, cases[i].name);
}

struct damaged {
	struct mbox_op op;
	enum op_kind kind;
	struct cell_id cell;
	struct mbox_message msg;
	struct buf out;
};

/// Keeps an outcome under the id that no change of that kind leaves.
static enum ec damage_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct damaged *d = arg;
	uint64_t version;

	(void)b;
	struct op_id bound = op_bind(&d->op.op, d->kind, d->cell);
	enum ec e = cell_head(cx, txn_view(t), d->cell, &version, &(struct sl){ 0 });
	return e ? e : change_commit(cx, change_begin(t, d->cell, version), &bound, SL("odd"), &version);
}

static enum ec each_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct damaged *d = arg;
	struct tree_op tree = {
		.op = d->op.op, .account = d->op.m.account, .now_s = d->op.now_s, .quota = d->op.quota
	};
	struct flags_change fc = {
		.mode = FLAGS_ADD, .flags = FLAG_SEEN, .set.all = true, .unchanged_since = UINT64_MAX
	};
	struct append_result ar;
	struct flags_result fr;
	struct expunge_result er;
	struct copy_result cr;
	uint64_t mbox;

	(void)b;
	switch ((unsigned)d->kind) {
	case OP_APPEND: return mailbox_append(cx, t, &d->op, &d->msg, 1, QUOTA_STRICT, &ar);
	case OP_FLAGS: return mailbox_flags(cx, t, &d->op, &fc, &d->out, &fr);
	case OP_EXPUNGE: return mailbox_expunge(cx, t, &d->op, fc.set, true, &d->out, &er);
	case OP_COPY: return mailbox_copy(cx, t, &d->op, d->op.m.mbox, fc.set, false, &d->out, &cr);
	case OP_CREATE: return tree_create(cx, t, &tree, SL("fresh"), MBOX_USE_NONE, &mbox);
	case OP_RENAME: return tree_rename(cx, t, &tree, d->op.m.mbox, SL("other"));
	case OP_DELETE: return tree_delete(cx, t, &tree, d->op.m.mbox);
	default: return E_UNSUPPORTED;
	}
}

/// An outcome of a wrong length is damage, and nothing is done: neither is it believed, nor the change made again.
static void test_damaged_outcome(void **state)
{
	static const struct {
		const char *name;
		enum op_kind kind;
		bool tree; // of the account's tree, not of the mailbox
	} cases[] = {
		{ "APPEND", OP_APPEND, false },
		{ "STORE", OP_FLAGS, false },
		{ "EXPUNGE", OP_EXPUNGE, false },
		{ "COPY", OP_COPY, false },
		{ "CREATE", OP_CREATE, true },
		{ "RENAME", OP_RENAME, true },
		{ "DELETE", OP_DELETE, false },
	};
	struct mailbed *b = mailbed_new();
	struct damaged d = { .op = { .now_s = b->now_s, .quota = b->quota }, .out = BUF(1024) };

	(void)state;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	d.op.m.account = bed_user(b, SL("a@example.org"), 0);
	assert_int_equal(bed_create(b, d.op.m.account, SL("box"), &d.op.m.mbox), E_OK);
	d.msg.body = (struct body_ref){ 1, 1 };
	bed_append(b, d.op.m, SL("body"), 0);
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		d.op.op = bed_op((unsigned)i + 1);
		d.kind = cases[i].kind;
		d.cell = cases[i].tree ? tree_cell(d.op.m.account) : mbox_cell(d.op.m);
		CHECK(bed_do(b, damage_job, &d) == E_OK, cases[i].name);
		CHECK(bed_do(b, each_job, &d) == E_CORRUPT, cases[i].name);
	}
	assert_int_equal(bed_status(b, d.op.m).messages, 1);
	buf_free(&d.out);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_damaged_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
