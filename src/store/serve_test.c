/// Tests of serve: sessions through frames, who may ask what, logins that end, broken and greedy peers. What one user
/// can do with what is another's: foreign_test.c.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "store/serve_town.h"
#include "store/state.h"

static uint32_t check_faults(struct client *c)
{
	struct req_store_check q = { .out = { 0, 65536 } };
	struct ans_store_check a = { 0 };
	uint32_t faults = 0;

	do {
		must(ASK(c, store_check, &q, &a), "store_check");
		if (a.faults)
			print_error("%.*s", (int)a.octets, (const char *)c->arena);
		faults += a.faults;
		q.cursor = a.next;
	} while (a.next);
	return faults;
}

static void test_session(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h = login_as(c, SL("Alice@Example.org"));
	uint64_t inbox = find(c, &h, SL("inbox")), trash = find(c, &h, SL("Trash"));

	(void)state;
	assert_int_equal(append(c, &h, inbox, SL("first message")), 1);
	assert_int_equal(append(c, &h, inbox, SL("second")), 2);

	struct req_mbox_open open = {
		.handle = h, .claim_recent = 1, .out = { 0, 4096 }, .out_keywords = { 4096, 64 }
	};
	struct ans_mbox_open opened = { 0 };
	must(field_set(open.name, SL("INBOX")), "name");
	must(ASK(c, mbox_open, &open, &opened), "open");
	assert_true(opened.mbox == inbox && opened.keywords == 0);
	assert_true(opened.messages == 2 && opened.recent_from == 1 && opened.recent == 2 && opened.first_unseen == 1);
	assert_true(opened.blocks == 1 && opened.next_block == 0 &&
		    ((struct pl_presence *)(void *)c->arena)->present[0] == 6);
	must(ASK(c, mbox_open, &open, &opened), "open again");
	assert_true(opened.recent_from == 3 && opened.recent == 0);

	c->notes = 0; // of what was claimed
	struct req_mbox_flags flags = { .handle = h,
		.mbox = inbox,
		.mode = FLAGS_ADD,
		.flags = FLAG_SEEN | FLAG_DELETED,
		.unchanged_since = UINT64_MAX,
		.set = { 0, 8 } };
	struct ans_mbox_flags flagged = { 0 };
	flags.set.len = 0;
	must(ASK(c, mbox_flags, &flags, &flagged), "flags of no message");
	assert_true(flagged.changed == 0 && flagged.modseq == 0);
	flags.set.len = 8;
	memcpy(c->arena, &(struct pl_uids){ 2, 2 }, 8);
	must(ASK(c, mbox_flags, &flags, &flagged), "flags");
	assert_int_equal(flagged.changed, 1);
	append(c, &h, inbox, SL("third"));
	struct req_mbox_sync sync = {
		.handle = h, .mbox = inbox, .since = opened.modseq, .out_rows = { 0, 4096 }, .out_gone = { 4096, 4096 }
	};
	struct ans_mbox_sync synced = { 0 };
	must(ASK(c, mbox_sync, &sync, &synced), "sync");
	assert_int_equal(c->notes, 1); // two changes, one note: nobody had looked
	assert_true(c->note.account == h.account && c->note.mbox == inbox);
	assert_true(synced.rows == 2 && synced.gone == 0 && !synced.more_rows && !synced.gone_unknown);

	struct req_mbox_copy copy = {
		.handle = h, .mbox = inbox, .to = trash, .move = 1, .set = { 0, 8 }, .out = { 64, 64 }
	};
	struct ans_mbox_copy copied = { 0 };
	copy.set.len = 0;
	must(ASK(c, mbox_copy, &copy, &copied), "move of no message");
	assert_true(copied.count == 0);
	copy.set.len = 8;
	memcpy(c->arena, &(struct pl_uids){ 1, 1 }, 8);
	must(ASK(c, mbox_copy, &copy, &copied), "move");
	assert_true(copied.count == 1 && copied.first_uid == 1 && !copied.out_full);
	struct req_mbox_expunge ex = { .handle = h, .mbox = inbox, .out = { 0, 64 } };
	struct ans_mbox_expunge gone = { 0 };
	must(ASK(c, mbox_expunge, &ex, &gone), "expunge of no message");
	assert_int_equal(gone.count, 0);
	ex.all = 1;
	ex.set = (struct range){ 0, 8 };
	assert_int_equal(ASK(c, mbox_expunge, &ex, &gone), E_SYNTAX); // all, and a set
	ex.set.len = 0;
	must(ASK(c, mbox_expunge, &ex, &gone), "expunge");
	assert_true(gone.count == 1 && !gone.out_full && ((struct pl_uids *)(void *)c->arena)->lo == 2);

	struct req_mbox_read rd = { .handle = h,
		.mbox = trash,
		.uid = { 1, 7 },
		.offset = { 6, 0 },
		.out = { 2, { { 0, 100 }, { 100, 100 } } } };
	struct ans_mbox_read got = { 0 };
	must(ASK(c, mbox_read, &rd, &got), "read");
	assert_int_equal(got.got[0], 7);
	assert_memory_equal(c->arena, "message", 7);
	assert_int_equal(got.got[1], READ_GONE);
	rd.prove = READ_PROVE_MAX;
	assert_int_equal(ASK(c, mbox_read, &rd, &got), E_RANGE); // more than one message
	rd.out.n = 1;
	must(ASK(c, mbox_read, &rd, &got), "read what is looked at");
	assert_int_equal(got.got[0], 7);
	rd.out.r[0].len = 0;
	must(ASK(c, mbox_read, &rd, &got), "look");
	assert_int_equal(got.got[0], 0);
	rd.offset[0] = 4000;
	must(ASK(c, mbox_read, &rd, &got), "look behind the end");
	assert_int_equal(got.got[0], 0);
	rd.prove++;
	assert_int_equal(ASK(c, mbox_read, &rd, &got), E_SYNTAX);
	assert_int_equal(check_faults(&t->admin), 0);
	town_end(t);
}

