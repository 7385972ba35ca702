#pragma once
/// cell — the store's engine: cells, blobs and one writer, above the log and the LMDB index.
///
/// A cell is a head (≤ CELL_HEAD_MAX octets) and an ordered map of keys to values, with a version. A commit names the
/// version it was made from, is all-or-nothing for its cell, and makes version + 1. No rule needs a transaction
/// over two cells. Everything above (mailboxes, accounts, queue) is written against this header alone, so that another
/// engine (RADOS) can stand below it.
///
/// Threads: readers (`view_…`, `blob_get`) from any thread, each view used by one thread; changes only inside a job,
/// on the writer's thread. No fibers in here: calls block.
/// The order in which a commit becomes durable is at the head of writer.c; invariants S1… in docs/FORMAT.md.
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/cx.h"
#include "base/fair.h"
#include "base/sl.h"

enum {
	CELL_HEAD_MAX = 4096,
	CELL_KEY_MAX = 480,        // LMDB's 511 less the cell's own prefix
	CELL_VALUE_MAX = 65536,    // one value
	BLOB_INLINE_MAX = 1 << 20, // larger bodies go to bulk segments
	OUTCOME_MAX = 64,          // octets of answer kept with an operation id
	OPERATION_KEPT_S = 600,    // how long an outcome is remembered
};

struct store; // the engine of one data directory
struct view;  // one consistent reading of it
struct txn;   // the writer's batch under construction, seen by a job
struct blob;  // a body's octets on their way in: private, checksummed

/// Names a cell. account 0 is the installation itself (directory, later the queue's shards).
struct cell_id {
	uint64_t account, name;
};
struct op_id {
	uint8_t octets[16]; // all zero: no operation id
};
/// A body's address, for ever: birth segment and offset of its record; `octets` is the raw body length.
struct body_ref {
	uint64_t at; // segment << 32 | offset
	uint32_t octets;
};

/// Names the bodies that one row keeps: calls `each` for them. Pure; called for rows of all cells.
/// in: now_s — rows that keep a body for some time only judge by it.
typedef void body_each(void *arg, struct body_ref ref);
typedef void row_bodies(struct cell_id id, struct sl key, struct sl value, int64_t now_s, body_each *each, void *arg);

struct store_conf {
	struct sl dir;            // DIR/data; made with mode 0700 where missing
	uint64_t segment_octets;  // 0 = 256 MiB; tests use small ones
	uint64_t map_octets;      // LMDB map; 0 = 1 TiB
	uint64_t free_min_octets; // deliveries are refused below this much free space (E_FULL); 0 = 1 GiB
	unsigned flush_lazy_ms;   // how long a change that need not be durable at once may wait; 0 = 100
	unsigned readers_max;     // views open at a time; 0 = 64
	row_bodies *bodies;       // without it nothing is ever compacted
	int64_t hurry_s;          // on a low disk rows are judged as of so much later: what they keep goes sooner
	bool keep;                // a thread takes snapshots, writes images and compacts
	/// Called by that thread before it compacts: the layer above lets go of what it keeps for a time only.
	enum ec (*sweep)(struct cx *cx, struct store *s);
};

/// Opens (or makes) a store: takes the data lock, replays the log into the index, starts the writer.
/// errors: E_EXISTS (another process holds the lock; cx says which pid), E_CORRUPT (cx says which file and what to do),
/// E_UNSUPPORTED (made by a later version), E_IO, E_FULL.
[[nodiscard]] enum ec store_open(struct cx *cx, const struct store_conf *conf, struct store **out);
/// Finishes submitted jobs, flushes, marks a clean stop, closes. Accepts NULL.
void store_close(struct store *s);

// ---- reading

/// Opens a view: all reads through it see one moment. Close it soon (milliseconds): an open view pins index pages.
/// errors: E_TEMP (all reader slots in use), E_IO.
[[nodiscard]] enum ec view_open(struct cx *cx, struct store *s, struct view **out);
void view_close(struct view *v); // accepts NULL
/// Inside a job: reading through the writer's own uncommitted batch. Not closed by the caller.
struct view *txn_view(struct txn *t);

/// The head of a cell and its version. out: *head borrowed until the view closes (in a job: until the next commit).
/// errors: E_NOTFOUND (no such cell), E_CORRUPT, E_IO.
[[nodiscard]] enum ec cell_head(struct cx *cx, struct view *v, struct cell_id id, uint64_t *version, struct sl *head);
/// One value. Borrowed as for cell_head. errors: E_NOTFOUND, E_CORRUPT, E_IO.
[[nodiscard]] enum ec cell_get(struct cx *cx, struct view *v, struct cell_id id, struct sl key, struct sl *value);

