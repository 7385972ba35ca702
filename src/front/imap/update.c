/// update — one sync at a time: read the news into memory, then change the view and tell the client in one go.
///
/// Order of what is told: EXPUNGE, FETCH, EXISTS, RECENT. view->modseq moves only when all of a sync was told, so that
/// after an error the next sync repeats it; what was told already then changes nothing more.
#include "front/imap/update.h"

#include <string.h>

#include "base/num.h"
#include "front/imap/rows.h"
#include "front/imap/select.h"
#include "proto/imap_print.h"

enum { SYNC_GONE_MAX = 2048 }; // ranges of one sync: a quarter of its chunk; more are found by comparing presence

/// One sync, copied out of the arena.
struct news {
	struct ans_mbox_sync ans;
	struct pl_row *rows;
	struct pl_uids *gone;
};

// ---- flags and keywords

static unsigned system_flags(uint8_t flags)
{
	return (flags & FLAG_SEEN ? IMAP_SEEN : 0u) | (flags & FLAG_ANSWERED ? IMAP_ANSWERED : 0u) |
	       (flags & FLAG_FLAGGED ? IMAP_FLAGGED : 0u) | (flags & FLAG_DELETED ? IMAP_DELETED : 0u) |
	       (flags & FLAG_DRAFT ? IMAP_DRAFT : 0u);
}

/// Appends the flags in parentheses, with one more flag at the end where `more` is not empty.
static void print_flags(struct buf *b, const struct view *v, uint8_t flags, uint64_t keywords, struct sl more)
{
	struct sl names[VIEW_KEYWORDS + 1];
	struct imap_flags f = { .system = system_flags(flags), .keywords = { .p = names } };

	for (uint64_t left = keywords; left; left &= left - 1) {
		struct sl name = v->keyword[__builtin_ctzll(left)];
		if (name.n)
			names[f.keywords.n++] = name;
	}
	if (more.n)
		names[f.keywords.n++] = more;
	imap_print_flags(b, &f);
}

void update_print_row_flags(struct buf *b, const struct view *v, const struct pl_row *row)
{
	bool recent = v->recent_from && row->uid >= v->recent_from;

	print_flags(b, v, row->flags, row->keywords, recent ? SL("\\Recent") : SL(""));
}

void update_print_fetch_flags(struct buf *b, const struct view *v, const struct pl_row *row, bool with_uid)
{
	uint32_t seq = view_seq(v, row->uid);

	if (seq == 0)
		return;
	buf_printf(b, "* %u FETCH (", seq);
	if (with_uid)
		buf_printf(b, "UID %u ", row->uid);
	buf_puts(b, "FLAGS ");
	update_print_row_flags(b, v, row);
	buf_puts(b, ")\r\n");
}

void update_print_flags(struct buf *b, const struct imap *im)
{
	const struct view *v = im->view;
	bool room = false;

	for (unsigned i = 0; i < VIEW_KEYWORDS; i++)
		room |= v->keyword[i].n == 0;
	buf_puts(b, "* FLAGS ");
	print_flags(b, v, FLAG_ALL, UINT64_MAX, SL(""));
	buf_puts(b, "\r\n* OK [PERMANENTFLAGS ");
	if (v->read_only)
		buf_puts(b, "()");
	else
		print_flags(b, v, FLAG_ALL, UINT64_MAX, room ? SL("\\*") : SL(""));
	buf_puts(b, "] Flags kept\r\n");
}

enum ec update_take_keywords(
	struct cx *cx, struct imap *im, struct view *v, const struct set_chunk *c, uint32_t count, bool *fresh)
{
	struct sl entries = { chunks_at(client_chunks(im->store), c->out), c->out.len };
	struct pl_keyword k;

	*fresh = false;
	for (uint32_t i = 0; i < count; i++) {
		if (entries.n < sizeof k)
			return fail(cx, E_CORRUPT, "keyword entries end early");
		memcpy(&k, entries.p, sizeof k);
		if (k.size < sizeof k || k.size > entries.n || k.name_octets > k.size - sizeof k ||
			k.bit >= VIEW_KEYWORDS)
			return fail(cx, E_CORRUPT, "a keyword entry of %u octets", k.size);
		struct sl name = { entries.p + sizeof k, k.name_octets };
		if (!sl_eq(name, v->keyword[k.bit])) {
			enum ec e = view_name_keyword(v, k.bit, name);
			if (e != E_OK)
				return fail(cx, e, "no memory for keywords");
			*fresh = true;
		}
		entries = sl_from(entries, k.size);
	}
	return E_OK;
}

