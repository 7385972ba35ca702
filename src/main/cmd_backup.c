/// cmd_backup — backup and restore of the store, and its index made anew.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/file.h"
#include "main/text.h"
#include "store/backup.h"

enum { HOLD_EVERY_S = 10, BUSY_MS = 500, AWAY_S = 60, LIST_TRIES = 5 };

static int say_copied(struct cli *cli, const struct backup *b, const char *fmt)
{
	if (cli->json)
		json_puts(json_pack("{s:I, s:I, s:I}", "octets", (json_int_t)b->total, "copied_files",
			(json_int_t)b->copied, "copied_octets", (json_int_t)b->copied_octets));
	else
		cli_say(fmt, (double)b->total / (1024 * 1024), (double)b->copied_octets / (1024 * 1024));
	return CLI_OK;
}

// ---- backup

/// Where the store died the server starts it anew: the connection went with it.
FIB static void reach_again(struct cx *cx, struct cli *cli, struct client *store)
{
	int fd = client_is_up(store) ? -1 : cli_connect(cx, &cli->place, "control");

	if (fd >= 0)
		(void)!client_attach(cx, store, fd); // if not, the next try
	cx_forget(cx);
}

/// Holds the files, waiting for compaction to end, and for a store that is away.
FIB static enum ec hold(struct cx *cx, struct cli *cli, struct client *store, bool roll, struct ans_store_hold *ans)
{
	struct req_store_hold req = { .roll = roll };
	int64_t until_s = clock_steady_s() + AWAY_S;
	enum ec e = call_store_hold(cx, store, &req, ans);

	while (e == E_TEMP && clock_steady_s() < until_s) {
		if (client_is_up(store))
			until_s = clock_steady_s() + AWAY_S;
		cx_forget(cx);
		e = fib_sleep(cx, BUSY_MS);
		reach_again(cx, cli, store);
		if (e == E_OK)
			e = call_store_hold(cx, store, &req, ans);
	}
	return e;
}

/// Holds the files on. errors: E_CONFLICT — nobody held them for a while, and some may be gone.
FIB static enum ec hold_on(struct cx *cx, struct cli *cli, struct client *store, uint64_t files)
{
	struct ans_store_hold now = { 0 };
	enum ec e = hold(cx, cli, store, false, &now);

	return e == E_OK && now.files != files ? fail(cx, E_CONFLICT, "the store was started anew meanwhile") : e;
}

FIB static enum ec copy_all(struct cx *cx, struct cli *cli, struct client *store, uint64_t files, struct backup *b)
{
	struct cli_progress bar = cli_progress_begin(cli, "copying");
	int64_t hold_at_s = clock_steady_s() + HOLD_EVERY_S;
	bool more = true;
	enum ec e = E_OK;

	while (e == E_OK && more) {
		e = backup_step(cx, b, &more);
		cli_progress_step(&bar, b->done, b->total);
		if (e == E_OK && clock_steady_s() >= hold_at_s) {
			e = hold_on(cx, cli, store, files);
			hold_at_s = clock_steady_s() + HOLD_EVERY_S;
		}
	}
	cli_progress_end(&bar);
	return e;
}

/// Lists what is to be copied and copies it. errors: E_CONFLICT — the list was of another store's life.
FIB static enum ec list_and_copy(
	struct cx *cx, struct cli *cli, struct client *store, const char *data, struct backup *b)
{
	struct ans_store_hold held = { 0 };
	struct cx quiet = { 0 };
	enum ec e = hold(cx, cli, store, true, &held);

	if (e == E_OK)
		e = backup_begin(cx, data, cli->arg[0], held.segment, b);
	if (e != E_OK)
		return e;
	e = copy_all(cx, cli, store, held.files, b);
	enum ec still = hold_on(&quiet, cli, store, held.files); // a file that went is no mystery then
	if (still != E_OK && e != E_CONFLICT)
		e = still == E_CONFLICT ? fail(cx, still, "the store was started anew meanwhile") : e ? e : still;
	cx_end(&quiet);
	if (e != E_OK)
		backup_end(b);
	return e;
}

/// The configuration goes along, for whoever has to set the server up again.
static enum ec copy_configuration(struct cx *cx, const struct cli *cli)
{
	char path[2048];
	int n = snprintf(path, sizeof path, "%s/hongyan.conf", cli->arg[0]);

