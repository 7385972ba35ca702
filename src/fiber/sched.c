/// sched — the ready queue, parking and waking, the loop around epoll, and trimming of stacks long parked.
///
/// One round: run the fibers that are ready, and those that they wake, FIB_TURNS times; ask epoll (without waiting
/// where somebody is still ready), wake who is due. All on the thread that called fib_run.
#include "fiber/core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "fiber/switch.h"

enum { TRIM_BATCH = 64 };

struct sched *sched;

// ---- start and end

static void sched_free(struct sched *s)
{
	offload_close(s);
	if (s->epfd >= 0)
		close(s->epfd);
	stack_pool_close(&s->stacks);
	while (s->chunks) {
		struct fib_chunk *next = s->chunks->next;
		free(s->chunks);
		s->chunks = next;
	}
	free(s->heap);
	free(s->watches);
	free(s);
}

static enum ec sched_open(struct cx *cx, struct sched *s)
{
	uint64_t limit;
	enum ec e = stack_pool_open(cx, &s->stacks, STACK_WARM, s->env.guard_by_map);

	if (e)
		return e;
	if (stack_maps_short(&s->stacks, s->conf.fibers_max, &limit))
		LOG(cx, LOG_WARN, "fiber.maps.few", kv_u("fibers_max", s->conf.fibers_max),
			kv_u("max_map_count", limit),
			kv_sl("do", SL("sysctl vm.max_map_count to twice fibers_max and 4096 more")));
	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0)
		return fail(cx, E_IO, "epoll_create1: errno %d", errno);
	return offload_open(cx, s, s->conf.offload_threads ? s->conf.offload_threads : 2);
}

enum ec fib_start_env(struct cx *cx, const struct fib_conf *conf, const struct fib_env *env)
{
	assert(!sched);
	struct sched *s = calloc(1, sizeof *s);
	if (!s)
		return fail(cx, E_TEMP, "no memory for the scheduler");
	*s = (struct sched){ .env = *env, .conf = *conf, .epfd = -1, .random = env->seed };
	s->now_ns = env->now_ns(env->arg);
	san_main(&s->main_san);
	enum ec e = sched_open(cx, s);
	if (e) {
		sched_free(s);
		return e;
	}
	sched = s;
	return E_OK;
}

enum ec fib_start(struct cx *cx, const struct fib_conf *conf)
{
	struct fib_env env = fib_env_kernel();

	return fib_start_env(cx, conf, &env);
}

void fib_end(void)
{
	if (!sched)
		return;
	assert(!sched->running && sched->live == 0);
	sched_free(sched);
	sched = NULL;
}

// ---- the ready queue

static void ready_push(struct sched *s, struct fib *f)
{
	f->state = FS_READY;
	f->next = NULL;
	if (s->ready_last)
		s->ready_last->next = f;
	else
		s->ready_first = f;
	s->ready_last = f;
	s->ready_n++;
}

/// The first, or with a seed any of the ready fibers (xorshift64; a walk, but in tests only).
static struct fib *ready_pop(struct sched *s)
{
	struct fib **at = &s->ready_first, *before = NULL;

	if (s->random) {
		s->random ^= s->random << 13;
		s->random ^= s->random >> 7;
		s->random ^= s->random << 17;
		for (uint64_t skip = s->random % s->ready_n; skip; skip--) {
			before = *at;
			at = &before->next;
		}
	}
	struct fib *f = *at;
	*at = f->next;
	if (s->ready_last == f)
		s->ready_last = before;
	s->ready_n--;
	return f;
}

// ---- the list of parked fibers whose stacks may still hold what they no longer use

static void parked_drop(struct sched *s, struct fib *f)
{
	if (!f->untrimmed)
		return;
	f->untrimmed = false;
	*(f->park_before ? &f->park_before->park_next : &s->park_first) = f->park_next;
	*(f->park_next ? &f->park_next->park_before : &s->park_last) = f->park_before;
}

static void parked_add(struct sched *s, struct fib *f)
{
	f->parked_ns = s->now_ns;
	f->untrimmed = true;
	f->park_before = s->park_last;
	f->park_next = NULL;
	*(s->park_last ? &s->park_last->park_next : &s->park_first) = f;
	s->park_last = f;
}

static int64_t trim_at_ns(const struct sched *s)
{
	return s->park_first ? s->park_first->parked_ns + (int64_t)FIB_TRIM_AFTER_MS * 1000000 : 0;
}

