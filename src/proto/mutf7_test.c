/// Tests of mutf7: the vectors of tests/vectors/imap-utf7, the one-spelling rule, and failing without a trace.
#include "base/check.h"

#include <stdio.h>

#include "base/num.h"
#include "proto/mutf7.h"

static struct sl unhex(const char *hex, uint8_t *mem)
{
	size_t n = 0;

	for (; hex[0] != '.' && hex[0] && hex[1]; hex += 2)
		mem[n++] = (uint8_t)(hex_value((uint8_t)hex[0]) << 4 | hex_value((uint8_t)hex[1]));
	return (struct sl){ mem, n };
}

static void test_vectors(void **state)
{
	(void)state;
	FILE *f = fopen("tests/vectors/imap-utf7/utf7.txt", "r");
	char line[1024], way[8], verdict[8], in_hex[500], out_hex[500];
	unsigned lines = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		uint8_t in_mem[250], out_mem[250];
		struct buf b = BUF(4096);
		if (sscanf(line, "%7s %7s %499s %499s", way, verdict, in_hex, out_hex) != 4 || way[0] == '#')
			continue;
		lines++;
		struct sl in = heap_copy(unhex(in_hex, in_mem)), want = unhex(out_hex, out_mem);
		enum ec e = way[0] == 'd' ? mutf7_to_utf8(in, &b) : mutf7_from_utf8(in, &b);
		CHECK(e == (verdict[0] == 'o' ? E_OK : E_SYNTAX), line);
		CHECK(sl_eq(buf_sl(&b), want), line); // empty after an error
		free((void *)(uintptr_t)in.p);
		buf_free(&b);
	}
	fclose(f);
	assert_int_equal(lines, 138);
}

static const struct {
	const char *name, *mutf7, *utf8;
} pairs[] = {
	{ "RFC 3501 example", "~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語" },
	{ "ampersand", "Tom & Jerry", NULL },
	{ "ampersand escaped", "Tom &- Jerry", "Tom & Jerry" },
	{ "Chinese", "&XfJT0ZAB-", "已发送" },
	{ "surrogate pair", "&2Dze3A-", "\xf0\x9f\x8b\x9c" },
	{ "lone high surrogate", "&2Dw-", NULL },
	{ "lone low surrogate", "&3tw-", NULL },
	{ "pair in the wrong order", "&3tzYPA-", NULL },
	{ "encoded ASCII", "&AGE-", NULL },
	{ "runs side by side", "&U,A-&UxcF-", NULL },
	{ "pad bits set", "&AP9-", NULL },
	{ "no end", "&AP8", NULL },
	{ "slash of plain base64", "&U/BTFw-", NULL },
	{ "raw UTF-8", "\xc3\xa9", NULL },
};

static void test_pairs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(pairs); i++) {
		struct buf b = BUF(4096);
		enum ec e = mutf7_to_utf8(sl_cstr(pairs[i].mutf7), &b);
		CHECK(e == (pairs[i].utf8 ? E_OK : E_SYNTAX), pairs[i].name);
		if (pairs[i].utf8) {
			CHECK(sl_eq(buf_sl(&b), sl_cstr(pairs[i].utf8)), pairs[i].name);
			buf_clear(&b);
			CHECK(mutf7_from_utf8(sl_cstr(pairs[i].utf8), &b) == E_OK, pairs[i].name);
			CHECK(sl_eq(buf_sl(&b), sl_cstr(pairs[i].mutf7)), pairs[i].name);
		}
		buf_free(&b);
	}
}

/// With each maximum of the buffer: complete, or E_TOOBIG and what was in it before.
static void test_buf_limits(void **state)
{
	(void)state;
	struct sl wire = SL("a&-&U,BTFw-"), text = SL("a&台北");
	for (size_t max = 1; max < 16; max++) {
		struct buf b = BUF(max);
		buf_addc(&b, '!');
		enum ec e = mutf7_to_utf8(wire, &b);
		assert_int_equal(e, max < 1 + text.n ? E_TOOBIG : E_OK);
		assert_int_equal(b.n, e ? 1 : 1 + text.n);
		buf_free(&b);
		b = BUF(max);
		buf_addc(&b, '!');
		e = mutf7_from_utf8(text, &b);
		assert_int_equal(e, max < 1 + wire.n ? E_TOOBIG : E_OK);
		assert_int_equal(b.n, e ? 1 : 1 + wire.n);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_buf_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
