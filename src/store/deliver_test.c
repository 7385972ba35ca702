/// Tests of deliver: all or none, quota, and repetitions.
#include "store/mailbed.h"

#include "store/mbox_rows.h"

struct deliver_args {
	struct delivery d;
	uint8_t status[8];
	uint32_t stored;
};
static enum ec deliver_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct deliver_args *a = arg;

	(void)b;
	return deliver(cx, t, &a->d, a->status, &a->stored);
}

struct street {
	struct mailbed *b;
	uint64_t id[4]; // the last has a quota of 100 octets
	struct deliver_args a;
};
static struct street street_new(struct sl body, uint64_t op)
{
	struct street s = { .b = mailbed_new() };

	assert_int_equal(bed_domain(s.b, SL("example.org"), (struct sl){ 0 }), E_OK);
	s.id[0] = bed_user(s.b, SL("a@example.org"), 0);
	s.id[1] = bed_user(s.b, SL("b@example.org"), 0);
	s.id[2] = bed_user(s.b, SL("c@example.org"), 0);
	s.id[3] = bed_user(s.b, SL("full@example.org"), 100);
	s.a.d = (struct delivery){
		.targets = 4, .now_s = s.b->now_s, .quota = s.b->quota, .date_s = 5, .zone_min = 60
	};
	s.a.d.op = bed_op(op);
	assert_int_equal(blob_new(&s.b->cx, s.b->s, &s.a.d.body), E_OK);
	assert_int_equal(blob_add(&s.b->cx, s.a.d.body, body), E_OK);
	return s;
}
static void street_end(struct street *s)
{
	blob_free(s->a.d.body);
	mailbed_free(s->b);
}
static uint32_t count(struct street *s, int i)
{
	return bed_status(s->b, (struct mbox_ref){ s->id[i], bed_mbox(s->b, s->id[i], SL("INBOX")) }).messages;
}

static void test_deliver(void **state)
{
	struct street s = street_new(SL("Subject: x\r\n\r\nhello"), 1);
	struct pl_row row, other;

	(void)state;
	s.a.d.target = s.id;
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
	assert_int_equal(s.a.stored, 4);
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK); // the same again
	assert_int_equal(s.a.stored, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(count(&s, i), 1);
	struct mbox_ref m = { s.id[0], bed_mbox(s.b, s.id[0], SL("INBOX")) },
			n = { s.id[2], bed_mbox(s.b, s.id[2], SL("INBOX")) };
	struct view *v = bed_view(s.b);
	assert_int_equal(mailbox_row(&s.b->cx, v, m, 1, s.b->now_s, &row), E_OK);
	assert_int_equal(mailbox_row(&s.b->cx, v, n, 1, s.b->now_s, &other), E_OK);
	view_close(v);
	assert_int_equal(row.body, other.body); // one copy
	assert_true(row.date_s == 5 && row.zone_min == 60 && row.flags == 0);
	street_end(&s);
}

static void test_full(void **state)
{
	uint8_t body[111];
	memset(body, 'x', sizeof body);
	struct street s = street_new((struct sl){ body, sizeof body }, 2);

	(void)state;
	s.a.d.target = s.id;
	for (int i = 0; i < 2; i++) { // the second time is the repetition
		memset(s.a.status, 99, sizeof s.a.status);
		assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
		assert_int_equal(s.a.stored, 3);
		for (int k = 0; k < 4; k++) {
			assert_int_equal(s.a.status[k], k == 3 ? E_QUOTA : E_OK);
			assert_int_equal(count(&s, k), k < 3);
		}
	}
	street_end(&s);
	s = street_new((struct sl){ body, 110 }, 3); // a tenth over the quota is let in
	s.a.d.target = s.id;
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
	assert_int_equal(s.a.stored, 4);
	street_end(&s);
}

static void test_gone(void **state)
{
	struct street s = street_new(SL("x"), 4);
	uint64_t targets[2] = { s.id[0], 77 };

	(void)state;
	s.a.d.target = targets;
	s.a.d.targets = 2;
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_CONFLICT);
	assert_int_equal(count(&s, 0), 0);
	street_end(&s);
}

static enum ec expunge_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct buf gone = BUF(1 << 10);
	struct expunge_result r;
	enum ec e = mailbox_expunge(cx, t, arg, (struct uid_set){ .all = true }, true, &gone, &r);

	buf_free(&gone);
	return e;
}

/// Delivers 90 octets, each time to be expunged at once, until that is refused; how often it was not.
static unsigned flood(struct street *s, uint64_t op)
{
	struct mbox_op gone = {
		.m = { s->id[3], bed_mbox(s->b, s->id[3], SL("INBOX")) }, .now_s = s->a.d.now_s, .quota = s->a.d.quota
	};

	for (unsigned n = 0; n < 9; n++) {
		s->a.d.op = bed_op(op + n);
		assert_int_equal(bed_do(s->b, deliver_job, &s->a), E_OK);
		if (s->a.status[0] != E_OK)
			return s->a.status[0] == E_QUOTA && s->a.stored == 0 ? n : 99;
		assert_int_equal(bed_do(s->b, expunge_job, &gone), E_OK);
	}
	return 9;
}

