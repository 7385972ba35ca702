/// cli — parsing the command line against the table, help, and talking to the store.
#include "main/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/saslprep.h"
#include "base/clock.h"
#include "base/num.h"
#include "main/edit.h"
#include "main/role.h"
#include "main/text.h"

enum { CLI_CHUNKS = 64, STORE_READY_MS = 600000 };

// ---- help

static void print_command(FILE *f, const struct cli_command *c)
{
	fprintf(f, "  %s%s%s%s%s\n", c->group, c->verb ? " " : "", c->verb ? c->verb : "", *c->arguments ? " " : "",
		text_of(c->arguments));
	fprintf(f, "      %s\n", text_of(c->sentence));
}

static void print_all(FILE *f)
{
	fputs(text_of("hongyan - a whole post office in one program\n\n"
		      "usage: hongyan [-c FILE] [--json] COMMAND ...\n\n"
		      "  -c FILE   the configuration (default: ./hongyan.conf, then /etc/hongyan/hongyan.conf)\n"
		      "  --json    answers as JSON\n"
		      "  --help    after a command: its options and examples\n\ncommands:\n"),
		f);
	for (const struct cli_command *c = cli_commands; c->group; c++)
		print_command(f, c);
	fputs(text_of("\nA first server:\n"), f);
	fputs("  hongyan init demo --domain example.test --port-base 10000 --listen 127.0.0.1\n"
	      "  echo secret | hongyan -c demo/hongyan.conf user add alice@example.test --password-stdin\n"
	      "  hongyan -c demo/hongyan.conf serve\n",
		f);
}

static void print_help(FILE *f, const struct cli_command *c)
{
	fprintf(f, text_of("usage: hongyan [-c FILE] [--json] %s%s%s%s%s\n\n%s\n"), c->group, c->verb ? " " : "",
		c->verb ? c->verb : "", *c->arguments ? " " : "", text_of(c->arguments), text_of(c->sentence));
	if (c->options && c->options->name)
		fputs(text_of("\noptions:\n"), f);
	for (const struct cli_option *o = c->options; o && o->name; o++)
		fprintf(f, "  --%s%s%s\n      %s\n", o->name, o->value ? " " : "", o->value ? o->value : "",
			text_of(o->sentence));
	if (c->examples)
		fprintf(f, text_of("\nexamples:\n%s"), c->examples);
}

// ---- the manual page

/// One command in roff.
static void manual_command(FILE *f, const struct cli_command *c)
{
	fprintf(f, ".TP\n.B %s%s%s\n%s\n.br\n%s\n", c->group, c->verb ? " " : "", c->verb ? c->verb : "", c->arguments,
		c->sentence);
	for (const struct cli_option *o = c->options; o && o->name; o++)
		fprintf(f, ".br\n\\-\\-%s%s%s: %s\n", o->name, o->value ? " " : "", o->value ? o->value : "",
			o->sentence);
	if (c->examples)
		fprintf(f, ".nf\n%s.fi\n", c->examples);
}

/// The whole of hongyan(1): made from the tables of commands and options, so that it cannot lag behind.
static void print_manual(FILE *f)
{
	struct buf options = BUF(1 << 20);

	fputs(".TH HONGYAN 1\n.SH NAME\nhongyan \\- a whole post office in one program\n"
	      ".SH SYNOPSIS\n.B hongyan\n[\\-c FILE] [\\-\\-json] COMMAND ...\n"
	      ".SH DESCRIPTION\nReceives mail (SMTP, LMTP), keeps it durably and serves it (IMAP, POP3), with TLS "
	      "everywhere. "
	      "Commands work while the server runs, through its control socket, and when it does not.\n.SH COMMANDS\n",
		f);
	for (const struct cli_command *c = cli_commands; c->group; c++)
		manual_command(f, c);
	fputs(".SH CONFIGURATION\nhongyan.conf holds lines NAME = VALUE; texts in quotes, lists in braces. "
	      "Domains, users and aliases are not in it.\n",
		f);
	config_manual(&options);
	fwrite(options.p, 1, options.n, f);
	buf_free(&options);
	fputs(".SH SIGNALS\n.TP\n.B SIGTERM\nends the server within 10 seconds; no answer is cut in the middle.\n"
	      ".TP\n.B SIGHUP\nreads configuration and certificates again; sessions go on. What does not parse changes "
	      "nothing.\n"
	      ".SH EXIT STATUS\n0: done; 1: not done, one line says why and what to do; 2: the command line was "
	      "wrong.\n"
	      ".SH FILES\n.TP\n.I hongyan.conf\nin the working folder or /etc/hongyan, unless \\-c names another.\n",
		f);
}

