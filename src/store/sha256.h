#pragma once
/// sha256 — digests and keyed digests that cannot fail.
#include <stdint.h>

#include "base/sl.h"

enum { SHA256_OCTETS = 32 };

/// source: FIPS 180-4.
void sha256(struct sl in, uint8_t out[static SHA256_OCTETS]);
/// HMAC-SHA-256. source: RFC 2104.
void hmac_sha256(struct sl key, struct sl text, uint8_t out[static SHA256_OCTETS]);
