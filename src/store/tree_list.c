/// tree_list — the whole tree of an account at once: listing in order, and how deep a subtree is.
///
/// Rows come from one scan, sorted by (parent, name), so a node's children are a run found by bisection.
#include <stdlib.h>

#include "base/num.h"
#include "store/tree_rows.h"

struct listed {
	uint64_t parent;
	struct sl name; // borrowed from the view
	struct tree_node node;
};
struct forest {
	struct cx *cx;
	struct listed *row;
	size_t n, cap;
	struct sl *sub; // subscribed names, in order
	size_t subs, subs_cap;
	enum ec err;
};

/// Order of names: '/' below every other octet.
static int name_cmp(struct sl a, struct sl b)
{
	size_t n = min_size(a.n, b.n);

	for (size_t i = 0; i < n; i++) {
		int x = a.p[i] == '/' ? 0 : a.p[i], y = b.p[i] == '/' ? 0 : b.p[i];
		if (x != y)
			return x - y;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

static int sub_cmp(const void *a, const void *b)
{
	return name_cmp(*(const struct sl *)a, *(const struct sl *)b);
}

static bool grow(void *array, size_t n, size_t *cap, size_t size)
{
	void **p = array;

	if (n < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 32;
	void *q = reallocarray(*p, more, size);
	if (!q)
		return false;
	*p = q;
	*cap = more;
	return true;
}

static bool see_row(void *arg, struct sl key, struct sl value)
{
	struct forest *f = arg;

	if (key.p[0] != 't')
		return false;
	f->err = grow(&f->row, f->n, &f->cap, sizeof *f->row) ? E_OK : E_TEMP;
	if (f->err == E_OK && key.n < 10)
		f->err = fail(f->cx, E_CORRUPT, "a tree key of %zu octets", key.n);
	if (f->err != E_OK)
		return false;
	struct listed *l = &f->row[f->n];
	l->parent = get_be64(key.p + 1);
	l->name = sl_from(key, 9);
	f->err = tree_node_decode(f->cx, value, &l->node);
	f->n += f->err == E_OK;
	return f->err == E_OK;
}

static bool see_sub(void *arg, struct sl key, struct sl value)
{
	struct forest *f = arg;

	if (key.p[0] != 's')
		return false;
	f->err = grow(&f->sub, f->subs, &f->subs_cap, sizeof *f->sub) ? E_OK : E_TEMP;
	if (f->err == E_OK)
		f->sub[f->subs++] = value;
	return f->err == E_OK;
}

static void forest_free(struct forest *f)
{
	free(f->row);
	free(f->sub);
}

static enum ec forest_load(struct cx *cx, struct view *v, uint64_t account, bool subs, struct forest *f)
{
	*f = (struct forest){ .cx = cx };
	enum ec e = cell_scan(cx, v, tree_cell(account), SL("t"), see_row, f);

	if (e == E_OK)
		e = f->err;
	if (e == E_OK && subs)
		e = cell_scan(cx, v, tree_cell(account), SL("s"), see_sub, f);
	if (e == E_OK)
		e = f->err;
	if (e == E_OK && f->subs)
		qsort(f->sub, f->subs, sizeof *f->sub, sub_cmp);
	return e;
}

/// The first row whose parent is `parent`, or f->n.
static size_t children_of(const struct forest *f, uint64_t parent)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (f->row[mid].parent < parent)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < f->n && f->row[lo].parent == parent ? lo : f->n;
}

// ---- extent

static bool extent_below(const struct forest *f, uint64_t node, unsigned depth, size_t octets, struct tree_extent *out)
{
	if (depth > NAME_DEPTH_MAX)
		return false;
	if (depth > out->depth)
		out->depth = depth;
	if (octets > out->octets)
		out->octets = octets;
	for (size_t i = children_of(f, node); i < f->n && f->row[i].parent == node; i++)
		if (!extent_below(f, f->row[i].node.node, depth + 1, octets + 1 + f->row[i].name.n, out))
			return false;
	return true;
}

enum ec tree_extent(struct cx *cx, struct view *v, uint64_t account, uint64_t node, struct tree_extent *out)
{
	struct forest f;
	struct tree_extent x = { 0 };
	enum ec e = forest_load(cx, v, account, false, &f);

	if (e == E_OK && !extent_below(&f, node, 0, 0, &x))
		e = fail(cx, E_CORRUPT, "a tree deeper than %d", NAME_DEPTH_MAX);
	if (e == E_OK)
		*out = x;
	forest_free(&f);
	return e;
}

// ---- listing

struct listing {
	const struct forest *f;
	struct sl after;
	tree_each *each;
	void *arg;
	size_t sub; // the next subscribed name
	size_t n;   // octets of `name`
	bool stop;
	enum ec err;
	uint8_t name[NAME_MAX_OCTETS];
};

static void emit(struct listing *l, const struct tree_entry *e)
{
	if (!l->stop && name_cmp(e->name, l->after) > 0)
		l->stop = !l->each(l->arg, e);
}

/// Subscribed names that stand before `name` (all that are left for an empty one) have no node.
static void emit_subs_before(struct listing *l, struct sl name)
{
	while (!l->stop && l->sub < l->f->subs && (name.n == 0 || name_cmp(l->f->sub[l->sub], name) < 0)) {
		struct tree_entry e = { .name = l->f->sub[l->sub++], .subscribed = true };
		emit(l, &e);
	}
}

static void list_below(struct listing *l, uint64_t parent, unsigned depth)
{
	const struct forest *f = l->f;
	size_t base = l->n;

	for (size_t i = children_of(f, parent); i < f->n && f->row[i].parent == parent; i++) {
		const struct listed *row = &f->row[i];
		if (l->stop || l->err != E_OK)
			return;
		if (depth == NAME_DEPTH_MAX || base + (base > 0) + row->name.n > sizeof l->name) {
			l->err = E_CORRUPT;
			return;
		}
		l->n = base;
		if (base)
			l->name[l->n++] = '/';
		memcpy(l->name + l->n, row->name.p, row->name.n);
		l->n += row->name.n;
		struct sl name = { l->name, l->n };
		emit_subs_before(l, name);
		struct tree_entry e = { .name = name, .mbox = row->node.mbox, .use = row->node.use };
		e.has_children = children_of(f, row->node.node) < f->n;
		e.subscribed = l->sub < f->subs && sl_eq(f->sub[l->sub], name);
		l->sub += e.subscribed;
		emit(l, &e);
		list_below(l, row->node.node, depth + 1);
		l->n = base;
	}
}

enum ec tree_list(struct cx *cx, struct view *v, uint64_t account, struct sl after, tree_each *each, void *arg)
{
	struct forest f;
	enum ec e = forest_load(cx, v, account, true, &f);

	if (e == E_OK) {
		struct listing l = { .f = &f, .after = after, .each = each, .arg = arg };
		list_below(&l, 0, 0);
		e = l.err == E_OK ? E_OK : fail(cx, l.err, "a tree too deep or a name too long");
		if (e == E_OK)
			emit_subs_before(&l, (struct sl){ 0 });
	}
	forest_free(&f);
	return e;
}
