/// writer — the one thread that changes a store.
///
/// A batch becomes durable in this order (DESIGN: Commit):
///   1 take waiting jobs, at most BATCH_JOBS; jobs that come later gather for the next batch. Jobs of accounts that
///     keep the writer busy are put aside, and come in turns in a batch behind each batch of the others
///   2 run each job, until half of what a batch may hold is used (the rest are the next batch): it reads through the
///     batch's own index transaction and commits cells into it and into the batch
///   3 flush the bulk segments that the batch names
///   4 write the batch to the log
///   5 flush the log where a job is durable or a body is in the batch (so batches without a flush never hold bodies,
///     and can be written again elsewhere); all others within flush_lazy_ms
///   6 commit the index, with what is applied, unflushed
///   7 tell the watcher, then answer each job
/// A failure in 3, 4 or 5 aborts the index transaction; the batch is built once more in a new segment; failing again
/// the store refuses jobs until a probe succeeds.
/// After 5 the batch is done, and its jobs are never answered otherwise. A failure in 6 is mended (a larger map, the
/// index opened anew, a reserve segment's room for it) and the index brought up from the batch's own octets, at once
/// and then each second; meanwhile all other jobs are refused and the answers of these wait, at most hold_ms. What a
/// start finds in the log behind `applied` it applies, operation ids too, so who asks again hears that it was done.
/// A job is all or nothing: where its run fails after it has put something into the batch, the batch is built anew
/// without it. Such failures are rare (jobs check before they change), so this needs no means to undo a part.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"
#include "store/engine.h"
#include "store/image.h"

enum {
	TRIES = 3,          // to build a batch
	TURNS_NS = 5000000, // what several jobs that were put aside may take together in a batch
	EXPIRE_AT_LEAST = 4,
	TICK_NS = 1000000000,
};

static void list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_add(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->tail = j;
	l->tail = &j->next;
}

static struct job *list_take(struct job_list *l)
{
	struct job *j = l->head;

	if (j) {
		l->head = j->next;
		if (!l->head)
			l->tail = &l->head;
	}
	return j;
}

void store_submit(struct store *s, struct job *job)
{
	struct writer *w = &s->writer;

	job->submitted_ns = clock_mono_ns();
	pthread_mutex_lock(&w->lock);
	bool closed = w->stop;
	bool idle = !w->waiting.head; // otherwise the writer is awake, or on its way
	if (!closed)
		list_add(&w->waiting, job);
	figure_add(FIG_WRITER_QUEUE, 0, !closed);
	pthread_mutex_unlock(&w->lock);
	if (!closed && idle)
		pthread_cond_signal(&w->wake); // not under the lock, on which the writer would sleep once more
	if (closed)
		job->done(job, E_CLOSED);
}

/// Runs one job inside the batch.
static void run_job(struct cx *cx, struct writer *w, struct job *job)
{
	struct txn *t = &w->txn;

	if (w->on_reserve && !job->frees) {
		job->result = E_FULL;
		return;
	}
	int64_t began_ns = clock_mono_ns();
	t->job = job;
	cx_forget(cx);
	job->result = job->run(cx, t, job);
	txn_end_job(t);
	int64_t now_ns = clock_mono_ns();
	burden_add(&w->burdens, job->who, now_ns - began_ns, now_ns);
}

static void update_stats(struct writer *w)
{
	struct store *s = w->txn.s;

	pthread_mutex_lock(&w->lock);
	w->stats.batches = w->batches;
	w->stats.jobs = w->jobs;
	w->stats.flushes = s->journal.flushes;
	w->stats.log_octets = s->journal.written;
	w->stats.segments = atomic_load(&s->segments) + s->journal.made;
	w->stats.bodies = w->applied.bodies;
	w->stats.applied_lsn = w->applied.pos.lsn;
	w->stats.applied_segment = w->applied.pos.segment;
	w->stats.durable_lsn = s->journal.durable.lsn;
	w->stats.read_only = w->refuse != E_OK;
	figure_set(FIG_SEGMENTS, 0, w->stats.segments);
	figure_set(FIG_BODIES, 0, w->stats.bodies);
	figure_set(FIG_READ_ONLY, 0, w->stats.read_only);
	figure_set(FIG_UNFLUSHED, 0, s->journal.kept.n);
	pthread_mutex_unlock(&w->lock);
}

