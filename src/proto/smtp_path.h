#pragma once
/// smtp_path — the mailboxes of an envelope: reverse-path and forward-path, domains, address literals.
///
/// Source routes are taken and dropped. Text is given as it was sent and in the form that is compared.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"

/// RFC 5321 §4.5.3.1.1 – §4.5.3.1.3, RFC 1035 §2.3.4.
enum { SMTP_LOCAL_MAX = 64, SMTP_DOMAIN_MAX = 255, SMTP_PATH_MAX = 256, SMTP_LABEL_MAX = 63 };

enum smtp_host_kind {
	SMTP_HOST_NAME,    // labels of letters, digits, hyphens (and of UTF-8 where .utf8)
	SMTP_HOST_IPV4,    // [192.0.2.1]
	SMTP_HOST_IPV6,    // [IPv6:2001:db8::1]
	SMTP_HOST_GENERAL, // [tag:…], which nobody routes
};

struct smtp_host {
	enum smtp_host_kind kind;
	struct sl text; // a name in lower case without trailing dot; a literal as sent, with its brackets
	uint8_t ip[16]; // in network order; 4 or 16 octets
	bool utf8;
};

struct smtp_path {
	bool null;             // <>
	bool postmaster;       // <Postmaster> without a domain
	struct sl raw;         // what stood between < and >, without the source route
	struct sl local;       // the local part without quoting; its letters keep their case
	struct smtp_host host; // .text empty where null or postmaster
	bool utf8;             // needs SMTPUTF8
};

/// Reverse-path = Path / "<>"
/// Forward-path = "<Postmaster@" Domain ">" / "<Postmaster>" / Path
///
/// in:     allow_null — the empty path may stand here (MAIL).
/// errors: sticky in `c`: E_SYNTAX, E_TOOBIG (local part, domain or path above its limit), E_TEMP.
/// source: RFC 5321 §4.1.2, RFC 6531 §3.3 (UTF-8).
void smtp_parse_path(struct cur *c, struct arena *a, bool allow_null, struct smtp_path *out);

/// Local-part "@" (Domain / address-literal), without angle brackets; where there is no "@" only "postmaster" is taken.
/// source: RFC 5321 §4.1.2 (Mailbox).
void smtp_parse_mailbox(struct cur *c, struct arena *a, struct smtp_path *out);

/// Domain / address-literal
/// source: RFC 5321 §4.1.2, §4.1.3; RFC 5890 §2.3.1 (LDH labels).
void smtp_parse_host(struct cur *c, struct arena *a, struct smtp_host *out);

/// Prints `local@domain` with quoting where the local part needs it; nothing for the null path.
void smtp_print_path(struct buf *b, const struct smtp_path *p);
