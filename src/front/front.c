/// front — accepting connections and keeping the list of sessions.
///
///   front_listen → listen_loop → front_accept → (fiber) session_run: limits → PROXY → TLS → protocol → end
#include "front/front.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/figures.h"
#include "base/num.h"
#include "front/imap/fetch_body.h"
#include "front/seat.h"
#include "proto/proxy.h"

enum { GREETING_MS = 30000, PROXY_MS = 5000, TRIM_SESSIONS = 128 };

static const struct {
	const char *name;
	uint16_t port;
	bool tls;
	FIB enum ec (*session)(struct cx *cx, struct session *s);
	const char *busy; // said before closing where there are too many sessions
} ports[PORT_KINDS] = {
	[PORT_SMTP] = { "smtp", 25, false, smtp_session, "421 4.3.2 Too many connections, try again later\r\n" },
	[PORT_LMTP] = { "lmtp", 24, false, smtp_session, "421 4.3.2 Too many connections, try again later\r\n" },
	[PORT_SUBMISSION] = { "submission", 587, false, smtp_session,
		"421 4.3.2 Too many connections, try again later\r\n" },
	[PORT_SUBMISSIONS] = { "submissions", 465, true, smtp_session, "" },
	[PORT_IMAP] = { "imap", 143, false, imap_session, "* BYE [LIMIT] Too many connections, try again later\r\n" },
	[PORT_IMAPS] = { "imaps", 993, true, imap_session, "" },
	[PORT_POP3] = { "pop3", 110, false, pop3_session, "-ERR [SYS/TEMP] Too many connections, try again later\r\n" },
	[PORT_POP3S] = { "pop3s", 995, true, pop3_session, "" },
	[PORT_METRICS] = { "metrics", 9154, false, metrics_session,
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" },
};

const char *port_name(enum port_kind kind)
{
	return ports[kind].name;
}

uint16_t port_standard(enum port_kind kind)
{
	return ports[kind].port;
}

bool port_is_tls(enum port_kind kind)
{
	return ports[kind].tls;
}

void front_conf_unref(struct front_conf *conf)
{
	if (!conf || --conf->refs)
		return;
	tls_table_unref(conf->tls);
	arena_free(&conf->memory);
	free(conf);
}

_Static_assert((int)PORT_KINDS == (int)LABELS_PROTO, "base/figures.def names each port, in the same order");

static void count_refused(enum port_kind kind, unsigned why)
{
	figure_add(FIG_REFUSED, kind * LABELS_REFUSAL + why, 1);
}

struct begin {
	struct session session;
	int fd;
	struct addr peer, local;
};

static void session_link(struct session *s)
{
	struct front *f = s->front;

	s->next = f->sessions;
	if (s->next)
		s->next->prev = &s->next;
	s->prev = &f->sessions;
	f->sessions = s;
	f->n_sessions++;
	f->n_peak = f->n_peak > f->n_sessions ? f->n_peak : f->n_sessions;
}

static void session_unlink(struct session *s)
{
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->front->n_sessions--;
}

/// What a crowd of sessions gave back stays with the C library, in pieces: after 10,000 TLS handshakes hundreds of
/// megabytes, and more after the next 10,000. Whenever half of the crowd is gone, the system gets its pages again; so
/// often that it costs each session next to nothing.
static void give_memory_back(struct front *f)
{
	if (f->n_peak - f->n_sessions < TRIM_SESSIONS || f->n_sessions > f->n_peak / 2)
		return;
	malloc_trim(0);
	f->n_peak = f->n_sessions;
}

static bool is_from_proxy(const struct front_conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->n_proxy; i++)
		if (addr_net_has(&conf->proxy[i], peer))
			return true;
	return false;
}

static struct addr proxied(const struct proxy_addr *p, bool ipv6)
{
	struct addr a = { .port = p->port, .v4 = !ipv6 };

	if (ipv6) {
		memcpy(a.ip, p->ip, 16);
	} else {
		a.ip[10] = a.ip[11] = 0xff;
		memcpy(a.ip + 12, p->ip, 4);
	}
	return a;
}

