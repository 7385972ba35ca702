/// store — opening and closing of a data directory.
///
///   DIR/lock          held by the process that has the store open; its pid
///   DIR/state         how the store stopped (state.h)
///   DIR/log/*.seg     segments; reserve-0, reserve-1: room kept back for work that frees space; reserve-pack: for
///                     compaction
///   DIR/index/        LMDB
///   DIR/snapshot/     flushed copies of the index (snapshot.h)
///   DIR/rebuild       the operator wants the index made from the log alone
///   DIR/restored      the log is a backup's: what clients were told since then is not in it
///   DIR/restoring     a backup is being brought back: not everything is there yet
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "store/engine.h"
#include "store/pack.h"
#include "store/replay.h"
#include "store/snapshot.h"
#include "store/state.h"

enum {
	RAISE_STEP = 1 << 20,
	HOLD_MS = 10000, // as long as fronts wait for a store that is away
};
static const uint64_t segment_default = 256ull << 20, segment_max = 2048ull << 20,
		      room_full = 16ull << 20; // more than one write of the index takes

/// Makes the folder where missing and opens it.
static enum ec open_folder(struct cx *cx, int at, const char *path, int *out)
{
	if (mkdirat(at, path, 0700) && errno != EEXIST)
		return disk_error(cx, -errno, path);
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return disk_error(cx, -errno, path);
	*out = fd;
	return E_OK;
}

/// Takes the data lock. It goes with the descriptor, so it also keeps a second store of this process out.
static enum ec take_lock(struct cx *cx, struct store *s)
{
	char pid[16] = "";

	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return disk_error(cx, -errno, "lock");
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		int err = errno;
		ssize_t n = pread(s->lock_fd, pid, sizeof pid - 1, 0);
		if (err != EWOULDBLOCK)
			return disk_error(cx, -err, "flock");
		return fail(cx, E_EXISTS,
			"the store is open in process %.*s: another server or command; end that first",
			(int)(n > 0 ? n : 0), pid);
	}
	int n = snprintf(pid, sizeof pid, "%ld", (long)getpid());
	bool told = ftruncate(s->lock_fd, 0) == 0 && pwrite(s->lock_fd, pid, (size_t)n, 0) == n;
	if (!told && errno != ENOSPC && errno != EDQUOT) // a full disk need not know who holds the lock
		return disk_error(cx, -errno, "writing the lock file");
	return E_OK;
}

static void configure(struct store *s, const struct store_conf *conf)
{
	s->segment_octets = conf->segment_octets ? conf->segment_octets : segment_default;
	if (s->segment_octets > segment_max)
		s->segment_octets = segment_max;
	s->map_octets = conf->map_octets;
	s->free_min_octets = conf->free_min_octets ? conf->free_min_octets : 1ull << 30;
	s->flush_lazy_ms = conf->flush_lazy_ms ? conf->flush_lazy_ms : 100;
	s->readers_max = conf->readers_max ? conf->readers_max : 64;
	s->hold_ms = HOLD_MS;
	s->bodies = conf->bodies;
	s->hurry_s = conf->hurry_s;
	s->sweep = conf->sweep;
}

static enum ec open_folders(struct cx *cx, struct store *s, struct sl dir)
{
	uint8_t *path = NULL;
	int index_fd = -1;

	if (dir.n == 0 || dir.n > STORE_PATH_MAX || sl_find(dir, 0) != dir.n)
		return fail(cx, E_RANGE, "path of the data folder: %zu octets", dir.n);
	path = calloc(1, dir.n + 1);
	if (!path)
		return fail(cx, E_TEMP, "no memory for a store");
	memcpy(path, dir.p, dir.n);
	s->dir = (struct sl){ path, dir.n };
	enum ec e = open_folder(cx, AT_FDCWD, (const char *)path, &s->dir_fd);
	if (e == E_OK)
		e = take_lock(cx, s);
	if (e == E_OK && faccessat(s->dir_fd, "restoring", F_OK, 0) == 0)
		e = fail(cx, E_STATE, "a restore into this folder has not come to its end: run it again");
	if (e == E_OK)
		e = open_folder(cx, s->dir_fd, "log", &s->log_fd);
	if (e == E_OK)
		e = open_folder(cx, s->dir_fd, "snapshot", &s->snapshot_fd);
	if (e == E_OK)
		e = open_folder(cx, s->dir_fd, "index", &index_fd);
	if (e)
		return e;
	close(index_fd);
	return E_OK;
}

