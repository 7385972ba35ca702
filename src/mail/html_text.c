/// html_text — octet by octet through the states of the header.
#include "base/num.h"
#include "base/utf8.h"
#include "mail/html_text.h"

void html_begin(struct html_text *h)
{
	*h = (struct html_text){ 0 };
}

static struct sl word_of(const struct html_text *h)
{
	return (struct sl){ h->word, h->word_n };
}

static void word_add(struct html_text *h, uint8_t c)
{
	if (h->word_n < sizeof h->word)
		h->word[h->word_n++] = to_lower(c);
}

/// Text outside of script and style.
static void put(struct html_text *h, struct sl s, struct buf *out)
{
	if (!h->raw)
		buf_add(out, s);
}

/// Tags that do not part words; all others do.
static bool is_inline(struct sl name)
{
	static const struct sl names[] = { SL_INIT("a"), SL_INIT("b"), SL_INIT("i"), SL_INIT("u"), SL_INIT("s"),
		SL_INIT("em"), SL_INIT("strong"), SL_INIT("span"), SL_INIT("font"), SL_INIT("small"), SL_INIT("big"),
		SL_INIT("sub"), SL_INIT("sup"), SL_INIT("mark"), SL_INIT("code"), SL_INIT("tt"), SL_INIT("wbr"),
		SL_INIT("ins"), SL_INIT("del"), SL_INIT("abbr"), SL_INIT("bdi"), SL_INIT("bdo"), SL_INIT("ruby") };

	for (size_t i = 0; i < ARRAY_N(names); i++)
		if (sl_eq(name, names[i]))
			return true;
	return false;
}

/// The end of a tag's name: script and style swallow all up to their own end tag.
static void tag_named(struct html_text *h, struct buf *out)
{
	struct sl name = word_of(h);
	uint8_t raw = sl_eq(name, SL("script")) ? 's' : sl_eq(name, SL("style")) ? 't' : 0;

	if (h->raw) {
		if (h->closing && raw == h->raw)
			h->raw = 0;
		return;
	}
	if (!is_inline(name))
		buf_addc(out, '\n');
	if (!h->closing)
		h->raw = raw;
}

/// The letters of Latin 1, as mail in French or German has them; their case is lost already, since search folds it.
/// source: HTML 4.01 §24.2.
static uint32_t latin_letter(struct sl w)
{
	static const char *const names[] = { "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig",
		"ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde",
		"ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml",
		"yacute", "thorn", "yuml" };

	_Static_assert(ARRAY_N(names) == 0x100 - 0xdf, "U+00DF to U+00FF without a gap");
	for (uint32_t i = 0; i < ARRAY_N(names); i++)
		if (sl_eq(w, sl_cstr(names[i])))
			return 0xdf + i;
	return 0;
}

/// The character that an entity names: &name; &#number; &#xhex;. 0 where it is none of these.
static uint32_t entity_char(struct sl w)
{
	static const struct {
		struct sl name;
		uint32_t ch;
	} names[] = {
		{ SL_INIT("amp"), '&' },
		{ SL_INIT("lt"), '<' },
		{ SL_INIT("gt"), '>' },
		{ SL_INIT("quot"), '"' },
		{ SL_INIT("apos"), '\'' },
		{ SL_INIT("nbsp"), ' ' },
		{ SL_INIT("ensp"), ' ' },
		{ SL_INIT("emsp"), ' ' },
		{ SL_INIT("copy"), 0xa9 },
		{ SL_INIT("reg"), 0xae },
		{ SL_INIT("middot"), 0xb7 },
		{ SL_INIT("ndash"), 0x2013 },
		{ SL_INIT("mdash"), 0x2014 },
		{ SL_INIT("lsquo"), 0x2018 },
		{ SL_INIT("rsquo"), 0x2019 },
		{ SL_INIT("ldquo"), 0x201c },
		{ SL_INIT("rdquo"), 0x201d },
		{ SL_INIT("hellip"), 0x2026 },
		{ SL_INIT("euro"), 0x20ac },
		{ SL_INIT("yen"), 0xa5 },
	};
	uint64_t value = 0;

	for (size_t i = 0; i < ARRAY_N(names); i++)
		if (sl_eq(w, names[i].name))
			return names[i].ch;
	if (sl_starts(w, SL("#x"))) {
		for (size_t i = 2; i < w.n; i++) {
			if (hex_value(w.p[i]) < 0)
				return 0;
			value = min_size(value << 4 | (unsigned)hex_value(w.p[i]), UINT32_MAX);
		}
		return (uint32_t)value;
	}
	if (sl_starts(w, SL("#")))
		return num_parse(sl_from(w, 1), UINT32_MAX, &value) ? (uint32_t)value : 0;
	return latin_letter(w);
}

