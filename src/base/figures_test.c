/// Tests of figures and board: the table, counting, pages over a restart, who may write, quantiles, what is printed.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/board.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static void test_table(void **state)
{
	unsigned at = 0;

	(void)state;
	for (unsigned f = 0; f < FIGURES; f++) {
		const struct figure_info *i = &figure_infos[f];
		bool counts = ends_with(i->name, "_total");
		CHECK(i->at == at, i->name);
		at += i->labels * (i->kind == KIND_TIMES ? (unsigned)TIMES_PLACES : 1u);
		CHECK(counts == (i->kind == KIND_COUNTER), i->name); // as Prometheus names them
		CHECK(ends_with(i->name, counts ? "_bytes_total" : "_bytes") == (i->unit == UNIT_BYTES), i->name);
		CHECK(strstr(i->name, "_seconds") ? i->unit == UNIT_SECONDS : i->unit != UNIT_SECONDS, i->name);
		CHECK(strspn(i->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(i->name), i->name);
		CHECK(ends_with(i->help, ".") && !strpbrk(i->help, "\\\n\""), i->name);
		for (unsigned k = 0; k < f; k++)
			CHECK(strcmp(i->name, figure_infos[k].name) != 0, i->name);
	}
	assert_int_equal(at, FIGURE_PLACES);
	for (unsigned s = 0; s < LABEL_SETS; s++)
		for (unsigned i = 0; i < figure_sets[s].n; i++)
			for (unsigned k = 0; k < i; k++)
				CHECK(strcmp(figure_sets[s].word[i], figure_sets[s].word[k]) != 0,
					figure_sets[s].word[i]);
	assert_string_equal(figure_sets[LABEL_REFUSAL].word[REFUSED_STOPPING], "stopping");
	assert_string_equal(figure_sets[LABEL_VERDICT].word[VERDICT_DEFERRED], "deferred");
	assert_string_equal(figure_sets[LABEL_LOGIN].word[LOGIN_ERROR], "error");
	assert_string_equal(figure_sets[LABEL_OUTCOME].word[OUTCOME_FAILED], "failed");
}

static void test_counting(void **state)
{
	(void)state;
	figure_add(FIG_CONNECTIONS, 2, 3);
	figure_add(FIG_CONNECTIONS, 2, 4);
	assert_int_equal(figure_get(FIG_CONNECTIONS, 2), 7);
	figure_add(FIG_CONNECTIONS, LABELS_PROTO, 100); // a label that is none: its neighbours stay as they are
	figure_set(FIG_CONNECTIONS, UINT32_MAX, 100);
	figure_time(FIG_IMAP_COMMANDS, LABELS_IMAP, 100);
	assert_int_equal(figure_get(FIG_CONNECTIONS, LABELS_PROTO - 1), 0);
	assert_int_equal(figure_get(FIG_REFUSED, 0), 0);
	assert_int_equal(figure_get(FIG_IMAP_IDLES, 0), 0);
	figure_set(FIG_SESSIONS, 1, 9);
	figure_less(FIG_SESSIONS, 1, 2);
	assert_int_equal(figure_get(FIG_SESSIONS, 1), 7);
}

/// A role of its own memory, filled from the test's page.
static struct board_role *role_now(const char *kind)
{
	struct board_role *r = calloc(1, sizeof *r);

	assert_non_null(r);
	snprintf(r->kind, sizeof r->kind, "%s", kind);
	r->number = 7;
	for (unsigned f = 0; f < FIGURES; f++)
		for (unsigned k = 0; k < figure_infos[f].labels && figure_infos[f].kind != KIND_TIMES; k++)
			r->figures.place[figure_infos[f].at + k] = figure_get((enum figure)f, k);
	return r;
}

static void test_buckets(void **state)
{
	int fd;
	const struct figures *page;

	(void)state;
	assert_int_equal(figures_new(NULL, &fd), E_OK);
	assert_int_equal(figures_map(NULL, fd, &page), E_OK);
	assert_int_equal(figures_begin(NULL, fd), E_OK);
	for (unsigned i = 0; i < BUCKETS; i++) { // a bound is the last that belongs to its bucket
		figure_time(FIG_FLUSHES, 0, figure_bounds_ns[i]);
		figure_time(FIG_FLUSHES, 0, figure_bounds_ns[i] + 1);
		CHECK(i == 0 || figure_bounds_ns[i] > figure_bounds_ns[i - 1], "bounds grow");
	}
	figure_time(FIG_FLUSHES, 0, -5);
	figure_time(FIG_FLUSHES, 0, INT64_MAX / 2);
	for (unsigned i = 0; i <= BUCKETS; i++)
		assert_int_equal(page->place[AT_FLUSHES + i], 2);
	figure_time(FIG_COMMITS, 0, 40);
	figure_time(FIG_COMMITS, 0, 60);
	assert_int_equal(page->place[AT_COMMITS + BUCKETS + 1], 100);
	figure_time(
		FIG_IMAP_COMMANDS, LABELS_IMAP - 1, 1000); // the last label's places end where the next figure's begin
	assert_int_equal(page->place[AT_IMAP_IDLES - TIMES_PLACES], 1);
	munmap((void *)(uintptr_t)page, sizeof *page);
}

static void test_quantiles(void **state)
{
	struct board_times t = { 0 }, before;

	(void)state;
	assert_int_equal(board_times_quantile(&t, 500), 0);
	t.bucket[3] = 100; // 50 to 100 µs
	assert_int_equal(board_times_quantile(&t, 500), 75000);
	assert_int_equal(board_times_quantile(&t, 1000), 100000);
	assert_int_equal(board_times_quantile(&t, 0), 50000);
	before = t;
	t.bucket[6] = 100; // 0.5 to 1 ms
	assert_int_equal(board_times_count(&t), 200);
	assert_int_equal(board_times_quantile(&t, 500), 100000);
	assert_int_equal(board_times_quantile(&t, 990), 990000);
	board_times_less(&t, &before);
	assert_int_equal(board_times_count(&t), 100);
	assert_int_equal(board_times_quantile(&t, 500), 750000);
	t = (struct board_times){ .bucket[BUCKETS] = 3 };
	assert_int_equal(board_times_quantile(&t, 500), figure_bounds_ns[BUCKETS - 1]);
	memset(&t, 0xff, sizeof t); // a stranger's numbers
	for (unsigned q = 0; q <= 1000; q += 50) {
		int64_t ns = board_times_quantile(&t, q);
		assert_true(ns >= 0 && ns <= figure_bounds_ns[BUCKETS - 1]);
	}
}

/// A page outlives who counted on it; what was true of that process does not.
static void test_restart(void **state)
{
	int fd, again;
	const struct figures *page;

	(void)state;
	assert_int_equal(figures_new(NULL, &fd), E_OK);
	assert_true(ftruncate(fd, 0) < 0 && errno == EPERM); // who reads it cannot be ended by that
	again = dup(fd);
	assert_int_equal(figures_map(NULL, fd, &page), E_OK);
	assert_int_equal(figures_begin(NULL, fd), E_OK);
	doing_begin("writer", 0);
	doing("flush of the log");
	figure_add(FIG_JOBS, 0, 5);
	figure_time(FIG_COMMITS, 0, 1);
	figure_set(FIG_WRITER_QUEUE, 0, 5);
	assert_int_equal(page->place[AT_JOBS], 5);
	assert_true(page->doing[0].since_ns != 0);
	doing_end();
	doing_begin("writer", 0); // on this page once more
	doing("flush of the log");
	assert_int_equal(figures_begin(NULL, again), E_OK);
	assert_int_equal(page->place[AT_JOBS], 5);
	assert_int_equal(page->place[AT_COMMITS], 1);
	assert_int_equal(page->place[AT_WRITER_QUEUE], 0);
	assert_true(page->doing[0].since_ns == 0 && page->doing[0].who[0] == 0);
	figure_add(FIG_JOBS, 0, 1);
	assert_int_equal(page->place[AT_JOBS], 6);
	doing_end();

	struct figures *copy = calloc(1, sizeof *copy);
	assert_non_null(copy);
	figure_set(FIG_WRITER_QUEUE, 0, 8);
	figures_copy(copy, page, true);
	assert_int_equal(copy->place[AT_WRITER_QUEUE], 8);
	figures_copy(copy, page, false);
	assert_true(copy->place[AT_JOBS] == 6 && copy->place[AT_WRITER_QUEUE] == 0);
	free(copy);
	munmap((void *)(uintptr_t)page, sizeof *page);
}

/// What is no page is refused, and counting goes on where it was.
static void test_no_page(void **state)
{
	const struct figures *page;
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	figure_set(FIG_FIBERS, 0, 3);
	assert_int_equal(ftruncate(fd, sizeof(struct figures)), 0);
	assert_int_equal(figures_map(NULL, fd, &page), E_CORRUPT); // it could shrink
	assert_int_equal(figures_begin(NULL, fd), E_CORRUPT);
	fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, sizeof(struct figures) / 2), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(figures_begin(NULL, fd), E_CORRUPT);
	int null = open("/dev/null", O_RDWR);
	assert_int_equal(figures_begin(NULL, null), E_CORRUPT);
	assert_int_equal(figure_get(FIG_FIBERS, 0), 3);
}

