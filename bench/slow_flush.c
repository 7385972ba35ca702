/// slow_flush — a library for LD_PRELOAD that makes a fast disk slow: every flush takes SLOW_FLUSH_MS longer.
///
/// For the row flush_2ms of bench/compare, both servers alike. It is given to the processes of the measured server
/// only, and is no part of any program.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SLOW_FLUSH_MS = 2 };

static void wait_longer(void)
{
	struct timespec t = { .tv_nsec = SLOW_FLUSH_MS * 1000000L };

	while (nanosleep(&t, &t) < 0)
		continue;
}

/// The C library's function of that name.
static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

int fsync(int fd)
{
	int (*call)(int) = (int (*)(int))real("fsync");

	wait_longer();
	return call(fd);
}

int fdatasync(int fd)
{
	int (*call)(int) = (int (*)(int))real("fdatasync");

	wait_longer();
	return call(fd);
}

int msync(void *p, size_t n, int flags)
{
	int (*call)(void *, size_t, int) = (int (*)(void *, size_t, int))real("msync");

	wait_longer();
	return call(p, n, flags);
}

int sync_file_range(int fd, off64_t from, off64_t octets, unsigned flags)
{
	int (*call)(int, off64_t, off64_t, unsigned) =
		(int (*)(int, off64_t, off64_t, unsigned))real("sync_file_range");

	wait_longer();
	return call(fd, from, octets, flags);
}
