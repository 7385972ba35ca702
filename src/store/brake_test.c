/// Tests of brake, by a clock of their own.
#include "store/brake.h"

#include "base/check.h"
#include "base/num.h"

enum { NOW = 1000000, DAY = 86400 };

static struct sl name_of(char text[32], const char *fmt, int i)
{
	int n = snprintf(text, 32, "%s%d@example.org", fmt, i);

	return (struct sl){ (const uint8_t *)text, (size_t)n };
}

struct who {
	uint8_t o[FAIR_WHO];
};
static struct who who(unsigned n)
{
	struct who w = { { [10] = 0xff, [11] = 0xff } };

	w.o[12] = (uint8_t)(n >> 24);
	w.o[13] = (uint8_t)(n >> 16);
	w.o[14] = (uint8_t)(n >> 8);
	w.o[15] = (uint8_t)n;
	return w;
}

static struct brake *made(struct brake_conf conf)
{
	struct brake *b;

	assert_int_equal(brake_new(&conf, &b), E_OK);
	return b;
}

/// One attempt from beginning to end. out: what brake_begin said, or what came of it.
static enum ec attempt(struct brake *b, struct sl name, unsigned from, int64_t now_s, enum ec end)
{
	struct brake_try t = { 0 };
	enum ec e = brake_begin(b, name, who(from).o, now_s, &t);

	if (e != E_OK) {
		assert_int_equal(t.pair, 0);
		return e;
	}
	brake_end(b, &t, now_s, end);
	return end;
}

/// `n` wrong passwords, each of which is proved.
static void fail_times(struct brake *b, struct sl name, unsigned from, int64_t now_s, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(attempt(b, name, from, now_s, E_AUTH), E_AUTH);
}

// ---- pairs

/// What a pair may do `at_s` seconds after its last wrong password, of which it has `wrong`.
static void test_waits(void **)
{
	static const struct {
		const char *name;
		int wrong;
		int64_t at_s;
		enum ec want;
	} cases[] = {
		{ "nothing yet", 0, 0, E_OK },
		{ "slips are free", BRAKE_SLIPS - 1, 0, E_OK },
		{ "the first wait", BRAKE_SLIPS, 0, E_LIMIT },
		{ "its last second", BRAKE_SLIPS, BRAKE_WAIT_S - 1, E_LIMIT },
		{ "after it", BRAKE_SLIPS, BRAKE_WAIT_S, E_OK },
		{ "the second is twice as long", BRAKE_SLIPS + 1, 2 * BRAKE_WAIT_S - 1, E_LIMIT },
		{ "and over then", BRAKE_SLIPS + 1, 2 * BRAKE_WAIT_S, E_OK },
		{ "the third again", BRAKE_SLIPS + 2, 4 * BRAKE_WAIT_S - 1, E_LIMIT },
		{ "growth ends", BRAKE_SLIPS + 20, BRAKE_WAIT_MAX_S - 1, E_LIMIT },
		{ "at the longest", BRAKE_SLIPS + 20, BRAKE_WAIT_MAX_S, E_OK },
		{ "many", BRAKE_SLIPS + 70, BRAKE_WAIT_MAX_S - 1, E_LIMIT },
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct brake *b = made((struct brake_conf){ 0 });
		struct sl name = name_of(text, "a", 0);
		int64_t now = NOW;
		for (int k = 0; k < cases[i].wrong; k++) {
			now += k < BRAKE_SLIPS ? 0 : BRAKE_WAIT_MAX_S; // whatever it must wait is over
			CHECK(attempt(b, name, 1, now, E_AUTH) == E_AUTH, cases[i].name);
		}
		CHECK(brake_look(b, name, who(1).o, now + cases[i].at_s) == cases[i].want, cases[i].name);
		CHECK(attempt(b, name, 1, now + cases[i].at_s, E_OK) == cases[i].want, cases[i].name);
		brake_free(b);
	}
}

