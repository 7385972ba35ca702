/// segment — encoding and decoding of format version 1; byte tables in docs/FORMAT.md.
#include "store/segment.h"

#include <string.h>

#include "base/num.h"

static const uint8_t magic[8] = { 'h', 'o', 'n', 'g', 'y', 'a', 'n', '\n' };

void seg_encode(const struct seg_head *h, uint8_t out[static SEG_HEAD])
{
	memset(out, 0, SEG_HEAD);
	memcpy(out, magic, sizeof magic);
	put_le32(out + 8, SEG_FORMAT);
	put_le32(out + 16, h->kind);
	put_le32(out + 20, h->id);
	put_le64(out + 24, h->nonce.k0);
	put_le64(out + 32, h->nonce.k1);
	put_le32(out + 40, h->prev);
	put_le64(out + 48, h->prev_end);
	put_le64(out + 56, h->prev_chain);
	put_le64(out + 64, h->first_lsn);
	put_le64(out + 72, h->made_s);
	put_le64(out + 80, h->raise);
	put_le64(out + 88, h->store);
	put_le32(out + SEG_HEAD - 4, crc32c(0, (struct sl){ out, SEG_HEAD - 4 }));
}

enum ec seg_decode(struct cx *cx, struct sl in, struct seg_head *out)
{
	if (in.n < SEG_HEAD || memcmp(in.p, magic, sizeof magic) != 0)
		return fail(cx, E_CORRUPT, "not a segment");
	if (get_le32(in.p + SEG_HEAD - 4) != crc32c(0, sl_head(in, SEG_HEAD - 4)))
		return fail(cx, E_CORRUPT, "segment header does not match its checksum");
	if (get_le32(in.p + 8) != SEG_FORMAT || get_le32(in.p + 12) != 0)
		return fail(cx, E_UNSUPPORTED, "segment of format %u with incompatibility bits %#x", get_le32(in.p + 8),
			get_le32(in.p + 12));
	uint32_t kind = get_le32(in.p + 16);
	if (kind != SEG_LOG && kind != SEG_BULK && kind != SEG_PACK)
		return fail(cx, E_UNSUPPORTED, "segment of kind %u", kind);
	*out = (struct seg_head){
		.kind = (enum seg_kind)kind,
		.id = get_le32(in.p + 20),
		.nonce = { get_le64(in.p + 24), get_le64(in.p + 32) },
		.prev = get_le32(in.p + 40),
		.prev_end = get_le64(in.p + 48),
		.prev_chain = get_le64(in.p + 56),
		.first_lsn = get_le64(in.p + 64),
		.made_s = get_le64(in.p + 72),
		.raise = get_le64(in.p + 80),
		.store = get_le64(in.p + 88),
	};
	return E_OK;
}

bool rec_type_known(uint8_t type)
{
	return (type >= REC_BEGIN && type <= REC_SEAL) || type == REC_IMAGE || type == REC_MAP;
}

void image_sums_put(struct rec *r, const struct image_sums *s)
{
	put_le64(r->op.octets, s->first);
	put_le32(r->op.octets + 8, s->octets);
	put_le32(r->op.octets + 12, s->since);
}

struct image_sums image_sums_get(const struct rec *r)
{
	return (struct image_sums){
		get_le64(r->op.octets),
		get_le32(r->op.octets + 8),
		get_le32(r->op.octets + 12),
	};
}

void rec_encode(const struct hash_key *nonce, struct rec *r, uint8_t out[static REC_HEAD])
{
	out[8] = (uint8_t)r->type;
	out[9] = r->flags;
	put_le16(out + 10, r->outcome);
	put_le32(out + 12, r->octets);
	put_le64(out + 16, r->lsn);
	put_le32(out + 24, r->at);
	put_le32(out + 28, r->crc);
	for (size_t i = 0; i < 3; i++)
		put_le64(out + 32 + 8 * i, r->arg[i]);
	memcpy(out + 56, r->op.octets, sizeof r->op.octets);
	put_le64(out + 72, r->time_s);
	r->check = hash_keyed(nonce, (struct sl){ out + 8, REC_HEAD - 8 });
	put_le64(out, r->check);
}

static bool blob_lengths_fit(const struct rec *r)
{
	uint64_t body = r->arg[BLOB_OCTETS];

	if (body > UINT32_MAX - pieces_octets(UINT32_MAX) - frames_octets(UINT32_MAX))
		return false;
	uint64_t tables = pieces_octets(body) + (r->flags ? frames_octets(body) : 0);
	return r->flags ? r->octets >= tables && r->octets < tables + body : r->octets == tables + body;
}

