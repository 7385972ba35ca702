#pragma once
/// update — untagged news of the selected mailbox: what changed since the client was last told.
///
/// Rule of own changes: a change that made the version next to view->modseq left nothing unknown between, so
/// update_own moves view->modseq and the change is not told again. Otherwise the sync tells it once more, which is
/// harmless, and with it what others changed before.
#include "front/imap/imap.h"
#include "front/imap/rows.h"

/// Tells everything that happened: EXPUNGE, FETCH of changed flags, EXISTS, RECENT; FLAGS where a keyword is new. Only
/// where the client allows EXPUNGE now. Does nothing where no mailbox is selected.
///
/// in:     with_uid — FETCH lines carry the UID (in answers to UID commands).
/// errors: those of the store, then the same call later tells the rest; E_CLOSED — the mailbox is gone and the session
///         over (im->bye says so); wire errors.
/// source: RFC 9051 §5.2, §7.4.1, §7.5.1, §7.5.2.
FIB enum ec update_tell(struct cx *cx, struct imap *im, bool with_uid);
/// True where update_tell may have something to tell.
bool update_is_due(const struct imap *im);
/// A change of this session made version `modseq` of the selected mailbox (0 = none), and the client knows about it.
void update_own(struct imap *im, uint64_t modseq);

/// Moves view->modseq over versions that changed no message (a keyword was made), so that update_own knows the next
/// one.
/// errors: those of the store.
FIB enum ec update_catch_up(struct cx *cx, struct imap *im);

/// Removes messages from the view and appends "* n EXPUNGE" for each to `b`, which is sent in pieces.
FIB enum ec update_gone(struct cx *cx, struct imap *im, const struct pl_uids *gone, size_t n, struct buf *b);

/// Takes the names of keywords out of an answer into `v`. out: *fresh — a name is new or another one than before.
/// errors: E_CORRUPT, E_TEMP.
[[nodiscard]] enum ec update_take_keywords(
	struct cx *cx, struct imap *im, struct view *v, const struct set_chunk *c, uint32_t count, bool *fresh);
/// Appends "* FLAGS (…)" and "* OK [PERMANENTFLAGS (…)]".
void update_print_flags(struct buf *b, const struct imap *im);
/// Makes sure that every keyword of `keywords` has a name, appending FLAGS where one is new.
FIB enum ec update_name_keywords(struct cx *cx, struct imap *im, uint64_t keywords, struct buf *b);

/// The flags of one message with its parentheses: "(\Seen $Junk \Recent)".
void update_print_row_flags(struct buf *b, const struct view *v, const struct pl_row *row);
/// "* n FETCH (UID u FLAGS (…))"; nothing where the view does not have the message.
void update_print_fetch_flags(struct buf *b, const struct view *v, const struct pl_row *row, bool with_uid);
