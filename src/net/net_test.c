/// net_test — addresses, lines, buffers and their bounds, waits, slow readers, listening.
#include <sys/resource.h>

#include "net/net_test.h"

// ---- addresses

static void test_addr(void **)
{
	static const struct {
		const char *in, *out; // out NULL: E_SYNTAX
		bool v4, loopback;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true, false },
		{ "127.255.0.9", "127.255.0.9", true, true },
		{ "[192.0.2.1]", "192.0.2.1", true, false },
		{ "::1", "::1", false, true },
		{ "[::1]", "::1", false, true },
		{ "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", false, false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true, false },
		{ "::ffff:127.0.0.1", "127.0.0.1", true, true },
		{ "", NULL, false, false },
		{ "[]", NULL, false, false },
		{ "[::1", NULL, false, false },
		{ "192.0.2.256", NULL, false, false },
		{ "192.0.2", NULL, false, false },
		{ "192.0.2.1 ", NULL, false, false },
		{ "2001:db8::1::", NULL, false, false },
		{ "fe80::1%lo", NULL, false, false },
		{ "localhost", NULL, false, false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", NULL, false, false },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy(sl_cstr(cases[i].in));
		struct addr a = { .port = 7 }, back;
		struct sockaddr_storage ss;
		struct buf b = BUF(64);
		enum ec e = addr_parse(in, &a);

		CHECK(e == (cases[i].out ? E_OK : E_SYNTAX), cases[i].in);
		free((void *)(uintptr_t)in.p);
		if (e != E_OK) {
			CHECK(a.port == 7, cases[i].in);
			continue;
		}
		addr_print(&b, &a);
		CHECK(sl_eq(buf_sl(&b), sl_cstr(cases[i].out)), cases[i].in);
		CHECK(a.port == 0 && a.v4 == cases[i].v4 && addr_is_loopback(&a) == cases[i].loopback, cases[i].in);
		a.port = 2525;
		socklen_t n = addr_to_sockaddr(&a, &ss);
		CHECK(n == (a.v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)), cases[i].in);
		CHECK(addr_from_sockaddr(&ss, &back) == E_OK && memcmp(&a, &back, sizeof a) == 0, cases[i].in);
		buf_free(&b);
	}
	struct sockaddr_storage local = { .ss_family = AF_UNIX };
	struct addr a;
	assert_int_equal(addr_from_sockaddr(&local, &a), E_UNSUPPORTED);
	assert_int_equal(addr_parse((struct sl){ (const uint8_t *)"192.0.2.1\0x", 11 }, &a), E_SYNTAX);
}

static void test_net(void **)
{
	static const struct {
		const char *net, *in, *out; // addresses inside and outside; in NULL: E_SYNTAX
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
		{ "192.0.2.1", "192.0.2.1", "192.0.2.2" },
		{ "192.0.2.128/25", "192.0.2.129", "192.0.2.127" },
		{ "192.0.2.6/31", "192.0.2.7", "192.0.2.8" },
		{ "0.0.0.0/0", "255.1.2.3", "2001:db8::1" },
		{ "2001:db8::/32", "2001:db8:ffff::", "2001:db9::" },
		{ "2001:db8:0:8000::/49", "2001:db8:0:ffff::1", "2001:db8:0:7fff::1" },
		{ "::/0", "192.0.2.1", NULL },
		{ "::1/128", "::1", "::2" },
		{ "192.0.2.1/24", NULL, NULL },
		{ "192.0.2.0/33", NULL, NULL },
		{ "2001:db8::/129", NULL, NULL },
		{ "192.0.2.0/", NULL, NULL },
		{ "192.0.2.0/-1", NULL, NULL },
		{ "192.0.2.0/24/1", NULL, NULL },
		{ "/24", NULL, NULL },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct addr_net net;
		struct addr a;
		CHECK(addr_net_parse(sl_cstr(cases[i].net), &net) == (cases[i].in ? E_OK : E_SYNTAX), cases[i].net);
		if (cases[i].in)
			CHECK(addr_parse(sl_cstr(cases[i].in), &a) == E_OK && addr_net_has(&net, &a), cases[i].net);
		if (cases[i].out)
			CHECK(addr_parse(sl_cstr(cases[i].out), &a) == E_OK && !addr_net_has(&net, &a), cases[i].net);
	}
}

