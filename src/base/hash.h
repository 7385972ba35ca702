#pragma once
/// hash — CRC-32C for what is stored, SipHash-2-4 for tables that strangers fill, random octets for keys.
#include <stdint.h>

#include "base/ec.h"
#include "base/sl.h"

/// CRC-32C (Castagnoli, reflected, as RFC 3720 appendix B.4) of `s`, continuing `crc` (0 to start).
uint32_t crc32c(uint32_t crc, struct sl s);

struct hash_key {
	uint64_t k0, k1;
};
/// A keyed 64-bit hash that a stranger without the key cannot make collide (SipHash-2-4).
uint64_t hash_keyed(const struct hash_key *key, struct sl s);

/// Fills p[n] with octets fit for keys (getrandom). Aborts where the kernel has none: going on would be unsafe.
void random_octets(void *p, size_t n);
/// A random 64-bit number.
uint64_t random_u64(void);
