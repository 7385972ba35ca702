/// Tests of bodies on their way in: many streams at once, and what stays of those that come to nothing.
#include "store/testbed.h"

/// Octets of the files of bulk segments, and how many there are. Log segments are those that hold a batch.
static uint64_t bulk_octets(const struct bed *b, unsigned *files)
{
	char path[128];
	uint64_t octets = 0;
	struct stat st;

	*files = 0;
	for (unsigned id = 1; id < 200; id++) {
		uint8_t head[SEG_HEAD];
		struct seg_head h;
		char name[SEG_NAME];
		seg_name(id, name);
		snprintf(path, sizeof path, "%s/log/%s", b->dir, name);
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
		assert_int_equal(seg_decode(NULL, (struct sl){ head, sizeof head }, &h), E_OK);
		assert_int_equal(fstat(fd, &st), 0);
		octets += h.kind == SEG_BULK ? (uint64_t)st.st_size : 0;
		*files += h.kind == SEG_BULK;
		close(fd);
	}
	return octets;
}

/// Many streams at once, each in small pieces and at rest between them: those that are stored are whole, and of those
/// that come to nothing no octet and no file stays.
static void test_streams_at_rest(void **state)
{
	enum { STREAMS = 100, PIECES = 5, PIECE = 30000 };
	(void)state;
	struct bed b = bed_make();
	b.conf.segment_octets = 64 << 20;
	struct store *s = bed_open(&b);
	struct sl body = bed_octets(PIECES * PIECE, 9);
	struct blob *blob[STREAMS];
	struct body_ref ref[STREAMS];
	unsigned files;

	for (unsigned i = 0; i < STREAMS; i++)
		assert_int_equal(blob_new(NULL, s, &blob[i]), E_OK);
	for (unsigned k = 0; k < PIECES; k++)
		for (unsigned i = 0; i < STREAMS; i++) {
			assert_int_equal(blob_add(NULL, blob[i], sl_sub(body, k * PIECE, (k + 1) * PIECE)), E_OK);
			assert_int_equal(blob_rest(NULL, blob[i]), E_OK);
		}
	bulk_octets(&b, &files);
	assert_int_equal(files, STREAMS);
	for (unsigned i = 0; i < STREAMS; i++) {
		struct put p = { { 1, i + 1 }, 0, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = blob[i] };
		if (i % 10 == 0)
			assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
		ref[i] = p.ref;
		blob_free(blob[i]);
	}
	for (unsigned i = 0; i < STREAMS; i += 10)
		assert_int_equal(bed_same_body(s, ref[i], body), E_OK);
	uint64_t octets = bulk_octets(&b, &files);
	assert_true(files >= STREAMS / 10 && files <= STREAMS / 10 + BULK_IDLE_MAX);
	assert_true(octets < (STREAMS / 10) * (uint64_t)(body.n + 4096) + files * SEG_DATA);
	store_close(s);
	s = bed_open(&b);
	for (unsigned i = 0; i < STREAMS; i += 10)
		assert_int_equal(bed_same_body(s, ref[i], body), E_OK);
	store_close(s);
	sl_free(body);
	bed_remove(&b);
}

/// Where damage is looked for, and in how long parts a body is read then.
static const struct {
	uint32_t octets, damaged;
} harms[] = {
	{ 100, 0 },
	{ 100, 99 },
	{ 65536, 65535 },
	{ 65537, 65536 },
	{ 200000, 10 },
	{ 200000, 70000 },
	{ 200000, 199999 },
	{ BLOB_INLINE_MAX + 70000, 40000 },
	{ BLOB_INLINE_MAX + 70000, BLOB_INLINE_MAX + 69999 },
};

static void flip(const struct bed *b, struct body_ref ref, uint32_t octet)
{
	char path[128], name[SEG_NAME];
	uint8_t c;

	seg_name((uint32_t)(ref.at >> 32), name);
	snprintf(path, sizeof path, "%s/log/%s", b->dir, name);
	int fd = open(path, O_RDWR);
	off_t at = (off_t)(uint32_t)ref.at + REC_HEAD + octet;
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/// Reads parts of `n` octets, from everywhere: what comes is right, and what comes from damaged pieces does not come.
static void read_parts(struct store *s, struct body_ref ref, struct sl body, uint32_t damaged, uint32_t n)
{
	uint8_t *room = malloc(n);
	uint32_t piece = damaged / PIECE_OCTETS;

	for (uint32_t off = 0; off < body.n; off += n / 2 + 1) {
		size_t part = min_size(n, body.n - off);
		struct iovec iov[2] = { { room, part / 3 }, { room + part / 3, part - part / 3 } };
		enum ec e = blob_get(NULL, s, ref, off, iov, 2);
		bool harmed = off / PIECE_OCTETS <= piece && (off + part - 1) / PIECE_OCTETS >= piece;
		assert_int_equal(e, harmed ? E_CORRUPT : E_OK);
		if (e == E_OK)
			assert_memory_equal(room, body.p + off, part);
	}
	free(room);
}

/// A part of a body is checked as the whole is: no octet that changed on the disk is ever given out.
static void test_damaged_parts(void **state)
{
	(void)state;
	static const uint32_t parts[] = { 1, 100, 8192, 65280, 65536, 65537, 150000 };

	for (size_t i = 0; i < ARRAY_N(harms); i++) {
		struct bed b = bed_make();
		struct store *s = bed_open(&b);
		struct sl body = bed_octets(harms[i].octets, (uint32_t)i);
		struct put p = { { 1, 1 }, 0, 0, SL("k"), SL("v"), .outcome = SL(""), .blob = bed_blob(s, body) };
		assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
		blob_free(p.blob);
		flip(&b, p.ref, harms[i].damaged);
		for (size_t k = 0; k < ARRAY_N(parts); k++)
			if (parts[k] > 1000 || body.n < 1000)
				read_parts(s, p.ref, body, harms[i].damaged, parts[k]);
		sl_free(body);
		store_close(s);
		bed_remove(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams_at_rest),
		cmocka_unit_test(test_damaged_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
