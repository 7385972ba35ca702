#pragma once
/// login — what logins of all protocols share: the log line that fail2ban reads, one step of a SASL exchange, and that
/// they last as long as their session.
#include "base/arena.h"
#include "base/buf.h"
#include "front/front.h"

/// Renews a handle of which half the life is over. Call it before what a command asks of the store, with the place that
/// all requests and watches of the session take their handle from. What cannot be renewed now stays as it is: it is
/// good for hours still, or the requests say why not.
FIB void login_renew(struct cx *cx, struct client *store, struct handle *handle);

/// What a session does with its login before each command: renews its handle, keeps its seat.
FIB void login_keep(struct cx *cx, struct session *s, struct handle *handle);

/// Logs `auth.ok user= ip= proto= mech=` (E_OK), `login.crowded user= ip= proto=` (E_QUOTA: a right login was refused,
/// its user has sessions_user_ip_max from there) or `auth.failed user= ip= proto= mech= why=`, why being the error's
/// name. The lines are steady: operators' filters read them (docs/OPERATING.md).
void login_log(struct cx *cx, const struct session *s, struct sl mechanism, struct sl user, enum ec e);

/// One exchange: login_ready passes it as sasl_login's `arg` with login_ask.
struct login_asking {
	struct io *io;
	struct sl prefix;     // "+ " or "334 "
	size_t line_max;      // octets of the client's line
	int64_t wait_ms;      // for it
	struct arena *memory; // for decoding; what it held is wiped
	enum ec wire;         // out: an error of the connection, which ends the session
};
/// A sasl_ask: sends prefix, base64 of the challenge and CRLF, reads one line, decodes it.
///
/// errors: E_TOOBIG and E_SYNTAX of the line; those of the wire, noted in `wire` as well.
/// source: RFC 4954 §4, RFC 5034 §4, RFC 9051 §6.2.2.
FIB enum ec login_ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response);
/// What a login by this session needs: its limits, its place in the store's count. A seat that it had is given back.
///
/// in:     a — NULL where no mechanism is run; tried — as sasl_login's. Both borrowed while the login is used.
/// yields: until the seat is given back.
FIB struct sasl_login login_ready(
	struct cx *cx, struct session *s, enum service service, struct login_asking *a, struct buf *tried);
