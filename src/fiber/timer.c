/// timer — a binary heap of the times at which fibers may be due; entries may be too early, never too late.
#include <stdlib.h>

#include "fiber/core.h"

static void heap_put(struct sched *s, size_t i, struct timer t)
{
	s->heap[i] = t;
	t.fib->heap_at = (uint32_t)i + 1;
}

static void heap_up(struct sched *s, size_t i, struct timer t)
{
	for (; i > 0 && s->heap[(i - 1) / 2].at_ns > t.at_ns; i = (i - 1) / 2)
		heap_put(s, i, s->heap[(i - 1) / 2]);
	heap_put(s, i, t);
}

static void heap_down(struct sched *s, size_t i, struct timer t)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < s->heap_n && s->heap[child + 1].at_ns < s->heap[child].at_ns)
			child++;
		if (child >= s->heap_n || s->heap[child].at_ns >= t.at_ns)
			break;
		heap_put(s, i, s->heap[child]);
		i = child;
	}
	heap_put(s, i, t);
}

bool timer_reserve(struct sched *s, size_t n)
{
	if (n <= s->heap_cap)
		return true;
	size_t cap = s->heap_cap ? s->heap_cap * 2 : 64;
	struct timer *p = n <= cap ? reallocarray(s->heap, cap, sizeof *p) : NULL;
	if (!p)
		return false;
	s->heap = p;
	s->heap_cap = cap;
	return true;
}

void timer_set(struct sched *s, struct fib *f)
{
	struct timer t = { f->due_ns, f };

	if (!f->heap_at)
		heap_up(s, s->heap_n++, t);
	else if (t.at_ns < s->heap[f->heap_at - 1].at_ns)
		heap_up(s, f->heap_at - 1, t);
}

void timer_clear(struct sched *s, struct fib *f)
{
	if (!f->heap_at)
		return;
	size_t i = f->heap_at - 1;
	struct timer last = s->heap[--s->heap_n];
	f->heap_at = 0;
	if (i == s->heap_n)
		return;
	if (i > 0 && s->heap[(i - 1) / 2].at_ns > last.at_ns)
		heap_up(s, i, last);
	else
		heap_down(s, i, last);
}

void timer_run(struct sched *s)
{
	while (s->heap_n && s->heap[0].at_ns <= s->now_ns) {
		struct fib *f = s->heap[0].fib;
		bool waits = f->state == FS_PARKED && f->due_ns;
		if (waits && f->due_ns > s->now_ns) {
			heap_down(s, 0, (struct timer){ f->due_ns, f });
			continue;
		}
		timer_clear(s, f);
		if (waits)
			sched_wake(f);
	}
}

int64_t timer_first_ns(const struct sched *s)
{
	return s->heap_n ? s->heap[0].at_ns : 0;
}
