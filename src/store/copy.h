#pragma once
/// copy — what a backup and a restore have in common: the folder that is written to, and one file under way into it.
///
/// Blocking; files only. Nothing is written through a link: what has the name of a new file goes first.
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cx.h"
#include "store/segfile.h"

enum { COPY_STEP_OCTETS = 1 << 20, COPY_NEW_NAME = SEG_NAME + 8 };

/// The folder that is written to.
struct copy_target {
	int dir, log; // the folder itself, and its *.seg
	bool give;    // started by root in somebody's folder: files are his
	uid_t uid;
	gid_t gid;
};

/// How far it all is.
struct copy_count {
	uint64_t done, total;   // octets, of all files
	uint64_t files, octets; // what was not there yet
};

/// One file under way.
struct copy {
	int in, out;
	uint64_t at;
	uint32_t crc;
};

#define COPY_TARGET_NEW ((struct copy_target){ .dir = -1, .log = -1 })
#define COPY_NEW        ((struct copy){ .in = -1, .out = -1 })

/// Opens a folder, or one in it (`sub`, which is no link; NULL for none). in: make — it is made where there is none.
/// errors: E_NOTFOUND, E_TOOBIG, E_FULL, E_IO.
[[nodiscard]] enum ec copy_folder(struct cx *cx, const char *path, const char *sub, bool make, int *out);
/// Makes a file, also for reading, in one of the target's folders. errors: E_FULL, E_IO.
[[nodiscard]] enum ec copy_make(struct cx *cx, const struct copy_target *t, int dir, const char *name, int *out);
/// What root writes into somebody's folder is his. errors: E_IO.
[[nodiscard]] enum ec copy_give(struct cx *cx, const struct copy_target *t, int fd);
/// Writes a small file into the target, durably and as a whole. errors: E_FULL, E_IO.
[[nodiscard]] enum ec copy_put(struct cx *cx, const struct copy_target *t, const char *name, struct sl text);
void copy_target_end(struct copy_target *t);

/// The name of a segment's file while it is written.
void copy_new_name(const char *name, char out[static COPY_NEW_NAME]);
/// The octets of a file; 0 where there is none.
uint64_t copy_size(int dir, const char *name);
/// Opens a file for reading; `dir` may be somebody else's. errors: E_NOTFOUND, E_CORRUPT (no regular file, or the
/// disk does not give it), E_IO, E_TEMP.
[[nodiscard]] enum ec copy_open(struct cx *cx, int dir, const char *name, int *out);
/// Copies the next octets, up to `end`; where a sector cannot be read, or no file is open to read, zeros.
/// errors: E_RANGE (the file ends before), E_FULL, E_IO (of writing), E_TEMP.
[[nodiscard]] enum ec copy_some(struct cx *cx, struct copy *c, uint64_t end);
/// Makes c->crc anew from what was written. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec copy_read_again(struct cx *cx, struct copy *c);
void copy_close(struct copy *c);
