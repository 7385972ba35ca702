/// Whole POP3 sessions against a transcript and a fake store (front/fake).
#include "base/check.h"
#include "front/fake/fake.h"

#include <stdio.h>

#include "base/log.h"
#include "base/num.h"
#include "front/pop3/drop.h"

#define LOGIN "S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: +OK *\n"
#define QUIT  "C: QUIT\nS: +OK *\n"

static const struct fake_talk pop3 = { .kind = PORT_POP3, .loopback_plain = true, .session = pop3_session };

/// alice has the three messages that the transcripts name.
static void start(void)
{
	fake_start();
	fake_append(&fake.user[0], SL("Subject: one\r\n\r\nfirst\r\n"));
	fake_append(&fake.user[0], SL("Subject: two\r\n\r\n.\r\n..\r\n"));
	fake_append(&fake.user[0], SL("x\r\n"));
}

static enum ec talk(const struct fake_talk *t, const char *text)
{
	return fake_talk_run(t, "inline", sl_cstr(text));
}

static void test_transcripts(void **)
{
	static const struct {
		const char *file;
		struct fake_talk talk;
		enum ec end;
		bool at_once; // its meaning lies in the octets arriving together
	} cases[] = {
		{ "rfc1939-transaction", { .kind = PORT_POP3, .loopback_plain = true }, E_OK, false },
		{ "rfc1939-7-uidl", { .kind = PORT_POP3, .loopback_plain = true }, E_CLOSED, false },
		{ "rfc1939-bad-commands", { .kind = PORT_POP3, .loopback_plain = true }, E_LIMIT, false },
		{ "rfc2449-capa", { .kind = PORT_POP3, .offer_tls = true }, E_OK, false },
		{ "rfc2449-6.6-pipelining", { .kind = PORT_POP3, .loopback_plain = true }, E_OK, false },
		{ "rfc2595-plaintext-behind", { .kind = PORT_POP3, .offer_tls = true }, E_STATE, true },
		{ "rfc5034-auth", { .kind = PORT_POP3S, .tls = true }, E_OK, false },
	};
	static const size_t pieces[] = { 0, 1, 7 };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (size_t j = 0; j < (cases[i].at_once ? 1 : ARRAY_N(pieces)); j++) {
			struct fake_talk t = cases[i].talk;
			char path[128];
			snprintf(path, sizeof path, "tests/talk/pop3/%s.talk", cases[i].file);
			t.session = pop3_session;
			t.piece = pieces[j];
			start();
			CHECK(fake_talk_file(&t, path) == cases[i].end, cases[i].file);
			fake_stop();
		}
	}
}

static unsigned left(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < fake.user[0].n; i++)
		n += !fake.user[0].message[i].expunged;
	return n;
}

/// What is removed, moved or kept, by how the session ends and what the account wants of read messages.
static void test_update(void **)
{
	static const struct {
		const char *name;
		enum pop3_retr retr;
		const char *talk;
		unsigned left, archived;
		enum ec end;
	} cases[] = {
		{ "keep", POP3_KEEP, LOGIN "C: RETR 3\nS: +OK *\nS: x\nS: .\n" QUIT, 3, 0, E_OK },
		{ "dele", POP3_KEEP, LOGIN "C: DELE 1\nS: +OK *\nC: DELE 3\nS: +OK *\n" QUIT, 1, 0, E_OK },
		{ "no quit", POP3_KEEP, LOGIN "C: DELE 1\nS: +OK *\n", 3, 0, E_CLOSED },
		{ "silence", POP3_KEEP, LOGIN "C: DELE 1\nS: +OK *\n!: silence\n", 3, 0, E_TIMEOUT },
		{ "stop", POP3_KEEP, LOGIN "C: DELE 1\nS: +OK *\n!: stop\nS: -ERR [SYS/TEMP] *\n", 3, 0, E_CANCELED },
		{ "rset", POP3_DELETE,
			LOGIN "C: DELE 1\nS: +OK *\nC: RETR 3\nS: +OK *\nS: x\nS: .\nC: RSET\nS: +OK *\n" QUIT, 3, 0,
			E_OK },
		{ "retr deletes", POP3_DELETE, LOGIN "C: RETR 3\nS: +OK *\nS: x\nS: .\n" QUIT, 2, 0, E_OK },
		{ "retr deletes, not without quit", POP3_DELETE, LOGIN "C: RETR 3\nS: +OK *\nS: x\nS: .\n", 3, 0,
			E_CLOSED },
		{ "top does not", POP3_DELETE, LOGIN "C: TOP 3 5\nS: +OK *\nS: x\nS: .\n" QUIT, 3, 0, E_OK },
		{ "retr archives", POP3_ARCHIVE,
			LOGIN
			"C: RETR 3\nS: +OK *\nS: x\nS: .\nC: DELE 1\nS: +OK *\nC: RETR 2\nS: +OK *\nS: *\nS: *\nS: "
			"*\nS: *\nS: .\n" QUIT,
			0, 2, E_OK },
		{ "deleted is not archived", POP3_ARCHIVE,
			LOGIN "C: RETR 3\nS: +OK *\nS: x\nS: .\nC: DELE 3\nS: +OK *\n" QUIT, 2, 0, E_OK },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		start();
		fake.user[0].pop3_retr = cases[i].retr;
		CHECK(talk(&pop3, cases[i].talk) == cases[i].end, cases[i].name);
		CHECK(left() == cases[i].left, cases[i].name);
		CHECK(fake.user[0].archived == cases[i].archived, cases[i].name);
		fake_stop();
	}
}

