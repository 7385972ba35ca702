#pragma once
/// boundary — the boundaries of the open multiparts, and whose delimiter a line is, however many they are.
///
/// A stack whose strings are also kept in order: a line is walked once, octet by octet, while the range of those that
/// agree with it so far narrows from both ends. So a line costs a few octets looked at for each of its own, never more
/// than BOUNDARY_COMPARE_MAX, whether one boundary is open or BOUNDARIES_MAX, alike or not.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sl.h"

enum {
	BOUNDARIES_MAX = 100,
	BOUNDARY_COMPARE_MAX = 32, // from each end 7 steps that double, and 7 that halve
};

struct boundary {
	struct sl raw, text; // as sent; without blanks at its end
	int hides;           // an outer one with the same text, which cannot be told from it; -1 = none
};

struct boundaries {
	struct boundary v[BOUNDARIES_MAX]; // the innermost last
	unsigned n;
	struct boundary_place {
		struct sl text;
		unsigned at;     // index of v
	} order[BOUNDARIES_MAX]; // those not hidden, by text
	unsigned n_order;
	uint64_t compared; // octets looked at so far
};

/// Adds the innermost one. False, and nothing done, where it is empty, which no line can be told by.
///
/// in:     raw — borrowed as long as it is there. Call only while n < BOUNDARIES_MAX.
bool boundary_push(struct boundaries *b, struct sl raw);
/// Forgets the innermost ones until `n` are left.
void boundary_cut(struct boundaries *b, unsigned n);

/// A delimiter line.
struct boundary_hit {
	unsigned at; // index of v
	bool close;
	bool exact; // nothing but blanks behind it
};

/// Whose delimiter is a line? One with nothing but blanks behind the boundary goes before one with text behind the
/// blanks, and the innermost before outer ones.
///
/// in:     line — behind its "--", with or without its line end.
/// out:    *hit, written only where the answer is yes.
/// source: RFC 2046 §5.1.1.
bool boundary_match(struct boundaries *b, struct sl line, struct boundary_hit *hit);
