#pragma once
/// search — SEARCH and UID SEARCH.
#include "front/imap/imap.h"

/// Runs SEARCH (cmd->uid: UID SEARCH) in the selected mailbox. im->view exists and does not change meanwhile: news
/// come after.
FIB enum ec imap_search_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
