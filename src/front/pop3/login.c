/// login — USER and PASS, AUTH, and opening the maildrop.
///
/// Events:
///   auth.ok user= ip= proto= mech=             a login succeeded
///   auth.failed user= ip= proto= mech= why=    it did not; why: the error's name (auth, denied, temp, …)
///   pop3.open.failed why= code=                the login was right and the mailbox could not be opened
#include "front/pop3/pop3.h"

#include <string.h>

#include "auth/sasl.h"
#include "base/log.h"
#include "proto/base64.h"
#include "proto/sasl_msg.h"

enum { CHALLENGE_LINE_MAX = 4096 };

struct asking {
	struct pop3 *p;
	enum ec wire; // an error of the connection, which ends the session
};

static enum ec decode(struct pop3 *p, struct sl line, struct buf *response)
{
	struct sl plain = { 0 };
	enum ec e = sasl_decode_response(line, &p->memory, &plain);

	buf_clear(response);
	if (e != E_OK)
		return e;
	buf_add(response, plain);
	if (plain.n)
		explicit_bzero((void *)(uintptr_t)plain.p, plain.n);
	return response->err;
}

/// "+" SP [base64] CRLF
/// source: RFC 5034 §4.
FIB static enum ec ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response)
{
	struct asking *a = arg;
	struct buf b = BUF(CHALLENGE_LINE_MAX);
	struct sl line;

	buf_puts(&b, "+ ");
	base64_encode(&b, challenge);
	buf_puts(&b, "\r\n");
	enum ec e = b.err;
	if (e == E_OK) {
		e = a->wire = io_put(cx, a->p->io, buf_sl(&b));
		if (e == E_OK)
			e = a->wire = io_flush(cx, a->p->io);
	}
	buf_free(&b);
	if (e != E_OK)
		return e;
	cx_deadline_in(cx, POP3_IDLE_MS);
	e = io_line(cx, a->p->io, POP3_AUTH_LINE_MAX - 2, &line);
	if (e != E_OK && e != E_TOOBIG)
		a->wire = e;
	return e == E_OK ? decode(a->p, line, response) : e;
}

static void log_login(struct cx *cx, struct pop3 *p, struct sl mechanism, struct sl user, enum ec e)
{
	struct buf ip = BUF(64);

	addr_print(&ip, io_peer(p->io));
	if (e == E_OK)
		LOG(cx, LOG_INFO, "auth.ok", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(p->s->kind)), kv_sl("mech", mechanism));
	else
		LOG(cx, LOG_NOTICE, "auth.failed", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(p->s->kind)), kv_sl("mech", mechanism), kv_word("why", ec_name(e)));
	buf_free(&ip);
}

/// Everything between the right password and the first +OK of the TRANSACTION state.
FIB static enum ec open_drop(struct cx *cx, struct pop3 *p)
{
	struct req_pop3_lock lock = { .handle = p->handle, .on = 1 };
	struct req_account ask_account = { .handle = p->handle };
	struct ans_account account;
	struct ans_pop3_lock locked;
	enum ec e = E_OK;

	if (p->s->conf->pop3_lock) {
		e = call_pop3_lock(cx, p->store, &lock, &locked);
		p->locked = e == E_OK;
	}
	if (e == E_OK)
		e = call_account(cx, p->store, &ask_account, &account);
	if (e == E_OK)
		e = drop_load(cx, p->store, &p->handle, &p->drop);
	if (e == E_OK)
		p->retr = (enum pop3_retr)account.pop3_retr;
	return e;
}

FIB static enum ec logged_in(struct cx *cx, struct pop3 *p, const struct sasl_result *r)
{
	memcpy(p->user, r->address, r->address_octets);
	p->user_octets = r->address_octets;
	p->handle = r->handle;
	enum ec e = open_drop(cx, p);
	if (e != E_OK) {
		log_failure(cx, LOG_WARN, "pop3.open.failed", e);
		pop3_unlock(cx, p);
		// the client may try again; the words must not be those of a wrong password
		return pop3_err(cx, p, pop3_words_login(e == E_CONFLICT || e == E_CORRUPT ? e : E_TEMP));
	}
	p->phase = POP3_TRANSACTION;
	return pop3_ok(cx, p, "%u messages (%llu octets)", p->drop.n, (unsigned long long)p->drop.octets);
}

