/// pack — see the header.
#include "store/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/num.h"

enum {
	PACK_WAITING = 1 << 20, // octets written at a time
	PACK_ENTRIES_MAX = 8 << 20,
	ZSTD_LEVEL = 3,
	COMPRESS_AT_LEAST = 256, // octets of a body
	COMPRESS_AT_MOST = 64 << 20,
};
static const char suffix[] = ".pack.new";

/// What the pack is called until it is finished.
static void new_name(const struct pack *p, char out[static 32])
{
	if (p->spare)
		snprintf(out, 32, "%s", SPARE_NAME);
	else
		snprintf(out, 32, "%08x%s", p->head.id, suffix);
}

enum ec pack_new(
	struct cx *cx, const struct disk *disk, int dir, uint32_t id, const struct spare *spare, struct pack *out)
{
	char name[32];
	struct pack p = {
		.disk = disk,
		.dir = dir,
		.at = SEG_DATA,
		.spare = spare ? spare->octets : 0,
		.octets_max = PACK_OCTETS_MAX,
		.head = { .kind = SEG_PACK, .id = id, .made_s = (uint64_t)clock_now_s() },
		.sections = BUF(PACK_SECTIONS_MAX * sizeof(struct pack_section)),
		.entries = BUF((size_t)PACK_ENTRIES_MAX * ENTRY_OCTETS),
		.waiting = BUF(PACK_WAITING + COMMIT_OCTETS_MAX + REC_HEAD),
		.zstd = ZSTD_createCCtx(),
	};

	random_octets(&p.head.nonce, sizeof p.head.nonce);
	new_name(&p, name);
	p.fd = disk->open(disk->arg, dir, name, p.spare ? O_RDWR : O_RDWR | O_CREAT | O_EXCL);
	if (p.fd < 0 || !p.zstd) {
		enum ec e = p.zstd ? disk_error(cx, p.fd, "making a pack") : fail(cx, E_TEMP, "no memory to compress");
		ZSTD_freeCCtx(p.zstd);
		if (p.fd >= 0)
			close(p.fd);
		return e;
	}
	*out = p;
	return E_OK;
}

/// What waits goes to the file.
static enum ec send(struct cx *cx, struct pack *p)
{
	struct iovec iov = { p->waiting.p, p->waiting.n };
	uint64_t at = p->at - p->waiting.n;

	buf_clear(&p->waiting);
	return iov.iov_len ? disk_write(cx, p->disk, p->fd, &iov, 1, at) : E_OK;
}

static enum ec add(struct cx *cx, struct pack *p, struct sl octets)
{
	if (p->spare && p->at + octets.n > p->spare)
		return fail(cx, E_FULL, "the room kept for compaction holds no more than %llu KiB",
			(unsigned long long)(p->spare >> 10));
	if (p->at + octets.n > p->octets_max)
		return fail(cx, E_TOOBIG, "pack %08x is full", p->head.id);
	buf_add(&p->waiting, octets);
	if (p->waiting.err)
		return fail(cx, E_TEMP, "no memory for a pack");
	p->at += octets.n;
	return p->waiting.n < PACK_WAITING ? E_OK : send(cx, p);
}

static struct pack_section *last_section(struct pack *p)
{
	return (struct pack_section *)(void *)(p->sections.p + p->sections.n - sizeof(struct pack_section));
}

enum ec pack_begin(struct cx *cx, struct pack *p, const struct pack_section *s)
{
	struct pack_section mine = *s;

	mine.from = mine.to = p->at;
	mine.first = (uint32_t)(p->entries.n / ENTRY_OCTETS);
	mine.entries = 0;
	buf_add(&p->sections, (struct sl){ (const uint8_t *)&mine, sizeof mine });
	if (p->sections.err)
		return fail(cx, p->sections.err, "pack %08x: no room for another section", p->head.id);
	return E_OK;
}

const struct pack_section *pack_joinable(const struct pack *p)
{
	if (p->sections.n == 0)
		return NULL;
	const uint8_t *at = p->sections.p + p->sections.n - sizeof(struct pack_section);
	const struct pack_section *last = (const void *)at;
	return last->entries == 0 && (last->to == p->at || last->from == last->to) ? last : NULL;
}

void pack_join(struct pack *p, const struct pack_section *s)
{
	struct pack_section *last = last_section(p), mine = *s;

	mine.head.prev = last->head.prev;
	mine.head.prev_end = last->head.prev_end;
	mine.head.prev_chain = last->head.prev_chain;
	mine.head.first_lsn = last->head.first_lsn;
	mine.oldest = last->oldest;
	mine.from = last->from == last->to ? p->at : last->from;
	mine.to = p->at;
	mine.first = last->first;
	mine.entries = 0;
	*last = mine;
}

static enum ec add_head(struct cx *cx, struct pack *p, struct rec *r)
{
	uint8_t octets[REC_HEAD];

	r->at = (uint32_t)p->at;
	rec_encode(&p->head.nonce, r, octets);
	return add(cx, p, (struct sl){ octets, sizeof octets });
}

