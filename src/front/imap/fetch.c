/// fetch — FETCH: rows batch by batch; where octets are asked for, the messages of a batch in groups.
///
///   imap_fetch_run → rows_next → answer_rows                            (nothing but rows)
///                              → answer_groups → answer_group → answer_message
///                                (bodies_ask)    (fetch_prepare, fetch_send_items)
///
/// A message that is gone, damaged or too large to parse is left out, the others are told, and then the tagged answer
/// says NO; a UID that is gone is not worth that (RFC 9051 §6.4.9).
#include "front/imap/fetch.h"

#include "front/imap/fetch_item.h"
#include "front/imap/rows.h"
#include "front/imap/update.h"
#include "proto/imap_print.h"

static void print_start(struct fetch *f, uint32_t seq)
{
	buf_add(&f->out, SL("* "));
	buf_num(&f->out, seq);
	buf_add(&f->out, SL(" FETCH ("));
	f->items_printed = 0;
}

/// What the row alone tells.
static void print_row(struct fetch *f, const struct pl_row *row, unsigned atts)
{
	if (atts & FETCH_UID) {
		fetch_print_name(f, SL("UID "));
		buf_num(&f->out, row->uid);
	}
	if (atts & FETCH_FLAGS) {
		fetch_print_name(f, SL("FLAGS "));
		update_print_row_flags(&f->out, f->im->view, row);
	}
	if (atts & FETCH_INTERNALDATE) {
		fetch_print_name(f, SL("INTERNALDATE "));
		imap_print_date_time(&f->out, row->date_s, row->zone_min);
	}
	if (atts & FETCH_RFC822_SIZE) {
		fetch_print_name(f, SL("RFC822.SIZE "));
		buf_num(&f->out, row->octets);
	}
}

FIB static enum ec answer_rows(struct cx *cx, struct fetch *f, const struct rows *w)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < w->n; i++) {
		print_start(f, view_seq(f->im->view, w->row[i].uid));
		print_row(f, &w->row[i], f->atts);
		buf_add(&f->out, SL(")\r\n"));
		e = imap_send_some(cx, f->im, &f->out);
	}
	f->answered += w->n;
	return e;
}

/// Takes note of a message that cannot be told; other errors end the command.
static enum ec note_trouble(struct fetch *f, enum ec e)
{
	f->damaged |= e == E_CORRUPT;
	f->limited |= e == E_LIMIT;
	return e == E_CORRUPT || e == E_LIMIT || e == E_NOTFOUND ? E_OK : e;
}

/// Tells one message that has been read.
FIB static enum ec answer_message(struct cx *cx, struct fetch *f, struct body *b, bool flags_too)
{
	size_t before = f->out.n;

	print_start(f, view_seq(f->im->view, b->row->uid));
	print_row(f, b->row, f->atts | (flags_too ? FETCH_FLAGS : 0u));
	enum ec e = fetch_prepare(cx, f, b);
	if (e != E_OK) {
		buf_cut(&f->out, before);
		e = note_trouble(f, e);
	} else {
		e = fetch_send_items(cx, f, b);
		f->damaged |= e == E_CORRUPT;
		f->answered += e == E_OK || e == E_CORRUPT;
		e = e == E_CORRUPT ? E_OK : e;
		buf_add(&f->out, SL(")\r\n"));
	}
	if (e == E_OK)
		e = imap_send_some(cx, f->im, &f->out);
	return e == E_OK ? fetch_forget(cx, f) : e;
}

/// Sets \Seen on a group and says of which messages that changed the flags: bit i for b->v[i]. Reading goes on where it
/// fails.
FIB static uint32_t set_seen(struct cx *cx, struct fetch *f, struct bodies *b)
{
	uint32_t changed = 0;

	if (!f->sets_seen)
		return 0;
	for (size_t i = 0; i < b->n; i++)
		if (!(b->v[i].row->flags & FLAG_SEEN))
			changed |= 1u << i;
	enum ec e = bodies_set_seen(cx, f->im, b);
	if (e != E_OK) {
		log_failure(cx, LOG_WARN, "imap.seen.failed", e);
		f->sets_seen = false;
	}
	for (size_t i = 0; i < b->n; i++)
		if (!(b->v[i].row->flags & FLAG_SEEN))
			changed &= ~(1u << i);
	return changed;
}

/// Tells the messages that one request has read.
FIB static enum ec answer_group(struct cx *cx, struct fetch *f, struct bodies *b)
{
	enum ec e = E_OK;

	holder_begin(cx, &f->im->s->front->holders, &f->held, f->im->io);
	uint32_t seen = set_seen(cx, f, b);
	for (size_t i = 0; e == E_OK && i < b->n; i++) {
		if (b->v[i].state == BODY_HERE)
			e = answer_message(cx, f, &b->v[i], seen >> i & 1);
		else if (b->v[i].state == BODY_DAMAGED)
			e = note_trouble(f, fail(cx, E_CORRUPT, "message %u cannot be read", b->v[i].row->uid));
		if (e == E_OK && f->need >= NEED_HEADER_END)
			e = fib_yield(cx);
	}
	holder_end(&f->held);
	bodies_give(f->im, b);
	if (f->held.evicted)
		f->im->bye = "[LIMIT] Reading too slowly while others waited";
	return e;
}

