#pragma once
/// mailbox — messages of one mailbox: UIDs, flags, keywords, modification sequences, what is gone.
///
/// Owns: cell {account, mailbox id}; its version is the mailbox's HIGHESTMODSEQ. Layout: docs/FORMAT-MAIL.md; rows and
/// summaries are read and written by mbox_rows.h and mbox_edit.h.
/// Authorisation: `account` comes from a checked handle and is part of the cell's name, so no id leads to
/// another's mail.
/// Threads: functions with a view from any thread; those with a txn inside a job.
/// source: RFC 9051 §2.3.1.1, §6.3–6.4; RFC 7162.
#include "base/buf.h"
#include "ipc/payload.h"
#include "ipc/verbs.h"
#include "store/cell.h"
#include "store/out.h"
#include "store/quota.h"

enum {
	KEYWORDS_MAX = 64,
	KEYWORD_OCTETS = 128,
	GONE_RANGES_MAX = 4096,     // expunged ranges remembered
	EXPUNGED_READABLE_S = 3600, // old views still read what was expunged
	COPY_MAX = 250000,          // messages of one COPY: what one commit holds
	SET_MAX = 65536,            // ranges of one set
};

/// A mailbox as a checked request names it.
struct mbox_ref {
	uint64_t account, mbox;
};
static inline struct cell_id mbox_cell(struct mbox_ref m)
{
	return (struct cell_id){ m.account, m.mbox };
}

/// A set of UIDs in private memory: all, or the ranges (none = no message).
struct uid_set {
	const struct pl_uids *r;
	uint32_t n;
	bool all;
};
/// Sorted, without overlap, from 1 up: E_OK, otherwise E_SYNTAX.
[[nodiscard]] enum ec uid_set_check(struct uid_set set);
bool uid_set_has(struct uid_set set, uint32_t uid);

struct mbox_status {
	uint32_t uidvalidity, uidnext, messages, unseen, deleted, recent;
	uint64_t octets, modseq;
	uint32_t recent_from;
};
struct mbox_message {
	struct body_ref body; // where the body is; all zero: it is `blob`, put once all checks have passed
	struct blob *blob;    // NULL with no body: only a repeated operation can be answered, else E_TEMP
	uint64_t keywords;
	int64_t date_s;
	int16_t zone_min;
	uint8_t flags;
};

/// Makes the cell of a new mailbox. errors: E_EXISTS (that id has a cell: it keeps what it has).
[[nodiscard]] enum ec mailbox_make(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t uidvalidity);
/// Drops the cell of a mailbox, a deleted one too; one that is gone already is fine.
[[nodiscard]] enum ec mailbox_drop(struct cx *cx, struct txn *t, struct mbox_ref m);

// ---- reading

/// errors here and below: E_NOTFOUND (no such mailbox), E_CORRUPT, E_IO.
[[nodiscard]] enum ec mailbox_status(struct cx *cx, struct view *v, struct mbox_ref m, struct mbox_status *out);
/// The first message without \Seen, 0 = none.
[[nodiscard]] enum ec mailbox_first_unseen(struct cx *cx, struct view *v, struct mbox_ref m, uint32_t *uid);
/// Presence blocks from `from_block` on, as many as fit; *next 0 = that was all.
[[nodiscard]] enum ec mailbox_presence(struct cx *cx, struct view *v, struct mbox_ref m, uint32_t from_block,
	struct out *out, uint32_t *blocks, uint32_t *next);

struct rows_query {
	struct uid_set set;
	uint32_t from_uid;
	uint64_t changed_since;
	uint64_t raise; // added to modseqs on the way out
	bool expunged_too;
	int64_t now_s;
};
/// Rows as struct pl_row, as many as fit. out: *next_uid 0 = that was all.
[[nodiscard]] enum ec mailbox_rows(struct cx *cx, struct view *v, struct mbox_ref m, const struct rows_query *q,
	struct out *out, uint32_t *count, uint32_t *next_uid);
/// One row. errors: E_NOTFOUND also where the message is gone (for EXPUNGED_READABLE_S it is still found).
[[nodiscard]] enum ec mailbox_row(
	struct cx *cx, struct view *v, struct mbox_ref m, uint32_t uid, int64_t now_s, struct pl_row *row);
