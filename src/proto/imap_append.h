#pragma once
/// imap_append — the grammar of APPEND up to the announcement of its message, which is streamed elsewhere.
#include "base/arena.h"
#include "base/cur.h"
#include "proto/imap_frame.h"
#include "proto/imap_lex.h"

struct imap_append {
	struct sl mailbox; // wire form
	struct imap_flags flags;
	bool has_date;
	int64_t date_s; // seconds since 1970-01-01 UTC
	int zone_min;   // its zone, minutes east
	struct imap_literal literal;
};

/// append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal, from behind the first SP to the end of
/// `{n}`, `{n+}` or `~{n}`, where the cursor's octets must end. A mailbox sent as a literal stands before, in place.
///
/// Asked at each announcement of an APPEND, this also tells the framer what comes: without an error the message, with
/// E_SYNTAX at the end of the octets an argument (or nothing good), to be read into the command.
/// source: RFC 9051 §6.3.12 and §9 (append, append-message), RFC 7888.
void imap_parse_append_head(struct cur *c, struct arena *a, struct imap_append *out);
