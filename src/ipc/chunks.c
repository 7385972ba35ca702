/// chunks — a stack of free chunk numbers, a queue of fibers that wait for one.
#include "ipc/chunks.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/figures.h"

enum { WARM_CHUNKS = 64 }; // free chunks whose memory is kept: 4 MiB

struct waiting {
	struct waiting *next;
	struct fib_event given;
	uint32_t chunk;
	bool has;
};

struct chunks {
	int fd;
	unsigned total, n_free, n_warm; // n_warm: free chunks whose memory is kept
	uint8_t *map;
	uint32_t *free;
	bool *warm; // by chunk: free and counted in n_warm
	struct waiting *first, **last;
	void (*shortage)(void *arg);
	void *shortage_arg;
};

static enum ec arena_map(struct cx *cx, struct chunks *c)
{
	size_t octets = (size_t)c->total * CHUNK_OCTETS;

	c->fd = memfd_create("hongyan-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (c->fd < 0)
		return fail(cx, E_IO, "memfd_create: %m");
	if (ftruncate(c->fd, (off_t)octets) < 0)
		return fail(cx, E_IO, "ftruncate of the arena: %m");
	if (fcntl(c->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fail(cx, E_IO, "sealing the arena: %m");
	void *map = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (map == MAP_FAILED)
		return fail(cx, E_IO, "mmap of the arena: %m");
	c->map = map;
	return E_OK;
}

enum ec chunks_new(struct cx *cx, unsigned n, struct chunks **out)
{
	if (n == 0 || n > UINT32_MAX / CHUNK_OCTETS)
		return fail(cx, E_RANGE, "an arena of %u chunks; ranges reach 4 GiB", n);
	struct chunks *c = calloc(1, sizeof *c);
	if (!c)
		return fail(cx, E_TEMP, "no memory for the arena");
	*c = (struct chunks){ .fd = -1, .total = n, .last = &c->first };
	c->free = calloc(n, sizeof *c->free);
	c->warm = calloc(n, sizeof *c->warm);
	enum ec e = c->free && c->warm ? arena_map(cx, c) : fail(cx, E_TEMP, "no memory for the arena");
	if (e != E_OK) {
		chunks_free(c);
		return e;
	}
	while (c->n_free < n) {
		c->free[c->n_free] = n - 1 - c->n_free;
		c->n_free++;
	}
	figure_set(FIG_CHUNKS, 0, n);
	*out = c;
	return E_OK;
}

void chunks_free(struct chunks *c)
{
	if (!c)
		return;
	if (c->map)
		munmap(c->map, (size_t)c->total * CHUNK_OCTETS);
	if (c->fd >= 0)
		close(c->fd);
	free(c->free);
	free(c->warm);
	free(c);
}

int chunks_fd(const struct chunks *c)
{
	return c->fd;
}

uint64_t chunks_octets(const struct chunks *c)
{
	return (uint64_t)c->total * CHUNK_OCTETS;
}

static struct range chunk_range(uint32_t chunk)
{
	return (struct range){ chunk * CHUNK_OCTETS, CHUNK_OCTETS };
}

/// Takes a waiting fiber out of the queue: its deadline came first.
static void waiting_remove(struct chunks *c, struct waiting *w)
{
	struct waiting **at = &c->first;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (!w->next)
		c->last = at;
}

void chunks_on_shortage(struct chunks *c, void (*shortage)(void *arg), void *arg)
{
	c->shortage = shortage;
	c->shortage_arg = arg;
}

/// Waits in the queue, asking for room now and then.
FIB static enum ec waiting_wait(struct cx *cx, struct chunks *c, struct waiting *w)
{
	int64_t deadline_ns = cx->deadline_ns, patience_ns = clock_mono_ns() + (int64_t)CHUNKS_WAIT_MS * 1000000;
	int64_t until_ns = deadline_ns && deadline_ns < patience_ns ? deadline_ns : patience_ns;
	enum ec e;

	do {
		if (c->shortage)
			c->shortage(c->shortage_arg);
		cx->deadline_ns = clock_mono_ns() + (int64_t)CHUNKS_SHORT_MS * 1000000;
		bool last = until_ns <= cx->deadline_ns;
		if (last)
			cx->deadline_ns = until_ns;
		e = fib_event_wait(cx, &w->given);
		if (last)
			break;
	} while (e == E_TIMEOUT);
	cx->deadline_ns = deadline_ns;
	return e;
}

FIB enum ec chunks_take(struct cx *cx, struct chunks *c, struct range *r)
{
	if (c->n_free) {
		uint32_t chunk = c->free[--c->n_free];
		c->n_warm -= c->warm[chunk];
		c->warm[chunk] = false;
		figure_set(FIG_CHUNKS_USED, 0, chunks_used(c));
		*r = chunk_range(chunk);
		return E_OK;
	}
	struct waiting w = { .next = NULL };
	figure_add(FIG_CHUNK_WAITS, 0, 1);
	*c->last = &w;
	c->last = &w.next;
	enum ec e = waiting_wait(cx, c, &w);
	if (w.has && e != E_OK) // given and cancelled at once: pass it on
		chunks_give(c, chunk_range(w.chunk));
	else if (e != E_OK)
		waiting_remove(c, &w);
	if (e == E_TIMEOUT)
		e = E_TEMP; // the server is busy; its client was not silent
	if (e != E_OK)
		return wrap(cx, e, "waiting for a free chunk of %u", c->total);
	*r = chunk_range(w.chunk);
	return E_OK;
}

void chunks_give(struct chunks *c, struct range r)
{
	uint32_t chunk = r.off / CHUNK_OCTETS;
	struct waiting *w = c->first;

	assert(chunk < c->total && c->n_free < c->total);
	if (w) {
		c->first = w->next;
		if (!c->first)
			c->last = &c->first;
		w->chunk = chunk;
		w->has = true;
		fib_event_set(&w->given);
		return;
	}
	c->warm[chunk] = c->n_warm < WARM_CHUNKS;
	c->n_warm += c->warm[chunk];
	if (!c->warm[chunk])
		madvise(c->map + (size_t)chunk * CHUNK_OCTETS, CHUNK_OCTETS, MADV_REMOVE);
	c->free[c->n_free++] = chunk;
	figure_set(FIG_CHUNKS_USED, 0, chunks_used(c));
}

uint8_t *chunks_at(struct chunks *c, struct range r)
{
	return c->map + r.off;
}

unsigned chunks_used(const struct chunks *c)
{
	return c->total - c->n_free;
}
