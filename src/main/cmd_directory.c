/// cmd_directory — domains, users, aliases: changes from one table, and lists page by page.
#include <assert.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "auth/saslprep.h"
#include "base/num.h"
#include "ipc/payload.h"
#include "main/commands.h"
#include "main/text.h"

// ---- lists

typedef void print_entry(const struct cli *cli, json_t *all, const struct pl_entry *e);

static struct sl entry_name(const struct pl_entry *e)
{
	return (struct sl){ e->text, e->name_octets };
}

static struct sl entry_targets(const struct pl_entry *e)
{
	return (struct sl){ e->text + e->name_octets, e->targets_octets };
}

static json_t *json_sl(struct sl s)
{
	return json_stringn((const char *)s.p, s.n);
}

/// One page of a list through a chunk; the next begins after its last name.
FIB static enum ec list_page(struct cx *cx, struct client *store, struct req_admin_list *req,
	struct ans_admin_list *ans, entry_take *take, void *arg)
{
	const uint8_t *at = chunks_at(client_chunks(store), req->out);
	enum ec e = call_admin_list(cx, store, req, ans);

	for (uint32_t i = 0; e == E_OK && i < ans->count; i++) {
		const struct pl_entry *entry = (const struct pl_entry *)(const void *)at;
		take(arg, entry);
		e = field_set(req->after, entry_name(entry));
		at += entry->size;
	}
	return e;
}

FIB enum ec entries_each(struct cx *cx, struct client *store, enum list_what what, entry_take *take, void *arg)
{
	struct req_admin_list req = { .what = (uint8_t)what };
	struct ans_admin_list ans = { .more = 1 };
	enum ec e = chunks_take(cx, client_chunks(store), &req.out);

	if (e != E_OK)
		return e;
	while (e == E_OK && ans.more)
		e = list_page(cx, store, &req, &ans, take, arg);
	chunks_give(client_chunks(store), req.out);
	return e;
}

struct printing {
	const struct cli *cli;
	json_t *all;
	print_entry *print;
};
static void print_one(void *arg, const struct pl_entry *e)
{
	struct printing *p = arg;

	p->print(p->cli, p->all, e);
}

FIB static int list(struct cx *cx, struct cli *cli, struct client *store, enum list_what what, print_entry *print)
{
	struct printing p = { cli, json_array(), print };
	enum ec e = entries_each(cx, store, what, print_one, &p);
	char *text = cli->json && e == E_OK ? json_dumps(p.all, JSON_INDENT(2)) : NULL;

	if (text)
		puts(text);
	free(text);
	json_decref(p.all);
	return e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "the list %s", cli_words(e));
}

static void print_domain(const struct cli *cli, json_t *all, const struct pl_entry *e)
{
	struct sl of = entry_targets(e);

	if (cli->json) {
		json_t *o = json_object();
		json_object_set_new(o, "domain", json_sl(entry_name(e)));
		if (of.n)
			json_object_set_new(o, "alias_of", json_sl(of));
		json_array_append_new(all, o);
	} else if (of.n) {
		printf("%.*s = %.*s\n", SLF(entry_name(e)), SLF(of));
	} else {
		printf("%.*s\n", SLF(entry_name(e)));
	}
}

FIB static int domain_list(struct cx *cx, struct cli *cli, struct client *store)
{
	return list(cx, cli, store, LIST_DOMAINS, print_domain);
}

int cmd_domain_list(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, domain_list);
}

static const char *const retr_names[POP3_RETRS] = { "keep", "delete", "archive" };

static void size_text(char out[32], uint64_t octets)
{
	static const char units[] = "\0KMGT";
	unsigned u = 0;
	uint64_t tenths = octets * 10;

	while (tenths >= 10240 && u < 4) {
		tenths /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, 32, "%llu", (unsigned long long)octets);
	else
		snprintf(out, 32, "%llu.%llu%c", (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10),
			units[u]);
}

