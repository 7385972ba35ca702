#pragma once
/// imap — an IMAP session, its answers, and what its commands share.
///
///   imap_session → frame_read (one whole command) → command table → command function → news → tagged answer
///
/// Files: imap.c the loop, answer.c words and sending, frame.c reading commands, login.c, folders.c + pattern.c
/// (names), list.c (LIST, LSUB), tree.c (CREATE … STATUS), select.c, view.c (sequence numbers and what the client has
/// been told), update.c (untagged news), rows.c (reading messages' rows), idle.c, append.c, store.c (STORE, EXPUNGE,
/// COPY, MOVE), fetch*.c, search*.c.
#include "base/arena.h"
#include "base/buf.h"
#include "front/front.h"
#include "front/imap/frame.h"
#include "front/imap/view.h"
#include "proto/imap_command.h"

enum imap_limit {
	IMAP_BAD_MAX = 20,               // commands in a row that made no sense
	IMAP_LOGIN_FAILS_MAX = 6,        // of one session
	IMAP_COMMAND_MEMORY = 4 << 20,   // octets of one command, and again for what it works with
	IMAP_LOGIN_MEMORY = 64 << 10,    // the same before login
	IMAP_LINE_MAX = 65000,           // octets between two literals; io allows little more
	IMAP_LOGIN_LINE_MAX = 8192,      // the same before login
	IMAP_CODE_MAX = 256 << 10,       // octets of a response code (COPYUID of a scattered set)
	IMAP_AUTOLOGOUT_MS = 30 * 60000, // RFC 9051 §5.4: at least 30 minutes
	IMAP_LOGIN_MS = 2 * 60000,       // the same before login
	IMAP_ANSWER_MS = 5 * 60000,      // a client that takes nothing for so long is gone
	IMAP_SEND_AT = 16 << 10,         // prepared answers are sent when they are that long
	IMAP_LINES_MAX = 1 << 20,        // octets of prepared answers; what is larger is sent in pieces
};

enum imap_enabled { ENABLED_NONE = 0 }; // a bit for each ENABLEd extension; later issues add theirs

/// What a tagged answer says about an error.
struct imap_words {
	const char *status; // "NO" or "BAD"
	const char *code;   // response code without brackets, or NULL
	const char *text;
};

struct imap {
	struct session *s;
	struct io *io;         // s->io
	struct client *store;  // s->front->store
	enum imap_state phase; // IMAP_NOAUTH, IMAP_AUTH or IMAP_SELECTED
	bool over;             // LOGOUT or a fatal end; nothing more is read
	bool answered;         // the present command has sent its tagged answer itself
	const char *bye;       // why the session ends, where we end it
	struct handle handle;
	struct sl address; // of the user, in session memory
	uint32_t enabled;
	unsigned bad; // commands in a row that made no sense
	unsigned failed_logins;
	struct view *view; // the selected mailbox or NULL
	struct client_watch watch;
	struct fib_event news; // set when the selected mailbox may have changed
	struct frame frame;
	struct arena memory;       // the session's
	struct arena cmd;          // the present command's; freed after it
	struct imap_words refusal; // set by imap_refuse; .text NULL: imap_words(e) says it
	struct buf code;           // response code of the tagged OK
	uint8_t tag[IMAP_TAG_MAX];
	uint8_t tag_octets;
};

/// A command function: does the command and sends its untagged answers. The loop sends the tagged one: OK with
/// im->code on E_OK, else im->refusal or imap_words. E_CLOSED, E_TIMEOUT, E_CANCELED end the session without one.
typedef FIB enum ec imap_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);

/// Untagged data: "* " text CRLF. The text must hold no CR or LF.
[[gnu::format(printf, 3, 4)]] FIB enum ec imap_say(struct cx *cx, struct imap *im, const char *fmt, ...);
/// Sends a prepared buffer (which may hold many lines) and empties it; its own error, if any, is returned, and then the
/// session is over: the client would miss a part of an answer.
FIB enum ec imap_send(struct cx *cx, struct imap *im, struct buf *b);
/// The same, but does nothing while the buffer is short.
FIB enum ec imap_send_some(struct cx *cx, struct imap *im, struct buf *b);
/// The IMAP status, response code and words for an error: the table code → answer.
/// source: RFC 9051 §7.1, RFC 5530.
struct imap_words imap_words(enum ec e);
/// True for the errors that mean the connection: they end the session without an answer.
bool imap_is_wire_error(enum ec e);
/// Says that the tagged answer has other words than imap_words(e), for `NO`. `code` may be NULL. Returns e.
[[nodiscard]] enum ec imap_refuse(struct imap *im, enum ec e, const char *code, const char *text);
/// Turns a mailbox name as sent (octets after the lexer) into UTF-8 in im->cmd.
/// errors: E_SYNTAX, E_TOOBIG (with fitting words), E_TEMP.
[[nodiscard]] enum ec imap_name(struct imap *im, struct sl wire_name, struct sl *name);
/// Opens a mailbox name as sent: its id. INBOX in any case. errors: E_NOTFOUND, imap_name's.
FIB enum ec imap_find_mbox(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox);
/// The same for the target of APPEND, COPY, MOVE: answers TRYCREATE where it does not exist.
FIB enum ec imap_find_target(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox);
/// True where the client enabled UTF-8 names and strings.
bool imap_is_utf8(const struct imap *im);
