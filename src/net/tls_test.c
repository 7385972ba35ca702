/// tls_test — handshakes, certificates by name, tickets, streams under stress, and what an idle connection costs.
#include "net/connect.h"
#include "net/net_test.h"

// ---- certificates and handshakes

static void name_server(struct cx *cx, struct io *io, struct talk *t)
{
	struct sl line;

	MUST(!io_is_tls(io) && io_tls_sni(io).n == 0);
	MUST(io_starttls(cx, io, t->tls) == E_OK && io_is_tls(io));
	MUST(sl_eq(io_tls_version(io), SL("TLSv1.3")) && io_tls_cipher(io).n > 0);
	MUST(sl_eq(io_tls_sni(io), sl_cstr(t->sni)));
	MUST(io_starttls(cx, io, t->tls) == E_STATE);
	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("hello")));
	MUST(io_printf(cx, io, "%s\r\n", "welcome") == E_OK && io_flush(cx, io) == E_OK);
	MUST(io_line(cx, io, 100, &line) == E_CLOSED);
}
static void name_client(int fd, struct talk *t)
{
	char got[100];
	SSL *ssl = tls_client(fd, t);
	X509 *cert = SSL_get1_peer_certificate(ssl);

	MUST(X509_check_host(cert, t->text, 0, 0, NULL) == 1);
	MUST(SSL_write(ssl, "hello\r\n", 7) == 7);
	MUST(SSL_read(ssl, got, sizeof got) == 9 && memcmp(got, "welcome\r\n", 9) == 0);
	X509_free(cert);
	SSL_SESSION_free(t->session);
	t->flag = SSL_session_reused(ssl);
	t->session = SSL_get1_session(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}
static void test_sni(void **)
{
	static const struct {
		const char *sni, *cert;
	} cases[] = {
		{ "mail.example.org", "mail.example.org" },
		{ "MAIL.Example.Org", "mail.example.org" },
		{ "imap.example.net", "imap.example.net" }, // *.example.net
		{ "else.example.com", "mail.example.org" }, // the default
		{ "a.b.example.net", "mail.example.org" },
		{ NULL, "mail.example.org" },
	};
	struct tls_table *table = table_make("mail.example.org", "*.example.net");

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct talk t = { .server = name_server, .client = name_client, .tls = table };
		t.sni = cases[i].sni;
		t.text = cases[i].cert;
		talk_one(&t);
		SSL_SESSION_free(t.session);
	}
	tls_table_unref(table);
}

/// A ticket of one table is taken by another that has the same key, as after a reload or at another front.
static void test_resumption(void **)
{
	struct talk t = { .server = name_server, .client = name_client, .sni = "a.example", .text = "a.example" };

	for (int i = 0; i < 3; i++) {
		t.tls = table_make("a.example", i == 1 ? "b.example" : NULL);
		t.fd[1] = 0;
		talk_one(&t);
		tls_table_unref(t.tls);
		assert_int_equal(t.flag, i > 0);
	}
	SSL_SESSION_free(t.session);
}

static void test_bad_certificates(void **)
{
	struct made_cert a, b;
	struct tls_table *table = NULL;
	struct cx cx = { 0 };

	cert_make(&a, "a.example");
	cert_make(&b, "b.example");
	const struct {
		const char *name;
		struct tls_cert_pem pem;
		const char *words[2];
	} cases[] = {
		{ "key of another", { a.pem.chain_pem, b.pem.key_pem }, { "certificate 2", "does not belong" } },
		{ "no key", { a.pem.chain_pem, SL("") }, { "certificate 2", "cannot be read" } },
		{ "half a key", { a.pem.chain_pem, sl_head(a.pem.key_pem, 100) },
			{ "certificate 2", "cannot be read" } },
		{ "no certificate", { SL("x"), a.pem.key_pem }, { "certificate 2", "no PEM certificate" } },
		{ "half one", { sl_head(a.pem.chain_pem, 200), a.pem.key_pem }, { "certificate 2", "no PEM" } },
		{ "key for both", { a.pem.key_pem, a.pem.key_pem }, { "certificate 2", "no PEM certificate" } },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct tls_cert_pem pems[] = { b.pem, cases[i].pem };
		char story[512];
		CHECK(tls_table_new(&cx, pems, 2, ticket_key, &table) == E_SYNTAX && !table, cases[i].name);
		cx_story(&cx, story, sizeof story);
		CHECK(strstr(story, cases[i].words[0]) && strstr(story, cases[i].words[1]), cases[i].name);
		CHECK(ERR_peek_error() == 0, cases[i].name);
	}
	assert_int_equal(tls_table_new(&cx, NULL, 0, ticket_key, &table), E_RANGE);
	cx_end(&cx);
}

