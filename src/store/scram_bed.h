#pragma once
/// scram_bed — the client's side of SCRAM for tests, written out from RFC 5802 §3. Only tests include this.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "store/scram.h"

static inline void hmac(const uint8_t *key, size_t n, struct sl text, uint8_t out[32])
{
	unsigned k = 32;

	HMAC(EVP_sha256(), key, (int)n, text.p, text.n, out, &k);
}
/// What the client sends as proof, and what it then expects of the server.
static inline void client_proof(struct sl password, const struct scram_challenge *c, struct sl auth_message,
	uint8_t proof[32], uint8_t server[32])
{
	uint8_t salted[32], client[32], stored[32], sign[32], server_key[32];

	PKCS5_PBKDF2_HMAC(
		(const char *)password.p, (int)password.n, c->salt, 16, (int)c->iterations, EVP_sha256(), 32, salted);
	hmac(salted, 32, SL("Client Key"), client);
	SHA256(client, 32, stored);
	hmac(stored, 32, auth_message, sign);
	for (int i = 0; i < 32; i++)
		proof[i] = client[i] ^ sign[i];
	hmac(salted, 32, SL("Server Key"), server_key);
	hmac(server_key, 32, auth_message, server);
}
