#pragma once
/// wire — one message, with descriptors where wanted, over a SOCK_SEQPACKET pair between roles. Never waits.
#include <stddef.h>
#include <sys/uio.h>

#include "base/cx.h"

enum { WIRE_FDS_MAX = 8 };
struct wire_fds {
	int fd[WIRE_FDS_MAX];
	unsigned n;
};

/// Sends the octets of iov as one message. `fds` (may be NULL) are duplicated to the other side, the caller keeps its
/// own.
/// errors: E_TEMP (would have to wait; nothing was sent), E_CLOSED (the other side is gone), E_IO.
[[nodiscard]] enum ec wire_send(struct cx *cx, int fd, const struct iovec *iov, size_t n, const struct wire_fds *fds);
/// Receives one message into p[room]. out: *got; *fds (may be NULL: then they are closed) now the caller's,
/// close-on-exec.
/// errors: E_TEMP (nothing there), E_CLOSED, E_TOOBIG (longer than room; dropped), E_IO.
[[nodiscard]] enum ec wire_recv(struct cx *cx, int fd, void *p, size_t room, size_t *got, struct wire_fds *fds);
/// Makes a pair of such sockets, non-blocking and close-on-exec.
[[nodiscard]] enum ec wire_pair(struct cx *cx, int pair[2]);