/// Who mails himself and expunges fills no disk: 220 % of the quota within the window, and again in the next.
static void test_flood(void **state)
{
	uint8_t body[90];
	memset(body, 'x', sizeof body);
	struct street s = street_new((struct sl){ body, sizeof body }, 9);

	(void)state;
	s.a.d.target = &s.id[3];
	s.a.d.targets = 1;
	assert_int_equal(flood(&s, 10), 2);
	s.a.d.now_s += QUOTA_WINDOW_S - 1;
	assert_int_equal(flood(&s, 20), 0);
	s.a.d.now_s++;
	assert_int_equal(flood(&s, 30), 2);
	street_end(&s);
}

struct spoil {
	struct mbox_ref m;
	bool drop; // the cell; otherwise it has no UID left
};
static enum ec spoil_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct spoil *x = arg;
	struct mbox_head h;
	uint64_t version;

	(void)b;
	if (x->drop)
		return mailbox_drop(cx, t, x->m);
	enum ec e = mbox_head_load(cx, txn_view(t), mbox_cell(x->m), &h);
	if (e != E_OK)
		return e;
	h.uidnext = UINT32_MAX;
	struct change *c = change_begin(t, mbox_cell(x->m), h.version);
	mbox_head_put(c, &h);
	return change_commit(cx, c, NULL, SL(""), &version);
}

/// A target whose INBOX is gone stops the message before any other has it.
static void test_spoilt_target(void **state)
{
	struct street s = street_new(SL("hello"), 7);
	struct spoil x = { .m = { s.id[2], bed_mbox(s.b, s.id[2], SL("INBOX")) }, .drop = true };
	struct store_stats before, after;

	(void)state;
	s.a.d.target = s.id;
	assert_int_equal(bed_do(s.b, spoil_job, &x), E_OK);
	store_get_stats(s.b->s, &before);
	for (int k = 0; k < 2; k++)
		assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_CONFLICT);
	store_get_stats(s.b->s, &after);
	assert_int_equal(before.bodies, after.bodies);
	for (int k = 0; k < 4; k++)
		assert_true(k == 2 || count(&s, k) == 0);
	street_end(&s);
}

/// A target whose UIDs are used up has no room; the others get the message, and once.
static void test_no_uid_left(void **state)
{
	struct street s = street_new(SL("hello"), 8);
	struct spoil x = { .m = { s.id[1], bed_mbox(s.b, s.id[1], SL("INBOX")) } };

	(void)state;
	s.a.d.target = s.id;
	assert_int_equal(bed_do(s.b, spoil_job, &x), E_OK);
	for (int i = 0; i < 2; i++) { // the second time is the repetition
		memset(s.a.status, 99, sizeof s.a.status);
		assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
		assert_int_equal(s.a.stored, 3);
		for (int k = 0; k < 4; k++) {
			assert_int_equal(s.a.status[k], k == 1 ? E_QUOTA : E_OK);
			assert_int_equal(count(&s, k), k != 1);
		}
	}
	street_end(&s);
}

#ifdef ENGINE_MEM
/// The n-th change fails: nothing is stored, and the repetition stores everything once, whatever quota said meanwhile.
static void test_fails_anywhere(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 6; n++) {
		struct street s = street_new(SL("hello"), 5);
		struct quota_used used, sum;
		s.a.d.target = s.id;
		mem_fail_at(s.b->s, n, E_FULL);
		enum ec e = bed_do(s.b, deliver_job, &s.a);
		mem_fail_at(s.b->s, 0, E_OK);
		assert_int_equal(e, n <= 5 ? E_FULL : E_OK); // the body, four cells
		for (int k = 0; k < 4; k++)
			assert_int_equal(count(&s, k), e == E_OK);
		assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
		assert_int_equal(s.a.stored, 4);
		for (int k = 0; k < 4; k++) {
			assert_int_equal(count(&s, k), 1);
			struct view *v = bed_view(s.b);
			assert_int_equal(quota_read(&s.b->cx, s.b->quota, v, s.id[k], &used), E_OK);
			assert_int_equal(quota_sum(&s.b->cx, v, s.id[k], &sum), E_OK);
			view_close(v);
			assert_memory_equal(&used, &sum, sizeof used);
		}
		street_end(&s);
	}
}

static void test_batch_fails(void **state)
{
	struct street s = street_new(SL("hello"), 6);

	(void)state;
	s.a.d.target = s.id;
	mem_fail_batches(s.b->s, E_IO);
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_IO);
	mem_fail_batches(s.b->s, E_OK);
	assert_int_equal(count(&s, 0), 0);
	mem_run_twice(s.b->s, true);
	assert_int_equal(bed_do(s.b, deliver_job, &s.a), E_OK);
	assert_int_equal(s.a.stored, 4);
	assert_int_equal(count(&s, 3), 1);
	street_end(&s);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deliver),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_spoilt_target),
		cmocka_unit_test(test_no_uid_left),
#ifdef ENGINE_MEM
		cmocka_unit_test(test_fails_anywhere),
		cmocka_unit_test(test_batch_fails),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