// ---- words

/// {"error": words, "code": name} as one line on standard error.
static void fail_json(struct sl words, enum ec e)
{
	json_t *o = json_pack("{s:s%, s:s}", "error", words.p, words.n, "code", e == E_OK ? "failed" : ec_name(e));
	char *text = o ? json_dumps(o, 0) : NULL;

	fprintf(stderr, "%s\n", text ? text : "{}");
	free(text);
	json_decref(o);
}

static int fail_with(const struct cli *cli, const struct cx *cx, enum ec e, const char *fmt, va_list ap)
{
	char words[2048], story[1024] = "";
	const struct cli_command *c = cli ? cli->command : NULL;

	vsnprintf(words, sizeof words, text_of(fmt), ap);
	if (cx && cx->diag.n)
		cx_story(cx, story, sizeof story);
	if (cli && cli->json) {
		struct buf all = BUF(8192);
		buf_printf(&all, *story ? "%s [%s]" : "%s%s", words, story);
		fail_json(buf_sl(&all), e == E_OK && cx && cx->diag.n ? cx->diag.frames[0].code : e);
		buf_free(&all);
		return CLI_FAILED;
	}
	fputs("hongyan", stderr);
	if (c)
		fprintf(stderr, " %s%s%s", c->group, c->verb ? " " : "", c->verb ? c->verb : "");
	fprintf(stderr, *story ? ": %s [%s]\n" : ": %s%s\n", words, story);
	return CLI_FAILED;
}

int cli_fail(const struct cli *cli, const struct cx *cx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int code = fail_with(cli, cx, E_OK, fmt, ap);
	va_end(ap);
	return code;
}

int cli_fail_as(const struct cli *cli, const struct cx *cx, enum ec e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int code = fail_with(cli, cx, e, fmt, ap);
	va_end(ap);
	return code;
}

void cli_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(text_of(fmt), ap);
	va_end(ap);
}

void json_puts(json_t *o)
{
	char *text = o ? json_dumps(o, 0) : NULL;

	puts(text ? text : "{}");
	free(text);
	json_decref(o);
}

const char *cli_words(enum ec e)
{
	switch (e) {
	case E_NOTFOUND: return text_of("does not exist");
	case E_EXISTS: return text_of("exists already");
	case E_SYNTAX: return text_of("is not a valid name or address");
	case E_TOOBIG: return text_of("is too long");
	case E_RANGE: return text_of("is out of range");
	case E_LIMIT: return text_of("would be more than is allowed");
	case E_QUOTA: return text_of("is over its quota");
	case E_DENIED: return text_of("is not allowed");
	case E_STATE: return text_of("is still in use");
	case E_CONFLICT: return text_of("was changed by somebody else meanwhile; try again");
	case E_TEMP: return text_of("cannot be done now: the store is busy or away; try again");
	case E_FULL: return text_of("cannot be done: the disk is full");
	case E_CORRUPT: return text_of("cannot be read: the store is damaged there (run `hongyan store check`)");
	case E_UNSUPPORTED: return text_of("is nothing that can be read");
	case E_OK:
	case E_AUTH:
	case E_IO:
	case E_TIMEOUT:
	case E_CANCELED:
	case E_CLOSED:
	case E_COUNT: break;
	}
	return text_of("failed");
}

