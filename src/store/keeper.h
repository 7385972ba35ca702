#pragma once
/// keeper — the thread that keeps a store in shape while it runs: images of cells that are due, snapshots, compaction.
///
/// It works one thing at a time and only ever through jobs and views, so that nobody waits for it.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/cell.h"

enum {
	KEEPER_DUE_MAX = 1024,
	SNAPSHOT_EVERY_S = 3600,
	COMPACT_EVERY_S = 3600,
	COMPACT_FIRST_S = 600,
	COMPACT_LOW_S = 60, // on a disk that is down to its reserve
	COMPACT_DEAD_PERCENT = 33,
	COMPACT_COOL_S = 3600,
};

struct keeper {
	struct store *s;
	pthread_t thread;
	bool started;
	atomic_bool stop;
	pthread_mutex_t lock; // guards what is below
	pthread_cond_t wake;
	struct cell_id due[KEEPER_DUE_MAX]; // a ring; what does not fit comes again with the cell's next commit
	unsigned due_first, due_n;
	bool asked;           // to compact everything
	int64_t hold_until_s; // by clock_steady_s: no compaction before
	uint64_t files;       // as store_hold tells it: begins at random
	struct store_compaction compaction;
	// below: the thread only
	int64_t snapshot_at_s, compact_at_s; // by clock_steady_s
	uint64_t snapshot_octets;            // of the log when the last one was taken
};

/// Begins without a thread: what is noted waits for keeper_start.
void keeper_init(struct keeper *k, struct store *s);
void keeper_end(struct keeper *k);
/// Starts and stops the thread. Stopping ends what it does early; what was done stays done.
[[nodiscard]] enum ec keeper_start(struct cx *cx, struct keeper *k);
void keeper_stop(struct keeper *k);
/// A cell is due for an image. Any thread; never waits long.
void keeper_note(struct keeper *k, struct cell_id id);
/// The next cell that is due. False where there is none.
bool keeper_take(struct keeper *k, struct cell_id *id);
/// A snapshot at a clean stop, where enough was written since the last one that replaying it would take time.
void keeper_last_snapshot(struct keeper *k);
