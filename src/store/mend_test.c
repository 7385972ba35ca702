/// Tests of mend: a lost commit of a mailbox, found at start.
#include "store/mend.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "store/engine.h"
#include "store/grave.h"
#include "store/mailbed.h"
#include "store/walk.h"

/// Damages the octet before `at`, counted from the end of a record, in the newest log segment.
static void damage(const struct mailbed *b, uint32_t segment, uint64_t at)
{
	char path[128], name[SEG_NAME];
	uint8_t octet;

	seg_name(segment, name);
	snprintf(path, sizeof path, "%s/log/%s", b->dir, name);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet ^= 0xff;
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

static void reopen(struct mailbed *b, bool without_index)
{
	char path[128];

	store_close(b->s);
	snprintf(path, sizeof path, "%s/index/data.mdb", b->dir);
	if (without_index)
		assert_int_equal(unlink(path), 0);
	bed_open_store(b);
}

/// The mailbox has so many messages, by its head and by its rows, and nothing is at odds in it.
static void check_sound(struct mailbed *b, struct mbox_ref m, uint32_t messages)
{
	struct pl_row row[8];
	struct out out = out_over(row, sizeof row);
	struct rows_query all = { .set.all = true, .from_uid = 1 };
	uint32_t count = 0, next = 0;
	struct view *v = bed_view(b);

	assert_int_equal(mailbox_rows(&b->cx, v, m, &all, &out, &count, &next), E_OK);
	view_close(v);
	assert_true(count == messages && next == 0);
	assert_int_equal(bed_status(b, m).messages, messages);
	quota_forget_all(b->quota); // nobody had it before mending
	bed_check(b);
}

static void test_mend(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct pl_uids r[4];
	struct out out = out_over(r, sizeof r);
	uint32_t mended = 9, damaged = 9, count;
	bool unknown;

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 0) };
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
	assert_true(mended == 0 && damaged == 0);
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	assert_int_equal(bed_append(b, m, SL("two"), 0), 2);
	struct journal_pos end = b->s->journal.end; // behind it stands what names the second message
	assert_int_equal(bed_append(b, m, SL("three"), 0), 3);
	uint64_t modseq = bed_status(b, m).modseq;
	store_close(b->s);
	damage(b, end.segment, end.at - REC_HEAD - 1);
	bed_open_store(b);
	reopen(b, true);
	assert_int_equal(b->s->damaged_batches, 1);
	for (int round = 0; round < 3; round++) { // once, whatever happens to the index
		assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		assert_true((round ? mended == 0 : mended > 6) && damaged == 1); // it, and all of them
		assert_int_equal(bed_status(b, m).uidnext, 4 + 2 * MEND_UIDS);
		check_sound(b, m, 2);
		reopen(b, round == 1);
	}
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_gone(&b->cx, v, m, modseq, &out, &count, &unknown), E_OK);
	assert_true(unknown);
	assert_int_equal(mailbox_gone(&b->cx, v, m, bed_status(b, m).modseq, &out, &count, &unknown), E_OK);
	assert_false(unknown);
	view_close(v);
	assert_int_equal(bed_append(b, m, SL("four"), 0), 4 + 2 * MEND_UIDS);
	mailbed_free(b);
}

/// A log from a backup: UIDs and versions go on behind what clients may have seen since it was made.
static void test_restored(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	uint32_t mended = 9, damaged = 9;
	char path[128];

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 0) };
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	snprintf(path, sizeof path, "%s/restored", b->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (int round = 0; round < 3; round++) {
		assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		assert_true(damaged == 0 && (round ? mended == 0 : mended >= 6)); // every mailbox of a new account
		assert_int_equal(bed_status(b, m).uidnext, 2 + MEND_UIDS);
		assert_int_equal(access(path, F_OK), -1);
		reopen(b, round == 1);
	}
	mailbed_free(b);
}

