/// cell — reading: views, heads, values, outcomes.
#include "store/cell.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/engine.h"

enum ec view_open(struct cx *cx, struct store *s, struct view **out)
{
	struct view *v = malloc(sizeof *v);
	struct itxn *t;

	if (!v)
		return fail(cx, E_TEMP, "no memory for a view");
	enum ec e = index_read(cx, s->index, &t);
	if (e) {
		free(v);
		return e;
	}
	*v = (struct view){ .s = s, .t = t };
	*out = v;
	return E_OK;
}

void view_close(struct view *v)
{
	if (!v)
		return;
	itxn_abort(v->t);
	free(v);
}

struct view *txn_view(struct txn *t)
{
	return &t->view;
}

/// Splits a cell's row.
static enum ec row_split(struct cx *cx, struct sl row, uint64_t *version, struct sl *head)
{
	if (row.n < 8)
		return fail(cx, E_CORRUPT, "index: a cell's row has %zu octets", row.n);
	*version = get_le64(row.p);
	*head = sl_from(row, 8);
	return E_OK;
}

enum ec cell_head(struct cx *cx, struct view *v, struct cell_id id, uint64_t *version, struct sl *head)
{
	uint8_t key[CELL_KEY_PREFIX];
	struct sl row;

	cell_key(id, key);
	enum ec e = index_get(cx, v->t, T_CELL, (struct sl){ key, sizeof key }, &row);
	return e ? e : row_split(cx, row, version, head);
}

enum ec cell_get(struct cx *cx, struct view *v, struct cell_id id, struct sl key, struct sl *value)
{
	uint8_t octets[CELL_KEY_PREFIX + CELL_KEY_MAX];

	if (key.n > CELL_KEY_MAX)
		return E_NOTFOUND;
	cell_key(id, octets);
	if (key.n)
		memcpy(octets + CELL_KEY_PREFIX, key.p, key.n);
	return index_get(cx, v->t, T_KEY, (struct sl){ octets, CELL_KEY_PREFIX + key.n }, value);
}

struct scan {
	cell_each *each;
	cell_each_cell *each_cell;
	void *arg;
	struct cx *cx;
	enum ec err;
};

static bool scan_value(void *arg, struct sl key, struct sl value)
{
	struct scan *sc = arg;

	return sc->each(sc->arg, sl_from(key, CELL_KEY_PREFIX), value);
}

enum ec cell_scan(struct cx *cx, struct view *v, struct cell_id id, struct sl from, cell_each *each, void *arg)
{
	uint8_t octets[CELL_KEY_PREFIX + CELL_KEY_MAX];
	struct scan sc = { .each = each, .arg = arg };

	if (from.n > CELL_KEY_MAX)
		return fail(cx, E_TOOBIG, "key of %zu octets", from.n);
	cell_key(id, octets);
	if (from.n)
		memcpy(octets + CELL_KEY_PREFIX, from.p, from.n);
	struct sl start = { octets, CELL_KEY_PREFIX + from.n };
	return index_scan(cx, v->t, T_KEY, start, sl_head(start, CELL_KEY_PREFIX), scan_value, &sc);
}

static bool scan_cell(void *arg, struct sl key, struct sl row)
{
	struct scan *sc = arg;
	uint64_t version;
	struct sl head;

	if (key.n != CELL_KEY_PREFIX)
		sc->err = fail(sc->cx, E_CORRUPT, "index: a cell's key has %zu octets", key.n);
	else
		sc->err = row_split(sc->cx, row, &version, &head);
	return sc->err == E_OK && sc->each_cell(sc->arg, cell_of_key(key), version, head);
}

enum ec cell_scan_cells(struct cx *cx, struct view *v, cell_each_cell *each, void *arg)
{
	struct scan sc = { .each_cell = each, .arg = arg, .cx = cx };
	enum ec e = index_scan(cx, v->t, T_CELL, SL(""), SL(""), scan_cell, &sc);

	return e ? e : sc.err;
}

enum ec store_damaged_cells(struct cx *cx, struct view *v, cell_each_cell *each, void *arg)
{
	struct scan sc = { .each_cell = each, .arg = arg, .cx = cx };
	enum ec e = index_scan(cx, v->t, T_DAMAGE, SL(""), SL(""), scan_cell, &sc);

	return e ? e : sc.err;
}

enum ec op_outcome(struct cx *cx, struct view *v, const struct op_id *op, struct sl *outcome)
{
	struct sl row;
	enum ec e = index_get(cx, v->t, T_OP, (struct sl){ op->octets, sizeof op->octets }, &row);

	if (e)
		return e;
	if (row.n < 8)
		return fail(cx, E_CORRUPT, "index: an outcome's row has %zu octets", row.n);
	if (get_le64(row.p) + OPERATION_KEPT_S < (uint64_t)clock_now_s())
		return E_NOTFOUND; // forgotten, only not removed yet
	*outcome = sl_from(row, 8);
	return E_OK;
}
