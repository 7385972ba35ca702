/// faults — the functions that fail on demand, over glibc's own allocator and the bare system calls.
///
/// Flushes do nothing but fail: a process's death does not undo what it wrote, and sweeps run many times faster.
#undef _FILE_OFFSET_BITS // both names of each function are defined here
#undef _FORTIFY_SOURCE
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static struct fault_page own, *page = &own;
static _Thread_local int spared;

struct fault_page *fault_page(void)
{
	return page;
}

void fault_spare(bool on)
{
	spared += on ? 1 : -1;
}

/// Whether this is the role that the test wants: its name is the second word behind the program's.
static bool is_wanted_role(const char *role)
{
	char line[256] = "";
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? 0 : syscall(SYS_read, fd, line, sizeof line - 1);

	if (fd >= 0)
		syscall(SYS_close, fd);
	const char *second = memchr(line, 0, (size_t)(n > 0 ? n : 0));
	const char *third = second ? memchr(second + 1, 0, (size_t)(line + n - second - 1)) : NULL;
	return third && strcmp(second + 1, "--role") == 0 && strcmp(third + 1, role) == 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_PAGE"), *role = getenv("FAULT_ROLE");

	if (!path || !role || !is_wanted_role(role))
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	long p = syscall(SYS_mmap, NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (p > 0)
		page = (struct fault_page *)p;
}

/// Counts a call; true (and errno) where it is to fail.
static bool fails(enum fault_kind kind, void *caller)
{
	if (atomic_load(&page->kind) != kind || spared)
		return false;
	uint64_t n = atomic_fetch_add(&page->count, 1) + 1;
	if (n < atomic_load(&page->from) || n > atomic_load(&page->to))
		return false;
	uint64_t before = atomic_fetch_add(&page->failed, 1);
	if (before < FAULT_WHERE)
		atomic_store(&page->where[before], (uint64_t)(uintptr_t)caller);
	errno = kind == FAULT_ALLOC ? ENOMEM : (int)atomic_load(&page->err);
	return true;
}
#define FAILS(kind) fails(kind, __builtin_return_address(0))

// ---- memory

void *malloc(size_t n)
{
	return FAILS(FAULT_ALLOC) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return FAILS(FAULT_ALLOC) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return FAILS(FAULT_ALLOC) ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return FAILS(FAULT_ALLOC) ? NULL : __libc_realloc(p, all);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	if (FAILS(FAULT_ALLOC))
		return ENOMEM;
	*out = __libc_memalign(align, n);
	return *out ? 0 : ENOMEM;
}

void *aligned_alloc(size_t align, size_t n)
{
	return FAILS(FAULT_ALLOC) ? NULL : __libc_memalign(align, n);
}

void *memalign(size_t align, size_t n);
void *memalign(size_t align, size_t n)
{
	return FAILS(FAULT_ALLOC) ? NULL : __libc_memalign(align, n);
}

// ---- calls

static int open_any(int dir, const char *name, int flags, mode_t mode, void *caller)
{
	return fails(FAULT_CALL, caller) ? -1 : (int)syscall(SYS_openat, dir, name, flags, mode);
}

#define OPEN(name)                                                                         \
	int name(const char *path, int flags, ...)                                         \
	{                                                                                  \
		va_list ap;                                                                \
		va_start(ap, flags);                                                       \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;    \
		va_end(ap);                                                                \
		return open_any(AT_FDCWD, path, flags, mode, __builtin_return_address(0)); \
	}
#define OPENAT(name)                                                                    \
	int name(int dir, const char *path, int flags, ...)                             \
	{                                                                               \
		va_list ap;                                                             \
		va_start(ap, flags);                                                    \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                                             \
		return open_any(dir, path, flags, mode, __builtin_return_address(0));   \
	}
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

ssize_t pwrite(int fd, const void *p, size_t n, off_t off)
{
	return FAILS(FAULT_CALL) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t off)
{
	return FAILS(FAULT_CALL) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return FAILS(FAULT_CALL) ? -1 : syscall(SYS_writev, fd, iov, n);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	return FAILS(FAULT_CALL) ? -1 : syscall(SYS_pwritev, fd, iov, n, off, 0);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int n, off_t off)
{
	return FAILS(FAULT_CALL) ? -1 : syscall(SYS_pwritev, fd, iov, n, off, 0);
}

int fsync(int fd)
{
	(void)fd;
	return FAILS(FAULT_CALL) ? -1 : 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return FAILS(FAULT_CALL) ? -1 : 0;
}

int ftruncate(int fd, off_t size)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off_t size)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t off, off_t n)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_fallocate, fd, mode, off, n);
}

int fallocate64(int fd, int mode, off_t off, off_t n)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_fallocate, fd, mode, off, n);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int unlinkat(int dir, const char *name, int flags)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return FAILS(FAULT_CALL) ? -1 : (int)syscall(SYS_mkdirat, dir, name, mode);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return FAILS(FAULT_CALL) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, n, prot, flags, fd, off);
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	return FAILS(FAULT_CALL) ? MAP_FAILED : (void *)syscall(SYS_mmap, at, n, prot, flags, fd, off);
}
