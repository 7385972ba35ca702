#pragma once
/// pattern — LIST patterns over UTF-8 mailbox names: `*` is anything, `%` anything without '/'.
///
/// A name costs its octets times the pattern's, by 64 at once, whatever both hold: patterns come from clients.
#include <stdbool.h>
#include <stdint.h>

#include "base/sl.h"
#include "proto/mboxname.h"

/// Words of 64 places: no name has more octets, and of wildcards beside each other one is kept.
enum { PATTERN_WORDS = (2 * MBOXNAME_MAX + 1) / 64 + 1 };

/// Bit i of a set stands for octet i of the pattern, with each run of wildcards made one. Large: not for the stack.
struct pattern {
	bool never;                                       // longer than any name
	size_t n;                                         // octets
	size_t words;                                     // of the sets that are in use
	uint64_t any[PATTERN_WORDS], wild[PATTERN_WORDS]; // where a `*` is, and where either wildcard
	uint64_t octet[256][PATTERN_WORDS];               // where each octet is
};

/// Makes a pattern of its text.
void pattern_make(struct pattern *p, struct sl text);
/// True where the whole name matches. INBOX as first component matches in any case.
///
/// out:    *steps — more by the work that it took: at most name.n * p->words.
/// source: RFC 9051 §6.3.9.
bool pattern_match(const struct pattern *p, struct sl name, uint64_t *steps);
