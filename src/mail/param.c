/// param — tokens, quoted strings and comments of RFC 2045, and the sections of RFC 2231.
#include "base/num.h"
#include "mail/cfws.h"
#include "mail/encword.h"
#include "mail/header.h"
#include "mail/param.h"

#include <string.h>

/// token = 1*<any CHAR except SPACE, CTLs, tspecials> (RFC 2045 §5.1); 8-bit octets are let through.
static bool is_token(uint8_t c)
{
	return c > ' ' && c != 0x7f && !memchr("()<>@,;:\\\"/[]?=", c, 15);
}

/// A value outside quotes: whatever stands there up to a blank or semicolon, since senders forget the quotes.
static bool is_loose(uint8_t c)
{
	return c > ' ' && c != 0x7f && c != ';' && c != '"';
}

/// quoted-string, its opening quote taken: to the closing quote or the end. The text is unquoted and one line.
static bool take_quoted(struct cur *c, struct arena *a, struct sl *out)
{
	size_t start = c->at, n = 0;
	bool plain = true;

	while (!cur_end(c) && cur_peek(c) != '"') {
		int ch = cur_peek(c);
		plain &= ch != '\\' && ch != '\r' && ch != '\n' && ch != 0;
		c->at += ch == '\\' && c->at + 1 < c->in.n ? 2 : 1;
	}
	struct sl raw = sl_sub(c->in, start, c->at);
	(void)cur_take(c, '"');
	*out = raw;
	if (plain)
		return true;
	uint8_t *p = arena_alloc(a, raw.n, 1);
	for (size_t i = 0; p && i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		if (raw.p[i] != '\r' && raw.p[i] != '\n' && raw.p[i] != 0)
			p[n++] = raw.p[i];
	}
	*out = (struct sl){ p, n };
	return p != NULL;
}

/// value := token / quoted-string
static bool take_value(struct cur *c, struct arena *a, struct sl *out)
{
	if (cur_take(c, '"'))
		return take_quoted(c, a, out);
	struct sl s = cur_take_while(c, is_loose);
	size_t comment = sl_find(s, '(');
	if (comment && comment < s.n) { // "us-ascii(comment)"
		c->at -= s.n - comment;
		s.n = comment;
	}
	*out = s;
	return true;
}

static void skip_to_semicolon(struct cur *c)
{
	bool quoted = false; // a semicolon within quotes ends nothing

	for (; !cur_end(c) && (quoted || cur_peek(c) != ';'); c->at++) {
		quoted ^= cur_peek(c) == '"';
		c->at += quoted && cur_peek(c) == '\\' && c->at + 1 < c->in.n;
	}
}

/// *(";" attribute "=" value)
static enum ec take_params(struct cur *c, struct arena *a, struct param **list)
{
	struct param **tail = list;

	*list = NULL;
	for (unsigned n = 0; n < PARAM_MAX;) {
		cfws_skip(c);
		skip_to_semicolon(c);
		if (!cur_take(c, ';'))
			return E_OK;
		cfws_skip(c);
		struct sl name = cur_take_while(c, is_token), value;
		cfws_skip(c);
		if (name.n == 0 || !cur_take(c, '='))
			continue;
		cfws_skip(c);
		struct param *p = arena_alloc(a, 1, sizeof *p);
		if (!p || !take_value(c, a, &value))
			return E_TEMP;
		*p = (struct param){ .name = name, .value = value };
		*tail = p;
		tail = &p->next;
		n++;
	}
	return E_OK;
}

enum ec param_parse_type(struct sl raw, struct arena *a, struct sl *type, struct sl *subtype, struct param **params)
{
	struct cur c = cur_over(sl_head(raw, HEADER_VALUE_MAX));
	struct param *list;

