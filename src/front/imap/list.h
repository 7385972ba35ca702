#pragma once
/// list — LIST and LSUB: which names of the account match, and what is said about them.
#include "front/imap/imap.h"

FIB enum ec imap_list_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_lsub_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
