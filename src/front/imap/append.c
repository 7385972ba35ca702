/// append — octets go from the connection into a body (front/intake.h). They are stored exactly as they came.
///
///   check what can be known before → "+" → receive_octets → end of the command → mbox_append
#include "front/imap/append.h"

#include <string.h>

#include "base/clock.h"
#include "front/intake.h"
#include "front/imap/store.h"

/// Reads the announced octets into the body.
FIB static enum ec receive_octets(struct cx *cx, struct imap *im, struct intake *b, bool *has_nul)
{
	enum ec e = E_OK;

	while (e == E_OK && im->frame.left) {
		uint8_t *p;
		size_t room, got = 0;
		e = intake_is_full(b) ? intake_push(cx, b) : E_OK;
		if (e == E_OK)
			e = intake_room(cx, b, &p, &room);
		if (e == E_OK)
			e = frame_message_read(cx, &im->frame, p, room, &got);
		if (e != E_OK)
			return e;
		intake_took(b, got);
		*has_nul |= memchr(p, 0, got) != NULL;
	}
	return e;
}

FIB static enum ec receive(struct cx *cx, struct imap *im, struct intake *b)
{
	bool has_nul = false;
	enum ec e = frame_message_begin(cx, &im->frame);

	if (e == E_OK)
		e = receive_octets(cx, im, b, &has_nul);
	if (b->held.evicted)
		im->bye = "[LIMIT] A message came too slowly while others waited";
	if (e == E_OK)
		e = frame_message_end(cx, &im->frame);
	// literal = "{" number "}" CRLF *CHAR8; CHAR8 = %x01-ff (RFC 3501 §9): with NUL this was no command, so BAD.
	if (e == E_SYNTAX || (e == E_OK && has_nul)) {
		im->refusal = (struct imap_words){ "BAD", NULL,
			e == E_OK ? "A message may not hold NUL"
				  : "More octets behind the message; was its length wrong?" };
		return E_SYNTAX;
	}
	return e;
}

FIB static enum ec append_body(
	struct cx *cx, struct imap *im, struct req_mbox_append *req, struct intake *b, struct ans_mbox_append *ans)
{
	enum ec e = intake_finish(cx, b, req->body.r, &req->body.n, &req->upload);

	client_op(req->op);
	if (e == E_OK)
		e = call_mbox_append(cx, im->store, req, ans);
	if (e == E_OK)
		intake_upload_used(b);
	intake_drop(cx, b);
	return e;
}

/// What can be refused before the client sends the message.
static enum ec check_announced(struct imap *im, const struct imap_append *ap)
{
	if (ap->literal.binary)
		return imap_refuse(im, E_UNSUPPORTED, "UNKNOWN-CTE", "This server does not take literal8");
	if (ap->literal.octets == 0)
		return imap_refuse(im, E_RANGE, "CANNOT", "An empty message");
	return ap->literal.octets > im->s->conf->message_max ? E_TOOBIG : E_OK;
}

FIB static enum ec fill_request(
	struct cx *cx, struct imap *im, const struct imap_append *ap, struct req_mbox_append *req)
{
	enum ec e = check_announced(im, ap);

	if (e == E_OK)
		e = imap_find_target(cx, im, ap->mailbox, &req->mbox);
	if (e == E_OK)
		e = store_keyword_bits(cx, im, req->mbox, &ap->flags.keywords, &req->keywords);
	if (e != E_OK)
		return e;
	req->flags = store_flags(ap->flags.system);
	req->date_s = ap->has_date ? ap->date_s : clock_now_s();
	req->zone_min = ap->has_date ? ap->zone_min : clock_local_offset_min(req->date_s);
	return E_OK;
}

FIB enum ec imap_append_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_append req = { .handle = im->handle };
	struct ans_mbox_append ans;
	struct intake b = intake_start(im->s->front, im->io, 0);
	enum ec e = fill_request(cx, im, &cmd->append, &req);

	if (e == E_OK)
		e = receive(cx, im, &b);
	if (e == E_OK)
		e = append_body(cx, im, &req, &b, &ans);
	else
		intake_drop(cx, &b);
	if (e == E_OK)
		buf_printf(&im->code, "APPENDUID %u %u", ans.uidvalidity, ans.uid);
	if (e == E_NOTFOUND && !im->refusal.text)
		return imap_refuse(im, e, "TRYCREATE", "No such mailbox");
	return e;
}