enum ec pack_record(struct cx *cx, struct pack *p, const struct rec *r, struct sl payload)
{
	struct rec mine = *r;
	enum ec e = add_head(cx, p, &mine);

	if (e == E_OK)
		e = add(cx, p, payload);
	last_section(p)->to = p->at;
	return e;
}

// ---- bodies

static enum ec note(struct cx *cx, struct pack *p, uint64_t birth, uint64_t at)
{
	uint8_t entry[ENTRY_OCTETS];

	put_le32(entry, (uint32_t)birth);
	put_le32(entry + 4, (uint32_t)at);
	buf_add(&p->entries, (struct sl){ entry, sizeof entry });
	if (p->entries.err)
		return fail(cx, p->entries.err, "pack %08x: no room for another body", p->head.id);
	last_section(p)->entries++;
	return E_OK;
}

/// A record that is carried as it is, compressed or raw: header anew, payload octet by octet.
static enum ec carry_body(struct cx *cx, struct pack *p, struct segfile *from, const struct rec *r, uint64_t birth)
{
	struct rec mine = *r;
	uint64_t at = p->at;
	struct sl part;

	mine.lsn = 0;
	mine.arg[BLOB_BIRTH] = birth;
	enum ec e = add_head(cx, p, &mine);
	for (uint64_t done = 0; e == E_OK && done < r->octets; done += part.n) {
		size_t n = r->octets - done < PIECE_OCTETS ? (size_t)(r->octets - done) : PIECE_OCTETS;
		e = segfile_at(cx, from, r->at + (uint64_t)REC_HEAD + done, n, &part);
		if (e == E_OK)
			e = add(cx, p, part);
	}
	return e ? e : note(cx, p, birth, at);
}

/// Compresses a body into `small`: its frames, one behind the other, their lengths into `lengths`.
/// errors: E_NOTFOUND (it does not become smaller).
static enum ec compress(struct cx *cx, struct pack *p, struct segfile *from, const struct rec *r, struct buf *lengths,
	struct buf *small)
{
	uint64_t body = r->arg[BLOB_OCTETS];
	struct sl raw;

	for (uint64_t done = 0; done < body; done += raw.n) {
		size_t n = body - done < FRAME_OCTETS ? (size_t)(body - done) : FRAME_OCTETS;
		enum ec e = segfile_at(cx, from, r->at + (uint64_t)REC_HEAD + done, n, &raw);
		uint8_t le[4], *room = e ? NULL : buf_room(small, ZSTD_compressBound(n));
		if (!room)
			return e ? e : E_NOTFOUND;
		size_t got = ZSTD_compressCCtx(p->zstd, room, ZSTD_compressBound(n), raw.p, n, ZSTD_LEVEL);
		if (ZSTD_isError(got) || got > n - n / 16)
			return E_NOTFOUND;
		buf_took(small, got);
		put_le32(le, (uint32_t)got);
		buf_add(lengths, (struct sl){ le, sizeof le });
	}
	return lengths->err ? fail(cx, E_TEMP, "no memory for a pack") : E_OK;
}

/// Writes the compressed record.
static enum ec add_compressed(struct cx *cx, struct pack *p, struct segfile *from, const struct rec *r, uint64_t birth,
	const struct buf *lengths, const struct buf *small)
{
	uint64_t body = r->arg[BLOB_OCTETS], at = p->at;
	uint32_t table_octets = pieces_octets(body);
	struct sl table;
	enum ec e = segfile_at(cx, from, r->at + (uint64_t)REC_HEAD + body, table_octets, &table);

	if (e)
		return e;
	struct rec mine = {
		.type = REC_BLOB,
		.flags = REC_COMPRESSED,
		.octets = (uint32_t)(lengths->n + small->n + table_octets),
		.crc = crc32c(crc32c(0, buf_sl(lengths)), table),
		.arg = { [BLOB_OCTETS] = body, [BLOB_BIRTH] = birth },
		.time_s = r->time_s,
	};
	e = add_head(cx, p, &mine);
	if (e == E_OK)
		e = add(cx, p, buf_sl(lengths));
	for (struct sl rest = buf_sl(small); e == E_OK && rest.n;) {
		size_t n = min_size(rest.n, PACK_WAITING);
		e = add(cx, p, sl_head(rest, n));
		rest = sl_from(rest, n);
	}
	if (e == E_OK)
		e = add(cx, p, table);
	return e ? e : note(cx, p, birth, at);
}

enum ec pack_body(struct cx *cx, struct pack *p, struct segfile *from, const struct rec *r, uint64_t birth)
{
	uint64_t body = r->arg[BLOB_OCTETS], at = p->at;
	struct buf lengths = BUF(frames_octets(body) + 1), small = BUF(body + ZSTD_compressBound(FRAME_OCTETS));
	enum ec e = r->flags ? E_OK : segfile_body(cx, from, r);

