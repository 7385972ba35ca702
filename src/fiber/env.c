/// env — the kernel's clock and epoll.
#include "fiber/env.h"

#include "base/clock.h"

static int64_t kernel_now_ns(void *)
{
	return clock_mono_ns();
}

static int kernel_ctl(void *, int epfd, int op, int fd, struct epoll_event *ev)
{
	return epoll_ctl(epfd, op, fd, ev);
}

static int kernel_poll(void *, int epfd, struct epoll_event *ev, int max, int timeout_ms)
{
	return epoll_wait(epfd, ev, max, timeout_ms);
}

struct fib_env fib_env_kernel(void)
{
	return (struct fib_env){ .now_ns = kernel_now_ns, .ctl = kernel_ctl, .poll = kernel_poll };
}
