/// io — buffers around a socket, with or without TLS between.
///
/// Buffers come from a free list of the process (all sessions of a front run on one scheduler's thread) and go
/// back as soon as they are empty. Input is one buffer of 4 KiB that is replaced by one of 64 KiB when a line or
/// literal needs it.
#include "net/io.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"
#include "net/tls_inside.h"

enum {
	IN_SMALL = 4096,
	OUT_DIRECT = 16384, // octets that cost less to send alone than to copy beside others
	POOL_SMALL_MAX = 256,
	POOL_LARGE_MAX = 32,
	TURN_READS = 4,      // and
	TURN_OCTETS = 16384, // of input without a wait; then it is the others' turn
};

/// A free list of buffers of one size.
struct pool {
	size_t octets;
	unsigned n, max, taken;
	void *first;
};
static struct pool pool_small = { .octets = IN_SMALL, .max = POOL_SMALL_MAX };
static struct pool pool_in = { .octets = IO_IN_MAX, .max = POOL_LARGE_MAX };
static struct pool pool_out = { .octets = IO_OUT_MAX, .max = POOL_LARGE_MAX };

static uint8_t *pool_take(struct pool *p)
{
	void *b = p->first;

	if (!b) {
		b = malloc(p->octets);
		p->taken += b != NULL;
		return b;
	}
	p->taken++;
	memcpy(&p->first, b, sizeof p->first);
	p->n--;
	return b;
}

static void pool_give(struct pool *p, uint8_t *b)
{
	if (!b)
		return;
	p->taken--;
	if (p->n >= p->max) {
		free(b);
		return;
	}
	memcpy(b, &p->first, sizeof p->first);
	p->first = b;
	p->n++;
}

unsigned io_buffers_held(void)
{
	return pool_small.taken + pool_in.taken + pool_out.taken;
}

struct io {
	struct fib_fd fd;
	struct tls_conn *tls;
	uint8_t *in; // octets [in_at, in_n) are unread
	uint8_t *out;
	uint32_t in_at, in_n, in_room, out_n;
	enum ec dead; // E_OK while it lives
	struct addr peer, local;
	uint64_t octets_in, octets_out;
	uint32_t turn_reads, turn_octets;  // since the fiber last waited for input
	int64_t waited_ns, waits_since_ns; // for the other side; 0: it does not wait now
};

enum ec io_new(struct cx *cx, int fd, const struct addr *peer, const struct addr *local, struct io **out)
{
	struct io *io = calloc(1, sizeof *io);
	enum ec e = io ? fib_fd_add(cx, &io->fd, fd) : fail(cx, E_TEMP, "no memory for a connection");

	if (e != E_OK) {
		free(io);
		close(fd);
		return e;
	}
	io->peer = *peer;
	io->local = *local;
	*out = io;
	return E_OK;
}

const struct addr *io_peer(const struct io *io)
{
	return &io->peer;
}

const struct addr *io_local(const struct io *io)
{
	return &io->local;
}

void io_set_peer(struct io *io, const struct addr *peer, const struct addr *local)
{
	io->peer = *peer;
	io->local = *local;
}

bool io_is_tls(const struct io *io)
{
	return io->tls != NULL;
}

struct sl io_tls_version(const struct io *io)
{
	return io->tls ? tls_conn_version(io->tls) : SL("");
}

struct sl io_tls_cipher(const struct io *io)
{
	return io->tls ? tls_conn_cipher(io->tls) : SL("");
}

struct sl io_tls_sni(const struct io *io)
{
	return io->tls ? tls_conn_sni(io->tls) : SL("");
}

void io_counts(const struct io *io, uint64_t *in, uint64_t *out)
{
	*in = io->octets_in;
	*out = io->octets_out;
}

bool io_waits(const struct io *io)
{
	return io->waits_since_ns != 0;
}

int64_t io_waited_ns(const struct io *io, int64_t now_ns)
{
	return io->waited_ns + (io_waits(io) ? now_ns - io->waits_since_ns : 0);
}