static void refusing_server(struct cx *cx, struct io *io, struct talk *t)
{
	char story[512];
	struct sl line;

	if (t->sni) {
		MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("STARTTLS")));
		MUST(io_starttls(cx, io, t->tls) == E_STATE && !io_is_tls(io));
		return;
	}
	MUST(io_starttls(cx, io, t->tls) == E_CLOSED);
	cx_story(cx, story, sizeof story);
	MUST(strstr(story, "TLS handshake: "));
	MUST(io_put(cx, io, SL("never in plain")) == E_CLOSED && io_fill(cx, io) == E_CLOSED);
}
static void plain_client(int fd, struct talk *t)
{
	char got[100];

	write_all(fd, sl_cstr(t->text));
	if (t->flag)
		shutdown(fd, SHUT_WR);
	size_t n = read_to_end(fd, got, sizeof got);
	MUST(!memmem(got, n, "never", 5));
	close(fd);
}
static void test_refused_handshakes(void **)
{
	static const struct {
		const char *text;
		bool plain_behind, end;
	} cases[] = {
		{ "STARTTLS\r\nNOOP\r\n", true, false },
		{ "STARTTLS\r\nN", true, false },
		{ "EHLO there\r\n", false, false },
		{ "", false, true },
		{ "\x16\x03\x01\x02", false, true }, // cut in the record's head
		{ "\x16\x03\x01\x50\x01xxxxxxxxx", false, false },
	};
	struct tls_table *table = table_make("a.example", NULL);

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct talk t = { .server = refusing_server, .client = plain_client, .tls = table };
		t.text = cases[i].text;
		t.sni = cases[i].plain_behind ? "" : NULL;
		t.flag = cases[i].end;
		talk_one(&t);
	}
	tls_table_unref(table);
}

// ---- pieces of one octet; an end in the middle

static void octets_server(struct cx *cx, struct io *io, struct talk *t)
{
	struct sl line;
	size_t got;
	uint8_t c;

	MUST(io_starttls(cx, io, t->tls) == E_OK);
	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("one octet each")));
	for (const char *p = "rest"; *p; p++)
		MUST(io_read(cx, io, &c, 1, &got) == E_OK && got == 1 && c == (uint8_t)*p);
	MUST(io_read(cx, io, &c, 1, &got) == E_CLOSED);
	MUST(io_put(cx, io, SL("too late")) == E_CLOSED);
}
static void octets_client(int fd, struct talk *t)
{
	static const char text[] = "one octet each\r\nrest";
	SSL *ssl = tls_client(fd, t);

	for (size_t i = 0; i < sizeof text - 1; i++)
		MUST(SSL_write(ssl, text + i, 1) == 1);
	if (t->flag) // half a record, then nothing more
		write_all(fd, SL("\x17\x03\x03\x01\x00half"));
	shutdown(fd, SHUT_WR); // no close_notify
	char c[4096];
	(void)read_to_end(fd, c, sizeof c); // unread octets would make it a reset
	SSL_free(ssl);
	close(fd);
}
static void test_octets_and_cut(void **)
{
	struct tls_table *table = table_make("a.example", NULL);

	for (int cut = 0; cut < 2; cut++) {
		struct talk t = { .server = octets_server, .client = octets_client, .tls = table, .flag = cut };
		talk_one(&t);
	}
	tls_table_unref(table);
}

// ---- large output and a slow reader

