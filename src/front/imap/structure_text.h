#pragma once
/// structure_text — header text as an IMAP string that any client can take.
///
/// Most text is printable ASCII and goes out as it is, encoded words included. Raw 8-bit text is read as UTF-8, GB18030
/// (which GB2312 is part of) or Windows-1252, whichever it can be, and becomes encoded words of RFC 2047, or plain
/// UTF-8 where the client enabled that. Control octets become blanks: none ever leaves in a string.
#include <stdbool.h>

#include "base/buf.h"
#include "base/sl.h"
#include "mail/charset.h"

enum {
	STRUCTURE_TEXT_MAX = 8 << 20, // octets of one re-encoded text; a header value of HEADER_VALUE_MAX fits
};

struct structure_style {
	struct charset_cache *charsets;
	bool utf8; // the client enabled UTF-8 in strings
};

/// Appends `s` as a string; NIL where s.p is NULL. Errors stick in `b`.
///
/// source: RFC 9051 §7.5.2 (ENVELOPE, BODYSTRUCTURE: nstring), RFC 2047 §2, §5, §6.2.
void structure_print_text(struct buf *b, struct sl s, const struct structure_style *style);
