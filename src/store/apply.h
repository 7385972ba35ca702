#pragma once
/// apply — what a commit does to the index; the same code for a live batch and for start.
///
/// The writer's thread only (or start, before there is one).
#include <stdint.h>

#include "store/cell.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/segment.h"

enum {
	CELL_KEY_PREFIX = 16,
	CELL_ROW_OCTETS = 24,  // of struct cell_row in the index
	IMAGE_SLACK = 64 << 10 // commits may be so much longer than the image that would make them needless
};

/// What the index keeps of a cell beside its head.
struct cell_row {
	uint64_t version;
	uint64_t image; // commits up to this version are needless: an image in the log says what they made; 0 = none
	uint32_t since; // octets of commits since then
	uint32_t image_octets; // of that image
};

/// How far the index has got, kept in the index itself.
struct applied {
	struct journal_pos pos;
	uint64_t durable_lsn; // known when it was written
	uint64_t bodies;      // stored so far
	uint64_t damaged;     // places of the log that starts passed over: what stood there is lost
};

/// One part of a cell's image as logged.
struct image {
	struct cell_id id;
	uint64_t version; // that its keys are of
	struct image_sums sums;
	struct sl ops; // RANGE, then HEAD (first part only) and PUTs
};

/// One commit as logged.
struct commit {
	struct cell_id id;
	uint64_t version;
	struct op_id op;
	uint64_t time_s;
	struct sl ops, outcome;
};

/// A COMMIT or IMAGE record as what it says; its octets are borrowed from `payload`.
struct commit commit_of(const struct rec *r, struct sl payload);
struct image image_of(const struct rec *r, struct sl payload);

/// The index key of a cell; keys of its map begin with it.
void cell_key(struct cell_id id, uint8_t out[static CELL_KEY_PREFIX]);
struct cell_id cell_of_key(struct sl key);
bool op_is_set(const struct op_id *op);

/// Splits a cell's row of the index. errors: E_CORRUPT.
[[nodiscard]] enum ec cell_row_split(struct cx *cx, struct sl in, struct cell_row *row, struct sl *head);
/// A cell's row, all zero where there is no such cell. out: *head borrowed as by index_get. errors: E_IO, E_CORRUPT.
[[nodiscard]] enum ec cell_row_get(
	struct cx *cx, struct itxn *t, struct cell_id id, struct cell_row *row, struct sl *head);
/// True where a new image is worth its octets.
bool cell_is_due(const struct cell_row *row);
/// The version of a cell, 0 where there is none. errors: E_IO, E_CORRUPT.
[[nodiscard]] enum ec apply_version(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t *version);
/// Applies a commit whose version was checked. out: *after — the cell's row then, all zero where it was dropped.
/// errors: E_CORRUPT (malformed operations), E_FULL, E_TEMP, E_IO; after an error the transaction must be aborted.
[[nodiscard]] enum ec apply_commit(struct cx *cx, struct itxn *t, const struct commit *c, struct cell_row *after);
/// Applies a part of an image, in the order of the log. A cell that has all that the part says is left as it is. One
/// that lacks commits (compaction took them away, or damage) gets the part's keys, and is listed as damaged until the
/// last part, which is noted in the cell's row. errors: as apply_commit.
[[nodiscard]] enum ec apply_image(struct cx *cx, struct itxn *t, const struct image *im);
/// Notes in the cell's row that its image is in the log.
[[nodiscard]] enum ec image_note(struct cx *cx, struct itxn *t, struct cell_id id, const struct image_sums *sums);
/// Whether commits of the cell are missing.
[[nodiscard]] enum ec cell_is_damaged(struct cx *cx, struct itxn *t, struct cell_id id, bool *damaged);
/// Notes octets of a body in a bulk segment, which keeps that segment.
[[nodiscard]] enum ec apply_bulk(struct cx *cx, struct itxn *t, struct body_ref ref);
/// Notes that commits of a cell are missing before `version`.
[[nodiscard]] enum ec apply_gap(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t version);
/// Forgets at most `most` outcomes that are older than OPERATION_KEPT_S.
[[nodiscard]] enum ec apply_expire(struct cx *cx, struct itxn *t, uint64_t now_s, unsigned most);

[[nodiscard]] enum ec applied_put(struct cx *cx, struct itxn *t, const struct applied *a);
/// errors: E_NOTFOUND (nothing applied yet), E_CORRUPT, E_IO.
[[nodiscard]] enum ec applied_get(struct cx *cx, struct itxn *t, struct applied *out);
