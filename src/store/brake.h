#pragma once
/// brake — slows guessing down: what was tried lately, by whom, with which result.
///
/// Kept for each pair of a name and an address, and for each address: never for a name alone, so that nobody is locked
/// out of his account by strangers elsewhere. A name counts as it is looked up in the directory, whether it exists.
///   a pair     BRAKE_SLIPS wrong passwords are free; with each further one the pair waits twice as long. What it tries
///              meanwhile is refused unseen, the right password too: else the answer would tell it from the others.
///   an address BRAKE_WIDE wrong passwords for whatever names, then one each BRAKE_WIDE_EACH_S
///   a proven pair, which logged in within BRAKE_PROVEN_KEPT_S: none of this, but BRAKE_PROVEN wrong passwords, then
///              one each BRAKE_PROVEN_EACH_S. So the guesses of others behind its address do not shut it out.
/// What is being proved counts as wrong until it is known, so that a thousand at once are no way around. Where that
/// alone is in the way, the answer is E_TEMP, and the front asks again a little later.
///
/// Memory is fixed: the three tables have sets of BRAKE_WAYS places, chosen by a hash with a secret key. Where a set is
/// full, who has the fewest wrong passwords leaves it (of the proven: whose login is longest ago). So a flood of names
/// that fail less often than a guesser takes one place of his set, however large it is. To lift his brake the other
/// seven must fail as often as he did, and nobody knows which set it is: in all of them that is more than 280,000 wrong
/// passwords within BRAKE_KEPT_S, each of them proved, from 1,800 addresses. It buys BRAKE_SLIPS more for one pair.
/// Only logins that succeed take places of the proven. A restart of the store forgets everything.
/// Threads: all functions from any thread.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ec.h"
#include "base/fair.h"
#include "base/sl.h"

enum {
	BRAKE_SLIPS = 5,
	BRAKE_WAIT_S = 15,      // after the first one too many
	BRAKE_WAIT_MAX_S = 300, // so some 290 guesses a day for each name and address
	BRAKE_KEPT_S = 3600,    // without another wrong one, and a pair is forgotten
	BRAKE_WIDE = 60,
	BRAKE_WIDE_EACH_S = 36, // 100 an hour
	BRAKE_PROVEN = 100,     // NIST SP 800-63B §5.2.2: no more than 100 in a row
	BRAKE_PROVEN_EACH_S = 10,
	BRAKE_PROVEN_KEPT_S = 30 * 86400,
	BRAKE_WAYS = 8,
	BRAKE_SETS = 8192,         // of pairs
	BRAKE_WIDE_SETS = 4096,    // of addresses
	BRAKE_PROVEN_SETS = 32768, // of proven pairs
};

struct brake_conf {
	size_t sets, wide_sets, proven_sets; // 0 = as above; tests use less
};
struct brake;
[[nodiscard]] enum ec brake_new(const struct brake_conf *conf, struct brake **out);
void brake_free(struct brake *b); // accepts NULL

/// One attempt, between brake_begin and brake_end.
struct brake_try {
	uint64_t pair, wide; // keyed hashes
	bool proven;         // the pair was, when it began
};
/// Whether a password may be proved now; where it may, brake_end must follow.
///
/// in:     name — in the form of the directory; who — see password_who; now_s — clock_steady_s.
/// errors: E_LIMIT (too many wrong ones: refuse), E_TEMP (too many at once: ask again soon).
[[nodiscard]] enum ec brake_begin(
	struct brake *b, struct sl name, const uint8_t who[FAIR_WHO], int64_t now_s, struct brake_try *out);
/// What came of it: E_AUTH is a wrong password; E_OK and E_DENIED (right, but the service is off) are the right one;
/// with anything else nothing was learned.
void brake_end(struct brake *b, const struct brake_try *t, int64_t now_s, enum ec e);
/// brake_begin's E_LIMIT for one who does not try yet; nothing is counted.
[[nodiscard]] enum ec brake_look(struct brake *b, struct sl name, const uint8_t who[FAIR_WHO], int64_t now_s);
/// Attempts refused with E_LIMIT.
uint64_t brake_refused(struct brake *b);
