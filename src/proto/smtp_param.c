/// smtp_param — the table of ESMTP parameters and the grammars of their values.
#include "proto/smtp_param.h"

#include "base/num.h"
#include "base/utf8.h"

/// A word with its value: for BODY, RET, NOTIFY.
struct word {
	struct sl name;
	unsigned value;
};

/// Takes one of words[n] from the start of the value.
static unsigned parse_word(struct cur *v, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cur_take_ci(v, words[i].name))
			return words[i].value;
	cur_fail(v, E_SYNTAX);
	return 0;
}

/// size-value ::= 1*20DIGIT ; RFC 1870 §4
static void parse_size(struct cur *v, struct arena *a, struct smtp_params *out)
{
	(void)a;
	out->size = cur_need_num(v, UINT64_MAX);
}

/// body-value = "7BIT" / "8BITMIME" / "BINARYMIME" ; RFC 6152 §2, RFC 3030 §3
static void parse_body(struct cur *v, struct arena *a, struct smtp_params *out)
{
	static const struct word words[] = {
		{ SL_INIT("7BIT"), SMTP_7BIT },
		{ SL_INIT("8BITMIME"), SMTP_8BITMIME },
		{ SL_INIT("BINARYMIME"), SMTP_BINARYMIME },
	};

	(void)a;
	out->body = parse_word(v, words, ARRAY_N(words));
}

/// All of the value as xtext.
static void parse_xtext(struct cur *v, struct arena *a, size_t max, struct sl *out)
{
	struct sl text = cur_rest(v);

	if (text.n > max)
		cur_fail(v, E_TOOBIG);
	enum ec e = cur_ok(v) ? smtp_xtext_decode(text, a, out) : v->err;
	if (e != E_OK)
		cur_fail(v, e);
	v->at = v->in.n;
}

/// AUTH=mailbox in xtext, or "<>" ; RFC 4954 §5
static void parse_auth(struct cur *v, struct arena *a, struct smtp_params *out)
{
	parse_xtext(v, a, SMTP_AUTH_MAX, &out->auth);
}

/// ret-value = "FULL" / "HDRS" ; RFC 3461 §4.3
static void parse_ret(struct cur *v, struct arena *a, struct smtp_params *out)
{
	static const struct word words[] = { { SL_INIT("FULL"), SMTP_RET_FULL }, { SL_INIT("HDRS"), SMTP_RET_HDRS } };

	(void)a;
	out->ret = parse_word(v, words, ARRAY_N(words));
}

/// envid-parameter = "ENVID=" xtext ; RFC 3461 §4.4
static void parse_envid(struct cur *v, struct arena *a, struct smtp_params *out)
{
	parse_xtext(v, a, SMTP_ENVID_MAX, &out->envid);
}

/// No value at all.
static void parse_no_value(struct cur *v, struct arena *a, struct smtp_params *out)
{
	(void)v, (void)a, (void)out; // what stands there is an error of parse_param
}

/// notify-esmtp-value = "NEVER" / 1#notify-list-element
/// notify-list-element = "SUCCESS" / "FAILURE" / "DELAY" ; RFC 3461 §4.1
static void parse_notify(struct cur *v, struct arena *a, struct smtp_params *out)
{
	static const struct word words[] = {
		{ SL_INIT("NEVER"), SMTP_NOTIFY_NEVER },
		{ SL_INIT("SUCCESS"), SMTP_NOTIFY_SUCCESS },
		{ SL_INIT("FAILURE"), SMTP_NOTIFY_FAILURE },
		{ SL_INIT("DELAY"), SMTP_NOTIFY_DELAY },
	};

	(void)a;
	do
		out->notify |= parse_word(v, words, ARRAY_N(words));
	while (cur_take(v, ','));
	if (out->notify & SMTP_NOTIFY_NEVER && out->notify != SMTP_NOTIFY_NEVER)
		cur_fail(v, E_SYNTAX);
}

static bool is_addr_type_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '-';
}

/// original-recipient-address = addr-type ";" xtext ; RFC 3461 §4.2
/// addr-type "utf-8" has its own encoding (RFC 6533 §3), which is passed on as it is.
static void parse_orcpt(struct cur *v, struct arena *a, struct smtp_params *out)
{
	out->orcpt_type = cur_need_while(v, is_addr_type_octet);
	cur_need(v, ';');
	if (cur_end(v) || cur_rest(v).n > SMTP_ORCPT_MAX) {
		cur_fail(v, cur_end(v) ? E_SYNTAX : E_TOOBIG);
	} else if (sl_eq_ci(out->orcpt_type, SL("utf-8"))) {
		out->orcpt = cur_rest(v);
		v->at = v->in.n;
	} else {
		parse_xtext(v, a, SMTP_ORCPT_MAX, &out->orcpt);
	}
}

