/// cmd_store — serve, the configuration's commands, check and figures of the store.
#include <jansson.h>
#include <stdlib.h>

#include "base/num.h"
#include "main/cert.h"
#include "main/commands.h"
#include "main/master.h"
#include "main/text.h"
#include "store/check_log.h"

int cmd_serve(struct cx *cx, struct cli *cli)
{
	return master_serve(cx, &cli->place);
}

/// What parses and surely is not meant.
static int say_doubts(struct cli *cli)
{
	struct buf why = BUF(16384);
	int code = CLI_OK;

	config_doubts(&cli->place.config, sl_cstr(cli->conf), buf_sl(&cli->place.text), &why);
	if (why.n && cli->json) {
		code = cli_fail_as(cli, NULL, E_SYNTAX, "%.*s", SLF(sl_trim(buf_sl(&why))));
	} else if (why.n) {
		fwrite(why.p, 1, why.n, stderr);
		code = cli_fail(cli, NULL, "%s has errors", cli->conf);
	}
	buf_free(&why);
	return code;
}

static int say_expired(struct cli *cli)
{
	char since[CERT_TIME];

	for (size_t i = 0; i < cli->place.n_certs; i++)
		if (cert_has_expired(buf_sl(&cli->place.certs[i]), since))
			return cli_fail(cli, NULL, "%s: certificate %zu has expired (%s); clients will refuse it",
				cli->conf, i + 1, since);
	return CLI_OK;
}

int cmd_config_check(struct cx *cx, struct cli *cli)
{
	char parent[4096];
	const char *shut = config_shut(&cli->place.config);
	enum ec e = place_certificates(cx, &cli->place);
	int code = say_doubts(cli);

	if (code != CLI_OK)
		return code;
	if (!place_has_parent(&cli->place, parent))
		return cli_fail(cli, NULL, "%s: the folder in which `data` is to be made does not exist: %s", cli->conf,
			parent);
	if (e != E_OK)
		return cli_fail(cli, cx, "%s: certificates cannot be used", cli->conf);
	code = say_expired(cli);
	if (code != CLI_OK)
		return code;
	if (shut)
		fprintf(stderr, "%s: %s\n", cli->conf, shut);
	if (cli->json)
		printf("{\"ok\": true}\n");
	else
		cli_say("%s: no errors, %zu certificate file(s) fit.\n", cli->conf, cli->place.n_certs);
	return CLI_OK;
}

int cmd_config_print(struct cx *cx, struct cli *cli)
{
	struct buf b = BUF(1 << 20);

	(void)cx;
	config_print(&b, &cli->place.config, cli->json);
	fwrite(b.p, 1, b.n, stdout);
	buf_free(&b);
	return CLI_OK;
}

/// Lines "name=number" as text or as one JSON object.
static void print_figures(const struct cli *cli, struct sl lines)
{
	json_t *all = json_object();

	while (lines.n) {
		struct sl value = sl_cut(&lines, '\n');
		struct sl name = sl_cut(&value, '=');
		char key[64];
		uint64_t n = 0;
		snprintf(key, sizeof key, "%.*s", SLF(name));
		if (!cli->json)
			printf("%-24s %.*s\n", key, SLF(value));
		else if (num_parse(value, INT64_MAX, &n))
			json_object_set_new(all, key, json_integer((json_int_t)n));
	}
	char *text = cli->json ? json_dumps(all, JSON_INDENT(2)) : NULL;
	if (text)
		puts(text);
	free(text);
	json_decref(all);
}

struct totals {
	uint64_t domains, users, messages, octets;
};
static void count_domain(void *arg, const struct pl_entry *e)
{
	struct totals *t = arg;

	t->domains += e->targets_octets == 0; // those that mean another are none of their own
}
static void count_user(void *arg, const struct pl_entry *e)
{
	struct totals *t = arg;

	t->users++;
	t->messages += e->used_messages;
	t->octets += e->used_octets;
}

/// What is kept, then how the store is.
FIB static enum ec figures(struct cx *cx, struct client *store, struct buf *lines)
{
	struct totals t = { 0 };
	struct req_store_stats req = { 0 };
	struct ans_store_stats ans;
	enum ec e = entries_each(cx, store, LIST_DOMAINS, count_domain, &t);

	if (e == E_OK)
		e = entries_each(cx, store, LIST_USERS, count_user, &t);
	if (e == E_OK)
		e = chunks_take(cx, client_chunks(store), &req.out);
	if (e != E_OK)
		return e;
	e = call_store_stats(cx, store, &req, &ans);
	buf_printf(lines, "domains=%llu\nusers=%llu\nmessages=%llu\nmessage_octets=%llu\n",
		(unsigned long long)t.domains, (unsigned long long)t.users, (unsigned long long)t.messages,
		(unsigned long long)t.octets);
	if (e == E_OK)
		buf_add(lines, (struct sl){ chunks_at(client_chunks(store), req.out), ans.octets });
	chunks_give(client_chunks(store), req.out);
	return e == E_OK ? lines->err : e;
}

FIB static int store_stats(struct cx *cx, struct cli *cli, struct client *store)
{
	struct buf lines = BUF(2 * CHUNK_OCTETS);
	enum ec e = figures(cx, store, &lines);

	if (e == E_OK)
		print_figures(cli, buf_sl(&lines));
	buf_free(&lines);
	return e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "figures of the store: it %s", cli_words(e));
}

int cmd_store_stats(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, store_stats);
}

/// What a check has found so far.
struct found {
	struct cli *cli;
	json_t *list;
	uint64_t n;
	struct cli_progress bar;
};

static void take_line(struct found *f, struct sl line)
{
	if (f->cli->json)
		json_array_append_new(f->list, json_stringn((const char *)line.p, line.n));
	else
		printf("%.*s\n", SLF(line));
}