static void test_uploads_and_delivery(void **state)
{
	struct town *t = town_new();
	struct client mx = client_new(t->s, BY_MX, 9);
	struct req_resolve res = { .octets = 10, .out = { 0, 64 } };
	struct ans_resolve resolved = { 0 };
	struct req_upload_begin ub = { 0 };
	struct ans_upload_begin begun = { 0 };

	(void)state;
	must(field_set(res.local, SL("bob+tag")), "local");
	must(field_set(res.domain, SL("example.org")), "domain");
	must(ASK(&mx, resolve, &res, &resolved), "resolve");
	assert_true(resolved.verdict == RCPT_LOCAL && resolved.count == 1);
	uint64_t bob;
	memcpy(&bob, mx.arena, 8);
	must(ASK(&t->user, upload_begin, &ub, &begun), "upload of another peer");
	uint64_t of_another = begun.upload;
	must(ASK(&mx, upload_begin, &ub, &begun), "upload");
	assert_true(begun.upload != of_another); // what one peer asks again elsewhere must not meet another's upload
	struct req_upload_add add = { .upload = begun.upload, .body = { 1, { { 512, 5 } } } };
	struct ans_upload_add added = { 0 };
	memcpy(mx.arena + 512, "hello", 5);
	must(ASK(&mx, upload_add, &add, &added), "add");
	must(ASK(&mx, upload_add, &add, &added), "add");
	assert_int_equal(added.octets, 10);
	struct req_deliver d = { .op = { 7 }, .upload = begun.upload, .targets = { 0, 24 }, .out = { 64, 3 } };
	struct ans_deliver delivered = { 0 };
	uint64_t targets[3] = { bob, 999, bob };
	memcpy(mx.arena, targets, 24);
	assert_int_equal(ASK(&mx, deliver, &d, &delivered), E_CONFLICT);
	targets[1] = 1;
	memcpy(mx.arena, targets, 24);
	must(ASK(&mx, deliver, &d, &delivered), "deliver"); // the upload is still there
	assert_int_equal(delivered.stored, 3);
	assert_memory_equal(mx.arena + 64, "\0\0\0", 3);
	delivered.stored = 0;
	must(ASK(&mx, deliver, &d, &delivered),
		"deliver again"); // asked again: done already, whatever became of the upload
	assert_int_equal(delivered.stored, 3);
	d.op[0] = 8;
	assert_int_equal(ASK(&mx, deliver, &d, &delivered), E_TEMP); // a new one finds it used up
	assert_int_equal(ASK(&mx, upload_add, &add, &added), E_TEMP);
	struct handle h = login_as(&t->user, SL("bob@example.org"));
	struct req_mbox_status st = { .handle = h, .mbox = find(&t->user, &h, SL("INBOX")) };
	struct ans_mbox_status status = { 0 };
	must(ASK(&t->user, mbox_status, &st, &status), "status");
	assert_true(status.messages == 1 && status.octets == 10); // named twice, stored once
	for (int i = 0; i < UPLOADS_MAX; i++)
		must(ASK(&mx, upload_begin, &ub, &begun), "upload");
	assert_int_equal(ASK(&mx, upload_begin, &ub, &begun), E_LIMIT);
	client_end(&mx);
	town_end(t);
}

