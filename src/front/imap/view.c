/// view — rank and select over sorted blocks with prefix counts.
#include "front/imap/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define VIEW_RUN 0x80000000u

struct view *view_new(uint64_t mbox)
{
	struct view *v = calloc(1, sizeof *v);

	if (v)
		v->mbox = mbox;
	return v;
}

static void free_name(struct sl name)
{
	free((void *)(uintptr_t)name.p);
}

void view_free(struct view *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < VIEW_KEYWORDS; i++)
		free_name(v->keyword[i]);
	free(v->blocks);
	free(v->maps);
	free(v);
}

static uint32_t block_count(const struct view *v, uint32_t i)
{
	uint32_t end = i + 1 < v->n_blocks ? v->blocks[i + 1].before : v->exists;

	return end - v->blocks[i].before;
}

static bool is_run(const struct view_block *b)
{
	return b->map & VIEW_RUN;
}

static uint32_t run_first(const struct view_block *b)
{
	return b->map & ~VIEW_RUN;
}

// ---- bits of one block

static uint32_t map_count_to(const struct view_map *m, uint32_t bit)
{
	uint32_t n = 0;

	for (uint32_t w = 0; w < bit / 64; w++)
		n += bits_count(m->word[w]);
	return n + bits_count(m->word[bit / 64] << (63 - bit % 64));
}

/// Position of the k-th (from 0) set bit, which exists.
static uint32_t map_select(const struct view_map *m, uint32_t k)
{
	uint32_t w = 0;

	for (uint32_t n; k >= (n = bits_count(m->word[w])); w++)
		k -= n;
	uint64_t bits = m->word[w];
	while (k--)
		bits &= bits - 1;
	return w * 64 + (uint32_t)__builtin_ctzll(bits);
}

/// Whether the set bits, `count` of them and at least one, stand side by side. out: *first
static bool map_is_run(const struct view_map *m, uint32_t count, uint32_t *first)
{
	uint32_t low = 0, high = PRESENCE_UIDS / 64 - 1;

	while (m->word[low] == 0)
		low++;
	while (m->word[high] == 0)
		high--;
	*first = low * 64 + (uint32_t)__builtin_ctzll(m->word[low]);
	return high * 64 + 63 - (uint32_t)__builtin_clzll(m->word[high]) - *first + 1 == count;
}

/// Messages of block `i` at bits 0 … bit.
static uint32_t block_count_to(const struct view *v, uint32_t i, uint32_t bit)
{
	const struct view_block *b = &v->blocks[i];

	if (!is_run(b))
		return map_count_to(&v->maps[b->map], bit);
	if (bit < run_first(b))
		return 0;
	uint32_t n = bit - run_first(b) + 1, all = block_count(v, i);
	return n < all ? n : all;
}

static bool block_has(const struct view *v, uint32_t i, uint32_t bit)
{
	const struct view_block *b = &v->blocks[i];

	if (is_run(b))
		return bit >= run_first(b) && bit - run_first(b) < block_count(v, i);
	return v->maps[b->map].word[bit / 64] >> bit % 64 & 1;
}

/// UID of the k-th (from 0) message of block `i`.
static uint32_t block_select(const struct view *v, uint32_t i, uint32_t k)
{
	const struct view_block *b = &v->blocks[i];
	uint32_t bit = is_run(b) ? run_first(b) + k : map_select(&v->maps[b->map], k);

	return b->number * PRESENCE_UIDS + bit;
}

// ---- finding blocks

