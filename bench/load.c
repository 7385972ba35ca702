/// load — hongyan-load WORK [NAME=VALUE...]: drives any mail server and prints one JSON object.
///
/// 1 The work prepares. 2 Sessions begin, a few at a time, and wait. 3 With hold=1: "ready" on standard output, a line
/// on standard input. 4 The clock runs until all tickets are used up and the work has settled. 5 The JSON object.
/// 6 With hold=1 a line on standard input. 7 Sessions say goodbye. Exit code 1 where anything failed.
#include "bench/load.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"

enum { ERRORS_TOLD = 5, SESSIONS_MAX = 100000, COUNT_MAX = 100000000 };

static const struct work *const works[] = { smtp_works, imap_works, mailbox_works, pop3_works };

// ---- the command line

#define OPTION(field) #field, offsetof(struct options, field)
static const struct {
	const char *name;
	size_t at;
	bool number;
	const char *preset, *help;
} option_table[] = {
	{ OPTION(address), false, "127.0.0.1", "the server's address" },
	{ OPTION(port), true, "0", "its port" },
	{ OPTION(tls), true, "0", "1: TLS from the start, a full handshake each time" },
	{ OPTION(sources), true, "0", "connect from so many of 127.0.0.2, .3 …; 0: as the system chooses" },
	{ OPTION(sessions), true, "1", "sessions at the same time" },
	{ OPTION(count), true, "1", "operations in all" },
	{ OPTION(opening), true, "32", "sessions that begin, or end, at the same time" },
	{ OPTION(user), false, "u%@bench.test", "user or recipient; % becomes a number" },
	{ OPTION(users), true, "1", "numbers 0 … users-1 are used in turn" },
	{ OPTION(password), false, "secret", "of all users" },
	{ OPTION(from), false, "sender@elsewhere.test", "SMTP, LMTP: the sender" },
	{ OPTION(size), true, "4096", "octets of a message" },
	{ OPTION(mailbox), false, "INBOX", "IMAP: the mailbox" },
	{ OPTION(other), false, "Other", "imap-copy, imap-move: where to" },
	{ OPTION(select), true, "1", "imap-login: 1: SELECT, too" },
	{ OPTION(all), true, "0", "imap-store: 1: the whole mailbox, silently" },
	{ OPTION(pipeline), true, "1", "SMTP, LMTP: 1: MAIL, RCPT, DATA in one go" },
	{ OPTION(check_port), true, "0", "SMTP, LMTP: IMAP here tells when all can be read" },
	{ OPTION(hold), true, "0", "1: wait for a line on standard input before and after the work" },
	{ OPTION(seconds), true, "600", "give up after so long" },
};

static bool option_set(struct options *o, struct sl name, struct sl value)
{
	for (size_t i = 0; i < ARRAY_N(option_table); i++) {
		uint8_t *field = (uint8_t *)o + option_table[i].at;
		if (!sl_eq(name, sl_cstr(option_table[i].name)))
			continue;
		if (option_table[i].number)
			return num_parse(value, COUNT_MAX, (uint64_t *)(void *)field);
		*(struct sl *)(void *)field = value;
		return value.n > 0;
	}
	return false;
}

static bool options_read(struct options *o, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_N(option_table); i++)
		if (!option_set(o, sl_cstr(option_table[i].name), sl_cstr(option_table[i].preset)))
			return false;
	for (int i = 2; i < argc; i++) {
		struct sl value = sl_cstr(argv[i]), name = sl_cut(&value, '=');
		if (!option_set(o, name, value)) {
			fprintf(stderr, "hongyan-load: \"%s\" is no option, or not such a value\n", argv[i]);
			return false;
		}
	}
	return o->sessions >= 1 && o->sessions <= SESSIONS_MAX && o->users >= 1 && o->opening >= 1 &&
	       o->sources <= 250 && o->port >= 1 && o->port <= UINT16_MAX;
}