static void print_user(const struct cli *cli, json_t *all, const struct pl_entry *e)
{
	if (cli->json) {
		json_t *o = json_object();
		json_object_set_new(o, "address", json_sl(entry_name(e)));
		json_object_set_new(o, "lost", json_boolean(e->lost));
		json_object_set_new(o, "used", json_integer((json_int_t)e->used_octets));
		json_object_set_new(o, "quota", json_integer((json_int_t)e->quota_octets));
		json_object_set_new(o, "messages", json_integer((json_int_t)e->used_messages));
		json_object_set_new(o, "quota_messages", json_integer((json_int_t)e->quota_messages));
		json_object_set_new(o, "imap", json_boolean(e->imap));
		json_object_set_new(o, "pop3", json_boolean(e->pop3));
		json_object_set_new(o, "send", json_boolean(e->send));
		json_object_set_new(o, "pop3_retr", json_string(retr_names[e->pop3_retr % POP3_RETRS]));
		json_array_append_new(all, o);
		return;
	}
	if (e->lost) {
		cli_say("%-40.*s lost to damage: remove this user and add it again\n", SLF(entry_name(e)));
		return;
	}
	char used[32], quota[32];

	snprintf(quota, sizeof quota, "%s", text_of("no limit"));
	size_text(used, e->used_octets);
	if (e->quota_octets)
		size_text(quota, e->quota_octets);
	cli_say("%-40.*s %8s of %-8s %8llu messages%s%s%s\n", SLF(entry_name(e)), used, quota,
		(unsigned long long)e->used_messages, e->imap ? "" : text_of("  imap off"),
		e->pop3 ? "" : text_of("  pop3 off"), e->send ? "" : text_of("  send off"));
}

FIB static int user_list(struct cx *cx, struct cli *cli, struct client *store)
{
	return list(cx, cli, store, LIST_USERS, print_user);
}

int cmd_user_list(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, user_list);
}

static void print_alias(const struct cli *cli, json_t *all, const struct pl_entry *e)
{
	struct sl rest = entry_targets(e);

	if (!cli->json) {
		printf("%.*s -> %.*s\n", SLF(entry_name(e)), SLF(rest));
		return;
	}
	json_t *o = json_object(), *targets = json_array();
	json_object_set_new(o, "alias", json_sl(entry_name(e)));
	while (rest.n)
		json_array_append_new(targets, json_sl(sl_cut(&rest, ' ')));
	json_object_set_new(o, "targets", targets);
	json_array_append_new(all, o);
}

FIB static int alias_list(struct cx *cx, struct cli *cli, struct client *store)
{
	return list(cx, cli, store, LIST_ALIASES, print_alias);
}

int cmd_alias_list(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, alias_list);
}

// ---- changes: what each verb needs besides the word that it is about

/// Reads one line without its end. False at the end of input.
static bool read_line(struct buf *b)
{
	char line[1024];

	if (!fgets(line, sizeof line, stdin))
		return false;
	buf_clear(b);
	struct sl text = sl_head(sl_cstr(line), sl_find(sl_cstr(line), '\n'));
	text.n -= text.n && text.p[text.n - 1] == '\r'; // a line of a file written elsewhere; no password may hold a CR
	buf_add(b, text);
	explicit_bzero(line, sizeof line);
	return true;
}

/// The terminal as it was before a password was asked for: a signal handler gets nothing handed over.
static struct termios was;

/// Ctrl-C at the prompt: a shell that is left behind without echo looks dead.
static void restore_and_end(int number)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &was);
	signal(number, SIG_DFL);
	raise(number); // delivered when this returns
}

static bool ask_hidden(const char *prompt, struct buf *b)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };
	struct sigaction before[ARRAY_N(ends)], now = { .sa_handler = restore_and_end };
	struct termios silent;

	fputs(prompt, stderr);
	tcgetattr(STDIN_FILENO, &was);
	for (size_t i = 0; i < ARRAY_N(ends); i++)
		sigaction(ends[i], &now, &before[i]);
	silent = was;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	bool ok = read_line(b);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	for (size_t i = 0; i < ARRAY_N(ends); i++)
		sigaction(ends[i], &before[i], NULL);
	fputs("\n", stderr);
	return ok;
}

