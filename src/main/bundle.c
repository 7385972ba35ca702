/// bundle — counted texts one after another.
#include "main/bundle.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"

static void put_text(struct buf *b, struct sl s)
{
	uint8_t n[4];

	put_le32(n, (uint32_t)s.n);
	buf_add(b, (struct sl){ n, 4 });
	buf_add(b, s);
}

static struct sl take_text(struct sl *rest)
{
	uint32_t n = rest->n >= 4 ? get_le32(rest->p) : UINT32_MAX;
	struct sl s;

	if (rest->n < 4 || rest->n - 4 < n) {
		*rest = (struct sl){ 0 };
		return (struct sl){ 0 };
	}
	s = sl_sub(*rest, 4, 4 + (size_t)n);
	*rest = sl_from(*rest, 4 + (size_t)n);
	return s;
}

enum ec bundle_send(struct cx *cx, const struct bundle *b, int *fd)
{
	struct buf text = BUF(BUNDLE_OCTETS_MAX);
	enum ec e = E_OK;

	put_text(&text, (struct sl){ b->ticket_key, sizeof b->ticket_key });
	put_text(&text, (struct sl){ b->store_secret, sizeof b->store_secret });
	put_text(&text, b->path);
	put_text(&text, b->text);
	for (size_t i = 0; i < b->n_certs; i++)
		put_text(&text, b->cert[i]);
	int memfd = memfd_create("hongyan-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (text.err)
		e = fail(cx, text.err, "configuration and certificates are too large");
	else if (memfd < 0 || write(memfd, text.p, text.n) != (ssize_t)text.n ||
		 fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		e = fail(cx, E_IO, "memfd for a role: %m");
	buf_wipe(&text);
	buf_free(&text);
	if (e == E_OK)
		*fd = memfd;
	else if (memfd >= 0)
		close(memfd);
	return e;
}

enum ec bundle_receive(struct cx *cx, int fd, struct buf *memory, struct bundle *out)
{
	struct bundle b = { 0 };
	ssize_t n = 1;

	lseek(fd, 0, SEEK_SET);
	while (n > 0) {
		uint8_t *p = buf_room(memory, 65536);
		n = p ? read(fd, p, 65536) : -1;
		buf_took(memory, n > 0 ? (size_t)n : 0);
	}
	close(fd);
	if (n < 0)
		return fail(cx, memory->err ? memory->err : E_IO, "reading the bundle: %m");
	struct sl rest = buf_sl(memory);
	struct sl ticket = take_text(&rest), secret = take_text(&rest);
	if (ticket.n != TICKET_KEY || secret.n != STORE_SECRET)
		return fail(cx, E_CORRUPT, "the bundle is not whole");
	memcpy(b.ticket_key, ticket.p, TICKET_KEY);
	memcpy(b.store_secret, secret.p, STORE_SECRET);
	b.path = take_text(&rest);
	b.text = take_text(&rest);
	while (rest.n && b.n_certs < BUNDLE_CERTS_MAX)
		b.cert[b.n_certs++] = take_text(&rest);
	*out = b;
	return E_OK;
}
