/// sweep — see the header.
#include "store/sweep.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { CELLS_MAX = 16 << 20, VIEW_NS = 100000000 };

struct pass {
	struct cx *cx;
	struct view *v;
	const struct sweep *w;
	int64_t until_ns;    // of this view
	struct cell_id next; // where the next one goes on
	bool looked, over;   // at a cell; at all
	struct buf cells;    // struct cell_id
	unsigned damaged;    // cells
	enum ec err;
};

static bool look_into(void *arg, struct cell_id cell, uint64_t version, struct sl head)
{
	struct pass *p = arg;
	bool found = false;

	(void)version, (void)head;
	if (p->looked && clock_mono_ns() >= p->until_ns) {
		p->next = cell;
		p->over = false;
		return false;
	}
	p->looked = true;
	enum ec e = p->w->look(p->cx, p->v, cell, p->w->arg, &found);
	p->damaged += e == E_CORRUPT;
	p->err = e == E_CORRUPT ? E_OK : e;
	if (e == E_OK && found)
		buf_add(&p->cells, (struct sl){ (const uint8_t *)&cell, sizeof cell });
	return p->err == E_OK && p->cells.err == E_OK;
}

/// Looks into as many cells as one view may see.
static enum ec look_on(struct cx *cx, struct store *s, struct pass *p)
{
	enum ec e = view_open(cx, s, &p->v);

	if (e != E_OK)
		return e;
	p->until_ns = clock_mono_ns() + (p->w->view_ns ? p->w->view_ns : VIEW_NS);
	p->looked = false;
	p->over = true;
	e = cell_scan_cells(cx, p->v, p->next, look_into, p);
	view_close(p->v);
	p->damaged += e == E_CORRUPT; // rows of cells that cannot be read
	if (e == E_OK || e == E_CORRUPT)
		e = p->err ? p->err : p->cells.err;
	return e;
}

struct clearing {
	const struct sweep *w;
	struct cell_id cell;
	bool more;
};

static enum ec clear_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct clearing *c = job->arg;

	c->more = false;
	return c->w->clear(cx, t, c->cell, c->w->arg, &c->more);
}

enum ec sweep_cells(struct cx *cx, struct store *s, const struct sweep *w)
{
	struct pass p = { .cx = cx, .w = w, .cells = BUF((size_t)CELLS_MAX * sizeof(struct cell_id)) };
	struct clearing c = { .w = w };
	enum ec e = E_OK;

	while (e == E_OK && !p.over)
		e = look_on(cx, s, &p);
	for (size_t at = 0; e == E_OK && at < p.cells.n; at += sizeof c.cell) {
		memcpy(&c.cell, p.cells.p + at, sizeof c.cell);
		do
			e = store_free(cx, s, false, clear_run, &c);
		while (e == E_OK && c.more);
		p.damaged += e == E_CORRUPT;
		e = e == E_CORRUPT ? E_OK : e;
	}
	buf_free(&p.cells);
	return e == E_OK && p.damaged ? fail(cx, E_CORRUPT, "%u damaged cells were left as they are", p.damaged) : e;
}
