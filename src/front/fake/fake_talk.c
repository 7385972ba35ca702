/// fake_talk — the connection: a transcript in place of a client. See fake.h.
#include "base/check.h"
#include "front/fake/fake.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"

struct io {
	const struct fake_talk *talk;
	const char *name;
	struct sl script;
	size_t line;      // in the script, for messages
	struct buf ready; // what the client has sent, not read yet
	struct buf in;    // what the session has and did not consume
	size_t consumed;
	struct buf out, flushed; // written; what the transcript did not compare yet
	bool tls, silence, stop, tls_fails;
	bool raw; // no transcript: the input is there from the start, the output goes nowhere
	struct session *session;
	struct addr peer;
};

static void bad(struct io *io, const char *why, struct sl a, struct sl b)
{
	print_error("ERROR: transcript \"%s\" line %zu: %s\n  script: %.*s\n  server: %.*s\n", io->name, io->line, why,
		SLF(a), SLF(b));
	_fail(__FILE__, __LINE__);
}

/// True where the text fits the pattern, in which * stands for any octets.
static bool fits(struct sl pattern, struct sl text)
{
	size_t star = sl_find(pattern, '*');

	if (star == pattern.n)
		return sl_eq(pattern, text);
	if (!sl_starts(text, sl_head(pattern, star)))
		return false;
	struct sl rest = sl_from(pattern, star + 1);
	for (size_t i = star; i <= text.n; i++)
		if (fits(rest, sl_from(text, i)))
			return true;
	return false;
}

static struct sl next_line(struct io *io)
{
	for (;;) {
		struct sl rest = io->script, line = sl_cut(&rest, '\n');
		if (line.n && line.p[0] != '#')
			return line;
		if (io->script.n == 0)
			return (struct sl){ 0 };
		io->script = rest;
		io->line++;
	}
}

static void drop_line(struct io *io)
{
	sl_cut(&io->script, '\n');
	io->line++;
}

static void compare_output(struct io *io)
{
	struct sl got = buf_sl(&io->flushed), line;

	while (line = next_line(io), sl_starts(line, SL("S:"))) {
		struct sl want = sl_from(line, line.n > 2 && line.p[2] == ' ' ? 3 : 2), rest = got;
		struct sl said = sl_cut(&rest, '\n');
		if (got.n == 0)
			bad(io, "the server said nothing", want, got);
		if (said.n == 0 || said.p[said.n - 1] != '\r')
			bad(io, "a line without CRLF", want, said);
		said = sl_head(said, said.n - 1);
		if (!fits(want, said))
			bad(io, "the server said something else", want, said);
		got = rest;
		drop_line(io);
	}
	if (sl_starts(line, SL("S<: ")) && sl_eq(sl_from(line, 4), got)) {
		drop_line(io);
		got.n = 0;
	}
	if (got.n)
		bad(io, "the server said more", line, got);
	buf_clear(&io->flushed);
}

static void add_escaped(struct buf *b, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\\' || i + 1 == s.n) {
			buf_addc(b, s.p[i]);
			continue;
		}
		uint8_t c = s.p[++i];
		size_t known = sl_find(SL("rn0t\\"), c);
		if (c == 'x' && i + 2 < s.n) {
			buf_addc(b, (uint8_t)(hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2])));
			i += 2;
		} else if (known < 5) {
			buf_addc(b, (uint8_t) "\r\n\0\t\\"[known]);
		}
	}
}

static void add_repeated(struct buf *b, struct sl s)
{
	uint64_t n = 0;
	struct sl count = sl_cut(&s, ' ');

	assert_true(num_parse(count, 10 << 20, &n));
	while (n--)
		buf_add(b, s);
	buf_puts(b, "\r\n");
}

static void take_order(struct io *io, struct sl order)
{
	io->silence = sl_eq(order, SL("silence"));
	if (sl_eq(order, SL("reconnects"))) {
		fake.epoch++;
		fake.full = true;
	}
	io->tls_fails |= sl_eq(order, SL("tls-fails"));
	if (sl_eq(order, SL("stop")))
		io->stop = io->session->front->stopping = true;
}

