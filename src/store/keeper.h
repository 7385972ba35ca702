#pragma once
/// keeper — the thread that keeps a store in shape while it runs: images of cells that are due, snapshots, compaction.
///
/// It works one thing at a time and only ever through jobs and views, so that nobody waits for it.
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/cell.h"

enum { KEEPER_DUE_MAX = 1024 };

struct keeper {
	pthread_t thread;
	pthread_mutex_t lock; // guards what is below
	pthread_cond_t wake;
	bool started, stop;
	struct cell_id due[KEEPER_DUE_MAX]; // a ring; what does not fit comes again with the cell's next commit
	unsigned due_first, due_n;
};

/// Begins without a thread: what is noted waits for keeper_start.
void keeper_init(struct keeper *k);
void keeper_end(struct keeper *k);
/// A cell is due for an image. Any thread; never waits long.
void keeper_note(struct keeper *k, struct cell_id id);
/// The next cell that is due. False where there is none.
bool keeper_take(struct keeper *k, struct cell_id *id);
