/// cmd_mailbox — mailboxes that users deleted: which are still kept, and bringing one back.
#include "base/clock.h"
#include "base/num.h"
#include "ipc/payload.h"
#include "main/amount.h"
#include "main/commands.h"
#include "main/text.h"
#include "proto/mboxname.h"

/// Called for each. `g` borrowed.
typedef void grave_take(void *arg, const struct pl_grave *g);

static struct sl grave_name(const struct pl_grave *g)
{
	return (struct sl){ g->name, g->name_octets };
}

FIB static enum ec graves_each(
	struct cx *cx, struct client *store, const struct handle *user, grave_take *take, void *arg)
{
	struct req_mbox_graves req = { .handle = *user };
	struct ans_mbox_graves ans = { .more = 1 };
	enum ec e = chunks_take(cx, client_chunks(store), &req.out);

	while (e == E_OK && ans.more) {
		const uint8_t *at = chunks_at(client_chunks(store), req.out);
		e = call_mbox_graves(cx, store, &req, &ans);
		for (uint32_t i = 0; e == E_OK && i < ans.count; i++) {
			const struct pl_grave *g = (const struct pl_grave *)(const void *)at;
			take(arg, g);
			at += g->size;
		}
		req.skip += ans.count;
	}
	if (req.out.len)
		chunks_give(client_chunks(store), req.out);
	return e;
}

// ---- listing

/// A time as people write it here.
static void time_text(char out[32], int64_t unix_s)
{
	struct civil t = clock_civil(unix_s + clock_local_offset_min(unix_s) * 60);

	snprintf(out, 32, "%04lld-%02d-%02d %02d:%02d", (long long)t.year, t.month, t.day, t.hour, t.minute);
}

struct showing {
	const struct cli *cli;
	json_t *all;
	bool some;
};

static void show(void *arg, const struct pl_grave *g)
{
	struct showing *s = arg;
	char gone[32], until[32], size[AMOUNT];

	if (s->cli->json) {
		json_array_append_new(
			s->all, json_pack("{s:s%, s:I, s:I, s:I, s:I, s:I}", "name", g->name, (size_t)g->name_octets,
					"number", (json_int_t)g->mbox, "messages", (json_int_t)g->messages, "octets",
					(json_int_t)g->octets, "deleted", (json_int_t)g->gone_s, "kept_until",
					(json_int_t)g->kept_until_s));
		return;
	}
	if (!s->some)
		cli_say("number  deleted           kept until        messages      size  name\n");
	s->some = true;
	time_text(gone, g->gone_s);
	time_text(until, g->kept_until_s);
	amount_octets(size, g->octets);
	printf("%6llu  %s  %s  %8u  %8s  %.*s\n", (unsigned long long)g->mbox, gone, until, g->messages, size,
		SLF(grave_name(g)));
}

FIB static int list_deleted(struct cx *cx, struct cli *cli, struct client *store)
{
	struct showing s = { .cli = cli, .all = json_array() };
	struct handle user;
	enum ec e = cli_handle(cx, store, cli->arg[0], &user);

	if (e == E_OK)
		e = graves_each(cx, store, &user, show, &s);

	if (e == E_OK && cli->json)
		json_puts(json_incref(s.all));
	else if (e == E_OK && !s.some)
		cli_say("%s has deleted no mailbox within the last week.\n", cli->arg[0]);
	json_decref(s.all);
	return e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "user %s %s", cli->arg[0], cli_words(e));
}

int cmd_mailbox_deleted(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, list_deleted);
}

// ---- bringing back

struct search {
	struct sl name;
	uint64_t number; // 0: by name, the one that was deleted last
	int64_t gone_s;
	uint64_t mbox; // what was found, and its messages
	uint32_t messages;
	unsigned of_name; // how many have that name
};

static void look(void *arg, const struct pl_grave *g)
{
	struct search *s = arg;
	s->of_name += sl_eq(grave_name(g), s->name);
	bool is = s->number ? g->mbox == s->number : sl_eq(grave_name(g), s->name);

	if (is && (s->mbox == 0 || g->gone_s >= s->gone_s)) {
		s->mbox = g->mbox;
		s->messages = g->messages;
		s->gone_s = g->gone_s;
	}
}

/// Both names are brought to the form of IMAP clients' commands. errors: E_NOTFOUND (no such grave), E_EXISTS.
FIB static enum ec bring_back(
	struct cx *cx, struct client *store, const struct handle *user, struct search *s, struct sl was, struct sl as)
{
	struct buf old = BUF(4096), new = BUF(4096);
	struct req_mbox_restore req = { .handle = *user };
	struct ans_mbox_restore ans;
	enum ec e = mboxname_compose(was, &old);

	s->name = buf_sl(&old);
	if (e == E_OK)
		e = mboxname_compose(as, &new);
	if (e == E_OK)
		e = field_set(req.name, buf_sl(&new));
	if (e == E_OK)
		e = graves_each(cx, store, user, look, s);
	if (e == E_OK && s->mbox == 0)
		e = E_NOTFOUND;
	req.mbox = s->mbox;
	if (e == E_OK)
		e = call_mbox_restore(cx, store, &req, &ans);
	buf_free(&old);
	buf_free(&new);
	return e;
}

/// What became of it, in words.
static int told(struct cx *cx, const struct cli *cli, enum ec e, const struct search *s, const char *as)
{
	const char *user = cli->arg[0];

	if (e == E_EXISTS)
		return cli_fail_as(cli, NULL, e, "%s has a mailbox %s; choose another name with --as NAME", user, as);
	if (e == E_NOTFOUND)
		return cli_fail_as(cli, NULL, e,
			"%s has deleted no such mailbox within the last week; `hongyan mailbox deleted %s` lists them",
			user, user);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "mailbox %s %s", as, cli_words(e));
	if (cli->json)
		json_puts(json_pack("{s:b, s:I, s:I}", "ok", 1, "number", (json_int_t)s->mbox, "messages",
			(json_int_t)s->messages));
	else
		cli_say("%s is back: number %llu, messages: %u.\n", as, (unsigned long long)s->mbox, s->messages);
	if (!cli->json && !s->number && s->of_name > 1)
		cli_say("It was deleted last of %u with that name; `hongyan mailbox deleted %s` lists the others.\n",
			s->of_name, user);
	return CLI_OK;
}

FIB static int restore(struct cx *cx, struct cli *cli, struct client *store)
{
	const char *was = cli->arg[1], *as = cli_get(cli, "as") ? cli_get(cli, "as") : was;
	struct search s = { 0 };
	struct handle user;

	if (!cli_get_size(cli, "number", 0, &s.number))
		return CLI_USAGE;
	enum ec e = cli_handle(cx, store, cli->arg[0], &user);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "user %s %s", cli->arg[0], cli_words(e));
	e = bring_back(cx, store, &user, &s, sl_cstr(was), sl_cstr(as));
	return told(cx, cli, e, &s, as);
}

int cmd_mailbox_restore(struct cx *cx, struct cli *cli)
{
	return cli_store(cx, cli, restore);
}
