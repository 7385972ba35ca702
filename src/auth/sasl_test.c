/// SASL exchanges against a fake store that keeps one user's SCRAM keys, made with OpenSSL.
#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/sasl.h"
#include "base/num.h"
#include "proto/base64.h"
#include "proto/sasl_msg.h"

enum { ITERATIONS = 4096 };
static const uint8_t salt[16] = "0123456789abcdef";
#define NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0xy" // that of RFC 7677 §3, filled up to 32 octets

static struct {
	enum ec fail; // the next request's answer
	bool up;
	unsigned logins, begins, ends;
} store;

static void hmac(struct sl key, struct sl text, uint8_t out[32])
{
	unsigned n = 32;

	assert_non_null(HMAC(EVP_sha256(), key.p, (int)key.n, text.p, text.n, out, &n));
}

static void sha256(const uint8_t in[32], uint8_t out[32])
{
	assert_int_equal(EVP_Digest(in, 32, out, NULL, EVP_sha256(), NULL), 1);
}

struct scram_keys {
	uint8_t client[32], stored[32], server[32];
};

/// source: RFC 5802 §3.
static struct scram_keys keys_of(struct sl password, struct sl with_salt)
{
	struct scram_keys k;
	uint8_t salted[32];

	assert_int_equal(PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, with_salt.p, (int)with_salt.n,
				 ITERATIONS, EVP_sha256(), 32, salted),
		1);
	hmac((struct sl){ salted, 32 }, SL("Client Key"), k.client);
	hmac((struct sl){ salted, 32 }, SL("Server Key"), k.server);
	sha256(k.client, k.stored);
	return k;
}

static void proof_of(const struct scram_keys *k, struct sl auth_message, uint8_t proof[32])
{
	hmac((struct sl){ k->stored, 32 }, auth_message, proof);
	for (size_t i = 0; i < 32; i++)
		proof[i] ^= k->client[i];
}

/// Passwords as they lie in the store: two of them from before passwords were prepared.
static const struct {
	struct sl user, password;
} known[] = {
	{ SL_INIT("user@example.org"), SL_INIT("pencil") },
	{ SL_INIT("\xc3\xa9@example.org"), SL_INIT("caf\xc3\xa9 1") },
	{ SL_INIT("old@example.org"), SL_INIT("cafe\xcc\x81") },
	{ SL_INIT("odd@example.org"), SL_INIT("a\tb") },
};

static enum ec on_login(const struct req_login *req, struct ans_login *ans)
{
	store.logins++;
	for (size_t i = 0; i < ARRAY_N(known); i++) {
		if (!sl_eq(FIELD_SL(req->user), known[i].user) || !sl_eq(FIELD_SL(req->password), known[i].password))
			continue;
		*ans = (struct ans_login){ .handle.account = 5 };
		return field_set(ans->address, SL("user@example.org"));
	}
	return E_AUTH;
}

static enum ec on_scram_begin(const struct req_scram_begin *, struct ans_scram_begin *ans)
{
	store.begins++;
	*ans = (struct ans_scram_begin){ .iterations = ITERATIONS };
	memcpy(ans->salt, salt, sizeof salt);
	memcpy(ans->nonce, NONCE, 32);
	return E_OK;
}

static enum ec on_scram_end(const struct req_scram_end *req, struct ans_scram_end *ans)
{
	struct scram_keys k = keys_of(SL("pencil"), (struct sl){ salt, sizeof salt });
	uint8_t want[32];

	store.ends++;
	proof_of(&k, FIELD_SL(req->auth_message), want);
	if (!sl_eq(FIELD_SL(req->user), SL("user@example.org")) || memcmp(req->nonce, NONCE, 32) ||
		memcmp(want, req->proof, 32))
		return E_AUTH;
	*ans = (struct ans_scram_end){ .handle.account = 5 };
	hmac((struct sl){ k.server, 32 }, FIELD_SL(req->auth_message), ans->server_signature);
	return field_set(ans->address, SL("user@example.org"));
}

