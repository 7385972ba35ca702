/// index — LMDB behind eight functions.
///
/// The environment is opened MDB_NOSYNC: a process crash leaves it intact, a machine crash may not; what is applied is
/// written in the same transaction, and start (replay.c) decides whether to trust it. Readers hold `views` so that the
/// map can grow only while none is open.
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

enum {
	INDEX_PATH_MAX = 1200,
	READER_OCTETS = 64, // of one in lock.mdb; its head is not longer than three
};

struct index {
	MDB_env *env; // NULL: it could not be opened anew; index_mend tries again
	MDB_dbi dbi[T_COUNT];
	pthread_mutex_t lock; // guards the three below
	pthread_cond_t quiet;
	unsigned views;
	bool mending;
	bool map_full, broken; // the writer's thread only
	uint64_t map_octets;
	unsigned readers_max;
	char *path;
};

struct itxn {
	struct index *ix;
	MDB_txn *txn;
	bool writing;
};

static const char *const table_names[T_COUNT] = {
	[T_CELL] = "cell",
	[T_KEY] = "key",
	[T_OP] = "op",
	[T_OP_TIME] = "op-time",
	[T_META] = "meta",
	[T_SEGMENT] = "segment",
	[T_DAMAGE] = "damage",
};

/// The one translator of LMDB's codes.
static enum ec index_error(struct cx *cx, int rc, const char *step)
{
	enum ec e = E_IO;

	switch (rc) {
	case 0: return E_OK;
	case MDB_NOTFOUND: return E_NOTFOUND;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
	case MDB_INCOMPATIBLE: e = E_CORRUPT; break;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT: e = E_FULL; break;
	case MDB_READERS_FULL:
	case ENOMEM:
	case EAGAIN: e = E_TEMP; break;
	case MDB_BAD_VALSIZE: e = E_TOOBIG; break;
	}
	return fail(cx, e, "index: %s: %s", step, mdb_strerror(rc));
}

static enum ec open_tables(struct cx *cx, struct index *ix)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(ix->env, NULL, 0, &txn);

	if (rc)
		return index_error(cx, rc, "begin");
	for (int i = 0; i < T_COUNT; i++) {
		rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &ix->dbi[i]);
		if (rc) {
			mdb_txn_abort(txn);
			return index_error(cx, rc, table_names[i]);
		}
	}
	rc = mdb_txn_commit(txn);
	return index_error(cx, rc, "commit of tables");
}

static void env_close(struct index *ix)
{
	if (ix->env)
		mdb_env_close(ix->env);
	ix->env = NULL;
}

/// LMDB writes into lock.mdb through a map: where the disk has no room for it the process would end there, so it gets
/// its room before.
static int readers_allocate(const struct index *ix)
{
	char path[INDEX_PATH_MAX];

	if ((size_t)snprintf(path, sizeof path, "%s/lock.mdb", ix->path) >= sizeof path)
		return ENAMETOOLONG;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc = fd < 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (ix->readers_max + 4L) * READER_OCTETS) ? errno : 0;
	if (fd >= 0)
		close(fd); // LMDB has no lock on it yet, which this would give up
	return rc == EOPNOTSUPP || rc == ENOSYS ? 0 : rc;
}

static enum ec env_open(struct cx *cx, struct index *ix)
{
	int rc = readers_allocate(ix);

	if (!rc)
		rc = mdb_env_create(&ix->env);
	if (!rc)
		rc = mdb_env_set_mapsize(ix->env, ix->map_octets);
	if (!rc)
		rc = mdb_env_set_maxreaders(ix->env, ix->readers_max);
	if (!rc)
		rc = mdb_env_set_maxdbs(ix->env, T_COUNT);
	if (!rc)
		rc = mdb_env_open(ix->env, ix->path, MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD, 0600);
	enum ec e = rc ? index_error(cx, rc, "open") : open_tables(cx, ix);
	if (e)
		env_close(ix);
	return e;
}

enum ec index_open(struct cx *cx, const char *path, uint64_t map_octets, unsigned readers_max, struct index **out)
{
	struct index *ix = calloc(1, sizeof *ix);
	if (!ix)
		return fail(cx, E_TEMP, "no memory for the index");
	pthread_mutex_init(&ix->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ix->quiet, &attr);
	pthread_condattr_destroy(&attr);
	ix->map_octets = map_octets ? map_octets : index_map_octets;
	ix->readers_max = readers_max;
	ix->path = strdup(path);
	enum ec e = ix->path ? env_open(cx, ix) : fail(cx, E_TEMP, "no memory for the index");
	if (e) {
		index_close(ix);
		return e;
	}
	*out = ix;
	return E_OK;
}

