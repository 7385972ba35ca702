/// sha256 — OpenSSL's functions that take no memory. Those that replace them allocate, and what they leave behind where
/// that fails is no digest: an operation id made of it would not be known again, and mail would be stored twice; a key
/// checked with it would let anybody in.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "store/sha256.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

void sha256(struct sl in, uint8_t out[static SHA256_OCTETS])
{
	SHA256_CTX c;

	SHA256_Init(&c);
	SHA256_Update(&c, in.p, in.n);
	SHA256_Final(out, &c);
	OPENSSL_cleanse(&c, sizeof c);
}

/// H(K XOR pad, text). `key` has as many octets as a block.
static void keyed(const uint8_t key[static SHA256_CBLOCK], uint8_t pad, struct sl text, uint8_t out[SHA256_OCTETS])
{
	uint8_t block[SHA256_CBLOCK];
	SHA256_CTX c;

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = key[i] ^ pad;
	SHA256_Init(&c);
	SHA256_Update(&c, block, sizeof block);
	SHA256_Update(&c, text.p, text.n);
	SHA256_Final(out, &c);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(&c, sizeof c);
}

void hmac_sha256(struct sl key, struct sl text, uint8_t out[static SHA256_OCTETS])
{
	uint8_t block[SHA256_CBLOCK] = { 0 }, inner[SHA256_OCTETS];

	if (key.n > sizeof block)
		sha256(key, block);
	else if (key.n)
		memcpy(block, key.p, key.n);
	keyed(block, 0x36, text, inner);
	keyed(block, 0x5c, (struct sl){ inner, sizeof inner }, out);
	OPENSSL_cleanse(block, sizeof block);
	OPENSSL_cleanse(inner, sizeof inner);
}