	if (n < 0 || n >= (int)sizeof path)
		return fail(cx, E_TOOBIG, "path too long");
	(void)unlink(path);
	return file_create(cx, path, 0600, buf_sl(&cli->place.text));
}

FIB static int backup(struct cx *cx, struct cli *cli, struct client *store)
{
	char data[4096];
	struct backup b;

	enum ec e = place_data_path(cx, &cli->place, data), copied = E_CONFLICT;
	for (int i = 0; e == E_OK && copied == E_CONFLICT && i < LIST_TRIES; i++)
		copied = list_and_copy(cx, cli, store, data, &b);
	e = e == E_OK ? copied : e;
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "backup into %s: it %s", cli->arg[0], cli_words(e));
	e = backup_finish(cx, &b);
	if (e == E_OK)
		e = copy_configuration(cx, cli);
	int code = e == E_OK ? say_copied(cli, &b, "%.1f MiB are in the backup now; %.1f MiB of them were new.\n")
	                     : cli_fail_as(cli, cx, e, "backup into %s: it %s", cli->arg[0], cli_words(e));
	backup_end(&b);
	return code;
}

int cmd_backup(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, backup);
}

// ---- restore

static enum ec copy_back(struct cx *cx, struct cli *cli, struct backup *b)
{
	struct cli_progress bar = cli_progress_begin(cli, "copying");
	bool more = true;
	enum ec e = E_OK;

	while (e == E_OK && more) {
		e = backup_step(cx, b, &more);
		cli_progress_step(&bar, b->done, b->total);
	}
	cli_progress_end(&bar);
	return e;
}

/// The store is started once for this: it makes the index, and says what is there.
FIB static int say_restored(struct cx *cx, struct cli *cli, struct client *store)
{
	(void)cx;
	(void)store;
	if (!cli->json)
		cli_say("The mail is back. `hongyan store check` verifies it; `hongyan serve` serves it.\n");
	return CLI_OK;
}

int cmd_restore(struct cx *cx, struct cli *cli)
{
	char data[4096];
	struct backup b;
	int fd = -1;

	enum ec e = place_data_path(cx, &cli->place, data);
	if (e == E_OK)
		e = place_data_fd(cx, &cli->place, false, &fd);
	if (fd >= 0)
		close(fd);
	if (e == E_OK)
		e = restore_begin(cx, cli->arg[0], data, &b);
	if (e == E_EXISTS)
		return cli_fail_as(cli, NULL, e, "%s already holds mail; stop the server and move it away first", data);
	if (e == E_NOTFOUND)
		return cli_fail_as(cli, cx, e, "%s holds no complete backup", cli->arg[0]);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "restore from %s: it %s", cli->arg[0], cli_words(e));
	e = copy_back(cx, cli, &b);
	if (e == E_OK)
		e = restore_finish(cx, &b);
	if (e == E_OK)
		e = place_give_data(cx, &cli->place);
	int code = e == E_OK ? say_copied(cli, &b, "%.1f MiB restored.\n")
	                     : cli_fail_as(cli, cx, e, "restore from %s: it %s", cli->arg[0], cli_words(e));
	backup_end(&b);
	return code == CLI_OK ? cli_store(cx, cli, say_restored) : code;
}

// ---- rebuild

FIB static int say_rebuilt(struct cx *cx, struct cli *cli, struct client *store)
{
	(void)cx;
	(void)store;
	if (cli->json)
		json_puts(json_pack("{s:b}", "ok", 1));
	else
		cli_say("The index is made anew from the segments.\n");
	return CLI_OK;
}

int cmd_store_rebuild(struct cx *cx, struct cli *cli)
{
	int fd = -1;

	if (cli_server_runs(cx, cli))
		return cli_fail(cli, NULL, "the server runs; stop it first");
	enum ec e = place_data_fd(cx, &cli->place, false, &fd);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "the data folder: it %s", cli_words(e));
	int mark =
		openat(fd, "rebuild", O_WRONLY | O_CREAT | O_CLOEXEC, 0600); // what the store looks for when it opens
	close(fd);
	if (mark < 0)
		return cli_fail(cli, NULL, "may not write into the data folder: %m");
	close(mark);
	e = place_give_data(cx, &cli->place);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "the data folder: it %s", cli_words(e));
	return cli_store(cx, cli, say_rebuilt);
}