/// Walks keys of one cell in octet order from `from` (inclusive). Return false from `each` to stop early.
typedef bool cell_each(void *arg, struct sl key, struct sl value);
[[nodiscard]] enum ec cell_scan(
	struct cx *cx, struct view *v, struct cell_id id, struct sl from, cell_each *each, void *arg);
/// Walks cells from `from` on in order of (account, name). Return false from `each` to stop early.
/// errors: E_CORRUPT — cells whose row cannot be read were passed over; E_IO.
typedef bool cell_each_cell(void *arg, struct cell_id id, uint64_t version, struct sl head);
[[nodiscard]] enum ec cell_scan_cells(
	struct cx *cx, struct view *v, struct cell_id from, cell_each_cell *each, void *arg);

/// Copies body octets [off, off + sum of iov lengths) of `ref` into iov; checks nothing that cannot be checked
/// for a part; whole 64 KiB pieces
/// that are read completely are verified against their CRC. errors: E_NOTFOUND (no such body), E_CORRUPT (cx
/// names segment and offset), E_RANGE, E_IO.
[[nodiscard]] enum ec blob_get(
	struct cx *cx, struct store *s, struct body_ref ref, uint64_t off, const struct iovec *iov, int n);
/// Verifies the whole body against its CRCs. errors as blob_get.
[[nodiscard]] enum ec blob_check(struct cx *cx, struct store *s, struct body_ref ref);

/// How many places of the log starts found damaged or missing, and files named .lost: the newest changes of any cell
/// may have stood there. The same number after the same log was read anew.
uint64_t store_damage(const struct store *s);
/// What whoever tells versions to clients adds to them. It grows by 2^20 with each start after an unclean stop of the
/// machine, which may have lost the newest changes that were not flushed yet, and with each that passes over damage: no
/// version told before it is told again for another one.
uint64_t store_version_raise(const struct store *s);
/// Whether the log came from a backup: clients may know of changes that it does not hold.
bool store_is_restored(const struct store *s);
/// What that asks for was done, durably. errors: E_IO.
[[nodiscard]] enum ec store_restored_done(struct cx *cx, struct store *s);
/// Segments that the log names and that this start did not find, in no pack either: their mail is lost, as is what
/// stood in others that only they name. out: borrowed; at most STORE_MISSING_MAX, the newest.
enum { STORE_MISSING_MAX = 16 };
size_t store_missing(const struct store *s, const uint32_t **segments);
/// Calls `each` for every cell with missing commits (damage in the log); version: the one behind the newest gap.
[[nodiscard]] enum ec store_damaged_cells(struct cx *cx, struct view *v, cell_each_cell *each, void *arg);

// ---- bodies on their way in (any thread)

/// Octets of the disk that are free above the reserve (free_min_octets) now.
uint64_t store_free_room(const struct store *s);

/// Begins a body. Up to BLOB_INLINE_MAX octets stay in memory and go into the batch; more stream into a bulk segment.
[[nodiscard]] enum ec blob_new(struct cx *cx, struct store *s, struct blob **out);
/// Copies `octets` to private memory first, then checksums (the source may be written by others meanwhile).
/// errors: E_FULL, E_IO, E_TEMP; the blob is then only good for blob_free.
[[nodiscard]] enum ec blob_add(struct cx *cx, struct blob *b, struct sl octets);
/// Sends what is in memory to the bulk segment and gives the memory back: a body that waits for its next octets costs
/// a descriptor. errors: as blob_add.
[[nodiscard]] enum ec blob_rest(struct cx *cx, struct blob *b);
uint64_t blob_octets(const struct blob *b);
/// What has been added, where it is still in memory (inline); E_NOTFOUND for a bulk one.
void blob_free(struct blob *b); // accepts NULL; a blob already put stays stored

// ---- changing (jobs)

/// A unit of work for the writer. The struct lives on the heap of the submitter until `done` was called.
struct job {
	struct fair_node turn; // the writer's own
	/// Runs on the writer's thread inside a batch; reads through txn_view(t), commits cells with change_…. It
	/// must be repeatable: where the log write of its batch fails it is run again in a new one. Its result goes to
	/// `done`. Where it fails, nothing of what it did in the batch stays.
	enum ec (*run)(struct cx *cx, struct txn *t, struct job *job);
	/// Called on the writer's thread once the batch is in the log (flushed where any job in it was durable) and
	/// committed to the index, or has failed and is in neither. Must not block. Where the index cannot be committed
	/// for 10 seconds (a full disk) an E_OK comes before views show the change.
	void (*done)(struct job *job, enum ec e);
	void *arg;
	bool durable; // flushed before `done`; otherwise within flush_lazy_ms
	bool frees;   // allowed on the reserve when the disk is full (expunge)
	uint64_t who; // whoever keeps the writer busy takes turns behind the others (burden.h); 0 = nobody
	// below: the writer's own
	struct job *next;
	enum ec result;
	int64_t submitted_ns;
};
/// Queues a job. Any thread. Never fails; after store_close began `done` gets E_CLOSED.
void store_submit(struct store *s, struct job *job);
/// Submits and waits (the keeper, checks, tests): returns what `run` or the batch gave.
enum ec store_do(struct cx *cx, struct store *s, bool durable, enum ec (*run)(struct cx *, struct txn *, struct job *),
	void *arg);
