/// charset — the table of labels, pieces with unfinished characters, and guessing.
#include "base/num.h"
#include "base/utf8.h"
#include "mail/charset.h"

#include <assert.h>
#include <errno.h>
#include <iconv.h>

/// What iconv is asked for. `unit` octets are skipped where it finds no meaning.
static const struct {
	const char *name;
	uint8_t unit;
} converters[] = {
	{ "GB18030", 1 },
	{ "BIG5-HKSCS", 1 },
	{ "EUC-TW", 1 },
	{ "ISO-2022-CN", 1 },
	{ "CP932", 1 },
	{ "EUC-JP-MS", 1 },
	{ "ISO-2022-JP", 1 },
	{ "CP949", 1 },
	{ "ISO-2022-KR", 1 },
	{ "CP874", 1 },
	{ "CP1250", 1 },
	{ "CP1251", 1 },
	{ "CP1253", 1 },
	{ "CP1254", 1 },
	{ "CP1255", 1 },
	{ "CP1256", 1 },
	{ "CP1257", 1 },
	{ "CP1258", 1 },
	{ "ISO-8859-2", 1 },
	{ "ISO-8859-3", 1 },
	{ "ISO-8859-4", 1 },
	{ "ISO-8859-5", 1 },
	{ "ISO-8859-6", 1 },
	{ "ISO-8859-7", 1 },
	{ "ISO-8859-8", 1 },
	{ "ISO-8859-10", 1 },
	{ "ISO-8859-13", 1 },
	{ "ISO-8859-14", 1 },
	{ "ISO-8859-15", 1 },
	{ "ISO-8859-16", 1 },
	{ "KOI8-R", 1 },
	{ "KOI8-U", 1 },
	{ "CP437", 1 },
	{ "CP850", 1 },
	{ "CP852", 1 },
	{ "CP855", 1 },
	{ "CP866", 1 },
	{ "MACINTOSH", 1 },
	{ "MAC-CYRILLIC", 1 },
	{ "UTF-7", 1 },
	{ "UTF-16", 2 },
	{ "UTF-16BE", 2 },
	{ "UTF-16LE", 2 },
	{ "UTF-32", 4 },
};
_Static_assert(ARRAY_N(converters) <= CHARSET_CONVERTERS, "one slot per converter");

/// Labels without an iconv name behind them.
static const char to_utf8[] = "utf8", to_1252[] = "1252", to_guess[] = "guess", to_hz[] = "hz";

