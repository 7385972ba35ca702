#pragma once
/// arena — memory with one lifetime and one budget: allocate freely, release all at once.
///
/// Two forms: over memory of the caller (`ARENA_OVER`, never grows), or growing by malloc'd blocks up to a budget
/// (`arena_init`). A spent budget gives NULL, which callers report as E_TEMP; the server goes on.
/// Built with -DARENA_MALLOC each allocation is a malloc of its own, so that ASan sees every overrun.
/// Not shared between threads.
#include <stddef.h>
#include <stdint.h>

#include "base/sl.h"

struct arena_block;
struct arena {
	uint8_t *at, *end;          // the free part of the present block
	struct arena_block *blocks; // newest first; empty for the fixed form
	size_t budget;              // octets that may still be taken from malloc
	size_t full_budget;         // what arena_reset gives back
};

/// An arena over `n` octets of the caller's memory, which must outlive it.
#define ARENA_OVER(mem, n) ((struct arena){ .at = (mem), .end = (uint8_t *)(mem) + (n) })

/// Makes an empty arena that may take up to `budget` octets from malloc. Takes nothing yet.
void arena_init(struct arena *a, size_t budget);

/// Room for `count` objects of `size` octets, zeroed, aligned for any type; NULL where the budget is spent or the
/// product does not fit. A count or size of 0 gives a valid pointer. Owned by the arena.
[[nodiscard]] void *arena_alloc(struct arena *a, size_t count, size_t size);

/// A private copy of `s`; on a spent budget .p is NULL (and .n 0), even for an empty `s` .p is otherwise not NULL.
[[nodiscard]] struct sl arena_copy(struct arena *a, struct sl s);

/// Gives everything back at once but keeps one block for the next round; every pointer from this arena is now invalid.
/// For the fixed form this does nothing.
void arena_reset(struct arena *a);

/// Gives everything back, blocks included. Accepts a zeroed arena; may be called twice.
void arena_free(struct arena *a);

/// Octets taken from malloc at present (for budgets of a whole role).
size_t arena_used(const struct arena *a);
