#pragma once
/// body — a message on its way in: octets collected in chunks of the arena, the first MiB in place, more as an
/// upload.
///
/// A sender costs only the chunks that it has filled. Octets are written straight into a chunk by the decoder
/// (body_room, body_took), with room kept in front of them for the trace header, which is known only when the
/// message's own header has been seen. After body_fail it holds nothing, and the session must drop what still comes.
#include <stdbool.h>

#include "base/cx.h"
#include "ipc/client.h"

enum {
	BODY_CHUNKS = 16,     // what one request names: 1 MiB
	BODY_HEADROOM = 4096, // in front of the first chunk's octets
	BODY_ROOM_MIN = 16,   // body_room gives at least so many
};

struct body {
	struct client *store;
	struct range chunk[BODY_CHUNKS]; // taken; off and len name the filled part
	unsigned n;
	bool uploading;  // the first chunks have gone to the store already
	bool fronted;    // body_put_front is done
	uint64_t upload; // its number
	enum ec err;     // why nothing is kept any more; E_OK while well
};

/// An empty body; takes nothing yet.
struct body body_start(struct client *store);
/// Where the next octets go: at least BODY_ROOM_MIN of them. Call body_push first where body_is_full.
///
/// yields: yes, where the arena has no free chunk. errors: those of chunks_take.
FIB enum ec body_room(struct cx *cx, struct body *b, uint8_t **p, size_t *room);
/// Counts `n` octets as written there.
void body_took(struct body *b, size_t n);
/// True where the chunks must go to the store before more fits: all are full, or the last is and the arena runs low.
bool body_is_full(const struct body *b);
/// The message's first octets, as far as they lie in the first chunk; *whole where that is all that has come. Empty
/// while nothing has come, and after a push.
struct sl body_head(const struct body *b, bool *whole);
/// Puts `text` in front of the message; once, before the first push. errors: E_TOOBIG (above BODY_HEADROOM), E_TEMP.
FIB enum ec body_put_front(struct cx *cx, struct body *b, struct sl text);
/// Sends the chunks to the upload, which begins here if need be; keeps one chunk for what comes.
///
/// yields: yes. errors: those of upload_begin, upload_add.
FIB enum ec body_push(struct cx *cx, struct body *b);
/// Makes the request's fields: the ranges, or the upload after its rest was sent.
///
/// out: *ranges (room for BODY_CHUNKS), *n, *upload. yields: yes. errors: as body_push.
FIB enum ec body_finish(struct cx *cx, struct body *b, struct range *ranges, uint32_t *n, uint64_t *upload);
/// The message cannot be kept: gives everything back and remembers why.
FIB void body_fail(struct cx *cx, struct body *b, enum ec e);
/// Gives chunks and upload back. Accepts a zeroed one.
FIB void body_drop(struct cx *cx, struct body *b);
/// The upload was used up by a successful request.
void body_upload_used(struct body *b);
