/// SASLprep: the examples of RFC 4013, each step of RFC 3454, and what stored and asked texts may hold.
#include "auth/saslprep.h"

#include <stdio.h>

#include "base/check.h"
#include "base/num.h"
#include "base/utf8.h"

struct sample {
	const char *name, *in, *want; // want NULL: refused
};

static const struct sample samples[] = {
	// RFC 4013 §3
	{ "rfc4013 1: soft hyphen to nothing", "I\xc2\xadX", "IX" },
	{ "rfc4013 2: no change", "user", "user" },
	{ "rfc4013 3: case kept", "USER", "USER" },
	{ "rfc4013 4: output is NFKC", "\xc2\xaa", "a" },
	{ "rfc4013 5: output is NFKC, matches 1", "\xe2\x85\xa8", "IX" },
	{ "rfc4013 6: prohibited", "\x07", NULL },
	{ "rfc4013 7: directions", "\xd8\xa7\x31", NULL },
	// mapping
	{ "no-break space", "a\xc2\xa0 b", "a  b" },
	{ "ideographic space", "\xe5\xaf\x86\xe3\x80\x80\xe7\xa0\x81", "\xe5\xaf\x86 \xe7\xa0\x81" },
	{ "zero width space is a space",
		"a\xe2\x80\x8b"
		"b",
		"a b" },
	{ "zero width joiner to nothing",
		"a\xe2\x80\x8d"
		"b",
		"ab" },
	{ "variation selector to nothing", "a\xef\xb8\x8f", "a" },
	{ "nothing is left", "\xc2\xad", NULL },
	{ "empty", "", NULL },
	// normalisation
	{ "composed", "e\xcc\x81", "\xc3\xa9" },
	{ "already composed", "\xc3\xa9", "\xc3\xa9" },
	{ "order of marks", "a\xcc\x81\xcc\xa3", "\xe1\xba\xa1\xcc\x81" },
	{ "ligature", "\xef\xac\x81", "fi" },
	{ "full width", "\xef\xbc\xb0\xef\xbd\x97\xef\xbc\x91", "Pw1" },
	{ "Hangul", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c" },
	{ "grave tone mark becomes an accent", "a\xcd\x80", "\xc3\xa0" },
	{ "Chinese stays", "\xe5\xaf\x86\xe7\xa0\x81", "\xe5\xaf\x86\xe7\xa0\x81" },
	{ "newer than Unicode 3.2", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	// prohibited
	{ "ASCII control", "a\tb", NULL },
	{ "DEL", "a\x7f", NULL },
	{ "C1 control", "\xc2\x85", NULL },
	{ "line separator", "a\xe2\x80\xa8", NULL },
	{ "private use", "\xee\x80\x80", NULL },
	{ "private use, plane 16", "\xf4\x80\x80\x80", NULL },
	{ "no character", "\xef\xb7\x90", NULL },
	{ "no character at the end of plane 1", "\xf0\x9f\xbf\xbe", NULL },
	{ "replacement character", "\xef\xbf\xbd", NULL },
	{ "ideographic description", "\xe2\xbf\xb0", NULL },
	{ "direction mark", "a\xe2\x80\x8e", NULL },
	{ "tag", "\xf3\xa0\x80\xa1", NULL },
	{ "not UTF-8", "a\xff", NULL },
	{ "surrogate", "\xed\xa0\x80", NULL },
	// directions
	{ "Hebrew", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d" },
	{ "Arabic with a digit inside", "\xd8\xa7\x31\xd8\xa8", "\xd8\xa7\x31\xd8\xa8" },
	{ "Hebrew and Latin",
		"\xd7\xa9"
		"a"
		"\xd7\x9d",
		NULL },
	{ "a digit before Hebrew", "1\xd7\xa9", NULL },
};

static void check(const struct sample *s, enum ec (*prepare)(struct sl, enum saslprep_use, struct buf *))
{
	struct sl in = heap_copy((struct sl){ (const uint8_t *)s->in, strlen(s->in) });
	struct buf out = BUF(64);

	buf_puts(&out, "kept");
	enum ec e = prepare(in, SASLPREP_STORED, &out);
	CHECK(e == (s->want ? E_OK : E_SYNTAX), s->name);
	CHECK(sl_eq(sl_head(buf_sl(&out), 4), SL("kept")), s->name);
	CHECK(sl_eq(sl_from(buf_sl(&out), 4), sl_cstr(s->want ? s->want : "")), s->name);
	if (s->want) { // what is prepared stays as it is
		struct buf again = BUF(64);
		CHECK(prepare(sl_from(buf_sl(&out), 4), SASLPREP_STORED, &again) == E_OK, s->name);
		CHECK(sl_eq(buf_sl(&again), sl_cstr(s->want)), s->name);
		buf_free(&again);
	}
	buf_free(&out);
	free((void *)(uintptr_t)in.p);
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(samples); i++)
		check(&samples[i], saslprep);
}

static void test_names(void **state)
{
	static const struct sample names[] = {
		{ "address", "a\xcc\x8a@example.org", "\xc3\xa5@example.org" },
		{ "no address", "a\xcc\x8a", "\xc3\xa5" },
		{ "Hebrew name in a Latin domain", "\xd7\xa9\xd7\x9c@example.org", "\xd7\xa9\xd7\x9c@example.org" },
		{ "two @", "a@\xc2\xaa@b", "a@a@b" },
		{ "wide @ stays in the name", "a\xef\xbc\xa0x@b", "a@x@b" },
		{ "nothing before @", "@example.org", NULL },
		{ "nothing behind @", "a@", NULL },
		{ "prohibited in the domain", "a@b\xe2\x80\x8e", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(names); i++)
		check(&names[i], saslprep_name);
}

/// U+0378 is no character in any Unicode so far.
static void test_unassigned(void **state)
{
	struct buf out = BUF(64);

	(void)state;
	assert_int_equal(saslprep(SL("a\xcd\xb8"), SASLPREP_STORED, &out), E_SYNTAX);
	assert_int_equal(saslprep(SL("a\xcd\xb8"), SASLPREP_QUERY, &out), E_OK);
	assert_true(sl_eq(buf_sl(&out), SL("a\xcd\xb8")));
	buf_free(&out);
}

static void test_limits(void **state)
{
	uint8_t text[5000];
	struct buf small = BUF(5), out = BUF(1 << 20);

	(void)state;
	memset(text, 'x', sizeof text);
	text[0] = 0xc3;
	text[1] = 0xa9;
	assert_int_equal(saslprep((struct sl){ text, sizeof text }, SASLPREP_QUERY, &out), E_TOOBIG);
	assert_int_equal(saslprep((struct sl){ text, 1023 }, SASLPREP_QUERY, &out), E_OK);
	assert_int_equal(out.n, 1023);
	assert_int_equal(saslprep(SL("\xef\xb7\xba"), SASLPREP_QUERY, &small), E_TOOBIG); // one character becomes 18
	assert_true(small.n == 0 && small.err == E_OK);
	buf_free(&small);
	buf_free(&out);
}

/// Every character alone: refused or given in a form that is prepared already and valid.
static void test_every_character(void **state)
{
	struct buf in = BUF(8), out = BUF(256), again = BUF(256);

	(void)state;
	for (uint32_t ch = 1; ch < 0x110000; ch++) {
		char name[16];
		snprintf(name, sizeof name, "U+%04X", ch);
		buf_clear(&in), buf_clear(&out), buf_clear(&again);
		utf8_put(&in, ch);
		if (saslprep(buf_sl(&in), SASLPREP_STORED, &out) != E_OK)
			continue;
		CHECK(utf8_valid(buf_sl(&out)) && out.n, name);
		CHECK(saslprep(buf_sl(&out), SASLPREP_STORED, &again) == E_OK, name);
		CHECK(sl_eq(buf_sl(&out), buf_sl(&again)), name);
	}
	buf_free(&in);
	buf_free(&out);
	buf_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unassigned),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
