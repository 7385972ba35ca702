/// pop3_command — the command table of RFC 1939 and its extensions.
#include "proto/pop3_command.h"

#include "base/num.h"

/// What follows the verb in each command: [ ] is optional.
static void parse_nothing(struct cur *c, struct pop3_command *out)
{
	(void)c, (void)out;
}

/// Anything: what is refused whatever it says.
static void parse_anything(struct cur *c, struct pop3_command *out)
{
	(void)out;
	c->at = c->in.n;
}

/// SP msg ; a message number, from 1
static void parse_msg(struct cur *c, struct pop3_command *out)
{
	cur_need(c, ' ');
	out->msg = (uint32_t)cur_need_num(c, UINT32_MAX);
	out->has_msg = true;
	if (cur_ok(c) && out->msg == 0)
		cur_fail(c, E_RANGE);
}

/// [SP msg]
static void parse_optional_msg(struct cur *c, struct pop3_command *out)
{
	if (!cur_end(c))
		parse_msg(c, out);
}

/// SP msg SP n
static void parse_top(struct cur *c, struct pop3_command *out)
{
	parse_msg(c, out);
	cur_need(c, ' ');
	out->lines = (uint32_t)cur_need_num(c, UINT32_MAX);
}

static bool is_visible(uint8_t c)
{
	return c > 0x20 && c != 0x7f;
}

static bool is_password_octet(uint8_t c)
{
	return c != 0 && c != '\r' && c != '\n';
}

/// SP name
static void parse_user(struct cur *c, struct pop3_command *out)
{
	cur_need(c, ' ');
	out->name = cur_need_while(c, is_visible);
}

/// SP string ; RFC 1939 §7: "a server may treat spaces in the argument as part of the password"
static void parse_pass(struct cur *c, struct pop3_command *out)
{
	cur_need(c, ' ');
	out->password = cur_need_while(c, is_password_octet);
}

static bool is_mechanism_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
}

/// auth-command = "AUTH" SP sasl-mech [SP initial-response] ; RFC 5034 §6. "AUTH" alone asks older clients' question.
static void parse_auth(struct cur *c, struct pop3_command *out)
{
	if (cur_end(c))
		return;
	cur_need(c, ' ');
	out->auth.mechanism = cur_need_while(c, is_mechanism_octet);
	out->auth.has_initial = cur_take(c, ' ');
	if (out->auth.has_initial)
		out->auth.initial = cur_need_while(c, is_visible);
}

enum { AUTHZ = POP3_AUTHORIZATION, TRANS = POP3_TRANSACTION, BOTH = AUTHZ | TRANS };

// clang-format off
const struct pop3_verb_row pop3_verbs[POP3_VERB_COUNT] = {
	{ POP3_APOP, SL_INIT("APOP"), AUTHZ, true,  parse_anything,     "RFC 1939 §7" },
	{ POP3_AUTH, SL_INIT("AUTH"), AUTHZ, false, parse_auth,         "RFC 5034 §4" },
	{ POP3_CAPA, SL_INIT("CAPA"), BOTH,  false, parse_nothing,      "RFC 2449 §5" },
	{ POP3_DELE, SL_INIT("DELE"), TRANS, false, parse_msg,          "RFC 1939 §5" },
	{ POP3_LANG, SL_INIT("LANG"), BOTH,  true,  parse_anything,     "RFC 6856 §3" },
	{ POP3_LIST, SL_INIT("LIST"), TRANS, false, parse_optional_msg, "RFC 1939 §5" },
	{ POP3_NOOP, SL_INIT("NOOP"), TRANS, false, parse_nothing,      "RFC 1939 §5" },
	{ POP3_PASS, SL_INIT("PASS"), AUTHZ, false, parse_pass,         "RFC 1939 §7" },
	{ POP3_QUIT, SL_INIT("QUIT"), BOTH,  false, parse_nothing,      "RFC 1939 §4, §6" },
	{ POP3_RETR, SL_INIT("RETR"), TRANS, false, parse_msg,          "RFC 1939 §5" },
	{ POP3_RSET, SL_INIT("RSET"), TRANS, false, parse_nothing,      "RFC 1939 §5" },
	{ POP3_STAT, SL_INIT("STAT"), TRANS, false, parse_nothing,      "RFC 1939 §5" },
	{ POP3_STLS, SL_INIT("STLS"), AUTHZ, false, parse_nothing,      "RFC 2595 §4" },
	{ POP3_TOP,  SL_INIT("TOP"),  TRANS, false, parse_top,          "RFC 1939 §7" },
	{ POP3_UIDL, SL_INIT("UIDL"), TRANS, false, parse_optional_msg, "RFC 1939 §7" },
	{ POP3_USER, SL_INIT("USER"), AUTHZ, false, parse_user,         "RFC 1939 §7" },
	{ POP3_UTF8, SL_INIT("UTF8"), AUTHZ, true,  parse_anything,     "RFC 6856 §2" },
};
// clang-format on

static const struct pop3_verb_row *find_verb(struct sl name)
{
	for (size_t i = 0; i < ARRAY_N(pop3_verbs); i++)
		if (sl_eq_ci(name, pop3_verbs[i].name))
			return &pop3_verbs[i];
	return NULL;
}

/// Several clients end a line with a space; only a password's spaces mean something.
static struct sl accept_trailing_spaces(struct sl line, enum pop3_verb verb)
{
	while (verb != POP3_PASS && line.n && line.p[line.n - 1] == ' ')
		line.n--;
	return line;
}

enum ec pop3_parse_command(struct sl line, struct pop3_command *out)
{
	const struct pop3_verb_row *row = find_verb(sl_head(line, sl_find(line, ' ')));

	if (!row)
		return E_NOTFOUND;
	if (row->unsupported)
		return E_UNSUPPORTED;
	if (line.n + 2 > (row->verb == POP3_AUTH ? POP3_AUTH_LINE_MAX : POP3_LINE_MAX))
		return E_TOOBIG;
	struct pop3_command cmd = { .verb = row->verb };
	struct cur c = cur_over(accept_trailing_spaces(line, row->verb));
	c.at = row->name.n;
	row->parse(&c, &cmd);
	cur_need_end(&c);
	if (cur_ok(&c))
		*out = cmd;
	return c.err;
}
