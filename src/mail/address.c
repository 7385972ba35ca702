/// address — the liberal list parser, and the strict check of one addr-spec.
///
/// The list parser reads tokens and keeps, side by side, what they would mean as a display name (`phrase`) and as an
/// addr-spec (`local`, `domain`); the octet that ends them (`<` `:` `,` `;`) decides which it was.
#include "base/buf.h"
#include "base/cur.h"
#include "base/num.h"
#include "base/utf8.h"
#include "mail/address.h"
#include "mail/header.h"

#include <string.h>

enum token { T_END = 0, T_WORD = 'w', T_LITERAL = '[' /* others are the special octet itself */ };

struct parse {
	struct cur c;
	struct arena *a;
	struct address_list *list;
	struct buf word; // the last token's text
	struct buf phrase, local, domain, route, comment;
	size_t name_n; // octets of `phrase` before the present local part
	bool gap;      // blanks or a comment stood before the last token
	bool at;       // an @ has been seen
	bool angle;    // a <…> has been read: local, domain and route are settled
	bool in_group;
	bool no_quote, no_paren,
		no_bracket; // no closing one follows: take the opening one as nothing (keeps it linear)
};

/// specials of RFC 5322 §3.2.3, and what separates words.
static bool is_atom(uint8_t c)
{
	return c > ' ' && c != 0x7f && !memchr("()<>[:;@,.\"", c, 11);
}

/// Offset of the octet that closes what opens at `at`; in.n where nothing does. A backslash takes the next octet along.
static size_t find_close(struct sl in, size_t at, uint8_t open, uint8_t close)
{
	size_t depth = 0;

	for (size_t i = at; i < in.n; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == close && (open == close ? i > at : --depth == 0))
			return i;
		else if (in.p[i] == open)
			depth = open == '(' ? min_size(depth + 1, ADDRESS_COMMENT_DEPTH) : 1;
	}
	return in.n;
}

/// Appends the text between two marks: quoted pairs undone, no line ends, no NUL.
static void put_unquoted(struct buf *b, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != 0)
			buf_addc(b, s.p[i]);
	}
}

/// Takes `open` … `close` and puts its text into `to`. False where it is not closed: then only `open` is taken.
static bool take_enclosed(struct parse *p, uint8_t close, bool *none, struct buf *to)
{
	size_t from = p->c.at, end = *none ? p->c.in.n : find_close(p->c.in, from, p->c.in.p[from], close);

	p->c.at++;
	if (end >= p->c.in.n) {
		*none = true;
		p->list->broken = true;
		return false;
	}
	put_unquoted(to, sl_sub(p->c.in, from + 1, end));
	p->c.at = end + 1;
	return true;
}

/// Skips blanks and control octets; comments are collected, one space between them.
static void take_cfws(struct parse *p)
{
	p->gap = false;
	for (; !cur_end(&p->c); p->gap = true) {
		int ch = cur_peek(&p->c);
		if (ch == '(') {
			if (p->comment.n)
				buf_addc(&p->comment, ' ');
			(void)take_enclosed(p, ')', &p->no_paren, &p->comment);
		} else if (ch == ')') {
			p->c.at++;
			p->list->broken = true;
		} else if (ch <= ' ' || ch == 0x7f) {
			p->c.at++;
		} else {
			return;
		}
	}
}

/// The next token; the text of a word or literal is in p->word.
static enum token next_token(struct parse *p)
{
	buf_clear(&p->word);
	for (;;) {
		take_cfws(p);
		int ch = cur_peek(&p->c);
		if (ch < 0)
			return T_END;
		if (ch == '"') {
			if (take_enclosed(p, '"', &p->no_quote, &p->word))
				return T_WORD;
			continue;
		}
		if (ch == '[') {
			buf_addc(&p->word, '[');
			if (take_enclosed(p, ']', &p->no_bracket, &p->word)) {
				buf_addc(&p->word, ']');
				return T_LITERAL;
			}
			buf_clear(&p->word);
			continue;
		}
		struct sl atom = cur_take_while(&p->c, is_atom);
		if (atom.n) {
			buf_add(&p->word, atom);
			return T_WORD;
		}
		p->c.at++;
		return (enum token)ch;
	}
}

static void entry_clear(struct parse *p)
{
	buf_clear(&p->phrase);
	buf_clear(&p->local);
	buf_clear(&p->domain);
	buf_clear(&p->route);
	buf_clear(&p->comment);
	p->name_n = 0;
	p->at = p->angle = false;
}

