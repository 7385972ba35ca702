/// Tests of burden, by a clock of their own, and of the turns that the writer takes by it.
#include "store/burden.h"

#include <semaphore.h>
#include <time.h>

#include "store/testbed.h"

enum { MS = 1000000 };

static bool heavy(const struct burdens *b, uint64_t who, int64_t now_ns)
{
	int64_t job_ns;

	return burden_is_heavy(b, who, now_ns, &job_ns);
}

/// Half of the time is everybody's right; more makes heavy, and what was used leaks away.
static void test_share(void **state)
{
	static const struct {
		const char *name;
		int64_t each_ns, used_ns; // every each_ns a job of used_ns
		bool heavy;
	} cases[] = {
		{ "little", 10 * MS, 1 * MS, false },
		{ "half", 10 * MS, 5 * MS, false },
		{ "most", 10 * MS, 8 * MS, true },
		{ "one long job an hour", 3600000LL * MS, 15 * MS, false },
		{ "too long a job", 100 * MS, 90 * MS, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct burdens *b = calloc(1, sizeof *b);
		int64_t now = 0;
		for (int job = 0; job < 1000; job++)
			burden_add(b, 7, cases[i].used_ns, now += cases[i].each_ns);
		CHECK(heavy(b, 7, now) == cases[i].heavy, cases[i].name);
		CHECK(!heavy(b, 8, now) && !heavy(b, 7 + BURDEN_SLOTS, now), cases[i].name);
		CHECK(!heavy(b, 7, now + 1000 * (int64_t)(90 * MS)), cases[i].name);
		free(b);
	}
}

/// Of two that meet in a slot the one that uses more is known; nobody is never heavy.
static void test_meet(void **state)
{
	struct burdens *b = calloc(1, sizeof *b);
	int64_t job_ns = 0;

	(void)state;
	burden_add(b, 5, 50 * MS, MS);
	burden_add(b, 5 + BURDEN_SLOTS, 1 * MS, MS);
	assert_true(heavy(b, 5, MS) && !heavy(b, 5 + BURDEN_SLOTS, MS));
	burden_add(b, 5 + BURDEN_SLOTS, 60 * MS, MS);
	assert_true(!heavy(b, 5, MS) && burden_is_heavy(b, 5 + BURDEN_SLOTS, MS, &job_ns));
	assert_int_equal(job_ns, 60 * MS);
	burden_add(b, 0, 900 * MS, MS);
	assert_false(heavy(b, 0, MS));
	free(b);
}

// ---- turns

enum { HEAVY_JOBS = 40, LIGHT = 8, HEAVY = 7, OTHER = 9 };

struct gate {
	sem_t entered, open;
};
static enum ec wait_run(struct cx *, struct txn *, struct job *job)
{
	struct gate *g = job->arg;

	sem_post(&g->entered);
	while (sem_wait(&g->open))
		;
	return E_OK;
}

static enum ec nap_run(struct cx *, struct txn *, struct job *job)
{
	long ms = (long)(intptr_t)job->arg;

	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * MS }, NULL);
	return E_OK;
}

static struct order {
	const struct job *job[2 * HEAVY_JOBS];
	_Atomic unsigned n;
} order;
static void note_done(struct job *job, enum ec e)
{
	assert_int_equal(e, E_OK);
	order.job[order.n] = job;
	order.n++;
}

static unsigned place_of(const struct job *job)
{
	unsigned at = 0;

	while (at < order.n && order.job[at] != job)
		at++;
	return at;
}

/// Behind one account's pile of long jobs nobody else waits for more than one of them; whoever else keeps the writer
/// busy takes turns with it, and nobody is left out.
static void test_turns(void **state)
{
	(void)state;
	struct bed b = bed_make();
	struct store *s = bed_open(&b);
	struct job first[2] = { { .run = nap_run, .arg = (void *)2000, .done = note_done, .who = HEAVY },
		{ .run = nap_run, .arg = (void *)2000, .done = note_done, .who = OTHER } };
	struct job heavy[HEAVY_JOBS], light = { .run = nap_run, .done = note_done, .who = LIGHT };
	struct job other = { .run = nap_run, .arg = (void *)50, .done = note_done, .who = OTHER };
	struct job delivery = { .run = nap_run, .done = note_done };
	struct gate g;
	struct job gate = { .run = wait_run, .arg = &g, .done = note_done };

	sem_init(&g.entered, 0, 0);
	sem_init(&g.open, 0, 0);
	store_submit(s, &first[0]);
	store_submit(s, &first[1]);
	store_submit(s, &gate);
	while (sem_wait(&g.entered))
		;
	unsigned before = order.n;
	for (unsigned i = 0; i < HEAVY_JOBS; i++) {
		heavy[i] = (struct job){ .run = nap_run, .arg = (void *)50, .done = note_done, .who = HEAVY };
		store_submit(s, &heavy[i]);
	}
	store_submit(s, &other);
	store_submit(s, &light);
	store_submit(s, &delivery);
	sem_post(&g.open);
	store_close(s);
	assert_int_equal(order.n, HEAVY_JOBS + 6);
	assert_true(place_of(&light) <= before + 4 && place_of(&delivery) <= before + 4);
	assert_true(place_of(&other) <= before + 6);
	for (unsigned i = 1; i < HEAVY_JOBS; i++)
		assert_true(place_of(&heavy[i - 1]) < place_of(&heavy[i]));
	sem_destroy(&g.entered);
	sem_destroy(&g.open);
	bed_remove(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_meet),
		cmocka_unit_test(test_turns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