static void trim_run(struct sched *s)
{
	for (int i = 0; i < TRIM_BATCH && s->park_first && trim_at_ns(s) <= s->now_ns; i++) {
		struct fib *f = s->park_first;
		parked_drop(s, f);
		stack_trim(&s->stacks, f->stack, f->sp);
	}
}

// ---- switching

static void fiber_to_main(struct sched *s, struct fib *f)
{
	san_leave(&f->san, &s->main_san, f->state == FS_ENDED);
	switch_stack(&f->sp, s->main_sp);
	san_arrive(&f->san, &s->main_san);
}

static void main_to_fiber(struct sched *s, struct fib *f)
{
	s->switches++;
	san_leave(&s->main_san, &f->san, 0);
	switch_stack(&s->main_sp, f->sp);
	// Bounds of the fiber's stack are known already; ASan may write them again.
	san_arrive(&s->main_san, &f->san);
}

static void fiber_main(void *arg)
{
	struct fib *f = arg;

	san_arrive(&f->san, &sched->main_san);
	f->fn(&f->cx, f->arg);
	assert(f->locks == 0 && sched->noyield == 0);
	f->state = FS_ENDED;
	fiber_to_main(sched, f);
}

static void fiber_bury(struct sched *s, struct fib *f)
{
	timer_clear(s, f);
	san_death(&f->san);
	stack_give(&s->stacks, f->stack);
	cx_end(&f->cx);
	f->state = FS_FREE;
	f->next = s->free;
	s->free = f;
	figure_set(FIG_FIBERS, 0, --s->live);
}

static void resume(struct sched *s, struct fib *f)
{
	f->state = FS_RUNNING;
	s->running = f;
	doing_since(f->doing, s->now_ns);
	main_to_fiber(s, f);
	while (s->main_call) { // fib_on_main: do it here and go straight back
		void (*fn)(void *) = s->main_call;
		s->main_call = NULL;
		s->in_main_call = true;
		fn(s->main_arg);
		s->in_main_call = false;
		main_to_fiber(s, f);
	}
	s->running = NULL;
	if (f->state == FS_ENDED)
		fiber_bury(s, f);
}

void fib_on_main(void (*fn)(void *arg), void *arg)
{
	struct sched *s = sched;

	if (!s || !s->running || s->in_main_call) {
		fn(arg);
		return;
	}
	s->main_call = fn;
	s->main_arg = arg;
	fiber_to_main(s, s->running);
}

// ---- parking

FIB void sched_park(int64_t due_ns)
{
	struct sched *s = sched;
	struct fib *f = s->running;

	assert(f && !s->in_main_call && s->noyield == 0);
	f->state = FS_PARKED;
	f->due_ns = due_ns;
	if (due_ns)
		timer_set(s, f);
	parked_add(s, f);
	fiber_to_main(s, f);
	f->due_ns = 0;
}

void sched_wake(struct fib *f)
{
	if (f->state != FS_PARKED)
		return;
	parked_drop(sched, f);
	ready_push(sched, f);
}

enum ec sched_check(const struct cx *cx)
{
	if (cx->canceled)
		return E_CANCELED;
	return cx->deadline_ns && sched->now_ns >= cx->deadline_ns ? E_TIMEOUT : E_OK;
}

FIB enum ec fib_yield(struct cx *cx)
{
	struct sched *s = sched;

	assert(s->running && !s->in_main_call && s->noyield == 0);
	ready_push(s, s->running);
	fiber_to_main(s, s->running);
	return sched_check(cx);
}

FIB enum ec fib_sleep(struct cx *cx, int64_t ms)
{
	int64_t end_ns = sched->now_ns + ms * 1000000;
	int64_t due_ns = cx->deadline_ns && cx->deadline_ns < end_ns ? cx->deadline_ns : end_ns;

	for (;;) {
		enum ec e = sched_check(cx);
		if (e == E_CANCELED || sched->now_ns >= due_ns)
			return e;
		sched_park(due_ns);
	}
}

void fib_noyield(int change)
{
	sched->noyield += change;
	assert(sched->noyield >= 0);
}

// ---- birth and cancellation

static struct fib *fiber_take(struct sched *s)
{
	if (!s->free) {
		struct fib_chunk *c = calloc(1, sizeof *c);
		if (!c)
			return NULL;
		c->next = s->chunks;
		s->chunks = c;
		for (size_t i = FIB_CHUNK; i-- > 0; s->free = &c->fibs[i])
			c->fibs[i].next = s->free;
	}
	struct fib *f = s->free;
	s->free = f->next;
	return f;
}

