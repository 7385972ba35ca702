/// Whole SMTP, LMTP and submission sessions against a transcript and a fake store (front/fake).
#include "base/check.h"
#include "front/fake/fake.h"

#include <stdio.h>

#include "base/log.h"
#include "base/num.h"

#define EHLO_PLAIN                                                                                                   \
	"S: 250-*\nS: 250-PIPELINING\nS: 250-SIZE *\nS: 250-8BITMIME\nS: 250-CHUNKING\nS: 250-ENHANCEDSTATUSCODES\n" \
	"S: 250-LIMITS *\nS: 250 HELP\n"
#define HELLO "S: 220 *\nC: EHLO client.example.net\n" EHLO_PLAIN
#define FROM  "C: MAIL FROM:<sender@example.net>\nS: 250 2.1.0 *\n"
#define ALICE "C: RCPT TO:<alice@example.org>\nS: 250 2.1.5 *\n"
#define BOB   "C: RCPT TO:<bob@example.org>\nS: 250 2.1.5 *\n"
#define ALL   "C: RCPT TO:<all@example.org>\nS: 250 2.1.5 *\n"
#define DATA  "C: DATA\nS: 354 *\nC: Subject: x\nC:\nC: text\nC: .\n"
#define QUIT  "C: QUIT\nS: 221 *\n"

static const struct fake_talk smtp = { .kind = PORT_SMTP, .session = smtp_session };
static const struct fake_talk lmtp = { .kind = PORT_LMTP, .session = smtp_session };

static enum ec talk(const struct fake_talk *t, const char *text)
{
	return fake_talk_run(t, "inline", sl_cstr(text));
}

/// Every transcript, its input arriving all at once, octet by octet, and in odd pieces.
static void test_transcripts(void **)
{
	static const struct {
		const char *file;
		struct fake_talk talk;
		enum ec end;
		bool at_once; // its meaning lies in the octets arriving together
	} cases[] = {
		{ "rfc5321-4.3-sequence", { .kind = PORT_SMTP }, E_OK, false },
		{ "rfc5321-4.1.1.1-ehlo", { .kind = PORT_SMTP, .offer_tls = true }, E_OK, false },
		{ "rfc5321-4.1.1.4-data", { .kind = PORT_SMTP }, E_OK, false },
		{ "rfc5321-3.3-recipients", { .kind = PORT_SMTP }, E_OK, false },
		{ "rfc1870-size", { .kind = PORT_SMTP, .message_max = 1000 }, E_OK, false },
		{ "rfc2920-pipelining", { .kind = PORT_SMTP }, E_OK, false },
		{ "rfc3030-bdat", { .kind = PORT_SMTP }, E_SYNTAX, false },
		{ "rfc3030-bdat-size", { .kind = PORT_SMTP, .message_max = 10 }, E_OK, false },
		{ "rfc3207-starttls", { .kind = PORT_SMTP, .offer_tls = true }, E_OK, false },
		{ "rfc3207-4-plaintext-behind", { .kind = PORT_SMTP, .offer_tls = true }, E_STATE, true },
		{ "rfc5321-4.1.1.4-smuggling", { .kind = PORT_SMTP }, E_OK, false },
		{ "rfc5321-2.3.8-bare-newline", { .kind = PORT_SMTP, .bare_newline_reject = true }, E_OK, false },
		{ "rfc5321-4.5.3-limits", { .kind = PORT_SMTP }, E_LIMIT, false },
		{ "rfc9422-limits", { .kind = PORT_SMTP, .recipients_max = 2 }, E_OK, false },
		{ "rfc2033-lmtp", { .kind = PORT_LMTP }, E_OK, false },
		{ "rfc6409-submission", { .kind = PORT_SUBMISSION, .offer_tls = true, .loopback_plain = true }, E_OK,
			false },
		{ "rfc4954-tls-needed", { .kind = PORT_SUBMISSION, .offer_tls = true }, E_OK, false },
		{ "rfc4954-too-many", { .kind = PORT_SUBMISSIONS, .tls = true }, E_LIMIT, false },
	};
	static const size_t pieces[] = { 0, 1, 7, 100 };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (size_t j = 0; j < (cases[i].at_once ? 1 : ARRAY_N(pieces)); j++) {
			struct fake_talk t = cases[i].talk;
			char path[128];
			snprintf(path, sizeof path, "tests/talk/smtp/%s.talk", cases[i].file);
			t.session = smtp_session;
			t.piece = pieces[j];
			fake_start();
			CHECK(fake_talk_file(&t, path) == cases[i].end, cases[i].file);
			fake_stop();
		}
	}
}