/// Everything that holds the board's descriptor can read it, and nothing else.
static void test_board_is_read_only(void **state)
{
	struct board *b;
	const struct board *seen;
	char name[64];
	int fd;

	(void)state;
	assert_int_equal(board_new(NULL, BOARD_ROLES_MAX + 1, &fd, &b), E_RANGE);
	assert_int_equal(board_new(NULL, 3, &fd, &b), E_OK);
	b->role[2].figures.place[AT_JOBS] = 42; // the master can
	assert_int_equal(board_map(NULL, fd, &seen), E_OK);
	assert_int_equal(board_get(&seen->role[2], FIG_JOBS, 0, 0), 42);
	assert_true(mprotect((void *)(uintptr_t)seen, 4096, PROT_READ | PROT_WRITE) < 0);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	int again = open(name, O_RDWR); // another open file description of the same memory
	for (int i = 0; i < 2; i++) {
		int of = i ? again : fd;
		assert_true(of >= 0);
		assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, of, 0) == MAP_FAILED);
		assert_true(pwrite(of, "x", 1, 0) < 0);
		assert_true(ftruncate(of, 0) < 0 && ftruncate(of, 1 << 20) < 0);
		assert_true(fallocate(of, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0);
	}
	close(again);
	b->role[2].figures.place[AT_JOBS]++; // still
	assert_int_equal(board_get(&seen->role[2], FIG_JOBS, 0, 0), 43);
	struct board *copy = board_copy(seen);
	assert_non_null(copy);
	b->role[2].figures.place[AT_JOBS]++;
	assert_int_equal(board_get(&copy->role[2], FIG_JOBS, 0, 0), 43);
	free(copy);
	board_unmap(seen);
	b->layout++;
	assert_int_equal(board_map(NULL, fd, &seen), E_UNSUPPORTED);
	b->layout--;
	b->n_roles = 2;
	assert_int_equal(board_map(NULL, fd, &seen), E_UNSUPPORTED);
	b->n_roles = 3;
	board_unmap(b);
	close(fd);
	assert_int_equal(figures_new(NULL, &fd), E_OK);
	assert_int_equal(board_map(NULL, fd, &seen), E_CORRUPT);
	close(fd);
}

