#pragma once
/// listen — listening sockets (made by the master, used by the fronts) and the accept loop.
#include "base/cx.h"
#include "fiber/fiber.h"
#include "net/addr.h"

/// Binds and listens on TCP `a`, non-blocking, close-on-exec, SO_REUSEADDR, IPV6_V6ONLY. Port 0 picks a free one.
/// errors: E_EXISTS (address in use), E_DENIED (port below 1024 without the right), E_IO; cx says which address
/// and what to do.
[[nodiscard]] enum ec listen_open(struct cx *cx, const struct addr *a, int *fd);

struct listen_accepted {
	int fd; // non-blocking, close-on-exec; now the callee's
	struct addr peer, local;
};
/// Accepts on `fd` (shared with other processes, EPOLLEXCLUSIVE) until cx is cancelled; calls on_accept for
/// each, which must not wait (it starts a fiber). Out of descriptors or memory: pauses 100 ms instead of
/// spinning, connections wait in the backlog.
FIB enum ec listen_loop(
	struct cx *cx, int fd, void (*on_accept)(void *arg, const struct listen_accepted *conn), void *arg);
