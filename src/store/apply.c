/// apply — operations of a commit become rows.
#include "store/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/segment.h"

enum { APPLIED_OCTETS = 44, EXPIRE_MAX = 64 };

void cell_key(struct cell_id id, uint8_t out[static CELL_KEY_PREFIX])
{
	put_be64(out, id.account);
	put_be64(out + 8, id.name);
}

struct cell_id cell_of_key(struct sl key)
{
	return (struct cell_id){ get_be64(key.p), get_be64(key.p + 8) };
}

bool op_is_set(const struct op_id *op)
{
	static const struct op_id none;

	return memcmp(op, &none, sizeof none) != 0;
}

enum ec apply_version(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t *version)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct sl row;

	cell_key(id, key);
	enum ec e = index_get(cx, t, T_CELL, (struct sl){ key, sizeof key }, &row);
	if (e == E_NOTFOUND) {
		*version = 0;
		return E_OK;
	}
	if (e)
		return e;
	if (row.n < 8)
		return fail(cx, E_CORRUPT, "index: a cell's row has %zu octets", row.n);
	*version = get_le64(row.p);
	return E_OK;
}

/// The key of a value: the cell's, then its own.
static struct sl value_key(struct cell_id id, struct sl key, uint8_t out[static CELL_KEY_PREFIX + CELL_KEY_MAX])
{
	cell_key(id, out);
	if (key.n)
		memcpy(out + CELL_KEY_PREFIX, key.p, key.n);
	return (struct sl){ out, CELL_KEY_PREFIX + key.n };
}

/// Overwrites a part of a value, which grows with zeros.
static enum ec apply_patch(struct cx *cx, struct itxn *t, struct sl key, const struct op *o)
{
	struct sl old = { 0 };
	enum ec e = index_get(cx, t, T_KEY, key, &old);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	size_t n = max_size(e ? 0 : old.n, o->off + o->value.n);
	uint8_t *value = calloc(1, n ? n : 1);
	if (!value)
		return fail(cx, E_TEMP, "no memory for a value");
	if (e == E_OK && old.n)
		memcpy(value, old.p, old.n);
	if (o->value.n)
		memcpy(value + o->off, o->value.p, o->value.n);
	e = index_put(cx, t, T_KEY, key, (struct sl){ value, n });
	free(value);
	return e;
}

static enum ec apply_op(struct cx *cx, struct itxn *t, struct cell_id id, const struct op *o)
{
	uint8_t octets[CELL_KEY_PREFIX + CELL_KEY_MAX];
	struct sl key = value_key(id, o->key, octets);

	switch (o->kind) {
	case OP_PUT: return index_put(cx, t, T_KEY, key, o->value);
	case OP_DEL: return index_del(cx, t, T_KEY, key);
	case OP_PATCH: return apply_patch(cx, t, key, o);
	case OP_DROP: return index_del_prefix(cx, t, T_KEY, sl_head(key, CELL_KEY_PREFIX));
	case OP_HEAD_SET: return E_OK; // written with the version, in apply_cell
	}
	return E_CORRUPT;
}

/// Writes the cell's row: its new version with the new head, or the old one where `head` is NULL.
static enum ec apply_cell(struct cx *cx, struct itxn *t, const struct commit *c, const struct sl *head, bool dropped)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct sl k = { key, sizeof key }, old = { 0 };

	cell_key(c->id, key);
	if (dropped)
		return index_del(cx, t, T_CELL, k);
	if (head) {
		old = *head;
	} else {
		enum ec e = index_get(cx, t, T_CELL, k, &old);
		if (e != E_OK && e != E_NOTFOUND)
			return e;
		old = e ? (struct sl){ 0 } : sl_from(old, 8);
	}
	if (old.n > CELL_HEAD_MAX)
		return fail(cx, E_CORRUPT, "index: a head has %zu octets", old.n);
	uint8_t *row = malloc(8 + old.n); // the old one lies in the page that the put may rewrite
	if (!row)
		return fail(cx, E_TEMP, "no memory for a cell's row");
	put_le64(row, c->version);
	if (old.n)
		memcpy(row + 8, old.p, old.n);
	enum ec e = index_put(cx, t, T_CELL, k, (struct sl){ row, 8 + old.n });
	free(row);
	return e;
}

static enum ec apply_outcome(struct cx *cx, struct itxn *t, const struct commit *c)
{
	uint8_t row[8 + OUTCOME_MAX], key[8 + sizeof c->op.octets];

	put_le64(row, c->time_s);
	if (c->outcome.n)
		memcpy(row + 8, c->outcome.p, c->outcome.n);
	put_be64(key, c->time_s);
	memcpy(key + 8, c->op.octets, sizeof c->op.octets);
	struct sl op = { c->op.octets, sizeof c->op.octets };
	enum ec e = index_put(cx, t, T_OP, op, (struct sl){ row, 8 + c->outcome.n });
	return e ? e : index_put(cx, t, T_OP_TIME, (struct sl){ key, sizeof key }, SL(""));
}

