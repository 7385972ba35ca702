/// fiber_test — order, deadlines, cancellation, descriptors, events, locks, helpers, guards.
#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "fiber/core.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 2000 };

static void begin(const struct fib_env *env)
{
	struct fib_conf conf = { .fibers_max = MANY + 10 };
	struct fib_env kernel = fib_env_kernel();

	assert_int_equal(fib_start_env(NULL, &conf, env ? env : &kernel), E_OK);
}

static void go(void (*fn)(struct cx *, void *), void *arg)
{
	assert_int_equal(fib_go(fn, arg), E_OK);
}

static void run(void)
{
	fib_run(0);
	fib_end();
}

// A clock that moves only when the scheduler waits.
struct fake {
	int64_t now_ns;
};
static int64_t fake_now(void *arg)
{
	return ((struct fake *)arg)->now_ns;
}
static int fake_ctl(void *, int, int, int, struct epoll_event *)
{
	return 0;
}
static int fake_poll(void *arg, int, struct epoll_event *, int, int timeout_ms)
{
	assert_true(timeout_ms >= 0); // else the test would hang
	((struct fake *)arg)->now_ns += (int64_t)timeout_ms * 1000000;
	return 0;
}

static char order[64];
FIB static void append_name(struct cx *cx, void *arg)
{
	for (int i = 0; i < 2; i++) {
		strcat(order, arg);
		assert_int_equal(fib_yield(cx), E_OK);
	}
}
static void run_seeded(uint64_t seed, char out[64])
{
	struct fake fake = { 1 };
	struct fib_env env = { &fake, fake_now, fake_ctl, fake_poll, seed, false };

	order[0] = 0;
	begin(&env);
	go(append_name, "a"), go(append_name, "b"), go(append_name, "c"), go(append_name, "d");
	run();
	strcpy(out, order);
}
static void test_order(void **)
{
	char plain[64], one[64], again[64];
	unsigned differ = 0;

	run_seeded(0, plain);
	assert_string_equal(plain, "abcdabcd");
	for (uint64_t seed = 1; seed <= 20; seed++) {
		run_seeded(seed, one);
		run_seeded(seed, again);
		assert_string_equal(one, again);
		differ += strcmp(one, plain) != 0;
	}
	assert_true(differ > 10);
}

FIB static void sleeper(struct cx *cx, void *arg)
{
	int64_t *woke = arg;

	cx->deadline_ns = 1 + 500 * 1000000LL;
	assert_int_equal(fib_sleep(cx, 300), E_OK);
	woke[0] = sched->now_ns;
	assert_int_equal(fib_sleep(cx, 300), E_TIMEOUT);
	woke[1] = sched->now_ns;
	cx->deadline_ns = 0;
	assert_int_equal(fib_sleep(cx, 20), E_OK); // an earlier time than any before must move the entry
	woke[2] = sched->now_ns;
}
static void test_fake_clock(void **)
{
	struct fake fake = { 1 };
	struct fib_env env = { &fake, fake_now, fake_ctl, fake_poll, 0, false };
	int64_t woke[3];

	begin(&env);
	go(sleeper, woke);
	run();
	assert_int_equal(woke[0], 1 + 300000000);
	assert_int_equal(woke[1], 1 + 500000000);
	assert_int_equal(woke[2], 1 + 520000000);
}

struct wait {
	struct cx *cx;
	struct fib_event ev;
	struct fib_fd f;
	enum ec e;
	bool fired;
	int fd[2];
};
FIB static void wait_event(struct cx *cx, void *arg)
{
	struct wait *w = arg;

	w->cx = cx;
	w->e = fib_event_wait(cx, &w->ev);
}
FIB static void cancel_it(struct cx *, void *arg)
{
	fib_cancel(((struct wait *)arg)->cx);
}
static void test_cancel(void **)
{
	struct wait w = { .e = E_OK };

	begin(NULL);
	go(wait_event, &w), go(cancel_it, &w);
	run();
	assert_int_equal(w.e, E_CANCELED);
}

