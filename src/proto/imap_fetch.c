/// imap_fetch — RFC 9051 §9, fetch and what it names. Items are rows of tables.
#include "proto/imap_fetch.h"

#include "base/num.h"
#include "proto/imap_print.h"

static const struct imap_word macros[] = {
	{ SL_INIT("ALL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE | FETCH_ENVELOPE },
	{ SL_INIT("FAST"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE },
	{ SL_INIT("FULL"), FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE | FETCH_ENVELOPE | FETCH_BODY },
};

static const struct imap_word atts[] = {
	{ SL_INIT("ENVELOPE"), FETCH_ENVELOPE },
	{ SL_INIT("FLAGS"), FETCH_FLAGS },
	{ SL_INIT("INTERNALDATE"), FETCH_INTERNALDATE },
	{ SL_INIT("RFC822.SIZE"), FETCH_RFC822_SIZE },
	{ SL_INIT("BODY"), FETCH_BODY },
	{ SL_INIT("BODYSTRUCTURE"), FETCH_BODYSTRUCTURE },
	{ SL_INIT("UID"), FETCH_UID },
	{ SL_INIT("RFC822"), FETCH_RFC822 },
	{ SL_INIT("RFC822.HEADER"), FETCH_RFC822_HEADER },
	{ SL_INIT("RFC822.TEXT"), FETCH_RFC822_TEXT },
};

/// Indexed by enum imap_section_text.
static const struct imap_word section_texts[] = {
	{ SL_INIT(""), SECTION_ALL },
	{ SL_INIT("HEADER"), SECTION_HEADER },
	{ SL_INIT("HEADER.FIELDS"), SECTION_HEADER_FIELDS },
	{ SL_INIT("HEADER.FIELDS.NOT"), SECTION_HEADER_FIELDS_NOT },
	{ SL_INIT("TEXT"), SECTION_TEXT },
	{ SL_INIT("MIME"), SECTION_MIME },
};

static bool has_fields(enum imap_section_text text)
{
	return text == SECTION_HEADER_FIELDS || text == SECTION_HEADER_FIELDS_NOT;
}

static bool is_digit_next(const struct cur *c)
{
	int ch = cur_peek(c);
	return ch >= 0 && is_digit((uint8_t)ch);
}

/// header-list = "(" header-fld-name *(SP header-fld-name) ")"
static void parse_header_list(struct cur *c, struct arena *a, struct imap_texts *out)
{
	cur_need(c, '(');
	do
		imap_texts_add(c, a, out, IMAP_FIELDS_MAX, imap_parse_astring(c, a));
	while (cur_take(c, ' '));
	cur_need(c, ')');
}

/// section-part = nz-number *("." nz-number)
///
/// Returns true where a "." behind it promises a section-text.
static bool parse_section_part(struct cur *c, struct arena *a, struct imap_body *out)
{
	while (is_digit_next(c)) {
		if (out->n_part >= IMAP_PART_DEPTH_MAX)
			cur_fail(c, E_LIMIT);
		uint32_t *part = imap_room_for_one(c, a, out->part, out->n_part, sizeof *part);
		if (!part)
			return false;
		out->part = part;
		out->part[out->n_part++] = imap_parse_nz_number(c);
		if (!cur_take(c, '.'))
			return false;
	}
	return true;
}

/// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
/// section-text = section-msgtext / "MIME"
static void parse_section_text(struct cur *c, struct arena *a, struct imap_body *out)
{
	size_t start = c->at;

	out->text = imap_parse_word(c, section_texts, ARRAY_N(section_texts));
	if (out->text == SECTION_ALL || (out->text == SECTION_MIME && out->n_part == 0)) {
		c->at = start;
		cur_fail(c, E_SYNTAX);
	}
	if (has_fields(out->text)) {
		cur_need(c, ' ');
		parse_header_list(c, a, &out->fields);
	}
}

/// section = "[" [section-spec] "]"
/// section-spec = section-msgtext / (section-part ["." section-text])
static void parse_section(struct cur *c, struct arena *a, struct imap_body *out)
{
	cur_need(c, '[');
	if (cur_take(c, ']'))
		return;
	if (parse_section_part(c, a, out))
		parse_section_text(c, a, out);
	cur_need(c, ']');
}

/// partial = "<" number64 "." nz-number64 ">"
static void parse_partial(struct cur *c, struct imap_body *out)
{
	if (!cur_take(c, '<'))
		return;
	out->partial = true;
	out->from = imap_parse_number64(c);
	cur_need(c, '.');
	if (cur_peek(c) == '0')
		cur_fail(c, E_SYNTAX);
	out->length = imap_parse_number64(c);
	cur_need(c, '>');
}

/// fetch-att =/ "BODY" section [partial] / "BODY.PEEK" section [partial]
static void parse_body(struct cur *c, struct arena *a, bool peek, struct imap_fetch *out)
{
	struct imap_body body = { .peek = peek };

	parse_section(c, a, &body);
	parse_partial(c, &body);
	if (out->n_bodies >= IMAP_FETCH_BODIES_MAX)
		cur_fail(c, E_LIMIT);
	struct imap_body *bodies = imap_room_for_one(c, a, out->bodies, out->n_bodies, sizeof *bodies);
	if (!bodies)
		return;
	out->bodies = bodies;
	out->bodies[out->n_bodies++] = body;
}

/// fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
///             "BODY" ["STRUCTURE"] / "UID" / …
static void parse_fetch_att(struct cur *c, struct arena *a, struct imap_fetch *out)
{
	if (cur_take_ci(c, SL("BODY.PEEK")))
		parse_body(c, a, true, out);
	else if (sl_starts_ci(cur_rest(c), SL("BODY["))) {
		cur_need_ci(c, SL("BODY"));
		parse_body(c, a, false, out);
	} else {
		out->atts |= imap_parse_word(c, atts, ARRAY_N(atts));
	}
}

/// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
void imap_parse_fetch(struct cur *c, struct arena *a, struct imap_fetch *out)
{
	seqset_parse(c, a, &out->set);
	cur_need(c, ' ');
	for (size_t i = 0; i < ARRAY_N(macros); i++) {
		if (imap_take_word(c, macros[i].name)) {
			out->atts = macros[i].bit;
			return;
		}
	}
	bool many = cur_take(c, '(');
	do
		parse_fetch_att(c, a, out);
	while (many && cur_take(c, ' '));
	if (many)
		cur_need(c, ')');
}

bool imap_fetch_sets_seen(const struct imap_fetch *f)
{
	if (f->atts & (FETCH_RFC822 | FETCH_RFC822_TEXT))
		return true;
	for (size_t i = 0; i < f->n_bodies; i++)
		if (!f->bodies[i].peek)
			return true;
	return false;
}

void imap_print_body(struct buf *b, const struct imap_body *body)
{
	buf_puts(b, "BODY[");
	for (size_t i = 0; i < body->n_part; i++) {
		if (i)
			buf_addc(b, '.');
		buf_num(b, body->part[i]);
	}
	if (body->n_part && body->text != SECTION_ALL)
		buf_addc(b, '.');
	buf_add(b, section_texts[body->text].name);
	for (size_t i = 0; i < body->fields.n; i++) {
		buf_puts(b, i ? " " : " (");
		imap_print_astring(b, body->fields.p[i], false);
	}
	buf_puts(b, body->fields.n ? ")]" : "]");
	if (body->partial)
		buf_printf(b, "<%llu>", (unsigned long long)body->from);
}
