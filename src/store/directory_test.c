/// Tests of directory and account: what an address means, and who may be called what.
#include "store/mailbed.h"

struct alias {
	struct sl address, targets;
	bool replace;
};
static enum ec alias_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct alias *a = arg;

	(void)b;
	return directory_alias_add(cx, t, a->address, a->targets, a->replace);
}
static enum ec alias(struct mailbed *b, struct sl address, struct sl targets, bool replace)
{
	return bed_do(b, alias_job, &(struct alias){ address, targets, replace });
}
static enum ec alias_remove_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)b;
	return directory_alias_remove(cx, t, *(struct sl *)arg);
}
static enum ec domain_remove_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)b;
	return directory_domain_remove(cx, t, *(struct sl *)arg);
}
static enum ec user_remove_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	uint64_t id;

	(void)b;
	return account_remove(cx, t, *(struct sl *)arg, &id);
}
static enum ec postmaster_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)b;
	return directory_set_postmaster(cx, t, *(uint64_t *)arg);
}

/// bob (1), carol (2), dora (3) in example.org; example.net is its alias; empty.example has nobody.
static struct mailbed *town(void)
{
	struct mailbed *b = mailbed_new();

	assert_int_equal(bed_domain(b, SL("Example.ORG"), (struct sl){ 0 }), E_OK);
	assert_int_equal(bed_domain(b, SL("example.net"), SL("example.org")), E_OK);
	assert_int_equal(bed_domain(b, SL("empty.example"), (struct sl){ 0 }), E_OK);
	assert_int_equal(bed_user(b, SL("bob@example.org"), 0), 1);
	assert_int_equal(bed_user(b, SL("Carol@example.org"), 0), 2);
	assert_int_equal(bed_user(b, SL("d\xc3\xb6ra@example.org"), 0), 3);
	assert_int_equal(
		alias(b, SL("all@example.org"), SL("bob@example.org CAROL@example.org d\xc3\xb6ra@example.org"), false),
		E_OK);
	assert_int_equal(alias(b, SL("team@example.org"), SL("all@example.org bob@example.net"), false), E_OK);
	assert_int_equal(alias(b, SL("tagged@example.org"), SL("bob+lists@example.org"), false), E_OK);
	// A loop: the first half is made with a target that exists, then replaced.
	assert_int_equal(alias(b, SL("loop1@example.org"), SL("bob@example.org"), false), E_OK);
	assert_int_equal(alias(b, SL("loop2@example.org"), SL("loop1@example.org carol@example.org"), false), E_OK);
	assert_int_equal(alias(b, SL("loop1@example.org"), SL("loop2@example.org"), true), E_OK);
	assert_int_equal(alias(b, SL("b+exact@example.org"), SL("carol@example.org"), false), E_OK);
	return b;
}

static const struct {
	const char *name;
	struct sl local, domain;
	enum rcpt_verdict verdict;
	uint32_t n;
	uint64_t id[3];
} resolutions[] = {
	{ "user", SL_INIT("bob"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 1 } },
	{ "any case", SL_INIT("BoB"), SL_INIT("EXAMPLE.org"), RCPT_LOCAL, 1, { 1 } },
	{ "stored in capitals", SL_INIT("carol"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 2 } },
	{ "UTF-8", SL_INIT("d\xc3\xb6ra"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 3 } },
	{ "UTF-8 is not folded", SL_INIT("d\xc3\x96ra"), SL_INIT("example.org"), RCPT_UNKNOWN, 0, { 0 } },
	{ "tag", SL_INIT("bob+x+y"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 1 } },
	{ "exact before tag", SL_INIT("b+exact"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 2 } },
	{ "only a tag", SL_INIT("+bob"), SL_INIT("example.org"), RCPT_UNKNOWN, 0, { 0 } },
	{ "alias domain", SL_INIT("bob+t"), SL_INIT("example.net"), RCPT_LOCAL, 1, { 1 } },
	{ "alias", SL_INIT("all"), SL_INIT("example.org"), RCPT_LOCAL, 3, { 1, 2, 3 } },
	{ "nested, deduplicated", SL_INIT("team+x"), SL_INIT("example.org"), RCPT_LOCAL, 3, { 1, 2, 3 } },
	{ "target with tag", SL_INIT("tagged"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 1 } },
	{ "loop", SL_INIT("loop1"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 2 } },
	{ "unknown", SL_INIT("nobody"), SL_INIT("example.org"), RCPT_UNKNOWN, 0, { 0 } },
	{ "remote", SL_INIT("bob"), SL_INIT("example.com"), RCPT_REMOTE, 0, { 0 } },
	{ "postmaster", SL_INIT("PostMaster"), SL_INIT("empty.example"), RCPT_LOCAL, 1, { 1 } },
	{ "abuse with a tag is a user", SL_INIT("abuse"), SL_INIT("example.org"), RCPT_LOCAL, 1, { 1 } },
	{ "bare postmaster", SL_INIT("Postmaster"), { 0 }, RCPT_LOCAL, 1, { 1 } },
	{ "bare other", SL_INIT("bob"), { 0 }, RCPT_UNKNOWN, 0, { 0 } },
	{ "empty local", { 0 }, SL_INIT("example.org"), RCPT_UNKNOWN, 0, { 0 } },
};

