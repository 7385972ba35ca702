/// arena — bump allocation in blocks that double from 1 KiB to 64 KiB, each counted against the budget.
#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { BLOCK_MIN = 1024, BLOCK_MAX = 65536 };

struct arena_block {
	struct arena_block *next;
	size_t size; // octets of the whole block, header included
	alignas(max_align_t) uint8_t mem[];
};

void arena_init(struct arena *a, size_t budget)
{
	*a = (struct arena){ .budget = budget, .full_budget = budget };
}

/// Takes one more block of `size` octets (header included) from malloc; NULL where the budget does not allow it.
static struct arena_block *block_add(struct arena *a, size_t size)
{
	struct arena_block *b = size <= a->budget ? malloc(size) : NULL;

	if (!b)
		return NULL;
	a->budget -= size;
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	return b;
}

#ifndef ARENA_MALLOC
/// Makes the present block one that has room for `need` octets.
static bool block_grow(struct arena *a, size_t need)
{
	size_t want = a->blocks ? min_size(a->blocks->size * 2, BLOCK_MAX) : BLOCK_MIN;

	want = max_size(want, need + sizeof(struct arena_block));
	if (want > a->budget)
		want = need + sizeof(struct arena_block); // the last block takes just what is needed
	struct arena_block *b = block_add(a, want);
	if (!b)
		return false;
	a->at = b->mem;
	a->end = (uint8_t *)b + b->size;
	return true;
}
#endif

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
	size_t n, pad;

	if (!num_mul(count, size, &n) || n > SIZE_MAX / 2)
		return NULL;
	n = n ? n : 1;
#ifdef ARENA_MALLOC
	if (a->full_budget) {
		struct arena_block *b = block_add(a, sizeof *b + n);
		return b ? memset(b->mem, 0, n) : NULL;
	}
#endif
	pad = (size_t)(-(uintptr_t)a->at & (alignof(max_align_t) - 1));
	if (!a->at || pad > (size_t)(a->end - a->at) || n > (size_t)(a->end - a->at) - pad) {
#ifdef ARENA_MALLOC
		return NULL;
#else
		if (!a->full_budget || !block_grow(a, n))
			return NULL;
		pad = 0;
#endif
	}
	uint8_t *p = a->at + pad;
	a->at = p + n;
	return memset(p, 0, n);
}

struct sl arena_copy(struct arena *a, struct sl s)
{
	uint8_t *p = arena_alloc(a, s.n, 1);

	if (!p)
		return (struct sl){ 0 };
	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct sl){ p, s.n };
}

static void blocks_free(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->blocks;

	if (!keep)
		return;
#ifdef ARENA_MALLOC
	arena_free(a);
#else
	if (keep->size > BLOCK_MAX) {
		arena_free(a);
		return;
	}
	blocks_free(keep->next);
	keep->next = NULL;
	a->budget = a->full_budget - keep->size;
	a->at = keep->mem;
	a->end = (uint8_t *)keep + keep->size;
#endif
}

void arena_free(struct arena *a)
{
	blocks_free(a->blocks);
	if (a->full_budget)
		arena_init(a, a->full_budget);
}

size_t arena_used(const struct arena *a)
{
	return a->full_budget - a->budget;
}
