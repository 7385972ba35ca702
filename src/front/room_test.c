/// Tests of front/room: limits of role and user, the order of those who wait, giving up, and that nothing is left over.
#include "base/check.h"

#include "front/room.h"

enum { MIB = 1 << 20 };

static struct room room;
static char order[64];

static void begin(size_t limit, size_t user_limit, int64_t wait_ms)
{
	struct fib_conf conf = { .fibers_max = 2000 };
	struct cx cx = { 0 };

	room = (struct room){ .limit = limit, .user_limit = user_limit, .wait_ms = wait_ms };
	order[0] = 0;
	assert_int_equal(fib_start(&cx, &conf), E_OK);
}

/// Runs all fibers; afterwards nobody has or wants anything.
static void run(void)
{
	fib_run(0);
	fib_end();
	assert_int_equal(room.used, 0);
	assert_null(room.users);
	assert_null(room.first);
	assert_true(room.high <= room.limit);
}

struct wish {
	const char *name; // noted in `order` when granted
	uint64_t account;
	size_t octets;
	unsigned hold; // yields
	enum ec want;
};

FIB static void wishing(struct cx *cx, void *arg)
{
	const struct wish *w = arg;
	struct room_share s = { .room = &room, .account = w->account };

	assert_int_equal(room_take(cx, &s, w->octets), w->want);
	assert_int_equal(s.octets, w->want == E_OK ? w->octets : 0);
	if (w->want == E_OK)
		strcat(order, w->name);
	for (unsigned i = 0; i < w->hold; i++)
		assert_int_equal(fib_yield(cx), E_OK);
	room_give(&s);
}

static void go(const struct wish *w)
{
	assert_int_equal(fib_go(wishing, (void *)(uintptr_t)w), E_OK);
}

/// A large wish is not overtaken by those behind it; one whose user has too much is.
static void test_order(void **state)
{
	(void)state;
	static const struct wish all[] = {
		{ "a", 1, 6, 10, E_OK }, // of 10 that the role has
		{ "b", 1, 3, 1, E_OK },  // its user may have 8: waits for a
		{ "c", 2, 6, 10, E_OK }, // waits for a
		{ "d", 3, 1, 1, E_OK },  // would fit, but behind c
		{ "e", 3, 4, 1, E_OK },
	};

	begin(10, 8, 60000);
	for (size_t i = 0; i < 5; i++)
		go(&all[i]);
	run();
	assert_string_equal(order, "abcde");
	begin(10, 8, 60000);
	go(&all[0]), go(&all[1]), go(&all[4]); // only the user's limit is in the way of b
	run();
	assert_string_equal(order, "aeb");
}

FIB static void holder(struct cx *cx, void *arg)
{
	struct room_share s = { .room = &room, .account = 1 };

	assert_int_equal(room_take(cx, &s, 8), E_OK);
	while (fib_count() > 1) // those who wait must give up: nothing is given back before
		assert_int_equal(fib_yield(cx), E_OK);
	assert_string_equal(order, arg);
	room_give(&s);
}

/// Who waits for too long, or wants what nobody may have, is refused and leaves the way free.
static void test_refusals(void **state)
{
	(void)state;
	static const struct wish never = { "x", 4, 9, 0, E_TEMP }, late = { "x", 1, 1, 0, E_TEMP },
				 late_too = { "x", 2, 5, 0, E_TEMP }, behind = { "c", 3, 2, 0, E_OK };

	begin(10, 8, 1);
	assert_int_equal(fib_go(holder, (void *)(uintptr_t) "c"), E_OK);
	go(&never), go(&late), go(&late_too), go(&behind);
	run();
}

