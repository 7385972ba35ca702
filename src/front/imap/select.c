/// select — a mailbox opens from presence blocks alone: no row is read, however many messages it has.
#include "front/imap/select.h"

#include <string.h>

#include "front/imap/store.h"
#include "front/imap/update.h"

enum { KEYWORDS_ROOM = VIEW_KEYWORDS * 136 }; // of a chunk: each a head of 4 octets and a name of 128 at most, padded

/// What arrived while the mailbox was open, and was told, is recent to no later session. It is claimed at the end and
/// not when it is told, so that no delivery costs a second write; and only where nothing has come since, of which
/// somebody is still to be told. A store that does not answer leaves it recent, which is allowed.
/// source: RFC 3501 §2.3.2 (\Recent).
FIB static void claim_told(struct cx *cx, struct imap *im)
{
	const struct view *v = im->view;
	struct req_mbox_claim req = { .handle = im->handle, .mbox = v->mbox, .uidnext = v->uidnext };
	struct ans_mbox_claim ans;

	if (v->read_only || v->uidnext == v->recent_claimed || cx->canceled)
		return;
	if (call_mbox_claim(cx, im->store, &req, &ans) != E_OK)
		cx_forget(cx);
}

/// Forgets the mailbox but for its watch.
FIB static void leave_view(struct cx *cx, struct imap *im)
{
	if (im->phase == IMAP_SELECTED) {
		claim_told(cx, im);
		im->phase = IMAP_AUTH;
	}
	view_free(im->view);
	im->view = NULL;
}

FIB void select_leave(struct cx *cx, struct imap *im)
{
	leave_view(cx, im);
	client_watch_remove(cx, im->store, &im->watch);
	im->news.set = false;
}

enum ec select_take_presence(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t blocks, uint32_t uidnext, struct view *v)
{
	const uint8_t *p = chunks_at(client_chunks(im->store), c->out);
	struct pl_presence one;
	enum ec e = E_OK;

	if (blocks > c->out.len / sizeof one)
		return fail(cx, E_CORRUPT, "%u presence blocks in one answer", blocks);
	for (uint32_t i = 0; e == E_OK && i < blocks; i++) {
		memcpy(&one, p + i * sizeof one, sizeof one);
		e = view_add_presence(v, &one, uidnext);
	}
	return e ? fail(cx, e, "presence: %s", ec_name(e)) : E_OK;
}

/// Makes im->view of what the answer says, whose presence blocks may not be all.
static enum ec view_of(struct cx *cx, struct imap *im, const struct req_mbox_open *req, const struct ans_mbox_open *ans,
	const struct set_chunk *presence, const struct set_chunk *keywords)
{
	struct view *v = im->view = view_new(ans->mbox);
	bool fresh;

	if (!v)
		return fail(cx, E_TEMP, "no memory for a view");
	v->read_only = !req->claim_recent;
	v->uidvalidity = ans->uidvalidity;
	v->uidnext = ans->uidnext;
	v->recent_from = ans->recent_from;
	v->recent_claimed = ans->uidnext;
	v->modseq = ans->modseq;
	enum ec e = select_take_presence(cx, im, presence, ans->blocks, ans->uidnext, v);
	return e == E_OK ? update_take_keywords(cx, im, v, keywords, ans->keywords, &fresh) : e;
}

/// Opens the mailbox and reads the first presence blocks. The watch moves there from the mailbox before.
FIB static enum ec open_first(struct cx *cx, struct imap *im, struct req_mbox_open *req, struct ans_mbox_open *ans)
{
	struct set_chunk c, keywords;
	enum ec e = set_chunk_take(cx, im, NULL, 0, &c);

	if (e != E_OK)
		return e;
	keywords = c;
	c.out.len -= KEYWORDS_ROOM;
	keywords.out = (struct range){ c.out.off + c.out.len, KEYWORDS_ROOM };
	req->out = c.out;
	req->out_keywords = keywords.out;
	im->watch.handle = &im->handle;
	im->watch.event = &im->news;
	im->news.set = false;
	e = client_watch_open(cx, im->store, &im->watch, req, ans);
	if (e == E_OK)
		e = view_of(cx, im, req, ans, &c, &keywords);
	set_chunk_give(im, &c);
	return e;
}

