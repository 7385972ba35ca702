#pragma once
/// segfile — segment files opened for reading: one by one through a window (start, checks), or many through a cache
/// (bodies).
#include <pthread.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/disk.h"
#include "store/packmap.h"

enum { SEG_NAME = 16, SEGCACHE_SLOTS = 256 };

struct segfile {
	int fd;
	struct seg_head head;
	uint64_t size;       // of the file when it was opened
	struct pack_map map; // of a pack
	bool two_copies;     // both copies of the header are good and the same
	bool unread;         // the disk could not read some of it
	struct buf window;
	uint64_t window_at;
	unsigned refs; // the cache's own
};

/// The file name of a segment, NUL-terminated.
void seg_name(uint32_t id, char out[static SEG_NAME]);
/// The id in a file name; false for every name that seg_name does not make.
bool seg_name_parse(const char *name, uint32_t *id);
/// Opens segment `id` in the folder `dir` and reads its header, the second copy where the first is damaged or cannot be
/// read, and the map of a pack.
/// errors: E_NOTFOUND, E_CORRUPT (both copies damaged, or no regular file), E_UNSUPPORTED, E_TEMP, E_IO.
[[nodiscard]] enum ec segfile_open(struct cx *cx, int dir, uint32_t id, struct segfile *out);
void segfile_close(struct segfile *f);
/// Octets [at, at + n), borrowed until the next call. errors: E_RANGE (the file ends before), E_TEMP, E_IO.
[[nodiscard]] enum ec segfile_at(struct cx *cx, struct segfile *f, uint64_t at, size_t n, struct sl *out);
/// Reads the record header at `at`. errors: E_RANGE, E_CORRUPT, E_UNSUPPORTED, E_IO.
[[nodiscard]] enum ec segfile_rec(struct cx *cx, struct segfile *f, uint64_t at, struct rec *out);
/// Checks the body of a BLOB record. errors: E_CORRUPT, E_RANGE, E_IO.
[[nodiscard]] enum ec segfile_body(struct cx *cx, struct segfile *f, const struct rec *r);

/// Writes both copies of a segment's header. errors: E_FULL, E_IO.
[[nodiscard]] enum ec segfile_write_head(struct cx *cx, const struct disk *d, int fd, const struct seg_head *h);
/// Those of a new segment, and flushes the file and its folder before anything is written behind them: so a start knows
/// a segment without header that has something in it for damaged. errors: E_FULL, E_IO.
[[nodiscard]] enum ec segfile_new_head(struct cx *cx, const struct disk *d, int dir, int fd, const struct seg_head *h);

struct segcache {
	pthread_mutex_t lock;
	int dir;
	struct segfile *slots[SEGCACHE_SLOTS]; // by id modulo the number of slots
};

void segcache_init(struct segcache *c, int dir);
void segcache_end(struct segcache *c);
/// A segment for reading with its fd, shared between threads (do not use its window); give it back with segcache_put.
[[nodiscard]] enum ec segcache_get(struct cx *cx, struct segcache *c, uint32_t id, struct segfile **out);
void segcache_put(struct segcache *c, struct segfile *f);
/// Forgets a segment that is no more; who reads it goes on.
void segcache_drop(struct segcache *c, uint32_t id);
