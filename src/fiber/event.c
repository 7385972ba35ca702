/// event — flags and fair locks between fibers.
#include <assert.h>

#include "fiber/core.h"

void fib_event_set(struct fib_event *ev)
{
	ev->set = true;
	if (ev->waiter)
		sched_wake(ev->waiter);
}

FIB enum ec fib_event_wait(struct cx *cx, struct fib_event *ev)
{
	enum ec e;

	assert(!ev->waiter);
	while (!(e = sched_check(cx)) && !ev->set) {
		ev->waiter = sched->running;
		sched_park(cx->deadline_ns);
		ev->waiter = NULL;
	}
	if (!e)
		ev->set = false;
	return e;
}

/// Takes a fiber that gave up out of the queue; its length is bounded by the fibers that ask for this one lock.
static void lock_leave(struct fib_lock *l, struct fib *f)
{
	struct fib **at = &l->first, *before = NULL;

	while (*at != f) {
		before = *at;
		at = &before->lock_next;
	}
	*at = f->lock_next;
	if (l->last == f)
		l->last = before;
}

FIB enum ec fib_lock(struct cx *cx, struct fib_lock *l)
{
	struct fib *self = sched->running;
	enum ec e = sched_check(cx);

	assert(l->owner != self);
	if (e)
		return e;
	if (!l->owner) {
		l->owner = self;
		self->locks++;
		return E_OK;
	}
	self->lock_next = NULL;
	*(l->last ? &l->last->lock_next : &l->first) = self;
	l->last = self;
	while (l->owner != self && !(e = sched_check(cx)))
		sched_park(cx->deadline_ns);
	if (l->owner == self)
		return E_OK; // handed over, even where the deadline passed meanwhile
	lock_leave(l, self);
	return e;
}

void fib_unlock(struct fib_lock *l)
{
	struct fib *next = l->first;

	assert(l->owner && l->owner == sched->running);
	l->owner->locks--;
	l->owner = next;
	if (!next)
		return;
	l->first = next->lock_next;
	if (!l->first)
		l->last = NULL;
	next->locks++;
	sched_wake(next);
}