/// Lengths that belong together, by type: a header that proves itself but breaks these was not written by us.
static bool rec_lengths_fit(const struct rec *r)
{
	switch (r->type) {
	case REC_COMMIT: return r->outcome <= OUTCOME_MAX && r->outcome <= r->octets && r->octets <= COMMIT_OCTETS_MAX;
	case REC_BLOB: return blob_lengths_fit(r);
	case REC_IMAGE: return r->outcome == 0 && r->octets <= COMMIT_OCTETS_MAX;
	case REC_MAP: return true;
	case REC_BEGIN:
	case REC_END:
	case REC_BULK:
	case REC_SEAL: return r->octets == 0;
	}
	return false;
}

enum ec rec_decode(const struct hash_key *nonce, struct sl in, uint64_t at, struct rec *out)
{
	if (in.n < REC_HEAD || at > UINT32_MAX || get_le32(in.p + 24) != at)
		return E_CORRUPT;
	uint64_t check = hash_keyed(nonce, sl_sub(in, 8, REC_HEAD));
	if (get_le64(in.p) != check)
		return E_CORRUPT;
	if (!rec_type_known(in.p[8]) || (in.p[9] & ~REC_COMPRESSED))
		return E_UNSUPPORTED;
	struct rec r = {
		.type = (enum rec_type)in.p[8],
		.flags = in.p[9],
		.outcome = get_le16(in.p + 10),
		.octets = get_le32(in.p + 12),
		.lsn = get_le64(in.p + 16),
		.at = (uint32_t)at,
		.crc = get_le32(in.p + 28),
		.arg = { get_le64(in.p + 32), get_le64(in.p + 40), get_le64(in.p + 48) },
		.time_s = get_le64(in.p + 72),
		.check = check,
	};
	memcpy(r.op.octets, in.p + 56, sizeof r.op.octets);
	if (!rec_lengths_fit(&r) || (r.flags && r.type != REC_BLOB))
		return E_CORRUPT;
	*out = r;
	return E_OK;
}

uint64_t chain_next(uint64_t chain, uint64_t check)
{
	uint8_t octets[8];

	put_le64(octets, check);
	return hash_keyed(&(struct hash_key){ chain, 0x6368'6169'6e00'0001 }, (struct sl){ octets, sizeof octets });
}

void op_encode(const struct op *o, uint8_t out[static OP_HEAD])
{
	out[0] = (uint8_t)o->kind;
	out[1] = 0;
	put_le16(out + 2, (uint16_t)o->key.n);
	put_le32(out + 4, (uint32_t)o->value.n);
	put_le32(out + 8, o->off);
}

/// Whether an operation is within the limits of cell.h.
static bool op_fits(const struct op *o)
{
	switch (o->kind) {
	case OP_HEAD_SET: return o->key.n == 0 && o->value.n <= CELL_HEAD_MAX && o->off == 0;
	case OP_PUT: return o->key.n <= CELL_KEY_MAX && o->value.n <= CELL_VALUE_MAX && o->off == 0;
	case OP_DEL: return o->key.n <= CELL_KEY_MAX && o->value.n == 0 && o->off == 0;
	case OP_PATCH:
		return o->key.n <= CELL_KEY_MAX && o->off <= CELL_VALUE_MAX && o->value.n <= CELL_VALUE_MAX - o->off;
	case OP_DROP: return o->key.n == 0 && o->value.n == 0 && o->off == 0;
	case OP_RANGE: return o->key.n <= CELL_KEY_MAX && o->value.n <= CELL_KEY_MAX && o->off == 0;
	}
	return false;
}

enum ec op_next(struct sl *rest, struct op *out)
{
	if (rest->n == 0)
		return E_NOTFOUND;
	if (rest->n < OP_HEAD || rest->p[0] < OP_HEAD_SET || rest->p[0] > OP_RANGE || rest->p[1] != 0)
		return E_CORRUPT;
	size_t key = get_le16(rest->p + 2), value = get_le32(rest->p + 4);
	if (key > rest->n - OP_HEAD || value > rest->n - OP_HEAD - key)
		return E_CORRUPT;
	struct op o = {
		.kind = (enum op_kind)rest->p[0],
		.key = sl_sub(*rest, OP_HEAD, OP_HEAD + key),
		.value = sl_sub(*rest, OP_HEAD + key, OP_HEAD + key + value),
		.off = get_le32(rest->p + 8),
	};
	if (!op_fits(&o))
		return E_CORRUPT;
	*rest = sl_from(*rest, OP_HEAD + key + value);
	*out = o;
	return E_OK;
}

bool ops_drop(struct sl ops)
{
	struct op o;

	return op_next(&ops, &o) == E_OK && o.kind == OP_DROP;
}
