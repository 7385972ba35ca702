#pragma once
/// load — one run of the load generator: its options, its sessions, and what it counts.
///
/// Owns: the fibers of a run, the tickets (one for each operation), the latencies. A work (load_smtp.c …) says what
/// a session does before the clock runs, what one operation is, and what follows it.
/// Everything runs on one scheduler's thread, so nothing here is locked.
/// An error makes the figure void: it is told on standard error, counted, and ends its session.
#include <stdio.h>

#include "bench/client.h"
#include "bench/message.h"

enum { USER_TEXT = 128 };

/// What the command line says: NAME=VALUE (load.c has the table).
struct options {
	struct sl address, mailbox, other, user, password, from;
	uint64_t port, tls, sources;       // where to
	uint64_t sessions, count, opening; // how many
	uint64_t size, users, select, pipeline, all, hold, check_port, seconds;
};

struct load;
/// One session of the run: a fiber of its own.
struct worker {
	struct load *load;
	unsigned number;
	struct client client;
	struct fib_event go, leave;
	uint64_t ticket, done;     // the operation under way, from 0; operations of this session
	int64_t began_ns, took_ns; // of the operation; took_ns is set by an operation that is only a part of `once`
	uint32_t exists;           // messages of the selected mailbox
	uint64_t octets;           // that one operation should bring; imap-store: answers so far
};

/// What there is to do. All may be NULL but `name` and `help`.
struct work {
	const char *name, *help;
	FIB enum ec (*prepare)(struct cx *cx, struct load *l);   // once, before the sessions
	FIB enum ec (*setup)(struct cx *cx, struct worker *w);   // each session, before the clock
	FIB enum ec (*once)(struct cx *cx, struct worker *w);    // one operation
	FIB enum ec (*settle)(struct cx *cx, struct load *l);    // once, before the clock stops
	FIB enum ec (*goodbye)(struct cx *cx, struct worker *w); // each session, after the clock; its error counts, too
};
extern const struct work smtp_works[], imap_works[], mailbox_works[], pop3_works[]; // each ends with a NULL name

struct load {
	struct options o;
	const struct work *work;
	struct target target;
	struct message message; // of o.size octets
	struct worker *worker;
	struct checker *checker; // of load_smtp.c
	unsigned opening, ready, over;
	int64_t leaving;          // told to leave and not gone yet; less those that ended untold
	struct fib_event changed; // one of the four above
	uint64_t tickets, done, errors, octets;
	uint32_t *latency_us; // o.count of them
	bool failed;          // the run as a whole
};

/// Prints the name of user `number` modulo o.users: the first '%' of o.user becomes the number.
struct sl load_user(const struct load *l, uint64_t number, char text[USER_TEXT]);
/// Tells on standard error why something failed, and counts it.
void load_error(struct cx *cx, struct load *l, enum ec e, const char *what);
