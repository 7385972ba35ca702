/// Tests of view against a plain sorted array of UIDs.
#include "base/check.h"
#include "front/imap/view.h"
#include "base/num.h"

enum { MODEL_MAX = 20000 };
struct model {
	uint32_t uid[MODEL_MAX];
	uint32_t n;
};

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % sides;
}

static uint32_t model_seq(const struct model *m, uint32_t uid)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->uid[i] == uid)
			return i + 1;
	return 0;
}

static uint32_t model_next(const struct model *m, uint32_t uid, uint32_t *seq)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->uid[i] >= uid) {
			*seq = i + 1;
			return m->uid[i];
		}
	return 0;
}

static void model_remove(struct model *m, uint32_t seq)
{
	m->n--;
	memmove(&m->uid[seq - 1], &m->uid[seq], (m->n - seq + 1) * sizeof *m->uid);
}

static void agree(const struct view *v, const struct model *m, uint64_t *seed)
{
	assert_int_equal(v->exists, m->n);
	assert_int_equal(view_last(v), m->n ? m->uid[m->n - 1] : 0);
	assert_int_equal(view_uid(v, 0), 0);
	assert_int_equal(view_uid(v, m->n + 1), 0);
	for (int i = 0; i < 50 && m->n; i++) {
		uint32_t seq = 1 + dice(seed, m->n), near = m->uid[seq - 1] + dice(seed, 3) - 1, got = 0, want = 0;
		assert_int_equal(view_uid(v, seq), m->uid[seq - 1]);
		assert_int_equal(view_seq(v, m->uid[seq - 1]), seq);
		assert_int_equal(view_seq(v, near), model_seq(m, near));
		assert_int_equal(view_next(v, near, &got), model_next(m, near, &want));
		assert_int_equal(got, want);
	}
	for (uint32_t i = 0; i < v->n_blocks; i++)
		assert_true(i == 0 || v->blocks[i].before > v->blocks[i - 1].before);
}

static void test_random_changes(void **state)
{
	struct model *m = malloc(sizeof *m);

	(void)state;
	for (uint64_t round = 1; round <= 30; round++) {
		uint64_t seed = round;
		struct view *v = view_new(7);
		uint32_t next = 1 + dice(&seed, 5000), step = round % 3 ? 1 : 200;
		m->n = 0;
		for (int i = 0; i < 3000; i++) {
			if (m->n && dice(&seed, 3) == 0) {
				uint32_t seq = 1 + dice(&seed, m->n), was = 0;
				assert_int_equal(view_remove(v, m->uid[seq - 1], &was), E_OK);
				assert_int_equal(was, seq);
				model_remove(m, seq);
			} else if (m->n < MODEL_MAX) {
				next += 1 + (dice(&seed, 10) ? 0 : dice(&seed, step));
				assert_int_equal(view_add(v, next), E_OK);
				m->uid[m->n++] = next;
			}
			if (i % 100 == 0)
				agree(v, m, &seed);
		}
		agree(v, m, &seed);
		while (m->n) { // to the last message, from either end
			uint32_t seq = dice(&seed, 2) ? 1 : m->n, was = 0;
			assert_int_equal(view_remove(v, m->uid[seq - 1], &was), E_OK);
			model_remove(m, seq);
		}
		agree(v, m, &seed);
		assert_int_equal(v->n_blocks, 0);
		view_free(v);
	}
	free(m);
}

static void test_presence(void **state)
{
	struct model *m = malloc(sizeof *m);

	(void)state;
	for (uint64_t round = 1; round <= 20; round++) {
		uint64_t seed = round;
		struct view *v = view_new(7);
		uint32_t uidnext = 3 * PRESENCE_UIDS + dice(&seed, PRESENCE_UIDS);
		m->n = 0;
		for (uint32_t block = 0; block < 5; block++) {
			struct pl_presence p = { .block = block };
			for (uint32_t bit = block == 0; bit < PRESENCE_UIDS; bit++) {
				uint32_t uid = block * PRESENCE_UIDS + bit;
				if (round % 2 ? block == 2 : dice(&seed, 4) == 0)
					continue; // odd rounds: no gaps but one empty block
				p.present[bit / 64] |= (uint64_t)1 << bit % 64;
				p.count++;
				if (uid < uidnext)
					m->uid[m->n++] = uid;
			}
			assert_int_equal(view_add_presence(v, &p, uidnext), E_OK);
			if (block == 0)
				assert_int_equal(view_add_presence(v, &p, uidnext), E_CORRUPT);
		}
		agree(v, m, &seed);
		assert_int_equal(v->n_maps == 0, round % 2); // a mailbox without gaps needs no maps
		uint32_t seq;
		assert_int_equal(view_remove(v, uidnext, &seq), E_NOTFOUND);
		assert_int_equal(view_add(v, view_last(v)), E_RANGE);
		view_free(v);
	}
	free(m);
}

