#pragma once
/// mailstore — what the cells of mail mean to the engine that keeps them.
#include "store/cell.h"

/// Tells the engine, before it opens the store: which bodies rows keep, and what is kept for a time only.
void mailstore_rules(struct store_conf *conf);
