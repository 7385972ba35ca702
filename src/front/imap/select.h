#pragma once
/// select — opening and leaving a mailbox: SELECT, EXAMINE, CLOSE, UNSELECT.
#include "front/imap/imap.h"
#include "front/imap/rows.h"

FIB enum ec imap_select_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_close_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_unselect_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);

/// Forgets the selected mailbox and ends watching it; the session is then in the authenticated state. Nothing is
/// expunged.
FIB void select_leave(struct cx *cx, struct imap *im);
/// Adds `blocks` presence blocks of an answer to `v`, leaving out UIDs from `uidnext` on.
/// errors: E_CORRUPT (more than the chunk holds, or not ascending), E_TEMP, E_LIMIT.
[[nodiscard]] enum ec select_take_presence(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t blocks, uint32_t uidnext, struct view *v);
