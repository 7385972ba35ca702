#pragma once
/// fiber — straight-line session code: one fiber per session on one scheduler per process.
///
/// Owns: stacks, the epoll set, timers, the helper threads of fib_offload. One scheduler per process, run by the
/// thread that called fib_run (the "main stack"); every call below is for that thread unless said otherwise.
/// Rule of waiting: try the system call, wait only on EAGAIN, then test cancellation and the absolute deadline.
/// Costs (user instructions, gcc -O2, callgrind): 113 for a yield there and back; 2,134 for one line and its
/// answer over loopback between two fibers, both sides with their waits and rounds of epoll counted.
/// MUST NOT be held across a call marked FIB: an LMDB transaction, a raw pointer into a shared table, a thread-local
/// read.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cx.h"
#include "base/ec.h"
#include "base/sl.h"

/// Marks a function that may yield; tools/lint-fib rejects a call to it from an unmarked one.
#ifdef __clang__
#define FIB __attribute__((annotate("fib")))
#else
#define FIB
#endif

struct fib;

struct fib_conf {
	unsigned fibers_max;      // more than this: fib_go gives E_LIMIT
	unsigned offload_threads; // helper threads for what blocks (0 = 2)
};

/// Makes the process's scheduler. Refuses (E_IO, with words about vm.max_map_count) where guarded stacks are
/// impossible.
[[nodiscard]] enum ec fib_start(struct cx *cx, const struct fib_conf *conf);
/// Runs fibers until every fiber has ended. `grace_ms` after fib_stop (0 = never) the remaining fibers are
/// cancelled, and those born later are from the start.
void fib_run(int64_t grace_ms);
/// Begins the grace of fib_run; for a fiber or the scheduler's thread. Fibers that wait are not disturbed by it; they
/// learn of it through fib_stopping() or their own events.
void fib_stop(void);
bool fib_stopping(void);
/// Frees the scheduler, after fib_run.
void fib_end(void);

/// Starts a fiber that runs fn(cx, arg) with a fresh cx of its own (ended when fn returns). It first runs when the
/// caller next yields.
/// errors: E_LIMIT (fibers_max), E_TEMP (no memory for a stack); then fn never runs.
[[nodiscard]] enum ec fib_go(void (*fn)(struct cx *cx, void *arg), void *arg);
/// Marks the fiber that owns `cx` cancelled and wakes it where it waits: its wait returns E_CANCELED. A wait under
/// another cx goes on: that is how what must not be cut short waits.
void fib_cancel(struct cx *cx);
unsigned fib_count(void);
/// Says what the running fiber does from here on, "imap" "FETCH": whoever finds that nothing else runs, reads it
/// (base/figures.h). Both are copied, and cut at DOING_WHAT octets.
void fib_doing(const char *what, struct sl more);

/// Lets the other ready fibers run. E_CANCELED or E_TIMEOUT as every wait.
FIB enum ec fib_yield(struct cx *cx);
/// Waits `ms` milliseconds. E_OK after them; E_CANCELED; E_TIMEOUT where cx's deadline comes first.
FIB enum ec fib_sleep(struct cx *cx, int64_t ms);

/// A descriptor in the epoll set, edge-triggered. Embed it; it must not move between add and del.
struct fib_fd {
	int fd;
	uint32_t ready;              // readiness seen and not yet used up
	uint32_t generation;         // events for an older registration are dropped
	struct fib *reader, *writer; // who waits; at most one each
};
[[nodiscard]] enum ec fib_fd_add(struct cx *cx, struct fib_fd *f, int fd);
/// The same for a listening socket that other processes watch too: level-triggered, one process woken for an event
/// (EPOLLEXCLUSIVE), for reading only.
[[nodiscard]] enum ec fib_fd_add_shared(struct cx *cx, struct fib_fd *f, int fd);
/// Takes it out of the set (does not close). A fiber waiting on it is woken with E_CLOSED.
void fib_fd_del(struct fib_fd *f);
/// Waits until a read (write) may succeed. Call only after EAGAIN.
/// errors: E_TIMEOUT, E_CANCELED, E_CLOSED (fib_fd_del).
FIB enum ec fib_wait_readable(struct cx *cx, struct fib_fd *f);
FIB enum ec fib_wait_writable(struct cx *cx, struct fib_fd *f);

/// A flag that one fiber may wait for. Zero-initialise. Setting a set event changes nothing; waiting clears it.
struct fib_event {
	bool set;
	struct fib *waiter;
};
void fib_event_set(struct fib_event *ev);
/// Waits until the event is set, then clears it. E_TIMEOUT, E_CANCELED as every wait (the event then stays as it is).
FIB enum ec fib_event_wait(struct cx *cx, struct fib_event *ev);
/// Waits until the descriptor is readable or the event is set, whichever is first (an IDLE session).
/// out: *fired — true where the event was set (and is now cleared); false: readable.
FIB enum ec fib_wait_readable_or(struct cx *cx, struct fib_fd *f, struct fib_event *ev, bool *fired);

/// A lock among fibers (fair, first come first served). Zero-initialise.
struct fib_lock {
	struct fib *owner, *first, *last;
};
FIB enum ec fib_lock(struct cx *cx, struct fib_lock *l);
void fib_unlock(struct fib_lock *l);

/// Runs fn(arg) on a helper thread and waits for its end. Not cancellable: `arg` may live on the caller's stack, and
/// the deadline does not end the wait. errors: E_TEMP where the queue of waiting work is full (then fn never runs).
FIB enum ec fib_offload(struct cx *cx, void (*fn)(void *arg), void *arg);
/// Runs fn(arg) on the main stack and returns when it is done; it must not yield. For library calls that go deep
/// (OpenSSL), so that fiber stacks stay at one touched page. Outside a fiber it just calls fn.
void fib_on_main(void (*fn)(void *arg), void *arg);

/// Between NOYIELD_BEGIN and NOYIELD_END a yield is an assertion failure.
void fib_noyield(int change);
#define NOYIELD_BEGIN() fib_noyield(+1)
#define NOYIELD_END()   fib_noyield(-1)

/// Figures for statistics: fibers alive, stacks mapped, deepest stack seen (octets; 0 where not measured), switches.
struct fib_stats {
	unsigned fibers, stacks;
	size_t stack_high_water;
	uint64_t switches;
};
void fib_get_stats(struct fib_stats *out);
