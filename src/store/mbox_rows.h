#pragma once
/// mbox_rows — how a mailbox lies in its cell: head, pages of 32 UIDs, summaries of 4,096; and walking over them.
///
/// A page is one value: what changes (present, flags, modseq, keywords) before what never does (body, size,
/// dates), so that an append is three small patches, a flag change one of 17 octets. A summary answers presence, first
/// unseen, expunge and "changed since" without looking at pages. Layout: docs/FORMAT-MAIL.md.
#include "ipc/payload.h"
#include "store/cell.h"
#include "store/mailbox.h"

enum {
	PAGE_UIDS = 32,
	PAGE_LIVE = 4,                                    // where the slots of what changes begin
	LIVE_OCTETS = 17,                                 // flags 1, modseq 8, keywords 8
	PAGE_FIXED = PAGE_LIVE + PAGE_UIDS * LIVE_OCTETS, // where the slots of what never changes begin
	FIXED_OCTETS = 26,                                // body 8, octets 4, date 8, zone 2, saved 4
	PAGE_OCTETS = PAGE_FIXED + PAGE_UIDS * FIXED_OCTETS,

	SUM_UIDS = PRESENCE_UIDS,
	SUM_BITS_OCTETS = SUM_UIDS / 8,
	GROUP_UIDS = 64,
	SUM_GROUPS = SUM_UIDS / GROUP_UIDS,
	SUM_OCTETS = 3 * SUM_BITS_OCTETS + SUM_GROUPS * 8,

	GONE_OCTETS = 16, // modseq 8, lo 4, hi 4
	GONE_PAGE = 64,   // ranges per row 'E'
};
/// How long a body outlives its expunge: as long as it may be read, and some time for whoever is just copying it; on a
/// low disk only as long as clocks may differ, since whatever goes while compaction looks at rows is kept by that.
enum { EXPUNGED_KEPT_S = EXPUNGED_READABLE_S + 600, EXPUNGED_KEPT_LOW_S = 60 };
enum sum_bits { SUM_PRESENT, SUM_SEEN, SUM_DELETED, SUM_MODSEQ };

/// The decoded head. `version` is that of the cell: HIGHESTMODSEQ.
struct mbox_head {
	uint64_t version;
	uint32_t uidvalidity, uidnext, messages, unseen, deleted, recent_from;
	uint64_t octets;
	uint64_t gone_next;  // ranges ever written to the ring
	uint64_t gone_floor; // expunges up to this modseq may be forgotten
};
[[nodiscard]] enum ec mbox_head_load(struct cx *cx, struct view *v, struct cell_id cell, struct mbox_head *out);
void mbox_head_put(struct change *c, const struct mbox_head *h);
/// The same for a mailbox that was deleted: for mbox_head_load there is none from then on.
void mbox_head_bury(struct change *c, const struct mbox_head *h);
/// The head of a mailbox that was deleted. errors: E_NOTFOUND (none, or it was not deleted), E_CORRUPT, E_IO.
[[nodiscard]] enum ec mbox_head_buried(struct cx *cx, struct view *v, struct cell_id cell, struct mbox_head *out);

struct page {
	uint32_t number; // UID / PAGE_UIDS
	uint8_t o[PAGE_OCTETS];
};
/// A missing page, or the missing end of one, reads as zeros.
[[nodiscard]] enum ec page_load(struct cx *cx, struct view *v, struct cell_id cell, uint32_t number, struct page *out);
/// A page as it lies in its cell. False for what is none.
bool page_read(struct sl key, struct sl value, struct page *out);
bool page_present(const struct page *p, uint32_t slot);
/// One slot as it stands, present or not; body 0 = never used. `keywords` of an expunged one is the second it went.
void page_row(const struct page *p, uint32_t slot, struct pl_row *out);

/// Whether a slot of this page holds a message, or one whose body is still kept.
bool page_is_needed(const struct page *p, int64_t now_s);

/// A row_bodies (cell.h): the bodies of messages, and of those that were expunged but may still be read.
void mbox_bodies(struct cell_id id, struct sl key, struct sl value, int64_t now_s, body_each *each, void *arg);

struct summary {
	uint32_t number; // UID / SUM_UIDS
	uint8_t o[SUM_OCTETS];
};
[[nodiscard]] enum ec summary_load(
	struct cx *cx, struct view *v, struct cell_id cell, uint32_t number, struct summary *out);
/// 64 bits: word i covers UIDs 64i … 64i + 63 of the block.
uint64_t summary_word(const struct summary *s, enum sum_bits which, uint32_t group);
uint64_t summary_modseq(const struct summary *s, uint32_t group);

/// Which rows a walk meets.
struct walk {
	struct uid_set set;
	uint32_t from_uid;
	uint64_t changed_since;
	int64_t expunged_after_s; // rows expunged after this second are met too; INT64_MAX = none
};
/// Return false to stop. `row->expunged` tells the two kinds apart.
typedef bool mbox_each_row(void *arg, const struct pl_row *row);
/// Meets rows in order of UID.
[[nodiscard]] enum ec mbox_walk(struct cx *cx, struct view *v, struct cell_id cell, const struct mbox_head *h,
	const struct walk *w, mbox_each_row *each, void *arg);
