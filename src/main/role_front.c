/// role_front — a front's process: builds the configuration snapshot, accepts on the master's sockets, talks to the
/// store.
///
/// One fiber hears the master; everything else is sessions (front/front.h).
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/board.h"
#include "base/figures.h"
#include "base/hash.h"
#include "base/log.h"
#include "front/front.h"
#include "main/role.h"

enum {
	ARENA_CHUNKS = 4096,
	STOP_GRACE_MS = 8000,
	STOP_LOOK_MS = 20,
	STOP_REST_MS = 300,
	ASK_STORE_MS = 500,
};

struct front_role {
	enum role role;
	struct front front;
	struct fib_fd channel;
	bool stopping;
	struct buf memory;
	struct bundle bundle;
	struct config config;
};

static enum ec copy_networks(struct cx *cx, const struct config *c, struct front_conf *f)
{
	struct addr_net *nets = arena_alloc(&f->memory, c->proxy_networks.n, sizeof *nets);

	if (!nets)
		return fail(cx, E_TEMP, "no memory for the configuration");
	for (size_t i = 0; i < c->proxy_networks.n; i++) {
		enum ec e = addr_net_parse(c->proxy_networks.item[i], &nets[i]);
		if (e != E_OK)
			return fail(cx, e, "proxy_networks: %.*s", SLF(c->proxy_networks.item[i]));
	}
	f->proxy = nets;
	f->n_proxy = c->proxy_networks.n;
	return E_OK;
}

static enum ec make_tls(struct cx *cx, const struct bundle *b, struct front_conf *f)
{
	struct tls_cert_pem certs[BUNDLE_CERTS_MAX];

	for (size_t i = 0; i < b->n_certs; i++)
		certs[i] = (struct tls_cert_pem){ b->cert[i], b->cert[i] };
	return b->n_certs ? tls_table_new(cx, certs, b->n_certs, b->ticket_key, &f->tls) : E_OK;
}

/// What sessions need, out of what the operator wrote.
static enum ec make_conf(struct cx *cx, const struct bundle *b, const struct config *c, struct front_conf **out)
{
	struct front_conf *f = calloc(1, sizeof *f);

	if (!f)
		return fail(cx, E_TEMP, "no memory for the configuration");
	f->refs = 1;
	arena_init(&f->memory, 1 << 20);
	f->hostname = arena_copy(&f->memory, c->hostname);
	f->version = SL(HONGYAN_VERSION);
	f->message_max = (uint64_t)c->message_max;
	f->recipients_max = (unsigned)c->recipients_max;
	f->sessions_max = (unsigned)c->sessions_max;
	f->sessions_ip_max = (unsigned)c->sessions_ip_max;
	f->sessions_user_ip_max = (unsigned)c->sessions_user_ip_max;
	f->bare_newline_reject = sl_eq(c->bare_newline, SL("reject"));
	f->quota_defer = sl_eq(c->quota_full, SL("defer"));
	f->pop3_lock = c->pop3_lock;
	f->no_scram = !c->scram;
	f->plain_on_loopback = sl_eq(c->plain_login, SL("loopback"));
	enum ec e = copy_networks(cx, c, f);
	if (e == E_OK)
		e = make_tls(cx, b, f);
	if (e != E_OK) {
		front_conf_unref(f);
		return e;
	}
	*out = f;
	return E_OK;
}

/// A reload: on any error the old snapshot stays in force.
static void reload(struct cx *cx, struct front_role *r, int fd)
{
	struct buf memory = BUF(BUNDLE_OCTETS_MAX), why = BUF(4096);
	struct bundle bundle;
	struct config config = { 0 };
	struct front_conf *conf;
	enum ec e = bundle_receive(cx, fd, &memory, &bundle);

	if (e == E_OK)
		e = config_parse(cx, bundle.path, bundle.text, &config, &why);
	if (e == E_OK)
		e = make_conf(cx, &bundle, &config, &conf);
	if (e == E_OK)
		front_reload(&r->front, conf);
	else
		log_failure(cx, LOG_ERROR, "reload.failed", e);
	config_free(&config);
	buf_free(&why);
	buf_free(&memory);
}

/// Without it there are no figures to show, which is no reason not to serve mail.
static void take_board(struct cx *cx, struct front_role *r, int fd)
{
	enum ec e = r->front.board ? fail(cx, E_EXISTS, "a second board") : board_map(cx, fd, &r->front.board);

	if (e != E_OK)
		log_failure(cx, LOG_WARN, "role.channel", e);
	if (fd >= 0)
		close(fd);
}

static enum ec hear(struct cx *cx, struct front_role *r, const struct channel_message *m, int fd)
{
	struct channel_message answer = { .word = CHAN_PONG, .b = m->b };

