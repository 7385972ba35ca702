#pragma once
/// heavy — work on one large message, done by a helper thread so that the scheduler's other fibers go on meanwhile.
///
/// The work is a pure function over memory that is its session's alone. Converters of charsets belong to one thread at
/// a time, so each of the few seats has its own, opened before the sandbox closes; who finds no seat waits for one,
/// first come first served.
#include "fiber/fiber.h"
#include "mail/charset.h"

enum {
	HEAVY_SEATS = 2,          // helper threads that a front has for it
	HEAVY_OCTETS = 256 << 10, // octets looked at; what is less takes a few milliseconds at most
};

/// True for work that belongs here: so many octets, each looked at so many times (1 or more).
static inline bool heavy_is(size_t octets, size_t times)
{
	return octets > HEAVY_OCTETS / times;
}

struct heavy {
	struct heavy_seat {
		struct fib_lock lock;
		unsigned fibers; // that have it or wait for it
		struct charset_cache charsets;
	} seat[HEAVY_SEATS];
};

/// Opens every converter. errors: as charset_preload.
[[nodiscard]] enum ec heavy_preload(struct heavy *h);
/// Closes them. Accepts a zeroed one.
void heavy_free(struct heavy *h);

typedef void heavy_work(struct charset_cache *charsets, void *arg);
/// Runs work(charsets, arg) on a helper thread.
///
/// in:     arg — what it points to is not touched by anybody else until return.
/// yields: until it is done; not cancellable once it has begun.
/// errors: E_TIMEOUT, E_CANCELED (waiting for a seat), E_TEMP. Then work was not run.
FIB enum ec heavy_run(struct cx *cx, struct heavy *h, heavy_work *work, void *arg);