enum ec cli_user_field(struct sl name, uint16_t *n, uint8_t *p, size_t room)
{
	struct buf prepared = BUF(room);
	enum ec e = saslprep_name(name, SASLPREP_STORED, &prepared);

	if (e == E_OK)
		e = field_set_(n, p, room, buf_sl(&prepared));
	buf_free(&prepared);
	return e;
}

FIB enum ec cli_handle(struct cx *cx, struct client *store, const char *user, struct handle *out)
{
	struct req_admin_login req = { 0 };
	struct ans_admin_login ans;
	enum ec e = cli_user_field(sl_cstr(user), &req.user.n, req.user.p, sizeof req.user.p);

	if (e == E_OK)
		e = call_admin_login(cx, store, &req, &ans);
	if (e == E_OK)
		*out = ans.handle;
	return e;
}

const char *cli_get(const struct cli *cli, const char *name)
{
	const struct cli_option *o = cli->command->options;

	for (size_t i = 0; o && o[i].name; i++)
		if (strcmp(o[i].name, name) == 0)
			return cli->set[i];
	return NULL;
}

bool cli_get_size(const struct cli *cli, const char *name, uint64_t otherwise, uint64_t *out)
{
	static const char suffixes[] = "KMGT";
	const char *given = cli_get(cli, name);
	struct sl s = sl_cstr(given);
	unsigned shift = 0;

	*out = otherwise;
	if (!given)
		return true;
	for (unsigned i = 0; s.n && i < 4; i++)
		if ((s.p[s.n - 1] | 0x20) == (suffixes[i] | 0x20))
			shift = 10 * (i + 1);
	uint64_t v;
	if (!num_parse(sl_head(s, s.n - (shift != 0)), UINT64_MAX >> 1 >> shift, &v)) {
		cli_fail(cli, NULL, "--%s %s: not a number (examples: 0, 500M, 2G)", name, given);
		return false;
	}
	*out = v << shift;
	return true;
}

// ---- parsing

static bool is_command(const struct cli_command *c, const char *group, const char *verb)
{
	return strcmp(c->group, group) == 0 && (!c->verb || (verb && strcmp(c->verb, verb) == 0));
}

static const char *nearest_group(const char *word)
{
	const char *best = NULL;
	size_t best_n = 3;

	for (const struct cli_command *c = cli_commands; c->group; c++) {
		size_t d = edit_distance(sl_cstr(word), sl_cstr(c->group));
		if (d < best_n) {
			best_n = d;
			best = c->group;
		}
	}
	return best;
}

/// `hongyan user --help`. False where there is no such group.
static bool print_group(const char *group)
{
	bool found = false;

	for (const struct cli_command *c = cli_commands; c->group; c++) {
		if (strcmp(c->group, group) != 0)
			continue;
		print_command(stdout, c);
		found = true;
	}
	return found;
}

/// A group without a word of its own, or a word that is none: what there is instead.
static int no_such_command(const struct cli *cli, const char *group, const char *verb)
{
	struct buf words = BUF(4096);
	const char *near = nearest_group(group);
	bool is_group = near && strcmp(near, group) == 0;

	if (is_group && verb)
		buf_printf(&words, text_of("hongyan %s: no such command: %s; it has:\n"), group, verb);
	else if (is_group)
		buf_printf(&words, text_of("hongyan %s: a word is missing; it has:\n"), group);
	else if (near)
		buf_printf(&words,
			text_of("hongyan: no such command: %s (did you mean %s?); `hongyan --help` lists all\n"), group,
			near);
	else
		buf_printf(&words, text_of("hongyan: no such command: %s; `hongyan --help` lists all\n"), group);
	if (!cli->json)
		fwrite(words.p, 1, words.n, stderr);
	for (const struct cli_command *c = cli_commands; c->group; c++) {
		if (!is_group || strcmp(c->group, group) != 0)
			continue;
		if (cli->json)
			buf_printf(&words, " %s", c->verb);
		else
			print_command(stderr, c);
	}
	if (cli->json)
		fail_json(sl_trim(buf_sl(&words)), E_OK);
	buf_free(&words);
	return CLI_USAGE;
}

