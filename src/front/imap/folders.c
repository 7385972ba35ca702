/// folders — the account's tree, small enough to be read whole for each LIST.
#include "front/imap/folders.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "front/imap/rows.h"
#include "proto/mboxname.h"

int folders_cmp(struct sl a, struct sl b)
{
	size_t n = min_size(a.n, b.n), i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	if (i == n)
		return (a.n > b.n) - (a.n < b.n);
	if (a.p[i] == '/' || b.p[i] == '/')
		return a.p[i] == '/' ? -1 : 1;
	return a.p[i] < b.p[i] ? -1 : 1;
}

static int by_name(const void *x, const void *y)
{
	const struct folder *a = x, *b = y;
	return folders_cmp(a->name, b->name);
}

/// True where `name` is below `parent`.
static bool is_below(struct sl name, struct sl parent)
{
	return name.n > parent.n && name.p[parent.n] == '/' && sl_starts(name, parent);
}

/// How many parents of `name` are missing between it and the name before it in the list.
static size_t missing_parents(struct sl name, struct sl before, struct sl *out)
{
	size_t n = 0;

	for (size_t at = 0; at < name.n && n < MBOXNAME_DEPTH_MAX; at++) {
		struct sl parent = sl_head(name, at);
		if (name.p[at] == '/' && !sl_eq(parent, before) && !is_below(before, parent))
			out[n++] = parent;
	}
	return n;
}

/// Copies the sorted list with the missing parents; with `to` NULL only counts.
static size_t add_parents(const struct folders *list, struct folder *to)
{
	struct sl parents[MBOXNAME_DEPTH_MAX], before = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		size_t missing = missing_parents(list->f[i].name, before, parents);
		for (size_t k = 0; to && k < missing; k++)
			to[n + k] = (struct folder){ .name = parents[k] };
		n += missing;
		if (to)
			to[n] = list->f[i];
		n++;
		before = list->f[i].name;
	}
	return n;
}

/// Counts what is below each: a stack of the names that the present one is below.
static void count_below(struct folders *list)
{
	struct folder *open[MBOXNAME_DEPTH_MAX + 1];
	size_t depth = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct folder *f = &list->f[i];
		while (depth && !is_below(f->name, open[depth - 1]->name))
			depth--;
		for (size_t k = 0; k < depth; k++) {
			open[k]->below++;
			open[k]->has_children |= f->exists;
		}
		f->below = 0;
		f->has_children = false;
		if (depth < ARRAY_N(open))
			open[depth++] = f;
	}
}

enum ec folders_complete(struct folders *list, struct arena *a)
{
	if (list->n)
		qsort(list->f, list->n, sizeof *list->f, by_name);
	size_t n = add_parents(list, NULL);
	if (n != list->n) {
		struct folder *all = arena_alloc(a, n, sizeof *all);
		if (!all)
			return E_TEMP;
		add_parents(list, all);
		*list = (struct folders){ all, n };
	}
	count_below(list);
	return E_OK;
}

/// Room for `more` further entries.
static bool grow(struct imap *im, struct folders *list, size_t *cap, size_t more)
{
	size_t want = max_size(max_size(64, *cap * 2), list->n + more);

	if (list->n + more <= *cap)
		return true;
	struct folder *f = arena_alloc(&im->cmd, want, sizeof *f);
	if (!f)
		return false;
	if (list->n)
		memcpy(f, list->f, list->n * sizeof *f);
	list->f = f;
	*cap = want;
	return true;
}

/// Copies the entries of one answer.
static enum ec take_entries(struct imap *im, struct sl entries, uint32_t count, struct folders *list)
{
	struct pl_mbox m;

	for (uint32_t i = 0; i < count; i++) {
		if (entries.n < sizeof m)
			return E_CORRUPT;
		memcpy(&m, entries.p, sizeof m);
		if (m.size < sizeof m || m.size > entries.n || m.name_octets > m.size - sizeof m)
			return E_CORRUPT;
		struct sl name = { entries.p + offsetof(struct pl_mbox, name), m.name_octets };
		struct folder *f = &list->f[list->n];
		*f = (struct folder){ .name = arena_copy(&im->cmd, name), .mbox = m.mbox, .use = m.use };
		f->exists = m.exists;
		f->subscribed = m.subscribed;
		if (!f->name.p)
			return E_TEMP;
		list->n++;
		entries = sl_from(entries, m.size);
	}
	return E_OK;
}

/// One request. out: *more — the store has more names.
FIB static enum ec load_part(
	struct cx *cx, struct imap *im, struct req_mbox_list *req, struct folders *list, size_t *cap, bool *more)
{
	struct ans_mbox_list ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, NULL, 0, &c);

	if (e != E_OK)
		return e;
	req->out = c.out;
	e = call_mbox_list(cx, im->store, req, &ans);
	if (e == E_OK &&
		!grow(im, list, cap, ans.count <= c.out.len / sizeof(struct pl_mbox) ? ans.count : SIZE_MAX / 2))
		e = E_TEMP;
	struct sl entries = { chunks_at(client_chunks(im->store), c.out), c.out.len };
	if (e == E_OK)
		e = take_entries(im, entries, ans.count, list);
	set_chunk_give(im, &c);
	if (e == E_OK)
		*more = ans.more && ans.count;
	return e ? wrap(cx, e, "reading the list of mailboxes") : E_OK;
}

FIB enum ec folders_load(struct cx *cx, struct imap *im, struct folders *out)
{
	struct req_mbox_list req = { .handle = im->handle };
	struct folders list = { 0 };
	size_t cap = 0;
	bool more = true;
	enum ec e = E_OK;

	while (e == E_OK && more) {
		e = load_part(cx, im, &req, &list, &cap, &more);
		if (e == E_OK && list.n)
			e = field_set(req.after, list.f[list.n - 1].name);
	}
	if (e == E_OK)
		e = folders_complete(&list, &im->cmd);
	if (e == E_OK)
		*out = list;
	return e;
}
