/// mime — one pass by lines. The open parts form a chain from the innermost to the root; a stack of the open multiparts
/// holds their boundaries (mail/boundary.h), which tells a delimiter by looking at a line once. It ends every part
/// within its multipart, so each part is closed exactly once and the pass is linear in the octets of the message.
#include "mail/mime.h"

#include <string.h>

#include "base/num.h"
#include "mail/boundary.h"
#include "mail/header.h"

_Static_assert((int)BOUNDARIES_MAX >= (int)MIME_DEPTH_MAX, "an open multipart has one boundary at most");
_Static_assert((int)MIME_COMPARE_MAX >= (int)BOUNDARY_COMPARE_MAX, "the bound of a line is that of the message");

/// A multipart that may have more parts.
struct frame {
	struct mime_part *part;
	struct mime_part **tail; // where its next child goes
};

struct scan {
	struct sl msg;
	size_t at;      // start of the next line
	uint32_t lines; // line ends before `at`
	struct arena *a;
	enum ec err;
	struct mime_part *open; // innermost open part
	unsigned depth;         // of `open`
	struct boundaries boundaries;
	struct frame frames[MIME_DEPTH_MAX]; // of each boundary
	uint32_t parts;
	bool limited;
};

struct hit {
	struct boundary_hit of;
	size_t line_at;
};

/// The line at s->at with its end, taken.
static struct sl take_line(struct scan *s)
{
	const uint8_t *p = s->msg.p + s->at, *lf = memchr(p, '\n', s->msg.n - s->at);
	struct sl line = { p, lf ? (size_t)(lf - p) + 1 : s->msg.n - s->at };

	s->at += line.n;
	s->lines += lf != NULL;
	return line;
}

/// Beyond MIME_PARTS_MAX no part begins: the last one goes on.
static bool is_delimiter(struct scan *s, struct sl line, struct hit *h)
{
	if (s->boundaries.n == 0 || !sl_starts(line, SL("--")))
		return false;
	h->line_at = (size_t)(line.p - s->msg.p);
	return boundary_match(&s->boundaries, sl_from(line, 2), &h->of) && (h->of.close || s->parts < MIME_PARTS_MAX);
}

static struct mime_part *part_new(struct scan *s, struct mime_part *parent)
{
	struct mime_part *p = arena_alloc(s->a, 1, sizeof *p);

	if (!p) {
		s->err = E_TEMP;
		return NULL;
	}
	p->parent = parent;
	p->header_at = p->body_at = p->end = s->at;
	s->parts++;
	return p;
}

/// Content-Language = 1#Language-tag (RFC 3282 §2)
static enum ec take_languages(struct mime_part *p, struct sl raw, struct arena *a)
{
	struct mime_language **tail = &p->languages;

	for (unsigned n = 0; raw.n && n < MIME_LANGUAGES_MAX;) {
		struct sl tag = sl_trim(sl_cut(&raw, ','));
		struct mime_language *l = tag.n ? arena_alloc(a, 1, sizeof *l) : NULL;
		if (tag.n && !l)
			return E_TEMP;
		if (!l)
			continue;
		enum ec e = header_text(a, tag, &l->tag);
		if (e)
			return e;
		*tail = l;
		tail = &l->next;
		n++;
	}
	return E_OK;
}

/// Reads one Content-* field into the part; of repeated ones the first counts.
static enum ec take_field(struct mime_part *p, const struct header_field *f, struct arena *a)
{
	struct sl name = sl_from(f->name, 8); // "Content-"
	struct sl *text = sl_eq_ci(name, SL("ID"))                  ? &p->id
	                  : sl_eq_ci(name, SL("Description"))       ? &p->description
	                  : sl_eq_ci(name, SL("Transfer-Encoding")) ? &p->encoding
	                  : sl_eq_ci(name, SL("MD5"))               ? &p->md5
	                  : sl_eq_ci(name, SL("Location"))          ? &p->location
	                                                            : NULL;

	if (text)
		return text->p ? E_OK : header_text(a, f->value, text);
	if (sl_eq_ci(name, SL("Type")) && !p->type.p)
		return param_parse_type(f->value, a, &p->type, &p->subtype, &p->params);
	if (sl_eq_ci(name, SL("Disposition")) && !p->disposition.p)
		return param_parse_disposition(f->value, a, &p->disposition, &p->disposition_params);
	if (sl_eq_ci(name, SL("Language")) && !p->languages)
		return take_languages(p, f->value, a);
	return E_OK;
}

/// The type of a part that names none, or none that can be read (RFC 2045 §5.2, RFC 2046 §5.1.5).
static enum ec default_type(struct mime_part *p, struct arena *a)
{
	const struct mime_part *up = p->parent;

