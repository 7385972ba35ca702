#pragma once
/// sasl — the server side of SASL logins (PLAIN, LOGIN, SCRAM-SHA-256), the same for SMTP, IMAP and POP3.
///
/// Grammar: proto/sasl_msg. Proof: the store (verbs login, scram_begin, scram_end), which knows the secrets and
/// answers in the same time and words whether a user exists. Here: the order of messages, and names and passwords in
/// their prepared form (auth/saslprep.h); a password that cannot be prepared, or was stored unprepared, is compared as
/// sent.
#include "base/buf.h"
#include "base/cx.h"
#include "fiber/fiber.h"
#include "ipc/client.h"

/// Sends a challenge (raw octets; the protocol adds base64 and its "+ " or "334 ") and reads the client's response
/// into `response` (decoded from base64, cleared first). errors: E_SYNTAX (not base64), E_CANCELED (the client sent
/// "*"), wire errors.
typedef FIB enum ec sasl_ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response);

/// What the store counts a session as, from the moment its password was right: front/seat.h gives it back.
struct seat {
	uint64_t account; // 0 = nobody's yet
	uint64_t epoch;   // client_epoch of the connection that knows it
};

struct sasl_login {
	struct client *store;
	enum service service;
	const uint8_t *peer_ip; // 16 octets
	uint64_t session;       // see the verb login; the same for `most`
	uint32_t most;
	struct seat *seat; // out: written where the store took the password, also where the exchange fails after that
	sasl_ask *ask;
	void *arg;
	bool may_plain;    // PLAIN and LOGIN allowed (session_may_login); SCRAM is allowed under the same rule here
	bool no_scram;     // the store keeps no keys for SCRAM
	struct buf *tried; // NULL, or receives the user's name as sent, for log lines; also where the login fails
};

struct sasl_result {
	struct handle handle;
	uint8_t address[320]; // canonical, lower case
	uint16_t address_octets;
};

/// The mechanisms offered, as one text for capability lines: "PLAIN LOGIN SCRAM-SHA-256"; without keys (`no_scram`)
/// only what can succeed, since clients take the strongest.
struct sl sasl_mechanisms(bool no_scram);
/// Runs one exchange. `mechanism` as the client sent it (case folded here). `initial` decoded; .p NULL where none
/// came.
///
/// out:    *out on E_OK.
/// yields: yes. errors: E_UNSUPPORTED (mechanism unknown or not offered), E_AUTH (wrong credentials; also an authzid
/// that is not the user), E_DENIED (right, but this service is switched off for the user), E_QUOTA (right, but the user
/// has `most` sessions from there), E_LIMIT (too many wrong ones lately: not looked at), E_SYNTAX (client's message is
/// not well formed), E_STATE (may_plain is false), E_CANCELED ("*"), E_TEMP, wire errors.
FIB enum ec sasl_run(
	struct cx *cx, const struct sasl_login *l, struct sl mechanism, struct sl initial, struct sasl_result *out);
/// The LOGIN command of IMAP, USER/PASS of POP3: a plain check.
FIB enum ec sasl_password(
	struct cx *cx, const struct sasl_login *l, struct sl user, struct sl password, struct sasl_result *out);