static void test_stranger_key(void **)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct addr a, b;
		uint8_t ka[16], kb[16];
		CHECK(addr_parse(sl_cstr(cases[i].a), &a) == E_OK && addr_parse(sl_cstr(cases[i].b), &b) == E_OK,
			cases[i].b);
		addr_stranger_key(&a, ka);
		addr_stranger_key(&b, kb);
		CHECK((memcmp(ka, kb, 16) == 0) == cases[i].same, cases[i].b);
	}
}

// ---- lines: one fiber writes pieces, the other reads lines of at most 8 octets

struct piecewise {
	const char *name;
	const char *pieces[4];
	const char *want; // each line with '|' behind it, '!' for E_TOOBIG, '$' for E_CLOSED
	int fd;
};
static void feed_pieces(struct cx *cx, void *arg)
{
	const struct piecewise *c = arg;

	for (size_t i = 0; i < ARRAY_N(c->pieces) && c->pieces[i]; i++) {
		write_all(c->fd, sl_cstr(c->pieces[i]));
		MUST(fib_sleep(cx, 1) == E_OK);
	}
	close(c->fd);
}
static char seen[200];
static void read_lines(struct cx *cx, void *arg)
{
	struct io *io = io_over(cx, *(int *)arg);
	struct sl line;
	enum ec e;

	cx_deadline_in(cx, WAIT_MS);
	do {
		e = io_line(cx, io, 8, &line);
		if (e == E_OK)
			strncat(seen, (const char *)line.p, line.n);
		strcat(seen, e == E_OK ? "|" : e == E_TOOBIG ? "!" : e == E_CLOSED ? "$" : "?");
	} while (e == E_OK || e == E_TOOBIG);
	MUST(io_line(cx, io, 8, &line) == e); // it stays as it ended
	io_close(io);
}
static void test_lines(void **)
{
	static const struct piecewise cases[] = {
		{ "one", { "hello\r\n" }, "hello|$", 0 },
		{ "partial", { "he", "llo", "\r", "\n" }, "hello|$", 0 },
		{ "pipelined", { "a\r\nb\r\n\r\nc\r\n" }, "a|b||c|$", 0 },
		{ "cut after CR", { "a\r", "\nb\r\n" }, "a|b|$", 0 },
		{ "bare LF", { "a\nb\n" }, "a|b|$", 0 },
		{ "bare CR stays", { "a\rb\r\n", "\rc\r\r\n" }, "a\rb|\rc\r|$", 0 },
		{ "as long as may be", { "12345678\r\n", "12345678\n" }, "12345678|12345678|$", 0 },
		{ "an octet more, then a good one", { "123456789\r\nok\r\n" }, "!ok|$", 0 },
		{ "CR counts where no LF follows", { "12345678\r", "\r\nok\r\n" }, "!ok|$", 0 },
		{ "far too long in pieces", { "123456789", "0123456789", "\r\n", "ok\r\n" }, "!ok|$", 0 },
		{ "too long, end of stream", { "1234567890", "1" }, "$", 0 },
		{ "end in a line", { "ok\r\nbroken" }, "ok|$", 0 },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct fib_conf conf = { .fibers_max = 2 };
		struct piecewise c = cases[i];
		int pair[2];

		tcp_pair(pair);
		c.fd = pair[1];
		seen[0] = 0;
		assert_int_equal(fib_start(NULL, &conf), E_OK);
		assert_int_equal(fib_go(read_lines, &pair[0]), E_OK);
		assert_int_equal(fib_go(feed_pieces, &c), E_OK);
		fib_run(0);
		fib_end();
		if (strcmp(seen, c.want) != 0)
			print_error("saw \"%s\"\n", seen);
		CHECK(strcmp(seen, c.want) == 0, c.name);
	}
	assert_int_equal(io_buffers_held(), 0);
}

// ---- bounds

