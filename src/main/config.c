/// config — the table of options and what is made from it.
#include "main/config.h"

#include <confuse.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/num.h"
#include "main/edit.h"
#include "main/text.h"

enum type { T_TEXT, T_WORD, T_LIST, T_BOOL, T_NUMBER, T_SIZE, T_PORT };

struct option {
	const char *name;
	enum type type;
	const char *preset; // as written in a file; lists without braces
	int64_t min, max;   // numbers and sizes
	const char *words;  // T_WORD: the choices
	size_t at;          // in struct config
	bool restart;       // a reload cannot change it
	const char *sentence;
};

#define AT(field) offsetof(struct config, field)
#define PORT_ROW(name, kind, preset, what)                                                            \
	{                                                                                             \
		name, T_PORT, preset, 0, 65535, NULL, AT(port) + sizeof(int64_t) * (kind), true, what \
	}

static const struct option options[] = {
	{ "hostname", T_TEXT, "localhost", 0, 0, NULL, AT(hostname), false,
		"The name this server says in greetings, EHLO and Received; it should resolve to this machine." },
	{ "listen", T_LIST, "\"0.0.0.0\", \"::\"", 0, 0, NULL, AT(listen), true,
		"Addresses to listen on for every service." },
	PORT_ROW("port_smtp", PORT_SMTP, "25", "Mail from other servers; 0 turns a service off, here and below."),
	PORT_ROW("port_lmtp", PORT_LMTP, "24", "Local delivery by LMTP, on lmtp_listen."),
	PORT_ROW("port_submission", PORT_SUBMISSION, "587", "Users' sending with STARTTLS."),
	PORT_ROW("port_submissions", PORT_SUBMISSIONS, "465", "Users' sending, TLS from the start."),
	PORT_ROW("port_imap", PORT_IMAP, "143", "IMAP with STARTTLS."),
	PORT_ROW("port_imaps", PORT_IMAPS, "993", "IMAP, TLS from the start."),
	PORT_ROW("port_pop3", PORT_POP3, "110", "POP3 with STLS."),
	PORT_ROW("port_pop3s", PORT_POP3S, "995", "POP3, TLS from the start."),
	PORT_ROW("port_metrics", PORT_METRICS, "0",
		"Figures for Prometheus by HTTP at /metrics, on metrics_listen; its usual port is 9154."),
	{ "lmtp_listen", T_LIST, "\"127.0.0.1\", \"::1\"", 0, 0, NULL, AT(lmtp_listen), true,
		"Addresses for LMTP, whose peers are trusted to deliver to any user." },
	{ "metrics_listen", T_LIST, "\"127.0.0.1\", \"::1\"", 0, 0, NULL, AT(metrics_listen), true,
		"Addresses for figures, which anybody who reaches them may read." },
	{ "certificates", T_LIST, "\"tls/server.pem\"", 0, 0, NULL, AT(certificates), false,
		"PEM files, each a chain with its key, or \"chain.pem key.pem\"; the name a client asks for chooses, "
		"the first is the default." },
	{ "data", T_TEXT, "data", 0, 0, NULL, AT(data), true, "The folder of the mail store." },
	{ "run", T_TEXT, "run", 0, 0, NULL, AT(run), true, "The folder of the control socket." },
	{ "message_max", T_SIZE, "50M", 1024, 1LL << 31, NULL, AT(message_max), false, "Largest message, in and out." },
	{ "recipients_max", T_NUMBER, "1000", 100, 10000, NULL, AT(recipients_max), false,
		"Recipients of one message in one SMTP transaction." },
	{ "bare_newline", T_WORD, "fix", 0, 0, "fix reject", AT(bare_newline), false,
		"A bare LF becomes CRLF and a bare CR a space (fix), or the message is refused (reject)." },
	{ "quota_full", T_WORD, "reject", 0, 0, "reject defer", AT(quota_full), false,
		"A full mailbox refuses mail at once (552) or asks the sender to try again (452)." },
	{ "quota", T_SIZE, "0", 0, 1LL << 60, NULL, AT(quota_octets), false,
		"Storage of a new user; 0 is without limit." },
	{ "quota_messages", T_NUMBER, "0", 0, UINT32_MAX, NULL, AT(quota_messages), false,
		"Messages of a new user; 0 is without limit." },
	{ "plain_login", T_WORD, "never", 0, 0, "never loopback", AT(plain_login), false,
		"Login without TLS: never, or from this machine only." },
	{ "scram", T_BOOL, "true", 0, 0, NULL, AT(scram), true,
		"Keep SCRAM-SHA-256 keys beside the argon2id hash, so that clients can log in without sending the "
		"password." },
	{ "pop3_lock", T_BOOL, "false", 0, 0, NULL, AT(pop3_lock), false, "Only one POP3 session per user at a time." },
	{ "proxy_networks", T_LIST, "", 0, 0, NULL, AT(proxy_networks), false,
		"Load balancers that begin each connection with a PROXY header (version 1 or 2)." },
	{ "fronts", T_NUMBER, "0", 0, 64, NULL, AT(fronts), true,
		"Processes that serve users; 0 is one per processor core." },
	{ "sessions_max", T_NUMBER, "20000", 10, 1000000, NULL, AT(sessions_max), false,
		"Sessions of one front process." },
	{ "sessions_ip_max", T_NUMBER, "1000", 1, 1000000, NULL, AT(sessions_ip_max), false,
		"Sessions of one front process from one IPv4 address or IPv6 /64." },
	{ "sessions_user_ip_max", T_NUMBER, "50", 1, 1000000, NULL, AT(sessions_user_ip_max), false,
		"Sessions of one user from one IPv4 address or IPv6 /64, over all processes." },
	{ "disk_reserve", T_SIZE, "1G", 1 << 24, 1LL << 50, NULL, AT(disk_reserve), true,
		"Deliveries are put off when less free space than this is left on the store's disk." },
	{ "sandbox", T_WORD, "auto", 0, 0, "auto require off", AT(sandbox), true,
		"Confine the roles where the kernel can (auto), or refuse to start without (require)." },
	{ "log_level", T_WORD, "info", 0, 0, "debug info notice warn error", AT(log_level), false,
		"The least important log lines that are written." },
};

