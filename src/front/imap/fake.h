#pragma once
/// fake — what session tests stand on instead of sockets, fibers and the store: a script and a mailbox model in memory.
///
/// A script is an array of lines. "C: " is sent with CRLF, "L: " without; "S: " must come next from the session,
/// where a `*` at its end stands for anything; "X: " is done by somebody else ("deliver", "expunge UID", "flag UID
/// BITS"), "shut" changes the password, "stop" ends the server, "away" and "back" take the store away and bring it
/// back, "crowded" and "roomy" the room for large commands, "narrow" lets one change take one message. Whenever the
/// session waits for input, what it said must be what the script said.
#include "base/buf.h"
#include "front/imap/imap.h"

struct fake_message {
	uint32_t uid;
	uint8_t flags;
	uint64_t keywords, modseq;
	int64_t date_s;
	int16_t zone_min;
	struct buf body;
};
enum { FAKE_BOXES = 16, FAKE_MESSAGES = 64 };
struct fake_box {
	char name[64];
	bool exists, subscribed;
	uint8_t use;
	uint32_t uidvalidity, uidnext, recent_from, n, n_gone;
	uint64_t modseq;
	struct fake_message m[FAKE_MESSAGES];
	struct {
		uint32_t uid;
		uint64_t modseq;
	} gone[FAKE_MESSAGES];
	char keyword[64][32];
};
struct fake_store {
	struct fake_box box[FAKE_BOXES];
	bool away, forgets;    // forgets: what is gone is unknown
	bool narrow;           // one change takes one message, E_TOOBIG for more
	bool tires;            // takes one change of flags, E_TEMP for more
	bool shut;             // the password was changed: no handle is good any more
	bool full;             // its user has as many sessions as one may have
	unsigned flag_changes; // since it tires
	unsigned seats;        // how often a session was counted
	uint64_t epoch;        // of the connection to it
	struct client_watch *watch;
	struct buf upload;
	unsigned chunks_out;  // taken and not given back
	int64_t handle_age_s; // of the handle that a login gives
	unsigned renewed;     // handles; the last request must carry the newest
	enum ec renew_error;
};
/// INBOX with four messages (UIDs 1, 2, 4, 7), Sent, Trash, "Work/Reports" without "Work".
void fake_store_fill(struct fake_store *st);
void fake_store_free(struct fake_store *st);
/// Somebody else's change to INBOX.
void fake_store_other(struct fake_store *st, struct sl words);

struct fake_run {
	const char *const *line; // the script, ends with NULL
	struct sl raw;           // instead of a script: octets from the client, whatever the session says
	unsigned piece;          // octets of input given at once, 0 = all
	struct fake_store store;
	bool tls, login;
	struct room_share taken; // room that somebody else has: all of it after "X: crowded", until "X: roomy"
	struct buf out;
	const char *wrong; // the line of the script that did not come true, NULL = all did
	enum ec end;       // what imap_session returned
};
/// Runs a whole session by the script.
void fake_run(struct fake_run *r);