static void each_record(const struct mailbed *b, uint32_t segment, walk_each *each, void *arg)
{
	struct segfile f;
	char path[128];
	uint64_t bad = 0;

	snprintf(path, sizeof path, "%s/log", b->dir);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(segfile_open(NULL, dir, segment, &f), E_OK);
	struct walk w = { .f = &f, .limit = f.size };
	assert_int_equal(walk_records(NULL, &w, SEG_DATA, f.size, 0, each, arg, &bad), E_OK);
	segfile_close(&f);
	close(dir);
}

struct commits {
	uint64_t account, at[64];
	uint32_t n;
};

static enum ec note_commit(struct cx *, void *arg, const struct rec *r, struct sl)
{
	struct commits *c = arg;

	if (r->type == REC_COMMIT && r->arg[COMMIT_ACCOUNT] != c->account && c->n < ARRAY_N(c->at))
		c->at[c->n++] = r->at;
	return E_OK;
}

/// Damages all commits of the segment but those of one account.
static void damage_commits(const struct mailbed *b, uint32_t segment, uint64_t but, bool headers)
{
	struct commits c = { .account = but };

	each_record(b, segment, note_commit, &c);
	assert_true(c.n > 0);
	for (uint32_t i = 0; i < c.n; i++)
		damage(b, segment, c.at[i] + (headers ? 40 : REC_HEAD));
}

static uint64_t next_account(struct mailbed *b)
{
	struct view *v = bed_view(b);
	uint64_t id;

	assert_int_equal(directory_next_account(&b->cx, v, &id), E_OK);
	view_close(v);
	return id;
}

static uint64_t next_id(struct mailbed *b, uint64_t account)
{
	struct view *v = bed_view(b);
	struct account a;

	assert_int_equal(account_load(&b->cx, v, account, &a), E_OK);
	view_close(v);
	return a.next_id;
}

/// What the newest commits of this and that said is lost, and no later one shows the gap.
enum newest { NEWEST_LETTER, NEWEST_MAILBOX, NEWEST_USER, NEWEST_CASES };

static void make_newest(struct mailbed *b, enum newest what, struct mbox_ref inbox)
{
	uint64_t mbox;

	switch (what) {
	case NEWEST_LETTER: assert_int_equal(bed_append(b, inbox, SL("lost"), 0), 2); break;
	case NEWEST_MAILBOX: assert_int_equal(bed_create(b, inbox.account, SL("Newest"), &mbox), E_OK); break;
	case NEWEST_USER: (void)bed_user(b, SL("carol@example.org"), 0); break;
	case NEWEST_CASES: break;
	}
}

