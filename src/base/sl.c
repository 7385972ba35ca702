/// sl — comparing, searching and cutting slices. Nothing here allocates or fails.
#include "base/sl.h"

#include <string.h>

struct sl sl_cstr(const char *s)
{
	return (struct sl){ (const uint8_t *)s, s ? strlen(s) : 0 };
}

bool sl_eq(struct sl a, struct sl b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool sl_eq_ci(struct sl a, struct sl b)
{
	return a.n == b.n && sl_starts_ci(a, b);
}

int sl_cmp(struct sl a, struct sl b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool sl_starts(struct sl s, struct sl head)
{
	return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

bool sl_starts_ci(struct sl s, struct sl head)
{
	if (s.n < head.n)
		return false;
	for (size_t i = 0; i < head.n; i++)
		if (to_lower(s.p[i]) != to_lower(head.p[i]))
			return false;
	return true;
}

bool sl_ends_ci(struct sl s, struct sl tail)
{
	return s.n >= tail.n && sl_starts_ci(sl_from(s, s.n - tail.n), tail);
}

struct sl sl_from(struct sl s, size_t from)
{
	if (from >= s.n)
		return (struct sl){ s.p, 0 };
	return (struct sl){ s.p + from, s.n - from };
}

struct sl sl_head(struct sl s, size_t n)
{
	return (struct sl){ s.p, n < s.n ? n : s.n };
}

struct sl sl_sub(struct sl s, size_t from, size_t to)
{
	return to > from ? sl_from(sl_head(s, to), from) : (struct sl){ s.p, 0 };
}

size_t sl_find(struct sl s, uint8_t c)
{
	const uint8_t *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

size_t sl_rfind(struct sl s, uint8_t c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return s.n;
}

size_t sl_find_sl(struct sl s, struct sl what)
{
	const uint8_t *hit;

	if (what.n == 0)
		return 0;
	hit = s.n ? memmem(s.p, s.n, what.p, what.n) : NULL;
	return hit ? (size_t)(hit - s.p) : s.n;
}

struct sl sl_trim(struct sl s)
{
	while (s.n && (is_wsp(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n'))
		s = sl_from(s, 1);
	while (s.n && (is_wsp(s.p[s.n - 1]) || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

struct sl sl_cut(struct sl *rest, uint8_t c)
{
	size_t at = sl_find(*rest, c);
	struct sl first = sl_head(*rest, at);

	*rest = sl_from(*rest, at + 1);
	return first;
}

bool sl_eq_secret(struct sl a, struct sl b)
{
	volatile uint8_t diff = 0;

	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		diff = (uint8_t)(diff | (a.p[i] ^ b.p[i]));
	return diff == 0;
}
