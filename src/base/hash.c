/// hash — checksums and keyed hashes. CRC-32C uses the processor's instruction where there is one (8 GB/s).
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/num.h"

#if defined(__x86_64__)
#include <nmmintrin.h>

/// No calls in here: the compiler takes none of ours into a function for another kind of machine.
[[gnu::target("sse4.2")]] static uint32_t crc32c_sse(uint32_t crc, struct sl s)
{
	uint64_t c = crc;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		uint64_t v;
		memcpy(&v, s.p + i, 8);
		c = _mm_crc32_u64(c, v);
	}
	for (; i < s.n; i++)
		c = _mm_crc32_u8((uint32_t)c, s.p[i]);
	return (uint32_t)c;
}

static bool has_crc32c(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#else
static uint32_t crc32c_sse(uint32_t crc, struct sl s)
{
	(void)s;
	return crc;
}

static bool has_crc32c(void)
{
	return false;
}
#endif

/// Bit by bit with the reflected polynomial 0x82F63B78: small, and only for machines without the instruction.
static uint32_t crc32c_bits(uint32_t crc, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		crc ^= s.p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
	}
	return crc;
}

uint32_t crc32c(uint32_t crc, struct sl s)
{
	crc = ~crc;
	return ~(has_crc32c() ? crc32c_sse(crc, s) : crc32c_bits(crc, s));
}

static uint64_t rotl(uint64_t v, int k)
{
	return v << k | v >> (64 - k);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t hash_keyed(const struct hash_key *key, struct sl s)
{
	uint64_t v[4] = { key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du, key->k0 ^ 0x6c7967656e657261u,
		key->k1 ^ 0x7465646279746573u };
	uint64_t last = (uint64_t)s.n << 56;

	while (s.n >= 8) {
		sip_word(v, get_le64(s.p));
		s = sl_from(s, 8);
	}
	for (size_t i = 0; i < s.n; i++)
		last |= (uint64_t)s.p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void random_octets(void *p, size_t n)
{
	uint8_t *at = p;

	while (n) {
		ssize_t k = getrandom(at, n, 0);
		if (k <= 0)
			abort();
		at += k;
		n -= (size_t)k;
	}
}

uint64_t random_u64(void)
{
	uint64_t v;

	random_octets(&v, sizeof v);
	return v;
}
