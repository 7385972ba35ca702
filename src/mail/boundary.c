/// boundary — a range of `order` that agrees with the line's first octets; what ends there is looked at and leaves it.
#include "mail/boundary.h"

#include <string.h>

static struct sl trim_right(struct sl s)
{
	while (s.n && (is_wsp(s.p[s.n - 1]) || s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/// Where `text` stands or would stand in the order.
static unsigned place_of(struct boundaries *b, struct sl text)
{
	unsigned lo = 0, hi = b->n_order;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		struct sl other = b->order[mid].text;
		b->compared += (text.n < other.n ? text.n : other.n) + 1;
		if (sl_cmp(other, text) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool boundary_push(struct boundaries *b, struct sl raw)
{
	struct boundary one = { .raw = raw, .text = trim_right(raw), .hides = -1 };

	if (one.text.n == 0)
		return false;
	unsigned at = place_of(b, one.text);
	struct boundary_place *place = &b->order[at];
	if (at < b->n_order && sl_eq(place->text, one.text)) {
		one.hides = (int)place->at;
	} else {
		memmove(place + 1, place, (b->n_order - at) * sizeof *place);
		b->n_order++;
	}
	*place = (struct boundary_place){ one.text, b->n };
	b->v[b->n++] = one;
	return true;
}

void boundary_cut(struct boundaries *b, unsigned n)
{
	while (b->n > n) {
		const struct boundary *last = &b->v[--b->n];
		struct boundary_place *place = b->order;
		while (place->at != b->n)
			place++;
		if (last->hides >= 0)
			place->at = (unsigned)last->hides;
		else
			memmove(place, place + 1, (size_t)(b->order + --b->n_order - place) * sizeof *place);
	}
}

static uint8_t octet(struct boundaries *b, unsigned i, size_t depth)
{
	b->compared++;
	return b->order[i].text.p[depth];
}

/// The first of order[lo, hi) whose octet `depth` is at least `c`.
static unsigned bisect(struct boundaries *b, unsigned lo, unsigned hi, size_t depth, unsigned c)
{
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (octet(b, mid, depth) < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/// The same, looked for near `lo`, where it mostly is.
static unsigned first_of(struct boundaries *b, unsigned lo, unsigned hi, size_t depth, unsigned c)
{
	unsigned at = lo;

	for (unsigned step = 1; at < hi && octet(b, at, depth) < c; step *= 2) {
		lo = at + 1;
		at += step;
	}
	return bisect(b, lo, at < hi ? at : hi, depth, c);
}

/// Behind the last of order[lo, hi) whose octet `depth` is at most `c`; looked for near `hi`.
static unsigned behind_last(struct boundaries *b, unsigned lo, unsigned hi, size_t depth, unsigned c)
{
	for (unsigned step = 1; lo < hi; step *= 2) {
		unsigned at = hi - lo > step ? hi - step : lo;
		if (octet(b, at, depth) <= c)
			return bisect(b, at + 1, hi, depth, c + 1);
		hi = at;
	}
	return lo;
}

/// delimiter := CRLF "--" boundary; close-delimiter := delimiter "--"; both may have transport padding behind, which
/// `rest`, what stands behind the boundary, has lost (RFC 2046 §5.1.1). A boundary that ends with blanks, which the
/// grammar forbids, may have them before the closing "--". The note to implementors there: it suffices that the line
/// begins with the boundary. We ask for a blank behind it, so that a boundary that begins with another one is not taken
/// for it.
static bool is_delimiter(const struct boundary *one, struct sl rest, struct boundary_hit *hit)
{
	struct sl blanks = sl_from(one->raw, one->text.n), behind = sl_from(rest, blanks.n);
	bool dashes = sl_starts(rest, SL("--"));

	hit->close = dashes || (blanks.n && sl_starts(rest, blanks) && sl_eq(behind, SL("--")));
	hit->exact = rest.n == 0 || (hit->close && (!dashes || rest.n == 2));
	if (hit->exact)
		return true;
	rest = sl_from(rest, dashes ? 2 : 0);
	return is_wsp(rest.p[0]);
}

bool boundary_match(struct boundaries *b, struct sl line, struct boundary_hit *hit)
{
	struct sl text = trim_right(line);
	unsigned lo = 0, hi = b->n_order;
	bool found = false;

	for (size_t depth = 0; lo < hi; depth++) {
		// One that ends here is first in order, and there is no other with the same text.
		if (b->order[lo].text.n == depth) {
			struct boundary_hit one = { .at = b->order[lo++].at };
			bool is = is_delimiter(&b->v[one.at], sl_from(text, depth), &one);
			bool better = !found || (one.exact == hit->exact ? one.at > hit->at : one.exact);
			if (is && better)
				*hit = one;
			found |= is;
		}
		if (lo == hi || depth == text.n)
			break;
		lo = first_of(b, lo, hi, depth, text.p[depth]);
		hi = behind_last(b, lo, hi, depth, text.p[depth]);
	}
	return found;
}
