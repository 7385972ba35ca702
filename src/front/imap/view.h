#pragma once
/// view — what one session has been told about its selected mailbox: which UIDs stand behind which sequence numbers.
///
/// The mapping changes only when the session tells its client (update.c), never by itself: RFC 9051 §5.5, §7.4.1.
/// Memory: 12 octets per block of 4,096 UIDs that holds messages, and 512 more where the block has gaps.
/// Invariants: blocks ascend by number and none is empty; `before` is the sum of the blocks in front.
/// Pure bookkeeping: no I/O here.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ec.h"
#include "ipc/payload.h"
#include "proto/seqset.h"

enum {
	VIEW_UIDS_MAX = 1 << 24, // messages of one selected mailbox
	VIEW_KEYWORDS = 64,
};

struct view_block {
	uint32_t number; // UIDs number * PRESENCE_UIDS … + PRESENCE_UIDS - 1
	uint32_t before; // messages in earlier blocks
	uint32_t map;    // index into maps, or VIEW_RUN | first bit of one run without gaps
};
struct view_map {
	uint64_t word[PRESENCE_WORDS];
};

struct view {
	uint64_t mbox;
	bool read_only;
	uint32_t uidvalidity;
	uint32_t uidnext;        // as last told
	uint32_t recent_from;    // UIDs from here on are \Recent in this session
	uint32_t recent_told;    // how many of them the client knows
	uint32_t recent_claimed; // UIDs below it are recent to no later session
	uint64_t modseq;         // the state the client knows
	uint32_t exists;         // messages the client knows
	struct view_block *blocks;
	uint32_t n_blocks, cap_blocks;
	struct view_map *maps;
	uint32_t n_maps, cap_maps, free_map; // free_map: index + 1 of the first unused one, 0 = none
	struct sl keyword[VIEW_KEYWORDS];    // names by bit, .n 0 = unused; owned
};

/// An empty view; NULL where there is no memory.
struct view *view_new(uint64_t mbox);
void view_free(struct view *v); // accepts NULL
/// Takes presence as mbox_open or mbox_presence gave it (in order of blocks), leaving out UIDs from `uidnext` on: they
/// came while the blocks were read. errors: E_TEMP, E_LIMIT; E_CORRUPT where blocks do not ascend.
[[nodiscard]] enum ec view_add_presence(struct view *v, const struct pl_presence *p, uint32_t uidnext);
/// Adds one new message at the end. errors: E_TEMP, E_LIMIT; E_RANGE where uid is not above all.
[[nodiscard]] enum ec view_add(struct view *v, uint32_t uid);
/// Removes a message. out: *seq — its sequence number before. errors: E_NOTFOUND; E_TEMP, and then it is still there.
[[nodiscard]] enum ec view_remove(struct view *v, uint32_t uid, uint32_t *seq);

/// UID of a sequence number (1 … exists), 0 outside.
uint32_t view_uid(const struct view *v, uint32_t seq);
/// Sequence number of a UID, 0 where the view has no such UID.
uint32_t view_seq(const struct view *v, uint32_t uid);
/// How many messages have a UID ≤ uid.
uint32_t view_count_to(const struct view *v, uint32_t uid);
/// The smallest UID ≥ uid in the view, 0 where there is none; *seq (may be NULL) its number.
uint32_t view_next(const struct view *v, uint32_t uid, uint32_t *seq);
/// The largest UID, 0 where empty.
uint32_t view_last(const struct view *v);
/// How many messages are \Recent in this session.
uint32_t view_recent(const struct view *v);

/// Turns a sequence set of a command into ranges of UIDs, sorted, not touching, in `a`.
///
/// Both ends of each range are in the view, and so is everything inside that still exists: a UID missing inside a range
/// was expunged before and never comes back, so a request may name the range as it is. Ranges are as few as possible.
///
/// in:     is_uid — the set holds UIDs (absent ones are left out silently), else sequence numbers.
/// out:    *n 0 where nothing is meant; never pass that to the store as a set, where empty means all.
/// errors: E_RANGE (a sequence number beyond `exists`, or `$`: BAD), E_TEMP.
/// source: RFC 9051 §6.4.9 (UIDs that do not exist are ignored), §9 (seq-number).
[[nodiscard]] enum ec view_resolve(
	const struct view *v, const struct seqset *set, bool is_uid, struct arena *a, struct pl_uids **out, size_t *n);

/// Replaces the name of keyword `bit` by a copy. errors: E_TEMP.
[[nodiscard]] enum ec view_name_keyword(struct view *v, unsigned bit, struct sl name);
/// The bit of a keyword (ASCII case folded), or -1.
int view_keyword(const struct view *v, struct sl name);
/// Bits of `keywords` that have no name yet.
uint64_t view_unnamed(const struct view *v, uint64_t keywords);
