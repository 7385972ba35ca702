/// asked_test — what epoll is asked for, and how often.
#include <sys/epoll.h>

#include "base/check.h"
#include "fiber/core.h"

static void begin(const struct fib_env *env)
{
	struct fib_conf conf = { .fibers_max = 4 };

	assert_int_equal(fib_start_env(NULL, &conf, env), E_OK);
}

static void run(void)
{
	fib_run(0);
	fib_end();
}

// What epoll is asked: how often, and for which events.
struct asked {
	int64_t now_ns;
	unsigned polls, mods;
	uint32_t events;
};
static int64_t asked_now(void *arg)
{
	return ((struct asked *)arg)->now_ns;
}
static int asked_ctl(void *arg, int, int op, int, struct epoll_event *ev)
{
	struct asked *a = arg;

	a->mods += op == EPOLL_CTL_MOD;
	a->events = op == EPOLL_CTL_DEL ? a->events : ev->events;
	return 0;
}
static int asked_poll(void *arg, int, struct epoll_event *, int, int timeout_ms)
{
	struct asked *a = arg;

	assert_true(timeout_ms >= 0); // else the test would hang
	a->polls++;
	a->now_ns += (int64_t)timeout_ms * 1000000;
	return 0;
}

struct rally {
	struct fib_event *mine, *other;
};
FIB static void play_rally(struct cx *cx, void *arg)
{
	struct rally *r = arg;

	for (int i = 0; i < 40; i++) {
		fib_event_set(r->other);
		assert_int_equal(fib_event_wait(cx, r->mine), E_OK);
	}
	fib_event_set(r->other);
}
/// Fibers that wake each other run several times before epoll is asked again, but it is asked.
static void test_turns(void **)
{
	struct asked a = { .now_ns = 1 };
	struct fib_env env = { &a, asked_now, asked_ctl, asked_poll, 0, false };
	struct fib_event ev[2] = { 0 };
	struct rally r[2] = { { &ev[0], &ev[1] }, { &ev[1], &ev[0] } };

	begin(&env);
	assert_int_equal(fib_go(play_rally, &r[0]), E_OK);
	assert_int_equal(fib_go(play_rally, &r[1]), E_OK);
	run();
	assert_in_range(a.polls, 5, 80 / FIB_TURNS + 2);
}

FIB static void wait_room(struct cx *cx, void *arg)
{
	struct fib_fd f = { .fd = -1 };

	assert_int_equal(fib_fd_add(cx, &f, *(int *)arg), E_OK);
	for (int i = 0; i < 3; i++) {
		cx->deadline_ns = sched->now_ns + 1000000;
		assert_int_equal(i ? fib_wait_writable(cx, &f) : fib_wait_readable(cx, &f), E_TIMEOUT);
	}
	fib_fd_del(&f);
}
static void test_writes_asked_late(void **)
{
	struct asked a = { .now_ns = 1 };
	struct fib_env env = { &a, asked_now, asked_ctl, asked_poll, 0, false };
	int fd = 7;

	begin(&env);
	assert_int_equal(fib_go(wait_room, &fd), E_OK);
	run();
	assert_int_equal(a.mods, 1);
	assert_true(a.events & EPOLLOUT && a.events & EPOLLIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_writes_asked_late),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
