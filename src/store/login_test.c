/// Tests of password and scram.
#include <semaphore.h>

#include "store/mailbed.h"
#include "store/password.h"
#include "store/scram_bed.h"

static const struct password_conf quick = {
	.threads = 2, .argon2_kib = 64, .argon2_passes = 1, .scram_iterations = 4096
};

struct waiting {
	struct password_work w;
	sem_t sem;
	enum ec e;
};
static void done(struct password_work *w, enum ec e)
{
	struct waiting *x = w->arg;

	x->e = e;
	sem_post(&x->sem);
}
static enum ec verify(
	struct passwords *p, uint64_t account, uint32_t version, const struct credentials *c, struct sl password)
{
	struct waiting x = {
		.w = { .kind = PASSWORD_VERIFY, .account = account, .credential_version = version, .cred = *c }
	};

	sem_init(&x.sem, 0, 0);
	x.w.done = done;
	x.w.arg = &x;
	x.w.password_octets = (uint16_t)password.n;
	memcpy(x.w.password, password.p, password.n);
	if (password_submit(p, &x.w) != E_OK)
		return E_COUNT;
	sem_wait(&x.sem);
	for (size_t i = 0; i < password.n; i++)
		assert_int_equal(x.w.password[i], 0);
	return x.e;
}

static void test_passwords(void **state)
{
	struct passwords *p;
	struct credentials c, none = { 0 };
	struct password_stats st;

	(void)state;
	assert_int_equal(passwords_new(&quick, &p), E_OK);
	assert_int_equal(password_make(p, SL("pencil"), &c), E_OK);
	assert_int_equal(verify(p, 7, 1, &c, SL("pencil")), E_OK);
	assert_int_equal(verify(p, 7, 1, &c, SL("Pencil")), E_AUTH);
	assert_int_equal(verify(p, 7, 1, &c, SL("pencil ")), E_AUTH);
	passwords_stats(p, &st);
	assert_int_equal(st.cached, 0);
	assert_int_equal(verify(p, 7, 1, &c, SL("pencil")), E_OK);
	passwords_stats(p, &st);
	assert_int_equal(st.cached, 1);
	assert_int_equal(verify(p, 7, 2, &none, SL("pencil")), E_AUTH); // another credential version
	assert_int_equal(verify(p, 8, 1, &none, SL("pencil")), E_AUTH); // another account
	assert_int_equal(verify(p, 0, 0, &none, SL("pencil")), E_AUTH); // nobody
	assert_int_equal(verify(p, 0, 0, &none, SL("nobody's password")), E_AUTH);
	passwords_stats(p, &st);
	assert_int_equal(st.failed, 6);
	assert_int_equal(password_make(p, (struct sl){ 0 }, &c), E_OK);
	assert_int_equal(c.argon2_octets, 0);
	assert_int_equal(verify(p, 9, 1, &c, (struct sl){ (const uint8_t *)"", 0 }), E_AUTH);
	passwords_free(p);
}

static void test_queue_is_bounded(void **state)
{
	struct password_conf conf = quick;
	struct passwords *p;
	enum { N = 64 };
	struct waiting *x = calloc(N, sizeof *x);
	unsigned refused = 0;

	(void)state;
	assert_non_null(x);
	conf.threads = 1;
	conf.queue_max = 4;
	conf.argon2_kib = 1024;
	assert_int_equal(passwords_new(&conf, &p), E_OK);
	for (int i = 0; i < N; i++) {
		x[i].w = (struct password_work){ .kind = PASSWORD_VERIFY, .done = done, .arg = &x[i] };
		sem_init(&x[i].sem, 0, 0);
		x[i].e = E_COUNT;
		enum ec e = password_submit(p, &x[i].w);
		assert_true(e == E_OK || e == E_LIMIT);
		if (e == E_LIMIT) {
			refused++;
			x[i].e = E_LIMIT;
		}
	}
	passwords_free(p); // finishes what it took
	for (int i = 0; i < N; i++)
		assert_true(x[i].e == E_AUTH || x[i].e == E_LIMIT);
	assert_true(refused > 0);
	free(x);
}

/// A wrong password, of nobody.
static void guess_from(struct waiting *x, const uint8_t ip[16])
{
	x->w = (struct password_work){ .kind = PASSWORD_VERIFY, .done = done, .arg = x };
	sem_init(&x->sem, 0, 0);
	x->e = E_COUNT;
	password_who(ip, x->w.turn.who);
}

