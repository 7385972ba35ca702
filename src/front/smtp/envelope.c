/// envelope — MAIL and RCPT: who sends, who gets, and whether we take it.
///
/// Events:
///   smtp.rcpt.reject rcpt= from= code= why=    a recipient was refused; why: remote unknown full limit store
///   smtp.rcpt.store why= code=                the store could not say whether a recipient is ours
///   smtp.reject from= code= why=size octets=  MAIL was refused for the announced size
#include "front/smtp/smtp.h"

#include <string.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/log.h"

/// Parameters that we offered: RFC 1870, RFC 6152; the login's identity (RFC 4954 §5) where we offer logins.
static unsigned params_offered(const struct smtp *m)
{
	return SMTP_SIZE | SMTP_BODY | (smtp_is_submission(m) ? (unsigned)SMTP_AUTH_PARAM : 0u);
}

/// The mailbox as text in the transaction's memory. E_TEMP, E_TOOBIG.
static enum ec path_text(struct smtp *m, const struct smtp_path *path, struct sl *out)
{
	struct buf b = BUF(SMTP_LOCAL_MAX * 2 + SMTP_DOMAIN_MAX + 8);

	smtp_print_path(&b, path);
	enum ec e = b.err;
	if (e == E_OK) {
		*out = arena_copy(&m->mail.memory, buf_sl(&b));
		e = out->p ? E_OK : E_TEMP;
	}
	buf_free(&b);
	return e;
}

/// What is wrong with a MAIL or RCPT before anybody is asked; code 0 where nothing is.
static struct smtp_words envelope_fault(const struct smtp *m, const struct smtp_envelope *env)
{
	unsigned taken = m->phase == PHASE_READY ? params_offered(m) : 0u;

	if (smtp_is_submission(m) && !m->authed) {
		if (!session_may_login(m->s))
			return (struct smtp_words){ 530, "5.7.0", "Start TLS, then log in" };
		return (struct smtp_words){ 530, "5.7.0", "Log in before sending mail" };
	}
	if (env->params.unknown.n || (env->params.seen & ~taken) || env->params.body == SMTP_BINARYMIME)
		return (struct smtp_words){ 555, "5.5.4", "A parameter is not known here" };
	if (env->path.utf8)
		return (struct smtp_words){ 553, "5.6.7", "Addresses beyond ASCII are not supported yet" };
	return (struct smtp_words){ 0 };
}

static void mail_begin(struct smtp *m)
{
	static const char digits[] = "0123456789abcdef";
	struct smtp_mail *mail = &m->mail;

	*mail = (struct smtp_mail){ .last = &mail->rcpts, .began_ns = clock_mono_ns() };
	arena_init(&mail->memory, SMTP_MAIL_MEMORY);
	client_op(mail->op);
	for (size_t i = 0; i < SMTP_ID_MAX; i++)
		mail->id[i] = (uint8_t)digits[mail->op[i / 2] >> (i % 2 ? 0 : 4) & 15];
}

FIB enum ec smtp_do_mail(struct cx *cx, struct smtp *m, const struct smtp_command *c)
{
	const struct smtp_envelope *env = &c->envelope;
	struct smtp_words fault = envelope_fault(m, env);

	if (fault.code)
		return smtp_say(cx, m, fault);
	if (m->mails >= SMTP_MAILS_MAX) // announced as MAILMAX
		return smtp_bye(cx, m, E_LIMIT,
			(struct smtp_words){ 421, "4.7.0", "Enough messages for one connection, connect again" });
	if (env->params.size > m->s->conf->message_max) {
		figure_add(FIG_SMTP_MESSAGES, VERDICT_REFUSED, 1);
		LOG(cx, LOG_INFO, "smtp.reject", kv_sl("from", env->path.raw), kv_u("code", 552),
			kv_word("why", "size"), kv_u("octets", env->params.size));
		return smtp_sayf(cx, m, 552, "5.3.4", "The message is too large, at most %llu octets are taken",
			(unsigned long long)m->s->conf->message_max);
	}
	mail_begin(m);
	m->mail.size = env->params.size;
	if (path_text(m, &env->path, &m->mail.from) != E_OK) {
		smtp_mail_end(cx, m);
		return smtp_say(cx, m, smtp_words(E_TEMP, false));
	}
	m->mails++;
	m->phase = PHASE_MAIL;
	return smtp_say(cx, m, (struct smtp_words){ 250, "2.1.0", "Sender accepted" });
}

/// Adds `count` accounts to the transaction: to its targets each once, to the recipient all. All or nothing.
static enum ec smtp_targets_take(
	struct cx *cx, struct smtp *m, struct smtp_rcpt *rcpt, const uint8_t *ids, uint32_t count)
{
	uint32_t before = m->mail.targets.n;
	uint64_t id;
	enum ec e = E_OK;

	if (count > TARGETS_MAX)
		return fail(cx, E_LIMIT, "an address of %u accounts", count);
	rcpt->target = arena_alloc(&m->mail.memory, count, sizeof *rcpt->target);
	if (!rcpt->target)
		return fail(cx, E_LIMIT, "the envelope is too large");
	for (uint32_t i = 0; e == E_OK && i < count; i++) {
		memcpy(&id, ids + (size_t)i * sizeof id, sizeof id);
		e = smtp_targets_add(&m->mail.targets, id, &rcpt->target[i]);
	}
	rcpt->n = count;
	if (e != E_OK)
		smtp_targets_cut(&m->mail.targets, before);
	return e ? fail(cx, e, "taking %u more accounts beside %u", count, before) : E_OK;
}

