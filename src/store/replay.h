#pragma once
/// replay — start: brings an index up to the end of the log, and finds where the log ends.
///
/// Before the writer exists; one thread.
#include "store/engine.h"
#include "store/walk.h"

struct seg_list {
	struct seg_info {
		struct seg_head head;
		uint64_t size;
		uint64_t limit;              // where the log goes on elsewhere; UINT64_MAX for the last
		bool stale;                  // the file is there and needless: packs stand for it
		uint32_t entries;            // packs: bodies
		uint64_t carried;            // packs: octets of records that are no bodies
		uint32_t pack;               // the pack that stands for it; 0 = its file is what counts
		struct pack_section section; // there
	} * all;
	size_t n, cap;
	uint32_t *chain; // positions in `all` of the segments that are the log, oldest first
	size_t chain_n;
	uint32_t newest;                     // the highest id of all, also of those set aside: none is used again
	uint64_t lost;                       // files that were set aside: they are named ID.seg.lost
	uint32_t missing[STORE_MISSING_MAX]; // that the log names and that are nowhere, the newest first
	size_t missing_n;
};

/// Reads the headers of all segments in the folder and the maps of packs, removes what a crash left before a header was
/// written, sets aside (ID.seg.lost, event store.segment.lost) what is damaged there, and finds which are the log. A
/// segment that a pack stands for is in the list, with or without a file.
/// errors: E_UNSUPPORTED (cx names the file), E_IO, E_TEMP.
[[nodiscard]] enum ec seg_list_read(struct cx *cx, const struct disk *disk, int dir, struct seg_list *out);
void seg_list_free(struct seg_list *l);
/// The same while the store is open: changes nothing, and leaves out what is just being made. errors: also E_CORRUPT.
[[nodiscard]] enum ec seg_list_look(struct cx *cx, int dir, struct seg_list *out);

/// The entry of segment `id`; NULL where it is not listed.
const struct seg_info *seg_list_find(const struct seg_list *l, uint32_t id);
/// Whether a pack stands for bulk segment `bulk`, which may not be listed then.
bool seg_list_packed(const struct seg_list *l, uint32_t bulk);
/// Where in the chain of the log segment `id` stands; chain_n where it does not.
size_t seg_list_place(const struct seg_list *l, uint32_t id);

struct replayed {
	struct applied applied; // pos: the log's end, where the next segment continues
	uint64_t damaged;       // batches, or places in them, that do not prove themselves though they were durable
	uint64_t torn_at;       // where the last segment must be cut; its size where nothing is torn
	uint64_t records;
	uint64_t gaps; // cells that miss commits, from earlier starts too
};

/// Whether the log holds what the index says is applied (S10). errors: E_NOTFOUND (it does not), E_IO, E_TEMP.
[[nodiscard]] enum ec replay_knows(struct cx *cx, int dir, const struct seg_list *l, const struct journal_pos *pos);
/// Applies everything behind `from` (all zero: everything) to the index.
/// in: out->damaged — what an earlier try found before `from`. out: after an error, too, out->damaged is what was found
/// before what the index has applied by then. errors: E_FULL (also: map full), E_IO, E_TEMP, E_UNSUPPORTED.
[[nodiscard]] enum ec replay(struct cx *cx, int dir, const struct seg_list *l, struct index *ix,
	const struct applied *from, struct replayed *out);
