#pragma once
/// core — the inside of the scheduler: what its files share. Internal to fiber/ and its tests.
///
/// Invariants: a fiber is in at most one of {ready queue, running, parked}; a parked fiber with a `due_ns` has an entry
/// in the timer heap that is not later than it (entries are left behind when a fiber wakes early and moved when they
/// come up, so that a wait whose deadline only grows costs nothing); the heap has room for every fiber.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/figures.h"
#include "fiber/env.h"
#include "fiber/fiber.h"
#include "fiber/sanitize.h"
#include "fiber/stack.h"

enum fib_state { FS_FREE, FS_READY, FS_RUNNING, FS_PARKED, FS_ENDED };
enum { FIB_CHUNK = 64, FIB_EVENTS = 256, FIB_TRIM_AFTER_MS = 2000, FIB_TURNS = 4, OFFLOAD_QUEUE_MAX = 1024 };

struct fib {
	struct cx cx; // first: fib_cancel finds the fiber by it
	void *sp;
	struct stack *stack;
	void (*fn)(struct cx *cx, void *arg);
	void *arg;
	struct fib *next;                    // ready queue or free list
	struct fib *park_before, *park_next; // parked and not trimmed, by time of parking
	struct fib *lock_next;               // waiting for the same lock
	int64_t parked_ns, due_ns;           // due_ns 0 = waits without an end
	uint32_t heap_at;                    // index + 1 in the timer heap, 0 = not in it
	uint32_t locks;                      // held
	uint8_t state;                       // enum fib_state
	bool untrimmed;                      // in the list of parked_ns
	bool closed;                         // the descriptor waited for was taken away
	char doing[DOING_WHAT];              // fib_doing; filled up with zeros
	struct san san;
};
_Static_assert(offsetof(struct fib, cx) == 0, "fib_cancel");

struct fib_chunk {
	struct fib_chunk *next;
	struct fib fibs[FIB_CHUNK];
};
struct timer {
	int64_t at_ns;
	struct fib *fib;
};
/// What epoll knows of one descriptor number.
struct watch {
	struct fib_fd *f; // NULL = not watched
	uint32_t generation;
	bool shared, armed; // a shared one is in the epoll set only while armed
	bool writes;        // somebody has waited for room to write
};

struct offload;
struct sched {
	struct fib_env env;
	struct fib_conf conf;
	int epfd;
	bool stopping, in_main_call;
	bool canceled; // the grace is over: fibers are born cancelled
	int noyield;
	int64_t now_ns, stop_ns;
	uint64_t random;

	struct fib *running, *ready_first, *ready_last, *free;
	struct fib *park_first, *park_last;
	struct fib_chunk *chunks;
	unsigned live, ready_n;

	struct timer *heap;
	size_t heap_n, heap_cap;
	struct watch *watches;
	size_t watches_n;

	void *main_sp;
	struct san main_san;
	void (*main_call)(void *arg);
	void *main_arg;

	struct stack_pool stacks;
	struct offload *offload;
	uint64_t switches, stale_events;
	// Not on the stack of each round, where the compiler would fill it with a pattern first.
	struct epoll_event events[FIB_EVENTS];
};

/// The process's scheduler; NULL before fib_start.
extern struct sched *sched;

/// Parks the running fiber until sched_wake, fib_cancel or `due_ns` (0 = never). The caller finds out which.
FIB void sched_park(int64_t due_ns);
/// Makes a parked fiber ready; any other is left alone.
void sched_wake(struct fib *f);
/// E_CANCELED or E_TIMEOUT by the scheduler's clock; of `cx` alone, which need not be the running fiber's.
enum ec sched_check(const struct cx *cx);

/// Timers: room for `n` fibers; entry no later than f->due_ns; none at all; wakes whoever is due. The time of the first
/// entry, or 0.
bool timer_reserve(struct sched *s, size_t n);
void timer_set(struct sched *s, struct fib *f);
void timer_clear(struct sched *s, struct fib *f);
void timer_run(struct sched *s);
int64_t timer_first_ns(const struct sched *s);

/// One epoll event, told apart by its data.
void watch_event(struct sched *s, uint64_t data, uint32_t events);

/// Helper threads. The data of their eventfd's events is OFFLOAD_DATA.
#define OFFLOAD_DATA UINT64_MAX
[[nodiscard]] enum ec offload_open(struct cx *cx, struct sched *s, unsigned threads);
void offload_close(struct sched *s);
void offload_event(struct sched *s);
