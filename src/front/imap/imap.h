#pragma once
/// imap — an IMAP session and the table of its commands.
///
///   imap_session → frame (one whole command, literals in place) → command table → command function → tagged answer
///
/// Files: imap.c the loop and answers, frame.c reading commands, login.c, tree.c (CREATE … STATUS), select.c, view.c
/// (sequence numbers and what the client has been told), update.c (untagged news), idle.c, append.c, store.c (STORE,
/// EXPUNGE, COPY, MOVE), fetch*.c, search*.c.
#include "base/arena.h"
#include "front/front.h"
#include "front/imap/view.h"
#include "proto/imap_command.h"

enum imap_limit { IMAP_BAD_MAX = 20, IMAP_COMMAND_MEMORY = 4 << 20, IMAP_LOGIN_MEMORY = 64 << 10 };

enum imap_enabled { ENABLED_NONE = 0 }; // a bit for each ENABLEd extension; later issues add theirs

struct imap {
	struct session *s;
	struct io *io;         // s->io
	struct client *store;  // s->front->store
	enum imap_state phase; // IMAP_NOAUTH, IMAP_AUTH or IMAP_SELECTED
	bool over;             // LOGOUT or a fatal end
	struct handle handle;
	struct sl address; // of the user, in session memory
	uint32_t enabled;
	unsigned bad;          // commands that made no sense
	struct view *view;     // the selected mailbox or NULL
	struct arena memory;   // the session's
	struct arena cmd;      // the present command's; reset after it
	struct fib_event news; // set when a watched mailbox may have changed
};

/// Untagged data: "* " text CRLF. The text must hold no CR or LF.
[[gnu::format(printf, 3, 4)]] FIB enum ec imap_say(struct cx *cx, struct imap *im, const char *fmt, ...);
/// Sends a prepared buffer (which may hold many lines) and clears it; its own error, if any, is returned.
FIB enum ec imap_send(struct cx *cx, struct imap *im, struct buf *b);
/// The IMAP response code and words for an error ("NONEXISTENT", "No such mailbox"): the table code → answer.
struct imap_words {
	const char *status; // "NO" or "BAD"
	const char *code;   // response code without brackets, or NULL
	const char *text;
};
struct imap_words imap_words(enum ec e);
/// Opens a mailbox name as sent (octets after the lexer: mUTF-7 or UTF-8): its id. INBOX in any case.
/// errors: E_NOTFOUND, E_SYNTAX (name is not valid).
FIB enum ec imap_find_mbox(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox);
