#pragma once
/// apply — what a commit does to the index; the same code for a live batch and for start.
///
/// The writer's thread only (or start, before there is one).
#include <stdint.h>

#include "store/cell.h"
#include "store/index.h"
#include "store/journal.h"

enum { CELL_KEY_PREFIX = 16 };

/// How far the index has got, kept in the index itself.
struct applied {
	struct journal_pos pos;
	uint64_t durable_lsn; // known when it was written
	uint64_t bodies;      // stored so far
};

/// One commit as logged.
struct commit {
	struct cell_id id;
	uint64_t version;
	struct op_id op;
	uint64_t time_s;
	struct sl ops, outcome;
};

/// The index key of a cell; keys of its map begin with it.
void cell_key(struct cell_id id, uint8_t out[static CELL_KEY_PREFIX]);
struct cell_id cell_of_key(struct sl key);
bool op_is_set(const struct op_id *op);

/// The version of a cell, 0 where there is none. errors: E_IO, E_CORRUPT.
[[nodiscard]] enum ec apply_version(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t *version);
/// Applies a commit whose version was checked. errors: E_CORRUPT (malformed operations), E_FULL, E_TEMP, E_IO; after an
/// error the transaction must be aborted.
[[nodiscard]] enum ec apply_commit(struct cx *cx, struct itxn *t, const struct commit *c);
/// Notes octets of a body in a bulk segment, which keeps that segment.
[[nodiscard]] enum ec apply_bulk(struct cx *cx, struct itxn *t, struct body_ref ref);
/// Notes that commits of a cell are missing before `version`.
[[nodiscard]] enum ec apply_gap(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t version);
/// Forgets at most `most` outcomes that are older than OPERATION_KEPT_S.
[[nodiscard]] enum ec apply_expire(struct cx *cx, struct itxn *t, uint64_t now_s, unsigned most);

[[nodiscard]] enum ec applied_put(struct cx *cx, struct itxn *t, const struct applied *a);
/// errors: E_NOTFOUND (nothing applied yet), E_CORRUPT, E_IO.
[[nodiscard]] enum ec applied_get(struct cx *cx, struct itxn *t, struct applied *out);
