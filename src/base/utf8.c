/// utf8 — the strict decoder.
#include "base/utf8.h"

#include <string.h>

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/// The table of RFC 3629 §4, by the range of the second octet.
size_t utf8_len(struct sl s)
{
	if (s.n == 0)
		return 0;
	uint8_t a = s.p[0];
	if (a < 0x80)
		return 1;
	if (a < 0xc2 || a > 0xf4 || s.n < 2)
		return 0;
	uint8_t b = s.p[1];
	if (a < 0xe0)
		return is_tail(b) ? 2 : 0;
	uint8_t lo = a == 0xe0 ? 0xa0 : a == 0xf0 ? 0x90 : 0x80;
	uint8_t hi = a == 0xed ? 0x9f : a == 0xf4 ? 0x8f : 0xbf;
	if (b < lo || b > hi || s.n < 3 || !is_tail(s.p[2]))
		return 0;
	if (a < 0xf0)
		return 3;
	return s.n >= 4 && is_tail(s.p[3]) ? 4 : 0;
}

uint32_t utf8_get(struct sl s, size_t *len)
{
	const uint8_t *p = s.p;

	*len = utf8_len(s);
	switch (*len) {
	case 1: return p[0];
	case 2: return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3fu);
	case 3: return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3fu);
	case 4:
		return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
		       (p[3] & 0x3fu);
	default: *len = 1; return 0xfffd;
	}
}

void utf8_put(struct buf *b, uint32_t ch)
{
	uint8_t o[4];
	size_t n = 0;

	if (ch > 0x10ffff || (ch >= 0xd800 && ch < 0xe000))
		ch = 0xfffd;
	if (ch < 0x80) {
		o[n++] = (uint8_t)ch;
	} else if (ch < 0x800) {
		o[n++] = (uint8_t)(0xc0 | ch >> 6);
		o[n++] = (uint8_t)(0x80 | (ch & 0x3f));
	} else if (ch < 0x10000) {
		o[n++] = (uint8_t)(0xe0 | ch >> 12);
		o[n++] = (uint8_t)(0x80 | (ch >> 6 & 0x3f));
		o[n++] = (uint8_t)(0x80 | (ch & 0x3f));
	} else {
		o[n++] = (uint8_t)(0xf0 | ch >> 18);
		o[n++] = (uint8_t)(0x80 | (ch >> 12 & 0x3f));
		o[n++] = (uint8_t)(0x80 | (ch >> 6 & 0x3f));
		o[n++] = (uint8_t)(0x80 | (ch & 0x3f));
	}
	buf_add(b, (struct sl){ o, n });
}

size_t utf8_ascii_run(struct sl s)
{
	size_t n = 0;

	for (uint64_t eight; s.n - n >= sizeof eight; n += sizeof eight) {
		memcpy(&eight, s.p + n, sizeof eight);
		if (eight & 0x8080808080808080u)
			break;
	}
	while (n < s.n && s.p[n] < 0x80)
		n++;
	return n;
}

bool utf8_valid(struct sl s)
{
	for (s = sl_from(s, utf8_ascii_run(s)); s.n; s = sl_from(s, utf8_ascii_run(s))) {
		size_t k = utf8_len(s);
		if (k == 0)
			return false;
		s = sl_from(s, k);
	}
	return true;
}

bool sl_is_ascii(struct sl s)
{
	return utf8_ascii_run(s) == s.n;
}