/// Labels as compared: lower case, without '-', '_', '.', ':', ' ' and a leading "cs" or "x".
static const struct {
	const char *label, *converter;
} labels[] = {
	{ "utf8", to_utf8 },
	{ "unicode11utf8", to_utf8 },
	{ "usascii", to_guess },
	{ "ascii", to_guess },
	{ "ansix341968", to_guess },
	{ "iso88591", to_1252 },
	{ "isolatin1", to_1252 },
	{ "latin1", to_1252 },
	{ "windows1252", to_1252 },
	{ "cp1252", to_1252 },
	{ "gb2312", "GB18030" },
	{ "gb231280", "GB18030" },
	{ "gbk", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "euccn", "GB18030" },
	{ "cngb", "GB18030" },
	{ "cp936", "GB18030" },
	{ "windows936", "GB18030" },
	{ "hzgb2312", to_hz },
	{ "hz", to_hz },
	{ "big5", "BIG5-HKSCS" },
	{ "big5hkscs", "BIG5-HKSCS" },
	{ "cnbig5", "BIG5-HKSCS" },
	{ "cp950", "BIG5-HKSCS" },
	{ "windows950", "BIG5-HKSCS" },
	{ "euctw", "EUC-TW" },
	{ "iso2022cn", "ISO-2022-CN" },
	{ "shiftjis", "CP932" },
	{ "sjis", "CP932" },
	{ "mskanji", "CP932" },
	{ "windows31j", "CP932" },
	{ "cp932", "CP932" },
	{ "eucjp", "EUC-JP-MS" },
	{ "iso2022jp", "ISO-2022-JP" },
	{ "ksc56011987", "CP949" },
	{ "ksc5601", "CP949" },
	{ "euckr", "CP949" },
	{ "cp949", "CP949" },
	{ "windows949", "CP949" },
	{ "uhc", "CP949" },
	{ "iso2022kr", "ISO-2022-KR" },
	{ "tis620", "CP874" },
	{ "iso885911", "CP874" },
	{ "windows874", "CP874" },
	{ "cp874", "CP874" },
	{ "windows1250", "CP1250" },
	{ "cp1250", "CP1250" },
	{ "windows1251", "CP1251" },
	{ "cp1251", "CP1251" },
	{ "windows1253", "CP1253" },
	{ "cp1253", "CP1253" },
	{ "windows1254", "CP1254" },
	{ "cp1254", "CP1254" },
	{ "iso88599", "CP1254" },
	{ "latin5", "CP1254" },
	{ "windows1255", "CP1255" },
	{ "cp1255", "CP1255" },
	{ "windows1256", "CP1256" },
	{ "cp1256", "CP1256" },
	{ "windows1257", "CP1257" },
	{ "cp1257", "CP1257" },
	{ "windows1258", "CP1258" },
	{ "cp1258", "CP1258" },
	{ "iso88592", "ISO-8859-2" },
	{ "latin2", "ISO-8859-2" },
	{ "iso88593", "ISO-8859-3" },
	{ "iso88594", "ISO-8859-4" },
	{ "iso88595", "ISO-8859-5" },
	{ "iso88596", "ISO-8859-6" },
	{ "iso88597", "ISO-8859-7" },
	{ "iso88598", "ISO-8859-8" },
	{ "iso88598i", "ISO-8859-8" },
	{ "iso88598e", "ISO-8859-8" },
	{ "iso885910", "ISO-8859-10" },
	{ "iso885913", "ISO-8859-13" },
	{ "iso885914", "ISO-8859-14" },
	{ "iso885915", "ISO-8859-15" },
	{ "latin9", "ISO-8859-15" },
	{ "iso885916", "ISO-8859-16" },
	{ "koi8r", "KOI8-R" },
	{ "koi8", "KOI8-R" },
	{ "koi8u", "KOI8-U" },
	{ "koi8ru", "KOI8-U" },
	{ "cp437", "CP437" },
	{ "ibm437", "CP437" },
	{ "cp850", "CP850" },
	{ "ibm850", "CP850" },
	{ "cp852", "CP852" },
	{ "ibm852", "CP852" },
	{ "cp855", "CP855" },
	{ "ibm855", "CP855" },
	{ "cp866", "CP866" },
	{ "ibm866", "CP866" },
	{ "macintosh", "MACINTOSH" },
	{ "macroman", "MACINTOSH" },
	{ "maccyrillic", "MAC-CYRILLIC" },
	{ "utf7", "UTF-7" },
	{ "unicode11utf7", "UTF-7" },
	{ "utf16", "UTF-16" },
	{ "utf16be", "UTF-16BE" },
	{ "utf16le", "UTF-16LE" },
	{ "utf32", "UTF-32" },
};

/// The converter string of a label, or NULL.
static const char *label_find(struct sl name)
{
	uint8_t key[CHARSET_NAME_MAX];
	struct sl k = { key, 0 };
	struct sl s = sl_trim(name);

	if (s.n == 0)
		return to_guess;
	if (s.n > sizeof key)
		return NULL;
	for (size_t i = 0; i < s.n; i++)
		if (is_alpha(s.p[i]) || is_digit(s.p[i]))
			key[k.n++] = to_lower(s.p[i]);
		else if (s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.' && s.p[i] != ':' && s.p[i] != ' ')
			return NULL;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_N(labels); i++)
			if (sl_eq(k, sl_cstr(labels[i].label)))
				return labels[i].converter;
		k = sl_starts(k, SL("cs")) ? sl_from(k, 2) : sl_starts(k, SL("x")) ? sl_from(k, 1) : k;
	}
	return NULL;
}

bool charset_known(struct sl name)
{
	return label_find(name) != NULL;
}

static unsigned converter_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_N(converters); i++)
		if (sl_eq(sl_cstr(converters[i].name), sl_cstr(name)))
			return i;
	assert(false && "a label of the table has its converter in the other table");
	return 0;
}

/// The opened converter in its initial state, or NULL where iconv has none.
static iconv_t converter_open(struct charset_cache *cc, unsigned i)
{
	if (!cc->converters[i] && !(cc->missing >> i & 1)) {
		iconv_t cd = iconv_open("UTF-8", converters[i].name);
		if (cd == (iconv_t)-1)
			cc->missing |= (uint64_t)1 << i;
		else
			cc->converters[i] = cd;
	}
	if (cc->converters[i])
		iconv(cc->converters[i], NULL, NULL, NULL, NULL);
	return cc->converters[i];
}

enum ec charset_preload(struct charset_cache *cc)
{
	for (unsigned i = 0; i < ARRAY_N(converters); i++)
		(void)converter_open(cc, i);
	return cc->missing ? E_UNSUPPORTED : E_OK;
}

void charset_cache_free(struct charset_cache *cc)
{
	for (unsigned i = 0; i < ARRAY_N(converters); i++)
		if (cc->converters[i])
			iconv_close(cc->converters[i]);
	*cc = CHARSET_CACHE_EMPTY;
}

static void say_how(struct charset_stream *s, enum charset_how how)
{
	if (how > s->how)
		s->how = how;
}