	p->params = NULL;
	if (up && up->class == MIME_MULTIPART && sl_eq_ci(up->subtype, SL("digest"))) {
		p->type = SL("message");
		p->subtype = SL("rfc822");
		return E_OK;
	}
	struct param *charset = arena_alloc(a, 1, sizeof *charset);
	if (!charset)
		return E_TEMP;
	*charset = (struct param){ .name = SL("charset"), .value = SL("us-ascii") };
	p->type = SL("text");
	p->subtype = SL("plain");
	p->params = charset;
	return E_OK;
}

static enum mime_class class_of(const struct mime_part *p)
{
	if (sl_eq_ci(p->type, SL("multipart")))
		return MIME_MULTIPART;
	bool message = sl_eq_ci(p->subtype, SL("rfc822")) || sl_eq_ci(p->subtype, SL("global"));
	return message && sl_eq_ci(p->type, SL("message")) ? MIME_MESSAGE : MIME_LEAF;
}

/// Reads the Content-* fields of a part whose header range is known.
static enum ec read_header(struct scan *s, struct mime_part *p)
{
	struct header_iter it = header_over(sl_sub(s->msg, p->header_at, p->body_at));
	struct header_field f;
	enum ec e = E_OK;

	while (e == E_OK && header_next(&it, &f))
		if (sl_starts_ci(f.name, SL("Content-")))
			e = take_field(p, &f, s->a);
	if (e == E_OK && p->type.n == 0)
		e = default_type(p, s->a);
	p->transfer = p->encoding.p ? transfer_named(p->encoding) : TRANSFER_7BIT;
	p->class = class_of(p);
	return e;
}

/// Lines up to the first delimiter, or with `header` up to the blank line. False where neither came before the end.
static bool skip_lines(struct scan *s, bool header, struct hit *h, bool *blank)
{
	*blank = false;
	while (s->at < s->msg.n) {
		struct sl line = take_line(s);
		if (is_delimiter(s, line, h))
			return true;
		if (header && (line.p[0] == '\n' || sl_eq(line, SL("\r\n")))) {
			*blank = true;
			return true;
		}
	}
	return false;
}

/// Ends the open parts down to, not including, `outer`, at `cut`, before which `lines` line ends stand.
static void close_parts(struct scan *s, struct mime_part *outer, size_t cut, uint32_t lines)
{
	for (; s->open != outer; s->open = s->open->parent, s->depth--) {
		struct mime_part *p = s->open;
		p->header_at = min_size(p->header_at, cut);
		p->body_at = min_size(p->body_at, cut);
		p->end = cut;
		p->lines = lines > p->lines ? lines - p->lines : 0; // until now: line ends before the body
	}
}

/// Octets of the line end before `at`, which belongs to the delimiter there (RFC 2046 §5.1.1), not before `floor`.
static size_t eol_before(struct sl msg, size_t at, size_t floor)
{
	if (at <= floor || msg.p[at - 1] != '\n')
		return 0;
	return at - floor >= 2 && msg.p[at - 2] == '\r' ? 2 : 1;
}

/// A delimiter: ends what is open within its multipart, and forgets the boundaries within. A multipart whose
/// close-delimiter has come has no more parts: its own boundary is forgotten too.
static void take_hit(struct scan *s, const struct hit *h)
{
	const struct frame *f = &s->frames[h->of.at];
	struct mime_part *child = s->open; // the child of the multipart that the delimiter ends, if one is open

	while (child != f->part && child->parent != f->part)
		child = child->parent;
	if (child != f->part) {
		size_t eol = eol_before(s->msg, h->line_at, child->header_at);
		uint32_t own = s->at > h->line_at && s->msg.p[s->at - 1] == '\n'; // the delimiter's line end
		close_parts(s, f->part, h->line_at - eol, s->lines - own - (eol > 0));
	}
	boundary_cut(&s->boundaries, h->of.at + !h->of.close);
}

/// Opens a multipart; one without a boundary can have no parts.
static void push_frame(struct scan *s, struct mime_part *p)
{
	unsigned at = s->boundaries.n;

	if (boundary_push(&s->boundaries, param_find(p->params, SL("boundary"))))
		s->frames[at] = (struct frame){ .part = p, .tail = &p->first };
}

/// Begins a part as the child of the open one (or the root) and reads its header. A message within is entered at once.
/// Yields true with *h where a delimiter ended the header.
static bool begin_part(struct scan *s, struct mime_part **link, struct hit *h)
{
	for (;;) {
		struct mime_part *p = part_new(s, s->open);
		bool blank, stopped;
		if (!p)
			return false;
		*link = p;
		s->open = p;
		s->depth++;
		stopped = skip_lines(s, true, h, &blank);
		p->body_at = stopped && !blank ? h->line_at : s->at;
		p->end = s->msg.n;
		s->err = read_header(s, p);
		if (s->err)
			return false;
		// If a delimiter stopped us, its own line end is counted already.
		p->lines = s->lines;
		if (p->class != MIME_LEAF && s->depth >= MIME_DEPTH_MAX) {
			p->class = MIME_LEAF;
			p->type = SL("application");
			p->subtype = SL("octet-stream");
			s->limited = true;
		}
		if (p->class == MIME_MULTIPART)
			push_frame(s, p);
		if (p->class != MIME_MESSAGE || (stopped && !blank))
			return stopped && !blank;
		link = &p->first;
	}
}

