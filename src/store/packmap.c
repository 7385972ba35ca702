/// packmap — see the header.
///
/// Only the sections and every PACK_SPARSE-th entry stay in memory: a pack of 256 MiB may hold 100,000 bodies. What is
/// read of the map later is not checked again: the record that it leads to proves itself.
#include "store/packmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/disk.h"

enum { READ_ENTRIES = 8192 };

void pack_section_print(struct buf *b, const struct pack_section *s)
{
	uint8_t o[SECTION_OCTETS] = { 0 };

	put_le32(o, s->head.id);
	put_le32(o + 4, s->head.kind);
	put_le32(o + 8, s->head.prev);
	put_le32(o + 12, s->first);
	put_le32(o + 16, s->entries);
	put_le32(o + 20, s->oldest == s->head.id ? 0 : s->oldest);
	put_le64(o + 24, s->head.prev_end);
	put_le64(o + 32, s->head.prev_chain);
	put_le64(o + 40, s->head.first_lsn);
	put_le64(o + 48, s->end);
	put_le64(o + 56, s->end_lsn);
	put_le64(o + 64, s->end_chain);
	put_le64(o + 72, s->from);
	put_le64(o + 80, s->to);
	buf_add(b, (struct sl){ o, sizeof o });
}

static struct pack_section section_read(const uint8_t *o)
{
	uint32_t id = get_le32(o), oldest = get_le32(o + 20);

	return (struct pack_section){
		.head = { .id = id,
			.kind = get_le32(o + 4) == SEG_BULK ? SEG_BULK : SEG_LOG,
			.prev = get_le32(o + 8),
			.prev_end = get_le64(o + 24),
			.prev_chain = get_le64(o + 32),
			.first_lsn = get_le64(o + 40) },
		.oldest = oldest ? oldest : id,
		.first = get_le32(o + 12),
		.entries = get_le32(o + 16),
		.end = get_le64(o + 48),
		.end_lsn = get_le64(o + 56),
		.end_chain = get_le64(o + 64),
		.from = get_le64(o + 72),
		.to = get_le64(o + 80),
	};
}

/// Whether the sections' parts of the map are within it.
static bool sections_fit(const struct pack_map *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct pack_section *s = &m->sections[i];
		if (s->first > m->entries || s->entries > m->entries - s->first || s->from > s->to ||
			s->oldest > s->head.id)
			return false;
	}
	return true;
}

static enum ec read_sections(struct cx *cx, int fd, uint64_t at, struct pack_map *m, uint32_t *crc)
{
	uint8_t *room = malloc(m->n * SECTION_OCTETS + 1);
	struct iovec iov = { room, m->n * SECTION_OCTETS };

	if (!room)
		return fail(cx, E_TEMP, "no memory for the map of a pack");
	enum ec e = disk_read(cx, fd, &iov, 1, at);
	if (e == E_OK) {
		*crc = crc32c(0, (struct sl){ room, m->n * SECTION_OCTETS });
		for (size_t i = 0; i < m->n; i++)
			m->sections[i] = section_read(room + i * SECTION_OCTETS);
	}
	free(room);
	return e;
}

/// Goes over all entries for their CRC and keeps some.
static enum ec read_entries(struct cx *cx, int fd, struct pack_map *m, uint32_t *crc)
{
	uint8_t *room = malloc((size_t)READ_ENTRIES * ENTRY_OCTETS);
	enum ec e = room ? E_OK : fail(cx, E_TEMP, "no memory for the map of a pack");

	for (uint32_t i = 0; e == E_OK && i < m->entries;) {
		uint32_t n = m->entries - i < READ_ENTRIES ? m->entries - i : READ_ENTRIES;
		struct iovec iov = { room, (size_t)n * ENTRY_OCTETS };
		e = disk_read(cx, fd, &iov, 1, m->entries_at + (uint64_t)i * ENTRY_OCTETS);
		if (e)
			break;
		*crc = crc32c(*crc, (struct sl){ room, (size_t)n * ENTRY_OCTETS });
		for (uint32_t k = 0; k < n; k += PACK_SPARSE)
			m->sparse[(i + k) / PACK_SPARSE] = get_le32(room + (size_t)k * ENTRY_OCTETS);
		i += n;
	}
	free(room);
	return e;
}

/// Reads the copy whose record stands at `at`. out: *next — behind it.
static enum ec read_copy(
	struct cx *cx, int fd, const struct seg_head *head, uint64_t at, struct pack_map *m, uint64_t *next)
{
	uint8_t octets[REC_HEAD];
	struct iovec iov = { octets, sizeof octets };
	struct rec r;
	uint32_t crc = 0;

