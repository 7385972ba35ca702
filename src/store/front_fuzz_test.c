/// The fuzz target `front` on octets of a fixed seed: some ten thousand requests of a taken front, each time the same.
#include <stdlib.h>

#include "base/check.h"

enum { INPUTS = 120, OCTETS = 6000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void test_taken_front(void **state)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	uint8_t *octets = malloc(OCTETS);

	(void)state;
	assert_non_null(octets);
	for (unsigned i = 0; i < INPUTS; i++) {
		for (size_t k = 0; k < OCTETS; k++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17; // xorshift: the same in every run
			octets[k] = (uint8_t)(x >> 32);
		}
		assert_int_equal(LLVMFuzzerTestOneInput(octets, OCTETS), 0);
	}
	free(octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken_front) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
