#pragma once
/// bulk — segments for bodies over BLOB_INLINE_MAX: each stream has one bulk segment to itself while it writes, so that
/// streams never wait for each other.
///
/// Any thread. A record's header is written last; the log names a body (REC_BULK) only after its segment was flushed.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/disk.h"
#include "store/segment.h"

enum {
	BULK_OPEN_MAX = 2048, // streams at a time; each holds a descriptor
	BULK_IDLE_MAX = 16,   // open segments kept for the next streams
};

struct bulk_file {
	int fd;
	struct seg_head head;
	uint64_t at;  // the next record
	uint64_t end; // of what was written; beyond `at` it is a record under way
	struct bulk_file *next;
};

struct bulk {
	const struct disk *disk;
	int dir;
	uint64_t segment_octets;
	_Atomic uint32_t *next_id;
	pthread_mutex_t lock; // guards what is below
	struct bulk_file *idle, *lent;
	unsigned open, idles;
};

void bulk_init(struct bulk *b, const struct disk *disk, int dir, uint64_t segment_octets, _Atomic uint32_t *next_id);
void bulk_end(struct bulk *b);
/// A bulk segment for one stream. errors: E_TEMP (too many streams), E_FULL, E_IO.
[[nodiscard]] enum ec bulk_take(struct cx *cx, struct bulk *b, struct bulk_file **out);
/// Gives it back, cut off behind its last record; where `good` is false (a write or flush failed) it is not used again,
/// and where it holds no record it is removed.
void bulk_give(struct bulk *b, struct bulk_file *f, bool good);
/// Whether a stream may still write into this segment; once it is not, it never is again.
bool bulk_is_open(struct bulk *b, uint32_t id);
/// Adds the ids of all that are open, 4 octets each. One that was given before this and is not among them has its file,
/// or never will.
void bulk_list_open(struct bulk *b, struct buf *ids);
[[nodiscard]] enum ec bulk_write(struct cx *cx, struct bulk *b, struct bulk_file *f, struct sl octets, uint64_t at);
[[nodiscard]] enum ec bulk_flush(struct cx *cx, struct bulk *b, struct bulk_file *f);