/// The new password: from standard input where told so, else asked twice on a terminal. False with words where there
/// is none.
static bool get_password(const struct cli *cli, struct buf *password)
{
	struct buf again = BUF(1024);
	bool ok, same = true;

	if (cli_get(cli, "password-stdin")) {
		ok = read_line(password);
	} else if (isatty(STDIN_FILENO)) {
		ok = ask_hidden(text_of("Password: "), password) && ask_hidden(text_of("Again: "), &again);
		same = !ok || sl_eq(buf_sl(password), buf_sl(&again));
	} else {
		return cli_fail(cli, NULL, "no terminal to ask for a password: use --password-stdin"), false;
	}
	buf_wipe(&again);
	buf_free(&again);
	if (!same)
		return cli_fail(cli, NULL, "the two passwords differ; nothing was changed"), false;
	if (!ok || password->n == 0)
		return cli_fail(cli, NULL, "the password is empty; nothing was changed"), false;
	return true;
}

FIB static int fill_domain_add(struct cx *, struct cli *cli, struct client *, void *to)
{
	struct req_domain_add *req = to;
	const char *alias_of = cli_get(cli, "alias-of");

	if (alias_of && field_set(req->alias_of, sl_cstr(alias_of)) != E_OK)
		return cli_fail(cli, NULL, "%s is too long", alias_of);
	return CLI_OK;
}

/// Asks for a password and puts it into the request in the form in which logins compare it.
static int take_password(const struct cli *cli, uint16_t *n, uint8_t *p, size_t room)
{
	struct buf typed = BUF(1024), prepared = BUF(room);
	int code = CLI_OK;
	enum ec e;

	(void)buf_room(&prepared, room); // at once, so that no copy is left behind where it grew
	if (!get_password(cli, &typed))
		code = CLI_FAILED;
	else if ((e = saslprep(buf_sl(&typed), SASLPREP_STORED, &prepared)) == E_SYNTAX)
		code = cli_fail(cli, NULL,
			"the password holds characters that not every device can send (controls, mixed directions, no "
			"UTF-8); "
			"nothing was changed");
	else if (e != E_OK || field_set_(n, p, room, buf_sl(&prepared)) != E_OK)
		code = cli_fail(cli, NULL, "the password is too long; nothing was changed");
	buf_wipe(&typed);
	buf_wipe(&prepared);
	buf_free(&typed);
	buf_free(&prepared);
	return code;
}

/// Whether a user of this name, in the form of a field, exists.
FIB static bool has_user(struct cx *cx, struct client *store, struct sl name)
{
	struct req_admin_login req = { 0 };
	struct ans_admin_login ans;
	bool has = field_set(req.user, name) == E_OK && call_admin_login(cx, store, &req, &ans) == E_OK;

	cx_forget(cx);
	return has;
}

FIB static int fill_user_add(struct cx *cx, struct cli *cli, struct client *store, void *to)
{
	struct req_user_add *req = to;

	if (cli_get(cli, "no-password") && cli_get(cli, "password-stdin"))
		return cli_fail(cli, NULL, "--password-stdin and --no-password exclude each other"), CLI_USAGE;
	if (!cli_get_size(cli, "quota", (uint64_t)cli->place.config.quota_octets, &req->quota_octets) ||
		!cli_get_size(cli, "quota-messages", (uint64_t)cli->place.config.quota_messages, &req->quota_messages))
		return CLI_USAGE;
	if (has_user(cx, store, FIELD_SL(req->address))) // said before a password is asked for
		return cli_fail_as(cli, NULL, E_EXISTS, "%s %s", cli->arg[0], cli_words(E_EXISTS));
	if (cli_get(cli, "no-password"))
		return CLI_OK;
	return take_password(cli, &req->password.n, req->password.p, sizeof req->password.p);
}

FIB static int fill_user_passwd(struct cx *, struct cli *cli, struct client *, void *to)
{
	struct req_user_passwd *req = to;

	return take_password(cli, &req->password.n, req->password.p, sizeof req->password.p);
}

/// "on" or "off" into *flag, with its bit in *which. False with words.
static bool take_switch(const struct cli *cli, const char *name, uint32_t bit, uint32_t *which, uint8_t *flag)
{
	const char *v = cli_get(cli, name);

	if (!v)
		return true;
	if (strcmp(v, "on") != 0 && strcmp(v, "off") != 0)
		return cli_fail(cli, NULL, "--%s is on or off", name), false;
	*which |= bit;
	*flag = strcmp(v, "on") == 0;
	return true;
}

