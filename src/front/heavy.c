/// heavy — a seat is a lock and the converters that it guards.
#include "front/heavy.h"

enum ec heavy_preload(struct heavy *h)
{
	enum ec all = E_OK;

	for (unsigned i = 0; i < HEAVY_SEATS; i++) {
		enum ec e = charset_preload(&h->seat[i].charsets);
		all = e ? e : all;
	}
	return all;
}

void heavy_free(struct heavy *h)
{
	for (unsigned i = 0; i < HEAVY_SEATS; i++)
		charset_cache_free(&h->seat[i].charsets);
}

/// A job as the helper thread sees it.
struct job {
	heavy_work *work;
	struct charset_cache *charsets;
	void *arg;
};

static void run_job(void *arg)
{
	const struct job *j = arg;

	j->work(j->charsets, j->arg);
}

FIB enum ec heavy_run(struct cx *cx, struct heavy *h, heavy_work *work, void *arg)
{
	struct heavy_seat *seat = &h->seat[0];

	for (unsigned i = 1; i < HEAVY_SEATS; i++)
		if (h->seat[i].fibers < seat->fibers)
			seat = &h->seat[i];
	seat->fibers++;
	enum ec e = fib_lock(cx, &seat->lock);
	if (e == E_OK) {
		struct job j = { work, &seat->charsets, arg };
		e = fib_offload(cx, run_job, &j);
		fib_unlock(&seat->lock);
	}
	seat->fibers--;
	return e;
}
