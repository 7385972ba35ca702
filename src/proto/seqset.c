/// seqset — parsing, merging and printing; see the header for the invariant.
#include "proto/seqset.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/// Stands for `*` while one item is read; no number has this value.
enum { STAR = 0 };

/// seq-number = nz-number / "*"
static uint32_t parse_seq_number(struct cur *c)
{
	if (cur_take(c, '*'))
		return STAR;
	if (cur_peek(c) == '0')
		cur_fail(c, E_SYNTAX); // nz-number = digit-nz *DIGIT
	return (uint32_t)cur_need_num(c, UINT32_MAX);
}

/// Both orders name the same set. With `*` the other number matters only where it is below the largest in use.
static void note_star(struct seqset *s, uint32_t other)
{
	uint32_t from = other == STAR ? UINT32_MAX : other;

	if (s->star_from == 0 || from < s->star_from)
		s->star_from = from;
}

/// seq-number / seq-range
/// seq-range = seq-number ":" seq-number ; in either order
static void parse_item(struct cur *c, struct seqset *s)
{
	uint32_t a = parse_seq_number(c);
	uint32_t b = cur_take(c, ':') ? parse_seq_number(c) : a;

	if (!cur_ok(c))
		return;
	if (a == STAR || b == STAR)
		note_star(s, a == STAR ? b : a);
	else
		s->ranges[s->n++] = a < b ? (struct seq_range){ a, b } : (struct seq_range){ b, a };
}

static int by_first(const void *x, const void *y)
{
	const struct seq_range *a = x, *b = y;
	return (a->first > b->first) - (a->first < b->first);
}

/// Makes the invariant true.
static void merge(struct seqset *s)
{
	struct seq_range *r = s->ranges;
	size_t kept = 0;
	bool sorted = true;

	for (size_t i = 1; i < s->n && sorted; i++)
		sorted = r[i - 1].first <= r[i].first;
	if (!sorted)
		qsort(r, s->n, sizeof *r, by_first);
	for (size_t i = 0; i < s->n; i++) {
		if (kept && r[i].first - 1 <= r[kept - 1].last) // touching or overlapping
			r[kept - 1].last = r[i].last > r[kept - 1].last ? r[i].last : r[kept - 1].last;
		else
			r[kept++] = r[i];
	}
	s->n = kept;
}

static size_t count_items(struct sl rest)
{
	size_t items = 1;

	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] == ',')
			items++;
		else if (!is_digit(rest.p[i]) && rest.p[i] != ':' && rest.p[i] != '*')
			break;
	}
	return items;
}

void seqset_parse(struct cur *c, struct arena *a, struct seqset *out)
{
	struct seqset s = { 0 };

	if (cur_take(c, '$')) {
		s.saved = true;
		*out = s;
		return;
	}
	s.cap = count_items(cur_rest(c));
	if (s.cap > SEQSET_RANGES_MAX) {
		cur_fail(c, E_LIMIT);
		return;
	}
	s.ranges = arena_alloc(a, s.cap, sizeof *s.ranges);
	if (!s.ranges) {
		cur_fail(c, E_TEMP);
		return;
	}
	do
		parse_item(c, &s);
	while (cur_take(c, ','));
	if (!cur_ok(c))
		return;
	merge(&s);
	*out = s;
}

/// Room for one more range; false where the arena is spent.
static bool grow(struct seqset *s, struct arena *a)
{
	size_t cap = max_size(8, s->cap * 2);

	if (s->n < s->cap)
		return true;
	struct seq_range *r = arena_alloc(a, cap, sizeof *r);
	if (!r)
		return false;
	if (s->n)
		memcpy(r, s->ranges, s->n * sizeof *r);
	s->ranges = r;
	s->cap = cap;
	return true;
}

enum ec seqset_resolve(struct seqset *s, struct arena *a, uint32_t max)
{
	if (s->star_from && max) {
		if (!grow(s, a))
			return E_TEMP;
		s->ranges[s->n++] = (struct seq_range){ s->star_from < max ? s->star_from : max, max };
		merge(s);
	}
	s->star_from = 0;
	return E_OK;
}

enum ec seqset_append(struct seqset *s, struct arena *a, uint32_t first, uint32_t last)
{
	struct seq_range *end = s->n ? &s->ranges[s->n - 1] : NULL;

	assert(!s->star_from && !s->saved);
	if (first == 0 || last < first || (end && first <= end->last))
		return E_RANGE;
	if (end && first - 1 == end->last) {
		end->last = last;
		return E_OK;
	}
	if (!grow(s, a))
		return E_TEMP;
	s->ranges[s->n++] = (struct seq_range){ first, last };
	return E_OK;
}

/// Index of the first range that ends at or above `number`; s->n where there is none.
static size_t find_range(const struct seqset *s, uint32_t number)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (s->ranges[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool seqset_has(const struct seqset *s, uint32_t number)
{
	size_t i = find_range(s, number);

	return i < s->n && s->ranges[i].first <= number;
}

bool seqset_next(const struct seqset *s, uint32_t after, uint32_t *number)
{
	if (after == UINT32_MAX)
		return false;
	size_t i = find_range(s, after + 1);
	if (i == s->n)
		return false;
	*number = s->ranges[i].first > after ? s->ranges[i].first : after + 1;
	return true;
}

uint64_t seqset_count(const struct seqset *s)
{
	uint64_t count = 0;

	for (size_t i = 0; i < s->n; i++)
		count += (uint64_t)s->ranges[i].last - s->ranges[i].first + 1;
	return count;
}

uint32_t seqset_largest(const struct seqset *s)
{
	return s->n ? s->ranges[s->n - 1].last : 0;
}

bool seqset_empty(const struct seqset *s)
{
	return s->n == 0 && s->star_from == 0 && !s->saved;
}

void seqset_print(struct buf *b, const struct seqset *s)
{
	if (s->saved)
		buf_addc(b, '$');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_addc(b, ',');
		buf_num(b, s->ranges[i].first);
		if (s->ranges[i].last != s->ranges[i].first) {
			buf_addc(b, ':');
			buf_num(b, s->ranges[i].last);
		}
	}
	if (s->star_from == 0)
		return;
	if (s->n)
		buf_addc(b, ',');
	if (s->star_from != UINT32_MAX) {
		buf_num(b, s->star_from);
		buf_addc(b, ':');
	}
	buf_addc(b, '*');
}
