/// base64 — strict RFC 4648.
#include "proto/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Value of a base64 digit, or -1.
static int digit_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0' + 52;
	if (is_alpha(c))
		return c >= 'a' ? c - 'a' + 26 : c - 'A';
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum ec base64_decode(struct sl in, struct arena *a, struct sl *out)
{
	size_t n = in.n, pad = 0, at = 0;
	uint32_t bits = 0;

	if (n % 4)
		return E_SYNTAX;
	while (pad < 2 && n && in.p[n - 1] == '=') {
		pad++;
		n--;
	}
	uint8_t *p = arena_alloc(a, in.n / 4 * 3, 1);
	if (!p)
		return E_TEMP;
	for (size_t i = 0; i < n; i++) {
		int v = digit_value(in.p[i]);
		if (v < 0)
			return E_SYNTAX;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4)
			p[at++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	// With padding the last digit holds bits that no octet uses: they must be zero.
	if ((pad == 1 && bits & 3) || (pad == 2 && bits & 15))
		return E_SYNTAX;
	*out = (struct sl){ p, at };
	return E_OK;
}

void base64_encode(struct buf *b, struct sl in)
{
	for (size_t i = 0; i < in.n; i += 3) {
		uint32_t bits = (uint32_t)in.p[i] << 16;
		bits |= i + 1 < in.n ? (uint32_t)in.p[i + 1] << 8 : 0;
		bits |= i + 2 < in.n ? in.p[i + 2] : 0;
		buf_addc(b, (uint8_t)digits[bits >> 18]);
		buf_addc(b, (uint8_t)digits[bits >> 12 & 63]);
		buf_addc(b, i + 1 < in.n ? (uint8_t)digits[bits >> 6 & 63] : '=');
		buf_addc(b, i + 2 < in.n ? (uint8_t)digits[bits & 63] : '=');
	}
}
