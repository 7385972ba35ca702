/// smtp_command — RFC 5321 §4.1.1: the command table and its parsers.
#include "proto/smtp_command.h"

#include "base/num.h"

/// Spaces where none should be ("MAIL FROM: <a@b>", "RSET "): many mailers built into devices and scripts send them.
static void accept_spaces(struct cur *c)
{
	while (cur_take(c, ' '))
		;
}

static bool is_visible(uint8_t c)
{
	return c > 0x20 && c != 0x7f;
}

static bool is_text(uint8_t c)
{
	return is_visible(c) || c == ' ' || c == '\t';
}

/// ehlo = "EHLO" SP (Domain / address-literal), helo = "HELO" SP Domain
///
/// Clients name themselves with whatever their machine is called; a name outside the grammar is taken and marked, since
/// RFC 5321 §4.1.4 forbids to refuse mail for it.
static void accept_any_hello_name(struct cur *c, struct arena *a, struct smtp_command *out)
{
	cur_need(c, ' ');
	accept_spaces(c);
	out->hello.name = cur_need_while(c, is_visible);
	accept_spaces(c);
	if (out->hello.name.n > SMTP_DOMAIN_MAX)
		cur_fail(c, E_TOOBIG);
	if (!cur_ok(c))
		return;
	struct cur h = cur_over(out->hello.name);
	smtp_parse_host(&h, a, &out->hello.host);
	cur_need_end(&h);
	out->hello.is_host = cur_ok(&h);
	if (h.err == E_TEMP)
		cur_fail(c, E_TEMP);
}

/// Scripts and devices that leave out the angle brackets: "MAIL FROM:a@b".
static void accept_path_without_brackets(struct cur *c, struct arena *a, bool of_mail, struct smtp_path *out)
{
	if (cur_peek(c) == '<')
		smtp_parse_path(c, a, of_mail, out);
	else
		smtp_parse_mailbox(c, a, out);
}

static void parse_envelope(struct cur *c, struct arena *a, bool of_mail, struct smtp_command *out)
{
	accept_spaces(c);
	accept_path_without_brackets(c, a, of_mail, &out->envelope.path);
	if (of_mail && out->envelope.path.postmaster)
		cur_fail(c, E_SYNTAX); // a Forward-path only
	smtp_parse_params(c, a, of_mail, &out->envelope.params);
}

/// mail = "MAIL FROM:" Reverse-path [SP Mail-parameters]
static void parse_mail(struct cur *c, struct arena *a, struct smtp_command *out)
{
	cur_need(c, ' ');
	accept_spaces(c);
	cur_need_ci(c, SL("FROM"));
	accept_spaces(c);
	cur_need(c, ':');
	parse_envelope(c, a, true, out);
}

/// rcpt = "RCPT TO:" ("<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path) [SP Rcpt-parameters]
static void parse_rcpt(struct cur *c, struct arena *a, struct smtp_command *out)
{
	cur_need(c, ' ');
	accept_spaces(c);
	cur_need_ci(c, SL("TO"));
	accept_spaces(c);
	cur_need(c, ':');
	parse_envelope(c, a, false, out);
}

static void parse_nothing(struct cur *c, struct arena *a, struct smtp_command *out)
{
	(void)a, (void)out;
	accept_spaces(c);
}

/// bdat-cmd = "BDAT" SP chunk-size [SP end-marker] ; RFC 3030 §2
static void parse_bdat(struct cur *c, struct arena *a, struct smtp_command *out)
{
	(void)a;
	cur_need(c, ' ');
	out->bdat.octets = cur_need_num(c, INT64_MAX);
	if (cur_take(c, ' ')) {
		accept_spaces(c);
		out->bdat.last = cur_take_ci(c, SL("LAST"));
		accept_spaces(c);
	}
}

static bool is_mechanism_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '-' || c == '_';
}

/// auth-command = "AUTH" SP sasl-mech [SP initial-response] ; RFC 4954 §8
static void parse_auth(struct cur *c, struct arena *a, struct smtp_command *out)
{
	(void)a;
	cur_need(c, ' ');
	out->auth.mechanism = cur_need_while(c, is_mechanism_octet);
	if (!cur_take(c, ' '))
		return;
	accept_spaces(c);
	out->auth.has_initial = !cur_end(c);
	out->auth.initial = cur_take_while(c, is_visible);
	accept_spaces(c);
}

