#pragma once
/// store — changing messages of the selected mailbox: STORE, EXPUNGE, COPY, MOVE and their UID forms.
#include "front/imap/imap.h"

FIB enum ec imap_store_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_expunge_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
/// COPY and MOVE.
FIB enum ec imap_copy_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
/// Expunges the selected mailbox, telling nothing (CLOSE). errors: those of the store.
FIB enum ec store_expunge_untold(struct cx *cx, struct imap *im);

/// Flags of a command as the store counts them.
uint8_t store_flags(unsigned system);
/// The bits of keywords in mailbox `mbox`, made there where missing.
/// errors: E_LIMIT with fitting words (no bit is free), those of the store.
FIB enum ec store_keyword_bits(
	struct cx *cx, struct imap *im, uint64_t mbox, const struct imap_texts *names, uint64_t *bits);
