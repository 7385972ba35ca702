/// fake_front — io over a script, and the few functions of fiber, front and auth that a session calls.
#include "base/check.h"
#include "base/clock.h"
#include "front/imap/fake.h"

#include "auth/sasl.h"
#include "base/num.h"
#include "front/imap/fetch.h"
#include "front/imap/search.h"

/// What the session takes for its connection.
struct io {
	struct fake_run *run;
	const char *const *at; // the script's next line
	struct buf waiting;    // sent by the script
	size_t given;          // octets of it that the session has got
	struct buf in;         // given, not consumed
	size_t consumed;
	struct addr peer;
	enum ec dead;
};

static bool fits(const char *want, struct sl got)
{
	struct sl w = sl_cstr(want);

	if (w.n && w.p[w.n - 1] == '*')
		return sl_starts(got, sl_head(w, w.n - 1));
	return sl_eq(w, got);
}

/// Compares what was said with the S: lines up to the next thing to do.
static void check_said(struct io *io)
{
	struct sl said = buf_sl(&io->run->out);

	if (io->run->raw.p) {
		buf_clear(&io->run->out);
		return;
	}
	for (; *io->at && (*io->at)[0] == 'S' && !io->run->wrong; io->at++) {
		while (strcmp(*io->at, "S: @bad") == 0 && sl_starts(said, SL("a BAD Unknown")))
			said = sl_from(said, sl_find(said, '\n') + 1);
		if (strcmp(*io->at, "S: @bad") == 0)
			continue;
		size_t n = sl_find(said, '\n');
		struct sl line = sl_head(said, n && n < said.n ? n - 1 : said.n);
		if (!fits(*io->at + 3, line) || n == said.n) {
			io->run->wrong = *io->at;
			print_error("want: %s\ngot:  %.*s\n", *io->at + 3, SLF(line));
			return;
		}
		said = sl_from(said, n + 1);
	}
	if (said.n && !io->run->wrong) {
		io->run->wrong = *io->at ? *io->at : "(end)";
		print_error("not wanted: %.*s\n", SLF(said));
	}
	buf_clear(&io->run->out);
}

static void one_x(struct io *io, struct sl words)
{
	if (sl_eq(words, SL("away")))
		io->run->store.away = true;
	else if (sl_eq(words, SL("back")))
		io->run->store.away = false;
	else if (sl_eq(words, SL("narrow")))
		io->run->store.narrow = true;
	else if (sl_eq(words, SL("tires")))
		io->run->store.tires = true;
	else if (sl_eq(words, SL("shut")))
		io->run->store.shut = true;
	else if (sl_eq(words, SL("crowded")))
		assert_int_equal(room_take(&(struct cx){ 0 }, &io->run->taken, io->run->taken.room->limit), E_OK);
	else if (sl_eq(words, SL("roomy")))
		room_give(&io->run->taken);
	else if (sl_eq(words, SL("full")) || sl_eq(words, SL("not full")))
		io->run->store.full = words.n == 4;
	else if (sl_eq(words, SL("reconnects")))
		io->run->store.epoch++;
	else if (sl_eq(words, SL("forget")))
		io->run->store.forgets = true;
	else if (sl_eq(words, SL("stop")))
		io->dead = E_CANCELED;
	else
		fake_store_other(&io->run->store, words);
}

/// Adds what a line sends: itself, "@n" for n octets, "@nul", "@numbers" for ten thousand of them, "@bad" for commands
/// that make no sense until the end.
static void add_line(struct io *io, struct sl line)
{
	uint64_t n = 0;

	if (sl_eq(line, SL("@nul"))) {
		buf_add(&io->waiting, SL("he\0lo"));
	} else if (sl_eq(line, SL("@numbers"))) {
		for (unsigned i = 1; i <= 10000; i++)
			buf_printf(&io->waiting, "%u,", 2 * i);
	} else if (sl_eq(line, SL("@bad"))) {
		for (unsigned i = 0; i <= IMAP_BAD_MAX; i++)
			buf_puts(&io->waiting, "a FOO\r\n");
	} else if (line.n && line.p[0] == '@' && num_parse(sl_from(line, 1), 1 << 24, &n)) {
		bool lines = n > 10000; // what is dropped may look like lines
		while (n--)
			buf_addc(&io->waiting, lines && n % 64 == 1 ? '\n' : 'x');
	} else {
		buf_add(&io->waiting, line);
	}
}

