#pragma once
/// saslprep — user names and passwords in the one form in which they are stored and compared (RFC 4013).
///
/// Two keyboards may send the same word in different octets (é in one character or two, a wide space); this makes them
/// one. Normalisation and properties come from utf8proc, whose Unicode is newer than the 3.2 of RFC 3454: what was
/// assigned then has the same forms; what came later counts as assigned.
/// What passes through is wiped from memory that is not the caller's.
#include "base/buf.h"

/// RFC 3454 §7: what is stored must hold no unassigned characters; what is asked with may.
enum saslprep_use { SASLPREP_QUERY, SASLPREP_STORED };

/// Appends the prepared form of a password.
///
/// errors: E_SYNTAX (not UTF-8, a prohibited character, mixed directions, nothing left of it), E_TEMP, E_TOOBIG (out's
///         maximum). `out` is as before then.
/// source: RFC 4013 §2.
[[nodiscard]] enum ec saslprep(struct sl text, enum saslprep_use use, struct buf *out);

/// The same for a user name or address. What stands before and behind the last '@' is prepared for itself, so that a
/// name in Hebrew may live in a domain in Latin letters.
[[nodiscard]] enum ec saslprep_name(struct sl name, enum saslprep_use use, struct buf *out);