enum ec apply_commit(struct cx *cx, struct itxn *t, const struct commit *c)
{
	struct sl rest = c->ops, head = { 0 };
	bool has_head = false, dropped = false;
	struct op o;
	enum ec e;

	while ((e = op_next(&rest, &o)) == E_OK) {
		if (o.kind == OP_HEAD_SET) {
			head = o.value;
			has_head = true;
		}
		dropped |= o.kind == OP_DROP;
		e = apply_op(cx, t, c->id, &o);
		if (e)
			return e;
	}
	if (e != E_NOTFOUND)
		return fail(cx, e, "malformed operations");
	e = apply_cell(cx, t, c, has_head ? &head : NULL, dropped);
	if (e == E_OK && op_is_set(&c->op))
		e = apply_outcome(cx, t, c);
	return e;
}

enum ec apply_bulk(struct cx *cx, struct itxn *t, struct body_ref ref)
{
	uint8_t key[4], row[8];
	struct sl old;

	put_be32(key, (uint32_t)(ref.at >> 32));
	enum ec e = index_get(cx, t, T_SEGMENT, (struct sl){ key, sizeof key }, &old);
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	put_le64(row, (e == E_OK && old.n == 8 ? get_le64(old.p) : 0) + ref.octets);
	return index_put(cx, t, T_SEGMENT, (struct sl){ key, sizeof key }, (struct sl){ row, sizeof row });
}

enum ec apply_gap(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t version)
{
	uint8_t key[CELL_KEY_PREFIX], row[8];

	cell_key(id, key);
	put_le64(row, version);
	return index_put(cx, t, T_DAMAGE, (struct sl){ key, sizeof key }, (struct sl){ row, sizeof row });
}

struct expired {
	uint64_t before_s;
	unsigned n, most;
	uint8_t keys[EXPIRE_MAX][24];
};

static bool collect_expired(void *arg, struct sl key, struct sl value)
{
	struct expired *x = arg;

	(void)value;
	if (x->n == x->most || key.n != sizeof x->keys[0] || get_be64(key.p) >= x->before_s)
		return false;
	memcpy(x->keys[x->n++], key.p, key.n);
	return true;
}

/// Forgets one outcome, unless the same operation id was used again later.
static enum ec expire_one(struct cx *cx, struct itxn *t, const uint8_t key[static 24])
{
	struct sl op = { key + 8, 16 }, row;
	enum ec e = index_get(cx, t, T_OP, op, &row);

	if (e == E_OK && row.n >= 8 && get_le64(row.p) == get_be64(key))
		e = index_del(cx, t, T_OP, op);
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	return index_del(cx, t, T_OP_TIME, (struct sl){ key, 24 });
}

enum ec apply_expire(struct cx *cx, struct itxn *t, uint64_t now_s, unsigned most)
{
	struct expired *x = NULL;
	struct expired probe = { .most = 1 };

	if (now_s < OPERATION_KEPT_S)
		return E_OK;
	probe.before_s = now_s - OPERATION_KEPT_S;
	enum ec e = index_scan(cx, t, T_OP_TIME, SL(""), SL(""), collect_expired, &probe);
	if (e || probe.n == 0)
		return e;
	x = calloc(1, sizeof *x);
	if (!x)
		return fail(cx, E_TEMP, "no memory to forget outcomes");
	x->most = most < EXPIRE_MAX ? most : EXPIRE_MAX;
	x->before_s = probe.before_s;
	e = index_scan(cx, t, T_OP_TIME, SL(""), SL(""), collect_expired, x);
	for (unsigned i = 0; e == E_OK && i < x->n; i++)
		e = expire_one(cx, t, x->keys[i]);
	free(x);
	return e;
}

enum ec applied_put(struct cx *cx, struct itxn *t, const struct applied *a)
{
	uint8_t row[APPLIED_OCTETS];

	put_le32(row, a->pos.segment);
	put_le64(row + 4, a->pos.at);
	put_le64(row + 12, a->pos.lsn);
	put_le64(row + 20, a->pos.chain);
	put_le64(row + 28, a->durable_lsn);
	put_le64(row + 36, a->bodies);
	return index_put(cx, t, T_META, SL("applied"), (struct sl){ row, sizeof row });
}

enum ec applied_get(struct cx *cx, struct itxn *t, struct applied *out)
{
	struct sl row;
	enum ec e = index_get(cx, t, T_META, SL("applied"), &row);

	if (e)
		return e;
	if (row.n != APPLIED_OCTETS)
		return fail(cx, E_CORRUPT, "index: what is applied has %zu octets", row.n);
	*out = (struct applied){
		.pos = { get_le32(row.p), get_le64(row.p + 4), get_le64(row.p + 12), get_le64(row.p + 20) },
		.durable_lsn = get_le64(row.p + 28),
		.bodies = get_le64(row.p + 36),
	};
	return E_OK;
}
