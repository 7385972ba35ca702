/// smtp_path — RFC 5321 §4.1.2 and §4.1.3, with the UTF-8 of RFC 6531 §3.3.
#include "proto/smtp_path.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/utf8.h"

/// atext of RFC 5322 §3.2.3, extended by UTF8-non-ascii
static bool is_atext(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c >= 0x80 || (c > 0x20 && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

/// Dot-string = Atom *("." Atom), yet Japanese mobile carriers gave out addresses with dots side by side and at the
/// end, and their owners still write mail.
static bool accept_loose_dots(uint8_t c)
{
	return is_atext(c) || c == '.';
}

/// qtextSMTP = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
static bool is_qtext(int c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

/// Quoted-string = DQUOTE *QcontentSMTP DQUOTE
/// quoted-pairSMTP = %d92 %d32-126
static struct sl parse_quoted_string(struct cur *c, struct arena *a)
{
	struct sl rest = cur_rest(c);
	uint8_t *p = arena_alloc(a, rest.n, 1);
	size_t n = 0;

	if (!p) {
		cur_fail(c, E_TEMP);
		return (struct sl){ 0 };
	}
	cur_need(c, '"');
	while (cur_ok(c) && cur_peek(c) != '"') {
		int ch = cur_take(c, '\\') ? cur_peek(c) : is_qtext(cur_peek(c)) ? cur_peek(c) : -1;
		if (ch < 0x20 || ch == 0x7f) {
			cur_fail(c, E_SYNTAX);
			break;
		}
		p[n++] = (uint8_t)ch;
		c->at++;
	}
	cur_need(c, '"');
	return (struct sl){ p, n };
}

/// Local-part = Dot-string / Quoted-string
static struct sl parse_local_part(struct cur *c, struct arena *a)
{
	struct sl local = cur_peek(c) == '"' ? parse_quoted_string(c, a) : cur_need_while(c, accept_loose_dots);

	if (cur_ok(c) && local.n > SMTP_LOCAL_MAX)
		cur_fail(c, E_TOOBIG);
	else if (cur_ok(c) && !utf8_valid(local))
		cur_fail(c, E_SYNTAX);
	return local;
}

static bool is_let_dig(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c >= 0x80;
}

/// Let-dig, yet some who send newsletters have hosts with an underscore in their names, and DNS does not mind.
static bool accept_underscore(uint8_t c)
{
	return is_let_dig(c) || c == '_';
}

static bool is_domain_octet(uint8_t c)
{
	return accept_underscore(c) || c == '-' || c == '.';
}

/// sub-domain = Let-dig [Ldh-str] ; a U-label's length is checked where it becomes an A-label
static enum ec check_sub_domain(struct sl label)
{
	if (label.n == 0 || !accept_underscore(label.p[0]) || !accept_underscore(label.p[label.n - 1]))
		return E_SYNTAX;
	return label.n > SMTP_LABEL_MAX && sl_is_ascii(label) ? E_TOOBIG : E_OK;
}

/// Domain = sub-domain *("." sub-domain) ; and the dot of an absolute name, which some hosts put behind theirs
static void parse_domain(struct cur *c, struct arena *a, struct smtp_host *out)
{
	struct sl text = cur_need_while(c, is_domain_octet);
	bool absolute = text.n > 1 && text.p[text.n - 1] == '.';
	struct sl rest = sl_head(text, text.n - absolute);

	if (cur_ok(c) && rest.n > SMTP_DOMAIN_MAX)
		cur_fail(c, E_TOOBIG);
	if (cur_ok(c) && !utf8_valid(rest))
		cur_fail(c, E_SYNTAX);
	struct sl name = cur_ok(c) ? arena_copy(a, rest) : rest;
	uint8_t *p = (uint8_t *)(uintptr_t)name.p; // our own copy
	if (cur_ok(c) && !p)
		cur_fail(c, E_TEMP);
	for (size_t start = 0; cur_ok(c) && start <= rest.n;) {
		size_t dot = start + sl_find(sl_from(rest, start), '.');
		enum ec e = start == rest.n ? E_SYNTAX : check_sub_domain(sl_sub(rest, start, dot));
		if (e != E_OK)
			cur_fail(c, e);
		start = dot + 1;
	}
	for (size_t i = 0; cur_ok(c) && i < name.n; i++)
		p[i] = to_lower(p[i]);
	*out = (struct smtp_host){ .kind = SMTP_HOST_NAME, .text = name, .utf8 = cur_ok(c) && !sl_is_ascii(name) };
}

/// True where `s` is a numeric address of the family, which then stands in ip.
static bool read_ip(struct sl s, int family, uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof text || memchr(s.p, 0, s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	return inet_pton(family, text, ip) == 1;
}

/// dcontent = %d33-90 / %d94-126
static bool is_dcontent(uint8_t c)
{
	return c > 0x20 && c < 0x7f && c != '[' && c != '\\' && c != ']';
}

/// Standardized-tag ":" 1*dcontent, Standardized-tag = Ldh-str
static bool is_general_literal(struct sl s)
{
	size_t colon = sl_find(s, ':');

	if (colon == 0 || colon + 1 >= s.n)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/// address-literal = "[" (IPv4-address-literal / IPv6-address-literal / General-address-literal) "]"
static void parse_address_literal(struct cur *c, struct smtp_host *out)
{
	struct smtp_host host = { 0 };
	size_t start = c->at;

	cur_need(c, '[');
	struct sl inside = cur_need_while(c, is_dcontent);
	cur_need(c, ']');
	if (!cur_ok(c))
		return;
	host.text = sl_sub(c->in, start, c->at);
	if (read_ip(inside, AF_INET, host.ip))
		host.kind = SMTP_HOST_IPV4;
	else if (sl_starts_ci(inside, SL("IPv6:")) && read_ip(sl_from(inside, 5), AF_INET6, host.ip))
		host.kind = SMTP_HOST_IPV6;
	else if (!sl_starts_ci(inside, SL("IPv6:")) && is_general_literal(inside))
		host.kind = SMTP_HOST_GENERAL;
	else
		cur_fail(c, E_SYNTAX);
	*out = host;
}

void smtp_parse_host(struct cur *c, struct arena *a, struct smtp_host *out)
{
	if (cur_peek(c) == '[')
		parse_address_literal(c, out);
	else
		parse_domain(c, a, out);
}

void smtp_parse_mailbox(struct cur *c, struct arena *a, struct smtp_path *out)
{
	struct smtp_path path = { 0 };
	size_t start = c->at;

	path.local = parse_local_part(c, a);
	if (cur_peek(c) != '@' && sl_eq_ci(path.local, SL("postmaster"))) {
		path.postmaster = true;
	} else {
		cur_need(c, '@');
		smtp_parse_host(c, a, &path.host);
	}
	if (!cur_ok(c))
		return;
	path.raw = sl_sub(c->in, start, c->at);
	path.utf8 = !sl_is_ascii(path.raw);
	if (path.raw.n + 2 > SMTP_PATH_MAX) // with the angle brackets
		cur_fail(c, E_TOOBIG);
	else
		*out = path;
}

/// A-d-l = At-domain *("," At-domain)
/// At-domain = "@" Domain ; RFC 5321 §4.1.2: "SHOULD be ignored"
static void skip_source_route(struct cur *c, struct arena *a)
{
	struct smtp_host ignored;

	do {
		cur_need(c, '@');
		smtp_parse_host(c, a, &ignored);
	} while (cur_take(c, ','));
	cur_need(c, ':');
}

/// Path = "<" [A-d-l ":"] Mailbox ">"
void smtp_parse_path(struct cur *c, struct arena *a, bool allow_null, struct smtp_path *out)
{
	struct smtp_path path = { 0 };

	cur_need(c, '<');
	if (allow_null && cur_take(c, '>')) {
		*out = (struct smtp_path){ .null = true };
		return;
	}
	if (cur_peek(c) == '@')
		skip_source_route(c, a);
	smtp_parse_mailbox(c, a, &path);
	cur_need(c, '>');
	if (cur_ok(c))
		*out = path;
}

static bool is_dot_string(struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool dot = s.p[i] == '.';
		if (!dot && !is_atext(s.p[i]))
			return false;
		if (dot && (i == 0 || i + 1 == s.n || s.p[i - 1] == '.'))
			return false;
	}
	return s.n > 0;
}

void smtp_print_path(struct buf *b, const struct smtp_path *p)
{
	if (p->null)
		return;
	if (is_dot_string(p->local)) {
		buf_add(b, p->local);
	} else {
		buf_addc(b, '"');
		for (size_t i = 0; i < p->local.n; i++) {
			if (p->local.p[i] == '"' || p->local.p[i] == '\\')
				buf_addc(b, '\\');
			buf_addc(b, p->local.p[i]);
		}
		buf_addc(b, '"');
	}
	if (p->postmaster)
		return;
	buf_addc(b, '@');
	buf_add(b, p->host.text);
}