static const struct work *work_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_N(works); i++)
		for (const struct work *w = works[i]; w->name; w++)
			if (sl_eq(sl_cstr(name), sl_cstr(w->name)))
				return w;
	return NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: hongyan-load WORK port=N [NAME=VALUE...]\n\nworks:\n");
	for (size_t i = 0; i < ARRAY_N(works); i++)
		for (const struct work *w = works[i]; w->name; w++)
			fprintf(stderr, "  %-18s %s\n", w->name, w->help);
	fprintf(stderr, "\nNAME=VALUE (preset):\n");
	for (size_t i = 0; i < ARRAY_N(option_table); i++)
		fprintf(stderr, "  %-18s %s (%s)\n", option_table[i].name, option_table[i].help,
			option_table[i].preset);
	return 2;
}

// ---- what works use

struct sl load_user(const struct load *l, uint64_t number, char text[USER_TEXT])
{
	struct sl tail = l->o.user, head = sl_cut(&tail, '%');
	bool numbered = head.n < l->o.user.n;
	int n = snprintf(
		text, USER_TEXT, numbered ? "%.*s%" PRIu64 "%.*s" : "%.*s", SLF(head), number % l->o.users, SLF(tail));

	return (struct sl){ (const uint8_t *)text, min_size((size_t)n, USER_TEXT - 1) };
}

void load_error(struct cx *cx, struct load *l, enum ec e, const char *what)
{
	char story[600];

	if (l->errors++ >= ERRORS_TOLD)
		return;
	cx_story(cx, story, sizeof story);
	fprintf(stderr, "hongyan-load: %s: %s: %s\n", what, ec_name(e), story);
}

// ---- sessions

/// Uses up tickets until there are none, or something fails.
FIB static enum ec work_off(struct cx *cx, struct worker *w)
{
	struct load *l = w->load;
	enum ec e = E_OK;

	while (e == E_OK && l->tickets < l->o.count && l->work->once) {
		w->ticket = l->tickets++;
		w->took_ns = 0;
		w->began_ns = clock_mono_ns();
		cx_deadline_in(cx, CLIENT_WAIT_MS);
		e = l->work->once(cx, w);
		if (e != E_OK)
			break;
		int64_t took = w->took_ns ? w->took_ns : clock_mono_ns() - w->began_ns;
		l->latency_us[l->done++] = (uint32_t)(took / 1000);
		w->done++;
	}
	return e;
}

static void session(struct cx *cx, void *arg)
{
	struct worker *w = arg;
	struct load *l = w->load;
	enum ec e = l->work->setup ? l->work->setup(cx, w) : E_OK;

	l->opening--;
	l->ready++;
	fib_event_set(&l->changed);
	cx_deadline_in(cx, 0);
	if (e == E_OK)
		e = fib_event_wait(cx, &w->go);
	if (e == E_OK)
		e = work_off(cx, w);
	bool told = e != E_OK;
	if (told)
		load_error(cx, l, e, l->work->name);
	l->over++;
	fib_event_set(&l->changed);
	cx_deadline_in(cx, 0);
	if (e == E_OK)
		e = fib_event_wait(cx, &w->leave);
	cx_deadline_in(cx, CLIENT_WAIT_MS);
	if (e == E_OK && l->work->goodbye)
		e = l->work->goodbye(cx, w);
	if (e != E_OK && !told)
		load_error(cx, l, e, l->work->name);
	client_free(&w->client);
	l->leaving--;
	fib_event_set(&l->changed);
}

// ---- the run

/// On a helper thread.
static void read_line(void *arg)
{
	char c = 0;

	(void)arg;
	while (c != '\n' && read(0, &c, 1) == 1)
		continue;
}

