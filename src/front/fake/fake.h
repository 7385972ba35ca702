#pragma once
/// fake — what session tests put in place of the network, the scheduler and the store, at link time.
///
/// One transcript runs in lock-step with the session, without threads: when the session waits for input, its output
/// so far must be flushed and must be what the next `S:` lines say; then the following `C:` lines are its input.
///
///     # comment          C: a line, sent with CRLF       C<: octets with \r \n \0 \t \\ \xNN escapes, no CRLF added
///     S: a line, where * stands for anything             C*: N text: the text N times, then CRLF
///     S<: octets at the very end of the output, without CRLF
///     !: stop | silence | tls-fails: the server stops, the client sends nothing for too long, the handshake fails
///     !: reconnects: the store died and came back, and other sessions took all places
#include "base/buf.h"
#include "front/front.h"

enum { FAKE_USERS = 4, FAKE_MESSAGES = 1200, FAKE_TARGETS = 4, FAKE_CHUNKS_MAX = 64 };

struct fake_message {
	uint32_t uid;
	struct sl body; // malloc'd
	bool expunged;  // within the hour: still read
	bool gone;
	bool damaged;
	uint32_t damaged_at; // only what holds this octet, if it is not 0
};
struct fake_user {
	const char *address, *password;
	uint64_t account;
	uint8_t verdict; // of resolve; RCPT_LOCAL
	enum ec status;  // of deliver
	bool pop3_off, locked;
	enum pop3_retr pop3_retr;
	uint32_t uidnext, n;
	uint32_t lost; // messages that the status counts and no row is for
	struct fake_message message[FAKE_MESSAGES];
	unsigned archived;
};
/// An address of several accounts.
struct fake_alias {
	const char *address;
	uint64_t target[FAKE_TARGETS];
	unsigned n;
};

struct fake {
	struct fake_user user[FAKE_USERS];
	unsigned n_users;
	struct fake_alias alias;
	unsigned chunks; // of the arena
	enum verb fail_verb;
	enum ec fail_code;
	int64_t handle_age_s; // of the handle that a login gives
	bool full;            // users have as many sessions as they may
	bool up;              // the store answers, also to what is asked only then
	uint64_t epoch;       // of the connection to the store
	unsigned fail_after;  // calls of fail_verb that go well before the one that fails
	// what happened
	unsigned calls[VERBS];
	unsigned chunks_taken, chunks_peak;
	unsigned said_holding; // pieces of answers that were said while chunks were taken
	int64_t slept_ms;
	struct buf upload;
	bool uploading;
	unsigned uploads_left;
	struct buf delivered; // the last body
	uint64_t delivered_to[FAKE_USERS * FAKE_TARGETS];
	unsigned n_delivered_to;
};

/// The one fake store of the test program; set up anew by fake_start.
extern struct fake fake;
/// alice (account 11, password "secret-a"), bob (12, "secret-b") and full (13) of example.org; alias "all" of all
/// three.
void fake_start(void);
/// Frees what it holds, after checking that no chunk and no upload is left.
void fake_stop(void);
/// Puts a message into a user's INBOX.
void fake_append(struct fake_user *u, struct sl body);

struct fake_talk {
	enum port_kind kind;
	bool tls;       // from the start
	bool offer_tls; // conf.tls is there
	bool loopback_plain;
	bool quota_defer, bare_newline_reject, pop3_lock;
	uint64_t message_max;    // 0 = 1 MiB
	unsigned recipients_max; // 0 = 5
	const struct board *board;
	size_t piece; // octets that one read brings; 0 = as many as there are
	FIB enum ec (*session)(struct cx *cx, struct session *s);
};
/// Runs a session against a transcript. Fails the running test, naming `name` and the line, where they disagree.
///
/// out: what the session returned.
enum ec fake_talk_run(const struct fake_talk *t, const char *name, struct sl transcript);
/// Runs a session on plain input, for fuzzing. out: what it said is added to *output.
enum ec fake_raw_run(const struct fake_talk *t, struct sl input, struct buf *output);
/// The same as fake_talk_run, with a transcript from a file under tests/talk.
enum ec fake_talk_file(const struct fake_talk *t, const char *path);