static void salt_of(struct client *c, const char *user, uint8_t salt[static 16])
{
	struct req_scram_begin q = { 0 };
	struct ans_scram_begin a = { 0 };

	must(field_set(q.user, sl_cstr(user)), user);
	must(ASK(c, scram_begin, &q, &a), user);
	assert_int_equal(a.iterations, 4096);
	memcpy(salt, a.salt, 16);
}

/// Names that mean one user show one salt, and so do names that would mean one user that does not exist.
static void test_salts_tell_nothing(void **state)
{
	static const char *const pairs[][2] = { { "alice@example.org", "alice@alias.org" },
		{ "nobody@example.org", "nobody@alias.org" }, { "nobody@example.org", "NOBODY@Alias.ORG" } };
	struct town *t = town_new();
	struct req_domain_add d = { 0 };
	struct ans_domain_add made;
	uint8_t one[16], other[16];

	(void)state;
	must(field_set(d.domain, SL("alias.org")), "domain");
	must(field_set(d.alias_of, SL("example.org")), "alias_of");
	must(ASK(&t->admin, domain_add, &d, &made), "domain_add");
	for (size_t i = 0; i < ARRAY_N(pairs); i++) {
		salt_of(&t->user, pairs[i][0], one);
		salt_of(&t->user, pairs[i][1], other);
		CHECK(memcmp(one, other, sizeof one) == 0, pairs[i][1]);
	}
	salt_of(&t->user, "somebody@example.org", other);
	assert_memory_not_equal(one, other, sizeof one);
	salt_of(&t->user, "nobody@elsewhere.org", other); // no domain of ours
	assert_memory_not_equal(one, other, sizeof one);
	salt_of(&t->user, "nobody", other);
	town_end(t);
}

static void test_quota(void **state)
{
	struct town *t = town_new();
	struct req_resolve res = { .octets = 101, .out = { 0, 64 } };
	struct ans_resolve resolved = { 0 };

	(void)state;
	add_user(&t->admin, SL("small@example.org"), 100);
	must(field_set(res.local, SL("small")), "local");
	must(field_set(res.domain, SL("example.org")), "domain");
	must(ASK(&t->user, resolve, &res, &resolved), "resolve");
	assert_true(resolved.verdict == RCPT_FULL && resolved.count == 0);
	struct req_alias_add al = { .targets = { 0, 35 } };
	struct ans_alias_add aliased = { 0 };
	must(field_set(al.address, SL("both@example.org")), "alias");
	memcpy(t->admin.arena, "small@example.org alice@example.org", 35);
	must(ASK(&t->admin, alias_add, &al, &aliased), "alias_add");
	must(field_set(res.local, SL("both")), "local");
	must(ASK(&t->user, resolve, &res, &resolved), "resolve");
	assert_true(resolved.verdict == RCPT_LOCAL && resolved.count == 1); // the full one is left out
	struct handle h = login_as(&t->user, SL("small@example.org"));
	struct req_mbox_append q = {
		.handle = h, .mbox = find(&t->user, &h, SL("INBOX")), .body = { 1, { { 0, 101 } } }
	};
	struct ans_mbox_append a = { 0 };
	assert_int_equal(ASK(&t->user, mbox_append, &q, &a), E_QUOTA);
	q.body.r[0].len = 100;
	assert_int_equal(ASK(&t->user, mbox_append, &q, &a), E_OK);
	struct req_account acc = { .handle = h };
	struct ans_account account = { 0 };
	must(ASK(&t->user, account, &acc, &account), "account");
	assert_true(account.used_octets == 100 && account.used_messages == 1 && account.quota_octets == 100);
	town_end(t);
}

