#pragma once
/// stack — guarded stacks for fibers, cut from slabs of 64.
///
/// Each is STACK_OCTETS of address space, of which only touched pages cost memory; its lowest STACK_GUARD octets are a
/// guard, so that an overflow is a SIGSEGV and never another fiber's data. Where the kernel gives no guard there is no
/// stack. Free stacks are reused last in, first out; up to `warm_max` of them keep their pages, the others lose them.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cx.h"

// The guard is wider than a page because library code is not compiled to probe each page of a large frame.
enum { STACK_OCTETS = 131072, STACK_SLAB = 64, STACK_GUARD = 16384, STACK_WARM = 64 };

struct stack {
	uint8_t *low, *high; // usable octets are [low, high)
	struct stack *next;  // free list
};

struct stack_slab;
struct stack_pool {
	struct stack *warm, *cold; // free: with pages, without pages
	unsigned warm_n, warm_max, stacks;
	struct stack_slab *slabs;
	size_t page, guard;
	size_t high_water; // deepest use seen by stack_trim
	bool by_map;       // guards are mprotect'ed: two mappings for each stack
};

/// Makes an empty pool and tries out which guard the kernel has.
///
/// in:     by_map — do not even try MADV_GUARD_INSTALL (tests).
/// errors: E_IO (no guard possible; the story names vm.max_map_count).
[[nodiscard]] enum ec stack_pool_open(struct cx *cx, struct stack_pool *p, unsigned warm_max, bool by_map);
/// Unmaps all; no stack may be in use. Accepts a zeroed pool.
void stack_pool_close(struct stack_pool *p);
/// A guarded stack, or NULL where memory or mappings are spent.
struct stack *stack_take(struct stack_pool *p);
/// Gives one back.
void stack_give(struct stack_pool *p, struct stack *s);
/// Gives the pages below `sp` back to the kernel and notes how deep the stack has been.
void stack_trim(struct stack_pool *p, struct stack *s, const void *sp);
/// True where `stacks` mprotect'ed guards would pass vm.max_map_count; *limit is that count (0 where unknown).
bool stack_maps_short(const struct stack_pool *p, unsigned stacks, uint64_t *limit);
