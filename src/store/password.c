/// password — the queue, its threads, the cache.
#include "store/password.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/hash.h"
#include "base/num.h"
#include "store/scram.h"
#include "store/sha256.h"

enum { MAC = 32, CACHE = 16384, GUESSERS = 16384, THREADS_MAX = 16, ARGON2_SALT = 16, ARGON2_HASH = 32 };

struct success {
	uint8_t mac[MAC];
	int64_t until_ns;
};
/// Who named a wrong password lately. Another one in his place makes him forgotten: he waits with everybody else again.
struct guesser {
	uint64_t who;
	int64_t until_ns;
	uint32_t failed;
};
struct passwords {
	struct password_conf conf;
	uint8_t cache_key[32];
	struct credentials dummy; // what unknown users are verified against
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct fair queue;
	unsigned threads, named; // those that have begun
	bool ending;
	atomic_ullong hashed;
	pthread_t thread[THREADS_MAX];
	struct password_stats stats;
	struct success cache[CACHE];
	struct hash_key guesser_key;
	struct guesser guesser[GUESSERS];
};

// ---- the work itself

static enum ec argon2_make(struct passwords *p, struct sl password, struct credentials *out)
{
	uint8_t salt[ARGON2_SALT];
	char text[ARGON2_TEXT_MAX];

	random_octets(salt, sizeof salt);
	atomic_fetch_add(&p->hashed, 1);
	if (argon2id_hash_encoded(p->conf.argon2_passes, p->conf.argon2_kib, 1, password.p, password.n, salt,
		    sizeof salt, ARGON2_HASH, text, sizeof text) != ARGON2_OK)
		return E_TEMP;
	out->argon2_octets = (uint16_t)strlen(text);
	memcpy(out->argon2, text, out->argon2_octets);
	return E_OK;
}

enum ec password_make(struct passwords *p, struct sl password, struct credentials *out)
{
	struct credentials c = { 0 };
	enum ec e = E_OK;

	if (password.n) {
		e = argon2_make(p, password, &c);
		if (e == E_OK && !p->conf.no_scram)
			e = scram_keys(password, p->conf.scram_iterations, &c);
	}
	if (e == E_OK)
		*out = c;
	return e;
}

static enum ec argon2_check(struct passwords *p, const struct credentials *c, struct sl password)
{
	char text[ARGON2_TEXT_MAX + 1];

	memcpy(text, c->argon2, c->argon2_octets);
	text[c->argon2_octets] = 0;
	atomic_fetch_add(&p->hashed, 1);
	int r = argon2id_verify(text, password.p, password.n);
	if (r == ARGON2_MEMORY_ALLOCATION_ERROR)
		return E_TEMP;
	return r == ARGON2_OK ? E_OK : E_AUTH;
}

static enum ec verify(struct passwords *p, const struct password_work *w)
{
	struct sl password = { w->password, w->password_octets };

	if (w->account && w->cred.argon2_octets)
		return argon2_check(p, &w->cred, password);
	enum ec e = argon2_check(p, &p->dummy, password); // the same work, whatever comes of it
	return e == E_TEMP ? E_TEMP : E_AUTH;
}

// ---- the cache

static void cache_mac(const struct passwords *p, const struct password_work *w, uint8_t mac[MAC])
{
	uint8_t text[12 + PASSWORD_OCTETS_MAX];

	put_le64(text, w->account);
	put_le32(text + 8, w->credential_version);
	memcpy(text + 12, w->password, w->password_octets);
	hmac_sha256((struct sl){ p->cache_key, sizeof p->cache_key },
		(struct sl){ text, 12 + (size_t)w->password_octets }, mac);
	OPENSSL_cleanse(text, sizeof text);
}

/// Lock held.
static struct success *cache_slot(struct passwords *p, const uint8_t mac[MAC])
{
	return &p->cache[get_le32(mac) % CACHE];
}

static bool cache_knows(struct passwords *p, const struct password_work *w)
{
	uint8_t mac[MAC];

	cache_mac(p, w, mac);
	pthread_mutex_lock(&p->lock);
	struct success *s = cache_slot(p, mac);
	bool known = s->until_ns > clock_mono_ns() && CRYPTO_memcmp(s->mac, mac, MAC) == 0;
	p->stats.cached += known;
	figure_add(FIG_PASSWORD_CACHED, 0, known);
	pthread_mutex_unlock(&p->lock);
	return known;
}

static void cache_add(struct passwords *p, const struct password_work *w)
{
	struct success s = { .until_ns = clock_mono_ns() + (int64_t)PASSWORD_CACHE_S * 1000000000 };

	cache_mac(p, w, s.mac);
	pthread_mutex_lock(&p->lock);
	*cache_slot(p, s.mac) = s;
	pthread_mutex_unlock(&p->lock);
}

// ---- who guesses

/// Lock held. The place of an address, perhaps with another's figures.
static struct guesser *guesser_place(struct passwords *p, const uint8_t who[FAIR_WHO], uint64_t *hash)
{
	*hash = hash_keyed(&p->guesser_key, (struct sl){ who, FAIR_WHO });
	return &p->guesser[*hash % GUESSERS];
}

/// Lock held. Whoever guesses from a thousand addresses fills every round of the queue; one who did not fail goes
/// before all of them.
static uint8_t guesser_rank(struct passwords *p, const uint8_t who[FAIR_WHO])
{
	uint64_t hash;
	const struct guesser *g = guesser_place(p, who, &hash);

	if (g->who != hash || g->until_ns <= clock_mono_ns())
		return 0;
	return g->failed < PASSWORD_SLIPS ? 1 : FAIR_RANKS - 1;
}

