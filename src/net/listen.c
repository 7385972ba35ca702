/// listen — socket, bind, listen; accept4 until there is no more, then wait.
#include "net/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { BACKLOG = 1024, PAUSE_MS = 100 };

static enum ec bind_failed(struct cx *cx, const struct addr *a)
{
	struct buf name = BUF(64);
	int err = errno;
	enum ec e = err == EADDRINUSE ? E_EXISTS : err == EACCES ? E_DENIED : E_IO;

	addr_print(&name, a);
	errno = err;
	if (e == E_EXISTS)
		e = fail(cx, e, "%.*s port %u is in use by another program; stop it or choose another port",
			SLF(buf_sl(&name)), a->port);
	else if (e == E_DENIED)
		e = fail(cx, e, "%.*s port %u: ports below 1024 need root or CAP_NET_BIND_SERVICE", SLF(buf_sl(&name)),
			a->port);
	else
		e = fail(cx, e, "%.*s port %u: %m", SLF(buf_sl(&name)), a->port);
	buf_free(&name);
	return e;
}

enum ec listen_open(struct cx *cx, const struct addr *a, int *fd)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(a, &ss);
	int one = 1;
	int s = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s < 0)
		return bind_failed(cx, a);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (ss.ss_family == AF_INET6)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(s, (struct sockaddr *)&ss, n) < 0 || listen(s, BACKLOG) < 0) {
		enum ec e = bind_failed(cx, a);
		close(s);
		return e;
	}
	*fd = s;
	return E_OK;
}

/// The rest of accepting one: what both ends are called, and no waiting for more output to send with it.
static enum ec describe(struct listen_accepted *c, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage local;
	socklen_t n = sizeof local;
	int one = 1;

	if (getsockname(c->fd, (struct sockaddr *)&local, &n) < 0)
		return E_CLOSED;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	enum ec e = addr_from_sockaddr(peer, &c->peer);
	return e == E_OK ? addr_from_sockaddr(&local, &c->local) : e;
}

/// Accepts what is there. E_OK: wait for more; E_LIMIT: pause first.
static enum ec accept_all(struct cx *cx, int fd, void (*on_accept)(void *, const struct listen_accepted *), void *arg)
{
	enum { TURN = 64 }; // then other fibers run, and other processes get their share

	for (int i = 0; i < TURN; i++) {
		struct sockaddr_storage peer;
		socklen_t n = sizeof peer;
		struct listen_accepted c = { .fd = accept4(
						     fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC) };
		if (c.fd >= 0) {
			if (describe(&c, &peer) == E_OK)
				on_accept(arg, &c);
			else
				close(c.fd);
			continue;
		}
		if (errno == EAGAIN)
			return E_OK;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return E_LIMIT;
		if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK)
			return fail(cx, E_IO, "accept: %m");
		// anything else is the end of one connection that never began
	}
	return E_OK;
}

FIB enum ec listen_loop(
	struct cx *cx, int fd, void (*on_accept)(void *arg, const struct listen_accepted *conn), void *arg)
{
	struct fib_fd watched;
	enum ec e = fib_fd_add_shared(cx, &watched, fd);

	if (e != E_OK)
		return e;
	while (e == E_OK) {
		e = fib_wait_readable(cx, &watched);
		if (e == E_OK)
			e = accept_all(cx, fd, on_accept, arg);
		if (e == E_LIMIT)
			e = fib_sleep(cx, PAUSE_MS);
	}
	fib_fd_del(&watched);
	return e;
}
