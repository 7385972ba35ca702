/// cmd_directory — domains, users, aliases: one request each, and lists page by page.
#include <jansson.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/payload.h"
#include "main/commands.h"

/// Says how it ended, in words or JSON.
static int done(const struct cli *cli, struct cx *cx, enum ec e, const char *name, const char *what)
{
	if (e != E_OK)
		return cli_fail(
			cli, e == E_IO || e == E_TEMP || e == E_CORRUPT ? cx : NULL, "%s %s", name, cli_words(e));
	if (cli->json)
		printf("{\"ok\": true}\n");
	else
		printf("%s: %s.\n", name, what);
	return CLI_OK;
}

// ---- domains

FIB static int domain_add(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_domain_add req = { 0 };
	struct ans_domain_add ans;
	const char *alias_of = cli_get(cli, "alias-of");
	enum ec e = field_set(req.domain, sl_cstr(cli->arg[0]));

	if (e == E_OK && alias_of)
		e = field_set(req.alias_of, sl_cstr(alias_of));
	if (e == E_OK)
		e = call_domain_add(cx, store, &req, &ans);
	if (e == E_NOTFOUND)
		return cli_fail(cli, NULL, "domain %s does not exist", alias_of ? alias_of : "");
	return done(cli, cx, e, cli->arg[0], "added");
}

int cmd_domain_add(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, domain_add);
}

FIB static int domain_remove(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_domain_remove req = { 0 };
	struct ans_domain_remove ans;
	enum ec e = field_set(req.domain, sl_cstr(cli->arg[0]));

	if (e == E_OK)
		e = call_domain_remove(cx, store, &req, &ans);
	if (e == E_STATE)
		return cli_fail(
			cli, NULL, "%s still has users, aliases or alias domains; remove them first", cli->arg[0]);
	return done(cli, cx, e, cli->arg[0], "removed");
}

int cmd_domain_remove(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, domain_remove);
}

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
	struct ans_admin_list *ans, const struct cli *cli, json_t *all, print_entry *print)
{
	const uint8_t *at = chunks_at(client_chunks(store), req->out);
	enum ec e = call_admin_list(cx, store, req, ans);

	for (uint32_t i = 0; e == E_OK && i < ans->count; i++) {
		const struct pl_entry *entry = (const struct pl_entry *)(const void *)at;
		print(cli, all, entry);
		e = field_set(req->after, entry_name(entry));
		at += entry->size;
	}
	return e;
}

FIB static int list(struct cx *cx, struct cli *cli, struct client *store, enum list_what what, print_entry *print)
{
	struct req_admin_list req = { .what = (uint8_t)what };
	struct ans_admin_list ans = { .more = 1 };
	json_t *all = json_array();
	enum ec e = chunks_take(cx, client_chunks(store), &req.out);

	while (e == E_OK && ans.more)
		e = list_page(cx, store, &req, &ans, cli, all, print);
	if (req.out.len)
		chunks_give(client_chunks(store), req.out);
	char *text = cli->json && e == E_OK ? json_dumps(all, JSON_INDENT(2)) : NULL;
	if (text)
		puts(text);
	free(text);
	json_decref(all);
	return e == E_OK ? CLI_OK : cli_fail(cli, cx, "the list %s", cli_words(e));
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
	char used[32], quota[32] = "no limit";
	size_text(used, e->used_octets);
	if (e->quota_octets)
		size_text(quota, e->quota_octets);
	printf("%-40.*s %8s of %-8s %8llu messages%s%s%s\n", SLF(entry_name(e)), used, quota,
		(unsigned long long)e->used_messages, e->imap ? "" : "  imap off", e->pop3 ? "" : "  pop3 off",
		e->send ? "" : "  send off");
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

// ---- users

/// Reads one line without its end. False at the end of input.
static bool read_line(struct buf *b)
{
	char line[1024];

	if (!fgets(line, sizeof line, stdin))
		return false;
	buf_clear(b);
	buf_add(b, sl_head(sl_cstr(line), sl_find(sl_cstr(line), '\n')));
	explicit_bzero(line, sizeof line);
	return true;
}

static bool ask_hidden(const char *prompt, struct buf *b)
{
	struct termios was, silent;

	fputs(prompt, stderr);
	tcgetattr(STDIN_FILENO, &was);
	silent = was;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	bool ok = read_line(b);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputs("\n", stderr);
	return ok;
}

/// The new password: from standard input where told so, else asked twice on a terminal. False with words where there
/// is none.
static bool get_password(const struct cli *cli, struct buf *password)
{
	struct buf again = BUF(1024);
	bool ok;

	if (cli_get(cli, "password-stdin")) {
		ok = read_line(password);
	} else if (isatty(STDIN_FILENO)) {
		ok = ask_hidden("Password: ", password) && ask_hidden("Again: ", &again);
		if (ok && !sl_eq(buf_sl(password), buf_sl(&again))) {
			buf_free(&again);
			return cli_fail(cli, NULL, "the two passwords differ; nothing was changed"), false;
		}
	} else {
		return cli_fail(cli, NULL, "no terminal to ask for a password: use --password-stdin"), false;
	}
	if (again.p)
		explicit_bzero(again.p, again.n);
	buf_free(&again);
	if (!ok || password->n == 0)
		return cli_fail(cli, NULL, "the password is empty; nothing was changed"), false;
	return true;
}

FIB static int user_add(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_user_add req = { 0 };
	struct ans_user_add ans;
	struct buf password = BUF(1024);
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	if (!cli_get_size(cli, "quota", (uint64_t)cli->place.config.quota_octets, &req.quota_octets) ||
		!cli_get_size(cli, "quota-messages", (uint64_t)cli->place.config.quota_messages, &req.quota_messages))
		return CLI_USAGE;
	if (!cli_get(cli, "no-password") && !get_password(cli, &password))
		return CLI_FAILED;
	if (e == E_OK)
		e = field_set(req.password, buf_sl(&password));
	if (e == E_OK)
		e = call_user_add(cx, store, &req, &ans);
	explicit_bzero(&req.password, sizeof req.password);
	if (password.p)
		explicit_bzero(password.p, password.n);
	buf_free(&password);
	if (e == E_NOTFOUND)
		return cli_fail(cli, NULL, "the domain of %s is not kept here; add it first: hongyan domain add …",
			cli->arg[0]);
	return done(cli, cx, e, cli->arg[0], "added");
}

int cmd_user_add(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, user_add);
}