/// A peer in the configured networks must begin with a PROXY header, which says who really speaks.
FIB static enum ec read_proxy(struct cx *cx, struct session *s)
{
	struct proxy_header h;
	uint8_t octets[PROXY_V2_MAX];
	enum proxy_result r = PROXY_MORE;
	enum ec e = E_OK;

	cx_deadline_in(cx, PROXY_MS);
	for (size_t n = 0; e == E_OK && r == PROXY_MORE && n < sizeof octets;) {
		e = io_peek(cx, s->io, n, octets, sizeof octets, &n); // the client's TLS may follow at once
		if (e == E_OK)
			r = proxy_parse((struct sl){ octets, n }, &h);
	}
	if (e == E_OK && r != PROXY_DONE) {
		count_refused(s->kind, REFUSED_PROXY);
		return fail(cx, E_SYNTAX, "a peer in proxy_networks sent no PROXY header");
	}
	if (e == E_OK)
		e = io_skip(cx, s->io, h.consumed);
	if (e != E_OK)
		return wrap(cx, e, "reading the PROXY header");
	if (!h.local) {
		struct addr source = proxied(&h.source, h.ipv6), dest = proxied(&h.dest, h.ipv6);
		io_set_peer(s->io, &source, &dest);
	}
	return E_OK;
}

/// True where this stranger has as many sessions as one may have.
static bool is_crowded(const struct session *s)
{
	const struct front *f = s->front;
	uint8_t key[16], other[16];
	unsigned n = 0;

	if (f->n_sessions > s->conf->sessions_max) {
		count_refused(s->kind, REFUSED_SESSIONS);
		return true;
	}
	if (f->n_sessions <= s->conf->sessions_ip_max)
		return false;
	addr_stranger_key(io_peer(s->io), key);
	for (const struct session *o = f->sessions; o; o = o->next) {
		if (!o->io)
			continue;
		addr_stranger_key(io_peer(o->io), other);
		n += memcmp(key, other, sizeof key) == 0;
	}
	if (n > s->conf->sessions_ip_max)
		count_refused(s->kind, REFUSED_ADDRESS);
	return n > s->conf->sessions_ip_max;
}

FIB static enum ec session_talk(struct cx *cx, struct session *s)
{
	enum ec e = E_OK;

	if (s->kind != PORT_METRICS && is_from_proxy(s->conf, io_peer(s->io)))
		e = read_proxy(cx, s);
	if (e != E_OK)
		return e;
	cx_deadline_in(cx, GREETING_MS);
	if (is_crowded(s)) {
		e = io_put(cx, s->io, sl_cstr(ports[s->kind].busy));
		return e == E_OK ? fail(cx, E_LIMIT, "too many sessions") : e;
	}
	if (ports[s->kind].tls)
		e = io_starttls(cx, s->io, s->conf->tls);
	return e == E_OK ? ports[s->kind].session(cx, s) : wrap(cx, e, "TLS handshake");
}

static void log_start(const struct session *s)
{
	struct buf peer = BUF(64);

	addr_print(&peer, io_peer(s->io));
	LOG(s->cx, LOG_DEBUG, "session.start", kv_word("proto", ports[s->kind].name), kv_sl("ip", buf_sl(&peer)));
	buf_free(&peer);
}

static void log_end(const struct session *s, enum ec e)
{
	struct buf peer = BUF(64);
	uint64_t in, out;
	char story[512] = "";

	addr_print(&peer, io_peer(s->io));
	io_counts(s->io, &in, &out);
	if (e != E_OK)
		cx_story(s->cx, story, sizeof story);
	// who looks at figures does so every few seconds
	LOG(s->cx, s->kind == PORT_METRICS ? LOG_DEBUG : LOG_INFO, "session.end", kv_word("proto", ports[s->kind].name),
		kv_sl("ip", buf_sl(&peer)), kv_u("in", in), kv_u("out", out),
		kv_word("tls", io_is_tls(s->io) ? "yes" : "no"), kv_word("end", ec_name(e)),
		kv_sl("why", sl_cstr(story)));
	buf_free(&peer);
}

