/// cmd_init — a new installation: folder, certificate authority, configuration, first domain. Never overwrites.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "main/cert.h"
#include "main/commands.h"
#include "main/file.h"
#include "proto/smtp_path.h"

struct init {
	const char *dir, *domain, *listen, *postmaster;
	struct buf hostname;
	uint64_t port_base;
};

static enum ec at(struct cx *cx, const struct init *in, const char *name, char out[4096])
{
	int n = snprintf(out, 4096, "%s/%s", in->dir, name);

	return n > 0 && n < 4096 ? E_OK : fail(cx, E_TOOBIG, "the path %s is too long", in->dir);
}

static enum ec create(struct cx *cx, const struct init *in, const char *name, unsigned mode, struct sl text)
{
	char path[4096];
	enum ec e = at(cx, in, name, path);

	return e == E_OK ? file_create(cx, path, mode, text) : e;
}

static enum ec make_folders(struct cx *cx, const struct init *in)
{
	static const char *const folders[] = { "tls", "run" };
	char path[4096];
	enum ec e = file_folder(cx, in->dir, 0700);

	for (size_t i = 0; e == E_OK && i < ARRAY_N(folders); i++) {
		e = at(cx, in, folders[i], path);
		if (e == E_OK)
			e = file_folder(cx, path, 0700);
	}
	return e;
}

static enum ec make_certificates(struct cx *cx, const struct init *in)
{
	struct buf ca = BUF(65536), key = BUF(65536), server = BUF(65536);
	struct sl names[] = { buf_sl(&in->hostname), sl_cstr(in->domain), SL("localhost") };
	enum ec e = cert_make(cx, names, ARRAY_N(names), &ca, &key, &server);

	if (e == E_OK)
		e = create(cx, in, "tls/ca.pem", 0644, buf_sl(&ca));
	if (e == E_OK)
		e = create(cx, in, "tls/ca.key", 0600, buf_sl(&key));
	if (e == E_OK)
		e = create(cx, in, "tls/server.pem", 0600, buf_sl(&server));
	buf_free(&ca);
	buf_free(&key);
	buf_free(&server);
	return e;
}

/// The file names only what differs from the defaults: the rest is in `hongyan config print`.
static enum ec make_conf(struct cx *cx, const struct init *in)
{
	struct buf b = BUF(65536);

	buf_puts(&b, "# hongyan.conf - `hongyan config print` shows every option with its default and meaning.\n"
		     "# Domains, users and aliases are not here: see `hongyan domain`, `hongyan user`, `hongyan "
		     "alias`.\n\n");
	buf_printf(&b, "hostname = \"%.*s\"\n", SLF(buf_sl(&in->hostname)));
	buf_puts(&b, "certificates = {\"tls/server.pem\"}\n");
	if (in->listen)
		buf_printf(&b, "listen = {\"%s\"}\nlmtp_listen = {\"%s\"}\n", in->listen, in->listen);
	for (unsigned k = 0; in->port_base && k < PORT_METRICS; k++)
		buf_printf(&b, "port_%s = %" PRIu64 "\n", port_name((enum port_kind)k),
			in->port_base + port_standard((enum port_kind)k));
	buf_printf(&b, "# port_metrics = %" PRIu64 "\n", in->port_base + port_standard(PORT_METRICS));
	enum ec e = create(cx, in, "hongyan.conf", 0600, buf_sl(&b));
	buf_free(&b);
	return e;
}

FIB static int fill(struct cx *cx, struct cli *cli, struct client *store)
{
	struct req_domain_add domain = { 0 };
	struct req_user_add user = { 0 };
	struct req_postmaster owner = { 0 };
	struct ans_domain_add domain_ans;
	struct ans_user_add user_ans;
	struct ans_postmaster owner_ans;
	const char *given = cli_get(cli, "postmaster");
	struct buf address = BUF(320);

	if (field_set(domain.domain, sl_cstr(cli_get(cli, "domain"))) != E_OK)
		return cli_fail(cli, NULL, "the domain's name is too long");
	enum ec e = call_domain_add(cx, store, &domain, &domain_ans);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "domain %s %s", cli_get(cli, "domain"), cli_words(e));
	if (given)
		buf_puts(&address, given);
	else
		buf_printf(&address, "postmaster@%s", cli_get(cli, "domain"));
	e = cli_user_field(buf_sl(&address), &user.address.n, user.address.p, sizeof user.address.p);
	if (e == E_OK)
		e = field_set(owner.address, FIELD_SL(user.address));
	if (e == E_OK)
		e = call_user_add(cx, store, &user, &user_ans);
	if (e == E_OK)
		e = call_postmaster(cx, store, &owner, &owner_ans);
	int code =
		e == E_OK ? CLI_OK : cli_fail_as(cli, cx, e, "postmaster %.*s %s", SLF(buf_sl(&address)), cli_words(e));
	buf_free(&address);
	return code;
}

