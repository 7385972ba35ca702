/// journal — writing of log segments.
///
/// A segment is made with both copies of its header, its directory entry is flushed, and only then does a batch go into
/// it; the first flush of a batch flushes the header too.
#include "store/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"
#include "store/segfile.h"

enum { LITTLE_PART = 16 }; // of a segment: room for one where there is no more

static void reserve_name(unsigned i, char out[static SEG_NAME])
{
	snprintf(out, SEG_NAME, "reserve-%c", (char)('0' + i % JOURNAL_RESERVES));
}

/// Counts the reserve files that an earlier run left whole: on a full disk they are what a start can go on with.
static void find_reserve(struct journal *j)
{
	struct stat st;
	char name[SEG_NAME];

	for (j->reserves = 0; j->reserves < JOURNAL_RESERVES; j->reserves++) {
		reserve_name(j->reserves, name);
		if (fstatat(j->dir, name, &st, 0) || (uint64_t)st.st_size != j->segment_octets)
			return;
	}
}

/// Opens a new file under `name`, with room for so many octets. errors as disk_error; nothing is left behind then.
static enum ec allocate(struct cx *cx, struct journal *j, const char *name, uint64_t octets, int *out)
{
	const struct disk *d = j->disk;
	int fd = d->open(d->arg, j->dir, name, O_RDWR | O_CREAT | O_EXCL);

	if (fd < 0)
		return disk_error(cx, fd, "making a segment");
	int rc = d->fallocate(d->arg, fd, octets);
	if (rc < 0 && rc != -EOPNOTSUPP && rc != -ENOSYS && rc != -EINVAL) {
		enum ec e = disk_error(cx, rc, "fallocate");
		close(fd);
		(void)d->unlink(d->arg, j->dir, name);
		return e;
	}
	*out = fd;
	return E_OK;
}

/// Turns a reserve file into the segment `name`.
static enum ec take_reserve(struct cx *cx, struct journal *j, const char *name, int *out)
{
	const struct disk *d = j->disk;
	char from[SEG_NAME];

	if (j->reserves == 0)
		return fail(cx, E_FULL, "the disk is full: no room for another segment of the log (%llu MiB)",
			(unsigned long long)(j->segment_octets >> 20));
	reserve_name(j->reserves - 1, from);
	int rc = d->rename(d->arg, j->dir, from, name);
	if (rc < 0)
		return disk_error(cx, rc, "taking a reserve segment");
	j->reserves--;
	int fd = d->open(d->arg, j->dir, name, O_RDWR);
	if (fd < 0)
		return disk_error(cx, fd, "opening a reserve segment");
	*out = fd;
	return E_OK;
}

/// Makes the segment that follows `last` and leaves it in j->fd.
static enum ec make_segment(struct cx *cx, struct journal *j, struct journal_pos last, bool reserve)
{
	char name[SEG_NAME];
	int fd = -1;
	struct seg_head h = {
		.kind = SEG_LOG,
		.id = atomic_fetch_add(j->next_id, 1),
		.prev = last.segment,
		.prev_end = last.at,
		.prev_chain = last.chain,
		.first_lsn = last.lsn + 1,
		.made_s = (uint64_t)clock_now_s(),
		.raise = j->raise,
		.store = j->store,
	};

	random_octets(&h.nonce, sizeof h.nonce);
	seg_name(h.id, name);
	enum ec e = allocate(cx, j, name, j->segment_octets, &fd);
	if (e == E_FULL && reserve && j->reserves == 0) // what compaction gave is better than nothing
		e = allocate(NULL, j, name, j->segment_octets / LITTLE_PART, &fd);
	if (e == E_FULL && reserve)
		e = take_reserve(cx, j, name, &fd);
	if (e)
		return e;
	e = segfile_new_head(cx, j->disk, j->dir, fd, &h);
	if (e) {
		close(fd);
		(void)j->disk->unlink(
			j->disk->arg, j->dir, name); // where this fails too: it has no batch, so it is ignored
		return e;
	}
	j->fd = fd;
	j->head = h;
	j->end = (struct journal_pos){ .segment = h.id, .at = SEG_DATA, .lsn = last.lsn, .chain = last.chain };
	j->made++;
	return E_OK;
}

