/// saslprep — map, normalise, prohibit, check directions: the four steps of RFC 3454 in their order.
#include "auth/saslprep.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/num.h"
#include "base/utf8.h"

enum { SASLPREP_OCTETS_MAX = 4096 }; // of one text; SASL allows 1023

struct span {
	int32_t from, to; // both included
};

/// RFC 3454 C.1.2: non-ASCII space characters.
static const struct span spaces[] = { { 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200b }, { 0x202f, 0x202f },
	{ 0x205f, 0x205f }, { 0x3000, 0x3000 } };

/// RFC 3454 B.1: commonly mapped to nothing.
static const struct span nothings[] = { { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x1806, 0x1806 }, { 0x180b, 0x180d },
	{ 0x200c, 0x200d }, { 0x2060, 0x2060 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff } };

/// RFC 3454 C.1.2, C.2.1 to C.9, merged; C.4 ends every plane and is a rule of its own.
static const struct span prohibited[] = { { 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0x340, 0x341 }, { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f }, { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
	{ 0x205f, 0x2063 }, { 0x206a, 0x206f }, { 0x2ff0, 0x2ffb }, { 0x3000, 0x3000 }, { 0xd800, 0xf8ff },
	{ 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff }, { 0xfff9, 0xffff }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe0001 },
	{ 0xe0020, 0xe007f }, { 0xf0000, 0x10ffff } };

static bool within(const struct span *spans, size_t n, int32_t ch)
{
	for (size_t i = 0; i < n; i++)
		if (ch >= spans[i].from && ch <= spans[i].to)
			return true;
	return false;
}

/// RFC 4013 §2.1.
static void map(struct sl text, struct buf *out)
{
	while (text.n) {
		size_t n;
		int32_t ch = (int32_t)utf8_get(text, &n);
		if (within(spaces, ARRAY_N(spaces), ch))
			buf_addc(out, ' ');
		else if (!within(nothings, ARRAY_N(nothings), ch))
			buf_add(out, sl_head(text, n));
		text = sl_from(text, n);
	}
}

/// RFC 4013 §2.3, §2.5.
static bool is_prohibited(int32_t ch, enum saslprep_use use)
{
	return within(prohibited, ARRAY_N(prohibited), ch) || (ch & 0xfffe) == 0xfffe ||
	       (use == SASLPREP_STORED && utf8proc_category(ch) == UTF8PROC_CATEGORY_CN);
}

static bool is_right_to_left(int32_t ch)
{
	int class = utf8proc_get_property(ch)->bidi_class;

	return class == UTF8PROC_BIDI_CLASS_R || class == UTF8PROC_BIDI_CLASS_AL;
}

/// RFC 3454 §6: a text with right-to-left characters begins and ends with one and has none from left to right.
static bool has_one_direction(const int32_t *ch, size_t n)
{
	bool right = false, left = false;

	for (size_t i = 0; i < n; i++) {
		right |= is_right_to_left(ch[i]);
		left |= utf8proc_get_property(ch[i])->bidi_class == UTF8PROC_BIDI_CLASS_L;
	}
	return !right || (!left && is_right_to_left(ch[0]) && is_right_to_left(ch[n - 1]));
}

/// The steps behind the mapping, on characters: normalises in place, judges, appends.
static enum ec finish(int32_t *ch, size_t n, enum saslprep_use use, struct buf *out)
{
	utf8proc_ssize_t k =
		utf8proc_normalize_utf32(ch, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);

	if (k <= 0)
		return E_SYNTAX;
	for (utf8proc_ssize_t i = 0; i < k; i++)
		if (is_prohibited(ch[i], use))
			return E_SYNTAX;
	if (!has_one_direction(ch, (size_t)k))
		return E_SYNTAX;
	for (utf8proc_ssize_t i = 0; i < k; i++)
		utf8_put(out, (uint32_t)ch[i]);
	return out->err;
}

static enum ec normalise(struct sl mapped, enum saslprep_use use, struct buf *out)
{
	const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
	utf8proc_ssize_t n = utf8proc_decompose(mapped.p, (utf8proc_ssize_t)mapped.n, NULL, 0, how);
	int32_t *ch = n > 0 ? calloc((size_t)n, sizeof *ch) : NULL;

	if (!ch)
		return n > 0 ? E_TEMP : E_SYNTAX;
	enum ec e = utf8proc_decompose(mapped.p, (utf8proc_ssize_t)mapped.n, ch, n, how) == n
	                    ? finish(ch, (size_t)n, use, out)
	                    : E_SYNTAX;
	explicit_bzero(ch, (size_t)n * sizeof *ch);
	free(ch);
	return e;
}

static bool is_plain(struct sl text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return text.n > 0;
}

enum ec saslprep(struct sl text, enum saslprep_use use, struct buf *out)
{
	struct buf mapped = BUF(SASLPREP_OCTETS_MAX);
	size_t before = out->n;
	enum ec e;

	if (out->err != E_OK)
		return out->err;
	if (is_plain(text)) { // stands for itself, as nearly all do
		buf_add(out, text);
		e = out->err;
	} else if (!utf8_valid(text)) {
		e = E_SYNTAX;
	} else if (text.n > SASLPREP_OCTETS_MAX) {
		e = E_TOOBIG;
	} else {
		(void)buf_room(&mapped, text.n); // at once, so that no copy is left behind where it grew
		map(text, &mapped);
		e = mapped.err == E_OK ? normalise(buf_sl(&mapped), use, out) : mapped.err;
	}
	if (e != E_OK)
		buf_cut(out, before);
	buf_wipe(&mapped);
	buf_free(&mapped);
	return e;
}

enum ec saslprep_name(struct sl name, enum saslprep_use use, struct buf *out)
{
	size_t at = sl_rfind(name, '@'), before = out->n;

	if (at >= name.n)
		return saslprep(name, use, out);
	enum ec e = saslprep(sl_head(name, at), use, out);
	if (e == E_OK) {
		buf_addc(out, '@');
		e = saslprep(sl_from(name, at + 1), use, out);
	}
	if (e != E_OK)
		buf_cut(out, before);
	return e;
}
