#pragma once
/// inventory — what a folder of segments says of itself, for backups: whose store it is, which segments packs stand
/// for, and whether the file of a segment is whole.
///
/// Files only; changes nothing. Unlike a start (replay.h) it passes over files that cannot be read.
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/manifest.h"
#include "store/segfile.h"

struct inventory {
	int dir;             // borrowed
	uint64_t store;      // number of the store, as the newest log segment has it; 0 = unknown
	struct buf heads;    // struct seg_head of every file that can be read, in order of their id
	struct buf sections; // struct pack_section of all packs, with the pack's id in `entries`
	struct buf named;    // uint64_t: addresses in bulk segments that logs name, of those that were vouched for
	bool sorted;         // `named` is
};

/// Whether what reading a file yields says that the file is damaged, or its disk: no error of who looks.
bool inventory_is_damage(enum ec e);
/// Reads the headers of all segments in `dir`. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec inventory_read(struct cx *cx, int dir, struct inventory *out);
/// Reads the headers of these segments alone. in: files — sorted; those that are damaged are passed over.
[[nodiscard]] enum ec inventory_read_listed(
	struct cx *cx, int dir, const struct manifest *files, struct inventory *out);
void inventory_free(struct inventory *v);
/// The header of a segment's file; NULL where there is no file, or none that can be read.
const struct seg_head *inventory_find(const struct inventory *v, uint32_t id);
/// The newest pack of which one section stands for all segments of this kind from `oldest` to `id`; 0 = none does.
uint32_t inventory_pack(const struct inventory *v, enum seg_kind kind, uint32_t oldest, uint32_t id);

/// Forgets that a pack has the section with this header.
void inventory_drop(struct inventory *v, uint32_t pack, const struct seg_head *section);
/// How many sections of a pack are not in this map of it. in: drop — forgets that the pack has them.
size_t inventory_others(struct inventory *v, uint32_t pack, const struct pack_map *map, bool drop);

/// Whether a file is whole: header, records, bodies. What is behind the end of a log segment does not count, nor, in a
/// bulk segment, what is behind `end`: a body that is under way, or one whose header is lost (inventory_names_more).
struct vouched {
	bool whole;
	uint64_t end; // bulk: behind the last body
};
/// in: v — of the folder that the file is from; dir — where the file is. out: v->named, too. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec inventory_vouch(struct cx *cx, struct inventory *v, int dir, uint32_t id, struct vouched *out);
/// Whether any log that was vouched for names a body of a bulk segment that begins at `end` or behind.
bool inventory_names_more(struct inventory *v, uint32_t id, uint64_t end);
/// The newest log segment older than this one; 0 = none is.
uint32_t inventory_log_before(const struct inventory *v, uint32_t id);
/// Whether a section of a pack is whole. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec inventory_vouch_section(
	struct cx *cx, struct segfile *f, const struct pack_section *s, bool *whole);
/// How much of a bulk segment is finished: whole records. errors: E_CORRUPT (no header), E_NOTFOUND, E_IO, E_TEMP.
[[nodiscard]] enum ec inventory_finished(struct cx *cx, int dir, uint32_t id, uint64_t *octets);