enum { LARGE = 8000000 };
static void large_server(struct cx *cx, struct io *io, struct talk *t)
{
	uint64_t seed = t->seed, sizes = 77, in, out;
	uint8_t *p = malloc(LARGE);

	if (t->tls)
		MUST(io_starttls(cx, io, t->tls) == E_OK);
	for (size_t i = 0; i < LARGE; i++)
		p[i] = (uint8_t)next_random(&seed);
	for (size_t at = 0; at < LARGE;) { // small, middle and very large pieces in one order
		uint64_t r = next_random(&sizes);
		size_t n = r % 3 == 0 ? r % 100 : r % 3 == 1 ? r % 20000 : r % 700000;
		n = min_size(n, LARGE - at);
		MUST(io_put(cx, io, (struct sl){ p + at, n }) == E_OK);
		at += n;
	}
	io_counts(io, &in, &out);
	MUST(out <= LARGE && out + IO_OUT_MAX >= LARGE);
	free(p); // what was borrowed is sent; the rest is io_close's or the flush's
	if (t->flag)
		MUST(io_flush(cx, io) == E_OK && io_buffers_held() == 0);
}
static void slow_client(int fd, struct talk *t)
{
	int small = 131072; // less than a segment of lo would crawl
	uint64_t seed = t->seed;
	uint8_t *p = malloc(100000);
	size_t got = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	SSL *ssl = t->tls ? tls_client(fd, t) : NULL;
	for (unsigned turn = 0;; turn++) {
		int n = ssl ? SSL_read(ssl, p, 100000) : (int)read(fd, p, 100000);
		if (n <= 0)
			break;
		for (int i = 0; i < n; i++)
			MUST(p[i] == (uint8_t)next_random(&seed));
		got += (size_t)n;
		if (turn % 32 == 0)
			usleep(1000);
	}
	MUST(t->flag ? got == LARGE : got <= LARGE);
	SSL_free(ssl);
	close(fd);
	free(p);
}
static void test_slow_reader(void **)
{
	struct tls_table *table = table_make("a.example", NULL);

	for (int i = 0; i < 4; i++) {
		struct talk t = { .server = large_server, .client = slow_client, .seed = 5, .flag = i & 1 };
		t.tls = i & 2 ? table : NULL;
		talk_one(&t);
	}
	tls_table_unref(table);
}

/// What is buffered goes out with io_close where there is room, however many records it takes.
static void parting_server(struct cx *cx, struct io *io, struct talk *t)
{
	uint8_t p[5000];

	memset(p, 'x', sizeof p);
	if (t->tls)
		MUST(io_starttls(cx, io, t->tls) == E_OK);
	for (int i = 0; i < 6; i++)
		MUST(io_put(cx, io, (struct sl){ p, sizeof p }) == E_OK);
}
static void parting_client(int fd, struct talk *t)
{
	SSL *ssl = t->tls ? tls_client(fd, t) : NULL;
	char p[1000];
	int n, got = 0;

	while ((n = ssl ? SSL_read(ssl, p, sizeof p) : (int)read(fd, p, sizeof p)) > 0)
		got += n;
	MUST(got == 30000);
	MUST(!ssl || SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN); // close_notify came
	SSL_free(ssl);
	close(fd);
}
static void test_parting(void **)
{
	struct talk t = { .server = parting_server, .client = parting_client };

	talk_one(&t);
	t = (struct talk){ .server = parting_server, .client = parting_client, .tls = table_make("a.example", NULL) };
	talk_one(&t);
	tls_table_unref(t.tls);
}

// ---- stress: an echo whose two streams are compared, through a chopper of random pieces

struct chop {
	int a, b;
	uint64_t seed;
};
static bool chop_some(int from, int to, uint64_t *seed)
{
	char p[5000];
	uint64_t r = next_random(seed);
	ssize_t n = read(from, p, r % 4 == 0 ? 1 : r % 4 == 1 ? 1 + r % 30 : 1 + r % sizeof p);

	if (n <= 0)
		return false;
	for (ssize_t at = 0; at < n;) {
		ssize_t k = send(to, p + at, (size_t)(n - at), MSG_NOSIGNAL);
		if (k <= 0)
			return false;
		at += k;
	}
	return true;
}
/// One direction of the chopper.
static void *chop_run(void *arg)
{
	struct chop *c = arg;

	while (chop_some(c->a, c->b, &c->seed))
		;
	shutdown(c->b, SHUT_WR);
	return NULL;
}

