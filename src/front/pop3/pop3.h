#pragma once
/// pop3 — a POP3 session: the maildrop as it was at login, until QUIT.
///
///   AUTHORIZATION --PASS, AUTH--> TRANSACTION --QUIT--> UPDATE (update.c): only there are messages removed
///
/// Files: pop3.c the loop and the small commands; login.c USER, PASS, AUTH; drop.c the snapshot; list.c STAT, LIST,
/// UIDL, DELE, RSET; retr.c RETR and TOP with reading ahead; update.c QUIT; answer.c error codes to answers.
///
/// Every command function returns only what ends the session (errors of the connection); what cannot be done is
/// answered -ERR and is E_OK.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "front/front.h"
#include "front/pop3/answer.h"
#include "front/pop3/drop.h"
#include "proto/pop3_command.h"

enum pop3_limit {
	POP3_IDLE_MS = 10 * 60 * 1000, // RFC 1939 §3: at least 10 minutes
	POP3_BYE_MS = 5000,
	POP3_BAD_MAX = 20, // commands that made no sense
	POP3_BAD_FREE = 5, // so many cost no delay
	POP3_DELAY_MS = 1000,
	POP3_LOGINS_MAX = 5, // failed ones
	POP3_COMMAND_MEMORY = 64 * 1024,
	POP3_USER_MAX = 320,
	POP3_AHEAD_MAX = 16, // messages that one request reads
};

/// Messages read in one request into one chunk: the one asked for and those likely to be asked for next.
struct pop3_ahead {
	bool has; // the chunk is taken
	struct range chunk;
	unsigned n;
	struct {
		uint32_t index;  // of the message in the drop
		uint32_t off;    // in the chunk
		uint32_t octets; // wanted: the message, or its part that fits
		uint32_t got;    // the store's answer: octets, or READ_…
	} part[POP3_AHEAD_MAX];
};

struct pop3 {
	struct session *s;
	struct io *io;        // s->io
	struct client *store; // s->front->store
	enum pop3_state phase;
	bool over;
	enum ec end;
	unsigned bad, failed_logins;
	uint8_t user[POP3_USER_MAX]; // as USER gave it, then the account's address
	uint16_t user_octets;
	bool has_user;
	struct handle handle;
	bool locked; // verb pop3_lock holds the account for us
	enum pop3_retr retr;
	struct drop drop;
	uint32_t next; // the message after the last one that was read: who reads on gets it read ahead
	struct pop3_ahead ahead;
	struct arena memory; // of the present command
};

/// Adds "+OK text" CRLF. The text must hold no CR or LF. errors: of the connection.
[[gnu::format(printf, 3, 4)]] FIB enum ec pop3_ok(struct cx *cx, struct pop3 *p, const char *fmt, ...);
/// Adds "-ERR [code] text" CRLF.
FIB enum ec pop3_err(struct cx *cx, struct pop3 *p, struct pop3_words w);
/// Answers a command that made no sense: counts it, waits when there were many, ends the session at POP3_BAD_MAX.
FIB enum ec pop3_bad(struct cx *cx, struct pop3 *p, const char *text);
/// Waits without counting against the client's time.
FIB void pop3_pause(struct cx *cx, int64_t ms);
/// Gives the account's lock back, where the session has it.
FIB void pop3_unlock(struct cx *cx, struct pop3 *p);
/// Finds message number `msg` of a command. out: *index. False: there is none, or it is marked as deleted.
bool pop3_message(const struct pop3 *p, uint32_t msg, uint32_t *index);
/// Gives the chunk of what was read ahead back, where it is of no more use (or `always`).
void pop3_ahead_rest(struct pop3 *p, bool always);

/// The commands, by file.
FIB enum ec pop3_do_user(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_pass(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_auth(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_stat(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_list(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_uidl(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_dele(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_rset(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_retr(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
FIB enum ec pop3_do_top(struct cx *cx, struct pop3 *p, const struct pop3_command *c);
/// The UPDATE state: removes and moves what the session marked. errors: the first failure; what could be done is
/// done.
FIB enum ec pop3_update(struct cx *cx, struct pop3 *p);
