#pragma once
/// fault_bed — a disk of which calls fail by their number, for tests of stores on failing disks.
/// Only tests include this.
#include <errno.h>

#include "store/testbed.h"

static const struct cell_id cell_a = { 1, 1 }, cell_b = { 1, 2 };

static inline void no_index(struct bed *b)
{
	char path[128];

	snprintf(path, sizeof path, "%s/index/data.mdb", b->dir);
	unlink(path);
}

struct bad_disk {
	pthread_mutex_t lock;
	unsigned calls, fail_from, fail_to; // calls with these numbers fail
	int err;
	bool cut;       // a failing write writes half of it first
	bool truncates; // that never fails
};

static inline bool bad_now(struct bad_disk *d)
{
	pthread_mutex_lock(&d->lock);
	unsigned n = ++d->calls;
	bool bad = n >= d->fail_from && n <= d->fail_to;
	pthread_mutex_unlock(&d->lock);
	return bad;
}

static inline unsigned bad_calls(struct bad_disk *d)
{
	pthread_mutex_lock(&d->lock);
	unsigned n = d->calls;
	pthread_mutex_unlock(&d->lock);
	return n;
}

/// The n-th call from now on fails; and what follows it, unless it alone shall.
static inline void bad_from_now(struct bad_disk *d, unsigned n, bool alone)
{
	pthread_mutex_lock(&d->lock);
	d->fail_from = d->calls + n;
	d->fail_to = alone ? d->fail_from : UINT32_MAX;
	pthread_mutex_unlock(&d->lock);
}

static inline int bad_open(void *arg, int dir, const char *name, int flags)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : disk_real.open(NULL, dir, name, flags);
}

static inline ssize_t bad_pwritev(void *arg, int fd, const struct iovec *iov, int n, uint64_t at)
{
	struct bad_disk *d = arg;
	if (!bad_now(d))
		return disk_real.pwritev(NULL, fd, iov, n, at);
	if (d->cut) {
		struct iovec half = { iov->iov_base, iov->iov_len / 2 };
		(void)!disk_real.pwritev(NULL, fd, &half, 1, at);
	}
	return -d->err;
}

static inline int bad_fdatasync(void *arg, int fd)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : unflushed_fdatasync(NULL, fd);
}

static inline int bad_fallocate(void *arg, int fd, uint64_t octets)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : disk_real.fallocate(NULL, fd, octets);
}

static inline int bad_ftruncate(void *arg, int fd, uint64_t octets)
{
	struct bad_disk *d = arg;
	return bad_now(d) && !d->truncates ? -d->err : disk_real.ftruncate(NULL, fd, octets);
}

static inline int bad_unlink(void *arg, int dir, const char *name)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : disk_real.unlink(NULL, dir, name);
}

static inline int bad_rename(void *arg, int dir, const char *from, const char *to)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : disk_real.rename(NULL, dir, from, to);
}

static inline int bad_fsync_dir(void *arg, int dir)
{
	struct bad_disk *d = arg;
	return bad_now(d) ? -d->err : unflushed_fsync_dir(NULL, dir);
}

static inline int64_t bad_free_octets(void *arg, int dir)
{
	(void)arg;
	return disk_real.free_octets(NULL, dir);
}

static inline struct disk bad_disk_over(struct bad_disk *d)
{
	return (struct disk){ bad_open, bad_pwritev, bad_fdatasync, bad_fallocate, bad_ftruncate, bad_unlink,
		bad_rename, bad_fsync_dir, bad_free_octets, d };
}
