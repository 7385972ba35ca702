/// fetch_item — the three RFC822 items are body sections under old names (RFC 3501 §6.4.5).
///
///   fetch_prepare → read (body_whole, body_header …) → make (here or by a helper: parse, print, find) → settle
///   fetch_send_items → send_piece → body_send
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

static bool is_fields(const struct imap_body *b)
{
	return b->text == SECTION_HEADER_FIELDS || b->text == SECTION_HEADER_FIELDS_NOT;
}

static enum fetch_need section_need(const struct imap_body *b)
{
	if (b->n_part)
		return NEED_WHOLE;
	return b->text == SECTION_ALL ? NEED_OCTETS : is_fields(b) ? NEED_HEADER : NEED_HEADER_END;
}

static void raise(enum fetch_need *need, enum fetch_need to)
{
	if (*need < to)
		*need = to;
}

static void add_item(struct fetch *f, const struct fetch_item *item)
{
	f->items[f->n_items++] = *item;
	f->names += item->body.fields.n;
	raise(&f->need, section_need(&item->body));
}

enum ec fetch_begin(struct fetch *f, struct imap *im, const struct imap_command *cmd)
{
	const struct imap_fetch *ask = &cmd->fetch;

	*f = (struct fetch){ .im = im, .atts = ask->atts };
	f->items = arena_alloc(&im->cmd, ask->n_bodies + ARRAY_N(old_items), sizeof *f->items);
	f->pieces = arena_alloc(&im->cmd, ask->n_bodies + ARRAY_N(old_items), sizeof *f->pieces);
	if (!f->items || !f->pieces)
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
	f->out = BUF(BODY_PRINT_MAX);
	f->fields = BUF(BODY_PRINT_MAX);
	f->work = body_work_make(im);
	return E_OK;
}

void fetch_end(struct fetch *f)
{
	buf_free(&f->out);
	buf_free(&f->fields);
	body_work_end(&f->work);
}

void fetch_print_name(struct fetch *f, struct sl name)
{
	if (f->items_printed++)
		buf_addc(&f->out, ' ');
	buf_add(&f->out, name);
}

// ---- making a message ready

/// One message and what is known of it.
struct message {
	struct fetch *f;
	struct body *body;
	struct sl whole;     // at NEED_WHOLE
	struct sl header;    // from NEED_HEADER on
	uint32_t header_end; // from NEED_HEADER_END on
	struct mime_tree tree;
	struct envelope envelope;
	enum ec made;
};

static void print_structure(struct fetch *f, const struct message *m, struct charset_cache *charsets)
{
	struct structure_style style = { charsets, imap_is_utf8(f->im) };

	if (f->atts & FETCH_ENVELOPE) {
		fetch_print_name(f, SL("ENVELOPE "));
		structure_print_envelope(&f->out, &m->envelope, &style);
	}
	if (f->atts & FETCH_BODY) {
		fetch_print_name(f, SL("BODY "));
		structure_print_body(&f->out, m->tree.root, false, &style);
	}
	if (f->atts & FETCH_BODYSTRUCTURE) {
		fetch_print_name(f, SL("BODYSTRUCTURE "));
		structure_print_body(&f->out, m->tree.root, true, &style);
	}
}

/// The fields of a header that the section names; NIL where they are too many to be kept.
static struct fetch_piece find_fields(struct fetch *f, struct sl header, const struct imap_body *b)
{
	struct header_names names = { b->fields.p, b->fields.n, b->text == SECTION_HEADER_FIELDS_NOT };
	size_t from = f->fields.n;

	if (header_subset(header, &names, &f->fields) == E_OK)
		return (struct fetch_piece){ PIECE_FIELDS, from, f->fields.n };
	buf_cut(&f->fields, from);
	f->limited = true;
	return (struct fetch_piece){ .kind = PIECE_NIL };
}

/// A section with part numbers.
///
/// source: RFC 9051 §6.4.5.1.
static struct fetch_piece find_in_part(const struct message *m, const struct imap_body *b)
{
	enum mime_section what = b->text == SECTION_ALL    ? MIME_SECTION_ALL
	                         : b->text == SECTION_TEXT ? MIME_SECTION_TEXT
	                         : b->text == SECTION_MIME ? MIME_SECTION_MIME
	                                                   : MIME_SECTION_HEADER;
	struct sl s;

	if (mime_find_section(&m->tree, b->part, b->n_part, what, &s) != E_OK)
		return (struct fetch_piece){ .kind = PIECE_NIL };
	if (is_fields(b))
		return find_fields(m->f, s, b);
	size_t from = (size_t)(s.p - m->whole.p);
	return (struct fetch_piece){ PIECE_MESSAGE, from, from + s.n };
}

static struct fetch_piece find_piece(const struct message *m, const struct imap_body *b)
{
	size_t all = m->body->row->octets;

	if (b->n_part)
		return find_in_part(m, b);
	if (is_fields(b))
		return find_fields(m->f, m->header, b);
	if (b->text == SECTION_HEADER)
		return (struct fetch_piece){ PIECE_MESSAGE, 0, m->header_end };
	return (struct fetch_piece){ PIECE_MESSAGE, b->text == SECTION_TEXT ? m->header_end : 0, all };
}

/// partial = "<" number64 "." nz-number64 ">": what lies behind the end is not there (RFC 9051 §6.4.5).
static void cut_partial(struct fetch_piece *p, const struct imap_body *b)
{
	uint64_t all = p->to - p->from;
	uint64_t skip = b->from < all ? b->from : all;
	uint64_t n = b->length < all - skip ? b->length : all - skip;

	if (!b->partial)
		return;
	p->from += (size_t)skip;
	p->to = p->from + (size_t)n;
}

