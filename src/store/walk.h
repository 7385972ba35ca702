#pragma once
/// walk — reading a log segment batch by batch, with all checks; for start and for the checker.
///
/// One thread. What a batch must satisfy is S3…S5 in docs/FORMAT.md.
#include <stdbool.h>
#include <stdint.h>

#include "store/journal.h"
#include "store/segfile.h"

/// A record whose header proves itself and whose payload does not.
typedef enum ec walk_lost(struct cx *cx, void *arg, const struct rec *r);

struct walk {
	struct segfile *f;
	uint64_t limit;         // octets from here on are not part of the log
	struct journal_pos pos; // before the next batch
	uint64_t bodies_from;   // bodies in batches from this LSN on are checked too
	walk_lost *lost;        // NULL, or told by walk_records, with its `arg`, before it goes on
};

/// One record with its payload (COMMIT and IMAGE only; borrowed until the next reading of the segment).
typedef enum ec walk_each(struct cx *cx, void *arg, const struct rec *r, struct sl payload);

/// Checks the batch at w->pos. out: *next behind it, *durable_lsn as its BEGIN says.
/// errors: E_NOTFOUND (the segment ends here), E_CORRUPT (torn or damaged), E_UNSUPPORTED, E_IO, E_TEMP.
[[nodiscard]] enum ec walk_batch(struct cx *cx, struct walk *w, struct journal_pos *next);
/// Gives `each` every record that proves itself between `from` and `to`; after one that does not, looks octet by octet
/// for the next (w->lost). *bad counts the places that did not. Stops at the first error of `each` or w->lost.
[[nodiscard]] enum ec walk_records(struct cx *cx, struct walk *w, uint64_t from, uint64_t to, uint64_t lsn_from,
	walk_each *each, void *arg, uint64_t *bad);
/// Finds the next BEGIN at or behind `from` whose batch has at least number `lsn`.
/// errors: E_NOTFOUND, E_IO, E_TEMP.
[[nodiscard]] enum ec walk_find_begin(struct cx *cx, struct walk *w, uint64_t from, uint64_t lsn, struct rec *out);
/// The highest LSN that any BEGIN or SEAL from w->pos on says is durable.
[[nodiscard]] enum ec walk_durable(struct cx *cx, struct walk *w, uint64_t *lsn);