static bool body_is(const char *head, const char *tail)
{
	struct sl body = buf_sl(&fake.delivered);

	return sl_starts(body, sl_cstr(head)) && sl_ends_ci(body, sl_cstr(tail));
}

static bool body_has(const char *part)
{
	return sl_find_sl(buf_sl(&fake.delivered), sl_cstr(part)) < fake.delivered.n;
}

static void test_trace(void **)
{
	struct fake_talk t = { .kind = PORT_SMTP, .tls = true, .session = smtp_session };

	fake_start();
	assert_int_equal(talk(&t, HELLO FROM ALICE DATA "S: 250 2.0.0 Stored as abababababababab\n" QUIT), E_OK);
	assert_true(body_is("Return-Path: <sender@example.net>\r\n"
			    "Received: from client.example.net ([192.0.2.7])\r\n"
			    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
			    "\tby mx.example.org (Hongyan) with ESMTPS id abababababababab\r\n"
			    "\tfor <alice@example.org>;\r\n\t",
		"\r\nSubject: x\r\n\r\ntext\r\n"));
	assert_false(body_has("Message-ID"));
	assert_int_equal(talk(&smtp, HELLO FROM ALICE BOB DATA "S: 250 *\n" QUIT), E_OK);
	assert_false(body_has("\tfor "));
	assert_true(body_has("with ESMTP id"));
	assert_int_equal(fake.n_delivered_to, 2);
	fake_stop();
}

static void test_smuggling_body(void **)
{
	fake_start();
	assert_int_equal(fake_talk_file(&smtp, "tests/talk/smtp/rfc5321-4.1.1.4-smuggling.talk"), E_OK);
	assert_int_equal(fake.calls[VERB_deliver], 1);
	// lone newlines were mended; a dot behind one is the message's own
	assert_true(body_is("Return-Path:", "Subject: x\r\n\r\ntext\r\n.\r\nMAIL FROM:<evil@example.net>\r\n"
					    "text\r\n.\r\nRCPT TO:<alice@example.org>\r\ntext . RSET\r\n"));
	fake_stop();
}

static void test_submission_adds(void **)
{
	static const struct fake_talk t = { .kind = PORT_SUBMISSIONS, .tls = true, .session = smtp_session };
#define LOGIN                                                                                                     \
	"S: 220 *\nC: EHLO c\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-*\nS: 250-AUTH " \
	"*\nS: "                                                                                                  \
	"250 HELP\nC: AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldC1h\nS: 235 *\n"

	fake_start();
	assert_int_equal(talk(&t, LOGIN FROM BOB DATA "S: 250 *\n" QUIT), E_OK);
	assert_true(body_has("\r\nDate: ") && body_has("@mx.example.org>\r\nSubject: x\r\n"));
	assert_true(body_has("with ESMTPSA id"));
	assert_int_equal(talk(&t, LOGIN FROM BOB "C: DATA\nS: 354 *\nC: date: x\nC: MESSAGE-ID: <y@z>\nC:\nC: .\n"
						 "S: 250 *\n" QUIT),
		E_OK);
	assert_false(body_has("Date: ") || body_has("Message-ID: <"));
	// a header that does not fit the first chunk is left alone
	assert_int_equal(talk(&t, LOGIN FROM BOB "C: DATA\nS: 354 *\nC*: 70000 x\nC:\nC: .\nS: 250 *\n" QUIT), E_OK);
	assert_false(body_has("Date: ") || body_has("Message-ID: <"));
	fake_stop();
}

