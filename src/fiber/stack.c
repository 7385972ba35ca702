/// stack — slabs of guarded stacks.
#include "fiber/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "fiber/sanitize.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 // Linux 6.13; Debian 12's headers are older
#endif

enum { PAGES_MAX = STACK_OCTETS / 4096, SP_SLACK = 512, MAPS_ELSEWHERE = 2048 };

struct stack_slab {
	struct stack_slab *next;
	uint8_t *base;
	struct stack stacks[STACK_SLAB];
};

/// Makes the `n` octets at p inaccessible.
static bool guard_set(const struct stack_pool *p, uint8_t *at)
{
	return p->by_map ? mprotect(at, p->guard, PROT_NONE) == 0 : madvise(at, p->guard, MADV_GUARD_INSTALL) == 0;
}

enum ec stack_pool_open(struct cx *cx, struct stack_pool *p, unsigned warm_max, bool by_map)
{
	*p = (struct stack_pool){ .warm_max = warm_max, .page = (size_t)sysconf(_SC_PAGESIZE), .by_map = by_map };
	p->guard = max_size(p->page, STACK_GUARD);
	if (p->guard > STACK_OCTETS / 2)
		return fail(cx, E_IO, "pages of %zu octets are too large for stacks of %d", p->page, STACK_OCTETS);

	uint8_t *trial = mmap(NULL, p->guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (trial == MAP_FAILED)
		return fail(cx, E_IO, "mmap of a stack guard: errno %d", errno);
	bool ok = guard_set(p, trial);
	if (!ok && !p->by_map) {
		p->by_map = true;
		ok = guard_set(p, trial);
	}
	int err = errno;
	munmap(trial, p->guard);
	return ok ? E_OK
	          : fail(cx, E_IO,
			    "no guarded stacks: mprotect gives errno %d; raise vm.max_map_count (sysctl) if it is 12",
			    err);
}

void stack_pool_close(struct stack_pool *p)
{
	while (p->slabs) {
		struct stack_slab *next = p->slabs->next;
		munmap(p->slabs->base, (size_t)STACK_OCTETS * STACK_SLAB);
		free(p->slabs);
		p->slabs = next;
	}
	*p = (struct stack_pool){ 0 };
}

/// Maps one more slab and puts its stacks on the cold list; false, and nothing changed, where it cannot be guarded.
static bool slab_add(struct stack_pool *p)
{
	size_t size = (size_t)STACK_OCTETS * STACK_SLAB;
	struct stack_slab *slab = calloc(1, sizeof *slab);
	if (!slab)
		return false;
	slab->base = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	bool ok = slab->base != MAP_FAILED;
	if (ok)
		(void)madvise(slab->base, size, MADV_NOHUGEPAGE); // kernels without huge pages refuse; nothing is lost
	for (size_t i = 0; ok && i < STACK_SLAB; i++)
		ok = guard_set(p, slab->base + i * STACK_OCTETS);
	if (!ok) {
		if (slab->base != MAP_FAILED)
			munmap(slab->base, size);
		free(slab);
		return false;
	}
	for (size_t i = STACK_SLAB; i-- > 0;) {
		struct stack *s = &slab->stacks[i];
		uint8_t *at = slab->base + i * STACK_OCTETS;
		*s = (struct stack){ .low = at + p->guard, .high = at + STACK_OCTETS, .next = p->cold };
		p->cold = s;
	}
	slab->next = p->slabs;
	p->slabs = slab;
	p->stacks += STACK_SLAB;
	return true;
}

struct stack *stack_take(struct stack_pool *p)
{
	struct stack *s = p->warm;

	if (s) {
		p->warm = s->next;
		p->warm_n--;
		return s;
	}
	if (!p->cold && !slab_add(p))
		return NULL;
	s = p->cold;
	p->cold = s->next;
	return s;
}

void stack_give(struct stack_pool *p, struct stack *s)
{
	san_stack_free(s->low, s->high);
	if (p->warm_n < p->warm_max) {
		s->next = p->warm;
		p->warm = s;
		p->warm_n++;
		return;
	}
	stack_trim(p, s, s->high);
	s->next = p->cold;
	p->cold = s;
}

void stack_trim(struct stack_pool *p, struct stack *s, const void *sp)
{
	unsigned char in_core[PAGES_MAX];
	// Some room below sp stays: the ucontext fallback's frame is not at its very end.
	size_t keep = (size_t)(s->high - (const uint8_t *)sp);
	keep = keep ? (keep + SP_SLACK + p->page - 1) / p->page * p->page : 0;
	size_t total = (size_t)(s->high - s->low);
	size_t n = keep < total ? total - keep : 0; // octets [low, low + n) are to go
	size_t first = 0;

	if (mincore(s->low, total, in_core) == 0)
		while (first < total / p->page && !(in_core[first] & 1))
			first++;
	p->high_water = max_size(p->high_water, total - first * p->page);
	if (first * p->page < n)
		(void)madvise(s->low + first * p->page, n - first * p->page, MADV_DONTNEED);
}

bool stack_maps_short(const struct stack_pool *p, unsigned stacks, uint64_t *limit)
{
	char text[24];
	uint64_t max = 0;
	int fd = p->by_map ? open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC) : -1;

	*limit = 0;
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof text);
	close(fd);
	if (n <= 0 || !num_parse(sl_trim((struct sl){ (const uint8_t *)text, (size_t)n }), INT64_MAX, &max))
		return false;
	*limit = max;
	return (uint64_t)stacks * 2 + MAPS_ELSEWHERE > max;
}
