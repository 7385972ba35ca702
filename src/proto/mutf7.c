/// mutf7 — UTF-16 in base64 with ',' for '/', between '&' and '-'.
#include "proto/mutf7.h"

#include "base/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Value of a modified base64 digit, or -1.
static int digit_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0' + 52;
	if (is_alpha(c))
		return c >= 'a' ? c - 'a' + 26 : c - 'A';
	return c == '+' ? 62 : c == ',' ? 63 : -1;
}

static bool is_direct(uint32_t ch)
{
	return ch >= 0x20 && ch <= 0x7e;
}

/// What has come of one base64 run: bits not yet used, and the first half of a surrogate pair.
struct run {
	uint32_t bits;
	unsigned n_bits;
	uint32_t high; // 0: none
};

/// Takes one UTF-16 unit of a run; false where it may not stand there.
static bool put_unit(struct run *r, uint32_t unit, struct buf *out)
{
	if (unit >= 0xdc00 && unit < 0xe000) {
		if (!r->high)
			return false;
		utf8_put(out, 0x10000 + ((r->high - 0xd800) << 10) + (unit - 0xdc00));
		r->high = 0;
		return true;
	}
	if (r->high || is_direct(unit))
		return false; // half a pair; or a character that has another, shorter spelling
	if (unit >= 0xd800 && unit < 0xdc00)
		r->high = unit;
	else
		utf8_put(out, unit);
	return true;
}

/// "&" 1*base64 "-" from behind the "&"; returns the octets taken, 0 where they are wrong.
static size_t decode_run(struct sl in, struct buf *out)
{
	struct run r = { 0 };
	size_t i;

	for (i = 0; i < in.n && in.p[i] != '-'; i++) {
		int v = digit_value(in.p[i]);
		if (v < 0)
			return 0;
		r.bits = r.bits << 6 | (uint32_t)v;
		r.n_bits += 6;
		if (r.n_bits < 16)
			continue;
		r.n_bits -= 16;
		if (!put_unit(&r, r.bits >> r.n_bits & 0xffff, out))
			return 0;
		r.bits &= (1u << r.n_bits) - 1;
	}
	if (i == in.n || i == 0 || r.high || r.n_bits >= 6 || r.bits != 0)
		return 0;
	return i + 1;
}

static enum ec decode(struct sl in, struct buf *out)
{
	bool after_run = false; // two runs side by side would have been one

	while (in.n) {
		uint8_t ch = in.p[0];
		if (!is_direct(ch))
			return E_SYNTAX;
		in = sl_from(in, 1);
		if (ch != '&' || (in.n && in.p[0] == '-')) {
			in = sl_from(in, ch == '&'); // "&-" is "&"
			buf_addc(out, ch);
			after_run = false;
			continue;
		}
		size_t taken = after_run ? 0 : decode_run(in, out);
		if (taken == 0)
			return E_SYNTAX;
		in = sl_from(in, taken);
		after_run = true;
	}
	return out->err;
}

enum ec mutf7_to_utf8(struct sl in, struct buf *out)
{
	size_t before = out->n;
	enum ec e = decode(in, out);

	if (e != E_OK)
		out->n = before;
	return e;
}

/// Writes the digits that `r` holds in full; with `last`, what is left too, padded with zero bits.
static void put_digits(struct run *r, bool last, struct buf *out)
{
	while (r->n_bits >= 6) {
		r->n_bits -= 6;
		buf_addc(out, (uint8_t)digits[r->bits >> r->n_bits & 63]);
	}
	if (last && r->n_bits)
		buf_addc(out, (uint8_t)digits[r->bits << (6 - r->n_bits) & 63]);
}

static void add_unit(struct run *r, uint32_t unit, struct buf *out)
{
	r->bits = r->bits << 16 | unit; // at most 5 + 16 bits
	r->n_bits += 16;
	put_digits(r, false, out);
}

/// Encodes the run of characters at the start of `in` that are not printable ASCII; returns the octets taken.
static size_t encode_run(struct sl in, struct buf *out)
{
	struct run r = { 0 };
	size_t at = 0, len;

	buf_addc(out, '&');
	for (; at < in.n && !is_direct(in.p[at]); at += len) {
		uint32_t ch = utf8_get(sl_from(in, at), &len);
		if (ch >= 0x10000) {
			add_unit(&r, 0xd800 + ((ch - 0x10000) >> 10), out);
			add_unit(&r, 0xdc00 + (ch & 0x3ff), out);
		} else {
			add_unit(&r, ch, out);
		}
	}
	put_digits(&r, true, out);
	buf_addc(out, '-');
	return at;
}

enum ec mutf7_from_utf8(struct sl in, struct buf *out)
{
	size_t before = out->n;

	if (!utf8_valid(in))
		return E_SYNTAX;
	while (in.n) {
		if (is_direct(in.p[0])) {
			buf_addc(out, in.p[0]);
			if (in.p[0] == '&')
				buf_addc(out, '-');
			in = sl_from(in, 1);
		} else {
			in = sl_from(in, encode_run(in, out));
		}
	}
	if (out->err != E_OK)
		out->n = before;
	return out->err;
}
