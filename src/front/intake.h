#pragma once
/// intake — a message on its way in: octets collected in chunks of the arena, the first MiB in place, more as an
/// upload.
///
/// A sender costs only the chunks that it has filled. Octets are written straight into a chunk by the decoder
/// (intake_room, intake_took), with room kept in front of them for the trace header, which is known only when the
/// message's own header has been seen. After intake_fail it holds nothing, and the session must drop what still comes.
///
/// While it holds something it is a holder (front/holder.h): a sender who stalls may have to go.
#include <stdbool.h>

#include "base/cx.h"
#include "front/holder.h"
#include "ipc/client.h"

enum {
	INTAKE_CHUNKS = 16,     // what one request names: 1 MiB
	INTAKE_HEADROOM = 4096, // in front of the first chunk's octets
	INTAKE_ROOM_MIN = 16,   // intake_room gives at least so many
};

struct front;
struct intake {
	struct client *store;
	struct holders *all;
	struct io *io;
	struct holder held;
	uint32_t headroom;
	struct range chunk[INTAKE_CHUNKS]; // taken; off and len name the filled part
	unsigned n;
	bool uploading;  // the first chunks have gone to the store already
	bool fronted;    // intake_put_front is done
	uint64_t upload; // its number
	enum ec err;     // why nothing is kept any more; E_OK while well
};

/// An empty one; takes nothing yet. It must not move between its first octet and intake_drop, nor change its fiber.
///
/// in: io — where its octets come from; headroom — octets kept in front for intake_put_front, at most INTAKE_HEADROOM.
struct intake intake_start(struct front *f, struct io *io, uint32_t headroom);
/// Where the next octets go: at least INTAKE_ROOM_MIN of them. Call intake_push first where intake_is_full.
///
/// yields: yes, where the arena has no free chunk. errors: those of chunks_take.
FIB enum ec intake_room(struct cx *cx, struct intake *b, uint8_t **p, size_t *room);
/// Counts `n` octets as written there.
void intake_took(struct intake *b, size_t n);
/// True where the chunks must go to the store before more fits: all are full, or the last is and the arena runs low.
bool intake_is_full(const struct intake *b);
/// The message's first octets, as far as they lie in the first chunk; *whole where that is all that has come. Empty
/// while nothing has come, and after a push.
struct sl intake_head(const struct intake *b, bool *whole);
/// Puts `text` in front of the message; once, before the first push. errors: E_TOOBIG (above INTAKE_HEADROOM), E_TEMP.
FIB enum ec intake_put_front(struct cx *cx, struct intake *b, struct sl text);
/// Sends the chunks to the upload, which begins here if need be; keeps one chunk for what comes.
///
/// yields: yes. errors: those of upload_begin, upload_add; E_TEMP — no room for another;
/// E_LIMIT — unfinished messages, or those from that address, have taken their share of the disk.
FIB enum ec intake_push(struct cx *cx, struct intake *b);
/// Makes the request's fields: the ranges, or the upload after its rest was sent.
///
/// out: *ranges (room for INTAKE_CHUNKS), *n, *upload. yields: yes. errors: as intake_push.
FIB enum ec intake_finish(struct cx *cx, struct intake *b, struct range *ranges, uint32_t *n, uint64_t *upload);
/// The message cannot be kept: gives everything back and remembers why.
FIB void intake_fail(struct cx *cx, struct intake *b, enum ec e);
/// Gives chunks and upload back. Accepts a zeroed one. `held.evicted` stays.
FIB void intake_drop(struct cx *cx, struct intake *b);
/// The upload was used up by a successful request.
void intake_upload_used(struct intake *b);
