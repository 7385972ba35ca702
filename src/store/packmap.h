#pragma once
/// packmap — the map of a pack: which segments it stands for, and where their bodies are in it.
///
/// Pure but for reading. Layout: docs/FORMAT.md.
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/segment.h"

enum {
	SECTION_OCTETS = 88,
	ENTRY_OCTETS = 8,
	PACK_SECTIONS_MAX = 4096,
	PACK_SPARSE = 64, // of so many entries one is kept in memory
};

/// What stands for one segment, and for those before it that left no bodies.
struct pack_section {
	struct seg_head head; // of that segment, without its nonce; what it says of the one before is of the oldest's
	uint32_t oldest;      // it stands for all segments of its kind from this one on; its own id: for one alone
	uint64_t end;         // log segments: where the next one takes over, with what LSN and chain
	uint64_t end_lsn, end_chain;
	uint64_t from, to;       // its records in the pack that are no bodies
	uint32_t first, entries; // its bodies in the map
};

/// The map of an open pack.
struct pack_map {
	struct pack_section *sections;
	size_t n;
	uint64_t entries_at; // in the file
	uint32_t entries;
	uint32_t *sparse; // the birth offset of every PACK_SPARSE-th entry
};

/// Prints a section; entries follow all sections.
void pack_section_print(struct buf *b, const struct pack_section *s);
/// Reads the map of the pack with this header from its file, the second copy where the first is damaged or cannot be
/// read.
/// errors: E_CORRUPT, E_TEMP, E_IO.
[[nodiscard]] enum ec pack_map_read(struct cx *cx, int fd, const struct seg_head *head, struct pack_map *out);
/// Whether both copies of the map prove themselves. errors: E_TEMP, E_IO.
[[nodiscard]] enum ec pack_map_both(struct cx *cx, int fd, const struct seg_head *head, bool *out);
void pack_map_free(struct pack_map *m); // accepts all zero
/// The section that stands for segment `id`; NULL where there is none.
const struct pack_section *pack_map_section(const struct pack_map *m, uint32_t id);
/// Where the body that was born at `birth` stands in the pack. errors: E_NOTFOUND, E_IO.
[[nodiscard]] enum ec pack_map_find(struct cx *cx, int fd, const struct pack_map *m, uint64_t birth, uint64_t *at);