static bool has(const struct buf *b, const char *line)
{
	return memmem(b->p, b->n, line, strlen(line)) != NULL;
}

static void test_prometheus(void **state)
{
	struct board *b;
	int fd;
	struct buf out = BUF(1 << 20);

	(void)state;
	assert_int_equal(board_new(NULL, 2, &fd, &b), E_OK);
	memcpy(b->version, "1\"2\\3\n4\x01", 8);
	memcpy(b->role[0].kind, "store", 6);
	memcpy(b->role[1].kind, "user", 5);
	b->role[1].number = 2;
	b->role[0].figures.place[AT_FLUSHES + 4] = 2;
	b->role[0].figures.place[AT_FLUSHES + BUCKETS] = 1;
	b->role[0].figures.place[AT_FLUSHES + BUCKETS + 1] = 1500000001;
	b->role[1].figures.place[AT_REFUSED + 4 * LABELS_REFUSAL + REFUSED_PROXY] = 6;
	b->role[1].figures.place[AT_SESSIONS + 5] = UINT64_MAX;
	b->role[1].figures.place[AT_CPU] = 2500000000;
	board_print(&out, b);
	assert_int_equal(out.err, E_OK);
	assert_true(has(&out, "hongyan_build_info{version=\"1\\\"2\\\\3\\n4\"} 1\n"));
	assert_true(has(&out, "# TYPE hongyan_store_flush_seconds histogram\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_bucket{role=\"store\",number=\"0\",le=\"0.0001\"} 0\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_bucket{role=\"store\",number=\"0\",le=\"0.0002\"} 2\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_bucket{role=\"store\",number=\"0\",le=\"10\"} 2\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_bucket{role=\"store\",number=\"0\",le=\"+Inf\"} 3\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_sum{role=\"store\",number=\"0\"} 1.500000001\n"));
	assert_true(has(&out, "hongyan_store_flush_seconds_count{role=\"store\",number=\"0\"} 3\n"));
	assert_true(has(&out,
		"hongyan_connections_refused_total{role=\"user\",number=\"2\",proto=\"imap\",why=\"proxy\"} 6\n"));
	assert_true(has(&out, "hongyan_sessions{role=\"user\",number=\"2\",proto=\"imaps\"} -1\n"));
	assert_true(has(&out, "hongyan_role_cpu_seconds_total{role=\"user\",number=\"2\"} 2.500000000\n"));
	assert_false(has(&out, "hongyan_sessions{role=\"store\"")); // not its own
	assert_false(has(&out, "hongyan_store_jobs_total{role=\"user\""));
	buf_free(&out);
	board_unmap(b);
	close(fd);
}

