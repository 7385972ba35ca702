/// data — DATA and BDAT: the message from the connection into the body's chunks, decoded on the way.
///
///   io → smtp_data_feed → chunk: one copy. What cannot be kept (too large, store away) is read and dropped, so that
///   the session goes on with the reply.
///
/// Events:
///   smtp.data.store why= code=   the store did not take what came so far; the rest is read and dropped
#include "front/smtp/smtp.h"

#include "base/clock.h"
#include "base/num.h"
#include "front/smtp/trace.h"
#include "mail/header.h"
#include "mail/message_id.h"

enum { SCRATCH = 512 };

/// Date and Message-ID where a user's client left them out. Only where the whole header can be seen: a header that
/// does not fit into the first chunk has them somewhere, more likely than not.
/// source: RFC 6409 §8.2, §8.3.
static void add_missing(const struct smtp *m, const struct date *now, struct buf *b)
{
	bool whole;
	struct sl head = intake_head(&m->mail.body, &whole);

	if (!whole && header_octets(head) >= head.n)
		return;
	struct message_has has = message_id_check(head);
	if (!has.date)
		message_id_date_line(now, b);
	if (!has.message_id && message_id_make(m->s->conf->hostname, b) == E_SYNTAX)
		return; // a hostname that fits no Message-ID: better none than a wrong one
}

/// Puts Return-Path and Received in front of the message.
FIB static enum ec put_trace(struct cx *cx, struct smtp *m)
{
	int64_t now = clock_now_s();
	struct trace t = {
		.from = m->mail.from,
		.helo = { m->helo, m->helo_octets },
		.peer = io_peer(m->io),
		.hostname = m->s->conf->hostname,
		.lmtp = smtp_is_lmtp(m),
		.esmtp = m->esmtp,
		.tls = io_is_tls(m->io),
		.authed = m->authed,
		.tls_version = io_tls_version(m->io),
		.tls_cipher = io_tls_cipher(m->io),
		.id = { m->mail.id, SMTP_ID_MAX },
		.for_whom = m->mail.n_rcpts == 1 ? m->mail.rcpts->address : SL(""),
		.date = { now, clock_local_offset_min(now) },
	};
	struct buf b = BUF(INTAKE_HEADROOM);

	trace_print(&b, &t);
	if (smtp_is_submission(m))
		add_missing(m, &t.date, &b);
	enum ec e = b.err;
	if (e == E_OK)
		e = intake_put_front(cx, &m->mail.body, buf_sl(&b));
	buf_free(&b);
	return e;
}

/// Where the decoder may write: into the body, or into `scratch` once the body has failed.
FIB static uint8_t *place(struct cx *cx, struct smtp *m, uint8_t scratch[SCRATCH], size_t *room)
{
	struct intake *b = &m->mail.body;
	uint8_t *p = scratch;
	enum ec e = E_OK;

	if (b->err == E_OK && intake_is_full(b)) {
		e = b->fronted ? E_OK : put_trace(cx, m);
		if (e == E_OK)
			e = intake_push(cx, b);
	}
	if (b->err == E_OK && e == E_OK)
		e = intake_room(cx, b, &p, room);
	if (e != E_OK) {
		log_failure(cx, LOG_WARN, "smtp.data.store", e);
		intake_fail(cx, b, e);
	}
	if (b->err == E_OK)
		return p;
	*room = SCRATCH;
	return scratch;
}

FIB static void count_written(struct cx *cx, struct smtp *m, size_t n)
{
	struct intake *b = &m->mail.body;

	if (b->err == E_OK)
		intake_took(b, n);
	if (b->err == E_OK && m->mail.data.octets > m->s->conf->message_max)
		intake_fail(cx, b, E_TOOBIG);
}

/// Decodes octets that have come; returns how many were used, fewer only where the data ended.
FIB static size_t feed(struct cx *cx, struct smtp *m, struct sl in, bool *ended)
{
	uint8_t scratch[SCRATCH];
	size_t at = 0, room = 0;

	while (at < in.n && !*ended) {
		uint8_t *p = place(cx, m, scratch, &room);
		struct smtp_data_step step = smtp_data_feed(&m->mail.data, sl_from(in, at), p, room);
		count_written(cx, m, step.written);
		at += step.consumed;
		*ended = step.ended;
	}
	return at;
}

bool smtp_is_too_slow(uint64_t octets, int64_t ms)
{
	return ms > SMTP_SLOW_MS && octets / ((uint64_t)ms / 1000) < SMTP_PACE;
}

/// Of the message under way.
static bool is_too_slow(const struct smtp *m, int64_t now_ns)
{
	return m->mail.data_ns && smtp_is_too_slow(m->mail.data.octets, (now_ns - m->mail.data_ns) / 1000000);
}

