#pragma once
/// message_text — what SEARCH looks at in a message: decoded header fields and the text of text/* parts.
///
/// Each text is decoded from its transfer encoding, converted to UTF-8, freed of HTML tags, folded and shown to all
/// needles at once, in pieces; a walk stops as soon as every needle has been found. Memory: two buffers of at most
/// TEXT_PIECE and a few times that for expansion, whatever the message's size. Between two texts no match spans.
#include <stdbool.h>
#include <stddef.h>

#include "base/ec.h"
#include "base/sl.h"
#include "mail/charset.h"
#include "mail/fold.h"
#include "mail/mime.h"

enum {
	TEXT_PIECE = 16 * 1024, // octets of the message decoded at once
};

/// Needles to look for together. Their `found` is the result.
struct text_needles {
	struct fold_needle *v;
	size_t n;
};

/// Looks in the text of every text/* part, and in the headers of messages within the message (SEARCH BODY); with
/// `headers` also in the message's own header (SEARCH TEXT).
///
/// errors: E_TEMP (no memory); needles found before keep `found`.
/// source: RFC 9051 §6.4.4 (BODY, TEXT).
[[nodiscard]] enum ec text_search_message(
	struct charset_cache *cc, const struct mime_tree *tree, bool headers, struct text_needles needles);

/// Looks in every field of that name, decoded, each on its own (SEARCH SUBJECT, FROM, HEADER …).
///
/// in:     header — the message or its header.
/// errors: E_TEMP.
/// source: RFC 9051 §6.4.4.
[[nodiscard]] enum ec text_search_field(
	struct charset_cache *cc, struct sl header, struct sl name, struct text_needles needles);