/// No UID, no mailbox id and no account id is given out again, whatever was lost with the index: by a commit of which
/// nothing or only its header is left, by a whole segment, or by one that was moved away.
static void test_newest(void **state)
{
	(void)state;
	enum { PAYLOAD, HEADER, SEGMENT, AWAY, WAYS };
	for (unsigned at = 0; at < NEWEST_CASES * WAYS; at++) {
		struct mailbed *b = mailbed_new();
		uint32_t mended, damaged;
		char path[160], to[176], name[SEG_NAME];
		assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
		struct mbox_ref inbox = { .account = bed_user(b, SL("bob@example.org"), 0) };
		inbox.mbox = bed_mbox(b, inbox.account, SL("INBOX"));
		struct mbox_ref other = { .account = bed_user(b, SL("ann@example.org"), 0) };
		other.mbox = bed_mbox(b, other.account, SL("INBOX"));
		assert_int_equal(bed_append(b, inbox, SL("one"), 0), 1);
		store_close(b->s);
		bed_open_store(b); // a segment of its own
		make_newest(b, at / WAYS, inbox);
		struct journal_pos end = b->s->journal.end;
		bool only = at % WAYS == SEGMENT || at % WAYS == AWAY;
		if (only) {
			store_close(b->s);
			bed_open_store(b);
		}
		assert_int_equal(bed_append(b, other, SL("behind it all is well"), 0), 1);
		uint64_t accounts = next_account(b), ids = next_id(b, inbox.account);
		uint64_t modseq = bed_status(b, inbox).modseq + store_version_raise(b->s);
		store_close(b->s);
		seg_name(end.segment, name);
		snprintf(path, sizeof path, "%s/log/%s", b->dir, name);
		snprintf(to, sizeof to, "%s/away", b->dir);
		if (at % WAYS == AWAY)
			assert_int_equal(rename(path, to), 0);
		else if (at % WAYS == SEGMENT)
			damage(b, end.segment, 20), damage(b, end.segment, SEG_SECOND + 20);
		else
			damage_commits(b, end.segment, other.account, at % WAYS == HEADER);
		bed_open_store(b);
		reopen(b, true);
		CHECK(store_damage(b->s) > 0, "seen");
		assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		CHECK(at % WAYS != PAYLOAD || damaged > 0, "whose commit it was");
		CHECK(next_account(b) >= accounts, "accounts");
		CHECK(next_id(b, inbox.account) >= ids, "mailboxes");
		CHECK(bed_status(b, inbox).uidnext > 2, "UIDs");
		CHECK(bed_status(b, inbox).modseq + store_version_raise(b->s) > modseq, "versions");
		mailbed_free(b);
	}
}

/// The newest commit of an account's own cell.
struct newest_commit {
	uint64_t account, at;
	uint32_t segment;
};

static enum ec note_newest(struct cx *, void *arg, const struct rec *r, struct sl)
{
	struct newest_commit *c = arg;

	if (r->type == REC_COMMIT && r->arg[COMMIT_ACCOUNT] == c->account && r->arg[COMMIT_NAME] == ACCOUNT_NAME)
		c->at = r->at;
	return E_OK;
}

static void damage_newest(const struct mailbed *b, uint32_t segment, uint64_t account)
{
	struct newest_commit c = { .account = account };

	each_record(b, segment, note_newest, &c);
	assert_true(c.at > 0);
	damage(b, segment, c.at + REC_HEAD);
}

struct tree_call {
	struct tree_op op;
	uint64_t mbox;
	struct sl name;
};

static enum ec delete_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct tree_call *c = arg;

	return tree_delete(cx, t, &c->op, c->mbox);
}

static enum ec restore_job(struct mailbed *, struct cx *cx, struct txn *t, void *arg)
{
	struct tree_call *c = arg;

	return tree_restore(cx, t, &c->op, c->mbox, c->name);
}

struct seen_grave {
	char name[64];
	int64_t gone_s;
	unsigned n;
};

static bool see_grave(void *arg, uint64_t, int64_t gone_s, struct sl name)
{
	struct seen_grave *s = arg;

	snprintf(s->name, sizeof s->name, "%.*s", SLF(name));
	s->gone_s = gone_s;
	s->n++;
	return true;
}

static struct seen_grave graves(struct mailbed *b, uint64_t account)
{
	struct seen_grave s = { .n = 0 };
	struct view *v = bed_view(b);

	assert_int_equal(grave_list(&b->cx, v, account, INT64_MAX, see_grave, &s), E_OK);
	view_close(v);
	return s;
}

/// Loses the change that named a mailbox, and the index with it; another mailbox of the account has 5 octets.
static struct mbox_ref lose_name(struct mailbed *b, struct mbox_ref *other)
{
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 8) };
	*other = (struct mbox_ref){ .account = m.account };
	assert_int_equal(bed_create(b, m.account, SL("other"), &other->mbox), E_OK);
	assert_int_equal(bed_append(b, *other, SL("12345"), 0), 1);
	assert_int_equal(bed_create(b, m.account, SL("lost"), &m.mbox), E_OK);
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	uint32_t segment = b->s->journal.end.segment;
	store_close(b->s);
	damage_newest(b, segment, m.account);
	bed_open_store(b);
	reopen(b, true);
	return m;
}