/// Writes the row of what is applied, forgets old outcomes, commits. The transaction is gone afterwards.
static enum ec commit_index(struct cx *cx, struct writer *w, const struct applied *a, unsigned jobs)
{
	struct itxn *it = w->txn.view.t;
	int64_t began_ns = clock_mono_ns();

	doing_at("commit of the index", began_ns);
	w->txn.view.t = NULL;
	enum ec e = apply_expire(cx, it, w->txn.batch.time_s, EXPIRE_AT_LEAST + 2 * jobs);
	if (e == E_OK)
		e = applied_put(cx, it, a);
	if (e) {
		itxn_abort(it);
		return e;
	}
	e = itxn_commit(cx, it);
	figure_time(FIG_INDEX_COMMITS, 0, clock_mono_ns() - began_ns);
	return e;
}

static enum ec apply_rec_again(struct cx *cx, struct itxn *it, const struct rec *r, struct sl payload)
{
	struct cell_row after;
	struct commit c;
	struct image im;

	if (r->type == REC_COMMIT) {
		c = commit_of(r, payload);
		return apply_commit(cx, it, &c, &after);
	}
	if (r->type == REC_IMAGE) {
		im = image_of(r, payload);
		return apply_image(cx, it, &im);
	}
	if (r->type == REC_BULK)
		return apply_bulk(cx, it, (struct body_ref){ r->arg[BULK_AT], (uint32_t)r->arg[BULK_OCTETS] });
	return E_OK;
}

/// Applies the records of the batch that is in the log to a new index transaction.
static enum ec apply_again(struct cx *cx, struct itxn *it, const struct batch *b)
{
	enum ec e = E_OK;
	struct rec r = { 0 };
	uint64_t at = b->at; // in the segment; bodies are not in `small`

	for (struct sl rest = buf_sl(&b->small); e == E_OK && rest.n;) {
		e = rec_decode(&b->nonce, rest, at, &r);
		if (e)
			return fail(cx, e, "the batch does not prove itself");
		size_t here = r.type == REC_BLOB ? pieces_octets(r.arg[BLOB_OCTETS]) : r.octets;
		e = apply_rec_again(cx, it, &r, sl_sub(rest, REC_HEAD, REC_HEAD + here));
		rest = sl_from(rest, REC_HEAD + here);
		at += REC_HEAD + r.octets;
	}
	return e;
}

/// Brings the index up with the batch that is in the log already.
static enum ec redo_once(struct cx *cx, struct writer *w)
{
	struct txn *t = &w->txn;
	enum ec e = index_write(cx, t->s->index, &t->view.t);

	if (e)
		return e;
	e = apply_again(cx, t->view.t, &t->batch);
	if (e) {
		itxn_abort(t->view.t);
		t->view.t = NULL;
		return e;
	}
	return commit_index(cx, w, &w->applied, 0);
}

/// Where the disk has no room for the index: gives it a reserve segment's.
static bool give_reserve(struct writer *w, enum ec e)
{
	struct store *s = w->txn.s;
	bool given = store_is_full(s, e) && journal_give_reserve(&s->journal);

	w->on_reserve |= given;
	return given;
}

/// A batch is begun (`under_way`), or it is in the index, or nowhere.
static void note_turn(struct writer *w, bool under_way)
{
	unsigned turn = atomic_load(&w->turn);

	if ((turn % 2 != 0) != under_way)
		atomic_store(&w->turn, turn + 1);
}

/// Step 6 until it succeeds or nothing more can be done for it now. errors: E_FULL also where the index says E_IO.
static enum ec redo(struct cx *cx, struct writer *w)
{
	struct store *s = w->txn.s;
	enum ec e;

	do {
		e = index_mend(cx, s->index);
		if (e)
			break;
		e = redo_once(cx, w);
		w->redo = e != E_OK;
		note_turn(w, w->redo);
	} while (e && (index_is_map_full(s->index) || give_reserve(w, e)));
	return store_is_full(s, e) ? E_FULL : e;
}

/// Steps 3 to 5.
static enum ec log_batch(struct cx *cx, struct writer *w, bool durable)
{
	struct txn *t = &w->txn;
	struct journal *j = &t->s->journal;
	struct journal_batch jb;