/// UIDs expunged since modseq `since`, sorted and merged. out: *unknown — too long ago, or more than fits.
[[nodiscard]] enum ec mailbox_gone(struct cx *cx, struct view *v, struct mbox_ref m, uint64_t since, struct out *out,
	uint32_t *count, bool *unknown);

/// Return false to stop; `name` borrowed during the call.
typedef bool keyword_each(void *arg, uint8_t bit, struct sl name);
[[nodiscard]] enum ec mailbox_keywords(struct cx *cx, struct view *v, struct mbox_ref m, keyword_each *each, void *arg);
/// The bit of a keyword (ASCII case folded). errors: E_NOTFOUND.
[[nodiscard]] enum ec mailbox_keyword_find(
	struct cx *cx, struct view *v, struct mbox_ref m, struct sl name, uint8_t *bit);

// ---- changing

/// Who changes, with what id; a repeated change (same op) gives the first one's outcome and does nothing.
struct mbox_op {
	struct mbox_ref m;
	struct op_id op;
	int64_t now_s;
	struct quota *quota;
};

/// The bit of a keyword, made where missing. It stays that keyword's as long as the mailbox lives. errors: E_LIMIT (all
/// have a name), E_SYNTAX (not 1*ATOM-CHAR).
[[nodiscard]] enum ec mailbox_keyword_make(
	struct cx *cx, struct txn *t, struct mbox_ref m, struct sl name, uint8_t *bit);
/// Everything from recent_from on now belongs to the asking session. out: *from — the UIDs that are \Recent there.
[[nodiscard]] enum ec mailbox_claim_recent(struct cx *cx, struct txn *t, struct mbox_ref m, uint32_t *from);

struct append_result {
	uint32_t uidvalidity, first_uid;
	uint64_t modseq;
};
/// How strictly the account's quota binds; that of APPEND also as quota_floods says.
enum quota_rule { QUOTA_APPEND, QUOTA_STRICT, QUOTA_DELIVERY, QUOTA_NONE };
/// Appends n messages with consecutive UIDs. errors: E_QUOTA, E_LIMIT (UIDs used up), E_RANGE (unnamed keyword).
[[nodiscard]] enum ec mailbox_append(struct cx *cx, struct txn *t, const struct mbox_op *op, struct mbox_message *msg,
	uint32_t n, enum quota_rule rule, struct append_result *out);

struct flags_change {
	struct uid_set set;
	enum flags_mode mode;
	uint8_t flags;
	uint64_t keywords;
	uint64_t unchanged_since; // UINT64_MAX = no condition
};
struct flags_result {
	uint64_t modseq; // 0 = nothing changed
	uint32_t changed, failed;
};
/// Appends the UIDs that failed the condition to *failed (struct pl_uids). errors: E_RANGE (unnamed keyword).
[[nodiscard]] enum ec mailbox_flags(struct cx *cx, struct txn *t, const struct mbox_op *op,
	const struct flags_change *fc, struct buf *failed, struct flags_result *out);

struct expunge_result {
	uint64_t modseq; // 0 = nothing was there to expunge
	uint32_t count;
};
/// Removes messages with \Deleted (all_flags: whatever they carry) in the set; appends them to *gone (struct pl_uids).
[[nodiscard]] enum ec mailbox_expunge(struct cx *cx, struct txn *t, const struct mbox_op *op, struct uid_set set,
	bool all_flags, struct buf *gone, struct expunge_result *out);

struct copy_result {
	uint32_t uidvalidity, first_uid, count;
	uint32_t lost_keywords; // that the messages carried and the destination has no bit for
	uint64_t modseq;        // of the source after a move, of the destination after a copy
};
/// COPY or MOVE of `set` to mailbox `to` of the same account; appends the source UIDs to *from (struct pl_uids).
/// The destination is committed first, with the operation id; then the source. errors: E_NOTFOUND (either), E_QUOTA,
/// E_LIMIT (COPY_MAX, UIDs used up).
[[nodiscard]] enum ec mailbox_copy(struct cx *cx, struct txn *t, const struct mbox_op *op, uint64_t to,
	struct uid_set set, bool move, struct buf *from, struct copy_result *out);
