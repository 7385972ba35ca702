#pragma once
/// pack — what compaction leaves of segments: one section for each, or for several that left no bodies, with the bodies
/// that rows still name and the records that a start from the log still needs; behind them a map, twice.
///
/// A pack is written under a name of its own, flushed, and gets its segment's name only when it is complete: from then
/// on it stands in the place of its sections' segments. A segment is in at most one pack that counts, the newest.
/// Layout: docs/FORMAT.md. Pure files here: who is in, and when, decides compact.c.
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/disk.h"
#include "store/packmap.h"
#include "store/segfile.h"
#include "store/spare.h"

enum { PACK_OCTETS_MAX = 0x7fff'0000 };

struct pack {
	const struct disk *disk;
	int dir, fd;
	uint64_t spare; // octets of the spare that it is written into; 0 = a file of its own
	struct seg_head head;
	uint64_t at;          // where the next record goes
	uint64_t octets_max;  // at most PACK_OCTETS_MAX; may be made smaller while the pack is empty
	struct buf sections;  // struct pack_section
	struct buf entries;   // as in the map
	struct buf waiting;   // octets on their way to the file
	uint64_t raw, stored; // octets of bodies
	void *zstd;
};

/// Begins a pack under a temporary name. in: spare — what it is written into, and must fit; NULL: a file of its own.
/// errors: E_TEMP, E_FULL, E_IO.
[[nodiscard]] enum ec pack_new(
	struct cx *cx, const struct disk *disk, int dir, uint32_t id, const struct spare *spare, struct pack *out);
/// Begins a section; its records come first, then its bodies in order of their place. errors: E_TOOBIG, E_TEMP.
[[nodiscard]] enum ec pack_begin(struct cx *cx, struct pack *p, const struct pack_section *s);
/// The last section, where it has no bodies, so that another may take its place; NULL otherwise.
const struct pack_section *pack_joinable(const struct pack *p);
/// Begins a section that takes the place of the joinable one: it stands for its segments, too, and begins with its
/// records.
void pack_join(struct pack *p, const struct pack_section *s);
/// Carries a record over. errors: E_TEMP, E_FULL, E_IO, E_TOOBIG (the pack is full).
[[nodiscard]] enum ec pack_record(struct cx *cx, struct pack *p, const struct rec *r, struct sl payload);
/// Copies the body whose record `r` stands in `from`; checks it, and compresses it where that is worth it.
/// in: birth — its address. errors: E_CORRUPT (it does not prove itself), others as pack_record.
[[nodiscard]] enum ec pack_body(
	struct cx *cx, struct pack *p, struct segfile *from, const struct rec *r, uint64_t birth);
/// How long the file will be when it is finished as it is now.
uint64_t pack_octets(const struct pack *p);
/// Writes map and header and flushes everything. errors: E_FULL, E_IO, E_TEMP, E_TOOBIG.
[[nodiscard]] enum ec pack_finish(struct cx *cx, struct pack *p);
/// Gives a finished pack its name, durably; the spare becomes as short as the pack only then. errors: E_IO.
[[nodiscard]] enum ec pack_name(struct cx *cx, struct pack *p);
/// Ends it; without pack_name the file goes, unless it is the spare.
void pack_end(struct pack *p);
/// Removes what a crash left of unfinished packs. errors: E_IO (the folder cannot be read).
[[nodiscard]] enum ec pack_clean(struct cx *cx, const struct disk *disk, int dir);
