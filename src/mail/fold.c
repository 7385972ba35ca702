/// fold — ASCII in runs, the rest character by character through utf8proc; only combining marks wait, for their
/// canonical order.
#include <utf8proc.h>

#include "base/num.h"
#include "base/utf8.h"
#include "mail/fold.h"

void fold_begin(struct fold_stream *f)
{
	*f = (struct fold_stream){ .space = true };
}

/// Gives out the waiting marks in canonical order (UAX #15, stable by class).
static void flush_marks(struct fold_stream *f, struct buf *out)
{
	for (size_t i = 1; i < f->marks_n; i++) {
		int32_t mark = f->marks[i];
		size_t at = i;
		int class = utf8proc_get_property(mark)->combining_class;
		for (; at > 0 && utf8proc_get_property(f->marks[at - 1])->combining_class > class; at--)
			f->marks[at] = f->marks[at - 1];
		f->marks[at] = mark;
	}
	for (size_t i = 0; i < f->marks_n; i++)
		utf8_put(out, (uint32_t)f->marks[i]);
	f->marks_n = 0;
}

/// A character of a script that writes no spaces: Chinese and Japanese, with the punctuation of their width.
static bool is_dense(uint32_t ch)
{
	if (ch < 0x3001)
		return false;
	return ch <= 0x312f || (ch >= 0x31a0 && ch <= 0x9fff) || (ch >= 0xf900 && ch <= 0xfaff) || ch == 0xff01 ||
	       ch == 0xff08 || ch == 0xff09 || ch == 0xff0c || ch == 0xff0e || ch == 0xff1a || ch == 0xff1b ||
	       ch == 0xff1f || (ch >= 0x20000 && ch <= 0x3ffff);
}

static bool is_ascii_space(uint8_t c)
{
	return c == ' ' || (uint8_t)(c - 9) < 5;
}

/// White space by Unicode's categories Zs, Zl, Zp, and the control octets that move the cursor.
static bool is_space(int32_t ch, const utf8proc_property_t *p)
{
	return (ch >= 9 && ch <= 13) || ch == 0x85 || p->category == UTF8PROC_CATEGORY_ZS ||
	       p->category == UTF8PROC_CATEGORY_ZL || p->category == UTF8PROC_CATEGORY_ZP;
}

static void put_space(struct fold_stream *f, int32_t ch, struct buf *out)
{
	if (f->marks_n)
		flush_marks(f, out);
	if (f->dense) { // what comes decides what becomes of it
		if (ch == '\n' || ch == '\r')
			f->gap = FOLD_LINE_END;
		else if (f->gap == FOLD_NO_GAP)
			f->gap = FOLD_BLANKS;
		return;
	}
	if (!f->space)
		buf_addc(out, ' ');
	f->space = true;
}

/// What stands behind a dense character is known now: the gap between them is a space, unless it was a line end between
/// two of the kind.
static void end_gap(struct fold_stream *f, bool dense, struct buf *out)
{
	if (f->gap == FOLD_BLANKS || (f->gap == FOLD_LINE_END && !dense))
		buf_addc(out, ' ');
	f->gap = FOLD_NO_GAP;
	f->dense = dense;
}

/// One character of the decomposed, folded form of a character that is `dense` or not.
static void put_char(struct fold_stream *f, int32_t ch, bool dense, struct buf *out)
{
	const utf8proc_property_t *p = utf8proc_get_property(ch);

	if (is_space(ch, p)) {
		put_space(f, ch, out);
		return;
	}
	if (p->combining_class == 0 || f->marks_n == FOLD_MARKS_MAX)
		flush_marks(f, out);
	if (p->combining_class == 0 || f->gap)
		end_gap(f, dense, out);
	if (p->combining_class == 0)
		utf8_put(out, (uint32_t)ch);
	else
		f->marks[f->marks_n++] = ch;
	f->space = false;
}

/// One character of the text: Han and the like, the bulk of Chinese text, have nothing to fold.
static void fold_char(struct fold_stream *f, uint32_t ch, struct buf *out)
{
	utf8proc_int32_t parts[32];
	bool dense = is_dense(ch);
	int last = 0;

	if (ch >= 0x3400 && ch <= 0x9fff) {
		put_char(f, (int32_t)ch, dense, out);
		return;
	}
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)ch, parts, ARRAY_N(parts),
		(utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE), &last);
	if (n < 0 || n > (utf8proc_ssize_t)ARRAY_N(parts)) {
		put_char(f, (int32_t)ch, dense, out); // no such expansion exists today (18 is the longest)
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		put_char(f, parts[i], dense, out);
}

