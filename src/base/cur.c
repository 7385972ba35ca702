/// cur — taking octets from a slice; see the header for the sticky error.
#include "base/cur.h"

#include "base/num.h"

struct cur cur_over(struct sl in)
{
	return (struct cur){ .in = in };
}

struct sl cur_rest(const struct cur *c)
{
	return cur_ok(c) ? sl_from(c->in, c->at) : (struct sl){ c->in.p, 0 };
}

bool cur_take(struct cur *c, uint8_t ch)
{
	if (cur_peek(c) != ch)
		return false;
	c->at++;
	return true;
}

bool cur_take_sl(struct cur *c, struct sl s)
{
	if (!cur_ok(c) || !sl_starts(cur_rest(c), s))
		return false;
	c->at += s.n;
	return true;
}

bool cur_take_ci(struct cur *c, struct sl s)
{
	if (!cur_ok(c) || !sl_starts_ci(cur_rest(c), s))
		return false;
	c->at += s.n;
	return true;
}

void cur_need(struct cur *c, uint8_t ch)
{
	if (!cur_take(c, ch))
		cur_fail(c, E_SYNTAX);
}

void cur_need_ci(struct cur *c, struct sl s)
{
	if (!cur_take_ci(c, s))
		cur_fail(c, E_SYNTAX);
}

void cur_need_end(struct cur *c)
{
	if (!cur_end(c))
		cur_fail(c, E_SYNTAX);
}

struct sl cur_take_while(struct cur *c, bool (*in_class)(uint8_t))
{
	struct sl rest = cur_rest(c);
	size_t n = 0;

	while (n < rest.n && in_class(rest.p[n]))
		n++;
	c->at += n;
	return sl_head(rest, n);
}

struct sl cur_need_while(struct cur *c, bool (*in_class)(uint8_t))
{
	struct sl s = cur_take_while(c, in_class);

	if (s.n == 0)
		cur_fail(c, E_SYNTAX);
	return s;
}

struct sl cur_need_n(struct cur *c, size_t n)
{
	struct sl rest = cur_rest(c);

	if (rest.n < n) {
		cur_fail(c, E_SYNTAX);
		return (struct sl){ rest.p, 0 };
	}
	c->at += n;
	return sl_head(rest, n);
}

static bool is_digit_octet(uint8_t c)
{
	return is_digit(c);
}

uint64_t cur_need_num(struct cur *c, uint64_t max)
{
	size_t start = c->at;
	struct sl digits = cur_need_while(c, is_digit_octet);
	uint64_t v = 0;

	if (cur_ok(c) && !num_parse(digits, max, &v)) {
		c->at = start;
		cur_fail(c, E_RANGE);
	}
	return cur_ok(c) ? v : 0;
}