/// Adds an entry to the list; NULL where it is full or memory ends.
static struct address *entry_add(struct parse *p, enum address_kind kind)
{
	struct address_list *l = p->list;

	if (l->n >= ADDRESS_LIST_MAX) {
		l->cut = true;
		return NULL;
	}
	struct address *one = arena_alloc(p->a, 1, sizeof *one);
	if (!one) {
		cur_fail(&p->c, E_TEMP);
		return NULL;
	}
	one->kind = kind;
	*(l->first ? l->tail : &l->first) = one;
	l->tail = &one->next;
	l->n++;
	return one;
}

static struct sl keep(struct parse *p, struct sl s)
{
	struct sl copy = arena_copy(p->a, s);

	if (!copy.p)
		cur_fail(&p->c, E_TEMP);
	return copy;
}

static struct sl keep_or_nil(struct parse *p, struct sl s)
{
	return s.n ? keep(p, s) : (struct sl){ 0 };
}

/// Ends one mailbox at `,` `;` or the end. Nothing between two commas is nothing (RFC 5322 §4.4).
static void end_mailbox(struct parse *p)
{
	struct sl phrase = buf_sl(&p->phrase), name = p->angle ? phrase : sl_trim(sl_head(phrase, p->name_n));

	if (p->angle || phrase.n) {
		struct address *one = entry_add(p, ADDRESS_MAILBOX);
		if (one) {
			bool bare = !p->angle && !p->at; // a word without @: a local part, blanks and all
			p->list->broken |= p->domain.n == 0 || (!p->angle && name.n && !bare);
			if (bare)
				name.n = 0;
			one->name = keep_or_nil(p, name.n ? name : sl_trim(buf_sl(&p->comment)));
			one->route = keep_or_nil(p, buf_sl(&p->route));
			one->mailbox = keep(p, bare ? phrase : buf_sl(&p->local));
			one->host = keep(p, buf_sl(&p->domain));
		}
	}
	entry_clear(p);
}

static void end_group(struct parse *p)
{
	if (p->in_group)
		(void)entry_add(p, ADDRESS_GROUP_END);
	p->in_group = false;
}

/// group = display-name ":" [group-list] ";" [CFWS]: the colon has been read.
static void begin_group(struct parse *p)
{
	p->list->broken |= p->in_group || p->at || p->angle;
	end_group(p);
	struct address *one = entry_add(p, ADDRESS_GROUP_START);
	if (one) {
		one->mailbox = keep(p, buf_sl(&p->phrase));
		p->in_group = true;
	}
	entry_clear(p);
}

/// Adds a token to what may be an addr-spec.
static void put_spec(struct parse *p, enum token t)
{
	struct buf *to = p->at ? &p->domain : &p->local;

	if (t == '@') {
		if (p->at) { // a second one: the first belonged to the local part
			buf_addc(&p->local, '@');
			buf_add(&p->local, buf_sl(&p->domain));
			buf_clear(&p->domain);
		}
		p->at = true;
	} else if (t == T_WORD || t == T_LITERAL) {
		buf_add(to, buf_sl(&p->word));
	} else {
		buf_addc(to, (uint8_t)t);
	}
}

/// Adds a token to the display name, blanks before it as one.
static void put_phrase(struct parse *p, enum token t)
{
	bool word = t == T_WORD || t == T_LITERAL;

	// Two words side by side ("a b") also when only quotes part them, but "Q." and "a@b" hold together.
	if (p->gap && p->phrase.n)
		buf_addc(&p->phrase, ' ');
	if (word && !p->at && p->gap && p->local.n && p->local.p[p->local.n - 1] != '.') {
		p->name_n = p->phrase.n; // what stood before was no local part
		buf_clear(&p->local);
	}
	if (word)
		buf_add(&p->phrase, buf_sl(&p->word));
	else
		buf_addc(&p->phrase, (uint8_t)t);
}