enum { FLOOD = 300000 };
static void flood_client(int fd, struct talk *t)
{
	uint8_t *p = malloc(FLOOD);

	for (size_t i = 0; i < FLOOD; i++)
		p[i] = (uint8_t)next_random(&t->seed) | 0x80; // never LF
	write_all(fd, (struct sl){ p, FLOOD });
	free(p);
	char c;
	MUST(read(fd, &c, 1) == 0);
	close(fd);
}
static void check_stream(struct sl s, uint64_t *seed)
{
	for (size_t i = 0; i < s.n; i++)
		MUST(s.p[i] == ((uint8_t)next_random(seed) | 0x80));
}
/// Fills to the brim, sees E_TOOBIG without loss, goes on where there is room again.
static void bounds_server(struct cx *cx, struct io *io, struct talk *)
{
	uint64_t seed = 9;
	uint8_t some[1000];
	size_t n = 0, got;

	MUST(io_input(io).n == 0);
	io_consume(io, 100); // nothing there: nothing happens
	while (n < FLOOD) {
		enum ec e = E_OK;
		while (io_input(io).n < IO_IN_MAX && n + io_input(io).n < FLOOD && e == E_OK)
			e = io_fill(cx, io);
		MUST(e == E_OK);
		if (io_input(io).n == IO_IN_MAX) {
			MUST(io_fill(cx, io) == E_TOOBIG);
			MUST(io_input(io).n == IO_IN_MAX);
		}
		struct sl half = sl_head(io_input(io), io_input(io).n / 2 + 1);
		check_stream(half, &seed);
		n += half.n;
		io_consume(io, half.n);
		MUST(io_buffers_held() == (io_input(io).n != 0));
		if (n == FLOOD)
			break;
		MUST(io_read(cx, io, some, sizeof some, &got) == E_OK && got >= 1);
		check_stream((struct sl){ some, got }, &seed);
		n += got;
	}
	uint64_t in, out;
	io_counts(io, &in, &out);
	MUST(in == FLOOD && out == 0 && io_buffers_held() == 0);
}
/// Only waiting for the other side counts as that.
static void waited_server(struct cx *cx, struct io *io, struct talk *)
{
	struct sl line;
	int64_t now_ns = clock_mono_ns(), some;

	MUST(io_waited_ns(io, now_ns) == 0 && !io_waits(io));
	MUST(io_line(cx, io, 10, &line) == E_OK);
	some = io_waited_ns(io, now_ns);
	MUST(some > 0 && !io_waits(io));
	MUST(fib_sleep(cx, 5) == E_OK);
	MUST(io_line(cx, io, 10, &line) == E_OK); // it was there already
	MUST(io_waited_ns(io, now_ns) == some);
}
static void waited_client(int fd, struct talk *)
{
	usleep(20000);
	write_all(fd, SL("one\r\ntwo\r\n"));
	usleep(50000);
	close(fd);
}
static void test_waited(void **)
{
	talk_one(&(struct talk){ .server = waited_server, .client = waited_client });
}

/// A line that would be longer than any buffer is dropped like any other that is too long.
static void longest_line_server(struct cx *cx, struct io *io, struct talk *t)
{
	struct sl line;

	MUST(io_line(cx, io, t->octets, &line) == E_TOOBIG);
	MUST(io_line(cx, io, t->octets, &line) == E_OK && sl_eq(line, SL("good")));
}
static void longest_line_client(int fd, struct talk *)
{
	char *p = malloc(IO_IN_MAX * 2);

	memset(p, 'x', IO_IN_MAX * 2);
	write_all(fd, (struct sl){ (uint8_t *)p, IO_IN_MAX * 2 });
	write_all(fd, SL("\r\ngood\r\n"));
	free(p);
	close(fd);
}
static void test_bounds(void **)
{
	struct talk t = { .server = bounds_server, .client = flood_client, .seed = 9 };

	talk_one(&t);
	for (size_t max = IO_IN_MAX - 3; max < IO_IN_MAX; max++) {
		struct talk line = { .server = longest_line_server, .client = longest_line_client, .octets = max };
		talk_one(&line);
	}
}

// ---- waits that end early; a last line after them

