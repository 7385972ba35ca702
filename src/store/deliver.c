/// deliver — check all targets, put the body, commit each INBOX.
///
/// Each commit carries an operation id bound to its account. A repetition that finds any of them knows that the whole
/// was done: targets without one had been full.
#include "store/deliver.h"

#include "store/mailbox_inner.h"
#include "store/operation.h"
#include "store/tree.h"

enum { TARGET_OPEN = E_COUNT }; // a status between the two passes: to be stored now

static struct op_id target_op(const struct delivery *d, uint32_t i)
{
	return op_bind(&d->op, OP_DELIVER, (struct cell_id){ d->target[i], ACCOUNT_NAME });
}

/// What an earlier try did: stored targets get E_OK, the others stay open. *done — there was one.
static enum ec see_earlier(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, bool *done)
{
	*done = false;
	for (uint32_t i = 0; i < d->targets; i++) {
		struct op_id bound = target_op(d, i);
		struct sl seen;
		enum ec e = op_is_zero(&bound) ? E_NOTFOUND : op_outcome(cx, txn_view(t), &bound, &seen);
		if (e != E_OK && e != E_NOTFOUND)
			return e;
		status[i] = e == E_OK ? E_OK : TARGET_OPEN;
		*done |= e == E_OK;
	}
	return E_OK;
}

/// E_OK; E_QUOTA where there is no room, UIDs being room as well; E_CONFLICT where the account or its INBOX is gone.
static enum ec check_target(struct cx *cx, struct txn *t, const struct delivery *d, uint64_t account)
{
	struct mbox_op op = { .m = { account, 0 }, .quota = d->quota, .now_s = d->now_s };
	struct quota_used more = { blob_octets(d->body), 1 };
	struct mbox_head h;
	enum mbox_use use;
	enum ec e = tree_find(cx, txn_view(t), account, SL("INBOX"), &op.m.mbox, &use);

	if (e == E_OK)
		e = mbox_head_load(cx, txn_view(t), mbox_cell(op.m), &h);
	if (e == E_OK && h.uidnext == UINT32_MAX)
		e = fail(cx, E_QUOTA, "the UIDs of account %llu are used up", (unsigned long long)account);
	if (e == E_OK)
		e = quota_check(cx, t, &op, more, QUOTA_DELIVERY);
	return e == E_NOTFOUND ? fail(cx, E_CONFLICT, "account %llu is gone", (unsigned long long)account) : e;
}

/// Decides about every open target before anything is stored. out: *n — how many are to be stored.
static enum ec check_targets(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, uint32_t *n)
{
	for (uint32_t i = 0; i < d->targets; i++) {
		enum ec e = check_target(cx, t, d, d->target[i]);
		if (e == E_QUOTA)
			status[i] = E_QUOTA;
		else if (e == E_OK)
			++*n;
		else
			return e;
	}
	return E_OK;
}

static enum ec store_one(
	struct cx *cx, struct txn *t, const struct delivery *d, const struct mbox_message *msg, uint32_t i)
{
	struct mbox_ref m = { .account = d->target[i] };
	struct op_id bound = target_op(d, i);
	struct mbox_edit *ed;
	enum mbox_use use;
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
	return mbox_edit_commit(cx, ed, &bound, (struct sl){ 0 });
}

/// Stores into the open targets. The sums of quota grow when nothing can fail any more.
static enum ec store_all(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status)
{
	struct mbox_message msg = { .date_s = d->date_s, .zone_min = d->zone_min };
	enum ec e = blob_put(cx, t, d->body, &msg.body);

	for (uint32_t i = 0; e == E_OK && i < d->targets; i++)
		if (status[i] == TARGET_OPEN)
			e = store_one(cx, t, d, &msg, i);
	for (uint32_t i = 0; e == E_OK && i < d->targets; i++)
		if (status[i] == TARGET_OPEN) {
			quota_add(d->quota, d->target[i], (int64_t)msg.body.octets, 1);
			quota_brought(d->quota, d->target[i], msg.body.octets, d->now_s);
			status[i] = E_OK;
		}
	return e;
}

enum ec deliver(struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, uint32_t *stored)
{
	uint32_t n = 0;
	bool done;
	enum ec e = see_earlier(cx, t, d, status, &done);

	if (e == E_OK && !done && !d->body)
		e = fail(cx, E_TEMP, "the upload ended with the store that had it");
	if (e == E_OK && !done)
		e = check_targets(cx, t, d, status, &n);
	if (e == E_OK && n)
		e = store_all(cx, t, d, status);
	for (uint32_t i = 0; e == E_OK && done && i < d->targets; i++) {
		if (status[i] == TARGET_OPEN)
			status[i] = E_QUOTA;
		n += status[i] == E_OK;
	}
	if (e == E_OK)
		*stored = n;
	return e;
}