enum ec fib_go(void (*fn)(struct cx *cx, void *arg), void *arg)
{
	struct sched *s = sched;

	if (s->live >= s->conf.fibers_max)
		return E_LIMIT;
	struct fib *f = timer_reserve(s, s->live + 1) ? fiber_take(s) : NULL;
	if (!f)
		return E_TEMP;
	struct stack *st = stack_take(&s->stacks);
	if (!st) {
		f->next = s->free;
		s->free = f;
		return E_TEMP;
	}
	*f = (struct fib){ .stack = st, .fn = fn, .arg = arg, .cx.canceled = s->canceled, .doing = "fiber" };
	f->sp = switch_prepare(st->low, st->high, fiber_main, f);
	san_birth(&f->san, st->low, st->high);
	figure_set(FIG_FIBERS, 0, ++s->live);
	ready_push(s, f);
	return E_OK;
}

void fib_cancel(struct cx *cx)
{
	struct fib *f = (struct fib *)(void *)cx;

	assert(f->state != FS_FREE && f->state != FS_ENDED);
	cx->canceled = true;
	sched_wake(f);
}

unsigned fib_count(void)
{
	return sched->live;
}

void fib_doing(const char *what, struct sl more)
{
	char text[DOING_WHAT + 1];
	struct fib *f = sched ? sched->running : NULL;

	if (!f)
		return;
	memset(text, 0, sizeof text);
	snprintf(text, sizeof text, more.n ? "%s %.*s" : "%s%.*s", what, SLF(more));
	memcpy(f->doing, text, sizeof f->doing);
	doing_since(f->doing, sched->now_ns);
}

void fib_get_stats(struct fib_stats *out)
{
	*out = (struct fib_stats){ .fibers = sched->live,
		.stacks = sched->stacks.stacks,
		.stack_high_water = sched->stacks.high_water,
		.switches = sched->switches };
}

// ---- the loop

void fib_stop(void)
{
	if (!sched->stopping)
		sched->stop_ns = sched->now_ns;
	sched->stopping = true;
}

bool fib_stopping(void)
{
	return sched->stopping;
}

/// The only walk over all fibers, once in a process's life.
static void cancel_all(struct sched *s)
{
	for (struct fib_chunk *c = s->chunks; c; c = c->next)
		for (size_t i = 0; i < FIB_CHUNK; i++)
			if (c->fibs[i].state != FS_FREE)
				fib_cancel(&c->fibs[i].cx);
}

static void earlier(int64_t *at, int64_t other)
{
	if (other && (!*at || other < *at))
		*at = other;
}

/// Milliseconds that epoll may wait, rounded up so that whoever is due then is really due.
static int poll_timeout_ms(const struct sched *s, int64_t grace_end_ns)
{
	int64_t at = grace_end_ns;

	if (s->ready_n)
		return 0;
	earlier(&at, timer_first_ns(s));
	earlier(&at, trim_at_ns(s));
	if (!at)
		return -1;
	int64_t ms = at <= s->now_ns ? 0 : (at - s->now_ns + 999999) / 1000000;
	return ms > 3600000 ? 3600000 : (int)ms;
}

static void poll_events(struct sched *s, int timeout_ms)
{
	const struct epoll_event *events = s->events;

	doing(NULL);
	int n = s->env.poll(s->env.arg, s->epfd, s->events, FIB_EVENTS, timeout_ms);

	assert(n >= 0 || errno == EINTR);
	s->now_ns = s->env.now_ns(s->env.arg);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == OFFLOAD_DATA)
			offload_event(s);
		else
			watch_event(s, events[i].data.u64, events[i].events);
	}
}

void fib_run(int64_t grace_ms)
{
	struct sched *s = sched;

	s->now_ns = s->env.now_ns(s->env.arg);
	doing_begin("fibers", 0);
	while (s->live) {
		for (int turn = 0; turn < FIB_TURNS; turn++)
			for (unsigned n = s->ready_n; n; n--)
				resume(s, ready_pop(s));
		if (!s->live)
			break;
		int64_t grace_end_ns = s->stopping && grace_ms && !s->canceled ? s->stop_ns + grace_ms * 1000000 : 0;
		poll_events(s, poll_timeout_ms(s, grace_end_ns));
		timer_run(s);
		trim_run(s);
		if (grace_end_ns && s->now_ns >= grace_end_ns) {
			s->canceled = true;
			cancel_all(s);
		}
	}
	doing_end();
}