/// What is refused neither lengthens the wait nor counts; an hour after the last wrong one all is forgotten.
static void test_forgets(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	char text[32];
	struct sl name = name_of(text, "a", 0);

	fail_times(b, name, 1, NOW, BRAKE_SLIPS);
	for (int i = 0; i < BRAKE_WAIT_S; i++)
		assert_int_equal(attempt(b, name, 1, NOW + i, E_AUTH), E_LIMIT);
	assert_int_equal(brake_refused(b), BRAKE_WAIT_S);
	fail_times(b, name, 1, NOW + BRAKE_WAIT_S, 1);
	assert_int_equal(attempt(b, name, 1, NOW + BRAKE_WAIT_S + BRAKE_KEPT_S - 1, E_TEMP), E_TEMP); // one was free
	fail_times(b, name, 1, NOW + BRAKE_WAIT_S + BRAKE_KEPT_S, BRAKE_SLIPS);
	assert_int_equal(attempt(b, name, 1, NOW + BRAKE_WAIT_S + BRAKE_KEPT_S, E_AUTH), E_LIMIT);
	brake_free(b);
}

/// The brake is the pair's: neither the name's nor the address's. Letters' case makes no other name.
static void test_pairs(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });

	fail_times(b, SL("alice@example.org"), 1, NOW, BRAKE_SLIPS);
	assert_int_equal(attempt(b, SL("alice@example.org"), 1, NOW, E_OK), E_LIMIT); // the right one, too
	assert_int_equal(attempt(b, SL("ALICE@Example.org"), 1, NOW, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, SL("alice@example.org"), 2, NOW, E_OK), E_OK);
	assert_int_equal(attempt(b, SL("bob@example.org"), 1, NOW, E_OK), E_OK);
	brake_free(b);
}

/// Attempts under way count as wrong until they end: a thousand at once get no more than one after the other.
static void test_at_once(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	struct brake_try t[BRAKE_SLIPS], one;
	struct sl name = SL("alice@example.org");

	for (int i = 0; i < BRAKE_SLIPS; i++)
		assert_int_equal(brake_begin(b, name, who(1).o, NOW, &t[i]), E_OK);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW, &one), E_TEMP); // perhaps they are right
	assert_int_equal(brake_look(b, name, who(1).o, NOW), E_OK);
	brake_end(b, &t[0], NOW, E_TEMP); // nothing learned: its place is free again
	assert_int_equal(brake_begin(b, name, who(1).o, NOW, &t[0]), E_OK);
	for (int i = 0; i < BRAKE_SLIPS; i++)
		brake_end(b, &t[i], NOW, E_AUTH);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW, &one), E_LIMIT);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW + BRAKE_WAIT_S, &one), E_OK);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW + BRAKE_WAIT_S, &t[0]), E_LIMIT); // one at a time now
	brake_end(b, &one, NOW + BRAKE_WAIT_S, E_OK);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW + BRAKE_WAIT_S, &t[0]), E_OK);
	brake_end(b, &t[0], NOW + BRAKE_WAIT_S, E_OK);
	brake_free(b);
}

// ---- addresses

static void test_spraying(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	char text[32];

	assert_int_equal(attempt(b, SL("bob@example.org"), 1, NOW, E_OK), E_OK);
	for (int i = 0; i < BRAKE_WIDE; i++)
		fail_times(b, name_of(text, "sprayed", i), 1, NOW, 1);
	assert_int_equal(attempt(b, SL("carol@example.org"), 1, NOW, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, SL("bob@example.org"), 1, NOW, E_OK), E_OK); // was here before
	assert_int_equal(attempt(b, SL("carol@example.org"), 2, NOW, E_OK), E_OK);
	assert_int_equal(attempt(b, SL("carol@example.org"), 1, NOW + BRAKE_WIDE_EACH_S - 1, E_OK), E_LIMIT);
	fail_times(b, name_of(text, "sprayed", 1000), 1, NOW + BRAKE_WIDE_EACH_S, 1);
	assert_int_equal(attempt(b, SL("carol@example.org"), 1, NOW + BRAKE_WIDE_EACH_S, E_OK), E_LIMIT);
	// the rate afterwards: one each BRAKE_WIDE_EACH_S
	int proved = 0;
	for (int64_t s = 1; s <= 3600; s++)
		proved += attempt(b, name_of(text, "late", (int)s), 1, NOW + BRAKE_WIDE_EACH_S + s, E_AUTH) == E_AUTH;
	assert_int_equal(proved, 3600 / BRAKE_WIDE_EACH_S);
	brake_free(b);
}

