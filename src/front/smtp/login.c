/// login — AUTH: SASL inside SMTP.
///
/// Events: auth.ok, auth.failed (front/login.h).
#include "front/smtp/smtp.h"

#include <string.h>

#include "front/login.h"
#include "proto/sasl_msg.h"

enum { USER_LOG_MAX = 320 };

/// The same words whatever was wrong, later with each try, and not many tries.
FIB static enum ec answer_failed(struct cx *cx, struct smtp *m, struct smtp_words words)
{
	m->failed_logins++;
	smtp_pause(cx, (int64_t)m->failed_logins * SMTP_DELAY_MS);
	if (m->failed_logins < SMTP_LOGINS_MAX)
		return smtp_say(cx, m, words);
	return smtp_bye(cx, m, E_LIMIT, (struct smtp_words){ 421, "4.7.0", "Too many failed logins, closing" });
}

/// The exchange itself. out: *r and m->user on E_OK; *wire where the connection failed.
FIB static enum ec exchange(
	struct cx *cx, struct smtp *m, const struct smtp_auth *auth, struct buf *tried, enum ec *wire)
{
	struct login_asking a = { .io = m->io,
		.prefix = SL("334 "),
		.line_max = SMTP_AUTH_LINE_MAX - 2,
		.wait_ms = SMTP_COMMAND_MS,
		.memory = &m->memory };
	struct sasl_login l = login_ready(cx, m->s, SERVICE_SUBMISSION, &a, tried);
	struct sasl_result r;
	struct sl mechanism, initial = { 0 };
	enum ec e = E_OK;

	mechanism = arena_copy(&m->memory, auth->mechanism); // the line goes with the next read
	if (!mechanism.p)
		return E_TEMP;
	if (auth->has_initial)
		e = sasl_decode_response(auth->initial, &m->memory, &initial);
	if (e == E_OK && auth->has_initial && !initial.p)
		initial = SL("");
	if (e == E_OK)
		e = sasl_run(cx, &l, mechanism, initial, &r);
	if (initial.n)
		explicit_bzero((void *)(uintptr_t)initial.p, initial.n);
	*wire = a.wire;
	if (e == E_OK) {
		memcpy(m->user, r.address, r.address_octets);
		m->user_octets = r.address_octets;
		m->handle = r.handle;
	}
	login_log(cx, m->s, mechanism, e == E_OK ? (struct sl){ m->user, m->user_octets } : buf_sl(tried), e);
	return e;
}

/// source: RFC 4954 §4.
FIB enum ec smtp_do_auth(struct cx *cx, struct smtp *m, const struct smtp_command *c)
{
	struct buf tried = BUF(USER_LOG_MAX);
	enum ec wire = E_OK;

	if (m->authed)
		return smtp_say_bad(cx, m, (struct smtp_words){ 503, "5.5.1", "Already logged in" });
	if (!session_may_login(m->s))
		return smtp_say_bad(cx, m, smtp_words_login(E_STATE));
	enum ec e = exchange(cx, m, &c->auth, &tried, &wire);
	buf_free(&tried);
	if (wire != E_OK)
		return wire;
	struct smtp_words words = smtp_words_login(e);
	m->authed = e == E_OK;
	return e == E_AUTH || e == E_LIMIT || e == E_QUOTA ? answer_failed(cx, m, words) : smtp_say(cx, m, words);
}