/// A user whose account damage took: the list shows the others and marks it; its mail is for later, not refused.
static void test_lost_account(void **state)
{
	struct town *t = town_new();
	struct cell_id alice = { login_as(&t->user, SL("alice@example.org")).account, ACCOUNT_NAME };
	struct req_admin_list list = { .what = LIST_USERS, .out = { 0, 4096 } };
	struct ans_admin_list listed = { 0 };
	struct req_resolve res = { .out = { 0, 64 } };
	struct ans_resolve resolved = { 0 };

	(void)state;
	bed_lose(t->b, alice);
	must(ASK(&t->admin, admin_list, &list, &listed), "admin_list");
	assert_int_equal(listed.count, 2);
	const struct pl_entry *first = (const void *)t->admin.arena;
	const struct pl_entry *second = (const void *)(t->admin.arena + first->size);
	assert_true(first->lost && first->account == alice.account && memcmp(first->text, "alice", 5) == 0);
	assert_true(!second->lost && second->imap && memcmp(second->text, "bob", 3) == 0);
	must(field_set(res.domain, SL("example.org")), "domain");
	must(field_set(res.local, SL("alice")), "local");
	assert_int_equal(ASK(&t->user, resolve, &res, &resolved), E_CORRUPT);
	struct req_alias_add al = { .targets = { 0, 33 } };
	struct ans_alias_add aliased = { 0 };
	must(field_set(al.address, SL("both@example.org")), "alias");
	memcpy(t->admin.arena, "alice@example.org bob@example.org", 33);
	must(ASK(&t->admin, alias_add, &al, &aliased), "alias_add");
	must(field_set(res.local, SL("both")), "local");
	must(ASK(&t->user, resolve, &res, &resolved), "resolve");
	assert_true(resolved.verdict == RCPT_LOCAL && resolved.count == 1);
	town_end(t);
}

// ---- who may ask what

static void test_kinds(void **state)
{
	struct town *t = town_new();
	const enum peer_kind kinds[] = { BY_MX, BY_USER, BY_OUTBOUND, BY_ADMIN };
	uint8_t zeros[FRAME_MAX] = { 0 };
	char name[64];

	(void)state;
	for (size_t k = 0; k < ARRAY_N(kinds); k++) {
		struct client c = client_new(t->s, kinds[k], 50);
		for (uint32_t verb = 0; verb < VERBS + 3; verb++) {
			const struct verb_info *info = verb_info(verb);
			snprintf(name, sizeof name, "kind %d verb %s", (int)kinds[k], info ? info->name : "none");
			if (info && info->who & (uint32_t)kinds[k] && verb != VERB_hello)
				continue;
			assert_true(client_send(&c, verb, zeros, info ? info->req_octets : 4, -1));
			enum ec e = client_answer(&c, NULL, 0);
			CHECK(e == (!info ? E_UNSUPPORTED : verb == VERB_hello ? E_STATE : E_DENIED), name);
		}
		client_end(&c);
	}
	town_end(t);
}

static void test_login_ends(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h, imap = login_as(c, SL("alice@example.org"));
	struct req_account q = { .handle = imap };
	struct ans_account a = { 0 };

	(void)state;
	assert_int_equal(login(c, SL("alice@example.org"), SL("no"), SERVICE_IMAP, &h), E_AUTH);
	assert_int_equal(login(c, SL("ghost@example.org"), SL("pw"), SERVICE_IMAP, &h), E_AUTH);
	assert_int_equal(login(c, SL("no address"), SL("pw"), SERVICE_IMAP, &h), E_AUTH);
	struct req_user_set set = { .which = SET_IMAP };
	struct ans_user_set was_set = { 0 };
	must(field_set(set.address, SL("alice@example.org")), "address");
	must(ASK(&t->admin, user_set, &set, &was_set), "user_set");
	assert_int_equal(ASK(c, account, &q, &a), E_AUTH);
	assert_int_equal(login(c, SL("alice@example.org"), SL("pw"), SERVICE_IMAP, &h), E_DENIED);
	assert_int_equal(login(c, SL("alice@example.org"), SL("no"), SERVICE_IMAP, &h), E_AUTH);
	must(login(c, SL("alice@example.org"), SL("pw"), SERVICE_POP3, &h), "pop3");
	set.imap = 1;
	must(ASK(&t->admin, user_set, &set, &was_set), "user_set");
	must(ASK(c, account, &q, &a), "account");
	struct req_user_passwd pass = { 0 };
	struct ans_user_passwd passed = { 0 };
	must(field_set(pass.address, SL("alice@example.org")), "address");
	must(field_set(pass.password, SL("new")), "password");
	must(ASK(&t->admin, user_passwd, &pass, &passed), "passwd");
	try_handle(c, BY_USER, imap, "after a change of password");
	assert_int_equal(login(c, SL("alice@example.org"), SL("pw"), SERVICE_IMAP, &h), E_AUTH);
	struct handle bob = login_as(c, SL("bob@example.org"));
	struct req_user_remove rm = { 0 };
	struct ans_user_remove removed = { 0 };
	must(field_set(rm.address, SL("bob@example.org")), "address");
	must(ASK(&t->admin, user_remove, &rm, &removed), "user_remove");
	try_handle(c, BY_USER, bob, "after the account's removal");
	assert_int_equal(check_faults(&t->admin), 0);
	town_end(t);
}

