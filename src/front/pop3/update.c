/// update — QUIT: exactly the messages that the session marked are removed or moved, by their UIDs.
///
/// An end of the session without QUIT removes nothing (RFC 1939 §6). Messages that arrived after login, and those
/// that another program removed meanwhile, are not touched.
#include "front/pop3/pop3.h"

#include <string.h>

#include "base/num.h"
#include "ipc/payload.h"

enum { PAIRS_PER_CHUNK = CHUNK_OCTETS / sizeof(struct pl_uids) };

/// Looks through one page of the list; req->after becomes its last name. out: *mbox, where one has the use.
static enum ec scan_page(
	struct cx *cx, struct sl page, uint32_t count, enum mbox_use use, struct req_mbox_list *req, uint64_t *mbox)
{
	struct pl_mbox head;

	for (uint32_t i = 0; i < count && *mbox == 0; i++) {
		if (page.n < sizeof head)
			return fail(cx, E_CORRUPT, "a list of mailboxes that does not end");
		memcpy(&head, page.p, sizeof head);
		if (head.size < sizeof head + head.name_octets || head.size > page.n)
			return fail(cx, E_CORRUPT, "a list entry of %u octets", head.size);
		enum ec e = field_set(req->after, sl_sub(page, sizeof head, sizeof head + head.name_octets));
		if (e != E_OK)
			return fail(cx, E_CORRUPT, "a mailbox name of %u octets", head.name_octets);
		if (head.use == use && head.exists)
			*mbox = head.mbox;
		page = sl_from(page, head.size);
	}
	return E_OK;
}

/// Finds the mailbox with that special use. out: *mbox, 0 where no mailbox has it.
FIB static enum ec find_use(struct cx *cx, struct pop3 *p, enum mbox_use use, uint64_t *mbox)
{
	struct chunks *arena = client_chunks(p->store);
	struct req_mbox_list req = { .handle = p->handle };
	struct ans_mbox_list ans = { .more = 1 };
	uint64_t found = 0;
	enum ec e = chunks_take(cx, arena, &req.out);

	if (e != E_OK)
		return e;
	while (e == E_OK && ans.more && found == 0) {
		e = call_mbox_list(cx, p->store, &req, &ans);
		if (e == E_OK && ans.more && ans.count == 0)
			e = fail(cx, E_CORRUPT, "a list of mailboxes that does not go on");
		struct sl page = { chunks_at(arena, req.out), CHUNK_OCTETS };
		if (e == E_OK)
			e = scan_page(cx, page, ans.count, use, &req, &found);
	}
	chunks_give(arena, req.out);
	if (e == E_OK)
		*mbox = found;
	return e;
}

/// The user's archive; made where there is none.
FIB static enum ec find_archive(struct cx *cx, struct pop3 *p, uint64_t *mbox)
{
	struct req_mbox_find find = { .handle = p->handle };
	struct req_mbox_create create = { .handle = p->handle, .use = MBOX_USE_ARCHIVE };
	struct ans_mbox_find found;
	struct ans_mbox_create made;
	enum ec e = find_use(cx, p, MBOX_USE_ARCHIVE, mbox);

	if (e != E_OK || *mbox)
		return e;
	if (field_set(find.name, SL("Archive")) != E_OK || field_set(create.name, SL("Archive")) != E_OK)
		return E_TOOBIG;
	e = call_mbox_find(cx, p->store, &find, &found);
	if (e == E_OK)
		*mbox = found.mbox;
	if (e != E_NOTFOUND)
		return e;
	client_op(create.op);
	e = call_mbox_create(cx, p->store, &create, &made);
	if (e == E_OK)
		*mbox = made.mbox;
	return e;
}

FIB static enum ec expunge(struct cx *cx, struct pop3 *p, struct range set)
{
	struct req_mbox_expunge req = { .handle = p->handle, .mbox = p->drop.mbox, .set = set, .all_flags = 1 };
	struct ans_mbox_expunge ans;

	client_op(req.op);
	return call_mbox_expunge(cx, p->store, &req, &ans);
}

FIB static enum ec move(struct cx *cx, struct pop3 *p, struct range set, uint64_t to)
{
	struct req_mbox_copy req = { .handle = p->handle, .mbox = p->drop.mbox, .to = to, .set = set, .move = 1 };
	struct ans_mbox_copy ans;

	client_op(req.op);
	return call_mbox_copy(cx, p->store, &req, &ans);
}

/// Removes (`to` 0) or moves every message whose marks fit. errors: the first one; the other batches are done.
FIB static enum ec in_batches(struct cx *cx, struct pop3 *p, uint8_t mask, uint8_t want, uint64_t to)
{
	struct chunks *arena = client_chunks(p->store);
	struct range r;
	uint32_t index = 0, pairs;
	enum ec first = chunks_take(cx, arena, &r);

	if (first != E_OK)
		return first;
	while ((pairs = drop_uids(&p->drop, mask, want, &index, chunks_at(arena, r), PAIRS_PER_CHUNK))) {
		struct range set = { r.off, pairs * (uint32_t)sizeof(struct pl_uids) };
		enum ec e = to ? move(cx, p, set, to) : expunge(cx, p, set);
		if (e == E_NOTFOUND)
			e = E_OK; // all of them were removed by another program already
		first = first == E_OK ? e : first;
	}
	chunks_give(arena, r);
	return first;
}

static bool any_mark(const struct drop *d, uint8_t mark)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (d->mark[i] & mark)
			return true;
	return false;
}

FIB enum ec pop3_update(struct cx *cx, struct pop3 *p)
{
	bool retrieved = p->retr != POP3_KEEP && any_mark(&p->drop, DROP_RETRIEVED);
	enum ec first = E_OK, e;
	uint64_t archive;

	cx_deadline_in(cx, POP3_IDLE_MS);
	if (p->drop.deleted)
		first = in_batches(cx, p, DROP_DELETED, DROP_DELETED, 0);
	if (retrieved && p->retr == POP3_DELETE) {
		e = in_batches(cx, p, DROP_DELETED | DROP_RETRIEVED, DROP_RETRIEVED, 0);
		first = first == E_OK ? e : first;
	}
	if (retrieved && p->retr == POP3_ARCHIVE) {
		e = find_archive(cx, p, &archive);
		if (e == E_OK)
			e = in_batches(cx, p, DROP_DELETED | DROP_RETRIEVED, DROP_RETRIEVED, archive);
		first = first == E_OK ? e : first;
	}
	return first;
}
