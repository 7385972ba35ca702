#pragma once
/// standin — what the last backup has whole stands in for what of a pack is damaged in the store.
///
/// A pack's sections are damaged one by one. Those of which the backup still has the segments are taken out of the map
/// of the pack's copy, so that a start reads the segments; the rest of the copy is as it was. Files only.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "store/inventory.h"

/// Takes what of a pack is damaged out of its copy's map, as far as the backup has it otherwise; out of `stock`, too.
/// in: stock — of the store; there — of the backup's files that the store has no more; id — the pack, in the stock's
/// folder; fd — its copy. out: *taken — how many sections; *left — how many are left.
/// errors: E_TEMP, E_FULL, E_IO.
[[nodiscard]] enum ec standin_take(struct cx *cx, struct inventory *stock, const struct inventory *there, uint32_t id,
	int fd, size_t *taken, size_t *left);
