/// Tests of check_mail: a sound store has no faults; each kind of damage is found under its number.
#include "store/check_mail.h"

#include "store/keys.h"
#include "store/mailbed.h"
#include "store/mbox_rows.h"

static void note_fault(void *arg, unsigned invariant, struct cell_id where, const char *what)
{
	(void)where;
	(void)what;
	*(uint32_t *)arg |= 1u << invariant;
}

/// The set of invariants found broken, as bits.
static uint32_t check_all(struct mailbed *b)
{
	struct check_slice slice = { .bodies = true }; // one step at a time
	uint32_t found = 0;
	unsigned steps = 0;

	do {
		assert_int_equal(check_mail(&b->cx, b->s, b->quota, &slice, note_fault, &found), E_OK);
		assert_true(++steps < 1000);
	} while (slice.cursor);
	assert_true(found || steps >= 15); // directory, two trees of six or more mailboxes, orphans
	return found;
}

static struct mailbed *house(void)
{
	struct mailbed *b = mailbed_new();
	struct mbox_ref inbox = { .account = 1 };
	uint64_t mbox;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	bed_user(b, SL("a@example.org"), 0);
	bed_user(b, SL("b@example.org"), 0);
	assert_int_equal(bed_create(b, 1, SL("x/y"), &mbox), E_OK);
	inbox.mbox = bed_mbox(b, 1, SL("INBOX"));
	for (int i = 0; i < 70; i++)
		bed_append(b, inbox, SL("hello"), (uint8_t)(i % 16));
	return b;
}

/// One raw change of a cell: a patched head, key or a missing one.
struct damage {
	const char *name;
	unsigned invariant;
	struct cell_id cell;
	char kind;            // 0 = head
	uint64_t number;      // of the key
	bool wide, del, drop; // 8-octet number; delete the key; drop the cell
	uint32_t off;
	struct sl octets;
};
static const struct damage damages[] = {
	{ "user without account", 1, { 2, 0 }, 0, 0, false, false, true, 0, { 0 } },
	{ "node without place", 3, { 1, 0 }, 'n', 2, true, true, false, 0, { 0 } },
	{ "mailbox without node", 3, { 1, 0 }, 'm', 1, true, true, false, 0, { 0 } },
	{ "mailbox without cell", 4, { 1, 3 }, 0, 0, false, false, true, 0, { 0 } },
	{ "messages", 5, { 1, 1 }, 0, 0, false, false, false, 10, SL_INIT("\x07") },
	{ "uidnext", 6, { 1, 1 }, 0, 0, false, false, false, 6, SL_INIT("\x05") },
	{ "modseq beyond", 6, { 1, 1 }, 'P', 1, false, false, false, PAGE_LIVE + 1, SL_INIT("\xff\xff\xff") },
	{ "summary bit", 7, { 1, 1 }, 'S', 0, false, false, false, 3, SL_INIT("\x01") },
	{ "summary gone", 7, { 1, 1 }, 'S', 0, false, true, false, 0, { 0 } },
	{ "octets", 8, { 1, 1 }, 0, 0, false, false, false, 26, SL_INIT("\x01") },
	{ "keyword without name", 9, { 1, 1 }, 'P', 1, false, false, false, PAGE_LIVE + 9, SL_INIT("\x01") },
	{ "body elsewhere", 11, { 1, 1 }, 'P', 1, false, false, false, PAGE_FIXED,
		SL_INIT("\xff\xff\xff\xff\xff\xff") },
	{ "count of nodes", 13, { 1, 0 }, 0, 0, false, false, false, 36, SL_INIT("\x63") },
};

static enum ec damage_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	const struct damage *d = arg;
	struct key k = d->wide ? key_num64(d->kind, d->number) : key_num32(d->kind, (uint32_t)d->number);
	struct sl head;
	uint8_t copy[CELL_HEAD_MAX];
	uint64_t version;
	enum ec e = cell_head(cx, txn_view(t), d->cell, &version, &head);

	(void)b;
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, d->cell, version);
	if (d->drop) {
		change_drop(c);
	} else if (d->del) {
		change_del(c, key_sl(&k));
	} else if (d->kind) {
		change_patch(c, key_sl(&k), d->off, d->octets);
	} else {
		memcpy(copy, head.p, head.n);
		memcpy(copy + d->off, d->octets.p, d->octets.n);
		change_head(c, (struct sl){ copy, head.n });
	}
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

static void test_damages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(damages); i++) {
		struct mailbed *b = house();
		struct damage d = damages[i];
		CHECK(check_all(b) == 0, "sound");
		quota_forget_all(b->quota);
		CHECK(bed_do(b, damage_job, &d) == E_OK, d.name);
		CHECK(check_all(b) & 1u << d.invariant, d.name);
		mailbed_free(b);
	}
}

static enum ec orphan_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	(void)arg;
	(void)b;
	return mailbox_make(cx, t, (struct mbox_ref){ 1, 999 }, 5);
}

static void test_orphan_and_sum(void **state)
{
	struct mailbed *b = house();

	(void)state;
	assert_int_equal(bed_do(b, orphan_job, NULL), E_OK);
	assert_int_equal(check_all(b), 1u << 12);
	quota_add(b->quota, 1, 3, 0);
	assert_int_equal(check_all(b), 1u << 12 | 1u << 10);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damages),
		cmocka_unit_test(test_orphan_and_sum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
