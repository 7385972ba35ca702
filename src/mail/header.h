#pragma once
/// header — the header fields of a raw message: walking, finding, unfolding, subsetting.
///
/// Works on slices of the message and copies nothing but what is unfolded. Accepts what is really in mailboxes: bare LF
/// line ends, lines without a colon (a field with an empty name), no blank line, 8-bit octets and NUL. Not here: what a
/// field's value means (address, date, param, encword).
/// Invariant: the `whole` slices of a walk follow each other without a gap from the start to the blank line.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	HEADER_FIELDS_MAX = 10000,          // fields that one walk yields
	HEADER_WALK_MAX = 2 * 1024 * 1024,  // octets of header that one walk looks at
	HEADER_VALUE_MAX = 1 * 1024 * 1024, // octets of one unfolded value; what is longer is cut
};

struct header_field {
	struct sl name; // as sent, without blanks before the colon; empty for a line without a colon
	struct sl
		value; // behind the colon (the whole line where there is none), still folded, without its last line end
	struct sl whole; // the field as it stands in the message, with its line ends
};

struct header_iter {
	struct sl in;
	size_t at;       // next field; after the last one: where the body begins (unless `limited`)
	uint32_t fields; // yielded so far
	bool done;       // at the blank line or the end
	bool limited;    // stopped by a limit before the header's end
};

/// A walk over the header at the start of `message`, which is borrowed for the walk's life.
struct header_iter header_over(struct sl message);

/// The next field.
///
/// out:    *f, written only where the result is true; slices of the message.
/// source: RFC 5322 §2.2, §3.6.8, §4.5 (blanks before the colon).
bool header_next(struct header_iter *it, struct header_field *f);

/// Octets of the header with its blank line: where the body begins. Without a blank line all of it is header.
///
/// source: RFC 5322 §2.1.
size_t header_octets(struct sl message);

/// The same for a message that comes in pieces. Zero-initialise.
struct header_end {
	size_t octets; // of the header, as far as it has come
	bool in_line;  // the next octet does not begin a line
	bool cr;       // the line is a CR so far
};
/// Looks at the next piece. True where the header ends in it, at h->octets; no more pieces then.
bool header_end_feed(struct header_end *h, struct sl piece);

/// Finds the first field with that name (ASCII case folded), or the `nth` (0 = first).
///
/// out: *f, written only where the result is true.
bool header_find(struct sl message, struct sl name, struct header_field *f);
bool header_find_nth(struct sl message, struct sl name, uint32_t nth, struct header_field *f);

/// Appends a raw value as one line: every CR and LF goes (so that a fold leaves its blank), and every NUL, which no
/// IMAP string can carry (RFC 9051 §4.3). Errors stick in `out`.
///
/// source: RFC 5322 §2.2.3.
void header_unfold(struct sl raw, struct buf *out);

/// The value as one line without blanks around it. Borrows from `raw` where that is possible, else a copy owned by `a`.
///
/// out:    *value; .p is never NULL on E_OK. Cut to HEADER_VALUE_MAX octets.
/// errors: E_TEMP (arena).
[[nodiscard]] enum ec header_text(struct arena *a, struct sl raw, struct sl *value);

struct header_names {
	const struct sl *names;
	size_t n;
	bool not_these; // HEADER.FIELDS.NOT
};

/// Appends the fields that a HEADER.FIELDS section asks for, octet for octet in their order, and the blank line where
/// the message has one. Lines without a colon belong to no name: only HEADER.FIELDS.NOT gives them.
///
/// in:     message — the message or only its header, with the blank line.
/// errors: what stuck in `out` (E_TOOBIG, E_TEMP).
/// source: RFC 9051 §6.4.5.1.
[[nodiscard]] enum ec header_subset(struct sl message, const struct header_names *want, struct buf *out);
