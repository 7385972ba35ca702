#pragma once
/// batch — the octets of one batch under construction: BEGIN, records, END, with pointers to bodies that stay where
/// they are.
///
/// Sticky error: append, check at batch_end. Reused from batch to batch. The writer's thread only.
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "store/journal.h"

/// What one batch may hold. Jobs are taken until half of it is used, so each finds the other half: more than the two
/// commits of the largest MOVE (COPY_MAX messages) or a delivery to DELIVER_TARGETS_MAX.
enum { BATCH_OCTETS_MAX = 64 << 20 };

struct batch {
	struct buf small; // all records without the octets of bodies
	struct batch_body *bodies;
	size_t n, cap;
	struct iovec *iov;
	size_t iov_cap;
	uint64_t octets, lsn, chain, time_s;
	uint64_t chain_before, records;
	uint64_t body_count;
	uint64_t at; // of BEGIN in its segment
	uint32_t segment;
	struct hash_key nonce;
	enum ec err;
};

/// Starts a batch that will be written at the journal's end.
void batch_begin(struct batch *b, const struct journal *j, uint64_t time_s);
/// False from where on no further job is taken.
bool batch_takes_jobs(const struct batch *b);
/// E_TOOBIG where so many octets more would pass BATCH_OCTETS_MAX. Ask before adding a commit or a body.
[[nodiscard]] enum ec batch_check_room(struct cx *cx, const struct batch *b, uint64_t octets);
/// Adds a commit. `ops` as printed by op_encode.
void batch_commit(
	struct batch *b, struct cell_id id, uint64_t version, const struct op_id *op, struct sl ops, struct sl outcome);
/// Adds a part of an image: `range` as printed by op_encode, then `ops`.
void batch_image(struct batch *b, struct cell_id id, uint64_t version, const struct image_sums *sums, struct sl range,
	struct sl ops);
/// Adds a body, which must stay where it is until the batch is written, with its CRC table; gives its address.
struct body_ref batch_blob(struct batch *b, struct sl body, struct sl table);
/// Adds the name of a body in a flushed bulk segment.
void batch_bulk(struct batch *b, struct body_ref ref);
/// Ends the batch and prepares it for writing. errors: E_TEMP (memory).
[[nodiscard]] enum ec batch_end(struct batch *b, uint64_t durable_lsn, struct journal_batch *out);
void batch_free(struct batch *b);