/// A crowd behind one address that names no wrong password is not held up, whatever its size; at once it goes in parts.
static void test_office(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	struct brake_try t[BRAKE_WIDE], one;
	char text[32];

	for (int i = 0; i < 10 * BRAKE_WIDE; i++)
		assert_int_equal(attempt(b, name_of(text, "user", i), 1, NOW, E_OK), E_OK);
	for (int i = 0; i < BRAKE_WIDE; i++)
		assert_int_equal(brake_begin(b, name_of(text, "new", i), who(1).o, NOW, &t[i]), E_OK);
	assert_int_equal(brake_begin(b, name_of(text, "new", BRAKE_WIDE), who(1).o, NOW, &one), E_TEMP);
	for (int i = 0; i < BRAKE_WIDE; i++)
		brake_end(b, &t[i], NOW, E_DENIED);
	assert_int_equal(brake_begin(b, name_of(text, "new", BRAKE_WIDE), who(1).o, NOW, &one), E_OK);
	brake_end(b, &one, NOW, E_OK);
	brake_free(b);
}

// ---- proven pairs

static void test_proven(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	struct sl name = SL("alice@example.org");
	char text[32];

	assert_int_equal(attempt(b, name, 1, NOW, E_OK), E_OK);
	fail_times(b, name, 1, NOW, BRAKE_PROVEN - 1);
	assert_int_equal(attempt(b, name, 1, NOW, E_OK), E_OK); // hammered, and lets its user in
	for (int i = 0; i < 2 * BRAKE_WIDE; i++)
		assert_int_equal(attempt(b, name_of(text, "new", i), 1, NOW, E_OK), E_OK); // nor is it the address's
	fail_times(b, name, 1, NOW, 1);
	assert_int_equal(attempt(b, name, 1, NOW, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, name, 1, NOW + BRAKE_PROVEN_EACH_S - 1, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, name, 1, NOW + BRAKE_PROVEN_EACH_S, E_OK), E_OK);
	// right, though the service is off: as good as a login
	assert_int_equal(attempt(b, SL("off@example.org"), 9, NOW, E_DENIED), E_DENIED);
	fail_times(b, SL("off@example.org"), 9, NOW, BRAKE_PROVEN);
	brake_free(b);
}

/// The exemption lasts as long as it says from the last login on, and wrong passwords do not lengthen it.
static void test_proven_ends(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	struct sl name = SL("alice@example.org");
	int64_t late = NOW + DAY + BRAKE_PROVEN_KEPT_S;

	assert_int_equal(attempt(b, name, 1, NOW, E_OK), E_OK);
	assert_int_equal(attempt(b, name, 1, NOW + DAY, E_OK), E_OK);
	fail_times(b, name, 1, late - 1, BRAKE_SLIPS + 1);
	fail_times(b, name, 1, late, BRAKE_SLIPS);
	assert_int_equal(attempt(b, name, 1, late, E_AUTH), E_LIMIT);
	brake_free(b);
}

/// A wrong password proves nobody, also where the pair was forgotten while it was looked at.
static void test_proven_meanwhile(void **)
{
	struct brake *b = made((struct brake_conf){ .proven_sets = 1 });
	struct sl name = SL("alice@example.org");
	struct brake_try t;
	char text[32];

	assert_int_equal(attempt(b, name, 1, NOW, E_OK), E_OK);
	assert_int_equal(brake_begin(b, name, who(1).o, NOW, &t), E_OK);
	assert_true(t.proven);
	for (int i = 0; i < BRAKE_WAYS; i++) // its place goes to others
		assert_int_equal(attempt(b, name_of(text, "new", i), 1, NOW + 1 + i, E_OK), E_OK);
	brake_end(b, &t, NOW + 20, E_AUTH);
	fail_times(b, name, 1, NOW + 20, BRAKE_SLIPS);
	assert_int_equal(attempt(b, name, 1, NOW + 20, E_AUTH), E_LIMIT);
	brake_free(b);
}

// ---- bounds

