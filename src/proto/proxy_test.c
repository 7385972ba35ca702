/// Tests of proxy: both versions, each cut at each octet.
#include "base/check.h"

#include "base/hash.h"
#include "base/num.h"
#include "proto/proxy.h"

#define SIG   "\r\n\r\n\0\r\nQUIT\n"
#define ADDR4 "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"
#define IP6A  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define IP6B  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"

static const struct {
	const char *name;
	struct sl in;
	enum proxy_result want;
	size_t consumed;
	bool local, ipv6;
} cases[] = {
	{ "v1 TCP4", SL_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nEHLO"), PROXY_DONE, 45, false, false },
	{ "v1 TCP6", SL_INIT("PROXY TCP6 2001:db8::1 ::1 56324 443\r\n"), PROXY_DONE, 38, false, true },
	{ "v1 UNKNOWN", SL_INIT("PROXY UNKNOWN\r\n"), PROXY_DONE, 15, true, false },
	{ "v1 UNKNOWN and more", SL_INIT("PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n"), PROXY_DONE, 48, true,
		false },
	{ "v1 UNKNOWNX", SL_INIT("PROXY UNKNOWNX\r\n"), PROXY_BAD },
	{ "v1 lower case", SL_INIT("proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_BAD },
	{ "v1 address of the other family", SL_INIT("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_BAD },
	{ "v1 address above 255", SL_INIT("PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n"), PROXY_BAD },
	{ "v1 port above 65535", SL_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n"), PROXY_BAD },
	{ "v1 port with zero first", SL_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n"), PROXY_BAD },
	{ "v1 port missing", SL_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n"), PROXY_BAD },
	{ "v1 two spaces", SL_INIT("PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_BAD },
	{ "v1 text behind", SL_INIT("PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n"), PROXY_BAD },
	{ "v1 NUL", SL_INIT("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n"), PROXY_BAD },
	{ "v1 unknown family", SL_INIT("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n"), PROXY_BAD },
	{ "v1 too long",
		SL_INIT("PROXY UNKNOWN "
			"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			"xxx\r"
			"\n"),
		PROXY_BAD },
	{ "another protocol", SL_INIT("EHLO x\r\n"), PROXY_BAD },

	{ "v2 TCP4", SL_INIT(SIG "\x21\x11\x00\x0c" ADDR4 "EHLO"), PROXY_DONE, 28, false, false },
	{ "v2 TCP6", SL_INIT(SIG "\x21\x21\x00\x24" IP6A IP6B "\xdc\x04\x01\xbb"), PROXY_DONE, 52, false, true },
	{ "v2 LOCAL", SL_INIT(SIG "\x20\x00\x00\x00"), PROXY_DONE, 16, true, false },
	{ "v2 LOCAL of any family", SL_INIT(SIG "\x20\xff\x00\x02zz"), PROXY_DONE, 18, true, false },
	{ "v2 unspecified", SL_INIT(SIG "\x21\x00\x00\x03xyz"), PROXY_DONE, 19, true, false },
	{ "v2 UDP", SL_INIT(SIG "\x21\x12\x00\x0c" ADDR4), PROXY_DONE, 28, true, false },
	{ "v2 UNIX", SL_INIT(SIG "\x21\x31\x00\x02zz"), PROXY_DONE, 18, true, false },
	{ "v2 with TLVs", SL_INIT(SIG "\x21\x11\x00\x13" ADDR4 "\x04\x00\x01z\x05\x00\x00"), PROXY_DONE, 35, false,
		false },
	{ "v2 TLV past the end", SL_INIT(SIG "\x21\x11\x00\x10" ADDR4 "\x04\x00\x02z"), PROXY_BAD },
	{ "v2 TLV of two octets", SL_INIT(SIG "\x21\x11\x00\x0e" ADDR4 "\x04\x00"), PROXY_BAD },
	{ "v2 wrong checksum",
		SL_INIT(SIG "\x21\x11\x00\x13" ADDR4 "\x03\x00\x04"
			    "abcd"),
		PROXY_BAD },
	{ "v2 short checksum",
		SL_INIT(SIG "\x21\x11\x00\x12" ADDR4 "\x03\x00\x03"
			    "abc"),
		PROXY_BAD },
	{ "v2 addresses too short", SL_INIT(SIG "\x21\x11\x00\x0b" ADDR4), PROXY_BAD },
	{ "v2 of version 3", SL_INIT(SIG "\x31\x11\x00\x0c" ADDR4), PROXY_BAD },
	{ "v2 unknown command", SL_INIT(SIG "\x22\x11\x00\x0c" ADDR4), PROXY_BAD },
	{ "v2 unknown family", SL_INIT(SIG "\x21\x41\x00\x0c" ADDR4), PROXY_BAD },
	{ "v2 too long", SL_INIT(SIG "\x21\x11\x02\x09" ADDR4), PROXY_BAD },
};

static enum proxy_result parse(struct sl s, struct proxy_header *out)
{
	struct sl in = heap_copy(s);
	enum proxy_result r = proxy_parse(in, out);

	free((void *)(uintptr_t)in.p);
	return r;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct proxy_header h = { .consumed = 999 };
		CHECK(parse(cases[i].in, &h) == cases[i].want, cases[i].name);
		CHECK(h.consumed == (cases[i].want == PROXY_DONE ? cases[i].consumed : 999), cases[i].name);
		if (cases[i].want == PROXY_DONE)
			CHECK(h.local == cases[i].local && h.ipv6 == cases[i].ipv6, cases[i].name);
		// A good header is never called bad while it comes in, and is done exactly at its last octet.
		for (size_t n = 0; cases[i].want == PROXY_DONE && n <= cases[i].consumed; n++)
			CHECK(parse(sl_head(cases[i].in, n), &h) == (n < cases[i].consumed ? PROXY_MORE : PROXY_DONE),
				cases[i].name);
	}
}

static void test_addresses(void **state)
{
	(void)state;
	struct proxy_header one, two;
	assert_int_equal(parse(cases[0].in, &one), PROXY_DONE);
	assert_int_equal(parse(SL(SIG "\x21\x11\x00\x0c" ADDR4), &two), PROXY_DONE);
	assert_memory_equal(one.source.ip, "\xc0\x00\x02\x01", 4);
	assert_memory_equal(one.dest.ip, "\xc6\x33\x64\x01", 4);
	assert_int_equal(one.source.port, 56324);
	assert_int_equal(one.dest.port, 443);
	assert_memory_equal(&one.source, &two.source, sizeof one.source);
	assert_memory_equal(&one.dest, &two.dest, sizeof one.dest);
	assert_int_equal(parse(SL("PROXY TCP6 2001:db8::1 ::1 56324 443\r\n"), &one), PROXY_DONE);
	assert_int_equal(parse(SL(SIG "\x21\x21\x00\x24" IP6A IP6B "\xdc\x04\x01\xbb"), &two), PROXY_DONE);
	assert_memory_equal(&one.source, &two.source, sizeof one.source);
	assert_memory_equal(&one.dest, &two.dest, sizeof one.dest);
}

/// A checksum made with base/hash.h, and each octet of the header changed in turn (but the type of the checksum itself:
/// without it there is nothing to check).
static void test_checksum(void **state)
{
	(void)state;
	uint8_t in[] = SIG "\x21\x11\x00\x13" ADDR4 "\x03\x00\x04\0\0\0\0";
	struct sl s = { in, sizeof in - 1 };
	struct proxy_header h;
	uint32_t crc = crc32c(0, s);
	for (int i = 0; i < 4; i++)
		in[s.n - 4 + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	assert_int_equal(proxy_parse(s, &h), PROXY_DONE);
	for (size_t i = 0; i < s.n; i++) {
		if (i == s.n - 7)
			continue;
		in[i] ^= 4;
		assert_int_not_equal(proxy_parse(s, &h), PROXY_DONE);
		in[i] ^= 4;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
