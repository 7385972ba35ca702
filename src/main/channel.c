/// channel — one fixed message per packet.
#include "main/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum ec channel_send(struct cx *cx, int channel, const struct channel_message *m, int fd)
{
	struct iovec iov = { (void *)(uintptr_t)m, sizeof *m };
	struct wire_fds fds = { .fd = { fd }, .n = fd >= 0 };

	return wire_send(cx, channel, &iov, 1, &fds);
}

enum ec channel_receive(struct cx *cx, int channel, struct channel_message *m, int *fd)
{
	struct wire_fds fds = { .n = 0 };
	size_t n;
	enum ec e = wire_recv(cx, channel, m, sizeof *m, &n, &fds);

	if (e != E_OK)
		return e;
	// whoever sends more than one, or one with a message that is none, must not fill our table with them
	for (unsigned i = n == sizeof *m; i < fds.n; i++)
		close(fds.fd[i]);
	*fd = fds.n && n == sizeof *m ? fds.fd[0] : -1;
	if (n != sizeof *m)
		return fail(cx, E_CORRUPT, "message of %zu octets between master and role", n);
	m->text[CHANNEL_TEXT - 1] = 0;
	return E_OK;
}

enum ec channel_wait(struct cx *cx, int channel, int ms, struct channel_message *m, int *fd)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return fail(cx, E_TIMEOUT, "no word from the other role for %d ms", ms);
	return channel_receive(cx, channel, m, fd);
}
