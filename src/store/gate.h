#pragma once
/// gate — a job that holds the writer until it is told to go on, so that jobs gather behind it.
/// Only tests include this.
#include <semaphore.h>

#include "store/cell.h"

struct gate {
	struct job job;
	sem_t entered, go;
};

static inline enum ec gate_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct gate *g = job->arg;

	(void)cx, (void)t;
	sem_post(&g->entered);
	sem_wait(&g->go);
	return E_OK;
}

static inline void gate_done(struct job *job, enum ec e)
{
	(void)job, (void)e;
}

/// From its return on the writer stands still. g must live until the writer is past it.
static inline void gate_close(struct gate *g, struct store *s)
{
	*g = (struct gate){ .job = { .run = gate_run, .done = gate_done, .arg = g } };
	sem_init(&g->entered, 0, 0);
	sem_init(&g->go, 0, 0);
	store_submit(s, &g->job);
	sem_wait(&g->entered);
}

static inline void gate_open(struct gate *g)
{
	sem_post(&g->go);
}
