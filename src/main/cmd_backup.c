/// cmd_backup — backup and restore of the store, and its index made anew.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/file.h"
#include "main/text.h"
#include "store/backup.h"

enum { HOLD_EVERY_S = 10, BUSY_MS = 500, LIST_TRIES = 5 };

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

/// Holds the files, waiting for compaction to end.
FIB static enum ec hold(struct cx *cx, struct client *store, bool roll, struct ans_store_hold *ans)
{
	struct req_store_hold req = { .roll = roll };
	enum ec e = call_store_hold(cx, store, &req, ans);

	while (e == E_TEMP) {
		cx_forget(cx);
		e = fib_sleep(cx, BUSY_MS);
		if (e == E_OK)
			e = call_store_hold(cx, store, &req, ans);
	}
	return e;
}

/// Lists what is to be copied. Where the store died meanwhile nobody held its files for that list: once more.
FIB static enum ec list_files(struct cx *cx, struct cli *cli, struct client *store, const char *data, struct backup *b)
{
	struct ans_store_hold before = { 0 }, after = { 0 };
	enum ec e = E_CONFLICT;

	for (int i = 0; e == E_CONFLICT && i < LIST_TRIES; i++) {
		e = hold(cx, store, true, &before);
		if (e == E_OK)
			e = backup_begin(cx, data, cli->arg[0], before.segment, b);
		if (e != E_OK)
			return e;
		e = hold(cx, store, false, &after);
		if (e == E_OK && after.files != before.files)
			e = fail(cx, E_CONFLICT, "the store was started anew meanwhile");
		if (e != E_OK)
			backup_end(b);
	}
	return e;
}

FIB static enum ec copy_all(struct cx *cx, struct cli *cli, struct client *store, struct backup *b)
{
	struct cli_progress bar = cli_progress_begin(cli, "copying");
	struct ans_store_hold held = { 0 };
	int64_t hold_at_s = clock_steady_s() + HOLD_EVERY_S;
	bool more = true;
	enum ec e = E_OK;

	while (e == E_OK && more) {
		e = backup_step(cx, b, &more);
		cli_progress_step(&bar, b->done, b->total);
		if (e == E_OK && clock_steady_s() >= hold_at_s) {
			e = hold(cx, store, false, &held);
			hold_at_s = clock_steady_s() + HOLD_EVERY_S;
		}
	}
	cli_progress_end(&bar);
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

	enum ec e = place_data_path(cx, &cli->place, data);
	if (e == E_OK)
		e = list_files(cx, cli, store, data, &b);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "backup into %s: it %s", cli->arg[0], cli_words(e));
	e = copy_all(cx, cli, store, &b);
	if (e == E_OK)
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