/// Parses what has been read, prints its structure and finds its sections. Maybe on a helper thread: nothing but the
/// message's own memory is written.
static void make(struct charset_cache *charsets, void *arg)
{
	struct message *m = arg;
	struct fetch *f = m->f;

	if (f->need == NEED_WHOLE) {
		m->header = sl_head(m->whole, header_octets(m->whole));
		m->made = mime_parse(m->whole, &f->work.parts, &m->tree);
	}
	if (f->need >= NEED_HEADER)
		m->header_end = (uint32_t)m->header.n;
	if (m->made == E_OK && f->atts & FETCH_ENVELOPE)
		m->made = envelope_parse(m->header, &f->work.parts, &m->envelope);
	if (m->made != E_OK)
		return;
	print_structure(f, m, charsets);
	for (size_t i = 0; i < f->n_items; i++) {
		f->pieces[i] = find_piece(m, &f->items[i].body);
		cut_partial(&f->pieces[i], &f->items[i].body);
	}
	m->made = f->out.err;
}

/// Octets that stay while the answer is sent, of a buffer.
static size_t counted(const struct buf *b)
{
	return b->cap > ROOM_FREE_OCTETS ? b->cap : 0;
}

/// Gives back what the message took, but for what its answer needs. That of a small message may be large.
FIB static enum ec settle(struct cx *cx, struct fetch *f)
{
	f->out.max = f->out.n + FETCH_ITEMS_MAX;
	body_work_trim(&f->work);
	enum ec e = room_take(cx, &f->work.share, counted(&f->out) + counted(&f->fields));
	return e == E_TEMP ? imap_refuse(f->im, e, "LIMIT", "Too much memory is in use for large answers; try again")
	                   : e;
}

FIB enum ec fetch_prepare(struct cx *cx, struct fetch *f, struct body *b)
{
	struct message m = { .f = f, .body = b };
	struct front *front = f->im->s->front;
	enum ec e = E_OK;

	if (f->need == NEED_WHOLE)
		e = body_whole(cx, f->im, b, &f->work, &m.whole);
	else if (f->need == NEED_HEADER)
		e = body_header(cx, f->im, b, &f->work, &m.header);
	else if (f->need == NEED_HEADER_END)
		e = body_header_end(cx, f->im, b, &m.header_end);
	size_t octets = m.whole.n + m.header.n;
	f->out.max = f->out.n + body_print_max(octets);
	f->fields.max = body_print_max(octets);
	if (e == E_OK && heavy_is(octets, 1 + f->names / FETCH_NAMES_ONCE))
		e = heavy_run(cx, &front->heavy, make, &m);
	else if (e == E_OK)
		make(&front->charsets, &m);
	if (e != E_OK)
		return e;
	if (m.made != E_OK)
		return fail(cx, E_LIMIT, "message %u has too much structure", b->row->uid);
	return settle(cx, f);
}

FIB enum ec fetch_forget(struct cx *cx, struct fetch *f)
{
	enum ec e = counted(&f->out) && f->out.n ? imap_send(cx, f->im, &f->out) : E_OK;

	if (counted(&f->out))
		buf_free(&f->out);
	if (counted(&f->fields))
		buf_free(&f->fields);
	buf_clear(&f->fields);
	body_work_trim(&f->work);
	room_give(&f->work.share);
	return e;
}

// ---- sending

/// nstring = string / nil, as a literal where there is anything. What is small or chosen goes into `out`.
FIB static enum ec send_piece(struct cx *cx, struct fetch *f, struct body *b, const struct fetch_piece *p)
{
	size_t n = p->to - p->from;
	struct sl here = { 0 };
	enum ec e = E_OK;

	if (p->kind == PIECE_NIL || n == 0) {
		buf_puts(&f->out, p->kind == PIECE_NIL ? "NIL" : "\"\"");
		return E_OK;
	}
	buf_addc(&f->out, '{');
	buf_num(&f->out, n);
	buf_puts(&f->out, "}\r\n");
	if (p->kind == PIECE_FIELDS)
		here = sl_sub(buf_sl(&f->fields), p->from, p->to);
	else if (n <= FETCH_COPY_MAX && p->from >= b->from && p->to - b->from <= b->n)
		e = body_window(cx, f->im, b, (uint32_t)p->from, &here); // it is here
	if (e == E_OK && n <= FETCH_COPY_MAX && here.p) {
		buf_add(&f->out, sl_head(here, n));
		return E_OK;
	}
	if (e == E_OK)
		e = imap_send(cx, f->im, &f->out);
	if (e == E_OK && here.p)
		e = io_put(cx, f->im->io, here);
	else if (e == E_OK)
		e = body_send(cx, f->im, b, (uint32_t)p->from, (uint32_t)p->to);
	return e;
}

FIB enum ec fetch_send_items(struct cx *cx, struct fetch *f, struct body *b)
{
	enum ec result = E_OK;

	for (size_t i = 0; i < f->n_items; i++) {
		const struct fetch_item *item = &f->items[i];
		fetch_print_name(f, item->name);
		if (!item->name.n)
			imap_print_body(&f->out, &item->body);
		buf_addc(&f->out, ' ');
		enum ec e = send_piece(cx, f, b, &f->pieces[i]);
		if (e == E_CORRUPT)
			result = e;
		if (e == E_OK || e == E_CORRUPT)
			e = imap_send_some(cx, f->im, &f->out);
		if (e != E_OK)
			return e;
	}
	return result;
}
