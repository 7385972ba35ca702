/// connect — socket, bind, connect, and the wait until it is decided.
#include "net/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

static enum ec bind_from(struct cx *cx, int fd, struct addr from)
{
	struct sockaddr_storage ss;
	int one = 1;

	from.port = 0;
	socklen_t n = addr_to_sockaddr(&from, &ss);
	// the port is chosen when the other end is known: 28,000 connections to each server instead of in all
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	return bind(fd, (struct sockaddr *)&ss, n) == 0 ? E_OK : fail(cx, E_IO, "bind: %m");
}

/// What became of a connection whose socket is writable now.
static enum ec outcome(struct cx *cx, int fd)
{
	int err = 0;
	socklen_t n = sizeof err;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
		return fail(cx, E_IO, "getsockopt: %m");
	errno = err;
	return err ? fail(cx, E_CLOSED, "connect: %m") : E_OK;
}

FIB static enum ec connect_socket(struct cx *cx, int fd, const struct addr *to)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(to, &ss);
	struct fib_fd waiting;

	if (connect(fd, (struct sockaddr *)&ss, n) == 0)
		return E_OK;
	if (errno != EINPROGRESS)
		return fail(cx, errno == ECONNREFUSED || errno == ENETUNREACH ? E_CLOSED : E_IO, "connect: %m");
	// watched from now on only: a socket that has not begun to connect counts as writable
	enum ec e = fib_fd_add(cx, &waiting, fd);
	if (e != E_OK)
		return e;
	e = fib_wait_writable(cx, &waiting);
	if (e == E_OK)
		e = outcome(cx, fd);
	fib_fd_del(&waiting);
	return e;
}

FIB enum ec connect_open(struct cx *cx, const struct addr *from, const struct addr *to, int *fd)
{
	int one = 1, s = socket(to->v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s < 0)
		return fail(cx, E_IO, "socket: %m");
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	enum ec e = from ? bind_from(cx, s, *from) : E_OK;
	if (e == E_OK)
		e = connect_socket(cx, s, to);
	if (e != E_OK) {
		close(s);
		return e;
	}
	*fd = s;
	return E_OK;
}
