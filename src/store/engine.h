#pragma once
/// engine — the inside of a store: what cells, bodies, the writer and start share. Only src/store/ and its tests
/// include this.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/apply.h"
#include "store/batch.h"
#include "store/bulk.h"
#include "store/burden.h"
#include "store/cell.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/keeper.h"
#include "store/places.h"
#include "store/segfile.h"
#include "store/spare.h"

enum {
	STORE_PATH_MAX = 1024,
	BATCH_JOBS = 512, // jobs in one batch
};

struct view {
	struct store *s;
	struct itxn *t;
};

struct changed {
	struct cell_id id;
	uint64_t version;
};

/// The batch under construction with everything that belongs to it. The writer's thread only.
struct txn {
	struct store *s;
	struct view view;
	struct batch batch;
	struct job *job;         // that runs now
	uint64_t attempt;        // grows with each try to build a batch
	enum ec broken;          // the index refused something: the batch must be aborted
	bool bodies_refused;     // the disk is down to its reserve
	struct change *live;     // begun by the present job
	struct change *spare;    // for reuse
	struct changed *changed; // cells changed in this batch
	size_t changed_n, changed_cap;
	struct blob **blobs; // put in this batch
	size_t blobs_n, blobs_cap;
};

struct job_list {
	struct job *head, **tail;
};

struct writer {
	pthread_t thread;
	pthread_mutex_t lock; // guards the lists, stop, stats and watch
	pthread_cond_t wake;
	struct job_list waiting;
	bool stop, started;
	store_watch *watch;
	void *watch_arg;
	atomic_bool roll;       // begin a new segment with the next batch
	_Atomic enum ec rolled; // what came of that
	atomic_uint turn;       // grows; odd while there is a batch that may be in the log and is not in the index
	bool telling;           // `watch` is being called
	pthread_cond_t silent;  // it is not any more
	struct store_stats stats;
	// below: the writer's thread only
	struct txn txn;
	struct job *batch_jobs[BATCH_JOBS];
	int64_t flush_at_ns;  // when lazy batches must be durable; 0 = none wait
	int64_t tick_at_ns;   // next look at the disk
	enum ec refuse;       // E_OK, or what every job gets while nothing can be written
	bool redo;            // the last batch is in the log but not in the index
	struct job_list held; // its jobs, not answered yet
	int64_t held_until_ns;
	bool on_reserve; // a reserve segment was taken: only jobs that free space
	bool bodies_refused;
	struct applied applied;
	uint64_t jobs, batches;
	struct burdens burdens;
	struct fair later; // jobs of those who keep the writer busy
};

/// What a start goes on from, in this order of preference.
enum store_start { START_FIRST, START_INDEX, START_SNAPSHOT, START_LOG };

struct store {
	const struct disk *disk;
	struct sl dir; // NUL-terminated, owned
	int dir_fd, log_fd, lock_fd, snapshot_fd;
	uint64_t segment_octets, map_octets, free_min_octets;
	unsigned flush_lazy_ms, readers_max;
	row_bodies *bodies;
	int64_t hurry_s;
	enum ec (*sweep)(struct cx *cx, struct store *s);
	unsigned hold_ms;         // how long an answer waits for an index that cannot be committed
	_Atomic uint32_t next_id; // of segments
	uint64_t raise;
	uint64_t number;                     // in the header of each log segment: whose backup is whose
	uint64_t damaged_batches;            // found by this start
	uint64_t damage;                     // store_damage
	uint32_t missing[STORE_MISSING_MAX]; // segments, as in struct seg_list
	size_t missing_n;
	enum store_start start; // what this start went on from
	struct index *index;
	struct journal journal;
	struct bulk bulk;
	struct segcache cache;
	struct places places;
	struct spare spare;
	struct writer writer;
	struct keeper keeper;
	atomic_uint_least64_t segments;
};

/// store_open with another disk (tests).
[[nodiscard]] enum ec store_open_on(
	struct cx *cx, const struct store_conf *conf, const struct disk *disk, struct store **out);
/// Seals the segment that is being written, so that all before can be compacted or copied. Any thread but the writer's.
/// errors: those of image_write; where there is no room for another segment (E_FULL), or none could be made, the log
/// goes on in the present one.
[[nodiscard]] enum ec store_roll(struct cx *cx, struct store *s);
/// Waits until the log is durable through `lsn`; not where the writer is gone. Any thread but the writer's.
/// errors: E_TEMP (it does not become so within seconds).
[[nodiscard]] enum ec store_wait_durable(struct cx *cx, struct store *s, uint64_t lsn);
/// Waits until the index has every batch that was begun before. Any thread but the writer's.
/// errors: E_TEMP (not within hold_ms: the disk hangs, or the index cannot be committed).
[[nodiscard]] enum ec store_wait_index(struct cx *cx, struct store *s);
/// Free octets of the disk; UINT64_MAX where nobody knows. Any thread.
uint64_t store_room(const struct store *s);
/// True where the disk is known to be down to its reserve: no bodies then. Any thread.
bool store_is_low(const struct store *s);
/// True where `e`, which the index gave, says that the disk is full: a write of which a part had room fails with E_IO.
bool store_is_full(const struct store *s, enum ec e);
/// Begins without a thread, and ends without one: between, its figures may be asked for (store_get_stats).
void writer_init(struct writer *w);
void writer_end(struct writer *w);
/// Starts and stops the writer's thread. Stopping finishes queued jobs.
[[nodiscard]] enum ec writer_start(struct cx *cx, struct store *s);
void writer_stop(struct store *s);
/// Ends what belongs to the transaction (memory).
void txn_free(struct txn *t);
/// Throws away what a job began and did not commit.
void txn_end_job(struct txn *t);
/// Notes a blob of this batch. errors: E_TEMP.
[[nodiscard]] enum ec txn_note_blob(struct cx *cx, struct txn *t, struct blob *b);
/// Flushes the bulk segments that this batch names. errors: E_IO, E_FULL; such a blob is then spoilt.
[[nodiscard]] enum ec txn_flush_bulk(struct cx *cx, struct txn *t);
/// The batch is in the log: its blobs keep their addresses.
void txn_blobs_stored(struct txn *t);