static void ringing(struct cx *cx, void *arg)
{
	while (fib_sleep(cx, 1) == E_OK)
		fib_event_set(arg);
}
struct bell_of {
	struct fib_event ev;
	struct cx *ringer;
};
static void bell_fiber(struct cx *cx, void *arg)
{
	struct bell_of *b = arg;

	b->ringer = cx;
	ringing(cx, &b->ev);
	b->ringer = NULL;
}
/// Echoes with reads of every kind and size, now and then a read of exactly what will be there.
static void echo_server(struct cx *cx, struct io *io, struct talk *t)
{
	uint64_t seed = t->seed ^ 0xabcdef, total = 0;
	struct bell_of bell = { .ringer = NULL };
	uint8_t p[3000];
	enum ec e = E_OK;

	if (t->tls)
		MUST(io_starttls(cx, io, t->tls) == E_OK);
	MUST(fib_go(bell_fiber, &bell) == E_OK);
	while (!bell.ringer) // all octets may be there already: the echo would end, and its bell not have begun
		MUST(fib_yield(cx) == E_OK);
	while (e == E_OK) {
		uint64_t r = next_random(&seed);
		size_t got = 0;
		bool fired = false;
		switch (r % 3) {
		case 0:
			e = io_read(cx, io, p, 1 + (r >> 8) % sizeof p, &got);
			if (e == E_OK)
				e = io_put(cx, io, (struct sl){ p, got });
			break;
		case 1: e = io_input(io).n < IO_IN_MAX ? io_fill(cx, io) : E_OK; break;
		default: e = io_fill_or(cx, io, &bell.ev, &fired); break;
		}
		if (e == E_OK && r % 3) {
			struct sl some = sl_head(io_input(io), 1 + (r >> 8) % 70000);
			got = some.n;
			e = io_put(cx, io, some);
			io_consume(io, got);
		}
		total += got;
	}
	MUST(e == E_CLOSED && total == t->octets);
	if (bell.ringer)
		fib_cancel(bell.ringer);
	while (bell.ringer)
		MUST(fib_yield(cx) == E_OK);
}

