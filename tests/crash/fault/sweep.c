/// sweep — mail on a store of which each allocation, or each call of the system, fails in turn.
///
///   fault-sweep DIR alloc|call ERRNO BURST OPS FIRST STEP
///
/// For n = FIRST, FIRST + STEP, … until a script of OPS operations does not reach n any more: a process of its own opens a
/// copy of a store with accounts, runs the script and closes it, while calls n to n + BURST - 1 fail. In between and at
/// last, with nothing failing, it goes on with a few operations, repeats deliveries, and prints what it holds. oracle.py judges the output.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../power/bed.h"
#include "faults.h"

enum { SEED = 6, MORE = 4, PATIENCE_S = 20, CASE_S = 120, UNREACHED = 9 };

struct sweep {
	char dir[512];
	enum fault_kind kind;
	uint32_t err;
	uint64_t burst, ops;
};

static struct bed bed_at(const char *dir)
{
	struct bed b = { .conf = { .map_octets = 64 << 20,
				 .free_min_octets = 1,
				 .segment_octets = 64 << 10,
				 .flush_lazy_ms = 60000,
				 .dir = sl_cstr(dir) },
		.seed = SEED,
		.aloud = true };

	return b;
}

static void arm(const struct sweep *s, uint64_t n)
{
	struct fault_page *p = fault_page();

	p->count = 0;
	p->err = s->err;
	p->from = n;
	p->to = n + s->burst - 1;
	p->kind = s->kind;
}

/// What an operation is answered because of something that failed below it, not for what it asks.
static bool is_refusal(enum ec e)
{
	return e == E_TEMP || e == E_IO || e == E_FULL || e == E_CORRUPT || e == E_CLOSED;
}

/// A few operations that nothing disturbs; the first may have to wait until the store has tried its disk again.
static void go_on(struct bed *b, uint64_t first)
{
	uint64_t n = first;

	for (int waited = 0; is_refusal(load_one(b, n++)) && waited < PATIENCE_S; waited++)
		sleep(1);
	for (uint64_t i = 0; i < MORE; i++) {
		enum ec e = load_one(b, n++);
		if (is_refusal(e))
			bed_die(NULL, "an operation after the fault", e);
	}
}

static void say_failure(struct cx *cx, enum ec e)
{
	char story[1024];

	cx_story(cx, story, sizeof story);
	printf("refused %s: %s\n", ec_name(e), story);
	fflush(stdout);
}

/// How many calls failed, and in which programs or libraries the first of them were made.
static void say_where(const struct fault_page *p)
{
	Dl_info info;

	printf("failed %llu of %llu in", (unsigned long long)p->failed, (unsigned long long)p->count);
	for (uint64_t i = 0; i < p->failed && i < FAULT_WHERE; i++)
		printf(" %s", dladdr((void *)(uintptr_t)p->where[i], &info) ? info.dli_fname : "?");
	printf("\n");
}

/// One case; returns whether n was reached.
static bool run_case(const struct sweep *s, uint64_t n, const char *dir)
{
	struct bed b = bed_at(dir);
	struct fault_page *p = fault_page();
	struct cx cx = { 0 };

	bed_spare(true); // standard output's buffer
	printf("script\n");
	fflush(stdout);
	bed_spare(false);
	arm(s, n);
	enum ec e = bed_try_open(&cx, &b);
	if (e) {
		p->kind = FAULT_NONE;
		say_failure(&cx, e);
		bed_open(&b);
	}
	for (uint64_t i = 1; i <= s->ops; i++)
		(void)load_one(&b, BED_ACCOUNTS + i);
	p->kind = FAULT_NONE;
	go_on(&b, 1000);
	for (uint64_t i = 1; i <= s->ops; i++) // whoever got no answer asks again
		if (load_is_delivery(&b, BED_ACCOUNTS + i))
			(void)load_one(&b, BED_ACCOUNTS + i);
	look_state(&b);
	p->kind = s->kind; // where it was
	bed_close(&b);
	p->kind = FAULT_NONE;
	bed_open(&b);
	go_on(&b, 2000);
	look_state(&b);
	look_check_mail(&b);
	bed_close(&b);
	look_check_log(&b);
	say_where(p);
	return p->failed > 0;
}

static void sh(const char *command, const char *a, const char *b)
{
	char line[1200];

	snprintf(line, sizeof line, command, a, b);
	if (system(line))
		bed_die(NULL, line, E_IO);
}

/// Runs a case in a process of its own. Returns false where n was not reached.
static bool fork_case(const struct sweep *s, uint64_t n)
{
	char dir[600];
	int status;

	snprintf(dir, sizeof dir, "%s/case-%ld", s->dir, (long)getpid());
	sh("cp -r %s/base %s", s->dir, dir);
	printf("case %llu\n", (unsigned long long)n);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(CASE_S); // a case that hangs ends by a signal
		bool reached = run_case(s, n, dir);
		exit(reached ? 0 : UNREACHED);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bed_die(NULL, "a process", E_IO);
	sh("rm -r %s%s", dir, "");
	if (WIFEXITED(status))
		printf("exit %d\n", WEXITSTATUS(status));
	else
		printf("signal %d\n", WTERMSIG(status));
	return !(WIFEXITED(status) && WEXITSTATUS(status) == UNREACHED);
}

int main(int argc, char **argv)
{
	struct sweep s = { 0 };
	char base[600];

	if (argc != 8) {
		fprintf(stderr, "usage: fault-sweep DIR alloc|call ERRNO BURST OPS FIRST STEP\n");
		return 2;
	}
	snprintf(s.dir, sizeof s.dir, "%s", argv[1]);
	s.kind = strcmp(argv[2], "alloc") == 0 ? FAULT_ALLOC : FAULT_CALL;
	s.err = (uint32_t)strtoul(argv[3], NULL, 10);
	s.burst = strtoull(argv[4], NULL, 10);
	s.ops = strtoull(argv[5], NULL, 10);
	snprintf(base, sizeof base, "%s/base", s.dir);
	struct bed b = bed_at(base);
	bed_open(&b);
	load_accounts(&b);
	bed_close(&b);
	uint64_t n = strtoull(argv[6], NULL, 10), step = strtoull(argv[7], NULL, 10);
	while (fork_case(&s, n))
		n += step;
	return 0;
}