	enum ec e = txn_flush_bulk(cx, t);
	if (e == E_OK)
		e = batch_end(&t->batch, j->durable.lsn, &jb);
	if (e)
		return e;
	bool flush = durable || t->batch.body_count > 0;
	e = journal_append(cx, j, &jb, flush);
	if (e)
		return e;
	if (j->durable.lsn == j->end.lsn)
		w->flush_at_ns = 0;
	else if (w->flush_at_ns == 0)
		w->flush_at_ns = clock_mono_ns() + (int64_t)t->s->flush_lazy_ms * 1000000;
	w->applied.pos = j->end;
	w->applied.durable_lsn = j->durable.lsn;
	w->applied.bodies += t->batch.body_count;
	return E_OK;
}

/// A new segment where it is due. One that was only asked for fails alone (store_roll): the present one has room yet.
static enum ec roll(struct cx *cx, struct writer *w)
{
	struct journal *j = &w->txn.s->journal;
	bool anyhow = atomic_exchange(&w->roll, false);
	enum ec e = journal_roll(cx, j, anyhow);

	if (anyhow)
		atomic_store(&w->rolled, e);
	return anyhow && j->fd >= 0 ? E_OK : e;
}

/// Begins an empty batch.
static enum ec begin(struct cx *cx, struct writer *w)
{
	struct txn *t = &w->txn;
	struct store *s = t->s;

	enum ec e = roll(cx, w);
	if (e == E_OK)
		e = index_write(cx, s->index, &t->view.t);
	if (e)
		return e;
	t->broken = E_OK;
	t->changed_n = t->blobs_n = 0;
	t->attempt++;
	t->bodies_refused = w->bodies_refused;
	batch_begin(&t->batch, &s->journal, (uint64_t)clock_now_s());
	return E_OK;
}

static void abort_batch(struct writer *w)
{
	struct txn *t = &w->txn;

	itxn_abort(t->view.t);
	t->view.t = NULL;
	t->batch.records = 0;
	t->changed_n = 0;
}

/// Step 2. Returns how many jobs ran. *spoilt: the last of them failed and left something in the batch.
static unsigned run_jobs(
	struct cx *cx, struct writer *w, struct job *const *jobs, unsigned n, bool *durable, bool *spoilt)
{
	struct txn *t = &w->txn;
	unsigned i;

	*durable = *spoilt = false;
	for (i = 0; i < n && !*spoilt && !t->broken && (i == 0 || batch_takes_jobs(&t->batch)); i++) {
		uint64_t before = t->batch.records;
		run_job(cx, w, jobs[i]);
		*spoilt = jobs[i]->result != E_OK && t->batch.records > before;
		*durable |= jobs[i]->durable && t->batch.records > before;
	}
	return i;
}

/// Steps 1 and 2. out: *ran — how many of the jobs, from the first, this batch holds; at least one.
static enum ec build(struct cx *cx, struct writer *w, struct job *const *jobs, unsigned n, unsigned *ran, bool *durable)
{
	struct txn *t = &w->txn;
	bool spoilt;

	doing("changes of a batch");
	for (;;) {
		enum ec e = begin(cx, w);
		if (e)
			return e;
		*ran = run_jobs(cx, w, jobs, n, durable, &spoilt);
		if (t->broken || !spoilt)
			return t->broken;
		if (*ran == 1)
			break; // alone with what it left behind
		abort_batch(w);
		n = *ran - 1; // those before it; it comes first in the next batch
	}
	t->batch.records = 0; // so nothing is written
	return E_OK;
}

/// Steps 2 to 6 once. After an error nothing of the batch is there, unless w->redo says that it is in the log.
/// out: *ran, on E_OK or with w->redo — as in build.
static enum ec attempt(struct cx *cx, struct writer *w, struct job *const *jobs, unsigned n, unsigned *ran)
{
	struct txn *t = &w->txn;
	bool durable = false;
	enum ec e = build(cx, w, jobs, n, ran, &durable);

	if (e == E_OK && t->batch.records)
		e = log_batch(cx, w, durable);
	if (e || t->batch.records == 0) {
		abort_batch(w);
		return e;
	}
	txn_blobs_stored(t);
	update_stats(w); // before the index knows of it: a snapshot asks how far it may have got
	w->redo = true;
	e = commit_index(cx, w, &w->applied, *ran);
	if (e)
		return redo(cx, w);
	w->redo = false;
	return E_OK;
}