/// angle-addr = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]; obs-route = obs-domain-list ":"
static void take_angle(struct parse *p)
{
	bool routed = false;

	buf_clear(&p->local);
	buf_clear(&p->domain);
	p->at = false;
	for (enum token t; cur_ok(&p->c) && (t = next_token(p)) != '>';) {
		bool route = p->at && p->local.n == 0 && !routed; // "@a,@b": a domain without a local part
		if (t == T_END || ((t == ',' || t == ';') && !route)) {
			p->list->broken = true;
			p->c.at -= t != T_END; // a forgotten `>`
			break;
		}
		if (route && t == ':') {
			buf_addc(&p->route, '@');
			buf_add(&p->route, buf_sl(&p->domain));
			buf_clear(&p->domain);
			p->at = false;
			routed = true;
		} else if (route && t == '@') {
			buf_addc(&p->domain, '@');
		} else {
			put_spec(p, t);
		}
	}
	p->angle = true;
}

/// One token of an address list.
static void take_part(struct parse *p, enum token t)
{
	if (t == ',') {
		end_mailbox(p);
	} else if (t == ';') {
		p->list->broken |= !p->in_group;
		end_mailbox(p);
		end_group(p);
	} else if (t == ':') {
		begin_group(p);
	} else if (t == '<' && !p->angle) {
		take_angle(p);
	} else if (t == '<' || t == '>' || (p->angle && p->name_n)) {
		p->list->broken = true; // also words behind <…> when there was a name before it
	} else {
		put_phrase(p, t);
		if (!p->angle)
			put_spec(p, t);
	}
	if (t == '<')
		p->name_n = p->phrase.n;
}

enum ec address_parse_list(struct sl value, struct arena *a, struct address_list *list)
{
	struct parse p = {
		.c = cur_over(sl_head(value, HEADER_VALUE_MAX)),
		.a = a,
		.list = list,
		.word = BUF(HEADER_VALUE_MAX),
		.phrase = BUF(HEADER_VALUE_MAX * 2),
		.local = BUF(HEADER_VALUE_MAX * 2),
		.domain = BUF(HEADER_VALUE_MAX * 2),
		.route = BUF(HEADER_VALUE_MAX * 2),
		.comment = BUF(HEADER_VALUE_MAX * 2),
	};
	struct buf *all[] = { &p.word, &p.phrase, &p.local, &p.domain, &p.route, &p.comment };

	for (enum token t; cur_ok(&p.c) && (t = next_token(&p)) != T_END;) {
		take_part(&p, t);
		for (size_t i = 0; i < ARRAY_N(all); i++)
			if (all[i]->err)
				cur_fail(&p.c, E_TEMP);
	}
	if (cur_ok(&p.c)) {
		end_mailbox(&p);
		list->broken |= p.in_group;
		end_group(&p);
	}
	for (size_t i = 0; i < ARRAY_N(all); i++)
		buf_free(all[i]);
	return p.c.err;
}

/// The strict check: one pass that raises the class as it meets wider grammar; ADDRESS_BAD ends it.
struct check {
	struct cur c;
	enum address_class class;
	bool utf8;
};

static void raise(struct check *k, enum address_class to)
{
	if (to > k->class)
		k->class = to;
	if (to == ADDRESS_BAD)
		cur_fail(&k->c, E_SYNTAX);
}

/// obs-NO-WS-CTL = %d1-8 / %d11 / %d12 / %d14-31 / %d127
static bool is_no_ws_ctl(int c)
{
	return (c >= 1 && c <= 8) || c == 11 || c == 12 || (c >= 14 && c <= 31) || c == 127;
}

/// UTF8-non-ascii (RFC 6531 §3.3, RFC 6532 §3.1), taken whole.
static bool take_utf8(struct check *k)
{
	size_t n = k->utf8 && cur_peek(&k->c) >= 0x80 ? utf8_len(cur_rest(&k->c)) : 0;

	k->c.at += n;
	return n > 0;
}

/// FWS = ([*WSP CRLF] 1*WSP) / obs-FWS; obs-FWS = 1*WSP *(CRLF 1*WSP)
static bool check_fws(struct check *k, enum address_class class)
{
	size_t from = k->c.at, folds = 0;

	for (;;) {
		while (cur_take(&k->c, ' ') || cur_take(&k->c, '\t'))
			;
		if (!cur_take_sl(&k->c, SL("\r\n")))
			break;
		folds++;
		if (cur_peek(&k->c) != ' ' && cur_peek(&k->c) != '\t')
			raise(k, ADDRESS_BAD);
	}
	if (k->c.at == from)
		return false;
	raise(k, folds > 1 ? ADDRESS_OBSOLETE : class);
	return true;
}

