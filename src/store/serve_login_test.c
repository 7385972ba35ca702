/// Tests of logins over frames: the brake under both ways to log in, that nothing tells whether a user exists, and the
/// count of sessions.
#include <sched.h>

#include "store/brake.h"
#include "store/scram_bed.h"
#include "store/serve_town.h"

enum { GUESSES = BRAKE_SLIPS };

/// 192.0.2.n
static void from(uint8_t n, uint8_t ip[16])
{
	static const uint8_t net[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 0 };

	memcpy(ip, net, sizeof net);
	ip[15] = n;
}

/// What the logins below ask a seat for.
static struct {
	uint64_t session;
	uint32_t most;
} place = { 1, UINT32_MAX };

static enum ec by_password(struct client *c, struct sl user, uint8_t n, struct sl password)
{
	struct req_login q = { .service = SERVICE_IMAP, .session = place.session, .most = place.most };
	struct ans_login a = { 0 };

	must(field_set(q.user, user), "user");
	must(field_set(q.password, password), "password");
	from(n, q.peer_ip);
	return ASK(c, login, &q, &a);
}

static enum ec by_scram(struct client *c, struct sl user, uint8_t n, struct sl password)
{
	struct req_scram_begin b = { 0 };
	struct ans_scram_begin begun = { 0 };
	struct req_scram_end q = { .service = SERVICE_IMAP, .session = place.session, .most = place.most };
	struct ans_scram_end a = { 0 };
	struct scram_challenge ch;
	uint8_t server[32];

	must(field_set(b.user, user), "user");
	must(field_set(q.user, user), "user");
	from(n, b.peer_ip);
	from(n, q.peer_ip);
	enum ec e = ASK(c, scram_begin, &b, &begun);
	memcpy(q.nonce, begun.nonce, sizeof q.nonce);
	memcpy(ch.salt, begun.salt, sizeof ch.salt);
	ch.iterations = begun.iterations ? begun.iterations : 1;
	struct sl message = { q.nonce, sizeof q.nonce };
	must(field_set(q.auth_message, message), "message");
	client_proof(password, &ch, message, q.proof, server);
	enum ec proved = ASK(c, scram_end, &q, &a);
	CHECK(e == E_OK || e == proved, "both steps of SCRAM say the same"); // also to one who left the first out
	if (proved == E_OK)
		assert_memory_equal(a.server_signature, server, sizeof server);
	return proved;
}

typedef enum ec way(struct client *c, struct sl user, uint8_t n, struct sl password);
static way *const ways[] = { by_password, by_scram };

static uint64_t figure(struct town *t, const char *name)
{
	struct req_store_stats q = { .out = { 0, BED_ARENA } };
	struct ans_store_stats a = { 0 };
	char text[4096], line[64];

	must(ASK(&t->admin, store_stats, &q, &a), "stats");
	assert_true(a.octets < sizeof text);
	memcpy(text, t->admin.arena, a.octets);
	text[a.octets] = 0;
	snprintf(line, sizeof line, "%s=", name);
	const char *at = strstr(text, line);
	assert_non_null(at);
	return strtoull(at + strlen(line), NULL, 10);
}

/// Guesses from one address, by one way or the other: all further ones from there are refused by both, the right
/// password too; the same user elsewhere and another user there are not touched.
static void test_pairs(void **)
{
	for (size_t guess = 0; guess < ARRAY_N(ways); guess++) {
		struct town *t = town_new();
		struct sl alice = SL("alice@example.org"), bob = SL("bob@example.org");
		for (int i = 0; i < GUESSES; i++)
			assert_int_equal(ways[guess](&t->user, alice, 1, SL("wrong")), E_AUTH);
		for (size_t w = 0; w < ARRAY_N(ways); w++) {
			assert_int_equal(ways[w](&t->user, alice, 1, SL("wrong")), E_LIMIT);
			assert_int_equal(ways[w](&t->user, alice, 1, SL("pw")), E_LIMIT);
			assert_int_equal(ways[w](&t->user, SL("Alice@EXAMPLE.org"), 1, SL("pw")), E_LIMIT);
			assert_int_equal(ways[w](&t->user, alice, 2, SL("pw")), E_OK);
			assert_int_equal(ways[w](&t->user, bob, 1, SL("pw")), E_OK);
		}
		assert_int_equal(figure(t, "logins_braked"), 9); // SCRAM twice each
		town_end(t);
	}
}

