/// Tests of share: what all unfinished uploads take, and those of one sender.
#include "store/share.h"

#include "base/check.h"

enum { ROOM = 8000, ALL = ROOM / SHARE_ALL, ONE = ALL / SHARE_ONE };

static void test_shares(void **state)
{
	struct share s;
	struct share_part a, b, c, d;

	(void)state;
	share_init(&s);
	share_begin(&s, &a, 1);
	share_begin(&s, &b, 1);
	share_begin(&s, &c, 2);
	share_begin(&s, &d, 3);
	assert_int_equal(share_take(&s, &a, ONE - 1, ROOM), E_OK);
	assert_int_equal(share_take(&s, &b, 2, ROOM - (ONE - 1)), E_QUOTA); // one sender
	assert_int_equal(share_take(&s, &b, 1, ROOM - (ONE - 1)), E_OK);
	assert_int_equal(share_take(&s, &a, 1, ROOM - ONE), E_QUOTA);
	assert_int_equal(share_take(&s, &c, ONE, ROOM - ONE), E_OK);
	assert_int_equal(share_take(&s, &d, 1, ROOM - 2 * ONE), E_LIMIT); // all together
	assert_int_equal(share_take(&s, &b, 1, ROOM - 2 * ONE), E_QUOTA); // his own part, too
	share_end(&s, &a);
	share_end(&s, &a); // none any more
	assert_int_equal(s.octets, ONE + 1);
	assert_int_equal(share_take(&s, &d, ONE - 1, ROOM - ONE - 1), E_OK);
	assert_int_equal(share_take(&s, &d, 1, ROOM - 2 * ONE), E_LIMIT);
	assert_int_equal(share_take(&s, &d, 0, ROOM - 2 * ONE), E_OK);
	share_end(&s, &b);
	share_end(&s, &c);
	share_end(&s, &d);
	assert_true(s.octets == 0 && !s.first);
	share_free(&s);
}

/// One message goes through however little room there is; the second waits for it.
static void test_alone(void **state)
{
	struct share s;
	struct share_part a, b;

	(void)state;
	share_init(&s);
	share_begin(&s, &a, 1);
	share_begin(&s, &b, 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(share_take(&s, &a, 1 << 20, 0), E_OK);
	assert_int_equal(share_take(&s, &b, 1, 0), E_LIMIT);
	share_end(&s, &a);
	assert_int_equal(share_take(&s, &b, 50 << 20, 0), E_OK);
	share_end(&s, &b);
	share_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