	switch (m->word) {
	case CHAN_PING: figures_look_at_heap(); return channel_send(cx, CHANNEL_FD, &answer, -1);
	case CHAN_LISTEN: return front_listen(cx, &r->front, (enum port_kind)m->a, fd);
	case CHAN_STORE: return client_attach(cx, r->front.store, fd);
	case CHAN_BUNDLE: reload(cx, r, fd); return E_OK;
	case CHAN_BOARD: take_board(cx, r, fd); return E_OK;
	case CHAN_STOP: return E_CLOSED;
	default:
		if (fd >= 0)
			close(fd);
		return E_OK;
	}
}

/// A store that starts is given to the fronts by the master. Where it only closed this front's connection (we did not
/// read what it sent, or it took us for broken), nobody else would notice.
FIB static void ask_for_store(struct cx *cx, void *arg)
{
	struct front_role *r = arg;
	struct channel_message ask = { .word = CHAN_ASK_STORE };
	enum ec e = E_OK;

	while (e == E_OK) {
		e = client_wait_down(cx, r->front.store);
		if (e == E_OK && !r->stopping)
			e = fib_sleep(cx, ASK_STORE_MS);
		if (r->stopping)
			return;
		if (e == E_OK && !client_is_up(r->front.store) && channel_send(cx, CHANNEL_FD, &ask, -1) != E_OK)
			cx_forget(cx); // the channel is full or at its end: asked again, or over
	}
}

/// The fiber that hears the master; its end is the end of the process.
FIB static void hear_master(struct cx *cx, void *arg)
{
	struct front_role *r = arg;
	struct channel_message m;
	int fd;
	enum ec e = E_OK;

	while (e == E_OK) {
		e = channel_receive(cx, CHANNEL_FD, &m, &fd);
		if (e == E_TEMP)
			e = fib_wait_readable(cx, &r->channel);
		else if (e == E_OK)
			e = hear(cx, r, &m, fd);
	}
	if (e != E_CLOSED)
		log_failure(cx, LOG_ERROR, "role.channel", e);
	front_stop(&r->front);
	r->stopping = true;
	cx_deadline_in(cx, STOP_GRACE_MS);
	do
		e = fib_sleep(cx, STOP_LOOK_MS);
	while (e == E_OK && r->front.n_sessions);
	if (r->front.n_sessions)
		LOG(NULL, LOG_WARN, "sessions.cut", kv_u("sessions", r->front.n_sessions));
	client_detach(r->front.store);
	fib_stop();
}

/// A charset that this system's iconv lacks is guessed later; no reason not to serve.
static enum ec preload_charsets(struct front_role *r)
{
	enum ec e = charset_preload(&r->front.charsets);

	if (e == E_OK || e == E_UNSUPPORTED)
		e = heavy_preload(&r->front.heavy);
	if (e != E_UNSUPPORTED)
		return e;
	LOG(NULL, LOG_WARN, "charset.missing", kv_word("do", "install-libc-bin-or-locales"));
	return E_OK;
}

static enum ec begin(struct cx *cx, struct front_role *r)
{
	struct fib_conf fibers = { .offload_threads = HEAVY_SEATS };
	enum ec e = role_begin(cx, r->role, &r->memory, &r->bundle, &r->config);

	if (e == E_OK)
		e = client_new(cx, ARENA_CHUNKS, &r->front.store);
	if (e == E_OK)
		chunks_on_shortage(client_chunks(r->front.store), holders_shortage, &r->front.holders);
	if (e == E_OK)
		e = preload_charsets(r);
	if (e == E_OK)
		e = make_conf(cx, &r->bundle, &r->config, &r->front.conf);
	if (e == E_OK)
		front_set_room(&r->front);
	if (e == E_OK)
		e = role_confine(cx, r->role, &r->config);
	if (e != E_OK)
		return e;
	fibers.fibers_max = r->front.conf->sessions_max + 64;
	e = fib_start(cx, &fibers);
	if (e == E_OK)
		e = fib_fd_add(cx, &r->channel, CHANNEL_FD);
	if (e == E_OK)
		e = fib_go(hear_master, r);
	return e == E_OK ? fib_go(ask_for_store, r) : e;
}

int role_front_main(enum role role)
{
	struct cx cx = { 0 };
	struct front_role r = { .role = role, .memory = BUF(BUNDLE_OCTETS_MAX) };
	struct channel_message ready = { .word = CHAN_READY };

	signal(SIGPIPE, SIG_IGN);
	tzset(); // reads the zone's file while files may be opened
	r.front.sid_next = random_u64() >> 24 << 8;
	enum ec e = begin(&cx, &r);
	if (e == E_OK)
		e = channel_send(&cx, CHANNEL_FD, &ready, -1);
	if (e != E_OK) {
		role_failed(&cx, e);
	} else {
		fib_run(STOP_REST_MS);
		fib_end();
	}
	client_free(r.front.store);
	front_conf_unref(r.front.conf);
	config_free(&r.config);
	buf_free(&r.memory);
	cx_end(&cx);
	return e == E_OK ? 0 : 1;
}