/// Who logged in from there before is let in while somebody guesses there, at his name and at others.
static void test_exempt(void **)
{
	struct sl alice = SL("alice@example.org");
	char text[64];

	for (size_t first = 0; first < ARRAY_N(ways); first++) {
		struct town *t = town_new();
		assert_int_equal(ways[first](&t->user, alice, 1, SL("pw")), E_OK);
		for (int i = 0; i < BRAKE_PROVEN / 2; i++)
			assert_int_equal(by_scram(&t->user, alice, 1, SL("wrong")), E_AUTH);
		for (int i = 0; i < BRAKE_WIDE; i++) {
			int n = snprintf(text, sizeof text, "madeup%d@example.org", i);
			struct sl name = { (const uint8_t *)text, (size_t)n };
			assert_int_equal(by_scram(&t->user, name, 1, SL("wrong")), E_AUTH);
		}
		assert_int_equal(by_password(&t->user, SL("bob@example.org"), 1, SL("pw")), E_LIMIT); // sprayed
		assert_int_equal(by_password(&t->user, SL("bob@example.org"), 2, SL("pw")), E_OK);
		for (size_t w = 0; w < ARRAY_N(ways); w++)
			assert_int_equal(ways[w](&t->user, alice, 1, SL("pw")), E_OK);
		town_end(t);
	}
}

/// Whatever is tried, one argon2id is run for it while it is not braked and none when it is; the answers are the same.
static void test_same_work(void **)
{
	static const struct {
		const char *name;
		struct sl user;
	} cases[] = {
		{ "a user", SL_INIT("alice@example.org") },
		{ "none", SL_INIT("ghost@example.org") },
		{ "none, in a domain that is not here", SL_INIT("alice@elsewhere.org") },
		{ "no address", SL_INIT("alice") },
		{ "a user without password", SL_INIT("locked@example.org") },
		{ "one whose service is off", SL_INIT("off@example.org") },
	};
	struct town *t = town_new();
	struct req_user_add add = { 0 };
	struct ans_user_add added;
	struct req_user_set set = { .which = SET_IMAP };
	struct ans_user_set done;

	must(field_set(add.address, SL("locked@example.org")), "address");
	must(ASK(&t->admin, user_add, &add, &added), "user_add");
	add_user(&t->admin, SL("off@example.org"), 0);
	must(field_set(set.address, SL("off@example.org")), "address");
	must(ASK(&t->admin, user_set, &set, &done), "user_set");
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (int k = 0; k < GUESSES + 3; k++) {
			uint64_t before = figure(t, "passwords_hashed");
			enum ec e = by_password(&t->user, cases[i].user, 1, SL("wrong"));
			CHECK(e == (k < GUESSES ? E_AUTH : E_LIMIT), cases[i].name);
			CHECK(figure(t, "passwords_hashed") - before == (k < GUESSES), cases[i].name);
		}
		CHECK(by_scram(&t->user, cases[i].user, 1, SL("wrong")) == E_LIMIT, cases[i].name);
		CHECK(by_scram(&t->user, cases[i].user, 2, SL("wrong")) == E_AUTH, cases[i].name);
	}
	town_end(t);
}

/// A thousand at once are no more than the few that are free, and none is left hanging.
static void test_at_once(void **)
{
	enum { N = 200 };
	struct town *t = town_new();
	struct req_login q = { .service = SERVICE_IMAP };
	unsigned wrong = 0, busy = 0, braked = 0;

	from(1, q.peer_ip);
	must(field_set(q.user, SL("alice@example.org")), "user");
	must(field_set(q.password, SL("wrong")), "password");
	for (int i = 0; i < N; i++)
		assert_true(client_send(&t->user, VERB_login, &q, sizeof q, -1));
	for (int i = 0; i < N; i++) {
		struct frame_head head;
		assert_int_equal(recv(t->user.fd, &head, sizeof head, 0), sizeof head);
		wrong += head.status == E_AUTH;
		busy += head.status == E_TEMP;
		braked += head.status == E_LIMIT;
	}
	assert_int_equal(wrong, GUESSES);
	assert_int_equal(wrong + busy + braked, N);
	assert_int_equal(figure(t, "passwords_failed"), GUESSES);
	town_end(t);
}

// ---- seats

static enum ec sit(struct client *c, const struct handle *h, uint64_t session, uint8_t n, uint32_t most)
{
	struct req_seat_take q = { .handle = *h, .session = session, .most = most };
	struct ans_seat_take a;

	from(n, q.peer_ip);
	return ASK(c, seat_take, &q, &a);
}

static void leave(struct client *c, const struct handle *h, uint64_t session, uint8_t n)
{
	struct req_seat_give q = { .account = h->account, .session = session };
	struct ans_seat_give a;

	from(n, q.peer_ip);
	must(ASK(c, seat_give, &q, &a), "seat_give");
}