/// Does the script's next lines until one sends something. False at the script's end.
static bool go_on(struct io *io)
{
	bool sent = false;

	check_said(io);
	while (!io->run->wrong && *io->at && (*io->at)[0] != 'S') {
		struct sl line = sl_cstr(*io->at++);
		if (line.p[0] == 'X') {
			one_x(io, sl_from(line, 3));
			if (*io->at && (*io->at)[0] == 'S')
				return true;
			continue;
		}
		add_line(io, sl_from(line, 3));
		if (line.p[0] == 'C')
			buf_puts(&io->waiting, "\r\n");
		sent = true;
	}
	return sent;
}

static enum ec give(struct cx *cx, struct io *io)
{
	size_t n = io->waiting.n - io->given;

	if (io->run->piece && n > 10000)
		n = 5000; // a large message octet by octet proves nothing more
	else if (io->run->piece && n > io->run->piece)
		n = io->run->piece;

	if (io->dead == E_CANCELED)
		return fail(cx, E_CANCELED, "stop");
	if (n == 0)
		return fail(cx, E_CLOSED, "end of the script");
	buf_drop(&io->in, io->consumed);
	io->consumed = 0;
	buf_add(&io->in, sl_sub(buf_sl(&io->waiting), io->given, io->given + n));
	io->given += n;
	return E_OK;
}

FIB enum ec io_fill(struct cx *cx, struct io *io)
{
	if (io->given == io->waiting.n && !io->dead && !go_on(io) && !io->dead)
		return fail(cx, E_CLOSED, "end of the script");
	return give(cx, io);
}

FIB enum ec io_fill_or(struct cx *cx, struct io *io, struct fib_event *ev, bool *fired)
{
	*fired = false;
	if (io_input(io).n)
		return E_OK;
	if (io->given == io->waiting.n && !io->dead && !go_on(io) && !io->dead)
		return fail(cx, E_CLOSED, "end of the script");
	if (io->given == io->waiting.n && !io->dead) {
		*fired = ev->set;
		ev->set = false;
		return *fired ? E_OK : fail(cx, E_TIMEOUT, "nothing happened");
	}
	return give(cx, io);
}

struct sl io_input(const struct io *io)
{
	return sl_from(buf_sl(&io->in), io->consumed);
}

void io_consume(struct io *io, size_t n)
{
	io->consumed += n;
}

FIB enum ec io_line(struct cx *cx, struct io *io, size_t max, struct sl *line)
{
	size_t n;

	while (n = sl_find(io_input(io), '\n'), n == io_input(io).n) {
		enum ec e = io_fill(cx, io);
		if (e != E_OK)
			return e;
	}
	*line = sl_head(io_input(io), n);
	io_consume(io, n + 1);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return line->n > max ? E_TOOBIG : E_OK;
}

FIB enum ec io_read(struct cx *cx, struct io *io, uint8_t *p, size_t room, size_t *got)
{
	enum ec e = io_input(io).n ? E_OK : io_fill(cx, io);

	if (e != E_OK)
		return e;
	struct sl s = sl_head(io_input(io), room);
	memcpy(p, s.p, s.n);
	*got = s.n;
	io_consume(io, s.n);
	return E_OK;
}

FIB enum ec io_put(struct cx *cx, struct io *io, struct sl s)
{
	(void)cx;
	buf_add(&io->run->out, s);
	return E_OK;
}

FIB enum ec io_printf(struct cx *cx, struct io *io, const char *fmt, ...)
{
	va_list ap;

	(void)cx;
	va_start(ap, fmt);
	buf_vprintf(&io->run->out, fmt, ap);
	va_end(ap);
	return E_OK;
}

FIB enum ec io_flush(struct cx *cx, struct io *io)
{
	(void)cx, (void)io;
	return E_OK;
}

const struct addr *io_peer(const struct io *io)
{
	return &io->peer;
}

bool io_is_tls(const struct io *io)
{
	return io->run->tls;
}

FIB enum ec io_starttls(struct cx *cx, struct io *io, struct tls_table *table)
{
	(void)table;
	if (io_input(io).n || io->given < io->waiting.n)
		return fail(cx, E_STATE, "plaintext behind STARTTLS");
	io->run->tls = io->run->login = true;
	return E_OK;
}

void addr_stranger_key(const struct addr *, uint8_t key[16])
{
	memset(key, 0, 16);
}