/// Makes it the password that `c` was made of: "right".
static void make_right(struct waiting *x, const struct credentials *c)
{
	x->w.account = 7;
	x->w.cred = *c;
	x->w.password_octets = 5;
	memcpy(x->w.password, "right", 5);
}

/// A flood from one address fills the queue: another's one login is served, the flood's last leaves.
static void test_flood_hurts_itself(void **state)
{
	static const uint8_t flooder[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	static const uint8_t other[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 2 };
	struct password_conf conf = quick;
	struct passwords *p;
	enum { N = 64 };
	struct waiting *x = calloc(N + 1, sizeof *x);
	struct credentials c;
	unsigned left_out = 0;

	(void)state;
	assert_non_null(x);
	conf.threads = 1;
	conf.queue_max = 4;
	conf.argon2_kib = 4096;
	assert_int_equal(passwords_new(&conf, &p), E_OK);
	assert_int_equal(password_make(p, SL("right"), &c), E_OK);
	for (int i = 0; i <= N; i++)
		guess_from(&x[i], i < N ? flooder : other);
	make_right(&x[N], &c);
	for (int i = 0; i < N; i++)
		if (password_submit(p, &x[i].w) != E_OK)
			left_out++;
	assert_true(left_out > 0);
	assert_int_equal(password_submit(p, &x[N].w), E_OK);
	passwords_free(p);
	assert_int_equal(x[N].e, E_OK);
	free(x);
}

/// Guessers at many addresses fill the queue: who did not fail before is served, before them, and who is `proven` to
/// have logged in from a guesser's address.
static void guessers_wait(bool proven)
{
	struct password_conf conf = quick;
	struct passwords *p;
	enum { N = 16, ALL = 2 * N + 1 };
	struct waiting *x = calloc(ALL, sizeof *x);
	struct credentials c;

	assert_non_null(x);
	conf.threads = 1;
	conf.queue_max = 4;
	conf.argon2_kib = 4096;
	assert_int_equal(passwords_new(&conf, &p), E_OK);
	assert_int_equal(password_make(p, SL("right"), &c), E_OK);
	for (int i = 0; i < ALL; i++) {
		const uint8_t ip[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, (uint8_t)(i < 2 * N ? i % N : i) };
		guess_from(&x[i], ip);
	}
	for (int i = 0; i < N; i++) { // each fails once
		assert_int_equal(password_submit(p, &x[i].w), E_OK);
		sem_wait(&x[i].sem);
		assert_int_equal(x[i].e, E_AUTH);
	}
	for (int i = N; i < 2 * N; i++) // and comes again
		if (password_submit(p, &x[i].w) != E_OK)
			x[i].e = E_LIMIT;
	struct waiting *honest = &x[ALL - 1];
	if (proven)
		guess_from(honest, (const uint8_t[16]){ [10] = 0xff, [11] = 0xff, 192, 0, 2, N - 1 });
	honest->w.proven = proven;
	make_right(honest, &c);
	assert_int_equal(password_submit(p, &honest->w), E_OK);
	passwords_free(p);
	assert_int_equal(honest->e, E_OK);
	free(x);
}

static void test_guessers_wait(void **)
{
	guessers_wait(false);
	guessers_wait(true);
}

static void test_who(void **state)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t net[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 9 };
	uint8_t who[FAIR_WHO];

	(void)state;
	password_who(v4, who);
	assert_memory_equal(who, v4, sizeof who);
	password_who(v6, who);
	assert_memory_equal(who, net, sizeof who);
}

// ---- SCRAM

struct exchange {
	struct scram *s;
	struct credentials cred;
	struct scram_challenge c;
	uint8_t message[128], proof[32], server[32];
	struct sl auth_message;
};
static void exchange_begin(struct exchange *x, struct sl user, struct sl password)
{
	scram_begin(x->s, user, &x->cred, BED_NOW, &x->c);
	x->auth_message.p = x->message;
	x->auth_message.n =
		(size_t)snprintf((char *)x->message, sizeof x->message, "n=user,r=abc%.*s,c=biws", 32, x->c.nonce);
	client_proof(password, &x->c, x->auth_message, x->proof, x->server);
}
static enum ec exchange_end(struct exchange *x, struct sl user, int64_t now_s)
{
	uint8_t got[32] = { 0 };
	struct scram_proof pr = { user, { x->c.nonce, 32 }, x->auth_message, { x->proof, 32 } };
	enum ec e = scram_end(x->s, &pr, &x->cred, now_s, got);

