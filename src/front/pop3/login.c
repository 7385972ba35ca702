/// login — USER and PASS, AUTH, and opening the maildrop.
///
/// Events: auth.ok, auth.failed (front/login.h);
///   pop3.open.failed why= code=                the login was right and the mailbox could not be opened
#include "front/pop3/pop3.h"

#include <string.h>

#include "base/log.h"
#include "front/login.h"
#include "front/seat.h"
#include "proto/sasl_msg.h"

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
	p->drop.share = (struct room_share){ .room = &p->s->front->lists, .account = p->handle.account };
	if (e == E_OK)
		e = drop_load(cx, p->store, &p->handle, &p->drop);
	if (e == E_OK)
		p->retr = (enum pop3_retr)account.pop3_retr;
	return e;
}

/// Waits longer with each failure; after too many the session ends.
FIB static void pause_failed(struct cx *cx, struct pop3 *p)
{
	p->failed_logins++;
	pop3_pause(cx, (int64_t)p->failed_logins * POP3_DELAY_MS);
	if (p->failed_logins < POP3_LOGINS_MAX)
		return;
	p->over = true;
	p->end = fail(cx, E_LIMIT, "too many failed logins");
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
		seat_leave(cx, p->s);
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
	if (e == E_AUTH || e == E_LIMIT || e == E_QUOTA)
		pause_failed(cx, p);
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

FIB enum ec pop3_do_pass(struct cx *cx, struct pop3 *p, const struct pop3_command *c)
{
	struct sl user = { p->user, p->user_octets };
	struct sasl_result r;

	if (!session_may_login(p->s))
		return pop3_err(cx, p, pop3_words_login(E_STATE));
	if (!p->has_user)
		return pop3_bad(cx, p, "Send USER first");
	struct sasl_login l = login_ready(cx, p->s, SERVICE_POP3, NULL, NULL);
	enum ec e = sasl_password(cx, &l, user, c->password, &r);
	login_log(cx, p->s, SL("PASS"), user, e);
	return e == E_OK ? logged_in(cx, p, &r) : answer_failed(cx, p, e);
}

/// "AUTH" without a mechanism is how clients asked for the list before CAPA.
FIB static enum ec list_mechanisms(struct cx *cx, struct pop3 *p)
{
	struct sl rest = sasl_mechanisms(p->s->conf->no_scram);
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
	struct login_asking a = { .io = p->io,
		.prefix = SL("+ "),
		.line_max = POP3_AUTH_LINE_MAX - 2,
		.wait_ms = POP3_IDLE_MS,
		.memory = &p->memory };
	struct buf tried = BUF(POP3_USER_MAX);
	struct sl initial = { 0 };
	struct sasl_result r;
	enum ec e = E_OK;

	if (!session_may_login(p->s))
		return pop3_err(cx, p, pop3_words_login(E_STATE));
	if (c->auth.mechanism.n == 0)
		return list_mechanisms(cx, p);
	struct sasl_login l = login_ready(cx, p->s, SERVICE_POP3, &a, &tried);
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
	login_log(cx, p->s, mechanism, e == E_OK ? (struct sl){ r.address, r.address_octets } : buf_sl(&tried), e);
	buf_free(&tried);
	if (a.wire != E_OK)
		return a.wire;
	return e == E_OK ? logged_in(cx, p, &r) : answer_failed(cx, p, e);
}
