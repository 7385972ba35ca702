#pragma once
/// smtp_param — ESMTP parameters of MAIL and RCPT: one table row per keyword.
///
/// A keyword that no row knows is not an error of syntax: its name is handed out, and the session answers 555 (which is
/// also its answer to a known one whose extension it did not offer: see `seen`).
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"

enum {
	SMTP_PARAMS_MAX = 32, // parameters of one command; ours
	SMTP_ENVID_MAX = 100, // RFC 3461 §4.4
	SMTP_ORCPT_MAX = 500, // RFC 3461 §4.2
	SMTP_AUTH_MAX = 500,  // RFC 4954 §5
};

/// One bit per known parameter, for `seen`.
enum smtp_param {
	SMTP_SIZE = 1 << 0,       // RFC 1870
	SMTP_BODY = 1 << 1,       // RFC 6152, RFC 3030
	SMTP_AUTH_PARAM = 1 << 2, // RFC 4954 §5
	SMTP_RET = 1 << 3,        // RFC 3461 §4.3
	SMTP_ENVID = 1 << 4,      // RFC 3461 §4.4
	SMTP_SMTPUTF8 = 1 << 5,   // RFC 6531 §3.4
	SMTP_REQUIRETLS = 1 << 6, // RFC 8689 §3
	SMTP_NOTIFY = 1 << 7,     // RFC 3461 §4.1
	SMTP_ORCPT = 1 << 8,      // RFC 3461 §4.2
};

enum smtp_body { SMTP_7BIT, SMTP_8BITMIME, SMTP_BINARYMIME };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1 << 0,
	SMTP_NOTIFY_SUCCESS = 1 << 1,
	SMTP_NOTIFY_FAILURE = 1 << 2,
	SMTP_NOTIFY_DELAY = 1 << 3,
};

struct smtp_params {
	unsigned seen;     // of enum smtp_param
	struct sl unknown; // the first keyword of no row; empty for none
	uint64_t size;     // octets
	enum smtp_body body;
	struct sl auth; // xtext decoded; "<>" where unknown
	enum smtp_ret ret;
	struct sl envid;             // xtext decoded
	unsigned notify;             // of enum smtp_notify
	struct sl orcpt_type, orcpt; // "rfc822" or "utf-8", and the address, decoded
};

/// *(SP esmtp-param) up to the end of the octets.
///
/// in:     of_mail — those of MAIL; otherwise those of RCPT. A known one of the other command is unknown here.
/// errors: sticky in `c`: E_SYNTAX (also a parameter twice), E_RANGE, E_TOOBIG, E_LIMIT, E_TEMP.
/// source: RFC 5321 §4.1.2 (Mail-parameters, Rcpt-parameters, esmtp-param).
void smtp_parse_params(struct cur *c, struct arena *a, bool of_mail, struct smtp_params *out);

/// Decodes xtext into the arena.
///
/// errors: E_SYNTAX, E_TEMP.
/// source: RFC 3461 §4.
[[nodiscard]] enum ec smtp_xtext_decode(struct sl in, struct arena *a, struct sl *out);
/// Appends `in` as xtext.
void smtp_xtext_print(struct buf *b, struct sl in);
