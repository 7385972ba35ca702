/// change — commits under construction, inside a job.
///
/// Operations are collected in the form that the log holds (segment.h), so that committing copies them once and the
/// live index is changed by the same code as at start (apply.c).
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/engine.h"

struct change {
	struct txn *t;
	struct cell_id id;
	uint64_t expect;
	enum ec err;
	bool dropped;
	struct buf ops;
	struct change *next;
};

struct change *change_begin(struct txn *t, struct cell_id id, uint64_t expect)
{
	static struct change no_memory = { .err = E_TEMP }; // never written: every function tests err first
	struct change *c = t->spare;

	if (c)
		t->spare = c->next;
	else
		c = calloc(1, sizeof *c);
	if (!c)
		return &no_memory;
	struct buf ops = c->ops;
	ops.max = COMMIT_OCTETS_MAX - OUTCOME_MAX;
	buf_clear(&ops);
	*c = (struct change){ .t = t, .id = id, .expect = expect, .ops = ops, .next = t->live };
	t->live = c;
	return c;
}

static void add(struct change *c, const struct op *o)
{
	uint8_t head[OP_HEAD];

	if (c->err)
		return;
	if (c->dropped) {
		c->err = E_STATE; // a drop stands alone
		return;
	}
	if (o->key.n > CELL_KEY_MAX || o->value.n > (o->kind == OP_HEAD_SET ? CELL_HEAD_MAX : CELL_VALUE_MAX) ||
		o->off > CELL_VALUE_MAX - o->value.n) {
		c->err = E_TOOBIG;
		return;
	}
	op_encode(o, head);
	buf_add(&c->ops, (struct sl){ head, sizeof head });
	buf_add(&c->ops, o->key);
	buf_add(&c->ops, o->value);
	c->err = c->ops.err;
}

void change_head(struct change *c, struct sl head)
{
	add(c, &(struct op){ .kind = OP_HEAD_SET, .value = head });
}

void change_put(struct change *c, struct sl key, struct sl value)
{
	add(c, &(struct op){ .kind = OP_PUT, .key = key, .value = value });
}

void change_del(struct change *c, struct sl key)
{
	add(c, &(struct op){ .kind = OP_DEL, .key = key });
}

void change_patch(struct change *c, struct sl key, uint32_t off, struct sl octets)
{
	add(c, &(struct op){ .kind = OP_PATCH, .key = key, .value = octets, .off = off });
}

void change_drop(struct change *c)
{
	if (c->err)
		return;
	buf_clear(&c->ops);
	add(c, &(struct op){ .kind = OP_DROP });
	c->dropped = true;
}

void change_drop_all(struct change *c)
{
	struct txn *t = c->t;

	if (!t)
		return;
	for (struct change **p = &t->live; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			c->next = t->spare;
			t->spare = c;
			return;
		}
}

/// Whether the cell is as the change expects.
static enum ec check_expected(struct cx *cx, struct txn *t, const struct change *c)
{
	uint64_t now = 0;
	enum ec e = apply_version(cx, t->view.t, c->id, &now);

	if (e)
		return e;
	if (now != c->expect || (c->dropped && now == 0))
		return fail(cx, E_CONFLICT, "cell is at version %llu, expected %llu", (unsigned long long)now,
			(unsigned long long)c->expect);
	return E_OK;
}

static enum ec note_changed(struct cx *cx, struct txn *t, struct cell_id id, uint64_t version)
{
	if (t->changed_n == t->changed_cap) {
		size_t cap = t->changed_cap ? t->changed_cap * 2 : 64;
		struct changed *more = reallocarray(t->changed, cap, sizeof *more);
		if (!more)
			return fail(cx, E_TEMP, "no memory for a commit");
		t->changed = more;
		t->changed_cap = cap;
	}
	t->changed[t->changed_n++] = (struct changed){ id, version };
	return E_OK;
}

/// Everything that can refuse a commit without spoiling the batch.
static enum ec check_commit(struct cx *cx, struct txn *t, const struct change *c, struct sl outcome)
{
	if (c->err)
		return fail(cx, c->err, "change of a cell");
	if (t->broken)
		return fail(cx, E_TEMP, "this batch cannot be committed");
	if (outcome.n > OUTCOME_MAX)
		return fail(cx, E_TOOBIG, "outcome of %zu octets", outcome.n);
	enum ec e = batch_check_room(cx, &t->batch, c->ops.n + outcome.n);
	return e ? e : check_expected(cx, t, c);
}

enum ec change_commit(struct cx *cx, struct change *c, const struct op_id *op, struct sl outcome, uint64_t *version)
{
	struct txn *t = c->t;

	if (!t)
		return fail(cx, E_TEMP, "no memory for a change");
	enum ec e = check_commit(cx, t, c, outcome);
	if (e == E_OK)
		e = note_changed(cx, t, c->id, c->expect + 1);
	if (e) {
		change_drop_all(c);
		return e;
	}
	struct commit commit = {
		.id = c->id,
		.version = c->expect + 1,
		.time_s = t->batch.time_s,
		.ops = buf_sl(&c->ops),
		.outcome = op ? outcome : SL(""),
	};
	if (op)
		commit.op = *op;
	struct cell_row after;
	e = apply_commit(cx, t->view.t, &commit, &after);
	if (e == E_OK)
		batch_commit(&t->batch, c->id, commit.version, &commit.op, commit.ops, commit.outcome);
	else
		t->broken = e; // maybe half applied: the whole batch starts again
	if (e == E_OK && cell_is_due(&after))
		keeper_note(&t->s->keeper, c->id);
	change_drop_all(c);
	if (e == E_OK)
		*version = commit.version;
	return e;
}

void txn_end_job(struct txn *t)
{
	while (t->live)
		change_drop_all(t->live);
	t->job = NULL;
}

void txn_free(struct txn *t)
{
	while (t->spare) {
		struct change *c = t->spare;
		t->spare = c->next;
		buf_free(&c->ops);
		free(c);
	}
	free(t->changed);
	free(t->blobs);
	batch_free(&t->batch);
}