static enum ec open_index(struct cx *cx, struct store *s)
{
	char path[STORE_PATH_MAX + 16];

	snprintf(path, sizeof path, "%.*s/index", SLF(s->dir));
	return index_open(cx, path, s->map_octets, s->readers_max, &s->index);
}

static enum ec remove_index(struct cx *cx, struct store *s)
{
	index_close(s->index);
	s->index = NULL;
	if ((unlinkat(s->dir_fd, "index/data.mdb", 0) && errno != ENOENT) ||
		(unlinkat(s->dir_fd, "index/lock.mdb", 0) && errno != ENOENT))
		return disk_error(cx, -errno, "removing the index");
	return E_OK;
}

/// How the last stop was, from the state file and this boot.
struct stop {
	bool first;      // the store is new
	bool clean;      // in order, the index flushed
	bool noted;      // `now` is on disk
	bool machine;    // the machine went down while the store was open
	bool died_often; // the second death within DIED_OFTEN_S
	uint32_t lost;   // the segment where the index ends, which is nowhere; 0 = it is there
	struct state now;
};

static enum ec judge_stop(struct cx *cx, struct store *s, const struct seg_list *l, struct stop *out)
{
	struct state old = { 0 };
	struct stop stop = { .first = l->n == 0 };
	enum ec e = state_read(cx, s->dir_fd, &old);
	uint64_t now_s = (uint64_t)clock_now_s();
	static const uint8_t unknown[BOOT_OCTETS];

	if (e != E_OK && e != E_NOTFOUND && e != E_CORRUPT)
		return e;
	state_boot(stop.now.boot);
	bool same_boot =
		memcmp(old.boot, stop.now.boot, BOOT_OCTETS) == 0 && memcmp(old.boot, unknown, BOOT_OCTETS) != 0;
	stop.clean = e == E_OK && old.clean;
	stop.machine = !stop.first && !old.clean && (e != E_OK || !same_boot);
	stop.now.died_s = old.died_s;
	if (e == E_OK && !old.clean) {
		stop.died_often = now_s - old.died_s < DIED_OFTEN_S;
		stop.now.died_s = now_s;
	}
	*out = stop;
	return E_OK;
}

/// What the index says is applied. errors: E_NOTFOUND (nothing), E_CORRUPT, E_TEMP, E_IO.
static enum ec read_applied(struct cx *cx, struct store *s, struct applied *out)
{
	struct itxn *t;
	enum ec e = index_read(cx, s->index, &t);

	if (e)
		return e;
	e = applied_get(cx, t, out);
	itxn_abort(t);
	return e;
}

/// What the open index has applied, where the log holds that. out: *lost — see struct stop.
/// errors: E_NOTFOUND, E_CORRUPT, E_TEMP, E_IO.
static enum ec known_applied(
	struct cx *cx, struct store *s, const struct seg_list *l, struct applied *from, uint32_t *lost)
{
	struct applied a = { 0 };
	enum ec e = read_applied(cx, s, &a);

	if (e == E_OK)
		e = replay_knows(cx, s->log_fd, l, &a.pos);
	if (e == E_NOTFOUND && a.pos.lsn && !seg_list_find(l, a.pos.segment))
		*lost = a.pos.segment; // also for the tries after this one, which begin without that index
	if (e == E_OK)
		*from = a;
	return e;
}

static bool untrusted(enum ec e)
{
	return e == E_CORRUPT || e == E_NOTFOUND;
}

/// The newest snapshot that proves itself and that the log knows. errors: E_NOTFOUND (none).
static enum ec use_snapshot(struct cx *cx, struct store *s, const struct seg_list *l, struct applied *from)
{
	struct snapshot snap[SNAPSHOTS_KEPT];
	size_t n = 0;
	enum ec found = E_NOTFOUND, e = snapshot_list(cx, s, snap, &n);
	uint32_t lost = 0;

