/// state — 64 octets: magic, boot id, clean mark, time of the last death, CRC. Replaced by rename.
#include "store/state.h"

#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/num.h"

enum { STATE_OCTETS = 64 };
static const uint8_t magic[8] = { 'h', 'y', 's', 't', 'a', 't', 'e', '1' };

void state_boot(uint8_t boot[static BOOT_OCTETS])
{
	struct iovec iov = { boot, BOOT_OCTETS };
	int fd = disk_real.open(NULL, AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY);
	enum ec e = E_IO;

	if (fd >= 0) {
		e = disk_read(NULL, fd, &iov, 1, 0);
		close(fd);
	}
	if (e)
		memset(boot, 0, BOOT_OCTETS);
}

enum ec state_read(struct cx *cx, int dir, struct state *out)
{
	uint8_t in[STATE_OCTETS];
	struct iovec iov = { in, sizeof in };
	int fd = disk_real.open(NULL, dir, "state", O_RDONLY);

	if (fd < 0)
		return disk_error(cx, fd, "state");
	enum ec e = disk_read(cx, fd, &iov, 1, 0);
	close(fd);
	if (e != E_OK && e != E_RANGE)
		return e;
	if (e == E_RANGE || memcmp(in, magic, sizeof magic) != 0 ||
		get_le32(in + STATE_OCTETS - 4) != crc32c(0, (struct sl){ in, STATE_OCTETS - 4 }))
		return fail(cx, E_CORRUPT, "the state file does not prove itself");
	*out = (struct state){ .clean = in[44] == 1, .died_s = get_le64(in + 48) };
	memcpy(out->boot, in + 8, BOOT_OCTETS);
	return E_OK;
}

static enum ec write_new(struct cx *cx, const struct disk *d, int fd, const struct state *st)
{
	uint8_t out[STATE_OCTETS] = { 0 };
	struct iovec iov = { out, sizeof out };

	memcpy(out, magic, sizeof magic);
	memcpy(out + 8, st->boot, BOOT_OCTETS);
	out[44] = st->clean;
	put_le64(out + 48, st->died_s);
	put_le32(out + STATE_OCTETS - 4, crc32c(0, (struct sl){ out, STATE_OCTETS - 4 }));
	enum ec e = disk_write(cx, d, fd, &iov, 1, 0);
	if (e)
		return e;
	int rc = d->fdatasync(d->arg, fd);
	return rc < 0 ? disk_error(cx, rc, "flush of the state file") : E_OK;
}

enum ec state_write(struct cx *cx, const struct disk *d, int dir, const struct state *st)
{
	int fd = d->open(d->arg, dir, "state.new", O_WRONLY | O_CREAT | O_TRUNC);

	if (fd < 0)
		return disk_error(cx, fd, "state.new");
	enum ec e = write_new(cx, d, fd, st);
	close(fd);
	if (e)
		return e;
	int rc = d->rename(d->arg, dir, "state.new", "state");
	if (rc == 0)
		rc = d->fsync_dir(d->arg, dir);
	return rc < 0 ? disk_error(cx, rc, "replacing the state file") : E_OK;
}