/// A user's sessions from one address are counted over all fronts, each once; others' and those elsewhere do not count.
static void test_seats(void **)
{
	struct town *t = town_new();
	struct client other = client_new(t->s, BY_USER, 2);
	struct handle h = login_as(&t->user, SL("alice@example.org")), o = login_as(&other, SL("alice@example.org"));
	struct handle bob = login_as(&t->user, SL("bob@example.org"));

	must(sit(&t->user, &h, 1, 1, 3), "first");
	must(sit(&t->user, &h, 1, 1, 3), "the same again");
	must(sit(&t->user, &h, 2, 1, 3), "second");
	must(sit(&other, &o, 1, 1, 3), "of another front, with a number that the first has, too");
	assert_int_equal(figure(t, "sessions"), 3);
	assert_int_equal(sit(&t->user, &h, 3, 1, 3), E_LIMIT);
	assert_int_equal(sit(&other, &o, 3, 1, 3), E_LIMIT);
	must(sit(&t->user, &h, 2, 1, 3), "one that is there is not refused");
	must(sit(&t->user, &h, 3, 2, 3), "from another address");
	must(sit(&t->user, &bob, 4, 1, 3), "another user");
	leave(&other, &o, 2, 1); // not its own
	assert_int_equal(sit(&other, &o, 3, 1, 3), E_LIMIT);
	leave(&t->user, &h, 2, 1);
	must(sit(&other, &o, 3, 1, 3), "one left");
	assert_int_equal(sit(&t->user, &h, 2, 1, 3), E_LIMIT);
	must(sit(&t->user, &h, 2, 1, UINT32_MAX), "one that was there before the store");
	h.account = bob.account;
	assert_int_equal(sit(&t->user, &h, 9, 1, 3), E_AUTH); // nobody counts for another
	client_end(&other);
	town_end(t);
}

/// A login takes a seat, by whatever way; where none is left, a right password is no guess, and a wrong one no seat.
static void test_seats_by_login(void **)
{
	struct sl alice = SL("alice@example.org"), right = SL("pw");
	struct town *t = town_new();

	for (size_t i = 0; i < ARRAY_N(ways); i++) {
		struct handle h = login_as(&t->user, alice);
		place.most = 2;
		for (place.session = 1; place.session <= 2; place.session++)
			must(ways[i](&t->user, alice, 1, right), "free seats");
		place.session = 2;
		must(ways[i](&t->user, alice, 1, right), "its own seat");
		place.session = 3;
		for (unsigned guess = 0; guess <= GUESSES; guess++)
			assert_int_equal(ways[i](&t->user, alice, 1, right), E_QUOTA);
		assert_int_equal(ways[i](&t->user, alice, 1, SL("wrong")), E_AUTH);
		must(ways[i](&t->user, alice, 2, right), "from another address");
		assert_int_equal(figure(t, "sessions"), 3);
		for (uint64_t session = 1; session <= 3; session++)
			leave(&t->user, &h, session, session < 3 ? 1 : 2);
		assert_int_equal(figure(t, "sessions"), 0);
	}
	place.session = 1;
	place.most = UINT32_MAX;
	town_end(t);
}

/// Seats end with their connection; what a front takes again on a new one is its own still, and counts once.
static void test_seats_end(void **)
{
	struct town *t = town_new();
	struct client first = client_new(t->s, BY_USER, 2), second = client_raw(t->s, BY_USER, 2);
	struct handle h = login_as(&first, SL("alice@example.org"));

	must(sit(&first, &h, 1, 1, 2), "first");
	must(sit(&first, &h, 2, 1, 2), "second");
	client_end(&second);
	second = client_new(t->s, BY_USER, 2); // the first is ended by it
	must(sit(&second, &h, 1, 1, 2), "again");
	while (serve_peers(t->s) > 3)
		sched_yield();
	assert_int_equal(figure(t, "sessions"), 1);
	must(sit(&second, &h, 2, 1, 2), "again");
	assert_int_equal(sit(&second, &h, 3, 1, 2), E_LIMIT);
	leave(&second, &h, 1, 1);
	must(sit(&second, &h, 3, 1, 2), "one left");
	client_end(&first);
	client_end(&second);
	while (serve_peers(t->s) > 2)
		sched_yield();
	assert_int_equal(figure(t, "sessions"), 0);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_same_work),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_seats),
		cmocka_unit_test(test_seats_by_login),
		cmocka_unit_test(test_seats_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
