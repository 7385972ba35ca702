/// store_bench — durable commits per second of the store's engine, and the CPU time that each takes.
///
/// usage: store-bench FOLDER [submitters] [commits] [octets per body] [cells]. The folder is made and is not removed.
/// Each submitter puts a body into one batch with a commit of a random cell: 96 octets of row, a head, an operation id.
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "store/cell.h"

struct shared {
	struct store *s;
	atomic_uint_least64_t left, failed;
	size_t body;
	uint64_t cells;
	uint8_t *octets;
};

struct delivery {
	struct blob *blob;
	struct cell_id cell;
};

static enum ec deliver(struct cx *cx, struct txn *t, struct job *job)
{
	struct delivery *d = job->arg;
	uint8_t key[8], row[96] = { 0 }, head[64] = { 0 };
	uint64_t version = 0;
	struct sl old;
	struct body_ref ref;
	struct op_id op;

	enum ec e = cell_head(cx, txn_view(t), d->cell, &version, &old);
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	e = blob_put(cx, t, d->blob, &ref);
	if (e)
		return e;
	put_be64(key, version);
	put_le64(row, ref.at);
	put_le32(row + 8, ref.octets);
	random_octets(&op, sizeof op);
	struct change *c = change_begin(t, d->cell, version);
	change_put(c, (struct sl){ key, sizeof key }, (struct sl){ row, sizeof row });
	change_head(c, (struct sl){ head, sizeof head });
	return change_commit(cx, c, &op, SL("uid"), &version);
}

static void *submitter(void *arg)
{
	struct shared *sh = arg;
	struct cx cx = { 0 };
	uint64_t left = atomic_load(&sh->left);

	while (left) {
		if (!atomic_compare_exchange_weak(&sh->left, &left, left - 1))
			continue;
		struct delivery d = { .cell = { 1, random_u64() % sh->cells } };
		enum ec e = blob_new(&cx, sh->s, &d.blob);
		if (e == E_OK)
			e = blob_add(&cx, d.blob, (struct sl){ sh->octets, sh->body });
		if (e == E_OK)
			e = store_do(&cx, sh->s, true, deliver, &d);
		blob_free(d.blob);
		sh->failed += e != E_OK;
		left = atomic_load(&sh->left);
	}
	cx_end(&cx);
	return NULL;
}

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
	uint64_t v = otherwise;

	if (argc > i && !num_parse(sl_cstr(argv[i]), UINT32_MAX, &v))
		fprintf(stderr, "\"%s\" is not a number; using %" PRIu64 "\n", argv[i], v);
	return v;
}

int main(int argc, char **argv)
{
	struct cx cx = { 0 };
	struct shared sh = { .body = number(argc, argv, 4, 10240), .cells = number(argc, argv, 5, 10000) };
	size_t threads = number(argc, argv, 2, 64);
	uint64_t commits = number(argc, argv, 3, 100000);
	pthread_t *thread = calloc(threads, sizeof *thread);
	char story[600];

	if (argc < 2 || !thread) {
		fprintf(stderr, "usage: store-bench FOLDER [submitters] [commits] [octets per body] [cells]\n");
		return 2;
	}
	sh.octets = calloc(1, sh.body + 1);
	if (!sh.octets || store_open(&cx, &(struct store_conf){ .dir = sl_cstr(argv[1]) }, &sh.s)) {
		cx_story(&cx, story, sizeof story);
		fprintf(stderr, "%s\n", story);
		return 1;
	}
	random_octets(sh.octets, sh.body);
	atomic_store(&sh.left, commits);
	int64_t from = clock_mono_ns();
	double cpu_from = cpu_us();
	for (size_t i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, submitter, &sh))
			return 1;
	for (size_t i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	double seconds = (double)(clock_mono_ns() - from) / 1e9, cpu = cpu_us() - cpu_from;
	struct store_stats st;
	store_get_stats(sh.s, &st);
	printf("%" PRIu64 " durable commits, %" PRIu64
	       " failed: %.0f/s, %.1f us CPU each, %.1f in a batch, %.0f flushes/s\n",
		commits, atomic_load(&sh.failed), (double)commits / seconds, cpu / (double)commits,
		(double)commits / (double)(st.batches ? st.batches : 1), (double)st.flushes / seconds);
	from = clock_mono_ns();
	store_close(sh.s);
	printf("close: %.0f ms\n", (double)(clock_mono_ns() - from) / 1e6);
	free(sh.octets);
	free(thread);
	return sh.failed ? 1 : 0;
}
