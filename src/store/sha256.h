#pragma once
/// sha256 — a digest that cannot fail.
#include <stdint.h>

#include "base/sl.h"

enum { SHA256_OCTETS = 32 };

/// source: FIPS 180-4.
void sha256(struct sl in, uint8_t out[static SHA256_OCTETS]);