	if (e == E_OK && !r->flags && body >= COMPRESS_AT_LEAST && body <= COMPRESS_AT_MOST) {
		e = compress(cx, p, from, r, &lengths, &small);
		if (e == E_OK)
			e = add_compressed(cx, p, from, r, birth, &lengths, &small);
		else if (e == E_NOTFOUND)
			e = carry_body(cx, p, from, r, birth);
	} else if (e == E_OK) {
		e = carry_body(cx, p, from, r, birth);
	}
	buf_free(&lengths);
	buf_free(&small);
	if (e == E_OK && p->entries.err)
		e = fail(cx, E_TEMP, "no memory for the map of a pack");
	p->raw += body;
	p->stored += p->at - at;
	return e;
}

// ---- end

/// The map at the present end, once.
static enum ec add_map(struct cx *cx, struct pack *p, struct sl sections)
{
	struct rec r = {
		.type = REC_MAP,
		.octets = (uint32_t)(sections.n + p->entries.n),
		.crc = crc32c(crc32c(0, sections), buf_sl(&p->entries)),
		.arg = { [MAP_SECTIONS] = sections.n / SECTION_OCTETS, [MAP_ENTRIES] = p->entries.n / ENTRY_OCTETS },
		.time_s = p->head.made_s,
	};
	enum ec e = add_head(cx, p, &r);

	if (e == E_OK)
		e = add(cx, p, sections);
	for (struct sl rest = buf_sl(&p->entries); e == E_OK && rest.n;) {
		size_t n = min_size(rest.n, PACK_WAITING);
		e = add(cx, p, sl_head(rest, n));
		rest = sl_from(rest, n);
	}
	return e;
}

uint64_t pack_octets(const struct pack *p)
{
	size_t sections = p->sections.n / sizeof(struct pack_section);

	return p->at + 2 * (REC_HEAD + sections * SECTION_OCTETS + p->entries.n);
}

enum ec pack_finish(struct cx *cx, struct pack *p)
{
	struct buf sections = BUF((size_t)PACK_SECTIONS_MAX * SECTION_OCTETS);

	for (size_t i = 0; i < p->sections.n; i += sizeof(struct pack_section))
		pack_section_print(&sections, (const struct pack_section *)(const void *)(p->sections.p + i));
	enum ec e = sections.err ? fail(cx, E_TEMP, "no memory for the map of a pack") : E_OK;
	p->head.prev_end = p->at;
	if (e == E_OK)
		e = add_map(cx, p, buf_sl(&sections));
	p->head.prev_chain = p->at;
	if (e == E_OK)
		e = add_map(cx, p, buf_sl(&sections));
	buf_free(&sections);
	if (e == E_OK)
		e = send(cx, p);
	if (e == E_OK)
		e = segfile_write_head(cx, p->disk, p->fd, &p->head);
	int rc = e ? 0 : p->disk->fdatasync(p->disk->arg, p->fd);
	return rc < 0 ? disk_error(cx, rc, "flush of a pack") : e;
}

/// The spare is cut to what the pack takes of it.
static int cut_spare(const struct pack *p)
{
	int rc = p->spare ? p->disk->ftruncate(p->disk->arg, p->fd, p->at) : 0;

	return rc == 0 && p->spare ? p->disk->fdatasync(p->disk->arg, p->fd) : rc;
}

enum ec pack_name(struct cx *cx, struct pack *p)
{
	char from[32], to[SEG_NAME];

	new_name(p, from);
	seg_name(p->head.id, to);
	int rc = cut_spare(p);
	if (rc == 0)
		rc = p->disk->rename(p->disk->arg, p->dir, from, to);
	if (rc < 0 && p->spare) // as long as it was, before anybody takes the room
		(void)p->disk->fallocate(p->disk->arg, p->fd, p->spare);
	if (rc < 0)
		return disk_error(cx, rc, "naming a pack");
	close(p->fd);
	p->fd = -1;
	rc = p->disk->fsync_dir(p->disk->arg, p->dir);
	return rc < 0 ? disk_error(cx, rc, "fsync of the log's folder") : E_OK;
}

void pack_end(struct pack *p)
{
	char name[32];

	if (p->fd >= 0) {
		new_name(p, name);
		close(p->fd);
		if (!p->spare) // pack_clean tries again at the next start
			(void)p->disk->unlink(p->disk->arg, p->dir, name);
	}
	ZSTD_freeCCtx(p->zstd);
	buf_free(&p->sections);
	buf_free(&p->entries);
	buf_free(&p->waiting);
}

struct cleaning {
	const struct disk *disk;
	int dir;
};

static enum ec clean_one(struct cx *cx, void *arg, const char *name)
{
	const struct cleaning *c = arg;

	(void)cx;
	if (sl_ends_ci(sl_cstr(name), sl_cstr(suffix)))
		(void)c->disk->unlink(c->disk->arg, c->dir, name); // the next start tries again
	return E_OK;
}

enum ec pack_clean(struct cx *cx, const struct disk *disk, int dir)
{
	struct cleaning c = { disk, dir };

	return disk_each_name(cx, dir, clean_one, &c);
}