static void check_resolution(struct mailbed *b, size_t i)
{
	const char *name = resolutions[i].name;
	struct targets t = { 0 };
	struct address a;
	enum rcpt_verdict verdict = RCPT_VERDICTS;
	struct view *v = bed_view(b);

	CHECK(address_fold(resolutions[i].local, resolutions[i].domain, &a) == E_OK, name);
	CHECK(directory_resolve(&b->cx, v, &a, &verdict, &t) == E_OK, name);
	view_close(v);
	CHECK(verdict == resolutions[i].verdict, name);
	CHECK(t.n == resolutions[i].n, name);
	for (uint32_t k = 0; k < t.n; k++)
		CHECK(t.id[k] == resolutions[i].id[k], name);
	targets_free(&t);
}

static void test_resolve(void **state)
{
	struct mailbed *b = town();

	(void)state;
	for (size_t i = 0; i < ARRAY_N(resolutions); i++)
		check_resolution(b, i);
	mailbed_free(b);
}

static enum rcpt_verdict verdict_of(struct mailbed *b, struct sl local, struct sl domain)
{
	struct targets t = { 0 };
	struct address a;
	enum rcpt_verdict verdict = RCPT_VERDICTS;
	struct view *v = bed_view(b);

	assert_int_equal(address_fold(local, domain, &a), E_OK);
	assert_int_equal(directory_resolve(&b->cx, v, &a, &verdict, &t), E_OK);
	view_close(v);
	targets_free(&t);
	return verdict;
}

static void test_catch_all(void **state)
{
	struct mailbed *b = town();

	(void)state;
	assert_int_equal(verdict_of(b, SL("x"), SL("empty.example")), RCPT_UNKNOWN);
	assert_int_equal(alias(b, SL("@empty.example"), SL("bob@example.org"), false), E_OK);
	assert_int_equal(verdict_of(b, SL("x"), SL("empty.example")), RCPT_LOCAL);
	assert_int_equal(verdict_of(b, (struct sl){ 0 }, SL("empty.example")), RCPT_UNKNOWN);
	assert_int_equal(bed_do(b, alias_remove_job, &SL("@empty.example")), E_OK);
	assert_int_equal(verdict_of(b, SL("x"), SL("empty.example")), RCPT_UNKNOWN);
	mailbed_free(b);
}

static void test_depth(void **state)
{
	struct mailbed *b = town();
	char name[64], target[64] = "bob@example.org";

	(void)state;
	for (int i = 0; i < ALIAS_DEPTH_MAX + 1; i++) {
		snprintf(name, sizeof name, "deep%d@example.org", i);
		assert_int_equal(alias(b, sl_cstr(name), sl_cstr(target), false), E_OK);
		strcpy(target, name);
	}
	assert_int_equal(verdict_of(b, SL("deep9"), SL("example.org")), RCPT_LOCAL);
	assert_int_equal(verdict_of(b, SL("deep10"), SL("example.org")), RCPT_UNKNOWN);
	mailbed_free(b);
}

