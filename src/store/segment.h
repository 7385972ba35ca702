#pragma once
/// segment — the octets of log and bulk segments, format version 1: segment headers, record headers, operations.
///
/// Pure: octets in, structs out; no files here. Byte tables and the invariants S1… are in docs/FORMAT.md. Every record
/// header is proved by a SipHash under the segment's secret nonce, so that a mail body that contains perfect log
/// records is never taken for one.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "base/hash.h"
#include "base/sl.h"
#include "store/cell.h"

enum {
	SEG_FORMAT = 1,
	SEG_HEAD = 128,               // octets of one copy of the segment's header
	SEG_SECOND = 4096,            // where the second copy stands
	SEG_DATA = 8192,              // where records begin
	REC_HEAD = 80,                // octets of a record's header
	PIECE_OCTETS = 65536,         // a body has one CRC for each piece of this size
	FRAME_OCTETS = 4 * 65536,     // a compressed body has one zstd frame for each part of this size
	COMMIT_OCTETS_MAX = 16 << 20, // operations of one commit
	OP_HEAD = 12,                 // octets of an operation before its key
};

enum seg_kind { SEG_LOG = 1, SEG_BULK = 2, SEG_PACK = 3 };

struct seg_head {
	enum seg_kind kind;
	uint32_t id;
	struct hash_key nonce;
	uint32_t prev;       // log segments: the one before, 0 = none
	uint64_t prev_end;   // where that one ends; what stands behind is dead. Packs: where the MAP stands
	uint64_t prev_chain; // its chain there
	uint64_t first_lsn;  // the first batch in here has this number
	uint64_t made_s;
	uint64_t raise; // what readers add to versions that they report (grows at an unclean machine stop)
	uint64_t store; // log segments: the number of the store; 0 where an earlier program wrote it
};

/// Prints a header as one copy of SEG_HEAD octets.
void seg_encode(const struct seg_head *h, uint8_t out[static SEG_HEAD]);
/// Reads one copy. errors: E_CORRUPT, E_UNSUPPORTED (later format, or incompatibility bits that this program lacks).
[[nodiscard]] enum ec seg_decode(struct cx *cx, struct sl in, struct seg_head *out);

/// Types are far from small numbers, so that a scan for a BEGIN seldom stops in vain.
enum rec_type {
	REC_BEGIN = 0xb1,
	REC_END = 0xb2,
	REC_COMMIT = 0xb3,
	REC_BLOB = 0xb4,  // a body: its octets, then one CRC for each piece
	REC_BULK = 0xb5,  // names a body in a bulk segment
	REC_SEAL = 0xb6,  // the segment ends here
	REC_IMAGE = 0xb8, // a cell's keys of one range, as of one version
	REC_MAP = 0xb9,   // packs: what they hold of which segments
};
/// Whether this version of the program knows the type.
bool rec_type_known(uint8_t type);

/// The three numbers of a record, by type.
enum {
	BEGIN_DURABLE = 0, // highest LSN known to be flushed when this batch was written
	BEGIN_CHAIN = 1,   // the chain before this batch
	BEGIN_OCTETS = 2,  // from here to the end of END
	END_CHAIN = 0,
	END_OCTETS = 1,
	END_RECORDS = 2, // between BEGIN and END
	COMMIT_ACCOUNT = 0,
	COMMIT_NAME = 1,
	COMMIT_VERSION = 2, // the version that it makes; IMAGE: that it is of
	BLOB_OCTETS = 0,    // of the body, uncompressed
	BLOB_BIRTH = 1,     // packs: the address that rows name it by
	BULK_AT = 0,        // as in struct body_ref
	BULK_OCTETS = 1,
	SEAL_CHAIN = 0,
	MAP_SECTIONS = 0,
	MAP_ENTRIES = 1,
};

enum { REC_COMPRESSED = 0x01 }; // BLOB in a pack: the lengths of its frames, the frames, then the table of CRCs

struct rec {
	enum rec_type type;
	uint8_t flags;
	uint16_t outcome; // COMMIT: octets of the outcome at the payload's end
	uint32_t octets;  // payload behind the header; BLOB: body and CRC table
	uint32_t crc;     // COMMIT: of the payload; BLOB: of the lengths of frames and the CRC table
	uint64_t lsn;     // of its batch; 0 in bulk segments
	uint32_t at;      // where the header stands in its birth segment
	uint64_t arg[3];
	struct op_id op;
	uint64_t time_s;
	uint64_t check; // out only: the header's keyed check, which the chain goes over
};

/// What an IMAGE says in the place of an operation id.
struct image_sums {
	uint64_t first;         // the version of the image's first part: no commit up to it is needed
	uint32_t octets, since; // of the image up to here; of the commits since its first part
};
void image_sums_put(struct rec *r, const struct image_sums *s);
struct image_sums image_sums_get(const struct rec *r);

/// Prints a header with its check and notes the check in r->check.
void rec_encode(const struct hash_key *nonce, struct rec *r, uint8_t out[static REC_HEAD]);
/// Reads a header that must stand at octet `at` of the segment with this nonce.
/// errors: E_CORRUPT (not a header of this segment and place), E_UNSUPPORTED (a type or flag of a later version).
[[nodiscard]] enum ec rec_decode(const struct hash_key *nonce, struct sl in, uint64_t at, struct rec *out);
/// The chain after one more record header.
uint64_t chain_next(uint64_t chain, uint64_t check);

/// Octets of the CRC table of a body.
static inline uint32_t pieces_octets(uint64_t body)
{
	return (uint32_t)((body + PIECE_OCTETS - 1) / PIECE_OCTETS * 4);
}

/// Octets of the lengths of a compressed body's frames.
static inline uint32_t frames_octets(uint64_t body)
{
	return (uint32_t)((body + FRAME_OCTETS - 1) / FRAME_OCTETS * 4);
}

enum op_kind { OP_HEAD_SET = 1, OP_PUT, OP_DEL, OP_PATCH, OP_DROP, OP_RANGE };

/// One physical change of a cell. RANGE begins an image: it stands for all keys from `key` up to the one before `value`
/// (both empty: from the first, to the last).
struct op {
	enum op_kind kind;
	struct sl key, value;
	uint32_t off; // PATCH: where `value` goes
};
/// Prints an operation's first OP_HEAD octets; key and value follow it.
void op_encode(const struct op *o, uint8_t out[static OP_HEAD]);
/// Takes the next operation off *rest. errors: E_NOTFOUND (none left), E_CORRUPT (limits, lengths).
[[nodiscard]] enum ec op_next(struct sl *rest, struct op *out);
/// Whether these are the operations of a commit that drops its cell: such a DROP stands alone.
bool ops_drop(struct sl ops);
