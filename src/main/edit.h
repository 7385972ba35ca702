#pragma once
/// edit — how far two words are apart, for "did you mean".
#include <stddef.h>

#include "base/sl.h"

/// Levenshtein's distance: insertions, deletions and replacements of octets. Words over 64 octets count as far (64).
size_t edit_distance(struct sl a, struct sl b);
