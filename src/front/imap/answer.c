/// answer — what is said to the client: untagged lines, prepared buffers, the words for each error; and names it sends.
#include "front/imap/imap.h"

#include <stdarg.h>

#include "proto/mboxname.h"

FIB enum ec imap_say(struct cx *cx, struct imap *im, const char *fmt, ...)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	va_list ap;

	buf_puts(&b, "* ");
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	buf_puts(&b, "\r\n");
	enum ec e = imap_send(cx, im, &b);
	buf_free(&b);
	return e;
}

FIB enum ec imap_send(struct cx *cx, struct imap *im, struct buf *b)
{
	enum ec e = b->err;

	if (e != E_OK) {
		im->over = true;
		im->bye = "Out of memory";
		return fail(cx, E_CLOSED, "an answer lost %s", ec_name(e));
	}
	cx_deadline_in(cx, IMAP_ANSWER_MS);
	e = io_put(cx, im->io, buf_sl(b));
	buf_clear(b);
	return e;
}

FIB enum ec imap_send_some(struct cx *cx, struct imap *im, struct buf *b)
{
	return b->n >= IMAP_SEND_AT || b->err ? imap_send(cx, im, b) : E_OK;
}

struct imap_words imap_words(enum ec e)
{
	switch (e) {
	case E_OK: return (struct imap_words){ "OK", NULL, "completed" };
	case E_NOTFOUND: return (struct imap_words){ "NO", "NONEXISTENT", "No such mailbox" };
	case E_EXISTS: return (struct imap_words){ "NO", "ALREADYEXISTS", "A mailbox of that name exists" };
	case E_SYNTAX: return (struct imap_words){ "BAD", NULL, "Cannot parse that" };
	case E_TOOBIG: return (struct imap_words){ "NO", "TOOBIG", "Larger than this server takes" };
	case E_RANGE: return (struct imap_words){ "BAD", NULL, "No message has such a number" };
	case E_LIMIT: return (struct imap_words){ "NO", "LIMIT", "Too many of them" };
	case E_QUOTA: return (struct imap_words){ "NO", "OVERQUOTA", "The account's storage is used up" };
	case E_DENIED: return (struct imap_words){ "NO", "NOPERM", "Not allowed" };
	case E_AUTH: return (struct imap_words){ "NO", "AUTHENTICATIONFAILED", "Wrong user name or password" };
	case E_CONFLICT: return (struct imap_words){ "NO", "INUSE", "Changed by somebody else meanwhile; try again" };
	case E_STATE: return (struct imap_words){ "NO", "CANNOT", "Not possible now" };
	case E_UNSUPPORTED: return (struct imap_words){ "NO", "CANNOT", "This server does not do that" };
	case E_TEMP: return (struct imap_words){ "NO", "UNAVAILABLE", "Not possible at this moment; try again later" };
	case E_FULL: return (struct imap_words){ "NO", "UNAVAILABLE", "The server's disk is full; try again later" };
	case E_IO: return (struct imap_words){ "NO", "SERVERBUG", "The server's storage failed; its log tells why" };
	case E_CORRUPT:
		return (struct imap_words){ "NO", "CORRUPTION", "Stored data are damaged; the log tells which" };
	case E_TIMEOUT:
	case E_CANCELED:
	case E_CLOSED:
	case E_COUNT: break;
	}
	return (struct imap_words){ "NO", "UNAVAILABLE", "Interrupted" };
}

bool imap_is_wire_error(enum ec e)
{
	return e == E_CLOSED || e == E_TIMEOUT || e == E_CANCELED;
}

enum ec imap_refuse(struct imap *im, enum ec e, const char *code, const char *text)
{
	im->refusal = (struct imap_words){ "NO", code, text };
	return e;
}

bool imap_is_utf8(const struct imap *im)
{
	(void)im;
	return false; // until an extension that says so is offered
}

enum ec imap_name(struct imap *im, struct sl wire_name, struct sl *name)
{
	enum ec e = mboxname_from_wire(wire_name, imap_is_utf8(im), &im->cmd, name);

	if (e == E_SYNTAX)
		return imap_refuse(im, e, "CANNOT", "Not a valid mailbox name");
	if (e == E_TOOBIG)
		return imap_refuse(im, e, "LIMIT", "The mailbox name is too long or too deep");
	return e;
}

FIB static enum ec find(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox)
{
	struct req_mbox_find req = { .handle = im->handle };
	struct ans_mbox_find ans;
	struct sl name;
	enum ec e = imap_name(im, wire_name, &name);

	if (e == E_OK)
		e = field_set(req.name, name);
	if (e == E_OK)
		e = call_mbox_find(cx, im->store, &req, &ans);
	if (e == E_OK)
		*mbox = ans.mbox;
	return e;
}

FIB enum ec imap_find_mbox(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox)
{
	return find(cx, im, wire_name, mbox);
}

FIB enum ec imap_find_target(struct cx *cx, struct imap *im, struct sl wire_name, uint64_t *mbox)
{
	enum ec e = find(cx, im, wire_name, mbox);

	return e == E_NOTFOUND ? imap_refuse(im, e, "TRYCREATE", "No such mailbox") : e;
}