/// What the client hears when the store cannot take the message, and that the session goes on.
static void test_store_failures(void **)
{
	static const struct {
		const char *name;
		enum verb verb;
		enum ec code;
		const char *talk;
	} cases[] = {
		{ "disk full", VERB_deliver, E_FULL, HELLO FROM ALICE DATA "S: 452 4.3.1 *\n" QUIT },
		{ "store away", VERB_deliver, E_TEMP, HELLO FROM ALICE DATA "S: 451 4.3.0 *\n" QUIT },
		{ "target gone", VERB_deliver, E_CONFLICT, HELLO FROM ALICE DATA "S: 451 4.3.0 *\n" QUIT },
		{ "resolve away", VERB_resolve, E_TEMP,
			HELLO FROM "C: RCPT TO:<alice@example.org>\nS: 451 4.3.0 *\n" BOB QUIT },
		{ "resolve full", VERB_resolve, E_FULL,
			HELLO FROM "C: RCPT TO:<alice@example.org>\nS: 452 4.3.1 *\n" BOB QUIT },
		{ "upload", VERB_upload_add, E_FULL,
			HELLO FROM ALICE "C: DATA\nS: 354 *\nC*: 1100000 x\nC: .\nS: 452 4.3.1 *\n" FROM ALICE DATA
					 "S: 250 *\n" QUIT },
		{ "upload begin", VERB_upload_begin, E_TEMP,
			HELLO FROM ALICE "C: DATA\nS: 354 *\nC*: 1100000 x\nC: .\nS: 451 4.3.0 *\n" QUIT },
	};
	struct fake_talk t = smtp;

	t.message_max = 2 << 20;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		fake_start();
		fake.fail_verb = cases[i].verb;
		fake.fail_code = cases[i].code;
		CHECK(talk(&t, cases[i].talk) == E_OK, cases[i].name);
		fake_stop();
	}
}

#define AUTH "C: AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldC1h\n"
#define HELLO_AUTH                                                                                            \
	"S: 220 *\nC: EHLO client.example.net\nS: 250-*\nS: 250-PIPELINING\nS: 250-SIZE *\nS: 250-8BITMIME\n" \
	"S: 250-CHUNKING\nS: 250-ENHANCEDSTATUSCODES\nS: 250-LIMITS *\nS: 250-AUTH *\nS: 250 HELP\n"

/// A login that the brake refuses, and one of a user who has too many sessions: it may be tried again.
static void test_logins(void **)
{
	static const struct {
		const char *name;
		enum ec code;
		const char *talk;
	} cases[] = {
		{ "braked", E_LIMIT,
			HELLO_AUTH AUTH "S: 454 4.7.0 Too many failed logins, try again later\n" AUTH
					"S: 235 *\n" QUIT },
		{ "too many sessions", E_QUOTA,
			HELLO_AUTH AUTH "S: 454 4.7.0 Too many sessions of this user *\n"
					"C: MAIL FROM:<alice@example.org>\nS: 530 5.7.0 *\n" AUTH "S: 235 *\n" QUIT },
		{ "counted again", E_OK,
			HELLO_AUTH AUTH "S: 235 *\n!: reconnects\nC: NOOP\nS: 250 *\nC: NOOP\nS: 250 *\n" QUIT },
	};
	struct fake_talk t = { .kind = PORT_SUBMISSIONS, .tls = true, .session = smtp_session };

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		fake_start();
		fake.fail_verb = cases[i].code ? VERB_login : VERB_NONE;
		fake.fail_code = cases[i].code;
		CHECK(talk(&t, cases[i].talk) == E_OK, cases[i].name);
		CHECK(fake.calls[VERB_seat_take] == (cases[i].code ? 0 : 1), cases[i].name);
		fake_stop();
	}
}

/// Some targets take the message and others do not: the rules at the head of deliver.c.
static void test_partial(void **)
{
	static const struct {
		const char *name;
		enum ec alice, bob;
		bool defer;
		const char *answer;
	} cases[] = {
		{ "both", E_OK, E_OK, false, "S: 250 2.0.0 *\n" },
		{ "one full", E_OK, E_QUOTA, false, "S: 250 2.0.0 *\n" },
		{ "one full, deferred", E_OK, E_QUOTA, true, "S: 250 2.0.0 *\n" },
		{ "both full", E_QUOTA, E_QUOTA, false, "S: 552 5.2.2 *\n" },
		{ "both full, deferred", E_QUOTA, E_QUOTA, true, "S: 452 4.2.2 *\n" },
		{ "one busy", E_OK, E_TEMP, false, "S: 451 4.3.0 *\n" },
		{ "full and busy", E_QUOTA, E_IO, false, "S: 451 4.3.0 *\n" },
		{ "no such code", E_OK, (enum ec)200, false, "S: 451 4.3.0 *\n" },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct fake_talk t = smtp;
		char text[2048];
		t.quota_defer = cases[i].defer;
		snprintf(text, sizeof text, "%s%s%s", HELLO FROM ALICE BOB DATA, cases[i].answer, QUIT);
		fake_start();
		fake.user[0].status = cases[i].alice;
		fake.user[1].status = cases[i].bob;
		CHECK(talk(&t, text) == E_OK, cases[i].name);
		fake_stop();
	}
}

