#pragma once
/// smtp_command — one SMTP or LMTP command line to a struct.
///
/// One table row per verb: name, group rule for pipelining, longest line, parser, source. Liberal acceptance of what
/// clients really send is in functions named accept_….
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cur.h"
#include "proto/smtp_param.h"
#include "proto/smtp_path.h"

enum {
	SMTP_LINE_MAX = 512, // RFC 5321 §4.5.3.1.4, CRLF included
	SMTP_MAIL_LINE_MAX =
		1536, // 512 + SIZE 26 + BODY 17 + AUTH 500 + SMTPUTF8 10 + DSN 123 + REQUIRETLS 11, rounded up
	SMTP_RCPT_LINE_MAX = 1536,  // 512 + NOTIFY 28 + ORCPT 500, rounded up
	SMTP_AUTH_LINE_MAX = 12288, // RFC 4954 §4
};

enum smtp_verb {
	SMTP_AUTH,
	SMTP_BDAT,
	SMTP_DATA,
	SMTP_EHLO,
	SMTP_EXPN,
	SMTP_HELO,
	SMTP_HELP,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_RCPT,
	SMTP_RSET,
	SMTP_STARTTLS,
	SMTP_VRFY,
	SMTP_VERB_COUNT
};

struct smtp_hello {
	struct sl name; // as sent
	bool is_host;   // it follows the grammar: `host` is set
	struct smtp_host host;
};
struct smtp_envelope {
	struct smtp_path path;
	struct smtp_params params;
};
struct smtp_bdat {
	uint64_t octets;
	bool last;
};
struct smtp_auth {
	struct sl mechanism;
	bool has_initial;
	struct sl initial; // still base64, "=" for an empty one: see sasl_decode_response
};

struct smtp_command {
	enum smtp_verb verb;
	union {
		struct smtp_hello hello;       // EHLO, HELO, LHLO
		struct smtp_envelope envelope; // MAIL, RCPT
		struct smtp_bdat bdat;
		struct smtp_auth auth;
		struct sl text; // HELP, NOOP, VRFY, EXPN: the String, maybe empty for the first two
	};
};

struct smtp_verb_row {
	enum smtp_verb verb;
	struct sl name;
	bool ends_group; // nothing may be pipelined behind it (RFC 2920 §3.1)
	size_t line_max; // octets with CRLF
	void (*parse)(struct cur *c, struct arena *a, struct smtp_command *out);
	const char *source;
};
/// One row per verb, in the order of enum smtp_verb, which is that of the alphabet.
extern const struct smtp_verb_row smtp_verbs[SMTP_VERB_COUNT];

/// The row of the verb at the start of `line`, or NULL.
const struct smtp_verb_row *smtp_find_verb(struct sl line);

/// Parses one line, given without its CRLF.
///
/// out:    *out — slices borrowed from the line or owned by `a`.
/// errors: E_UNSUPPORTED (no such verb: 500), E_SYNTAX (501), E_RANGE, E_TOOBIG (line, path or part too long),
///         E_LIMIT (parameters), E_TEMP.
/// source: RFC 5321 §4.1.1; RFC 3207, RFC 3030, RFC 4954, RFC 2033.
[[nodiscard]] enum ec smtp_parse_command(struct sl line, struct arena *a, struct smtp_command *out);