/// The same for a job that gives room back, or without which nothing can: the reserve of a full disk is for such, too.
enum ec store_free(struct cx *cx, struct store *s, bool durable,
	enum ec (*run)(struct cx *, struct txn *, struct job *), void *arg);

/// Puts the body into this batch (once; a second call gives the same ref). errors: E_FULL, E_IO.
[[nodiscard]] enum ec blob_put(struct cx *cx, struct txn *t, struct blob *b, struct body_ref *ref);

/// A commit under construction: operations are collected and applied by change_commit, so that reads in between still
/// see the cell as it was. Sticky error: append, check once at commit. Reusable memory belongs to the txn.
struct change;
/// Begins a change of a cell. `expect` is the version read before (0 = the cell must not exist).
struct change *change_begin(struct txn *t, struct cell_id id, uint64_t expect);
void change_head(struct change *c, struct sl head);
void change_put(struct change *c, struct sl key, struct sl value);
void change_del(struct change *c, struct sl key); // a missing key is fine
/// Overwrites octets [off, off + n) of a value, which grows with zeros where needed (made where missing). Logs
/// only these octets.
void change_patch(struct change *c, struct sl key, uint32_t off, struct sl octets);
/// Drops the whole cell with all its keys (instead of other operations). Its name is never used again.
void change_drop(struct change *c);
/// Applies everything to the batch: all or nothing. With an operation id the outcome is kept OPERATION_KEPT_S.
/// out: *version — the cell's new version.
/// errors: E_CONFLICT (version is not `expect`), E_TOOBIG (head, key or value limits), E_FULL, E_TEMP, E_IO.
[[nodiscard]] enum ec change_commit(
	struct cx *cx, struct change *c, const struct op_id *op, struct sl outcome, uint64_t *version);
/// Throws a change away without effect.
void change_drop_all(struct change *c);

/// Whether an operation id was committed in the last 10 minutes. out: *outcome as given to change_commit,
/// borrowed like cell_head.
/// errors: E_NOTFOUND.
[[nodiscard]] enum ec op_outcome(struct cx *cx, struct view *v, const struct op_id *op, struct sl *outcome);

/// Called on the writer's thread after each commit batch, for every cell that changed (notifications are hints).
typedef void store_watch(void *arg, struct cell_id id, uint64_t version);
/// Once it returns the one before is not being called and never will be. Not from within a watch.
void store_set_watch(struct store *s, store_watch *fn, void *arg);

/// Begins, or goes on with, a copy of the folder by somebody else: for STORE_HOLD_S no file of the log is removed. With
/// `roll` the segment that is being written is sealed. out: segment — of the log: what is before it stays as it is;
/// files — another number whenever files may have gone since an earlier call, also by a process before this one.
/// errors: E_TEMP (compaction is under way: ask again), E_FULL, E_IO.
enum { STORE_HOLD_S = 60 };
struct store_held {
	uint32_t segment;
	uint64_t files;
};
[[nodiscard]] enum ec store_hold(struct cx *cx, struct store *s, bool roll, struct store_held *out);

/// How compaction goes, and what the last one came to.
struct store_compaction {
	bool running;
	uint64_t done, total;             // octets looked at, while it runs
	uint64_t runs;                    // ended since the store was opened
	enum ec result;                   // of the last one
	uint64_t segments, packs;         // gone, made
	uint64_t octets_gone, octets_new; // of files
	uint64_t damaged;                 // segments left alone because something in them is damaged
};
/// Has the keeper compact everything that holds anything dead, as soon as it is free. Any thread.
/// errors: E_UNSUPPORTED (opened without `keep`).
[[nodiscard]] enum ec store_compact(struct cx *cx, struct store *s);
void store_get_compaction(struct store *s, struct store_compaction *out);

struct store_stats {
	uint64_t batches, jobs, flushes, log_octets, segments, bodies, index_octets, free_octets;
	uint64_t applied_lsn, durable_lsn;
	uint32_t applied_segment;
	bool read_only;
};
void store_get_stats(struct store *s, struct store_stats *out);
