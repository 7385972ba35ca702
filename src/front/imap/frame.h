#pragma once
/// frame — reads one whole command from the connection: lines, with the octets of literals in place.
///
/// The message of APPEND stays in the stream: the command ends with its announcement and the frame_message_… calls read
/// on. Whatever is refused, octets that a client sends without waiting (`{n+}`) are read and dropped, so that none is
/// ever taken for a command.
///
///   MESSAGE_NONE → frame_read → MESSAGE_ANNOUNCED → frame_message_begin → MESSAGE_OPEN → frame_message_end
///        ↑                             │                                       │               │
///        └──────────────────────── frame_skip ─────────────────────────────────┘───────────────┘
#include "base/buf.h"
#include "front/holder.h"
#include "front/room.h"
#include "net/io.h"
#include "proto/imap_frame.h"

enum frame_message { MESSAGE_NONE, MESSAGE_ANNOUNCED, MESSAGE_OPEN };

struct frame {
	struct io *io;
	size_t line_max;         // octets of a line
	size_t command_max;      // octets of a command with its literals
	uint64_t drop_max;       // octets of a refused literal that are still read and dropped
	int64_t piece_ms;        // how long one line or piece of a literal may take
	struct room_share share; // what a long command has been granted, until frame_skip
	struct holders *tellers; // among them is `held`, while the rest of such a command is awaited
	struct holder held;

	struct buf text; // the command
	enum ec fault;   // what makes the command useless though it was read to its end
	enum frame_message state;
	struct imap_literal message;
	uint64_t left; // octets of the message not read yet
};

/// Reads one command into f->text, without its last CRLF. No message may be left over from the one before.
///
/// yields: yes; sends "+" for each `{n}`, so output must not hold half an answer.
/// errors: E_SYNTAX — NUL in it; E_TOOBIG — longer than command_max; E_TEMP — no room for a long one. All these: read
///         to its end, f->text holds its beginning and the next command may follow. E_LIMIT — a line or literal so
///         long that the session must end. Those of io.
/// source: RFC 9051 §4.3, RFC 7888 §4 (what to do with a literal that is too long).
FIB enum ec frame_read(struct cx *cx, struct frame *f);

/// Asks for the message where the client waits for that.
FIB enum ec frame_message_begin(struct cx *cx, struct frame *f);
/// Takes up to `room` octets of it. out: *got ≥ 1. Call only while f->left > 0.
FIB enum ec frame_message_read(struct cx *cx, struct frame *f, uint8_t *p, size_t room, size_t *got);
/// Reads what stands behind the message's last octet. errors: E_SYNTAX — not the end of the command; it was read on
/// to that.
FIB enum ec frame_message_end(struct cx *cx, struct frame *f);
/// For a command that takes much memory, `octets` beside its text: room for both.
///
/// errors: E_TEMP (no room), E_CANCELED.
FIB enum ec frame_take_room(struct cx *cx, struct frame *f, size_t octets);
/// After a command, whatever became of it: gives back what a long one took, and reads and drops what the client sends
/// of a message that nobody took.
/// errors: E_LIMIT — more than drop_max: the session must end.
FIB enum ec frame_skip(struct cx *cx, struct frame *f);
/// Gives the memory back.
void frame_free(struct frame *f);
