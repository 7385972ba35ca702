#pragma once
/// sweep — cells that hold what is to be removed: found in one pass over all of them, then worked off job by job. The
/// pass is made in views that are short, since nothing that a view may read is given back in the index.
#include "store/cell.h"

/// What is looked for. `look` says whether a cell has some; `clear` removes it inside a job, a part at a time where it
/// is much, and says whether there may be more. Both get `arg`; `clear` may find the cell gone or changed since.
struct sweep {
	enum ec (*look)(struct cx *cx, struct view *v, struct cell_id cell, void *arg, bool *found);
	enum ec (*clear)(struct cx *cx, struct txn *t, struct cell_id cell, void *arg, bool *more);
	void *arg;
	int64_t view_ns; // 0: as long as a view may live; below 0: one cell in each view
};

/// Clears every cell in which there is something. Jobs that remove go on where the disk is full (store_free).
/// yields: for as long as reading every cell's head takes, and until each job is durable.
/// errors: E_CORRUPT — damaged cells were passed over, all others are cleared; E_FULL, E_TEMP, E_IO, and what `look`
///         and `clear` end with: those that come later are not. What was removed stays so.
[[nodiscard]] enum ec sweep_cells(struct cx *cx, struct store *s, const struct sweep *w);
