/// offload — helper threads for what blocks; they take from one bounded queue and answer through an eventfd.
///
/// A job lives on the stack of the fiber that waits for it, which is why that wait cannot be ended early. The mutex
/// guards both lists; nothing of the scheduler is touched by a helper.
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "fiber/core.h"

enum { THREADS_MAX = 64 };

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void *arg;
	struct fib *fib;
	bool done; // written and read by the scheduler's thread
};

struct offload {
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct job *first, *last, *done;
	unsigned queued, threads, named;
	bool end;
	int eventfd;
	pthread_t thread[THREADS_MAX];
};

/// The next job, or NULL when all is over. Called and left with the mutex held.
static struct job *job_take(struct offload *o)
{
	while (!o->first && !o->end)
		pthread_cond_wait(&o->more, &o->mutex);
	struct job *j = o->first;
	if (j) {
		o->first = j->next;
		if (!o->first)
			o->last = NULL;
		o->queued--;
	}
	return j;
}

static void *helper_main(void *arg)
{
	struct offload *o = arg;
	struct job *j;

	pthread_mutex_lock(&o->mutex);
	doing_begin("helper", ++o->named);
	while ((j = job_take(o))) {
		pthread_mutex_unlock(&o->mutex);
		doing_since(j->fib->doing, clock_mono_ns());
		j->fn(j->arg);
		doing(NULL);
		pthread_mutex_lock(&o->mutex);
		bool tell = !o->done;
		j->next = o->done;
		o->done = j;
		if (tell)
			eventfd_write(o->eventfd, 1);
	}
	doing_end();
	pthread_mutex_unlock(&o->mutex);
	return NULL;
}

enum ec offload_open(struct cx *cx, struct sched *s, unsigned threads)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = OFFLOAD_DATA };
	struct offload *o = calloc(1, sizeof *o);
	sigset_t all, before;

	if (!o)
		return fail(cx, E_TEMP, "no memory for helper threads");
	s->offload = o;
	pthread_mutex_init(&o->mutex, NULL);
	pthread_cond_init(&o->more, NULL);
	o->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->eventfd < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, o->eventfd, &ev) != 0)
		return fail(cx, E_IO, "eventfd: errno %d", errno);
	// Signals are for the scheduler's thread.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = 0;
	while (!err && o->threads < threads && o->threads < THREADS_MAX) {
		err = pthread_create(&o->thread[o->threads], NULL, helper_main, o);
		o->threads += !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err ? fail(cx, E_IO, "pthread_create: errno %d", err) : E_OK;
}

void offload_close(struct sched *s)
{
	struct offload *o = s->offload;

	if (!o)
		return;
	pthread_mutex_lock(&o->mutex);
	o->end = true;
	pthread_cond_broadcast(&o->more);
	pthread_mutex_unlock(&o->mutex);
	for (unsigned i = 0; i < o->threads; i++)
		pthread_join(o->thread[i], NULL);
	pthread_cond_destroy(&o->more);
	pthread_mutex_destroy(&o->mutex);
	if (o->eventfd >= 0)
		close(o->eventfd);
	free(o);
	s->offload = NULL;
}

void offload_event(struct sched *s)
{
	struct offload *o = s->offload;
	eventfd_t n;

	// The count first, then the list: a job that comes between is told of again.
	(void)eventfd_read(o->eventfd, &n);
	pthread_mutex_lock(&o->mutex);
	struct job *j = o->done;
	o->done = NULL;
	pthread_mutex_unlock(&o->mutex);
	while (j) {
		struct job *next = j->next;
		j->done = true;
		sched_wake(j->fib);
		j = next;
	}
}

FIB enum ec fib_offload(struct cx *cx, void (*fn)(void *arg), void *arg)
{
	struct offload *o = sched->offload;
	struct job j = { .fn = fn, .arg = arg, .fib = sched->running };

	assert(j.fib);
	pthread_mutex_lock(&o->mutex);
	bool full = o->queued >= OFFLOAD_QUEUE_MAX;
	if (!full) {
		*(o->last ? &o->last->next : &o->first) = &j;
		o->last = &j;
		o->queued++;
		pthread_cond_signal(&o->more);
	}
	pthread_mutex_unlock(&o->mutex);
	if (full)
		return fail(cx, E_TEMP, "%d jobs wait for helper threads", OFFLOAD_QUEUE_MAX);
	while (!j.done)
		sched_park(0);
	return E_OK;
}
