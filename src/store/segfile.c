/// segfile — reading of segment files.
#include "store/segfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "store/disk.h"

enum { WINDOW_OCTETS = 256 << 10 };

void seg_name(uint32_t id, char out[static SEG_NAME])
{
	snprintf(out, SEG_NAME, "%08x.seg", id);
}

bool seg_name_parse(const char *name, uint32_t *id)
{
	char again[SEG_NAME];
	uint64_t v = 0;

	if (!num_parse_hex(sl_head(sl_cstr(name), 8), &v))
		return false;
	seg_name((uint32_t)v, again);
	if (strcmp(name, again) != 0)
		return false;
	*id = (uint32_t)v;
	return true;
}

/// Reads one copy of the header that stands at `at`.
static enum ec read_head(struct cx *cx, int fd, uint64_t at, struct seg_head *out)
{
	uint8_t octets[SEG_HEAD];
	struct iovec iov = { octets, sizeof octets };
	enum ec e = disk_read(cx, fd, &iov, 1, at);

	if (e == E_RANGE)
		return fail(cx, E_CORRUPT, "the file is shorter than a segment header");
	return e ? e : seg_decode(cx, (struct sl){ octets, sizeof octets }, out);
}

enum ec segfile_open(struct cx *cx, int dir, uint32_t id, struct segfile *out)
{
	char name[SEG_NAME];
	struct seg_head one = { 0 }, two = { 0 };
	struct stat st = { 0 };

	seg_name(id, name);
	int fd = disk_real.open(NULL, dir, name, O_RDONLY | O_NONBLOCK); // a FIFO would keep who opens it
	if (fd == -ENOENT)
		return E_NOTFOUND;
	if (fd < 0)
		return disk_error(cx, fd, name);
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return fail(cx, E_CORRUPT, "segment %s is no file", name);
	}
	enum ec e1 = read_head(cx, fd, 0, &one), e2 = read_head(cx, fd, SEG_SECOND, &two);
	enum ec e = e1 == E_CORRUPT || e1 == E_IO ? e2 : e1; // a bad sector is damage like any other
	const struct seg_head *h = e1 ? &two : &one;
	if (e == E_OK && h->id != id)
		e = fail(cx, E_CORRUPT, "header of segment %08x", h->id);
	if (e == E_OK && fstat(fd, &st))
		e = disk_error(cx, -errno, "fstat");
	struct pack_map map = { 0 };
	if (e == E_OK && h->kind == SEG_PACK)
		e = pack_map_read(cx, fd, h, &map);
	if (e) {
		close(fd);
		return wrap(cx, e, "segment %s", name);
	}
	uint8_t a[SEG_HEAD], b[SEG_HEAD];
	seg_encode(&one, a);
	seg_encode(&two, b);
	*out = (struct segfile){
		.fd = fd,
		.head = *h,
		.size = (uint64_t)st.st_size,
		.map = map,
		.two_copies = e1 == E_OK && e2 == E_OK && memcmp(a, b, SEG_HEAD) == 0,
		.window = BUF(COMMIT_OCTETS_MAX + WINDOW_OCTETS),
	};
	return E_OK;
}

void segfile_close(struct segfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	pack_map_free(&f->map);
	buf_free(&f->window);
}

enum ec segfile_at(struct cx *cx, struct segfile *f, uint64_t at, size_t n, struct sl *out)
{
	if (at > f->size || n > f->size - at)
		return E_RANGE;
	if (at < f->window_at || at + n > f->window_at + f->window.n) {
		size_t want =
			(size_t)(f->size - at < max_size(n, WINDOW_OCTETS) ? f->size - at : max_size(n, WINDOW_OCTETS));
		buf_clear(&f->window);
		uint8_t *room = buf_room(&f->window, want);
		if (!room)
			return fail(cx, E_TEMP, "no memory for a window of %zu octets", want);
		struct iovec iov = { room, want };
		enum ec e = disk_read(cx, f->fd, &iov, 1, at);
		if (e == E_IO && want > n) { // a bad sector takes nothing with it that is beside it
			iov = (struct iovec){ room, want = n };
			e = disk_read(cx, f->fd, &iov, 1, at);
		}
		f->unread |= e == E_IO;
		if (e)
			return e;
		f->window_at = at;
		buf_took(&f->window, want);
	}
	*out = sl_sub(buf_sl(&f->window), (size_t)(at - f->window_at), (size_t)(at - f->window_at) + n);
	return E_OK;
}

