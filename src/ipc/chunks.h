#pragma once
/// chunks — a front's arena: one sealed memfd, mapped by the front and by the store, handed out in 64 KiB chunks.
///
/// The front allocates; a request names chunks (as ranges) that the store then reads or fills. A session holds only the
/// chunks of what it is doing, so a slow client costs only its own. Free chunks beyond a few are given back to the
/// kernel. One scheduler thread; no locks.
#include <stdint.h>

#include "base/cx.h"
#include "fiber/fiber.h"
#include "ipc/verbs.h"

enum { CHUNK_OCTETS = 65536, CHUNKS_SHORT_MS = 1000, CHUNKS_WAIT_MS = 30000 };

struct chunks;
/// Makes an arena of `n` chunks: memfd, sealed against resizing, mapped. Before the sandbox closes. errors: E_IO,
/// E_RANGE (none, or more than ranges can name), E_TEMP.
[[nodiscard]] enum ec chunks_new(struct cx *cx, unsigned n, struct chunks **out);
void chunks_free(struct chunks *c); // accepts NULL
int chunks_fd(const struct chunks *c);
uint64_t chunks_octets(const struct chunks *c);

/// Takes one chunk, its content undefined (it may hold older mail of other sessions: never send more than was filled).
/// out: *r — the whole chunk. yields: waits for one, first come first served,
/// to the deadline or CHUNKS_WAIT_MS. errors: E_TEMP (none came free), E_CANCELED.
FIB enum ec chunks_take(struct cx *cx, struct chunks *c, struct range *r);
/// Calls `shortage` whenever a fiber begins to wait for a chunk, and each CHUNKS_SHORT_MS while it waits: who can give
/// some back should. It may not wait. NULL: nobody.
void chunks_on_shortage(struct chunks *c, void (*shortage)(void *arg), void *arg);
/// Gives a chunk back (any range inside it names it). A range of length 0 at offset 0 made by no take must not be
/// passed.
void chunks_give(struct chunks *c, struct range r);
/// The octets of a range.
uint8_t *chunks_at(struct chunks *c, struct range r);
/// How many are taken now (budget counter).
unsigned chunks_used(const struct chunks *c);
/// True where one can be had without waiting. Who holds one takes further ones only then: sessions that each wait for
/// another's would wait for ever.
static inline bool chunks_any_free(const struct chunks *c)
{
	return chunks_used(c) < chunks_octets(c) / CHUNK_OCTETS;
}
