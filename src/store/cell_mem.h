#pragma once
/// cell_mem — an engine in memory, for tests: the same cell.h, jobs run at once, failures on demand.
#include "store/cell.h"

/// The n-th change_commit or blob_put from now on (1 = the next) fails with `e`, once. 0 = none.
void mem_fail_at(struct store *s, unsigned n, enum ec e);
/// Every job is run, undone and run again, as after a failed log write.
void mem_run_twice(struct store *s, bool on);
/// The next batches fail after `run`: everything is undone and `done` gets `e`; E_OK = well again.
void mem_fail_batches(struct store *s, enum ec e);
/// Loses every blob: reads give E_CORRUPT (checkers' tests).
void mem_damage_bodies(struct store *s, bool on);
