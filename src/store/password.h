#pragma once
/// password — making and proving passwords, away from the threads that answer requests.
///
/// Owns: a bounded queue with helper threads for argon2id (about 16 ms each), in which the addresses that ask take
/// turns, those that named wrong passwords lately behind all others, except who logged in from there; a cache of
/// successes (≤ 1 h, keyed by an HMAC so that it holds no password), counts of failures. Unknown users cost the same.
/// Threads: all functions from any thread; `done` is called on a helper thread, or at once on the caller's where the
/// cache knows the answer.
/// source: RFC 9106 (argon2).
#include "base/fair.h"
#include "store/account.h"

enum {
	ARGON2_PASSES = 2,
	ARGON2_KIB = 16 * 1024,
	PASSWORD_QUEUE_MAX = 64, // well below what a front may ask at once (CLIENT_IN_FLIGHT): the rest goes on
	PASSWORD_CACHE_S = 3600,
	PASSWORD_SLIPS = 4,       // so many wrong ones happen to anybody
	PASSWORD_GUESSER_S = 600, // since the last, and a guesser is forgotten
	PASSWORD_OCTETS_MAX = 512,
};

struct password_conf {
	unsigned threads;                                     // 0 = 2
	unsigned queue_max;                                   // 0 = PASSWORD_QUEUE_MAX
	bool no_scram;                                        // keep no SCRAM keys: SCRAM then never succeeds
	uint32_t argon2_kib, argon2_passes, scram_iterations; // 0 = as above and in scram.h; tests use less
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
	bool proven;           // this user logged in from there lately: what others name there is not held against him
	struct fair_node turn; // `who`: the address that asks (password_who); the rest is the queue's own
};
/// Whose turn an address takes: IPv4 by itself, IPv6 by its /64. in: ip — IPv4 mapped into IPv6.
void password_who(const uint8_t ip[16], uint8_t who[FAIR_WHO]);
/// Where the queue is full, who asks most leaves it: his `done` is called with E_LIMIT, here.
/// errors: E_LIMIT where that is `w` itself (then `done` is not called); E_TEMP at the end.
[[nodiscard]] enum ec password_submit(struct passwords *p, struct password_work *w);
/// Makes credentials here and now (command line, tests). An empty password gives all zeros.
[[nodiscard]] enum ec password_make(struct passwords *p, struct sl password, struct credentials *out);

struct password_stats {
	uint64_t verified, cached, failed, refused;
	uint64_t hashed; // runs of argon2id
};
void passwords_stats(struct passwords *p, struct password_stats *out);
/// One more wrong proof, found elsewhere (SCRAM).
void password_count_failure(struct passwords *p);