FIB static void grows(struct cx *cx, void *arg)
{
	struct room_share s = { .room = &room, .account = 1 };

	(void)arg;
	assert_int_equal(room_take(cx, &s, 4), E_OK);
	assert_int_equal(room_take(cx, &s, 7), E_OK);
	assert_int_equal(room.used, 7);
	assert_int_equal(room_take(cx, &s, 9), E_TEMP); // nobody's: and it keeps what it has
	assert_int_equal(s.octets, 7);
	assert_int_equal(room_take(cx, &s, 2), E_OK);
	assert_int_equal(room.used, 2);
	assert_int_equal(room_take(cx, &s, 0), E_OK);
	assert_null(room.users);
	room_give(&s);
}

static void test_grow_and_shrink(void **state)
{
	(void)state;
	begin(10, 8, 60000);
	assert_int_equal(fib_go(grows, NULL), E_OK);
	run();
}

static struct cx *waiting_cx;
FIB static void cancelled(struct cx *cx, void *arg)
{
	struct room_share s = { .room = &room, .account = 2 };

	(void)arg;
	waiting_cx = cx;
	assert_int_equal(room_take(cx, &s, 5), E_CANCELED);
	assert_int_equal(cx->deadline_ns, 0);
}
FIB static void canceller(struct cx *cx, void *arg)
{
	struct room_share s = { .room = &room, .account = 1 };

	(void)arg;
	assert_int_equal(room_take(cx, &s, 8), E_OK);
	while (!room.first)
		assert_int_equal(fib_yield(cx), E_OK);
	fib_cancel(waiting_cx);
	while (room.first)
		assert_int_equal(fib_yield(cx), E_OK);
	room_give(&s);
}
static void test_cancel(void **state)
{
	(void)state;
	begin(10, 8, 60000);
	assert_int_equal(fib_go(canceller, NULL), E_OK);
	assert_int_equal(fib_go(cancelled, NULL), E_OK);
	run();
}

/// Where the role has no room, and only there, somebody is asked to make some, again and again until there is.
static unsigned asked;
static void count_asked(void *arg)
{
	asked += *(unsigned *)arg;
}
FIB static void gives_when_asked(struct cx *cx, void *arg)
{
	struct room_share s = { .room = &room, .account = 1 };

	(void)arg;
	assert_int_equal(room_take(cx, &s, 8), E_OK);
	while (asked < 2)
		assert_int_equal(fib_yield(cx), E_OK);
	room_give(&s);
}
static void test_shortage(void **state)
{
	(void)state;
	static const struct wish role = { "r", 2, 5, 0, E_OK }, user = { "u", 1, 4, 0, E_TEMP };
	unsigned one = 1;

	for (int i = 0; i < 2; i++) {
		begin(i ? 20 : 10, 8, i ? 1 : 60000);
		asked = 0;
		room.shortage = count_asked;
		room.shortage_arg = &one;
		assert_int_equal(i ? fib_go(holder, (void *)(uintptr_t) "") : fib_go(gives_when_asked, NULL), E_OK);
		go(i ? &user : &role);
		run();
		assert_int_equal(asked, i ? 0 : 2);
	}
}

/// Many users with many sessions: nobody is lost, the limits hold.
static void test_crowd(void **state)
{
	(void)state;
	static struct wish w[1000];

	begin(100, 30, 60000);
	for (unsigned i = 0; i < 1000; i++) {
		w[i] = (struct wish){ "", i % 7, 1 + i * 13 % 30, i % 5, E_OK };
		go(&w[i]);
	}
	run();
	assert_in_range(room.high, 71, 100);
}

/// One message of 50 MiB, however its structure, always has its place; larger ones where they are allowed.
static void test_limits(void **state)
{
	(void)state;
	struct room r = room_make((size_t)98 * MIB);

	assert_int_equal(r.limit, ROOM_OCTETS);
	assert_int_equal(r.user_limit, ROOM_USER_OCTETS);
	r = room_make((size_t)1000 * MIB);
	assert_true(r.user_limit == (size_t)1000 * MIB && r.limit >= r.user_limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_grow_and_shrink),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_shortage),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests_name("front/room", tests, NULL, NULL);
}
