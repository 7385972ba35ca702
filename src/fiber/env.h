#pragma once
/// env — what the scheduler asks of the kernel, as function pointers: tests put a fake clock and fake descriptors here.
///
/// Internal to fiber/ and its tests.
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "fiber/fiber.h"

struct fib_env {
	void *arg;
	/// Nanoseconds that never go back.
	int64_t (*now_ns)(void *arg);
	/// epoll_ctl on `epfd`; 0, or -1 with errno.
	int (*ctl)(void *arg, int epfd, int op, int fd, struct epoll_event *ev);
	/// epoll_wait of at most `timeout_ms` (-1 = for ever); the number of events, or -1 with errno.
	int (*poll)(void *arg, int epfd, struct epoll_event *ev, int max, int timeout_ms);
	uint64_t seed;     // not 0: ready fibers run in an order drawn from it
	bool guard_by_map; // guard stacks with mprotect even where the kernel knows MADV_GUARD_INSTALL
};

/// The kernel itself.
struct fib_env fib_env_kernel(void);
/// fib_start with another environment, copied.
[[nodiscard]] enum ec fib_start_env(struct cx *cx, const struct fib_conf *conf, const struct fib_env *env);
