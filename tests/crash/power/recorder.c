/// recorder — a preloaded library that writes down every change a program makes below one folder, with its content.
///
/// Environment: POWER_ROOT (the folder, absolute), POWER_TRACE (where the record goes; none = nothing is recorded),
/// POWER_BOOT (a file that is opened instead of the kernel's boot id), POWER_DELAY_US (a flush takes up to this long).
/// The record is one sequence over all threads: whatever changes names is recorded while it is done, a write once it
/// is over, a flush at its start and at its end. So a write counts as flushed only where it was over before the flush
/// began. Nothing is flushed in truth. What goes into a writable shared mapping is not seen: such files are marked.
/// The format is at struct event; disk.py reads it. Whether anything was missed is tested there: all events applied
/// must give the folder as it is.
#undef _FILE_OFFSET_BITS // both names of each function are defined here: neither may stand for the other
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder.h"

enum { FDS = 4096, NAMES = 4096, NAME = 240, PARTS = 1024 };
enum event_type {
	EV_FOUND = 1,   // file: opened for the first time and there before; text: path
	EV_CREATE = 2,  // file: made; text: path
	EV_WRITE = 3,   // file, a: offset, b: 1 = flushed by itself (O_SYNC); text: octets
	EV_SIZE = 4,    // file, a: its size from here on
	EV_GROW = 5,    // file, a: its size from here on, where it was smaller
	EV_FLUSH = 6,   // file, a: number of the flush: it begins
	EV_FLUSHED = 7, // file, a: number of the flush: it is over
	EV_RENAME = 8,  // text: from, NUL, to
	EV_UNLINK = 9,  // text: path
	EV_MKDIR = 10,  // file: made; text: path
	EV_LINK = 11,   // text: from, NUL, to
	EV_MARK = 12,   // text: what the program says
	EV_MAPPED = 13, // file: can be written through memory from here on
};
struct event {
	uint32_t type, file;
	uint64_t a, b, octets; // octets of text that follow
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static char root[PATH_MAX];
static size_t root_n;
static unsigned delay_us;
static uint32_t file_of[FDS]; // 0 = not below the root
static bool syncs[FDS];       // opened with O_SYNC or O_DSYNC
static struct {
	char path[NAME];
	uint32_t file;
} names[NAMES];
static uint32_t files_made;
static uint64_t flushes;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("POWER_TRACE"), *folder = getenv("POWER_ROOT"), *delay = getenv("POWER_DELAY_US");

	if (!path || !folder || !realpath(folder, root))
		return;
	root_n = strlen(root);
	delay_us = delay ? (unsigned)atoi(delay) : 0;
	trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/// The next definition of a function of the C library.
#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		abort();
	return f;
}

/// Appends one event; the lock is held.
static void emit(struct event e, const struct iovec *iov, int n)
{
	struct iovec all[PARTS + 1] = { { &e, sizeof e } };

	if (n > PARTS)
		abort();
	for (int i = 0; i < n; i++) {
		all[i + 1] = iov[i];
		e.octets += iov[i].iov_len;
	}
	if (syscall(SYS_writev, trace, all, n + 1) != (long)(sizeof e + e.octets))
		abort();
}

static void emit_text(struct event e, const char *text, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)text, n };

	emit(e, &iov, 1);
}

void power_mark(const char *text, size_t n)
{
	if (trace < 0)
		return;
	pthread_mutex_lock(&lock);
	emit_text((struct event){ .type = EV_MARK }, text, n);
	pthread_mutex_unlock(&lock);
}

/// The path below the root that an open descriptor has; false where it is elsewhere.
static bool path_of(int fd, char out[static NAME])
{
	char link[64], full[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, full, sizeof full - 1);
	if (n < (ssize_t)root_n || memcmp(full, root, root_n) != 0)
		return false;
	full[n] = 0;
	if ((full[root_n] && full[root_n] != '/') || (size_t)n - root_n >= NAME)
		return false;
	strcpy(out, full[root_n] ? full + root_n + 1 : "");
	return true;
}

