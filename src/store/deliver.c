/// deliver — check all targets, put the body, commit each INBOX.
///
/// Each commit carries an operation id bound to its account; its outcome is one octet, 1 in the last commit of all.
/// A repetition that finds that one knows the whole was done: targets without an outcome had been full.
#include "store/deliver.h"

#include "store/mailbox_inner.h"
#include "store/operation.h"
#include "store/tree.h"

enum { TARGET_OPEN = E_COUNT }; // a status between the two passes: to be stored now

static struct op_id target_op(const struct delivery *d, uint32_t i)
{
	return op_bind(&d->op, OP_DELIVER, (struct cell_id){ d->target[i], ACCOUNT_NAME });
}

/// What an earlier try did: stored targets get E_OK, others stay open. *whole — it came to its end.
static enum ec see_earlier(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, bool *whole)
{
	*whole = false;
	for (uint32_t i = 0; i < d->targets; i++) {
		struct op_id bound = target_op(d, i);
		struct sl seen;
		enum ec e = op_is_zero(&bound) ? E_NOTFOUND : op_outcome(cx, txn_view(t), &bound, &seen);
		if (e != E_OK && e != E_NOTFOUND)
			return e;
		status[i] = e == E_OK ? E_OK : TARGET_OPEN;
		*whole |= e == E_OK && seen.n == 1 && seen.p[0] == 1;
	}
	return E_OK;
}

/// E_OK, E_QUOTA, or E_CONFLICT where the account or its INBOX is gone. out: *inbox.
static enum ec check_target(struct cx *cx, struct txn *t, const struct delivery *d, uint64_t account, uint64_t *inbox)
{
	struct mbox_op op = { .m = { account, 0 }, .quota = d->quota };
	struct quota_used more = { blob_octets(d->body), 1 };
	enum mbox_use use;
	enum ec e = tree_find(cx, txn_view(t), account, SL("INBOX"), inbox, &use);

	if (e == E_OK)
		e = quota_check(cx, t, &op, more, QUOTA_DELIVERY);
	return e == E_NOTFOUND ? fail(cx, E_CONFLICT, "account %llu is gone", (unsigned long long)account) : e;
}

/// Decides about every open target before anything is stored. out: *last — index of the last to store, or targets.
static enum ec check_targets(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, uint32_t *last)
{
	uint64_t inbox;

	*last = d->targets;
	for (uint32_t i = 0; i < d->targets; i++) {
		if (status[i] != TARGET_OPEN)
			continue;
		enum ec e = check_target(cx, t, d, d->target[i], &inbox);
		if (e == E_QUOTA)
			status[i] = E_QUOTA;
		else if (e == E_OK)
			*last = i;
		else
			return e;
	}
	return E_OK;
}

static enum ec store_one(
	struct cx *cx, struct txn *t, const struct delivery *d, const struct mbox_message *msg, uint32_t i, bool last)
{
	struct mbox_ref m = { .account = d->target[i] };
	struct op_id bound = target_op(d, i);
	struct mbox_edit *ed;
	enum mbox_use use;
	uint8_t outcome = last;
	enum ec e = tree_find(cx, txn_view(t), m.account, SL("INBOX"), &m.mbox, &use);

	if (e == E_OK)
		e = mbox_edit_begin(cx, t, m, &ed);
	if (e != E_OK)
		return e;
	e = append_staged(cx, ed, msg, 1, d->now_s);
	if (e != E_OK) {
		mbox_edit_abort(ed);
		return e;
	}
	e = mbox_edit_commit(cx, ed, &bound, (struct sl){ &outcome, 1 });
	if (e == E_OK)
		quota_add(d->quota, m.account, (int64_t)msg->body.octets, 1);
	return e;
}

enum ec deliver(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, uint32_t *stored)
{
	struct mbox_message msg = { .date_s = d->date_s, .zone_min = d->zone_min };
	uint32_t last = d->targets, n = 0;
	bool whole;
	enum ec e = see_earlier(cx, t, d, status, &whole);

	if (e == E_OK && !whole && !d->body)
		e = fail(cx, E_TEMP, "the upload ended with the store that had it");
	if (e == E_OK && !whole)
		e = check_targets(cx, t, d, status, &last);
	if (e == E_OK && last < d->targets)
		e = blob_put(cx, t, d->body, &msg.body);
	for (uint32_t i = 0; e == E_OK && i < d->targets; i++) {
		if (status[i] == TARGET_OPEN && whole)
			status[i] = E_QUOTA;
		if (status[i] == TARGET_OPEN) {
			e = store_one(cx, t, d, &msg, i, i == last);
			status[i] = (uint8_t)e;
		}
		n += status[i] == E_OK;
	}
	if (e == E_OK)
		*stored = n;
	return e;
}