/// Takes "--name", "--name VALUE" or "--name=VALUE" at argv[*i]. False, with words, where it is wrong.
static bool take_option(struct cli *cli, char **argv, int argc, int *i)
{
	const struct cli_option *o = cli->command->options;
	struct sl word = sl_cstr(argv[*i] + 2);
	struct sl name = sl_head(word, sl_find(word, '='));

	for (size_t k = 0; o && o[k].name; k++) {
		if (!sl_eq(name, sl_cstr(o[k].name)))
			continue;
		if (!o[k].value)
			cli->set[k] = "";
		else if (name.n < word.n)
			cli->set[k] = argv[*i] + 2 + name.n + 1;
		else if (*i + 1 < argc)
			cli->set[k] = argv[++*i];
		else
			return cli_fail(cli, NULL, "--%s needs a value: %s", o[k].name, o[k].value), false;
		return true;
	}
	cli_fail(cli, NULL, "unknown option %s; try --help", argv[*i]);
	return false;
}

static bool take_words(struct cli *cli, char **argv, int argc, int i, bool *help)
{
	cli->arg = argv;
	for (bool only_words = false; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (!only_words && strcmp(argv[i], "--help") == 0) {
			*help = true;
		} else if (!only_words && strcmp(argv[i], "--json") == 0) {
			continue; // wants_json has seen it
		} else if (!only_words && strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			cli->conf = argv[++i];
		} else if (!only_words && strcmp(argv[i], "-c") == 0) {
			return cli_fail(cli, NULL, "-c needs a value: FILE"), false;
		} else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
			if (!take_option(cli, argv, argc, &i))
				return false;
		} else {
			cli->arg[cli->n_args++] = argv[i]; // never behind i
		}
	}
	return true;
}

static const char *default_conf(void)
{
	return access("hongyan.conf", F_OK) == 0 ? "hongyan.conf" : "/etc/hongyan/hongyan.conf";
}

static int run_command(struct cli *cli)
{
	struct cx cx = { 0 };
	struct buf why = BUF(16384);
	enum ec e = E_OK;
	int code;

	if (!cli->conf)
		cli->conf = default_conf();
	if (!cli->command->no_place)
		e = place_open(&cx, cli->conf, &cli->place, &why);
	if (e == E_SYNTAX && why.n) {
		if (cli->json)
			fail_json(sl_trim(buf_sl(&why)), e);
		else
			fwrite(why.p, 1, why.n, stderr);
		code = CLI_FAILED;
	} else if (e == E_DENIED) {
		code = cli_fail(cli, &cx, "may not read the configuration; run this as its owner or as root");
	} else if (e != E_OK) {
		code = cli_fail(cli, &cx,
			"cannot read the configuration; name it with -c FILE or make one with `hongyan init`");
	} else {
		code = cli->command->run(&cx, cli);
		if (!cli->command->no_place)
			place_close(&cli->place);
	}
	buf_free(&why);
	cx_end(&cx);
	return code;
}

/// Whether errors are to be JSON too, found before anything can be wrong.
static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