	cfws_skip(&c);
	struct sl t = cur_take_while(&c, is_token), st = { c.in.p, 0 };
	cfws_skip(&c);
	if (t.n && cur_take(&c, '/')) {
		cfws_skip(&c);
		st = cur_take_while(&c, is_token);
	}
	enum ec e = take_params(&c, a, &list);
	if (e)
		return e;
	*type = t.n && st.n ? t : SL("");
	*subtype = t.n && st.n ? st : SL("");
	*params = list;
	return E_OK;
}

enum ec param_parse_disposition(struct sl raw, struct arena *a, struct sl *kind, struct param **params)
{
	struct cur c = cur_over(sl_head(raw, HEADER_VALUE_MAX));
	struct param *list;

	cfws_skip(&c);
	struct sl k = cur_take_while(&c, is_token);
	enum ec e = take_params(&c, a, &list);
	if (e)
		return e;
	*kind = k.n ? k : SL("");
	*params = list;
	return E_OK;
}

struct sl param_find(const struct param *params, struct sl name)
{
	for (; params; params = params->next)
		if (sl_eq_ci(params->name, name))
			return params->value;
	return (struct sl){ 0 };
}

/// Splits `name*3*` into its parts: true where `p` belongs to `name` in the form of RFC 2231 §3 or §4.
/// *section is -1 for `name*`.
static bool is_section(const struct param *p, struct sl name, int *section, bool *coded)
{
	uint64_t number;

	if (!sl_starts_ci(p->name, name) || p->name.n == name.n || p->name.p[name.n] != '*')
		return false;
	struct sl rest = sl_from(p->name, name.n + 1);
	*section = -1;
	*coded = true;
	if (rest.n == 0)
		return true;
	*coded = rest.p[rest.n - 1] == '*';
	if (*coded)
		rest.n--;
	if (!num_parse(rest, PARAM_SECTIONS_MAX - 1, &number))
		return false;
	*section = (int)number;
	return true;
}

/// ext-octet := "%" 2(DIGIT / "A" / "B" / "C" / "D" / "E" / "F")
static void feed_percent(struct charset_stream *cs, struct sl s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		int high = c == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
		int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
		if (low >= 0) {
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		charset_feed(cs, (struct sl){ &c, 1 }, out);
	}
}

struct section {
	struct sl value;
	bool coded;
};

/// Joins sections 0, 1, 2 … until one is missing; the first, if coded, begins with charset'language'.
static void put_sections(struct charset_cache *cc, const struct section *v, struct buf *out)
{
	struct charset_stream cs;
	struct sl first = v[0].value, charset = { 0 };

	if (v[0].coded) {
		struct sl rest = first;
		charset = sl_cut(&rest, '\'');
		bool labelled = charset.n < first.n;
		(void)sl_cut(&rest, '\'');
		first = labelled ? rest : first;
		charset = labelled ? charset : (struct sl){ 0 };
	}
	charset_begin(&cs, cc, charset);
	for (int i = 0; i < PARAM_SECTIONS_MAX && v[i].value.p; i++) {
		struct sl s = i ? v[i].value : first;
		if (v[i].coded)
			feed_percent(&cs, s, out);
		else
			charset_feed(&cs, s, out);
	}
	charset_end(&cs, out);
}

enum ec param_decode(struct charset_cache *cc, const struct param *params, struct sl name, struct buf *out)
{
	struct section v[PARAM_SECTIONS_MAX] = { 0 }, whole[2] = { 0 };

	for (const struct param *p = params; p; p = p->next) {
		bool coded;
		int at;
		if (!is_section(p, name, &at, &coded))
			continue;
		struct section *to = at < 0 ? &whole[0] : &v[at];
		if (!to->value.p)
			*to = (struct section){ p->value, coded };
	}
	struct sl simple = param_find(params, name);
	if (whole[0].value.p) {
		v[0] = whole[0];
		v[1] = whole[1]; // absent: ends the list
	}
	if (v[0].value.p)
		put_sections(cc, v, out);
	else if (simple.p)
		encword_decode_phrase(cc, simple, out);
	else
		return E_NOTFOUND;
	return out->err;
}