static bool take_retr(const struct cli *cli, struct req_user_set *req)
{
	const char *v = cli_get(cli, "pop3-retr");

	for (uint8_t i = 0; v && i < POP3_RETRS; i++) {
		if (strcmp(v, retr_names[i]) == 0) {
			req->which |= SET_POP3_RETR;
			req->pop3_retr = i;
			return true;
		}
	}
	return !v || (cli_fail(cli, NULL, "--pop3-retr is keep, delete or archive"), false);
}

FIB static int fill_user_set(struct cx *, struct cli *cli, struct client *, void *to)
{
	struct req_user_set *req = to;

	if (cli_get(cli, "quota") || cli_get(cli, "quota-messages"))
		req->which |= SET_QUOTA;
	if (!cli_get_size(cli, "quota", UINT64_MAX, &req->quota_octets) ||
		!cli_get_size(cli, "quota-messages", UINT64_MAX, &req->quota_messages) ||
		!take_switch(cli, "imap", SET_IMAP, &req->which, &req->imap) ||
		!take_switch(cli, "pop3", SET_POP3, &req->which, &req->pop3) ||
		!take_switch(cli, "send", SET_SEND, &req->which, &req->send) || !take_retr(cli, req))
		return CLI_USAGE;
	if (!req->which)
		return cli_fail(cli, NULL, "nothing to change was named; see --help"), CLI_USAGE;
	return CLI_OK;
}

/// The targets go through a chunk, which ends with the command.
FIB static int fill_alias_add(struct cx *cx, struct cli *cli, struct client *store, void *to)
{
	struct req_alias_add *req = to;
	struct buf targets = BUF(CHUNK_OCTETS);

	for (int i = 1; i < cli->n_args; i++)
		buf_printf(&targets, "%s%s", i > 1 ? " " : "", cli->arg[i]);
	enum ec e = targets.err == E_OK ? chunks_take(cx, client_chunks(store), &req->targets) : targets.err;
	if (e == E_OK) {
		memcpy(chunks_at(client_chunks(store), req->targets), targets.p, targets.n);
		req->targets.len = (uint32_t)targets.n;
		req->replace = cli_get(cli, "replace") != NULL;
	}
	buf_free(&targets);
	return e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "%s %s", cli->arg[0], cli_words(e));
}

/// A verb that changes one thing, named by the command's first word.
struct change {
	const char *group, *verb;
	enum verb ask;
	size_t at, room;  // the field that holds the word
	bool user;        // the word is a user's name: SASLprep
	const char *done; // said after the word
	FIB int (*fill)(struct cx *cx, struct cli *cli, struct client *store, void *req); // the rest; NULL: nothing
	struct {
		enum ec e;
		const char *words;
	} why[2]; // where an error means more than cli_words says; %s is the word
};

