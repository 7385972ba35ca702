/// segment_test — the format's octets: fixed layouts, round trips, every octet damaged, limits, reserved types.
#include "store/segment.h"

#include "base/check.h"
#include "base/num.h"

static const struct hash_key nonce = { 0x0123456789abcdef, 0xfedcba9876543210 };

static void test_seg_head(void **state)
{
	(void)state;
	struct seg_head h = { SEG_LOG, 7, nonce, 6, 12345, 99, 1000, 1700000000, 1 << 20, 0x1234'5678'9abc'def0 }, back;
	uint8_t octets[SEG_HEAD];

	seg_encode(&h, octets);
	assert_memory_equal(octets, "hongyan\n\1\0\0\0\0\0\0\0\1\0\0\0\7\0\0\0\xef\xcd", 26); // the format, for ever
	for (size_t n = 0; n <= SEG_HEAD; n++) {
		struct sl in = heap_copy((struct sl){ octets, n });
		assert_int_equal(seg_decode(NULL, in, &back), n < SEG_HEAD ? E_CORRUPT : E_OK);
		free((void *)(uintptr_t)in.p);
	}
	assert_true(back.kind == h.kind && back.id == 7 && back.nonce.k1 == nonce.k1 && back.prev == 6 &&
		    back.prev_end == 12345 && back.prev_chain == 99 && back.first_lsn == 1000 &&
		    back.made_s == 1700000000 && back.raise == 1 << 20 && back.store == h.store);
	for (size_t i = 0; i < SEG_HEAD; i++) {
		octets[i] ^= 1;
		assert_int_equal(seg_decode(NULL, (struct sl){ octets, SEG_HEAD }, &back), E_CORRUPT);
		octets[i] ^= 1;
	}
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} later[] = { { "format 2", 8, 2 }, { "incompatibility bit", 12, 1 }, { "kind 4", 16, 4 } };
	for (size_t i = 0; i < ARRAY_N(later); i++) {
		seg_encode(&h, octets);
		octets[later[i].at] = later[i].value;
		put_le32(octets + SEG_HEAD - 4, crc32c(0, (struct sl){ octets, SEG_HEAD - 4 }));
		CHECK(seg_decode(NULL, (struct sl){ octets, SEG_HEAD }, &back) == E_UNSUPPORTED, later[i].name);
	}
}

