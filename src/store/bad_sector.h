#pragma once
/// bad_sector — tests: octets of one file that the disk does not give, to whoever reads them with preadv.
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

/// Set while nobody reads that file; threads only read it.
static struct {
	bool is;
	dev_t dev;
	ino_t file;
	uint64_t from, to;
} bad_sector;

static inline void bad_sector_at(const char *path, uint64_t from, uint64_t octets)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	bad_sector.dev = st.st_dev;
	bad_sector.file = st.st_ino;
	bad_sector.from = from;
	bad_sector.to = from + octets;
	bad_sector.is = true;
}

ssize_t preadv(int fd, const struct iovec *iov, int n, off_t at);

/// In the place of the C library's.
ssize_t preadv(int fd, const struct iovec *iov, int n, off_t at)
{
	struct stat st;
	uint64_t end = (uint64_t)at;

	for (int i = 0; i < n; i++)
		end += iov[i].iov_len;
	if (bad_sector.is && (uint64_t)at < bad_sector.to && end > bad_sector.from && fstat(fd, &st) == 0 &&
		st.st_ino == bad_sector.file && st.st_dev == bad_sector.dev) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_preadv, fd, iov, (long)n, at, 0L);
}