/// Remembers what ends the connection.
static enum ec io_dies(struct io *io, enum ec e)
{
	if (e == E_CLOSED || e == E_IO)
		io->dead = e;
	return e;
}

static enum ec errno_ends(struct cx *cx, const char *what)
{
	bool gone = errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN || errno == ETIMEDOUT ||
	            errno == EHOSTUNREACH || errno == ENETUNREACH || errno == ECONNABORTED;

	return fail(cx, gone ? E_CLOSED : E_IO, "%s: %m", what);
}

// ---- reading

static struct pool *in_pool(const struct io *io)
{
	return io->in_room == IN_SMALL ? &pool_small : &pool_in;
}

static void in_release(struct io *io)
{
	if (io->in_at < io->in_n)
		return;
	pool_give(in_pool(io), io->in);
	io->in = NULL;
	io->in_at = io->in_n = 0;
}

/// Makes room for more input: takes a buffer, moves what is unread to its front, or changes to a large one.
static enum ec in_make_room(struct cx *cx, struct io *io)
{
	uint32_t unread = io->in_n - io->in_at;

	if (!io->in) {
		io->in_room = IN_SMALL;
		io->in = pool_take(&pool_small);
	} else if (io->in_n == io->in_room && io->in_at) {
		memmove(io->in, io->in + io->in_at, unread);
		io->in_at = 0;
		io->in_n = unread;
	} else if (io->in_n == io->in_room && io->in_room == IN_SMALL) {
		uint8_t *large = pool_take(&pool_in);
		if (!large)
			return fail(cx, E_TEMP, "no memory for input");
		memcpy(large, io->in, unread);
		pool_give(&pool_small, io->in);
		io->in = large;
		io->in_room = IO_IN_MAX;
	}
	if (!io->in)
		return fail(cx, E_TEMP, "no memory for input");
	return io->in_n < io->in_room ? E_OK : fail(cx, E_TOOBIG, "more than %d octets of input wait", IO_IN_MAX);
}

/// One attempt; E_TEMP: nothing there now (*want says what to wait for).
static enum ec try_read(struct cx *cx, struct io *io, uint8_t *p, size_t room, size_t *got, enum tls_want *want)
{
	if (io->tls)
		return tls_conn_read(cx, io->tls, p, room, got, want);
	for (;;) {
		ssize_t n = recv(io->fd.fd, p, room, 0);
		*want = TLS_WANT_READ;
		if (n > 0)
			*got = (size_t)n;
		if (n > 0)
			return E_OK;
		if (n == 0)
			return fail(cx, E_CLOSED, "the other side closed");
		if (errno == EAGAIN)
			return E_TEMP;
		if (errno != EINTR)
			return errno_ends(cx, "recv");
	}
}

/// Waits for the other side; reading with `ev` (may be NULL), *fired = true where that was first.
FIB static enum ec wait_for(struct cx *cx, struct io *io, enum tls_want want, struct fib_event *ev, bool *fired)
{
	enum ec e;

	if (want == TLS_WANT_TURN)
		return fib_yield(cx);
	io->waits_since_ns = clock_mono_ns();
	if (want == TLS_WANT_WRITE)
		e = fib_wait_writable(cx, &io->fd);
	else
		e = ev ? fib_wait_readable_or(cx, &io->fd, ev, fired) : fib_wait_readable(cx, &io->fd);
	io->waited_ns += clock_mono_ns() - io->waits_since_ns;
	io->waits_since_ns = 0;
	return e;
}

/// A client that always has more to say would keep the scheduler to itself, and no deadline would end it: what is
/// there already is read in turns.
FIB static enum ec wait_turn(struct cx *cx, struct io *io)
{
	if (io->turn_reads < TURN_READS && io->turn_octets < TURN_OCTETS)
		return E_OK;
	io->turn_reads = io->turn_octets = 0;
	return fib_yield(cx);
}

