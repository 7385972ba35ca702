/// Tests of making room: real fibers and a real arena, a store that is a few lines.
#include "front/intake.h"

#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "front/front.h"

enum { ARENA = 8, PLACES = 2, SENDERS = 6 };

static struct chunks *arena;
static unsigned places_taken;
static enum ec add_answer;
static bool share_taken; // until an upload ends

struct chunks *client_chunks(struct client *)
{
	return arena;
}

/// A store with PLACES uploads.
FIB enum ec client_call(struct cx *cx, struct client *, enum verb verb, const void *, void *ans)
{
	if (verb == VERB_upload_begin && places_taken == PLACES)
		return E_LIMIT;
	places_taken += verb == VERB_upload_begin;
	places_taken -= verb == VERB_upload_drop;
	share_taken &= verb != VERB_upload_drop;
	if (verb == VERB_upload_add && share_taken)
		return E_LIMIT;
	if (verb == VERB_upload_begin)
		((struct ans_upload_begin *)ans)->upload = places_taken;
	(void)cx;
	return verb == VERB_upload_add ? add_answer : E_OK;
}

/// Each sender's connection counts what came.
struct io {
	uint64_t octets;
	int64_t served_ns; // so long its fiber waited for others
	bool served;       // and does so now
};

void io_counts(const struct io *io, uint64_t *in, uint64_t *out)
{
	*in = io->octets;
	*out = 0;
}

bool io_waits(const struct io *io)
{
	return !io->served;
}

int64_t io_waited_ns(const struct io *io, int64_t now_ns)
{
	return now_ns - io->served_ns;
}

const struct addr *io_peer(const struct io *)
{
	static const struct addr peer = { .ip = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .v4 = true };

	return &peer;
}

static struct front front;

static struct holder *age_at_call_2;
static unsigned calls;

static void make_room(void *)
{
	if (age_at_call_2 && ++calls == 2)
		age_at_call_2->waited_ns -= (int64_t)1000000 * 1000000;
	holders_make_room(&front.holders, false, clock_mono_ns());
}

/// A sender: fills so many chunks, and then stalls.
struct sender {
	struct intake body;
	struct io io;
	unsigned chunks;
	int64_t age_ms; // it began so long ago
	enum ec end;
	bool filled, ended;
};

FIB static enum ec put_chunk(struct cx *cx, struct intake *b)
{
	uint8_t *p;
	size_t room;
	enum ec e = intake_is_full(b) ? intake_push(cx, b) : E_OK;

	if (e == E_OK)
		e = intake_room(cx, b, &p, &room);
	if (e == E_OK) {
		intake_took(b, room);
		b->io->octets += room;
	}
	return e;
}

FIB static void send_and_stall(struct cx *cx, void *arg)
{
	struct sender *s = arg;

	s->body = intake_start(&front, &s->io, 0);
	for (unsigned i = 0; s->end == E_OK && i < s->chunks; i++) {
		s->end = put_chunk(cx, &s->body);
		s->body.held.waited_ns = clock_mono_ns() - s->age_ms * 1000000;
	}
	s->filled = true;
	while (s->end == E_OK)
		s->end = fib_sleep(cx, 1000);
	intake_drop(cx, &s->body);
	s->ended = true;
}

struct scene {
	struct sender sender[SENDERS];
	unsigned n;
	void (*act)(struct cx *cx, struct scene *);
};

FIB static void go(struct cx *cx, void *arg)
{
	struct scene *s = arg;

	for (unsigned i = 0; i < s->n; i++) {
		MUST(fib_go(send_and_stall, &s->sender[i]) == E_OK);
		while (!s->sender[i].filled)
			MUST(fib_yield(cx) == E_OK);
	}
	s->act(cx, s);
	for (unsigned i = 0; i < s->n; i++)
		if (!s->sender[i].ended)
			fib_cancel(s->sender[i].body.held.cx);
	for (unsigned i = 0; i < s->n; i++)
		while (!s->sender[i].ended)
			MUST(fib_yield(cx) == E_OK);
	MUST(!front.holders.first);
	MUST(chunks_used(arena) == 0);
	MUST(places_taken == 0);
}