static void say_next(const struct cli *cli, const struct init *in)
{
	if (cli->json) {
		json_puts(json_pack("{s:s+, s:s+}", "conf", in->dir, "/hongyan.conf", "ca", in->dir, "/tls/ca.pem"));
		return;
	}
	cli_say("Made %s for %s: configuration, certificate authority (tls/ca.pem), store.\n\n"
		"Next:\n"
		"  hongyan -c %s/hongyan.conf user add you@%s\n"
		"  hongyan -c %s/hongyan.conf serve\n",
		in->dir, in->domain, in->dir, in->domain, in->dir);
	if (!in->postmaster)
		cli_say("\nMail for postmaster@ and abuse@ is kept in postmaster@%s; to read it:\n"
			"  hongyan -c %s/hongyan.conf user passwd postmaster@%s\n",
			in->domain, in->dir, in->domain);
}

/// Whether mail can name this as a host or domain.
static bool is_name(struct sl s)
{
	uint8_t memory[1024];
	struct arena a = ARENA_OVER(memory, sizeof memory);
	struct cur c = cur_over(s);
	struct smtp_host host = { 0 };

	smtp_parse_host(&c, &a, &host);
	cur_need_end(&c);
	return cur_ok(&c) && host.kind == SMTP_HOST_NAME && host.text.n == s.n;
}

/// Whether an address is of the domain that is about to be made: of another, it could not be.
static bool is_address_in(struct sl address, struct sl domain)
{
	uint8_t memory[1024];
	struct arena a = ARENA_OVER(memory, sizeof memory);
	struct cur c = cur_over(address);
	struct smtp_path path = { 0 };

	smtp_parse_mailbox(&c, &a, &path);
	cur_need_end(&c);
	return cur_ok(&c) && path.local.n && sl_eq_ci(path.host.text, domain);
}

/// Everything that can be known to be wrong is said before anything is made: a second try finds the folder as it was.
static int check_words(const struct cli *cli, struct init *in)
{
	struct addr a;
	const char *base = cli_get(cli, "port-base"), *hostname = cli_get(cli, "hostname");

	if (!in->domain)
		return cli_fail(cli, NULL, "--domain NAME is needed, like --domain example.com"), CLI_USAGE;
	if (!is_name(sl_cstr(in->domain)))
		return cli_fail(cli, NULL, "--domain %s: not a domain's name", in->domain), CLI_USAGE;
	if (hostname && !is_name(sl_cstr(hostname)))
		return cli_fail(cli, NULL, "--hostname %s: not a host's name", hostname), CLI_USAGE;
	if (in->postmaster && !is_address_in(sl_cstr(in->postmaster), sl_cstr(in->domain)))
		return cli_fail(cli, NULL, "--postmaster %s: an address of %s is needed", in->postmaster, in->domain),
		       CLI_USAGE;
	if (base && !num_parse(sl_cstr(base), 64000, &in->port_base))
		return cli_fail(cli, NULL, "--port-base %s: a number up to 64000 is needed", base), CLI_USAGE;
	if (in->listen && addr_parse(sl_cstr(in->listen), &a) != E_OK)
		return cli_fail(cli, NULL, "--listen %s: not an IP address", in->listen), CLI_USAGE;
	return CLI_OK;
}

static int init_in(struct cx *cx, struct cli *cli, struct init *in)
{
	char conf[4096];
	struct buf why = BUF(4096);
	enum ec e = at(cx, in, "hongyan.conf", conf);

	if (e == E_OK && access(conf, F_OK) == 0)
		return cli_fail(cli, NULL, "%s exists already; nothing was changed", conf);
	if (e == E_OK)
		e = make_folders(cx, in);
	if (e == E_OK)
		e = make_certificates(cx, in);
	if (e == E_OK)
		e = make_conf(cx, in);
	if (e == E_OK)
		e = place_open(cx, conf, &cli->place, &why);
	if (e != E_OK) {
		fwrite(why.p, 1, why.n, stderr);
		buf_free(&why);
		return cli_fail(cli, cx, "%s could not be made", in->dir);
	}
	int code = cli_store(cx, cli, fill);
	place_close(&cli->place);
	buf_free(&why);
	if (code == CLI_OK)
		say_next(cli, in);
	else
		cli_fail(cli, NULL, "what was made stays in %s; remove it before the next try", in->dir);
	return code;
}

// ---- certificates for what is there already

/// The one file that the configuration names for a certificate with its key; empty where it names others.
static struct sl only_file(struct place *p)
{
	const struct config_list *l = &p->config.certificates;

	if (l->n != 1 || sl_find(l->item[0], ' ') < l->item[0].n)
		return SL("");
	return config_file(&p->config, sl_cstr(p->path), l->item[0]);
}

/// A file that is made in the folder of the certificates.
struct pem {
	struct sl name;
	unsigned mode;
	struct buf text;
};
enum pem_kind { PEM_CA, PEM_CA_KEY, PEM_SERVER, PEMS };

/// The path of one of them; `new`: as it is called until all are made.
static enum ec pem_path(struct cx *cx, const char *dir, const struct pem *f, bool is_new, char out[4096])
{
	int n = snprintf(out, 4096, "%s/%.*s%s", dir, SLF(f->name), is_new ? ".new" : "");

	return n > 0 && n < 4096 ? E_OK : fail(cx, E_TOOBIG, "the path %s is too long", dir);
}

