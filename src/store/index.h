#pragma once
/// index — how to find what the log says: ordered tables in LMDB. Can be thrown away and made again from the log.
///
/// index.c is the only file that includes lmdb.h; it translates LMDB's codes and owns the retries (map full, readers
/// full). Reading transactions from any thread; the writing one only from the writer's thread, one at a time.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "base/sl.h"

enum index_table {
	T_CELL,    // account be64 | name be64 → struct cell_row | head
	T_KEY,     // account be64 | name be64 | key → value
	T_OP,      // operation id → time le64 | outcome
	T_OP_TIME, // time be64 | operation id → nothing
	T_META,    // 1 octet → applied position, counters
	T_SEGMENT, // id be32 → octets of bodies le64 (bulk segments with a body that the log names)
	T_DAMAGE,  // account be64 | name be64 → version at the gap le64 | key up to which an image mended it
	T_COUNT
};

struct index;
struct itxn; // a transaction

#ifndef INDEX_MAP_LOG2 // meson.build has the exception
#define INDEX_MAP_LOG2 40
#endif
/// The map of an index where nobody asks for another: 1 TiB, more than it ever becomes.
static const uint64_t index_map_octets = 1ull << INDEX_MAP_LOG2;

/// Opens or makes the index in the folder `path`.
/// in: map_octets (0: index_map_octets). errors: E_CORRUPT (throw it away), E_IO, E_FULL.
[[nodiscard]] enum ec index_open(
	struct cx *cx, const char *path, uint64_t map_octets, unsigned readers_max, struct index **out);
void index_close(struct index *ix); // accepts NULL

/// Begins reading. errors: E_TEMP (all reader slots in use), E_IO.
[[nodiscard]] enum ec index_read(struct cx *cx, struct index *ix, struct itxn **out);
/// Begins writing. errors: E_IO.
[[nodiscard]] enum ec index_write(struct cx *cx, struct index *ix, struct itxn **out);
/// Commits; the transaction is gone even where this fails. errors: E_FULL, E_IO.
[[nodiscard]] enum ec itxn_commit(struct cx *cx, struct itxn *t);
/// Ends without effect (also a reading one). Accepts NULL.
void itxn_abort(struct itxn *t);

/// Reads one row; *value is borrowed until the next change or the end of the transaction.
/// errors: E_NOTFOUND (without a story), E_IO, E_CORRUPT.
[[nodiscard]] enum ec index_get(struct cx *cx, struct itxn *t, enum index_table table, struct sl key, struct sl *value);
/// Writes one row. errors: E_FULL (map full: see index_mend), E_TOOBIG (key), E_IO.
[[nodiscard]] enum ec index_put(struct cx *cx, struct itxn *t, enum index_table table, struct sl key, struct sl value);
/// Removes one row; a missing one is fine.
[[nodiscard]] enum ec index_del(struct cx *cx, struct itxn *t, enum index_table table, struct sl key);
/// Removes all rows with keys from `from` on whose key begins with `prefix` and is below `to` (empty: no bound).
[[nodiscard]] enum ec index_del_range(
	struct cx *cx, struct itxn *t, enum index_table table, struct sl from, struct sl to, struct sl prefix);
/// Walks rows from key `from` on while keys begin with `prefix`; stops where `each` gives false.
typedef bool index_each(void *arg, struct sl key, struct sl value);
[[nodiscard]] enum ec index_scan(struct cx *cx, struct itxn *t, enum index_table table, struct sl from,
	struct sl prefix, index_each *each, void *arg);

/// After a failed write was aborted: makes the map larger where it was full, opens the index anew where it is broken;
/// both wait up to a second for readers to end. Does nothing where nothing of that kind is known.
/// errors: E_TEMP (readers did not end), E_FULL (the address space does not hold more), E_IO, E_CORRUPT.
[[nodiscard]] enum ec index_mend(struct cx *cx, struct index *ix);
/// True since a write found the map full, until index_mend.
bool index_is_map_full(const struct index *ix);
/// Octets of the index file in use.
uint64_t index_octets(struct index *ix);
/// Writes a copy of one moment of the index to an empty file, while reading and writing go on.
/// errors: E_FULL, E_TEMP, E_IO.
[[nodiscard]] enum ec index_copy(struct cx *cx, struct index *ix, int fd);
/// Flushes the index to the disk (a clean stop). errors: E_IO.
[[nodiscard]] enum ec index_flush(struct cx *cx, struct index *ix);