#define CHANGE(group_, verb_, field)                                      \
	.group = #group_, .verb = #verb_, .ask = VERB_##group_##_##verb_, \
	.at = offsetof(struct req_##group_##_##verb_, field),             \
	.room = sizeof(((struct req_##group_##_##verb_ *)0)->field.p)

static const struct change changes[] = {
	{ CHANGE(domain, add, domain), .done = T("added"), .fill = fill_domain_add,
		.why = { { E_NOTFOUND, T("%s: the domain after --alias-of does not exist") },
			{ E_STATE, T("%s: the domain after --alias-of is an alias itself; name the one it means") } } },
	{ CHANGE(domain, remove, domain), .done = T("removed"),
		.why = { { E_STATE, T("%s still has users, aliases or alias domains; remove them first") } } },
	{ CHANGE(user, add, address), .user = true, .done = T("added"), .fill = fill_user_add,
		.why = { { E_NOTFOUND, T("the domain of %s is not kept here; add it first: hongyan domain add …") },
			{ E_STATE, T("the domain of %s is an alias of another; add the user there") } } },
	{ CHANGE(user, remove, address), .user = true, .done = T("removed, with all mail"),
		.why = { { E_STATE,
			T("%s owns postmaster mail; name another owner first: hongyan postmaster ADDRESS") } } },
	{ CHANGE(user, passwd, address), .user = true, .done = T("new password set"), .fill = fill_user_passwd },
	{ CHANGE(user, set, address), .user = true, .done = T("changed"), .fill = fill_user_set },
	{ CHANGE(alias, add, address), .done = T("set"), .fill = fill_alias_add,
		.why = { { E_NOTFOUND, T("the domain of %s is not kept here, or one of the targets is no user or "
					 "alias here (sending to other servers arrives with a later version)") },
			{ E_EXISTS, T("%s exists already; if it is an alias, --replace gives it these targets") } } },
	{ CHANGE(alias, remove, address), .done = T("removed") },
};

static const struct change *change_of(const struct cli_command *c)
{
	for (size_t i = 0; i < ARRAY_N(changes); i++)
		if (strcmp(changes[i].group, c->group) == 0 && strcmp(changes[i].verb, c->verb) == 0)
			return &changes[i];
	assert(false && "each command that cmd_change runs is in the table");
	return NULL;
}

/// Says how it ended, in words or JSON.
static int say_done(const struct cli *cli, struct cx *cx, const struct change *c, enum ec e)
{
	if (e == E_OK && cli->json)
		printf("{\"ok\": true}\n");
	else if (e == E_OK)
		cli_say("%s: %s.\n", cli->arg[0], text_of(c->done));
	if (e == E_OK)
		return CLI_OK;
	for (size_t i = 0; i < ARRAY_N(c->why); i++)
		if (c->why[i].e == e)
			return cli_fail_as(cli, NULL, e, c->why[i].words, cli->arg[0]);
	bool trouble = e == E_IO || e == E_TEMP || e == E_CORRUPT;
	return cli_fail_as(cli, trouble ? cx : NULL, e, "%s %s", cli->arg[0], cli_words(e));
}

FIB static int change(struct cx *cx, struct cli *cli, struct client *store)
{
	const struct change *c = change_of(cli->command);
	_Alignas(16) uint8_t req[FRAME_MAX] = { 0 }, ans[FRAME_MAX];
	uint16_t *n = (void *)(req + c->at);
	uint8_t *p = req + c->at + sizeof *n;
	enum ec e = c->user ? cli_user_field(sl_cstr(cli->arg[0]), n, p, c->room)
	                    : field_set_(n, p, c->room, sl_cstr(cli->arg[0]));
	int code = e == E_OK && c->fill ? c->fill(cx, cli, store, req) : CLI_OK;
	if (code != CLI_OK)
		return code;
	if (e == E_OK)
		e = client_call(cx, store, c->ask, req, ans);
	explicit_bzero(req, sizeof req);
	return say_done(cli, cx, c, e);
}

int cmd_change(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, change);
}

/// A user whose own name is postmaster@ or abuse@ keeps his mail, whoever owns these words.
FIB static void say_in_the_way(struct cx *cx, struct client *store, struct sl owner)
{
	static const char *const words[] = { "postmaster", "abuse" };
	struct sl domain = sl_from(owner, sl_rfind(owner, '@'));

	for (size_t i = 0; i < ARRAY_N(words); i++) {
		struct buf user = BUF(512);
		buf_printf(&user, "%s%.*s", words[i], SLF(domain));
		if (!sl_eq_ci(buf_sl(&user), owner) && has_user(cx, store, buf_sl(&user)))
			cli_say("But there is a user %.*s, who keeps what comes to that very address. To read it: "
				"hongyan user "
				"passwd %.*s; to have it go to the owner: hongyan user remove %.*s\n",
				SLF(buf_sl(&user)), SLF(buf_sl(&user)), SLF(buf_sl(&user)));
		buf_free(&user);
	}
}

FIB static int postmaster(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_postmaster req = { 0 };
	struct ans_postmaster ans;
	const char *address = cli->n_args ? cli->arg[0] : "";
	enum ec e =
		*address ? cli_user_field(sl_cstr(address), &req.address.n, req.address.p, sizeof req.address.p) : E_OK;

	if (e == E_OK)
		e = call_postmaster(cx, store, &req, &ans);
	if (e != E_OK)
		return cli_fail_as(cli, NULL, e, "%s %s", address, cli_words(e));
	if (cli->json)
		json_puts(json_pack("{s:s%}", "postmaster", (const char *)ans.address.p, (size_t)ans.address.n));
	else
		cli_say("Mail for postmaster and abuse goes to %.*s.\n", SLF(FIELD_SL(ans.address)));
	if (!cli->json)
		say_in_the_way(cx, store, FIELD_SL(ans.address));
	return CLI_OK;
}

int cmd_postmaster(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, postmaster);
}