enum ec segfile_rec(struct cx *cx, struct segfile *f, uint64_t at, struct rec *out)
{
	struct sl in;
	enum ec e = segfile_at(cx, f, at, REC_HEAD, &in);
	return e ? e : rec_decode(&f->head.nonce, in, at, out);
}

enum ec segfile_body(struct cx *cx, struct segfile *f, const struct rec *r)
{
	uint64_t body = r->arg[BLOB_OCTETS], from = r->at + (uint64_t)REC_HEAD;
	uint32_t table_octets = pieces_octets(body);
	uint8_t *table = malloc(table_octets ? table_octets : 1);
	struct sl part = { 0 };

	if (!table)
		return fail(cx, E_TEMP, "no memory for a CRC table");
	struct iovec iov = { table, table_octets };
	enum ec e = disk_read(cx, f->fd, &iov, 1, from + body);
	f->unread |= e == E_IO;
	if (e == E_OK && crc32c(0, (struct sl){ table, table_octets }) != r->crc)
		e = E_CORRUPT;
	for (uint64_t at = 0; e == E_OK && at < body; at += PIECE_OCTETS) {
		size_t n = (size_t)(body - at < PIECE_OCTETS ? body - at : PIECE_OCTETS);
		e = segfile_at(cx, f, from + at, n, &part);
		if (e == E_OK && crc32c(0, part) != get_le32(table + at / PIECE_OCTETS * 4))
			e = E_CORRUPT;
	}
	free(table);
	return e;
}

enum ec segfile_write_head(struct cx *cx, const struct disk *d, int fd, const struct seg_head *h)
{
	uint8_t octets[SEG_HEAD];
	enum ec e = E_OK;

	seg_encode(h, octets);
	for (uint64_t at = 0; e == E_OK && at <= SEG_SECOND; at += SEG_SECOND) {
		struct iovec iov = { octets, sizeof octets };
		e = disk_write(cx, d, fd, &iov, 1, at);
	}
	return e ? wrap(cx, e, "header of segment %08x", h->id) : E_OK;
}

enum ec segfile_new_head(struct cx *cx, const struct disk *d, int dir, int fd, const struct seg_head *h)
{
	enum ec e = segfile_write_head(cx, d, fd, h);
	int rc = e ? 0 : d->fdatasync(d->arg, fd);

	if (e == E_OK && rc == 0)
		rc = d->fsync_dir(d->arg, dir);
	return rc < 0 ? disk_error(cx, rc, "flush of a new segment") : e;
}

void segcache_init(struct segcache *c, int dir)
{
	*c = (struct segcache){ .dir = dir };
	pthread_mutex_init(&c->lock, NULL);
}

static void unref(struct segfile *f)
{
	if (f && --f->refs == 0) {
		segfile_close(f);
		free(f);
	}
}

void segcache_end(struct segcache *c)
{
	for (size_t i = 0; i < SEGCACHE_SLOTS; i++)
		unref(c->slots[i]);
	pthread_mutex_destroy(&c->lock);
}

enum ec segcache_get(struct cx *cx, struct segcache *c, uint32_t id, struct segfile **out)
{
	struct segfile **slot = &c->slots[id % SEGCACHE_SLOTS];

	pthread_mutex_lock(&c->lock);
	if (*slot && (*slot)->head.id == id) {
		(*slot)->refs++;
		*out = *slot;
		pthread_mutex_unlock(&c->lock);
		return E_OK;
	}
	pthread_mutex_unlock(&c->lock);

	struct segfile *f = calloc(1, sizeof *f);
	if (!f)
		return fail(cx, E_TEMP, "no memory for a segment");
	enum ec e = segfile_open(cx, c->dir, id, f);
	if (e) {
		free(f);
		return e;
	}
	f->refs = 2; // the cache and the caller
	pthread_mutex_lock(&c->lock);
	unref(*slot); // readers that still hold the other one keep it
	*slot = f;
	pthread_mutex_unlock(&c->lock);
	*out = f;
	return E_OK;
}

void segcache_put(struct segcache *c, struct segfile *f)
{
	pthread_mutex_lock(&c->lock);
	unref(f);
	pthread_mutex_unlock(&c->lock);
}

void segcache_drop(struct segcache *c, uint32_t id)
{
	struct segfile **slot = &c->slots[id % SEGCACHE_SLOTS];

	pthread_mutex_lock(&c->lock);
	if (*slot && (*slot)->head.id == id) {
		unref(*slot);
		*slot = NULL;
	}
	pthread_mutex_unlock(&c->lock);
}
