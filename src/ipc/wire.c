/// wire — sendmsg and recvmsg with SCM_RIGHTS, errno turned into error codes. No state.
#include "ipc/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum ec wire_send(struct cx *cx, int fd, const struct iovec *iov, size_t n, const struct wire_fds *fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control;
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };

	if (fds && fds->n) {
		m.msg_control = memset(&control, 0, sizeof control);
		m.msg_controllen = CMSG_SPACE(sizeof(int) * fds->n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fds->n);
		memcpy(CMSG_DATA(c), fds->fd, sizeof(int) * fds->n);
	}
	for (;;) {
		if (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return E_OK;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			return E_TEMP;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return fail(cx, E_CLOSED, "the other role is gone");
		return fail(cx, E_IO, "sendmsg between roles: %m");
	}
}

/// Takes the descriptors out of a received message.
static void fds_take(struct msghdr *m, struct wire_fds *fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < n && fds->n < WIRE_FDS_MAX; i++)
			memcpy(&fds->fd[fds->n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

static void fds_close(struct wire_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		close(fds->fd[i]);
	fds->n = 0;
}

enum ec wire_recv(struct cx *cx, int fd, void *p, size_t room, size_t *got, struct wire_fds *fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control;
	struct iovec iov = { p, room };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	struct wire_fds taken = { .n = 0 };
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return E_TEMP;
	if (n < 0 && errno != ECONNRESET)
		return fail(cx, E_IO, "recvmsg between roles: %m");
	if (n <= 0)
		return fail(cx, E_CLOSED, "the other role is gone");
	fds_take(&m, &taken);
	if (m.msg_flags & MSG_TRUNC || !fds)
		fds_close(&taken);
	if (m.msg_flags & MSG_TRUNC)
		return fail(cx, E_TOOBIG, "message between roles longer than %zu octets", room);
	if (fds)
		*fds = taken;
	*got = (size_t)n;
	return E_OK;
}

enum ec wire_pair(struct cx *cx, int pair[2])
{
	int size = 4 << 20; // cut to net.core.wmem_max; 256 answers must fit without waiting

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(cx, E_IO, "socketpair between roles: %m");
	for (int i = 0; i < 2; i++)
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
			setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return E_OK;
}