/// The client's two streams over one socket with poll, plain or TLS.
struct both {
	int fd;
	SSL *ssl;
	short want; // what the last attempt needs
};
static int both_io(struct both *b, void *p, int n, bool out)
{
	int k;

	if (!b->ssl) {
		k = (int)(out ? send(b->fd, p, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT)
			      : recv(b->fd, p, (size_t)n, MSG_DONTWAIT));
		MUST(k > 0 || (k < 0 && errno == EAGAIN));
		b->want |= k < 0 ? (out ? POLLOUT : POLLIN) : 0;
		return k > 0 ? k : 0;
	}
	k = out ? SSL_write(b->ssl, p, n) : SSL_read(b->ssl, p, n);
	int error = SSL_get_error(b->ssl, k);
	MUST(k > 0 || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
	b->want |= k > 0 ? 0 : error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	return k > 0 ? k : 0;
}
/// flag: in lockstep, each piece only after the echo of the last (a lost wake-up then stands still).
static void both_client(int fd, struct talk *t)
{
	struct both b = { .fd = fd, .ssl = t->tls ? tls_client(fd, t) : NULL };
	uint64_t sizes = t->seed, out_seed = t->seed, in_seed = t->seed;
	uint8_t p[20000], got[20000];
	size_t sent = 0, back = 0;
	int n = 0, at = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (b.ssl)
		SSL_set_mode(b.ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (back < t->octets) {
		if (at == n && sent < t->octets && (!t->flag || back == sent)) {
			uint64_t r = next_random(&sizes);
			n = (int)min_size(1 + (r % 2 ? r % 40 : r % sizeof p), t->octets - sent);
			for (at = 0; at < n; at++)
				p[at] = (uint8_t)next_random(&out_seed);
			at = 0;
		}
		b.want = 0;
		int k = at < n ? both_io(&b, p + at, n - at, true) : 0;
		at += k;
		sent += (size_t)k;
		int r = both_io(&b, got, sizeof got, false);
		for (int i = 0; i < r; i++)
			MUST(got[i] == (uint8_t)next_random(&in_seed));
		back += (size_t)r;
		struct pollfd pfd = { .fd = fd, .events = b.want };
		if (k == 0 && r == 0)
			MUST(poll(&pfd, 1, WAIT_MS) == 1);
	}
	if (b.ssl)
		SSL_shutdown(b.ssl);
	SSL_free(b.ssl);
	close(fd);
}
static void test_stress(void **)
{
	enum { N = 4 };
	struct tls_table *table = table_make("a.example", NULL);

	for (unsigned kind = 0; kind < 4; kind++) { // plain, lockstep, TLS, TLS in lockstep
		struct talk t[N] = { 0 };
		struct chop chop[2 * N];
		pthread_t thread[2 * N];
		for (unsigned i = 0; i < N; i++) {
			int near[2], far[2];
			t[i] = (struct talk){ .server = echo_server, .client = both_client, .seed = 1 + i + kind * N };
			t[i].flag = kind & 1;
			t[i].tls = kind & 2 ? table : NULL;
			t[i].octets = kind & 1 ? 300000 : 1000000;
			tcp_pair(near);
			tcp_pair(far);
			fcntl(far[0], F_SETFL, 0);
			t[i].fd[0] = near[0];
			t[i].fd[1] = far[1];
			chop[2 * i] = (struct chop){ far[0], near[1], i + 1 };
			chop[2 * i + 1] = (struct chop){ near[1], far[0], i + 99 };
			for (unsigned k = 2 * i; k < 2 * i + 2; k++)
				MUST(pthread_create(&thread[k], NULL, chop_run, &chop[k]) == 0);
		}
		talk_all(t, N);
		for (unsigned i = 0; i < 2 * N; i++)
			pthread_join(thread[i], NULL);
		for (unsigned i = 0; i < N; i++)
			close(chop[2 * i].a), close(chop[2 * i].b);
	}
	tls_table_unref(table);
}

// ---- what an idle connection costs: measured in a process of its own, printed

enum { IDLE_N = 1000 };
struct idle {
	struct tls_table *tls;
	int fd[IDLE_N], listener;
	unsigned up, n;
	long before_kib;
};
static long pss_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}
static void idle_fiber(struct cx *cx, void *arg)
{
	struct idle *d = arg;
	struct io *io = io_over(cx, d->fd[d->n++]);
	struct sl line;

	if (d->tls)
		MUST(io_starttls(cx, io, d->tls) == E_OK);
	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("a IDLE")));
	MUST(io_put(cx, io, SL("+\r\n")) == E_OK);
	d->up++;
	MUST(io_line(cx, io, 100, &line) == E_CLOSED);
	io_close(io);
}
static void idle_measure(struct cx *cx, void *arg)
{
	struct idle *d = arg;

	while (d->up < IDLE_N)
		MUST(fib_sleep(cx, 50) == E_OK);
	MUST(fib_sleep(cx, 2500) == E_OK); // until the stacks are trimmed
	print_message("%d idle %s connections: %ld octets PSS each\n", IDLE_N, d->tls ? "TLS" : "plain",
		(pss_kib() - d->before_kib) * 1024 / IDLE_N);
	MUST(io_buffers_held() == 0);
	for (unsigned i = 0; i < IDLE_N; i++)
		shutdown(d->fd[i], SHUT_RDWR);
}
static void idle_child(struct idle *d)
{
	struct fib_conf conf = { .fibers_max = IDLE_N + 1 };

	MUST(fib_start(NULL, &conf) == E_OK);
	d->before_kib = pss_kib();
	for (unsigned i = 0; i < IDLE_N; i++)
		MUST(fib_go(idle_fiber, d) == E_OK);
	MUST(fib_go(idle_measure, d) == E_OK);
	fib_run(0);
	fib_end();
	_exit(0);
}
static void test_idle_cost(void **)
{
	struct idle *d = calloc(1, sizeof *d);
	int client[IDLE_N], status;

	for (int tls = 0; tls < 2; tls++) {
		*d = (struct idle){ .tls = tls ? table_make("a.example", NULL) : NULL };
		for (unsigned i = 0; i < IDLE_N; i++) {
			int pair[2];
			tcp_pair(pair);
			d->fd[i] = pair[0];
			client[i] = pair[1];
		}
		pid_t pid = fork();
		if (pid == 0)
			idle_child(d);
		for (unsigned i = 0; i < IDLE_N; i++) {
			struct talk t = { .tls = d->tls };
			char c[3];
			close(d->fd[i]);
			SSL *ssl = tls ? tls_client(client[i], &t) : NULL;
			if (ssl)
				MUST(SSL_write(ssl, "a IDLE\r\n", 8) == 8 && SSL_read(ssl, c, 3) == 3);
			else
				write_all(client[i], SL("a IDLE\r\n"));
			SSL_free(ssl); // the socket stays open
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		for (unsigned i = 0; i < IDLE_N; i++)
			close(client[i]);
		tls_table_unref(d->tls);
	}
	free(d);
}

/// Messages of TLS that are no data do not keep the scheduler, however many there are.
enum { UPDATES = 400 };
static bool updates_over;
static unsigned updates_turns;
static void updates_other(struct cx *cx, void *)
{
	while (!updates_over) {
		MUST(fib_yield(cx) == E_OK);
		updates_turns++;
	}
}
static void updates_server(struct cx *cx, struct io *io, struct talk *t)
{
	uint8_t c;
	size_t got;

	MUST(io_starttls(cx, io, t->tls) == E_OK);
	MUST(io_put(cx, io, SL("!")) == E_OK && io_flush(cx, io) == E_OK);
	usleep(300000); // until all are there
	MUST(fib_go(updates_other, NULL) == E_OK);
	MUST(io_read(cx, io, &c, 1, &got) == E_OK && got == 1 && c == 'x');
	updates_over = true;
	MUST(updates_turns >= 10);
}
static void updates_client(int fd, struct talk *t)
{
	SSL *ssl = tls_client(fd, t);
	char c;

	MUST(SSL_read(ssl, &c, 1) == 1);
	for (int i = 0; i < UPDATES; i++)
		MUST(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
	MUST(SSL_write(ssl, "x", 1) == 1);
	MUST(SSL_read(ssl, &c, 1) <= 0);
	SSL_free(ssl);
	close(fd);
}
static void test_key_updates(void **)
{
	struct talk t = { .server = updates_server, .client = updates_client, .tls = table_make("a.example", NULL) };

	talk_one(&t);
	tls_table_unref(t.tls);
}

// ---- the side that connects

struct meeting {
	int listener;
	struct addr at;
	struct tls_table *server, *client;
	bool from_other;
	unsigned met;
	struct talk talk[2];
	struct cx *host;
};

static void meeting_accept(void *arg, const struct listen_accepted *c)
{
	struct meeting *m = arg;
	struct talk *t = &m->talk[m->met];

	MUST(c->peer.ip[15] == (m->from_other ? 9 : 1));
	*t = (struct talk){ .server = name_server, .tls = m->server, .sni = "", .fd = { c->fd } };
	MUST(fib_go(talk_fiber, t) == E_OK);
	m->met++;
}

static void meeting_host(struct cx *cx, void *arg)
{
	struct meeting *m = arg;

	m->host = cx;
	MUST(listen_loop(cx, m->listener, meeting_accept, m) == E_CANCELED);
}

/// Plain refusals, then a whole conversation with TLS between two fibers.
static void meeting_guest(struct cx *cx, void *arg)
{
	struct meeting *m = arg;
	struct addr from = { 0 }, nobody = m->at;
	struct io *io;
	struct sl line;
	int fd = -1;

	cx_deadline_in(cx, WAIT_MS);
	MUST(addr_parse(SL("127.0.0.9"), &from) == E_OK);
	nobody.port = 1;
	MUST(connect_open(cx, NULL, &nobody, &fd) == E_CLOSED && fd == -1);
	MUST(connect_open(cx, m->from_other ? &from : NULL, &m->at, &fd) == E_OK);
	MUST(io_new(cx, fd, &m->at, &from, &io) == E_OK);
	MUST(io_starttls(cx, io, m->client) == E_OK && sl_eq(io_tls_version(io), SL("TLSv1.3")));
	MUST(io_put(cx, io, SL("hello\r\n")) == E_OK);
	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("welcome")));
	io_close(io);
	fib_cancel(m->host);
}