static void last_line_server(struct cx *cx, struct io *io, struct talk *t)
{
	struct sl line;

	if (t->flag)
		cx_deadline_in(cx, 30);
	enum ec e = io_line(cx, io, 100, &line);
	MUST(e == (t->flag ? E_TIMEOUT : E_CANCELED));
	MUST(io_line(cx, io, 100, &line) == e);
	MUST(io_put(cx, io, SL("* BYE ")) == E_OK && io_printf(cx, io, "%s\r\n", "idle") == E_OK);
	MUST(io_flush(cx, io) == E_OK);
	MUST(io_put(cx, io, SL("closed by io_close\r\n")) == E_OK);
}
static void canceler(struct cx *cx, void *arg)
{
	MUST(fib_sleep(cx, 20) == E_OK);
	fib_cancel(arg);
}
static void canceled_server(struct cx *cx, struct io *io, struct talk *t)
{
	MUST(fib_go(canceler, cx) == E_OK);
	last_line_server(cx, io, t);
}
static void last_line_client(int fd, struct talk *t)
{
	static const char want[] = "* BYE idle\r\nclosed by io_close\r\n";
	char got[100];

	write_all(fd, sl_cstr(t->text));
	size_t n = read_to_end(fd, got, sizeof got);
	MUST(n == strlen(want) && memcmp(got, want, n) == 0);
	close(fd);
}
static void test_last_line(void **)
{
	static const char *const before[] = { "", "half a line" };

	for (size_t i = 0; i < 4; i++) {
		struct talk t = { .server = i & 1 ? last_line_server : canceled_server, .client = last_line_client };
		t.flag = i & 1;
		t.text = before[i / 2];
		talk_one(&t);
	}
}

/// A client that always has more to say does not keep the others from their turns, and does not outrun a deadline.
static bool babble_over;
static unsigned babble_turns;
static void other_fiber(struct cx *cx, void *)
{
	while (!babble_over) {
		MUST(fib_yield(cx) == E_OK);
		babble_turns++;
	}
}
static void babble_server(struct cx *cx, struct io *io, struct talk *t)
{
	struct sl line;
	size_t got, octets = 0;
	uint8_t p[512];
	enum ec e = E_OK;

	usleep(100000); // all that the client's socket takes is there: nobody waits
	MUST(fib_go(other_fiber, NULL) == E_OK);
	for (; octets < t->octets; octets += t->flag ? got : line.n + 1)
		MUST((t->flag ? io_read(cx, io, p, sizeof p, &got) : io_line(cx, io, 1000, &line)) == E_OK);
	MUST(babble_turns >= t->octets / 16384 - 1);
	cx_deadline_in(cx, 200);
	while (e == E_OK)
		e = io_read(cx, io, p, sizeof p, &got);
	MUST(e == E_TIMEOUT);
	babble_over = true;
	shutdown(t->fd[0], SHUT_RDWR);
}
static void babble_client(int fd, struct talk *)
{
	char lines[16384];

	memset(lines, '\n', sizeof lines);
	while (send(fd, lines, sizeof lines, MSG_NOSIGNAL) > 0)
		;
	close(fd);
}
static void test_babble(void **)
{
	for (int i = 0; i < 2; i++) {
		struct talk t = { .server = babble_server, .client = babble_client, .octets = 65536, .flag = i };
		babble_over = false;
		babble_turns = 0;
		talk_one(&t);
	}
}

/// A write that cannot go on ends the connection for good.
static void stuck_server(struct cx *cx, struct io *io, struct talk *t)
{
	uint8_t *p = calloc(1, 1 << 20);
	enum ec e = E_OK;
	size_t got;

	cx_deadline_in(cx, 50);
	while (e == E_OK)
		e = io_put(cx, io, (struct sl){ p, 1 << 20 });
	MUST(e == E_TIMEOUT);
	cx->deadline_ns = 0;
	MUST(io_put(cx, io, SL("x")) == E_CLOSED && io_flush(cx, io) == E_CLOSED && io_fill(cx, io) == E_CLOSED);
	MUST(io_read(cx, io, p, 1, &got) == E_CLOSED && io_starttls(cx, io, NULL) == E_CLOSED);
	t->flag = true;
	shutdown(t->fd[0], SHUT_RDWR); // so that the client, which may sleep in read, ends too
	free(p);
}
static void stuck_client(int fd, struct talk *)
{
	char c[4096];

	usleep(150000);
	while (read(fd, c, sizeof c) > 0)
		;
	close(fd);
}
static void test_stuck_writer(void **)
{
	struct talk t = { .server = stuck_server, .client = stuck_client };

	talk_one(&t);
	assert_true(t.flag);
}

// ---- waking by an event or by data