/// Reads the presence blocks that did not fit into the first answer. They may be newer than it: UIDs from its uidnext
/// on are left out, and what is missing meanwhile the first sync reports as gone, which then is nothing to tell.
FIB static enum ec open_rest(struct cx *cx, struct imap *im, struct view *v, const struct ans_mbox_open *open)
{
	struct req_mbox_presence req = { .handle = im->handle, .mbox = v->mbox, .from_block = open->next_block };
	struct ans_mbox_presence ans;
	struct set_chunk c;
	enum ec e = E_OK;

	while (e == E_OK && req.from_block) {
		e = set_chunk_take(cx, im, NULL, 0, &c);
		if (e != E_OK)
			return e;
		req.out = c.out;
		e = call_mbox_presence(cx, im->store, &req, &ans);
		if (e == E_OK)
			e = select_take_presence(cx, im, &c, ans.blocks, open->uidnext, v);
		set_chunk_give(im, &c);
		if (e == E_OK && ans.next_block && ans.next_block <= req.from_block)
			e = fail(cx, E_CORRUPT, "presence goes back to block %u", ans.next_block);
		if (e == E_OK)
			req.from_block = ans.next_block;
	}
	return e;
}

FIB static enum ec open_mailbox(struct cx *cx, struct imap *im, struct req_mbox_open *req, struct ans_mbox_open *ans)
{
	enum ec e = open_first(cx, im, req, ans);

	if (e == E_OK)
		e = open_rest(cx, im, im->view, ans);
	if (e == E_OK)
		im->view->recent_told = view_recent(im->view);
	return e;
}

/// source: RFC 9051 §6.3.2; RECENT and UNSEEN: RFC 3501 §6.3.1.
FIB static enum ec tell_opened(struct cx *cx, struct imap *im, const struct ans_mbox_open *ans)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	const struct view *v = im->view;
	uint32_t unseen = ans->first_unseen ? view_seq(v, ans->first_unseen) : 0;

	update_print_flags(&b, im);
	buf_printf(&b, "* %u EXISTS\r\n* %u RECENT\r\n", v->exists, view_recent(v));
	if (unseen)
		buf_printf(&b, "* OK [UNSEEN %u] The first unseen message\r\n", unseen);
	buf_printf(&b, "* OK [UIDVALIDITY %u] UIDs are valid\r\n", v->uidvalidity);
	buf_printf(&b, "* OK [UIDNEXT %u] Predicted next UID\r\n", v->uidnext);
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

/// SELECT and EXAMINE. Whatever comes of it, the mailbox before is left.
/// source: RFC 9051 §6.3.2, §6.3.3.
FIB enum ec imap_select_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_open req = { .handle = im->handle, .claim_recent = cmd->verb == IMAP_SELECT };
	struct ans_mbox_open ans;
	struct sl name;

	leave_view(cx, im);
	enum ec e = imap_name(im, cmd->mailbox.mailbox, &name);
	if (e == E_OK)
		e = field_set(req.name, name);
	if (e == E_OK)
		e = open_mailbox(cx, im, &req, &ans);
	if (e == E_OK) {
		im->phase = IMAP_SELECTED;
		e = tell_opened(cx, im, &ans);
	}
	if (e != E_OK) {
		select_leave(cx, im);
		return e;
	}
	buf_puts(&im->code, im->view->read_only ? "READ-ONLY" : "READ-WRITE");
	return E_OK;
}

/// Expunges without a word, unless the mailbox is open for reading only.
/// source: RFC 9051 §6.4.1.
FIB enum ec imap_close_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	enum ec e = im->view->read_only ? E_OK : store_expunge_untold(cx, im);

	(void)cmd;
	select_leave(cx, im);
	return e == E_NOTFOUND ? E_OK : e; // a mailbox that is gone has nothing left to expunge
}

/// source: RFC 9051 §6.4.2.
FIB enum ec imap_unselect_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	(void)cmd;
	select_leave(cx, im);
	return E_OK;
}
