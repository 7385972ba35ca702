/// snapshot — see the header.
#include "store/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

enum {
	SNAP_NAME = 24,
	TRAILER_OCTETS = 64,
	COPY_STEP = 1 << 20,
	ROOM_LEFT = 64 << 20, // on the disk, beside a new copy
};
static const uint8_t magic[8] = { 'h', 'y', 's', 'n', 'a', 'p', '1', '\n' };
static const char name_new[] = "copy.new";

static void snap_name(uint64_t number, char out[static SNAP_NAME])
{
	snprintf(out, SNAP_NAME, "%016" PRIx64 ".mdb", number);
}

static void trailer_print(const struct snapshot *p, uint8_t out[static TRAILER_OCTETS])
{
	memset(out, 0, TRAILER_OCTETS);
	memcpy(out, magic, sizeof magic);
	put_le64(out + 8, p->octets);
	put_le64(out + 16, p->lsn);
	put_le32(out + 24, p->segment);
	put_le32(out + 28, p->crc);
	put_le64(out + 32, p->made_s);
	put_le32(out + TRAILER_OCTETS - 4, crc32c(0, (struct sl){ out, TRAILER_OCTETS - 4 }));
}

/// errors: E_CORRUPT, E_IO.
static enum ec trailer_read(struct cx *cx, int dir, const char *name, struct snapshot *p)
{
	uint8_t in[TRAILER_OCTETS];
	struct iovec iov = { in, sizeof in };
	struct stat st;
	int fd = disk_real.open(NULL, dir, name, O_RDONLY);

	if (fd < 0)
		return disk_error(cx, fd, name);
	enum ec e = fstat(fd, &st) ? disk_error(cx, -errno, "fstat") : E_OK;
	if (e == E_OK && st.st_size < TRAILER_OCTETS)
		e = E_CORRUPT;
	if (e == E_OK)
		e = disk_read(cx, fd, &iov, 1, (uint64_t)st.st_size - TRAILER_OCTETS);
	close(fd);
	if (e)
		return e;
	if (memcmp(in, magic, sizeof magic) != 0 ||
		get_le32(in + TRAILER_OCTETS - 4) != crc32c(0, (struct sl){ in, TRAILER_OCTETS - 4 }) ||
		get_le64(in + 8) != (uint64_t)st.st_size - TRAILER_OCTETS)
		return E_CORRUPT;
	p->octets = get_le64(in + 8);
	p->lsn = get_le64(in + 16);
	p->segment = get_le32(in + 24);
	p->crc = get_le32(in + 28);
	p->made_s = get_le64(in + 32);
	return E_OK;
}

/// The number in a snapshot's file name; false for other files.
static bool name_number(const char *name, uint64_t *number)
{
	char again[SNAP_NAME];
	uint64_t v;

	if (!num_parse_hex(sl_head(sl_cstr(name), 16), &v))
		return false;
	snap_name(v, again);
	*number = v;
	return strcmp(name, again) == 0;
}

struct listing {
	const struct store *s;
	struct snapshot *out;
	size_t n;
};

/// Keeps the newest, in order.
static enum ec list_one(struct cx *cx, void *arg, const char *name)
{
	struct listing *l = arg;
	struct snapshot p = { 0 };
	size_t at = 0;

	(void)cx;
	if (!name_number(name, &p.number) || trailer_read(NULL, l->s->snapshot_fd, name, &p))
		return E_OK;
	while (at < l->n && l->out[at].number > p.number)
		at++;
	if (at == SNAPSHOTS_KEPT)
		return E_OK;
	l->n += l->n < SNAPSHOTS_KEPT;
	memmove(&l->out[at + 1], &l->out[at], (l->n - at - 1) * sizeof *l->out);
	l->out[at] = p;
	return E_OK;
}

enum ec snapshot_list(struct cx *cx, const struct store *s, struct snapshot *out, size_t *n)
{
	struct listing l = { .s = s, .out = out };
	enum ec e = disk_each_name(cx, s->snapshot_fd, list_one, &l);

	if (e == E_OK)
		*n = l.n;
	return e;
}

/// CRC of the first `octets` of a file; where `to` is a descriptor they are written there as well.
static enum ec sum_file(struct cx *cx, const struct disk *d, int fd, uint64_t octets, int to, uint32_t *crc)
{
	uint8_t *room = malloc(COPY_STEP);
	enum ec e = room ? E_OK : fail(cx, E_TEMP, "no memory to copy the index");

	*crc = 0;
	for (uint64_t at = 0; e == E_OK && at < octets;) {
		size_t n = (size_t)(octets - at < COPY_STEP ? octets - at : COPY_STEP);
		struct iovec in = { room, n }, out = { room, n };
		e = disk_read(cx, fd, &in, 1, at);
		if (e == E_OK) {
			*crc = crc32c(*crc, (struct sl){ room, n });
			e = to < 0 ? E_OK : disk_write(cx, d, to, &out, 1, at);
		}
		at += n;
	}
	free(room);
	return e;
}