/// Reads into p, waiting; with `ev` (may be NULL) *fired = true ends the wait with nothing read.
FIB static enum ec read_some(
	struct cx *cx, struct io *io, uint8_t *p, size_t room, size_t *got, struct fib_event *ev, bool *fired)
{
	enum tls_want want;
	enum ec e = wait_turn(cx, io);

	if (e != E_OK)
		return e;
	e = try_read(cx, io, p, room, got, &want);
	while (e == E_TEMP) {
		io->turn_reads = io->turn_octets = 0;
		e = wait_for(cx, io, want, ev, fired);
		if (e != E_OK || (ev && *fired))
			return e;
		e = try_read(cx, io, p, room, got, &want);
	}
	if (e == E_OK) {
		io->octets_in += *got;
		figure_add(FIG_RECEIVED, 0, *got);
		io->turn_reads++;
		io->turn_octets += (uint32_t)min_size(*got, TURN_OCTETS);
	}
	return io_dies(io, e);
}

struct sl io_input(const struct io *io)
{
	if (!io->in)
		return (struct sl){ 0 };
	return (struct sl){ io->in + io->in_at, io->in_n - io->in_at };
}

void io_consume(struct io *io, size_t n)
{
	io->in_at += (uint32_t)min_size(n, io->in_n - io->in_at);
	in_release(io);
}

/// Reads what is there without waiting and without holding a buffer while nothing is: the first octets land in a
/// buffer of the stack's page.
FIB static enum ec fill(struct cx *cx, struct io *io, struct fib_event *ev, bool *fired)
{
	uint8_t first[512];
	size_t got;
	enum ec e = io->dead ? io->dead : io_flush(cx, io);

	if (e != E_OK)
		return e;
	in_release(io); // a line that was borrowed until now
	if (io->in) {
		e = in_make_room(cx, io);
		if (e == E_OK)
			e = read_some(cx, io, io->in + io->in_n, io->in_room - io->in_n, &got, ev, fired);
		if (e == E_OK && !(ev && *fired))
			io->in_n += (uint32_t)got;
		return e;
	}
	e = read_some(cx, io, first, sizeof first, &got, ev, fired);
	if (e != E_OK || (ev && *fired))
		return e;
	e = in_make_room(cx, io);
	if (e != E_OK) {
		io->dead = E_CLOSED; // `first` is lost: what would come next is not what was sent next
		return e;
	}
	memcpy(io->in, first, got);
	io->in_n = (uint32_t)got;
	return E_OK;
}

FIB enum ec io_fill(struct cx *cx, struct io *io)
{
	return fill(cx, io, NULL, NULL);
}

FIB enum ec io_fill_or(struct cx *cx, struct io *io, struct fib_event *ev, bool *fired)
{
	*fired = false;
	if (io->in_at < io->in_n)
		return E_OK;
	return fill(cx, io, ev, fired);
}

FIB enum ec io_peek(struct cx *cx, struct io *io, size_t seen, uint8_t *p, size_t room, size_t *got)
{
	enum ec e = io->dead;

	while (e == E_OK) {
		ssize_t n = recv(io->fd.fd, p, room, MSG_PEEK);
		if (n > 0 && (size_t)n > seen) {
			*got = (size_t)n;
			return E_OK;
		}
		if (n == 0)
			e = fail(cx, E_CLOSED, "the other side closed");
		else if (n > 0 || errno == EAGAIN)
			e = wait_for(cx, io, TLS_WANT_READ, NULL, NULL);
		else if (errno != EINTR)
			e = errno_ends(cx, "recv");
	}
	return io_dies(io, e);
}

enum ec io_skip(struct cx *cx, struct io *io, size_t n)
{
	uint8_t octets[512];