static void pair_open(struct wait *w)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, w->fd), 0);
}
FIB static void reader(struct cx *cx, void *arg)
{
	struct wait *w = arg;
	char c;

	assert_int_equal(fib_fd_add(cx, &w->f, w->fd[0]), E_OK);
	w->cx = cx;
	w->e = fib_wait_readable(cx, &w->f);
	if (w->e == E_OK)
		assert_int_equal(read(w->fd[0], &c, 1), 1);
	fib_fd_del(&w->f);
}
FIB static void either(struct cx *cx, void *arg)
{
	struct wait *w = arg;

	assert_int_equal(fib_fd_add(cx, &w->f, w->fd[0]), E_OK);
	w->e = fib_wait_readable_or(cx, &w->f, &w->ev, &w->fired);
	fib_fd_del(&w->f);
}
FIB static void set_it(struct cx *, void *arg)
{
	fib_event_set(&((struct wait *)arg)->ev);
}
FIB static void write_it(struct cx *, void *arg)
{
	assert_int_equal(write(((struct wait *)arg)->fd[1], "x", 1), 1);
}
FIB static void del_it(struct cx *, void *arg)
{
	fib_fd_del(&((struct wait *)arg)->f);
}
static void test_descriptor_waits(void **)
{
	static const struct {
		const char *name;
		void (*waiter)(struct cx *, void *), (*other)(struct cx *, void *);
		enum ec want;
		bool fired;
	} cases[] = {
		{ "data wakes", reader, write_it, E_OK, false },
		{ "del wakes", reader, del_it, E_CLOSED, false },
		{ "cancel wakes", reader, cancel_it, E_CANCELED, false },
		{ "event wakes an idle reader", either, set_it, E_OK, true },
		{ "data wakes one with an event", either, write_it, E_OK, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct wait w = { .e = E_IO };
		pair_open(&w);
		begin(NULL);
		go(cases[i].waiter, &w), go(cases[i].other, &w);
		run();
		if (w.e != cases[i].want || w.fired != cases[i].fired)
			print_error("case \"%s\": %s\n", cases[i].name, ec_name(w.e));
		assert_true(w.e == cases[i].want && w.fired == cases[i].fired);
		close(w.fd[0]), close(w.fd[1]);
	}
}

FIB static void reuse(struct cx *cx, void *)
{
	struct wait old = { .e = E_OK }, new = { .e = E_OK };
	uint64_t data;

	pair_open(&old);
	assert_int_equal(fib_fd_add(cx, &old.f, old.fd[0]), E_OK);
	data = (uint64_t)old.f.generation << 32 | (uint32_t)old.f.fd;
	fib_fd_del(&old.f);
	close(old.fd[0]), close(old.fd[1]);
	pair_open(&new);
	assert_int_equal(new.fd[0], old.fd[0]); // the number is used again
	assert_int_equal(fib_fd_add(cx, &new.f, new.fd[0]), E_OK);
	watch_event(sched, data, EPOLLIN); // was on its way
	assert_int_equal(new.f.ready, 0);
	assert_int_equal(sched->stale_events, 1);
	fib_fd_del(&old.f); // an old handle does nothing
	cx->deadline_ns = sched->now_ns + 1000000;
	assert_int_equal(fib_wait_readable(cx, &new.f), E_TIMEOUT);
	fib_fd_del(&new.f);
	close(new.fd[0]), close(new.fd[1]);
}
static void test_generation(void **)
{
	begin(NULL);
	go(reuse, NULL);
	run();
}

static struct fib_lock lock;
FIB static void locker(struct cx *cx, void *arg)
{
	assert_int_equal(fib_lock(cx, &lock), E_OK);
	assert_int_equal(fib_sleep(cx, 10), E_OK);
	strcat(order, arg);
	fib_unlock(&lock);
}
FIB static void late_locker(struct cx *cx, void *)
{
	cx->deadline_ns = 1 + 5000000; // before the first holder is through: leaves the middle of the queue
	assert_int_equal(fib_lock(cx, &lock), E_TIMEOUT);
}
static void test_lock_is_fair(void **)
{
	struct fake fake = { 1 };
	struct fib_env env = { &fake, fake_now, fake_ctl, fake_poll, 0, false };

	order[0] = 0;
	begin(&env);
	go(locker, "a"), go(locker, "b"), go(locker, "c"), go(late_locker, NULL), go(locker, "d");
	go(late_locker, NULL); // and its end
	fib_run(0);
	assert_string_equal(order, "abcd");
	assert_null(lock.owner);
	fib_end();
}

static int on_helper(void)
{
	return gettid() != getpid();
}
struct count {
	unsigned done, wrong, full;
};
static void work(void *arg)
{
	*(int *)arg = on_helper();
}
FIB static void offloader(struct cx *cx, void *arg)
{
	struct count *c = arg;

	for (int i = 0; i < 5; i++) {
		int there = -1;
		enum ec e = fib_offload(cx, work, &there);
		c->full += e == E_TEMP;
		c->done += e == E_OK;
		c->wrong += e == E_OK ? there != 1 : there != -1;
	}
}
static void test_offload_under_load(void **)
{
	struct count c = { 0 };

	begin(NULL);
	for (int i = 0; i < MANY; i++)
		go(offloader, &c);
	run();
	assert_int_equal(c.done + c.full, MANY * 5);
	assert_true(c.done >= OFFLOAD_QUEUE_MAX);
	assert_int_equal(c.wrong, 0);
}

static void look(void *arg)
{
	*(void **)arg = __builtin_frame_address(0);
}
FIB static void on_main(struct cx *, void *)
{
	struct stack *st = sched->running->stack;
	uint8_t *there = NULL;

	fib_on_main(look, &there);
	assert_true(there < st->low || there >= st->high);
}
static void test_on_main(void **)
{
	begin(NULL);
	go(on_main, NULL);
	run();
}

static long pss_kib(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/smaps_rollup", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Pss: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}
FIB static void set_all(struct cx *cx, void *arg)
{
	struct wait *w = arg;

	assert_int_equal(fib_sleep(cx, 10), E_OK);
	print_message("PSS of %d idle fibers: %ld KiB\n", MANY, pss_kib());
	for (int i = 0; i < MANY; i++)
		fib_event_set(&w[i].ev);
}
static void test_many_idle(void **)
{
	struct wait *w = calloc(MANY, sizeof *w);
	bool by_map[] = { false, true };

	for (size_t k = 0; k < 2; k++) {
		struct fib_env env = fib_env_kernel();
		env.guard_by_map = by_map[k];
		begin(&env);
		long before = pss_kib();
		for (int i = 0; i < MANY; i++) {
			w[i] = (struct wait){ .e = E_IO };
			pair_open(&w[i]);
			go(either, &w[i]);
		}
		print_message("PSS before they run: %ld KiB, struct fib %zu octets\n", before, sizeof(struct fib));
		go(set_all, w);
		run();
		for (int i = 0; i < MANY; i++) {
			assert_true(w[i].e == E_OK && w[i].fired);
			close(w[i].fd[0]), close(w[i].fd[1]);
		}
	}
	free(w);
}

static int deeper(volatile char *up)
{
	volatile char here[1024];

	here[0] = *up;
	return here[0] ? deeper(here) + here[0] : 0; // never 0, which the compiler cannot know
}
FIB static void overflow(struct cx *, void *)
{
	volatile char c = 1;
	_exit(deeper(&c));
}
static void test_overflow_dies(void **)
{
	for (int by_map = 0; by_map < 2; by_map++) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			struct fib_env env = fib_env_kernel();
			env.guard_by_map = by_map;
			signal(SIGSEGV, SIG_DFL);
			begin(&env);
			go(overflow, NULL);
			fib_run(0);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	}
}

// ---- stacks parked for long

static void deep_once(volatile char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 512)
		p[i] = 1;
}
[[gnu::noinline]] static void use_much(void)
{
	volatile char big[60000];

	deep_once(big, sizeof big);
}
static size_t pages_in_core(const struct stack *st)
{
	unsigned char in_core[STACK_OCTETS / 4096];
	size_t n = 0, total = (size_t)(st->high - st->low) / sched->stacks.page;

	assert_int_equal(mincore(st->low, (size_t)(st->high - st->low), in_core), 0);
	for (size_t i = 0; i < total; i++)
		n += in_core[i] & 1;
	return n;
}
struct deep {
	struct stack *stack;
	volatile int after;
};
FIB static void go_deep(struct cx *cx, void *arg)
{
	struct deep *d = arg;
	volatile char kept[700];

	for (size_t i = 0; i < sizeof kept; i++)
		kept[i] = (char)i;
	use_much();
	d->stack = sched->running->stack;
	assert_int_equal(fib_sleep(cx, FIB_TRIM_AFTER_MS * 3), E_OK);
	for (size_t i = 0; i < sizeof kept; i++) // what is live stays
		assert_int_equal(kept[i], (char)i);
	use_much(); // and the rest may be used again
	d->after = 1;
}
FIB static void see_trim(struct cx *cx, void *arg)
{
	struct deep *d = arg;

	assert_int_equal(fib_sleep(cx, FIB_TRIM_AFTER_MS - 100), E_OK);
	assert_true(pages_in_core(d->stack) >= 14);
	assert_int_equal(fib_sleep(cx, 200), E_OK);
	assert_true(pages_in_core(d->stack) <= 3);
	assert_int_equal(d->after, 0);
}
static void test_trim(void **)
{
	struct fake fake = { 1 };
	struct fib_env env = { &fake, fake_now, fake_ctl, fake_poll, 0, false };
	struct fib_stats stats;
	struct deep d = { .after = 0 };

	begin(&env);
	go(go_deep, &d), go(see_trim, &d);
	fib_run(0);
	fib_get_stats(&stats);
	assert_int_equal(d.after, 1);
	assert_true(stats.stack_high_water >= 60000 && stats.stack_high_water < STACK_OCTETS);
	fib_end();
}

