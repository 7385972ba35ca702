/// Tests of the mailbox tree: names, order, create, delete, rename, subscriptions.
#include "store/mailbed.h"

static struct mailbed *house(void)
{
	struct mailbed *b = mailbed_new();

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	assert_int_equal(bed_user(b, SL("bob@example.org"), 0), 1);
	return b;
}

struct tree_args {
	struct tree_op op;
	uint64_t mbox;
	struct sl name;
	bool on;
};
static enum ec delete_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct tree_args *a = arg;

	(void)b;
	return tree_delete(cx, t, &a->op, a->mbox);
}
static enum ec rename_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct tree_args *a = arg;

	(void)b;
	return tree_rename(cx, t, &a->op, a->mbox, a->name);
}
static enum ec subscribe_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct tree_args *a = arg;

	(void)b;
	return tree_subscribe(cx, t, a->op.account, a->name, a->on);
}
static struct tree_op op_of(struct mailbed *b, uint64_t n)
{
	struct tree_op op = { .account = 1, .now_s = b->now_s, .quota = b->quota };

	if (n)
		op.op = bed_op(n);
	return op;
}
static enum ec delete (struct mailbed *b, uint64_t mbox, uint64_t op) {
	return bed_do(b, delete_job, &(struct tree_args){ .op = op_of(b, op), .mbox = mbox });
}
static enum ec rename_to(struct mailbed *b, uint64_t mbox, struct sl name, uint64_t op)
{
	return bed_do(b, rename_job, &(struct tree_args){ .op = op_of(b, op), .mbox = mbox, .name = name });
}
static enum ec subscribe(struct mailbed *b, struct sl name, bool on)
{
	return bed_do(b, subscribe_job, &(struct tree_args){ .op = op_of(b, 0), .name = name, .on = on });
}
static uint64_t create(struct mailbed *b, struct sl name)
{
	uint64_t mbox;

	assert_int_equal(bed_create(b, 1, name, &mbox), E_OK);
	return mbox;
}

/// Names as "name" + '*' (subscribed) + '!' (no mailbox) + '>' (has children), separated by '|'.
static bool print_entry(void *arg, const struct tree_entry *e)
{
	buf_printf(arg, "%.*s%s%s%s|", SLF(e->name), e->subscribed ? "*" : "", e->mbox ? "" : "!",
		e->has_children ? ">" : "");
	return true;
}
static void check_list(struct mailbed *b, struct sl after, const char *want)
{
	struct buf text = BUF(1 << 20);
	struct view *v = bed_view(b);

	assert_int_equal(tree_list(&b->cx, v, 1, after, print_entry, &text), E_OK);
	view_close(v);
	buf_addc(&text, 0);
	assert_string_equal((char *)text.p, want);
	buf_free(&text);
}

static const struct {
	const char *name;
	struct sl in;
	enum ec want;
} names[] = {
	{ "plain", SL_INIT("a"), E_OK },
	{ "path", SL_INIT("a/b c/\xe9\xb8\xbf\xe9\x9b\x81"), E_OK },
	{ "empty", SL_INIT(""), E_SYNTAX },
	{ "leading slash", SL_INIT("/a"), E_SYNTAX },
	{ "trailing slash", SL_INIT("a/"), E_SYNTAX },
	{ "double slash", SL_INIT("a//b"), E_SYNTAX },
	{ "control", SL_INIT("a\nb"), E_SYNTAX },
	{ "NUL", SL_INIT("a\0b"), E_SYNTAX },
	{ "DEL", SL_INIT("a\x7f"), E_SYNTAX },
	{ "C1 control", SL_INIT("a\xc2\x85"), E_SYNTAX },
	{ "line separator", SL_INIT("a\xe2\x80\xa8"), E_SYNTAX },
	{ "not UTF-8", SL_INIT("a\xff"), E_SYNTAX },
	{ "surrogate", SL_INIT("\xed\xa0\x80"), E_SYNTAX },
};

static void test_name_check(void **state)
{
	uint8_t big[NAME_MAX_OCTETS + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_N(names); i++) {
		struct sl heap = heap_copy(names[i].in);
		CHECK(mbox_name_check(heap) == names[i].want, names[i].name);
		free((void *)(uintptr_t)heap.p);
	}
	memset(big, 'x', sizeof big);
	assert_int_equal(mbox_name_check((struct sl){ big, 255 }), E_OK);
	assert_int_equal(mbox_name_check((struct sl){ big, 256 }), E_TOOBIG);
	for (size_t i = 1; i < sizeof big; i += 2)
		big[i] = '/';
	assert_int_equal(mbox_name_check((struct sl){ big, 63 }), E_OK); // 32 components
	assert_int_equal(mbox_name_check((struct sl){ big, 65 }), E_TOOBIG);
	memset(big, 'x', sizeof big);
	big[250] = big[500] = big[750] = '/';
	assert_int_equal(mbox_name_check((struct sl){ big, 1000 }), E_OK);
	assert_int_equal(mbox_name_check((struct sl){ big, 1001 }), E_TOOBIG);
}