static void *field(struct config *c, const struct option *o)
{
	return (uint8_t *)c + o->at;
}

static const void *field_const(const struct config *c, const struct option *o)
{
	return (const uint8_t *)c + o->at;
}

/// "50M" → octets; suffixes K M G T are powers of 1,024.
static bool parse_size(struct sl s, int64_t *out)
{
	static const char suffixes[] = "KMGT";
	uint64_t v;
	unsigned shift = 0;

	for (unsigned i = 0; s.n && i < 4; i++)
		if (to_lower(s.p[s.n - 1]) == to_lower((uint8_t)suffixes[i]))
			shift = 10 * (i + 1);
	if (!num_parse(sl_head(s, s.n - (shift ? 1 : 0)), (uint64_t)INT64_MAX >> shift, &v))
		return false;
	*out = (int64_t)(v << shift);
	return true;
}

static bool has_word(const char *words, struct sl w)
{
	for (struct sl rest = sl_cstr(words); rest.n;)
		if (sl_eq(sl_cut(&rest, ' '), w))
			return true;
	return false;
}

/// What reading one file needs: where it is, and where complaints go.
struct reading {
	struct sl path;
	struct buf *why;
};

static void complain(const struct reading *r, unsigned line, const char *what)
{
	buf_printf(r->why, "%.*s:%u: %s\n", SLF(r->path), line, text_of(what));
}

/// As one would write it: 1K, 2G.
static void size_words(char out[32], int64_t v)
{
	static const char units[] = "\0KMGT";
	unsigned u = 0;

	for (; v && v % 1024 == 0 && u < 4; u++)
		v /= 1024;
	snprintf(out, 32, "%lld%.1s", (long long)v, &units[u]);
}

static void complain_option(const struct reading *r, unsigned line, const struct option *o, const char *what)
{
	buf_printf(r->why, "%.*s:%u: %s: %s", SLF(r->path), line, o->name, what);
	if (o->words)
		buf_printf(r->why, text_of(" (one of: %s)"), o->words);
	if (o->type == T_SIZE) {
		char min[32], max[32];
		size_words(min, o->min);
		size_words(max, o->max);
		buf_printf(r->why, text_of(" (%s to %s)"), min, max);
	}
	if (o->type == T_NUMBER || o->type == T_PORT)
		buf_printf(r->why, text_of(" (%lld to %lld)"), (long long)o->min, (long long)o->max);
	buf_puts(r->why, "\n");
}

