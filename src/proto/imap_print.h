#pragma once
/// imap_print — the twins of imap_lex: values to their form on the wire.
///
/// Whatever the octets, the output is well-formed: what a quoted string cannot carry goes into a literal. NUL, which
/// neither can carry, becomes '?'.
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sl.h"
#include "proto/imap_lex.h"

enum { IMAP_QUOTED_MAX = 1000 }; // longer strings go as literals, so that lines stay short; ours

/// string: quoted where it is short and 7-bit (or UTF-8 with `utf8`) without CR, LF; otherwise a literal.
/// source: RFC 9051 §9 (string, quoted, literal), §4.3.
void imap_print_string(struct buf *b, struct sl s, bool utf8);
/// nstring: NIL where s.p is NULL.
void imap_print_nstring(struct buf *b, struct sl s, bool utf8);
/// astring: bare where every octet is an ASTRING-CHAR and it is not "NIL".
void imap_print_astring(struct buf *b, struct sl s, bool utf8);
/// A UTF-8 mailbox name in modified UTF-7, or as UTF-8 where the client enabled that.
///
/// errors: E_SYNTAX in b->err where `name` is not UTF-8.
/// source: RFC 9051 §5.1, RFC 3501 §5.1.3.
void imap_print_mailbox(struct buf *b, struct sl name, bool utf8);
/// "(" [flag *(SP flag)] ")"
void imap_print_flags(struct buf *b, const struct imap_flags *flags);
/// date-time, in the zone `zone_min` minutes east of UTC, within one day.
void imap_print_date_time(struct buf *b, int64_t unix_s, int zone_min);
/// date, as SEARCH takes it.
void imap_print_date(struct buf *b, struct imap_date d);