/// Asks the store for the names of keywords. out: *fresh as update_take_keywords.
FIB static enum ec load_keywords(struct cx *cx, struct imap *im, bool *fresh)
{
	struct req_mbox_keywords req = { .handle = im->handle, .mbox = im->view->mbox };
	struct ans_mbox_keywords ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, NULL, 0, &c);

	if (e != E_OK)
		return e;
	req.out = c.out;
	e = call_mbox_keywords(cx, im->store, &req, &ans);
	if (e == E_OK)
		e = update_take_keywords(cx, im, im->view, &c, ans.count, fresh);
	set_chunk_give(im, &c);
	return e;
}

FIB enum ec update_name_keywords(struct cx *cx, struct imap *im, uint64_t keywords, struct buf *b)
{
	bool fresh = false;

	if (!view_unnamed(im->view, keywords))
		return E_OK;
	enum ec e = load_keywords(cx, im, &fresh);
	if (e == E_OK && fresh)
		update_print_flags(b, im);
	return e;
}

// ---- what is gone

/// Removes the messages with UIDs lo … hi.
FIB static enum ec gone_range(struct cx *cx, struct imap *im, struct pl_uids r, struct buf *b)
{
	uint32_t seq, uid = view_next(im->view, r.lo, NULL);
	enum ec e = E_OK;

	while (e == E_OK && uid && uid <= r.hi) {
		e = view_remove(im->view, uid, &seq);
		if (e != E_OK)
			return fail(cx, e, "no memory for the view");
		buf_printf(b, "* %u EXPUNGE\r\n", seq);
		e = imap_send_some(cx, im, b);
		uid = view_next(im->view, uid, NULL);
	}
	return e;
}

FIB enum ec update_gone(struct cx *cx, struct imap *im, const struct pl_uids *gone, size_t n, struct buf *b)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < n; i++)
		e = gone_range(cx, im, gone[i], b);
	return e;
}

/// Reads presence from block `from` on into `now`. out: *next — where to go on, 0 = that was all.
FIB static enum ec read_presence(struct cx *cx, struct imap *im, uint32_t from, struct view *now, uint32_t *next)
{
	struct req_mbox_presence req = { .handle = im->handle, .mbox = im->view->mbox, .from_block = from };
	struct ans_mbox_presence ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, NULL, 0, &c);

	if (e != E_OK)
		return e;
	req.out = c.out;
	e = call_mbox_presence(cx, im->store, &req, &ans);
	if (e == E_OK)
		e = select_take_presence(cx, im, &c, ans.blocks, UINT32_MAX, now);
	if (e == E_OK && ans.next_block && ans.next_block <= from)
		e = fail(cx, E_CORRUPT, "presence goes back to block %u", ans.next_block);
	if (e == E_OK)
		*next = ans.next_block;
	set_chunk_give(im, &c);
	return e;
}

/// Finds what is gone by comparing with what is there, where the list of gone UIDs does not reach back far enough.
FIB static enum ec gone_unknown(struct cx *cx, struct imap *im, struct buf *b)
{
	struct view *now = view_new(im->view->mbox);
	uint32_t next = 0;
	enum ec e = now ? E_OK : fail(cx, E_TEMP, "no memory for a view");

	do {
		if (e == E_OK)
			e = read_presence(cx, im, next, now, &next);
	} while (e == E_OK && next);
	for (uint32_t uid = view_next(im->view, 1, NULL); e == E_OK && uid; uid = view_next(im->view, uid + 1, NULL))
		if (!view_seq(now, uid))
			e = gone_range(cx, im, (struct pl_uids){ uid, uid }, b);
	view_free(now);
	return e;
}

// ---- the sync

FIB static enum ec read_news(struct cx *cx, struct imap *im, struct news *n)
{
	struct req_mbox_sync req = { .handle = im->handle, .mbox = im->view->mbox, .since = im->view->modseq };
	struct set_chunk c, gone;
	uint32_t gone_octets = SYNC_GONE_MAX * sizeof(struct pl_uids);
	enum ec e = set_chunk_take(cx, im, NULL, 0, &c);

	if (e != E_OK)
		return e;
	gone = c;
	c.out.len -= gone_octets;
	gone.out = (struct range){ c.out.off + c.out.len, gone_octets };
	req.out_rows = c.out;
	req.out_gone = gone.out;
	e = call_mbox_sync(cx, im->store, &req, &n->ans);
	if (e == E_OK) {
		n->rows = set_chunk_copy(im, &c, n->ans.rows, sizeof *n->rows);
		n->gone = set_chunk_copy(im, &gone, n->ans.gone_unknown ? 0 : n->ans.gone, sizeof *n->gone);
		if (!n->rows || !n->gone)
			e = fail(cx, E_TEMP, "no memory for %u rows", n->ans.rows);
	}
	set_chunk_give(im, &c);
	return e;
}

