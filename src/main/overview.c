/// overview — pages, the board, and a look into /proc each second.
#include "main/overview.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

struct seen {
	enum role role;
	unsigned number;
	int fd;
	const struct figures *page;
	pid_t pid; // 0: it does not run
	bool ready;
	int64_t since_ns;
	uint64_t starts, hangs;
	uint64_t cpu_before_ns, cpu_ns; // of processes that ended, and of this one
	uint64_t resident;
};
struct overview {
	struct seen role[BOARD_ROLES_MAX];
	uint32_t n;
	int fd;
	struct board *board;
	struct sl hostname; // borrowed until overview_begin
	int64_t copied_ms, looked_ms;
};

enum ec overview_new(struct cx *cx, const struct config *config, struct overview **out)
{
	struct overview *o = calloc(1, sizeof *o);

	if (!o)
		return fail(cx, E_TEMP, "no memory for figures");
	o->fd = -1;
	o->hostname = config->hostname;
	*out = o;
	return E_OK;
}

void overview_free(struct overview *o)
{
	if (!o)
		return;
	for (uint32_t i = 0; i < o->n; i++) {
		munmap((void *)(uintptr_t)o->role[i].page, sizeof *o->role[i].page);
		close(o->role[i].fd);
	}
	board_unmap(o->board);
	if (o->fd >= 0)
		close(o->fd);
	free(o);
}

enum ec overview_add(struct cx *cx, struct overview *o, enum role role, unsigned number)
{
	struct seen s = { .role = role, .number = number };

	if (o->n == BOARD_ROLES_MAX)
		return fail(cx, E_LIMIT, "too many roles for the board");
	enum ec e = figures_new(cx, &s.fd);
	if (e != E_OK)
		return e;
	e = figures_map(cx, s.fd, &s.page);
	if (e != E_OK) {
		close(s.fd);
		return e;
	}
	o->role[o->n++] = s;
	return E_OK;
}

void overview_named(struct overview *o, struct sl hostname)
{
	if (o->board)
		snprintf(o->board->hostname, sizeof o->board->hostname, "%.*s", SLF(hostname));
}

enum ec overview_begin(struct cx *cx, struct overview *o)
{
	enum ec e = board_new(cx, o->n, &o->fd, &o->board);

	if (e != E_OK)
		return e;
	snprintf(o->board->version, sizeof o->board->version, "%s", HONGYAN_VERSION);
	overview_named(o, o->hostname);
	o->board->began_s = (uint64_t)clock_now_s();
	o->board->began_ns = (uint64_t)clock_mono_ns();
	for (uint32_t i = 0; i < o->n; i++) {
		struct board_role *r = &o->board->role[i];
		snprintf(r->kind, sizeof r->kind, "%s", role_name(o->role[i].role));
		r->number = o->role[i].number;
	}
	return E_OK;
}

int overview_page(const struct overview *o, size_t i)
{
	return o->role[i].fd;
}

int overview_board(const struct overview *o)
{
	return o->fd;
}

void overview_started(struct overview *o, size_t i, pid_t pid)
{
	o->role[i].pid = pid;
	o->role[i].since_ns = clock_mono_ns();
	o->role[i].starts++;
}

void overview_ready(struct overview *o, size_t i)
{
	o->role[i].ready = true;
}

void overview_died(struct overview *o, size_t i)
{
	struct seen *s = &o->role[i];

	s->cpu_before_ns += s->cpu_ns;
	s->cpu_ns = s->resident = 0;
	s->pid = 0;
	s->ready = false;
}

void overview_hung(struct overview *o, size_t i)
{
	o->role[i].hangs++;
}

// ---- /proc

/// The n-th word of a line, 0 the first; 0 where it is no number.
static uint64_t number_at(struct sl line, unsigned n)
{
	uint64_t v = 0;
	struct sl word = { 0 };

	for (unsigned i = 0; i <= n; i++)
		word = sl_cut(&line, ' ');
	return num_parse(word, UINT64_MAX, &v) ? v : 0;
}

/// Processor time and resident memory; what cannot be read stays as it was.
/// source: proc(5), /proc/[pid]/stat: behind the name in brackets, utime is word 11, stime 12, rss 21, from 0.
static void look_at_process(struct seen *s)
{
	enum { UTIME = 11, STIME = 12, RSS = 21 };
	char path[64], text[1024];
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK), page = (uint64_t)sysconf(_SC_PAGESIZE);

	snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	struct sl line = { (const uint8_t *)text, (size_t)n };
	size_t behind = sl_rfind(line, ')');
	if (behind >= line.n)
		return;
	line = sl_from(line, behind + 2);
	s->cpu_ns = (number_at(line, UTIME) + number_at(line, STIME)) * tick_ns;
	s->resident = number_at(line, RSS) * page;
}

// ---- the board

/// What the master knows, in the places of the role's page that are its own.
static void tell(struct board_role *r, enum figure f, uint64_t value)
{
	atomic_store_explicit(&r->figures.place[figure_infos[f].at], value, memory_order_relaxed);
}

static void copy_role(struct board_role *r, const struct seen *s, int64_t now_ns)
{
	figures_copy(&r->figures, s->page, s->pid != 0);
	atomic_store_explicit(&r->pid, (uint32_t)s->pid, memory_order_relaxed);
	atomic_store_explicit(&r->since_ns, (uint64_t)s->since_ns, memory_order_relaxed);
	tell(r, FIG_UP, s->ready);
	tell(r, FIG_STARTS, s->starts);
	tell(r, FIG_HANGS, s->hangs);
	tell(r, FIG_AGE, s->pid ? (uint64_t)(now_ns - s->since_ns) : 0);
	tell(r, FIG_CPU, s->cpu_before_ns + s->cpu_ns);
	tell(r, FIG_RESIDENT, s->resident);
}

void overview_step(struct overview *o, int64_t now_ms)
{
	int64_t now_ns = clock_mono_ns();

	if (now_ms - o->copied_ms < OVERVIEW_COPY_MS)
		return;
	o->copied_ms = now_ms;
	if (now_ms - o->looked_ms >= OVERVIEW_LOOK_MS) {
		o->looked_ms = now_ms;
		for (uint32_t i = 0; i < o->n; i++)
			if (o->role[i].pid)
				look_at_process(&o->role[i]);
	}
	for (uint32_t i = 0; i < o->n; i++)
		copy_role(&o->board->role[i], &o->role[i], now_ns);
	atomic_store(&o->board->fresh_ns, (uint64_t)now_ns);
}

void overview_doing(const struct overview *o, size_t i, int64_t at_least_ms, struct buf *out)
{
	board_print_doing(out, o->role[i].page, clock_mono_ns(), at_least_ms * 1000000);
}