/// What was applied stands in another place of the log now. Where the index cannot be told, a start that comes before
/// the next batch makes it anew.
static void note_place(struct cx *cx, struct writer *w)
{
	struct store *s = w->txn.s;
	struct itxn *it;

	w->applied.pos = s->journal.end;
	w->applied.durable_lsn = s->journal.durable.lsn;
	enum ec e = index_write(cx, s->index, &it);
	if (e == E_OK) {
		e = applied_put(cx, it, &w->applied);
		if (e)
			itxn_abort(it);
		else
			e = itxn_commit(cx, it);
	}
	if (e)
		cx_forget(cx);
}

/// After a failed attempt: makes it possible to try again, or says that it is not.
static enum ec recover(struct cx *cx, struct writer *w, bool frees)
{
	struct store *s = w->txn.s;
	unsigned reserves = s->journal.reserves;
	bool moves = s->journal.kept.n > 0;

	enum ec e = index_mend(cx, s->index);
	if (e)
		return e;
	if (s->journal.fd >= 0)
		return E_OK; // a bulk segment failed: its body is spoilt, the other jobs are fine
	e = journal_restart(cx, &s->journal, frees);
	w->on_reserve |= s->journal.reserves < reserves;
	if (e)
		return e;
	w->flush_at_ns = 0; // all that was kept is flushed
	if (moves)
		note_place(cx, w);
	return E_OK;
}

static void finish(struct job *const *jobs, unsigned n, enum ec e)
{
	int64_t now = clock_mono_ns();

	for (unsigned i = 0; i < n; i++) {
		figure_time(FIG_COMMITS, 0, now - jobs[i]->submitted_ns);
		jobs[i]->done(jobs[i], e ? e : jobs[i]->result);
	}
}

/// What a job is told where its batch failed.
static enum ec refusal(enum ec e)
{
	return e == E_FULL ? E_FULL : E_TEMP;
}

/// Keeps the jobs that free space and answers the others E_FULL; returns how many are kept.
static unsigned keep_freeing(struct job **jobs, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (jobs[i]->frees)
			jobs[kept++] = jobs[i];
		else
			finish(&jobs[i], 1, E_FULL);
	}
	return kept;
}

static unsigned refuse_all(struct job *const *jobs, unsigned n, enum ec e)
{
	finish(jobs, n, e);
	return 0;
}

/// Step 7, its first half.
static void tell_watcher(struct writer *w)
{
	struct txn *t = &w->txn;

	pthread_mutex_lock(&w->lock);
	store_watch *watch = w->watch;
	void *arg = w->watch_arg;
	w->telling = watch != NULL;
	pthread_mutex_unlock(&w->lock);
	if (!watch)
		return;
	for (size_t i = 0; i < t->changed_n; i++)
		watch(arg, t->changed[i].id, t->changed[i].version);
	pthread_mutex_lock(&w->lock);
	w->telling = false;
	pthread_cond_broadcast(&w->silent);
	pthread_mutex_unlock(&w->lock);
}

/// Step 7.
static void answer(struct writer *w, struct job *const *jobs, unsigned n)
{
	doing("answers");
	w->jobs += n;
	w->batches += w->txn.batch.records > 0;
	figure_add(FIG_JOBS, 0, n);
	figure_add(FIG_BATCHES, 0, w->txn.batch.records > 0);
	update_stats(w);
	tell_watcher(w);
	finish(jobs, n, E_OK);
}

/// The batch of these jobs is in the log and not in the index: their answers wait.
static void hold(struct writer *w, struct job *const *jobs, unsigned n)
{
	w->jobs += n;
	w->batches++;
	figure_add(FIG_JOBS, 0, n);
	figure_add(FIG_BATCHES, 0, 1);
	for (unsigned i = 0; i < n; i++)
		list_add(&w->held, jobs[i]);
	w->held_until_ns = clock_mono_ns() + (int64_t)w->txn.s->hold_ms * 1000000;
}

/// The held jobs are done, whether the index knows or not.
static void answer_held(struct writer *w)
{
	struct job *j;

	while ((j = list_take(&w->held)))
		finish(&j, 1, E_OK);
}

/// Tries step 6 for the batch that is held.
static enum ec redo_held(struct cx *cx, struct writer *w)
{
	enum ec e = redo(cx, w);

	if (e == E_OK)
		tell_watcher(w);
	if (e == E_OK || clock_mono_ns() >= w->held_until_ns)
		answer_held(w);
	return e;
}

