#pragma once
/// mutf7 — modified UTF-7, in which IMAP4rev1 writes mailbox names, to and from UTF-8.
///
/// Strict both ways, so that every name has exactly one spelling: no encoded printable ASCII, no padding, no
/// neighbouring shifts, no lone surrogates.
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

/// Appends the UTF-8 form of the modified UTF-7 text `in`.
///
/// errors: E_SYNTAX (not modified UTF-7 or not its only spelling); E_TOOBIG, E_TEMP from `out`. `out` is as before.
/// source: RFC 3501 §5.1.3, RFC 9051 appendix A.1.
[[nodiscard]] enum ec mutf7_to_utf8(struct sl in, struct buf *out);

/// Appends the modified UTF-7 form of the UTF-8 text `in`.
///
/// errors: E_SYNTAX (not UTF-8); E_TOOBIG, E_TEMP from `out`. `out` is then unchanged.
/// source: RFC 3501 §5.1.3.
[[nodiscard]] enum ec mutf7_from_utf8(struct sl in, struct buf *out);
