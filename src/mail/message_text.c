/// message_text — a pipe of four stages, each handing its buffer to the next: transfer decoder → charset → (HTML) →
/// folding → needles. Every stage is streaming, so a piece of the message costs a few times TEXT_PIECE at most.
#include "base/num.h"
#include "mail/encword.h"
#include "mail/header.h"
#include "mail/html_text.h"
#include "mail/message_text.h"

enum {
	STAGE_MAX = 2 * 1024 * 1024, // one stage's output for one piece or one field; the worst: 16 KiB of uuencode
				     // with a count of 63 in every line, or one character that folds to 18
};

struct pipe {
	struct text_needles needles;
	struct charset_stream charset;
	struct html_text html;
	struct fold_stream fold;
	bool is_html;
	struct buf decoded, utf8, text, folded;
};

static bool all_found(const struct text_needles *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (!v->v[i].found)
			return false;
	return true;
}

static void show(struct pipe *p)
{
	for (size_t i = 0; i < p->needles.n; i++)
		fold_needle_feed(&p->needles.v[i], buf_sl(&p->folded));
	buf_clear(&p->folded);
}

static void text_begin(struct pipe *p, struct sl charset, struct charset_cache *cc, bool is_html)
{
	charset_begin(&p->charset, cc, charset);
	html_begin(&p->html);
	fold_begin(&p->fold);
	p->is_html = is_html;
	for (size_t i = 0; i < p->needles.n; i++)
		fold_needle_break(&p->needles.v[i]);
}

/// What one stage could not hold is lost to the search; memory that ran out is an error.
static enum ec stages_err(const struct pipe *p)
{
	const struct buf *all[] = { &p->decoded, &p->utf8, &p->text, &p->folded };

	for (size_t i = 0; i < ARRAY_N(all); i++)
		if (all[i]->err == E_TEMP)
			return E_TEMP;
	return E_OK;
}

/// Runs what is in `decoded` through the later stages.
static enum ec push(struct pipe *p, bool last)
{
	charset_feed(&p->charset, buf_sl(&p->decoded), &p->utf8);
	if (last)
		charset_end(&p->charset, &p->utf8);
	if (p->is_html)
		html_feed(&p->html, buf_sl(&p->utf8), &p->text);
	if (p->is_html && last)
		html_end(&p->html, &p->text);
	fold_feed(&p->fold, p->is_html ? buf_sl(&p->text) : buf_sl(&p->utf8), &p->folded);
	if (last)
		fold_end(&p->fold, &p->folded);
	enum ec e = stages_err(p);
	show(p);
	buf_clear(&p->decoded);
	buf_clear(&p->utf8);
	buf_clear(&p->text);
	return e;
}

/// The text of one leaf, piece by piece.
static enum ec search_part(
	struct pipe *p, struct charset_cache *cc, const struct mime_tree *tree, const struct mime_part *part)
{
	struct transfer_decoder d;
	struct sl body = mime_body(tree, part);
	enum ec e = E_OK;

	transfer_begin(&d, part->transfer);
	text_begin(p, param_find(part->params, SL("charset")), cc, sl_eq_ci(part->subtype, SL("html")));
	while (e == E_OK && body.n && !all_found(&p->needles)) {
		transfer_feed(&d, sl_head(body, TEXT_PIECE), &p->decoded);
		body = sl_from(body, TEXT_PIECE);
		e = push(p, false);
	}
	if (e || all_found(&p->needles))
		return e;
	transfer_end(&d, &p->decoded);
	return push(p, true);
}

/// One header field: its decoded value, or with `named` "Name: value" as a reader sees the line.
static enum ec search_value(struct pipe *p, struct charset_cache *cc, const struct header_field *f, bool named)
{
	struct sl value = sl_head(f->value, HEADER_VALUE_MAX / 2);

	text_begin(p, SL("utf-8"), cc, false);
	if (named && f->name.n) {
		encword_decode_text(cc, f->name, &p->decoded);
		buf_puts(&p->decoded, ": ");
	}
	encword_decode_text(cc, value, &p->decoded);
	// Decoding used the cache's one stream: begin ours anew.
	charset_begin(&p->charset, cc, SL("utf-8"));
	return push(p, true);
}

static enum ec search_header(struct pipe *p, struct charset_cache *cc, struct sl header)
{
	struct header_iter it = header_over(header);
	struct header_field f;
	enum ec e = E_OK;

	while (e == E_OK && !all_found(&p->needles) && header_next(&it, &f))
		e = search_value(p, cc, &f, true);
	return e;
}

/// The part after `p` in the order of the message, parents first; NULL at the end.
static const struct mime_part *part_after(const struct mime_part *p)
{
	if (p->first)
		return p->first;
	while (p && !p->next)
		p = p->parent;
	return p ? p->next : NULL;
}

static struct pipe pipe_make(struct text_needles needles)
{
	return (struct pipe){
		.needles = needles,
		.decoded = BUF(STAGE_MAX),
		.utf8 = BUF(STAGE_MAX),
		.text = BUF(STAGE_MAX),
		.folded = BUF(STAGE_MAX),
	};
}

static void pipe_free(struct pipe *p)
{
	buf_free(&p->decoded);
	buf_free(&p->utf8);
	buf_free(&p->text);
	buf_free(&p->folded);
}

enum ec text_search_message(
	struct charset_cache *cc, const struct mime_tree *tree, bool headers, struct text_needles needles)
{
	struct pipe p = pipe_make(needles);
	enum ec e = headers ? search_header(&p, cc, mime_header(tree, tree->root)) : E_OK;

	for (const struct mime_part *at = tree->root; at && e == E_OK && !all_found(&needles); at = part_after(at)) {
		if (at->parent && at->parent->class == MIME_MESSAGE)
			e = search_header(&p, cc, mime_header(tree, at));
		if (e == E_OK && at->class == MIME_LEAF && sl_eq_ci(at->type, SL("text")))
			e = search_part(&p, cc, tree, at);
	}
	pipe_free(&p);
	return e;
}

enum ec text_search_field(struct charset_cache *cc, struct sl header, struct sl name, struct text_needles needles)
{
	struct header_iter it = header_over(header);
	struct header_field f;
	struct pipe p = pipe_make(needles);
	enum ec e = E_OK;

	while (e == E_OK && !all_found(&needles) && header_next(&it, &f))
		if (f.name.n && sl_eq_ci(f.name, name))
			e = search_value(&p, cc, &f, false);
	pipe_free(&p);
	return e;
}