static const struct row {
	struct sl name;
	enum smtp_param bit;
	bool of_mail;
	enum { VALUE_NONE, VALUE_NEEDED } value;
	void (*parse)(struct cur *v, struct arena *a, struct smtp_params *out);
} rows[] = {
	{ SL_INIT("SIZE"), SMTP_SIZE, true, VALUE_NEEDED, parse_size },
	{ SL_INIT("BODY"), SMTP_BODY, true, VALUE_NEEDED, parse_body },
	{ SL_INIT("AUTH"), SMTP_AUTH_PARAM, true, VALUE_NEEDED, parse_auth },
	{ SL_INIT("RET"), SMTP_RET, true, VALUE_NEEDED, parse_ret },
	{ SL_INIT("ENVID"), SMTP_ENVID, true, VALUE_NEEDED, parse_envid },
	{ SL_INIT("SMTPUTF8"), SMTP_SMTPUTF8, true, VALUE_NONE, parse_no_value },
	{ SL_INIT("REQUIRETLS"), SMTP_REQUIRETLS, true, VALUE_NONE, parse_no_value },
	{ SL_INIT("NOTIFY"), SMTP_NOTIFY, false, VALUE_NEEDED, parse_notify },
	{ SL_INIT("ORCPT"), SMTP_ORCPT, false, VALUE_NEEDED, parse_orcpt },
};

/// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
static bool is_keyword_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '-';
}

/// esmtp-value = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)
static bool is_value_octet(uint8_t c)
{
	return c > 0x20 && c != '=' && c != 0x7f;
}

/// Addresses with "=" (as bounce addresses have) come unencoded in AUTH and ORCPT from senders that forgot xtext.
static bool accept_equals_in_value(uint8_t c)
{
	return is_value_octet(c) || c == '=';
}

static const struct row *find_row(struct sl name, bool of_mail)
{
	for (size_t i = 0; i < ARRAY_N(rows); i++)
		if (rows[i].of_mail == of_mail && sl_eq_ci(name, rows[i].name))
			return &rows[i];
	return NULL;
}

/// esmtp-param = esmtp-keyword ["=" esmtp-value]
static void parse_param(struct cur *c, struct arena *a, bool of_mail, struct smtp_params *out)
{
	size_t start = c->at;
	struct sl name = cur_need_while(c, is_keyword_octet);
	const struct row *row = find_row(name, of_mail);
	bool has_value = cur_take(c, '=');
	size_t value_at = c->at;
	struct sl value = has_value ? cur_need_while(c, accept_equals_in_value) : (struct sl){ 0 };

	if (!cur_ok(c))
		return;
	if (!row) {
		out->unknown = out->unknown.n ? out->unknown : name;
		return;
	}
	if (has_value != (row->value == VALUE_NEEDED) || out->seen & row->bit) {
		c->at = start;
		cur_fail(c, E_SYNTAX);
		return;
	}
	out->seen |= row->bit;
	struct cur v = cur_over(value);
	row->parse(&v, a, out);
	cur_need_end(&v);
	if (!cur_ok(&v)) {
		c->at = value_at + v.err_at;
		cur_fail(c, v.err);
	}
}

void smtp_parse_params(struct cur *c, struct arena *a, bool of_mail, struct smtp_params *out)
{
	struct smtp_params params = { 0 };
	int n = 0;

	while (cur_take(c, ' ')) {
		if (cur_end(c) || cur_peek(c) == ' ')
			continue; // more spaces than one, and spaces at the end, come from many clients
		if (++n > SMTP_PARAMS_MAX)
			cur_fail(c, E_LIMIT);
		parse_param(c, a, of_mail, &params);
	}
	cur_need_end(c);
	if (cur_ok(c))
		*out = params;
}

/// xchar = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
static bool is_xchar(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '+' && c != '=';
}

/// xtext = *(xchar / hexchar)
/// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
enum ec smtp_xtext_decode(struct sl in, struct arena *a, struct sl *out)
{
	uint8_t *p = arena_alloc(a, in.n, 1);
	size_t n = 0;

	if (!p)
		return E_TEMP;
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '+') {
			if (!is_xchar(in.p[i]) && in.p[i] != '=') // see accept_equals_in_value
				return E_SYNTAX;
			p[n++] = in.p[i];
			continue;
		}
		if (i + 2 >= in.n || hex_value(in.p[i + 1]) < 0 || hex_value(in.p[i + 2]) < 0)
			return E_SYNTAX;
		p[n] = (uint8_t)(hex_value(in.p[i + 1]) << 4 | hex_value(in.p[i + 2]));
		if (p[n] < 0x20 || p[n++] == 0x7f)
			return E_SYNTAX; // a control octet has no place in an address, an id or our logs
		i += 2;
	}
	*out = (struct sl){ p, n };
	return E_OK;
}

void smtp_xtext_print(struct buf *b, struct sl in)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < in.n; i++) {
		if (is_xchar(in.p[i])) {
			buf_addc(b, in.p[i]);
			continue;
		}
		buf_addc(b, '+');
		buf_addc(b, (uint8_t)hex[in.p[i] >> 4]);
		buf_addc(b, (uint8_t)hex[in.p[i] & 15]);
	}
}
