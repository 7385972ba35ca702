#pragma once
/// file — the operator's files: small ones (configuration, certificates, passwords) whole, large ones in place.
#include "base/buf.h"
#include "base/cx.h"

/// Appends the whole file to `b` (whose maximum bounds it). `path` is NUL-terminated. errors: E_NOTFOUND, E_DENIED,
/// E_TOOBIG, E_IO; cx names the path.
[[nodiscard]] enum ec file_read(struct cx *cx, const char *path, struct buf *b);
/// Opens a file that somebody else may have made, for reading: a regular one, never what a link points to, never
/// waiting for a FIFO's writer. in: folder - an open folder or AT_FDCWD. out: *fd, the caller's. errors: E_UNSUPPORTED
/// (a link, or no regular file), E_NOTFOUND, E_DENIED, E_IO; cx names `name`.
[[nodiscard]] enum ec file_open(struct cx *cx, int folder, const char *name, int *fd);
/// As file_read, of an open file; `path` is for the words. in: fd - remains the caller's.
[[nodiscard]] enum ec file_read_fd(struct cx *cx, const char *path, int fd, struct buf *b);
/// Shows a whole file, however large, without reading it to memory. A file that is cut while it is shown ends the
/// program. out: *s, for file_unmap; empty for an empty file. errors: those of file_open.
[[nodiscard]] enum ec file_map(struct cx *cx, const char *path, struct sl *s);
void file_unmap(struct sl s);
/// Writes a new file with `mode`, durably: never overwrites. errors: E_EXISTS, E_DENIED, E_FULL, E_IO; on error no
/// file is left.
[[nodiscard]] enum ec file_create(struct cx *cx, const char *path, unsigned mode, struct sl text);
/// The same in an open folder, where nothing that somebody else puts in the way can lead elsewhere.
[[nodiscard]] enum ec file_create_in(struct cx *cx, int folder, const char *name, unsigned mode, struct sl text);
/// Makes a folder with `mode` where there is none, durably. errors: E_DENIED, E_IO.
[[nodiscard]] enum ec file_folder(struct cx *cx, const char *path, unsigned mode);
/// The same in an open folder, and opens it: never what a link points to. out: *fd, the caller's.
/// errors: E_UNSUPPORTED (a link, or no folder), E_NOTFOUND, E_DENIED, E_IO.
[[nodiscard]] enum ec file_folder_in(struct cx *cx, int folder, const char *name, unsigned mode, int *fd);
/// errno as an error code.
enum ec file_errno(int err);
