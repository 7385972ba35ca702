/// master — a single thread around poll(): signals, the control socket, one channel per role.
///
/// A child's life: spawn → (CHAN_BUNDLE, sockets) → CHAN_READY → pings → death → spawn again after a pause that doubles
/// from 100 ms to 2 s, and starts anew after a minute of good life. The store's death leaves the fronts up: they get a
/// new connection once it is back. A role that does not answer for 30 s is aborted and restarted.
#include "main/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "main/cert.h"
#include "main/file.h"
#include "main/overview.h"
#include "main/role.h"
#include "main/text.h"

enum {
	CHILDREN_MAX = 66, // the store, mx, at most 64 user fronts
	LISTENERS_MAX = PORT_KINDS * CONFIG_LIST_MAX,
	PING_MS = 5000,
	WATCHDOG_MS = 30000,
	PAUSE_MIN_MS = 100,
	PAUSE_MAX_MS = 2000, // well below what a front waits for the store (CLIENT_PATIENCE_MS)
	GOOD_LIFE_MS = 60000,
	HEAR_MOST = 16,     // messages of one role before the others are heard
	ASK_EVERY_MS = 250, // a front that lives asks half as often
	SLOW_MS = 30000,    // a thread that does one thing for so long is worth a line
	STOP_FRONTS_MS = 8500,
	STOP_ALL_MS = 9800,
	DOING_OCTETS = 8192, // the log line is cut at 2 KiB
};

struct child {
	enum role role;
	unsigned number;
	pid_t pid; // 0: not running
	int channel;
	bool ready, ever_ready;
	int64_t started_ms, pong_ms, restart_ms, pause_ms, asked_ms;
	bool slow; // said so
};

struct listener {
	enum port_kind kind;
	int fd;
};

struct master {
	struct place *place;
	uint8_t ticket_key[TICKET_KEY];
	struct child child[CHILDREN_MAX]; // [0] is the store
	size_t n_children;
	struct listener listener[LISTENERS_MAX];
	size_t n_listeners;
	int signals, control, figures, data_fd;
	char control_path[108], figures_path[108];
	struct overview *overview;
	bool announced, failed;
	int64_t stop_ms; // 0: not stopping
	int64_t pinged_ms;
};

static int64_t now_ms(void)
{
	return clock_mono_ns() / 1000000;
}

// ---- listening

/// "::" on a machine without IPv6 is no reason not to serve IPv4.
static bool is_optional(const struct config_list *l, const struct addr *a, enum ec e)
{
	static const struct addr any6 = { 0 };

	return l->n > 1 && e == E_IO && !a->v4 && memcmp(a->ip, any6.ip, 16) == 0;
}

static enum ec listen_on(struct cx *cx, struct master *m, enum port_kind kind, const struct config_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct listener *slot = &m->listener[m->n_listeners];
		struct addr a;
		enum ec e = addr_parse(l->item[i], &a);
		if (e != E_OK)
			return fail(cx, e, text_of("listen: %.*s"), SLF(l->item[i]));
		a.port = (uint16_t)m->place->config.port[kind];
		slot->kind = kind;
		e = listen_open(cx, &a, &slot->fd);
		if (is_optional(l, &a, e)) {
			log_failure(cx, LOG_NOTICE, "listen.skipped", e);
			continue;
		}
		if (e != E_OK)
			return wrap(cx, e, text_of("service %s (port_%s in the configuration)"), port_name(kind),
				port_name(kind));
		m->n_listeners++;
	}
	return E_OK;
}

static enum ec listen_all(struct cx *cx, struct master *m)
{
	const struct config *c = &m->place->config;

	for (unsigned k = 0; k < PORT_KINDS; k++) {
		enum port_kind kind = (enum port_kind)k;
		if (c->port[kind] == 0 || (port_is_tls(kind) && m->place->n_certs == 0))
			continue;
		enum ec e = listen_on(cx, m, kind, config_listen(c, kind));
		if (e != E_OK)
			return e;
	}
	return E_OK;
}

