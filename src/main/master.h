#pragma once
/// master — one small parent: binds ports, starts, watches and restarts the roles, passes connections between them.
#include "base/cx.h"
#include "main/place.h"

/// Runs the server in the foreground until SIGTERM or SIGINT; SIGHUP reloads configuration and certificates.
/// Logs `server.ready` when every role serves, and tells systemd where NOTIFY_SOCKET is set.
/// out: the process's exit code.
int master_serve(struct cx *cx, struct place *p);
