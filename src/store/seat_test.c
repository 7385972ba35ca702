/// Tests of seat, with peers that are nothing but whose they are.
#include "store/request.h"

#include "base/check.h"

static struct peer *front(uint32_t number)
{
	struct peer *p = calloc(1, sizeof *p);

	assert_non_null(p);
	p->by = (struct holder){ BY_USER, number };
	return p;
}

static struct seat_place place(uint64_t account, uint64_t session)
{
	return (struct seat_place){ .account = account, .who = { 1 }, .session = session };
}

static enum ec take(struct seats *s, struct peer *p, uint64_t account, uint64_t session, uint32_t most)
{
	struct seat_place at = place(account, session);

	return seat_take(s, p, &at, most);
}

static void give(struct seats *s, struct peer *p, uint64_t account, uint64_t session)
{
	struct seat_place at = place(account, session);

	seat_give(s, p, &at);
}

/// What a front takes again on its new connection is the new one's: neither the end of the old one nor its late word
/// takes it away, and at no time does it count twice.
static void test_moves(void **)
{
	struct peer *old = front(1), *new = front(1), *other = front(2);
	struct seats *s;

	assert_int_equal(seats_new(&s), E_OK);
	assert_int_equal(take(s, old, 7, 1, 3), E_OK);
	assert_int_equal(take(s, old, 7, 2, 3), E_OK);
	assert_int_equal(take(s, other, 7, 1, 3), E_OK);
	assert_int_equal(take(s, new, 7, 1, 3), E_OK);
	assert_int_equal(seats_count(s), 3);
	assert_int_equal(take(s, new, 7, 3, 3), E_LIMIT);
	give(s, old, 7, 1);
	give(s, new, 7, 2); // not taken again yet
	give(s, other, 7, 2);
	assert_int_equal(seats_count(s), 3);
	seats_end_peer(s, old);
	assert_int_equal(seats_count(s), 2);
	assert_int_equal(old->seats, 0);
	assert_int_equal(new->seats, 1);
	give(s, new, 7, 1);
	seats_end_peer(s, new);
	seats_end_peer(s, other);
	assert_int_equal(seats_count(s), 0);
	seats_free(s);
	free(old);
	free(new);
	free(other);
}

/// Many pairs: each has its own count, whatever they share a bucket with.
static void test_many(void **)
{
	enum { USERS = 20000, EACH = 3 };
	struct peer *p = front(1);
	struct seats *s;

	assert_int_equal(seats_new(&s), E_OK);
	for (uint64_t u = 1; u <= USERS; u++)
		for (uint64_t i = 0; i <= EACH; i++)
			assert_int_equal(take(s, p, u, u * 10 + i, EACH), i < EACH ? E_OK : E_LIMIT);
	assert_int_equal(seats_count(s), USERS * EACH);
	for (uint64_t u = 1; u <= USERS; u++)
		give(s, p, u, u * 10);
	assert_int_equal(seats_count(s), USERS * (EACH - 1));
	seats_end_peer(s, p);
	assert_int_equal(seats_count(s), 0);
	seats_free(s);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_moves), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