/// Checks one text value and stores it. NULL, or what is wrong with it.
static const char *set_value(struct config *c, const struct option *o, struct sl v)
{
	int64_t n;
	struct sl copy;

	switch (o->type) {
	case T_NUMBER:
	case T_PORT:
	case T_SIZE:
		if (!parse_size(v, &n) || (o->type != T_SIZE && v.n && !is_digit(v.p[v.n - 1])))
			return text_of("not a number");
		if (n < o->min || n > o->max)
			return text_of("out of range");
		*(int64_t *)field(c, o) = n;
		return NULL;
	case T_BOOL:
		if (!has_word("true false yes no on off", v))
			return text_of("is true or false");
		*(bool *)field(c, o) = has_word("true yes on", v);
		return NULL;
	case T_WORD:
		if (!has_word(o->words, v))
			return text_of("no such choice");
		break;
	case T_TEXT:
		if (v.n == 0)
			return text_of("must not be empty");
		break;
	case T_LIST: break;
	}
	copy = arena_copy(&c->memory, v);
	if (!copy.p)
		return text_of("file too large");
	if (o->type != T_LIST) {
		*(struct sl *)field(c, o) = copy;
		return NULL;
	}
	struct config_list *l = field(c, o);
	if (l->n == CONFIG_LIST_MAX)
		return text_of("too many items");
	l->item[l->n++] = copy;
	return NULL;
}

/// The option whose name is nearest to `name`, where it is near enough to be meant; else NULL.
static const char *guess(struct sl name)
{
	const char *best = NULL;
	size_t best_n = 4; // more than three edits is another word

	for (size_t i = 0; i < ARRAY_N(options); i++) {
		size_t d = edit_distance(name, sl_cstr(options[i].name));
		if (d < best_n && d * 2 < name.n) {
			best_n = d;
			best = options[i].name;
		}
	}
	return best;
}

/// libconfuse's complaints end here. It hands over no context, so the reading is found through the parser's own field.
static struct reading *current_reading;

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	struct reading *r = current_reading;
	char said[256];
	unsigned line = cfg && cfg->line > 0 ? (unsigned)cfg->line : 1;

	vsnprintf(said, sizeof said, fmt, ap);
	struct sl t = sl_cstr(said), mark = SL("no such option '");
	if (!sl_starts(t, mark)) {
		complain(r, line, said);
		return;
	}
	struct sl rest = sl_from(t, mark.n);
	struct sl name = sl_cut(&rest, '\'');
	const char *near = guess(name);
	buf_printf(r->why, text_of("%.*s:%u: unknown option \"%.*s\""), SLF(r->path), line, SLF(name));
	if (near)
		buf_printf(r->why, text_of("; did you mean \"%s\"?"), near);
	else
		buf_puts(r->why, text_of("; `hongyan config print` lists all"));
	buf_puts(r->why, "\n");
}

/// libconfuse's table, made from ours: every value is read as text, so that we check them all in one place.
static void confuse_table(cfg_opt_t *t)
{
	for (size_t i = 0; i < ARRAY_N(options); i++)
		t[i] = options[i].type == T_LIST ? (cfg_opt_t)CFG_STR_LIST(options[i].name, NULL, CFGF_NODEFAULT)
		                                 : (cfg_opt_t)CFG_STR(options[i].name, NULL, CFGF_NODEFAULT);
	t[ARRAY_N(options)] = (cfg_opt_t)CFG_END();
}

/// Comments become blanks: libconfuse counts two lines more for each.
static void blank_comments(char *p)
{
	char quote = 0;

	for (; *p; p++) {
		if (quote && *p == '\\' && p[1])
			p++;
		else if (quote)
			quote = (char)(*p == quote ? 0 : quote);
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '#')
			for (; *p && *p != '\n'; p++)
				*p = ' ';
		if (!*p)
			return;
	}
}

static bool is_line_of(struct sl line, struct sl name)
{
	return sl_starts(line, name) &&
	       (line.n == name.n || !strchr("_abcdefghijklmnopqrstuvwxyz0123456789", line.p[name.n]));
}

