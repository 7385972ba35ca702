#pragma once
/// mailstore — what the cells of mail mean to the engine that keeps them.
#include "store/cell.h"

/// Tells the engine, before it opens the store: which bodies rows keep.
void mailstore_rules(struct store_conf *conf);