/// What is no entity stays as it is.
static void put_entity(struct html_text *h, struct buf *out)
{
	uint32_t ch = h->raw ? 0 : entity_char(word_of(h));

	if (ch) {
		utf8_put(out, ch);
		return;
	}
	put(h, SL("&"), out);
	put(h, word_of(h), out);
	put(h, SL(";"), out);
}

/// After `&`: up to `;`. Anything that cannot be an entity gives the octets back; false where `c` is not used up.
static bool in_entity(struct html_text *h, uint8_t c, struct buf *out)
{
	if (c == ';') {
		put_entity(h, out);
		h->state = HTML_TEXT;
		return true;
	}
	if ((is_alpha(c) || is_digit(c) || c == '#') && h->word_n < HTML_ENTITY_MAX) {
		word_add(h, c);
		return true;
	}
	put(h, SL("&"), out);
	put(h, word_of(h), out);
	h->state = HTML_TEXT;
	return false;
}

/// After `<`: a tag begins with a letter or `/`, markup with `!` or `?`; anything else was text.
static bool in_tag_open(struct html_text *h, uint8_t c, struct buf *out)
{
	if (c == '/' && !h->closing) {
		h->closing = true;
	} else if (is_alpha(c)) {
		h->word_n = 0;
		word_add(h, c);
		h->state = HTML_TAG_NAME;
	} else if ((c == '!' || c == '?') && !h->closing) {
		h->dashes = 0;
		h->state = HTML_MARKUP;
	} else {
		put(h, h->closing ? SL("</") : SL("<"), out);
		h->state = HTML_TEXT;
		return false;
	}
	return true;
}

/// Within `<!` … `>`; `<!--` begins a comment.
static void in_markup(struct html_text *h, uint8_t c)
{
	if (c == '-' && ++h->dashes == 2) {
		h->dashes = 0;
		h->state = HTML_COMMENT;
	} else if (c == '>') {
		h->state = HTML_TEXT;
	}
}

static void in_comment(struct html_text *h, uint8_t c)
{
	if (c == '>' && h->dashes >= 2)
		h->state = HTML_TEXT;
	h->dashes = c == '-' ? (h->dashes < 2 ? h->dashes + 1 : 2) : 0;
}

/// In a tag, behind its name. Quotes hide `>`.
static void in_tag(struct html_text *h, uint8_t c)
{
	if (c == '>') {
		h->state = HTML_TEXT;
	} else if ((c == '"' || c == '\'') && !h->raw) {
		h->quote = c;
		h->state = HTML_TAG_QUOTED;
	}
}

static void in_tag_name(struct html_text *h, uint8_t c, struct buf *out)
{
	if (is_alpha(c) || is_digit(c)) {
		word_add(h, c);
		return;
	}
	tag_named(h, out);
	h->state = HTML_TAG;
	in_tag(h, c);
}

/// One octet; false where the state changed and wants to see it again.
static bool step(struct html_text *h, uint8_t c, struct buf *out)
{
	switch (h->state) {
	case HTML_TEXT:
		h->word_n = 0;
		h->closing = false;
		if (c == '<')
			h->state = HTML_TAG_OPEN;
		else if (c == '&')
			h->state = HTML_ENTITY;
		else if (!h->raw)
			buf_addc(out, c);
		return true;
	case HTML_ENTITY: return in_entity(h, c, out);
	case HTML_TAG_OPEN: return in_tag_open(h, c, out);
	case HTML_TAG_NAME: in_tag_name(h, c, out); return true;
	case HTML_TAG: in_tag(h, c); return true;
	case HTML_TAG_QUOTED:
		if (c == h->quote)
			h->state = HTML_TAG;
		return true;
	case HTML_MARKUP: in_markup(h, c); return true;
	case HTML_COMMENT: in_comment(h, c); return true;
	}
	return true;
}

void html_feed(struct html_text *h, struct sl utf8, struct buf *out)
{
	for (size_t i = 0; i < utf8.n;) {
		size_t run = 0;
		struct sl rest = sl_from(utf8, i);
		while (h->state == HTML_TEXT && run < rest.n && rest.p[run] != '<' && rest.p[run] != '&')
			run++;
		put(h, sl_head(rest, run), out);
		i += run;
		if (i < utf8.n && run == 0)
			i += step(h, utf8.p[i], out);
	}
}

void html_end(struct html_text *h, struct buf *out)
{
	if (h->state == HTML_ENTITY) {
		put(h, SL("&"), out);
		put(h, word_of(h), out);
	} else if (h->state == HTML_TAG_OPEN) {
		put(h, SL("<"), out);
	}
	h->state = HTML_TEXT;
}
