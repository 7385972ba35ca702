#pragma once
/// check_log — walks the log and the index of a closed store and reports each violated invariant by its number.
///
/// Changes nothing but a scratch folder DIR/check, which is removed again. One thread. The invariants S1… are in
/// docs/FORMAT.md; a new one gets a line there, a check here, and a test that violates it.
#include <stdint.h>

#include "base/cx.h"
#include "base/sl.h"

struct check_conf {
	struct sl dir;       // the data folder, as in struct store_conf
	uint64_t map_octets; // for the scratch index; 0 = 1 TiB
	/// Called for each violation; `what` is borrowed until return. NULL: only count.
	void (*report)(void *arg, unsigned invariant, struct sl what);
	/// Called after each segment, and once when the index has been compared. NULL: not called.
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct check_result {
	uint64_t segments, batches, commits, bodies, body_octets;
	uint64_t violations;
	bool index_compared; // false where the store was not stopped cleanly: the next start brings the index up
};

/// Checks a store. errors: E_EXISTS (it is open), E_NOTFOUND (no store there), E_UNSUPPORTED, E_TEMP, E_IO; violations
/// are no error.
[[nodiscard]] enum ec check_log(struct cx *cx, const struct check_conf *conf, struct check_result *out);