// ---- stopping

static unsigned born_late;
FIB static void late_child(struct cx *cx, void *)
{
	born_late += fib_sleep(cx, 1000000) == E_CANCELED;
}
FIB static void heedless(struct cx *cx, void *arg)
{
	*(enum ec *)arg = fib_sleep(cx, 1000000);
	go(late_child, NULL);
}
FIB static void heedful(struct cx *cx, void *arg)
{
	while (!fib_stopping())
		if (fib_sleep(cx, 10) != E_OK)
			return;
	*(enum ec *)arg = fib_sleep(cx, 50); // ends its work within the grace
}
FIB static void uncut(struct cx *cx, void *arg)
{
	struct cx quiet = { 0 };

	(void)cx;
	*(enum ec *)arg = fib_sleep(&quiet, 2000); // under a cx of its own: not cut short
}
FIB static void stopper(struct cx *cx, void *)
{
	assert_int_equal(fib_sleep(cx, 100), E_OK);
	assert_false(fib_stopping());
	fib_stop();
	fib_stop(); // again: the grace does not begin anew
	assert_true(fib_stopping());
}
static void test_stop_with_grace(void **)
{
	struct fake fake = { 1 };
	struct fib_env env = { &fake, fake_now, fake_ctl, fake_poll, 0, false };
	enum ec e[3] = { E_COUNT, E_COUNT, E_COUNT };

	born_late = 0;
	begin(&env);
	go(heedless, &e[0]), go(heedful, &e[1]), go(uncut, &e[2]), go(stopper, NULL);
	fib_run(400);
	fib_end();
	assert_int_equal(e[0], E_CANCELED);
	assert_int_equal(e[1], E_OK);
	assert_int_equal(e[2], E_OK);
	assert_int_equal(born_late, 1);
	assert_int_equal(fake.now_ns, 1 + 2000 * 1000000LL);
}

