#pragma once
/// holder — sessions that hold what is everybody's while their client sends or reads: chunks of the arena, uploads, and
/// with them disk.
///
/// Where that runs out, the slowest of those for whose clients we have waited for some time must go: its fiber is
/// cancelled, `evicted` says why. Who stalls does not keep others out; who is quick, or has just begun, is never sent
/// away, nor one that waits for the store or for room itself. Such time does not count against anybody.
///
/// Events:
///   session.slow octets= ms=   a session was ended because its client was slow while others found no room
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "net/io.h"

enum {
	HOLDER_SAFE_MS = 10000, // of waiting for its client: nobody must go before
	HOLDER_PACE = 16384,    // nor whose client sends or takes so many octets a second of it
};

/// All of this process.
struct holders {
	struct holder *first;
};
/// Embed it, zeroed; it must not move between holder_begin and holder_end.
struct holder {
	struct holder *next, **link;
	struct cx *cx; // of its fiber
	struct io *io;
	int64_t waited_ns; // of io when it began, or was last found quick enough
	uint64_t octets;   // of io then
	bool upload;       // it has one, and with it disk
	bool evicted;
};

/// From here on it holds something. Does nothing where it had begun.
void holder_begin(struct cx *cx, struct holders *all, struct holder *h, struct io *io);
/// It holds nothing any more. Accepts one that never began. `evicted` stays.
void holder_end(struct holder *h);
/// Sends the slowest away, if there is one.
///
/// in:  upload — only of those that have one; now_ns — monotonic clock.
/// out: true — there will be room.
bool holders_make_room(struct holders *all, bool upload, int64_t now_ns);
/// The same for whoever calls when something runs short (chunks_on_shortage, room). in: holders — struct holders.
void holders_shortage(void *holders);
