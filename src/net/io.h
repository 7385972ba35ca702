#pragma once
/// io — one client connection for session code: buffered reading, buffered writing, TLS in between when started.
///
/// Holds no buffer while it waits with nothing in it: input and output buffers come from the process's pool when
/// needed and go back when empty, so that an idle session costs its fiber's one stack page (plus OpenSSL's state).
/// Reads and writes wait under cx's deadline; a read sends what is buffered for output before it waits. E_CLOSED
/// and E_IO are final: every further call returns the same. After E_TIMEOUT or E_CANCELED of a read a last line
/// may still be sent; of a write nothing more. One fiber uses it at a time.
#include <stdbool.h>

#include "base/cx.h"
#include "base/sl.h"
#include "fiber/fiber.h"
#include "net/addr.h"
#include "net/tls.h"

struct io;
enum { IO_IN_MAX = 65536, IO_OUT_MAX = 65536 };

/// Takes over a connected non-blocking socket (closed by io_close, and also where this fails). `peer` and
/// `local` are as accept saw them.
[[nodiscard]] enum ec io_new(struct cx *cx, int fd, const struct addr *peer, const struct addr *local, struct io **out);
/// Sends what is buffered where that needs no waiting, ends TLS with close_notify likewise, closes. Accepts NULL.
void io_close(struct io *io);

const struct addr *io_peer(const struct io *io);
const struct addr *io_local(const struct io *io);
/// Replaces both, after a PROXY header said who really speaks.
void io_set_peer(struct io *io, const struct addr *peer, const struct addr *local);

/// The handshake, of the side that the table is for. The table is referenced for the connection's life.
/// errors: E_STATE where input is already buffered in plain (plaintext behind STARTTLS: the session must end),
/// E_CLOSED (handshake failed; cx tells why in OpenSSL's words), E_TIMEOUT.
FIB enum ec io_starttls(struct cx *cx, struct io *io, struct tls_table *table);
bool io_is_tls(const struct io *io);
/// "TLSv1.3", the cipher and the SNI name for log lines and Received; empty without TLS. Borrowed for the
/// connection's life.
struct sl io_tls_version(const struct io *io);
struct sl io_tls_cipher(const struct io *io);
struct sl io_tls_sni(const struct io *io);

/// What has arrived and is not consumed; borrowed until the next io_fill, io_line, io_read or io_consume.
struct sl io_input(const struct io *io);
void io_consume(struct io *io, size_t n);
/// Waits for more input and adds it to what io_input gives. E_TOOBIG where IO_IN_MAX octets wait already (nothing is
/// lost). E_CLOSED at the end of the stream (E_OK as long as something was read).
FIB enum ec io_fill(struct cx *cx, struct io *io);
/// The same, but returns E_OK with *fired = true where `ev` is set first. With input already buffered it returns
/// at once.
FIB enum ec io_fill_or(struct cx *cx, struct io *io, struct fib_event *ev, bool *fired);

/// Looks at the first octets of a plain connection, from which nothing was read yet, and leaves them there: what
/// follows them may be TLS. Waits until more than `seen` have come (*got of them, at most `room`).
FIB enum ec io_peek(struct cx *cx, struct io *io, size_t seen, uint8_t *p, size_t room, size_t *got);
/// Takes off `n` octets that were looked at.
enum ec io_skip(struct cx *cx, struct io *io, size_t n);

/// Reads one line of at most `max` octets (line end not counted, max ≤ IO_IN_MAX - 2) ended by LF; CRLF and a
/// bare LF are both taken off, a bare CR stays. out: *line, borrowed like io_input, consumed.
/// errors: E_TOOBIG — the line was longer; the rest up to its LF has been read and dropped.
FIB enum ec io_line(struct cx *cx, struct io *io, size_t max, struct sl *line);
/// Takes up to `room` octets of input into p; waits only where nothing is buffered. out: *got ≥ 1.
FIB enum ec io_read(struct cx *cx, struct io *io, uint8_t *p, size_t room, size_t *got);

/// Adds to the output; sends when the buffer is full or `s` is large (large plain output goes straight from `s`, no
/// copy). `s` is borrowed until return.
FIB enum ec io_put(struct cx *cx, struct io *io, struct sl s);
[[gnu::format(printf, 3, 4)]] FIB enum ec io_printf(struct cx *cx, struct io *io, const char *fmt, ...);
/// Sends everything buffered. Every answer ends with it, unless more input is already waiting (pipelining).
FIB enum ec io_flush(struct cx *cx, struct io *io);

/// Octets received and sent, for log lines.
void io_counts(const struct io *io, uint64_t *in, uint64_t *out);
/// Whether its fiber waits for the other side at this moment.
bool io_waits(const struct io *io);
/// How long its fiber has waited for the other side until `now_ns` (monotonic clock), all in all; time that it spent
/// on anything else is not in it.
int64_t io_waited_ns(const struct io *io, int64_t now_ns);
/// How many buffers all connections of this process hold now (budget counter).
unsigned io_buffers_held(void);
