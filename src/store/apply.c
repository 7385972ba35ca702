/// apply — operations of a commit become rows.
#include "store/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/segment.h"

enum { INDEX_FORM = 3, APPLIED_OCTETS = 56, EXPIRE_MAX = 64 };

struct commit commit_of(const struct rec *r, struct sl payload)
{
	return (struct commit){
		.id = { r->arg[COMMIT_ACCOUNT], r->arg[COMMIT_NAME] },
		.version = r->arg[COMMIT_VERSION],
		.op = r->op,
		.time_s = r->time_s,
		.ops = sl_head(payload, payload.n - r->outcome),
		.outcome = sl_from(payload, payload.n - r->outcome),
	};
}

struct image image_of(const struct rec *r, struct sl payload)
{
	return (struct image){
		.id = { r->arg[COMMIT_ACCOUNT], r->arg[COMMIT_NAME] },
		.version = r->arg[COMMIT_VERSION],
		.sums = image_sums_get(r),
		.ops = payload,
	};
}

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

enum ec cell_row_split(struct cx *cx, struct sl in, struct cell_row *row, struct sl *head)
{
	if (in.n < CELL_ROW_OCTETS)
		return fail(cx, E_CORRUPT, "index: a cell's row has %zu octets", in.n);
	*row = (struct cell_row){ get_le64(in.p), get_le64(in.p + 8), get_le32(in.p + 16), get_le32(in.p + 20) };
	*head = sl_from(in, CELL_ROW_OCTETS);
	return E_OK;
}

enum ec cell_row_get(struct cx *cx, struct itxn *t, struct cell_id id, struct cell_row *row, struct sl *head)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct sl in;

	cell_key(id, key);
	enum ec e = index_get(cx, t, T_CELL, (struct sl){ key, sizeof key }, &in);
	if (e == E_NOTFOUND) {
		*row = (struct cell_row){ 0 };
		*head = (struct sl){ 0 };
		return E_OK;
	}
	return e ? e : cell_row_split(cx, in, row, head);
}

/// Writes a cell's row. `head` may lie in the row that is replaced.
static enum ec cell_row_put(
	struct cx *cx, struct itxn *t, struct cell_id id, const struct cell_row *row, struct sl head)
{
	uint8_t key[CELL_KEY_PREFIX];

	if (head.n > CELL_HEAD_MAX)
		return fail(cx, E_CORRUPT, "index: a head has %zu octets", head.n);
	uint8_t *octets = malloc(CELL_ROW_OCTETS + head.n);
	if (!octets)
		return fail(cx, E_TEMP, "no memory for a cell's row");
	cell_key(id, key);
	put_le64(octets, row->version);
	put_le64(octets + 8, row->image);
	put_le32(octets + 16, row->since);
	put_le32(octets + 20, row->image_octets);
	if (head.n)
		memcpy(octets + CELL_ROW_OCTETS, head.p, head.n);
	struct sl in = { octets, CELL_ROW_OCTETS + head.n };
	enum ec e = index_put(cx, t, T_CELL, (struct sl){ key, sizeof key }, in);
	free(octets);
	return e;
}

bool cell_is_due(const struct cell_row *row)
{
	return row->since > IMAGE_SLACK && row->since - IMAGE_SLACK > row->image_octets;
}

enum ec apply_version(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t *version)
{
	struct cell_row row;
	struct sl head;
	enum ec e = cell_row_get(cx, t, id, &row, &head);

	if (e == E_OK)
		*version = row.version;
	return e;
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
	case OP_DROP:
		return index_del_range(
			cx, t, T_KEY, sl_head(key, CELL_KEY_PREFIX), SL(""), sl_head(key, CELL_KEY_PREFIX));
	case OP_HEAD_SET: return E_OK; // written with the version, in apply_cell
	case OP_RANGE: break;          // only in images
	}
	return E_CORRUPT;
}

static uint32_t add_octets(uint32_t since, size_t n)
{
	return n > UINT32_MAX - since ? UINT32_MAX : since + (uint32_t)n;
}

/// The cell goes, and what was known of it.
static enum ec drop_cell(struct cx *cx, struct itxn *t, struct cell_id id)
{
	uint8_t key[CELL_KEY_PREFIX];

	cell_key(id, key);
	enum ec e = index_del(cx, t, T_CELL, (struct sl){ key, sizeof key });
	return e ? e : index_del(cx, t, T_DAMAGE, (struct sl){ key, sizeof key });
}

/// Writes the cell's row: its new version with the new head, or the old one where `head` is NULL.
static enum ec apply_cell(
	struct cx *cx, struct itxn *t, const struct commit *c, const struct sl *head, struct cell_row *after)
{
	struct sl old;
	enum ec e = cell_row_get(cx, t, c->id, after, &old);

	if (e)
		return e;
	after->version = c->version;
	after->since = add_octets(after->since, REC_HEAD + c->ops.n + c->outcome.n);
	return cell_row_put(cx, t, c->id, after, head ? *head : old);
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

enum ec apply_commit(struct cx *cx, struct itxn *t, const struct commit *c, struct cell_row *after)
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
	*after = (struct cell_row){ 0 };
	e = dropped ? drop_cell(cx, t, c->id) : apply_cell(cx, t, c, has_head ? &head : NULL, after);
	if (e == E_OK && op_is_set(&c->op))
		e = apply_outcome(cx, t, c);
	return e;
}

// ---- images

/// What is known of an image on its way into a cell that lacks commits.
struct mending {
	bool damaged;
	uint64_t version; // behind the newest gap
	struct sl next;   // the key up to which an image mended it; empty = none is under way
};

