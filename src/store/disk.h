#pragma once
/// disk — the file system calls of the log and of bulk segments, as a table, so that tests can make the n-th one fail,
/// cut it short, or count it.
///
/// Each call returns what the system call returns, or -errno. disk_real is the kernel itself.
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/cx.h"

struct disk {
	int (*open)(void *arg, int dir, const char *name, int flags);
	ssize_t (*pwritev)(void *arg, int fd, const struct iovec *iov, int n, uint64_t at);
	int (*fdatasync)(void *arg, int fd);
	int (*fallocate)(void *arg, int fd, uint64_t octets);
	int (*ftruncate)(void *arg, int fd, uint64_t octets);
	int (*unlink)(void *arg, int dir, const char *name);
	int (*rename)(void *arg, int dir, const char *from, const char *to);
	int (*fsync_dir)(void *arg, int dir);
	int64_t (*free_octets)(void *arg, int dir);
	void *arg;
};
extern const struct disk disk_real;

/// Translates -errno of `step` into a code with a story. errors: E_FULL (ENOSPC, EDQUOT), E_NOTFOUND, E_EXISTS,
/// E_TEMP (descriptors, memory), E_IO.
enum ec disk_error(struct cx *cx, int64_t result, const char *step);
/// Writes all of iov at `at`; goes on after short writes. The array is changed.
[[nodiscard]] enum ec disk_write(struct cx *cx, const struct disk *d, int fd, struct iovec *iov, size_t n, uint64_t at);
/// Calls `each` for every name in a folder until one fails. errors: E_IO, those of `each`.
typedef enum ec disk_each(struct cx *cx, void *arg, const char *name);
[[nodiscard]] enum ec disk_each_name(struct cx *cx, int dir, disk_each *each, void *arg);
/// Reads iov at `at`; fewer octets than asked for are E_RANGE. The array is changed.
[[nodiscard]] enum ec disk_read(struct cx *cx, int fd, struct iovec *iov, size_t n, uint64_t at);
