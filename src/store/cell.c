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

enum ec cell_head(struct cx *cx, struct view *v, struct cell_id id, uint64_t *version, struct sl *head)
{
	struct cell_row row;
	struct sl h;
	enum ec e = cell_row_get(cx, v->t, id, &row, &h);

	if (e == E_OK && row.version == 0)
		return E_NOTFOUND;
	if (e == E_OK) {
		*version = row.version;
		*head = h;
	}
	return e;
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

static bool scan_cell(void *arg, struct sl key, struct sl in)
{
	struct scan *sc = arg;
	struct cell_row row;
	struct sl head;
	enum ec e = key.n == CELL_KEY_PREFIX ? cell_row_split(sc->cx, in, &row, &head)
	                                     : fail(sc->cx, E_CORRUPT, "index: a cell's key has %zu octets", key.n);

	if (e == E_OK)
		return sc->each_cell(sc->arg, cell_of_key(key), row.version, head);
	sc->err = e;
	return e == E_CORRUPT;
}

static bool scan_damaged(void *arg, struct sl key, struct sl row)
{
	struct scan *sc = arg;

	if (key.n != CELL_KEY_PREFIX || row.n < 8)
		sc->err = fail(sc->cx, E_CORRUPT, "index: a row of damage has %zu and %zu octets", key.n, row.n);
	return sc->err == E_OK && sc->each_cell(sc->arg, cell_of_key(key), get_le64(row.p), SL(""));
}

enum ec cell_scan_cells(struct cx *cx, struct view *v, struct cell_id from, cell_each_cell *each, void *arg)
{
	struct scan sc = { .each_cell = each, .arg = arg, .cx = cx };
	uint8_t start[CELL_KEY_PREFIX];

	cell_key(from, start);
	enum ec e = index_scan(cx, v->t, T_CELL, (struct sl){ start, sizeof start }, SL(""), scan_cell, &sc);

	return e ? e : sc.err;
}

enum ec store_damaged_cells(struct cx *cx, struct view *v, cell_each_cell *each, void *arg)
{
	struct scan sc = { .each_cell = each, .arg = arg, .cx = cx };
	enum ec e = index_scan(cx, v->t, T_DAMAGE, SL(""), SL(""), scan_damaged, &sc);

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
