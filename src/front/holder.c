/// holder — a list, and a walk over it when something has run out.
#include "front/holder.h"

#include "base/clock.h"
#include "base/figures.h"
#include "base/log.h"
#include "fiber/fiber.h"

static uint64_t octets_of(const struct holder *h)
{
	uint64_t in, out;

	io_counts(h->io, &in, &out);
	return in + out;
}

void holder_begin(struct cx *cx, struct holders *all, struct holder *h, struct io *io)
{
	if (h->link)
		return;
	*h = (struct holder){ .next = all->first, .link = &all->first, .cx = cx, .io = io };
	h->waited_ns = io_waited_ns(io, clock_mono_ns());
	h->octets = octets_of(h);
	if (h->next)
		h->next->link = &h->next;
	all->first = h;
}

void holder_end(struct holder *h)
{
	if (!h->link)
		return;
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	h->link = NULL;
}

/// Octets a second, or UINT64_MAX where it is safe. Who was quick is looked at anew from now on: what came long ago
/// buys no time.
static uint64_t pace(struct holder *h, int64_t now_ns)
{
	int64_t waited_ns = io_waited_ns(h->io, now_ns), ms = (waited_ns - h->waited_ns) / 1000000;
	uint64_t octets = octets_of(h);

	if (!io_waits(h->io) || h->evicted || ms < HOLDER_SAFE_MS)
		return UINT64_MAX;
	uint64_t its = (octets - h->octets) * 1000 / (uint64_t)ms;
	if (its >= HOLDER_PACE && ms >= 2 * HOLDER_SAFE_MS) {
		h->waited_ns = waited_ns;
		h->octets = octets;
	}
	return its;
}

bool holders_make_room(struct holders *all, bool upload, int64_t now_ns)
{
	struct holder *slowest = NULL;
	uint64_t least = HOLDER_PACE;

	for (struct holder *h = all->first; h; h = h->next) {
		uint64_t its = pace(h, now_ns);
		if (its >= least || (upload && !h->upload))
			continue;
		least = its;
		slowest = h;
	}
	if (!slowest)
		return false;
	LOG(slowest->cx, LOG_NOTICE, "session.slow", kv_u("octets", octets_of(slowest) - slowest->octets),
		kv_i("ms", (io_waited_ns(slowest->io, now_ns) - slowest->waited_ns) / 1000000));
	figure_add(FIG_EVICTED, 0, 1);
	slowest->evicted = true;
	fib_cancel(slowest->cx);
	return true;
}

void holders_shortage(void *holders)
{
	holders_make_room(holders, false, clock_mono_ns());
}
