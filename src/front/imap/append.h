#pragma once
/// append — APPEND: a message from the client, streamed to the store.
#include "front/imap/imap.h"

/// source: RFC 9051 §6.3.12; APPENDUID: RFC 4315 §3.
FIB enum ec imap_append_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
