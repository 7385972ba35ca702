#pragma once
/// mbox_sweep — pages of mailboxes in which nothing is left: every message expunged, and none readable any more.
#include "store/mailbox.h"

/// Removes such pages from the mailboxes that have lost many messages; in each mailbox all but a few, and never the one
/// that takes the next message. No session sees a difference but for a higher modification sequence.
/// yields: for as long as reading those mailboxes takes. errors: those of sweep_cells.
[[nodiscard]] enum ec mbox_sweep(struct cx *cx, struct store *s, int64_t now_s);
