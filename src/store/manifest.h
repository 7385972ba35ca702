#pragma once
/// manifest — the list of what is in a backup: the file `manifest`, written last and read first.
///
///   hongyan-backup 2
///   store 0a1b2c3d4e5f6071                                whose backup it is; 0: an earlier program wrote the store
///   00000001.seg 4096 1700000000000000000 0a1b2c3d        name, octets, time of its last change in the store, CRC
///   00000002.seg 8192 1700000000000000000 0a1b2c3d damaged   it was so in the store already
///   end 2
///
/// Version 1 had no second line and no damage; it is still read.
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"
#include "store/segfile.h"

/// What is to be done about one file.
enum backup_todo {
	TODO_COPY,
	TODO_THERE,   // it is in the backup as it is in the store
	TODO_COMPARE, // it should not have changed: which of the two is good?
	TODO_READ,    // as TODO_THERE; what it names is compared with bulk segments that are copied
	TODO_KEEP,    // what is in the backup is better than what the store has
	TODO_LEAVE_OUT,
};

struct backup_file {
	char name[SEG_NAME];
	uint64_t octets, changed_ns;
	uint32_t crc;
	bool damaged;
	bool bulk; // may be cut off, or go, behind the bodies that are finished in it
	enum backup_todo todo;
	uint64_t old_octets, old_changed_ns; // TODO_COMPARE: as the last backup had it
	uint32_t old_crc;
	uint64_t end;   // bulk: behind the last body of the copy
	uint64_t fixed; // TODO_COMPARE: octets from the beginning that never change
};

enum { MANIFEST_OCTETS_MAX = 64 << 20 };

struct manifest {
	uint64_t store;   // 0 = unknown
	struct buf files; // struct backup_file
};

#define MANIFEST_NEW ((struct manifest){ .files = BUF(((size_t)1 << 20) * sizeof(struct backup_file)) })
size_t manifest_count(const struct manifest *m);
struct backup_file *manifest_at(const struct manifest *m, size_t i);
/// errors: E_TEMP.
[[nodiscard]] enum ec manifest_add(struct cx *cx, struct manifest *m, const struct backup_file *f);
/// Takes one out; the order of the others stays.
void manifest_leave_out(struct manifest *m, size_t i);
void manifest_sort(struct manifest *m);
/// In a sorted one; NULL where it is not listed. in: name — with its NUL.
struct backup_file *manifest_find(const struct manifest *m, const char *name);
/// The id of a listed segment.
uint32_t manifest_id(const struct backup_file *f);
/// Reads a folder's manifest. in: *out — MANIFEST_NEW. errors: E_NOTFOUND, E_CORRUPT, E_IO, E_TEMP.
[[nodiscard]] enum ec manifest_read(struct cx *cx, int dir, struct manifest *out);
/// Appends the text. b->err tells where there was no memory.
void manifest_print(const struct manifest *m, struct buf *b);

/// Files that are to be told of.
struct manifest_names {
	uint64_t n;
	struct buf text; // their names, a blank before each; what does not fit is counted
};

#define MANIFEST_NAMES_NEW ((struct manifest_names){ .text = BUF(1 << 20) })
void manifest_note(struct manifest_names *names, const char *name);