/// Moves the client's lines up to the next expectation (or order) into `ready`.
static void take_input(struct io *io)
{
	for (struct sl line; line = next_line(io), line.n; drop_line(io)) {
		if (sl_starts(line, SL("C: "))) {
			buf_add(&io->ready, sl_from(line, 3));
			buf_puts(&io->ready, "\r\n");
		} else if (sl_eq(line, SL("C:"))) {
			buf_puts(&io->ready, "\r\n");
		} else if (sl_starts(line, SL("C<: "))) {
			add_escaped(&io->ready, sl_from(line, 4));
		} else if (sl_starts(line, SL("C*: "))) {
			add_repeated(&io->ready, sl_from(line, 4));
		} else if (sl_starts(line, SL("!: ")) && io->ready.n == 0) {
			take_order(io, sl_from(line, 3));
			if (io->silence || io->stop) {
				drop_line(io);
				return;
			}
		} else if (sl_starts(line, SL("S")) || sl_starts(line, SL("!: "))) {
			return;
		} else {
			bad(io, "a line that this format does not know", line, SL(""));
		}
	}
}

const struct addr *io_peer(const struct io *io)
{
	return &io->peer;
}

FIB enum ec io_starttls(struct cx *cx, struct io *io, struct tls_table *)
{
	if (io->in.n > io->consumed)
		return fail(cx, E_STATE, "plaintext");
	if (io->tls_fails)
		return fail(cx, E_CLOSED, "handshake");
	io->tls = true;
	return E_OK;
}

bool io_is_tls(const struct io *io)
{
	return io->tls;
}

struct sl io_tls_version(const struct io *io)
{
	return io->tls ? SL("TLSv1.3") : SL("");
}

struct sl io_tls_cipher(const struct io *io)
{
	return io->tls ? SL("TLS_AES_256_GCM_SHA384") : SL("");
}

struct sl io_input(const struct io *io)
{
	return sl_from(buf_sl(&io->in), io->consumed);
}

void io_consume(struct io *io, size_t n)
{
	assert_true(n <= io->in.n - io->consumed);
	io->consumed += n;
}

FIB enum ec io_fill(struct cx *cx, struct io *io)
{
	struct buf rest = BUF(16 << 20);

	assert_true(cx->deadline_ns > clock_mono_ns()); // nobody waits for ever
	if (io->out.n)
		bad(io, "the session waits with unsent output", SL(""), buf_sl(&io->out));
	if (io->ready.n == 0 && !io->raw) {
		compare_output(io);
		take_input(io);
	}
	if (io->silence)
		return fail(cx, E_TIMEOUT, "silence");
	if (io->ready.n == 0)
		return fail(cx, E_CLOSED, "end of the transcript");
	// the unread part moves to fresh memory of its exact size, so that ASan sees old slices used
	size_t n = io->talk->piece ? min_size(io->talk->piece, io->ready.n) : min_size(io->ready.n, IO_IN_MAX);
	buf_add(&rest, io_input(io));
	buf_add(&rest, sl_head(buf_sl(&io->ready), n));
	buf_drop(&io->ready, n);
	buf_free(&io->in);
	io->in = rest;
	io->consumed = 0;
	return E_OK;
}

FIB enum ec io_line(struct cx *cx, struct io *io, size_t max, struct sl *line)
{
	struct sl in;
	size_t lf;
	bool over = false;

	while (in = io_input(io), lf = sl_find(in, '\n'), lf == in.n) {
		if (in.n > max + 2) {
			over = true;
			io_consume(io, in.n);
		}
		enum ec e = io_fill(cx, io);
		if (e != E_OK)
			return e;
	}
	io_consume(io, lf + 1);
	*line = sl_head(in, lf);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return over || line->n > max ? E_TOOBIG : E_OK;
}

FIB enum ec io_put(struct cx *, struct io *io, struct sl s)
{
	buf_add(&io->out, s);
	fake.said_holding += fake.chunks_taken > 0;
	return io->out.err;
}

FIB enum ec io_printf(struct cx *, struct io *io, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&io->out, fmt, ap);
	va_end(ap);
	fake.said_holding += fake.chunks_taken > 0;
	return io->out.err;
}

FIB enum ec io_flush(struct cx *, struct io *io)
{
	buf_add(&io->flushed, buf_sl(&io->out));
	buf_clear(&io->out);
	return io->flushed.err;
}

void addr_stranger_key(const struct addr *, uint8_t key[16])
{
	memset(key, 0, 16);
}

void addr_print(struct buf *b, const struct addr *)
{
	buf_puts(b, "192.0.2.7");
}

const char *port_name(enum port_kind kind)
{
	return kind == PORT_SMTP ? "smtp" : "other";
}

