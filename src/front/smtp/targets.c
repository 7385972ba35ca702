/// targets — an array and an open-addressed table of its indices, at most half full.
#include "front/smtp/targets.h"

#include <stdbool.h>
#include <stdlib.h>

enum { CAP_MIN = 8 };

static uint32_t slot_of(const struct targets *t, uint64_t account)
{
	uint32_t mask = t->cap * 2 - 1;
	uint32_t at = (uint32_t)(account * 0x9e3779b97f4a7c15u >> 32) & mask;

	while (t->slot[at] && t->id[t->slot[at] - 1] != account)
		at = (at + 1) & mask;
	return at;
}

static void fill_slots(struct targets *t)
{
	for (uint32_t i = 0; i < t->cap * 2; i++)
		t->slot[i] = 0;
	for (uint32_t i = 0; i < t->n; i++)
		t->slot[slot_of(t, t->id[i])] = (uint16_t)(i + 1);
}

static bool grow(struct targets *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : CAP_MIN;
	uint16_t *slot = calloc((size_t)cap * 2, sizeof *slot);
	uint64_t *id = slot ? reallocarray(t->id, cap, sizeof *id) : NULL;

	if (!id) {
		free(slot);
		return false;
	}
	free(t->slot);
	t->id = id;
	t->slot = slot;
	t->cap = cap;
	fill_slots(t);
	return true;
}

enum ec smtp_targets_add(struct targets *t, uint64_t account, uint32_t *index)
{
	if (t->n == t->cap && !grow(t))
		return E_TEMP;
	uint32_t at = slot_of(t, account);
	if (t->slot[at] == 0 && t->n == TARGETS_MAX)
		return E_LIMIT;
	if (t->slot[at] == 0) {
		t->id[t->n++] = account;
		t->slot[at] = (uint16_t)t->n;
	}
	*index = t->slot[at] - 1u;
	return E_OK;
}

void smtp_targets_cut(struct targets *t, uint32_t n)
{
	if (n >= t->n)
		return;
	t->n = n;
	fill_slots(t);
}

void smtp_targets_free(struct targets *t)
{
	free(t->id);
	free(t->slot);
	*t = (struct targets){ 0 };
}
