#pragma once
/// front — what every session of a front role stands on: the configuration snapshot, the store, the list of sessions.
///
/// Owns: accepting, the PROXY header, implicit TLS, session ids, limits on sessions, and the orderly end: at a stop,
/// sessions at rest are woken to say goodbye, sessions in the middle of an answer finish it first.
/// Not here: what a protocol says (front/smtp, front/imap, front/pop3).
#include <stdbool.h>
#include <stdint.h>

#include "auth/sasl.h"
#include "base/arena.h"
#include "base/cx.h"
#include "base/log.h"
#include "fiber/fiber.h"
#include "front/holder.h"
#include "front/heavy.h"
#include "front/room.h"
#include "ipc/client.h"
#include "mail/charset.h"
#include "net/addr.h"
#include "net/io.h"
#include "net/listen.h"
#include "net/tls.h"

enum port_kind {
	PORT_SMTP,
	PORT_LMTP,
	PORT_SUBMISSION,
	PORT_SUBMISSIONS,
	PORT_IMAP,
	PORT_IMAPS,
	PORT_POP3,
	PORT_POP3S,
	PORT_METRICS, // figures over HTTP
	PORT_KINDS
};
/// "smtp", "imaps" …: for log lines and the configuration.
const char *port_name(enum port_kind kind);
/// The standard port number (RFC 6335 registry).
uint16_t port_standard(enum port_kind kind);
/// True where TLS begins at once.
bool port_is_tls(enum port_kind kind);

/// What sessions need of the configuration. Immutable; a reload makes a new one, sessions keep theirs (counted).
struct front_conf {
	unsigned refs;       // malloc'd itself; freed with its memory when this reaches 0
	struct arena memory; // what the slices below point into
	struct sl hostname;  // for banner, Received, Message-ID
	struct sl version;
	uint64_t message_max;          // octets of one message, SMTP SIZE and IMAP APPENDLIMIT
	unsigned recipients_max;       // per SMTP transaction
	unsigned sessions_max;         // of this process
	unsigned sessions_ip_max;      // of this process from one IPv4 address or IPv6 /64
	unsigned sessions_user_ip_max; // of one user from there, over all fronts
	bool bare_newline_reject;      // a bare CR or LF refuses the message instead of being mended
	bool quota_defer;              // a full mailbox is 452 4.2.2 instead of 552 5.2.2
	bool pop3_lock;                // one POP3 session per account at a time
	bool no_scram;                 // SCRAM is not offered: the store keeps no keys for it
	bool plain_on_loopback;        // login without TLS is allowed from loopback
	const struct addr_net *proxy;  // who may send a PROXY header, and then must
	size_t n_proxy;
	struct tls_table *tls; // NULL: no TLS offered
};
void front_conf_unref(struct front_conf *conf); // accepts NULL

struct board;
struct session;
struct front {
	struct client *store;
	const struct board *board;     // figures of all roles; NULL until the master has sent it
	struct front_conf *conf;       // the newest; a session takes its own reference
	struct charset_cache charsets; // converters, opened before the sandbox closes
	struct heavy heavy;            // work that would hold everybody up, with converters of its own
	struct room room;              // memory for large messages: front_set_room
	struct room lists;             // memory for lists of messages: front_set_room
	struct holders holders;        // sessions that hold what may run short
	struct holders tellers;        // that hold room while their client sends a long command
	struct session *sessions;      // all of this process
	unsigned n_sessions;
	unsigned n_peak;   // the most since memory was last given back
	uint64_t sid_next; // session ids: unique over this server's life by a random start
	bool stopping;
};

/// What every session has. The structs of the protocols hold a pointer to it.
struct session {
	struct session *next, **prev;
	struct front *front;
	struct front_conf *conf;
	struct cx *cx;
	struct io *io;
	enum port_kind kind;
	struct seat seat; // how the store counts it: front/seat.h
	bool at_rest;     // waits for a command: may be woken and ended without breaking an answer
};

/// Sets f->room by f->conf, and f->lists; before the first session. A reload does it too.
void front_set_room(struct front *f);
/// Takes over an accepted connection: a fiber that checks limits, reads a PROXY header, does implicit TLS, runs the
/// protocol's session and closes. Logs `session.start` and `session.end` (with octets and reason).
void front_accept(struct front *f, enum port_kind kind, const struct listen_accepted *conn);
/// The loop over one listening socket, as a fiber of its own. errors: E_TEMP.
[[nodiscard]] enum ec front_listen(struct cx *cx, struct front *f, enum port_kind kind, int fd);
/// Replaces the snapshot (takes over the reference). Sessions that run keep theirs.
void front_reload(struct front *f, struct front_conf *conf);
/// Ends listening and asks sessions to end: those at rest now, the others after their answer.
void front_stop(struct front *f);

/// Before waiting for a command: E_CANCELED where the server is stopping. Pairs with session_busy.
[[nodiscard]] enum ec session_rest(struct session *s);
/// A command has come.
void session_busy(struct session *s);
/// Says what the session's fiber does now, for the watchdog: `verb` of its protocol, or nothing.
void session_doing(const struct session *s, struct sl verb);
/// True where login may be offered and taken now: TLS is on, or the peer is loopback and the configuration allows it.
bool session_may_login(const struct session *s);

/// The protocols' entry points; they say the greeting and everything after it, and return when the session is over.
/// Each returns why: E_OK (client said goodbye), E_CLOSED, E_TIMEOUT, E_CANCELED (stop), E_LIMIT (too many bad
/// commands) …
FIB enum ec smtp_session(struct cx *cx, struct session *s); // SMTP, LMTP and submission, by s->kind
FIB enum ec imap_session(struct cx *cx, struct session *s);
FIB enum ec pop3_session(struct cx *cx, struct session *s);
FIB enum ec metrics_session(struct cx *cx, struct session *s);