/// The fiber of one connection, from accept to close.
FIB static void session_run(struct cx *cx, void *arg)
{
	struct begin *b = arg;
	struct session *s = &b->session;
	enum ec e;

	s->cx = cx;
	cx->sid = ++s->front->sid_next;
	session_link(s);
	session_doing(s, SL("begins"));
	figure_add(FIG_SESSIONS, s->kind, 1);
	e = io_new(cx, b->fd, &b->peer, &b->local, &s->io);
	if (e == E_OK) {
		log_start(s);
		e = session_talk(cx, s);
		log_end(s, e);
		seat_leave(cx, s);
	} else {
		count_refused(s->kind, REFUSED_MEMORY);
		log_failure(cx, LOG_WARN, "session.refused", e);
	}
	io_close(s->io);
	session_unlink(s);
	figure_less(FIG_SESSIONS, s->kind, 1);
	give_memory_back(s->front);
	front_conf_unref(s->conf);
	free(b);
}

void front_accept(struct front *f, enum port_kind kind, const struct listen_accepted *conn)
{
	struct begin *b = calloc(1, sizeof *b);

	figure_add(FIG_CONNECTIONS, kind, 1);
	if (!b || f->stopping) {
		count_refused(kind, b ? REFUSED_STOPPING : REFUSED_MEMORY);
		free(b);
		close(conn->fd);
		return;
	}
	b->session = (struct session){ .front = f, .conf = f->conf, .kind = kind };
	b->fd = conn->fd;
	b->peer = conn->peer;
	b->local = conn->local;
	f->conf->refs++;
	enum ec e = fib_go(session_run, b);
	if (e != E_OK) {
		count_refused(kind, REFUSED_MEMORY);
		LOG(NULL, LOG_WARN, "session.refused", kv_word("proto", ports[kind].name), kv_word("code", ec_name(e)));
		front_conf_unref(b->session.conf);
		close(conn->fd);
		free(b);
	}
}

struct listening {
	struct front *front;
	enum port_kind kind;
	int fd;
};

static void on_accept(void *arg, const struct listen_accepted *conn)
{
	struct listening *l = arg;

	front_accept(l->front, l->kind, conn);
}

FIB static void listening_run(struct cx *cx, void *arg)
{
	struct listening *l = arg;
	struct session self = { .front = l->front, .cx = cx, .at_rest = true };

	session_link(&self); // so that front_stop ends it like a session at rest
	enum ec e = l->front->stopping ? E_CANCELED : listen_loop(cx, l->fd, on_accept, l);
	session_unlink(&self);
	if (e != E_CANCELED)
		log_failure(cx, LOG_ERROR, "listen.failed", e);
	close(l->fd);
	free(l);
}

enum ec front_listen(struct cx *cx, struct front *f, enum port_kind kind, int fd)
{
	struct listening *l = malloc(sizeof *l);

	if (!l)
		return fail(cx, E_TEMP, "no memory to listen");
	*l = (struct listening){ f, kind, fd };
	enum ec e = fib_go(listening_run, l);
	if (e != E_OK)
		free(l);
	return e ? wrap(cx, e, "listening for %s", ports[kind].name) : E_OK;
}

void front_set_room(struct front *f)
{
	struct room want = room_make(body_work_room_most(f->conf)), lists = room_make_lists();

	// What is in use stays so: limits only grow.
	f->room.wait_ms = want.wait_ms;
	f->room.shortage = holders_shortage;
	f->room.shortage_arg = &f->tellers;
	f->room.limit = max_size(f->room.limit, want.limit);
	f->room.user_limit = max_size(f->room.user_limit, want.user_limit);
	f->lists.limit = lists.limit;
	f->lists.user_limit = lists.user_limit;
	f->lists.wait_ms = lists.wait_ms;
	figure_set(FIG_ROOM, 0, f->room.limit + f->lists.limit);
}

void front_reload(struct front *f, struct front_conf *conf)
{
	front_conf_unref(f->conf);
	f->conf = conf;
	front_set_room(f);
}

void front_stop(struct front *f)
{
	f->stopping = true;
	for (struct session *s = f->sessions; s; s = s->next)
		if (s->at_rest)
			fib_cancel(s->cx);
}

void session_doing(const struct session *s, struct sl verb)
{
	fib_doing(ports[s->kind].name, verb);
}

enum ec session_rest(struct session *s)
{
	s->at_rest = true;
	session_doing(s, SL(""));
	return s->front->stopping ? fail(s->cx, E_CANCELED, "the server is stopping") : E_OK;
}

void session_busy(struct session *s)
{
	s->at_rest = false;
}

bool session_may_login(const struct session *s)
{
	return io_is_tls(s->io) || (s->conf->plain_on_loopback && addr_is_loopback(io_peer(s->io)));
}
