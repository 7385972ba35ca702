/// copy — see the header.
#include "store/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/num.h"
#include "store/disk.h"

enum { SECTOR_OCTETS = 4096 };

// ---- the target

enum ec copy_folder(struct cx *cx, const char *path, const char *sub, bool make, int *out)
{
	char whole[2048];
	int n = snprintf(whole, sizeof whole, "%s%s%s", path, sub ? "/" : "", sub ? sub : "");

	if (n < 0 || n >= (int)sizeof whole)
		return fail(cx, E_TOOBIG, "path too long: %s", path);
	int rc = make ? folder_make(whole, 0700) : 0;
	if (rc < 0)
		return disk_error(cx, rc, whole);
	int fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (sub ? O_NOFOLLOW : 0));
	if (fd < 0)
		return disk_error(cx, -errno, whole);
	*out = fd;
	return E_OK;
}

enum ec copy_give(struct cx *cx, const struct copy_target *t, int fd)
{
	return !t->give || fchown(fd, t->uid, t->gid) == 0 ? E_OK : disk_error(cx, -errno, "giving a file away");
}

enum ec copy_make(struct cx *cx, const struct copy_target *t, int dir, const char *name, int *out)
{
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		return disk_error(cx, -errno, name);
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return disk_error(cx, -errno, name);
	enum ec e = copy_give(cx, t, fd);
	if (e == E_OK)
		*out = fd;
	else
		close(fd);
	return e;
}

enum ec copy_put(struct cx *cx, const struct copy_target *t, const char *name, struct sl text)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { .from = text.p };
	struct iovec iov = { p.to, text.n };
	char fresh[64];
	int fd = -1;

	snprintf(fresh, sizeof fresh, "%s.new", name);
	enum ec e = copy_make(cx, t, t->dir, fresh, &fd);
	if (e)
		return e;
	e = disk_write(cx, &disk_real, fd, &iov, 1, 0);
	if (e == E_OK && fsync(fd))
		e = disk_error(cx, -errno, name);
	close(fd);
	if (e == E_OK && (renameat(t->dir, fresh, t->dir, name) || fsync(t->dir)))
		e = disk_error(cx, -errno, name);
	return e;
}

void copy_target_end(struct copy_target *t)
{
	if (t->log >= 0)
		close(t->log);
	if (t->dir >= 0)
		close(t->dir);
	*t = COPY_TARGET_NEW;
}

// ---- a file

void copy_new_name(const char *name, char out[static COPY_NEW_NAME])
{
	snprintf(out, COPY_NEW_NAME, "%s.new", name);
}

uint64_t copy_size(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

enum ec copy_open(struct cx *cx, int dir, const char *name, int *out)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == EIO)
		return fail(cx, E_CORRUPT, "%s cannot be read", name);
	if (fd < 0)
		return disk_error(cx, -errno, name);
	enum ec e = fstat(fd, &st) < 0 ? disk_error(cx, -errno, name) : E_OK;
	if (e == E_OK && !S_ISREG(st.st_mode))
		e = fail(cx, E_CORRUPT, "%s is no file", name);
	if (e == E_OK)
		*out = fd;
	else
		close(fd);
	return e;
}

/// The octets of a file, but for those that the disk does not give. errors: E_RANGE, E_TEMP.
static enum ec read_sectors(struct cx *cx, const struct copy *c, uint8_t *room, size_t n)
{
	enum ec e = E_OK;

	for (size_t k = 0; e == E_OK && k < n; k += SECTOR_OCTETS) {
		struct iovec in = { room + k, min_size(n - k, SECTOR_OCTETS) };
		size_t octets = in.iov_len;
		e = disk_read(cx, c->in, &in, 1, c->at + k);
		if (e != E_IO)
			continue;
		cx_forget(cx);
		memset(room + k, 0, octets);
		e = E_OK;
	}
	return e;
}

enum ec copy_some(struct cx *cx, struct copy *c, uint64_t end)
{
	size_t n = end - c->at < COPY_STEP_OCTETS ? (size_t)(end - c->at) : COPY_STEP_OCTETS;
	uint8_t *room = malloc(n + 1);

	if (!room)
		return fail(cx, E_TEMP, "no memory to copy");
	struct iovec in = { room, n }, out = { room, n };
	enum ec e = disk_read(cx, c->in, &in, 1, c->at);
	if (e == E_IO) {
		cx_forget(cx);
		e = read_sectors(cx, c, room, n);
	}
	if (e == E_OK)
		e = disk_write(cx, &disk_real, c->out, &out, 1, c->at);
	if (e == E_OK) {
		c->crc = crc32c(c->crc, (struct sl){ room, n });
		c->at += n;
	}
	free(room);
	return e;
}

enum ec copy_read_again(struct cx *cx, struct copy *c)
{
	uint8_t *room = malloc(COPY_STEP_OCTETS);
	enum ec e = room ? E_OK : fail(cx, E_TEMP, "no memory to read a copy");

	c->crc = 0;
	for (uint64_t at = 0; e == E_OK && at < c->at; at += COPY_STEP_OCTETS) {
		size_t n = c->at - at < COPY_STEP_OCTETS ? (size_t)(c->at - at) : COPY_STEP_OCTETS;
		struct iovec iov = { room, n };
		e = disk_read(cx, c->out, &iov, 1, at);
		c->crc = crc32c(c->crc, (struct sl){ room, n });
	}
	free(room);
	return e;
}

void copy_close(struct copy *c)
{
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	c->in = c->out = -1;
}