	for (size_t i = 0; e == E_OK && i < n && untrusted(found); i++) {
		e = remove_index(cx, s);
		if (e == E_OK)
			found = snapshot_install(cx, s, &snap[i]);
		if (e == E_OK && found == E_OK)
			found = open_index(cx, s);
		if (e == E_OK && found == E_OK)
			found = known_applied(cx, s, l, from, &lost);
	}
	return e ? e : untrusted(found) ? E_NOTFOUND : found;
}

static bool has_file(const struct store *s, const char *name)
{
	return faccessat(s->dir_fd, name, F_OK, 0) == 0;
}

/// The index where it can be trusted, else the newest snapshot, else an empty one. out: *from — what it has applied.
static enum ec trusted_index(
	struct cx *cx, struct store *s, const struct seg_list *l, struct stop *stop, struct applied *from)
{
	bool alone = has_file(s, "rebuild");
	enum ec e = alone ? E_NOTFOUND : stop->machine || stop->died_often ? E_CORRUPT : open_index(cx, s);

	if (e == E_OK)
		e = known_applied(cx, s, l, from, &stop->lost);
	s->start = START_INDEX;
	if (untrusted(e) && !alone) {
		s->start = START_SNAPSHOT;
		e = use_snapshot(cx, s, l, from);
	}
	if (e != E_NOTFOUND)
		return e;
	s->start = stop->first ? START_FIRST : START_LOG;
	if (l->chain_n && !alone) // nobody asked for it
		LOG(cx, LOG_WARN, "store.index.rebuild", kv_u("segments", l->chain_n));
	*from = (struct applied){ 0 };
	e = remove_index(cx, s);
	return e ? e : open_index(cx, s);
}

/// Where the disk has no room for the index: gives it a reserve segment's, if there is one yet.
static bool give_reserve(struct store *s, enum ec e)
{
	return store_is_full(s, e) && journal_give_reserve(&s->journal);
}

/// An index to begin with, also on a full disk.
static enum ec some_index(
	struct cx *cx, struct store *s, const struct seg_list *l, struct stop *stop, struct applied *from)
{
	enum ec e;

	do {
		index_close(s->index);
		s->index = NULL;
		e = trusted_index(cx, s, l, stop, from);
	} while (give_reserve(s, e));
	return e;
}

/// Brings the index up; where its map or the disk is too small for it that is mended, and replay goes on from what is
/// applied by then.
static enum ec bring_up(
	struct cx *cx, struct store *s, const struct seg_list *l, struct stop *stop, struct replayed *out)
{
	struct applied from;
	enum ec e = some_index(cx, s, l, stop, &from);

	while (e == E_OK) {
		e = replay(cx, s->log_fd, l, s->index, &from, out);
		if (e == E_OK || !(index_is_map_full(s->index) || give_reserve(s, e)))
			return e;
		e = index_mend(cx, s->index);
		if (e == E_OK)
			e = read_applied(cx, s, &from);
		if (e == E_NOTFOUND)
			e = E_OK; // nothing yet: `from` stays as it was
	}
	return e;
}

/// Cuts the torn tail off the last segment and makes what is left durable: its successor will say that it ends there.
static enum ec cut_tail(struct cx *cx, struct store *s, const struct seg_list *l, struct replayed *r)
{
	char name[SEG_NAME];
	const struct seg_info *last = &l->all[l->chain[l->chain_n - 1]];
	const struct disk *d = s->disk;

	seg_name(last->head.id, name);
	if (r->torn_at == SEG_DATA) { // nothing in it: its successor takes its place
		r->applied.pos = (struct journal_pos){ last->head.prev, last->head.prev_end, last->head.first_lsn - 1,
			last->head.prev_chain };
		int rc = d->unlink(d->arg, s->log_fd, name);
		return rc < 0 ? disk_error(cx, rc, "removing an empty segment") : E_OK;
	}
	int fd = d->open(d->arg, s->log_fd, name, O_RDWR);
	if (fd < 0)
		return disk_error(cx, fd, "opening the last segment");
	int rc = last->size > r->torn_at + REC_HEAD ? d->ftruncate(d->arg, fd, r->torn_at) : 0; // a SEAL may stay
	enum ec e = rc == 0 ? segfile_write_head(cx, d, fd, &last->head) : E_OK; // a power cut may have left one copy
	if (e == E_OK && rc == 0)
		rc = d->fdatasync(d->arg, fd);
	close(fd);
	return rc < 0 ? disk_error(cx, rc, "cutting the torn tail") : e;
}

