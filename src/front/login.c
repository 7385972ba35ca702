/// login — see the header.
#include "front/login.h"

#include <string.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/log.h"
#include "front/seat.h"
#include "proto/base64.h"
#include "proto/sasl_msg.h"

enum { CHALLENGE_LINE_MAX = 4096, LOGGED_MAX = 320, LOGGED_MECHANISM_MAX = 40 };

FIB void login_renew(struct cx *cx, struct client *store, struct handle *handle)
{
	struct req_renew req = { .handle = *handle };
	struct ans_renew ans;

	if (handle->expires_s >= (uint64_t)clock_steady_s() + HANDLE_KEPT_S / 2)
		return;
	if (call_renew(cx, store, &req, &ans) == E_OK)
		*handle = ans.handle;
	else
		cx_forget(cx);
}

FIB void login_keep(struct cx *cx, struct session *s, struct handle *handle)
{
	login_renew(cx, s->front->store, handle);
	seat_keep(cx, s, handle);
}

void login_log(struct cx *cx, const struct session *s, struct sl mechanism, struct sl user, enum ec e)
{
	struct buf ip = BUF(64);
	unsigned outcome = e == E_OK ? LOGIN_OK : e == E_AUTH ? LOGIN_WRONG : LOGIN_ERROR;

	figure_add(FIG_LOGINS, s->kind * LABELS_LOGIN + outcome, 1);
	user = sl_head(user, LOGGED_MAX); // so that a line is never too long for what stands behind them
	mechanism = sl_head(mechanism, LOGGED_MECHANISM_MAX);
	addr_print(&ip, io_peer(s->io));
	if (e == E_QUOTA)
		LOG(cx, LOG_NOTICE, "login.crowded", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(s->kind)));
	else if (e == E_OK)
		LOG(cx, LOG_INFO, "auth.ok", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(s->kind)), kv_sl("mech", mechanism));
	else
		LOG(cx, LOG_NOTICE, "auth.failed", kv_sl("user", user), kv_sl("ip", buf_sl(&ip)),
			kv_word("proto", port_name(s->kind)), kv_sl("mech", mechanism), kv_word("why", ec_name(e)));
	buf_free(&ip);
}

/// Decodes one line of the client; nothing of it stays in memory.
static enum ec decode(struct arena *memory, struct sl line, struct buf *response)
{
	struct sl plain = { 0 };
	enum ec e = sasl_decode_response(line, memory, &plain);

	buf_clear(response);
	if (e != E_OK)
		return e;
	buf_add(response, plain);
	if (plain.n)
		explicit_bzero((void *)(uintptr_t)plain.p, plain.n);
	return response->err;
}

FIB enum ec login_ask(struct cx *cx, void *arg, struct sl challenge, struct buf *response)
{
	struct login_asking *a = arg;
	struct buf b = BUF(CHALLENGE_LINE_MAX);
	struct sl line;

	buf_add(&b, a->prefix);
	base64_encode(&b, challenge);
	buf_puts(&b, "\r\n");
	enum ec e = b.err;
	if (e == E_OK) {
		e = a->wire = io_put(cx, a->io, buf_sl(&b));
		if (e == E_OK)
			e = a->wire = io_flush(cx, a->io);
	}
	buf_free(&b);
	if (e != E_OK)
		return e;
	cx_deadline_in(cx, a->wait_ms);
	e = io_line(cx, a->io, a->line_max, &line);
	if (e != E_OK && e != E_TOOBIG)
		a->wire = e;
	return e == E_OK ? decode(a->memory, line, response) : e;
}

FIB struct sasl_login login_ready(
	struct cx *cx, struct session *s, enum service service, struct login_asking *a, struct buf *tried)
{
	seat_leave(cx, s);
	return (struct sasl_login){ .store = s->front->store,
		.service = service,
		.peer_ip = io_peer(s->io)->ip,
		.session = cx->sid,
		.most = s->conf->sessions_user_ip_max,
		.seat = &s->seat,
		.ask = login_ask,
		.arg = a,
		.may_plain = session_may_login(s),
		.no_scram = s->conf->no_scram,
		.tried = tried };
}
