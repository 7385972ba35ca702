/// deliver — the message to the store, and the answer to the client.
///
/// Nothing is acknowledged that is not on disk: 250 follows the store's answer. The recipients were checked at RCPT
/// and get some room beyond their quota, so it is rare that some targets take the message and others do not. Then
///   LMTP  answers each recipient for itself;
///   SMTP  has one answer for all of them:
///         - nothing stored: 4xx where any failure may pass, else 5xx;
///         - some stored, another failed for a passing reason of ours: 451. The client sends again, and those who
///           have it get it twice: better than once too few;
///         - some stored, another mailbox is full: 250, and the event smtp.deliver.partial. A 4xx would bring the
///           message to the others again with every try, for days.
///
/// Events:
///   smtp.accept id= from= rcpts= octets= ms= rcpt= … more=   the message is on disk for at least one recipient; each
///                                              of the first RCPTS_LOGGED by name, how many more there are
///   smtp.deliver.partial id= from= lost=       so many accounts did not get it
///   smtp.deliver.failed why= code=             the store could not take it
///   smtp.reject id= from= code= why= octets=   a message was refused after its octets came
#include "front/smtp/smtp.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/log.h"

/// How many recipients an event names, and so many octets of all together: the line has room for 2 KiB.
enum { RCPTS_LOGGED = 10, RCPTS_LOGGED_OCTETS = 900 };

/// What became of a message for some of its targets.
struct tally {
	uint32_t stored, failed;
	enum ec full;    // E_QUOTA where a mailbox had no room
	enum ec passing; // another failure
};

static void tally_add(struct tally *t, uint8_t status)
{
	enum ec e = status < E_COUNT ? (enum ec)status : E_CORRUPT;

	t->stored += e == E_OK;
	t->failed += e != E_OK;
	if (e == E_QUOTA)
		t->full = e;
	else if (e != E_OK)
		t->passing = e;
}

/// The rules at the head of this file. code 0: acknowledged.
static struct smtp_words tally_words(const struct tally *t, bool quota_defer)
{
	if (t->passing)
		return smtp_words(t->passing, quota_defer);
	if (t->stored == 0)
		return smtp_words(t->full ? t->full : E_TEMP, quota_defer);
	return (struct smtp_words){ 0 };
}

/// A message by what its client was told: by the code of SMTP's answer, 0 for 250.
static void count_message(unsigned code)
{
	figure_add(FIG_SMTP_MESSAGES,
		code == 0    ? VERDICT_ACCEPTED
		: code < 500 ? VERDICT_DEFERRED
			     : VERDICT_REFUSED,
		1);
}

static void log_reject(struct cx *cx, struct smtp *m, struct smtp_words w)
{
	count_message(w.code);
	LOG(cx, LOG_INFO, "smtp.reject", kv_sl("id", (struct sl){ m->mail.id, SMTP_ID_MAX }),
		kv_sl("from", m->mail.from), kv_u("code", w.code), kv_sl("why", sl_cstr(w.text)),
		kv_u("octets", m->mail.data.octets));
}

/// One recipient's answer in LMTP.
FIB static enum ec say_rcpt(struct cx *cx, struct smtp *m, const struct smtp_rcpt *r, struct smtp_words w)
{
	if (w.code)
		return smtp_sayf(cx, m, w.code, w.enhanced, "<%.*s> %s", SLF(r->address), w.text);
	return smtp_sayf(
		cx, m, 250, "2.1.5", "<%.*s> stored as %.*s", SLF(r->address), SMTP_ID_MAX, (const char *)m->mail.id);
}

FIB enum ec smtp_refuse(struct cx *cx, struct smtp *m, struct smtp_words w, bool each)
{
	enum ec e = E_OK;

	log_reject(cx, m, w);
	intake_drop(cx, &m->mail.body); // its client may not read the answer
	if (!each || !smtp_is_lmtp(m))
		e = smtp_say(cx, m, w);
	else
		for (const struct smtp_rcpt *r = m->mail.rcpts; r && e == E_OK; r = r->next)
			e = say_rcpt(cx, m, r, w);
	smtp_mail_end(cx, m);
	return e;
}

/// Whom a message went to is what an operator is asked for later.
static void log_stored(struct cx *cx, const struct smtp *m, struct sl id)
{
	struct kv kvs[5 + RCPTS_LOGGED + 2] = { kv_sl("id", id), kv_sl("from", m->mail.from),
		kv_u("rcpts", m->mail.n_rcpts), kv_u("octets", m->mail.data.octets),
		kv_i("ms", (clock_mono_ns() - m->mail.began_ns) / 1000000) };
	size_t n = 5, octets = 0;
	uint32_t named = 0;

	for (const struct smtp_rcpt *r = m->mail.rcpts; r && named < RCPTS_LOGGED; r = r->next, named++) {
		octets += r->address.n;
		if (named && octets > RCPTS_LOGGED_OCTETS)
			break;
		kvs[n++] = kv_sl("rcpt", r->address);
	}
	if (named < m->mail.n_rcpts)
		kvs[n] = kv_u("more", m->mail.n_rcpts - named);
	log_event(cx, LOG_INFO, "smtp.accept", kvs);
}