/// What is written is now durable.
static void note_durable(struct journal *j)
{
	j->durable = j->end;
	buf_clear(&j->kept);
}

static void leave_segment(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

void journal_init(
	struct journal *j, const struct disk *disk, int dir, uint64_t segment_octets, _Atomic uint32_t *next_id)
{
	*j = (struct journal){
		.disk = disk,
		.dir = dir,
		.segment_octets = segment_octets,
		.next_id = next_id,
		.fd = -1,
		.kept = BUF(JOURNAL_KEPT_MAX),
	};
	find_reserve(j);
}

enum ec journal_open(struct cx *cx, struct journal *j, struct journal_pos last)
{
	j->durable = last;
	return make_segment(cx, j, last, true);
}

/// Flushes the segment. After an error it must be left.
static enum ec flush_segment(struct cx *cx, struct journal *j)
{
	int64_t began_ns = clock_mono_ns();

	doing_at("flush of the log", began_ns);
	int rc = j->disk->fdatasync(j->disk->arg, j->fd);
	figure_time(FIG_FLUSHES, 0, clock_mono_ns() - began_ns);
	j->flushes++;
	if (rc < 0)
		return disk_error(cx, rc, "fdatasync of the log");
	note_durable(j);
	return E_OK;
}

enum ec journal_flush(struct cx *cx, struct journal *j)
{
	if (j->fd < 0)
		return fail(cx, E_TEMP, "the log cannot be written at present");
	if (j->durable.segment == j->end.segment && j->durable.at == j->end.at)
		return E_OK;
	enum ec e = flush_segment(cx, j);
	if (e)
		leave_segment(j);
	return e;
}

/// Keeps a batch that stands at `at` until it is durable; there is room for it.
static void keep(struct journal *j, const struct journal_batch *b, struct journal_pos at)
{
	if (j->kept.n == 0) {
		j->kept_at = at;
		j->kept_nonce = j->head.nonce;
	}
	buf_add(&j->kept, b->small);
}

enum ec journal_append(struct cx *cx, struct journal *j, struct journal_batch *b, bool flush)
{
	if (j->fd < 0)
		return fail(cx, E_TEMP, "the log cannot be written at present");
	if (!flush && !buf_room(&j->kept, b->small.n)) { // full, or no memory: durable at once instead
		buf_cut(&j->kept, j->kept.n);
		flush = true;
	}
	struct journal_pos before = j->end;
	doing("write of the log");
	enum ec e = disk_write(cx, j->disk, j->fd, b->iov, b->n, before.at);
	if (e == E_OK) {
		j->written += b->octets;
		figure_add(FIG_LOG_WRITTEN, 0, b->octets);
		j->end = (struct journal_pos){ before.segment, before.at + b->octets, b->lsn, b->chain };
		e = flush ? flush_segment(cx, j) : E_OK;
	}
	if (e) { // a start that comes before the next segment shall not find what is answered as failed
		(void)j->disk->ftruncate(j->disk->arg, j->fd, before.at);
		leave_segment(j);
		return wrap(cx, e, "batch %" PRIu64, b->lsn);
	}
	if (!flush)
		keep(j, b, before);
	return E_OK;
}

/// Writes the SEAL record and gives back what was allocated behind it. It is a hint only, so errors do not matter.
static void seal(struct journal *j)
{
	uint8_t octets[REC_HEAD];
	struct iovec iov = { octets, sizeof octets };
	struct rec r = {
		.type = REC_SEAL,
		.lsn = j->end.lsn,
		.at = (uint32_t)j->end.at,
		.arg = { [SEAL_CHAIN] = j->end.chain },
		.time_s = (uint64_t)clock_now_s(),
	};

	rec_encode(&j->head.nonce, &r, octets);
	if (disk_write(NULL, j->disk, j->fd, &iov, 1, j->end.at) == E_OK)
		(void)j->disk->ftruncate(j->disk->arg, j->fd, j->end.at + REC_HEAD);
}

/// Leaves a segment that has room yet: only when there is another, so that without one it goes on.
static enum ec roll_early(struct cx *cx, struct journal *j)
{
	struct journal old = *j; // its segment
	enum ec e = make_segment(cx, j, j->durable, false);

	if (e)
		return e;
	seal(&old);
	leave_segment(&old);
	return E_OK;
}

enum ec journal_roll(struct cx *cx, struct journal *j, bool anyhow)
{
	bool full = j->fd < 0 || j->end.at >= j->segment_octets;

	if (!full && (!anyhow || j->end.at == SEG_DATA))
		return E_OK;
	enum ec e = journal_flush(cx, j);
	if (e)
		return e;
	if (!full)
		return roll_early(cx, j);
	seal(j);
	leave_segment(j);
	return make_segment(cx, j, j->durable, false);
}

/// Prints the kept batches again for their new places: offsets, nonce, checks and chain change, nothing else.
/// out: *lsn and *chain after the last one.
static enum ec reprint_kept(struct cx *cx, const struct journal *j, struct buf *out, uint64_t *lsn, uint64_t *chain)
{
	uint64_t c = *chain, begin_check = 0;

	for (size_t at = 0; at < j->kept.n;) {
		struct rec r;
		enum ec e = rec_decode(&j->kept_nonce, sl_from(buf_sl(&j->kept), at), j->kept_at.at + at, &r);
		if (e)
			return fail(cx, e, "a kept batch does not prove itself");
		uint8_t *p = buf_room(out, REC_HEAD + r.octets);
		if (!p)
			return fail(cx, E_TEMP, "no memory to write batches again");
		memcpy(p + REC_HEAD, j->kept.p + at + REC_HEAD, r.octets);
		r.at = (uint32_t)(SEG_DATA + at);
		if (r.type == REC_BEGIN) {
			r.arg[BEGIN_CHAIN] = c;
			r.arg[BEGIN_DURABLE] = j->durable.lsn;
		} else if (r.type == REC_END) {
			r.arg[END_CHAIN] = c = chain_next(c, begin_check);
			*lsn = r.lsn;
		}
		rec_encode(&j->head.nonce, &r, p);
		if (r.type == REC_BEGIN)
			begin_check = r.check;
		else if (r.type != REC_END)
			c = chain_next(c, r.check);
		buf_took(out, REC_HEAD + r.octets);
		at += REC_HEAD + r.octets;
	}
	*chain = c;
	return E_OK;
}

enum ec journal_restart(struct cx *cx, struct journal *j, bool frees)
{
	leave_segment(j);
	enum ec e = make_segment(cx, j, j->durable, frees);
	if (e)
		return wrap(cx, e, "new segment");
	struct buf again = BUF(JOURNAL_KEPT_MAX);
	uint64_t lsn = j->durable.lsn, chain = j->durable.chain;
	e = reprint_kept(cx, j, &again, &lsn, &chain);
	if (e == E_OK && again.n) {
		struct iovec iov = { again.p, again.n };
		e = disk_write(cx, j->disk, j->fd, &iov, 1, SEG_DATA);
	}
	if (e == E_OK) { // also where nothing was kept: the new segment must prove that it can be flushed
		j->end.at = SEG_DATA + again.n;
		j->end.lsn = lsn;
		j->end.chain = chain;
		e = journal_flush(cx, j);
	}
	buf_free(&again);
	if (e)
		leave_segment(j);
	return e;
}

void journal_fill_reserve(struct journal *j)
{
	while (j->reserves < JOURNAL_RESERVES) {
		char name[SEG_NAME];
		int fd = -1;
		reserve_name(j->reserves, name);
		(void)j->disk->unlink(j->disk->arg, j->dir, name);
		if (allocate(NULL, j, name, j->segment_octets, &fd))
			return;
		close(fd);
		j->reserves++;
	}
}

bool journal_give_reserve(struct journal *j)
{
	char name[SEG_NAME];

	if (j->reserves == 0)
		return false;
	reserve_name(--j->reserves, name);
	return j->disk->unlink(j->disk->arg, j->dir, name) == 0;
}

enum ec journal_close(struct cx *cx, struct journal *j)
{
	enum ec e = E_OK;

	if (j->fd >= 0) {
		seal(j); // before the flush, which makes it durable with the rest
		j->durable.at = 0;
		e = journal_flush(cx, j);
	} else if (j->kept.n) {
		e = fail(cx, E_IO, "%zu octets of the log could not be flushed", j->kept.n);
	}
	leave_segment(j);
	buf_free(&j->kept);
	return e;
}
