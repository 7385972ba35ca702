#pragma once
/// grave — mailboxes that were deleted: out of the tree, hidden, and kept for GRAVE_S, bodies and all.
///
/// Row 'g' of the account's cell names them; the mailbox's head says that it is buried, so that whoever still has it
/// open is told that it is gone. They count for no quota; but an account has at most GRAVES_MAX, and in them as many
/// octets as its quota: the oldest go first. Those are given up: nobody can bring them back, row 'd' names them. Cells
/// are dropped by the keeper's sweep alone: never while it walks over the rows to see which bodies are named (mark.h).
///
/// A mailbox whose name is lost to damage becomes one of them (mend.h). It is not weighed with those that the user
/// deleted, nor given up for them: it stays for GRAVE_S.
#include "store/mailbox.h"
#include "store/tree.h"

/// Notes in the account's cell that the mailbox was, and when it went. Part of the change of its deletion.
[[nodiscard]] enum ec grave_note(
	struct cx *cx, struct txn *t, const struct tree_op *op, struct change *c, uint64_t mbox);
/// Whether the account knows the mailbox: by a name, as deleted, or as given up. errors: E_NOTFOUND, E_CORRUPT, E_IO.
[[nodiscard]] enum ec grave_known(struct cx *cx, struct view *v, struct mbox_ref m);
/// Makes a mailbox that the account does not know a deleted one, called Found- and its id.
/// errors: E_NOTFOUND (no such mailbox or account), E_CORRUPT (either): nothing is changed; E_IO.
[[nodiscard]] enum ec grave_found(struct cx *cx, struct txn *t, struct mbox_ref m, int64_t now_s);
/// Hides the mailbox itself; one that is hidden or gone already is fine.
[[nodiscard]] enum ec grave_close(struct cx *cx, struct txn *t, struct mbox_ref m);
/// Gives up the oldest where an account has too many, or with more octets than `octets_max` (0 = any). No damage of
/// what was deleted before stands in the way. errors: E_LIMIT (too many wait for the sweep), E_CORRUPT (the account's
/// cell), E_IO.
[[nodiscard]] enum ec grave_trim(struct cx *cx, struct txn *t, uint64_t account, uint64_t octets_max);
/// Whether a mailbox was deleted and is still kept. errors: E_NOTFOUND, E_CORRUPT, E_IO.
[[nodiscard]] enum ec grave_find(struct cx *cx, struct view *v, struct mbox_ref m);
/// Takes the note back: part of the change that gives the mailbox a name again.
void grave_forget(struct change *c, uint64_t mbox);
/// Serves the mailbox again, with another UIDVALIDITY: what clients may know of it is long gone.
[[nodiscard]] enum ec grave_open(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t uidvalidity);
/// Calls `each` for the mailboxes that were deleted before that second. `name` is what it was called; borrowed.
typedef bool grave_each(void *arg, uint64_t mbox, int64_t gone_s, struct sl name);
[[nodiscard]] enum ec grave_list(
	struct cx *cx, struct view *v, uint64_t account, int64_t before_s, grave_each *each, void *arg);
/// Calls `each` for the mailboxes that were given up and wait for the sweep; gone_s and name are none.
[[nodiscard]] enum ec grave_list_due(struct cx *cx, struct view *v, uint64_t account, grave_each *each, void *arg);
/// Drops what was given up or deleted longer ago than GRAVE_S, jobs for each account; what is damaged stays and keeps
/// nothing else. The keeper's thread only. errors: those of sweep_cells.
[[nodiscard]] enum ec grave_sweep(struct cx *cx, struct store *s, int64_t now_s);
