/// structure_text — text is made UTF-8, cut into words, and each run of words with octets above 0x7f is encoded.
#include "front/imap/structure_text.h"

#include "base/utf8.h"
#include "mail/transfer.h"
#include "proto/imap_print.h"

/// RFC 2047 §2: an encoded word has at most 75 octets; "=?UTF-8?B?" and "?=" leave 63, base64 makes 60 of 45.
enum { WORD_OCTETS = 45 };
/// Longer words than this are not taken for encoded ones; senders exceed 75, and a search may not look far each time.
enum { WORD_FOREIGN_MAX = 512 };

enum token_kind { TOKEN_END, TOKEN_PLAIN, TOKEN_RAW, TOKEN_ENCODED };

/// A word and the blanks before it.
struct token {
	enum token_kind kind;
	size_t gap, at, end; // blanks: [gap, at), word: [at, end)
};

/// Octets of the encoded word at the start of `s`, 0 where there is none.
///
/// encoded-word = "=?" charset "?" encoding "?" encoded-text "?=" (RFC 2047 §2)
static size_t encoded_word_octets(struct sl s)
{
	struct sl rest = sl_from(sl_head(s, WORD_FOREIGN_MAX), 2);

	if (!sl_starts(s, SL("=?")))
		return 0;
	struct sl charset = sl_cut(&rest, '?');
	struct sl encoding = sl_cut(&rest, '?');
	size_t text = sl_find_sl(rest, SL("?="));
	bool shape = charset.n && encoding.n == 1 && sl_find_sl(SL("bBqQ"), encoding) < 4 && text < rest.n;
	size_t n = shape ? (size_t)(rest.p - s.p) + text + 2 : 0;
	return n && sl_find(sl_head(s, n), ' ') == n && sl_is_ascii(sl_head(s, n)) ? n : 0;
}

static struct token token_at(struct sl s, size_t gap)
{
	struct token t = { .kind = TOKEN_END, .gap = gap, .at = gap };

	while (t.at < s.n && s.p[t.at] == ' ')
		t.at++;
	t.end = t.at + encoded_word_octets(sl_from(s, t.at));
	if (t.end > t.at) {
		t.kind = TOKEN_ENCODED;
		return t;
	}
	for (; t.end < s.n && s.p[t.end] != ' ' && !encoded_word_octets(sl_from(s, t.end)); t.end++)
		if (s.p[t.end] > 0x7f)
			t.kind = TOKEN_RAW;
	if (t.kind == TOKEN_END && t.end > gap)
		t.kind = TOKEN_PLAIN;
	return t;
}

/// Appends UTF-8 as encoded words, no character split over two of them (RFC 2047 §5).
static void encode_run(struct sl s, struct buf *out)
{
	for (const char *gap = ""; s.n; gap = " ") {
		size_t n = 0, step;
		while ((step = utf8_len(sl_from(s, n))) != 0 && n + step <= WORD_OCTETS)
			n += step;
		if (n == 0)
			return; // not UTF-8, which the caller made
		buf_puts(out, gap);
		buf_puts(out, "=?UTF-8?B?");
		transfer_encode_base64(sl_head(s, n), 0, out);
		buf_puts(out, "?=");
		s = sl_from(s, n);
	}
}

/// Appends a run of raw words that begins with `first`; gives the token behind it. Blanks between two encoded words are
/// dropped by readers (RFC 2047 §6.2), so those next to a word that was encoded before go into ours.
static struct token encode_raw(struct sl s, struct token first, bool after_encoded, struct buf *out)
{
	struct token last = first, next = token_at(s, first.end);

	while (next.kind == TOKEN_RAW) {
		last = next;
		next = token_at(s, last.end);
	}
	size_t to = next.kind == TOKEN_ENCODED ? next.at : last.end;
	buf_add(out, after_encoded ? SL(" ") : sl_sub(s, first.gap, first.at));
	encode_run(sl_sub(s, after_encoded ? first.gap : first.at, to), out);
	if (next.kind == TOKEN_ENCODED) {
		buf_addc(out, ' ');
		next.gap = next.at;
	}
	return next;
}

/// Appends UTF-8 text with everything above 0x7f in encoded words.
static void encode_words(struct sl s, struct buf *out)
{
	enum token_kind before = TOKEN_PLAIN;

	for (struct token t = token_at(s, 0); t.kind != TOKEN_END;) {
		enum token_kind kind = t.kind;
		if (kind == TOKEN_RAW) {
			t = encode_raw(s, t, before == TOKEN_ENCODED, out);
		} else {
			buf_add(out, sl_sub(s, t.gap, t.end));
			t = token_at(s, t.end);
		}
		before = kind;
	}
}

static bool is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

static bool is_printable(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]) || s.p[i] > 0x7f)
			return false;
	return true;
}

/// The common case in one pass: a short printable text without quotes or backslashes goes between quotes. False where
/// it is not that case; then nothing was appended.
static bool print_plain(struct buf *b, struct sl s)
{
	uint8_t *p = s.p && s.n <= IMAP_QUOTED_MAX ? buf_room(b, s.n + 2) : NULL;
	bool plain = p != NULL;

	for (size_t i = 0; plain && i < s.n; i++) {
		uint8_t c = s.p[i];
		plain = !is_control(c) && c < 0x7f && c != '"' && c != '\\';
		p[i + 1] = c;
	}
	if (!plain)
		return false;
	p[0] = p[s.n + 1] = '"';
	buf_took(b, s.n + 2);
	return true;
}

/// Appends what is not printable ASCII alone as UTF-8 without control octets.
static void to_clean_utf8(struct sl s, struct charset_cache *charsets, struct buf *out)
{
	enum ec e = charset_to_utf8(charsets, charset_guess(charsets, s), s, out, NULL);

	if (e != E_OK && !out->err)
		out->err = e;
	for (size_t i = 0; i < out->n; i++)
		if (is_control(out->p[i]))
			out->p[i] = ' ';
}

void structure_print_text(struct buf *b, struct sl s, const struct structure_style *style)
{
	if (print_plain(b, s))
		return;
	if (is_printable(s)) {
		imap_print_nstring(b, s, false);
		return;
	}
	struct buf clean = BUF(STRUCTURE_TEXT_MAX), words = BUF(STRUCTURE_TEXT_MAX);
	to_clean_utf8(s, style->charsets, &clean);
	if (!style->utf8)
		encode_words(buf_sl(&clean), &words);
	struct buf *text = style->utf8 ? &clean : &words;
	if (clean.err || words.err)
		b->err = b->err ? b->err : clean.err ? clean.err : words.err;
	else
		imap_print_string(b, text->p ? buf_sl(text) : SL(""), style->utf8);
	buf_free(&words);
	buf_free(&clean);
}