static void test_refusals(void **state)
{
	static const char *const no_domains[] = { ".", "x.", ".x", "a..b", "-a.example", "a-.example", "a@b.example",
		"a/b", "[192.0.2.1]", "a<b",
		"0123456789012345678901234567890123456789012345678901234567890123.example" };
	static const char *const domains[] = { "x_y.example", "1.example", "localhost", "b\xc3\xbc.example",
		"a--b.example" };
	struct mailbed *b = town();
	uint64_t id;

	(void)state;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_EXISTS);
	assert_int_equal(bed_domain(b, SL("x.example"), SL("nowhere.example")), E_NOTFOUND);
	assert_int_equal(bed_domain(b, SL("x.example"), SL("example.net")), E_STATE);
	assert_int_equal(bed_domain(b, SL("a b"), (struct sl){ 0 }), E_SYNTAX);
	assert_int_equal(bed_domain(b, (struct sl){ 0 }, (struct sl){ 0 }), E_SYNTAX);
	for (size_t i = 0; i < ARRAY_N(no_domains); i++)
		CHECK(bed_domain(b, sl_cstr(no_domains[i]), (struct sl){ 0 }) == E_SYNTAX, no_domains[i]);
	for (size_t i = 0; i < ARRAY_N(domains); i++)
		CHECK(bed_domain(b, sl_cstr(domains[i]), (struct sl){ 0 }) == E_OK, domains[i]);
	assert_int_equal(bed_try_user(b, SL("BOB@example.org"), 0, &id), E_EXISTS);
	assert_int_equal(bed_try_user(b, SL("all@example.org"), 0, &id), E_EXISTS);
	assert_int_equal(bed_try_user(b, SL("x@nowhere.example"), 0, &id), E_NOTFOUND);
	assert_int_equal(bed_try_user(b, SL("x@example.net"), 0, &id), E_STATE);
	assert_int_equal(bed_try_user(b, SL("@example.org"), 0, &id), E_SYNTAX);
	assert_int_equal(bed_try_user(b, SL("x"), 0, &id), E_SYNTAX);
	assert_int_equal(alias(b, SL("bob@example.org"), SL("carol@example.org"), true), E_EXISTS);
	assert_int_equal(alias(b, SL("all@example.org"), SL("carol@example.org"), false), E_EXISTS);
	assert_int_equal(alias(b, SL("y@example.org"), SL("ghost@example.org"), false), E_NOTFOUND);
	assert_int_equal(alias(b, SL("y@example.org"), SL("bob@remote.example"), false), E_NOTFOUND);
	assert_int_equal(alias(b, SL("y@example.org"), SL("bob@example.org  carol@example.org"), false), E_SYNTAX);
	assert_int_equal(alias(b, SL("y@example.org"), (struct sl){ 0 }, false), E_LIMIT);
	assert_int_equal(bed_do(b, domain_remove_job, &SL("example.org")), E_STATE);
	assert_int_equal(bed_do(b, domain_remove_job, &SL("nowhere.example")), E_NOTFOUND);
	assert_int_equal(bed_do(b, domain_remove_job, &SL("empty.example")), E_OK);
	assert_int_equal(verdict_of(b, SL("postmaster"), SL("empty.example")), RCPT_REMOTE);
	mailbed_free(b);
}

static void test_too_many_targets(void **state)
{
	struct mailbed *b = town();
	struct buf text = BUF(1 << 20);

	(void)state;
	for (int i = 0; i < ALIAS_TARGETS_MAX; i++)
		buf_puts(&text, i ? " bob@example.org" : "bob@example.org");
	assert_int_equal(alias(b, SL("y@example.org"), buf_sl(&text), false), E_OK);
	assert_int_equal(verdict_of(b, SL("y"), SL("example.org")), RCPT_LOCAL);
	buf_puts(&text, " bob@example.org");
	assert_int_equal(alias(b, SL("z@example.org"), buf_sl(&text), false), E_LIMIT);
	buf_free(&text);
	mailbed_free(b);
}

static void test_removal(void **state)
{
	struct mailbed *b = town();
	struct account a;
	uint64_t carol = 2, id, inbox = bed_mbox(b, 2, SL("INBOX"));

	(void)state;
	assert_int_equal(bed_do(b, user_remove_job, &SL("bob@example.org")), E_STATE); // postmaster
	assert_int_equal(bed_do(b, postmaster_job, &carol), E_OK);
	assert_int_equal(bed_do(b, user_remove_job, &SL("bob@example.org")), E_OK);
	assert_int_equal(verdict_of(b, SL("bob"), SL("example.org")), RCPT_UNKNOWN);
	assert_int_equal(verdict_of(b, SL("all"), SL("example.org")), RCPT_LOCAL); // the others are still there
	assert_int_equal(verdict_of(b, SL("tagged"), SL("example.org")), RCPT_UNKNOWN);
	struct view *v = bed_view(b);
	struct mbox_status st;
	assert_int_equal(account_load(&b->cx, v, 1, &a), E_NOTFOUND);
	assert_int_equal(mailbox_status(&b->cx, v, (struct mbox_ref){ 1, inbox }, &st), E_NOTFOUND);
	view_close(v);
	assert_int_equal(bed_try_user(b, SL("bob@example.org"), 0, &id), E_OK);
	assert_int_equal(id, 4); // an account's id does not come again
	mailbed_free(b);
}

