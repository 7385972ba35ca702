/// tree — names come in checked (imap_name) and go out through imap_print_mailbox; what may be done is the store's to
/// say.
#include "front/imap/tree.h"

#include "base/num.h"
#include "front/imap/select.h"
#include "proto/imap_print.h"
#include "proto/mboxname.h"

/// One special use as a number of the store. errors: E_UNSUPPORTED — several at once, or one that no mailbox here can
/// have.
static enum ec special_use(struct imap *im, const struct imap_create *create, uint8_t *use)
{
	static const struct {
		unsigned bit;
		enum mbox_use use;
	} uses[] = {
		{ 0, MBOX_USE_NONE },
		{ USE_ARCHIVE, MBOX_USE_ARCHIVE },
		{ USE_DRAFTS, MBOX_USE_DRAFTS },
		{ USE_JUNK, MBOX_USE_JUNK },
		{ USE_SENT, MBOX_USE_SENT },
		{ USE_TRASH, MBOX_USE_TRASH },
	};

	for (size_t i = 0; !create->use_unknown && i < ARRAY_N(uses); i++) {
		if (uses[i].bit == create->use) {
			*use = (uint8_t)uses[i].use;
			return E_OK;
		}
	}
	return imap_refuse(im, E_UNSUPPORTED, "USEATTR", "A mailbox cannot have that special use");
}

/// source: RFC 9051 §6.3.4; USE: RFC 6154 §3.
FIB enum ec imap_create_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_create req = { .handle = im->handle };
	struct ans_mbox_create ans;
	struct sl name;
	enum ec e = imap_name(im, cmd->create.mailbox, &name);

	if (e == E_OK)
		e = special_use(im, &cmd->create, &req.use);
	if (e == E_OK)
		e = field_set(req.name, name);
	if (e != E_OK)
		return e;
	client_op(req.op);
	e = call_mbox_create(cx, im->store, &req, &ans);
	return e == E_LIMIT ? imap_refuse(im, e, "LIMIT", "Too many mailboxes") : e;
}

/// source: RFC 9051 §6.3.5.
FIB enum ec imap_delete_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_delete req = { .handle = im->handle };
	struct ans_mbox_delete ans;
	enum ec e = imap_find_mbox(cx, im, cmd->mailbox.mailbox, &req.mbox);

	if (e != E_OK)
		return e;
	client_op(req.op);
	e = call_mbox_delete(cx, im->store, &req, &ans);
	if (e == E_DENIED)
		return imap_refuse(im, e, "CANNOT", "INBOX cannot be deleted");
	if (e == E_OK && im->view && im->view->mbox == req.mbox) {
		select_leave(cx, im);
		return imap_say(cx, im, "OK [CLOSED] The selected mailbox was deleted");
	}
	return e;
}

/// source: RFC 9051 §6.3.6.
FIB enum ec imap_rename_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_rename req = { .handle = im->handle };
	struct ans_mbox_rename ans;
	struct sl to;
	enum ec e = imap_name(im, cmd->rename.to, &to);

	if (e == E_OK)
		e = field_set(req.name, to);
	if (e == E_OK)
		e = imap_find_mbox(cx, im, cmd->rename.from, &req.mbox);
	if (e != E_OK)
		return e;
	client_op(req.op);
	e = call_mbox_rename(cx, im->store, &req, &ans);
	return e == E_STATE ? imap_refuse(im, e, "CANNOT", "A mailbox cannot go below itself") : e;
}

/// The name need not exist.
/// source: RFC 9051 §6.3.7, §6.3.8.
FIB enum ec imap_subscribe_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_subscribe req = { .handle = im->handle, .on = cmd->verb == IMAP_SUBSCRIBE };
	struct ans_mbox_subscribe ans;
	struct sl name;
	enum ec e = imap_name(im, cmd->mailbox.mailbox, &name);

	if (e == E_OK)
		e = field_set(req.name, name);
	if (e == E_OK)
		e = call_mbox_subscribe(cx, im->store, &req, &ans);
	return e == E_NOTFOUND && !req.on ? E_OK : e; // not subscribed is what was wanted
}

FIB enum ec tree_print_status(
	struct cx *cx, struct imap *im, struct sl name, uint64_t mbox, unsigned items, struct buf *b)
{
	struct req_mbox_status req = { .handle = im->handle, .mbox = mbox };
	struct ans_mbox_status ans;
	const char *gap = "";
	enum ec e = call_mbox_status(cx, im->store, &req, &ans);

	if (e != E_OK)
		return e;
	const struct {
		unsigned item;
		const char *word;
		uint64_t value;
	} rows[] = {
		{ STATUS_MESSAGES, "MESSAGES", ans.messages },
		{ STATUS_RECENT, "RECENT", ans.recent },
		{ STATUS_UIDNEXT, "UIDNEXT", ans.uidnext },
		{ STATUS_UIDVALIDITY, "UIDVALIDITY", ans.uidvalidity },
		{ STATUS_UNSEEN, "UNSEEN", ans.unseen },
		{ STATUS_DELETED, "DELETED", ans.deleted },
		{ STATUS_SIZE, "SIZE", ans.octets },
		{ STATUS_APPENDLIMIT, "APPENDLIMIT", im->s->conf->message_max },
	};
	buf_puts(b, "* STATUS ");
	imap_print_mailbox(b, name, imap_is_utf8(im));
	buf_puts(b, " (");
	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		if (!(items & rows[i].item))
			continue;
		buf_printf(b, "%s%s ", gap, rows[i].word);
		buf_num(b, rows[i].value);
		gap = " ";
	}
	buf_puts(b, ")\r\n");
	return E_OK;
}

/// source: RFC 9051 §6.3.11, §7.3.4; APPENDLIMIT: RFC 7889 §3.1.
FIB enum ec imap_status_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	struct sl name;
	uint64_t mbox;
	enum ec e = imap_name(im, cmd->status.mailbox, &name);

	if (e == E_OK)
		e = imap_find_mbox(cx, im, cmd->status.mailbox, &mbox);
	if (e == E_OK)
		e = tree_print_status(cx, im, name, mbox, cmd->status.items, &b);
	if (e == E_OK)
		e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}