/// ASCII behind a dense character: its white space. Returns how much of the run that is.
static size_t fold_gap(struct fold_stream *f, struct sl run, struct buf *out)
{
	size_t n = 0;

	for (; n < run.n && is_ascii_space(run.p[n]); n++)
		put_space(f, run.p[n], out);
	if (n < run.n)
		end_gap(f, false, out);
	return n;
}

/// A run of ASCII, the common case.
static size_t fold_ascii(struct fold_stream *f, struct sl s, struct buf *out)
{
	size_t n = utf8_ascii_run(s), k = 0;
	bool space = f->space;

	if (n == 0)
		return 0;
	if (f->marks_n)
		flush_marks(f, out);
	if (f->dense && (k = fold_gap(f, sl_head(s, n), out)))
		return k;
	uint8_t *to = buf_room(out, n);
	if (!to)
		return n;
	for (size_t i = 0; i < n; i++) { // no branches: each octet is written, and kept unless it is a further blank
		uint8_t c = s.p[i];
		bool blank = is_ascii_space(c);
		to[k] = blank ? ' ' : to_lower(c);
		k += !(blank && space);
		space = blank;
	}
	buf_took(out, k);
	f->space = space;
	return n;
}

/// True where `s`, shorter than its first octet announces, may still become a character.
static bool is_unfinished(struct sl s)
{
	uint8_t c = s.p[0];
	size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (c < 0xc2 || c > 0xf4 || s.n >= want)
		return false;
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/// Folds what is complete of `s` and keeps the rest.
static void fold_some(struct fold_stream *f, struct sl s, struct buf *out)
{
	while (s.n && !out->err) {
		size_t n = fold_ascii(f, s, out);
		if (n == 0 && is_unfinished(s)) {
			for (size_t i = 0; i < s.n; i++)
				f->left[i] = s.p[i];
			f->left_n = s.n;
			return;
		}
		if (n == 0)
			fold_char(f, utf8_get(s, &n), out);
		s = sl_from(s, n);
	}
}

void fold_feed(struct fold_stream *f, struct sl utf8, struct buf *out)
{
	while (f->left_n && utf8.n) {
		uint8_t joined[4];
		size_t n = f->left_n;
		for (size_t i = 0; i < n; i++)
			joined[i] = f->left[i];
		joined[n++] = utf8.p[0];
		utf8 = sl_from(utf8, 1);
		f->left_n = 0;
		fold_some(f, (struct sl){ joined, n }, out);
	}
	fold_some(f, utf8, out);
}

void fold_end(struct fold_stream *f, struct buf *out)
{
	if (f->left_n)
		fold_char(f, 0xfffd, out);
	f->left_n = 0;
	flush_marks(f, out);
	end_gap(f, false, out);
}

void fold_text(struct sl utf8, struct buf *out)
{
	struct fold_stream f;

	fold_begin(&f);
	fold_feed(&f, utf8, out);
	fold_end(&f, out);
}

enum ec fold_needle_make(struct sl utf8, struct arena *a, struct fold_needle *needle)
{
	struct buf folded = BUF(FOLD_NEEDLE_MAX);
	struct sl text = { 0 };
	uint32_t *failure = NULL;

	fold_text(utf8, &folded);
	enum ec e = folded.err;
	if (e == E_OK) {
		text = arena_copy(a, buf_sl(&folded));
		failure = arena_alloc(a, folded.n, sizeof *failure);
		e = text.p && failure ? E_OK : E_TEMP;
	}
	buf_free(&folded);
	if (e)
		return e;
	for (uint32_t i = 1, k = 0; i < text.n; i++) {
		while (k && text.p[i] != text.p[k])
			k = failure[k - 1];
		k += text.p[i] == text.p[k];
		failure[i] = k;
	}
	*needle = (struct fold_needle){ .text = text, .failure = failure, .found = text.n == 0 };
	return E_OK;
}

bool fold_needle_feed(struct fold_needle *needle, struct sl folded)
{
	struct sl text = needle->text;
	uint32_t k = needle->seen;

	for (size_t i = 0; i < folded.n && !needle->found; i++) {
		struct sl rest = sl_from(folded, i);
		if (k == 0 && rest.n >= text.n) { // nothing begun: let the C library look, then only the end can begin
			needle->found = sl_find_sl(rest, text) < rest.n;
			i += rest.n - text.n;
			continue;
		}
		while (k && folded.p[i] != text.p[k])
			k = needle->failure[k - 1];
		k += folded.p[i] == text.p[k];
		needle->found = k == text.n;
	}
	needle->seen = needle->found ? 0 : k;
	return needle->found;
}

void fold_needle_break(struct fold_needle *needle)
{
	needle->seen = 0;
}
