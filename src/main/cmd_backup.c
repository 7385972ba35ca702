/// cmd_backup — backup and restore of the store, and its index made anew.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/commands.h"
#include "main/text.h"
#include "store/backup.h"
#include "store/restore.h"

enum { HOLD_EVERY_S = 10, BUSY_MS = 500, AWAY_S = 60, LIST_TRIES = 5 };

static int say_copied(struct cli *cli, const struct copy_count *c, uint64_t kept, uint64_t damaged, const char *fmt)
{
	if (cli->json)
		json_puts(json_pack("{s:I, s:I, s:I, s:I, s:I}", "octets", (json_int_t)c->total, "copied_files",
			(json_int_t)c->files, "copied_octets", (json_int_t)c->octets, "kept", (json_int_t)kept,
			"damaged", (json_int_t)damaged));
	else
		cli_say(fmt, (double)c->total / (1024 * 1024), (double)c->octets / (1024 * 1024));
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
		cli_progress_step(&bar, b->count.done, b->count.total);
		if (e == E_OK && clock_steady_s() >= hold_at_s) {
			e = hold_on(cx, cli, store, files);
			hold_at_s = clock_steady_s() + HOLD_EVERY_S;
		}
	}
	cli_progress_end(&bar);
	return e;
}

/// A backup under way.
struct copying {
	char data[4096];
	struct backup backup;
	bool listed; // once: something in its folder may have changed
};

/// Lists what is to be copied and copies it. out: c->backup, where that succeeds. errors: E_CONFLICT — the list was of
/// another store's life; it is made once more.
FIB static enum ec list_and_copy(struct cx *cx, struct copying *c, struct cli *cli, struct client *store)
{
	struct ans_store_hold held = { 0 };
	struct cx quiet = { 0 };
	enum ec e = hold(cx, cli, store, true, &held);

	if (e == E_OK)
		e = backup_begin(cx, c->data, cli->arg[0], held.segment, cli_get(cli, "verify"), &c->backup);
	if (e != E_OK)
		return e;
	c->listed = true;
	e = copy_all(cx, cli, store, held.files, &c->backup);
	enum ec still = hold_on(&quiet, cli, store, held.files); // a file that went is no mystery then
	if (still != E_OK && e != E_CONFLICT)
		e = still == E_CONFLICT ? fail(cx, still, "the store was started anew meanwhile") : e ? e : still;
	cx_end(&quiet);
	if (e != E_OK)
		backup_end(&c->backup);
	return e;
}

/// A backup that is all that can be had and yet not what it should be: which files, and what that means.
static int say_doubts(const struct cli *cli, const struct backup *b)
{
	if (b->kept.n)
		cli_fail_as(cli, NULL, E_CORRUPT,
			"%llu segment(s) are lost or damaged in the store; what %s has of them is good and stays there "
			"(`hongyan store check` tells more):%.*s",
			(unsigned long long)b->kept.n, cli->arg[0], SLF(buf_sl(&b->kept.text)));
	if (b->damaged.n)
		cli_fail_as(cli, NULL, E_CORRUPT,
			"%llu segment(s) of the backup were damaged in the store already (`hongyan store check` tells "
			"whose mail it is):%.*s",
			(unsigned long long)b->damaged.n, SLF(buf_sl(&b->damaged.text)));
	return b->kept.n || b->damaged.n ? CLI_FAILED : CLI_OK;
}

static int say_failed(const struct cli *cli, const struct cx *cx, enum ec e)
{
	return cli_fail_as(cli, cx, e, "backup into %s: it %s", cli->arg[0], cli_words(e));
}

/// Nothing was changed yet.
static int say_refused(const struct cli *cli, const struct cx *cx, enum ec e)
{
	if (e == E_EXISTS)
		return cli_fail_as(cli, cx, e,
			"%s holds a backup of another store, or of this one from before it was set back; nothing was "
			"changed there. Back up into another folder",
			cli->arg[0]);
	if (e == E_CORRUPT)
		return cli_fail_as(cli, cx, e,
			"%s holds a backup whose list cannot be read; nothing was changed there. Back up into another "
			"folder",
			cli->arg[0]);
	if (e == E_DENIED)
		return cli_fail_as(cli, cx, e,
			"others than its owner may write to %s; nothing was written there. Take that right from them, "
			"or back up into another folder",
			cli->arg[0]);
	return say_failed(cli, cx, e);
}

