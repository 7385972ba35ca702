#pragma once
/// mailbox_inner — what mailbox.c, mailbox_copy.c and deliver.c share.
#include "store/mbox_edit.h"

/// E_RANGE where a keyword bit has no name in this mailbox.
[[nodiscard]] enum ec keywords_known(struct cx *cx, struct view *v, struct mbox_ref m, uint64_t bits);
/// E_QUOTA where the account cannot take `more`; brings the account's sum into the cache in any case.
[[nodiscard]] enum ec quota_check(
	struct cx *cx, struct txn *t, const struct mbox_op *op, struct quota_used more, enum quota_rule rule);
struct quota_used messages_used(const struct mbox_message *msg, uint32_t n);
[[nodiscard]] enum ec append_staged(
	struct cx *cx, struct mbox_edit *ed, const struct mbox_message *msg, uint32_t n, int64_t now_s);

struct expunge_plan {
	struct mbox_ref m;
	struct uid_set set;
	bool all_flags;
	uint32_t below_uid; // 0 = no bound
	int64_t now_s;
};
[[nodiscard]] enum ec expunge_staged(struct cx *cx, struct view *v, struct mbox_edit *ed,
	const struct expunge_plan *plan, struct buf *gone, uint32_t *count);

struct gone_query {
	struct mbox_ref m;
	struct uid_set set;
	uint64_t modseq; // that the change made
};
/// What that change expunged within the set, appended to *gone: from the rows, which know it longer than the list of
/// expunged ranges does.
[[nodiscard]] enum ec gone_at(
	struct cx *cx, struct view *v, const struct gone_query *q, struct buf *gone, uint32_t *count);
