#pragma once
/// keys — building the keys of a cell: a letter for the kind of row, then numbers (big-endian, so that they sort)
/// and text.
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "store/cell.h"

struct key {
	size_t n;
	uint8_t o[CELL_KEY_MAX];
};

static inline struct key key_of(char kind)
{
	struct key k;

	k.n = 1;
	k.o[0] = (uint8_t)kind;
	return k;
}
/// Text longer than a key is the caller's fault: every text has a smaller limit of its own.
static inline void key_text(struct key *k, struct sl s)
{
	assert(k->n + s.n <= sizeof k->o);
	if (s.n)
		memcpy(k->o + k->n, s.p, s.n);
	k->n += s.n;
}
static inline void key_u8(struct key *k, uint8_t v)
{
	key_text(k, (struct sl){ &v, 1 });
}
static inline void key_u32(struct key *k, uint32_t v)
{
	uint8_t o[4];

	put_be32(o, v);
	key_text(k, (struct sl){ o, sizeof o });
}
static inline void key_u64(struct key *k, uint64_t v)
{
	uint8_t o[8];

	put_be64(o, v);
	key_text(k, (struct sl){ o, sizeof o });
}
static inline struct sl key_sl(const struct key *k)
{
	return (struct sl){ k->o, k->n };
}
static inline struct key key_num32(char kind, uint32_t v)
{
	struct key k = key_of(kind);

	key_u32(&k, v);
	return k;
}
static inline struct key key_num64(char kind, uint64_t v)
{
	struct key k = key_of(kind);

	key_u64(&k, v);
	return k;
}
