/// fetch_item — the three RFC822 items are body sections under old names (RFC 3501 §6.4.5).
#include "front/imap/fetch_item.h"

#include "base/num.h"
#include "mail/header.h"
#include "proto/imap_fetch.h"

static const struct {
	enum imap_fetch_att att;
	struct fetch_item item;
} old_items[] = {
	{ FETCH_RFC822, { SL_INIT("RFC822"), { .text = SECTION_ALL } } },
	{ FETCH_RFC822_HEADER, { SL_INIT("RFC822.HEADER"), { .text = SECTION_HEADER, .peek = true } } },
	{ FETCH_RFC822_TEXT, { SL_INIT("RFC822.TEXT"), { .text = SECTION_TEXT } } },
};

static enum fetch_need section_need(const struct imap_body *b)
{
	if (b->n_part)
		return NEED_WHOLE;
	return b->text == SECTION_ALL ? NEED_OCTETS : NEED_HEADER;
}

static void raise(enum fetch_need *need, enum fetch_need to)
{
	if (*need < to)
		*need = to;
}

static void add_item(struct fetch *f, const struct fetch_item *item)
{
	f->items[f->n_items++] = *item;
	raise(&f->need, section_need(&item->body));
}

enum ec fetch_begin(struct fetch *f, struct imap *im, const struct imap_command *cmd)
{
	const struct imap_fetch *ask = &cmd->fetch;

	*f = (struct fetch){ .im = im, .atts = ask->atts };
	f->items = arena_alloc(&im->cmd, ask->n_bodies + ARRAY_N(old_items), sizeof *f->items);
	if (!f->items)
		return E_TEMP;
	if (cmd->uid)
		f->atts |= FETCH_UID; // RFC 9051 §6.4.9
	for (size_t i = 0; i < ARRAY_N(old_items); i++)
		if (ask->atts & old_items[i].att)
			add_item(f, &old_items[i].item);
	for (size_t i = 0; i < ask->n_bodies; i++)
		add_item(f, &(struct fetch_item){ .body = ask->bodies[i] });
	if (f->atts & FETCH_ENVELOPE)
		raise(&f->need, NEED_HEADER);
	if (f->atts & (FETCH_BODY | FETCH_BODYSTRUCTURE))
		raise(&f->need, NEED_WHOLE);
	f->sets_seen = imap_fetch_sets_seen(ask) && !im->view->read_only;
	f->style = (struct structure_style){ &im->s->front->charsets, imap_is_utf8(im) };
	f->out = BUF(FETCH_OUT_MAX);
	f->scratch = BUF(im->s->conf->message_max > FETCH_WHOLE_MIN ? im->s->conf->message_max : FETCH_WHOLE_MIN);
	f->subset = BUF(FETCH_WHOLE_MIN);
	arena_init(&f->memory, FETCH_TREE_MAX);
	return E_OK;
}

void fetch_end(struct fetch *f)
{
	buf_free(&f->out);
	buf_free(&f->scratch);
	buf_free(&f->subset);
	arena_free(&f->memory);
}

/// Forgets the message before; what was large for it is given back.
static void forget(struct fetch *f)
{
	if (f->scratch.cap > FETCH_KEEP_MAX)
		buf_free(&f->scratch);
	buf_clear(&f->subset);
	if (arena_used(&f->memory) > FETCH_KEEP_MAX) {
		arena_free(&f->memory);
		arena_init(&f->memory, FETCH_TREE_MAX);
	}
	arena_reset(&f->memory);
}

/// Parses what has been read.
static enum ec parse(struct cx *cx, struct fetch *f, struct fetch_message *m)
{
	enum ec e = E_OK;

	if (f->need == NEED_WHOLE) {
		m->header = sl_head(m->whole, header_octets(m->whole));
		e = mime_parse(m->whole, &f->memory, &m->tree);
	}
	if (e == E_OK && f->atts & FETCH_ENVELOPE)
		e = envelope_parse(m->header, &f->memory, &m->envelope);
	return e ? fail(cx, E_LIMIT, "message %u has too much structure", m->body->row->uid) : E_OK;
}

FIB enum ec fetch_prepare(struct cx *cx, struct fetch *f, struct body *b, struct fetch_message *m)
{
	enum ec e = E_OK;

	*m = (struct fetch_message){ .body = b };
	forget(f);
	if (f->need == NEED_WHOLE || b->row->octets <= b->place.len)
		e = body_whole(cx, f->im, b, &f->scratch, &m->whole);
	if (e == E_OK && f->need == NEED_HEADER)
		e = body_header(cx, f->im, b, &f->scratch, &m->header);
	if (f->scratch.err)
		return wrap(cx, E_LIMIT, "reading message %u", b->row->uid);
	return e ? e : parse(cx, f, m);
}

void fetch_print_name(struct fetch *f, struct sl name)
{
	if (f->items_printed++)
		buf_addc(&f->out, ' ');
	buf_add(&f->out, name);
}

void fetch_print_structure(struct fetch *f, const struct fetch_message *m)
{
	if (f->atts & FETCH_ENVELOPE) {
		fetch_print_name(f, SL("ENVELOPE "));
		structure_print_envelope(&f->out, &m->envelope, &f->style);
	}
	if (f->atts & FETCH_BODY) {
		fetch_print_name(f, SL("BODY "));
		structure_print_body(&f->out, m->tree.root, false, &f->style);
	}
	if (f->atts & FETCH_BODYSTRUCTURE) {
		fetch_print_name(f, SL("BODYSTRUCTURE "));
		structure_print_body(&f->out, m->tree.root, true, &f->style);
	}
}