/// A socket that only this user and root can reach; one that an earlier server left is removed.
static enum ec bind_socket(struct cx *cx, const char path[108], int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, path, sizeof sun.sun_path);
	unlink(path);
	mode_t before = umask(0177);
	int rc = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	umask(before);
	if (rc < 0 || listen(fd, 16) < 0)
		return fail(cx, E_IO, "%s: %m", path);
	return E_OK;
}

/// Who connects there is given the board.
static enum ec listen_figures(struct cx *cx, struct master *m)
{
	enum ec e = place_socket(cx, m->place, "figures", m->figures_path);

	if (e != E_OK)
		return e;
	m->figures = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->figures < 0)
		return fail(cx, E_IO, text_of("control socket: %m"));
	return bind_socket(cx, m->figures_path, m->figures);
}

static enum ec listen_control(struct cx *cx, struct master *m)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char folder[sizeof m->control_path];
	enum ec e = place_socket(cx, m->place, "control", m->control_path);

	if (e != E_OK)
		return e;
	memcpy(folder, m->control_path, sizeof folder);
	folder[sl_rfind(sl_cstr(folder), '/')] = 0;
	e = file_folder(cx, folder, 0700);
	if (e != E_OK)
		return wrap(cx, e, "%s", text_of("the folder of the control socket"));
	memcpy(sun.sun_path, m->control_path, sizeof sun.sun_path);
	m->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->control < 0)
		return fail(cx, E_IO, text_of("control socket: %m"));
	if (connect(m->control, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fail(cx, E_EXISTS, text_of("another server already runs here (%s answers)"), m->control_path);
	return bind_socket(cx, m->control_path, m->control);
}

// ---- children

static enum ec tell(struct cx *cx, struct child *c, enum channel_word word, uint32_t a, uint64_t b, int fd)
{
	struct channel_message msg = { .word = word, .a = a, .b = b };

	return c->pid ? channel_send(cx, c->channel, &msg, fd)
	              : fail(cx, E_CLOSED, "role %s is not running", role_name(c->role));
}

static enum ec tell_bundle(struct cx *cx, struct master *m, struct child *c)
{
	struct bundle b = place_bundle(m->place, m->ticket_key, c->role == ROLE_STORE);
	int fd;
	enum ec e = bundle_send(cx, &b, &fd);

	if (e != E_OK)
		return e;
	e = tell(cx, c, CHAN_BUNDLE, 0, 0, fd);
	close(fd);
	return e;
}

/// A new pair between the store and a front; either may just have been started.
static void connect_front(struct cx *cx, struct master *m, struct child *front)
{
	enum peer_kind kind = front->role == ROLE_MX ? BY_MX : BY_USER;
	int pair[2];
	enum ec e = wire_pair(cx, pair);

	if (e == E_OK) {
		e = tell(cx, &m->child[0], CHAN_PEER, kind, front->number, pair[0]);
		if (e == E_OK)
			e = tell(cx, front, CHAN_STORE, 0, 0, pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
	if (e != E_OK && e != E_CLOSED)
		log_failure(cx, LOG_ERROR, "role.connect", e);
}

static enum ec give_listeners(struct cx *cx, struct master *m, struct child *front)
{
	for (size_t i = 0; i < m->n_listeners; i++) {
		enum port_kind kind = m->listener[i].kind;
		enum role role = kind == PORT_SMTP || kind == PORT_LMTP ? ROLE_MX : ROLE_USER;
		enum ec e = role == front->role ? tell(cx, front, CHAN_LISTEN, kind, 0, m->listener[i].fd) : E_OK;
		if (e != E_OK)
			return e;
	}
	return E_OK;
}

static size_t index_of(const struct master *m, const struct child *c)
{
	return (size_t)(c - m->child);
}

static void child_start(struct cx *cx, struct master *m, struct child *c)
{
	enum ec e = role_spawn(cx, c->role, c->number, c->role == ROLE_STORE ? m->data_fd : -1, &c->pid, &c->channel);

	c->started_ms = c->pong_ms = now_ms();
	c->ready = c->slow = false;
	if (e == E_OK)
		e = tell(cx, c, CHAN_FIGURES, 0, 0, overview_page(m->overview, index_of(m, c)));
	if (e == E_OK)
		e = tell_bundle(cx, m, c);
	if (e == E_OK && c->role == ROLE_USER)
		e = tell(cx, c, CHAN_BOARD, 0, 0, overview_board(m->overview));
	if (e == E_OK && c->role != ROLE_STORE)
		e = give_listeners(cx, m, c);
	if (e != E_OK) {
		log_failure(cx, LOG_ERROR, "role.start", e);
		c->restart_ms = now_ms() + PAUSE_MAX_MS;
		return;
	}
	overview_started(m->overview, index_of(m, c), c->pid);
	if (c->role != ROLE_STORE) {
		connect_front(cx, m, c);
		return;
	}
	for (size_t i = 1; i < m->n_children; i++)
		if (m->child[i].pid)
			connect_front(cx, m, &m->child[i]);
}

static void child_died(struct cx *cx, struct master *m, struct child *c, int status)
{
	int64_t lived = now_ms() - c->started_ms;
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	close(c->channel);
	c->pid = 0;
	c->ready = false;
	overview_died(m->overview, index_of(m, c));
	if (m->stop_ms && clean)
		return;
	c->pause_ms = lived > GOOD_LIFE_MS || c->pause_ms == 0 ? PAUSE_MIN_MS : c->pause_ms * 2;
	if (c->pause_ms > PAUSE_MAX_MS)
		c->pause_ms = PAUSE_MAX_MS;
	c->restart_ms = now_ms() + c->pause_ms;
	LOG(cx, LOG_ERROR, "role.died", kv_word("of", role_name(c->role)), kv_u("number", c->number),
		kv_i("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
		kv_i("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0), kv_i("restart_ms", c->pause_ms));
}

static void reap(struct cx *cx, struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < m->n_children; i++)
			if (m->child[i].pid == pid)
				child_died(cx, m, &m->child[i], status);
}

static void announce(struct cx *cx, struct master *m)
{
	for (size_t i = 0; i < m->n_children; i++)
		if (!m->child[i].ready)
			return;
	m->announced = true;
	LOG(cx, LOG_INFO, "server.ready", kv_sl("hostname", m->place->config.hostname), kv_u("roles", m->n_children),
		kv_u("listeners", m->n_listeners));
	sd_notify(0, "READY=1\nSTATUS=Serving mail");
}

/// A front asks for another connection to the store; one that was taken over may ask without an end.
static void hear_ask(struct cx *cx, struct master *m, struct child *c)
{
	if (c->role == ROLE_STORE || !m->child[0].ready || now_ms() - c->asked_ms < ASK_EVERY_MS)
		return;
	c->asked_ms = now_ms();
	LOG(cx, LOG_WARN, "role.reconnect", kv_word("of", role_name(c->role)), kv_u("number", c->number));
	connect_front(cx, m, c);
}

static void hear_child(struct cx *cx, struct master *m, struct child *c)
{
	struct channel_message msg;
	int fd;

	for (int i = 0; i < HEAR_MOST && c->pid && channel_receive(cx, c->channel, &msg, &fd) == E_OK; i++) {
		if (fd >= 0)
			close(fd);
		c->pong_ms = now_ms();
		if (msg.word == CHAN_READY) {
			c->ready = c->ever_ready = true;
			overview_ready(m->overview, index_of(m, c));
			if (!m->announced)
				announce(cx, m);
		} else if (msg.word == CHAN_ASK_STORE) {
			hear_ask(cx, m, c);
		} else if (msg.word == CHAN_FAILED && !c->ever_ready) {
			fprintf(stderr, text_of("hongyan: role %s cannot start: %s\n"), role_name(c->role), msg.text);
			m->failed =
				true; // what fails at the first start fails again: say so instead of trying for ever
		}
	}
}

// ---- the operator

/// Somebody at one of our sockets; -1 where he is neither this user nor root.
static int accept_operator(struct cx *cx, int socket)
{
	struct ucred who = { 0 };
	socklen_t n = sizeof who;
	int fd = accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == geteuid()))
		return fd;
	LOG(cx, LOG_WARN, "control.refused", kv_u("uid", who.uid));
	close(fd);
	return -1;
}

/// The board is all there is to be had here: one message, with its descriptor.
static void accept_figures(struct cx *cx, struct master *m)
{
	struct channel_message msg = { .word = CHAN_BOARD };
	int fd = accept_operator(cx, m->figures);

	if (fd < 0)
		return;
	if (channel_send(cx, fd, &msg, overview_board(m->overview)) != E_OK)
		cx_forget(cx); // gone already
	close(fd);
}

static void accept_control(struct cx *cx, struct master *m)
{
	int size = 4 << 20;
	int fd = accept_operator(cx, m->control);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	if (tell(cx, &m->child[0], CHAN_PEER, BY_ADMIN, 0, fd) != E_OK)
		log_failure(cx, LOG_WARN, "control.failed", E_CLOSED);
	close(fd);
}

/// What works and yet cannot be meant: to the log, and in words where somebody looks on.
static void warn_certificates(struct cx *cx, const struct place *p)
{
	char since[CERT_TIME];
	const char *shut = config_shut(&p->config);

	if (shut) {
		LOG(cx, LOG_WARN, "login.impossible",
			kv_sl("do", SL("name a certificate, or set plain_login to loopback")));
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "hongyan: %s\n", shut);
	}
	for (size_t i = 0; i < p->n_certs; i++) {
		struct sl file = p->config.certificates.item[i];
		if (!cert_has_expired(buf_sl(&p->certs[i]), since))
			continue;
		LOG(cx, LOG_WARN, "certificate.expired", kv_sl("file", file), kv_word("since", since));
		if (isatty(STDERR_FILENO))
			fprintf(stderr, text_of("hongyan: certificate %.*s has expired (%s); clients will refuse it\n"),
				SLF(file), since);
	}
}

/// A reload that does not parse or whose certificates do not fit changes nothing.
static void reload(struct cx *cx, struct master *m)
{
	struct place fresh;
	struct buf why = BUF(16384), waiting = BUF(4096);

	text_choose_english(); // what is wrong goes to the log
	enum ec e = place_open(cx, m->place->path, &fresh, &why);

	if (e == E_OK) {
		e = place_certificates(cx, &fresh);
		if (e == E_OK)
			e = place_keep(cx, &fresh, m->place, &waiting);
		if (e == E_OK) {
			memcpy(fresh.store_secret, m->place->store_secret, STORE_SECRET);
			place_close(m->place);
			*m->place = fresh;
			overview_named(m->overview, fresh.config.hostname);
			for (size_t i = 0; i < m->n_children && e == E_OK; i++)
				if (m->child[i].pid)
					e = tell_bundle(cx, m, &m->child[i]);
		} else {
			place_close(&fresh);
		}
	}
	if (e == E_OK) {
		LOG(cx, LOG_INFO, "server.reloaded", kv_u("certificates", m->place->n_certs));
		if (waiting.n)
			LOG(cx, LOG_WARN, "reload.needs-restart", kv_sl("options", buf_sl(&waiting)));
		warn_certificates(cx, m->place);
	} else if (why.n) {
		LOG(cx, LOG_ERROR, "server.reload.failed", kv_word("code", ec_name(e)),
			kv_sl("why", sl_trim(buf_sl(&why))));
	} else {
		log_failure(cx, LOG_ERROR, "server.reload.failed", e);
	}
	buf_free(&why);
	buf_free(&waiting);
}

static void stop_begin(struct cx *cx, struct master *m)
{
	if (m->stop_ms)
		return;
	m->stop_ms = now_ms();
	LOG(cx, LOG_INFO, "server.stopping", (struct kv){ 0 });
	sd_notify(0, "STOPPING=1");
	for (size_t i = 1; i < m->n_children; i++)
		if (m->child[i].pid && tell(cx, &m->child[i], CHAN_STOP, 0, 0, -1) != E_OK)
			kill(m->child[i].pid, SIGKILL);
}

static void hear_signals(struct cx *cx, struct master *m)
{
	struct signalfd_siginfo si;

	while (read(m->signals, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo == SIGHUP)
			reload(cx, m);
		else if (si.ssi_signo == SIGCHLD)
			reap(cx, m);
		else
			stop_begin(cx, m);
	}
}

// ---- time

static size_t fronts_alive(const struct master *m)
{
	size_t n = 0;

	for (size_t i = 1; i < m->n_children; i++)
		n += m->child[i].pid != 0;
	return n;
}

/// The fronts end first, then the store: what they still answer must be able to reach it.
static void stop_step(struct cx *cx, struct master *m)
{
	int64_t since = now_ms() - m->stop_ms;
	struct child *store = &m->child[0];

	if (since > STOP_FRONTS_MS)
		for (size_t i = 1; i < m->n_children; i++)
			if (m->child[i].pid)
				kill(m->child[i].pid, SIGKILL);
	if (fronts_alive(m) == 0 && store->pid && store->ready) {
		store->ready = false; // told once
		if (tell(cx, store, CHAN_STOP, 0, 0, -1) != E_OK)
			kill(store->pid, SIGKILL);
	}
	if (since > STOP_ALL_MS && store->pid)
		kill(store->pid, SIGKILL);
}

/// A role that is silent is aborted; its log line says what its threads were doing. One that was stopped (SIGSTOP)
/// hears the signal only when it goes on.
static void end_hung(struct cx *cx, struct master *m, struct child *c, int64_t now)
{
	struct buf what = BUF(DOING_OCTETS);

	overview_doing(m->overview, index_of(m, c), 0, &what);
	LOG(cx, LOG_ERROR, "role.hung", kv_word("of", role_name(c->role)), kv_u("number", c->number),
		kv_i("silent_ms", now - c->pong_ms), kv_sl("doing", buf_sl(&what)));
	buf_free(&what);
	overview_hung(m->overview, index_of(m, c));
	c->pong_ms = now;
	kill(c->pid, SIGABRT);
	kill(c->pid, SIGCONT);
}

/// The store answers pings while its writer waits for a disk that does not answer: killing it would not help, but it
/// should be known. Said once, until all go on.
static void note_slow(struct cx *cx, struct master *m, struct child *c)
{
	struct buf what = BUF(DOING_OCTETS);

	overview_doing(m->overview, index_of(m, c), SLOW_MS, &what);
	if (what.n && !c->slow)
		LOG(cx, LOG_WARN, "role.slow", kv_word("of", role_name(c->role)), kv_u("number", c->number),
			kv_sl("doing", buf_sl(&what)));
	c->slow = what.n > 0;
	buf_free(&what);
}

static void watch_step(struct cx *cx, struct master *m)
{
	int64_t now = now_ms();
	bool ping = now - m->pinged_ms >= PING_MS;

	for (size_t i = 0; i < m->n_children; i++) {
		struct child *c = &m->child[i];
		if (!c->pid && now >= c->restart_ms)
			child_start(cx, m, c);
		if (!c->pid || !c->ready)
			continue;
		if (now - c->pong_ms > WATCHDOG_MS) {
			end_hung(cx, m, c, now);
			continue;
		}
		if (!ping)
			continue;
		note_slow(cx, m, c);
		if (tell(cx, c, CHAN_PING, 0, (uint64_t)now, -1) != E_OK) {
			cx_forget(cx); // its death is told by SIGCHLD
		}
	}
	if (ping)
		m->pinged_ms = now;
}

static void poll_once(struct cx *cx, struct master *m)
{
	struct pollfd p[CHILDREN_MAX + 3] = { { .fd = m->signals, .events = POLLIN },
		{ .fd = m->control, .events = POLLIN }, { .fd = m->figures, .events = POLLIN } };
	struct child *of[CHILDREN_MAX];
	nfds_t n = 3;

	for (size_t i = 0; i < m->n_children; i++) {
		if (!m->child[i].pid)
			continue;
		of[n - 3] = &m->child[i];
		p[n++] = (struct pollfd){ .fd = m->child[i].channel, .events = POLLIN };
	}
	if (poll(p, n, m->stop_ms ? 50 : 100) < 0)
		return;
	for (nfds_t i = 3; i < n; i++)
		if (p[i].revents)
			hear_child(cx, m, of[i - 3]);
	if (p[2].revents)
		accept_figures(cx, m);
	if (p[1].revents && !m->stop_ms)
		accept_control(cx, m);
	if (p[0].revents)
		hear_signals(cx, m);
}

static enum ec signals_open(struct cx *cx, struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return m->signals >= 0 ? E_OK : fail(cx, E_IO, "signalfd: %m");
}

static void plan_children(struct master *m)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t fronts = m->place->config.fronts ? m->place->config.fronts : cores > 0 ? cores : 1;

	m->child[m->n_children++] = (struct child){ .role = ROLE_STORE };
	m->child[m->n_children++] = (struct child){ .role = ROLE_MX, .number = 1 };
	for (int64_t i = 0; i < fronts && m->n_children < CHILDREN_MAX; i++)
		m->child[m->n_children++] = (struct child){ .role = ROLE_USER, .number = (unsigned)i + 2 };
}

static enum ec begin_overview(struct cx *cx, struct master *m)
{
	enum ec e = overview_new(cx, &m->place->config, &m->overview);

	plan_children(m);
	for (size_t i = 0; e == E_OK && i < m->n_children; i++)
		e = overview_add(cx, m->overview, m->child[i].role, m->child[i].number);
	return e == E_OK ? overview_begin(cx, m->overview) : e;
}

static enum ec master_begin(struct cx *cx, struct master *m)
{
	enum ec e = signals_open(cx, m);

	if (e == E_OK)
		e = place_certificates(cx, m->place);
	if (e == E_OK)
		e = place_secret(cx, m->place);
	if (e == E_OK)
		e = place_data_fd(cx, m->place, true, &m->data_fd);
	if (e == E_OK)
		e = listen_control(cx, m);
	if (e == E_OK)
		e = listen_figures(cx, m);
	if (e == E_OK)
		e = listen_all(cx, m);
	if (e == E_OK)
		e = begin_overview(cx, m);
	return e;
}

static bool is_over(const struct master *m)
{
	return m->stop_ms && !m->child[0].pid && fronts_alive(m) == 0;
}

int master_serve(struct cx *cx, struct place *place)
{
	struct master m = { .place = place, .signals = -1, .control = -1, .figures = -1, .data_fd = -1 };
	enum ec e;

	random_octets(m.ticket_key, sizeof m.ticket_key);
	e = master_begin(cx, &m);
	if (e != E_OK) {
		char story[1024];
		cx_story(cx, story, sizeof story);
		fprintf(stderr, text_of("hongyan: cannot start: %s\n"), story);
	} else {
		warn_certificates(cx, place);
		role_check_descriptors(cx, &place->config);
		while (!is_over(&m)) {
			if (m.stop_ms)
				stop_step(cx, &m);
			else
				watch_step(cx, &m);
			overview_step(m.overview, now_ms());
			poll_once(cx, &m);
			reap(cx, &m);
			if (m.failed)
				stop_begin(cx, &m);
		}
		unlink(m.control_path);
		unlink(m.figures_path);
		LOG(cx, LOG_INFO, "server.stopped", (struct kv){ 0 });
	}
	overview_free(m.overview);
	explicit_bzero(m.ticket_key, sizeof m.ticket_key);
	return e == E_OK && !m.failed ? 0 : 1;
}