FIB enum ec client_call(struct cx *cx, struct client *, enum verb verb, const void *req, void *ans)
{
	enum ec e = store.fail;

	assert_int_equal(verb_info(verb)->check(req, 0), E_OK);
	store.fail = E_OK;
	if (e != E_OK)
		return fail(cx, e, "the test wants it");
	switch ((unsigned)verb) {
	case VERB_login: return on_login(req, ans);
	case VERB_scram_begin: return on_scram_begin(req, ans);
	case VERB_scram_end: return on_scram_end(req, ans);
	default: break;
	}
	_fail(__FILE__, __LINE__);
	return E_UNSUPPORTED;
}

uint64_t client_epoch(const struct client *)
{
	return 3;
}

bool client_is_up(const struct client *)
{
	return store.up;
}

static unsigned naps;
FIB enum ec fib_sleep(struct cx *, int64_t)
{
	naps++;
	return E_OK;
}

/// A client as a list of answers; for SCRAM it computes them.
struct script {
	const struct sl *answer;
	size_t n, asked;
	const char *password; // SCRAM
	const char *gs2;
	struct sl first_bare;
	unsigned spoil; // change: 1 the nonce, 2 the proof, 3 its length, 4 the channel binding, 5 text after the end
	struct buf server_said;
	bool signature_good;
};

static void client_final(struct script *s, struct sl server_first, struct buf *out)
{
	struct scram_keys k = keys_of(sl_cstr(s->password), (struct sl){ salt, sizeof salt });
	struct buf message = BUF(4096), auth = BUF(4096);
	uint8_t proof[32], signature[32];
	struct sl rest = server_first, nonce = sl_from(sl_cut(&rest, ','), 2);

	buf_puts(&message, "c=");
	base64_encode(&message, s->spoil == 4 ? SL("y,,") : sl_cstr(s->gs2));
	buf_puts(&message, ",r=");
	buf_add(&message, s->spoil == 1 ? SL("other") : nonce);
	buf_add(&auth, s->first_bare);
	buf_addc(&auth, ',');
	buf_add(&auth, server_first);
	buf_addc(&auth, ',');
	buf_add(&auth, buf_sl(&message));
	proof_of(&k, buf_sl(&auth), proof);
	proof[3] ^= s->spoil == 2;
	buf_puts(&message, ",p=");
	base64_encode(&message, (struct sl){ proof, s->spoil == 3 ? 20 : 32 });
	buf_add(out, buf_sl(&message));
	hmac((struct sl){ k.server, 32 }, buf_sl(&auth), signature);
	buf_clear(&s->server_said);
	buf_puts(&s->server_said, "v=");
	base64_encode(&s->server_said, (struct sl){ signature, 32 });
	buf_free(&message);
	buf_free(&auth);
}

FIB static enum ec ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response)
{
	struct script *s = arg;

	buf_clear(response);
	if (s->password && sl_starts(challenge, SL("r="))) {
		client_final(s, challenge, response);
		return E_OK;
	}
	if (s->password && sl_starts(challenge, SL("v="))) {
		s->signature_good = sl_eq(challenge, buf_sl(&s->server_said));
		buf_puts(response, s->spoil == 5 ? "x" : "");
		return E_OK;
	}
	if (s->asked == s->n)
		return fail(cx, E_CANCELED, "client cancels");
	buf_add(response, s->answer[s->asked++]);
	return E_OK;
}

static struct seat seat; // what the last run took

static enum ec run(const char *mechanism, struct sl initial, struct script *s, struct sasl_result *r)
{
	static const uint8_t ip[16] = { 0 };
	struct cx cx = { 0 };
	struct sasl_login l = { .peer_ip = ip, .seat = &seat, .ask = ask, .arg = s, .may_plain = true };
	enum ec e;

	s->server_said = BUF(256);
	seat = (struct seat){ 0 };
	*r = (struct sasl_result){ .address_octets = 999 };
	e = sasl_run(&cx, &l, sl_cstr(mechanism), initial, r);
	buf_free(&s->server_said);
	cx_end(&cx);
	return e;
}

static bool is_user(const struct sasl_result *r)
{
	return r->handle.account == 5 && sl_eq((struct sl){ r->address, r->address_octets }, SL("user@example.org"));
}