static enum ec mending_get(struct cx *cx, struct itxn *t, struct cell_id id, struct mending *out)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct sl row;

	cell_key(id, key);
	enum ec e = index_get(cx, t, T_DAMAGE, (struct sl){ key, sizeof key }, &row);
	*out = (struct mending){ 0 };
	if (e == E_NOTFOUND)
		return E_OK;
	if (e == E_OK && row.n < 8)
		return fail(cx, E_CORRUPT, "index: a row of damage has %zu octets", row.n);
	if (e == E_OK)
		*out = (struct mending){ true, get_le64(row.p), sl_from(row, 8) };
	return e;
}

/// After a part: the key where the next one must begin, or none where it was the last.
static enum ec mending_put(struct cx *cx, struct itxn *t, struct cell_id id, uint64_t version, struct sl next)
{
	uint8_t key[CELL_KEY_PREFIX], row[8 + CELL_KEY_MAX];

	cell_key(id, key);
	if (next.n == 0)
		return index_del(cx, t, T_DAMAGE, (struct sl){ key, sizeof key });
	put_le64(row, version);
	memcpy(row + 8, next.p, next.n);
	return index_put(cx, t, T_DAMAGE, (struct sl){ key, sizeof key }, (struct sl){ row, 8 + next.n });
}

/// The part's keys take the place of what is in its range. out: *head — as it says, none where it says none.
static enum ec replace_range(
	struct cx *cx, struct itxn *t, const struct image *im, const struct op *range, struct sl *head)
{
	uint8_t from[CELL_KEY_PREFIX + CELL_KEY_MAX], to[CELL_KEY_PREFIX + CELL_KEY_MAX];
	struct sl rest = im->ops, prefix = { from, CELL_KEY_PREFIX };
	struct sl until = range->value.n ? value_key(im->id, range->value, to) : SL("");
	struct op o;
	enum ec e = index_del_range(cx, t, T_KEY, value_key(im->id, range->key, from), until, prefix);

	while (e == E_OK && (e = op_next(&rest, &o)) == E_OK) {
		if (o.kind == OP_HEAD_SET)
			*head = o.value;
		else if (o.kind == OP_PUT)
			e = apply_op(cx, t, im->id, &o);
	}
	return e == E_NOTFOUND ? E_OK : e;
}

/// Whether a cell in this state needs the part that begins at `from`. Parts behind the first need all commits since.
static bool needs_part(uint64_t now, const struct mending *m, const struct image *im, struct sl from)
{
	if (from.n == 0)
		return now < im->version || m->damaged;
	return m->next.n > 0 && sl_eq(m->next, from) && now == im->version;
}

enum ec cell_is_damaged(struct cx *cx, struct itxn *t, struct cell_id id, bool *damaged)
{
	struct mending m = { 0 };
	enum ec e = mending_get(cx, t, id, &m);

	if (e == E_OK)
		*damaged = m.damaged;
	return e;
}

/// Changes a cell's row under its head; `version` is the least that it has then.
static enum ec change_row(struct cx *cx, struct itxn *t, const struct image *im, struct sl head, bool noted)
{
	struct cell_row row;
	struct sl old;
	enum ec e = cell_row_get(cx, t, im->id, &row, &old);

	if (e)
		return e;
	row.version = row.version > im->version ? row.version : im->version;
	if (noted) {
		row.image = im->sums.first;
		row.image_octets = im->sums.octets;
		row.since = im->sums.since;
	}
	return cell_row_put(cx, t, im->id, &row, head.p ? head : old);
}

enum ec image_note(struct cx *cx, struct itxn *t, struct cell_id id, const struct image_sums *sums)
{
	struct image im = { .id = id, .sums = *sums };

	return change_row(cx, t, &im, (struct sl){ 0 }, true);
}

enum ec apply_image(struct cx *cx, struct itxn *t, const struct image *im)
{
	struct sl head = { 0 }, rest = im->ops;
	struct mending m = { 0 };
	uint64_t now = 0;
	struct op range;

	if (op_next(&rest, &range) || range.kind != OP_RANGE)
		return fail(cx, E_CORRUPT, "an image without its range");
	enum ec e = apply_version(cx, t, im->id, &now);
	if (e == E_OK)
		e = mending_get(cx, t, im->id, &m);
	if (e)
		return e;
	bool needed = needs_part(now, &m, im, range.key), last = range.value.n == 0;
	if (!needed && now < im->version) // between the parts a commit is missing: the next image may mend it
		return apply_gap(cx, t, im->id, im->version);
	if (needed) {
		uint64_t gap = m.version > im->version ? m.version : im->version;
		e = replace_range(cx, t, im, &range, &head);
		if (e == E_OK)
			e = mending_put(cx, t, im->id, gap, range.value);
	}
	if (e || (!needed && (!last || m.damaged)))
		return e;
	return change_row(cx, t, im, head, last);
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
	put_le64(row + 44, a->damaged);
	put_le32(row + 52, INDEX_FORM);
	return index_put(cx, t, T_META, SL("applied"), (struct sl){ row, sizeof row });
}

enum ec applied_get(struct cx *cx, struct itxn *t, struct applied *out)
{
	struct sl row;
	enum ec e = index_get(cx, t, T_META, SL("applied"), &row);

	if (e)
		return e;
	if (row.n != APPLIED_OCTETS || get_le32(row.p + 52) != INDEX_FORM)
		return fail(cx, E_CORRUPT, "index: of another form, %zu octets", row.n);
	*out = (struct applied){
		.pos = { get_le32(row.p), get_le64(row.p + 4), get_le64(row.p + 12), get_le64(row.p + 20) },
		.durable_lsn = get_le64(row.p + 28),
		.bodies = get_le64(row.p + 36),
		.damaged = get_le64(row.p + 44),
	};
	return E_OK;
}