/// Takes rows of one batch: new messages into the view, changed flags of known ones into `b`.
FIB static enum ec take_rows(struct cx *cx, struct imap *im, const struct pl_row *rows, size_t n, uint32_t uidnext,
	bool with_uid, struct buf *b)
{
	struct view *v = im->view;
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < n; i++) {
		const struct pl_row *row = &rows[i];
		if (row->uid >= uidnext)
			continue; // came after the sync: its own turn will come
		if (row->uid > view_last(v) && row->uid >= v->uidnext) {
			e = view_add(v, row->uid);
		} else {
			e = update_name_keywords(cx, im, row->keywords, b);
			update_print_fetch_flags(b, v, row, with_uid);
		}
		if (e == E_OK)
			e = imap_send_some(cx, im, b);
	}
	return e;
}

/// Takes all rows of a sync, asking for those that it had no room for.
FIB static enum ec take_all_rows(struct cx *cx, struct imap *im, const struct news *n, bool with_uid, struct buf *b)
{
	struct pl_uids all = { 1, UINT32_MAX };
	struct rows w = { .set = &all, .n_set = 1, .changed_since = im->view->modseq };
	enum ec e = take_rows(cx, im, n->rows, n->ans.rows, n->ans.uidnext, with_uid, b);

	if (!n->ans.more_rows)
		return e;
	w.from_uid = n->ans.rows ? n->rows[n->ans.rows - 1].uid + 1 : 0;
	while (e == E_OK) {
		e = rows_next(cx, im, &w);
		if (w.n == 0)
			break;
		if (e == E_OK)
			e = take_rows(cx, im, w.row, w.n, n->ans.uidnext, with_uid, b);
	}
	return e;
}

static void print_recent(struct buf *b, struct view *v)
{
	uint32_t recent = view_recent(v);

	if (recent != v->recent_told)
		buf_printf(b, "* %u RECENT\r\n", recent);
	v->recent_told = recent;
}

FIB static enum ec tell(struct cx *cx, struct imap *im, const struct news *n, bool with_uid, struct buf *b)
{
	struct view *v = im->view;
	uint32_t exists;
	enum ec e = n->ans.gone_unknown ? gone_unknown(cx, im, b) : update_gone(cx, im, n->gone, n->ans.gone, b);

	exists = v->exists;
	if (e == E_OK)
		e = take_all_rows(cx, im, n, with_uid, b);
	if (v->exists != exists)
		buf_printf(b, "* %u EXISTS\r\n", v->exists);
	print_recent(b, v);
	enum ec sent = imap_send(cx, im, b);
	return sent != E_OK ? sent : e;
}

FIB enum ec update_tell(struct cx *cx, struct imap *im, bool with_uid)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	struct news n;

	if (!im->view)
		return E_OK;
	im->news.set = false; // before the sync: what comes during it sets it again
	enum ec e = read_news(cx, im, &n);
	if (e == E_NOTFOUND) {
		im->over = true;
		im->bye = "The selected mailbox was deleted";
		return fail(cx, E_CLOSED, "the selected mailbox was deleted");
	}
	if (e == E_OK)
		e = tell(cx, im, &n, with_uid, &b);
	buf_free(&b);
	if (e == E_OK) {
		im->view->modseq = n.ans.modseq;
		im->view->uidnext = n.ans.uidnext;
	} else {
		im->news.set = true;
	}
	return e;
}

bool update_is_due(const struct imap *im)
{
	return im->view && (im->news.set || view_recent(im->view) != im->view->recent_told);
}

FIB enum ec update_catch_up(struct cx *cx, struct imap *im)
{
	struct news n;
	enum ec e = read_news(cx, im, &n);

	if (e == E_OK && n.ans.rows == 0 && n.ans.gone == 0 && !n.ans.gone_unknown)
		im->view->modseq = n.ans.modseq;
	return e;
}

void update_own(struct imap *im, uint64_t modseq)
{
	if (modseq == im->view->modseq + 1)
		im->view->modseq = modseq;
}
