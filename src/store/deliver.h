#pragma once
/// deliver — one message into the INBOX of each target, one copy of the body.
///
/// All targets are checked before anything is stored, and all commits lie in one batch: either all of them are there
/// or none.
#include "store/cell.h"
#include "store/mailbox.h"
#include "store/quota.h"

enum { DELIVER_TARGETS_MAX = 10000 };

struct delivery {
	struct op_id op;
	struct blob *body;
	const uint64_t *target;
	uint32_t targets;
	int64_t date_s, now_s;
	int16_t zone_min;
	struct quota *quota;
};
/// out: status[i] — E_OK or E_QUOTA (no room, or no UID left) for each target; *stored — how many E_OK.
/// errors: E_CONFLICT (a target is gone), E_CORRUPT, E_FULL, E_IO, E_TEMP. Nothing is stored then; it may be repeated
/// with the same operation id.
[[nodiscard]] enum ec deliver(
	struct cx *cx, struct txn *t, const struct delivery *d, uint8_t *status, uint32_t *stored);
