/// standin — see the header.
#include "store/standin.h"

#include <stdlib.h>

#include "base/num.h"
#include "store/disk.h"

/// Where the body of a section that was born last began, in its segment.
static enum ec last_birth(struct cx *cx, const struct segfile *pack, const struct pack_section *s, uint32_t *off)
{
	uint8_t entry[ENTRY_OCTETS];
	struct iovec iov = { entry, sizeof entry };
	uint64_t i = (uint64_t)s->first + s->entries - 1;
	enum ec e = disk_read(cx, pack->fd, &iov, 1, pack->map.entries_at + i * ENTRY_OCTETS);

	if (e == E_OK)
		*off = get_le32(entry);
	return e;
}

/// Whether files of the backup have all that a section stands for. A bulk segment may have been shorter then; a log
/// segment is there only when all before it were.
static enum ec is_there(struct cx *cx, const struct inventory *there, const struct segfile *pack,
	const struct pack_section *s, bool *is)
{
	const struct seg_head *h = inventory_find(there, s->head.id);
	uint64_t end = 0;
	uint32_t off = 0;

	*is = inventory_pack(there, s->head.kind, s->head.id, s->head.id) != 0;
	if (*is || !h || h->kind != s->head.kind)
		return E_OK;
	*is = h->kind == SEG_LOG || s->entries == 0;
	if (*is)
		return E_OK;
	enum ec e = last_birth(cx, pack, s, &off);
	if (e == E_OK)
		e = inventory_finished(cx, there->dir, h->id, &end);
	*is = e == E_OK && off < end;
	return e;
}

/// Adds what the map says of one section's bodies. out: s->first — of them in the new map.
static enum ec take_entries(struct cx *cx, const struct segfile *pack, struct pack_section *s, struct buf *entries)
{
	size_t n = (size_t)s->entries * ENTRY_OCTETS;
	uint64_t at = pack->map.entries_at + (uint64_t)s->first * ENTRY_OCTETS;
	uint8_t *room = buf_room(entries, n);

	s->first = (uint32_t)(entries->n / ENTRY_OCTETS);
	if (n == 0)
		return E_OK;
	if (!room)
		return fail(cx, E_TEMP, "no memory for the map of a pack");
	struct iovec iov = { room, n };
	enum ec e = disk_read(cx, pack->fd, &iov, 1, at);
	if (e == E_OK)
		buf_took(entries, n);
	return e;
}

/// Both copies of the map, where they were.
static enum ec write_maps(struct cx *cx, int fd, const struct seg_head *h, struct sl sections, struct sl entries)
{
	uint64_t at[] = { h->prev_end, h->prev_chain };
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < ARRAY_N(at); i++) {
		struct rec r = {
			.type = REC_MAP,
			.at = (uint32_t)at[i],
			.octets = (uint32_t)(sections.n + entries.n),
			.crc = crc32c(crc32c(0, sections), entries),
			.arg = { [MAP_SECTIONS] = sections.n / SECTION_OCTETS,
				[MAP_ENTRIES] = entries.n / ENTRY_OCTETS },
			.time_s = h->made_s,
		};
		uint8_t head[REC_HEAD];
		rec_encode(&h->nonce, &r, head);
		struct sl parts[] = { { head, sizeof head }, sections, entries };
		for (size_t k = 0; e == E_OK && k < ARRAY_N(parts); k++) {
			struct iovec iov = { (void *)(uintptr_t)parts[k].p, parts[k].n };
			e = disk_write(cx, &disk_real, fd, &iov, 1, at[i]);
			at[i] += parts[k].n;
		}
	}
	return e;
}

/// The map of the copy, of the sections that stay. in: gone — for each section.
static enum ec write_rest(struct cx *cx, const struct segfile *pack, const bool *gone, int fd)
{
	struct buf sections = BUF((size_t)PACK_SECTIONS_MAX * SECTION_OCTETS);
	struct buf entries = BUF((size_t)pack->map.entries * ENTRY_OCTETS + 1);
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < pack->map.n; i++) {
		struct pack_section s = pack->map.sections[i];
		if (gone[i])
			continue;
		e = take_entries(cx, pack, &s, &entries);
		pack_section_print(&sections, &s);
	}
	if (e == E_OK && sections.err)
		e = fail(cx, E_TEMP, "no memory for the map of a pack");
	if (e == E_OK)
		e = write_maps(cx, fd, &pack->head, buf_sl(&sections), buf_sl(&entries));
	buf_free(&sections);
	buf_free(&entries);
	return e;
}

enum ec standin_take(struct cx *cx, struct inventory *stock, const struct inventory *there, uint32_t id, int fd,
	size_t *taken, size_t *left)
{
	struct segfile f;
	bool whole = false;
	size_t n = 0;
	enum ec e = segfile_open(cx, stock->dir, id, &f);

	if (e)
		return e;
	bool *gone = calloc(f.map.n + 1, sizeof *gone);
	if (!gone)
		e = fail(cx, E_TEMP, "no memory for the map of a pack");
	for (size_t i = 0; e == E_OK && i < f.map.n; i++) {
		const struct pack_section *s = &f.map.sections[i];
		e = inventory_vouch_section(cx, &f, s, &whole);
		if (e == E_OK && !whole)
			e = is_there(cx, there, &f, s, &gone[i]);
		n += gone[i];
	}
	if (e == E_OK && n && n < f.map.n)
		e = write_rest(cx, &f, gone, fd);
	for (size_t i = 0; e == E_OK && i < f.map.n; i++)
		if (gone[i])
			inventory_drop(stock, id, &f.map.sections[i].head);
	if (e == E_OK) {
		*taken = n;
		*left = f.map.n - n;
	}
	free(gone);
	segfile_close(&f);
	return e;
}
