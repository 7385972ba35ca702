#pragma once
/// seqset — IMAP sequence sets: sorted, merged ranges of message numbers or UIDs.
///
/// Parsed from a command or built by appending ascending numbers (ESEARCH ALL, COPYUID). `*` stays symbolic until
/// seqset_resolve says what the largest number is. Ranges live in the caller's arena; a set is copied by value.
/// Invariant: 1 ≤ first ≤ last, and each range begins at least two above the end of the one before.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"

/// One command line of 64 KiB cannot name many more; ours, RFC 9051 states no limit.
enum { SEQSET_RANGES_MAX = 16384 };

struct seq_range {
	uint32_t first, last;
};

struct seqset {
	struct seq_range *ranges;
	size_t n, cap;
	/// 0: no `*`. Otherwise the set also holds min(star_from, max) … max; UINT32_MAX for a bare `*`.
	uint32_t star_from;
	bool saved; // `$`: the result that the last SEARCH saved; then there are no ranges
};

/// Takes one sequence-set.
///
/// out:    *out — merged, ranges owned by `a`; written only where the cursor is still well.
/// errors: sticky in `c`: E_SYNTAX, E_RANGE (number above 32 bits), E_LIMIT (more than SEQSET_RANGES_MAX), E_TEMP.
/// source: RFC 9051 §9 (sequence-set, seq-range, seq-number, seq-last-command).
void seqset_parse(struct cur *c, struct arena *a, struct seqset *out);

/// Replaces `*` by numbers: `max` is the largest number in use, 0 in an empty mailbox (`*` then means nothing).
///
/// errors: E_TEMP (arena spent; set unchanged).
/// source: RFC 9051 §9 (seq-number: `*` is the largest number in use; `5:*` with max 3 is 3:5).
[[nodiscard]] enum ec seqset_resolve(struct seqset *s, struct arena *a, uint32_t max);

/// Adds first…last above everything in the set so far (a set without `*` and `$`).
///
/// errors: E_RANGE (not ascending, or 0), E_TEMP. The set is unchanged after either.
[[nodiscard]] enum ec seqset_append(struct seqset *s, struct arena *a, uint32_t first, uint32_t last);

/// True where `number` is in the ranges (resolve first).
bool seqset_has(const struct seqset *s, uint32_t number);
/// The smallest member above `after` (0 to begin with); false where there is none.
bool seqset_next(const struct seqset *s, uint32_t after, uint32_t *number);
/// How many numbers the ranges hold.
uint64_t seqset_count(const struct seqset *s);
/// The largest number that was written out, 0 for none: above the mailbox's it makes a command BAD.
uint32_t seqset_largest(const struct seqset *s);
/// True where the set names nothing at all.
bool seqset_empty(const struct seqset *s);
/// Prints the shortest form, as `1,3:5,9:*`; an empty set prints nothing.
void seqset_print(struct buf *b, const struct seqset *s);