static bool is_named(struct cx *cx, struct itxn *t, uint32_t id)
{
	uint8_t key[4];
	struct sl row;

	put_be32(key, id);
	return index_get(cx, t, T_SEGMENT, (struct sl){ key, sizeof key }, &row) != E_NOTFOUND;
}

/// Removes bulk segments with bodies that no batch names: streams that a crash ended.
static enum ec drop_unnamed(struct cx *cx, struct store *s, const struct seg_list *l)
{
	struct itxn *t;
	enum ec e = index_read(cx, s->index, &t);

	if (e)
		return e;
	for (size_t i = 0; i < l->n; i++) {
		char name[SEG_NAME];
		seg_name(l->all[i].head.id, name);
		if (l->all[i].head.kind == SEG_BULK && !l->all[i].pack && !is_named(cx, t, l->all[i].head.id))
			(void)s->disk->unlink(s->disk->arg, s->log_fd, name); // tried again at the next start
	}
	itxn_abort(t);
	return E_OK;
}

static enum ec try_name_bulk(struct cx *cx, struct store *s, const struct seg_list *l)
{
	struct itxn *t;
	enum ec e = index_write(cx, s->index, &t);

	if (e)
		return e;
	for (size_t i = 0; e == E_OK && i < l->n; i++)
		if (l->all[i].head.kind == SEG_BULK && !l->all[i].pack && !is_named(cx, t, l->all[i].head.id))
			e = apply_bulk(cx, t, (struct body_ref){ (uint64_t)l->all[i].head.id << 32, 0 });
	if (e == E_OK)
		return itxn_commit(cx, t);
	itxn_abort(t);
	return e;
}

/// Where the log is damaged, what named a bulk segment may be lost, while rows name its bodies: it counts as named from
/// now on, for later starts, too, which see no damage any more.
static enum ec name_bulk(struct cx *cx, struct store *s, const struct seg_list *l)
{
	enum ec e = try_name_bulk(cx, s, l);

	while (e && (index_is_map_full(s->index) || give_reserve(s, e))) {
		e = index_mend(cx, s->index);
		if (e)
			break;
		e = try_name_bulk(cx, s, l);
	}
	return e;
}

/// Opens the log behind what was replayed. out: a new raise is on disk before anybody can see it.
static enum ec open_log(struct cx *cx, struct store *s, const struct replayed *r, bool raised)
{
	s->journal.raise = s->raise;
	s->journal.store = s->number;
	enum ec e = journal_open(cx, &s->journal, r->applied.pos);
	if (e == E_OK && raised)
		e = journal_flush(cx, &s->journal);
	if (e)
		return e;
	journal_fill_reserve(&s->journal);
	spare_fill(&s->spare, store_free_room(s));
	s->writer.on_reserve = s->journal.reserves < JOURNAL_RESERVES; // a full disk: only what frees space
	s->writer.applied = r->applied;
	return E_OK;
}

/// Where the bodies of segments are that compaction took away; removes files that packs stand for.
static enum ec take_places(struct cx *cx, struct store *s, const struct seg_list *l)
{
	char name[SEG_NAME];
	enum ec e = pack_clean(cx, s->disk, s->log_fd);

	for (size_t i = 0; e == E_OK && i < l->n; i++) {
		seg_name(l->all[i].head.id, name);
		if (l->all[i].stale)
			(void)s->disk->unlink(s->disk->arg, s->log_fd, name); // tried again at the next start
		if (l->all[i].pack)
			e = places_put(cx, &s->places, l->all[i].head.id, l->all[i].pack);
	}
	return e;
}