/// Failures of the store, each answered with its code; the session goes on where that makes sense.
static void test_store_failures(void **)
{
	static const struct {
		const char *name;
		enum verb verb;
		enum ec code;
		const char *talk;
		enum ec end;
	} cases[] = {
		{ "login busy", VERB_login, E_TEMP,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR [SYS/TEMP] *\n"
			"C: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: +OK *\n" QUIT,
			E_OK },
		{ "pop3 off", VERB_login, E_DENIED,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR [AUTH] *\n" QUIT,
			E_OK },
		{ "braked", VERB_login, E_LIMIT,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\n"
			"S: -ERR [SYS/TEMP] Too many failed logins, try again later\n" QUIT,
			E_OK },
		{ "too many sessions", VERB_login, E_QUOTA,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\n"
			"S: -ERR [SYS/TEMP] Too many sessions of this user *\nC: STAT\nS: -ERR *\n" QUIT,
			E_OK },
		{ "rows fail", VERB_mbox_rows, E_IO,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR [SYS/TEMP] *\n" QUIT,
			E_OK },
		{ "damaged mailbox", VERB_mbox_status, E_CORRUPT,
			"S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR [SYS/PERM] *\n" QUIT,
			E_OK },
		{ "read busy", VERB_mbox_read, E_TEMP,
			LOGIN "C: RETR 3\nS: -ERR [SYS/TEMP] *\nC: RETR 3\nS: +OK *\nS: x\nS: .\n" QUIT, E_OK },
		{ "not removed", VERB_mbox_expunge, E_FULL,
			LOGIN "C: DELE 3\nS: +OK *\nC: QUIT\nS: -ERR [SYS/TEMP] *\n", E_OK },
		{ "all gone already", VERB_mbox_expunge, E_NOTFOUND, LOGIN "C: DELE 3\nS: +OK *\n" QUIT, E_OK },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		start();
		fake.fail_verb = cases[i].verb;
		fake.fail_code = cases[i].code;
		CHECK(talk(&pop3, cases[i].talk) == cases[i].end, cases[i].name);
		fake_stop();
	}
}

/// The snapshot stays what it was: expunged within the hour is still there, longer ago or damaged is -ERR.
static void test_snapshot(void **)
{
	start();
	fake_append(&fake.user[0], SL("four\r\n"));
	fake_append(&fake.user[0], SL("five\r\n"));
	fake.user[0].message[0].expunged = true; // before login: not in the snapshot
	fake.user[0].message[3].damaged = true;
	assert_int_equal(
		talk(&pop3, LOGIN "C: UIDL\nS: +OK *\nS: 1 7.2\nS: 2 7.3\nS: 3 7.4\nS: 4 7.5\nS: .\n"
				  "C: RETR 3\nS: -ERR [SYS/PERM] *\nC: RETR 4\nS: +OK *\nS: five\nS: .\n" QUIT),
		E_OK);
	fake_stop();

	start();
	fake.fail_verb = VERB_mbox_read; // used as a hook: the second read finds the message gone
	fake.fail_code = E_NOTFOUND;
	assert_int_equal(talk(&pop3, LOGIN "C: RETR 2\nS: -ERR *\nC: RETR 2\nS: +OK 23 octets\nS: Subject: two\nS:\nS: "
					   "..\nS: ...\nS: .\n" QUIT),
		E_OK);
	fake_stop();
}

