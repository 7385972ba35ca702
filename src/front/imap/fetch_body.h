#pragma once
/// fetch_body — octets of messages: small ones many at a time, large ones through a window.
///
/// One request reads up to BODY_BATCH messages, packed into at most BODY_CHUNKS chunks of the arena. Each message has a
/// place there: all of a small one, or a window that moves over a large one. What is here can be sent as it lies: it
/// holds no NUL.
/// A session waits for its first chunk only while it holds none, so that sessions never wait for each other in a ring.
/// While some are sent the next can be read (bodies_ask_ahead).
#include "base/arena.h"
#include "front/imap/imap.h"

enum {
	BODY_BATCH = 16,  // messages in one request (verb mbox_read)
	BODY_CHUNKS = 4,  // chunks that one session fills at a time
	BODY_HEAD = 8192, // octets that are read first where only the header is wanted

	BODY_WHOLE_MIN =
		64 << 20, // messages up to this size are looked into even where fewer octets are accepted by now
	BODY_PARTS_MAX = 32 << 20, // octets of memory for the parsed parts of one message
	BODY_PRINT_MAX = 16 << 20, // octets of its answer without literals
};

enum body_state { BODY_HERE, BODY_GONE, BODY_DAMAGED };
struct body {
	struct pl_row *row;
	enum body_state state;
	struct range place; // where its octets go
	uint32_t from;      // which octet of the message stands first there
	uint32_t n;         // how many there are
};
struct bodies {
	struct body v[BODY_BATCH];
	size_t n;
	struct range chunk[BODY_CHUNKS];
	size_t n_chunks;
	struct req_mbox_read req;
	struct ans_mbox_read ans;
	struct client_asked asked;
};

/// Reads the beginning of as many of the messages rows[0], rows[1] … as fit: all of one that has at most `head_max`
/// octets (≤ CHUNK_OCTETS), else that many.
///
/// out:    b->v[b->n], n ≥ 1, on E_OK: end with bodies_give. Rows are borrowed.
/// errors: E_TIMEOUT, E_CANCELED (waiting for a chunk), those of the store. Nothing is held then.
FIB enum ec bodies_read(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b);
void bodies_give(struct imap *im, struct bodies *b);

/// The first half of bodies_read. After E_OK bodies_take must follow, and until then `b` stays where it is.
///
/// errors: E_TIMEOUT, E_CANCELED (waiting for a chunk).
FIB enum ec bodies_ask(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b);
/// The same where the arena has plenty of free chunks; else, and where n is 0, nothing is asked for and b->n is 0.
FIB void bodies_ask_ahead(struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b);
/// The second half. errors: those of the store; nothing is held then.
FIB enum ec bodies_take(struct cx *cx, struct imap *im, struct bodies *b);
/// Gives up what was asked for, or nothing. yields: until the store has answered, which does not take its client.
FIB void bodies_drop(struct imap *im, struct bodies *b);

/// Sets \Seen on those that are here and lack it, and in their rows. Its failure leaves them unseen.
///
/// source: RFC 9051 §6.4.5 (BODY[…] sets \Seen).
FIB enum ec bodies_set_seen(struct cx *cx, struct imap *im, struct bodies *b);

/// Octets of a message from `from` (< row->octets) on: as many as lie in one place, at least one.
///
/// out:    *out — borrowed until the next call for this message.
/// errors: E_CORRUPT, E_NOTFOUND (expunged meanwhile), those of the store.
FIB enum ec body_window(struct cx *cx, struct imap *im, struct body *b, uint32_t from, struct sl *out);

/// Memory for looking into one message: its octets where they do not lie in one piece, what is parsed of them, and the
/// room that all of it has been granted. Small messages are looked into where they lie, without a wait in between, and
/// need no room.
struct body_work {
	struct buf octets;
	struct arena parts;
	struct room_share share;
};
struct body_work body_work_make(struct imap *im);
/// Forgets the message: what is left takes at most ROOM_FREE_OCTETS. Its room stays granted.
void body_work_trim(struct body_work *w);
/// Gives everything back.
void body_work_end(struct body_work *w);
/// Octets that a message of `octets` may take: a copy, its parts, two buffers of body_print_max.
size_t body_work_room(uint64_t octets);
/// Octets of what may be printed of it.
size_t body_print_max(uint64_t octets);
/// The same for the largest message that this front looks into.
size_t body_work_room_most(const struct front_conf *conf);

/// The whole message in one piece: where it lies, or a copy, for which room is taken first.
///
/// out:    *out — as long as neither `w` nor the window changes.
/// errors: as body_window; E_LIMIT — too large to be looked into; E_TEMP — no memory or no room, with words for the
///         client.
FIB enum ec body_whole(struct cx *cx, struct imap *im, struct body *b, struct body_work *w, struct sl *out);
/// The same for the header with its blank line.
FIB enum ec body_header(struct cx *cx, struct imap *im, struct body *b, struct body_work *w, struct sl *out);
/// How many octets the header has. Nothing is copied.
///
/// errors: as body_window.
FIB enum ec body_header_end(struct cx *cx, struct imap *im, struct body *b, uint32_t *octets);
/// Sends octets [from, to) of the message to the client.
///
/// errors: wire errors; E_CORRUPT — the rest could not be read, and as many octets as were promised have been sent all
///         the same: a line that says so, and blanks. E_CLOSED where the message cannot be had at all any more.
FIB enum ec body_send(struct cx *cx, struct imap *im, struct body *b, uint32_t from, uint32_t to);