static void log_accept(struct cx *cx, struct smtp *m, const struct tally *all)
{
	struct sl id = { m->mail.id, SMTP_ID_MAX };

	if (all->stored) {
		log_stored(cx, m, id);
		m->bad = 0; // a client that brings mail may err now and then
	}
	if (all->stored && all->failed)
		LOG(cx, LOG_WARN, "smtp.deliver.partial", kv_sl("id", id), kv_sl("from", m->mail.from),
			kv_u("lost", all->failed));
}

/// Says what became of the message. status: one for each target.
FIB static enum ec answer(struct cx *cx, struct smtp *m, const uint8_t *status)
{
	bool defer = m->s->conf->quota_defer;
	struct tally all = { 0 };
	enum ec e = E_OK;

	for (uint32_t i = 0; i < m->mail.targets.n; i++)
		tally_add(&all, status[i]);
	log_accept(cx, m, &all);
	struct smtp_words w = tally_words(&all, defer);
	if (w.code && !smtp_is_lmtp(m))
		return smtp_refuse(cx, m, w, false);
	count_message(all.stored ? 0 : w.code);
	if (!smtp_is_lmtp(m))
		e = smtp_sayf(cx, m, 250, "2.0.0", "Stored as %.*s", SMTP_ID_MAX, (const char *)m->mail.id);
	for (const struct smtp_rcpt *r = m->mail.rcpts; smtp_is_lmtp(m) && r && e == E_OK; r = r->next) {
		struct tally own = { 0 };
		for (uint32_t i = 0; i < r->n; i++)
			tally_add(&own, status[r->target[i]]);
		e = say_rcpt(cx, m, r, tally_words(&own, defer));
	}
	smtp_mail_end(cx, m);
	return e;
}

/// Asks the store. in: lane — a chunk for ids and answers. out: status — of each target.
FIB static enum ec ask_store(struct cx *cx, struct smtp *m, struct range lane, uint8_t *status)
{
	struct chunks *arena = client_chunks(m->store);
	uint32_t n = m->mail.targets.n, ids = n * (uint32_t)sizeof *m->mail.targets.id;
	int64_t now = clock_now_s();
	struct req_deliver req = { .targets = { lane.off, ids }, .out = { lane.off + ids, n }, .date_s = now };
	struct ans_deliver ans;

	req.zone_min = clock_local_offset_min(now);
	memcpy(req.op, m->mail.op, sizeof req.op);
	memcpy(chunks_at(arena, req.targets), m->mail.targets.id, ids);
	memset(chunks_at(arena, req.out), E_TEMP, n); // never an older request's answers
	enum ec e = intake_finish(cx, &m->mail.body, req.body.r, &req.body.n, &req.upload);
	if (e == E_OK)
		e = call_deliver(cx, m->store, &req, &ans);
	if (e == E_OK && ans.stored)
		intake_upload_used(&m->mail.body);
	if (e == E_OK)
		memcpy(status, chunks_at(arena, req.out), n);
	return e;
}

/// Asks the store, and holds nothing more of the message then: its client may not read the answer.
FIB static enum ec store_message(struct cx *cx, struct smtp *m, uint8_t *status)
{
	struct chunks *arena = client_chunks(m->store);
	struct range lane;
	enum ec e = chunks_take(cx, arena, &lane);

	if (e != E_OK)
		return wrap(cx, E_TEMP, "no chunk to name its recipients");
	e = ask_store(cx, m, lane, status);
	chunks_give(arena, lane);
	intake_drop(cx, &m->mail.body);
	return e;
}

FIB enum ec smtp_deliver(struct cx *cx, struct smtp *m)
{
	uint8_t *status = calloc(m->mail.targets.n, sizeof *status);
	int64_t began_ns = clock_mono_ns();
	enum ec e = status ? store_message(cx, m, status) : fail(cx, E_TEMP, "no memory for the answer");

	if (e == E_OK) {
		figure_time(FIG_SMTP_DELIVER, 0, clock_mono_ns() - began_ns);
		e = answer(cx, m, status);
	} else {
		log_failure(cx, LOG_WARN, "smtp.deliver.failed", e);
		e = smtp_refuse(cx, m, smtp_words(e, m->s->conf->quota_defer), true);
	}
	free(status);
	return e;
}
