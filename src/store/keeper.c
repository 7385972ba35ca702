/// keeper — see the header.
#include "store/keeper.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/compact.h"
#include "store/engine.h"
#include "store/image.h"
#include "store/snapshot.h"

static const uint64_t snapshot_octets_min = 16ull << 20, // of log: less is replayed in no time
	snapshot_octets_max = 1024ull << 20;             // more is worth one before its hour

void keeper_init(struct keeper *k, struct store *s)
{
	pthread_condattr_t attr;

	k->s = s;
	random_octets(&k->files, sizeof k->files);
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&k->wake, &attr);
	pthread_condattr_destroy(&attr);
}

void keeper_end(struct keeper *k)
{
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
}

// ---- images

static bool is_noted(const struct keeper *k, struct cell_id id)
{
	for (unsigned i = 0; i < k->due_n; i++) {
		struct cell_id d = k->due[(k->due_first + i) % KEEPER_DUE_MAX];
		if (d.account == id.account && d.name == id.name)
			return true;
	}
	return false;
}

void keeper_note(struct keeper *k, struct cell_id id)
{
	pthread_mutex_lock(&k->lock);
	if (k->due_n < KEEPER_DUE_MAX && !is_noted(k, id)) {
		k->due[(k->due_first + k->due_n++) % KEEPER_DUE_MAX] = id;
		pthread_cond_signal(&k->wake);
	}
	pthread_mutex_unlock(&k->lock);
}

bool keeper_take(struct keeper *k, struct cell_id *id)
{
	pthread_mutex_lock(&k->lock);
	bool some = k->due_n > 0;
	if (some) {
		*id = k->due[k->due_first];
		k->due_first = (k->due_first + 1) % KEEPER_DUE_MAX;
		k->due_n--;
	}
	pthread_mutex_unlock(&k->lock);
	return some;
}

static void write_images(struct cx *cx, struct keeper *k)
{
	struct cell_id id;

	while (!atomic_load(&k->stop) && keeper_take(k, &id))
		if (image_write(cx, k->s, id, false)) {
			cx_forget(cx); // it is noted again with its next commit
			break;
		}
}

// ---- snapshots

static uint64_t octets_since(const struct keeper *k)
{
	struct store_stats stats;

	store_get_stats(k->s, &stats);
	return stats.log_octets - k->snapshot_octets;
}

static void take_snapshot(struct cx *cx, struct keeper *k)
{
	struct store_stats stats;

	store_get_stats(k->s, &stats);
	enum ec e = snapshot_take(cx, k->s);
	if (e != E_OK) {
		log_failure(cx, LOG_WARN, "store.snapshot.failed", e);
	} else {
		k->snapshot_octets = stats.log_octets;
		LOG(cx, LOG_INFO, "store.snapshot", kv_u("lsn", stats.applied_lsn));
	}
	k->snapshot_at_s = clock_steady_s() + SNAPSHOT_EVERY_S;
}

static bool snapshot_is_due(const struct keeper *k)
{
	uint64_t since = octets_since(k);

	return since >= snapshot_octets_max || (since >= snapshot_octets_min && clock_steady_s() >= k->snapshot_at_s);
}

void keeper_last_snapshot(struct keeper *k)
{
	if (octets_since(k) >= snapshot_octets_min)
		(void)!snapshot_take(NULL, k->s); // the index itself is good after a clean stop
}

// ---- compaction

static void note_progress(void *arg, uint64_t done, uint64_t total)
{
	struct keeper *k = arg;

	pthread_mutex_lock(&k->lock);
	k->compaction.done = done;
	k->compaction.total = total;
	pthread_mutex_unlock(&k->lock);
}

static void note_end(struct keeper *k, const struct compact_result *r, enum ec e)
{
	pthread_mutex_lock(&k->lock);
	k->compaction = (struct store_compaction){
		.runs = k->compaction.runs + 1,
		.result = e,
		.segments = r->segments,
		.packs = r->packs,
		.octets_gone = r->octets_gone,
		.octets_new = r->octets_new,
		.damaged = r->damaged,
	};
	pthread_mutex_unlock(&k->lock);
}

/// Claims the files for compaction. False while somebody copies them.
static bool begin(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	bool held = clock_steady_s() < k->hold_until_s;
	if (!held) {
		k->asked = false;
		k->files++;
		k->compaction.running = true;
		k->compaction.done = k->compaction.total = 0;
	}
	pthread_mutex_unlock(&k->lock);
	return !held;
}

/// What is being written can be compacted too once it is sealed. A full disk keeps its room for the writer.
static enum ec roll(struct cx *cx, struct keeper *k)
{
	return store_room(k->s) > 2 * k->s->segment_octets ? store_roll(cx, k->s) : E_OK;
}