/// quoted-pair = ("\" (VCHAR / WSP)) / obs-qp: the backslash has been taken. SMTP knows it for %d32-126.
static void check_pair(struct check *k)
{
	int ch = cur_peek(&k->c);

	if (take_utf8(k))
		return;
	if (ch < 0 || ch >= 0x80)
		raise(k, ADDRESS_BAD);
	else if (ch == 0 || ch == '\r' || ch == '\n' || is_no_ws_ctl(ch))
		raise(k, ADDRESS_OBSOLETE);
	else if (ch == '\t')
		raise(k, ADDRESS_CFWS);
	k->c.at += cur_ok(&k->c);
}

/// One octet of quoted text, comment or literal: printable, or obsolete control octets.
static void check_text(struct check *k, enum address_class control)
{
	int ch = cur_peek(&k->c);

	if (take_utf8(k))
		return;
	if (ch <= 0 || ch >= 0x80 || ch == '\r' || ch == '\n')
		raise(k, ADDRESS_BAD);
	else if (is_no_ws_ctl(ch))
		raise(k, control);
	k->c.at += cur_ok(&k->c);
}

/// CFWS = (1*([FWS] comment) [FWS]) / FWS; comment = "(" *([FWS] ccontent) [FWS] ")"
static bool check_cfws(struct check *k, enum address_class class)
{
	size_t from = k->c.at, depth = 0;

	while (cur_ok(&k->c)) {
		if (check_fws(k, class))
			continue;
		if (cur_take(&k->c, '('))
			depth++;
		else if (depth == 0)
			break;
		else if (cur_take(&k->c, ')'))
			depth--;
		else if (cur_take(&k->c, '\\'))
			check_pair(k);
		else
			check_text(k, ADDRESS_OBSOLETE);
	}
	if (k->c.at > from)
		raise(k, class);
	return k->c.at > from;
}

/// atext, RFC 5322 §3.2.3
static bool is_atext(int c)
{
	return c > ' ' && c < 0x7f && !memchr("()<>[]:;@\\,.\"", c, 13);
}

static void check_atom(struct check *k)
{
	size_t from = k->c.at;

	while (is_atext(cur_peek(&k->c)) || take_utf8(k))
		k->c.at += is_atext(cur_peek(&k->c));
	if (k->c.at == from)
		raise(k, ADDRESS_BAD);
}

/// quoted-string = DQUOTE *([FWS] qcontent) [FWS] DQUOTE; the opening quote has been taken. SMTP's has no folds and
/// no HTAB: of white space only SP (RFC 5321 §4.1.2, qtextSMTP).
static void check_quoted(struct check *k)
{
	while (cur_ok(&k->c) && !cur_take(&k->c, '"')) {
		if (cur_take(&k->c, ' '))
			continue;
		if (cur_take(&k->c, '\\'))
			check_pair(k);
		else if (!check_fws(k, ADDRESS_CFWS))
			check_text(k, ADDRESS_OBSOLETE);
	}
}

/// local-part = dot-atom / quoted-string / obs-local-part; obs-local-part = word *("." word)
static void check_local(struct check *k)
{
	size_t octets = 0, words = 0, quoted = 0;

	check_cfws(k, ADDRESS_CFWS);
	do {
		if (words++ > 0)
			check_cfws(k, ADDRESS_OBSOLETE);
		size_t from = k->c.at;
		if (cur_take(&k->c, '"')) {
			quoted++;
			check_quoted(k);
		} else {
			check_atom(k);
		}
		octets += k->c.at - from + 1;
		check_cfws(k, ADDRESS_OBSOLETE); // before a dot it is obsolete, before the @ "SHOULD NOT"
	} while (cur_take(&k->c, '.'));
	if (quoted && words > 1)
		raise(k, ADDRESS_OBSOLETE);
	if (octets - 1 > ADDRESS_LOCAL_MAX)
		raise(k, ADDRESS_WIDE);
}

/// IPv4-address-literal = Snum 3("." Snum); Snum = 1*3DIGIT, at most 255
static bool is_ipv4(struct sl s)
{
	for (int i = 0; i < 4; i++) {
		struct sl part = sl_cut(&s, '.');
		uint64_t v;
		if (part.n > 3 || !num_parse(part, 255, &v) || (s.n == 0) != (i == 3))
			return false;
	}
	return true;
}