/// Asks the store which accounts an address means, and takes them where they are ours and have room.
///
/// out:    *verdict. errors: of resolve; E_LIMIT, E_TEMP; E_NOTFOUND (an address longer than any here can be).
FIB static enum ec resolve(
	struct cx *cx, struct smtp *m, const struct smtp_path *path, struct smtp_rcpt *rcpt, enum rcpt_verdict *verdict)
{
	struct chunks *arena = client_chunks(m->store);
	struct req_resolve req = { .octets = m->mail.size };
	struct ans_resolve ans;

	if (field_set(req.local, path->postmaster ? SL("postmaster") : path->local) != E_OK ||
		field_set(req.domain, path->host.text) != E_OK)
		return fail(cx, E_NOTFOUND, "an address longer than any here");
	enum ec e = chunks_take(cx, arena, &req.out);
	if (e != E_OK)
		return e;
	e = call_resolve(cx, m->store, &req, &ans);
	if (e == E_OK && ans.verdict == RCPT_LOCAL && ans.count == 0)
		e = fail(cx, E_NOTFOUND, "an address without accounts");
	if (e == E_OK && ans.verdict == RCPT_LOCAL)
		e = smtp_targets_take(cx, m, rcpt, chunks_at(arena, req.out), ans.count);
	chunks_give(arena, req.out);
	if (e == E_OK)
		*verdict = (enum rcpt_verdict)ans.verdict;
	return e;
}

FIB static enum ec rcpt_refuse(
	struct cx *cx, struct smtp *m, const struct smtp_envelope *env, const char *why, struct smtp_words w)
{
	figure_add(FIG_SMTP_RCPTS, w.code < 500 ? VERDICT_DEFERRED : VERDICT_REFUSED, 1);
	LOG(cx, LOG_INFO, "smtp.rcpt.reject", kv_sl("rcpt", env->path.raw), kv_sl("from", m->mail.from),
		kv_u("code", w.code), kv_word("why", why));
	return smtp_say(cx, m, w);
}

/// An unknown address; whoever tries many of them is guessing and must wait.
FIB static enum ec rcpt_unknown(struct cx *cx, struct smtp *m, const struct smtp_envelope *env)
{
	if (++m->unknown > SMTP_UNKNOWN_FREE)
		smtp_pause(cx, SMTP_DELAY_MS);
	return rcpt_refuse(cx, m, env, "unknown", smtp_words(E_NOTFOUND, false));
}

static struct smtp_words words_remote(const struct smtp *m)
{
	if (smtp_is_submission(m))
		return (struct smtp_words){
			550, "5.7.1",
			"Sending to other servers arrives with a later version; only addresses of this server work yet"
		};
	return (struct smtp_words){ 550, "5.7.1",
		"That address is not of this server, and this server does not relay" };
}

/// The recipient belongs to the transaction from here on.
FIB static enum ec rcpt_accept(struct cx *cx, struct smtp *m, struct smtp_rcpt *rcpt)
{
	*m->mail.last = rcpt;
	m->mail.last = &rcpt->next;
	m->mail.n_rcpts++;
	m->phase = PHASE_RCPT;
	figure_add(FIG_SMTP_RCPTS, VERDICT_ACCEPTED, 1);
	return smtp_say(cx, m, (struct smtp_words){ 250, "2.1.5", "Recipient accepted" });
}

/// Prepares a recipient and asks the store about it.
FIB static enum ec rcpt_find(
	struct cx *cx, struct smtp *m, const struct smtp_path *path, struct smtp_rcpt **out, enum rcpt_verdict *verdict)
{
	struct smtp_rcpt *rcpt = arena_alloc(&m->mail.memory, 1, sizeof *rcpt);

	if (!rcpt || path_text(m, path, &rcpt->address) != E_OK)
		return fail(cx, E_LIMIT, "the envelope is too large");
	enum ec e = resolve(cx, m, path, rcpt, verdict);
	if (e == E_OK)
		*out = rcpt;
	return e;
}

FIB enum ec smtp_do_rcpt(struct cx *cx, struct smtp *m, const struct smtp_command *c)
{
	const struct smtp_envelope *env = &c->envelope;
	struct smtp_words fault = envelope_fault(m, env);
	enum rcpt_verdict verdict = RCPT_UNKNOWN;
	struct smtp_rcpt *rcpt = NULL;

	if (fault.code)
		return smtp_say(cx, m, fault);
	if (m->mail.n_rcpts >= m->s->conf->recipients_max)
		return rcpt_refuse(cx, m, env, "limit", smtp_words_crowd());
	enum ec e = rcpt_find(cx, m, &env->path, &rcpt, &verdict);
	if (e == E_LIMIT)
		return rcpt_refuse(cx, m, env, "limit", smtp_words_crowd());
	if (e != E_OK && e != E_NOTFOUND) {
		log_failure(cx, LOG_WARN, "smtp.rcpt.store", e);
		return rcpt_refuse(cx, m, env, "store", smtp_words(e, false));
	}
	switch (verdict) {
	case RCPT_LOCAL: return rcpt_accept(cx, m, rcpt);
	case RCPT_REMOTE: return rcpt_refuse(cx, m, env, "remote", words_remote(m));
	case RCPT_FULL: return rcpt_refuse(cx, m, env, "full", smtp_words(E_QUOTA, m->s->conf->quota_defer));
	case RCPT_UNKNOWN:
	case RCPT_VERDICTS: break;
	}
	return rcpt_unknown(cx, m, env);
}
