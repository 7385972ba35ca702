/// main — the program of the power-cut laboratory.
///
///   power-bed load DIR SEED OPS THREADS LIVES   runs random mail on the store at DIR in as many parts as LIVES has
///                                               letters; each ends in order (c) or as a killed process leaves it (k)
///   power-bed look DIR SEED FIRST OPS [N...]    opens it, prints its state, runs the deliveries N once more and OPS
///                                               operations from FIRST on, prints the state, closes, checks, opens, prints
///   power-bed starts DIR                        opens it three times, each time from less: as it is, without the index,
///                                               without snapshots; prints the state each time; checks
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "store/engine.h"
#include "store/state.h"

enum { THREADS_MAX = 16, SLICES = 3 };

/// Leaves the store as a killed process does: nothing more is written. Memory stays.
static void leave(struct bed *b)
{
	writer_stop(b->s);
	if (b->s->journal.fd >= 0)
		close(b->s->journal.fd);
	index_close(b->s->index);
	close(b->s->lock_fd);
	quota_free(b->quota);
	bed_mark(b, SL("killed"));
}

struct part {
	struct bed *b;
	uint64_t to;
};

static void *work(void *arg)
{
	struct part *p = arg;

	for (uint64_t n; (n = atomic_fetch_add(&p->b->next, 1)) < p->to;)
		(void)load_one(p->b, n);
	return NULL;
}

static void work_together(struct bed *b, uint64_t to, unsigned threads)
{
	pthread_t thread[THREADS_MAX];
	struct part p = { b, to };

	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, &p))
			bed_die(NULL, "a thread", E_TEMP);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&b->next, to);
}

static void load(struct bed *b, char **argv)
{
	uint64_t ops = strtoull(argv[4], NULL, 10);
	unsigned threads = (unsigned)strtoul(argv[5], NULL, 10);
	const char *lives = argv[6];
	size_t parts = strlen(lives);

	for (size_t i = 0; i < parts; i++) {
		bed_open(b);
		if (i == 0)
			load_accounts(b);
		for (size_t k = 1; k <= SLICES; k++) {
			uint64_t to = BED_ACCOUNTS + 1 + ops * (i * SLICES + k) / (parts * SLICES);
			work_together(b, to, threads < THREADS_MAX ? threads : THREADS_MAX);
			keep_step(b, i * SLICES + k);
		}
		if (lives[i] == 'k')
			leave(b);
		else
			bed_close(b);
	}
}

static void look(struct bed *b, char **argv, int argc)
{
	uint64_t first = strtoull(argv[4], NULL, 10), ops = strtoull(argv[5], NULL, 10);

	b->aloud = true;
	bed_open(b);
	look_state(b);
	bed_mark(b, SL("seen"));
	for (int i = 6; i < argc; i++)
		(void)load_one(b, strtoull(argv[i], NULL, 10));
	for (uint64_t n = first; n < first + ops; n++)
		(void)load_one(b, n);
	look_state(b);
	bed_close(b);
	look_check_log(b);
	bed_open(b);
	look_state(b);
	look_check_mail(b);
	bed_close(b);
	printf("end\n");
}

/// Has the next start take the index, whenever the store died last.
static void forget_death(int dir)
{
	struct cx cx = { 0 };
	struct state st;
	enum ec e = state_read(&cx, dir, &st);

	st.died_s = 0;
	if (e == E_OK)
		e = state_write(&cx, &disk_real, dir, &st);
	if (e)
		bed_die(&cx, "the state file", e);
}

static void take_away(int dir, const char *name)
{
	if (unlinkat(dir, name, 0))
		bed_die(NULL, name, E_IO);
}

/// What a start finds must not depend on what it begins with.
static void starts(struct bed *b)
{
	int dir = open((const char *)b->conf.dir.p, O_RDONLY | O_DIRECTORY);
	int rebuild;

	if (dir < 0)
		bed_die(NULL, "opening the folder", E_IO);
	forget_death(dir);
	bed_open(b);
	look_state(b);
	bed_close(b);
	take_away(dir, "index/data.mdb");
	bed_open(b);
	look_state(b);
	bed_close(b);
	rebuild = openat(dir, "rebuild", O_WRONLY | O_CREAT, 0600);
	if (rebuild < 0)
		bed_die(NULL, "asking for the index anew", E_IO);
	close(rebuild);
	bed_open(b);
	look_state(b);
	look_check_mail(b);
	bed_close(b);
	look_check_log(b);
	close(dir);
	printf("end\n");
}

int main(int argc, char **argv)
{
	struct bed b = { .conf = { .map_octets = 256 << 20, .free_min_octets = 1 } };

	if (argc == 3 && strcmp(argv[1], "starts") == 0) {
		keep_rules(&b.conf);
		b.conf.dir = sl_cstr(argv[2]);
		starts(&b);
		return 0;
	}
	if (argc < 6 || (strcmp(argv[1], "load") == 0 && argc != 7)) {
		fprintf(stderr, "usage: power-bed load DIR SEED OPS THREADS LIVES | look DIR SEED FIRST OPS [N...] | "
				"starts DIR\n");
		return 2;
	}
	keep_rules(&b.conf);
	b.conf.dir = sl_cstr(argv[2]);
	b.seed = strtoull(argv[3], NULL, 10);
	b.conf.segment_octets =
		b.seed % 3 == 0 ? 2 << 20 : 64 << 10; // some rolls, or bulk segments with several bodies
	if (strcmp(argv[1], "load") == 0)
		load(&b, argv);
	else
		look(&b, argv, argc);
	return 0;
}