/// Octets of a section: in memory, or a stretch of the message that has to pass by, or none at all.
struct piece {
	enum { PIECE_NIL, PIECE_HERE, PIECE_FAR } kind;
	struct sl here;
	uint32_t from, to;
};

/// Octets [from, to) of the message.
static struct piece stretch(const struct fetch_message *m, size_t from, size_t to)
{
	if (m->whole.p)
		return (struct piece){ .kind = PIECE_HERE, .here = sl_sub(m->whole, from, to) };
	return (struct piece){ .kind = PIECE_FAR, .from = (uint32_t)from, .to = (uint32_t)to };
}

/// The fields of a header that the section names.
static enum ec find_fields(struct fetch *f, struct sl header, const struct imap_body *b, struct sl *out)
{
	struct header_names names = { b->fields.p, b->fields.n, b->text == SECTION_HEADER_FIELDS_NOT };

	buf_clear(&f->subset);
	enum ec e = header_subset(header, &names, &f->subset);
	if (e == E_OK)
		*out = f->subset.p ? buf_sl(&f->subset) : SL("");
	return e;
}

static bool is_fields(const struct imap_body *b)
{
	return b->text == SECTION_HEADER_FIELDS || b->text == SECTION_HEADER_FIELDS_NOT;
}

/// A section with part numbers.
///
/// source: RFC 9051 §6.4.5.1.
static enum ec find_in_part(
	struct fetch *f, const struct fetch_message *m, const struct imap_body *b, struct piece *out)
{
	enum mime_section what = b->text == SECTION_ALL    ? MIME_SECTION_ALL
	                         : b->text == SECTION_TEXT ? MIME_SECTION_TEXT
	                         : b->text == SECTION_MIME ? MIME_SECTION_MIME
	                                                   : MIME_SECTION_HEADER;
	struct piece p = { .kind = PIECE_HERE };
	enum ec e = mime_find_section(&m->tree, b->part, b->n_part, what, &p.here);

	if (e == E_NOTFOUND) {
		*out = (struct piece){ .kind = PIECE_NIL };
		return E_OK;
	}
	if (e == E_OK && is_fields(b))
		e = find_fields(f, p.here, b, &p.here);
	if (e == E_OK)
		*out = p;
	return e;
}

static enum ec find_piece(struct fetch *f, const struct fetch_message *m, const struct imap_body *b, struct piece *out)
{
	struct piece p = { .kind = PIECE_HERE };
	enum ec e = E_OK;

	if (b->n_part)
		return find_in_part(f, m, b, out);
	if (is_fields(b))
		e = find_fields(f, m->header, b, &p.here);
	else if (b->text == SECTION_HEADER)
		p.here = m->header;
	else
		p = stretch(m, b->text == SECTION_TEXT ? m->header.n : 0, m->body->row->octets);
	if (e == E_OK)
		*out = p;
	return e;
}

/// partial = "<" number64 "." nz-number64 ">": what lies behind the end is not there (RFC 9051 §6.4.5).
static void cut_partial(struct piece *p, const struct imap_body *b)
{
	uint64_t all = p->kind == PIECE_HERE ? p->here.n : p->to - p->from;
	uint64_t skip = b->from < all ? b->from : all;
	uint64_t n = b->length < all - skip ? b->length : all - skip;

	if (!b->partial || p->kind == PIECE_NIL)
		return;
	if (p->kind == PIECE_HERE) {
		p->here = sl_sub(p->here, (size_t)skip, (size_t)(skip + n));
	} else {
		p->from += (uint32_t)skip;
		p->to = p->from + (uint32_t)n;
	}
}

/// nstring = string / nil, as a literal where there is anything. Large ones are sent from where they lie.
FIB static enum ec send_piece(struct cx *cx, struct fetch *f, struct fetch_message *m, const struct piece *p)
{
	size_t n = p->kind == PIECE_HERE ? p->here.n : p->to - p->from;

	if (p->kind == PIECE_NIL || n == 0) {
		buf_puts(&f->out, p->kind == PIECE_NIL ? "NIL" : "\"\"");
		return E_OK;
	}
	buf_addc(&f->out, '{');
	buf_num(&f->out, n);
	buf_puts(&f->out, "}\r\n");
	if (p->kind == PIECE_HERE && n <= FETCH_COPY_MAX) {
		buf_add(&f->out, p->here);
		return E_OK;
	}
	enum ec e = imap_send(cx, f->im, &f->out);
	if (e == E_OK && p->kind == PIECE_HERE)
		e = io_put(cx, f->im->io, p->here);
	else if (e == E_OK)
		e = body_send(cx, f->im, m->body, p->from, p->to);
	return e;
}

FIB enum ec fetch_send_items(struct cx *cx, struct fetch *f, struct fetch_message *m)
{
	enum ec result = E_OK;

	for (size_t i = 0; i < f->n_items; i++) {
		const struct fetch_item *item = &f->items[i];
		struct piece p = { .kind = PIECE_NIL };
		fetch_print_name(f, item->name);
		if (!item->name.n)
			imap_print_body(&f->out, &item->body);
		buf_addc(&f->out, ' ');
		if (find_piece(f, m, &item->body, &p) != E_OK)
			f->limited = true; // of this item NIL is told
		cut_partial(&p, &item->body);
		enum ec e = send_piece(cx, f, m, &p);
		if (e == E_CORRUPT)
			result = e;
		else if (e != E_OK)
			return e;
	}
	return result;
}
