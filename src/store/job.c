/// job — waiting for the writer: for a job of one's own (store_do, store_free of store/cell.h), or for what was before.
#include <semaphore.h>
#include <unistd.h>

#include "store/engine.h"

enum { WAIT_MS = 10000, STEP_MS = 10 };

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

enum ec store_wait_durable(struct cx *cx, struct store *s, uint64_t lsn)
{
	struct store_stats stats;

	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		store_get_stats(s, &stats);
		if (stats.durable_lsn >= lsn)
			return E_OK;
		if (!s->writer.started)
			break;
		usleep(STEP_MS * 1000);
	}
	return fail(cx, E_TEMP, "the log does not become durable");
}

enum ec store_wait_index(struct cx *cx, struct store *s)
{
	unsigned turn = atomic_load(&s->writer.turn);

	for (unsigned waited = 0; turn % 2 && atomic_load(&s->writer.turn) == turn; waited += STEP_MS) {
		if (waited >= s->hold_ms)
			return fail(cx, E_TEMP, "the index is behind the log");
		usleep(STEP_MS * 1000);
	}
	return E_OK;
}