/// A mailbox whose name is lost is there among the deleted ones, for a week whatever else is deleted, and comes back.
static void test_unknown(void **state)
{
	(void)state;
	for (unsigned back = 0; back < 2; back++) {
		struct mailbed *b = mailbed_new();
		struct mbox_ref other, m = lose_name(b, &other);
		uint32_t mended, damaged;
		char name[32];

		snprintf(name, sizeof name, "Found-%llu", (unsigned long long)m.mbox);
		for (int round = 0; round < 2; round++)
			assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
		struct seen_grave s = graves(b, m.account);
		assert_true(s.n == 1 && strcmp(s.name, name) == 0);
		assert_true(s.gone_s <= clock_now_s() && s.gone_s > clock_now_s() - 3600);
		quota_forget_all(b->quota);
		bed_check(b);
		struct tree_call c = { { .account = m.account, .now_s = s.gone_s + 1, .quota = b->quota }, other.mbox,
			SL("") };
		assert_int_equal(bed_do(b, delete_job, &c), E_OK); // 8 octets in both, and as many may be
		c.mbox = bed_mbox(b, m.account, SL("Sent"));
		assert_int_equal(bed_append(b, (struct mbox_ref){ m.account, c.mbox }, SL("67890"), 0), 1 + MEND_UIDS);
		assert_int_equal(bed_do(b, delete_job, &c), E_OK);
		assert_int_equal(graves(b, m.account).n, 2); // "other" had to go
		assert_int_equal(grave_sweep(&b->cx, b->s, s.gone_s + GRAVE_S), E_OK);
		c.mbox = m.mbox;
		c.name = SL("back");
		if (!back)
			assert_int_equal(grave_sweep(&b->cx, b->s, s.gone_s + GRAVE_S + 1), E_OK);
		assert_int_equal(bed_do(b, restore_job, &c), back ? E_OK : E_NOTFOUND);
		if (back)
			check_sound(b, (struct mbox_ref){ m.account, bed_mbox(b, m.account, SL("back")) }, 1);
		mailbed_free(b);
	}
}

static int no_room(void *, int, uint64_t)
{
	return -ENOSPC;
}

static int64_t no_octets(void *, int)
{
	return 0;
}

/// A disk on its reserve: the start mends all the same, else the server would not start and nobody could delete.
static void test_on_reserve(void **state)
{
	(void)state;
	struct mailbed *b = mailbed_new();
	struct store_conf conf = { .dir = sl_cstr(b->dir), .segment_octets = 4 << 20, .map_octets = 256 << 20 };
	struct disk full = disk_real;
	uint32_t mended = 0, damaged = 9;
	char path[128];

	full.fallocate = no_room;
	full.free_octets = no_octets;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	struct mbox_ref m = { .account = bed_user(b, SL("bob@example.org"), 0) };
	m.mbox = bed_mbox(b, m.account, SL("INBOX"));
	assert_int_equal(bed_append(b, m, SL("one"), 0), 1);
	uint64_t ids = next_id(b, m.account), accounts = next_account(b);
	store_close(b->s);
	snprintf(path, sizeof path, "%s/restored", b->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(store_open_on(&b->cx, &conf, &full, &b->s), E_OK);
	struct bed_domain other = { SL("example.net"), { 0 } };
	assert_int_equal(bed_do(b, bed_domain_job, &other), E_FULL);
	assert_int_equal(mend_damaged(&b->cx, b->s, &mended, &damaged), E_OK);
	assert_true(mended >= 6 && damaged == 0 && access(path, F_OK) == -1);
	assert_int_equal(bed_status(b, m).uidnext, 2 + MEND_UIDS);
	assert_true(next_id(b, m.account) > ids && next_account(b) > accounts);
	mailbed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_newest),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_on_reserve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