// ---- limits

FIB static void nothing(struct cx *, void *)
{
}
static void test_fiber_limit(void **)
{
	struct fib_conf conf = { .fibers_max = 3 };

	for (int round = 0; round < 2; round++) {
		assert_int_equal(fib_start(NULL, &conf), E_OK);
		for (int i = 0; i < 3; i++)
			go(nothing, NULL);
		assert_int_equal(fib_go(nothing, NULL), E_LIMIT);
		assert_int_equal(fib_count(), 3);
		fib_run(0);
		assert_int_equal(fib_count(), 0);
		go(nothing, NULL); // there is room again
		run();
	}
}

static sem_t gate; // a mutex has an owner, which to TSan is a fiber
static void behind_gate(void *)
{
	sem_wait(&gate);
	sem_post(&gate);
}
FIB static void one_job(struct cx *cx, void *arg)
{
	struct count *c = arg;
	enum ec e = fib_offload(cx, behind_gate, NULL);

	c->done += e == E_OK;
	c->full += e == E_TEMP;
}
FIB static void open_gate(struct cx *, void *)
{
	sem_post(&gate);
}
/// Helpers that are stuck hold a job each at most, the queue takes its number, the others hear E_TEMP at once.
static void test_offload_full(void **)
{
	struct count c = { 0 };

	sem_init(&gate, 0, 0);
	begin(NULL);
	for (int i = 0; i < OFFLOAD_QUEUE_MAX + 100; i++)
		go(one_job, &c);
	go(open_gate, NULL); // runs when each of them has asked
	run();
	assert_in_range(c.full, 98, 100);
	assert_int_equal(c.done + c.full, OFFLOAD_QUEUE_MAX + 100);
	sem_destroy(&gate);
}

