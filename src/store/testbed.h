#pragma once
/// testbed — what the store's tests share: a data folder under the temporary one, small conveniences around jobs.
/// Only tests include this.
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/num.h"
#include "store/engine.h"
#include "store/unflushed.h"

struct bed {
	char dir[64];
	struct store_conf conf;
	struct disk disk; // must not move while a store is open
};

static inline struct bed bed_make(void)
{
	struct bed b = { .dir = "/tmp/hongyan-store-XXXXXX" };

	b.disk = disk_unflushed();
	if (!mkdtemp(b.dir))
		abort();
	b.conf = (struct store_conf){ .segment_octets = 256 << 10, .map_octets = 256 << 20, .free_min_octets = 1 };
	return b;
}

static inline int bed_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void bed_remove(struct bed *b)
{
	nftw(b->dir, bed_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/// Opens the store of a bed; the test ends where that fails.
static inline struct store *bed_open_on(struct bed *b, const struct disk *disk)
{
	struct cx cx = { 0 };
	struct store *s = NULL;
	char story[1024];

	b->conf.dir = sl_cstr(b->dir);
	enum ec e = store_open_on(&cx, &b->conf, disk, &s);
	cx_story(&cx, story, sizeof story);
	if (e)
		print_error("store_open: %s: %s\n", ec_name(e), story);
	assert_int_equal(e, E_OK);
	cx_end(&cx);
	return s;
}

static inline struct store *bed_open(struct bed *b)
{
	return bed_open_on(b, &b->disk);
}

/// Ends a store as a killed process would: nothing is flushed, nothing is marked.
static inline void bed_crash(struct store *s)
{
	writer_stop(s);
	if (s->journal.fd >= 0)
		close(s->journal.fd);
	buf_free(&s->journal.kept);
	index_close(s->index);
	bulk_end(&s->bulk);
	segcache_end(&s->cache);
	places_end(&s->places);
	keeper_end(&s->keeper);
	writer_end(&s->writer);
	close(s->log_fd);
	close(s->dir_fd);
	close(s->snapshot_fd);
	close(s->lock_fd);
	free((void *)(uintptr_t)s->dir.p);
	free(s);
}

/// One commit of one key, as a job.
struct put {
	struct cell_id id;
	uint64_t expect, version;
	struct sl key, value, head;
	struct op_id op;
	struct sl outcome;
	struct blob *blob;
	struct body_ref ref;
	enum ec want; // what run returns after its commit
};

static inline enum ec put_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct put *p = job->arg;

	if (p->blob) {
		enum ec e = blob_put(cx, t, p->blob, &p->ref);
		if (e)
			return e;
	}
	struct change *c = change_begin(t, p->id, p->expect);
	if (p->head.p)
		change_head(c, p->head);
	if (p->key.p)
		change_put(c, p->key, p->value);
	enum ec e = change_commit(cx, c, &p->op, p->outcome, &p->version);
	return e ? e : p->want;
}

static inline struct blob *bed_blob(struct store *s, struct sl octets)
{
	struct blob *b = NULL;

	if (blob_new(NULL, s, &b) || blob_add(NULL, b, octets))
		abort();
	return b;
}

/// Octets that differ from place to place and body to body.
static inline struct sl bed_octets(size_t n, uint32_t seed)
{
	uint8_t *p = malloc(n ? n : 1);

	for (size_t i = 0; p && i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
	return (struct sl){ p, n };
}

static inline void sl_free(struct sl s)
{
	free((void *)(uintptr_t)s.p);
}

/// Reads a whole body and compares it.
static inline enum ec bed_same_body(struct store *s, struct body_ref ref, struct sl want)
{
	uint8_t *room = malloc(want.n ? want.n : 1);
	struct iovec iov = { room, want.n };
	enum ec e = ref.octets == want.n ? blob_get(NULL, s, ref, 0, &iov, 1) : E_RANGE;

	if (e == E_OK && want.n && memcmp(room, want.p, want.n) != 0)
		e = E_STATE;
	free(room);
	return e;
}

/// Whether a cell has this value under the key "k".
static inline bool has(struct store *s, struct cell_id id, struct sl want)
{
	struct view *v;
	struct sl value;

	assert_int_equal(view_open(NULL, s, &v), E_OK);
	bool same = cell_get(NULL, v, id, SL("k"), &value) == E_OK && sl_eq(value, want);
	view_close(v);
	return same;
}
