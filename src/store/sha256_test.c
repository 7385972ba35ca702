/// sha256_test — the digests against the vectors of their documents.
#include "store/sha256.h"

#include "base/check.h"
#include "base/num.h"

static void fill(uint8_t *out, size_t n, uint8_t octet)
{
	memset(out, octet, n);
}

static void check_is(const uint8_t got[SHA256_OCTETS], const char *want)
{
	char hex[2 * SHA256_OCTETS + 1];

	for (size_t i = 0; i < SHA256_OCTETS; i++)
		snprintf(hex + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(hex, want);
}

/// source: FIPS 180-4, examples.
static void test_sha256(void **)
{
	uint8_t out[SHA256_OCTETS];

	sha256(SL(""), out);
	check_is(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256(SL("abc"), out);
	check_is(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/// source: RFC 4231 §4.2, §4.3, §4.7 (a key longer than a block).
static void test_hmac(void **)
{
	uint8_t out[SHA256_OCTETS], key[131];

	fill(key, 20, 0x0b);
	hmac_sha256((struct sl){ key, 20 }, SL("Hi There"), out);
	check_is(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hmac_sha256(SL("Jefe"), SL("what do ya want for nothing?"), out);
	check_is(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	fill(key, 131, 0xaa);
	hmac_sha256((struct sl){ key, 131 }, SL("Test Using Larger Than Block-Size Key - Hash Key First"), out);
	check_is(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	hmac_sha256(SL(""), SL(""), out);
	check_is(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sha256), cmocka_unit_test(test_hmac) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
