/// batch — building of batches.
#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/// A body that goes in before octet `before` of the small records.
struct batch_body {
	size_t before;
	struct sl octets;
};

void batch_begin(struct batch *b, const struct journal *j, uint64_t time_s)
{
	b->small.max = BATCH_OCTETS_MAX;
	buf_clear(&b->small);
	if (buf_room(&b->small, REC_HEAD)) // BEGIN is printed at the end, when the length is known
		buf_took(&b->small, REC_HEAD);
	b->n = 0;
	b->octets = REC_HEAD;
	b->lsn = j->end.lsn + 1;
	b->chain = b->chain_before = j->end.chain;
	b->time_s = time_s;
	b->records = b->body_count = 0;
	b->at = j->end.at;
	b->segment = j->end.segment;
	b->nonce = j->head.nonce;
	b->err = b->small.err;
}

bool batch_takes_jobs(const struct batch *b)
{
	return b->octets < BATCH_OCTETS_MAX / 2;
}

enum ec batch_check_room(struct cx *cx, const struct batch *b, uint64_t octets)
{
	uint64_t heads = 2 * REC_HEAD; // its own and END

	return octets + heads <= BATCH_OCTETS_MAX - b->octets ? E_OK
	                                                      : fail(cx, E_TOOBIG, "too much work for one batch");
}

/// Prints one header at the present end.
static void add_head(struct batch *b, struct rec *r)
{
	uint8_t octets[REC_HEAD];

	r->lsn = b->lsn;
	r->at = (uint32_t)(b->at + b->octets);
	r->time_s = b->time_s;
	rec_encode(&b->nonce, r, octets);
	buf_add(&b->small, (struct sl){ octets, sizeof octets });
	b->chain = chain_next(b->chain, r->check);
	b->octets += REC_HEAD + r->octets;
	b->records++;
}

void batch_commit(
	struct batch *b, struct cell_id id, uint64_t version, const struct op_id *op, struct sl ops, struct sl outcome)
{
	struct rec r = {
		.type = REC_COMMIT,
		.outcome = (uint16_t)outcome.n,
		.octets = (uint32_t)(ops.n + outcome.n),
		.crc = crc32c(crc32c(0, ops), outcome),
		.arg = { [COMMIT_ACCOUNT] = id.account, [COMMIT_NAME] = id.name, [COMMIT_VERSION] = version },
	};
	if (op)
		r.op = *op;
	add_head(b, &r);
	buf_add(&b->small, ops);
	buf_add(&b->small, outcome);
}

void batch_image(struct batch *b, struct cell_id id, uint64_t version, const struct image_sums *sums, struct sl range,
	struct sl ops)
{
	struct rec r = {
		.type = REC_IMAGE,
		.octets = (uint32_t)(range.n + ops.n),
		.crc = crc32c(crc32c(0, range), ops),
		.arg = { [COMMIT_ACCOUNT] = id.account, [COMMIT_NAME] = id.name, [COMMIT_VERSION] = version },
	};
	image_sums_put(&r, sums);
	add_head(b, &r);
	buf_add(&b->small, range);
	buf_add(&b->small, ops);
}

struct body_ref batch_blob(struct batch *b, struct sl body, struct sl table)
{
	struct rec r = {
		.type = REC_BLOB,
		.octets = (uint32_t)(body.n + table.n),
		.crc = crc32c(0, table),
		.arg = { [BLOB_OCTETS] = body.n },
	};
	add_head(b, &r);
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		struct batch_body *more = reallocarray(b->bodies, cap, sizeof *more);
		if (!more) {
			b->err = E_TEMP;
			return (struct body_ref){ 0 };
		}
		b->bodies = more;
		b->cap = cap;
	}
	b->bodies[b->n++] = (struct batch_body){ b->small.n, body };
	buf_add(&b->small, table);
	b->body_count++;
	return (struct body_ref){ (uint64_t)b->segment << 32 | r.at, (uint32_t)body.n };
}

void batch_bulk(struct batch *b, struct body_ref ref)
{
	struct rec r = { .type = REC_BULK, .arg = { [BULK_AT] = ref.at, [BULK_OCTETS] = ref.octets } };
	add_head(b, &r);
	b->body_count++;
}

/// The octets of `small` and the bodies in their order.
static size_t lay_out(struct batch *b)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i < b->n; i++) {
		union {
			const uint8_t *from;
			void *to;
		} body = { .from = b->bodies[i].octets.p }; // writing only reads through it
		b->iov[n++] = (struct iovec){ b->small.p + from, b->bodies[i].before - from };
		b->iov[n++] = (struct iovec){ body.to, b->bodies[i].octets.n };
		from = b->bodies[i].before;
	}
	b->iov[n++] = (struct iovec){ b->small.p + from, b->small.n - from };
	return n;
}

enum ec batch_end(struct batch *b, uint64_t durable_lsn, struct journal_batch *out)
{
	uint64_t records = b->records;
	struct rec begin = {
		.type = REC_BEGIN,
		.lsn = b->lsn,
		.at = (uint32_t)b->at,
		.arg = { durable_lsn, b->chain_before, b->octets + REC_HEAD },
		.time_s = b->time_s,
	};

	if (b->small.err || b->err)
		return E_TEMP;
	rec_encode(&b->nonce, &begin, b->small.p);
	b->chain = chain_next(b->chain, begin.check);
	uint64_t chain = b->chain;
	struct rec end = { .type = REC_END, .arg = { chain, b->octets + REC_HEAD, records } };
	add_head(b, &end);
	if (b->small.err)
		return E_TEMP;
	if (b->iov_cap < 2 * b->n + 1) {
		struct iovec *more = reallocarray(b->iov, 2 * b->n + 1, sizeof *more);
		if (!more)
			return E_TEMP;
		b->iov = more;
		b->iov_cap = 2 * b->n + 1;
	}
	*out = (struct journal_batch){
		.iov = b->iov,
		.n = lay_out(b),
		.octets = b->octets,
		.lsn = b->lsn,
		.chain = chain,
		.small = buf_sl(&b->small),
	};
	return E_OK;
}

void batch_free(struct batch *b)
{
	buf_free(&b->small);
	free(b->bodies);
	free(b->iov);
	*b = (struct batch){ 0 };
}
