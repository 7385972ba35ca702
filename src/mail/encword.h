#pragma once
/// encword — encoded words and raw 8-bit octets in header text, to UTF-8.
///
/// Adjacent words lose the blanks between them, and octets of one character that senders split over two words of the
/// same charset and encoding are joined. A broken word stays as it is. Octets above 0x7f outside words are read as
/// charset_guess says. Output is one line of valid UTF-8. Errors stick in the buf.
#include "base/buf.h"
#include "base/sl.h"
#include "mail/charset.h"

enum {
	ENCWORD_MAX = 4096, // octets of one encoded word that we decode; RFC 2047 §2 allows 75, senders do not care
};

/// Appends unstructured text (a Subject) decoded; folds are undone, blanks at both ends removed.
///
/// in:     raw — the value as sent.
/// source: RFC 2047 §2, §4, §5 (1), §6.2; RFC 2231 §5 (language suffix).
void encword_decode_text(struct charset_cache *cc, struct sl raw, struct buf *out);

/// Appends a phrase (a display name) decoded. The name comes from address_parse_list, so its quoting is gone already,
/// and blanks at its ends are part of it; words that a sender wrongly put within quotes are decoded too, as readers
/// expect.
///
/// source: RFC 2047 §5 (3).
void encword_decode_phrase(struct charset_cache *cc, struct sl name, struct buf *out);
