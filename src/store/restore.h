#pragma once
/// restore — bringing a backup (backup.h) back into a folder without segments.
///
/// The files that the manifest lists are copied under other names, compared with its checksums, and named at the end;
/// no program opens the store before, and no other restore begins. B5 (backup.h): a restore that fails leaves no
/// segments behind.
///
/// Blocking; files only.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "store/copy.h"
#include "store/manifest.h"

struct restore {
	int from;              // the backup's *.seg
	struct copy_target to; // the data folder
	struct manifest list;
	size_t next;                   // file to be looked at
	struct copy_count count;       // of the files, and of their octets
	struct manifest_names damaged; // files that are not what was backed up
	struct manifest_names before;  // files that were damaged in the store already
	uint64_t left_out;             // of them, those of which nothing can be read
	struct copy file;              // under way
	bool anyway;                   // what is damaged, too
};

/// Looks at a backup that is to be brought back into a folder without segments.
/// in: anyway — with `damaged` files, as far as they can be read.
/// errors: E_NOTFOUND (no complete backup there), E_EXISTS (the folder has segments), E_CONFLICT (another restore into
/// it is under way), E_CORRUPT (the manifest), E_IO, E_TEMP.
[[nodiscard]] enum ec restore_begin(struct cx *cx, const char *dir, const char *data, bool anyway, struct restore *out);
/// Copies some of it. out: *more — false once all is there. errors: E_FULL, E_IO, E_CORRUPT (a file is not what the
/// manifest says).
[[nodiscard]] enum ec restore_step(struct cx *cx, struct restore *r, bool *more);
/// After the last step: the files get their names, and the next start raises what clients may have seen since (mend.h).
[[nodiscard]] enum ec restore_finish(struct cx *cx, struct restore *r);
/// Takes a restore back that did not come to its end.
void restore_undo(struct restore *r);
void restore_end(struct restore *r);