/// errors: E_EXISTS — one of them is there already, whatever it is; cx names it.
static enum ec none_is_there(struct cx *cx, const char *dir, const struct pem pem[PEMS])
{
	char path[4096];
	struct stat st;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < PEMS; i++) {
		e = pem_path(cx, dir, &pem[i], false, path);
		if (e == E_OK && lstat(path, &st) == 0)
			e = fail(cx, E_EXISTS, "%s", path);
	}
	return e;
}

/// Writes it under its new name; what a try that was stopped left there goes.
static enum ec write_new(struct cx *cx, const struct place *p, const char *dir, const struct pem *f)
{
	char path[4096];
	enum ec e = pem_path(cx, dir, f, true, path);

	if (e == E_OK && unlink(path) < 0 && errno != ENOENT)
		e = fail(cx, file_errno(errno), "%s: %m", path);
	if (e == E_OK)
		e = file_create(cx, path, f->mode, buf_sl(&f->text));
	return e == E_OK ? place_give(cx, p, path) : e;
}

static enum ec rename_new(struct cx *cx, const char *dir, const struct pem *f)
{
	char from[4096], to[4096];
	enum ec e = pem_path(cx, dir, f, true, from);

	if (e == E_OK)
		e = pem_path(cx, dir, f, false, to);
	if (e == E_OK && renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		e = fail(cx, file_errno(errno), "%s: %m", to);
	return e;
}

/// All under new names first: a try that is stopped while it makes them stands in no other's way.
static enum ec put_pems(struct cx *cx, struct place *p, const char *dir, const struct pem pem[PEMS])
{
	bool made = access(dir, F_OK) < 0;
	enum ec e = file_folder(cx, dir, 0700);

	if (e == E_OK && made)
		e = place_give(cx, p, dir);
	if (e == E_OK)
		e = none_is_there(cx, dir, pem);
	for (size_t i = 0; e == E_OK && i < PEMS; i++)
		e = write_new(cx, p, dir, &pem[i]);
	for (size_t i = 0; e == E_OK && i < PEMS; i++)
		e = rename_new(cx, dir, &pem[i]);
	return e;
}

/// As init does. The domain is the host's name without its first label.
static enum ec make_again(struct cx *cx, struct place *p, const char *dir, struct sl server_name)
{
	struct pem pem[PEMS] = {
		[PEM_CA] = { SL("ca.pem"), 0644, BUF(65536) },
		[PEM_CA_KEY] = { SL("ca.key"), 0600, BUF(65536) },
		[PEM_SERVER] = { server_name, 0600, BUF(65536) },
	};
	struct sl host = p->config.hostname, domain = sl_from(host, sl_find(host, '.') + 1);
	struct sl names[] = { host, SL("localhost"), domain };
	enum ec e = cert_make(cx, names, sl_find(domain, '.') < domain.n ? 3 : 2, &pem[PEM_CA].text,
		&pem[PEM_CA_KEY].text, &pem[PEM_SERVER].text);

	if (e == E_OK)
		e = put_pems(cx, p, dir, pem);
	for (size_t i = 0; i < PEMS; i++) {
		buf_wipe(&pem[i].text);
		buf_free(&pem[i].text);
	}
	return e;
}

int cmd_config_certificates(struct cx *cx, struct cli *cli)
{
	char dir[4096];
	struct sl file = only_file(&cli->place);
	size_t slash = sl_rfind(file, '/');

	if (file.n == 0 || slash >= file.n || file.n >= sizeof dir)
		return cli_fail(cli, NULL,
			"this makes a certificate only where the configuration names one file for it, like "
			"certificates = {\"tls/server.pem\"}");
	snprintf(dir, sizeof dir, "%.*s", SLF(sl_head(file, slash)));
	enum ec e = make_again(cx, &cli->place, dir, sl_from(file, slash + 1));
	if (e == E_EXISTS)
		return cli_fail_as(cli, cx, e,
			"%s holds a certificate or an authority already; nothing is overwritten: to make all anew, "
			"move what is named here away first",
			dir);
	if (e != E_OK)
		return cli_fail_as(cli, cx, e, "the certificates: it %s", cli_words(e));
	if (cli->json)
		json_puts(json_pack("{s:s+}", "ca", dir, "/ca.pem"));
	else
		cli_say("Made a certificate and a new authority: clients that trusted the old one must be given "
			"%s/ca.pem.\n",
			dir);
	return CLI_OK;
}

// ---- init

int cmd_init(struct cx *cx, struct cli *cli)
{
	struct init in = { .dir = cli->arg[0],
		.domain = cli_get(cli, "domain"),
		.listen = cli_get(cli, "listen"),
		.postmaster = cli_get(cli, "postmaster"),
		.hostname = BUF(256) };
	int code = check_words(cli, &in);

	if (code == CLI_OK) {
		if (cli_get(cli, "hostname"))
			buf_puts(&in.hostname, cli_get(cli, "hostname"));
		else
			buf_printf(&in.hostname, "mail.%s", in.domain);
		code = init_in(cx, cli, &in);
	}
	buf_free(&in.hostname);
	return code;
}