void index_close(struct index *ix)
{
	if (!ix)
		return;
	env_close(ix);
	free(ix->path);
	pthread_cond_destroy(&ix->quiet);
	pthread_mutex_destroy(&ix->lock);
	free(ix);
}

static void view_enter(struct index *ix)
{
	pthread_mutex_lock(&ix->lock);
	while (ix->mending)
		pthread_cond_wait(&ix->quiet, &ix->lock);
	ix->views++;
	pthread_mutex_unlock(&ix->lock);
}

static void view_leave(struct index *ix)
{
	pthread_mutex_lock(&ix->lock);
	if (--ix->views == 0)
		pthread_cond_broadcast(&ix->quiet);
	pthread_mutex_unlock(&ix->lock);
}

enum ec index_read(struct cx *cx, struct index *ix, struct itxn **out)
{
	struct itxn *t = malloc(sizeof *t);
	if (!t)
		return fail(cx, E_TEMP, "no memory for a view");
	*t = (struct itxn){ .ix = ix };
	view_enter(ix);
	int rc = ix->env ? mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &t->txn) : EAGAIN;
	if (rc == MDB_READERS_FULL) { // slots of readers that died are given back
		int dead;
		mdb_reader_check(ix->env, &dead);
		rc = mdb_txn_begin(ix->env, NULL, MDB_RDONLY, &t->txn);
	}
	if (rc) {
		view_leave(ix);
		free(t);
		return index_error(cx, rc, "begin reading");
	}
	*out = t;
	return E_OK;
}

/// What a failed write means for index_mend.
static void note_failure(struct index *ix, int rc)
{
	ix->map_full |= rc == MDB_MAP_FULL;
	switch (rc) {
	case 0:
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EAGAIN: return;
	}
	ix->broken = true;
}

enum ec index_write(struct cx *cx, struct index *ix, struct itxn **out)
{
	struct itxn *t = malloc(sizeof *t);
	if (!t)
		return fail(cx, E_TEMP, "no memory for a transaction");
	*t = (struct itxn){ .ix = ix, .writing = true };
	int rc = ix->env ? mdb_txn_begin(ix->env, NULL, 0, &t->txn) : EAGAIN;
	note_failure(ix, rc);
	if (rc) {
		free(t);
		return index_error(cx, rc, "begin writing");
	}
	*out = t;
	return E_OK;
}

enum ec itxn_commit(struct cx *cx, struct itxn *t)
{
	int rc = mdb_txn_commit(t->txn); // frees the handle also where it fails
	if (t->writing)
		note_failure(t->ix, rc);
	else
		view_leave(t->ix);
	free(t);
	return index_error(cx, rc, "commit");
}

void itxn_abort(struct itxn *t)
{
	if (!t)
		return;
	mdb_txn_abort(t->txn);
	if (!t->writing)
		view_leave(t->ix);
	free(t);
}

/// LMDB takes non-const pointers but only reads through them.
static MDB_val val(struct sl s)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { .from = s.p };

	return (MDB_val){ .mv_size = s.n, .mv_data = p.to };
}

static struct sl val_sl(MDB_val v)
{
	return (struct sl){ v.mv_data, v.mv_size };
}

enum ec index_get(struct cx *cx, struct itxn *t, enum index_table table, struct sl key, struct sl *value)
{
	MDB_val k = val(key), v;
	int rc = mdb_get(t->txn, t->ix->dbi[table], &k, &v);

	if (rc)
		return index_error(cx, rc, "get");
	*value = val_sl(v);
	return E_OK;
}

enum ec index_put(struct cx *cx, struct itxn *t, enum index_table table, struct sl key, struct sl value)
{
	MDB_val k = val(key), v = val(value);
	int rc = mdb_put(t->txn, t->ix->dbi[table], &k, &v, 0);

	t->ix->map_full |= rc == MDB_MAP_FULL;
	return index_error(cx, rc, "put");
}

enum ec index_del(struct cx *cx, struct itxn *t, enum index_table table, struct sl key)
{
	MDB_val k = val(key);
	int rc = mdb_del(t->txn, t->ix->dbi[table], &k, NULL);

