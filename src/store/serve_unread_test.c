/// Tests of reading messages whose octets cannot be had: lost is told as damage, a shortage as one, expunged as gone;
/// when a message goes; and nobody else's octets are withheld for it.
#include <errno.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/bad_sector.h"
#include "store/engine.h"
#include "store/mbox_rows.h"
#include "store/serve_town.h"

/// One message, read so far by nobody, and its body's segment.
struct letter {
	struct town *t;
	struct handle h;
	uint64_t inbox;
	char file[200];
	struct rlimit limit; // as it was
};

static struct letter letter_new(void)
{
	struct letter l = { .t = town_new() };
	struct pl_row row;

	l.h = login_as(&l.t->user, SL("alice@example.org"));
	l.inbox = find(&l.t->user, &l.h, SL("INBOX"));
	append(&l.t->user, &l.h, l.inbox, SL("octets"));
	struct view *v = bed_view(l.t->b);
	struct mbox_ref m = { l.h.account, l.inbox };
	assert_int_equal(mailbox_row(&l.t->b->cx, v, m, 1, clock_now_s(), &row), E_OK);
	view_close(v);
	snprintf(l.file, sizeof l.file, "%s/log/%08x.seg", l.t->b->dir, (unsigned)(row.body >> 32));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l.limit), 0);
	return l;
}

static enum ec read_letter(struct letter *l, uint32_t *got)
{
	struct req_mbox_read q = { .handle = l->h, .mbox = l->inbox, .uid = { 1 }, .out = { 1, { { 0, 100 } } } };
	struct ans_mbox_read a = { 0 };
	enum ec e = ASK(&l->t->user, mbox_read, &q, &a);

	*got = a.got[0];
	return e;
}

static void mark_deleted(struct letter *l)
{
	struct req_mbox_flags f = { .handle = l->h,
		.mbox = l->inbox,
		.all = 1,
		.mode = FLAGS_ADD,
		.flags = FLAG_DELETED,
		.unchanged_since = UINT64_MAX };
	struct ans_mbox_flags flagged;

	must(ASK(&l->t->user, mbox_flags, &f, &flagged), "flags");
}

static void expunge(struct letter *l)
{
	struct req_mbox_expunge q = { .handle = l->h, .mbox = l->inbox, .all = 1, .out = { 0, 64 } };
	struct ans_mbox_expunge a;

	mark_deleted(l);
	must(ASK(&l->t->user, mbox_expunge, &q, &a), "expunge");
	assert_int_equal(a.count, 1);
}

static void lose_file(struct letter *l)
{
	assert_int_equal(unlink(l->file), 0);
}

static void expunge_and_lose(struct letter *l)
{
	expunge(l);
	lose_file(l);
}

static void cut_file(struct letter *l)
{
	assert_int_equal(truncate(l->file, SEG_DATA), 0);
}

/// No descriptor is left for the segment.
static void fill_descriptors(struct letter *l)
{
	int next = dup(0);
	struct rlimit few = { (rlim_t)next, l->limit.rlim_max };

	assert_true(next > 0);
	close(next);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void leave(struct letter *l)
{
	(void)l;
}

static void test_unread(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*what)(struct letter *l);
		enum ec want;
		uint32_t got;
	} cases[] = {
		{ "nothing happened", leave, E_OK, 6 },
		{ "the segment is missing", lose_file, E_OK, READ_DAMAGED },
		{ "the segment ends early", cut_file, E_OK, READ_DAMAGED },
		{ "just expunged", expunge, E_OK, 6 },
		{ "expunged, and its octets went", expunge_and_lose, E_OK, READ_GONE },
		{ "no descriptor is free", fill_descriptors, E_TEMP, 0 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct letter l = letter_new();
		uint32_t got;
		cases[i].what(&l);
		enum ec e = read_letter(&l, &got);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &l.limit), 0);
		CHECK(e == cases[i].want && got == cases[i].got, cases[i].name);
		CHECK(cases[i].want == E_OK || (read_letter(&l, &got) == E_OK && got == 6), "the shortage passed");
		town_end(l.t);
	}
}

struct blocked {
	struct job job;
	sem_t runs, go;
};

static enum ec blocked_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct blocked *b = job->arg;

	(void)cx, (void)t;
	sem_post(&b->runs);
	sem_wait(&b->go);
	return E_OK;
}

static void blocked_done(struct job *job, enum ec e)
{
	struct blocked *b = job->arg;

	(void)e;
	sem_post(&b->runs);
}

static bool writer_has_work(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool has = w->waiting.head != NULL;
	pthread_mutex_unlock(&w->lock);
	return has;
}

/// An expunge that waits for the writer takes its message away when it is done, not when it was asked for: so long is
/// its body kept for who copies it meanwhile.
static void test_expunge_waits(void **state)
{
	(void)state;
	struct letter l = letter_new();
	struct store *s = l.t->b->s;
	struct blocked b = { .job = { .run = blocked_run, .done = blocked_done, .arg = &b } };
	struct req_mbox_expunge q = { .handle = l.h, .mbox = l.inbox, .all = 1, .out = { 0, 64 } };
	struct ans_mbox_expunge a = { 0 };
	struct pl_row row;

	sem_init(&b.runs, 0, 0);
	sem_init(&b.go, 0, 0);
	mark_deleted(&l);
	store_submit(s, &b.job);
	sem_wait(&b.runs);
	assert_true(client_send(&l.t->user, VERB_mbox_expunge, &q, sizeof q, -1));
	while (!writer_has_work(&s->writer))
		usleep(1000);
	for (int64_t came_s = clock_now_s(); clock_now_s() < came_s + 2;)
		usleep(10000);
	int64_t done_s = clock_now_s();
	sem_post(&b.go);
	assert_int_equal(client_answer(&l.t->user, &a, sizeof a), E_OK);
	assert_int_equal(a.count, 1);
	sem_wait(&b.runs); // it is over
	struct view *v = bed_view(l.t->b);
	struct mbox_ref m = { l.h.account, l.inbox };
	assert_int_equal(mailbox_row(&l.t->b->cx, v, m, 1, done_s + EXPUNGED_READABLE_S - 1, &row), E_OK);
	assert_int_equal(row.expunged, 1);
	view_close(v);
	town_end(l.t);
}

/// A bad sector below the second of three messages: the request brings the other two.
static void test_bad_sector(void **state)
{
	struct letter l = letter_new();
	struct req_mbox_read q = { .handle = l.h,
		.mbox = l.inbox,
		.uid = { 1, 2, 3 },
		.out = { 3, { { 0, 100 }, { 100, 100 }, { 200, 100 } } } };
	struct ans_mbox_read a = { 0 };
	struct pl_row row;

	(void)state;
	append(&l.t->user, &l.h, l.inbox, SL("second"));
	append(&l.t->user, &l.h, l.inbox, SL("third"));
	struct view *v = bed_view(l.t->b);
	assert_int_equal(
		mailbox_row(&l.t->b->cx, v, (struct mbox_ref){ l.h.account, l.inbox }, 2, clock_now_s(), &row), E_OK);
	view_close(v);
	bad_sector_at(l.file, (uint32_t)row.body, 1);
	enum ec e = ASK(&l.t->user, mbox_read, &q, &a);
	bad_sector.is = false;
	assert_int_equal(e, E_OK);
	assert_true(a.got[0] == 6 && a.got[1] == READ_DAMAGED && a.got[2] == 5);
	assert_memory_equal(l.t->user.arena, "octets", 6);
	assert_memory_equal(l.t->user.arena + 200, "third", 5);
	town_end(l.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_expunge_waits),
		cmocka_unit_test(test_bad_sector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
