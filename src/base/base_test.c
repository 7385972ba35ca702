/// Tests of base: slices, buffers, arenas, cursors, numbers, UTF-8, hashes, civil time, stories.
#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/cur.h"
#include "base/cx.h"
#include "base/folder.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/utf8.h"

static void test_slices(void **state)
{
	(void)state;
	struct sl rest = SL("a=b=c");
	assert_true(sl_eq(sl_cut(&rest, '='), SL("a")));
	assert_true(sl_eq(rest, SL("b=c")));
	sl_cut(&rest, '=');
	sl_cut(&rest, '=');
	assert_int_equal(rest.n, 0);
	assert_true(sl_eq_ci(SL("InBoX"), SL("INBOX")));
	assert_false(sl_eq_ci(SL("InBo\x7b"), SL("INBO\x5b"))); // '{' and '[' differ by the case bit
	assert_true(sl_eq(sl_trim(SL(" \t a b\r\n")), SL("a b")));
	assert_int_equal(sl_find_sl(SL("abcabd"), SL("abd")), 3);
	assert_int_equal(sl_rfind(SL("a/b/c"), '/'), 3);
	assert_true(sl_cmp(SL("a"), SL("ab")) < 0 && sl_cmp(SL("b"), SL("ab")) > 0);
	assert_true(sl_eq(sl_sub(SL("abcd"), 1, 3), SL("bc")));
	assert_int_equal(sl_sub(SL("abcd"), 3, 1).n, 0);
	assert_true(sl_eq_secret(SL("s3cret"), SL("s3cret")) && !sl_eq_secret(SL("s3cret"), SL("s3creT")));
}

static void test_buf_limit(void **state)
{
	(void)state;
	struct buf b = BUF(10);
	buf_puts(&b, "12345");
	buf_printf(&b, "%d", 67890); // exactly full: no octet left for printf's NUL
	assert_int_equal(b.err, E_OK);
	assert_true(sl_eq(buf_sl(&b), SL("1234567890")));
	buf_addc(&b, 'x');
	assert_int_equal(b.err, E_TOOBIG);
	buf_drop(&b, 5);
	buf_add(&b, SL("y"));
	assert_true(sl_eq(buf_sl(&b), SL("67890"))); // the error sticks
	buf_cut(&b, 3);
	buf_add(&b, SL("z"));
	assert_true(sl_eq(buf_sl(&b), SL("678z")));
	buf_cut(&b, 9);
	assert_int_equal(b.n, 4); // nothing grows by it
	buf_clear(&b);
	buf_num(&b, 0);
	buf_num(&b, 18446744073709551615u);
	assert_int_equal(b.err, E_TOOBIG);
	buf_free(&b);
}

static void test_buf_wipe(void **state)
{
	(void)state;
	struct buf b = BUF(64), none = BUF(64);
	buf_puts(&b, "a secret of many octets");
	buf_cut(&b, 3); // what was taken back is in the memory yet
	buf_wipe(&b);
	assert_int_equal(b.n, 0);
	for (size_t i = 0; i < b.cap; i++)
		assert_int_equal(b.p[i], 0);
	buf_puts(&b, "again");
	assert_true(sl_eq(buf_sl(&b), SL("again")));
	buf_free(&b);
	buf_wipe(&none); // no memory yet
	assert_null(none.p);
}

static void test_arena_budget(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 4096);
	assert_non_null(arena_alloc(&a, 100, 10));
	assert_null(arena_alloc(&a, SIZE_MAX / 4, 8));
	assert_null(arena_alloc(&a, 1, 5000));
	uint8_t *p = arena_alloc(&a, 0, 8);
	assert_non_null(p);
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 1, 2000));
	arena_free(&a);
	uint8_t mem[64];
	struct arena fixed = ARENA_OVER(mem, sizeof mem);
	assert_non_null(arena_alloc(&fixed, 1, 16));
	assert_null(arena_alloc(&fixed, 1, 64));
	assert_int_equal(arena_copy(&fixed, SL("")).n, 0);
}

static void test_cur_sticky(void **state)
{
	(void)state;
	struct cur c = cur_over(SL("a12 b"));
	assert_true(cur_take(&c, 'a'));
	assert_int_equal(cur_need_num(&c, 100), 12);
	cur_need(&c, 'x');
	assert_int_equal(c.err, E_SYNTAX);
	assert_int_equal(c.err_at, 3);
	assert_false(cur_take(&c, ' '));
	assert_int_equal(cur_peek(&c), -1);
	c = cur_over(SL("4294967296"));
	cur_need_num(&c, UINT32_MAX);
	assert_int_equal(c.err, E_RANGE);
	c = cur_over(SL("18446744073709551616"));
	cur_need_num(&c, UINT64_MAX);
	assert_int_equal(c.err, E_RANGE);
}

static void test_num_parse(void **state)
{
	(void)state;
	uint64_t v = 7;
	assert_true(num_parse(SL("18446744073709551615"), UINT64_MAX, &v) && v == UINT64_MAX);
	v = 7;
	assert_false(num_parse(SL("18446744073709551616"), UINT64_MAX, &v));
	assert_false(num_parse(SL(""), 9, &v) || num_parse(SL("-1"), 9, &v) || num_parse(SL("10"), 9, &v));
	assert_int_equal(v, 7);
}

