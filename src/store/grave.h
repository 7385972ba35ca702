#pragma once
/// grave — mailboxes that were deleted: out of the tree, hidden, and kept for GRAVE_S, bodies and all.
///
/// Row 'g' of the account's cell names them; the mailbox's head says that it is buried, so that whoever still has it
/// open is told that it is gone. They count for no quota.
#include "store/mailbox.h"
#include "store/tree.h"

/// Notes in the account's cell that the mailbox was, and when it went. Part of the change of its deletion.
[[nodiscard]] enum ec grave_note(
	struct cx *cx, struct txn *t, const struct tree_op *op, struct change *c, uint64_t mbox);
/// Hides the mailbox itself; one that is hidden or gone already is fine.
[[nodiscard]] enum ec grave_close(struct cx *cx, struct txn *t, struct mbox_ref m);
/// Calls `each` for the mailboxes that were deleted before that second. `name` is what it was called; borrowed.
typedef bool grave_each(void *arg, uint64_t mbox, struct sl name);
[[nodiscard]] enum ec grave_list(
	struct cx *cx, struct view *v, uint64_t account, int64_t before_s, grave_each *each, void *arg);
/// Drops what was deleted longer ago than GRAVE_S, a job for each account. errors: E_FULL, E_TEMP, E_IO.
[[nodiscard]] enum ec grave_sweep(struct cx *cx, struct store *s, int64_t now_s);