/// The line that begins with `name`, for complaints about values.
static unsigned line_of(struct sl text, const char *name)
{
	unsigned line = 1;

	for (struct sl rest = text; rest.n; line++) {
		struct sl at = sl_trim(sl_cut(&rest, '\n'));
		if (is_line_of(at, sl_cstr(name)))
			return line;
	}
	return 1;
}

static void set_preset(struct config *c, const struct option *o)
{
	struct sl rest = sl_cstr(o->preset);

	if (o->type != T_LIST) {
		(void)set_value(c, o, rest);
		return;
	}
	while (rest.n) {
		struct sl item = sl_trim(sl_cut(&rest, ','));
		(void)set_value(c, o, sl_sub(item, 1, item.n - 1));
	}
}

static void take_option(struct config *c, cfg_t *cfg, const struct option *o, struct reading *r, struct sl text)
{
	unsigned n = cfg_size(cfg, o->name);

	if (n == 0 && !(o->type == T_LIST && cfg_getopt(cfg, o->name)->flags & CFGF_MODIFIED)) {
		set_preset(c, o);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		const char *wrong = set_value(c, o, sl_cstr(cfg_getnstr(cfg, o->name, i)));
		if (wrong)
			complain_option(r, line_of(text, o->name), o, wrong);
	}
}

/// What the type alone does not say: names, addresses, networks.
static void check_values(const struct config *c, struct reading *r, struct sl text)
{
	struct addr a;
	struct addr_net net;

	for (size_t i = 0; i < c->hostname.n; i++)
		if (c->hostname.p[i] <= ' ' || c->hostname.p[i] == 0x7f) {
			complain(r, line_of(text, "hostname"), "hostname: a name without blanks is needed");
			break;
		}
	for (size_t i = 0; i < c->listen.n; i++)
		if (addr_parse(c->listen.item[i], &a) != E_OK)
			complain(r, line_of(text, "listen"), "listen: not an IP address");
	for (size_t i = 0; i < c->lmtp_listen.n; i++)
		if (addr_parse(c->lmtp_listen.item[i], &a) != E_OK)
			complain(r, line_of(text, "lmtp_listen"), "lmtp_listen: not an IP address");
	for (size_t i = 0; i < c->metrics_listen.n; i++)
		if (addr_parse(c->metrics_listen.item[i], &a) != E_OK)
			complain(r, line_of(text, "metrics_listen"), "metrics_listen: not an IP address");
	for (size_t i = 0; i < c->proxy_networks.n; i++)
		if (addr_net_parse(c->proxy_networks.item[i], &net) != E_OK)
			complain(r, line_of(text, "proxy_networks"),
				"proxy_networks: not a network like 192.0.2.0/24 (bits beyond the mask must be 0)");
}

enum ec config_parse(struct cx *cx, struct sl path, struct sl text, struct config *out, struct buf *why)
{
	cfg_opt_t table[ARRAY_N(options) + 1];
	struct reading r = { path, why };
	struct config c = { 0 };
	size_t before = why->n;

	arena_init(&c.memory, 1 << 20);
	confuse_table(table);
	cfg_t *cfg = cfg_init(table, CFGF_NONE);
	char *copy = cfg ? strndup((const char *)text.p, text.n) : NULL;
	if (!copy) {
		if (cfg)
			cfg_free(cfg);
		arena_free(&c.memory);
		return fail(cx, E_TEMP, "no memory for the configuration");
	}
	blank_comments(copy);
	current_reading = &r;
	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, copy) != CFG_SUCCESS && why->n == before)
		complain(&r, 1, "cannot be read");
	current_reading = NULL;
	for (size_t i = 0; why->n == before && i < ARRAY_N(options); i++)
		take_option(&c, cfg, &options[i], &r, text);
	if (why->n == before)
		check_values(&c, &r, text);
	cfg_free(cfg);
	free(copy);
	if (why->n != before) {
		arena_free(&c.memory);
		return fail(cx, E_SYNTAX, "the configuration has errors");
	}
	*out = c;
	return E_OK;
}