static void test_partial_lmtp(void **)
{
#define LHLO "S: 220 *\nC: LHLO c\n" EHLO_PLAIN
	fake_start();
	fake.user[1].status = E_QUOTA;
	assert_int_equal(talk(&lmtp, LHLO FROM ALICE BOB DATA "S: 250 2.1.5 <alice@example.org> *\n"
							      "S: 552 5.2.2 <bob@example.org> *\n" QUIT),
		E_OK);
	// an address of several accounts: stored for some, full for one
	assert_int_equal(talk(&lmtp, LHLO FROM ALL BOB DATA "S: 250 2.1.5 <all@example.org> *\n"
							    "S: 552 5.2.2 <bob@example.org> *\n" QUIT),
		E_OK);
	fake.fail_verb = VERB_deliver;
	fake.fail_code = E_FULL;
	assert_int_equal(talk(&lmtp, LHLO FROM ALICE BOB DATA "S: 452 4.3.1 <alice@example.org> *\n"
							      "S: 452 4.3.1 <bob@example.org> *\n" QUIT),
		E_OK);
	fake_stop();
}

/// An account is a target once, however many addresses lead to it; a refused address adds none.
static void test_targets(void **)
{
	fake_start();
	assert_int_equal(talk(&smtp, HELLO FROM ALICE ALL BOB ALICE
				 "C: RCPT TO:<full@example.org>\nS: 552 5.2.2 *\n" DATA "S: 250 *\n" QUIT),
		E_OK);
	assert_int_equal(fake.n_delivered_to, 3);
	fake.alias.n = 0;
	assert_int_equal(talk(&smtp, HELLO FROM "C: RCPT TO:<all@example.org>\nS: 550 5.1.1 *\n" QUIT), E_OK);
	fake_stop();
}

/// Bodies around the sizes where chunks, the inline limit and the upload meet, whole and in pieces, each octet checked.
static void test_sizes(void **)
{
	static const unsigned sizes[] = { 0, 1, 61426, 61440, 65536, 1044464, 1044480, 1048576, 2500000 };
	static const size_t pieces[] = { 0, 4099 };

	for (size_t i = 0; i < ARRAY_N(sizes); i++) {
		for (size_t j = 0; j < ARRAY_N(pieces); j++) {
			struct fake_talk t = {
				.kind = PORT_SMTP, .session = smtp_session, .message_max = 3 << 20, .piece = pieces[j]
			};
			char text[2048];
			snprintf(text, sizeof text, "%sC: DATA\nS: 354 *\nC*: %u x\nC: .\nS: 250 *\n%s",
				HELLO FROM ALICE, sizes[i], QUIT);
			fake_start();
			CHECK(talk(&t, text) == E_OK, "sizes");
			size_t head = sl_find_sl(buf_sl(&fake.delivered), SL(";\r\n\t"));
			struct sl body = sl_from(buf_sl(&fake.delivered), head + 4);
			body = sl_from(body, sl_find(body, '\n') + 1);
			CHECK(body.n == sizes[i] + 2, "size");
			for (size_t k = 0; k < sizes[i]; k++)
				CHECK(body.p[k] == 'x', "octets");
			CHECK((fake.calls[VERB_upload_begin] == 1) == (sizes[i] > 1044464), "upload");
			CHECK(fake.said_holding == 0, "a client that does not read holds chunks");
			fake_stop();
		}
	}
}

/// Little arena: bodies go to uploads early instead of waiting for chunks; no chunk at all is 451 and no end.
static void test_crowded(void **)
{
	struct fake_talk t = { .kind = PORT_SMTP, .session = smtp_session, .message_max = 3 << 20 };

	fake_start();
	fake.chunks = 4;
	assert_int_equal(talk(&t, HELLO FROM ALICE "C: DATA\nS: 354 *\nC*: 900000 x\nC: .\nS: 250 *\n" QUIT), E_OK);
	assert_true(fake.chunks_peak <= 4);
	assert_true(fake.delivered.n > 900000);
	fake.chunks = 1; // for resolve; none is left for the targets beside the body's
	assert_int_equal(talk(&t, HELLO FROM ALICE DATA "S: 451 4.3.0 *\n" QUIT), E_OK);
	assert_int_equal(fake.said_holding, 0);
	fake.chunks = 0;
	assert_int_equal(talk(&t, HELLO FROM "C: RCPT TO:<alice@example.org>\nS: 4* 4.*\n" QUIT), E_OK);
	fake_stop();
}