static void play(struct scene *s)
{
	struct cx cx = { 0 };
	struct fib_conf conf = { .fibers_max = SENDERS + 2, .offload_threads = 1 };

	assert_int_equal(chunks_new(&cx, ARENA, &arena), E_OK);
	chunks_on_shortage(arena, make_room, NULL);
	front.store = (struct client *)&front; // only asked for its arena
	assert_int_equal(fib_start(&cx, &conf), E_OK);
	assert_int_equal(fib_go(go, s), E_OK);
	fib_run(0);
	fib_end();
	chunks_free(arena);
	cx_end(&cx);
}

/// The arena is full of senders that stall; a newcomer gets the chunk of the slowest.
FIB static void newcomer_needs_chunk(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);

	MUST(chunks_used(arena) == ARENA);
	MUST(put_chunk(cx, &b) == E_OK);
	for (unsigned i = 0; i < s->n; i++)
		MUST(s->sender[i].body.held.evicted == (i == 1));
	intake_drop(cx, &b);
}
static void test_arena_full(void **)
{
	struct scene s = { .n = 6, .act = newcomer_needs_chunk };

	for (unsigned i = 0; i < s.n; i++)
		s.sender[i] = (struct sender){ .chunks = i < 2 ? 2 : 1,
			.age_ms = i == 1   ? 200000
			          : i == 2 ? 50000
			                   : 1000 };
	play(&s);
	assert_int_equal(s.sender[1].end, E_CANCELED);
}

/// Nobody may be sent away who has just begun, or who is quick: the newcomer waits, here until its deadline.
FIB static void newcomer_must_wait(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);

	cx_deadline_in(cx, 20);
	MUST(put_chunk(cx, &b) == E_TEMP);
	cx_deadline_in(cx, 0);
	for (unsigned i = 0; i < s->n; i++)
		MUST(!s->sender[i].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_none_to_blame(void **)
{
	struct scene s = { .n = 5, .act = newcomer_must_wait };

	s.sender[0] = (struct sender){ .chunks = 4, .age_ms = HOLDER_SAFE_MS + 1000 }; // above the pace
	for (unsigned i = 1; i < s.n; i++)
		s.sender[i] = (struct sender){ .chunks = 1, .age_ms = HOLDER_SAFE_MS - 5000 };
	play(&s);
}

/// Who waits asks again: the one that could not be blamed at first can be later.
FIB static void newcomer_is_patient(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);

	age_at_call_2 = &s->sender[3].body.held;
	MUST(put_chunk(cx, &b) == E_OK && s->sender[3].body.held.evicted);
	age_at_call_2 = NULL;
	intake_drop(cx, &b);
}
static void test_later_to_blame(void **)
{
	struct scene s = { .n = 5, .act = newcomer_is_patient };

	for (unsigned i = 0; i < s.n; i++)
		s.sender[i] = (struct sender){ .chunks = i ? 1 : 4, .age_ms = 1 };
	play(&s);
}

/// Who was quick and then falls silent can be blamed for that, however much came before.
FIB static void silent_after_much(struct cx *cx, struct scene *s)
{
	struct holder *h = &s->sender[0].body.held;
	int64_t now_ns = clock_mono_ns();

	(void)cx;
	MUST(!holders_make_room(&front.holders, false, now_ns + (int64_t)25000 * 1000000) && !h->evicted);
	MUST(!holders_make_room(&front.holders, false, now_ns + (int64_t)30000 * 1000000)); // safe again for a while
	MUST(holders_make_room(&front.holders, false, now_ns + (int64_t)36000 * 1000000) && h->evicted);
}
static void test_silent_after_much(void **)
{
	struct scene s = { .n = 1, .act = silent_after_much };

	s.sender[0] = (struct sender){ .chunks = 40 }; // 2.6 MB: 100 KB a second, at first
	play(&s);
}

/// Waiting for the store, or for a chunk, is not its client's doing: neither while it lasts nor afterwards.
FIB static void served_slowly(struct cx *cx, struct scene *s)
{
	struct sender *one = &s->sender[0];
	int64_t later_ns = clock_mono_ns() + (int64_t)60000 * 1000000;

	(void)cx;
	one->io.served = true;
	MUST(!holders_make_room(&front.holders, false, later_ns) && !one->body.held.evicted);
	one->io.served = false;
	one->io.served_ns = (int64_t)59000 * 1000000;
	MUST(!holders_make_room(&front.holders, false, later_ns) && !one->body.held.evicted);
	later_ns += (int64_t)10000 * 1000000;
	MUST(holders_make_room(&front.holders, false, later_ns) && one->body.held.evicted);
}
static void test_served_slowly(void **)
{
	struct scene s = { .n = 1, .act = served_slowly };

	s.sender[0] = (struct sender){ .chunks = 1, .age_ms = 1 };
	play(&s);
}