/// An option that is given again, without "+=": only the last counts.
static void doubt_twice(const struct reading *r, const struct option *o, struct sl text)
{
	unsigned line = 1, n = 0;

	for (struct sl rest = text; rest.n; line++) {
		struct sl at = sl_trim(sl_cut(&rest, '\n'));
		if (!is_line_of(at, sl_cstr(o->name)))
			continue;
		struct sl sign = sl_trim(sl_from(at, strlen(o->name)));
		if (++n > 1 && !sl_starts(sign, SL("+")))
			complain_option(r, line, o, text_of("is given twice; only the last counts"));
	}
}

/// Whether one address is in both lists, or is all addresses in one of them.
static bool may_meet(const struct config_list *a, const struct config_list *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (sl_eq(a->item[i], b->item[k]) || sl_eq(a->item[i], SL("0.0.0.0")) ||
				sl_eq(b->item[k], SL("0.0.0.0")) || sl_eq(a->item[i], SL("::")) ||
				sl_eq(b->item[k], SL("::")))
				return true;
	return false;
}

const struct config_list *config_listen(const struct config *c, enum port_kind kind)
{
	return kind == PORT_LMTP ? &c->lmtp_listen : kind == PORT_METRICS ? &c->metrics_listen : &c->listen;
}

void config_doubts(const struct config *c, struct sl path, struct sl text, struct buf *why)
{
	struct reading r = { path, why };

	for (size_t i = 0; i < ARRAY_N(options); i++)
		doubt_twice(&r, &options[i], text);
	for (unsigned i = 0; i < PORT_KINDS; i++)
		for (unsigned k = i + 1; k < PORT_KINDS; k++) {
			const struct config_list *one = config_listen(c, (enum port_kind)i);
			const struct config_list *other = config_listen(c, (enum port_kind)k);
			char name[64];
			snprintf(name, sizeof name, "port_%s", port_name((enum port_kind)k));
			if (c->port[i] && c->port[i] == c->port[k] && (one == other || may_meet(one, other)))
				buf_printf(why, text_of("%.*s:%u: %s is the port of %s already\n"), SLF(path),
					line_of(text, name), name, port_name((enum port_kind)i));
		}
}

void config_free(struct config *c)
{
	arena_free(&c->memory);
}

static bool is_same(const struct config *a, const struct config *b, const struct option *o)
{
	const struct config_list *l = field_const(a, o), *m = field_const(b, o);
	bool same = true;

	switch (o->type) {
	case T_TEXT:
	case T_WORD: return sl_eq(*(const struct sl *)field_const(a, o), *(const struct sl *)field_const(b, o));
	case T_BOOL: return *(const bool *)field_const(a, o) == *(const bool *)field_const(b, o);
	case T_NUMBER:
	case T_SIZE:
	case T_PORT: return *(const int64_t *)field_const(a, o) == *(const int64_t *)field_const(b, o);
	case T_LIST: break;
	}
	same = l->n == m->n;
	for (size_t i = 0; same && i < l->n; i++)
		same = sl_eq(l->item[i], m->item[i]);
	return same;
}

/// errors: E_TEMP (no memory for a text).
static enum ec copy_value(struct config *to, const struct config *from, const struct option *o)
{
	const struct config_list *l = field_const(from, o);
	struct config_list *m = field(to, o);
	bool ok = true;

	switch (o->type) {
	case T_BOOL: *(bool *)field(to, o) = *(const bool *)field_const(from, o); return E_OK;
	case T_NUMBER:
	case T_SIZE:
	case T_PORT: *(int64_t *)field(to, o) = *(const int64_t *)field_const(from, o); return E_OK;
	case T_TEXT:
	case T_WORD: {
		struct sl copy = arena_copy(&to->memory, *(const struct sl *)field_const(from, o));
		*(struct sl *)field(to, o) = copy;
		return copy.p ? E_OK : E_TEMP;
	}
	case T_LIST: break;
	}
	m->n = l->n;
	for (size_t i = 0; i < l->n; i++) {
		m->item[i] = arena_copy(&to->memory, l->item[i]);
		ok &= m->item[i].p != NULL;
	}
	return ok ? E_OK : E_TEMP;
}

