#pragma once
/// view — what one session has been told about its selected mailbox: which UIDs stand behind which sequence numbers.
///
/// The mapping changes only when the session tells its client (view_… of update.c), never by itself: RFC 9051 §5.5, §7.4.1.
/// Memory: one presence block of 520 octets per 4,096 UIDs that has gaps; a block without gaps costs 8 octets.
/// Pure bookkeeping: no I/O here.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ec.h"
#include "ipc/payload.h"
#include "proto/seqset.h"

enum { VIEW_UIDS_MAX = 1 << 24 };

struct view {
	uint64_t mbox;
	bool read_only;
	uint32_t uidvalidity;
	uint32_t uidnext;     // as last told
	uint32_t recent_from; // UIDs from here on are \Recent in this session
	uint64_t modseq;      // the state the client knows
	uint32_t exists;      // messages the client knows
	struct view_blocks *blocks;
	struct sl *keyword;     // 64 names by bit; .n 0 = unused; owned
	uint32_t keywords_told; // how many of them FLAGS has told
};

/// An empty view; NULL where there is no memory.
struct view *view_new(uint64_t mbox);
void view_free(struct view *v); // accepts NULL
/// Takes presence as mbox_open or mbox_presence gave it (append in order of blocks). errors: E_TEMP, E_LIMIT.
[[nodiscard]] enum ec view_add_presence(struct view *v, const struct pl_presence *p);
/// Adds one new message at the end. uid must be above all. errors: E_TEMP.
[[nodiscard]] enum ec view_add(struct view *v, uint32_t uid);
/// Removes a message. out: its sequence number before, or 0 where it was not there.
uint32_t view_remove(struct view *v, uint32_t uid);

/// UID of a sequence number (1 … exists), 0 outside.
uint32_t view_uid(const struct view *v, uint32_t seq);
/// Sequence number of a UID, 0 where the view has no such UID.
uint32_t view_seq(const struct view *v, uint32_t uid);
/// The smallest UID ≥ uid in the view, 0 where there is none; *seq its number.
uint32_t view_next(const struct view *v, uint32_t uid, uint32_t *seq);
/// The largest UID, 0 where empty.
uint32_t view_last(const struct view *v);

/// Turns a sequence set of a command into ranges of UIDs that exist in the view (sorted, merged, in `a`).
/// in:     is_uid — the set holds UIDs (then absent ones are left out silently), else sequence numbers.
/// errors: E_RANGE (a sequence number beyond `exists`: BAD), E_TEMP.
[[nodiscard]] enum ec view_resolve(
	const struct view *v, const struct seqset *set, bool is_uid, struct arena *a, struct pl_uids **out, size_t *n);
