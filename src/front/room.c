/// room — counters and a queue. Whoever waits is served by whoever gives back, in the order of the queue: the first
/// that the role has no room for ends the round, so that a large wish is not starved by small ones behind it.
#include "front/room.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/figures.h"

struct room_user {
	struct room_user *next;
	uint64_t account;
	size_t used;
	unsigned shares; // that point here
};

/// On the stack of the fiber that waits; it takes itself out of the queue before it goes on.
struct room_wait {
	struct room_wait *next;
	struct room_share *share;
	size_t more; // octets
	bool granted;
	struct fib_event event;
};

struct room room_make(size_t alone)
{
	struct room r = { .limit = ROOM_OCTETS, .user_limit = ROOM_USER_OCTETS, .wait_ms = ROOM_WAIT_MS };

	if (r.user_limit < alone)
		r.user_limit = alone;
	if (r.limit < r.user_limit)
		r.limit = r.user_limit;
	return r;
}

struct room room_make_lists(void)
{
	return (struct room){
		.limit = ROOM_LISTS_OCTETS, .user_limit = ROOM_LISTS_USER_OCTETS, .wait_ms = ROOM_LISTS_WAIT_MS
	};
}

static struct room_user *user_find(struct room *r, uint64_t account)
{
	struct room_user *u = r->users;

	while (u && u->account != account)
		u = u->next;
	if (u)
		return u;
	u = calloc(1, sizeof *u);
	if (!u)
		return NULL;
	u->account = account;
	u->next = r->users;
	r->users = u;
	return u;
}

/// Lets go of the user where the share holds nothing.
static void user_leave(struct room_share *s)
{
	struct room_user **at = &s->room->users;

	if (!s->user || s->octets)
		return;
	if (--s->user->shares == 0) {
		assert(s->user->used == 0);
		while (*at != s->user)
			at = &(*at)->next;
		*at = s->user->next;
		free(s->user);
	}
	s->user = NULL;
}

static bool fits_role(const struct room *r, size_t more)
{
	return more <= r->limit - r->used;
}

static bool fits_user(const struct room_share *s, size_t more)
{
	return more <= s->room->user_limit - s->user->used;
}

static void grant(struct room_share *s, size_t more)
{
	struct room *r = s->room;

	s->octets += more;
	s->user->used += more;
	r->used += more;
	if (r->used > r->high)
		r->high = r->used;
	figure_add(FIG_ROOM_USED, 0, more);
}

/// Takes the waiter behind `before` (NULL: the first) out of the queue.
static void unlink_behind(struct room *r, struct room_wait *before)
{
	struct room_wait **at = before ? &before->next : &r->first;

	if (r->last == *at)
		r->last = before;
	*at = (*at)->next;
}

/// Gives room to those who wait and can have it.
static void serve(struct room *r)
{
	struct room_wait *before = NULL, *next;

	for (struct room_wait *w = r->first; w; w = next) {
		next = w->next;
		if (!fits_user(w->share, w->more)) {
			before = w; // its own user's doing: others pass
			continue;
		}
		if (!fits_role(r, w->more))
			return;
		unlink_behind(r, before);
		grant(w->share, w->more);
		w->granted = true;
		fib_event_set(&w->event);
	}
}

static void leave_queue(struct room *r, const struct room_wait *w)
{
	struct room_wait *before = NULL;

	for (struct room_wait *at = r->first; at != w; at = at->next)
		before = at;
	unlink_behind(r, before);
	serve(r); // those behind may have waited for it to be gone
}

/// Waits in the queue; granted even where the deadline passed meanwhile.
FIB static enum ec wait_for(struct cx *cx, struct room_share *s, size_t more)
{
	struct room *r = s->room;
	struct room_wait w = { .share = s, .more = more };
	int64_t deadline = cx->deadline_ns, ours = clock_mono_ns() + r->wait_ms * 1000000;
	enum ec e = E_OK;

	figure_add(FIG_ROOM_WAITS, 0, 1);
	if (r->last)
		r->last->next = &w;
	else
		r->first = &w;
	r->last = &w;
	serve(r);
	if (deadline && deadline < ours)
		ours = deadline;
	while (e == E_OK && !w.granted) {
		if (r->shortage && !fits_role(r, more))
			r->shortage(r->shortage_arg);
		int64_t next = clock_mono_ns() + (int64_t)ROOM_SHORT_MS * 1000000;
		cx->deadline_ns = next < ours ? next : ours;
		e = fib_event_wait(cx, &w.event);
		if (e == E_TIMEOUT && next < ours)
			e = E_OK;
	}
	cx->deadline_ns = deadline;
	if (w.granted)
		return E_OK;
	leave_queue(r, &w);
	figure_add(FIG_ROOM_REFUSED, 0, 1);
	return e == E_TIMEOUT ? fail(cx, E_TEMP, "no room for %zu octets, %zu are in use", more, r->used) : e;
}

FIB enum ec room_take(struct cx *cx, struct room_share *s, size_t octets)
{
	struct room *r = s->room;

	if (octets <= s->octets) {
		size_t less = s->octets - octets;
		s->octets = octets;
		r->used -= less;
		figure_less(FIG_ROOM_USED, 0, less);
		if (s->user)
			s->user->used -= less;
		user_leave(s);
		if (less)
			serve(r);
		return E_OK;
	}
	if (octets > r->user_limit) {
		figure_add(FIG_ROOM_REFUSED, 0, 1);
		return fail(cx, E_TEMP, "%zu octets at once are more than a user may have", octets);
	}
	if (!s->user) {
		s->user = user_find(r, s->account);
		if (!s->user)
			return fail(cx, E_TEMP, "no memory to count memory");
		s->user->shares++;
	}
	size_t more = octets - s->octets;
	enum ec e = E_OK;
	if (!r->first && fits_role(r, more) && fits_user(s, more))
		grant(s, more);
	else
		e = wait_for(cx, s, more);
	user_leave(s);
	return e;
}

void room_give(struct room_share *s)
{
	if (!s->room || !s->octets)
		return;
	s->room->used -= s->octets;
	figure_less(FIG_ROOM_USED, 0, s->octets);
	s->user->used -= s->octets;
	s->octets = 0;
	user_leave(s);
	serve(s->room);
}
