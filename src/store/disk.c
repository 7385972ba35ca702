/// disk — the real calls, and the loops around short writes and reads.
#include "store/disk.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/num.h"

static int real_open(void *arg, int dir, const char *name, int flags)
{
	(void)arg;
	int fd = openat(dir, name, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static ssize_t real_pwritev(void *arg, int fd, const struct iovec *iov, int n, uint64_t at)
{
	(void)arg;
	ssize_t k = pwritev(fd, iov, n, (off_t)at);
	return k < 0 ? -errno : k;
}

static int real_fdatasync(void *arg, int fd)
{
	(void)arg;
	return fdatasync(fd) ? -errno : 0;
}

static int real_fallocate(void *arg, int fd, uint64_t octets)
{
	(void)arg;
	return fallocate(fd, 0, 0, (off_t)octets) ? -errno : 0;
}

static int real_ftruncate(void *arg, int fd, uint64_t octets)
{
	(void)arg;
	return ftruncate(fd, (off_t)octets) ? -errno : 0;
}

static int real_unlink(void *arg, int dir, const char *name)
{
	(void)arg;
	return unlinkat(dir, name, 0) ? -errno : 0;
}

static int real_rename(void *arg, int dir, const char *from, const char *to)
{
	(void)arg;
	return renameat(dir, from, dir, to) ? -errno : 0;
}

static int real_fsync_dir(void *arg, int dir)
{
	(void)arg;
	return fsync(dir) ? -errno : 0;
}

static int64_t real_free_octets(void *arg, int dir)
{
	struct statvfs v;

	(void)arg;
	if (fstatvfs(dir, &v))
		return -errno;
	uint64_t n;
	return num_mul((uint64_t)v.f_bavail, (uint64_t)v.f_frsize, &n) && n <= INT64_MAX ? (int64_t)n : INT64_MAX;
}

const struct disk disk_real = {
	.open = real_open,
	.pwritev = real_pwritev,
	.fdatasync = real_fdatasync,
	.fallocate = real_fallocate,
	.ftruncate = real_ftruncate,
	.unlink = real_unlink,
	.rename = real_rename,
	.fsync_dir = real_fsync_dir,
	.free_octets = real_free_octets,
};

enum ec disk_error(struct cx *cx, int64_t result, const char *step)
{
	int err = (int)-result;
	const char *text = strerrordesc_np(err);
	enum ec e = E_IO;

	if (err == ENOSPC || err == EDQUOT)
		e = E_FULL;
	else if (err == ENOENT)
		e = E_NOTFOUND;
	else if (err == EEXIST)
		e = E_EXISTS;
	else if (err == EMFILE || err == ENFILE || err == ENOMEM)
		e = E_TEMP;
	return fail(cx, e, "%s: %s", step, text ? text : "unknown error");
}

/// Drops `n` octets from the front of iov.
static void iov_skip(struct iovec **iov, size_t *count, size_t n)
{
	while (*count && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

enum ec disk_write(struct cx *cx, const struct disk *d, int fd, struct iovec *iov, size_t n, uint64_t at)
{
	iov_skip(&iov, &n, 0);
	while (n) {
		ssize_t k = d->pwritev(d->arg, fd, iov, (int)min_size(n, IOV_MAX), at);
		if (k == -EINTR)
			continue;
		if (k <= 0)
			return disk_error(cx, k ? k : -EIO, "pwritev");
		at += (uint64_t)k;
		iov_skip(&iov, &n, (size_t)k);
	}
	return E_OK;
}

enum ec disk_read(struct cx *cx, int fd, struct iovec *iov, size_t n, uint64_t at)
{
	iov_skip(&iov, &n, 0);
	while (n) {
		ssize_t k = preadv(fd, iov, (int)min_size(n, IOV_MAX), (off_t)at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return disk_error(cx, -errno, "preadv");
		if (k == 0)
			return E_RANGE;
		at += (uint64_t)k;
		iov_skip(&iov, &n, (size_t)k);
	}
	return E_OK;
}

enum ec disk_each_name(struct cx *cx, int dir, disk_each *each, void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	enum ec e = E_OK;

	if (!d) {
		e = disk_error(cx, -errno, "reading a folder");
		if (fd >= 0)
			close(fd);
		return e;
	}
	for (struct dirent *entry; e == E_OK && (entry = readdir(d));)
		e = each(cx, arg, entry->d_name);
	closedir(d);
	return e;
}
