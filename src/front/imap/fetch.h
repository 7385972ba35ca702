#pragma once
/// fetch — FETCH and UID FETCH.
#include "front/imap/imap.h"

/// Runs FETCH (cmd->uid: UID FETCH) in the selected mailbox. im->view exists and does not change meanwhile: news come
/// after.
FIB enum ec imap_fetch_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