/// The path below the root of a name in a folder; false where it is elsewhere.
static bool path_at(int dir, const char *name, char out[static NAME])
{
	char folder[NAME] = "";

	if (name[0] == '/') {
		if (strncmp(name, root, root_n) != 0 || name[root_n] != '/' || strlen(name + root_n) >= NAME)
			return false;
		strcpy(out, name + root_n + 1);
		return true;
	}
	int here = dir == AT_FDCWD ? (int)syscall(SYS_openat, AT_FDCWD, ".", O_PATH | O_CLOEXEC) : dir;
	bool below = here >= 0 && path_of(here, folder);
	if (dir == AT_FDCWD && here >= 0)
		syscall(SYS_close, here);
	return below && snprintf(out, NAME, "%s%s%s", folder, folder[0] ? "/" : "", name) < NAME;
}

/// The slot of a path; with `make` a free one where there is none.
static uint32_t *name_slot(const char *path, bool make)
{
	uint32_t *free_slot = NULL;

	for (size_t i = 0; i < NAMES; i++) {
		if (names[i].file && strcmp(names[i].path, path) == 0)
			return &names[i].file;
		if (!names[i].file && !free_slot && make) {
			strcpy(names[i].path, path);
			free_slot = &names[i].file;
		}
	}
	if (make && !free_slot)
		abort();
	return free_slot;
}

/// The number of the file at `path`, with its event where it is new.
static uint32_t name_file(const char *path, enum event_type type)
{
	uint32_t *slot = name_slot(path, type != EV_FOUND);

	if (slot && type == EV_FOUND)
		return *slot;
	if (!slot)
		slot = name_slot(path, true);
	*slot = ++files_made;
	emit_text((struct event){ .type = type, .file = *slot }, path, strlen(path));
	return *slot;
}

// ---- opening and closing

static int open_any(int dir, const char *name, int flags, mode_t mode)
{
	char path[NAME];
	const char *boot = getenv("POWER_BOOT");

	if (boot && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0)
		name = boot;
	if (trace < 0)
		return (int)syscall(SYS_openat, dir, name, flags, mode);
	pthread_mutex_lock(&lock);
	bool was_there = faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int fd = (int)syscall(SYS_openat, dir, name, flags, mode), err = errno;
	if (fd >= FDS)
		abort();
	if (fd >= 0) {
		file_of[fd] = path_of(fd, path) ? name_file(path, was_there ? EV_FOUND : EV_CREATE) : 0;
		syncs[fd] = flags & (O_SYNC | O_DSYNC);
		if (file_of[fd] && was_there && (flags & O_TRUNC))
			emit((struct event){ .type = EV_SIZE, .file = file_of[fd] }, NULL, 0);
	}
	pthread_mutex_unlock(&lock);
	errno = err;
	return fd;
}

