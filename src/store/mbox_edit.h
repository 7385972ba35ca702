#pragma once
/// mbox_edit — one change of a mailbox under construction: rows are touched in order of UID, and become few patches.
///
/// Keeps the present page and summary in memory and writes only the octets that were touched, head last. Everything is
/// staged; nothing holds before mbox_edit_commit. Used inside a job.
#include "store/mbox_rows.h"

struct mbox_edit; // heap

/// errors: E_NOTFOUND, E_TEMP, E_CORRUPT, E_IO.
[[nodiscard]] enum ec mbox_edit_begin(struct cx *cx, struct txn *t, struct mbox_ref m, struct mbox_edit **out);
void mbox_edit_abort(struct mbox_edit *ed); // accepts NULL

/// The head as it will be; recent_from may be changed by the caller. Its `version` is still the old one.
struct mbox_head *mbox_edit_head(struct mbox_edit *ed);
/// The modseq this change will make.
uint64_t mbox_edit_modseq(const struct mbox_edit *ed);

/// Adds a message as the next UID. errors: E_LIMIT (UIDs used up).
[[nodiscard]] enum ec mbox_edit_append(
	struct cx *cx, struct mbox_edit *ed, const struct mbox_message *msg, int64_t now_s);
/// Gives a present message other flags.
[[nodiscard]] enum ec mbox_edit_flags(
	struct cx *cx, struct mbox_edit *ed, const struct pl_row *row, uint8_t flags, uint64_t keywords);
/// Appends a UID to a list of struct pl_uids, into its last range where it follows it.
void uids_add(struct buf *b, uint32_t uid);
/// Takes a present message away; its row stays readable for EXPUNGED_READABLE_S.
[[nodiscard]] enum ec mbox_edit_expunge(struct cx *cx, struct mbox_edit *ed, const struct pl_row *row, int64_t now_s);

/// Writes what is left and commits; frees the edit in any case.
[[nodiscard]] enum ec mbox_edit_commit(
	struct cx *cx, struct mbox_edit *ed, const struct op_id *bound, struct sl outcome);