/// Messages 1…4, 6, 9…10, 5000.
static const uint32_t few[] = { 1, 2, 3, 4, 6, 9, 10, 5000 };

static const struct {
	const char *name, *set;
	bool is_uid;
	enum ec want;
	const char *ranges;
} sets[] = {
	{ "one", "1", false, E_OK, "1-1" },
	{ "all by number", "1:8", false, E_OK, "1-5000" },
	{ "all by star", "1:*", false, E_OK, "1-5000" },
	{ "star alone", "*", false, E_OK, "5000-5000" },
	{ "number beyond", "9", false, E_RANGE, "" },
	{ "range beyond", "2:9", false, E_RANGE, "" },
	{ "star from beyond", "20:*", false, E_OK, "5000-5000" },
	{ "two apart", "1,3", false, E_OK, "1-1 3-3" },
	{ "neighbours merge across a gap", "4,5", false, E_OK, "4-6" },
	{ "unsorted", "8,1:2,2:3", false, E_OK, "1-3 5000-5000" },
	{ "saved", "$", false, E_RANGE, "" },
	{ "uids", "1:4", true, E_OK, "1-4" },
	{ "absent uids are ignored", "5,7:8,11:4999,5001:6000", true, E_OK, "" },
	{ "ends move to what is there", "5:8", true, E_OK, "6-6" },
	{ "uids merge where nothing is between", "4,6", true, E_OK, "4-6" },
	{ "uid star", "4999:*", true, E_OK, "5000-5000" },
	{ "uid star from beyond", "9999:*", true, E_OK, "5000-5000" },
	{ "all uids", "1:4294967295", true, E_OK, "1-5000" },
};

static void print_ranges(struct buf *b, const struct pl_uids *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "%s%u-%u", i ? " " : "", r[i].lo, r[i].hi);
}

static void test_resolve(void **state)
{
	struct view *v = view_new(7), *empty = view_new(8);

	(void)state;
	for (size_t i = 0; i < ARRAY_N(few); i++)
		assert_int_equal(view_add(v, few[i]), E_OK);
	for (size_t i = 0; i < ARRAY_N(sets); i++) {
		struct arena a;
		struct seqset set;
		struct pl_uids *r = NULL;
		size_t n = 99;
		struct buf b = BUF(1000);
		arena_init(&a, 1 << 16);
		struct cur c = cur_over(sl_cstr(sets[i].set));
		seqset_parse(&c, &a, &set);
		CHECK(cur_ok(&c), sets[i].name);
		CHECK(view_resolve(v, &set, sets[i].is_uid, &a, &r, &n) == sets[i].want, sets[i].name);
		if (sets[i].want == E_OK) {
			print_ranges(&b, r, n);
			CHECK(sl_eq(buf_sl(&b), sl_cstr(sets[i].ranges)), sets[i].name);
		} else {
			CHECK(n == 99, sets[i].name);
		}
		struct arena none = { 0 };
		CHECK(view_resolve(v, &set, sets[i].is_uid, &none, &r, &n) != E_OK, sets[i].name);
		if (sets[i].is_uid)
			CHECK(view_resolve(empty, &set, true, &a, &r, &n) == E_OK && n == 0, sets[i].name);
		buf_free(&b);
		arena_free(&a);
	}
	view_free(v);
	view_free(empty);
	view_free(NULL);
}

static void test_recent_and_keywords(void **state)
{
	struct view *v = view_new(7);

	(void)state;
	for (uint32_t uid = 1; uid <= 10; uid++)
		assert_int_equal(view_add(v, uid), E_OK);
	assert_int_equal(view_recent(v), 10);
	v->recent_from = 8;
	assert_int_equal(view_recent(v), 3);
	v->recent_from = 11;
	assert_int_equal(view_recent(v), 0);
	assert_int_equal(view_name_keyword(v, 63, SL("$Junk")), E_OK);
	assert_int_equal(view_name_keyword(v, 0, SL("a")), E_OK);
	assert_int_equal(view_name_keyword(v, 0, SL("Later")), E_OK);
	assert_int_equal(view_keyword(v, SL("$JUNK")), 63);
	assert_int_equal(view_keyword(v, SL("later")), 0);
	assert_int_equal(view_keyword(v, SL("a")), -1);
	assert_int_equal(view_keyword(v, SL("")), -1);
	assert_true(view_unnamed(v, 1 | (uint64_t)1 << 63 | 4) == 4);
	view_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_recent_and_keywords),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