static struct fib_event bell;
static void ringer(struct cx *cx, void *)
{
	MUST(fib_sleep(cx, 20) == E_OK);
	fib_event_set(&bell);
}
static void bell_server(struct cx *cx, struct io *io, struct talk *)
{
	struct sl line;
	bool fired = false;

	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("a IDLE")));
	MUST(io_put(cx, io, SL("+ idling\r\n")) == E_OK);
	MUST(fib_go(ringer, NULL) == E_OK);
	MUST(io_fill_or(cx, io, &bell, &fired) == E_OK && fired && !bell.set);
	MUST(io_buffers_held() == 0 && io_input(io).n == 0);
	MUST(io_put(cx, io, SL("* 1 EXISTS\r\n")) == E_OK); // sent before the next wait
	MUST(io_fill_or(cx, io, &bell, &fired) == E_OK && !fired);
	fib_event_set(&bell); // with input there it returns at once, and the bell stays
	MUST(io_fill_or(cx, io, &bell, &fired) == E_OK && !fired && bell.set);
	MUST(io_line(cx, io, 100, &line) == E_OK && sl_eq(line, SL("DONE")));
	MUST(io_fill_or(cx, io, &bell, &fired) == E_OK && fired && !bell.set);
	MUST(io_put(cx, io, SL("a OK\r\n")) == E_OK);
	MUST(io_fill_or(cx, io, &bell, &fired) == E_CLOSED && !fired);
}
static void bell_client(int fd, struct talk *)
{
	char got[100];
	size_t n = 0;

	write_all(fd, SL("a IDLE\r\n"));
	while (n < 22) {
		ssize_t k = read(fd, got + n, sizeof got - n);
		MUST(k > 0);
		n += (size_t)k;
	}
	MUST(n == 22 && memcmp(got, "+ idling\r\n* 1 EXISTS\r\n", 22) == 0);
	write_all(fd, SL("DONE\r\n"));
	MUST(read(fd, got, sizeof got) > 0);
	close(fd);
}
static void test_event_or_data(void **)
{
	struct talk t = { .server = bell_server, .client = bell_client };

	talk_one(&t);
}

// ---- listening