#define NO_INITIAL      \
	{               \
		NULL, 0 \
	}
static const struct {
	const char *name, *mechanism;
	struct sl initial;
	struct sl answer[2];
	size_t n;
	enum ec want;
	bool proved; // the password was right all the same: a seat is taken
} plain_cases[] = {
	{ "initial", "PLAIN", SL_INIT("\0user@example.org\0pencil"), { { 0 } }, 0, E_OK },
	{ "asked", "plain", NO_INITIAL, { SL_INIT("\0user@example.org\0pencil") }, 1, E_OK },
	{ "authzid the same", "PLAIN", SL_INIT("User@example.org\0user@example.org\0pencil"), { { 0 } }, 0, E_OK },
	{ "authzid another", "PLAIN", SL_INIT("root@example.org\0user@example.org\0pencil"), { { 0 } }, 0, E_AUTH,
		true },
	{ "wrong", "PLAIN", SL_INIT("\0user@example.org\0pen"), { { 0 } }, 0, E_AUTH },
	{ "unknown", "PLAIN", SL_INIT("\0nobody@example.org\0pencil"), { { 0 } }, 0, E_AUTH },
	{ "empty initial", "PLAIN", SL_INIT(""), { { 0 } }, 0, E_SYNTAX },
	{ "malformed", "PLAIN", SL_INIT("user@example.org\0pencil"), { { 0 } }, 0, E_SYNTAX },
	{ "cancelled", "PLAIN", NO_INITIAL, { { 0 } }, 0, E_CANCELED },
	{ "name in another form", "PLAIN",
		SL_INIT("\0us\xc2\xad"
			"er@example.org\0pencil"),
		{ { 0 } }, 0, E_OK },
	{ "password in another form", "PLAIN",
		SL_INIT("\0user@example.org\0pen\xc2\xad"
			"cil"),
		{ { 0 } }, 0, E_OK },
	{ "both", "PLAIN", SL_INIT("\0e\xcc\x81@example.org\0caf\xc3\xa9\xc2\xa0\xef\xbc\x91"), { { 0 } }, 0, E_OK },
	{ "case is kept", "PLAIN", SL_INIT("\0user@example.org\0Pencil"), { { 0 } }, 0, E_AUTH },
	{ "stored unprepared", "PLAIN", SL_INIT("\0old@example.org\0cafe\xcc\x81"), { { 0 } }, 0, E_OK },
	{ "stored unprepared, sent otherwise", "PLAIN", SL_INIT("\0old@example.org\0caf\xc3\xa9"), { { 0 } }, 0,
		E_AUTH },
	{ "stored prohibited", "PLAIN", SL_INIT("\0odd@example.org\0a\tb"), { { 0 } }, 0, E_OK },
	{ "prohibited name", "PLAIN", SL_INIT("\0user@example.org\x07\0pencil"), { { 0 } }, 0, E_AUTH },
	{ "login", "LOGIN", NO_INITIAL, { SL_INIT("user@example.org"), SL_INIT("pencil") }, 2, E_OK },
	{ "login initial", "LOGIN", SL_INIT("user@example.org"), { SL_INIT("pencil") }, 1, E_OK },
	{ "login wrong", "LOGIN", NO_INITIAL, { SL_INIT("user@example.org"), SL_INIT("pen") }, 2, E_AUTH },
	{ "login empty name", "LOGIN", NO_INITIAL, { SL_INIT(""), SL_INIT("pencil") }, 2, E_SYNTAX },
	{ "login no password", "LOGIN", NO_INITIAL, { SL_INIT("user@example.org"), SL_INIT("") }, 2, E_SYNTAX },
	{ "login cancelled", "LOGIN", NO_INITIAL, { SL_INIT("user@example.org") }, 1, E_CANCELED },
	{ "no such mechanism", "CRAM-MD5", NO_INITIAL, { { 0 } }, 0, E_UNSUPPORTED },
	{ "no plus", "SCRAM-SHA-256-PLUS", NO_INITIAL, { { 0 } }, 0, E_UNSUPPORTED },
};