/// All places for uploads are taken: the slowest of those gives one, the newcomer gets it a little later.
FIB static void newcomer_needs_upload(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);

	MUST(places_taken == PLACES);
	for (unsigned i = 0; i < 20; i++)
		MUST(put_chunk(cx, &b) == E_OK);
	MUST(b.uploading && s->sender[1].body.held.evicted && !s->sender[0].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_uploads_full(void **)
{
	struct scene s = { .n = 2, .act = newcomer_needs_upload };

	s.sender[0] = (struct sender){ .chunks = 5, .age_ms = 20000 };
	s.sender[1] = (struct sender){ .chunks = 5, .age_ms = 20000000 };
	play(&s);
}

FIB static void newcomer_is_refused(struct cx *cx, struct scene *)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);
	enum ec e = E_OK;

	for (unsigned i = 0; e == E_OK && i < 20; i++)
		e = put_chunk(cx, &b);
	MUST(e == E_TEMP);
	intake_drop(cx, &b);
}
static void test_uploads_busy(void **)
{
	struct scene s = { .n = 2, .act = newcomer_is_refused };

	s.sender[0] = s.sender[1] = (struct sender){ .chunks = 5, .age_ms = 1000 };
	play(&s);
}

/// Uploads have taken their share of the disk: the slowest gives its own, and who asked goes on a little later.
FIB static void newcomer_needs_share(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);

	share_taken = true;
	for (unsigned i = 0; i < 20; i++)
		MUST(put_chunk(cx, &b) == E_OK);
	MUST(b.uploading && s->sender[0].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_share_taken(void **)
{
	struct scene s = { .n = 1, .act = newcomer_needs_share };

	s.sender[0] = (struct sender){ .chunks = 5, .age_ms = 1000000 };
	play(&s);
}

/// Nobody is slow: who asks is told to come again.
FIB static void share_is_refused(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);
	enum ec e = E_OK;

	share_taken = true;
	for (unsigned i = 0; e == E_OK && i < 20; i++)
		e = put_chunk(cx, &b);
	MUST(e == E_LIMIT && !s->sender[0].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_share_refused(void **)
{
	struct scene s = { .n = 1, .act = share_is_refused };

	s.sender[0] = (struct sender){ .chunks = 5, .age_ms = 1000 };
	play(&s);
}

/// The sender has taken his own share: nobody goes for him, however slow, and he is told to come again.
FIB static void own_share_is_taken(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);
	enum ec e = E_OK;

	add_answer = E_QUOTA;
	for (unsigned i = 0; e == E_OK && i < 20; i++)
		e = put_chunk(cx, &b);
	add_answer = E_OK;
	MUST(e == E_LIMIT && !s->sender[0].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_own_share(void **)
{
	struct scene s = { .n = 1, .act = own_share_is_taken };

	s.sender[0] = (struct sender){ .chunks = 5, .age_ms = 1000000 };
	play(&s);
}

/// The disk is full: who asks is refused, and the slowest goes so that its octets do.
FIB static void disk_is_full(struct cx *cx, struct scene *s)
{
	struct io io = { 0 };
	struct intake b = intake_start(&front, &io, 0);
	enum ec e = E_OK;

	add_answer = E_FULL;
	for (unsigned i = 0; e == E_OK && i < 20; i++)
		e = put_chunk(cx, &b);
	add_answer = E_OK;
	MUST(e == E_FULL);
	MUST(s->sender[0].body.held.evicted);
	intake_drop(cx, &b);
}
static void test_disk_full(void **)
{
	struct scene s = { .n = 1, .act = disk_is_full };

	s.sender[0] = (struct sender){ .chunks = 5, .age_ms = 1000000 };
	play(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arena_full),
		cmocka_unit_test(test_none_to_blame),
		cmocka_unit_test(test_later_to_blame),
		cmocka_unit_test(test_silent_after_much),
		cmocka_unit_test(test_served_slowly),
		cmocka_unit_test(test_uploads_full),
		cmocka_unit_test(test_uploads_busy),
		cmocka_unit_test(test_share_taken),
		cmocka_unit_test(test_share_refused),
		cmocka_unit_test(test_own_share),
		cmocka_unit_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
