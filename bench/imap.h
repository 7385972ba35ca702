#pragma once
/// imap — what the load generator says to IMAP servers: a command, and what its answer must be.
///
/// Answers are not parsed but counted: responses of FETCH, messages that exist, octets of literals. Literals are
/// skipped by their length, so that a flood of bodies costs little more than its system calls.
#include "bench/load.h"

struct imap_answer {
	uint32_t exists, fetches, messages; // the last EXISTS; FETCH responses; STATUS (MESSAGES n)
	uint32_t literals;
	uint64_t literal_octets, size_octets; // size_octets: the sum of RFC822.SIZE
	bool has_exists, has_messages;
};

/// Connects, greets, logs in as the user of `number`, and learns which literals the server takes.
FIB enum ec imap_begin(struct cx *cx, struct client *c, const struct load *l, uint64_t number);
/// Sends a command and reads until its tagged OK. errors: E_DENIED with the server's words where that is not OK.
[[gnu::format(printf, 4, 5)]] FIB enum ec imap_do(
	struct cx *cx, struct client *c, struct imap_answer *a, const char *fmt, ...);
/// The same in two halves, for APPEND and IDLE.
[[gnu::format(printf, 3, 4)]] FIB enum ec imap_send(struct cx *cx, struct client *c, const char *fmt, ...);
FIB enum ec imap_answer(struct cx *cx, struct client *c, struct imap_answer *a);
/// Reads until the server invites to go on ("+ …").
FIB enum ec imap_invited(struct cx *cx, struct client *c);
/// SELECT of o.mailbox; how many messages it has goes to w->exists.
FIB enum ec imap_select(struct cx *cx, struct worker *w);
/// LOGOUT and close.
FIB enum ec imap_end(struct cx *cx, struct client *c);