	while (n) {
		ssize_t k = recv(io->fd.fd, octets, min_size(n, sizeof octets), 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return io_dies(io, fail(cx, E_CLOSED, "octets that were there are gone"));
		n -= (size_t)k;
		io->octets_in += (size_t)k;
		figure_add(FIG_RECEIVED, 0, (size_t)k);
	}
	return E_OK;
}

/// Drops input up to and with the next LF.
FIB static enum ec skip_line(struct cx *cx, struct io *io)
{
	for (;;) {
		struct sl in = io_input(io);
		size_t lf = sl_find(in, '\n');
		io_consume(io, lf + 1);
		if (lf < in.n)
			return fail(cx, E_TOOBIG, "line too long");
		enum ec e = io_fill(cx, io);
		if (e != E_OK)
			return e;
	}
}

FIB enum ec io_line(struct cx *cx, struct io *io, size_t max, struct sl *line)
{
	size_t seen = 0;

	for (;;) {
		struct sl in = io_input(io);
		size_t lf = seen + sl_find(sl_from(in, seen), '\n');
		if (lf < in.n) {
			size_t n = lf && in.p[lf - 1] == '\r' ? lf - 1 : lf;
			io->in_at += (uint32_t)lf + 1; // not io_consume: the line stays borrowed
			if (n > max)
				return fail(cx, E_TOOBIG, "line of %zu octets, limit %zu", n, max);
			*line = sl_head(in, n);
			return E_OK;
		}
		if (in.n > max + 1 || in.n == IO_IN_MAX)
			return skip_line(cx, io);
		seen = in.n;
		if (seen == 0)
			in_release(io);
		enum ec e = io_fill(cx, io);
		if (e != E_OK)
			return e;
	}
}

FIB enum ec io_read(struct cx *cx, struct io *io, uint8_t *p, size_t room, size_t *got)
{
	struct sl in = io_input(io);
	enum ec e;

	if (in.n) {
		*got = min_size(in.n, room);
		memcpy(p, in.p, *got);
		io_consume(io, *got);
		return E_OK;
	}
	in_release(io);
	e = io->dead ? io->dead : io_flush(cx, io);
	return e == E_OK ? read_some(cx, io, p, room, got, NULL, NULL) : e;
}

// ---- writing

/// Sends all of two pieces, waiting; both without a copy where there is no TLS.
FIB static enum ec send_plain(struct cx *cx, struct io *io, struct sl a, struct sl b)
{
	while (a.n + b.n) {
		struct iovec iov[2] = { { (void *)(uintptr_t)a.p, a.n }, { (void *)(uintptr_t)b.p, b.n } };
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
		ssize_t n = sendmsg(io->fd.fd, &m, MSG_NOSIGNAL);
		enum ec e = E_OK;
		if (n < 0 && errno == EAGAIN)
			e = wait_for(cx, io, TLS_WANT_WRITE, NULL, NULL);
		else if (n < 0 && errno != EINTR)
			e = errno_ends(cx, "send");
		if (e != E_OK)
			return e;
		size_t done = n > 0 ? (size_t)n : 0, of_a = min_size(done, a.n);
		io->octets_out += done;
		figure_add(FIG_SENT, 0, done);
		a = sl_from(a, of_a);
		b = sl_from(b, done - of_a);
	}
	return E_OK;
}

FIB static enum ec send_tls(struct cx *cx, struct io *io, struct sl s)
{
	while (s.n) {
		enum tls_want want;
		size_t put = 0;
		enum ec e = tls_conn_write(cx, io->tls, s, &put, &want);
		if (e == E_TEMP)
			e = wait_for(cx, io, want, NULL, NULL);
		if (e != E_OK)
			return e;
		io->octets_out += put;
		figure_add(FIG_SENT, 0, put);
		s = sl_from(s, put);
	}
	return E_OK;
}

/// Sends the output buffer and then `s`; the buffer goes back to the pool.
FIB static enum ec send_all(struct cx *cx, struct io *io, struct sl s)
{
	struct sl buffered = { io->out, io->out_n };
	enum ec e;

	if (io->dead)
		return io->dead;
	if (io->tls) {
		e = send_tls(cx, io, buffered);
		if (e == E_OK)
			e = send_tls(cx, io, s);
	} else {
		e = send_plain(cx, io, buffered, s);
	}
	pool_give(&pool_out, io->out);
	io->out = NULL;
	io->out_n = 0;
	// what was cut in the middle cannot be continued
	if (e != E_OK && io->dead == E_OK)
		io->dead = e == E_IO ? E_IO : E_CLOSED;
	return e;
}

FIB enum ec io_put(struct cx *cx, struct io *io, struct sl s)
{
	if (io->dead)
		return io->dead;
	if (s.n >= OUT_DIRECT || io->out_n + s.n > IO_OUT_MAX) {
		enum ec e = send_all(cx, io, s.n >= OUT_DIRECT ? s : SL(""));
		if (e != E_OK || s.n >= OUT_DIRECT)
			return e;
	}
	if (s.n == 0)
		return E_OK;
	if (!io->out)
		io->out = pool_take(&pool_out);
	if (!io->out)
		return fail(cx, E_TEMP, "no memory for output");
	memcpy(io->out + io->out_n, s.p, s.n);
	io->out_n += (uint32_t)s.n;
	return E_OK;
}

FIB enum ec io_printf(struct cx *cx, struct io *io, const char *fmt, ...)
{
	struct buf b = BUF(IO_OUT_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	enum ec e = b.err ? fail(cx, b.err, "output line too long") : io_put(cx, io, buf_sl(&b));
	buf_free(&b);
	return e;
}

FIB enum ec io_flush(struct cx *cx, struct io *io)
{
	return io->out_n ? send_all(cx, io, SL("")) : io->dead;
}

// ---- beginning TLS, ending

FIB enum ec io_starttls(struct cx *cx, struct io *io, struct tls_table *table)
{
	enum tls_want want;

	if (io->dead)
		return io->dead;
	if (io->tls || !table)
		return fail(cx, E_STATE, "TLS is on already, or there is no certificate");
	if (io->in_at < io->in_n)
		return fail(cx, E_STATE, "plaintext behind STARTTLS");
	in_release(io);
	enum ec e = io_flush(cx, io);
	if (e == E_OK)
		e = tls_conn_new(cx, table, io->fd.fd, &io->tls);
	if (e != E_OK)
		return e;
	while ((e = tls_conn_handshake(cx, io->tls, &want)) == E_TEMP) {
		e = wait_for(cx, io, want, NULL, NULL);
		if (e != E_OK)
			break;
	}
	figure_add(FIG_TLS, e == E_OK ? OUTCOME_OK : OUTCOME_FAILED, 1);
	if (e != E_OK)
		io->dead = E_CLOSED; // half a handshake serves nobody
	return e;
}

/// Sends what is buffered as far as that goes without waiting.
static void send_last(struct io *io)
{
	struct sl rest = { io->out, io->out_n };
	enum tls_want want;
	size_t put;

	while (io->tls && !io->dead && rest.n) { // a record for each round
		io->dead = tls_conn_write(NULL, io->tls, rest, &put, &want);
		if (io->dead)
			break;
		rest = sl_from(rest, put);
		figure_add(FIG_SENT, 0, put);
	}
	if (io->tls || io->dead || !rest.n)
		return;
	ssize_t n = send(io->fd.fd, rest.p, rest.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		io->dead = E_CLOSED;
	else
		figure_add(FIG_SENT, 0, (size_t)n);
}

void io_close(struct io *io)
{
	if (!io)
		return;
	send_last(io);
	if (io->tls && !io->dead)
		tls_conn_bye(io->tls);
	tls_conn_free(io->tls);
	pool_give(in_pool(io), io->in);
	pool_give(&pool_out, io->out);
	int fd = io->fd.fd;
	fib_fd_del(&io->fd);
	close(fd);
	free(io);
}
