/// answer_tree — requests about mailbox names, and watching.
#include "store/request.h"

#include "store/grave.h"
#include "store/mbox_rows.h"
#include "store/tree.h"

enum { PADDING = 8 };

struct list_out {
	struct out out;
	struct ans_mbox_list *a;
	bool too_small;
};
static bool list_entry(void *arg, const struct tree_entry *e)
{
	struct list_out *l = arg;
	_Alignas(8) uint8_t o[sizeof(struct pl_mbox) + NAME_MAX_OCTETS + PADDING] = { 0 };
	size_t size = (sizeof(struct pl_mbox) + e->name.n + PADDING - 1) & ~(size_t)(PADDING - 1);
	struct pl_mbox m = { .size = (uint16_t)size,
		.use = (uint8_t)e->use,
		.exists = e->mbox != 0,
		.subscribed = e->subscribed,
		.has_children = e->has_children,
		.name_octets = (uint16_t)e->name.n,
		.mbox = e->mbox };

	memcpy(o, &m, sizeof m);
	memcpy(o + sizeof m, e->name.p, e->name.n);
	if (out_put(&l->out, o, size)) {
		l->a->count++;
		return true;
	}
	l->a->more = 1;
	l->too_small = l->a->count == 0;
	return false;
}

static enum ec mbox_list(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_list *q = r->in;
	struct list_out l = { .out = request_out(r, q->out), .a = r->out };
	enum ec e = tree_list(cx, v, r->account, FIELD_SL(q->after), list_entry, &l);

	return e == E_OK && l.too_small ? fail(cx, E_TOOBIG, "no room for one entry") : e;
}

static void seen_then_list(struct cx *cx, struct request *r)
{
	struct view *v;

	watch_seen(r->s->watches, r->peer, (struct cell_id){ r->account, ACCOUNT_NAME });
	enum ec e = view_open(cx, r->s->store, &v);
	if (e == E_OK) {
		e = mbox_list(cx, r, v);
		view_close(v);
	}
	request_answer(r, e);
}

struct grave_out {
	struct cx *cx;
	struct request *r;
	struct view *v;
	struct out out;
	uint32_t skip;
	enum ec err;
};
static bool grave_entry(void *arg, uint64_t mbox, int64_t gone_s, struct sl name)
{
	struct grave_out *g = arg;
	struct ans_mbox_graves *a = g->r->out;
	_Alignas(8) uint8_t o[sizeof(struct pl_grave) + NAME_MAX_OCTETS + PADDING] = { 0 };
	size_t size = (sizeof(struct pl_grave) + name.n + PADDING - 1) & ~(size_t)(PADDING - 1);
	struct mbox_head h = { 0 };

	if (g->skip) {
		g->skip--;
		return true;
	}
	g->err = mbox_head_buried(g->cx, g->v, (struct cell_id){ g->r->account, mbox }, &h);
	if (g->err == E_NOTFOUND)
		g->err = E_OK; // damage took the mailbox, but not its name
	if (g->err != E_OK || name.n > NAME_MAX_OCTETS)
		return false;
	struct pl_grave p = { (uint16_t)size, (uint16_t)name.n, h.messages, mbox, h.octets, gone_s, gone_s + GRAVE_S };
	memcpy(o, &p, sizeof p);
	memcpy(o + sizeof p, name.p, name.n);
	bool fits = out_put(&g->out, o, size);
	a->count += fits;
	a->more = !fits;
	return fits;
}

static enum ec mbox_graves(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_graves *q = r->in;
	const struct ans_mbox_graves *a = r->out;
	struct grave_out g = { cx, r, v, request_out(r, q->out), q->skip, E_OK };
	enum ec e = grave_list(cx, v, r->account, INT64_MAX, grave_entry, &g);

	if (e == E_OK)
		e = g.err;
	return e == E_OK && a->more && a->count == 0 ? fail(cx, E_TOOBIG, "no room for one entry") : e;
}

static enum ec mbox_find(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_mbox_find *q = r->in;
	struct ans_mbox_find *a = r->out;
	enum mbox_use use;
	enum ec e = tree_find(cx, v, r->account, FIELD_SL(q->name), &a->mbox, &use);

	if (e == E_OK)
		a->use = (uint8_t)use;
	return e;
}

static struct tree_op op_of(struct request *r, const uint8_t op[16])
{
	struct tree_op t = { .account = r->account, .now_s = r->now_s, .quota = r->s->quota };

	memcpy(t.op.octets, op, sizeof t.op.octets);
	return t;
}

static enum ec create_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_create *q = r->in;
	struct ans_mbox_create *a = r->out;
	struct tree_op op = op_of(r, q->op);

	return tree_create(cx, t, &op, FIELD_SL(q->name), (enum mbox_use)q->use, &a->mbox);
}

static enum ec delete_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_delete *q = r->in;
	struct tree_op op = op_of(r, q->op);

	return tree_delete(cx, t, &op, q->mbox);
}

static enum ec rename_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_rename *q = r->in;
	struct tree_op op = op_of(r, q->op);

	return tree_rename(cx, t, &op, q->mbox, FIELD_SL(q->name));
}

static enum ec restore_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_restore *q = r->in;
	struct tree_op op = op_of(r, (const uint8_t[16]){ 0 });

	return tree_restore(cx, t, &op, q->mbox, FIELD_SL(q->name));
}

static enum ec subscribe_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_mbox_subscribe *q = r->in;

	return tree_subscribe(cx, t, r->account, FIELD_SL(q->name), q->on);
}

static void mbox_create(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = create_run;
	request_submit(r, (struct request_job){ .durable = true });
}

static void mbox_delete(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = delete_run;
	request_submit(r, (struct request_job){ .durable = true, .frees = true });
}

static void mbox_rename(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = rename_run;
	request_submit(r, (struct request_job){ .durable = true });
}

static void mbox_restore(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = restore_run;
	request_submit(r, (struct request_job){ .durable = true });
}

static void mbox_subscribe(struct cx *cx, struct request *r)
{
	(void)cx;
	r->run = subscribe_run;
	request_submit(r, (struct request_job){ .durable = true });
}

static enum ec watch(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_watch *q = r->in;
	struct cell_id cell = { r->account, q->mbox };
	struct mbox_head h;

	if (!q->on) {
		watch_off(r->s->watches, r->peer, cell);
		return E_OK;
	}
	enum ec e = q->mbox ? mbox_head_load(cx, v, cell, &h) : E_OK;
	return e == E_OK ? watch_on(r->s->watches, r->peer, cell) : e;
}

const struct handler *handler_tree(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_mbox_list] = { .start = seen_then_list },
		[VERB_mbox_graves] = { .read = mbox_graves },
		[VERB_mbox_restore] = { .start = mbox_restore },
		[VERB_mbox_find] = { .read = mbox_find },
		[VERB_mbox_create] = { .start = mbox_create },
		[VERB_mbox_delete] = { .start = mbox_delete },
		[VERB_mbox_rename] = { .start = mbox_rename },
		[VERB_mbox_subscribe] = { .start = mbox_subscribe },
		[VERB_watch] = { .read = watch },
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
