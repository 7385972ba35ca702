#pragma once
/// smtp_reply — prints replies: code, enhanced status, text; one line or many.
///
/// No octet of the texts can end a line: control octets become '?'. A line that would pass 512 octets goes on in
/// the next.
#include "base/buf.h"
#include "base/sl.h"

enum { SMTP_REPLY_LINE_MAX = 512 }; // RFC 5321 §4.5.3.1.5, CRLF included

/// Prints lines[n] as one reply; n = 0 gives a reply without text.
///
/// in:     code — 200 … 599. enhanced — as "5.1.1", NULL for none.
/// source: RFC 5321 §4.2 (Reply-line), RFC 2034 §4 (enhanced status in each line).
void smtp_print_reply(struct buf *b, unsigned code, const char *enhanced, const struct sl *lines, size_t n);
/// The same for one line.
void smtp_print_reply1(struct buf *b, unsigned code, const char *enhanced, struct sl line);
