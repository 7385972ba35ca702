/// figures — the table, the page, and each thread's place on it.
#include "base/figures.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

const int64_t figure_bounds_ns[BUCKETS] = { 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000,
	10000000, 20000000, 50000000, 100000000, 200000000, 500000000, 1000000000, 2000000000, 5000000000,
	10000000000 };

#define LABELS(set, key, ...) static const char *const words_##set[] = { __VA_ARGS__ };
#include "base/figures.def"
#undef LABELS

const struct figure_set figure_sets[LABEL_SETS] = {
#define LABELS(set, key, ...) { key, words_##set, LABELS_##set },
#include "base/figures.def"
#undef LABELS
};

const struct figure_info figure_infos[FIGURES] = {
#define FIGURE(id, kind, unit, who, first, second, name, help)                                                        \
	{ name, help, KIND_##kind, UNIT_##unit, who, LABEL_##first, LABEL_##second, LABELS_##first * LABELS_##second, \
		AT_##id },
#include "base/figures.def"
#undef FIGURE
};

static struct figures own;                       // until there is another
static struct figures *page = &own;              // set once, before threads
static _Thread_local struct figures_doing *mine; // of a role's long-lived threads

// ---- counting

/// The first place of a label, or NULL for one that is none.
static _Atomic uint64_t *place_of(enum figure f, unsigned label)
{
	const struct figure_info *i = &figure_infos[f];

	if (label >= i->labels)
		return NULL;
	return &page->place[i->at + label * (i->kind == KIND_TIMES ? (unsigned)TIMES_PLACES : 1u)];
}

void figure_add(enum figure f, unsigned label, uint64_t n)
{
	_Atomic uint64_t *p = place_of(f, label);

	if (p)
		atomic_fetch_add_explicit(p, n, memory_order_relaxed);
}

void figure_less(enum figure f, unsigned label, uint64_t n)
{
	figure_add(f, label, 0 - n);
}

void figure_set(enum figure f, unsigned label, uint64_t value)
{
	_Atomic uint64_t *p = place_of(f, label);

	if (p)
		atomic_store_explicit(p, value, memory_order_relaxed);
}

void figure_time(enum figure f, unsigned label, int64_t ns)
{
	_Atomic uint64_t *p = place_of(f, label);
	unsigned i = 0;

	if (!p)
		return;
	if (ns < 0)
		ns = 0;
	while (i < BUCKETS && ns > figure_bounds_ns[i])
		i++;
	atomic_fetch_add_explicit(&p[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&p[BUCKETS + 1], (uint64_t)ns, memory_order_relaxed);
}

uint64_t figure_get(enum figure f, unsigned label)
{
	_Atomic uint64_t *p = place_of(f, label);

	return p ? atomic_load_explicit(p, memory_order_relaxed) : 0;
}

void figures_look_at_heap(void)
{
	struct mallinfo2 m = mallinfo2();

	figure_set(FIG_HEAP_USED, 0, m.uordblks + m.hblkhd);
	figure_set(FIG_HEAP_HELD, 0, m.arena + m.hblkhd);
}

// ---- doing

/// Stores a text filled up with zeros.
static void put_text(_Atomic uint64_t *to, size_t octets, const char *text)
{
	uint64_t words[DOING_WHAT / 8] = { 0 };

	memcpy(words, text, min_size(strlen(text), octets));
	for (size_t i = 0; i < octets / 8; i++)
		atomic_store_explicit(&to[i], words[i], memory_order_relaxed);
}

void doing_begin(const char *who, unsigned number)
{
	char name[DOING_WHO + 1];

	snprintf(name, sizeof name, number ? "%s %u" : "%s", who, number);
	for (unsigned i = 0; i < DOING_MAX && !mine; i++) {
		uint64_t none = 0, taken = UINT64_MAX; // the name follows
		if (atomic_compare_exchange_strong(&page->doing[i].who[0], &none, taken))
			mine = &page->doing[i];
	}
	if (mine)
		put_text(mine->who, DOING_WHO, name);
}

void doing_at(const char *what, int64_t since_ns)
{
	if (!mine)
		return;
	if (what)
		put_text(mine->what, DOING_WHAT, what);
	atomic_store_explicit(&mine->since_ns, what ? (uint64_t)since_ns : 0, memory_order_relaxed);
}

void doing(const char *what)
{
	doing_at(what, mine && what ? clock_mono_ns() : 0);
}

void doing_since(const char what[DOING_WHAT], int64_t since_ns)
{
	uint64_t words[DOING_WHAT / 8];

	if (!mine)
		return;
	memcpy(words, what, sizeof words);
	for (size_t i = 0; i < ARRAY_N(words); i++)
		atomic_store_explicit(&mine->what[i], words[i], memory_order_relaxed);
	atomic_store_explicit(&mine->since_ns, (uint64_t)since_ns, memory_order_relaxed);
}

void doing_end(void)
{
	if (!mine)
		return;
	doing(NULL);
	atomic_store(&mine->who[0], 0);
	mine = NULL;
}

// ---- pages

enum ec figures_new(struct cx *cx, int *fd)
{
	int memfd = memfd_create("hongyan-figures", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0)
		return fail(cx, E_IO, "memfd of figures: %m");
	if (ftruncate(memfd, sizeof(struct figures)) < 0 ||
		fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		enum ec e = fail(cx, E_IO, "sealing figures: %m");
		close(memfd);
		return e;
	}
	*fd = memfd;
	return E_OK;
}

/// A page that can shrink would end whoever reads it.
static enum ec map_page(struct cx *cx, int fd, int protection, void **out)
{
	enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW };
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size != sizeof(struct figures))
		return fail(cx, E_CORRUPT, "no page of figures");
	void *map = mmap(NULL, sizeof(struct figures), protection, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return fail(cx, E_IO, "mmap of figures: %m");
	*out = map;
	return E_OK;
}

/// What is true of a process ends with it.
static void page_rest(struct figures *p)
{
	for (unsigned f = 0; f < FIGURES; f++)
		for (unsigned k = 0; figure_infos[f].kind == KIND_GAUGE && k < figure_infos[f].labels; k++)
			atomic_store_explicit(&p->place[figure_infos[f].at + k], 0, memory_order_relaxed);
	for (unsigned i = 0; i < DOING_MAX; i++)
		p->doing[i] = (struct figures_doing){ 0 };
}

enum ec figures_begin(struct cx *cx, int fd)
{
	void *map;
	enum ec e = map_page(cx, fd, PROT_READ | PROT_WRITE, &map);

	close(fd);
	if (e != E_OK)
		return e;
	page = map;
	page_rest(page);
	return E_OK;
}

enum ec figures_map(struct cx *cx, int fd, const struct figures **out)
{
	void *map;
	enum ec e = map_page(cx, fd, PROT_READ, &map);

	if (e == E_OK)
		*out = map;
	return e;
}

void figures_copy(struct figures *to, const struct figures *from, bool lives)
{
	_Atomic uint64_t *out = (void *)to;
	const _Atomic uint64_t *in = (const void *)from;

	for (size_t i = 0; i < sizeof *to / sizeof *in; i++)
		atomic_store_explicit(
			&out[i], atomic_load_explicit(&in[i], memory_order_relaxed), memory_order_relaxed);
	if (!lives)
		page_rest(to);
}