static mode_t mode_from(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN(name)                                            \
	int name(const char *path, int flags, ...)            \
	{                                                     \
		va_list ap;                                   \
		va_start(ap, flags);                          \
		mode_t mode = mode_from(flags, ap);           \
		va_end(ap);                                   \
		return open_any(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(name)                                        \
	int name(int dir, const char *path, int flags, ...) \
	{                                                   \
		va_list ap;                                 \
		va_start(ap, flags);                        \
		mode_t mode = mode_from(flags, ap);         \
		va_end(ap);                                 \
		return open_any(dir, path, flags, mode);    \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
int __open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}
int __openat_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}
int __openat64_2(int dir, const char *path, int flags)
{
	return open_any(dir, path, flags, 0);
}

int close(int fd)
{
	if (trace < 0)
		return (int)syscall(SYS_close, fd);
	pthread_mutex_lock(&lock);
	if (fd >= 0 && fd < FDS)
		file_of[fd] = 0;
	int rc = (int)syscall(SYS_close, fd), err = errno;
	pthread_mutex_unlock(&lock);
	errno = err;
	return rc;
}

static int copied(int from, int to)
{
	if (trace >= 0 && to >= 0 && to < FDS && from >= 0 && from < FDS) {
		pthread_mutex_lock(&lock);
		file_of[to] = file_of[from];
		syncs[to] = syncs[from];
		pthread_mutex_unlock(&lock);
	}
	return to;
}

int dup(int fd)
{
	return copied(fd, (int)syscall(SYS_dup, fd));
}

int dup2(int fd, int to)
{
	return copied(fd, REAL(dup2)(fd, to));
}

int dup3(int fd, int to, int flags)
{
	return copied(fd, (int)syscall(SYS_dup3, fd, to, flags));
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	void *p = (void *)syscall(SYS_mmap, at, n, prot, flags, fd, off);

	if (trace >= 0 && p != MAP_FAILED && fd >= 0 && fd < FDS && file_of[fd] && (prot & PROT_WRITE) &&
		(flags & MAP_TYPE) != MAP_PRIVATE) {
		pthread_mutex_lock(&lock);
		emit((struct event){ .type = EV_MAPPED, .file = file_of[fd] }, NULL, 0);
		pthread_mutex_unlock(&lock);
	}
	return p;
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return mmap(at, n, prot, flags, fd, off);
}

// ---- content

static bool tracked(int fd)
{
	return trace >= 0 && fd >= 0 && fd < FDS && file_of[fd];
}

/// Records what a write of `done` octets left at `off`.
static void wrote(int fd, const struct iovec *iov, int n, ssize_t done, off_t off)
{
	struct iovec part[PARTS];
	size_t rest = done > 0 ? (size_t)done : 0;
	int parts = 0, err = errno;

	if (!rest)
		return;
	for (; parts < n && rest && parts < PARTS; parts++) {
		part[parts] = iov[parts];
		if (part[parts].iov_len > rest)
			part[parts].iov_len = rest;
		rest -= part[parts].iov_len;
	}
	if (rest)
		abort();
	pthread_mutex_lock(&lock);
	emit((struct event){ .type = EV_WRITE, .file = file_of[fd], .a = (uint64_t)off, .b = syncs[fd] }, part, parts);
	pthread_mutex_unlock(&lock);
	errno = err;
}

ssize_t write(int fd, const void *p, size_t n)
{
	ssize_t done = syscall(SYS_write, fd, p, n);

	if (tracked(fd) && done > 0)
		wrote(fd, &(struct iovec){ (void *)(uintptr_t)p, n }, 1, done, lseek(fd, 0, SEEK_CUR) - done);
	return done;
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	ssize_t done = syscall(SYS_writev, fd, iov, n);

	if (tracked(fd) && done > 0)
		wrote(fd, iov, n, done, lseek(fd, 0, SEEK_CUR) - done);
	return done;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	ssize_t done = syscall(SYS_pwrite64, fd, p, n, off);

	if (tracked(fd))
		wrote(fd, &(struct iovec){ (void *)(uintptr_t)p, n }, 1, done, off);
	return done;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t off)
{
	return pwrite(fd, p, n, off);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	ssize_t done = syscall(SYS_pwritev, fd, iov, n, off, 0);

	if (tracked(fd))
		wrote(fd, iov, n, done, off);
	return done;
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t off)
{
	return pwritev(fd, iov, n, off);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	ssize_t done = syscall(SYS_pwritev2, fd, iov, n, off, 0, flags);

	if (tracked(fd))
		wrote(fd, iov, n, done, off);
	return done;
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off_t off, int flags);
ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	return pwritev2(fd, iov, n, off, flags);
}

/// What the kernel copied into `fd`, read back.
static void copied_into(int fd, ssize_t done, off_t off)
{
	uint8_t *p = done > 0 && tracked(fd) ? malloc((size_t)done) : NULL;

	if (p && pread(fd, p, (size_t)done, off) == done)
		wrote(fd, &(struct iovec){ p, (size_t)done }, 1, done, off);
	free(p);
}

ssize_t copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t n, unsigned flags)
{
	ssize_t done = syscall(SYS_copy_file_range, in, in_off, out, out_off, n, flags);

	copied_into(out, done, (out_off ? *out_off : lseek(out, 0, SEEK_CUR)) - done);
	return done;
}

ssize_t sendfile(int out, int in, off_t *off, size_t n)
{
	ssize_t done = syscall(SYS_sendfile, out, in, off, n);

	if (tracked(out))
		copied_into(out, done, lseek(out, 0, SEEK_CUR) - done);
	return done;
}

static int sized(int fd, int rc, enum event_type type, off_t size)
{
	int err = errno;

	if (rc == 0 && tracked(fd)) {
		pthread_mutex_lock(&lock);
		emit((struct event){ .type = type, .file = file_of[fd], .a = (uint64_t)size }, NULL, 0);
		pthread_mutex_unlock(&lock);
	}
	errno = err;
	return rc;
}

int ftruncate(int fd, off_t size)
{
	return sized(fd, (int)syscall(SYS_ftruncate, fd, size), EV_SIZE, size);
}

int ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t off, off_t n)
{
	int rc = (int)syscall(SYS_fallocate, fd, mode, off, n);

	if (mode & ~FALLOC_FL_KEEP_SIZE && rc == 0 && tracked(fd)) // a hole: as if zeros were written
		copied_into(fd, n, off);
	return mode ? rc : sized(fd, rc, EV_GROW, off + n);
}

int fallocate64(int fd, int mode, off_t off, off_t n)
{
	return fallocate(fd, mode, off, n);
}

int posix_fallocate(int fd, off_t off, off_t n)
{
	return fallocate(fd, 0, off, n) ? errno : 0;
}

// ---- flushes

static int flush(int fd)
{
	if (!tracked(fd))
		return 0;
	pthread_mutex_lock(&lock);
	uint64_t number = ++flushes;
	uint32_t file = file_of[fd];
	emit((struct event){ .type = EV_FLUSH, .file = file, .a = number }, NULL, 0);
	pthread_mutex_unlock(&lock);
	if (delay_us)
		usleep((unsigned)random() % delay_us);
	pthread_mutex_lock(&lock);
	emit((struct event){ .type = EV_FLUSHED, .file = file, .a = number }, NULL, 0);
	pthread_mutex_unlock(&lock);
	return 0;
}

int fsync(int fd)
{
	return flush(fd);
}

int fdatasync(int fd)
{
	return flush(fd);
}

/// Promises nothing after a power cut (sync_file_range(2)), so it does nothing here; nor does msync, whose files are
/// marked as mapped, nor do sync and syncfs, which nobody should build upon.
int sync_file_range(int fd, off_t off, off_t n, unsigned flags)
{
	(void)fd, (void)off, (void)n, (void)flags;
	return 0;
}

int msync(void *at, size_t n, int flags)
{
	(void)at, (void)n, (void)flags;
	return 0;
}

void sync(void)
{
}

int syncfs(int fd)
{
	(void)fd;
	return 0;
}

// ---- names

static void renamed(const char *from, const char *to)
{
	char both[2 * NAME];
	int n = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
	uint32_t *old = name_slot(from, false), *new = name_slot(to, true);

	*new = old ? *old : 0;
	if (old)
		*old = 0;
	emit_text((struct event){ .type = EV_RENAME }, both, (size_t)n);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	char a[NAME], b[NAME];

	pthread_mutex_lock(&lock);
	int rc = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags), err = errno;
	if (rc == 0 && trace >= 0) {
		bool in = path_at(from_dir, from, a), in_too = path_at(to_dir, to, b);
		if (in != in_too || (in && flags & ~(unsigned)RENAME_NOREPLACE))
			abort(); // nothing here moves files in or out, or swaps them
		if (in)
			renamed(a, b);
	}
	pthread_mutex_unlock(&lock);
	errno = err;
	return rc;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
	char path[NAME];

	pthread_mutex_lock(&lock);
	bool below = trace >= 0 && path_at(dir, name, path);
	int rc = (int)syscall(SYS_unlinkat, dir, name, flags), err = errno;
	if (rc == 0 && below) {
		uint32_t *slot = name_slot(path, false);
		if (slot)
			*slot = 0;
		emit_text((struct event){ .type = EV_UNLINK }, path, strlen(path));
	}
	pthread_mutex_unlock(&lock);
	errno = err;
	return rc;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int remove(const char *name)
{
	int rc = unlinkat(AT_FDCWD, name, 0);

	return rc && errno == EISDIR ? rmdir(name) : rc;
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	char path[NAME];

	pthread_mutex_lock(&lock);
	int rc = (int)syscall(SYS_mkdirat, dir, name, mode), err = errno;
	if (rc == 0 && trace >= 0 && path_at(dir, name, path))
		name_file(path, EV_MKDIR);
	pthread_mutex_unlock(&lock);
	errno = err;
	return rc;
}

int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	char a[NAME], b[NAME], both[2 * NAME];

	pthread_mutex_lock(&lock);
	int rc = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags), err = errno;
	if (rc == 0 && trace >= 0 && path_at(from_dir, from, a) && path_at(to_dir, to, b)) {
		int n = snprintf(both, sizeof both, "%s%c%s", a, 0, b);
		*name_slot(b, true) = name_file(a, EV_FOUND);
		emit_text((struct event){ .type = EV_LINK }, both, (size_t)n);
	}
	pthread_mutex_unlock(&lock);
	errno = err;
	return rc;
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}
