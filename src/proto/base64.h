#pragma once
/// base64 — the strict form of RFC 4648: right padding, zero pad bits, no other octets.
///
/// For SASL and other places where one value has one spelling. What mail bodies contain is mail/'s business.
#include "base/arena.h"
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

/// Decodes all of `in`.
///
/// out:    *out — owned by `a`; empty for an empty `in`.
/// errors: E_SYNTAX, E_TEMP.
/// source: RFC 4648 §4, §3.5 (pad bits).
[[nodiscard]] enum ec base64_decode(struct sl in, struct arena *a, struct sl *out);
/// Appends `in`, encoded with padding.
void base64_encode(struct buf *b, struct sl in);