	t->ix->map_full |= rc == MDB_MAP_FULL;
	return rc == MDB_NOTFOUND ? E_OK : index_error(cx, rc, "delete");
}

static bool is_below(struct sl key, struct sl to)
{
	return to.n == 0 || sl_cmp(key, to) < 0;
}

enum ec index_del_range(
	struct cx *cx, struct itxn *t, enum index_table table, struct sl from, struct sl to, struct sl prefix)
{
	MDB_cursor *cursor;
	MDB_val k = val(from), v;
	int rc = mdb_cursor_open(t->txn, t->ix->dbi[table], &cursor);

	if (rc)
		return index_error(cx, rc, "cursor");
	rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	while (!rc && sl_starts(val_sl(k), prefix) && is_below(val_sl(k), to)) {
		rc = mdb_cursor_del(cursor, 0);
		if (!rc)
			rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT); // the one behind the deleted
	}
	mdb_cursor_close(cursor);
	t->ix->map_full |= rc == MDB_MAP_FULL;
	return rc == MDB_NOTFOUND ? E_OK : index_error(cx, rc, "delete of a range");
}

enum ec index_scan(struct cx *cx, struct itxn *t, enum index_table table, struct sl from, struct sl prefix,
	index_each *each, void *arg)
{
	MDB_cursor *cursor;
	MDB_val k = val(from), v;
	int rc = mdb_cursor_open(t->txn, t->ix->dbi[table], &cursor);

	if (rc)
		return index_error(cx, rc, "cursor");
	rc = from.n ? mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE) : mdb_cursor_get(cursor, &k, &v, MDB_FIRST);
	while (!rc && sl_starts(val_sl(k), prefix) && each(arg, val_sl(k), val_sl(v)))
		rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? E_OK : index_error(cx, rc, "scan");
}

bool index_is_map_full(const struct index *ix)
{
	return ix->map_full;
}

/// Makes the map twice as large. No view is open.
static enum ec grow(struct cx *cx, struct index *ix)
{
	uint64_t octets;

	if (!num_mul(ix->map_octets, (uint64_t)2, &octets))
		return fail(cx, E_FULL, "index: the map cannot grow");
	int rc = mdb_env_set_mapsize(ix->env, octets);
	if (rc)
		return index_error(cx, rc, "growing the map");
	ix->map_octets = octets;
	ix->map_full = false;
	return E_OK;
}

/// Opens the environment anew: after some failures LMDB refuses everything that follows. No view is open.
static enum ec reopen(struct cx *cx, struct index *ix)
{
	env_close(ix);
	enum ec e = env_open(cx, ix);
	ix->broken = e != E_OK;
	return e;
}

enum ec index_mend(struct cx *cx, struct index *ix)
{
	struct timespec until;
	enum ec e = E_OK;
	int rc = 0;

	if (!ix->map_full && !ix->broken)
		return E_OK;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	pthread_mutex_lock(&ix->lock);
	ix->mending = true;
	while (ix->views && rc == 0)
		rc = pthread_cond_timedwait(&ix->quiet, &ix->lock, &until);
	if (ix->views)
		e = fail(cx, E_TEMP, "index: readers do not end");
	if (e == E_OK && ix->broken)
		e = reopen(cx, ix);
	if (e == E_OK && ix->map_full)
		e = grow(cx, ix);
	ix->mending = false;
	pthread_cond_broadcast(&ix->quiet);
	pthread_mutex_unlock(&ix->lock);
	return e;
}

uint64_t index_octets(struct index *ix)
{
	MDB_envinfo info;
	MDB_stat st;

	view_enter(ix);
	bool known = ix->env && !mdb_env_info(ix->env, &info) && !mdb_env_stat(ix->env, &st);
	view_leave(ix);
	return known ? (info.me_last_pgno + 1) * (uint64_t)st.ms_psize : 0;
}

enum ec index_copy(struct cx *cx, struct index *ix, int fd)
{
	view_enter(ix);
	int rc = ix->env ? mdb_env_copyfd(ix->env, fd) : EAGAIN;
	view_leave(ix);
	return index_error(cx, rc, "copy");
}

enum ec index_flush(struct cx *cx, struct index *ix)
{
	return ix->env ? index_error(cx, mdb_env_sync(ix->env, 1), "flush") : E_IO;
}