static void test_plain_and_login(void **)
{
	for (size_t i = 0; i < ARRAY_N(plain_cases); i++) {
		struct script s = { .answer = plain_cases[i].answer, .n = plain_cases[i].n };
		struct sl initial = plain_cases[i].initial;
		struct sasl_result r;
		if (initial.p)
			initial = heap_copy(initial);
		CHECK(run(plain_cases[i].mechanism, initial, &s, &r) == plain_cases[i].want, plain_cases[i].name);
		CHECK(plain_cases[i].want == E_OK ? is_user(&r) : r.address_octets == 999, plain_cases[i].name);
		bool taken = plain_cases[i].want == E_OK || plain_cases[i].proved;
		CHECK(seat.account == (taken ? 5 : 0) && seat.epoch == (taken ? 3 : 0), plain_cases[i].name);
		free((void *)(uintptr_t)initial.p);
	}
}

/// What is longer than any account's name or password is answered by the store, like any wrong password.
static void test_too_long(void **)
{
	struct buf message = BUF(4096);
	struct script s = { 0 };
	struct sasl_result r;

	buf_addc(&message, 0);
	for (int i = 0; i < 900; i++)
		buf_addc(&message, 'u');
	buf_add(&message, SL("\0pencil"));
	store.logins = 0;
	assert_int_equal(run("PLAIN", buf_sl(&message), &s, &r), E_AUTH);
	buf_clear(&message);
	buf_add(&message, SL("\0user@example.org\0"));
	for (int i = 0; i < 900; i++)
		buf_addc(&message, 'p');
	assert_int_equal(run("PLAIN", buf_sl(&message), &s, &r), E_AUTH);
	assert_int_equal(store.logins, 2);
	buf_free(&message);
}