static void guesser_failed(struct passwords *p, const uint8_t who[FAIR_WHO])
{
	uint64_t hash;
	int64_t now_ns = clock_mono_ns();

	pthread_mutex_lock(&p->lock);
	struct guesser *g = guesser_place(p, who, &hash);
	if (g->who != hash || g->until_ns <= now_ns)
		*g = (struct guesser){ .who = hash };
	g->failed += g->failed < PASSWORD_SLIPS;
	g->until_ns = now_ns + (int64_t)PASSWORD_GUESSER_S * 1000000000;
	pthread_mutex_unlock(&p->lock);
}

// ---- counting

void password_count_failure(struct passwords *p)
{
	pthread_mutex_lock(&p->lock);
	p->stats.failed++;
	figure_add(FIG_PASSWORD_FAILED, 0, 1);
	pthread_mutex_unlock(&p->lock);
}

void passwords_stats(struct passwords *p, struct password_stats *out)
{
	pthread_mutex_lock(&p->lock);
	*out = p->stats;
	pthread_mutex_unlock(&p->lock);
	out->hashed = atomic_load(&p->hashed);
}

// ---- threads

static void work_end(struct password_work *w, enum ec e)
{
	OPENSSL_cleanse(w->password, sizeof w->password);
	w->done(w, e);
}

static void work_do(struct passwords *p, struct password_work *w)
{
	struct credentials made;
	enum ec e;

	if (w->kind == PASSWORD_MAKE) {
		e = password_make(p, (struct sl){ w->password, w->password_octets }, &made);
		if (e == E_OK)
			w->cred = made;
	} else {
		e = verify(p, w);
		if (e == E_OK) {
			cache_add(p, w);
		} else if (e == E_AUTH) {
			password_count_failure(p);
			guesser_failed(p, w->turn.who);
		}
	}
	work_end(w, e);
}

static struct password_work *work_of(struct fair_node *t)
{
	return t ? (struct password_work *)(void *)((char *)t - offsetof(struct password_work, turn)) : NULL;
}

static void *work_loop(void *arg)
{
	struct passwords *p = arg;

	pthread_mutex_lock(&p->lock);
	doing_begin("password", ++p->named);
	for (;;) {
		struct password_work *w = work_of(fair_take(&p->queue));
		figure_set(FIG_PASSWORD_QUEUE, 0, p->queue.n);
		if (!w && p->ending)
			break;
		if (!w) {
			pthread_cond_wait(&p->more, &p->lock);
			continue;
		}
		p->stats.verified++;
		figure_add(FIG_PASSWORD_HASHES, 0, 1);
		pthread_mutex_unlock(&p->lock);
		doing("argon2");
		work_do(p, w);
		doing(NULL);
		pthread_mutex_lock(&p->lock);
	}
	doing_end();
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void password_who(const uint8_t ip[16], uint8_t who[FAIR_WHO])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(who, ip, FAIR_WHO);
	if (memcmp(ip, mapped, sizeof mapped) != 0)
		memset(who + 8, 0, 8);
}

enum ec password_submit(struct passwords *p, struct password_work *w)
{
	struct fair_node *out = NULL;

	// Nobody is looked up as well, by account 0 that none has: it would be quicker without.
	if (w->kind == PASSWORD_VERIFY && cache_knows(p, w)) {
		work_end(w, E_OK);
		return E_OK;
	}
	pthread_mutex_lock(&p->lock);
	w->turn.rank = w->proven ? 0 : guesser_rank(p, w->turn.who);
	enum ec why = p->ending ? E_TEMP : E_LIMIT;
	if (p->ending)
		out = &w->turn;
	else
		fair_add(&p->queue, &w->turn, &out);
	p->stats.refused += out != NULL;
	figure_add(FIG_PASSWORD_REFUSED, 0, out != NULL);
	figure_set(FIG_PASSWORD_QUEUE, 0, p->queue.n);
	if (out != &w->turn)
		pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
	if (out == &w->turn)
		return why;
	if (out)
		work_end(work_of(out), E_LIMIT);
	return E_OK;
}

enum ec passwords_new(const struct password_conf *conf, struct passwords **out)
{
	struct passwords *p = calloc(1, sizeof *p);
	enum ec e = p ? E_OK : E_TEMP;

	if (!p)
		return e;
	p->conf = *conf;
	p->conf.threads = conf->threads == 0 ? 2 : conf->threads < THREADS_MAX ? conf->threads : THREADS_MAX;
	p->conf.queue_max = conf->queue_max ? conf->queue_max : PASSWORD_QUEUE_MAX;
	p->conf.argon2_kib = conf->argon2_kib ? conf->argon2_kib : ARGON2_KIB;
	p->conf.argon2_passes = conf->argon2_passes ? conf->argon2_passes : ARGON2_PASSES;
	p->conf.scram_iterations = conf->scram_iterations ? conf->scram_iterations : SCRAM_ITERATIONS;
	p->queue.max = p->conf.queue_max;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	random_octets(p->cache_key, sizeof p->cache_key);
	random_octets(&p->guesser_key, sizeof p->guesser_key);
	e = argon2_make(p, SL("nobody's password"), &p->dummy);
	while (e == E_OK && p->threads < p->conf.threads) {
		e = pthread_create(&p->thread[p->threads], NULL, work_loop, p) ? E_TEMP : E_OK;
		p->threads += e == E_OK;
	}
	if (e != E_OK)
		passwords_free(p);
	else
		*out = p;
	return e;
}

void passwords_free(struct passwords *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	OPENSSL_cleanse(p->cache_key, sizeof p->cache_key);
	free(p);
}