	enum ec e = disk_read(cx, fd, &iov, 1, at);
	if (e == E_OK)
		e = rec_decode(&head->nonce, (struct sl){ octets, sizeof octets }, at, &r);
	if (e)
		return e == E_IO ? e : E_CORRUPT;
	*next = at + REC_HEAD + r.octets;
	m->n = r.arg[MAP_SECTIONS];
	m->entries = (uint32_t)r.arg[MAP_ENTRIES];
	if (r.type != REC_MAP || m->n > PACK_SECTIONS_MAX || r.arg[MAP_ENTRIES] > UINT32_MAX / ENTRY_OCTETS ||
		r.octets != m->n * SECTION_OCTETS + (uint64_t)m->entries * ENTRY_OCTETS)
		return E_CORRUPT;
	m->sections = calloc(m->n + 1, sizeof *m->sections);
	m->sparse = calloc(m->entries / PACK_SPARSE + 1, sizeof *m->sparse);
	m->entries_at = at + REC_HEAD + m->n * SECTION_OCTETS;
	if (!m->sections || !m->sparse)
		return fail(cx, E_TEMP, "no memory for the map of a pack");
	e = read_sections(cx, fd, at + REC_HEAD, m, &crc);
	if (e == E_OK)
		e = read_entries(cx, fd, m, &crc);
	if (e == E_OK && (crc != r.crc || !sections_fit(m)))
		e = E_CORRUPT;
	return e == E_RANGE ? E_CORRUPT : e;
}

enum ec pack_map_read(struct cx *cx, int fd, const struct seg_head *head, struct pack_map *out)
{
	struct pack_map m = { 0 };
	uint64_t next = 0;
	enum ec e = read_copy(cx, fd, head, head->prev_end, &m, &next);

	if (e == E_CORRUPT || e == E_IO) {
		pack_map_free(&m);
		e = read_copy(cx, fd, head, head->prev_chain, &m, &next);
	}
	if (e) {
		pack_map_free(&m);
		return fail(cx, e, "map of pack %08x", head->id);
	}
	*out = m;
	return E_OK;
}

enum ec pack_map_both(struct cx *cx, int fd, const struct seg_head *head, bool *out)
{
	uint64_t at[] = { head->prev_end, head->prev_chain }, next = 0;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < ARRAY_N(at); i++) {
		struct pack_map m = { 0 };
		e = read_copy(cx, fd, head, at[i], &m, &next);
		pack_map_free(&m);
	}
	*out = e == E_OK;
	return e == E_CORRUPT ? E_OK : e;
}

void pack_map_free(struct pack_map *m)
{
	free(m->sections);
	free(m->sparse);
	*m = (struct pack_map){ 0 };
}

const struct pack_section *pack_map_section(const struct pack_map *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->sections[i].head.id == id)
			return &m->sections[i];
	return NULL;
}

/// The last kept entry of the section that is not behind `off`, as a number of an entry; the section's first otherwise.
static uint32_t search_sparse(const struct pack_map *m, const struct pack_section *s, uint32_t off)
{
	uint32_t lo = (s->first + PACK_SPARSE - 1) / PACK_SPARSE,
		 hi = (s->first + s->entries + PACK_SPARSE - 1) / PACK_SPARSE;
	uint32_t found = s->first;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (m->sparse[mid] <= off) {
			found = mid * PACK_SPARSE;
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return found;
}

enum ec pack_map_find(struct cx *cx, int fd, const struct pack_map *m, uint64_t birth, uint64_t *at)
{
	uint8_t room[(PACK_SPARSE + 1) * ENTRY_OCTETS];
	const struct pack_section *s = pack_map_section(m, (uint32_t)(birth >> 32));
	uint32_t off = (uint32_t)birth;

	if (!s)
		return E_NOTFOUND;
	uint32_t i = search_sparse(m, s, off), end = s->first + s->entries;
	uint32_t n = end - i < PACK_SPARSE + 1 ? end - i : PACK_SPARSE + 1;
	struct iovec iov = { room, (size_t)n * ENTRY_OCTETS };
	enum ec e = disk_read(cx, fd, &iov, 1, m->entries_at + (uint64_t)i * ENTRY_OCTETS);
	if (e)
		return e == E_RANGE ? fail(cx, E_CORRUPT, "a pack ends before its map") : e;
	for (uint32_t k = 0; k < n; k++)
		if (get_le32(room + (size_t)k * ENTRY_OCTETS) == off) {
			*at = get_le32(room + (size_t)k * ENTRY_OCTETS + 4);
			return E_OK;
		}
	return E_NOTFOUND;
}