static enum ec renew(struct client *c, struct handle *h)
{
	struct req_renew q = { .handle = *h };
	struct ans_renew a = { 0 };
	enum ec e = ASK(c, renew, &q, &a);

	if (e == E_OK)
		*h = a.handle;
	return e;
}

static void test_renew(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user, other = client_new(t->s, BY_USER, 2);
	struct handle h = login_as(c, SL("alice@example.org")), old = h;
	struct req_account q = { 0 };
	struct ans_account a = { 0 };

	(void)state;
	// by the clock that nobody sets: a step of the other one ends no session
	uint64_t ends_s = (uint64_t)clock_steady_s() + HANDLE_KEPT_S;
	assert_true(h.expires_s <= ends_s && h.expires_s + 60 > ends_s);
	usleep(1100000);
	must(renew(c, &h), "renew");
	assert_true(h.expires_s > old.expires_s && h.services == old.services && h.account == old.account);
	q.handle = h;
	must(ASK(c, account, &q, &a), "account");
	assert_int_equal(renew(&other, &h), E_AUTH); // another front's
	struct handle wider = h;
	wider.services |= 1u << SERVICE_POP3;
	assert_int_equal(renew(c, &wider), E_AUTH);
	struct req_user_set set = { .which = SET_IMAP };
	struct ans_user_set was_set = { 0 };
	must(field_set(set.address, SL("alice@example.org")), "address");
	must(ASK(&t->admin, user_set, &set, &was_set), "user_set");
	assert_int_equal(renew(c, &h), E_AUTH);
	set.imap = 1;
	must(ASK(&t->admin, user_set, &set, &was_set), "user_set");
	struct req_user_passwd pass = { 0 };
	struct ans_user_passwd passed = { 0 };
	must(field_set(pass.address, SL("alice@example.org")), "address");
	must(field_set(pass.password, SL("new")), "password");
	must(ASK(&t->admin, user_passwd, &pass, &passed), "passwd");
	assert_int_equal(renew(c, &h), E_AUTH);
	client_end(&other);
	town_end(t);
}

static void test_pop3_lock(void **state)
{
	struct town *t = town_new();
	struct client other = client_new(t->s, BY_USER, 2);
	struct req_pop3_lock q = { .handle = login_as(&t->user, SL("alice@example.org")), .on = 1 };
	struct req_pop3_lock o = { .handle = login_as(&other, SL("alice@example.org")), .on = 1 };
	struct ans_pop3_lock a = { 0 };

	(void)state;
	must(ASK(&t->user, pop3_lock, &q, &a), "lock");
	assert_int_equal(ASK(&t->user, pop3_lock, &q, &a), E_CONFLICT);
	assert_int_equal(ASK(&other, pop3_lock, &o, &a), E_CONFLICT);
	o.on = 0;
	assert_int_equal(ASK(&other, pop3_lock, &o, &a), E_STATE); // not its own
	q.on = 0;
	must(ASK(&t->user, pop3_lock, &q, &a), "unlock");
	o.on = 1;
	must(ASK(&other, pop3_lock, &o, &a), "lock");
	client_end(&other);
	while (serve_peers(t->s) > 2)
		usleep(1000);
	q.on = 1;
	must(ASK(&t->user, pop3_lock, &q, &a), "its holder is gone");
	town_end(t);
}

// ---- broken and greedy peers

static enum ec try_hello(struct serve *s, int fd, uint64_t octets, uint64_t build)
{
	struct client c = client_raw(s, BY_USER, 3);
	struct req_hello q = { .build = build, .arena_octets = octets };
	struct ans_hello a = { 0 };

	assert_true(client_send(&c, VERB_hello, &q, sizeof q, fd));
	enum ec e = client_answer(&c, &a, sizeof a);
	client_end(&c);
	if (fd >= 0)
		close(fd);
	return e;
}

