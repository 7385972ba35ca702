#pragma once
/// mend — after start, before serving: what damage in the log, or a log from a backup, asks of mailboxes.
///
/// A mailbox with missing commits may have given out UIDs and taken messages away that nobody knows of now. Its UIDNEXT
/// goes up, so that no UID stands for another message, and it says to every sync from before that it does not know what
/// is gone; what its summaries and its head count is counted anew, so that a lost append leaves no shadow of a message.
/// Once for each gap: row 'D' of its cell (docs/FORMAT-MAIL.md).
///
/// A cell's newest commits can be lost without a gap that shows it. So where the log has lost anything (store_damage),
/// and after a restore, UIDNEXT and syncs of all mailboxes are treated so, and accounts and the directory leap behind
/// all ids that they may have given away: no id, and nobody's mail behind it, is ever given to another. Once for each
/// store_damage: row 'D' of the directory. A mailbox that its account does not know any more comes to the deleted ones.
#include "store/cell.h"

enum { MEND_UIDS = 1 << 16 };

/// out: *mended — mailboxes that this call changed; *damaged — cells with gaps, whatever they are.
/// It goes on with the reserve of a full disk: a store that cannot mend cannot serve, and so nothing could be deleted.
/// errors: E_IO, E_FULL (no reserve left), E_TEMP; may be called again.
[[nodiscard]] enum ec mend_damaged(struct cx *cx, struct store *s, uint32_t *mended, uint32_t *damaged);
