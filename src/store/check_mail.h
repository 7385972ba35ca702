#pragma once
/// check_mail — verifies what must hold above the cells: invariants M1 … M13 of docs/FORMAT-MAIL.md.
///
/// Works in slices, so that no view stays open long and a person sees progress. Changes nothing.
#include "store/cell.h"
#include "store/quota.h"

/// One fault: the invariant's number, where, and what is wrong in words.
typedef void check_fault(void *arg, unsigned invariant, struct cell_id where, const char *what);

struct check_slice {
	uint64_t cursor;    // in: 0 = start; out: where to go on, 0 = done
	uint64_t total;     // out: accounts there are
	uint64_t budget_ns; // in: stop after about this long; 0 = one step
	uint32_t faults;    // out: found in this slice
	bool bodies;        // in: verify bodies too (M11)
};
[[nodiscard]] enum ec check_mail(
	struct cx *cx, struct store *s, struct quota *q, struct check_slice *slice, check_fault *fault, void *arg);
