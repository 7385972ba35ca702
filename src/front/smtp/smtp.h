#pragma once
/// smtp — an SMTP, LMTP or submission session, and the table of its commands.
///
///   smtp_session → line → command table → command function → reply (flushed when no further command waits)
///
///     START --EHLO--> READY --MAIL--> MAIL --RCPT--> RCPT --DATA, BDAT LAST--> READY
///                       ^                              \--BDAT--> BDAT (only BDAT, RSET …)
///                       \--RSET, EHLO: from each of them; STARTTLS: back to START
///
/// Files: smtp.c the loop, greetings and small commands; envelope.c MAIL and RCPT; data.c DATA and BDAT; deliver.c
/// what the store is asked and who is told what; targets.c accounts; trace.c Return-Path and
/// Received; login.c AUTH; reply.c error codes to replies.
///
/// Every command function returns only what ends the session (errors of the connection); what a client did wrong is
/// answered and is E_OK.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "front/intake.h"
#include "front/front.h"
#include "front/smtp/reply.h"
#include "front/smtp/targets.h"
#include "proto/smtp_command.h"
#include "proto/smtp_data.h"

enum smtp_limit {
	SMTP_COMMAND_MS = 5 * 60 * 1000, // RFC 5321 §4.5.3.2.7
	SMTP_BLOCK_MS = 3 * 60 * 1000,   // §4.5.3.2.5, between blocks of a message
	SMTP_SLOW_MS = 10 * 60 * 1000,   // then a message must have come at SMTP_PACE
	SMTP_PACE = 1024,                // octets a second
	SMTP_BYE_MS = 5000,              // to send a last reply
	SMTP_BAD_MAX = 20,               // commands that made no sense
	SMTP_BAD_FREE = 5,               // so many cost no delay
	SMTP_UNKNOWN_FREE = 10,          // unknown recipients of a session without delay
	SMTP_DELAY_MS = 1000,
	SMTP_LOGINS_MAX = 5,   // failed ones
	SMTP_MAILS_MAX = 1000, // transactions of a session: MAILMAX
	SMTP_COMMAND_MEMORY = 64 * 1024,
	SMTP_MAIL_MEMORY = 1024 * 1024, // envelope of one transaction
	SMTP_HELO_MAX = 255,
	SMTP_ID_MAX = 16, // octets of the id in words for people and logs
};

enum smtp_phase { PHASE_START = 1, PHASE_READY = 2, PHASE_MAIL = 4, PHASE_RCPT = 8, PHASE_BDAT = 16, PHASE_ANY = 31 };

struct smtp_rcpt {
	struct smtp_rcpt *next;
	struct sl address;
	uint32_t n;       // targets
	uint32_t *target; // indices into mail.targets
};

/// One transaction, from MAIL to its answer. Zeroed between transactions.
struct smtp_mail {
	struct arena memory;
	struct sl from; // "" for the null reverse-path
	uint64_t size;  // announced, 0 = unknown
	struct smtp_rcpt *rcpts, **last;
	uint32_t n_rcpts;
	struct targets targets;
	struct intake body;
	struct smtp_data data;
	uint8_t op[16];
	uint8_t id[SMTP_ID_MAX];   // the first half of op in hexadecimal
	int64_t began_ns, data_ns; // MAIL; DATA or the first BDAT, 0 before
};

struct smtp {
	struct session *s;
	struct io *io;        // s->io
	struct client *store; // s->front->store
	enum smtp_phase phase;
	bool over;   // QUIT was answered, or the session ends for another reason
	enum ec end; // why
	bool esmtp;  // EHLO or LHLO rather than HELO
	bool authed;
	unsigned bad, unknown, failed_logins, mails;
	uint8_t helo[SMTP_HELO_MAX];
	uint16_t helo_octets;
	uint8_t user[320];
	uint16_t user_octets;
	struct handle handle; // where authed
	struct arena memory;  // of the present command
	struct smtp_mail mail;
};

/// Strangers' port, local delivery, users' ports.
static inline bool smtp_is_lmtp(const struct smtp *m)
{
	return m->s->kind == PORT_LMTP;
}
static inline bool smtp_is_submission(const struct smtp *m)
{
	return m->s->kind == PORT_SUBMISSION || m->s->kind == PORT_SUBMISSIONS;
}

/// Adds one reply to the output. yields: where the output is full. errors: of the connection.
FIB enum ec smtp_say(struct cx *cx, struct smtp *m, struct smtp_words w);
/// The same with words made up here.
[[gnu::format(printf, 5, 6)]] FIB enum ec smtp_sayf(
	struct cx *cx, struct smtp *m, unsigned code, const char *enhanced, const char *fmt, ...);
/// Answers a command that made no sense: counts it, waits when there were many, and ends the session at SMTP_BAD_MAX.
FIB enum ec smtp_say_bad(struct cx *cx, struct smtp *m, struct smtp_words w);
/// Ends the session with a reply; `end` is what smtp_session returns.
FIB enum ec smtp_bye(struct cx *cx, struct smtp *m, enum ec end, struct smtp_words w);
/// Sends what waits, unless the client has already sent another whole command (RFC 2920 §3.2).
FIB enum ec smtp_flush(struct cx *cx, struct smtp *m);
/// Waits without counting against the client's time.
FIB void smtp_pause(struct cx *cx, int64_t ms);
/// Ends the transaction, whatever it holds: phase READY.
FIB void smtp_mail_end(struct cx *cx, struct smtp *m);

/// The commands, by file.
FIB enum ec smtp_do_mail(struct cx *cx, struct smtp *m, const struct smtp_command *c);
FIB enum ec smtp_do_rcpt(struct cx *cx, struct smtp *m, const struct smtp_command *c);
FIB enum ec smtp_do_data(struct cx *cx, struct smtp *m, const struct smtp_command *c);
FIB enum ec smtp_do_bdat(struct cx *cx, struct smtp *m, const struct smtp_command *c);
FIB enum ec smtp_do_auth(struct cx *cx, struct smtp *m, const struct smtp_command *c);

/// True where a message of which `octets` came in `ms` must end: a line now and then would keep a session, and what it
/// holds, for ever.
bool smtp_is_too_slow(uint64_t octets, int64_t ms);
/// Delivers the message in m->mail, answers (LMTP: once for each recipient), logs, and ends the transaction.
FIB enum ec smtp_deliver(struct cx *cx, struct smtp *m);
/// Refuses the message in m->mail with `w` (`each`, in LMTP: once for each recipient), logs, and ends the
/// transaction.
FIB enum ec smtp_refuse(struct cx *cx, struct smtp *m, struct smtp_words w, bool each);