static void put(_Atomic uint64_t *to, const char *octets, size_t n)
{
	uint64_t words[3] = { 0 };

	memcpy(words, octets, n);
	for (size_t i = 0; i < 3; i++)
		to[i] = words[i];
}

static void test_doing(void **state)
{
	struct figures *f = calloc(1, sizeof *f);
	struct buf b = BUF(65536);
	int64_t now = 100 * INT64_C(1000000000);

	(void)state;
	assert_non_null(f);
	board_print_doing(&b, f, now, 0);
	assert_true(sl_eq(buf_sl(&b), SL("nothing")));
	buf_clear(&b);
	memcpy(&f->doing[1].who, "writer", 6);
	put(f->doing[1].what, "flush of the log", 16);
	f->doing[1].since_ns = (uint64_t)now - 31200000000;
	memcpy(&f->doing[2].who, "worker 1", 8);
	put(f->doing[2].what, "mbox_rows", 9);
	f->doing[2].since_ns = (uint64_t)now - 99000000;
	memcpy(&f->doing[3].who, "worker 2", 8); // waits
	board_print_doing(&b, f, now, 0);
	assert_true(sl_eq(buf_sl(&b), SL("writer: flush of the log 31.2 s; worker 1: mbox_rows 0.0 s")));
	buf_clear(&b);
	board_print_doing(&b, f, now, 1000000000);
	assert_true(sl_eq(buf_sl(&b), SL("writer: flush of the log 31.2 s")));
	buf_clear(&b);
	memset(f->doing, 0x80, sizeof f->doing); // a stranger's octets: texts without an end, times far away
	memcpy(&f->doing[0].what, "a\"b\\c\nd\x1b[2Je", 12);
	f->doing[0].since_ns = UINT64_MAX;
	board_print_doing(&b, f, now, 0);
	assert_true(has(&b, "????????????????: a?b?c?d?[2Je"));
	for (size_t i = 0; i < b.n; i++)
		assert_true(b.p[i] >= ' ' && b.p[i] < 0x7f);
	assert_true(b.n < DOING_MAX * (DOING_WHO + DOING_WHAT + 32) && b.err == E_OK);
	buf_free(&b);
	free(f);
}

static void *one_thread(void *arg)
{
	doing_begin("worker", *(const unsigned *)arg);
	doing("more than twenty-four octets of it");
	for (int i = 0; i < 1000; i++)
		figure_add(FIG_JOBS, 0, 1);
	doing_since("just that, no zero in it", 77);
	return NULL;
}

/// More threads than places, and counting from all of them.
static void test_threads(void **state)
{
	enum { THREADS = DOING_MAX + 5 };
	pthread_t thread[THREADS];
	unsigned number[THREADS], named = 0;
	const struct figures *page;
	struct buf b = BUF(65536);
	int fd;

	(void)state;
	assert_int_equal(figures_new(NULL, &fd), E_OK);
	assert_int_equal(figures_map(NULL, fd, &page), E_OK);
	assert_int_equal(figures_begin(NULL, fd), E_OK);
	for (unsigned i = 0; i < THREADS; i++) {
		number[i] = i + 1;
		assert_int_equal(pthread_create(&thread[i], NULL, one_thread, &number[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(page->place[AT_JOBS], THREADS * 1000);
	for (unsigned i = 0; i < DOING_MAX; i++)
		named += page->doing[i].since_ns == 77;
	assert_int_equal(named, DOING_MAX);
	board_print_doing(&b, page, 1000000077, 0);
	assert_true(has(&b, ": just that, no zero in it 1.0 s"));
	buf_free(&b);
	munmap((void *)(uintptr_t)page, sizeof *page);
}

static void test_heap(void **state)
{
	(void)state;
	figures_look_at_heap();
	struct board_role *r = role_now("user");
	assert_true(board_get(r, FIG_HEAP_USED, 0, 0) > 0 || board_get(r, FIG_HEAP_HELD, 0, 0) == 0); // 0 under ASan
	assert_int_equal(board_get(r, FIG_HEAP_USED, 1, 0), 0);
	assert_int_equal(board_get(r, FIG_HEAP_USED, 0, 1), 0);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_no_page),
		cmocka_unit_test(test_board_is_read_only),
		cmocka_unit_test(test_prometheus),
		cmocka_unit_test(test_doing),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_heap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