/// Builds, writes and answers batches until all jobs are answered: one, unless they hold much.
/// `jobs` is changed.
static void do_batch(struct cx *cx, struct writer *w, struct job **jobs, unsigned n)
{
	enum ec e = E_OK;

	for (int failed = 0; n && failed < TRIES;) {
		unsigned ran = 0;
		note_turn(w, true);
		e = attempt(cx, w, jobs, n, &ran);
		note_turn(w, w->redo);
		if (e == E_OK) {
			w->refuse = E_OK;
			answer(w, jobs, ran);
			jobs += ran;
			n -= ran;
			failed = 0;
			continue;
		}
		failed++;
		if (w->redo) { // in the log, not in the index: only redo may follow
			hold(w, jobs, ran);
			jobs += ran;
			n -= ran;
			break;
		}
		if (e == E_FULL && !index_is_map_full(w->txn.s->index))
			n = keep_freeing(jobs, n);
		e = recover(cx, w, n > 0);
		if (e)
			break;
	}
	if (n == 0 && !w->redo && (e == E_OK || w->txn.s->journal.fd >= 0))
		return;
	w->refuse = refusal(e);
	w->tick_at_ns = clock_mono_ns() + TICK_NS;
	update_stats(w);
	finish(jobs, n, w->refuse);
}

static void look_at_disk(struct writer *w)
{
	struct store *s = w->txn.s;
	int64_t free_octets = s->disk->free_octets(s->disk->arg, s->log_fd);

	figure_set(FIG_INDEX_SIZE, 0, index_octets(s->index));
	if (free_octets < 0)
		return;
	figure_set(FIG_DISK_FREE, 0, (uint64_t)free_octets);
	w->bodies_refused = (uint64_t)free_octets < s->free_min_octets;
	pthread_mutex_lock(&w->lock);
	w->stats.free_octets = (uint64_t)free_octets;
	pthread_mutex_unlock(&w->lock);
}

/// Looks at the disk: free space, the reserve; where jobs are refused, tries whether writing works again.
static void tick(struct cx *cx, struct writer *w)
{
	struct store *s = w->txn.s;

	doing("look at the disk");
	w->tick_at_ns = clock_mono_ns() + TICK_NS;
	look_at_disk(w);
	if (w->refuse != E_OK) {
		enum ec e = w->redo ? redo_held(cx, w) : E_OK;
		if (e == E_OK)
			e = recover(cx, w, false);
		w->refuse = e ? refusal(e) : E_OK;
		update_stats(w);
	}
	if (w->refuse == E_OK && !w->bodies_refused)
		journal_fill_reserve(&s->journal);
	if (s->journal.reserves == JOURNAL_RESERVES)
		w->on_reserve = false;
}

/// Makes lazy batches durable whose time has come.
static void flush_lazy(struct cx *cx, struct writer *w)
{
	w->flush_at_ns = 0;
	enum ec e = journal_flush(cx, &w->txn.s->journal);
	if (e)
		e = recover(cx, w, true);
	if (e) {
		w->refuse = refusal(e);
		w->tick_at_ns = clock_mono_ns() + TICK_NS;
	}
	update_stats(w);
}

/// When the thread must wake without a job; 0 = never.
static int64_t wake_at(const struct writer *w)
{
	if (w->refuse != E_OK)
		return w->tick_at_ns;
	if (w->on_reserve && (w->flush_at_ns == 0 || w->tick_at_ns < w->flush_at_ns))
		return w->tick_at_ns;
	return w->flush_at_ns;
}

/// Puts a job aside until it is its account's turn.
static void put_aside(struct writer *w, struct job *job)
{
	struct fair_node *nobody;

	put_le64(job->turn.who, job->who);
	fair_add(&w->later, &job->turn, &nobody);
}

/// Leaves the jobs of those who do not keep the writer busy; returns how many.
static unsigned sort_out(struct writer *w, struct job **jobs, unsigned n)
{
	int64_t now_ns = clock_mono_ns(), job_ns;
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (burden_is_heavy(&w->burdens, jobs[i]->who, now_ns, &job_ns))
			put_aside(w, jobs[i]);
		else
			jobs[kept++] = jobs[i];
	}
	return kept;
}

/// Takes jobs that were put aside: one, or more where their accounts' last ones took little.
static unsigned take_turns(struct writer *w, struct job **jobs)
{
	int64_t now_ns = clock_mono_ns(), all_ns = 0, job_ns;
	unsigned n = 0;

	while (n < BATCH_JOBS && all_ns < TURNS_NS && w->later.n) {
		struct job *job = (struct job *)fair_take(&w->later); // its first member
		jobs[n++] = job;
		(void)burden_is_heavy(&w->burdens, job->who, now_ns, &job_ns);
		all_ns += job_ns;
	}
	return n;
}

