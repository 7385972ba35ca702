/// watch — descriptors in the epoll set, and waiting for them.
///
/// The data of an epoll event is the descriptor's number with the generation of its registration. Closing the
/// descriptor starts a new generation, so that an event which was already on its way finds nobody.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fiber/core.h"

enum { WANT_READ = 1, WANT_WRITE = 2, EVENTS_READ = EPOLLIN | EPOLLRDHUP };
#define EVENTS_EDGE ((uint32_t)EPOLLET) // the highest bit, which no enum has

static uint64_t watch_data(int fd, uint32_t generation)
{
	return (uint64_t)generation << 32 | (uint32_t)fd;
}

static struct watch *watch_of(struct sched *s, const struct fib_fd *f)
{
	struct watch *w = f->fd >= 0 && (size_t)f->fd < s->watches_n ? &s->watches[f->fd] : NULL;

	return w && w->f == f && w->generation == f->generation ? w : NULL;
}

static int watch_ctl(struct sched *s, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = watch_data(fd, s->watches[fd].generation) };

	return s->env.ctl(s->env.arg, s->epfd, op, fd, &ev);
}

/// Enters f into the table under a new generation; the epoll set is not touched.
static enum ec watch_enter(struct cx *cx, struct fib_fd *f, int fd, bool shared)
{
	struct sched *s = sched;
	size_t n = max_size(64, s->watches_n);

	while (n <= (size_t)fd)
		n *= 2;
	if (n > s->watches_n) {
		struct watch *p = reallocarray(s->watches, n, sizeof *p);
		if (!p)
			return fail(cx, E_TEMP, "no memory to watch descriptor %d", fd);
		memset(p + s->watches_n, 0, (n - s->watches_n) * sizeof *p);
		s->watches = p;
		s->watches_n = n;
	}
	struct watch *w = &s->watches[fd];
	assert(!w->f); // closed without fib_fd_del
	*w = (struct watch){ .f = f, .generation = w->generation + 1, .shared = shared };
	*f = (struct fib_fd){ .fd = fd, .generation = w->generation };
	return E_OK;
}

enum ec fib_fd_add(struct cx *cx, struct fib_fd *f, int fd)
{
	enum ec e = watch_enter(cx, f, fd, false);

	if (e)
		return e;
	if (watch_ctl(sched, EPOLL_CTL_ADD, fd, EVENTS_READ | EVENTS_EDGE) == 0)
		return E_OK;
	int err = errno;
	sched->watches[fd].f = NULL;
	return fail(cx, err == ENOMEM || err == ENOSPC ? E_TEMP : E_IO, "epoll_ctl: errno %d", err);
}

enum ec fib_fd_add_shared(struct cx *cx, struct fib_fd *f, int fd)
{
	return watch_enter(cx, f, fd, true);
}

static void wake_closed(struct fib *f)
{
	if (f) {
		f->closed = true;
		sched_wake(f);
	}
}

void fib_fd_del(struct fib_fd *f)
{
	struct watch *w = watch_of(sched, f);

	if (!w)
		return;
	if (!w->shared || w->armed)
		(void)watch_ctl(sched, EPOLL_CTL_DEL, f->fd, 0); // fails only where it is gone already
	w->f = NULL;
	w->armed = false;
	wake_closed(f->reader);
	wake_closed(f->writer);
	f->reader = f->writer = NULL;
}

static void wake_for(struct fib_fd *f, struct fib **who, uint32_t want)
{
	f->ready |= want;
	if (*who)
		sched_wake(*who);
}

void watch_event(struct sched *s, uint64_t data, uint32_t events)
{
	size_t fd = (uint32_t)data;
	struct watch *w = fd < s->watches_n ? &s->watches[fd] : NULL;

	if (!w || !w->f || w->generation != data >> 32) {
		s->stale_events++;
		return;
	}
	struct fib_fd *f = w->f;
	if (w->shared && !f->reader) { // nobody accepts just now: another process shall be told instead
		(void)watch_ctl(s, EPOLL_CTL_DEL, (int)fd, 0);
		w->armed = false;
		return;
	}
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		wake_for(f, &f->reader, WANT_READ);
	if (!w->shared && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		wake_for(f, &f->writer, WANT_WRITE);
}

/// Puts a shared descriptor into the epoll set, if it is not there.
static enum ec watch_arm(struct cx *cx, struct watch *w, int fd)
{
	if (!w->shared || w->armed)
		return E_OK;
	if (watch_ctl(sched, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE) != 0)
		return fail(cx, E_IO, "epoll_ctl of a listening socket: errno %d", errno);
	w->armed = true;
	return E_OK;
}

/// Room to write is asked about from the first wait for it on: a socket between our roles would tell of it each time
/// that the other end has read. Whether there is room already, epoll then looks by itself.
static enum ec watch_writes(struct cx *cx, struct watch *w, int fd)
{
	if (w->writes)
		return E_OK;
	if (watch_ctl(sched, EPOLL_CTL_MOD, fd, EVENTS_READ | EPOLLOUT | EVENTS_EDGE) != 0)
		return fail(cx, E_IO, "epoll_ctl for writing: errno %d", errno);
	w->writes = true;
	return E_OK;
}

/// Waits for one direction, `*who` being its place in f, or for the event (may be NULL).
FIB static enum ec watch_wait(
	struct cx *cx, struct fib_fd *f, struct fib **who, uint32_t want, const struct fib_event *ev)
{
	struct fib *self = sched->running;
	struct watch *w = watch_of(sched, f);
	enum ec e = w ? watch_arm(cx, w, f->fd) : E_CLOSED;

	if (!e && want == WANT_WRITE)
		e = watch_writes(cx, w, f->fd);
	if (e)
		return e;
	assert(!*who); // one fiber for each direction
	self->closed = false;
	for (;;) {
		e = sched_check(cx);
		if (e || f->ready & want || (ev && ev->set))
			break;
		*who = self;
		sched_park(cx->deadline_ns);
		if (self->closed)
			return E_CLOSED; // f may be gone
		*who = NULL;
	}
	if (!e && !(ev && ev->set))
		f->ready &= ~want;
	return e;
}

FIB enum ec fib_wait_readable(struct cx *cx, struct fib_fd *f)
{
	return watch_wait(cx, f, &f->reader, WANT_READ, NULL);
}

FIB enum ec fib_wait_writable(struct cx *cx, struct fib_fd *f)
{
	return watch_wait(cx, f, &f->writer, WANT_WRITE, NULL);
}

FIB enum ec fib_wait_readable_or(struct cx *cx, struct fib_fd *f, struct fib_event *ev, bool *fired)
{
	assert(!ev->waiter);
	ev->waiter = sched->running;
	enum ec e = watch_wait(cx, f, &f->reader, WANT_READ, ev);
	ev->waiter = NULL;
	if (e)
		return e;
	*fired = ev->set;
	ev->set = false;
	return E_OK;
}
