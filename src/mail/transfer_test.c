/// Tests of mail/transfer: each encoding well-made and broken, in one piece and cut at each octet; encoders and back.
#include "base/check.h"

#include "base/num.h"
#include "mail/transfer.h"

static const struct {
	const char *name;
	enum transfer kind;
	struct sl in;
	const char *want;
	bool broken;
} cases[] = {
	{ "empty base64", TRANSFER_BASE64, SL_INIT(""), "", false },
	{ "base64", TRANSFER_BASE64, SL_INIT("aGVsbG8gd29ybGQ="), "hello world", false },
	{ "base64 in lines", TRANSFER_BASE64, SL_INIT("aGVs\r\nbG8g\r\nd29y\r\nbGQ=\r\n"), "hello world", false },
	{ "base64 cut within groups", TRANSFER_BASE64, SL_INIT("aG\r\nVsb G8g\nd29ybGQ="), "hello world", false },
	{ "base64 without padding", TRANSFER_BASE64, SL_INIT("aGVsbG8gd29ybGQ"), "hello world", true },
	{ "base64 two paddings", TRANSFER_BASE64, SL_INIT("YQ=="), "a", false },
	{ "base64 joined", TRANSFER_BASE64, SL_INIT("YQ==YmM="), "abc", false },
	{ "base64 garbage", TRANSFER_BASE64, SL_INIT("aG*V\xffs-bG8="), "hello", true },
	{ "base64 one letter", TRANSFER_BASE64, SL_INIT("aGVsb"), "hel", true },
	{ "qp", TRANSFER_QP, SL_INIT("caf=C3=A9 =3D x"), "caf\xc3\xa9 = x", false },
	{ "qp lower hex", TRANSFER_QP, SL_INIT("=c3=a9"), "\xc3\xa9", false },
	{ "qp soft break", TRANSFER_QP, SL_INIT("one=\r\n two=\nthree"), "one twothree", false },
	{ "qp soft break with padding", TRANSFER_QP, SL_INIT("one= \t\r\ntwo"), "onetwo", false },
	{ "qp blanks at the end of a line", TRANSFER_QP, SL_INIT("one \t\r\n two \nx  "), "one\r\n two\nx", false },
	{ "qp blanks within", TRANSFER_QP, SL_INIT("a \t b"), "a \t b", false },
	{ "qp bad escape", TRANSFER_QP, SL_INIT("a=ZZ b=4 c"), "a=ZZ b=4 c", true },
	{ "qp unfinished escape", TRANSFER_QP, SL_INIT("a=4"), "a=4", true },
	{ "qp ends with =", TRANSFER_QP, SL_INIT("a="), "a", true },
	{ "qp = before an escape", TRANSFER_QP, SL_INIT("==41"), "=A", true },
	{ "qp bare CR", TRANSFER_QP, SL_INIT("a \rb\r"), "a \rb\r", false },
	{ "qp blank before =", TRANSFER_QP, SL_INIT("a =\r\nb"), "a b", false },
	{ "uuencode", TRANSFER_UUENCODE, SL_INIT("preface\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nafter\r\n"),
		"Cat", false },
	{ "uuencode lost blanks", TRANSFER_UUENCODE, SL_INIT("begin 644 x\n\"0V\nend\n"), "C`", false },
	{ "uuencode without end", TRANSFER_UUENCODE, SL_INIT("begin 644 x\n#0V%T\n"), "Cat", true },
	{ "8bit", TRANSFER_8BIT, SL_INIT("a=41\xff"), "a=41\xff", false },
	{ "unknown", TRANSFER_UNKNOWN, SL_INIT("a=41"), "a=41", false },
};