FIB static int backup(struct cx *cx, struct cli *cli, struct client *store)
{
	struct copying c = { 0 };

	enum ec e = place_data_path(cx, &cli->place, c.data), copied = E_CONFLICT;
	if (e != E_OK)
		return say_failed(cli, cx, e);
	for (int i = 0; copied == E_CONFLICT && i < LIST_TRIES; i++)
		copied = list_and_copy(cx, &c, cli, store);
	if (copied != E_OK)
		return c.listed ? say_failed(cli, cx, copied) : say_refused(cli, cx, copied);
	// the configuration goes along, for whoever has to set the server up again
	e = copy_put(cx, &c.backup.to, "hongyan.conf", buf_sl(&cli->place.text));
	if (e == E_OK)
		e = backup_finish(cx, &c.backup);
	const struct backup *b = &c.backup;
	int code = e == E_OK ? say_copied(cli, &b->count, b->kept.n, b->damaged.n,
				       "%.1f MiB are in the backup now; %.1f MiB of them were new.\n")
	                     : say_failed(cli, cx, e);
	if (e == E_OK)
		code = say_doubts(cli, &c.backup);
	backup_end(&c.backup);
	return code;
}

int cmd_backup(struct cx *cx, struct cli *cli)
{
	enum ec e = place_is_apart(cx, &cli->place, cli->arg[0]);

	if (e == E_EXISTS)
		return cli_fail_as(cli, cx, e,
			"%s is a part of this installation, or holds one; name a folder that has nothing else in it",
			cli->arg[0]);
	return e == E_OK ? cli_store(cx, cli, backup) : say_failed(cli, cx, e);
}

// ---- restore

static enum ec copy_back(struct cx *cx, struct cli *cli, struct restore *r)
{
	struct cli_progress bar = cli_progress_begin(cli, "copying");
	bool more = true;
	enum ec e = E_OK;

	while (e == E_OK && more) {
		e = restore_step(cx, r, &more);
		cli_progress_step(&bar, r->count.done, r->count.total);
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

/// Why nothing was brought back.
static int say_not_restored(struct cli *cli, struct cx *cx, enum ec e, const char *data)
{
	if (e == E_EXISTS)
		return cli_fail_as(cli, NULL, e, "%s already holds mail; stop the server and move it away first", data);
	if (e == E_CONFLICT)
		return cli_fail_as(cli, NULL, e, "another restore into %s is under way", data);
	if (e == E_NOTFOUND)
		return cli_fail_as(cli, cx, e, "%s holds no complete backup", cli->arg[0]);
	if (e == E_CORRUPT)
		return cli_fail_as(cli, cx, e,
			"the backup in %s is damaged and nothing was brought back. Take another one, or have all that "
			"can be read with `hongyan restore --damaged`",
			cli->arg[0]);
	return cli_fail_as(cli, cx, e, "restore from %s: it %s", cli->arg[0], cli_words(e));
}

/// What is still to be done: words to a person, no failure.
static void say_hints(struct cx *cx, struct cli *cli, const struct restore *r)
{
	if (cli->json)
		return;
	if (r->damaged.n)
		cli_say("%llu file(s) of the backup are damaged, %llu of them wholly:%.*s\n",
			(unsigned long long)r->damaged.n, (unsigned long long)r->left_out,
			SLF(buf_sl(&r->damaged.text)));
	if (r->before.n)
		cli_say("%llu segment(s) were damaged in the store already when they were backed up (`hongyan store "
			"check` "
			"tells whose mail it is):%.*s\n",
			(unsigned long long)r->before.n, SLF(buf_sl(&r->before.text)));
	if (place_certificates(cx, &cli->place) != E_OK)
		cli_say("The certificates that the configuration names cannot be used here; they are in no backup. "
			"Copy them from where they were, or have new ones made with `hongyan config certificates`.\n");
	cx_forget(cx);
}

static enum ec begin(struct cx *cx, struct cli *cli, char data[4096], struct restore *r)
{
	int fd = -1;
	enum ec e = place_data_path(cx, &cli->place, data);

	if (e == E_OK)
		e = place_data_fd(cx, &cli->place, false, &fd);
	if (fd >= 0)
		close(fd);
	return e == E_OK ? restore_begin(cx, cli->arg[0], data, cli_get(cli, "damaged"), r) : e;
}

int cmd_restore(struct cx *cx, struct cli *cli)
{
	char data[4096];
	struct restore r;

	enum ec e = begin(cx, cli, data, &r);
	if (e != E_OK)
		return say_not_restored(cli, cx, e, data);
	e = copy_back(cx, cli, &r);
	if (e == E_OK)
		e = restore_finish(cx, &r);
	if (e != E_OK)
		restore_undo(&r);
	if (e == E_OK)
		e = place_give_data(cx, &cli->place);
	int code = e == E_OK ? say_copied(cli, &r.count, 0, r.damaged.n + r.before.n, "%.1f MiB restored.\n")
	                     : say_not_restored(cli, cx, e == E_EXISTS ? E_IO : e, data);
	if (code == CLI_OK) {
		say_hints(cx, cli, &r);
		code = cli_store(cx, cli, say_restored);
	}
	restore_end(&r);
	return code;
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
