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

/// STORE in one request: the rows as the change leaves them, as many as there is room for.
static void test_flags_rows(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h = login_as(c, SL("alice@example.org"));
	uint64_t inbox = find(c, &h, SL("INBOX"));
	struct req_mbox_flags q = { .handle = h,
		.op = { 1 },
		.mbox = inbox,
		.all = 1,
		.mode = FLAGS_ADD,
		.flags = FLAG_SEEN,
		.unchanged_since = UINT64_MAX,
		.out_rows = { 64, 2 * sizeof(struct pl_row) } };
	struct ans_mbox_flags a = { 0 };
	struct pl_row row[2];

	(void)state;
	for (int i = 0; i < 3; i++)
		append(c, &h, inbox, SL("x"));
	must(ASK(c, mbox_flags, &q, &a), "flags");
	memcpy(row, c->arena + 64, sizeof row);
	assert_true(a.changed == 3 && a.rows == 2 && a.next_uid == 3);
	assert_true(row[0].uid == 1 && row[0].flags == FLAG_SEEN && row[0].modseq == a.modseq && row[1].uid == 2);
	struct ans_mbox_flags first = a;
	memset(c->arena, 0, 4096);
	must(ASK(c, mbox_flags, &q, &a), "again, under the same operation id");
	memcpy(row, c->arena + 64, sizeof row);
	assert_true(a.modseq == first.modseq && a.rows == 2 && row[1].flags == FLAG_SEEN);

	q.op[0] = 2;
	q.all = 0;
	q.set = (struct range){ 0, 8 };
	memcpy(c->arena, &(struct pl_uids){ 3, 9 }, 8);
	q.flags = FLAG_FLAGGED;
	must(ASK(c, mbox_flags, &q, &a), "one");
	memcpy(row, c->arena + 64, sizeof row);
	assert_true(a.rows == 1 && a.next_uid == 0 && row[0].uid == 3 && row[0].flags == (FLAG_SEEN | FLAG_FLAGGED));
	q.op[0] = 3;
	must(ASK(c, mbox_flags, &q, &a), "what is so already");
	assert_true(a.modseq == 0 && a.changed == 0 && a.rows == 1);
	q.op[0] = 4;
	q.out_rows.len = 0;
	must(ASK(c, mbox_flags, &q, &a), "silently");
	assert_true(a.rows == 0 && a.next_uid == 0);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_flags_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