int cli_main(int argc, char **argv)
{
	struct cli cli = { .json = wants_json(argc, argv) };
	bool help = false;
	int i = 1;

	text_choose();
	if (cli.json)
		text_choose_english(); // a program reads it
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			cli.conf = argv[++i];
		} else if (strcmp(argv[i], "-c") == 0) {
			return cli_fail(&cli, NULL, "-c needs a value: FILE"), CLI_USAGE;
		} else if (strcmp(argv[i], "--json") == 0) {
			continue;
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("hongyan " HONGYAN_VERSION);
			return CLI_OK;
		} else if (strcmp(argv[i], "--manual") == 0) {
			print_manual(stdout);
			return CLI_OK;
		} else {
			bool asked = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
			if (asked)
				print_all(stdout);
			else
				cli_fail(&cli, NULL, "unknown option %s; try --help", argv[i]);
			return asked ? CLI_OK : CLI_USAGE;
		}
	}
	if (i >= argc) {
		if (cli.json)
			cli_fail(&cli, NULL, "a word is missing");
		else
			print_all(stderr);
		return CLI_USAGE;
	}
	const char *group = argv[i];
	while (i + 1 < argc && strcmp(argv[i + 1], "--json") == 0)
		i++;
	const char *verb = i + 1 < argc ? argv[i + 1] : NULL;
	for (const struct cli_command *c = cli_commands; c->group && !cli.command; c++)
		if (is_command(c, group, verb))
			cli.command = c;
	if (!cli.command && verb && strcmp(verb, "--help") == 0 && print_group(group))
		return CLI_OK;
	if (!cli.command)
		return no_such_command(&cli, group, verb && verb[0] != '-' ? verb : NULL);
	if (!take_words(&cli, argv, argc, i + (cli.command->verb ? 2 : 1), &help))
		return CLI_USAGE;
	if (help) {
		print_help(stdout, cli.command);
		return CLI_OK;
	}
	if (cli.n_args < cli.command->min_args || cli.n_args > cli.command->max_args) {
		if (cli.n_args > cli.command->max_args)
			cli_fail(&cli, NULL, "one word too many: %s", cli.arg[cli.command->max_args]);
		else
			cli_fail(&cli, NULL, "a word is missing");
		if (!cli.json)
			print_help(stderr, cli.command);
		return CLI_USAGE;
	}
	return run_command(&cli);
}

// ---- the store

/// A connection to the store: through the server, or to a store of our own.
struct own_store {
	pid_t pid; // 0: the server's
	int channel;
};