/// The test's own arithmetic against RFC 7677 §3, so that it can judge the exchange below.
static void test_rfc7677(void **)
{
	static const uint8_t rfc_salt[] = { 0x5b, 0x6d, 0x99, 0x68, 0x9d, 0x12, 0x35, 0x8e, 0xec, 0xa0, 0x4b, 0x14,
		0x12, 0x36, 0xfa, 0x81 }; // W22ZaJ0SNY7soEsUEjb6gQ==
	struct scram_keys k = keys_of(SL("pencil"), (struct sl){ rfc_salt, sizeof rfc_salt });
	struct buf b = BUF(256);
	uint8_t proof[32], signature[32];
	struct sl auth = SL("n=user,r=rOprNGfwEbeRWgbNEkqO,"
			    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
			    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");

	proof_of(&k, auth, proof);
	base64_encode(&b, (struct sl){ proof, 32 });
	assert_true(sl_eq(buf_sl(&b), SL("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	hmac((struct sl){ k.server, 32 }, auth, signature);
	buf_clear(&b);
	base64_encode(&b, (struct sl){ signature, 32 });
	assert_true(sl_eq(buf_sl(&b), SL("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	buf_free(&b);
}

#define BARE "n=user@example.org,r=rOprNGfwEbeRWgbNEkqO"
static const struct {
	const char *name, *gs2, *bare, *password;
	unsigned spoil;
	enum ec fail, want;
} scram_cases[] = {
	{ "good", "n,,", BARE, "pencil", 0, E_OK, E_OK },
	{ "name in another form", "n,,",
		"n=u\xef\xbd\x93"
		"er@example.org,r=rOprNGfwEbeRWgbNEkqO",
		"pencil", 0, E_OK, E_OK },
	{ "prohibited name", "n,,", "n=user\x07@example.org,r=rOprNGfwEbeRWgbNEkqO", "pencil", 0, E_OK, E_AUTH },
	{ "y: we offer no PLUS", "y,,", BARE, "pencil", 0, E_OK, E_OK },
	{ "authzid the same", "n,a=user@example.org,", BARE, "pencil", 0, E_OK, E_OK },
	{ "authzid another", "n,a=root@example.org,", BARE, "pencil", 0, E_OK, E_AUTH },
	{ "p: not offered", "p=tls-exporter,,", BARE, "pencil", 0, E_OK, E_AUTH },
	{ "wrong password", "n,,", BARE, "pen", 0, E_OK, E_AUTH },
	{ "nonce changed", "n,,", BARE, "pencil", 1, E_OK, E_AUTH },
	{ "proof changed", "n,,", BARE, "pencil", 2, E_OK, E_AUTH },
	{ "proof too short", "n,,", BARE, "pencil", 3, E_OK, E_AUTH },
	{ "header changed", "n,,", BARE, "pencil", 4, E_OK, E_AUTH },
	{ "text at the end", "n,,", BARE, "pencil", 5, E_OK, E_SYNTAX },
	{ "mandatory extension", "n,,", "m=x," BARE, "pencil", 0, E_OK, E_SYNTAX },
	{ "no nonce", "n,,", "n=user@example.org", "pencil", 0, E_OK, E_SYNTAX },
	{ "store away", "n,,", BARE, "pencil", 0, E_TEMP, E_TEMP },
};

static void test_scram(void **)
{
	for (size_t i = 0; i < ARRAY_N(scram_cases); i++) {
		for (int asked = 0; asked < 2; asked++) {
			struct buf first = BUF(512);
			struct sl answer;
			struct script s = { .answer = &answer,
				.n = 1,
				.password = scram_cases[i].password,
				.gs2 = scram_cases[i].gs2,
				.first_bare = sl_cstr(scram_cases[i].bare),
				.spoil = scram_cases[i].spoil };
			struct sasl_result r;
			buf_puts(&first, scram_cases[i].gs2);
			buf_puts(&first, scram_cases[i].bare);
			answer = buf_sl(&first);
			store.fail = scram_cases[i].fail;
			enum ec e = run("scram-sha-256", asked ? (struct sl){ 0 } : answer, &s, &r);
			CHECK(e == scram_cases[i].want, scram_cases[i].name);
			CHECK(e == E_OK ? is_user(&r) && s.signature_good : r.address_octets == 999,
				scram_cases[i].name);
			buf_free(&first);
			store.fail = E_OK;
		}
	}
}

static void test_may_not(void **)
{
	struct cx cx = { 0 };
	struct sasl_login l = { .ask = ask };
	struct sasl_result r;

	assert_int_equal(sasl_run(&cx, &l, SL("PLAIN"), SL("\0user@example.org\0pencil"), &r), E_STATE);
	cx_end(&cx);
}

/// Where too many wait for their hash, a login waits as well and asks again.
static void test_crowd(void **)
{
	struct script s = { 0 };
	struct sasl_result r;

	naps = 0;
	store.up = true;
	store.fail = E_TEMP;
	assert_int_equal(run("PLAIN", SL("\0user@example.org\0pencil"), &s, &r), E_OK);
	assert_int_equal(naps, 1);
	store.fail = E_LIMIT; // too many wrong ones: no waiting helps
	assert_int_equal(run("PLAIN", SL("\0user@example.org\0pencil"), &s, &r), E_LIMIT);
	store.up = false;
	store.fail = E_TEMP; // nobody is there: the call waited already
	assert_int_equal(run("PLAIN", SL("\0user@example.org\0pencil"), &s, &r), E_TEMP);
	assert_int_equal(naps, 1);
}

/// Each mechanism of the capability text exists.
static void test_mechanisms(void **)
{
	struct sl rest = sasl_mechanisms(false);

	while (rest.n) {
		struct sl name = sl_cut(&rest, ' ');
		char text[32] = "";
		struct script s = { 0 };
		struct sasl_result r;
		memcpy(text, name.p, name.n);
		assert_int_equal(run(text, (struct sl){ 0 }, &s, &r), E_CANCELED);
	}
}

/// Without keys SCRAM is neither offered nor taken.
static void test_no_scram(void **)
{
	struct cx cx = { 0 };
	struct sasl_login l = { .ask = ask, .may_plain = true, .no_scram = true };
	struct sasl_result r;

	assert_true(sl_eq(sasl_mechanisms(true), SL("PLAIN LOGIN")));
	assert_int_equal(sasl_run(&cx, &l, SL("scram-sha-256"), (struct sl){ 0 }, &r), E_UNSUPPORTED);
	cx_end(&cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_and_login),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_rfc7677),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_may_not),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_no_scram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
