/// What one user can do with what is another's: nothing. Every verb of ipc/verbs.def, by its fields.
///
/// The table of verbs makes the cases, so a new verb is tested when it is added: a verb with a handle is asked with
/// every handle that is not the asker's, and each 64-bit field of it that is not known as a number is taken for a
/// mailbox id.
/// Alice owns; bob asks. After each case everything of alice's must be as before, octet by octet.
#include "base/clock.h"
#include "store/request.h"
#include "store/serve_town.h"

#define MARKER "pomegranate-4711" // stands in all that is alice's and nowhere else

enum { FIELDS_MAX = 16, VALUE_AT = 4096, VALUE_OCTETS = 4096, BODY_AT = 1 << 19, BODY_OCTETS = 64, FOREIGN_ID = 160 };

struct field {
	const char *kind, *name;
	size_t at, octets;
};

#define NOTE_FIELD(kind, name, limit) \
	f[n++] = (struct field){ #kind, #name, offsetof(type, name), sizeof((type *)0)->name };
#define VERB(verb, who)                                              \
	static size_t fields_##verb(struct field *f)                 \
	{                                                            \
		typedef struct req_##verb type;                      \
		size_t n = 0;                                        \
		(void)f, (void)sizeof(type);                         \
		REQ_##verb(NOTE_FIELD) assert_true(n <= FIELDS_MAX); \
		return n;                                            \
	}
#include "ipc/verbs.def"

static size_t (*const fields_of[VERBS])(struct field *f) = {
#define VERB(verb, who) [VERB_##verb] = fields_##verb,
#include "ipc/verbs.def"
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/// True for a field that names a mailbox: any 64-bit number that is not known to be something else.
static bool is_mailbox(const struct field *f)
{
	static const char *const numbers[] = { "changed_since", "since", "unchanged_since", "keywords", "upload",
		"octets", "octets_hint", "session", "leave" }; // leave ends but a watch, and only this account's

	for (size_t i = 0; i < ARRAY_N(numbers); i++)
		if (is(f->name, numbers[i]))
			return false;
	return is(f->kind, "U64");
}

/// A request that means something: names and operation ids that were not used before, UID 1, ranges with room.
static void fill(uint8_t *body, uint32_t verb, const struct handle *h, unsigned serial)
{
	struct field f[FIELDS_MAX];
	size_t n = fields_of[verb](f);
	struct range range = { VALUE_AT, VALUE_OCTETS };

	memset(body, 0, FRAME_MAX);
	for (size_t i = 0; i < n; i++, range.off += VALUE_OCTETS) {
		uint8_t *at = body + f[i].at;
		if (is(f[i].kind, "HANDLE")) {
			memcpy(at, h, sizeof *h);
		} else if (is(f[i].kind, "OP")) {
			put_le32(at, serial + 1);
		} else if (is(f[i].kind, "STR")) {
			int k = snprintf((char *)at + 2, f[i].octets - 2, "name%u", serial);
			memcpy(at, &(uint16_t){ (uint16_t)k }, 2);
		} else if (is(f[i].kind, "RANGE")) {
			struct range r = is(f[i].name, "set") ? (struct range){ 0, sizeof(struct pl_uids) } : range;
			memcpy(at, &r, sizeof r);
		} else if (is(f[i].kind, "RANGES")) {
			memcpy(at, &(uint32_t){ 1 }, 4);
			memcpy(at + 4, &(struct range){ BODY_AT, BODY_OCTETS }, sizeof(struct range));
		} else if (is(f[i].kind, "U32S")) {
			memcpy(at, &(uint32_t){ 1 }, 4);
		} else if (is(f[i].kind, "U8") || is(f[i].kind, "BOOL")) {
			*at = !is(f[i].name, "all"); // the set says which
		} else if (is(f[i].name, "unchanged_since")) {
			memset(at, 0xff, 8);
		}
	}
}

static void set_u64(uint8_t *body, const struct field *f, uint64_t v)
{
	assert_int_equal(f->octets, 8);
	memcpy(body + f->at, &v, 8);
}

static enum ec ask(struct client *c, uint32_t verb, const uint8_t *body)
{
	memcpy(c->arena, &(struct pl_uids){ 1, 1 }, sizeof(struct pl_uids));
	assert_true(client_send(c, verb, body, verb_info(verb)->req_octets, -1));
	return client_answer(c, NULL, 0);
}

// ---- what is alice's

static struct handle as_admin(struct town *t, struct sl user)
{
	struct req_admin_login q = { 0 };
	struct ans_admin_login a = { 0 };

	must(field_set(q.user, user), "user");
	must(ASK(&t->admin, admin_login, &q, &a), "admin_login");
	return a.handle;
}

static void add_octets(struct buf *b, const void *p, size_t n)
{
	buf_add(b, (struct sl){ p, n });
}

/// One mailbox: status, presence, rows, keywords, the body of UID 1.
static void snapshot_mailbox(struct town *t, const struct handle *h, uint64_t mbox, struct buf *b)
{
	struct client *c = &t->admin;
	struct req_mbox_status status = { .handle = *h, .mbox = mbox };
	struct ans_mbox_status stated = { 0 };
	struct req_mbox_presence presence = { .handle = *h, .mbox = mbox, .out = { 0, 4096 } };
	struct ans_mbox_presence presented = { 0 };
	struct req_mbox_rows rows = { .handle = *h, .mbox = mbox, .expunged_too = 1, .out = { 1, { { 0, 8192 } } } };
	struct ans_mbox_rows rowed = { 0 };
	struct req_mbox_keywords kw = { .handle = *h, .mbox = mbox, .out = { 0, 4096 } };
	struct ans_mbox_keywords kwed = { 0 };
	struct req_mbox_read rd = { .handle = *h, .mbox = mbox, .uid = { 1 }, .out = { 1, { { 0, 4096 } } } };
	struct ans_mbox_read got = { 0 };

	must(ASK(c, mbox_status, &status, &stated), "status");
	add_octets(b, &stated, sizeof stated);
	must(ASK(c, mbox_presence, &presence, &presented), "presence");
	add_octets(b, &presented, sizeof presented);
	add_octets(b, c->arena, presented.blocks * sizeof(struct pl_presence));
	must(ASK(c, mbox_rows, &rows, &rowed), "rows");
	add_octets(b, &rowed, sizeof rowed);
	add_octets(b, c->arena, rowed.count * sizeof(struct pl_row));
	memset(c->arena, 0, 4096);
	must(ASK(c, mbox_keywords, &kw, &kwed), "keywords");
	add_octets(b, c->arena, 4096);
	must(ASK(c, mbox_read, &rd, &got), "read");
	add_octets(b, &got, sizeof got);
	add_octets(b, c->arena, got.got[0] == READ_GONE ? 0 : got.got[0]);
}

/// Everything that a user has, as octets.
static void snapshot(struct town *t, struct sl user, struct buf *b)
{
	struct handle h = as_admin(t, user);
	struct client *c = &t->admin;
	struct req_account acc = { .handle = h };
	struct ans_account account = { 0 };
	struct req_mbox_list list = { .handle = h, .out = { 0, 65536 } };
	struct ans_mbox_list listed = { 0 };
	struct buf names = BUF(1 << 20);

	buf_clear(b);
	must(ASK(c, account, &acc, &account), "account");
	add_octets(b, &account, sizeof account);
	memset(c->arena, 0, 65536);
	must(ASK(c, mbox_list, &list, &listed), "list");
	assert_false(listed.more);
	for (size_t at = 0; listed.count; listed.count--) {
		const struct pl_mbox *e = (const void *)(c->arena + at);
		at += e->size;
		add_octets(&names, &e->mbox, 8);
		add_octets(b, e, e->size);
	}
	for (size_t i = 0; i < names.n; i += 8) {
		uint64_t mbox;
		memcpy(&mbox, names.p + i, 8);
		if (mbox)
			snapshot_mailbox(t, &h, mbox, b);
	}
	assert_int_equal(names.err | b->err, E_OK);
	buf_free(&names);
}

/// Alice has "Secret" with a message, a keyword and flags; bob has a handle for his own mail.
struct scene {
	struct town *t;
	struct handle alice, bob, bob_by_admin;
	uint64_t secret;
	struct buf before, after;
	unsigned serial;
};

static uint64_t create(struct client *c, const struct handle *h, struct sl name)
{
	struct req_mbox_create q = { .handle = *h };
	struct ans_mbox_create a = { 0 };

	must(field_set(q.name, name), "name");
	must(ASK(c, mbox_create, &q, &a), "create");
	return a.mbox;
}

static void remove_mailbox(struct client *c, const struct handle *h, uint64_t mbox)
{
	struct req_mbox_delete q = { .handle = *h, .mbox = mbox };
	struct ans_mbox_delete a = { 0 };

	must(ASK(c, mbox_delete, &q, &a), "delete");
}

/// in: beyond — "Secret" gets an id beyond this one.
static struct scene scene_new(uint64_t beyond)
{
	struct scene sc = { .t = town_new(), .before = BUF(4 << 20), .after = BUF(4 << 20) };
	struct client *c = &sc.t->user;
	struct req_mbox_keyword kw = { 0 };
	struct ans_mbox_keyword kwed = { 0 };

	sc.alice = login_as(c, SL("alice@example.org"));
	sc.bob = login_as(c, SL("bob@example.org"));
	sc.bob_by_admin = as_admin(sc.t, SL("bob@example.org"));
	// Ids count from 1 in each account: those of both are the same numbers.
	while (create(c, &sc.alice, SL("Passing")) <= beyond)
		remove_mailbox(c, &sc.alice, find(c, &sc.alice, SL("Passing")));
	sc.secret = create(c, &sc.alice, SL("Secret/" MARKER));
	append(c, &sc.alice, sc.secret, SL("Subject: " MARKER "\r\n\r\n" MARKER "\r\n"));
	kw = (struct req_mbox_keyword){ .handle = sc.alice, .mbox = sc.secret };
	must(field_set(kw.name, SL(MARKER)), "keyword");
	must(ASK(c, mbox_keyword, &kw, &kwed), "keyword");
	memset(c->arena, 0, BED_ARENA);
	snapshot(sc.t, SL("alice@example.org"), &sc.before);
	assert_non_null(memmem(sc.before.p, sc.before.n, SL(MARKER).p, SL(MARKER).n));
	return sc;
}

static void check_unchanged(struct scene *sc, const char *what)
{
	snapshot(sc->t, SL("alice@example.org"), &sc->after);
	CHECK(sl_eq(buf_sl(&sc->before), buf_sl(&sc->after)), what);
	CHECK(!memmem(sc->t->user.arena, BED_ARENA, SL(MARKER).p, SL(MARKER).n), what);
}

static void scene_end(struct scene *sc)
{
	assert_int_equal(memcmp(sc->before.p, sc->after.p, sc->before.n), 0);
	buf_free(&sc->before);
	buf_free(&sc->after);
	town_end(sc->t);
}

// ---- mailbox ids

/// One request of bob's with a mailbox id in each field that takes one.
static enum ec ask_mailboxes(struct scene *sc, uint32_t verb, const uint64_t *ids)
{
	uint8_t body[FRAME_MAX];
	struct field f[FIELDS_MAX];
	size_t n = fields_of[verb](f);
	bool user = verb_info(verb)->who & BY_USER;

	fill(body, verb, user ? &sc->bob : &sc->bob_by_admin, ++sc->serial);
	for (size_t i = 0, k = 0; i < n; i++)
		if (is_mailbox(&f[i]))
			set_u64(body, &f[i], ids[k++]);
	return ask(user ? &sc->t->user : &sc->t->admin, verb, body);
}

/// A mailbox of bob's with which the verb works.
static uint64_t make_own(struct scene *sc, uint32_t verb)
{
	struct client *c = &sc->t->user;
	struct ans_mbox_delete gone;
	char box[32];

	snprintf(box, sizeof box, "own%u", ++sc->serial);
	struct req_mbox_delete q = { .handle = sc->bob, .mbox = create(c, &sc->bob, sl_cstr(box)) };
	assert_true(q.mbox < sc->secret);
	append(c, &sc->bob, q.mbox, SL("bob's"));
	if (verb == VERB_mbox_restore)
		must(ASK(c, mbox_delete, &q, &gone), "delete");
	return q.mbox;
}

/// The verb works with bob's own mailboxes, and finds nothing as soon as one of them is `foreign`.
static void try_mailbox(struct scene *sc, uint32_t verb, size_t n_ids, uint64_t foreign)
{
	const char *name = verb_info(verb)->name;
	uint64_t own[FIELDS_MAX], ids[FIELDS_MAX];

	for (size_t i = 0; i < n_ids; i++)
		own[i] = make_own(sc, verb);
	for (unsigned which = 1; which < 1u << n_ids; which++) {
		for (size_t i = 0; i < n_ids; i++)
			ids[i] = which >> i & 1 ? foreign : own[i];
		CHECK(ask_mailboxes(sc, verb, ids) == E_NOTFOUND, name);
	}
	CHECK(ask_mailboxes(sc, verb, own) == E_OK, name);
}

static size_t mailbox_fields(uint32_t verb)
{
	struct field f[FIELDS_MAX];
	size_t n = fields_of[verb](f), ids = 0;

	for (size_t i = 0; i < n; i++)
		ids += is_mailbox(&f[i]);
	return ids;
}

static bool has_handle(uint32_t verb)
{
	static const uint8_t zeros[FRAME_MAX];
	const struct verb_info *info = verb_info(verb);

	return info && info->handle(zeros);
}

static void test_foreign_mailboxes(void **state)
{
	struct scene sc = scene_new(FOREIGN_ID);
	unsigned tried = 0;

	(void)state;
	for (uint32_t verb = 0; verb < VERBS; verb++) {
		size_t ids = has_handle(verb) ? mailbox_fields(verb) : 0;
		if (ids == 0)
			continue;
		tried++;
		CHECK(ids == 1 || verb == VERB_mbox_copy, verb_info(verb)->name);
		try_mailbox(&sc, verb, ids, sc.secret);
		try_mailbox(&sc, verb, ids, UINT64_MAX);
		if (verb != VERB_watch) // 0 is bob's own tree there
			try_mailbox(&sc, verb, ids, 0);
		check_unchanged(&sc, verb_info(verb)->name);
	}
	assert_true(tried >= 15);
	scene_end(&sc);
}

/// Names that would reach another account where names were paths.
static void test_foreign_names(void **state)
{
	struct scene sc = scene_new(0);
	static const char *const names[] = { "Secret/" MARKER, "alice@example.org/Secret/" MARKER,
		"user/alice/Secret/" MARKER, "#user.alice/Secret/" MARKER, "~alice/Secret/" MARKER,
		"../alice@example.org/Secret/" MARKER, "/Secret/" MARKER, "INBOX/../Secret/" MARKER,
		"Secret/" MARKER "/", "1", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_N(names); i++) {
		struct req_mbox_find q = { .handle = sc.bob };
		struct ans_mbox_find a = { 0 };
		must(field_set(q.name, sl_cstr(names[i])), "name");
		enum ec e = ASK(&sc.t->user, mbox_find, &q, &a);
		CHECK(e == E_NOTFOUND || e == E_SYNTAX, names[i]);
	}
	check_unchanged(&sc, "names");
	scene_end(&sc);
}

/// An upload belongs to the peer that began it.
static void test_foreign_uploads(void **state)
{
	struct scene sc = scene_new(0);
	struct client other = client_new(sc.t->s, BY_USER, 2);
	struct handle bob = login_as(&other, SL("bob@example.org"));
	struct req_upload_begin ub = { 0 };
	struct ans_upload_begin begun = { 0 };
	struct ans_upload_add added = { 0 };
	uint64_t inbox = find(&other, &bob, SL("INBOX"));
	uint8_t body[FRAME_MAX];
	struct field f[FIELDS_MAX];

	(void)state;
	must(ASK(&sc.t->user, upload_begin, &ub, &begun), "begin");
	struct req_upload_add add = { .upload = begun.upload, .body = { 1, { { BODY_AT, BODY_OCTETS } } } };
	must(ASK(&sc.t->user, upload_add, &add, &added), "add");
	for (uint32_t verb = 0; verb < VERBS; verb++) {
		size_t n = verb_info(verb) && verb_info(verb)->who & BY_USER ? fields_of[verb](f) : 0;
		bool takes = false;
		fill(body, verb_info(verb) ? verb : VERB_hello, &bob, ++sc.serial);
		for (size_t i = 0; i < n; i++) {
			takes |= is(f[i].name, "upload");
			if (is(f[i].name, "upload"))
				set_u64(body, &f[i], begun.upload);
			else if (is_mailbox(&f[i]))
				set_u64(body, &f[i], inbox);
			else if (is(f[i].name, "targets"))
				memcpy(body + f[i].at, &(struct range){ 8, 8 }, sizeof(struct range));
		}
		memcpy(other.arena + 8, &bob.account, 8);
		if (takes)
			CHECK(ask(&other, verb, body) != E_OK, verb_info(verb)->name);
	}
	must(ASK(&sc.t->user, upload_add, &add, &added), "add");
	assert_int_equal(added.octets, 2 * BODY_OCTETS); // nobody touched it
	client_end(&other);
	check_unchanged(&sc, "uploads");
	scene_end(&sc);
}

// ---- handles

/// Every verb with a handle, asked by every kind of peer that may ask it, with a handle that `make` says.
typedef struct handle make_handle(const struct scene *sc, struct holder by, unsigned variant);

static unsigned try_handles(struct scene *sc, make_handle *make, unsigned variants, const char *what)
{
	static const enum peer_kind kinds[] = { BY_MX, BY_USER, BY_OUTBOUND, BY_ADMIN };
	unsigned tried = 0;
	uint8_t body[FRAME_MAX];

	for (size_t k = 0; k < ARRAY_N(kinds); k++) {
		struct holder by = { kinds[k], 7 };
		struct client c = client_new(sc->t->s, by.kind, by.front);
		for (uint32_t verb = 0; verb < VERBS; verb++) {
			if (!has_handle(verb) || !(verb_info(verb)->who & (uint32_t)by.kind))
				continue;
			for (unsigned i = 0; i < variants; i++, tried++) {
				struct handle h = make(sc, by, i);
				struct field f[FIELDS_MAX];
				size_t n = fields_of[verb](f);
				fill(body, verb, &h, ++sc->serial);
				for (size_t j = 0; j < n; j++)
					if (is_mailbox(&f[j]))
						set_u64(body, &f[j], sc->secret);
				enum ec e = ask(&c, verb, body);
				if (e != E_AUTH)
					print_error("%s, variant %u: ", what, i);
				CHECK(e == E_AUTH, verb_info(verb)->name);
			}
		}
		CHECK(!memmem(c.arena, BED_ARENA, SL(MARKER).p, SL(MARKER).n), what);
		client_end(&c);
	}
	check_unchanged(sc, what);
	return tried;
}

static struct handle made(const struct scene *sc, struct holder by, uint32_t version, int64_t age_s)
{
	struct account a = { .credential_version = version };
	struct handle h;

	handle_make(&sc->t->s->key, by, sc->alice.account, &a, 0, clock_steady_s() - age_s, &h);
	return h;
}

/// One that is right for `by`: what the others differ from.
static struct handle valid(const struct scene *sc, struct holder by, unsigned variant)
{
	(void)variant;
	return made(sc, by, sc->alice.credential_version, 0);
}

static struct handle anothers(const struct scene *sc, struct holder by, unsigned variant)
{
	struct holder other[] = { { by.kind, by.front + 1 }, { by.kind, 0 }, { BY_USER, 7 }, { BY_ADMIN, 7 },
		{ BY_MX, 7 }, { BY_OUTBOUND, 7 }, { 0, 0 } };

	if (other[variant].kind == by.kind && other[variant].front == by.front)
		other[variant].front = 8;
	return made(sc, other[variant], sc->alice.credential_version, 0);
}

static struct handle expired(const struct scene *sc, struct holder by, unsigned variant)
{
	static const int64_t ages[] = { HANDLE_KEPT_S + 2, 10 * HANDLE_KEPT_S };

	return made(sc, by, sc->alice.credential_version, ages[variant]);
}

static struct handle another_version(const struct scene *sc, struct holder by, unsigned variant)
{
	const uint32_t versions[] = { sc->alice.credential_version - 1, sc->alice.credential_version + 1, UINT32_MAX };

	return made(sc, by, versions[variant], 0);
}

static struct handle flipped(const struct scene *sc, struct holder by, unsigned bit)
{
	struct handle h = valid(sc, by, 0);

	((uint8_t *)&h)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	return h;
}

/// Bob's handle with alice's account in it, and one of a key that is not the store's.
static struct handle forged(const struct scene *sc, struct holder by, unsigned variant)
{
	struct account a = { .credential_version = sc->alice.credential_version };
	struct handle h;

	if (variant == 0)
		return (struct handle){ 0 };
	if (variant == 1) {
		handle_make(&sc->t->s->key, by, sc->bob.account, &a, 0, clock_steady_s(), &h);
		h.account = sc->alice.account;
	} else {
		handle_make(&(struct handle_key){ { 1 } }, by, sc->alice.account, &a, 0, clock_steady_s(), &h);
	}
	return h;
}

static void test_handles(void **state)
{
	struct scene sc = scene_new(0);
	struct client c = client_new(sc.t->s, BY_USER, 7);
	struct req_account q = { .handle = valid(&sc, (struct holder){ BY_USER, 7 }, 0) };
	struct ans_account a = { 0 };

	(void)state;
	must(ASK(&c, account, &q, &a), "the handle that the others differ from is right");
	client_end(&c);
	assert_true(try_handles(&sc, anothers, 7, "another front's") >= 7 * 20);
	try_handles(&sc, expired, 2, "expired");
	try_handles(&sc, another_version, 3, "another credential version");
	try_handles(&sc, flipped, sizeof(struct handle) * 8, "one bit flipped");
	try_handles(&sc, forged, 3, "forged");
	scene_end(&sc);
}

/// A change of password and the account's removal end what was right.
static void test_handles_end(void **state)
{
	struct scene sc = scene_new(0);
	struct req_user_passwd pass = { 0 };
	struct ans_user_passwd passed = { 0 };

	(void)state;
	must(field_set(pass.address, SL("alice@example.org")), "address");
	must(field_set(pass.password, SL("new")), "password");
	must(ASK(&sc.t->admin, user_passwd, &pass, &passed), "passwd");
	try_handles(&sc, valid, 1, "after a change of password");
	scene_end(&sc);
}

static struct handle for_service(const struct scene *sc, struct holder by, unsigned service)
{
	struct account a = { .credential_version = sc->alice.credential_version };
	struct handle h;

	handle_make(&sc->t->s->key, by, sc->alice.account, &a, 1u << service, clock_steady_s(), &h);
	return h;
}

/// A protocol that is switched off ends what was logged in by it, at every verb; the others go on.
static void test_switched_off(void **state)
{
	struct scene sc = scene_new(0);
	struct client c = client_new(sc.t->s, BY_USER, 7);
	struct req_user_set set = { .which = SET_IMAP | SET_POP3 | SET_SEND };
	struct ans_user_set done = { 0 };
	struct ans_account a = { 0 };

	(void)state;
	must(field_set(set.address, SL("alice@example.org")), "address");
	for (unsigned off = 0; off < SERVICES; off++) {
		struct req_account q = { .handle = for_service(
						 &sc, (struct holder){ BY_USER, 7 }, (off + 1) % SERVICES) };
		set.imap = off != SERVICE_IMAP;
		set.pop3 = off != SERVICE_POP3;
		set.send = off != SERVICE_SUBMISSION;
		must(ASK(&sc.t->admin, user_set, &set, &done), "user_set");
		must(ASK(&c, account, &q, &a), "another protocol");
		q.handle = for_service(&sc, (struct holder){ BY_USER, 7 }, off);
		CHECK(ASK(&c, account, &q, &a) == E_AUTH, "the protocol that is off");
	}
	client_end(&c);
	set.imap = set.pop3 = set.send = 0;
	must(ASK(&sc.t->admin, user_set, &set, &done), "user_set");
	snapshot(sc.t, SL("alice@example.org"), &sc.before); // the switches are in it
	try_handles(&sc, for_service, SERVICES, "switched off");
	scene_end(&sc);
}

// ---- kinds of peers

/// Every verb by every kind that may not ask it, with a request that would be right; and all of them before hello.
static void test_kinds(void **state)
{
	static const enum peer_kind kinds[] = { BY_MX, BY_USER, BY_OUTBOUND, BY_ADMIN };
	struct scene sc = scene_new(0);
	uint8_t body[FRAME_MAX];

	(void)state;
	for (size_t k = 0; k < ARRAY_N(kinds); k++) {
		struct client c = client_new(sc.t->s, kinds[k], 7);
		struct client early = client_raw(sc.t->s, kinds[k], 7);
		struct handle h = valid(&sc, (struct holder){ kinds[k], 7 }, 0);
		for (uint32_t verb = 0; verb < VERBS; verb++) {
			const struct verb_info *info = verb_info(verb);
			if (!info || verb == VERB_hello)
				continue;
			fill(body, verb, &h, ++sc.serial);
			if (!(info->who & (uint32_t)kinds[k]))
				CHECK(ask(&c, verb, body) == E_DENIED, info->name);
			assert_true(client_send(&early, verb, body, info->req_octets, -1));
			CHECK(client_answer(&early, NULL, 0) == E_STATE, info->name);
		}
		client_end(&early);
		client_end(&c);
	}
	check_unchanged(&sc, "kinds");
	scene_end(&sc);
}

/// What may be asked without a login, and by whom: a new verb that is asked by strangers' fronts, or by users' fronts
/// without a handle, belongs into this table after some thought.
static void test_open_verbs(void **state)
{
	static const struct {
		uint32_t verb, kinds;
	} open[] = {
		{ VERB_hello, BY_ANY },
		{ VERB_upload_begin, BY_ANY },
		{ VERB_upload_add, BY_ANY },
		{ VERB_upload_drop, BY_ANY },
		{ VERB_resolve, BY_MX | BY_USER },
		{ VERB_deliver, BY_MX | BY_USER },
		{ VERB_login, BY_USER },
		{ VERB_scram_begin, BY_USER },
		{ VERB_scram_end, BY_USER },
		{ VERB_seat_give, BY_USER },
	};

	(void)state;
	for (uint32_t verb = 0; verb < VERBS; verb++) {
		const struct verb_info *info = verb_info(verb);
		uint32_t may = BY_ADMIN;
		for (size_t i = 0; i < ARRAY_N(open); i++)
			if (open[i].verb == verb)
				may |= open[i].kinds;
		if (info)
			CHECK(!(info->who & ~(has_handle(verb) ? may | BY_USER : may)), info->name);
	}
}

/// Alice's changes are told to nobody else: a watch that was refused brings no notes.
static void test_notes(void **state)
{
	struct scene sc = scene_new(0);
	struct client alices = client_new(sc.t->s, BY_USER, 2);
	struct handle alice = login_as(&alices, SL("alice@example.org"));
	struct client *c = &sc.t->user;
	struct req_watch w = { .handle = sc.bob, .mbox = sc.secret, .on = 1 };
	struct ans_watch watched = { 0 };
	struct req_account q = { .handle = sc.bob };
	struct ans_account a = { 0 };

	(void)state;
	assert_int_equal(ASK(c, watch, &w, &watched), E_NOTFOUND);
	w.mbox = 0;
	must(ASK(c, watch, &w, &watched), "bob's tree");
	must(ASK(c, account, &q, &a), "account");
	unsigned notes = c->notes;
	append(&alices, &alice, sc.secret, SL("more"));
	create(&alices, &alice, SL("More"));
	must(ASK(c, account, &q, &a), "account");
	assert_int_equal(c->notes, notes);
	client_end(&alices);
	snapshot(sc.t, SL("alice@example.org"), &sc.before);
	snapshot(sc.t, SL("alice@example.org"), &sc.after);
	scene_end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_mailboxes),
		cmocka_unit_test(test_foreign_names),
		cmocka_unit_test(test_foreign_uploads),
		cmocka_unit_test(test_handles),
		cmocka_unit_test(test_handles_end),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_open_verbs),
		cmocka_unit_test(test_notes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
