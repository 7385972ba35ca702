/// mark — see the header.
#include "store/mark.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"

enum {
	ROWS_PER_VIEW = 4096,
	MARKED_MAX = 64 << 20, // bodies at a time
	CLOCK_SLACK_S = 60,
	SORT_AT_LEAST = 1 << 20, // bodies, before doubles are looked for
};

struct walking {
	struct store *s;
	struct mark *m;
	int64_t now_s;
	uint8_t next[CELL_KEY_PREFIX + CELL_KEY_MAX + 1]; // where the next view goes on
	size_t next_octets;
	unsigned rows;
	bool over;
	size_t sort_at;
};

static int by_place(const void *a, const void *b)
{
	const struct marked *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/// Sorts, and leaves of each body one.
static void sort(struct buf *b)
{
	struct marked *all = (struct marked *)(void *)b->p;
	size_t n = b->n / sizeof *all, kept = 0;

	if (n == 0)
		return;
	qsort(all, n, sizeof *all, by_place);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || all[i].at != all[kept - 1].at)
			all[kept++] = all[i];
	buf_cut(b, kept * sizeof *all);
}

static void take_body(void *arg, struct body_ref ref)
{
	struct walking *w = arg;
	struct marked one = { ref.at, ref.octets };

	if (!w->m->wants(w->m->arg, ref))
		return;
	if (w->m->bodies.n >= w->sort_at) { // a letter to thousands is named thousands of times
		sort(&w->m->bodies);
		w->sort_at = max_size(2 * w->m->bodies.n, SORT_AT_LEAST * sizeof one);
	}
	buf_add(&w->m->bodies, (struct sl){ (const uint8_t *)&one, sizeof one });
}

static bool take_row(void *arg, struct sl key, struct sl value)
{
	struct walking *w = arg;

	if (w->rows++ == (w->m->view_rows ? w->m->view_rows : ROWS_PER_VIEW)) {
		memcpy(w->next, key.p, key.n);
		w->next_octets = key.n;
		w->over = false;
		return false;
	}
	w->s->bodies(cell_of_key(key), sl_from(key, CELL_KEY_PREFIX), value, w->now_s, take_body, w);
	return w->m->bodies.err == E_OK;
}

static enum ec walk_view(struct cx *cx, struct walking *w)
{
	struct itxn *t;
	enum ec e = index_read(cx, w->s->index, &t);

	if (e)
		return e;
	w->rows = 0;
	w->over = true;
	e = index_scan(cx, t, T_KEY, (struct sl){ w->next, w->next_octets }, SL(""), take_row, w);
	itxn_abort(t);
	if (e == E_OK && w->m->bodies.err)
		e = fail(cx, E_TEMP, "no memory for the bodies that are named");
	return e;
}

/// How far the time of day is from the clock that nobody sets.
static int64_t clock_offset_s(void)
{
	return clock_now_s() - clock_steady_s();
}

enum ec mark_walk(struct cx *cx, struct store *s, struct mark *m)
{
	struct walking w = { .s = s,
		.m = m,
		.now_s = clock_now_s() + (store_is_low(s) ? s->hurry_s : 0),
		.sort_at = SORT_AT_LEAST * sizeof(struct marked) };
	int64_t offset = clock_offset_s();
	enum ec e = s->bodies ? E_OK : fail(cx, E_UNSUPPORTED, "nobody says which bodies are named");

	if (e == E_OK)
		e = store_wait_index(cx, s); // behind `now_s`: what goes in a later batch went after it
	m->bodies = BUF((size_t)MARKED_MAX * sizeof(struct marked));
	while (e == E_OK && !w.over)
		e = walk_view(cx, &w);
	int64_t moved = clock_offset_s() - offset;
	if (e == E_OK && (moved > CLOCK_SLACK_S || moved < -CLOCK_SLACK_S))
		e = fail(cx, E_TEMP, "the clock was set");
	if (e)
		buf_free(&m->bodies);
	else
		sort(&m->bodies);
	return e;
}
