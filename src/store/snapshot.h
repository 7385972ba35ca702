#pragma once
/// snapshot — flushed copies of the index, from which a start goes on where the index itself cannot be trusted.
///
/// DIR/snapshot/%016x.mdb: the copy, then a trailer with its CRC and what it holds. It is good once the log is durable
/// through its LSN, so it gets its name only then; a crash before leaves copy.new, which the next one replaces.
/// The newest two are kept.
/// Threads: snapshot_take by one thread at a time beside the writer; the others at start.
#include "store/engine.h"

enum { SNAPSHOTS_KEPT = 2 };

struct snapshot {
	uint64_t number;
	uint64_t octets;  // of the copy
	uint64_t lsn;     // it holds no batch behind this one
	uint32_t segment; // of the log: what it has not applied stands in this segment or behind it
	uint32_t crc;     // of the copy
	uint64_t made_s;
};

/// Reads what the trailers say, newest first. Files that are no snapshots are left alone.
/// out: *n of at most SNAPSHOTS_KEPT. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec snapshot_list(struct cx *cx, const struct store *s, struct snapshot *out, size_t *n);
/// Copies the index, waits until the log is durable as far, gives the copy its name and removes older ones.
/// yields: it blocks for as long as writing takes, and up to the flush of lazy changes.
/// errors: E_FULL (nor where hardly anything would be left of the disk), E_IO, E_TEMP (the log did not become durable);
/// then the older ones are still there.
[[nodiscard]] enum ec snapshot_take(struct cx *cx, struct store *s);
/// Removes them all, as far as that can be done: the operator does not trust them.
void snapshot_remove_all(const struct store *s);
/// Puts a copy in the place of the closed index. errors: E_CORRUPT (it does not prove itself), E_FULL, E_IO.
[[nodiscard]] enum ec snapshot_install(struct cx *cx, const struct store *s, const struct snapshot *snap);
