/// login — AUTH: SASL inside SMTP.
///
/// Events:
///   auth.ok user= ip= proto= mech=             a login succeeded
///   auth.failed user= ip= proto= mech= why=    it did not; why: the error's name (auth, denied, temp, …)
#include "front/smtp/smtp.h"

#include <string.h>

#include "auth/sasl.h"
#include "base/log.h"
#include "proto/base64.h"
#include "proto/sasl_msg.h"

enum { CHALLENGE_LINE_MAX = 4096, USER_LOG_MAX = 320 };

struct asking {
	struct smtp *m;
	enum ec wire; // an error of the connection, which ends the session
};

/// Decodes one line of the client; nothing of it stays in the command's memory.
static enum ec decode(struct smtp *m, struct sl line, struct buf *response)
{
	struct sl plain = { 0 };
	enum ec e = sasl_decode_response(line, &m->memory, &plain);

	buf_clear(response);
	if (e != E_OK)
		return e;
	buf_add(response, plain);
	if (plain.n)
		explicit_bzero((void *)(uintptr_t)plain.p, plain.n);
	return response->err;
}

/// continue-req = "334" SP [base64] CRLF
/// source: RFC 4954 §4.
FIB static enum ec ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response)
{
	struct asking *a = arg;
	struct buf b = BUF(CHALLENGE_LINE_MAX);
	struct sl line;

	buf_puts(&b, "334 ");
	base64_encode(&b, challenge);
	buf_puts(&b, "\r\n");
	enum ec e = b.err;
	if (e == E_OK) {
		e = a->wire = io_put(cx, a->m->io, buf_sl(&b));
		if (e == E_OK)
			e = a->wire = io_flush(cx, a->m->io);
	}
	buf_free(&b);
	if (e != E_OK)
		return e;
	cx_deadline_in(cx, SMTP_COMMAND_MS);
	e = io_line(cx, a->m->io, SMTP_AUTH_LINE_MAX - 2, &line);
	if (e != E_OK && e != E_TOOBIG)
		a->wire = e;
	return e == E_OK ? decode(a->m, line, response) : e;
}

static void log_login(struct cx *cx, struct smtp *m, struct sl mechanism, struct sl user, enum ec e)
{
	struct buf ip = BUF(64);

	addr_print(&ip, io_peer(m->io));
	if (e == E_OK)
		LOG(cx, LOG_INFO, "auth.ok", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(m->s->kind)), kv_sl("mech", mechanism));
	else
		LOG(cx, LOG_NOTICE, "auth.failed", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(m->s->kind)), kv_sl("mech", mechanism), kv_word("why", ec_name(e)));
	buf_free(&ip);
}

/// The same words whatever was wrong, later with each try, and not many tries.
FIB static enum ec answer_failed(struct cx *cx, struct smtp *m, enum ec e)
{
	if (e != E_AUTH)
		return smtp_say(cx, m, smtp_words_login(e));
	m->failed_logins++;
	smtp_pause(cx, (int64_t)m->failed_logins * SMTP_DELAY_MS);
	if (m->failed_logins < SMTP_LOGINS_MAX)
		return smtp_say(cx, m, smtp_words_login(e));
	return smtp_bye(cx, m, E_LIMIT,
		(struct smtp_words){ 421, "4.7.0", "User name or password is wrong; too many tries, closing" });
}

/// The exchange itself. out: *r and m->user on E_OK; *wire where the connection failed.
FIB static enum ec exchange(
	struct cx *cx, struct smtp *m, const struct smtp_auth *auth, struct buf *tried, enum ec *wire)
{
	struct asking a = { .m = m };
	struct sasl_login l = { .store = m->store,
		.service = SERVICE_SUBMISSION,
		.peer_ip = io_peer(m->io)->ip,
		.ask = ask,
		.arg = &a,
		.may_plain = true,
		.tried = tried };
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
		m->authed = true;
	}
	log_login(cx, m, mechanism, e == E_OK ? (struct sl){ m->user, m->user_octets } : buf_sl(tried), e);
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
	return e == E_OK ? smtp_say(cx, m, smtp_words_login(E_OK)) : answer_failed(cx, m, e);
}
