/// segment_fuzz — any octets as a segment header, as a record header with a good check, and as operations.
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hash_key nonce = { 1, 2 };
	struct sl in = { data, size };
	struct seg_head h;
	struct rec r;
	struct op o;
	uint8_t octets[SEG_HEAD];

	if (size >= SEG_HEAD) { // with its checksum put right, so that what is behind it is reached
		memcpy(octets, data, SEG_HEAD);
		put_le32(octets + SEG_HEAD - 4, crc32c(0, (struct sl){ octets, SEG_HEAD - 4 }));
		if (seg_decode(NULL, (struct sl){ octets, SEG_HEAD }, &h) == E_OK && h.kind != SEG_LOG &&
			h.kind != SEG_BULK)
			abort();
	}
	if (size >= REC_HEAD) {
		memcpy(octets, data, REC_HEAD);
		put_le64(octets, hash_keyed(&nonce, (struct sl){ octets + 8, REC_HEAD - 8 }));
		uint32_t at = get_le32(octets + 24);
		uint8_t again[REC_HEAD];
		if (rec_decode(&nonce, (struct sl){ octets, REC_HEAD }, at, &r) == E_OK) {
			rec_encode(&nonce, &r, again);
			if (memcmp(again, octets, REC_HEAD) != 0)
				abort(); // printing what was read gives what was read
		}
	}
	while (op_next(&in, &o) == E_OK)
		if (o.key.n > CELL_KEY_MAX || o.value.n > CELL_VALUE_MAX || o.off > CELL_VALUE_MAX)
			abort();
	return 0;
}