static void put_replacement(struct charset_stream *s, struct buf *out)
{
	say_how(s, CHARSET_REPAIRED);
	utf8_put(out, 0xfffd);
}

/// Windows-1252 differs from ISO-8859-1 in 0x80 … 0x9f; the five unused octets stay control characters, as browsers
/// have them.
static void feed_1252(struct sl in, struct buf *out)
{
	static const uint16_t high[32] = { 0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030,
		0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
		0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178 };

	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];
		if (c < 0x80)
			buf_addc(out, c);
		else
			utf8_put(out, c < 0xa0 ? high[c - 0x80] : c);
	}
}

/// Octets at the end of `s` (0 … 3) that begin a UTF-8 character and may be finished by the next piece.
static size_t utf8_unfinished(struct sl s)
{
	for (size_t k = 1; k <= 3 && k <= s.n; k++) {
		uint8_t c = s.p[s.n - k];
		if ((c & 0xc0) == 0x80)
			continue;
		size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
		return c <= 0xf4 && want > k ? k : 0;
	}
	return 0;
}

static void add_valid_utf8(struct charset_stream *s, struct sl in, struct buf *out)
{
	size_t from = 0;

	for (size_t i = utf8_ascii_run(in); i < in.n && !out->err; i += utf8_ascii_run(sl_from(in, i))) {
		size_t k = utf8_len(sl_from(in, i));
		if (k == 0) {
			buf_add(out, sl_sub(in, from, i));
			put_replacement(s, out);
			from = i + 1;
		}
		i += k ? k : 1;
	}
	buf_add(out, sl_from(in, from));
}

static void feed_utf8(struct charset_stream *s, struct sl in, struct buf *out)
{
	// Finish the character that the last piece began, one octet at a time.
	while (s->left_n && in.n) {
		s->left[s->left_n++] = in.p[0];
		in = sl_from(in, 1);
		struct sl left = { s->left, s->left_n };
		if (utf8_unfinished(left) == left.n)
			continue;
		s->left_n = 0;
		add_valid_utf8(s, left, out);
	}
	size_t keep = utf8_unfinished(in);
	add_valid_utf8(s, sl_head(in, in.n - keep), out);
	for (size_t i = in.n - keep; i < in.n; i++)
		s->left[s->left_n++] = in.p[i];
}

/// Converts as much of *in as it can; false where only an unfinished character is left of it.
/// iconv's prototype wants writable input, which it does not write to.
static bool iconv_run(struct charset_stream *s, struct sl *in, struct buf *out)
{
	iconv_t cd = s->cc->converters[s->converter];

	while (in->n && !out->err) {
		char *from = (char *)(uintptr_t)in->p;
		size_t from_n = in->n, room = min_size(max_size(64, in->n * 2), 65536);
		room = min_size(room, out->max - out->n);
		uint8_t *to = buf_room(out, room);
		if (!to)
			return true;
		char *at = (char *)to;
		size_t r = iconv(cd, &from, &from_n, &at, &room);
		int e = r == (size_t)-1 ? errno : 0;
		size_t took = in->n - from_n, gave = (size_t)(at - (char *)to);
		buf_took(out, gave);
		*in = sl_from(*in, took);
		if (e == EINVAL)
			return false;
		if (e == EILSEQ) {
			put_replacement(s, out);
			*in = sl_from(*in, min_size(converters[s->converter].unit, in->n));
		} else if (e == E2BIG && took == 0 && gave == 0) {
			out->err = E_TOOBIG; // not even one character fits below the maximum
		}
	}
	return true;
}

static void feed_iconv(struct charset_stream *s, struct sl in, struct buf *out)
{
	while (s->left_n && in.n && !out->err) {
		s->left[s->left_n++] = in.p[0];
		in = sl_from(in, 1);
		struct sl left = { s->left, s->left_n };
		bool done = iconv_run(s, &left, out);
		if (!done && s->left_n < sizeof s->left) {
			for (size_t i = 0; i < left.n; i++)
				s->left[i] = left.p[i];
			s->left_n = left.n;
			continue;
		}
		if (!done)
			put_replacement(s, out);
		s->left_n = 0;
	}
	if (!iconv_run(s, &in, out)) {
		size_t keep = min_size(in.n, sizeof s->left - 1);
		for (size_t i = 0; i < keep; i++)
			s->left[i] = in.p[i];
		s->left_n = keep;
	}
}

