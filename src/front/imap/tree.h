#pragma once
/// tree — changing the account's mailbox names, and STATUS.
#include "front/imap/imap.h"

FIB enum ec imap_create_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_delete_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_rename_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
/// SUBSCRIBE and UNSUBSCRIBE.
FIB enum ec imap_subscribe_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_status_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);

/// Appends "* STATUS name (…)" for the items asked for. errors: E_NOTFOUND, those of the store.
FIB enum ec tree_print_status(
	struct cx *cx, struct imap *im, struct sl name, uint64_t mbox, unsigned items, struct buf *b);