/// The same words whatever was wrong, later with each try, and not many tries.
FIB static enum ec answer_failed(struct cx *cx, struct pop3 *p, enum ec e)
{
	p->has_user = false;
	if (e == E_AUTH) {
		p->failed_logins++;
		pop3_pause(cx, (int64_t)p->failed_logins * POP3_DELAY_MS);
	}
	if (p->failed_logins >= POP3_LOGINS_MAX) {
		p->over = true;
		p->end = fail(cx, E_LIMIT, "too many failed logins");
	}
	return pop3_err(cx, p, pop3_words_login(e));
}

/// source: RFC 1939 §7; RFC 2595 §2.1 (no password without TLS).
FIB enum ec pop3_do_user(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	if (!session_may_login(p->s))
		return pop3_err(cx, p, pop3_words_login(E_STATE));
	if (c->name.n > sizeof p->user)
		return pop3_bad(cx, p, "That name is too long");
	memcpy(p->user, c->name.p, c->name.n);
	p->user_octets = (uint16_t)c->name.n;
	p->has_user = true;
	return pop3_ok(cx, p, "Now the password");
}

static struct sasl_login login_of(struct pop3 *p)
{
	return (struct sasl_login){
		.store = p->store, .service = SERVICE_POP3, .peer_ip = io_peer(p->io)->ip, .may_plain = true
	};
}

FIB enum ec pop3_do_pass(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	struct sasl_login l = login_of(p);
	struct sl user = { p->user, p->user_octets };
	struct sasl_result r;

	if (!session_may_login(p->s))
		return pop3_err(cx, p, pop3_words_login(E_STATE));
	if (!p->has_user)
		return pop3_bad(cx, p, "Send USER first");
	enum ec e = sasl_password(cx, &l, user, c->password, &r);
	log_login(cx, p, SL("PASS"), user, e);
	return e == E_OK ? logged_in(cx, p, &r) : answer_failed(cx, p, e);
}

/// "AUTH" without a mechanism is how clients asked for the list before CAPA.
FIB static enum ec list_mechanisms(struct cx *cx, struct pop3 *p)
{
	struct sl rest = sasl_mechanisms();
	enum ec e = pop3_ok(cx, p, "Login mechanisms follow");

	while (rest.n && e == E_OK) {
		struct sl name = sl_cut(&rest, ' ');
		e = io_printf(cx, p->io, "%.*s\r\n", SLF(name));
	}
	return e == E_OK ? io_put(cx, p->io, SL(".\r\n")) : e;
}

/// source: RFC 5034 §4.
FIB enum ec pop3_do_auth(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	struct asking a = { .p = p };
	struct sasl_login l = login_of(p);
	struct buf tried = BUF(POP3_USER_MAX);
	struct sl initial = { 0 };
	struct sasl_result r;
	enum ec e = E_OK;

	if (!session_may_login(p->s))
		return pop3_err(cx, p, pop3_words_login(E_STATE));
	if (c->auth.mechanism.n == 0)
		return list_mechanisms(cx, p);
	l.ask = ask;
	l.arg = &a;
	l.tried = &tried;
	struct sl mechanism = arena_copy(&p->memory, c->auth.mechanism); // the line goes with the next read
	if (!mechanism.p)
		return pop3_err(cx, p, pop3_words_login(E_TEMP));
	if (c->auth.has_initial)
		e = sasl_decode_response(c->auth.initial, &p->memory, &initial);
	if (c->auth.has_initial && !initial.p)
		initial = SL("");
	if (e == E_OK)
		e = sasl_run(cx, &l, mechanism, initial, &r);
	if (initial.n)
		explicit_bzero((void *)(uintptr_t)initial.p, initial.n);
	log_login(cx, p, mechanism, e == E_OK ? (struct sl){ r.address, r.address_octets } : buf_sl(&tried), e);
	buf_free(&tried);
	if (a.wire != E_OK)
		return a.wire;
	return e == E_OK ? logged_in(cx, p, &r) : answer_failed(cx, p, e);
}
