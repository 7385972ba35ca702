#pragma once
/// fetch_body — octets of messages: small ones many at a time, large ones through a window.
///
/// One request reads up to BODY_BATCH messages, packed into at most BODY_CHUNKS chunks of the arena. Each message has a
/// place there: all of a small one, or a window that moves over a large one. What is here can be sent as it lies: it
/// holds no NUL.
/// A session waits for its first chunk only while it holds none, so that sessions never wait for each other in a ring.
#include "front/imap/imap.h"

enum {
	BODY_BATCH = 16,  // messages in one request (verb mbox_read)
	BODY_CHUNKS = 4,  // chunks that one session fills at a time
	BODY_HEAD = 8192, // octets that are read first where only the header is wanted
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
};

/// Reads the beginning of as many of the messages rows[0], rows[1] … as fit: all of one that has at most `head_max`
/// octets (≤ CHUNK_OCTETS), else that many.
///
/// out:    b->v[b->n], n ≥ 1, on E_OK: end with bodies_give. Rows are borrowed.
/// errors: E_TIMEOUT, E_CANCELED (waiting for a chunk), those of the store. Nothing is held then.
FIB enum ec bodies_read(
	struct cx *cx, struct imap *im, struct pl_row *rows, size_t n, uint32_t head_max, struct bodies *b);
void bodies_give(struct imap *im, struct bodies *b);

/// Sets \Seen on those that are here and lack it, and in their rows. Its failure leaves them unseen.
///
/// source: RFC 9051 §6.4.5 (BODY[…] sets \Seen).
FIB enum ec bodies_set_seen(struct cx *cx, struct imap *im, struct bodies *b);

/// Octets of a message from `from` (< row->octets) on: as many as lie in one place, at least one.
///
/// out:    *out — borrowed until the next call for this message.
/// errors: E_CORRUPT, E_NOTFOUND (expunged meanwhile), those of the store.
FIB enum ec body_window(struct cx *cx, struct imap *im, struct body *b, uint32_t from, struct sl *out);
/// The whole message in one piece: where it lies, or a copy in `scratch` (which is cleared first; its maximum decides).
///
/// errors: as body_window; E_TOOBIG, E_TEMP of the scratch.
FIB enum ec body_whole(struct cx *cx, struct imap *im, struct body *b, struct buf *scratch, struct sl *out);
/// The header with its blank line in one piece: where it lies if the whole message lies there, else a copy in
/// `scratch`, so that windows may move afterwards.
FIB enum ec body_header(struct cx *cx, struct imap *im, struct body *b, struct buf *scratch, struct sl *out);
/// Sends octets [from, to) of the message to the client.
///
/// errors: wire errors; E_CORRUPT — the rest could not be read, and as many octets as were promised have been sent all
///         the same: a line that says so, and blanks. E_CLOSED where the message cannot be had at all any more.
FIB enum ec body_send(struct cx *cx, struct imap *im, struct body *b, uint32_t from, uint32_t to);
