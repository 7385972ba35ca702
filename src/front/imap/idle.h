#pragma once
/// idle — IDLE: news at once, until the client says DONE.
#include "front/imap/imap.h"

/// source: RFC 9051 §6.3.13, RFC 2177.
FIB enum ec imap_idle_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