/// HZ (RFC 1843): within ~{ and ~} pairs of 7-bit octets are GB 2312; ~~ is a tilde, ~ at a line's end joins lines.
static void feed_hz(struct charset_stream *s, struct sl in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i], gb;
		if (s->hz_half) {
			gb = c | 0x80;
			s->hz_half = false;
			feed_iconv(s, (struct sl){ &gb, 1 }, out);
		} else if (s->hz_tilde) {
			s->hz_tilde = false;
			s->hz_gb = c == '{' || (s->hz_gb && c != '}');
			if (c == '~')
				buf_addc(out, '~');
			else if (c != '{' && c != '}' && c != '\n')
				put_replacement(s, out);
		} else if (c == '~') {
			s->hz_tilde = true;
		} else if (s->hz_gb && c > ' ') {
			gb = c | 0x80;
			s->hz_half = true;
			feed_iconv(s, (struct sl){ &gb, 1 }, out);
		} else {
			s->hz_gb &= c != '\n'; // a line begins in ASCII
			feed_iconv(s, (struct sl){ &c, 1 }, out);
		}
	}
}

/// True where all of `in` is GB18030; a last character may be unfinished where `more` will come.
static bool is_gb18030(struct charset_cache *cc, struct sl in, bool more)
{
	iconv_t cd = converter_open(cc, converter_find("GB18030"));
	char *from = (char *)(uintptr_t)in.p;
	size_t from_n = in.n;

	while (cd && from_n) {
		char scrap[512], *to = scrap;
		size_t room = sizeof scrap;
		if (iconv(cd, &from, &from_n, &to, &room) == (size_t)-1 && errno != E2BIG)
			return more && errno == EINVAL;
	}
	return cd != NULL;
}

static const char *guess(struct charset_cache *cc, struct sl in, bool more)
{
	if (utf8_valid(sl_head(in, in.n - (more ? utf8_unfinished(in) : 0))))
		return to_utf8;
	return is_gb18030(cc, in, more) ? "GB18030" : to_1252;
}

struct sl charset_guess(struct charset_cache *cc, struct sl in)
{
	const char *g = guess(cc, in, false);

	return g == to_utf8 ? SL("utf-8") : g == to_1252 ? SL("windows-1252") : SL("gb18030");
}

/// Sets what `converter`, a value of the table, stands for.
static void decide(struct charset_stream *s, const char *converter)
{
	s->hz = converter == to_hz;
	s->kind = converter == to_utf8    ? CHARSET_UTF8
	          : converter == to_1252  ? CHARSET_WINDOWS_1252
	          : converter == to_guess ? CHARSET_UNDECIDED
	                                  : CHARSET_ICONV;
	if (s->kind != CHARSET_ICONV)
		return;
	s->converter = converter_find(s->hz ? "GB18030" : converter);
	if (converter_open(s->cc, s->converter))
		return;
	s->hz = false;
	s->kind = CHARSET_UNDECIDED;
	s->how = CHARSET_GUESSED;
}

void charset_begin(struct charset_stream *s, struct charset_cache *cc, struct sl name)
{
	const char *converter = label_find(name);

	*s = (struct charset_stream){ .cc = cc };
	if (!converter)
		s->how = CHARSET_GUESSED;
	decide(s, converter ? converter : to_guess);
}

void charset_feed(struct charset_stream *s, struct sl in, struct buf *out)
{
	if (s->kind == CHARSET_UNDECIDED) {
		if (sl_is_ascii(in)) {
			buf_add(out, in);
			return;
		}
		say_how(s, CHARSET_GUESSED);
		decide(s, guess(s->cc, in, true));
	}
	if (s->kind == CHARSET_UTF8)
		feed_utf8(s, in, out);
	else if (s->kind == CHARSET_WINDOWS_1252)
		feed_1252(in, out);
	else if (s->hz)
		feed_hz(s, in, out);
	else
		feed_iconv(s, in, out);
}

void charset_end(struct charset_stream *s, struct buf *out)
{
	if (s->left_n || s->hz_tilde)
		put_replacement(s, out);
	s->left_n = 0;
	s->hz_tilde = false;
	if (s->kind != CHARSET_ICONV || out->err)
		return;
	// Some converters hold a base letter back until they know that no accent follows.
	uint8_t last[32];
	char *to = (char *)last;
	size_t room = sizeof last;
	iconv(s->cc->converters[s->converter], NULL, NULL, &to, &room);
	buf_add(out, (struct sl){ last, sizeof last - room });
}

/// A text in one piece is guessed as a whole.
enum ec charset_to_utf8(struct charset_cache *cc, struct sl name, struct sl in, struct buf *out, enum charset_how *how)
{
	struct charset_stream s;

	charset_begin(&s, cc, name);
	if (s.kind == CHARSET_UNDECIDED && !sl_is_ascii(in)) {
		s.how = CHARSET_GUESSED;
		decide(&s, guess(cc, in, false));
	}
	charset_feed(&s, in, out);
	charset_end(&s, out);
	if (how && !out->err)
		*how = s.how;
	return out->err;
}