static void test_hello(void **state)
{
	struct town *t = town_new();
	const unsigned seals = F_SEAL_SHRINK | F_SEAL_GROW;
	char path[] = "/tmp/hongyan-arena-XXXXXX";

	(void)state;
	assert_int_equal(try_hello(t->s, bed_memfd(8192, seals), 8192, BED_BUILD), E_OK);
	assert_int_equal(try_hello(t->s, bed_memfd(8192, seals), 8192, 1), E_UNSUPPORTED);
	assert_int_equal(try_hello(t->s, bed_memfd(8192, F_SEAL_GROW), 8192, BED_BUILD), E_DENIED);
	assert_int_equal(try_hello(t->s, bed_memfd(8192, seals), 16384, BED_BUILD), E_RANGE);
	assert_int_equal(try_hello(t->s, bed_memfd(100, seals), 100, BED_BUILD), E_RANGE);
	assert_int_equal(try_hello(t->s, bed_memfd(8192, seals | F_SEAL_WRITE), 8192, BED_BUILD), E_TEMP);
	assert_int_equal(try_hello(t->s, -1, 8192, BED_BUILD), E_SYNTAX);
	int fd = mkstemp(path);
	unlink(path);
	assert_int_equal(try_hello(t->s, fd, 0, BED_BUILD), E_DENIED);
	struct client c = client_raw(t->s, BY_USER, 3);
	struct req_upload_begin ub = { 0 };
	struct ans_upload_begin begun = { 0 };
	assert_int_equal(ASK(&c, upload_begin, &ub, &begun), E_STATE); // before hello
	client_end(&c);
	town_end(t);
}

static void test_broken_frames(void **state)
{
	struct town *t = town_new();
	struct handle h = login_as(&t->user, SL("alice@example.org"));
	struct req_mbox_rows q = { .handle = h, .mbox = 1, .out = { 1, { { BED_ARENA - 8, 9 } } } };
	struct ans_mbox_rows a = { 0 };
	uint8_t big[FRAME_MAX + 100] = { 0 };

	(void)state;
	assert_int_equal(ASK(&t->user, mbox_rows, &q, &a), E_SYNTAX); // beyond the arena
	q.out.n = 17;
	assert_int_equal(ASK(&t->user, mbox_rows, &q, &a), E_SYNTAX);
	assert_true(client_send(&t->user, VERB_mbox_rows, &q, sizeof q - 1, -1));
	assert_int_equal(client_answer(&t->user, NULL, 0), E_SYNTAX);
	q.out.n = 1;
	q.out.r[0] = (struct range){ 0, 80 };
	q.set = (struct range){ 0, 12 }; // not whole entries
	assert_int_equal(ASK(&t->user, mbox_rows, &q, &a), E_SYNTAX);
	struct client c = client_new(t->s, BY_USER, 4);
	assert_true(send(c.fd, "short", 5, MSG_NOSIGNAL) == 5);
	assert_int_equal(client_answer(&c, NULL, 0), E_CLOSED);
	client_end(&c);
	c = client_new(t->s, BY_USER, 4);
	assert_true(send(c.fd, big, sizeof big, MSG_NOSIGNAL) == sizeof big);
	assert_int_equal(client_answer(&c, NULL, 0), E_CLOSED);
	client_end(&c);
	town_end(t);
}

/// A peer that asks and never reads is closed; the others are served meanwhile.
static void test_greedy(void **state)
{
	struct town *t = town_new();
	struct client greedy = client_new(t->s, BY_USER, 5);
	struct handle h = login_as(&t->user, SL("alice@example.org"));
	struct req_account q = { .handle = h };
	struct ans_account a = { 0 };
	bool alive = true;

	(void)state;
	fcntl(greedy.fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; alive && i < 100000; i++) {
		alive = client_send(&greedy, VERB_account, &q, sizeof q, -1) || errno == EAGAIN;
		if (i % 1000 == 0)
			must(ASK(&t->user, account, &q, &a), "another front");
	}
	while (serve_peers(t->s) > 2)
		usleep(1000);
	assert_false(client_send(&greedy, VERB_account, &q, sizeof q, -1));
	client_end(&greedy);
	must(ASK(&t->user, account, &q, &a), "another front");
	town_end(t);
}

static uint64_t create(struct client *c, const struct handle *h, int number)
{
	struct req_mbox_create q = { .handle = *h };
	struct ans_mbox_create a = { 0 };

	memcpy(q.op, &number, sizeof number);
	q.op[15] = 1;
	q.name.n = (uint16_t)snprintf((char *)q.name.p, sizeof q.name.p, "box %d", number);
	must(ASK(c, mbox_create, &q, &a), "mbox_create");
	return a.mbox;
}

/// A front that asks without a pause, so that its worker never rests.
struct restless {
	struct client c;
	struct handle h;
	atomic_bool stop;
	pthread_t thread;
};