static void check_pieces(size_t i, struct sl in, size_t step)
{
	struct transfer_decoder d;
	struct buf out = BUF(1000);

	transfer_begin(&d, cases[i].kind);
	for (size_t at = 0; at < in.n; at += step) {
		struct sl piece = heap_copy(sl_sub(in, at, at + step));
		transfer_feed(&d, piece, &out);
		free((void *)(uintptr_t)piece.p);
	}
	transfer_end(&d, &out);
	CHECK(out.err == E_OK && sl_eq(buf_sl(&out), sl_cstr(cases[i].want)), cases[i].name);
	CHECK(d.broken == cases[i].broken, cases[i].name);
	buf_free(&out);
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = cases[i].in;
		for (size_t step = 1; step <= in.n; step++)
			check_pieces(i, in, step);
		for (size_t max = 0; max < strlen(cases[i].want); max++) {
			struct buf small = BUF(max);
			transfer_decode(cases[i].kind, in, &small);
			CHECK(small.err == E_TOOBIG && small.n <= max, cases[i].name);
			buf_free(&small);
		}
	}
}

static void test_long_blanks(void **state)
{
	(void)state;
	uint8_t blanks[3 * TRANSFER_HELD_MAX];
	memset(blanks, ' ', sizeof blanks);
	struct buf out = BUF(2000);
	assert_false(transfer_decode(TRANSFER_QP, (struct sl){ blanks, sizeof blanks }, &out));
	assert_int_equal(out.n, 2 * TRANSFER_HELD_MAX); // bounded: only the last ones are known to end the line
	buf_free(&out);
}

static void test_named(void **state)
{
	(void)state;
	static const struct {
		struct sl value;
		enum transfer want;
	} names[] = {
		{ SL_INIT(" BASE64"), TRANSFER_BASE64 },
		{ SL_INIT("Quoted-Printable (why)"), TRANSFER_QP },
		{ SL_INIT("(first) 8bit"), TRANSFER_8BIT },
		{ SL_INIT("7bit;"), TRANSFER_7BIT },
		{ SL_INIT(""), TRANSFER_7BIT },
		{ SL_INIT("(unclosed"), TRANSFER_7BIT },
		{ SL_INIT("binary"), TRANSFER_BINARY },
		{ SL_INIT("x-uuencode"), TRANSFER_UUENCODE },
		{ SL_INIT("base65"), TRANSFER_UNKNOWN },
		{ SL_INIT("\"base64\""), TRANSFER_UNKNOWN },
	};
	for (size_t i = 0; i < ARRAY_N(names); i++)
		CHECK(transfer_named(names[i].value) == names[i].want, (const char *)names[i].value.p);
}

/// parse(print(x)) = x for both encoders, and no line is longer than allowed.
static void test_encode(void **state)
{
	(void)state;
	uint8_t octets[700];
	uint32_t seed = 1;
	for (size_t n = 0; n < sizeof octets; n++) {
		seed = seed * 1103515245 + 12345;
		octets[n] = (uint8_t)(seed >> 16);
		for (int kind = 0; kind < 2; kind++) {
			struct buf code = BUF(4000), back = BUF(1000);
			struct sl in = { octets, n }, line, rest;
			if (kind)
				transfer_encode_qp(in, &code);
			else
				transfer_encode_base64(in, TRANSFER_LINE, &code);
			assert_true(transfer_decode(kind ? TRANSFER_QP : TRANSFER_BASE64, buf_sl(&code), &back));
			assert_true(sl_eq(buf_sl(&back), in));
			rest = buf_sl(&code);
			while (rest.n) {
				line = sl_cut(&rest, '\n');
				assert_true(line.n <= TRANSFER_LINE + 1);
			}
			buf_free(&code);
			buf_free(&back);
		}
	}
	struct buf one = BUF(100);
	transfer_encode_base64(SL("hello"), 0, &one);
	assert_true(sl_eq(buf_sl(&one), SL("aGVsbG8=")));
	buf_clear(&one);
	transfer_encode_qp(SL("a \r\nb=\t"), &one);
	assert_true(sl_eq(buf_sl(&one), SL("a=20\r\nb=3D=09")));
	buf_free(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_long_blanks),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_encode),
	};
	return cmocka_run_group_tests_name("mail/transfer", tests, NULL, NULL);
}
