/// store_growth — what a delivery costs in a store that has many messages already, and how soon such a store is open.
///
/// usage: store-growth FOLDER MESSAGES [crash]. Opens the store (made where missing), delivers bodies of 1,024 octets
/// to 1,000 accounts from 64 threads until it holds so many messages, and prints one JSON object: the time of the
/// opening, the cost of each of the last 10,000 deliveries, the octets of log written by this process and of the index.
/// With "crash" it ends as a killed process does, so that the next opening has to replay.
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "store/deliver.h"

enum { ACCOUNTS = 1000, THREADS = 64, BODY = 1024, WINDOW = 10000 };

struct growth {
	struct store *s;
	struct quota *quota;
	uint64_t account[ACCOUNTS];
	atomic_uint_least64_t next, end, failed; // numbers of messages
};

struct drop {
	struct delivery d;
	uint8_t status;
	uint32_t stored;
};

static enum ec drop_job(struct cx *cx, struct txn *t, struct job *job)
{
	struct drop *d = job->arg;

	d->status = UINT8_MAX; // undecided
	return deliver(cx, t, &d->d, &d->status, &d->stored);
}

static enum ec drop_one(struct cx *cx, struct growth *g, uint64_t number, struct sl body)
{
	struct drop d = { .d = { .target = &g->account[number * 7919 % ACCOUNTS],
				  .targets = 1,
				  .date_s = clock_now_s(),
				  .now_s = clock_now_s(),
				  .quota = g->quota } };
	enum ec e = blob_new(cx, g->s, &d.d.body);

	random_octets(&d.d.op, sizeof d.d.op);
	if (e == E_OK)
		e = blob_add(cx, d.d.body, body);
	if (e == E_OK)
		e = store_do(cx, g->s, true, drop_job, &d);
	if (e == E_OK && d.stored != 1)
		e = E_STATE;
	blob_free(d.d.body);
	return e;
}

static void *sender(void *arg)
{
	struct growth *g = arg;
	struct cx cx = { 0 };
	uint8_t octets[BODY];

	random_octets(octets, sizeof octets);
	for (uint64_t n; (n = atomic_fetch_add(&g->next, 1)) < atomic_load(&g->end);)
		g->failed += drop_one(&cx, g, n, (struct sl){ octets, sizeof octets }) != E_OK;
	cx_end(&cx);
	return NULL;
}

/// Delivers messages [from, to); false where one failed.
static bool grow(struct growth *g, uint64_t from, uint64_t to)
{
	pthread_t thread[THREADS];
	size_t n = 0;

	atomic_store(&g->next, from);
	atomic_store(&g->end, to);
	while (n < THREADS && pthread_create(&thread[n], NULL, sender, g) == 0)
		n++;
	for (size_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	return n == THREADS && g->failed == 0;
}

/// Makes the domain and the accounts, or finds those that are there.
static enum ec settle_job(struct cx *cx, struct txn *t, struct job *job)
{
	struct growth *g = job->arg;
	enum ec e = directory_domain_add(cx, t, SL("growth.test"), (struct sl){ 0 });

	for (uint64_t i = 0; (e == E_OK || e == E_EXISTS) && i < ACCOUNTS; i++) {
		char text[32];
		int n = snprintf(text, sizeof text, "u%" PRIu64 "@growth.test", i);
		struct account_new a = { .address = { (uint8_t *)text, (size_t)n }, .now_s = clock_now_s() };
		e = account_create(cx, t, &a, &g->account[i]);
		if (e == E_EXISTS)
			e = directory_user_find(cx, txn_view(t), a.address, &g->account[i]);
	}
	return e;
}

/// How many messages the store holds.
static enum ec count_messages(struct cx *cx, struct growth *g, uint64_t *messages)
{
	struct quota_used used;
	struct view *v;
	enum ec e = view_open(cx, g->s, &v);

	if (e != E_OK)
		return e;
	*messages = 0;
	for (uint64_t i = 0; e == E_OK && i < ACCOUNTS; i++) {
		e = quota_sum(cx, v, g->account[i], &used);
		*messages += e == E_OK ? used.messages : 0;
	}
	view_close(v);
	return e;
}

static double cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return 1e3 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

/// Grows to `messages` and prints what the last of them cost.
static enum ec measure(struct cx *cx, struct growth *g, uint64_t messages, double open_ms)
{
	struct store_stats st;
	uint64_t have = 0;
	enum ec e = store_do(cx, g->s, true, settle_job, g);

	if (e == E_OK)
		e = count_messages(cx, g, &have);
	if (e != E_OK)
		return e;
	uint64_t window = min_size(WINDOW, messages > have ? messages - have : 0);
	if (messages > have + window && !grow(g, have, messages - window))
		return fail(cx, E_IO, "deliveries failed");
	int64_t from = clock_mono_ns();
	double cpu_from = cpu_ms();
	if (window && !grow(g, messages - window, messages))
		return fail(cx, E_IO, "deliveries failed");
	double wall = (double)(clock_mono_ns() - from) / 1e6, cpu = cpu_ms() - cpu_from,
	       each = window ? (double)window : 1;
	store_get_stats(g->s, &st);
	uint64_t held = messages > have ? messages : have;
	printf("{\"messages\": %" PRIu64 ", \"found\": %" PRIu64 ", \"open_ms\": %.1f, \"wall_ms\": %.5f, "
	       "\"cpu_ms\": %.5f, \"log_octets\": %" PRIu64 ", \"index_octets\": %" PRIu64 "}\n",
		held, have, open_ms, wall / each, cpu / each, st.log_octets, st.index_octets);
	return E_OK;
}

int main(int argc, char **argv)
{
	struct cx cx = { 0 };
	static struct growth g;
	uint64_t messages = 0;
	char story[600];

	if (argc < 3 || !num_parse(sl_cstr(argv[2]), UINT32_MAX, &messages)) {
		fprintf(stderr, "usage: store-growth FOLDER MESSAGES [crash]\n");
		return 2;
	}
	int64_t from = clock_mono_ns();
	enum ec e = store_open(&cx, &(struct store_conf){ .dir = sl_cstr(argv[1]) }, &g.s);
	double open_ms = (double)(clock_mono_ns() - from) / 1e6;
	if (e == E_OK)
		e = quota_new(&g.quota);
	if (e == E_OK)
		e = measure(&cx, &g, messages, open_ms);
	if (e != E_OK) {
		cx_story(&cx, story, sizeof story);
		fprintf(stderr, "store-growth: %s\n", story);
		return 1;
	}
	fflush(stdout);
	if (argc > 3)
		_exit(0);
	store_close(g.s);
	quota_free(g.quota);
	cx_end(&cx);
	return 0;
}
