/// encword — one pass over the text; a charset stream stays open over adjacent words of one charset.
#include "base/num.h"
#include "mail/encword.h"
#include "mail/transfer.h"

struct word {
	struct sl charset, text;
	uint8_t encoding; // 'b' or 'q'
	size_t n;         // octets of the whole word
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// encoded-word = "=?" charset "?" encoding "?" encoded-text "?=" (RFC 2047 §2). Blanks within the text, which the
/// grammar forbids, are let through: common senders write them in Q, and fold long words.
static bool take_word(struct sl s, struct word *w)
{
	if (!sl_starts(s, SL("=?")))
		return false;
	struct sl rest = sl_from(sl_head(s, ENCWORD_MAX), 2);
	struct sl charset = sl_cut(&rest, '?');
	struct sl encoding = sl_cut(&rest, '?');
	size_t end = sl_find_sl(rest, SL("?="));

	// "=?x?Q?=41?=": the text may begin with `=`, which is not the end mark
	if (charset.n == 0 || charset.n > CHARSET_NAME_MAX || encoding.n != 1 || end == rest.n)
		return false;
	for (size_t i = 0; i < charset.n; i++)
		if (charset.p[i] <= ' ')
			return false;
	*w = (struct word){
		.charset = sl_head(charset, sl_find(charset, '*')), // RFC 2231 §5: language
		.text = sl_head(rest, end),
		.encoding = to_lower(encoding.p[0]),
	};
	w->n = (size_t)(rest.p - s.p) + end + 2;
	return w->encoding == 'b' || w->encoding == 'q';
}

/// Q is quoted-printable with `_` for a space (RFC 2047 §4.2); folds within a word are not text.
static void feed_q(struct charset_stream *cs, struct sl text, struct buf *out)
{
	uint8_t piece[256];
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		int hi = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
		int lo = i + 2 < text.n ? hex_value(text.p[i + 2]) : -1;
		if (c == '\r' || c == '\n') {
			while (i + 1 < text.n && is_blank(text.p[i + 1]))
				i++;
			continue;
		}
		if (c == '=' && hi >= 0 && lo >= 0) {
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		piece[n++] = c;
		if (n == sizeof piece) {
			charset_feed(cs, (struct sl){ piece, n }, out);
			n = 0;
		}
	}
	charset_feed(cs, (struct sl){ piece, n }, out);
}

static void feed_b(struct charset_stream *cs, struct sl text, struct buf *out)
{
	struct buf octets = BUF(ENCWORD_MAX);

	transfer_decode(TRANSFER_BASE64, text, &octets);
	if (octets.err && !out->err)
		out->err = octets.err;
	charset_feed(cs, buf_sl(&octets), out);
	buf_free(&octets);
}

/// Decoding has one text at a time open: a run of words, or nothing.
struct decode {
	struct charset_cache *cc;
	struct sl plain; // the label of octets outside words
	struct charset_stream cs;
	struct sl charset; // of the open run; .n = 0: no run
	struct buf *out;
};

static void run_end(struct decode *d)
{
	if (d->charset.n)
		charset_end(&d->cs, d->out);
	d->charset.n = 0;
}

/// What a word stands for is one line too: line ends and NUL within it are forged header fields at best.
static void scrub(struct buf *out, size_t from)
{
	for (size_t i = from; i < out->n; i++)
		if (out->p[i] == '\r' || out->p[i] == '\n' || out->p[i] == 0)
			out->p[i] = ' ';
}

static void put_word(struct decode *d, const struct word *w)
{
	size_t from = d->out->n;

	if (!d->charset.n || !sl_eq_ci(d->charset, w->charset)) {
		run_end(d);
		charset_begin(&d->cs, d->cc, w->charset);
		d->charset = w->charset;
	}
	if (w->encoding == 'q')
		feed_q(&d->cs, w->text, d->out);
	else
		feed_b(&d->cs, w->text, d->out);
	scrub(d->out, from);
}

static void put_plain(struct decode *d, struct sl s)
{
	size_t from = d->out->n;

	run_end(d);
	enum ec e = charset_to_utf8(d->cc, d->plain, s, d->out, NULL);
	if (e)
		return; // it sticks in the buf
	// a fold is its blank: CR, LF and NUL go
	size_t n = from;
	for (size_t i = from; i < d->out->n; i++)
		if (d->out->p[i] != '\r' && d->out->p[i] != '\n' && d->out->p[i] != 0)
			d->out->p[n++] = d->out->p[i];
	d->out->n = n;
}

void encword_decode_phrase(struct charset_cache *cc, struct sl s, struct buf *out)
{
	struct decode d = { .cc = cc, .plain = charset_guess(cc, s), .out = out };
	size_t from = 0, at = 0; // [from, at) is plain text not given out yet
	bool after_word = false; // only blanks since a word

	while (at < s.n && !out->err) {
		struct word w;
		if (s.p[at] != '=' || !take_word(sl_from(s, at), &w)) {
			after_word &= is_blank(s.p[at]);
			at++;
			continue;
		}
		if (at > from && !after_word)
			put_plain(&d, sl_sub(s, from, at));
		put_word(&d, &w);
		at += w.n;
		from = at;
		after_word = true;
	}
	if (from < s.n)
		put_plain(&d, sl_from(s, from));
	run_end(&d);
}

void encword_decode_text(struct charset_cache *cc, struct sl raw, struct buf *out)
{
	encword_decode_phrase(cc, sl_trim(raw), out);
}
