/// bulk — bulk segments: making, lending, writing.
#include "store/bulk.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/segfile.h"

void bulk_init(struct bulk *b, const struct disk *disk, int dir, uint64_t segment_octets, _Atomic uint32_t *next_id)
{
	*b = (struct bulk){ .disk = disk, .dir = dir, .segment_octets = segment_octets, .next_id = next_id };
	pthread_mutex_init(&b->lock, NULL);
}

static void drop(struct bulk_file *f)
{
	close(f->fd);
	free(f);
}

void bulk_end(struct bulk *b)
{
	while (b->idle) {
		struct bulk_file *f = b->idle;
		b->idle = f->next;
		drop(f);
	}
	pthread_mutex_destroy(&b->lock);
}

/// Makes the file of a new segment.
static enum ec make(struct cx *cx, struct bulk *b, struct bulk_file *f)
{
	char name[SEG_NAME];

	random_octets(&f->head.nonce, sizeof f->head.nonce);
	f->at = f->end = SEG_DATA;
	seg_name(f->head.id, name);
	f->fd = b->disk->open(b->disk->arg, b->dir, name, O_RDWR | O_CREAT | O_EXCL);
	if (f->fd < 0)
		return disk_error(cx, f->fd, "making a bulk segment");
	enum ec e = segfile_new_head(cx, b->disk, b->dir, f->fd, &f->head);
	if (e) {
		(void)b->disk->unlink(b->disk->arg, b->dir, name); // start removes what no log record names
		close(f->fd);
	}
	return e;
}

/// An idle one, or a new one without a file; it is on the list of the lent before there can be a file.
static struct bulk_file *lend(struct bulk *b)
{
	struct bulk_file *f = b->idle;

	if (f) {
		b->idle = f->next;
		b->idles--;
	} else if ((f = calloc(1, sizeof *f))) {
		f->fd = -1;
		f->head = (struct seg_head){
			.kind = SEG_BULK,
			.id = atomic_fetch_add(b->next_id, 1),
			.made_s = (uint64_t)clock_now_s(),
		};
	}
	if (f) {
		f->next = b->lent;
		b->lent = f;
		b->open++;
	}
	return f;
}

/// Takes a lent file off its list.
static void unlend(struct bulk *b, const struct bulk_file *f)
{
	for (struct bulk_file **p = &b->lent; *p; p = &(*p)->next)
		if (*p == f) {
			*p = f->next;
			b->open--;
			return;
		}
}

enum ec bulk_take(struct cx *cx, struct bulk *b, struct bulk_file **out)
{
	pthread_mutex_lock(&b->lock);
	bool room = b->idle || b->open < BULK_OPEN_MAX;
	struct bulk_file *f = room ? lend(b) : NULL;
	pthread_mutex_unlock(&b->lock);
	if (!f)
		return room ? fail(cx, E_TEMP, "no memory for a bulk segment")
		            : fail(cx, E_TEMP, "%d bodies are already on their way in", BULK_OPEN_MAX);
	enum ec e = f->fd < 0 ? make(cx, b, f) : E_OK;
	if (e) {
		pthread_mutex_lock(&b->lock);
		unlend(b, f);
		pthread_mutex_unlock(&b->lock);
		free(f);
		return e;
	}
	*out = f;
	return E_OK;
}

static bool has(const struct bulk_file *f, uint32_t id)
{
	while (f && f->head.id != id)
		f = f->next;
	return f;
}

bool bulk_is_open(struct bulk *b, uint32_t id)
{
	pthread_mutex_lock(&b->lock);
	bool open = has(b->idle, id) || has(b->lent, id);
	pthread_mutex_unlock(&b->lock);
	return open;
}

static void add_ids(struct buf *ids, const struct bulk_file *f)
{
	for (; f; f = f->next)
		buf_add(ids, (struct sl){ (const uint8_t *)&f->head.id, sizeof f->head.id });
}

void bulk_list_open(struct bulk *b, struct buf *ids)
{
	pthread_mutex_lock(&b->lock);
	add_ids(ids, b->idle);
	add_ids(ids, b->lent);
	pthread_mutex_unlock(&b->lock);
}

void bulk_give(struct bulk *b, struct bulk_file *f, bool good)
{
	char name[SEG_NAME];

	if (f->end > f->at) // a stream that came to nothing
		good &= b->disk->ftruncate(b->disk->arg, f->fd, f->at) == 0;
	f->end = f->at;
	bool keep = good && f->at < b->segment_octets;
	pthread_mutex_lock(&b->lock);
	unlend(b, f);
	keep &= b->idles < BULK_IDLE_MAX;
	if (keep) {
		f->next = b->idle;
		b->idle = f;
		b->idles++;
	}
	pthread_mutex_unlock(&b->lock);
	if (keep)
		return;
	seg_name(f->head.id, name);
	if (f->at == SEG_DATA)
		(void)b->disk->unlink(b->disk->arg, b->dir, name); // start removes what no log record names
	drop(f);
}

enum ec bulk_write(struct cx *cx, struct bulk *b, struct bulk_file *f, struct sl octets, uint64_t at)
{
	union {
		const uint8_t *from;
		void *to;
	} p = { .from = octets.p }; // pwritev only reads through it
	struct iovec iov = { p.to, octets.n };

	if (at + octets.n > f->end)
		f->end = at + octets.n;
	enum ec e = disk_write(cx, b->disk, f->fd, &iov, 1, at);
	return e ? wrap(cx, e, "bulk segment %08x", f->head.id) : E_OK;
}

enum ec bulk_flush(struct cx *cx, struct bulk *b, struct bulk_file *f)
{
	int rc = b->disk->fdatasync(b->disk->arg, f->fd);
	return rc < 0 ? disk_error(cx, rc, "fdatasync of a bulk segment") : E_OK;
}
