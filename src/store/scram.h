#pragma once
/// scram — SCRAM-SHA-256 as the server: keys from a password, challenges, proofs.
///
/// A nonce carries its expiry and a MAC over its user, so that asking costs no memory; only those that were used are
/// remembered until they expire. Unknown users get a steady fake salt. Threads: all functions from any thread.
/// source: RFC 5802 §3, §5; RFC 7677.
#include "store/account.h"

enum {
	SCRAM_ITERATIONS = 15000, // RFC 7677 §4: 4096 at least, 15,000 or more recommended
	SCRAM_NONCE = 32,         // printable octets without ','
	SCRAM_NONCE_S = 120,
};

struct scram;
/// `secret` is steady and of the store: fake salts are the same after a restart. iterations 0 = SCRAM_ITERATIONS.
[[nodiscard]] enum ec scram_new(const uint8_t secret[32], uint32_t iterations, struct scram **out);
void scram_free(struct scram *s); // accepts NULL

/// Fills the SCRAM part of *cred from a password with a fresh salt. errors: E_TEMP.
[[nodiscard]] enum ec scram_keys(struct sl password, uint32_t iterations, struct credentials *cred);

/// What scram_begin answers: the account's salt, or a steady fake one where `cred` is NULL or has no SCRAM keys.
struct scram_challenge {
	uint8_t salt[SCRAM_SALT];
	uint32_t iterations;
	uint8_t nonce[SCRAM_NONCE];
};
void scram_begin(
	struct scram *s, struct sl user, const struct credentials *cred, int64_t now_s, struct scram_challenge *out);
struct scram_proof {
	struct sl user, nonce, auth_message, proof;
};
/// Proves a client. A nonce serves once, for its user, for SCRAM_NONCE_S.
/// errors: E_AUTH; E_TEMP (too many exchanges under way).
[[nodiscard]] enum ec scram_end(struct scram *s, const struct scram_proof *pr, const struct credentials *cred,
	int64_t now_s, uint8_t server_signature[SCRAM_KEY]);