static void test_connect(void **)
{
	struct fib_conf conf = { .fibers_max = 10 };
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	struct meeting m = { .server = table_make("mail.example.org", NULL) };

	assert_int_equal(tls_table_connect(NULL, &m.client), E_OK);
	for (int i = 0; i < 2; i++) {
		m.from_other = i == 1;
		assert_int_equal(addr_parse(SL("127.0.0.1"), &m.at), E_OK);
		assert_int_equal(listen_open(NULL, &m.at, &m.listener), E_OK);
		assert_int_equal(getsockname(m.listener, (struct sockaddr *)&ss, &n), 0);
		assert_int_equal(addr_from_sockaddr(&ss, &m.at), E_OK);
		assert_int_equal(fib_start(NULL, &conf), E_OK);
		assert_int_equal(fib_go(meeting_host, &m), E_OK);
		assert_int_equal(fib_go(meeting_guest, &m), E_OK);
		fib_run(0);
		fib_end();
		close(m.listener);
		assert_int_equal(m.met, i + 1);
	}
	tls_table_unref(m.server);
	tls_table_unref(m.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sni),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_refused_handshakes),
		cmocka_unit_test(test_octets_and_cut),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_parting),
		cmocka_unit_test(test_stress),
		cmocka_unit_test(test_idle_cost),
		cmocka_unit_test(test_key_updates),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
