#pragma once
/// rows — reads rows of messages batch by batch, and hands sets of UIDs to the store.
///
/// Each request borrows one chunk of the arena and gives it back before this returns: rows are copied to memory of the
/// command, so a slow client never holds a chunk.
#include "front/imap/imap.h"

enum { ROWS_SET_MAX = 4096 }; // ranges in one request: half a chunk

struct rows {
	const struct pl_uids *set; // what is asked for, borrowed; n_set 0 = nothing at all
	size_t n_set;
	uint64_t changed_since;
	bool expunged_too;

	struct pl_row *row; // the present batch
	size_t n, room;
	uint64_t modseq; // of the mailbox when this batch was read

	size_t at;         // ranges of the set that are done
	uint32_t from_uid; // where the present part goes on, 0 = at its beginning
};

/// The next batch. out: w->row[w->n]; w->n 0 — that was all (a batch in the middle is never empty).
/// Begin with a zeroed struct and the first four fields set. errors: E_NOTFOUND (mailbox gone), E_TEMP.
FIB enum ec rows_next(struct cx *cx, struct imap *im, struct rows *w);

/// A chunk with a set in its first part; the rest is for the answer.
struct set_chunk {
	struct range chunk, set, out;
	size_t taken; // ranges that went in
};
/// Takes a chunk and copies up to ROWS_SET_MAX ranges into it (n ≥ 1). errors: chunks_take's.
FIB enum ec set_chunk_take(struct cx *cx, struct imap *im, const struct pl_uids *set, size_t n, struct set_chunk *out);
/// The first batch is in the answer to another request, with `c` for its range; where w->n is 0 then, or behind it,
/// rows_next goes on. w->row may be of a walk before. errors: E_CORRUPT, E_TEMP.
[[nodiscard]] enum ec rows_begin(
	struct cx *cx, struct imap *im, struct rows *w, const struct set_chunk *c, uint32_t count, uint32_t next_uid);
void set_chunk_give(struct imap *im, const struct set_chunk *c);
/// Copies `count` items of `size` octets from the answer part to im->cmd; NULL on a spent budget or where the part is
/// smaller.
[[nodiscard]] void *set_chunk_copy(struct imap *im, const struct set_chunk *c, uint32_t count, size_t size);
/// The ranges of an answer that hold `uids` UIDs together, copied to im->cmd. errors: E_CORRUPT (they do not), E_TEMP.
[[nodiscard]] enum ec set_chunk_uids(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t uids, struct pl_uids **out, size_t *n);