enum ec config_keep(struct cx *cx, struct config *fresh, const struct config *old, struct buf *names)
{
	for (size_t i = 0; i < ARRAY_N(options); i++) {
		const struct option *o = &options[i];
		if (!o->restart || is_same(fresh, old, o))
			continue;
		buf_printf(names, "%s%s", names->n ? " " : "", o->name);
		if (copy_value(fresh, old, o) != E_OK)
			return fail(cx, E_TEMP, "no memory for the configuration");
	}
	return names->err;
}

const char *config_shut(const struct config *c)
{
	static const char words[] = "nobody can log in: there is no certificate, and plain_login is \"never\"; "
				    "mail from other servers is taken";

	return c->certificates.n == 0 && sl_eq(c->plain_login, SL("never")) ? text_of(words) : NULL;
}

/// So that libconfuse reads it back: "${" would be a variable of the environment.
static void print_quoted(struct buf *b, struct sl s)
{
	buf_puts(b, "\"");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '$')
			buf_puts(b, "\\");
		buf_addc(b, s.p[i]);
	}
	buf_puts(b, "\"");
}

static void print_value(struct buf *b, const struct config *c, const struct option *o)
{
	const struct config_list *l = field_const(c, o);

	switch (o->type) {
	case T_TEXT:
	case T_WORD: print_quoted(b, *(const struct sl *)field_const(c, o)); break;
	case T_BOOL: buf_puts(b, *(const bool *)field_const(c, o) ? "true" : "false"); break;
	case T_NUMBER:
	case T_SIZE:
	case T_PORT: buf_num(b, (uint64_t) * (const int64_t *)field_const(c, o)); break;
	case T_LIST:
		buf_puts(b, "{");
		for (size_t i = 0; i < l->n; i++) {
			buf_puts(b, i ? ", " : "");
			print_quoted(b, l->item[i]);
		}
		buf_puts(b, "}");
		break;
	}
}

static json_t *json_value(const struct config *c, const struct option *o)
{
	const struct config_list *l = field_const(c, o);
	const struct sl *s = field_const(c, o);
	json_t *list;

	switch (o->type) {
	case T_TEXT:
	case T_WORD: return json_stringn((const char *)s->p, s->n);
	case T_BOOL: return json_boolean(*(const bool *)field_const(c, o));
	case T_NUMBER:
	case T_SIZE:
	case T_PORT: return json_integer(*(const int64_t *)field_const(c, o));
	case T_LIST: break;
	}
	list = json_array();
	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(list, json_stringn((const char *)l->item[i].p, l->item[i].n));
	return list;
}

void config_print(struct buf *b, const struct config *c, bool json)
{
	json_t *all = json ? json_object() : NULL;

	for (size_t i = 0; i < ARRAY_N(options); i++) {
		const struct option *o = &options[i];
		if (json) {
			json_object_set_new(all, o->name, json_value(c, o));
			continue;
		}
		buf_printf(b, text_of("# %s%s\n# default: %s%s%s\n%s = "), text_of(o->sentence),
			o->restart ? text_of(" Changing it needs a restart.") : "", o->type == T_LIST ? "{" : "",
			o->preset, o->type == T_LIST ? "}" : "", o->name);
		print_value(b, c, o);
		buf_puts(b, "\n\n");
	}
	char *text = json ? json_dumps(all, JSON_INDENT(2)) : NULL;
	if (text)
		buf_printf(b, "%s\n", text);
	free(text);
	json_decref(all);
}

void config_manual(struct buf *b)
{
	for (size_t i = 0; i < ARRAY_N(options); i++) {
		const struct option *o = &options[i];
		buf_printf(b, ".TP\n.B %s\n%s", o->name, o->sentence);
		if (o->words)
			buf_printf(b, " One of: %s.", o->words);
		buf_printf(b, " Default: %s%s%s.%s\n", o->type == T_LIST ? "{" : "", o->preset,
			o->type == T_LIST ? "}" : "", o->restart ? " Changing it needs a restart." : "");
	}
}

struct sl config_file(struct config *c, struct sl path, struct sl file)
{
	size_t slash = sl_rfind(path, '/');
	struct buf b = BUF(4096);
	struct sl out;

	if (file.n && file.p[0] != '/' && slash < path.n)
		buf_add(&b, sl_head(path, slash + 1));
	buf_add(&b, file);
	out = b.err ? (struct sl){ 0 } : arena_copy(&c->memory, buf_sl(&b));
	buf_free(&b);
	return out;
}