static void test_ends(void **)
{
	struct fake_talk tls = smtp;

	tls.offer_tls = true;
	fake_start();
	assert_int_equal(talk(&smtp, HELLO "!: stop\nS: 421 4.3.2 *\n"), E_CANCELED);
	assert_int_equal(talk(&smtp, HELLO FROM ALICE "!: stop\nS: 421 4.3.2 *\n"), E_CANCELED);
	assert_int_equal(talk(&smtp, HELLO "!: silence\nS: 421 4.4.2 *\n"), E_TIMEOUT);
	assert_int_equal(
		talk(&smtp, HELLO FROM ALICE "C: DATA\nS: 354 *\nC: x\n!: silence\nS: 421 4.4.2 *\n"), E_TIMEOUT);
	assert_int_equal(talk(&smtp, HELLO FROM ALICE "C: DATA\nS: 354 *\nC: x\n"), E_CLOSED);
	assert_int_equal(talk(&smtp, HELLO FROM ALICE "C: BDAT 9 LAST\nC: x\n"), E_CLOSED);
	assert_int_equal(talk(&tls, "S: 220 *\n!: tls-fails\nC: STARTTLS\nS: 220 *\n"), E_CLOSED);
	assert_int_equal(fake.calls[VERB_deliver], 0);
	fake_stop();
}

/// Guessing costs time: unknown recipients, bad commands, wrong passwords.
static void test_delays(void **)
{
	struct buf text = BUF(1 << 16);

	buf_puts(&text, HELLO FROM);
	for (int i = 0; i < 13; i++)
		buf_puts(&text, "C: RCPT TO:<guess@example.org>\nS: 550 5.1.1 *\n");
	buf_puts(&text, QUIT);
	struct fake_talk t = smtp;
	fake_start();
	assert_int_equal(fake_talk_run(&t, "guesses", buf_sl(&text)), E_OK);
	assert_int_equal(fake.slept_ms, 3000);
	fake.slept_ms = 0;
	assert_int_equal(
		talk(&t, HELLO "C: A\nC: A\nC: A\nC: A\nC: A\nC: A\nC: A\nS: 500 *\nS: 500 *\nS: 500 *\nS: 500 *\n"
			       "S: 500 *\nS: 500 *\nS: 500 *\n" QUIT),
		E_OK);
	assert_int_equal(fake.slept_ms, 2000);
	fake.slept_ms = 0;
	t.message_max = 10; // what was sent ahead of a refusal costs nothing
	assert_int_equal(
		talk(&t, HELLO "C: MAIL FROM:<a@example.net> SIZE=11\nC: RCPT TO:<b@example.org>\n"
			       "C: RCPT TO:<b@example.org>\nC: RCPT TO:<b@example.org>\nC: RCPT TO:<b@example.org>\n"
			       "C: RCPT TO:<b@example.org>\nC: RCPT TO:<b@example.org>\nC: DATA\nS: 552 *\nS: 503 *\n"
			       "S: 503 *\nS: 503 *\nS: 503 *\nS: 503 *\nS: 503 *\nS: 503 *\n" QUIT),
		E_OK);
	assert_int_equal(fake.slept_ms, 0);
	t = (struct fake_talk){ .kind = PORT_SUBMISSIONS, .tls = true, .session = smtp_session };
	assert_int_equal(fake_talk_file(&t, "tests/talk/smtp/rfc4954-too-many.talk"), E_LIMIT);
	assert_int_equal(fake.slept_ms, 15000);
	fake_stop();
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transcripts),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_smuggling_body),
		cmocka_unit_test(test_submission_adds),
		cmocka_unit_test(test_store_failures),
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_partial_lmtp),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_delays),
	};

	log_setup(NULL, LOG_ERROR); // what the sessions log is not part of the result
	return cmocka_run_group_tests(tests, NULL, NULL);
}