enum ec session_rest(struct session *s)
{
	struct io *io = s->io;

	s->at_rest = true;
	if (io_input(io).n == 0 && io->ready.n == 0 && !io->stop && !io->raw) { // an order to stop may be next
		compare_output(io);
		struct sl line = next_line(io);
		if (sl_eq(line, SL("!: stop")))
			take_input(io);
	}
	return s->front->stopping ? fail(s->cx, E_CANCELED, "the server is stopping") : E_OK;
}

void session_doing(const struct session *, struct sl)
{
}

void session_busy(struct session *s)
{
	s->at_rest = false;
}

bool session_may_login(const struct session *s)
{
	return s->io->tls || s->conf->plain_on_loopback;
}

void io_counts(const struct io *, uint64_t *in, uint64_t *out)
{
	*in = *out = 0;
}

bool io_waits(const struct io *)
{
	return true;
}

int64_t io_waited_ns(const struct io *, int64_t now_ns)
{
	return now_ns;
}

void fib_cancel(struct cx *cx)
{
	cx->canceled = true;
}

void fib_event_set(struct fib_event *ev)
{
	ev->set = true;
}

/// Nobody would ever set it here.
FIB enum ec fib_event_wait(struct cx *, struct fib_event *)
{
	return E_TIMEOUT;
}

FIB enum ec fib_sleep(struct cx *cx, int64_t ms)
{
	assert_true(cx->deadline_ns == 0); // a deadline would cut the pause short
	fake.slept_ms += ms;
	return E_OK;
}

static enum ec run(const struct fake_talk *t, struct io *io)
{
	struct cx cx = { .sid = 1 };
	struct front_conf conf = {
		.hostname = SL("mx.example.org"),
		.version = SL("1.0"),
		.message_max = t->message_max ? t->message_max : 1 << 20,
		.recipients_max = t->recipients_max ? t->recipients_max : 5,
		.bare_newline_reject = t->bare_newline_reject,
		.quota_defer = t->quota_defer,
		.pop3_lock = t->pop3_lock,
		.plain_on_loopback = t->loopback_plain,
		.tls = t->offer_tls ? (struct tls_table *)&conf : NULL,
	};
	struct client *store = (struct client *)&fake;
	struct front front = { .conf = &conf, .store = store, .board = t->board };
	struct session s = { .front = &front, .conf = &conf, .cx = &cx, .io = io, .kind = t->kind };

	io->talk = t;
	io->in = BUF(16 << 20);
	io->out = BUF(64 << 20);
	io->flushed = BUF(64 << 20);
	io->tls = t->tls;
	io->peer = (struct addr){ .v4 = true, .ip = { [10] = 0xff, 0xff, 192, 0, 2, 7 } };
	io->session = &s;
	enum ec e = t->session(&cx, &s);
	assert_int_equal(io_flush(&cx, io), E_OK); // as io_close does
	cx_end(&cx);
	return e;
}

static void io_end(struct io *io)
{
	buf_free(&io->ready);
	buf_free(&io->in);
	buf_free(&io->out);
	buf_free(&io->flushed);
}

enum ec fake_talk_run(const struct fake_talk *t, const char *name, struct sl transcript)
{
	struct io io = { .name = name, .script = transcript, .line = 1, .ready = BUF(64 << 20) };
	enum ec e = run(t, &io);

	compare_output(&io);
	if (next_line(&io).n || io.ready.n)
		bad(&io, "the session ended early", next_line(&io), buf_sl(&io.ready));
	io_end(&io);
	return e;
}

enum ec fake_raw_run(const struct fake_talk *t, struct sl input, struct buf *output)
{
	struct io io = { .name = "raw", .raw = true, .ready = BUF(64 << 20) };

	buf_add(&io.ready, input);
	enum ec e = run(t, &io);
	buf_add(output, buf_sl(&io.flushed));
	io_end(&io);
	return e;
}

enum ec fake_talk_file(const struct fake_talk *t, const char *path)
{
	struct buf text = BUF(1 << 20);
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		print_error("ERROR: %s is missing\n", path);
		_fail(__FILE__, __LINE__);
	}
	do {
		uint8_t *p = buf_room(&text, 65536);
		assert_non_null(p);
		n = fread(p, 1, 65536, f);
		buf_took(&text, n);
	} while (n);
	fclose(f);
	enum ec e = fake_talk_run(t, path, buf_sl(&text));
	buf_free(&text);
	return e;
}
