#pragma once
/// backup — copying the log of a store into another folder, and back.
///
///   DIR/log/%08x.seg   the segments as they are
///   DIR/manifest       a line for each: name, octets, time of its last change, CRC; the last line counts them
///
/// Segments hardly ever change, so a second backup into the same folder copies what is new. Every file is flushed and
/// renamed into place, the manifest last: a backup without one is not complete, and one that was interrupted leaves the
/// backup before it as good as it was, but for files that had grown.
/// Bulk segments may grow, be cut off or go meanwhile, but for the bodies that the listed log names.
/// Blocking; files only. The store is held meanwhile (store_hold, cell.h): where that says other `files` at the end
/// than before the listing, what was copied is no backup.
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cx.h"

struct backup {
	int from, to;                   // folders with *.seg; `to` for writing
	int dir;                        // that the manifest is in
	struct buf files;               // struct backup_file
	size_t next;                    // file to be looked at
	uint64_t done, total;           // octets, of all files
	uint64_t copied, copied_octets; // what was not there yet
	uint64_t at;                    // in the file under way
	int in, out;
	uint32_t crc;
	uint32_t segment; // log segments from here on are left out
	bool restoring;
};

/// Looks at what is to be copied. in: data — a store's folder; dir — the backup's; segment — as store_hold said: log
/// segments from there on are left out. errors: E_NOTFOUND (no store there), E_IO, E_TEMP.
[[nodiscard]] enum ec backup_begin(
	struct cx *cx, const char *data, const char *dir, uint32_t segment, struct backup *out);
/// Looks at a backup that is to be brought back into a folder without segments.
/// errors: E_NOTFOUND (no complete backup there), E_EXISTS (the folder has segments), E_CORRUPT (the manifest), E_IO,
/// E_TEMP.
[[nodiscard]] enum ec restore_begin(struct cx *cx, const char *dir, const char *data, struct backup *out);
/// Copies some of it. out: *more — false once all is there. errors: E_FULL, E_IO, E_NOTFOUND (a file went meanwhile),
/// E_CORRUPT (a file has become shorter; restore: one is not what the manifest says).
[[nodiscard]] enum ec backup_step(struct cx *cx, struct backup *b, bool *more);
/// After the last step: writes the manifest and removes files that are in no backup any more.
[[nodiscard]] enum ec backup_finish(struct cx *cx, struct backup *b);
/// After the last step: has the next start raise what clients may have seen since (mend.h).
[[nodiscard]] enum ec restore_finish(struct cx *cx, struct backup *b);
void backup_end(struct backup *b);