int cli_connect(struct cx *cx, struct place *p, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[108];

	errno = 0;
	if (place_socket(cx, p, name, path) != E_OK)
		return -1;
	memcpy(sun.sun_path, path, sizeof sun.sun_path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
		int err = errno;
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

bool cli_server_runs(struct cx *cx, struct cli *cli)
{
	int fd = cli_connect(cx, &cli->place, "control");

	cx_forget(cx);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static enum ec wait_ready(struct cx *cx, struct own_store *own)
{
	struct channel_message m = { 0 };
	int fd;
	enum ec e = E_OK;

	while (e == E_OK && m.word != CHAN_READY && m.word != CHAN_FAILED)
		e = channel_wait(cx, own->channel, STORE_READY_MS, &m, &fd);
	return e == E_OK && m.word == CHAN_FAILED ? fail(cx, (enum ec)m.a, "%s", m.text) : e;
}

/// No server runs: the store is started for this command alone, through the same doors.
static enum ec start_store(struct cx *cx, struct place *p, struct own_store *own, int *fd)
{
	uint8_t no_tickets[TICKET_KEY] = { 0 };
	struct channel_message m = { .word = CHAN_BUNDLE };
	int dir, bundle, pair[2];
	enum ec e = place_secret(cx, p);

	if (e == E_OK)
		e = place_data_fd(cx, p, false, &dir);
	if (e != E_OK)
		return e;
	e = role_spawn(cx, ROLE_STORE, 0, dir, &own->pid, &own->channel);
	close(dir);
	if (e != E_OK)
		return e;
	struct bundle b = place_bundle(p, no_tickets, true);
	e = bundle_send(cx, &b, &bundle);
	if (e == E_OK) {
		e = channel_send(cx, own->channel, &m, bundle);
		close(bundle);
	}
	if (e == E_OK)
		e = wait_ready(cx, own);
	if (e == E_OK)
		e = wire_pair(cx, pair);
	if (e != E_OK)
		return e;
	m = (struct channel_message){ .word = CHAN_PEER, .a = BY_ADMIN };
	e = channel_send(cx, own->channel, &m, pair[0]);
	close(pair[0]);
	*fd = pair[1];
	return e;
}

static void stop_store(struct own_store *own)
{
	struct channel_message m = { .word = CHAN_STOP };

	if (!own->pid)
		return;
	if (channel_send(NULL, own->channel, &m, -1) != E_OK)
		kill(own->pid, SIGKILL);
	while (waitpid(own->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(own->channel);
}

struct running {
	struct cli *cli;
	cli_with *fn;
	struct client *store;
	int code;
};

FIB static void run_with_store(struct cx *cx, void *arg)
{
	struct running *r = arg;

	r->code = r->fn(cx, r->cli, r->store);
	client_detach(r->store);
	fib_stop();
}

static enum ec run_fibers(struct cx *cx, struct running *r, int fd)
{
	struct fib_conf conf = { .fibers_max = 64 };
	enum ec e = fib_start(cx, &conf);

	if (e != E_OK)
		return e;
	e = client_new(cx, CLI_CHUNKS, &r->store);
	if (e == E_OK)
		e = client_attach(cx, r->store, fd);
	if (e == E_OK)
		e = fib_go(run_with_store, r);
	if (e == E_OK)
		fib_run(0);
	client_free(r->store);
	fib_end();
	return e;
}

int cli_store(struct cx *cx, struct cli *cli, cli_with *fn)
{
	struct own_store own = { 0 };
	struct running r = { .cli = cli, .fn = fn, .code = CLI_FAILED };
	enum ec e = E_OK;

	signal(SIGPIPE, SIG_IGN);
	int fd = cli_connect(cx, &cli->place, "control");
	if (fd < 0) {
		cx_forget(cx);
		e = start_store(cx, &cli->place, &own, &fd);
	}
	if (e == E_OK)
		e = run_fibers(cx, &r, fd);
	if (e == E_EXISTS)
		cli_fail_as(cli, cx, e,
			"the store is open in another process: another command, or a server that this user may not "
			"reach");
	else if (e == E_FULL)
		cli_fail_as(cli, cx, e, "the store cannot be opened: the disk is full");
	else if (e == E_DENIED)
		cli_fail_as(cli, cx, e, "may not open the store; run this as its owner or as root");
	else if (e != E_OK)
		cli_fail_as(cli, cx, e, "cannot reach the store");
	stop_store(&own);
	return r.code;
}

// ---- progress

struct cli_progress cli_progress_begin(const struct cli *cli, const char *what)
{
	int64_t now = clock_mono_ns() / 1000000;

	return (struct cli_progress){
		.what = text_of(what), .on = !cli->json && isatty(STDERR_FILENO), .began_ms = now
	};
}

void cli_progress_step(struct cli_progress *p, uint64_t done, uint64_t total)
{
	enum { WIDTH = 30 };
	char bar[WIDTH + 1];
	int64_t now = clock_mono_ns() / 1000000;

	if (!p->on || (now - p->last_ms < 100 && done != total))
		return;
	p->last_ms = now;
	unsigned filled = total ? (unsigned)(done * WIDTH / total) : 0;
	for (unsigned i = 0; i < WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[WIDTH] = 0;
	int64_t ms = now - p->began_ms;
	uint64_t left_s = done && total > done ? (uint64_t)ms * (total - done) / done / 1000 : 0;
	fprintf(stderr, text_of("\r%s [%s] %3u %%  %llu of %llu  %llu s left   "), p->what, bar,
		total ? (unsigned)(done * 100 / total) : 100, (unsigned long long)done, (unsigned long long)total,
		(unsigned long long)left_s);
	fflush(stderr);
}

void cli_progress_end(struct cli_progress *p)
{
	if (p->on && p->last_ms) // there is a bar to leave
		fputs("\n", stderr);
}