/// Drops what was kept for a time. Where that fails, a full disk needs compaction all the more.
static void sweep(struct cx *cx, struct store *s)
{
	enum ec e = s->sweep ? s->sweep(cx, s) : E_OK;

	if (e != E_OK)
		log_failure(cx, LOG_WARN, "store.sweep.failed", e);
	cx_forget(cx);
}

static void compact(struct cx *cx, struct keeper *k, bool all)
{
	struct compact_conf conf = {
		.dead_percent = all ? 1 : COMPACT_DEAD_PERCENT,
		.cool_s = all ? 0 : COMPACT_COOL_S,
		.stop = &k->stop,
		.progress = note_progress,
		.arg = k,
	};
	struct compact_result r = { 0 };

	if (!begin(k))
		return;
	sweep(cx, k->s);
	enum ec e = all ? roll(cx, k) : E_OK;
	if (e == E_OK)
		e = compact_run(cx, k->s, &conf, &r);
	note_end(k, &r, e);
	if (r.segments || r.damaged)
		LOG(cx, LOG_INFO, "store.compacted", kv_u("segments", r.segments), kv_u("packs", r.packs),
			kv_u("octets_gone", r.octets_gone), kv_u("octets_new", r.octets_new),
			kv_u("damaged", r.damaged));
	if (e != E_OK && e != E_CANCELED)
		log_failure(cx, LOG_WARN, "store.compact.failed", e);
	cx_forget(cx);
	k->compact_at_s = clock_steady_s() + COMPACT_EVERY_S;
}

enum ec store_compact(struct cx *cx, struct store *s)
{
	struct keeper *k = &s->keeper;

	if (!k->started || !s->bodies)
		return fail(cx, E_UNSUPPORTED, "this store was opened without its keeper");
	pthread_mutex_lock(&k->lock);
	k->asked = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	return E_OK;
}

enum ec store_hold(struct cx *cx, struct store *s, bool roll, struct store_held *out)
{
	struct keeper *k = &s->keeper;
	struct store_stats stats;

	pthread_mutex_lock(&k->lock);
	bool busy = k->compaction.running;
	if (!busy)
		k->hold_until_s = clock_steady_s() + STORE_HOLD_S;
	uint64_t files = k->files;
	pthread_mutex_unlock(&k->lock);
	if (busy)
		return fail(cx, E_TEMP, "compaction is under way");
	enum ec e = roll ? store_roll(cx, s) : E_OK;
	store_get_stats(s, &stats);
	if (e == E_OK)
		*out = (struct store_held){ stats.applied_segment, files };
	return e;
}

void store_get_compaction(struct store *s, struct store_compaction *out)
{
	pthread_mutex_lock(&s->keeper.lock);
	*out = s->keeper.compaction;
	out->running |= s->keeper.asked;
	pthread_mutex_unlock(&s->keeper.lock);
}

/// Whether to compact now, and whether everything.
static bool compaction_is_due(struct keeper *k, bool *all)
{
	int64_t now = clock_steady_s();

	pthread_mutex_lock(&k->lock);
	*all = k->asked;
	pthread_mutex_unlock(&k->lock);
	if (*all)
		return true;
	if (!k->s->bodies)
		return false;
	*all = store_is_low(k->s);
	return now >= k->compact_at_s || (*all && now >= k->compact_at_s - COMPACT_EVERY_S + COMPACT_LOW_S);
}

// ---- the thread

/// Until something is asked for, or a second.
static void wait_work(struct keeper *k)
{
	int64_t at = clock_mono_ns() + 1000000000;
	struct timespec until = { at / 1000000000, at % 1000000000 };

	pthread_mutex_lock(&k->lock);
	if (!atomic_load(&k->stop) && k->due_n == 0 && !k->asked)
		pthread_cond_timedwait(&k->wake, &k->lock, &until);
	pthread_mutex_unlock(&k->lock);
}

static void *keeper_main(void *arg)
{
	struct keeper *k = arg;
	struct cx cx = { 0 };
	bool all;

	while (!atomic_load(&k->stop)) {
		wait_work(k);
		write_images(&cx, k);
		if (!atomic_load(&k->stop) && snapshot_is_due(k))
			take_snapshot(&cx, k);
		if (!atomic_load(&k->stop) && compaction_is_due(k, &all))
			compact(&cx, k, all);
	}
	cx_end(&cx);
	return NULL;
}

enum ec keeper_start(struct cx *cx, struct keeper *k)
{
	k->snapshot_at_s = clock_steady_s() + SNAPSHOT_EVERY_S;
	k->compact_at_s = clock_steady_s() + COMPACT_FIRST_S;
	k->started = pthread_create(&k->thread, NULL, keeper_main, k) == 0;
	return k->started ? E_OK : fail(cx, E_TEMP, "cannot start the keeper's thread");
}

void keeper_stop(struct keeper *k)
{
	if (!k->started)
		return;
	pthread_mutex_lock(&k->lock);
	atomic_store(&k->stop, true);
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	k->started = false;
}