/// Gives each multipart without parts, and each message part whose message never began, its child, so that the tree
/// fits the grammar of BODYSTRUCTURE: a text/plain over the whole body.
static enum ec complete(struct scan *s, struct mime_part *p)
{
	if (p->class == MIME_LEAF)
		return E_OK;
	if (!p->first) {
		struct mime_part *child = part_new(s, p);
		if (!child)
			return E_TEMP;
		*child = (struct mime_part){ .parent = p, .lines = p->lines };
		child->header_at = child->body_at = p->body_at;
		child->end = p->end;
		child->type = SL("text");
		child->subtype = SL("plain");
		p->first = child;
	}
	if (p->class != MIME_MESSAGE)
		return E_OK;
	p->envelope = arena_alloc(s->a, 1, sizeof *p->envelope);
	if (!p->envelope)
		return E_TEMP;
	return envelope_parse(sl_sub(s->msg, p->first->header_at, p->first->body_at), s->a, p->envelope);
}

/// The part after `p` in the order of the message, parents first; NULL at the end.
static struct mime_part *part_after(struct mime_part *p)
{
	if (p->first)
		return p->first;
	while (p && !p->next)
		p = p->parent;
	return p ? p->next : NULL;
}

/// Reads the whole message: root first, then from delimiter to delimiter.
static void scan_all(struct scan *s, struct mime_part **root)
{
	struct hit h;
	bool blank, hit = begin_part(s, root, &h);

	while (s->err == E_OK && (hit || skip_lines(s, false, &h, &blank))) {
		take_hit(s, &h);
		hit = false;
		if (h.of.close)
			continue;
		struct frame *f = &s->frames[h.of.at];
		struct mime_part **link = f->tail;
		hit = begin_part(s, link, &h);
		if (*link)
			f->tail = &(*link)->next;
	}
	if (s->err == E_OK)
		close_parts(s, NULL, s->msg.n, s->lines);
}

enum ec mime_parse(struct sl message, struct arena *a, struct mime_tree *tree)
{
	struct scan *s = arena_alloc(a, 1, sizeof *s);
	struct mime_part *root = NULL;

	if (!s)
		return E_TEMP;
	s->msg = message;
	s->a = a;
	scan_all(s, &root);
	s->limited |= s->parts >= MIME_PARTS_MAX;
	for (struct mime_part *p = root; p && s->err == E_OK; p = part_after(p))
		s->err = complete(s, p);
	if (s->err == E_OK)
		*tree = (struct mime_tree){ .message = message,
			.root = root,
			.parts = s->parts,
			.limited = s->limited,
			.compared = s->boundaries.compared };
	return s->err;
}

const struct mime_part *mime_find_part(const struct mime_tree *tree, const uint32_t *path, size_t n)
{
	const struct mime_part *at = tree->root;
	bool entity = true; // `at` is a message, whose number 1 may be itself

	for (size_t i = 0; i < n && at; i++) {
		if (!entity && at->class == MIME_MESSAGE) {
			at = at->first;
			entity = true;
		}
		if (at->class == MIME_MULTIPART) {
			uint32_t number = path[i];
			for (at = number ? at->first : NULL; at && number > 1; number--)
				at = at->next;
		} else if (!entity || path[i] != 1) {
			return NULL;
		}
		entity = false;
	}
	return at;
}

enum ec mime_find_section(
	const struct mime_tree *tree, const uint32_t *path, size_t n, enum mime_section what, struct sl *out)
{
	const struct mime_part *p = mime_find_part(tree, path, n);

	if (!p || (what == MIME_SECTION_MIME && n == 0))
		return E_NOTFOUND;
	if (what == MIME_SECTION_ALL)
		*out = n ? mime_body(tree, p) : tree->message;
	if (what == MIME_SECTION_MIME)
		*out = mime_header(tree, p);
	if (what == MIME_SECTION_ALL || what == MIME_SECTION_MIME)
		return E_OK;
	if (n && p->class != MIME_MESSAGE)
		return E_NOTFOUND;
	const struct mime_part *inside = n ? p->first : p;
	*out = what == MIME_SECTION_HEADER ? mime_header(tree, inside) : mime_body(tree, inside);
	return E_OK;
}