static void *restless_run(void *arg)
{
	struct restless *r = arg;
	struct req_account q = { .handle = r->h };
	struct ans_account a;

	while (!atomic_load(&r->stop))
		must(ASK(&r->c, account, &q, &a), "account");
	return NULL;
}

static void restless_go(struct town *t, struct restless *r, uint32_t front)
{
	r->c = client_new(t->s, BY_USER, front);
	r->h = login_as(&r->c, SL("bob@example.org"));
	assert_int_equal(pthread_create(&r->thread, NULL, restless_run, r), 0);
}

static void restless_end(struct restless *r)
{
	atomic_store(&r->stop, true);
	pthread_join(r->thread, NULL);
	client_end(&r->c);
}

/// Notes that a front has not read yet leave room for its answers, and what did not fit is told later, also where other
/// fronts leave the workers no rest.
static void test_notes_leave_room(void **state)
{
	enum { BOXES = 600 };
	struct town *t = town_new();
	struct client busy = client_new(t->s, BY_USER, 6);
	struct handle h = login_as(&t->user, SL("alice@example.org"));
	struct handle its = login_as(&busy, SL("alice@example.org"));
	struct req_account q = { .handle = its };
	struct ans_account a = { 0 };
	struct ans_watch watched = { 0 };
	uint64_t box[BOXES];
	struct restless others[4] = { 0 };

	(void)state;
	for (int i = 0; i < BOXES; i++) {
		box[i] = create(&t->user, &h, i);
		struct req_watch w = { .handle = its, .mbox = box[i], .on = 1 };
		must(ASK(&busy, watch, &w, &watched), "watch");
	}
	for (uint32_t i = 0; i < ARRAY_N(others); i++)
		restless_go(t, &others[i], 10 + i);
	for (int i = 0; i < BOXES; i++)
		append(&t->user, &h, box[i], SL("mail"));
	for (int i = 0; i < 64; i++)
		assert_true(client_send(&busy, VERB_account, &q, sizeof q, -1));
	assert_int_equal(client_answer(&busy, &a, sizeof a), E_OK);
	assert_true(busy.notes > 0 && busy.notes < BOXES);
	for (int i = 0; busy.note.account && i < 300; i++) { // until the note that says: look at everything
		usleep(100000);
		must(ASK(&busy, account, &q, &a), "account");
	}
	assert_int_equal(busy.note.account, 0);
	for (size_t i = 0; i < ARRAY_N(others); i++)
		restless_end(&others[i]);
	client_end(&busy);
	town_end(t);
}

/// A second connection of the same front takes over from the first.
static void test_takes_over(void **state)
{
	struct town *t = town_new();
	struct client first = client_new(t->s, BY_USER, 7), second = client_new(t->s, BY_USER, 7);
	struct handle h = login_as(&second, SL("alice@example.org"));
	struct req_account q = { .handle = h };
	struct ans_account a = { 0 };

	(void)state;
	assert_int_equal(ASK(&first, account, &q, &a), E_CLOSED);
	must(ASK(&second, account, &q, &a), "the newest");
	must(ASK(&t->user, account, &(struct req_account){ .handle = login_as(&t->user, SL("bob@example.org")) }, &a),
		"another front");
	client_end(&first);
	client_end(&second);
	town_end(t);
}

/// Ending while passwords are being proved and messages stored: every request taken is finished first.
static void test_end_in_flight(void **state)
{
	struct town *t = town_new();
	struct req_login q = { .service = SERVICE_IMAP, .most = UINT32_MAX };

	(void)state;
	must(field_set(q.user, SL("ghost@example.org")), "user");
	for (int i = 0; i < 50; i++)
		assert_true(client_send(&t->user, VERB_login, &q, sizeof q, -1));
	town_end(t);
}

