#pragma once
/// structure_print — ENVELOPE, BODY and BODYSTRUCTURE from what the mail layer parsed. Pure; no I/O.
///
/// Whatever the message, the output follows the grammar: strings are cleaned by structure_text, a part that has the
/// name of a type without its shape (a message/rfc822 without a message) is shown as application/octet-stream.
#include "front/imap/structure_text.h"
#include "mail/envelope.h"
#include "mail/mime.h"

/// Appends `(date subject (from) (sender) …)`. Errors stick in `b`.
///
/// source: RFC 9051 §7.5.2 (ENVELOPE), §9 (envelope).
void structure_print_envelope(struct buf *b, const struct envelope *e, const struct structure_style *style);

/// Appends the structure of a part and of all in it; with `extended` as BODYSTRUCTURE, else as BODY.
///
/// in:     part — of a tree by mime_parse, so that its depth is bounded.
/// source: RFC 9051 §7.5.2 (BODY, BODYSTRUCTURE), §9 (body).
void structure_print_body(
	struct buf *b, const struct mime_part *part, bool extended, const struct structure_style *style);