/// Waits for jobs and takes a batch of them. Returns 0 at a timer, where all that came were put aside, or at the end
/// (*stop).
static unsigned take_jobs(struct writer *w, struct job **jobs, bool *stop)
{
	unsigned n = 0;
	int rc = 0;

	doing(NULL);
	pthread_mutex_lock(&w->lock);
	while (!w->waiting.head && !w->later.n && !w->stop && rc == 0) {
		int64_t at = wake_at(w);
		struct timespec until = { at / 1000000000, at % 1000000000 };
		rc = at ? pthread_cond_timedwait(&w->wake, &w->lock, &until) : pthread_cond_wait(&w->wake, &w->lock);
	}
	while (n < BATCH_JOBS && (jobs[n] = list_take(&w->waiting)))
		n++;
	*stop = n == 0 && w->later.n == 0 && w->stop;
	pthread_mutex_unlock(&w->lock);
	figure_less(FIG_WRITER_QUEUE, 0, n);
	return sort_out(w, jobs, n);
}

/// Does jobs as far as the disk allows it.
static void do_jobs(struct cx *cx, struct writer *w, struct job **jobs, unsigned n)
{
	if (n && w->refuse == E_FULL && !w->redo)
		n = keep_freeing(jobs, n); // these may go on in the reserve
	else if (n && w->refuse != E_OK)
		n = refuse_all(jobs, n, w->refuse);
	if (n)
		do_batch(cx, w, jobs, n);
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct writer *w = &s->writer;
	struct job **jobs = w->batch_jobs;
	struct cx cx = { 0 };
	bool stop = false;

	doing_begin("writer", 0);
	while (!stop) {
		unsigned n = take_jobs(w, jobs, &stop);
		int64_t now = clock_mono_ns();
		if (now >= w->tick_at_ns && !stop)
			tick(&cx, w);
		do_jobs(&cx, w, jobs, n);
		do_jobs(&cx, w, jobs, take_turns(w, jobs));
		if (w->flush_at_ns && w->refuse == E_OK && clock_mono_ns() >= w->flush_at_ns)
			flush_lazy(&cx, w);
	}
	if (w->redo)
		(void)redo_held(&cx, w); // otherwise the next start does it
	answer_held(w);
	cx_end(&cx);
	doing_end();
	return NULL;
}

void writer_init(struct writer *w)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->silent, NULL);
	pthread_condattr_destroy(&attr);
	list_init(&w->waiting);
	list_init(&w->held);
	w->later = (struct fair){ .max = UINT32_MAX };
}

void writer_end(struct writer *w)
{
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->silent);
	pthread_mutex_destroy(&w->lock);
}

enum ec writer_start(struct cx *cx, struct store *s)
{
	struct writer *w = &s->writer;

	w->txn.s = w->txn.view.s = s;
	look_at_disk(w);
	update_stats(w);
	w->started = pthread_create(&w->thread, NULL, writer_main, s) == 0;
	return w->started ? E_OK : fail(cx, E_TEMP, "cannot start the writer's thread");
}

void writer_stop(struct store *s)
{
	struct writer *w = &s->writer;

	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	w->started = false;
	txn_free(&w->txn);
}

enum ec store_roll(struct cx *cx, struct store *s)
{
	atomic_store(&s->writer.roll, true);
	// something must be written behind the new beginning
	enum ec e = image_write(cx, s, (struct cell_id){ 0 }, true);
	enum ec rolled = atomic_load(&s->writer.rolled);
	return e || rolled == E_OK ? e : fail(cx, rolled, "no other segment for the log");
}

void store_set_watch(struct store *s, store_watch *fn, void *arg)
{
	pthread_mutex_lock(&s->writer.lock);
	while (s->writer.telling) // whoever was told may be gone after this
		pthread_cond_wait(&s->writer.silent, &s->writer.lock);
	s->writer.watch = fn;
	s->writer.watch_arg = arg;
	pthread_mutex_unlock(&s->writer.lock);
}

void store_get_stats(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->writer.lock);
	*out = s->writer.stats;
	pthread_mutex_unlock(&s->writer.lock);
	out->index_octets = index_octets(s->index);
}
