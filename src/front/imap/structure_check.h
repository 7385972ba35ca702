#pragma once
/// structure_check — what every ENVELOPE and BODYSTRUCTURE must be, for tests and fuzzers: balanced IMAP data.
///
/// Takes strings, literals, NIL, numbers and lists as RFC 9051 §9 has them and nothing else; knows no printer.
#include <stdbool.h>

#include "base/cur.h"
#include "base/utf8.h"

/// quoted = DQUOTE *QUOTED-CHAR DQUOTE; no control octet and, where not `utf8`, none above 0x7f.
static inline void check_quoted(struct cur *c, bool utf8)
{
	size_t start = c->at + 1;

	cur_need(c, '"');
	for (int ch; (ch = cur_peek(c)) >= 0 && ch != '"';) {
		if (ch == '\\') {
			cur_need(c, '\\');
			ch = cur_peek(c);
			if (ch != '"' && ch != '\\')
				cur_fail(c, E_SYNTAX);
		}
		if (ch < ' ' || ch == 0x7f || (ch > 0x7f && !utf8))
			cur_fail(c, E_SYNTAX);
		(void)cur_need_n(c, 1);
	}
	if (!utf8_valid(sl_sub(c->in, start, c->at)))
		cur_fail(c, E_SYNTAX);
	cur_need(c, '"');
}

/// literal = "{" number "}" CRLF *CHAR8, here without control octets too.
static inline void check_literal(struct cur *c)
{
	cur_need(c, '{');
	uint64_t n = cur_need_num(c, UINT32_MAX);
	cur_need_ci(c, SL("}\r\n"));
	struct sl text = cur_need_n(c, (size_t)n);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] == 0x7f)
			cur_fail(c, E_SYNTAX);
}

/// Takes one string, NIL, number or list; lists within lists up to `depth`.
static inline void check_value(struct cur *c, bool utf8, unsigned depth)
{
	int ch = cur_peek(c);

	if (ch == '"') {
		check_quoted(c, utf8);
	} else if (ch == '{') {
		check_literal(c);
	} else if (ch >= '0' && ch <= '9') {
		(void)cur_need_num(c, UINT32_MAX);
	} else if (ch != '(') {
		cur_need_ci(c, SL("NIL"));
	} else if (depth == 0) {
		cur_fail(c, E_LIMIT);
	} else {
		cur_need(c, '(');
		do
			check_value(c, utf8, depth - 1);
		while (cur_take(c, ' ') || cur_peek(c) == '(');
		cur_need(c, ')');
	}
}

/// True where the whole of `s` is one list.
static inline bool check_structure(struct sl s, bool utf8)
{
	struct cur c = cur_over(s);

	if (cur_peek(&c) != '(')
		return false;
	check_value(&c, utf8, 400);
	cur_need_end(&c);
	return cur_ok(&c);
}