	if (e == E_OK)
		assert_memory_equal(got, x->server, 32);
	return e;
}

static void test_scram(void **state)
{
	const uint8_t secret[32] = { 9 };
	struct exchange x = { 0 };

	(void)state;
	assert_int_equal(scram_new(secret, 4096, &x.s), E_OK);
	assert_int_equal(scram_keys(SL("pencil"), 4096, &x.cred), E_OK);
	exchange_begin(&x, SL("bob@example.org"), SL("pencil"));
	assert_int_equal(exchange_end(&x, SL("BOB@example.org"), BED_NOW), E_OK);
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH); // the nonce serves once
	exchange_begin(&x, SL("bob@example.org"), SL("pencil"));
	assert_int_equal(exchange_end(&x, SL("carol@example.org"), BED_NOW), E_AUTH); // another's nonce
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW + SCRAM_NONCE_S + 1), E_AUTH); // too late
	x.c.nonce[5] ^= 1;
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH); // forged
	x.c.nonce[5] ^= 1;
	x.auth_message = SL("n=user,r=another");
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH); // not in the message
	exchange_begin(&x, SL("bob@example.org"), SL("wrong"));
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH);
	for (int i = 0; i < 100000; i++) { // guesses take no room from who knows the password
		scram_begin(x.s, SL("bob@example.org"), &x.cred, BED_NOW, &x.c);
		x.auth_message = (struct sl){ x.c.nonce, sizeof x.c.nonce };
		assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH);
	}
	exchange_begin(&x, SL("bob@example.org"), SL("pencil"));
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_OK);
	x.cred.scram_iterations = 0; // no keys kept
	exchange_begin(&x, SL("bob@example.org"), SL("pencil"));
	assert_int_equal(exchange_end(&x, SL("bob@example.org"), BED_NOW), E_AUTH);
	scram_free(x.s);
}

/// RFC 7677 §3: keys of "pencil" as the example's client and server computed them.
static void test_scram_vector(void **state)
{
	const uint8_t secret[32] = { 9 };
	struct scram_challenge c = { .iterations = 4096 };
	uint8_t proof[33], server[33], salt[19], got_proof[32], got_server[32];
	struct sl am =
		SL("n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		   "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");

	(void)state;
	(void)secret;
	EVP_DecodeBlock(salt, (const uint8_t *)"W22ZaJ0SNY7soEsUEjb6gQ==", 24);
	EVP_DecodeBlock(proof, (const uint8_t *)"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", 44);
	EVP_DecodeBlock(server, (const uint8_t *)"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", 44);
	memcpy(c.salt, salt, 16);
	client_proof(SL("pencil"), &c, am, got_proof, got_server);
	assert_memory_equal(got_proof, proof, 32);
	assert_memory_equal(got_server, server, 32);
}

static void test_fake_salt(void **state)
{
	const uint8_t secret[32] = { 9 }, other[32] = { 8 };
	struct scram *s, *again, *elsewhere;
	struct scram_challenge a, b, c, d;

	(void)state;
	assert_int_equal(scram_new(secret, 4096, &s), E_OK);
	assert_int_equal(scram_new(secret, 4096, &again), E_OK);
	assert_int_equal(scram_new(other, 4096, &elsewhere), E_OK);
	scram_begin(s, SL("ghost@x"), NULL, BED_NOW, &a);
	scram_begin(again, SL("GHOST@x"), NULL, BED_NOW + 999, &b);
	scram_begin(s, SL("ghost2@x"), NULL, BED_NOW, &c);
	scram_begin(elsewhere, SL("ghost@x"), NULL, BED_NOW, &d);
	assert_memory_equal(a.salt, b.salt, SCRAM_SALT);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT);
	assert_memory_not_equal(a.salt, d.salt, SCRAM_SALT);
	assert_memory_not_equal(a.nonce, b.nonce, SCRAM_NONCE);
	scram_free(s);
	scram_free(again);
	scram_free(elsewhere);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords),
		cmocka_unit_test(test_queue_is_bounded),
		cmocka_unit_test(test_flood_hurts_itself),
		cmocka_unit_test(test_guessers_wait),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_scram_vector),
		cmocka_unit_test(test_fake_salt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