/// Writes the copy and its trailer through to the disk.
static enum ec write_copy(struct cx *cx, struct store *s, int fd, struct snapshot *p)
{
	uint8_t octets[TRAILER_OCTETS];
	struct iovec iov = { octets, sizeof octets };
	struct stat st;
	struct store_stats stats;

	enum ec e = index_copy(cx, s->index, fd);
	if (e == E_OK && fstat(fd, &st))
		e = disk_error(cx, -errno, "fstat");
	if (e)
		return e;
	store_get_stats(s, &stats);
	p->lsn = stats.applied_lsn;
	p->octets = (uint64_t)st.st_size;
	p->made_s = (uint64_t)clock_now_s();
	e = sum_file(cx, s->disk, fd, p->octets, -1, &p->crc);
	trailer_print(p, octets);
	if (e == E_OK)
		e = disk_write(cx, s->disk, fd, &iov, 1, p->octets);
	int rc = e ? 0 : s->disk->fdatasync(s->disk->arg, fd);
	return rc < 0 ? disk_error(cx, rc, "flush of a snapshot") : e;
}

struct removing {
	const struct store *s;
	uint64_t before;
};

static enum ec remove_one(struct cx *cx, void *arg, const char *name)
{
	struct removing *r = arg;
	uint64_t number;

	(void)cx;
	if (name_number(name, &number) && number < r->before)
		(void)r->s->disk->unlink(r->s->disk->arg, r->s->snapshot_fd, name); // the next one tries again
	return E_OK;
}

void snapshot_remove_all(const struct store *s)
{
	struct removing r = { .s = s, .before = UINT64_MAX };

	(void)!disk_each_name(NULL, s->snapshot_fd, remove_one, &r);
}

/// The copy gets its name, and the oldest go.
static enum ec name_copy(struct cx *cx, struct store *s, const struct snapshot *p, const struct snapshot *old, size_t n)
{
	char name[SNAP_NAME];
	struct removing r = { .s = s, .before = n < SNAPSHOTS_KEPT ? 0 : old[SNAPSHOTS_KEPT - 2].number };

	snap_name(p->number, name);
	int rc = s->disk->rename(s->disk->arg, s->snapshot_fd, name_new, name);
	if (rc == 0)
		rc = s->disk->fsync_dir(s->disk->arg, s->snapshot_fd);
	if (rc < 0)
		return disk_error(cx, rc, "naming a snapshot");
	return disk_each_name(cx, s->snapshot_fd, remove_one, &r);
}

/// A copy on a disk that is nearly full would take the room that mail needs.
static bool has_room(struct store *s)
{
	uint64_t octets = index_octets(s->index);

	return store_room(s) > octets + octets / 10 + ROOM_LEFT;
}

enum ec snapshot_take(struct cx *cx, struct store *s)
{
	struct snapshot old[SNAPSHOTS_KEPT], p = { 0 };
	struct store_stats stats;
	size_t n = 0;
	enum ec e = snapshot_list(cx, s, old, &n);

	if (e)
		return e;
	if (!has_room(s))
		return fail(cx, E_FULL, "the disk has no room for a snapshot of the index");
	store_get_stats(s, &stats);
	p.number = n ? old[0].number + 1 : 1;
	p.segment = stats.applied_segment; // before the copy is begun: what it lacks stands here or behind
	int fd = s->disk->open(s->disk->arg, s->snapshot_fd, name_new, O_RDWR | O_CREAT | O_TRUNC);
	if (fd < 0)
		return disk_error(cx, fd, "making a snapshot");
	e = write_copy(cx, s, fd, &p);
	close(fd);
	if (e == E_OK)
		e = store_wait_durable(cx, s, p.lsn);
	if (e == E_OK)
		return name_copy(cx, s, &p, old, n);
	(void)s->disk->unlink(s->disk->arg, s->snapshot_fd, name_new);
	return wrap(cx, e, "snapshot of the index");
}

enum ec snapshot_install(struct cx *cx, const struct store *s, const struct snapshot *snap)
{
	char name[SNAP_NAME];
	uint32_t crc = 0;

	snap_name(snap->number, name);
	int from = disk_real.open(NULL, s->snapshot_fd, name, O_RDONLY);
	if (from < 0)
		return disk_error(cx, from, name);
	int to = s->disk->open(s->disk->arg, s->dir_fd, "index/data.mdb", O_RDWR | O_CREAT | O_EXCL);
	enum ec e = to < 0 ? disk_error(cx, to, "index/data.mdb") : sum_file(cx, s->disk, from, snap->octets, to, &crc);
	if (e == E_OK && crc != snap->crc)
		e = fail(cx, E_CORRUPT, "snapshot %s does not match its checksum", name);
	if (to >= 0)
		close(to);
	close(from);
	return e;
}
