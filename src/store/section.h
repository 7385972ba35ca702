#pragma once
/// section — what of one segment goes into a pack: bodies that are marked, records that a start from the log needs.
///
/// A COMMIT is needed where its version is above its cell's image; one that drops its cell, while older segments may
/// still have commits of it; and as long as its outcome may be asked for. An IMAGE is needed where it is its cell's.
/// A BULK record, while its segment's file is there.
#include "store/mark.h"
#include "store/pack.h"
#include "store/replay.h"

struct section_maker {
	struct store *s;
	const struct seg_list *segs;
	const struct buf *open;  // bulk_list_open of before `segs`: they may lack a file there that comes
	struct pack *pack;       // NULL to count only
	const struct mark *mark; // the same
	uint64_t now_s;
};

/// Adds the section of a segment. The log's come before the others, in order, so that those without bodies become one.
/// in: from — the segment's file, or the pack that stands for it.
/// errors: E_CORRUPT (something in it does not prove itself or cannot be read; the pack is void), those of pack_record.
[[nodiscard]] enum ec section_make(
	struct cx *cx, struct section_maker *m, const struct seg_info *info, struct segfile *from);
/// Adds to *octets those of its records, bodies apart, that would be carried. errors: E_CORRUPT, E_IO, E_TEMP.
[[nodiscard]] enum ec section_count(
	struct cx *cx, struct section_maker *m, const struct seg_info *info, struct segfile *from, uint64_t *octets);
