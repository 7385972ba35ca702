#pragma once
/// unflushed — the real disk without its flushes: what a process crash leaves does not depend on them, and tests run
/// many times faster. Only tests and fuzzers include this.
#include "store/disk.h"

static inline int unflushed_fdatasync(void *arg, int fd)
{
	(void)arg, (void)fd;
	return 0;
}

static inline int unflushed_fsync_dir(void *arg, int dir)
{
	(void)arg, (void)dir;
	return 0;
}

static inline struct disk disk_unflushed(void)
{
	struct disk d = disk_real;

	d.fdatasync = unflushed_fdatasync;
	d.fsync_dir = unflushed_fsync_dir;
	return d;
}
