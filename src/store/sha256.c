/// sha256 — OpenSSL's functions that take no memory. Those that replace them allocate, and what they leave behind where
/// that fails is no digest: an operation id made of it would not be known again, and mail would be stored twice.
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