static void test_lock(void **)
{
	struct fake_talk t = pop3;

	t.pop3_lock = true;
	start();
	assert_int_equal(talk(&t, LOGIN QUIT), E_OK);
	assert_false(fake.user[0].locked);
	assert_int_equal(talk(&t, LOGIN), E_CLOSED); // the connection just ends
	assert_false(fake.user[0].locked);
	fake.user[0].locked = true; // another session
	assert_int_equal(
		talk(&t, "S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR [IN-USE] *\n" QUIT),
		E_OK);
	assert_true(fake.user[0].locked);
	fake.user[0].locked = false;
	fake.fail_verb = VERB_mbox_rows; // a login that fails after the lock gives it back
	fake.fail_code = E_TEMP;
	assert_int_equal(talk(&t, "S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\nS: -ERR *\nC: "
				  "NOOP\nS: -ERR *\n"),
		E_CLOSED);
	assert_false(fake.user[0].locked);
	fake_stop();
}

/// Messages in order cost one request for many; out of order each its own.
static void test_read_ahead(void **)
{
	struct buf text = BUF(1 << 16);

	start();
	for (int i = 0; i < 37; i++)
		fake_append(&fake.user[0], SL("m\r\n"));
	buf_puts(&text, LOGIN);
	for (int i = 3; i <= 40; i++) // the first one does not count as going on
		buf_printf(&text, "C: RETR %d\nS: +OK 3 octets\nS: *\nS: .\n", i);
	buf_puts(&text, QUIT);
	assert_int_equal(fake_talk_run(&pop3, "in order", buf_sl(&text)), E_OK);
	assert_int_equal(fake.calls[VERB_mbox_read], 1 + 3); // message 3, then 37 by 16
	fake.calls[VERB_mbox_read] = 0;
	assert_int_equal(
		talk(&pop3, LOGIN "C: RETR 9\nS: +OK *\nS: m\nS: .\nC: RETR 5\nS: +OK *\nS: m\nS: .\n" QUIT), E_OK);
	assert_int_equal(fake.calls[VERB_mbox_read], 2);
	fake_stop();
	buf_free(&text);
}

/// A message of several chunks, with dots at the starts of lines where pieces meet, comes out whole.
static void test_large(void **)
{
	enum { LINES = 40000 };
	struct buf body = BUF(1 << 20), text = BUF(4 << 20);

	for (int i = 0; i < LINES; i++)
		buf_puts(&body, ".\r\n");
	start();
	fake.user[0].n = 0;
	for (int i = 0; i < 3; i++)
		free((void *)(uintptr_t)fake.user[0].message[i].body.p);
	fake_append(&fake.user[0], buf_sl(&body));
	fake_append(&fake.user[0], SL("small\r\n"));
	fake_append(&fake.user[0], SL(""));
	buf_printf(&text, "%sC: RETR 1\nS: +OK %zu octets\n", LOGIN, body.n);
	for (int i = 0; i < LINES; i++)
		buf_puts(&text, "S: ..\n");
	buf_puts(&text, "S: .\nC: RETR 2\nS: +OK 7 octets\nS: small\nS: .\nC: RETR 3\nS: +OK 0 octets\nS: .\n");
	buf_puts(&text, "C: TOP 1 1\nS: +OK *\nS: ..\n");
	for (int i = 1; i < LINES; i++) // no blank line: all of it is header
		buf_puts(&text, "S: ..\n");
	buf_puts(&text, "S: .\n" QUIT);
	assert_int_equal(fake_talk_run(&pop3, "large", buf_sl(&text)), E_OK);

	// a failure in the middle: no end line, the connection goes
	fake.fail_verb = VERB_mbox_read;
	fake.fail_code = E_IO;
	fake.fail_after = 1;
	buf_clear(&text);
	buf_printf(&text, "%sC: RETR 1\nS: +OK %zu octets\n", LOGIN, body.n);
	for (int i = 0; i < CHUNK_OCTETS / 3; i++)
		buf_puts(&text, "S: ..\n");
	buf_puts(&text, "S<: ..\n"); // the chunk's last octet is a dot without its line's end
	assert_int_equal(fake_talk_run(&pop3, "broken off", buf_sl(&text)), E_IO);
	fake_stop();
	buf_free(&body);
	buf_free(&text);
}

/// Damage anywhere in a large message is told before the first octet of it is promised; the store is asked in parts.
static void test_large_damaged(void **)
{
	static const uint32_t places[] = { 1, CHUNK_OCTETS, READ_PROVE_MAX - 1, READ_PROVE_MAX,
		3 * READ_PROVE_MAX + 6 };
	struct buf body = BUF(1 << 20);

	while (body.n < 3 * READ_PROVE_MAX)
		buf_puts(&body, "12345678 1234567\r\n");
	while (body.n < 3 * READ_PROVE_MAX + 7)
		buf_puts(&body, "\n");
	for (size_t i = 0; i < ARRAY_N(places); i++) {
		start();
		fake_append(&fake.user[0], buf_sl(&body));
		fake_append(&fake.user[0], SL("five\r\n"));
		fake.user[0].message[3].damaged_at = places[i];
		CHECK(talk(&pop3, LOGIN "C: RETR 4\nS: -ERR [SYS/PERM] *\nC: NOOP\nS: +OK *\nC: RETR 5\nS: +OK *\n"
					"S: five\nS: .\n" QUIT) == E_OK,
			"damaged");
		CHECK(fake.calls[VERB_mbox_read] == places[i] / READ_PROVE_MAX + 2, "requests");
		fake_stop();
	}
	buf_free(&body);
}

