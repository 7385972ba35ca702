/// spare — see the header.
#include "store/spare.h"

#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_AT_LEAST = 64 << 10 }; // a pack of segments with nothing alive needs less

void spare_init(struct spare *s, const struct disk *disk, int dir, uint64_t wanted)
{
	struct stat st;

	*s = (struct spare){ .disk = disk, .dir = dir, .wanted = wanted };
	if (fstatat(dir, SPARE_NAME, &st, 0) == 0)
		s->octets = (uint64_t)st.st_size;
}

/// Tries one length.
static void grow(struct spare *s, int fd, uint64_t octets)
{
	int rc = s->disk->fallocate(s->disk->arg, fd, octets);

	if (rc == 0)
		s->octets = octets;
	else // some file systems keep what they could get
		(void)s->disk->ftruncate(s->disk->arg, fd, s->octets);
}

void spare_fill(struct spare *s, uint64_t room)
{
	if (s->octets >= s->wanted)
		return;
	int fd = s->disk->open(s->disk->arg, s->dir, SPARE_NAME, O_RDWR | O_CREAT);
	if (fd < 0)
		return;
	uint64_t had = s->octets;
	for (uint64_t n = s->wanted; n >= SPARE_AT_LEAST && n > had && s->octets == had; n /= 2)
		if (n <= s->owed || n - had <= room / 2)
			grow(s, fd, n);
	close(fd);
	if (s->octets == 0)
		(void)s->disk->unlink(s->disk->arg, s->dir, SPARE_NAME);
	if (s->octets >= s->owed)
		s->owed = 0;
}

void spare_look(struct spare *s)
{
	struct stat st;

	s->owed = s->octets > s->owed ? s->octets : s->owed;
	s->octets = fstatat(s->dir, SPARE_NAME, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}
