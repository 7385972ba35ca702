#pragma once
/// operation — operation ids as cells keep them: bound to what they were used for.
///
/// A front chooses its ids freely; what is kept is a hash of the id with the account, the cell and the kind of
/// change, so that an id used a second time for something else, or for another's mailbox, never meets a foreign
/// outcome.
#include "store/cell.h"

enum op_kind {
	OP_APPEND = 1,
	OP_FLAGS,
	OP_EXPUNGE,
	OP_COPY,
	OP_MOVE_SOURCE,
	OP_DELIVER,
	OP_CREATE,
	OP_DELETE,
	OP_RENAME
};

/// The zero id (none) stays zero.
struct op_id op_bind(const struct op_id *op, enum op_kind kind, struct cell_id cell);
bool op_is_zero(const struct op_id *op);
/// The outcome of an earlier try with this id. in: octets — how many each outcome of this kind has.
/// out: as op_outcome. errors: E_NOTFOUND, also for the zero id; E_CORRUPT: the index holds something else.
[[nodiscard]] enum ec op_earlier(
	struct cx *cx, struct txn *t, const struct op_id *bound, size_t octets, struct sl *outcome);
