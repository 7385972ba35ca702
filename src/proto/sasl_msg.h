#pragma once
/// sasl_msg — grammars of SASL messages: what clients say in PLAIN, LOGIN and SCRAM, and the server's SCRAM messages.
///
/// No cryptography and no decisions: auth/ has both. Names and passwords are given as sent (SASLprep is auth/'s). The
/// texts over which SCRAM signs are given as slices of the messages themselves.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	SASL_NAME_MAX = 1023,     // octets of authzid, authcid: RFC 4616 §2 has 255 characters
	SASL_PASSWORD_MAX = 1023, // the same
	SASL_NONCE_MAX = 256,     // ours
	SASL_CBIND_MAX = 2048,    // gs2-header and channel binding data; ours
	SASL_PROOF_MAX = 64,      // SHA-512
};

/// Decodes a client's response or initial response.
///
/// errors: E_CANCELED ("*"), E_SYNTAX (not base64), E_TEMP. "=" is an empty response.
/// source: RFC 4422 §3.5 (abort), RFC 4954 §4, RFC 9051 §6.2.2, RFC 5034 §4.
[[nodiscard]] enum ec sasl_decode_response(struct sl line, struct arena *a, struct sl *out);

struct sasl_plain {
	struct sl authzid; // empty: as authcid
	struct sl authcid, password;
};
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
///
/// errors: E_SYNTAX (also what is not UTF-8), E_TOOBIG.
/// source: RFC 4616 §2.
[[nodiscard]] enum ec sasl_parse_plain(struct sl message, struct sasl_plain *out);

/// What LOGIN asks, still to be encoded.
/// source: draft-murchison-sasl-login-00.
#define SASL_LOGIN_USERNAME SL("Username:")
#define SASL_LOGIN_PASSWORD SL("Password:")
/// Checks one answer of LOGIN: UTF-8 without NUL, not empty, at most SASL_NAME_MAX octets.
///
/// errors: E_SYNTAX, E_TOOBIG.
[[nodiscard]] enum ec sasl_check_login_answer(struct sl answer);

enum scram_cbind {
	SCRAM_CBIND_NONE,       // n: the client does not do channel binding
	SCRAM_CBIND_NOT_SERVER, // y: the client thinks that the server does not
	SCRAM_CBIND_USED,       // p=<name>
};
struct scram_client_first {
	enum scram_cbind cbind;
	struct sl cbind_name; // "tls-server-end-point", …
	struct sl authzid;    // unescaped, empty for none
	struct sl gs2_header; // must come back in the final message
	struct sl bare;       // client-first-message-bare, for AuthMessage
	struct sl username;   // unescaped
	struct sl nonce;
};
/// client-first-message = gs2-header client-first-message-bare
///
/// errors: E_SYNTAX, E_UNSUPPORTED (m=: a mandatory extension), E_TOOBIG, E_TEMP.
/// source: RFC 5802 §7.
[[nodiscard]] enum ec scram_parse_client_first(struct sl message, struct arena *a, struct scram_client_first *out);

struct scram_client_final {
	struct sl cbind_input; // decoded: gs2-header and, with p=, the channel's data
	struct sl nonce;
	struct sl proof;         // decoded
	struct sl without_proof; // client-final-message-without-proof, for AuthMessage
};
/// client-final-message = client-final-message-without-proof "," proof
///
/// errors: E_SYNTAX, E_TOOBIG, E_TEMP.
/// source: RFC 5802 §7.
[[nodiscard]] enum ec scram_parse_client_final(struct sl message, struct arena *a, struct scram_client_final *out);

/// True where the final message belongs to the first: its cbind-input begins with the first's gs2-header (and is no
/// longer unless `p=`), its nonce is the client's followed by the server's.
/// source: RFC 5802 §5.1 (c:, r:).
bool scram_final_fits(
	const struct scram_client_first *first, struct sl server_nonce, const struct scram_client_final *final);

/// server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count
void scram_print_server_first(
	struct buf *b, struct sl client_nonce, struct sl server_nonce, struct sl salt, uint32_t iterations);
/// server-final-message = verifier: "v=" base64
void scram_print_server_final(struct buf *b, struct sl signature);
/// server-final-message = server-error: "e=" server-error-value
///
/// in: value — a word of RFC 5802 §7 (server-error-value), as "invalid-proof".
void scram_print_server_error(struct buf *b, struct sl value);
