#pragma once
/// pop3_command — one POP3 command line to a struct.
#include <stdbool.h>
#include <stdint.h>

#include "base/cur.h"

enum { POP3_LINE_MAX = 255, POP3_AUTH_LINE_MAX = 12288 }; // RFC 2449 §4, CRLF included; RFC 5034 §4

enum pop3_verb {
	POP3_APOP,
	POP3_AUTH,
	POP3_CAPA,
	POP3_DELE,
	POP3_LANG,
	POP3_LIST,
	POP3_NOOP,
	POP3_PASS,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_STLS,
	POP3_TOP,
	POP3_UIDL,
	POP3_USER,
	POP3_UTF8,
	POP3_VERB_COUNT
};

/// States of a session (RFC 1939 §3) as bits, for the rows' `states`.
enum pop3_state { POP3_AUTHORIZATION = 1 << 0, POP3_TRANSACTION = 1 << 1 };

struct pop3_auth {
	struct sl mechanism; // empty: list the mechanisms, as older clients ask
	bool has_initial;
	struct sl initial; // still base64
};

struct pop3_command {
	enum pop3_verb verb;
	bool has_msg;       // LIST, UIDL may go without
	uint32_t msg;       // LIST, UIDL, RETR, DELE, TOP
	uint32_t lines;     // TOP
	struct sl name;     // USER
	struct sl password; // PASS: everything behind the first SP
	struct pop3_auth auth;
};

struct pop3_verb_row {
	enum pop3_verb verb;
	struct sl name;
	unsigned states;  // of enum pop3_state
	bool unsupported; // known, and answered -ERR
	void (*parse)(struct cur *c, struct pop3_command *out);
	const char *source;
};
/// One row per verb, in the order of enum pop3_verb, which is that of the alphabet.
extern const struct pop3_verb_row pop3_verbs[POP3_VERB_COUNT];

/// Parses one line, given without its CRLF; all slices are borrowed from it.
///
/// errors: E_NOTFOUND (no such verb), E_UNSUPPORTED (APOP, LANG, UTF8), E_SYNTAX, E_RANGE (message number 0 or above
///         32 bits), E_TOOBIG (line too long).
/// source: RFC 1939 §5–§7, §9; RFC 2449 (CAPA), RFC 2595 (STLS), RFC 5034 (AUTH), RFC 6856 (UTF8, LANG).
[[nodiscard]] enum ec pop3_parse_command(struct sl line, struct pop3_command *out);