static void take_numbers(struct store *s, const struct seg_list *l, bool raised, uint32_t lost)
{
	uint64_t files = 0;

	for (size_t i = 0; i < l->n; i++) {
		files += !l->all[i].stale && (l->all[i].head.kind == SEG_PACK || !l->all[i].pack);
		s->raise = l->all[i].head.raise > s->raise ? l->all[i].head.raise : s->raise;
		s->number = l->all[i].head.store ? l->all[i].head.store : s->number;
	}
	while (s->number == 0)
		s->number = random_u64();
	if (raised)
		s->raise += RAISE_STEP;
	atomic_store(&s->next_id, (lost > l->newest ? lost : l->newest) + 1);
	atomic_store(&s->segments, files);
}

/// Notes that the store is open, on a full disk in the room of a reserve.
static enum ec note_open(struct cx *cx, struct store *s, const struct stop *stop)
{
	enum ec e = state_write(cx, s->disk, s->dir_fd, &stop->now);

	if (e == E_FULL && journal_give_reserve(&s->journal))
		e = state_write(cx, s->disk, s->dir_fd, &stop->now);
	return e;
}

/// Before a start writes into the index, which is not flushed from here on: the mark of a clean stop goes.
static enum ec unmark_clean(struct cx *cx, struct store *s, struct stop *stop)
{
	enum ec e = stop->clean ? note_open(cx, s, stop) : E_OK;

	stop->noted = stop->clean && e == E_OK;
	return e;
}

size_t store_missing(const struct store *s, const uint32_t **segments)
{
	*segments = s->missing;
	return s->missing_n;
}

static enum ec start(struct cx *cx, struct store *s, const struct seg_list *l)
{
	struct stop stop;
	struct replayed r = { 0 };
	enum ec e = judge_stop(cx, s, l, &stop);

	journal_init(&s->journal, s->disk, s->log_fd, s->segment_octets, &s->next_id);
	spare_init(&s->spare, s->disk, s->log_fd, s->segment_octets);
	if (e == E_OK)
		e = unmark_clean(cx, s, &stop);
	if (e == E_OK)
		e = bring_up(cx, s, l, &stop, &r);
	if (e)
		return e;
	r.damaged += stop.lost > 0;
	r.applied.damaged += stop.lost > 0;
	bool raised = stop.machine || r.damaged; // clients may have been told versions that are lost
	take_numbers(s, l, raised, stop.lost);
	s->damaged_batches = r.damaged;
	s->damage = r.applied.damaged + l->lost;
	s->missing_n = l->missing_n;
	memcpy(s->missing, l->missing, sizeof s->missing);
	if (l->chain_n)
		e = cut_tail(cx, s, l, &r);
	if (e == E_OK)
		e = r.damaged ? name_bulk(cx, s, l) : drop_unnamed(cx, s, l);
	if (e == E_OK)
		e = open_log(cx, s, &r, raised);
	if (e == E_OK && r.damaged == 0 && has_file(s, "rebuild"))
		snapshot_remove_all(s); // of the index that was not trusted
	if (e == E_OK)
		(void)unlinkat(s->dir_fd, "rebuild", 0); // where it stays, the next start does the same
	if (e == E_OK && !stop.noted) // last: a start that fails before this finds the same stop again
		e = note_open(cx, s, &stop);
	return e ? e : writer_start(cx, s);
}