static void take_lines(struct found *f, struct sl lines)
{
	while (lines.n)
		take_line(f, sl_cut(&lines, '\n'));
}

static void take_log_fault(void *arg, unsigned invariant, struct sl what)
{
	struct found *f = arg;
	struct buf line = BUF(4096);

	buf_printf(&line, "S%u %.*s", invariant, SLF(what));
	take_line(f, buf_sl(&line));
	f->n++;
	buf_free(&line);
}

static void take_log_step(void *arg, uint64_t done, uint64_t total)
{
	cli_progress_step(&((struct found *)arg)->bar, done, total);
}

/// Segments, packs and index, which only nobody's store lets be compared. A server that runs checks them as it reads.
static enum ec check_files(struct cx *cx, struct found *f)
{
	char dir[4096];
	struct check_conf conf = { .report = take_log_fault, .progress = take_log_step, .arg = f };
	struct check_result r;
	enum ec e = place_data_path(cx, &f->cli->place, dir);

	conf.dir = sl_cstr(dir);
	f->bar = cli_progress_begin(f->cli, "checking the log");
	if (e == E_OK)
		e = check_log(cx, &conf, &r);
	cli_progress_end(&f->bar);
	if (e == E_NOTFOUND || e == E_EXISTS) // no store yet, or somebody has just opened it
		e = E_OK;
	cx_forget(cx);
	return e == E_OK ? place_give_data(cx, &f->cli->place) : e;
}

static int tell_found(const struct found *f)
{
	if (f->cli->json)
		json_puts(json_pack("{s:b, s:I, s:O}", "ok", f->n == 0, "faults", (json_int_t)f->n, "list", f->list));
	else if (f->n == 0)
		cli_say("The store is in order.\n");
	if (f->n == 0)
		return CLI_OK;
	return cli_fail(f->cli, NULL,
		"faults found: %llu; leave the folder as it is, look after the disk, and bring what is missing from a "
		"backup (`hongyan restore` into another folder, then `hongyan export` and `hongyan import`)",
		(unsigned long long)f->n);
}

FIB static int store_check(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_store_check req = { 0 };
	struct ans_store_check ans = { 0 };
	struct chunks *chunks = client_chunks(store);
	struct cli_progress bar = cli_progress_begin(cli, "checking");
	struct found *f = cli->own;
	enum ec e = chunks_take(cx, chunks, &req.out);

	do {
		if (e == E_OK)
			e = call_store_check(cx, store, &req, &ans);
		if (e != E_OK)
			break;
		f->n += ans.faults;
		take_lines(f, (struct sl){ chunks_at(chunks, req.out), ans.octets });
		cli_progress_step(&bar, ans.next ? ans.next : ans.total, ans.total);
		req.cursor = ans.next;
	} while (ans.next);
	cli_progress_end(&bar);
	return e == E_OK ? tell_found(f) : cli_fail_as(cli, cx, e, "checking the store: it %s", cli_words(e));
}

int cmd_store_check(struct cx *cx, struct cli *cli)
{
	struct found f = { .cli = cli, .list = json_array() };
	enum ec e = cli_server_runs(cx, cli) ? E_OK : check_files(cx, &f);
	int code;

	cli->own = &f;
	code = e == E_OK ? cli_store(cx, cli, store_check)
	                 : cli_fail_as(cli, cx, e, "checking the store: it %s", cli_words(e));
	cli->own = NULL;
	json_decref(f.list);
	return code;
}

/// What compaction came to, in words or as JSON.
static int print_compaction(struct cli *cli, const struct ans_store_compact *a)
{
	double mib = 1024 * 1024;
	double gained = ((double)a->octets_gone - (double)a->octets_new) / mib;

	if (cli->json)
		json_puts(json_pack("{s:I, s:I, s:I, s:I, s:I}", "segments", (json_int_t)a->segments, "packs",
			(json_int_t)a->packs, "octets_gone", (json_int_t)a->octets_gone, "octets_new",
			(json_int_t)a->octets_new, "damaged", (json_int_t)a->damaged));
	else if (a->segments == 0 && a->damaged == 0)
		cli_say("Nothing to give back. (What was deleted within the last hour stays for sessions that still "
			"see it.)\n");
	else
		cli_say("%llu segment(s) rewritten, %.1f MiB given back.\n", (unsigned long long)a->segments, gained);
	return a->damaged ? cli_fail(cli, NULL,
				    "%llu segment(s) left as they are, because something in them is damaged; `hongyan "
				    "store check` tells what",
				    (unsigned long long)a->damaged)
	                  : CLI_OK;
}

FIB static int store_compact(struct cx *cx, struct cli *cli, struct client *store)
{
	enum { LOOK_MS = 100 };
	struct req_store_compact req = { 0 };
	struct ans_store_compact ans = { 0 };
	struct cli_progress bar = cli_progress_begin(cli, "compacting");
	enum ec e = call_store_compact(cx, store, &req, &ans);
	uint64_t runs = ans.runs + 1 + ans.running; // one that is under way began before this was asked

	req.start = true;
	if (e == E_OK)
		e = call_store_compact(cx, store, &req, &ans);
	req.start = false;
	while (e == E_OK && ans.runs < runs) {
		e = fib_sleep(cx, LOOK_MS);
		if (e == E_OK)
			e = call_store_compact(cx, store, &req, &ans);
		if (e == E_OK && ans.total)
			cli_progress_step(&bar, ans.done, ans.total);
	}
	cli_progress_end(&bar);
	if (e == E_OK)
		e = (enum ec)ans.result;
	return e == E_OK ? print_compaction(cli, &ans) : cli_fail_as(cli, cx, e, "compaction: it %s", cli_words(e));
}

int cmd_store_compact(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, store_compact);
}