static void test_rec(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct rec r;
		enum ec want;
	} cases[] = {
		{ "begin", { .type = REC_BEGIN, .arg = { 1, 2, 3 } }, E_OK },
		{ "end", { .type = REC_END }, E_OK },
		{ "seal", { .type = REC_SEAL }, E_OK },
		{ "bulk", { .type = REC_BULK, .arg = { 1, 2, 0 } }, E_OK },
		{ "commit", { .type = REC_COMMIT, .octets = 100, .outcome = 64 }, E_OK },
		{ "outcome too long", { .type = REC_COMMIT, .octets = 100, .outcome = 65 }, E_CORRUPT },
		{ "outcome over payload", { .type = REC_COMMIT, .octets = 10, .outcome = 11 }, E_CORRUPT },
		{ "largest commit", { .type = REC_COMMIT, .octets = COMMIT_OCTETS_MAX }, E_OK },
		{ "too large a commit", { .type = REC_COMMIT, .octets = COMMIT_OCTETS_MAX + 1 }, E_CORRUPT },
		{ "empty body", { .type = REC_BLOB }, E_OK },
		{ "body of one piece", { .type = REC_BLOB, .octets = 65536 + 4, .arg = { 65536 } }, E_OK },
		{ "body of two pieces", { .type = REC_BLOB, .octets = 65537 + 8, .arg = { 65537 } }, E_OK },
		{ "table too short", { .type = REC_BLOB, .octets = 65537 + 4, .arg = { 65537 } }, E_CORRUPT },
		{ "body over 4 GiB", { .type = REC_BLOB, .octets = 4, .arg = { UINT64_MAX } }, E_CORRUPT },
		{ "begin with payload", { .type = REC_BEGIN, .octets = 1 }, E_CORRUPT },
		{ "image", { .type = REC_IMAGE, .octets = 100 }, E_OK },
		{ "image with an outcome", { .type = REC_IMAGE, .octets = 100, .outcome = 1 }, E_CORRUPT },
		{ "too large an image", { .type = REC_IMAGE, .octets = COMMIT_OCTETS_MAX + 1 }, E_CORRUPT },
		{ "map", { .type = REC_MAP, .octets = 1 << 20 }, E_OK },
		{ "not assigned", { .type = (enum rec_type)0xb7 }, E_UNSUPPORTED },
		{ "reserved: first", { .type = (enum rec_type)0xba }, E_UNSUPPORTED },
		{ "reserved: last", { .type = (enum rec_type)0xbf }, E_UNSUPPORTED },
		{ "type 0", { .type = (enum rec_type)0 }, E_UNSUPPORTED },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct rec r = cases[i].r, back = { .lsn = 77 };
		struct hash_key other = { nonce.k0, nonce.k1 ^ 1 };
		uint8_t octets[REC_HEAD];
		r.lsn = 5;
		r.at = 8192;
		memcpy(r.op.octets, "sixteen octets..", 16);
		rec_encode(&nonce, &r, octets);
		struct sl in = { octets, REC_HEAD };
		CHECK(rec_decode(&nonce, in, 8192, &back) == cases[i].want, cases[i].name);
		if (cases[i].want) {
			CHECK(back.lsn == 77, cases[i].name); // out untouched on failure
			continue;
		}
		CHECK(back.type == r.type && back.octets == r.octets && back.lsn == 5 && back.check == r.check &&
				memcmp(&back.op, &r.op, 16) == 0 && memcmp(back.arg, r.arg, sizeof r.arg) == 0,
			cases[i].name);
		CHECK(rec_decode(&other, in, 8192, &back) == E_CORRUPT, cases[i].name); // another segment's
		CHECK(rec_decode(&nonce, in, 8193, &back) == E_CORRUPT, cases[i].name); // another place
		CHECK(rec_decode(&nonce, sl_head(in, REC_HEAD - 1), 8192, &back) == E_CORRUPT, cases[i].name);
		for (size_t k = 0; k < REC_HEAD; k++) {
			octets[k] ^= 0x80;
			CHECK(rec_decode(&nonce, in, 8192, &back) == E_CORRUPT, cases[i].name);
			octets[k] ^= 0x80;
		}
	}
}

static void test_ops(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint8_t in[16];
		size_t n;
		enum ec want;
	} cases[] = {
		{ "nothing", { 0 }, 0, E_NOTFOUND },
		{ "put", { 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'k', 'v', 'w' }, 15, E_OK },
		{ "value cut", { 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'k', 'v' }, 14, E_CORRUPT },
		{ "header cut", { 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0 }, 11, E_CORRUPT },
		{ "put with offset", { 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 }, 12, E_CORRUPT },
		{ "del with value", { 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'v' }, 13, E_CORRUPT },
		{ "patch at the limit", { 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0 }, 12, E_OK },
		{ "patch over the limit", { 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 'v' }, 13, E_CORRUPT },
		{ "patch far over", { 4, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 'v' }, 13, E_CORRUPT },
		{ "drop", { 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 12, E_OK },
		{ "kind 0", { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 12, E_CORRUPT },
		{ "range", { 6, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 'k', 'v', 'w' }, 15, E_OK },
		{ "range to a long key", { 6, 0, 0, 0, 225, 1, 0, 0, 0, 0, 0, 0 }, 12, E_CORRUPT },
		{ "kind 7", { 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, 12, E_CORRUPT },
		{ "huge length", { 2, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0 }, 12, E_CORRUPT },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = heap_copy((struct sl){ cases[i].in, cases[i].n }), rest = in;
		struct op o;
		CHECK(op_next(&rest, &o) == cases[i].want, cases[i].name);
		CHECK(rest.n == (cases[i].want ? in.n : 0), cases[i].name);
		if (cases[i].want == E_OK) {
			uint8_t again[OP_HEAD];
			op_encode(&o, again);
			CHECK(memcmp(again, cases[i].in, OP_HEAD) == 0, cases[i].name);
		}
		free((void *)(uintptr_t)in.p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seg_head),
		cmocka_unit_test(test_rec),
		cmocka_unit_test(test_ops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