/// Waits for octets of a message where none are there.
FIB static enum ec need_input(struct cx *cx, struct smtp *m)
{
	if (io_input(m->io).n)
		return E_OK;
	if (is_too_slow(m, clock_mono_ns()))
		return fail(cx, E_TIMEOUT, "%llu octets of a message in more than %d minutes",
			(unsigned long long)m->mail.data.octets, SMTP_SLOW_MS / 60000);
	cx_deadline_in(cx, SMTP_BLOCK_MS);
	enum ec e = io_flush(cx, m->io); // answers to commands before a BDAT
	return e == E_OK ? io_fill(cx, m->io) : e;
}

/// The message is complete: judge, deliver, answer.
FIB static enum ec message_end(struct cx *cx, struct smtp *m)
{
	struct intake *b = &m->mail.body;
	bool bare = m->mail.data.bare_cr || m->mail.data.bare_lf;

	cx_deadline_in(cx, SMTP_COMMAND_MS);
	if (b->err == E_OK && bare && m->s->conf->bare_newline_reject)
		return smtp_refuse(cx, m,
			(struct smtp_words){
				554, "5.6.0", "Lines must end with CR LF, this message has a lone CR or LF" },
			true);
	if (b->err == E_OK && !b->fronted) {
		enum ec e = put_trace(cx, m);
		if (e != E_OK)
			intake_fail(cx, b, e);
	}
	if (b->err != E_OK)
		return smtp_refuse(cx, m, smtp_words(b->err, false), true);
	return smtp_deliver(cx, m);
}

static void message_begin(struct smtp *m, bool dots)
{
	m->mail.body = intake_start(m->s->front, m->io, INTAKE_HEADROOM);
	m->mail.data = smtp_data_start(dots);
	m->mail.data_ns = clock_mono_ns();
}

/// The message has nobody to go to: LMTP names the code itself.
/// source: RFC 5321 §3.3, RFC 2033 §4.2.
FIB static enum ec no_recipient(struct cx *cx, struct smtp *m)
{
	unsigned code = smtp_is_lmtp(m) ? 503 : 554;

	return smtp_say(cx, m, (struct smtp_words){ code, "5.5.1", "No recipient was accepted" });
}

/// source: RFC 5321 §4.1.1.4.
FIB enum ec smtp_do_data(struct cx *cx, struct smtp *m, const struct smtp_command *)
{
	bool ended = false;

	if (m->phase == PHASE_MAIL)
		return no_recipient(cx, m);
	message_begin(m, true);
	enum ec e = smtp_say(cx, m, (struct smtp_words){ 354, NULL, "Send the message, then a line with one dot" });
	if (e == E_OK)
		e = io_flush(cx, m->io);
	while (e == E_OK && !ended) {
		e = need_input(cx, m);
		if (e == E_OK)
			io_consume(m->io, feed(cx, m, io_input(m->io), &ended));
	}
	return e == E_OK ? message_end(cx, m) : e;
}

/// Reads the octets of one chunk: into the body, or nowhere where there is no transaction for them.
FIB static enum ec take_chunk(struct cx *cx, struct smtp *m, uint64_t left, bool keep)
{
	bool ended = false;
	enum ec e = E_OK;

	while (e == E_OK && left) {
		e = need_input(cx, m);
		if (e != E_OK)
			return e;
		struct sl in = sl_head(io_input(m->io), left < IO_IN_MAX ? (size_t)left : IO_IN_MAX);
		if (keep)
			feed(cx, m, in, &ended);
		io_consume(m->io, in.n);
		left -= in.n;
	}
	return e;
}

/// What a CR at the very end of the last chunk became.
FIB static void finish_chunks(struct cx *cx, struct smtp *m)
{
	uint8_t scratch[SCRATCH];
	size_t room = 0;
	uint8_t *p = place(cx, m, scratch, &room);

	count_written(cx, m, smtp_data_finish(&m->mail.data, p, room));
}

/// A chunk's octets follow its command without an answer between them, so they are read whatever the answer is.
/// source: RFC 3030 §2.
FIB enum ec smtp_do_bdat(struct cx *cx, struct smtp *m, const struct smtp_command *c)
{
	bool fits = m->phase == PHASE_RCPT || m->phase == PHASE_BDAT;

	if (m->phase == PHASE_RCPT)
		message_begin(m, false);
	enum ec e = take_chunk(cx, m, c->bdat.octets, fits);
	if (e != E_OK)
		return e;
	if (m->phase == PHASE_MAIL)
		return no_recipient(cx, m);
	if (!fits)
		return smtp_say(cx, m, (struct smtp_words){ 503, "5.5.1", "No message is under way, send MAIL first" });
	m->phase = PHASE_BDAT;
	if (c->bdat.last) {
		finish_chunks(cx, m);
		return message_end(cx, m);
	}
	if (m->mail.body.err != E_OK)
		return smtp_refuse(cx, m, smtp_words(m->mail.body.err, false), false);
	return smtp_sayf(cx, m, 250, "2.0.0", "%llu octets received", (unsigned long long)c->bdat.octets);
}