FIB static enum ec begin_sessions(struct cx *cx, struct load *l)
{
	enum ec e = l->work->prepare ? l->work->prepare(cx, l) : E_OK;

	for (unsigned i = 0; e == E_OK && i < l->o.sessions; i++) {
		while (e == E_OK && l->opening >= l->o.opening)
			e = fib_event_wait(cx, &l->changed);
		l->worker[i] = (struct worker){ .load = l, .number = i };
		if (e == E_OK)
			e = fib_go(session, &l->worker[i]);
		l->opening += e == E_OK;
	}
	while (e == E_OK && l->ready < l->o.sessions)
		e = fib_event_wait(cx, &l->changed);
	return e;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static void print_result(const struct load *l, int64_t ns)
{
	double seconds = (double)ns / 1e9, sum = 0;
	uint64_t n = l->done;

	qsort(l->latency_us, n, sizeof *l->latency_us, by_value);
	for (uint64_t i = 0; i < n; i++)
		sum += l->latency_us[i];
	printf("{\"work\": \"%s\", \"done\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"per_second\": %.1f, \"octets\": %" PRIu64
	       ", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"mean_ms\": %.4f}\n",
		l->work->name, n, l->errors, seconds, seconds > 0 ? (double)n / seconds : 0, l->octets,
		n ? l->latency_us[n / 2] / 1e3 : 0, n ? l->latency_us[n * 99 / 100] / 1e3 : 0,
		n ? sum / (double)n / 1e3 : 0);
	fflush(stdout);
}

FIB static enum ec run(struct cx *cx, struct load *l)
{
	cx_deadline_in(cx, (int64_t)l->o.seconds * 1000);
	enum ec e = begin_sessions(cx, l);
	if (e == E_OK && l->errors)
		e = fail(cx, E_STATE, "not all sessions could begin");
	if (e == E_OK && l->o.hold) {
		printf("ready\n");
		fflush(stdout);
		e = fib_offload(cx, read_line, NULL);
	}
	int64_t from = clock_mono_ns();
	for (unsigned i = 0; e == E_OK && i < l->o.sessions; i++)
		fib_event_set(&l->worker[i].go);
	while (e == E_OK && l->over < l->o.sessions)
		e = fib_event_wait(cx, &l->changed);
	if (e == E_OK && l->errors == 0 && l->work->settle)
		e = l->work->settle(cx, l);
	if (e != E_OK)
		load_error(cx, l, e, "the run");
	print_result(l, clock_mono_ns() - from);
	return e == E_OK && l->o.hold && l->errors == 0 ? fib_offload(cx, read_line, NULL) : e;
}

/// As gently as they began: Dovecot refuses some of 5,000 sleepers that are woken at once.
FIB static enum ec end_sessions(struct cx *cx, struct load *l)
{
	enum ec e = E_OK;

	cx_deadline_in(cx, (int64_t)l->o.seconds * 1000);
	for (unsigned i = 0; e == E_OK && i < l->o.sessions; i++) {
		while (e == E_OK && l->leaving >= (int64_t)l->o.opening)
			e = fib_event_wait(cx, &l->changed);
		l->leaving++;
		fib_event_set(&l->worker[i].leave);
	}
	return e;
}

static void conduct(struct cx *cx, void *arg)
{
	struct load *l = arg;
	enum ec e = run(cx, l);

	if (e == E_OK)
		e = end_sessions(cx, l);
	l->failed = e != E_OK;
	if (e != E_OK)
		_exit(1); // sessions may wait for what never comes
}

static enum ec load_new(struct cx *cx, struct load *l)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	enum ec e = addr_parse(l->o.address, &l->target.to);
	l->target.to.port = (uint16_t)l->o.port;
	l->target.sources = (unsigned)l->o.sources;
	if (e == E_OK && l->o.tls)
		e = tls_table_connect(cx, &l->target.tls);
	if (e == E_OK)
		e = message_make(cx, l->o.size, &l->message);
	l->worker = calloc(l->o.sessions, sizeof *l->worker);
	l->latency_us = calloc(l->o.count + 1, sizeof *l->latency_us);
	if (e == E_OK && (!l->worker || !l->latency_us))
		e = fail(cx, E_TEMP, "no memory");
	struct fib_conf conf = { .fibers_max = (unsigned)l->o.sessions + 8 };
	return e == E_OK ? fib_start(cx, &conf) : e;
}

int main(int argc, char **argv)
{
	struct cx cx = { 0 };
	struct load l = { .work = argc > 1 ? work_find(argv[1]) : NULL };

	if (!l.work || !options_read(&l.o, argc, argv))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	enum ec e = load_new(&cx, &l);
	if (e == E_OK)
		e = fib_go(conduct, &l);
	if (e != E_OK) {
		load_error(&cx, &l, e, l.work->name);
		return 1;
	}
	fib_run(0);
	fib_end();
	tls_table_unref(l.target.tls);
	message_free(&l.message);
	free(l.worker);
	free(l.latency_us);
	cx_end(&cx);
	return l.failed || l.errors;
}
