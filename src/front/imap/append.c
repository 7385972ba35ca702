/// append — octets go from the connection into chunks of the arena: up to BODY_CHUNKS are the request itself, a longer
/// message goes ahead in an upload, one chunk at a time. They are stored exactly as they came.
///
///   check what can be known before → "+" → receive_inline | receive_upload → end of the command → mbox_append
#include "front/imap/append.h"

#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "front/imap/store.h"

enum { BODY_CHUNKS = 16, INLINE_MAX = BODY_CHUNKS * CHUNK_OCTETS };

/// A message on its way.
struct incoming {
	struct range chunk[BODY_CHUNKS];
	uint32_t n;      // chunks taken
	uint64_t upload; // 0 = none
	bool has_nul;
};

static void give_chunks(struct imap *im, struct incoming *in)
{
	while (in->n)
		chunks_give(client_chunks(im->store), in->chunk[--in->n]);
}

FIB static void drop_upload(struct cx *cx, struct imap *im, struct incoming *in)
{
	struct req_upload_drop req = { .upload = in->upload };
	struct ans_upload_drop ans;

	if (in->upload && call_upload_drop(cx, im->store, &req, &ans) != E_OK)
		cx_forget(cx); // uploads end with the store's connection anyway
	in->upload = 0;
}

/// Fills one chunk from the stream. out: *r — its filled part.
FIB static enum ec fill_chunk(struct cx *cx, struct imap *im, struct range *r, bool *has_nul)
{
	uint8_t *p = chunks_at(client_chunks(im->store), *r);
	uint32_t filled = 0;
	enum ec e = E_OK;

	while (e == E_OK && filled < r->len && im->frame.left) {
		size_t got = 0;
		e = frame_message_read(cx, &im->frame, p + filled, r->len - filled, &got);
		filled += (uint32_t)got;
	}
	r->len = filled;
	*has_nul |= filled && memchr(p, 0, filled);
	return e;
}

/// A short message: as many chunks as it needs, taken as its octets come.
FIB static enum ec receive_inline(struct cx *cx, struct imap *im, struct incoming *in)
{
	enum ec e = E_OK;

	while (e == E_OK && im->frame.left) {
		e = chunks_take(cx, client_chunks(im->store), &in->chunk[in->n]);
		if (e == E_OK)
			e = fill_chunk(cx, im, &in->chunk[in->n++], &in->has_nul);
	}
	return e;
}

FIB static enum ec upload_chunk(struct cx *cx, struct imap *im, struct incoming *in)
{
	struct req_upload_add req = { .upload = in->upload, .body.n = 1 };
	struct ans_upload_add ans;
	struct range chunk;
	enum ec e = chunks_take(cx, client_chunks(im->store), &chunk);

	if (e != E_OK)
		return e;
	e = fill_chunk(cx, im, &chunk, &in->has_nul);
	req.body.r[0] = chunk;
	if (e == E_OK)
		e = call_upload_add(cx, im->store, &req, &ans);
	chunks_give(client_chunks(im->store), chunk);
	return e;
}

/// A long message: goes ahead to the store, chunk by chunk.
FIB static enum ec receive_upload(struct cx *cx, struct imap *im, struct incoming *in)
{
	struct req_upload_begin req = { 0 };
	struct ans_upload_begin ans;
	enum ec e = call_upload_begin(cx, im->store, &req, &ans);

	if (e == E_LIMIT)
		return fail(cx, E_TEMP, "too many uploads under way");
	if (e != E_OK)
		return e;
	in->upload = ans.upload;
	while (e == E_OK && im->frame.left)
		e = upload_chunk(cx, im, in);
	return e;
}

FIB static enum ec receive(struct cx *cx, struct imap *im, struct incoming *in)
{
	enum ec e = frame_message_begin(cx, &im->frame);

	if (e == E_OK)
		e = im->frame.left > INLINE_MAX ? receive_upload(cx, im, in) : receive_inline(cx, im, in);
	if (e == E_OK)
		e = frame_message_end(cx, &im->frame);
	if (e == E_SYNTAX || (e == E_OK && in->has_nul)) {
		im->refusal = (struct imap_words){ "BAD", NULL,
			e == E_OK ? "A message may not hold NUL"
				  : "More octets behind the message; was its length wrong?" };
		return E_SYNTAX;
	}
	return e;
}

FIB static enum ec append_body(struct cx *cx, struct imap *im, struct req_mbox_append *req, const struct incoming *in,
	struct ans_mbox_append *ans)
{
	req->upload = in->upload;
	req->body.n = in->n;
	memcpy(req->body.r, in->chunk, in->n * sizeof *in->chunk);
	client_op(req->op);
	return call_mbox_append(cx, im->store, req, ans);
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
	struct incoming in = { 0 };
	enum ec e = fill_request(cx, im, &cmd->append, &req);

	if (e == E_OK)
		e = receive(cx, im, &in);
	if (e == E_OK)
		e = append_body(cx, im, &req, &in, &ans);
	give_chunks(im, &in);
	if (e == E_OK)
		buf_printf(&im->code, "APPENDUID %u %u", ans.uidvalidity, ans.uid);
	else
		drop_upload(cx, im, &in);
	if (e == E_NOTFOUND && !im->refusal.text)
		return imap_refuse(im, e, "TRYCREATE", "No such mailbox");
	return e;
}