FIB static int user_remove(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_user_remove req = { 0 };
	struct ans_user_remove ans;
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	if (e == E_OK)
		e = call_user_remove(cx, store, &req, &ans);
	if (e == E_STATE)
		return cli_fail(cli, NULL,
			"%s owns postmaster mail; name another owner first: hongyan postmaster ADDRESS", cli->arg[0]);
	return done(cli, cx, e, cli->arg[0], "removed, with all mail");
}

int cmd_user_remove(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, user_remove);
}

FIB static int user_passwd(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_user_passwd req = { 0 };
	struct ans_user_passwd ans;
	struct buf password = BUF(1024);
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	if (!get_password(cli, &password))
		return CLI_FAILED;
	if (e == E_OK)
		e = field_set(req.password, buf_sl(&password));
	if (e == E_OK)
		e = call_user_passwd(cx, store, &req, &ans);
	explicit_bzero(&req.password, sizeof req.password);
	explicit_bzero(password.p, password.n);
	buf_free(&password);
	return done(cli, cx, e, cli->arg[0], "new password set");
}

int cmd_user_passwd(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, user_passwd);
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

FIB static int user_set(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_user_set req = { 0 };
	struct ans_user_set ans;
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	if (cli_get(cli, "quota") || cli_get(cli, "quota-messages"))
		req.which |= SET_QUOTA;
	if (!cli_get_size(cli, "quota", UINT64_MAX, &req.quota_octets) ||
		!cli_get_size(cli, "quota-messages", UINT64_MAX, &req.quota_messages) ||
		!take_switch(cli, "imap", SET_IMAP, &req.which, &req.imap) ||
		!take_switch(cli, "pop3", SET_POP3, &req.which, &req.pop3) ||
		!take_switch(cli, "send", SET_SEND, &req.which, &req.send) || !take_retr(cli, &req))
		return CLI_USAGE;
	if (!req.which)
		return cli_fail(cli, NULL, "nothing to change was named; see --help"), CLI_USAGE;
	if (e == E_OK)
		e = call_user_set(cx, store, &req, &ans);
	return done(cli, cx, e, cli->arg[0], "changed");
}

int cmd_user_set(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, user_set);
}

// ---- aliases

FIB static int alias_add(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_alias_add req = { .replace = cli_get(cli, "replace") != NULL };
	struct ans_alias_add ans;
	struct buf targets = BUF(CHUNK_OCTETS);
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	for (int i = 1; i < cli->n_args; i++)
		buf_printf(&targets, "%s%s", i > 1 ? " " : "", cli->arg[i]);
	if (e == E_OK)
		e = chunks_take(cx, client_chunks(store), &req.targets);
	if (e == E_OK) {
		memcpy(chunks_at(client_chunks(store), req.targets), targets.p, targets.n);
		req.targets.len = (uint32_t)targets.n;
		e = call_alias_add(cx, store, &req, &ans);
		chunks_give(client_chunks(store), req.targets);
	}
	buf_free(&targets);
	if (e == E_NOTFOUND)
		return cli_fail(cli, NULL,
			"the domain of %s, or one of the targets, is not kept here "
			"(sending to other servers arrives with a later version)",
			cli->arg[0]);
	if (e == E_EXISTS)
		return cli_fail(cli, NULL, "%s exists already; --replace gives it these targets", cli->arg[0]);
	return done(cli, cx, e, cli->arg[0], "set");
}

int cmd_alias_add(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, alias_add);
}

FIB static int alias_remove(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_alias_remove req = { 0 };
	struct ans_alias_remove ans;
	enum ec e = field_set(req.address, sl_cstr(cli->arg[0]));

	if (e == E_OK)
		e = call_alias_remove(cx, store, &req, &ans);
	return done(cli, cx, e, cli->arg[0], "removed");
}

int cmd_alias_remove(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, alias_remove);
}

FIB static int postmaster(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_postmaster req = { 0 };
	struct ans_postmaster ans;
	const char *address = cli->n_args ? cli->arg[0] : "";
	enum ec e = field_set(req.address, sl_cstr(address));

	if (e == E_OK)
		e = call_postmaster(cx, store, &req, &ans);
	if (e != E_OK)
		return cli_fail(cli, NULL, "%s %s", address, cli_words(e));
	if (cli->json)
		printf("{\"postmaster\": \"%.*s\"}\n", SLF(FIELD_SL(ans.address)));
	else
		printf("Mail for postmaster and abuse goes to %.*s.\n", SLF(FIELD_SL(ans.address)));
	return CLI_OK;
}

int cmd_postmaster(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, postmaster);
}
