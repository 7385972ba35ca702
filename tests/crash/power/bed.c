/// bed — the program of the power-cut laboratory.
///
///   power-bed load DIR SEED OPS THREADS LIVES   runs random mail on the store at DIR in as many parts as LIVES has
///                                               letters; each ends in order (c) or as a killed process leaves it (k)
///   power-bed look DIR SEED FIRST OPS [N...]    opens it, prints its state, runs the deliveries N once more and OPS
///                                               operations from FIRST on, prints the state, closes, checks, opens, prints
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "bed.h"
#include "recorder.h"
#include "store/engine.h"
#include "store/mend.h"

enum { THREADS_MAX = 16 };
__attribute__((weak)) __typeof__(power_mark) power_mark;

void bed_mark(const struct bed *b, struct sl line)
{
	if (power_mark)
		power_mark((const char *)line.p, line.n);
	if (b->aloud) {
		printf("%.*s\n", SLF(line));
		fflush(stdout);
	}
}

static void mark_number(const struct bed *b, const char *word, uint64_t n)
{
	char line[64];

	bed_mark(b, (struct sl){ (uint8_t *)line,
			    (size_t)snprintf(line, sizeof line, "%s %llu", word, (unsigned long long)n) });
}

void bed_die(struct cx *cx, const char *step, enum ec e)
{
	char story[1024] = "";

	if (cx)
		cx_story(cx, story, sizeof story);
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s\n", step, ec_name(e), story);
	exit(3);
}

void bed_body(uint64_t seed, uint64_t n, size_t octets, uint8_t *out)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + n;
	uint8_t le[8];

	for (size_t at = 0; at < octets; at += sizeof le) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		put_le64(le, x ^ x >> 29);
		memcpy(out + at, le, min_size(sizeof le, octets - at));
	}
}

void bed_body_name(struct sl body, char out[static 17])
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	SHA256(body.p, body.n, md);
	for (size_t i = 0; i < 8; i++)
		snprintf(out + 2 * i, 3, "%02x", md[i]);
}

void bed_open(struct bed *b)
{
	struct cx cx = { 0 };
	uint32_t mended, damaged;
	enum ec e = store_open(&cx, &b->conf, &b->s);

	if (e == E_OK)
		e = quota_new(&b->quota);
	if (e == E_OK)
		e = mend_damaged(&cx, b->s, &mended, &damaged);
	if (e)
		bed_die(&cx, "opening the store", e);
	cx_end(&cx);
	mark_number(b, "open", store_version_raise(b->s));
}

void bed_close(struct bed *b)
{
	bed_mark(b, SL("closing"));
	store_close(b->s);
	quota_free(b->quota);
	b->s = NULL;
	bed_mark(b, SL("closed"));
}

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
		load_one(p->b, n);
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
		work_together(
			b, BED_ACCOUNTS + 1 + ops * (i + 1) / parts, threads < THREADS_MAX ? threads : THREADS_MAX);
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
		load_one(b, strtoull(argv[i], NULL, 10));
	for (uint64_t n = first; n < first + ops; n++)
		load_one(b, n);
	look_state(b);
	bed_close(b);
	look_check_log(b);
	bed_open(b);
	look_state(b);
	look_check_mail(b);
	bed_close(b);
	printf("end\n");
}

int main(int argc, char **argv)
{
	struct bed b = { .conf = { .map_octets = 256 << 20, .free_min_octets = 1 } };

	if (argc < 6 || (strcmp(argv[1], "load") == 0 && argc != 7)) {
		fprintf(stderr, "usage: power-bed load DIR SEED OPS THREADS LIVES | look DIR SEED FIRST OPS [N...]\n");
		return 2;
	}
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