/// A guesser's brake outlasts a flood of made-up names and addresses, in a table with room for eight.
static void test_flood(void **)
{
	struct brake *b = made((struct brake_conf){ .sets = 1, .wide_sets = 1, .proven_sets = 1 });
	char text[32];
	struct sl name = SL("alice@example.org");

	fail_times(b, name, 1, NOW, BRAKE_SLIPS);
	for (int i = 0; i < BRAKE_WIDE - BRAKE_SLIPS; i++)
		fail_times(b, name_of(text, "sprayed", i), 1, NOW, 1);
	for (int i = 0; i < 100000; i++)
		(void)attempt(b, name_of(text, "madeup", i), (unsigned)i + 2, NOW + 1, i % 4 ? E_AUTH : E_OK);
	assert_int_equal(attempt(b, name, 1, NOW + 1, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, SL("new@example.org"), 1, NOW + 1, E_OK), E_LIMIT);
	brake_free(b);
}

/// Where eight guess, one more takes the place of the one with the fewest wrong passwords, and none else.
static void test_full_set(void **)
{
	struct brake *b = made((struct brake_conf){ .sets = 1 });
	char text[32];
	int braked = 0;

	for (int i = 0; i < BRAKE_WAYS; i++) {
		int64_t now = NOW;
		for (int k = 0; k < BRAKE_SLIPS + 1 + (i > 0); k++, now += BRAKE_WAIT_MAX_S * (k >= BRAKE_SLIPS))
			fail_times(b, name_of(text, "guessed", i), (unsigned)i, now, 1);
	}
	for (int i = 0; i < 1000; i++)
		fail_times(b, name_of(text, "madeup", i), 1000 + (unsigned)i, NOW + BRAKE_WAIT_MAX_S, 1);
	for (int i = 0; i < BRAKE_WAYS; i++)
		braked += brake_look(b, name_of(text, "guessed", i), who((unsigned)i).o, NOW + BRAKE_WAIT_MAX_S) ==
		          E_LIMIT;
	assert_int_equal(braked, BRAKE_WAYS - 1);
	assert_int_equal(brake_look(b, name_of(text, "guessed", 0), who(0).o, NOW + BRAKE_WAIT_MAX_S), E_OK);
	brake_free(b);
}

/// Every set is used: as many pairs as there are places, and most of them stay.
static void test_spread(void **)
{
	struct brake *b = made((struct brake_conf){ .sets = 64 });
	char text[32];
	int braked = 0;

	for (int i = 0; i < 64 * BRAKE_WAYS / 2; i++)
		fail_times(b, name_of(text, "guessed", i), (unsigned)i, NOW, BRAKE_SLIPS);
	for (int i = 0; i < 64 * BRAKE_WAYS / 2; i++)
		braked += brake_look(b, name_of(text, "guessed", i), who((unsigned)i).o, NOW) == E_LIMIT;
	assert_true(braked > 64 * BRAKE_WAYS / 2 * 9 / 10);
	brake_free(b);
}

/// A clock that goes back makes no wait longer, and no exemption.
static void test_clock_back(void **)
{
	struct brake *b = made((struct brake_conf){ 0 });
	struct sl name = SL("alice@example.org"), bob = SL("bob@example.org");
	int64_t back = NOW - 100 * DAY;
	char text[32];

	assert_int_equal(attempt(b, bob, 1, NOW, E_OK), E_OK);
	fail_times(b, bob, 1, NOW, BRAKE_PROVEN);
	fail_times(b, name, 1, NOW, BRAKE_SLIPS);
	for (int i = 0; i < BRAKE_WIDE; i++)
		fail_times(b, name_of(text, "sprayed", i), 2, NOW, 1);
	assert_int_equal(attempt(b, name, 1, back, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, bob, 1, back, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, SL("new@example.org"), 2, back, E_OK), E_LIMIT);
	assert_int_equal(attempt(b, name, 1, back + BRAKE_WAIT_S, E_OK), E_OK);
	assert_int_equal(attempt(b, bob, 1, back + BRAKE_PROVEN_EACH_S, E_AUTH), E_AUTH);
	assert_int_equal(attempt(b, SL("new@example.org"), 2, back + BRAKE_WIDE_EACH_S, E_OK), E_OK);
	fail_times(b, bob, 1, back + BRAKE_PROVEN_KEPT_S, BRAKE_SLIPS);
	assert_int_equal(attempt(b, bob, 1, back + BRAKE_PROVEN_KEPT_S, E_AUTH), E_LIMIT);
	brake_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_spraying),
		cmocka_unit_test(test_office),
		cmocka_unit_test(test_proven),
		cmocka_unit_test(test_proven_ends),
		cmocka_unit_test(test_proven_meanwhile),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_full_set),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_clock_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
