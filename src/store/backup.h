#pragma once
/// backup — copying the log of a store into another folder; restore.h brings it back.
///
///   DIR/log/%08x.seg   the segments as they are
///   DIR/manifest       what is in the backup: manifest.h
///
/// Segments hardly ever change, so a second backup into the same folder copies what is new. Every file is flushed and
/// renamed into place, the manifest last: a backup without one is not complete, and one that was interrupted leaves the
/// backup before it as good as it was, but for bulk segments that had grown.
///
/// B1 A backup never makes the one before it worse. What the store has lost, set aside, or has otherwise than it was,
///    stays in DIR as it is, and is told (`kept`). Behind its finished bodies a bulk segment may grow or be cut off;
///    one without any may go. Where a section of a pack is damaged in the store, what it stands for stays instead of
///    it, if DIR has all of that (standin.h).
/// B2 A file is removed from DIR only behind the new manifest, and only where packs that are whole stand for it.
/// B3 Another store's segments, or another life's of the same one, are never mixed with those in DIR: it is refused.
/// B4 What comes into DIR is read and verified there, bulk segments also against what the log names in them; what was
///    damaged already is told, by each backup (`damaged`). Where the store's disk does not give all of a file, zeros
///    stand for the rest.
/// B5 A restore that fails leaves no segments behind.
/// B6 Nothing is written through a link in DIR, and nothing into a folder that others than its owner may write to.
///
/// Blocking; files only. The store is held meanwhile (store_hold, cell.h): where that says other `files` at the end
/// than before the listing, what was copied is no backup.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "store/copy.h"
#include "store/inventory.h"
#include "store/manifest.h"

struct backup {
	int from;                      // *.seg of the store
	struct copy_target to;         // DIR
	struct manifest list;          // of the new backup
	struct manifest gone;          // of the last one: what the store has no more
	bool holes;                    // some of that is nowhere
	struct inventory stock;        // the store's segments
	size_t next;                   // file to be looked at
	struct copy_count count;       // of the files, and of their octets
	struct manifest_names kept;    // B1
	struct manifest_names damaged; // B4
	struct copy file;              // under way; comparing: `out` is the backup's
	bool differs;                  // in what never changes
	uint32_t segment;              // what is begun from here on is left out
	bool verify;                   // compare what is there already, too
};

/// Looks at what is to be copied. in: data — a store's folder; dir — the backup's; segment — as store_hold said: log
/// and bulk segments from there on are left out; verify — read what is there already, in the store and in the backup.
/// errors: E_NOTFOUND (no store there), E_EXISTS (B3), E_DENIED (B6), E_CORRUPT (the manifest of an earlier backup:
/// nothing is known of what is there), E_IO, E_TEMP. Nothing in DIR has changed then.
[[nodiscard]] enum ec backup_begin(
	struct cx *cx, const char *data, const char *dir, uint32_t segment, bool verify, struct backup *out);
/// Copies some of it. out: *more — false once all is there. errors: E_FULL, E_IO, E_NOTFOUND (a file went meanwhile),
/// E_CORRUPT (a file has become shorter).
[[nodiscard]] enum ec backup_step(struct cx *cx, struct backup *b, bool *more);
/// After the last step: writes the manifest and removes what packs stand for.
[[nodiscard]] enum ec backup_finish(struct cx *cx, struct backup *b);
void backup_end(struct backup *b);