static int listen_here(struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	int fd;

	assert_int_equal(addr_parse(SL("127.0.0.1"), a), E_OK);
	assert_int_equal(listen_open(NULL, a, &fd), E_OK);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	assert_int_equal(addr_from_sockaddr(&ss, a), E_OK);
	assert_true(a->port != 0);
	return fd;
}
static int connect_to(const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(a, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(connect(fd, (struct sockaddr *)&ss, n) == 0);
	return fd;
}

static void test_listen_errors(void **)
{
	struct cx cx = { 0 };
	struct addr a;
	char story[512];
	int fd = listen_here(&a), other = -1;

	assert_int_equal(listen_open(&cx, &a, &other), E_EXISTS);
	cx_story(&cx, story, sizeof story);
	assert_non_null(strstr(story, "127.0.0.1 port"));
	assert_non_null(strstr(story, "in use"));
	assert_int_equal(addr_parse(SL("192.0.2.77"), &a), E_OK); // not ours
	assert_int_equal(listen_open(&cx, &a, &other), E_IO);
	assert_int_equal(other, -1);
	close(fd);
	cx_end(&cx);
}

struct acceptor {
	int listener, fds[64];
	struct addr at;
	unsigned n;
	struct cx *loop;
	int tell, stop; // tell: our name for each one accepted
	char name;
};
static void count_accept(void *arg, const struct listen_accepted *c)
{
	struct acceptor *a = arg;

	MUST(c->peer.v4 && c->local.port == a->at.port && fcntl(c->fd, F_GETFL) & O_NONBLOCK);
	MUST(fcntl(c->fd, F_GETFD) & FD_CLOEXEC && a->n < ARRAY_N(a->fds));
	if (a->tell < 0) {
		a->fds[a->n++] = c->fd;
		return;
	}
	usleep(1000); // at work: the other process is free for the next
	MUST(write(a->tell, &a->name, 1) == 1);
	close(c->fd);
}
static void accept_fiber(struct cx *cx, void *arg)
{
	struct acceptor *a = arg;

	a->loop = cx;
	MUST(listen_loop(cx, a->listener, count_accept, a) == E_CANCELED);
}

/// Descriptors run out after two connections; the third is accepted when one is closed.
static void scarce_fiber(struct cx *cx, void *arg)
{
	struct acceptor *a = arg;
	struct fib_stats before, after;
	int client[3];

	for (int i = 0; i < 3; i++)
		client[i] = connect_to(&a->at);
	int one = dup(0), two = dup(0); // the two that will be free
	struct rlimit few = { (rlim_t)two + 1, (rlim_t)two + 1 };
	close(one), close(two);
	MUST(setrlimit(RLIMIT_NOFILE, &few) == 0);
	while (a->n < 2)
		MUST(fib_sleep(cx, 5) == E_OK);
	fib_get_stats(&before);
	MUST(fib_sleep(cx, 250) == E_OK && a->n == 2);
	fib_get_stats(&after);
	MUST(after.switches - before.switches < 20); // pauses, does not spin
	close(a->fds[0]);
	while (a->n < 3)
		MUST(fib_sleep(cx, 5) == E_OK);
	for (int i = 0; i < 3; i++)
		close(client[i]);
	fib_cancel(a->loop);
}
static int child_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
static void test_no_descriptors(void **)
{
	struct acceptor a = { .tell = -1 };
	pid_t pid;

	a.listener = listen_here(&a.at);
	pid = fork();
	if (pid == 0) {
		struct fib_conf conf = { .fibers_max = 4 };
		MUST(fib_start(NULL, &conf) == E_OK && fib_go(accept_fiber, &a) == E_OK);
		MUST(fib_go(scarce_fiber, &a) == E_OK);
		fib_run(0);
		fib_end();
		_exit(0);
	}
	assert_int_equal(child_status(pid), 0);
	close(a.listener);
}

/// Accepts until the parent writes to the pipe.
static void until_told(struct cx *cx, void *arg)
{
	struct acceptor *a = arg;
	struct fib_fd f;

	MUST(fib_fd_add(cx, &f, a->stop) == E_OK);
	MUST(fib_wait_readable(cx, &f) == E_OK);
	fib_fd_del(&f);
	fib_cancel(a->loop);
}
static pid_t accepting_process(struct acceptor *a)
{
	struct fib_conf conf = { .fibers_max = 8 };
	pid_t pid = fork();

	if (pid)
		return pid;
	MUST(fib_start(NULL, &conf) == E_OK && fib_go(accept_fiber, a) == E_OK && fib_go(until_told, a) == E_OK);
	fib_run(0);
	fib_end();
	_exit(0);
}
/// Bursts of connections until both processes had some; none is lost.
static void test_shared_listener(void **)
{
	enum { BURST = 8, BURSTS_MAX = 1000 };
	struct acceptor a = { .name = 'a' };
	unsigned of_a = 0, of_b = 0, bursts = 0;
	int stop[2], tell[2];
	pid_t pid[2];

	a.listener = listen_here(&a.at);
	assert_int_equal(pipe2(stop, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	a.stop = stop[0];
	a.tell = tell[1];
	pid[0] = accepting_process(&a);
	a.name = 'b';
	pid[1] = accepting_process(&a);
	for (; (!of_a || !of_b || bursts < 10) && bursts < BURSTS_MAX; bursts++) {
		int client[BURST];
		char name;
		for (int i = 0; i < BURST; i++)
			client[i] = connect_to(&a.at);
		for (int i = 0; i < BURST; i++) {
			assert_int_equal(read(tell[0], &name, 1), 1);
			of_a += name == 'a';
			of_b += name == 'b';
			close(client[i]);
		}
	}
	assert_int_equal(write(stop[1], "x", 1), 1);
	print_message("two processes accepted %u and %u\n", of_a, of_b);
	assert_true(of_a > 0 && of_b > 0 && of_a + of_b == bursts * BURST);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(child_status(pid[i]), 0);
		close(stop[i]), close(tell[i]);
	}
	close(a.listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_stranger_key),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_waited),
		cmocka_unit_test(test_last_line),
		cmocka_unit_test(test_babble),
		cmocka_unit_test(test_stuck_writer),
		cmocka_unit_test(test_event_or_data),
		cmocka_unit_test(test_listen_errors),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_shared_listener),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
