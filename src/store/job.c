/// job — a job whose submitter waits for it (store_do, store_free of store/cell.h).
#include <semaphore.h>

#include "store/cell.h"

struct waiting {
	struct job job; // first: the job's address is the address of all
	struct cx *cx;
	enum ec (*run)(struct cx *, struct txn *, struct job *);
	sem_t over;
	enum ec result;
};

/// The submitter sleeps, so its cx can carry the story of a failure.
static enum ec run_waiting(struct cx *cx, struct txn *t, struct job *job)
{
	struct waiting *w = (struct waiting *)job;

	(void)cx;
	return w->run(w->cx, t, job);
}

static void done_waiting(struct job *job, enum ec e)
{
	struct waiting *w = (struct waiting *)job;

	w->result = e;
	sem_post(&w->over);
}

static enum ec do_and_wait(struct store *s, struct waiting w)
{
	w.job.run = run_waiting;
	w.job.done = done_waiting;
	sem_init(&w.over, 0, 0);
	store_submit(s, &w.job);
	while (sem_wait(&w.over)) // only EINTR
		;
	sem_destroy(&w.over);
	return w.result;
}

enum ec store_do(struct cx *cx, struct store *s, bool durable, enum ec (*run)(struct cx *, struct txn *, struct job *),
	void *arg)
{
	return do_and_wait(s, (struct waiting){ .job = { .arg = arg, .durable = durable }, .cx = cx, .run = run });
}

enum ec store_free(struct cx *cx, struct store *s, bool durable,
	enum ec (*run)(struct cx *, struct txn *, struct job *), void *arg)
{
	struct job job = { .arg = arg, .durable = durable, .frees = true };

	return do_and_wait(s, (struct waiting){ .job = job, .cx = cx, .run = run });
}