// ---- a yield where none may be

FIB static void yields_in_noyield(struct cx *cx, void *arg)
{
	NOYIELD_BEGIN();
	if (*(int *)arg == 0)
		(void)fib_yield(cx);
	else if (*(int *)arg == 1)
		(void)fib_sleep(cx, 1);
	NOYIELD_END();
	_exit(7);
}
FIB static void ends_in_noyield(struct cx *, void *)
{
	NOYIELD_BEGIN();
}
static void yield_main(void *cx)
{
	(void)fib_yield(cx); // on the main stack
}
FIB static void yields_on_main(struct cx *cx, void *)
{
	fib_on_main(yield_main, cx);
	_exit(7);
}
FIB static void ends_with_lock(struct cx *cx, void *)
{
	assert_int_equal(fib_lock(cx, &lock), E_OK);
}
static int status_of(void (*fn)(struct cx *, void *), int how)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		close(2);
		begin(NULL);
		go(fn, &how);
		fib_run(0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
static void test_noyield_dies(void **)
{
	static const struct {
		const char *name;
		void (*fn)(struct cx *, void *);
		int how;
	} cases[] = {
		{ "fib_yield", yields_in_noyield, 0 },
		{ "a wait", yields_in_noyield, 1 },
		{ "end of the fiber", ends_in_noyield, 0 },
		{ "fib_on_main", yields_on_main, 0 },
		{ "end with a lock held", ends_with_lock, 0 },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		int status = status_of(cases[i].fn, cases[i].how);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, cases[i].name);
	}
	int status = status_of(yields_in_noyield, 2); // and without a yield all is well
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

// ---- descriptors that other processes watch too; writing

static int event_ops[3]; // what the scheduler asked of epoll, by operation
static int counting_ctl(void *, int epfd, int op, int fd, struct epoll_event *ev)
{
	event_ops[op - 1]++;
	return epoll_ctl(epfd, op, fd, ev);
}
FIB static void shared_waits(struct cx *cx, void *arg)
{
	struct wait *w = arg;
	char c;

	assert_int_equal(fib_fd_add_shared(cx, &w->f, w->fd[0]), E_OK);
	assert_int_equal(event_ops[0], 0); // armed by the first wait
	cx->deadline_ns = sched->now_ns + 5000000;
	assert_int_equal(fib_wait_readable(cx, &w->f), E_TIMEOUT);
	assert_int_equal(event_ops[0], 1);
	cx->deadline_ns = 0;
	assert_int_equal(write(w->fd[1], "xy", 2), 2);
	for (int i = 0; i < 2; i++) { // level-triggered: what is left is told again
		assert_int_equal(fib_wait_readable(cx, &w->f), E_OK);
		assert_int_equal(read(w->fd[0], &c, 1), 1);
	}
	assert_int_equal(write(w->fd[1], "z", 1), 1);
	assert_int_equal(fib_sleep(cx, 20), E_OK); // nobody waits: it leaves the set instead of spinning
	assert_int_equal(event_ops[1], 1);         // EPOLL_CTL_DEL
	assert_int_equal(fib_wait_readable(cx, &w->f), E_OK);
	assert_int_equal(event_ops[0], 2);
	fib_fd_del(&w->f);
	assert_int_equal(event_ops[1], 2);
	assert_int_equal(fib_wait_readable(cx, &w->f), E_CLOSED);
	w->e = E_OK;
}
static void test_shared_descriptor(void **)
{
	struct fib_env env = fib_env_kernel();
	struct wait w = { .e = E_IO };

	memset(event_ops, 0, sizeof event_ops);
	env.ctl = counting_ctl;
	pair_open(&w);
	begin(&env);
	go(shared_waits, &w);
	run();
	assert_int_equal(w.e, E_OK);
	close(w.fd[0]), close(w.fd[1]);
}

FIB static void fill_up(struct cx *cx, void *arg)
{
	static const char zeros[65536];
	struct wait *w = arg;

	w->cx = cx;
	assert_int_equal(fib_fd_add(cx, &w->f, w->fd[0]), E_OK);
	for (int i = 0; i < 3; i++) {
		while (write(w->fd[0], zeros, sizeof zeros) > 0)
			;
		w->e = fib_wait_writable(cx, &w->f);
		if (w->e != E_OK)
			break;
	}
	fib_fd_del(&w->f);
}
FIB static void drain(struct cx *cx, void *arg)
{
	static char sink[65536];
	struct wait *w = arg;

	for (int i = 0; i < 10; i++) {
		while (read(w->fd[1], sink, sizeof sink) > 0)
			;
		assert_int_equal(fib_sleep(cx, 1), E_OK);
	}
}
static void test_wait_writable(void **)
{
	static const struct {
		const char *name;
		void (*other)(struct cx *, void *);
		enum ec want;
	} cases[] = {
		{ "room wakes", drain, E_OK },
		{ "cancel wakes", cancel_it, E_CANCELED },
		{ "del wakes", del_it, E_CLOSED },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct wait w = { .e = E_IO };
		pair_open(&w);
		begin(NULL);
		go(fill_up, &w), go(cases[i].other, &w);
		run();
		CHECK(w.e == cases[i].want, cases[i].name);
		close(w.fd[0]), close(w.fd[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_fake_clock),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_descriptor_waits),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_lock_is_fair),
		cmocka_unit_test(test_offload_under_load),
		cmocka_unit_test(test_on_main),
		cmocka_unit_test(test_many_idle),
		cmocka_unit_test(test_overflow_dies),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_stop_with_grace),
		cmocka_unit_test(test_fiber_limit),
		cmocka_unit_test(test_offload_full),
		cmocka_unit_test(test_noyield_dies),
		cmocka_unit_test(test_shared_descriptor),
		cmocka_unit_test(test_wait_writable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