#ifndef ENGINE_MEM
static void copy_file(const char *from, const char *to)
{
	uint8_t octets[65536];
	ssize_t n;
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, octets, sizeof octets)) > 0)
		assert_int_equal(write(out, octets, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

/// Makes folder `to` a copy of folder `from`, which holds files only.
static void copy_folder(const char *from, const char *to)
{
	nftw(to, bed_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(to, 0700), 0);
	DIR *d = opendir(from);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		char a[512], b[512];
		snprintf(a, sizeof a, "%s/%s", from, e->d_name);
		snprintf(b, sizeof b, "%s/%s", to, e->d_name);
		if (e->d_name[0] != '.')
			copy_file(a, b);
	}
	closedir(d);
}

/// The store ends and comes back. log: what the disk holds of the log then, after a stop of the machine; NULL: all was
/// well.
static void town_restart(struct town *t, const char *log)
{
	char path[128];
	struct state st = { .boot = "another boot" };

	client_end(&t->user);
	client_end(&t->admin);
	serve_free(t->s);
	store_close(t->b->s);
	if (log) {
		snprintf(path, sizeof path, "%s/log", t->b->dir);
		copy_folder(log, path);
		int dir = open(t->b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(state_write(&t->b->cx, &disk_real, dir, &st), E_OK);
		close(dir);
	}
	bed_open_store(t->b);
	t->s = bed_serve(t->b);
	t->admin = client_new(t->s, BY_ADMIN, 0);
	t->user = client_new(t->s, BY_USER, 1);
}

static uint64_t set_flags(struct client *c, const struct handle *h, uint64_t mbox, uint8_t flags, uint64_t unchanged)
{
	struct req_mbox_flags q = {
		.handle = *h, .mbox = mbox, .all = 1, .mode = FLAGS_ADD, .flags = flags, .unchanged_since = unchanged
	};
	struct ans_mbox_flags a = { 0 };

	must(ASK(c, mbox_flags, &q, &a), "flags");
	return a.modseq;
}

static uint64_t modseq_of(struct client *c, const struct handle *h, uint64_t mbox)
{
	struct req_mbox_status q = { .handle = *h, .mbox = mbox };
	struct ans_mbox_status a = { 0 };

	must(ASK(c, mbox_status, &q, &a), "status");
	return a.modseq;
}

/// The machine stops and a flag change that was told is lost: its modseq is never told again for another change, and
/// who asks for what changed since then sees all flags.
static void test_machine_stop(void **state)
{
	struct town *t = town_new();
	struct client *c = &t->user;
	struct handle h = login_as(c, SL("alice@example.org"));
	uint64_t inbox = find(c, &h, SL("INBOX")), step = 1 << 20;
	char log[128], snap[128];

	(void)state;
	snprintf(log, sizeof log, "%s/log", t->b->dir);
	snprintf(snap, sizeof snap, "%s/snap", t->b->dir);
	append(c, &h, inbox, SL("first"));
	copy_folder(log, snap);
	uint64_t told = set_flags(c, &h, inbox, FLAG_SEEN, UINT64_MAX);
	assert_int_equal(told, modseq_of(c, &h, inbox));
	town_restart(t, snap);
	assert_int_equal(modseq_of(c, &h, inbox), told - 1 + step);
	assert_int_equal(set_flags(c, &h, inbox, FLAG_DRAFT, told), 0); // not what that client knew
	uint64_t now = modseq_of(c, &h, inbox);
	assert_int_equal(set_flags(c, &h, inbox, FLAG_FLAGGED, now), now + 1);

	struct req_mbox_sync sync = {
		.handle = h, .mbox = inbox, .since = told, .out_rows = { 0, 4096 }, .out_gone = { 4096, 4096 }
	};
	struct ans_mbox_sync synced = { 0 };
	must(ASK(c, mbox_sync, &sync, &synced), "sync");
	const struct pl_row *row = (const void *)c->arena;
	assert_true(synced.rows == 1 && synced.modseq == now + 1);
	assert_true(row->flags == FLAG_FLAGGED && row->modseq == now + 1);
	sync.since = now + 1;
	must(ASK(c, mbox_sync, &sync, &synced), "sync");
	assert_int_equal(synced.rows, 0);

	town_restart(t, NULL);
	assert_int_equal(modseq_of(c, &h, inbox), now + 1);
	must(renew(c, &h), "the key is the same after a restart");
	copy_folder(log, snap);
	town_restart(t, snap);
	assert_int_equal(modseq_of(c, &h, inbox), now + 1 + step);
	assert_int_equal(check_faults(&t->admin), 0);
	town_end(t);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_uploads_and_delivery),
		cmocka_unit_test(test_salts_tell_nothing),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_lost_account),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_login_ends),
		cmocka_unit_test(test_renew),
		cmocka_unit_test(test_pop3_lock),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_broken_frames),
		cmocka_unit_test(test_greedy),
		cmocka_unit_test(test_notes_leave_room),
		cmocka_unit_test(test_takes_over),
		cmocka_unit_test(test_end_in_flight),
#ifndef ENGINE_MEM
		cmocka_unit_test(test_machine_stop),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
