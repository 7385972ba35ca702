#pragma once
/// password — making and proving passwords, away from the threads that answer requests.
///
/// Owns: a bounded queue with helper threads for argon2id (about 16 ms each), a cache of successes (≤ 1 h, keyed by an
/// HMAC so that it holds no password), the secret behind fake SCRAM salts and nonces. Unknown users cost the same work.
/// Threads: all functions from any thread; `done` is called on a helper thread, or at once on the caller's where the
/// cache knows the answer.
/// source: RFC 9106 (argon2), RFC 5802 and RFC 7677 (SCRAM-SHA-256).
#include "store/account.h"

enum {
	ARGON2_PASSES = 2,
	ARGON2_KIB = 16 * 1024,
	SCRAM_ITERATIONS = 15000, // RFC 7677 §4: at least 4096 … 15,000 recommended
	SCRAM_NONCE = 32,         // printable octets
	SCRAM_NONCE_S = 120,
	PASSWORD_QUEUE_MAX = 256,
	PASSWORD_CACHE_S = 3600,
	PASSWORD_OCTETS_MAX = 512,
};

struct password_conf {
	unsigned threads;                                     // 0 = 2
	unsigned queue_max;                                   // 0 = PASSWORD_QUEUE_MAX
	bool no_scram;                                        // keep no SCRAM keys: SCRAM then never succeeds
	uint32_t argon2_kib, argon2_passes, scram_iterations; // 0 = as above; tests use less
	uint8_t secret[32];                                   // steady, of the store
};
struct passwords;
[[nodiscard]] enum ec passwords_new(const struct password_conf *conf, struct passwords **out);
/// Finishes what is queued, ends the threads. Accepts NULL.
void passwords_free(struct passwords *p);

/// Work for a helper thread; lives until `done` was called.
struct password_work {
	enum { PASSWORD_VERIFY, PASSWORD_MAKE } kind;
	uint64_t account; // 0: no such user (verify: the work is done all the same, then E_AUTH)
	uint32_t credential_version;
	struct credentials cred; // verify: those of the account; make: out
	uint16_t password_octets;
	uint8_t password[PASSWORD_OCTETS_MAX]; // wiped before `done`
	/// verify: E_OK or E_AUTH; make: E_OK or E_TEMP.
	void (*done)(struct password_work *w, enum ec e);
	void *arg;
	struct password_work *next; // the queue's own
};
/// errors: E_TEMP where the queue is full (then `done` is not called).
[[nodiscard]] enum ec password_submit(struct passwords *p, struct password_work *w);
/// Makes credentials here and now (command line, tests). An empty password gives all zeros.
[[nodiscard]] enum ec password_make(struct passwords *p, struct sl password, struct credentials *out);

/// What scram_begin answers: the account's salt, or a steady fake one where `cred` is NULL or has no SCRAM keys.
struct scram_challenge {
	uint8_t salt[SCRAM_SALT];
	uint32_t iterations;
	uint8_t nonce[SCRAM_NONCE];
};
void scram_begin(struct passwords *p, struct sl user, const struct credentials *cred, int64_t now_s,
	struct scram_challenge *out);
struct scram_proof {
	struct sl user, nonce, auth_message, proof;
};
/// Proves a client. A nonce serves once, for its user, for SCRAM_NONCE_S.
/// errors: E_AUTH; E_TEMP (too many exchanges under way).
[[nodiscard]] enum ec scram_end(struct passwords *p, const struct scram_proof *pr, const struct credentials *cred,
	int64_t now_s, uint8_t server_signature[SCRAM_KEY]);

struct password_stats {
	uint64_t verified, cached, failed, refused;
};
void passwords_stats(struct passwords *p, struct password_stats *out);
