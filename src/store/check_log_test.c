/// check_log_test — a good store has no violations; each violation is found under its number.
#include "store/check_log.h"

#include "store/testbed.h"

enum { INVARIANTS = 11 };

struct checked {
	unsigned seen[INVARIANTS];
	uint64_t steps, total;
	struct check_result result;
	enum ec e;
};

static void note(void *arg, unsigned invariant, struct sl what)
{
	struct checked *c = arg;

	(void)what;
	c->seen[invariant < INVARIANTS ? invariant : 0]++;
}

/// Steps come in order, all of them.
static void count_step(void *arg, uint64_t done, uint64_t total)
{
	struct checked *c = arg;

	assert_true(done == ++c->steps && done <= total);
	c->total = total;
}

static struct checked check_bed(struct bed *b)
{
	struct checked c = { 0 };
	struct check_conf conf = {
		.dir = sl_cstr(b->dir), .map_octets = 64 << 20, .report = note, .progress = count_step, .arg = &c
	};

	c.e = check_log(NULL, &conf, &c.result);
	if (c.e == E_OK)
		assert_int_equal(c.steps, c.total);
	return c;
}

/// Two log segments and a bulk segment between them; returns where the second batch's body stands.
static uint64_t fill(struct bed *b)
{
	struct sl body = bed_octets(9000, 1), big = bed_octets(BLOB_INLINE_MAX + 1, 2);
	b->conf.segment_octets = 32 << 10;
	struct store *s = bed_open(b);
	uint64_t at = 0;

	for (uint64_t i = 0; i < 4; i++) {
		struct put p = { { 1, 1 }, i, 0, SL("k"), SL("v"), SL("h"), .outcome = SL("") };
		p.blob = bed_blob(s, i == 3 ? big : body);
		assert_int_equal(store_do(NULL, s, true, put_run, &p), E_OK);
		at = i == 1 ? p.ref.at : at;
		blob_free(p.blob);
	}
	store_close(s);
	sl_free(body);
	sl_free(big);
	return at;
}

static void flip(struct bed *b, const char *file, uint64_t at)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", b->dir, file);
	FILE *f = fopen(path, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
	int c = fgetc(f);
	fseek(f, (long)at, SEEK_SET);
	fputc(c ^ 0x20, f);
	fclose(f);
}

static void test_good(void **state)
{
	(void)state;
	struct bed b = bed_make();

	fill(&b);
	struct checked c = check_bed(&b);
	assert_int_equal(c.e, E_OK);
	assert_true(c.result.violations == 0 && c.result.index_compared && c.result.batches == 4 &&
		    c.result.commits == 4 && c.result.bodies == 4);
	struct store *s = bed_open(&b);
	assert_int_equal(check_bed(&b).e, E_EXISTS);
	store_close(s);
	bed_remove(&b);
	assert_int_equal(check_bed(&b).e, E_NOTFOUND);
}

static void test_each(void **state)
{
	(void)state;
	static const struct {
		const char *name, *file;
		bool in_body; // `at` counts from the body's record
		int64_t at;
		unsigned want;
	} cases[] = {
		{ "first copy of a header", "log/00000001.seg", false, 40, 1 },
		{ "second copy of a header", "log/00000001.seg", false, SEG_SECOND + 40, 1 },
		{ "header of a record", "log/00000001.seg", true, 30, 3 },
		{ "END of the first batch", "log/00000001.seg", true, -100, 3 },
		{ "octet of a body", "log/00000001.seg", true, REC_HEAD + 5, 7 },
		{ "table of a body", "log/00000001.seg", true, REC_HEAD + 9000, 7 },
		{ "operation of a commit", "log/00000001.seg", true, REC_HEAD + 9004 + REC_HEAD + 1, 6 },
		{ "header of a bulk body", "log/00000002.seg", false, SEG_DATA + 12, 8 },
		{ "octet of a bulk body", "log/00000002.seg", false, SEG_DATA + REC_HEAD + 70000, 7 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct bed b = bed_make();
		uint64_t body = fill(&b) % (1ull << 32);
		flip(&b, cases[i].file, (uint64_t)((cases[i].in_body ? (int64_t)body : 0) + cases[i].at));
		struct checked c = check_bed(&b);
		CHECK(c.e == E_OK, cases[i].name);
		CHECK(c.seen[cases[i].want] > 0 && c.result.violations > 0, cases[i].name);
		bed_remove(&b);
	}
}

/// S9: a row that the log does not know; S10: an index ahead of the log; S2: a segment that is missing.
static void test_index(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct itxn *t;
	struct applied a;
	char path[128];

	fill(&b);
	struct store *s = bed_open(&b);
	assert_int_equal(index_write(NULL, s->index, &t), E_OK);
	assert_int_equal(index_put(NULL, t, T_KEY, SL("0123456789abcdefkey"), SL("row")), E_OK);
	assert_int_equal(itxn_commit(NULL, t), E_OK);
	store_close(s);
	assert_true(check_bed(&b).seen[9] > 0);
	s = bed_open(&b);
	assert_int_equal(index_write(NULL, s->index, &t), E_OK);
	assert_int_equal(applied_get(NULL, t, &a), E_OK);
	a.pos.chain++;
	assert_int_equal(applied_put(NULL, t, &a), E_OK);
	assert_int_equal(itxn_commit(NULL, t), E_OK);
	store_close(s);
	assert_true(check_bed(&b).seen[10] > 0);
	snprintf(path, sizeof path, "%s/log/00000001.seg", b.dir);
	assert_int_equal(unlink(path), 0);
	assert_true(check_bed(&b).seen[2] > 0);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
