/// Tests of front/heavy: while helpers work, the scheduler's fibers go on; each helper has converters of its own.
#include "base/check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "front/heavy.h"

enum { JOBS = 8, TICKS = 100 };

static struct heavy heavy;
static sem_t ticked; // posted at each tick
static unsigned ticks, running, running_max, wrong;
static atomic_uint done; // the ticker looks without the mutex
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct charset_cache *in_use[HEAVY_SEATS];

static void note_begin(struct charset_cache *charsets)
{
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < running; i++)
		wrong += in_use[i] == charsets;
	in_use[running++] = charsets;
	running_max = running > running_max ? running : running_max;
	pthread_mutex_unlock(&mutex);
}

static void note_end(struct charset_cache *charsets)
{
	pthread_mutex_lock(&mutex);
	if (in_use[0] == charsets)
		in_use[0] = in_use[running - 1];
	running--;
	done++;
	pthread_mutex_unlock(&mutex);
}

/// Goes on only when another fiber has run TICKS times meanwhile. On the scheduler's thread none could.
static void work(struct charset_cache *charsets, void *arg)
{
	struct buf out = BUF(64);

	*(bool *)arg = gettid() != getpid();
	if (gettid() == getpid())
		return;
	note_begin(charsets);
	for (int i = 0; i < TICKS; i++)
		sem_wait(&ticked);
	if (charset_to_utf8(charsets, SL("gb18030"), SL("\xc4\xe3"), &out, NULL) != E_OK ||
		!sl_eq(buf_sl(&out), SL("你")))
		*(bool *)arg = false;
	buf_free(&out);
	note_end(charsets);
}

FIB static void worker(struct cx *cx, void *arg)
{
	bool helped = false;

	(void)arg;
	assert_int_equal(heavy_run(cx, &heavy, work, &helped), E_OK);
	assert_true(helped);
}

FIB static void ticker(struct cx *cx, void *arg)
{
	(void)arg;
	while (done < JOBS) {
		ticks++;
		sem_post(&ticked);
		assert_int_equal(fib_yield(cx), E_OK);
	}
}

static void test_others_go_on(void **state)
{
	(void)state;
	struct fib_conf conf = { .fibers_max = 20, .offload_threads = HEAVY_SEATS };
	struct cx cx = { 0 };

	sem_init(&ticked, 0, 0);
	assert_int_equal(heavy_preload(&heavy), E_OK);
	assert_int_equal(fib_start(&cx, &conf), E_OK);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(fib_go(worker, NULL), E_OK);
	assert_int_equal(fib_go(ticker, NULL), E_OK);
	fib_run(0);
	fib_end();
	assert_int_equal(done, JOBS);
	assert_int_equal(wrong, 0);
	assert_true(ticks >= JOBS * TICKS);
	assert_in_range(running_max, 1, HEAVY_SEATS);
	for (unsigned i = 0; i < HEAVY_SEATS; i++)
		assert_int_equal(heavy.seat[i].fibers, 0);
	heavy_free(&heavy);
}

/// Waiting for a seat ends with the session; work that has begun does not.
FIB static void impatient(struct cx *cx, void *arg)
{
	bool helped = false;

	(void)arg;
	cx->deadline_ns = 1; // long ago
	assert_int_equal(heavy_run(cx, &heavy, work, &helped), E_TIMEOUT);
	assert_false(helped);
	assert_int_equal(heavy.seat[0].fibers + heavy.seat[1].fibers, 0);
}
static void test_no_seat(void **state)
{
	(void)state;
	struct fib_conf conf = { .fibers_max = 20, .offload_threads = 1 };
	struct cx cx = { 0 };

	assert_int_equal(fib_start(&cx, &conf), E_OK);
	assert_int_equal(fib_go(impatient, NULL), E_OK);
	fib_run(0);
	fib_end();
	heavy_free(&heavy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_no_seat),
	};
	return cmocka_run_group_tests_name("front/heavy", tests, NULL, NULL);
}
