/// operation — binding by SHA-256.
#include "store/operation.h"

#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "store/sha256.h"

bool op_is_zero(const struct op_id *op)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof op->octets; i++)
		all |= op->octets[i];
	return all == 0;
}

struct op_id op_bind(const struct op_id *op, enum op_kind kind, struct cell_id cell)
{
	struct op_id out = { 0 };
	uint8_t in[16 + 4 + 8 + 8], md[SHA256_OCTETS];

	if (op_is_zero(op))
		return out;
	memcpy(in, op->octets, 16);
	put_le32(in + 16, (uint32_t)kind);
	put_le64(in + 20, cell.account);
	put_le64(in + 28, cell.name);
	sha256((struct sl){ in, sizeof in }, md);
	memcpy(out.octets, md, sizeof out.octets);
	return out;
}

enum ec op_earlier(struct cx *cx, struct txn *t, const struct op_id *bound, size_t octets, struct sl *outcome)
{
	struct sl seen;
	enum ec e = op_is_zero(bound) ? E_NOTFOUND : op_outcome(cx, txn_view(t), bound, &seen);

	if (e == E_OK && seen.n != octets)
		return fail(cx, E_CORRUPT, "an outcome of %zu octets, not %zu", seen.n, octets);
	if (e == E_OK)
		*outcome = seen;
	return e;
}
