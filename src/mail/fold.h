#pragma once
/// fold — UTF-8 text to the form in which SEARCH compares, and a streaming substring search over it.
///
/// The form: full case folding, compatibility decomposition (so widths, ligatures, ﬁ and ㎏ are one with their plain
/// forms), default-ignorable characters dropped, and each run of white space, line ends included, one space, so that a
/// needle is found over a line break. Between two characters of a script that writes no spaces (Chinese, Japanese) a
/// line end is nothing. Decomposed, not composed: `e` finds `é`, as i;unicode-casemap has it, and pieces can be
/// folded without looking back. Equal texts have equal forms.
/// Memory: nothing but a small state; no locale.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	FOLD_MARKS_MAX = 32, // combining marks in a row that are put in canonical order (UAX #15, stream-safe text: 30)
	FOLD_NEEDLE_MAX = 65536, // octets of a folded needle
};

/// Text that arrives in pieces.
struct fold_stream {
	uint8_t left[4]; // an unfinished character
	size_t left_n;
	int32_t marks[FOLD_MARKS_MAX]; // combining marks that wait for their order
	size_t marks_n;
	bool space; // the last thing written was a space
	bool dense; // the last thing written needs no space behind it, so what comes decides about the gap
	enum fold_gap { FOLD_NO_GAP, FOLD_BLANKS, FOLD_LINE_END } gap; // white space behind it, not yet written
};

/// Begins a text; its leading white space is dropped.
void fold_begin(struct fold_stream *f);
/// Appends the folded form of the next piece; invalid octets are U+FFFD. Errors stick in `out`.
void fold_feed(struct fold_stream *f, struct sl utf8, struct buf *out);
/// Ends the text.
void fold_end(struct fold_stream *f, struct buf *out);
/// All three for a text in one piece.
///
/// source: Unicode §3.13 (full case folding), UAX #15 (NFKD); RFC 5051 §2; CSS Text 3 §4.1.3 (line ends in Chinese).
void fold_text(struct sl utf8, struct buf *out);

/// A needle and how much of it has been seen (Knuth–Morris–Pratt, so linear whatever the text).
struct fold_needle {
	struct sl text;          // folded
	const uint32_t *failure; // failure[i]: longest border of the first i+1 octets
	uint32_t seen;
	bool found;
};

/// Makes a needle from UTF-8 text.
///
/// out:    *needle, owned by `a`; an empty needle is found at once.
/// errors: E_TOOBIG (FOLD_NEEDLE_MAX), E_TEMP.
[[nodiscard]] enum ec fold_needle_make(struct sl utf8, struct arena *a, struct fold_needle *needle);
/// Looks at the next piece of folded text; true once the needle has been found.
bool fold_needle_feed(struct fold_needle *needle, struct sl folded);
/// Forgets an unfinished match (between two texts that are not one), keeps `found`.
void fold_needle_break(struct fold_needle *needle);