static void test_new_account(void **state)
{
	struct mailbed *b = house();
	uint64_t mbox;
	enum mbox_use use;
	struct view *v = bed_view(b);

	(void)state;
	assert_int_equal(tree_find(&b->cx, v, 1, SL("inBox"), &mbox, &use), E_OK);
	assert_int_equal(use, MBOX_USE_INBOX);
	assert_int_equal(tree_find(&b->cx, v, 1, SL("Junk"), &mbox, &use), E_OK);
	assert_int_equal(use, MBOX_USE_JUNK);
	assert_int_equal(tree_find(&b->cx, v, 1, SL("junk"), &mbox, &use), E_NOTFOUND);
	assert_int_equal(tree_find(&b->cx, v, 2, SL("INBOX"), &mbox, &use), E_NOTFOUND);
	view_close(v);
	check_list(b, (struct sl){ 0 }, "Archive*|Drafts*|INBOX*|Junk*|Sent*|Trash*|");
	check_list(b, SL("Junk"), "Sent*|Trash*|");
	mailbed_free(b);
}

static void test_create_and_order(void **state)
{
	struct mailbed *b = house();
	struct buf name = BUF(2000);
	uint64_t mbox;

	(void)state;
	uint64_t deep = create(b, SL("a/b/c"));
	create(b, SL("a-b"));
	create(b, SL("a b"));
	create(b, SL("inbox/x"));
	assert_int_equal(bed_create(b, 1, SL("a/b"), &mbox), E_EXISTS);
	assert_int_equal(bed_create(b, 1, SL("INBOX"), &mbox), E_EXISTS);
	check_list(b, SL("INBOX"), "INBOX/x|Junk*|Sent*|Trash*|a>|a/b>|a/b/c|a b|a-b|");
	check_list(b, SL("a/b/c"), "a b|a-b|");
	struct view *v = bed_view(b);
	assert_int_equal(tree_name(&b->cx, v, 1, deep, &name), E_OK);
	assert_true(sl_eq(buf_sl(&name), SL("a/b/c")));
	assert_int_equal(tree_name(&b->cx, v, 1, 999, &name), E_NOTFOUND);
	view_close(v);
	buf_free(&name);
	mailbed_free(b);
}

static void test_delete(void **state)
{
	struct mailbed *b = house();
	struct mbox_status st;
	uint64_t c = create(b, SL("a/b/c")), a = bed_mbox(b, 1, SL("a")), ab = bed_mbox(b, 1, SL("a/b"));
	uint32_t before = bed_status(b, (struct mbox_ref){ 1, ab }).uidvalidity;

	(void)state;
	assert_int_equal(delete (b, bed_mbox(b, 1, SL("INBOX")), 0), E_DENIED);
	assert_int_equal(delete (b, a, 7), E_OK);
	assert_int_equal(delete (b, a, 7), E_OK); // the same change again
	assert_int_equal(delete (b, a, 8), E_NOTFOUND);
	assert_int_equal(delete (b, ab, 0), E_OK);
	check_list(b, SL("Trash"), "a!>|a/b!>|a/b/c|");
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_status(&b->cx, v, (struct mbox_ref){ 1, a }, &st), E_NOTFOUND);
	view_close(v);
	uint64_t again = create(b, SL("a/b"));
	assert_true(again != ab);
	assert_true(bed_status(b, (struct mbox_ref){ 1, again }).uidvalidity > before);
	check_list(b, SL("Trash"), "a!>|a/b>|a/b/c|");
	assert_int_equal(delete (b, c, 0), E_OK);
	assert_int_equal(delete (b, again, 0), E_OK); // the last child takes its parents without mailbox along
	check_list(b, SL("Trash"), "");
	mailbed_free(b);
}

static void test_rename(void **state)
{
	struct mailbed *b = house();
	uint64_t c = create(b, SL("a/b/c")), a = bed_mbox(b, 1, SL("a"));
	uint8_t long_name[NAME_MAX_OCTETS];

	(void)state;
	bed_append(b, (struct mbox_ref){ 1, c }, SL("hello"), 0);
	assert_int_equal(rename_to(b, a, SL("a/x"), 0), E_STATE);
	assert_int_equal(rename_to(b, a, SL("a/b/c/d"), 0), E_STATE);
	assert_int_equal(rename_to(b, a, SL("a"), 0), E_EXISTS);
	assert_int_equal(rename_to(b, a, SL("Sent"), 0), E_EXISTS);
	assert_int_equal(rename_to(b, a, SL("p/q"), 5), E_OK);
	assert_int_equal(rename_to(b, a, SL("p/q"), 5), E_OK);
	assert_int_equal(rename_to(b, a, SL("p/q"), 6), E_EXISTS);
	check_list(b, SL("Trash"), "p>|p/q>|p/q/b>|p/q/b/c|");
	assert_int_equal(bed_mbox(b, 1, SL("p/q/b/c")), c);
	assert_int_equal(bed_status(b, (struct mbox_ref){ 1, c }).messages, 1);
	// A parent without mailbox stays while the moved one remains below it, and goes with it.
	assert_int_equal(delete (b, bed_mbox(b, 1, SL("p")), 0), E_OK);
	assert_int_equal(rename_to(b, a, SL("p/r"), 0), E_OK);
	check_list(b, SL("Trash"), "p!>|p/r>|p/r/b>|p/r/b/c|");
	assert_int_equal(rename_to(b, a, SL("z"), 0), E_OK);
	check_list(b, SL("Trash"), "z>|z/b>|z/b/c|");
	memset(long_name, 'x', sizeof long_name);
	long_name[250] = long_name[500] = long_name[750] = '/';
	assert_int_equal(rename_to(b, a, (struct sl){ long_name, 997 }, 0), E_TOOBIG); // + "/b/c"
	assert_int_equal(rename_to(b, a, (struct sl){ long_name, 996 }, 0), E_OK);
	mailbed_free(b);
}

