/// file — open, read, write; the only place that turns errno of the operator's files into codes.
#include "main/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/num.h"

enum ec file_errno(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR: return E_NOTFOUND;
	case EEXIST: return E_EXISTS;
	case EACCES:
	case EPERM:
	case EROFS: return E_DENIED;
	case ENOSPC:
	case EDQUOT: return E_FULL;
	default: return E_IO;
	}
}

enum ec file_read_fd(struct cx *cx, const char *path, int fd, struct buf *b)
{
	ssize_t n = 1;

	while (n > 0 && !b->err) {
		size_t room = min_size(4096, max_size(b->max - b->n, 1)); // full, and no end of file yet: too large
		uint8_t *p = buf_room(b, room);
		n = p ? read(fd, p, room) : -1;
		buf_took(b, n > 0 ? (size_t)n : 0);
	}
	if (b->err)
		return fail(cx, b->err, "%s is larger than %zu octets", path, b->max);
	return n < 0 ? fail(cx, E_IO, "reading %s: %m", path) : E_OK;
}

enum ec file_read(struct cx *cx, const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(cx, file_errno(errno), "%s: %m", path);
	enum ec e = file_read_fd(cx, path, fd, b);
	close(fd);
	return e;
}

enum ec file_open(struct cx *cx, int folder, const char *name, int *fd)
{
	int got = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (got < 0) // ELOOP: a link; ENXIO: a socket
		return fail(cx, errno == ELOOP || errno == ENXIO ? E_UNSUPPORTED : file_errno(errno), "%s: %m", name);
	if (fstat(got, &st) == 0 && S_ISREG(st.st_mode)) {
		*fd = got;
		return E_OK;
	}
	close(got);
	return fail(cx, E_UNSUPPORTED, "%s is no regular file", name);
}

static enum ec map_fd(struct cx *cx, const char *path, int fd, struct sl *s)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(cx, E_IO, "%s: %m", path);
	size_t n = (size_t)st.st_size;
	void *p = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
	if (p == MAP_FAILED)
		return fail(cx, E_IO, "%s: %m", path);
	*s = (struct sl){ p, n };
	return E_OK;
}

enum ec file_map(struct cx *cx, const char *path, struct sl *s)
{
	int fd;
	enum ec e = file_open(cx, AT_FDCWD, path, &fd);

	if (e != E_OK)
		return e;
	e = map_fd(cx, path, fd, s);
	close(fd);
	return e;
}

void file_unmap(struct sl s)
{
	if (s.n)
		munmap((void *)(uintptr_t)s.p, s.n);
}

static int write_all(int fd, struct sl s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno != EINTR)
			return -1;
		s = sl_from(s, n > 0 ? (size_t)n : 0);
	}
	return fsync(fd);
}

enum ec file_create_in(struct cx *cx, int folder, const char *name, unsigned mode, struct sl text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);

	if (fd < 0)
		return fail(cx, file_errno(errno), "%s: %m", name);
	if (write_all(fd, text) < 0 || fchmod(fd, (mode_t)mode) < 0) {
		enum ec e = fail(cx, file_errno(errno), "writing %s: %m", name);
		close(fd);
		unlinkat(folder, name, 0);
		return e;
	}
	close(fd);
	return E_OK;
}

enum ec file_create(struct cx *cx, const char *path, unsigned mode, struct sl text)
{
	return file_create_in(cx, AT_FDCWD, path, mode, text);
}

enum ec file_folder(struct cx *cx, const char *path, unsigned mode)
{
	int rc = folder_make(path, (mode_t)mode);

	return rc == 0 ? E_OK : fail(cx, file_errno(-rc), "%s: %s", path, strerrordesc_np(-rc));
}

enum ec file_folder_in(struct cx *cx, int folder, const char *name, unsigned mode, int *fd)
{
	bool made = mkdirat(folder, name, (mode_t)mode) == 0;

	if (!made && errno != EEXIST)
		return fail(cx, file_errno(errno), "%s: %m", name);
	if (made && fsync(folder) < 0)
		return fail(cx, file_errno(errno), "flushing the folder of %s: %m", name);
	int got = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (got < 0 && (errno == ENOTDIR || errno == ELOOP))
		return fail(cx, E_UNSUPPORTED, "%s is a link, or no folder", name);
	if (got < 0)
		return fail(cx, file_errno(errno), "%s: %m", name);
	*fd = got;
	return E_OK;
}