/// Gives back everything but the log. The threads have ended.
static void release(struct store *s)
{
	index_close(s->index);
	bulk_end(&s->bulk);
	segcache_end(&s->cache);
	places_end(&s->places);
	keeper_end(&s->keeper);
	writer_end(&s->writer);
	int fds[] = { s->log_fd, s->lock_fd, s->snapshot_fd, s->dir_fd };
	for (size_t i = 0; i < ARRAY_N(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	union {
		const uint8_t *from;
		void *to;
	} dir = { .from = s->dir.p };
	free(dir.to);
	free(s);
}

/// A start that finds no room for what it must write, and no reserve to take it from.
static enum ec too_full(struct cx *cx, const struct store *s)
{
	return wrap(cx, E_FULL,
		"the disk is full and its reserve is used up: make room (%llu MiB) and start again; no mail is lost",
		(unsigned long long)(2 * s->segment_octets >> 20) + 1);
}

enum ec store_open_on(struct cx *cx, const struct store_conf *conf, const struct disk *disk, struct store **out)
{
	struct store *s = calloc(1, sizeof *s);
	struct seg_list l = { 0 };

	if (!s)
		return fail(cx, E_TEMP, "no memory for a store");
	s->disk = disk;
	s->dir_fd = s->log_fd = s->lock_fd = s->snapshot_fd = s->journal.fd = -1;
	configure(s, conf);
	enum ec e = open_folders(cx, s, conf->dir);
	writer_init(&s->writer);
	keeper_init(&s->keeper, s);
	segcache_init(&s->cache, s->log_fd);
	places_init(&s->places);
	bulk_init(&s->bulk, disk, s->log_fd, s->segment_octets, &s->next_id);
	if (e == E_OK)
		e = seg_list_read(cx, disk, s->log_fd, &l);
	if (e == E_OK)
		e = take_places(cx, s, &l);
	if (e == E_OK)
		e = start(cx, s, &l);
	if (store_is_full(s, e))
		e = too_full(cx, s);
	if (e == E_OK && conf->keep)
		e = keeper_start(cx, &s->keeper);
	seg_list_free(&l);
	if (e) {
		writer_stop(s);
		if (s->journal.fd >= 0)
			(void)journal_close(NULL, &s->journal);
		release(s);
		return e;
	}
	*out = s;
	return E_OK;
}

enum ec store_open(struct cx *cx, const struct store_conf *conf, struct store **out)
{
	return store_open_on(cx, conf, &disk_real, out);
}

/// Makes the names in the index's folder durable: otherwise a power cut may bring back an index that was removed.
static enum ec flush_index_folder(struct store *s)
{
	int fd = openat(s->dir_fd, "index", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : s->disk->fsync_dir(s->disk->arg, fd);

	if (fd >= 0)
		close(fd);
	return rc < 0 ? disk_error(NULL, rc, "fsync of the index's folder") : E_OK;
}

void store_close(struct store *s)
{
	struct state st = { 0 }, old;

	if (!s)
		return;
	keeper_stop(&s->keeper);
	writer_stop(s);
	enum ec e = journal_close(NULL, &s->journal);
	s->writer.stats.durable_lsn = s->journal.durable.lsn;
	if (e == E_OK)
		keeper_last_snapshot(&s->keeper);
	if (e == E_OK)
		e = index_flush(NULL, s->index);
	if (e == E_OK)
		e = flush_index_folder(s);
	if (e == E_OK && !s->writer.redo) {
		state_boot(st.boot);
		st.clean = true;
		if (state_read(NULL, s->dir_fd, &old) == E_OK)
			st.died_s = old.died_s;
		(void)state_write(
			NULL, s->disk, s->dir_fd, &st); // without the mark the next start looks closer, no more
	}
	release(s);
}

uint64_t store_room(const struct store *s)
{
	int64_t free_octets = s->disk->free_octets(s->disk->arg, s->log_fd);

	return free_octets < 0 ? UINT64_MAX : (uint64_t)free_octets;
}

uint64_t store_free_room(const struct store *s)
{
	uint64_t room = store_room(s);

	return room > s->free_min_octets ? room - s->free_min_octets : 0;
}

bool store_is_low(const struct store *s)
{
	return store_room(s) < s->free_min_octets;
}

bool store_is_full(const struct store *s, enum ec e)
{
	return e == E_FULL || (e == E_IO && store_room(s) < room_full);
}

bool store_is_restored(const struct store *s)
{
	return has_file(s, "restored");
}

enum ec store_restored_done(struct cx *cx, struct store *s)
{
	int rc = s->disk->unlink(s->disk->arg, s->dir_fd, "restored");
	return rc < 0 ? disk_error(cx, rc, "removing the mark of a restored backup") : E_OK;
}

uint64_t store_damage(const struct store *s)
{
	return s->damage;
}

uint64_t store_version_raise(const struct store *s)
{
	return s->raise;
}