/// How much of each message is read at first.
static uint32_t first_octets(const struct fetch *f)
{
	bool header_only = f->need == NEED_HEADER || f->need == NEED_HEADER_END;

	for (size_t i = 0; header_only && i < f->n_items; i++)
		header_only = f->items[i].body.text != SECTION_ALL && f->items[i].body.text != SECTION_TEXT;
	return header_only ? BODY_HEAD : CHUNK_OCTETS;
}

/// Tells the messages group by group; while one is told the next is read.
FIB static enum ec answer_groups(struct cx *cx, struct fetch *f, struct pl_row *rows, size_t n)
{
	uint32_t head_max = first_octets(f);
	struct bodies two[2] = { 0 }, *here = &two[0], *next = &two[1];
	enum ec e = E_OK;

	for (size_t at = 0; e == E_OK && at < n;) {
		cx_deadline_in(cx, IMAP_ANSWER_MS);
		if (here->n == 0)
			e = bodies_ask(cx, f->im, rows + at, n - at, head_max, here);
		if (e == E_OK)
			e = bodies_take(cx, f->im, here);
		if (e != E_OK)
			return e;
		at += here->n;
		bodies_ask_ahead(f->im, rows + at, n - at, head_max, next);
		e = answer_group(cx, f, here);
		struct bodies *done = here;
		here = next;
		next = done;
	}
	bodies_drop(f->im, here);
	return e;
}

/// Leaves out what the client does not know of: messages expunged before it selected the mailbox.
static void keep_viewed(const struct view *v, struct rows *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (!w->row[i].expunged || view_seq(v, w->row[i].uid))
			w->row[n++] = w->row[i];
	w->n = n;
}

/// Tells a new keyword before the flags that have it.
FIB static enum ec name_keywords(struct cx *cx, struct fetch *f, const struct rows *w)
{
	uint64_t keywords = 0;

	for (size_t i = 0; i < w->n; i++)
		keywords |= w->row[i].keywords;
	return f->atts & FETCH_FLAGS || f->sets_seen ? update_name_keywords(cx, f->im, keywords, &f->out) : E_OK;
}

FIB static enum ec answer_batch(struct cx *cx, struct fetch *f, struct rows *w)
{
	keep_viewed(f->im->view, w);
	enum ec e = name_keywords(cx, f, w);
	if (e != E_OK || f->need == NEED_ROW)
		return e ? e : answer_rows(cx, f, w);
	return answer_groups(cx, f, w->row, w->n);
}

/// How many messages the client knows in these ranges.
static uint64_t count_viewed(const struct view *v, const struct pl_uids *set, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += view_count_to(v, set[i].hi) - view_count_to(v, set[i].lo - 1);
	return count;
}

/// What the tagged answer says when everything that could be told has been.
static enum ec verdict(struct cx *cx, const struct fetch *f, bool complete)
{
	if (f->damaged)
		return imap_refuse(f->im, wrap(cx, E_CORRUPT, "FETCH"), "SERVERBUG",
			"Some of the messages are damaged; the others were sent");
	if (f->limited)
		return imap_refuse(f->im, wrap(cx, E_LIMIT, "FETCH"), "LIMIT",
			"Some of the messages are too large for that; the others were sent");
	if (!complete)
		return imap_refuse(f->im, E_NOTFOUND, "EXPUNGEISSUED", "Some of the messages were expunged");
	return E_OK;
}

FIB enum ec imap_fetch_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct rows w = { .expunged_too = true };
	struct pl_uids *set;
	struct fetch f;
	enum ec e = view_resolve(im->view, &cmd->fetch.set, cmd->uid, &im->cmd, &set, &w.n_set);

	if (e == E_OK)
		e = fetch_begin(&f, im, cmd);
	if (e != E_OK)
		return e;
	w.set = set;
	do {
		e = rows_next(cx, im, &w);
		if (e == E_OK && w.n)
			e = answer_batch(cx, &f, &w);
	} while (e == E_OK && w.at < w.n_set);
	if (f.out.n && e != E_CLOSED && e != E_TIMEOUT && e != E_CANCELED) {
		enum ec wire = imap_send(cx, im, &f.out);
		e = wire ? wire : e;
	}
	if (e == E_OK)
		e = verdict(cx, &f, cmd->uid || f.answered == count_viewed(im->view, set, w.n_set));
	fetch_end(&f);
	return e;
}
