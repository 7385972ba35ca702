/// header — walking by memchr: one search per line, one more per field for its colon.
#include "base/num.h"
#include "mail/header.h"

#include <string.h>

struct header_iter header_over(struct sl message)
{
	return (struct header_iter){ .in = message };
}

/// Offset behind the line that starts at `at`.
static size_t line_next(struct sl in, size_t at)
{
	const uint8_t *lf = at < in.n ? memchr(in.p + at, '\n', in.n - at) : NULL;

	return lf ? (size_t)(lf - in.p) + 1 : in.n;
}

/// Octets of the empty line at `at`: 1, 2, or 0 where the line is not empty.
static size_t blank_line(struct sl in, size_t at)
{
	if (at < in.n && in.p[at] == '\n')
		return 1;
	return at + 1 < in.n && in.p[at] == '\r' && in.p[at + 1] == '\n' ? 2 : 0;
}

/// `s` without its last line end.
static struct sl without_eol(struct sl s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/// field-name = 1*ftext; ftext = %d33-57 / %d59-126 (RFC 5322 §3.6.8). 8-bit octets are let through, blanks within
/// and control octets are not: such a line has no name.
static bool is_name(struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static void split_field(struct header_field *f)
{
	struct sl line = without_eol(f->whole);
	size_t colon = sl_find(line, ':');
	struct sl name = sl_head(line, colon);

	while (name.n && is_wsp(name.p[name.n - 1]))
		name.n--; // obs-optional = field-name *WSP ":"
	bool named = colon < line.n && is_name(name);
	f->name = named ? name : sl_head(line, 0);
	f->value = named ? sl_from(line, colon + 1) : line;
}

bool header_next(struct header_iter *it, struct header_field *f)
{
	size_t start = it->at, blank = blank_line(it->in, start);

	if (it->done || it->limited)
		return false;
	if (start >= it->in.n || blank) {
		it->at += blank;
		it->done = true;
		return false;
	}
	if (it->fields >= HEADER_FIELDS_MAX || start >= HEADER_WALK_MAX) {
		it->limited = true;
		return false;
	}
	size_t at = line_next(it->in, start);
	while (at < it->in.n && is_wsp(it->in.p[at]))
		at = line_next(it->in, at);
	f->whole = sl_sub(it->in, start, at);
	split_field(f);
	it->at = at;
	it->fields++;
	return true;
}

bool header_end_feed(struct header_end *h, struct sl piece)
{
	size_t at = 0;

	while (at < piece.n) {
		if (h->in_line) {
			size_t next = line_next(piece, at);
			h->in_line = piece.p[next - 1] != '\n';
			at = next;
			continue;
		}
		uint8_t c = piece.p[at++];
		if (c == '\n') {
			h->octets += at;
			return true;
		}
		h->in_line = h->cr || c != '\r';
		h->cr = !h->in_line;
	}
	h->octets += piece.n;
	return false;
}

size_t header_octets(struct sl message)
{
	struct header_end h = { 0 };

	(void)header_end_feed(&h, message);
	return h.octets;
}

bool header_find_nth(struct sl message, struct sl name, uint32_t nth, struct header_field *f)
{
	struct header_iter it = header_over(message);
	struct header_field one;

	while (header_next(&it, &one)) {
		if (!sl_eq_ci(one.name, name) || nth-- > 0)
			continue;
		*f = one;
		return true;
	}
	return false;
}

bool header_find(struct sl message, struct sl name, struct header_field *f)
{
	return header_find_nth(message, name, 0, f);
}

static bool is_dropped(uint8_t c)
{
	return c == '\r' || c == '\n' || c == 0;
}

void header_unfold(struct sl raw, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; i < raw.n; i++) {
		if (!is_dropped(raw.p[i]))
			continue;
		buf_add(out, sl_sub(raw, from, i));
		from = i + 1;
	}
	buf_add(out, sl_from(raw, from));
}

enum ec header_text(struct arena *a, struct sl raw, struct sl *value)
{
	struct sl s = sl_head(sl_trim(raw), HEADER_VALUE_MAX);
	size_t drop = 0;

	for (size_t i = 0; i < s.n; i++)
		drop += is_dropped(s.p[i]);
	if (drop == 0) {
		*value = s.p ? s : SL("");
		return E_OK;
	}
	uint8_t *p = arena_alloc(a, s.n - drop, 1);
	if (!p)
		return E_TEMP;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		if (!is_dropped(s.p[i]))
			p[n++] = s.p[i];
	*value = sl_trim((struct sl){ p, n }); // a NUL may have stood between the text and blanks
	return E_OK;
}

static bool is_wanted(const struct header_names *want, struct sl name)
{
	for (size_t i = 0; i < want->n; i++)
		if (name.n && sl_eq_ci(want->names[i], name))
			return !want->not_these;
	return want->not_these;
}

enum ec header_subset(struct sl message, const struct header_names *want, struct buf *out)
{
	struct header_iter it = header_over(message);
	struct header_field f;
	size_t blank_at = 0;

	while (header_next(&it, &f)) {
		if (is_wanted(want, f.name))
			buf_add(out, f.whole);
		blank_at = it.at;
	}
	if (it.limited && want->not_these) { // what the walk does not look at is not one of the names
		size_t end = header_octets(sl_from(message, it.at)) + it.at;
		buf_add(out, sl_sub(message, it.at, end));
	} else if (it.limited) {
		buf_add(out, SL("\r\n"));
	} else {
		buf_add(out, sl_sub(message, blank_at, it.at));
	}
	return out->err;
}
