#pragma once
/// journal — the log as it is written: appends batches to the newest segment, flushes, rolls, and starts anew after a
/// failed write or flush. (Named so that nobody takes it for base/log.h, which prints lines for people.)
///
/// The writer's thread only. A failed write or flush is never tried again on the same file: `journal_restart` makes a
/// new segment that takes over where the last durable batch ended, and writes again what was not durable yet.
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/disk.h"
#include "store/segment.h"

enum {
	JOURNAL_KEPT_MAX = 8 << 20, // octets of lazy batches kept for a restart; what would pass it is flushed at once
	JOURNAL_RESERVES = 2,       // segments kept back for work that frees space
};

struct journal_pos {
	uint32_t segment;
	uint64_t at, lsn, chain;
};

struct journal {
	const struct disk *disk;
	int dir;
	uint64_t segment_octets;
	_Atomic uint32_t *next_id; // shared with bulk segments
	uint64_t raise;
	uint64_t store; // its number
	int fd;         // -1: no segment can be written; journal_restart is due
	struct seg_head head;
	struct journal_pos end;     // where the next batch goes
	struct journal_pos durable; // everything up to here is on disk
	struct buf kept;            // the batches behind `durable`, written but not flushed
	struct journal_pos kept_at; // where they stand
	struct hash_key kept_nonce;
	unsigned reserves;
	uint64_t flushes, written, made; // for statistics
};

/// A batch ready to be written at journal->end.
struct journal_batch {
	struct iovec *iov; // changed by writing
	size_t n;
	uint64_t octets, lsn, chain;
	struct sl small; // the same octets, for a batch without bodies; only these may be written without a flush
};

/// A log that is not open yet, whose reserve can be given already.
void journal_init(
	struct journal *j, const struct disk *disk, int dir, uint64_t segment_octets, _Atomic uint32_t *next_id);
/// Begins a new segment behind `last`, on a full disk in the reserve of an earlier run. errors: E_FULL, E_IO, E_TEMP.
[[nodiscard]] enum ec journal_open(struct cx *cx, struct journal *j, struct journal_pos last);
/// Writes a batch and, where `flush`, everything up to it through to the disk. After an error journal_restart is due.
[[nodiscard]] enum ec journal_append(struct cx *cx, struct journal *j, struct journal_batch *b, bool flush);
/// Flushes what is written. After an error journal_restart is due.
[[nodiscard]] enum ec journal_flush(struct cx *cx, struct journal *j);
/// Seals the present segment where it is full, or holds anything and `anyhow`, and begins a new one. After an error
/// journal_restart is due, unless j->fd says that the present segment goes on: there was no other to be had, `anyhow`.
[[nodiscard]] enum ec journal_roll(struct cx *cx, struct journal *j, bool anyhow);
/// Leaves the failed segment: makes a new one behind the durable end (from the reserve where `frees`), writes
/// again what was acknowledged but not durable, and flushes it. errors: E_FULL, E_IO, E_TEMP; it may be called again.
[[nodiscard]] enum ec journal_restart(struct cx *cx, struct journal *j, bool frees);
/// Makes the reserve segments that are missing, as far as the disk has room.
void journal_fill_reserve(struct journal *j);
/// Gives a reserve segment's room to whoever needs it now; false where none is left.
bool journal_give_reserve(struct journal *j);
/// Flushes, seals and closes. errors: E_IO (what was not durable may be lost by a machine stop).
[[nodiscard]] enum ec journal_close(struct cx *cx, struct journal *j);
