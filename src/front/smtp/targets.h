#pragma once
/// targets — the accounts that one message goes to: each once, in the order in which they came.
#include <stdint.h>

#include "base/ec.h"

/// What one deliver names: ids (8 octets each) and their answers (1 each) share one chunk of the arena.
enum { TARGETS_MAX = 7000 };

struct targets {
	uint64_t *id;   // malloc'd
	uint16_t *slot; // hash table over id: index + 1, 0 for a free one
	uint32_t n, cap;
};

/// Gives the place of an account, which is added if it is not there yet.
///
/// out:    *index — below t->n. errors: E_LIMIT (TARGETS_MAX), E_TEMP; then nothing changed.
[[nodiscard]] enum ec smtp_targets_add(struct targets *t, uint64_t account, uint32_t *index);
/// Takes back what was added since there were `n`.
void smtp_targets_cut(struct targets *t, uint32_t n);
/// Gives the memory back; empty again.
void smtp_targets_free(struct targets *t);