/// Index of the first block with a number ≥ `number`; n_blocks where there is none.
static uint32_t find_block(const struct view *v, uint32_t number)
{
	uint32_t low = 0, high = v->n_blocks;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (v->blocks[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/// Index of the block that holds message `seq` (1 … exists).
static uint32_t find_seq(const struct view *v, uint32_t seq)
{
	uint32_t low = 0, high = v->n_blocks;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;
		if (v->blocks[mid].before < seq)
			low = mid;
		else
			high = mid;
	}
	return low;
}

uint32_t view_uid(const struct view *v, uint32_t seq)
{
	if (seq == 0 || seq > v->exists)
		return 0;
	uint32_t i = find_seq(v, seq);
	return block_select(v, i, seq - 1 - v->blocks[i].before);
}

uint32_t view_count_to(const struct view *v, uint32_t uid)
{
	uint32_t i = find_block(v, uid / PRESENCE_UIDS);

	if (i == v->n_blocks)
		return v->exists;
	if (v->blocks[i].number != uid / PRESENCE_UIDS)
		return v->blocks[i].before;
	return v->blocks[i].before + block_count_to(v, i, uid % PRESENCE_UIDS);
}

uint32_t view_seq(const struct view *v, uint32_t uid)
{
	uint32_t i = find_block(v, uid / PRESENCE_UIDS);

	if (i == v->n_blocks || v->blocks[i].number != uid / PRESENCE_UIDS || !block_has(v, i, uid % PRESENCE_UIDS))
		return 0;
	return v->blocks[i].before + block_count_to(v, i, uid % PRESENCE_UIDS);
}

uint32_t view_next(const struct view *v, uint32_t uid, uint32_t *seq)
{
	uint32_t n = uid ? view_count_to(v, uid - 1) + 1 : 1;

	if (n > v->exists)
		return 0;
	if (seq)
		*seq = n;
	return view_uid(v, n);
}

uint32_t view_last(const struct view *v)
{
	return view_uid(v, v->exists);
}

uint32_t view_recent(const struct view *v)
{
	return v->exists - (v->recent_from ? view_count_to(v, v->recent_from - 1) : 0);
}

// ---- changing

/// Room for one more element of `size` octets; false without memory.
static bool grow(void **p, uint32_t *cap, uint32_t n, size_t size)
{
	uint32_t want = *cap ? *cap * 2 : 4;

	if (n < *cap)
		return true;
	void *bigger = reallocarray(*p, want, size);
	if (!bigger)
		return false;
	*p = bigger;
	*cap = want;
	return true;
}

static bool grow_blocks(struct view *v)
{
	void *p = v->blocks;
	bool ok = grow(&p, &v->cap_blocks, v->n_blocks, sizeof *v->blocks);

	v->blocks = p;
	return ok;
}

/// An unused map; false without memory. A map on the list of unused ones keeps the next one's index + 1 in its first
/// word.
static bool take_map(struct view *v, uint32_t *index)
{
	void *p = v->maps;

	if (v->free_map) {
		*index = v->free_map - 1;
		v->free_map = (uint32_t)v->maps[*index].word[0];
		return true;
	}
	bool ok = grow(&p, &v->cap_maps, v->n_maps, sizeof *v->maps);
	v->maps = p;
	if (ok)
		*index = v->n_maps++;
	return ok;
}

static void give_map(struct view *v, uint32_t index)
{
	v->maps[index].word[0] = v->free_map;
	v->free_map = index + 1;
}

/// Turns a run into a map, so that it may get gaps.
static enum ec split_run(struct view *v, uint32_t i)
{
	uint32_t first = run_first(&v->blocks[i]), n = block_count(v, i), index;

	if (!take_map(v, &index))
		return E_TEMP;
	struct view_map *m = &v->maps[index];
	*m = (struct view_map){ 0 };
	for (uint32_t bit = first; bit < first + n; bit++)
		m->word[bit / 64] |= (uint64_t)1 << bit % 64;
	v->blocks[i].map = index;
	return E_OK;
}

static struct view_block *push_block(struct view *v, uint32_t number, uint32_t map)
{
	struct view_block *b = &v->blocks[v->n_blocks++];

	*b = (struct view_block){ number, v->exists, map };
	return b;
}

/// Clears the bits of UIDs from `uidnext` on.
static void cut_map(struct view_map *m, uint32_t number, uint32_t uidnext)
{
	for (uint32_t bit = 0; bit < PRESENCE_UIDS; bit++)
		if (number * PRESENCE_UIDS + bit >= uidnext)
			m->word[bit / 64] &= ~((uint64_t)1 << bit % 64);
}

enum ec view_add_presence(struct view *v, const struct pl_presence *p, uint32_t uidnext)
{
	struct view_map m;
	uint32_t first, count, index;

	if (p->block >= UINT32_MAX / PRESENCE_UIDS || (v->n_blocks && p->block <= v->blocks[v->n_blocks - 1].number))
		return E_CORRUPT;
	memcpy(m.word, p->present, sizeof m.word);
	if ((p->block + 1) * PRESENCE_UIDS > uidnext)
		cut_map(&m, p->block, uidnext);
	count = map_count_to(&m, PRESENCE_UIDS - 1);
	if (count == 0)
		return E_OK;
	if (count > VIEW_UIDS_MAX - v->exists)
		return E_LIMIT;
	if (!grow_blocks(v))
		return E_TEMP;
	if (map_is_run(&m, count, &first)) {
		push_block(v, p->block, VIEW_RUN | first);
	} else {
		if (!take_map(v, &index))
			return E_TEMP;
		v->maps[index] = m;
		push_block(v, p->block, index);
	}
	v->exists += count;
	return E_OK;
}

enum ec view_add(struct view *v, uint32_t uid)
{
	uint32_t number = uid / PRESENCE_UIDS, bit = uid % PRESENCE_UIDS;
	struct view_block *last = v->n_blocks ? &v->blocks[v->n_blocks - 1] : NULL;

	if (uid <= view_last(v))
		return E_RANGE;
	if (v->exists >= VIEW_UIDS_MAX)
		return E_LIMIT;
	if (!last || last->number != number) {
		if (!grow_blocks(v))
			return E_TEMP;
		push_block(v, number, VIEW_RUN | bit);
	} else if (!is_run(last)) {
		v->maps[last->map].word[bit / 64] |= (uint64_t)1 << bit % 64;
	} else if (run_first(last) + block_count(v, v->n_blocks - 1) != bit) {
		enum ec e = split_run(v, v->n_blocks - 1);
		if (e != E_OK)
			return e;
		v->maps[last->map].word[bit / 64] |= (uint64_t)1 << bit % 64;
	}
	v->exists++;
	return E_OK;
}

/// Takes one bit out of block `i`, whose count the caller then lowers.
static enum ec block_remove(struct view *v, uint32_t i, uint32_t bit)
{
	struct view_block *b = &v->blocks[i];

	if (is_run(b) && bit == run_first(b)) {
		b->map = VIEW_RUN | (bit + 1);
		return E_OK;
	}
	if (is_run(b) && bit == run_first(b) + block_count(v, i) - 1)
		return E_OK;
	enum ec e = is_run(b) ? split_run(v, i) : E_OK;
	if (e == E_OK)
		v->maps[b->map].word[bit / 64] &= ~((uint64_t)1 << bit % 64);
	return e;
}

enum ec view_remove(struct view *v, uint32_t uid, uint32_t *seq)
{
	uint32_t number = view_seq(v, uid);
	uint32_t i = find_block(v, uid / PRESENCE_UIDS);

	if (number == 0)
		return E_NOTFOUND;
	enum ec e = block_remove(v, i, uid % PRESENCE_UIDS);
	if (e != E_OK)
		return e;
	bool empty = block_count(v, i) == 1;
	for (uint32_t j = i + 1; j < v->n_blocks; j++)
		v->blocks[j].before--;
	v->exists--;
	if (empty) {
		if (!is_run(&v->blocks[i]))
			give_map(v, v->blocks[i].map);
		memmove(&v->blocks[i], &v->blocks[i + 1], (v->n_blocks - i - 1) * sizeof *v->blocks);
		v->n_blocks--;
	}
	*seq = number;
	return E_OK;
}

// ---- sets of commands

/// Adds the messages numbered lo … hi; merges with the range before where no message stands between.
static void add_range(const struct view *v, uint32_t lo, uint32_t hi, struct pl_uids *out, size_t *n, uint32_t *last)
{
	if (lo > hi)
		return;
	if (*n && lo <= *last + 1) {
		if (hi > *last)
			out[*n - 1].hi = view_uid(v, hi);
	} else {
		out[(*n)++] = (struct pl_uids){ view_uid(v, lo), view_uid(v, hi) };
	}
	*last = hi > *last ? hi : *last;
}

enum ec view_resolve(
	const struct view *v, const struct seqset *set, bool is_uid, struct arena *a, struct pl_uids **out, size_t *n)
{
	struct seqset s = *set;
	struct pl_uids *ranges;
	size_t count = 0;
	uint32_t last = 0;

	if (s.saved || (!is_uid && seqset_largest(&s) > v->exists))
		return E_RANGE;
	enum ec e = seqset_resolve(&s, a, is_uid ? view_last(v) : v->exists);
	ranges = e == E_OK ? arena_alloc(a, s.n, sizeof *ranges) : NULL;
	if (!ranges)
		return E_TEMP;
	for (size_t i = 0; i < s.n; i++) {
		const struct seq_range *r = &s.ranges[i];
		uint32_t lo = is_uid ? view_count_to(v, r->first - 1) + 1 : r->first;
		uint32_t hi = is_uid ? view_count_to(v, r->last) : r->last;
		add_range(v, lo, hi, ranges, &count, &last);
	}
	*out = ranges;
	*n = count;
	return E_OK;
}

// ---- keywords

enum ec view_name_keyword(struct view *v, unsigned bit, struct sl name)
{
	uint8_t *copy = malloc(name.n ? name.n : 1);

	if (!copy)
		return E_TEMP;
	if (name.n)
		memcpy(copy, name.p, name.n);
	free_name(v->keyword[bit]);
	v->keyword[bit] = (struct sl){ copy, name.n };
	return E_OK;
}

int view_keyword(const struct view *v, struct sl name)
{
	for (int i = 0; i < VIEW_KEYWORDS; i++)
		if (v->keyword[i].n && sl_eq_ci(v->keyword[i], name))
			return i;
	return -1;
}

uint64_t view_unnamed(const struct view *v, uint64_t keywords)
{
	uint64_t unnamed = 0;

	for (unsigned i = 0; i < VIEW_KEYWORDS; i++)
		if (keywords >> i & 1 && v->keyword[i].n == 0)
			unnamed |= (uint64_t)1 << i;
	return unnamed;
}
