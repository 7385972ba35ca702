#pragma once
/// login — capabilities, TLS, and proving who the user is; the small commands that need no mailbox.
#include "front/imap/imap.h"

/// Appends what is offered now, without "CAPABILITY": less before login, and no login without TLS.
/// source: RFC 9051 §6.1.1, §7.2.2.
void imap_print_capabilities(struct buf *b, const struct imap *im);

FIB enum ec imap_capability_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_starttls_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_login_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_authenticate_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_id_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_namespace_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
FIB enum ec imap_enable_run(struct cx *cx, struct imap *im, const struct imap_command *cmd);