/// String, which may be left out: help, noop
static void parse_optional_string(struct cur *c, struct arena *a, struct smtp_command *out)
{
	(void)a;
	if (cur_take(c, ' '))
		out->text = sl_trim(cur_take_while(c, is_text));
}

/// vrfy = "VRFY" SP String, expn = "EXPN" SP String
static void parse_string(struct cur *c, struct arena *a, struct smtp_command *out)
{
	cur_need(c, ' ');
	(void)a;
	out->text = sl_trim(cur_need_while(c, is_text));
	if (cur_ok(c) && out->text.n == 0)
		cur_fail(c, E_SYNTAX);
}

// clang-format off
const struct smtp_verb_row smtp_verbs[SMTP_VERB_COUNT] = {
	{ SMTP_AUTH,     SL_INIT("AUTH"),     true,  SMTP_AUTH_LINE_MAX, parse_auth,            "RFC 4954 §4" },
	{ SMTP_BDAT,     SL_INIT("BDAT"),     false, SMTP_LINE_MAX,      parse_bdat,            "RFC 3030 §2" },
	{ SMTP_DATA,     SL_INIT("DATA"),     true,  SMTP_LINE_MAX,      parse_nothing,         "RFC 5321 §4.1.1.4" },
	{ SMTP_EHLO,     SL_INIT("EHLO"),     true,  SMTP_LINE_MAX,      accept_any_hello_name, "RFC 5321 §4.1.1.1" },
	{ SMTP_EXPN,     SL_INIT("EXPN"),     true,  SMTP_LINE_MAX,      parse_string,          "RFC 5321 §4.1.1.7" },
	{ SMTP_HELO,     SL_INIT("HELO"),     true,  SMTP_LINE_MAX,      accept_any_hello_name, "RFC 5321 §4.1.1.1" },
	{ SMTP_HELP,     SL_INIT("HELP"),     true,  SMTP_LINE_MAX,      parse_optional_string, "RFC 5321 §4.1.1.8" },
	{ SMTP_LHLO,     SL_INIT("LHLO"),     true,  SMTP_LINE_MAX,      accept_any_hello_name, "RFC 2033 §4.1" },
	{ SMTP_MAIL,     SL_INIT("MAIL"),     false, SMTP_MAIL_LINE_MAX, parse_mail,            "RFC 5321 §4.1.1.2" },
	{ SMTP_NOOP,     SL_INIT("NOOP"),     true,  SMTP_LINE_MAX,      parse_optional_string, "RFC 5321 §4.1.1.9" },
	{ SMTP_QUIT,     SL_INIT("QUIT"),     true,  SMTP_LINE_MAX,      parse_nothing,         "RFC 5321 §4.1.1.10" },
	{ SMTP_RCPT,     SL_INIT("RCPT"),     false, SMTP_RCPT_LINE_MAX, parse_rcpt,            "RFC 5321 §4.1.1.3" },
	{ SMTP_RSET,     SL_INIT("RSET"),     false, SMTP_LINE_MAX,      parse_nothing,         "RFC 5321 §4.1.1.5" },
	{ SMTP_STARTTLS, SL_INIT("STARTTLS"), true,  SMTP_LINE_MAX,      parse_nothing,         "RFC 3207 §4" },
	{ SMTP_VRFY,     SL_INIT("VRFY"),     true,  SMTP_LINE_MAX,      parse_string,          "RFC 5321 §4.1.1.6" },
};
// clang-format on

const struct smtp_verb_row *smtp_find_verb(struct sl line)
{
	struct sl verb = sl_head(line, sl_find(line, ' '));

	for (size_t i = 0; i < ARRAY_N(smtp_verbs); i++)
		if (sl_eq_ci(verb, smtp_verbs[i].name))
			return &smtp_verbs[i];
	return NULL;
}

enum ec smtp_parse_command(struct sl line, struct arena *a, struct smtp_command *out)
{
	const struct smtp_verb_row *row = smtp_find_verb(line);

	if (!row)
		return E_UNSUPPORTED;
	if (line.n + 2 > row->line_max)
		return E_TOOBIG;
	struct smtp_command cmd = { .verb = row->verb };
	struct cur c = cur_over(line);
	c.at = row->name.n;
	row->parse(&c, a, &cmd);
	cur_need_end(&c);
	if (cur_ok(&c))
		*out = cmd;
	return c.err;
}