/// A user whose list finds no room (here there is none) is told; the session may go on with another's.
static void test_no_room(void **)
{
	start();
	fake.user[0].lost = DROP_MAX;
	assert_int_equal(talk(&pop3, "S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\n"
				     "S: -ERR [SYS/TEMP] Cannot open the mailbox at the moment, try again later\n"
				     "C: STAT\nS: -ERR *\nC: USER bob@example.org\nS: +OK *\nC: PASS secret-b\n"
				     "S: +OK 0 messages *\n" QUIT),
		E_OK);
	assert_int_equal(fake.calls[VERB_mbox_rows], 1); // bob's
	fake_stop();
}

static void test_delays(void **)
{
	start();
	assert_int_equal(
		talk(&pop3,
			"S: +OK *\nC: USER a\nS: +OK *\nC: PASS a\nS: -ERR [AUTH] *\nC: USER a\nS: +OK *\n"
			"C: PASS a\nS: -ERR [AUTH] *\nC: USER a\nS: +OK *\nC: PASS a\nS: -ERR [AUTH] *\nC: USER a\n"
			"S: +OK *\nC: PASS a\nS: -ERR [AUTH] *\nC: USER a\nS: +OK *\nC: PASS a\nS: -ERR [AUTH] *\n"),
		E_LIMIT);
	assert_int_equal(fake.slept_ms, 15000);
	fake_stop();
}

/// A handle is renewed when half its life is over, once, and only behind the login.
static void test_renew(void **)
{
	static const struct {
		const char *name;
		int64_t age_s;
		unsigned renewed;
	} cases[] = { { "new", 0, 0 }, { "old", HANDLE_KEPT_S / 2 + 1, 1 } };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		start();
		fake.handle_age_s = cases[i].age_s;
		assert_int_equal(talk(&pop3, "S: +OK *\nC: USER alice@example.org\nS: +OK *\nC: PASS secret-a\n"
					     "S: +OK *\nC: STAT\nS: +OK *\nC: NOOP\nS: +OK *\nC: QUIT\nS: +OK *\n"),
			E_OK);
		CHECK(fake.calls[VERB_renew] == cases[i].renewed, cases[i].name);
		fake_stop();
	}
}

/// A session is counted by its login, and again after the store came back; where that fails, at the next command. What
/// a login took that did not come to its end is given back by the next (the end of the session: front.c).
static void test_seat(void **)
{
	static const struct {
		const char *name, *talk;
		enum ec fails;
		unsigned asked, given;
	} cases[] = {
		{ "by its login", LOGIN "C: STAT\nS: +OK *\nC: NOOP\nS: +OK *\n" QUIT, E_OK, 0, 0 },
		{ "the store came back", LOGIN "!: reconnects\nC: STAT\nS: +OK *\nC: NOOP\nS: +OK *\n" QUIT, E_OK, 1,
			0 },
		{ "not before the login", "S: +OK *\n!: reconnects\nC: NOOP\nS: -ERR *\n" QUIT, E_OK, 0, 0 },
		{ "the store is away", LOGIN "!: reconnects\nC: STAT\nS: +OK *\nC: NOOP\nS: +OK *\n" QUIT, E_TEMP, 2,
			0 },
		{ "by a login for another",
			"S: +OK *\nC: AUTH PLAIN Ym9iQGV4YW1wbGUub3JnAGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldC1h\nS: -ERR "
			"[AUTH] *\n"
			"C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldC1h\nS: +OK *\n" QUIT,
			E_OK, 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		start();
		fake.up = true;
		fake.fail_verb = cases[i].fails ? VERB_seat_take : VERB_NONE;
		fake.fail_code = cases[i].fails;
		CHECK(talk(&pop3, cases[i].talk) == E_OK, cases[i].name);
		CHECK(fake.calls[VERB_seat_take] == cases[i].asked, cases[i].name);
		CHECK(fake.calls[VERB_seat_give] == cases[i].given, cases[i].name);
		fake_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_store_failures),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_seat),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_large_damaged),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_delays),
		cmocka_unit_test(test_renew),
	};

	log_setup(NULL, LOG_ERROR); // what the sessions log is not part of the result
	return cmocka_run_group_tests(tests, NULL, NULL);
}