static void test_rename_inbox(void **state)
{
	struct mailbed *b = house();
	uint64_t inbox = bed_mbox(b, 1, SL("INBOX"));
	struct mbox_ref m = { 1, inbox };

	(void)state;
	create(b, SL("INBOX/child"));
	bed_append(b, m, SL("one"), 0);
	uint32_t validity = bed_status(b, m).uidvalidity;
	assert_int_equal(rename_to(b, inbox, SL("Sent"), 0), E_EXISTS);
	assert_int_equal(rename_to(b, inbox, SL("old/mail"), 9), E_OK);
	assert_int_equal(rename_to(b, inbox, SL("old/mail"), 9), E_OK);
	uint64_t fresh = bed_mbox(b, 1, SL("INBOX"));
	assert_true(fresh != inbox);
	assert_int_equal(bed_mbox(b, 1, SL("old/mail")), inbox);
	assert_int_equal(bed_status(b, m).messages, 1);
	assert_int_equal(bed_status(b, m).uidvalidity, validity);
	assert_int_equal(bed_status(b, (struct mbox_ref){ 1, fresh }).messages, 0);
	assert_true(bed_status(b, (struct mbox_ref){ 1, fresh }).uidvalidity > validity);
	check_list(b, SL("Drafts"), "INBOX*>|INBOX/child|Junk*|Sent*|Trash*|old>|old/mail|");
	mailbed_free(b);
}

static void test_subscriptions(void **state)
{
	struct mailbed *b = house();
	uint64_t x = create(b, SL("x"));

	(void)state;
	assert_int_equal(subscribe(b, SL("x"), true), E_OK);
	assert_int_equal(subscribe(b, SL("x"), true), E_OK);
	assert_int_equal(subscribe(b, SL("w/nowhere"), true), E_OK);
	assert_int_equal(subscribe(b, SL("inbox"), false), E_OK);
	assert_int_equal(subscribe(b, SL("a\n"), true), E_SYNTAX);
	check_list(b, SL("Drafts"), "INBOX|Junk*|Sent*|Trash*|w/nowhere*!|x*|");
	assert_int_equal(delete (b, x, 0), E_OK);
	check_list(b, SL("Trash"), "w/nowhere*!|x*!|");
	assert_int_equal(subscribe(b, SL("x"), false), E_OK);
	assert_int_equal(subscribe(b, SL("x"), false), E_OK);
	check_list(b, SL("Trash"), "w/nowhere*!|");
	mailbed_free(b);
}

#ifdef ENGINE_MEM
static void test_limit(void **state)
{
	struct mailbed *b = house();
	char name[32];
	uint64_t mbox;
	int n = 6;

	(void)state;
	for (; n < MAILBOXES_MAX; n++) {
		snprintf(name, sizeof name, "m%d", n);
		assert_int_equal(bed_create(b, 1, sl_cstr(name), &mbox), E_OK);
	}
	assert_int_equal(bed_create(b, 1, SL("one more"), &mbox), E_LIMIT);
	assert_int_equal(delete (b, mbox = bed_mbox(b, 1, SL("m77")), 0), E_OK);
	assert_int_equal(bed_create(b, 1, SL("p/q"), &mbox), E_LIMIT);
	assert_int_equal(bed_create(b, 1, SL("one more"), &mbox), E_OK);
	mailbed_free(b);
}

/// Every commit of a rename that makes parents fails once; trying again ends in the same tree.
static void test_fails_anywhere(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 6; n++) {
		struct mailbed *b = house();
		uint64_t inbox = bed_mbox(b, 1, SL("INBOX"));
		mem_fail_at(b->s, n, E_IO);
		enum ec e = rename_to(b, inbox, SL("p/q"), 3);
		mem_fail_at(b->s, 0, E_OK);
		assert_int_equal(e, n <= 3 ? E_IO : E_OK); // p, the fresh INBOX, the tree
		assert_int_equal(rename_to(b, inbox, SL("p/q"), 3), E_OK);
		assert_int_equal(bed_mbox(b, 1, SL("p/q")), inbox);
		check_list(b, SL("Trash"), "p>|p/q|");
		mailbed_free(b);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_check),
		cmocka_unit_test(test_new_account),
		cmocka_unit_test(test_create_and_order),
		cmocka_unit_test(test_delete),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_rename_inbox),
		cmocka_unit_test(test_subscriptions),
#ifdef ENGINE_MEM
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_fails_anywhere),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
