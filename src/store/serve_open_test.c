/// Tests of requests that do a whole IMAP command: opening a mailbox, leaving it, changing flags.
#include "store/serve_town.h"

static uint32_t notes_of(struct client *c, struct handle *h, uint64_t mbox)
{
	c->notes = 0;
	append(c, h, mbox, SL("news"));
	return c->notes;
}

/// SELECT in one request: what it shows, what it watches and what it leaves.
static void test_open(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h = login_as(c, SL("alice@example.org")), bob = login_as(c, SL("bob@example.org"));
	uint64_t inbox = find(c, &h, SL("INBOX")), trash = find(c, &h, SL("Trash")), his = find(c, &bob, SL("INBOX"));
	struct req_mbox_keyword kw = { .handle = h, .mbox = trash };
	struct ans_mbox_keyword made;
	struct req_mbox_open open = { .handle = h, .out = { 0, 4096 }, .out_keywords = { 4096, 64 } };
	struct ans_mbox_open a = { 0 };

	(void)state;
	must(field_set(kw.name, SL("$Work")), "name");
	must(ASK(c, mbox_keyword, &kw, &made), "keyword");
	must(field_set(open.name, SL("Trash")), "name");
	must(ASK(c, mbox_open, &open, &a), "open");
	const struct pl_keyword *k = (const struct pl_keyword *)(const void *)(c->arena + 4096);
	assert_true(a.mbox == trash && a.keywords == 1 && k->bit == made.bit && k->name_octets == 5);
	assert_memory_equal(k->name, "$Work", 5);
	assert_int_equal(notes_of(c, &h, trash), 1);
	assert_int_equal(notes_of(c, &h, inbox), 0);

	open.leave = trash;
	must(field_set(open.name, SL("inbox")), "name");
	must(ASK(c, mbox_open, &open, &a), "the next");
	assert_true(a.mbox == inbox && a.messages == 1 && a.recent == 1 && a.keywords == 0);
	assert_int_equal(notes_of(c, &h, trash), 0);
	assert_int_equal(notes_of(c, &h, inbox), 1);

	open.leave = inbox;
	must(ASK(c, mbox_open, &open, &a), "the same again");
	assert_int_equal(notes_of(c, &h, inbox), 1);
	must(field_set(open.name, SL("nowhere")), "name");
	assert_int_equal(ASK(c, mbox_open, &open, &a), E_NOTFOUND);
	assert_int_equal(notes_of(c, &h, inbox), 0); // left all the same

	open.handle = bob;
	open.leave = 0;
	must(field_set(open.name, SL("INBOX")), "name");
	must(ASK(c, mbox_open, &open, &a), "bob");
	open.handle = h;
	open.leave = his; // the number is alice's too, the mailbox is not
	must(ASK(c, mbox_open, &open, &a), "alice");
	assert_int_equal(notes_of(c, &bob, his), 1);
	town_end(t);
}

/// \Recent is claimed only by whoever has told all of it.
static void test_claim(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h = login_as(c, SL("alice@example.org"));
	uint64_t inbox = find(c, &h, SL("INBOX"));
	struct req_mbox_claim claim = { .handle = h, .mbox = inbox, .uidnext = 2 };
	struct ans_mbox_claim claimed;
	struct req_mbox_status q = { .handle = h, .mbox = inbox };
	struct ans_mbox_status st;

	(void)state;
	append(c, &h, inbox, SL("told"));
	append(c, &h, inbox, SL("not told"));
	must(ASK(c, mbox_claim, &claim, &claimed), "claim");
	must(ASK(c, mbox_status, &q, &st), "status");
	assert_int_equal(st.recent, 2);
	claim.uidnext = 3;
	must(ASK(c, mbox_claim, &claim, &claimed), "claim");
	must(ASK(c, mbox_status, &q, &st), "status");
	assert_int_equal(st.recent, 0);
	claim.mbox = 4711;
	assert_int_equal(ASK(c, mbox_claim, &claim, &claimed), E_NOTFOUND);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_claim),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