static bool no_cell_of_carol(void *, struct cell_id id, uint64_t, struct sl)
{
	assert_true(id.account != 2);
	return true;
}

/// A user whose account damage has taken can be removed, with the mailboxes that are left; the name is free for another
/// account.
static void test_lost_account(void **state)
{
	struct mailbed *b = town();
	uint64_t id, inbox = bed_mbox(b, 2, SL("INBOX"));
	struct mbox_status st;

	(void)state;
	bed_lose(b, (struct cell_id){ 2, ACCOUNT_NAME });
	assert_int_equal(bed_try_user(b, SL("carol@example.org"), 0, &id), E_EXISTS);
	assert_int_equal(bed_do(b, user_remove_job, &SL("carol@example.org")), E_OK);
	assert_int_equal(verdict_of(b, SL("carol"), SL("example.org")), RCPT_UNKNOWN);
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_status(&b->cx, v, (struct mbox_ref){ 2, inbox }, &st), E_NOTFOUND);
	assert_int_equal(cell_scan_cells(&b->cx, v, (struct cell_id){ 0 }, no_cell_of_carol, NULL), E_OK);
	view_close(v);
	bed_mbox(b, 1, SL("INBOX"));
	bed_mbox(b, 3, SL("INBOX"));
	assert_int_equal(bed_try_user(b, SL("carol@example.org"), 0, &id), E_OK);
	assert_int_equal(id, 4);
	mailbed_free(b);
}

struct list_check {
	unsigned n;
	char text[4096];
};
static bool list_each(void *arg, const struct dir_entry *e)
{
	struct list_check *c = arg;

	snprintf(c->text + strlen(c->text), sizeof c->text - strlen(c->text), "%.*s|", SLF(e->name));
	c->n++;
	return true;
}
static void test_list(void **state)
{
	struct mailbed *b = town();
	struct list_check users = { 0 }, rest = { 0 }, domains = { 0 }, aliases = { 0 };
	struct view *v = bed_view(b);

	(void)state;
	assert_int_equal(directory_list(&b->cx, v, LIST_USERS, (struct sl){ 0 }, list_each, &users), E_OK);
	assert_string_equal(users.text, "bob@example.org|carol@example.org|d\xc3\xb6ra@example.org|");
	assert_int_equal(directory_list(&b->cx, v, LIST_USERS, SL("Bob@example.org"), list_each, &rest), E_OK);
	assert_string_equal(rest.text, "carol@example.org|d\xc3\xb6ra@example.org|");
	assert_int_equal(directory_list(&b->cx, v, LIST_DOMAINS, (struct sl){ 0 }, list_each, &domains), E_OK);
	assert_string_equal(domains.text, "empty.example|example.net|example.org|");
	assert_int_equal(directory_list(&b->cx, v, LIST_ALIASES, SL("loop1@example.org"), list_each, &aliases), E_OK);
	assert_string_equal(aliases.text, "loop2@example.org|tagged@example.org|team@example.org|");
	view_close(v);
	mailbed_free(b);
}

#ifdef ENGINE_MEM
/// Whatever commit fails while an account is made, trying again works and no name is given twice.
static void test_create_fails_anywhere(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 12; n++) {
		struct mailbed *b = town();
		uint64_t id = 0;
		mem_fail_at(b->s, n, E_FULL);
		enum ec e = bed_try_user(b, SL("new@example.org"), 0, &id);
		mem_fail_at(b->s, 0, E_OK);
		assert_int_equal(e, n <= 8 ? E_FULL : E_OK); // 6 mailboxes, the account, the directory
		if (e != E_OK) {
			assert_int_equal(verdict_of(b, SL("new"), SL("example.org")), RCPT_UNKNOWN);
			assert_int_equal(bed_try_user(b, SL("new@example.org"), 0, &id), E_OK);
		}
		bed_mbox(b, id, SL("INBOX"));
		assert_int_equal(verdict_of(b, SL("new"), SL("example.org")), RCPT_LOCAL);
		mailbed_free(b);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_catch_all),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_targets),
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_lost_account),
		cmocka_unit_test(test_list),
#ifdef ENGINE_MEM
		cmocka_unit_test(test_create_fails_anywhere),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