void addr_print(struct buf *b, const struct addr *a)
{
	(void)a;
	buf_puts(b, "192.0.2.1");
}

FIB enum ec fib_sleep(struct cx *cx, int64_t ms)
{
	(void)cx;
	assert_in_range(ms, 1000, 5000);
	return E_OK;
}

FIB enum ec fib_yield(struct cx *cx)
{
	return cx_check(cx);
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
FIB enum ec fib_event_wait(struct cx *cx, struct fib_event *ev)
{
	(void)ev;
	return fail(cx, E_TIMEOUT, "nothing happened");
}

enum ec session_rest(struct session *s)
{
	s->at_rest = true;
	return E_OK;
}

void session_doing(const struct session *, struct sl)
{
}

void session_busy(struct session *s)
{
	s->at_rest = false;
}

const char *port_name(enum port_kind kind)
{
	return kind == PORT_IMAP ? "imap" : "other";
}

bool session_may_login(const struct session *s)
{
	return s->io->run->login;
}

struct sl sasl_mechanisms(bool)
{
	return SL("PLAIN LOGIN");
}

FIB enum ec sasl_password(
	struct cx *cx, const struct sasl_login *l, struct sl user, struct sl password, struct sasl_result *out)
{
	const struct fake_store *st = (const struct fake_store *)(const void *)l->store;
	uint64_t expires_s = (uint64_t)(clock_steady_s() + HANDLE_KEPT_S - st->handle_age_s);

	if (sl_eq(password, SL("again")))
		return fail(cx, E_LIMIT, "too many wrong ones");
	if (!sl_eq(user, SL("ann")) || !sl_eq(password, SL("secret")))
		return fail(cx, E_AUTH, "wrong");
	if (st->full)
		return fail(cx, E_QUOTA, "too many sessions");
	*l->seat = (struct seat){ 7, client_epoch(l->store) };
	*out = (struct sasl_result){
		.handle = { .account = 7, .expires_s = expires_s }, .address = "ann@example.test", .address_octets = 16
	};
	return E_OK;
}

/// PLAIN, loosely: the password is what matters here.
FIB enum ec sasl_run(
	struct cx *cx, const struct sasl_login *l, struct sl mechanism, struct sl initial, struct sasl_result *out)
{
	struct buf response = BUF(1000);
	enum ec e = E_OK;

	if (!sl_eq_ci(mechanism, SL("PLAIN")))
		return fail(cx, E_UNSUPPORTED, "mechanism");
	if (initial.p)
		buf_add(&response, initial);
	else
		e = l->ask(cx, l->arg, SL(""), &response);
	struct sl rest = buf_sl(&response);
	(void)sl_cut(&rest, 0);
	struct sl user = sl_cut(&rest, 0);
	if (e == E_OK)
		e = sasl_password(cx, l, user, rest, out);
	buf_free(&response);
	return e;
}

FIB enum ec imap_fetch_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cx, (void)im, (void)cmd;
	return E_OK;
}

FIB enum ec imap_search_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cx, (void)im, (void)cmd;
	return E_OK;
}

void fake_run(struct fake_run *r)
{
	struct io io = { .run = r, .at = r->line, .waiting = BUF(1 << 24), .in = BUF(1 << 24) };
	struct front_conf conf = { .hostname = SL("mail.example.test"), .version = SL("1"), .message_max = 3 << 20 };
	struct client *store = (struct client *)&r->store;
	struct front front = { .store = store, .conf = &conf };
	struct cx cx = { 0 };
	front.room = (struct room){ .limit = 64 << 20, .user_limit = 64 << 20, .wait_ms = 1000 };
	r->taken = (struct room_share){ .room = &front.room, .account = 99 };
	struct session s = { .front = &front, .conf = &conf, .cx = &cx, .io = &io, .kind = PORT_IMAP };

	conf.tls = (struct tls_table *)&conf; // only asked whether it is there
	r->out = BUF(1 << 24);
	buf_add(&io.waiting, r->raw);
	r->wrong = NULL;
	r->end = imap_session(&cx, &s);
	assert_int_equal(front.room.used, r->taken.octets); // the session has given back all of its own
	room_give(&r->taken);
	check_said(&io);
	if (!r->wrong && *io.at)
		r->wrong = *io.at;
	buf_free(&io.waiting);
	buf_free(&io.in);
	buf_free(&r->out);
	cx_end(&cx);
}
