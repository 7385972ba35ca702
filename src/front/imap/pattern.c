/// pattern — all ways to match are followed at once: a set of places in the pattern, which each octet of the name
/// moves on.
///
/// Place i means: the octets before i are taken. From a wildcard one may stay, or go on behind it without an octet;
/// since no two wildcards stand beside each other, that is at most one place.
#include "front/imap/pattern.h"

#include <string.h>

static bool has(const uint64_t *set, size_t i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void add(uint64_t *set, size_t i)
{
	set[i / 64] |= (uint64_t)1 << i % 64;
}

void pattern_make(struct pattern *p, struct sl text)
{
	size_t plain = 0;

	memset(p, 0, sizeof *p);
	for (size_t i = 0; i < text.n && !p->never; i++) {
		uint8_t c = text.p[i];
		bool wild = c == '*' || c == '%', again = wild && p->n && has(p->wild, p->n - 1);
		size_t at = again ? p->n - 1 : p->n;
		p->never = !wild && ++plain > MBOXNAME_MAX;
		if (p->never)
			return;
		if (c == '*')
			add(p->any, at);
		add(wild ? p->wild : p->octet[c], at);
		p->n = at + 1;
	}
	p->words = p->n / 64 + 1;
}

/// Octets of the name that fold ASCII case: its first component where that is INBOX.
static size_t folded_octets(struct sl name)
{
	struct sl rest = name;

	return sl_eq_ci(sl_cut(&rest, '/'), SL("INBOX")) ? 5 : 0;
}

/// Moves the set on by one octet, which is wherever `one` or `other` says; `stay` holds the wildcards that may take it.
/// False where no place is left.
static bool move_on(
	const struct pattern *p, uint64_t *set, const uint64_t *one, const uint64_t *other, const uint64_t *stay)
{
	uint64_t taken_out = 0, behind_out = 0, left = 0; // bits that go over into the next word

	for (size_t w = 0; w < p->words; w++) {
		uint64_t taken = set[w] & (one[w] | other[w]);
		uint64_t now = (set[w] & stay[w]) | taken << 1 | taken_out;
		uint64_t behind = now & p->wild[w];
		set[w] = now | behind << 1 | behind_out;
		taken_out = taken >> 63;
		behind_out = behind >> 63;
		left |= set[w];
	}
	return left != 0;
}

bool pattern_match(const struct pattern *p, struct sl name, uint64_t *steps)
{
	uint64_t set[PATTERN_WORDS] = { 1 };
	size_t folded = folded_octets(name);
	bool left = !p->never;

	set[0] |= (p->wild[0] & 1) << 1;
	for (size_t i = 0; i < name.n && left; i++) {
		uint8_t c = name.p[i], other = i < folded ? c ^ 0x20 : c;
		left = move_on(p, set, p->octet[c], p->octet[other], c == '/' ? p->any : p->wild);
		*steps += p->words;
	}
	return left && has(set, p->n);
}
