/// folder — see the header.
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int flush_parent(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int up = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = (up < 0 ? errno != EACCES : fsync(up) < 0) ? -errno : 0;

	if (up >= 0)
		close(up);
	if (fd >= 0)
		close(fd);
	return rc;
}

int folder_make(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0)
		return flush_parent(path);
	return errno == EEXIST ? 0 : -errno;
}