/// Counts groups of 1*4HEXDIG parted by single colons; an IPv4 address at the end counts as two. -1 where broken.
static int ipv6_groups(struct sl s)
{
	int n = 0;

	while (s.n) {
		size_t colon = sl_find(s, ':');
		struct sl one = sl_head(s, colon);
		bool last = colon == s.n;
		if (last && is_ipv4(one))
			return n + 2;
		if (one.n < 1 || one.n > 4)
			return -1;
		for (size_t i = 0; i < one.n; i++)
			if (hex_value(one.p[i]) < 0)
				return -1;
		n++;
		if (!last && colon + 1 == s.n)
			return -1; // ends with a colon
		s = sl_from(s, colon + 1);
	}
	return n;
}

/// IPv6-addr = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp (RFC 5321 §4.1.3)
static enum address_class ipv6_class(struct sl s)
{
	size_t comp = sl_find_sl(s, SL("::"));
	int before = ipv6_groups(sl_head(s, comp)), after = ipv6_groups(sl_from(s, comp + 2));

	if (comp == s.n)
		return before == 8 ? ADDRESS_SMTP : ADDRESS_WIDE;
	if (before < 0 || after < 0 || (comp && before && sl_find(sl_head(s, comp), '.') < comp))
		return ADDRESS_WIDE;
	// "::" stands for at least two groups in RFC 5321; for one it is RFC 4291's older reading.
	return before + after <= 6 ? ADDRESS_SMTP : before + after == 7 ? ADDRESS_OBSOLETE : ADDRESS_WIDE;
}

/// domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS]; the bracket has been taken.
static void check_literal(struct check *k)
{
	size_t from = k->c.at, end = from;

	for (; cur_ok(&k->c) && !cur_take(&k->c, ']'); end = k->c.at) {
		if (cur_peek(&k->c) == '[') {
			raise(k, ADDRESS_BAD);
		} else if (cur_take(&k->c, '\\')) {
			check_pair(k);
			raise(k, ADDRESS_WIDE);
		} else if (!check_fws(k, ADDRESS_WIDE)) {
			check_text(k, ADDRESS_WIDE);
		}
	}
	struct sl text = sl_sub(k->c.in, from, end);
	if (!cur_ok(&k->c) || is_ipv4(text))
		return;
	raise(k, sl_starts_ci(text, SL("IPv6:")) ? ipv6_class(sl_from(text, 5)) : ADDRESS_WIDE);
}

/// sub-domain = Let-dig [Ldh-str], at most 63 octets (RFC 5321 §4.1.2, RFC 1035 §2.3.4)
static bool is_sub_domain(struct sl s)
{
	if (s.n == 0 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] < 0x80)
			return false;
	return true;
}

/// domain = dot-atom / domain-literal / obs-domain; obs-domain = atom *("." atom). Yields its octets without CFWS.
static size_t check_domain(struct check *k)
{
	size_t octets = 0, dots = 0;

	check_cfws(k, ADDRESS_OBSOLETE);
	if (cur_take(&k->c, '[')) {
		size_t from = k->c.at;
		check_literal(k);
		octets = k->c.at - from + 1;
		check_cfws(k, ADDRESS_CFWS);
		return octets;
	}
	for (;;) {
		size_t from = k->c.at;
		check_atom(k);
		struct sl label = sl_sub(k->c.in, from, k->c.at);
		octets += label.n;
		if (cur_ok(&k->c) && !is_sub_domain(label))
			raise(k, ADDRESS_WIDE);
		bool cfws = check_cfws(k, ADDRESS_CFWS);
		if (!cur_take(&k->c, '.'))
			break;
		dots++;
		if (check_cfws(k, ADDRESS_OBSOLETE) || cfws)
			raise(k, ADDRESS_OBSOLETE);
	}
	return octets + dots;
}

enum address_class address_check_addr_spec(struct sl spec, bool utf8)
{
	struct check k = { .c = cur_over(sl_head(spec, HEADER_VALUE_MAX)), .utf8 = utf8 };

	if (spec.n > HEADER_VALUE_MAX)
		return ADDRESS_BAD;
	check_local(&k);
	cur_need(&k.c, '@');
	size_t domain = check_domain(&k);
	cur_need_end(&k.c);
	if (!cur_ok(&k.c))
		return ADDRESS_BAD;
	if (domain > ADDRESS_DOMAIN_MAX)
		raise(&k, ADDRESS_WIDE);
	if (k.class == ADDRESS_SMTP && spec.n > ADDRESS_PATH_MAX)
		raise(&k, ADDRESS_WIDE);
	return k.class;
}