static void test_utf8(void **state)
{
	(void)state;
	static const struct {
		struct sl in;
		size_t len;
	} cases[] = {
		{ SL_INIT("a"), 1 },
		{ SL_INIT("\xc3\xa9"), 2 },
		{ SL_INIT("\xe9\xb8\xbf"), 3 },
		{ SL_INIT("\xf0\x9f\x98\x80"), 4 },
		{ SL_INIT("\xc0\x80"), 0 },
		{ SL_INIT("\xed\xa0\x80"), 0 },
		{ SL_INIT("\xf4\x90\x80\x80"), 0 },
		{ SL_INIT("\xe9\xb8"), 0 },
		{ SL_INIT("\x80"), 0 },
		{ SL_INIT(""), 0 },
		{ SL_INIT("\xe0\x80\x80"), 0 },
		{ SL_INIT("\xf0\x80\x80\x80"), 0 },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++)
		assert_int_equal(utf8_len(cases[i].in), cases[i].len);
	for (size_t at = 0; at < 20; at++) { // the first octet above 0x7f at each place of a word, and none
		uint8_t text[20];
		memset(text, 'a', sizeof text);
		assert_int_equal(utf8_ascii_run((struct sl){ text, at }), at);
		text[at] = 0x80;
		struct sl in = heap_copy((struct sl){ text, sizeof text });
		assert_int_equal(utf8_ascii_run(in), at);
		assert_false(sl_is_ascii(in) || utf8_valid(in));
		free((void *)(uintptr_t)in.p);
	}
	struct buf b = BUF(8);
	for (uint32_t ch = 1; ch < 0x110000; ch += 61) {
		size_t k;
		if (ch >= 0xd800 && ch < 0xe000)
			continue;
		buf_clear(&b);
		utf8_put(&b, ch);
		assert_int_equal(utf8_get(buf_sl(&b), &k), ch);
		assert_int_equal(k, b.n);
	}
	buf_free(&b);
}

static void test_hashes(void **state)
{
	(void)state;
	// RFC 3720 appendix B.4: 32 octets of zeros, of ones; and the classic check value.
	uint8_t zeros[32] = { 0 }, ones[32];
	memset(ones, 0xff, sizeof ones);
	assert_int_equal(crc32c(0, (struct sl){ zeros, 32 }), 0x8a9136aa);
	assert_int_equal(crc32c(0, (struct sl){ ones, 32 }), 0x62a8ab43);
	assert_int_equal(crc32c(0, SL("123456789")), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, SL("1234")), SL("56789")), 0xe3069283);
	// SipHash-2-4 with key 00…0f over 00…0e: the value printed in the paper by its authors (appendix A).
	uint8_t in[15];
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	struct hash_key key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
	assert_true(hash_keyed(&key, (struct sl){ in, 15 }) == 0xa129ca6149be45e5u);
}

static void test_civil(void **state)
{
	(void)state;
	static const struct {
		int64_t s;
		struct civil c;
	} cases[] = {
		{ 0, { 1970, 1, 1, 0, 0, 0, 4 } },
		{ 951782400, { 2000, 2, 29, 0, 0, 0, 2 } },
		{ -1, { 1969, 12, 31, 23, 59, 59, 3 } },
		{ 4107542400, { 2100, 3, 1, 0, 0, 0, 1 } },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct civil c = clock_civil(cases[i].s);
		assert_memory_equal(&c, &cases[i].c, sizeof c);
		assert_int_equal(clock_unix(&c), cases[i].s);
	}
}

static void test_story(void **state)
{
	(void)state;
	struct cx cx = { 0 };
	char text[300];
	enum ec e = fail(&cx, E_IO, "fsync %s", "seg\n1");
	assert_int_equal(wrap(&cx, e, "append"), E_IO);
	cx_story(&cx, text, sizeof text);
	assert_non_null(strstr(text, "fsync seg?1"));
	assert_non_null(strstr(text, " <- append"));
	for (int i = 0; i < 20; i++)
		assert_int_equal(wrap(&cx, e, "deep"), E_IO); // full: the oldest frames stay
	cx.canceled = true;
	assert_int_equal(cx_check(&cx), E_CANCELED);
	cx_end(&cx);
}

static void test_hex(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		bool want;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "fFfFfFfFfFfFfFfF", true, UINT64_MAX },
		{ "0000000a", true, 10 },
		{ "", false, 0 },
		{ "00000000000000001", false, 0 },
		{ "0x1", false, 0 },
		{ "1 ", false, 0 },
		{ "g", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		uint64_t v = 77;
		CHECK(num_parse_hex(sl_cstr(cases[i].in), &v) == cases[i].want, cases[i].in);
		CHECK(v == (cases[i].want ? cases[i].value : 77), cases[i].in);
	}
}

static void test_bits(void **state)
{
	(void)state;
	uint64_t x = 0x9e3779b97f4a7c15;

	assert_int_equal(bits_count(0), 0);
	assert_int_equal(bits_count(UINT64_MAX), 64);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(bits_count(UINT64_C(1) << i), 1);
	for (unsigned i = 0; i < 1000; i++, x = x * 6364136223846793005 + 1) {
		unsigned n = 0;
		for (uint64_t bits = x; bits; bits &= bits - 1)
			n++;
		assert_int_equal(bits_count(x), n);
	}
}

static void test_folder(void **state)
{
	(void)state;
	char dir[] = "/tmp/hongyan-base-XXXXXX", path[64];
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/one/two", dir);
	assert_int_equal(folder_make(path, 0700), -ENOENT);
	snprintf(path, sizeof path, "%s/one", dir);
	for (int i = 0; i < 2; i++)
		assert_int_equal(folder_make(path, i ? 0755 : 0700), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	rmdir(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_folder),
		cmocka_unit_test(test_buf_limit),
		cmocka_unit_test(test_buf_wipe),
		cmocka_unit_test(test_arena_budget),
		cmocka_unit_test(test_cur_sticky),
		cmocka_unit_test(test_num_parse),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_civil),
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_bits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
