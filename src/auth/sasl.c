/// sasl — the order of messages of each mechanism, as one straight function each.
///
///   sasl_run → run_plain | run_login → prove (verb login)
///            → run_scram: client-first → scram_begin → server-first → client-final → scram_end → server-final
///
/// Every secret that passes through here is wiped before its memory goes back.
#include "auth/sasl.h"

#include <string.h>

#include "auth/saslprep.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "fiber/fiber.h"
#include "proto/sasl_msg.h"

enum { EXCHANGE_MEMORY = 16 * 1024, RESPONSE_MAX = 8 * 1024, SERVER_MESSAGE_MAX = 1024 };
enum { USER_MAX = 320, PREPARED_MAX = 1024 };
enum { LOGIN_PATIENCE_MS = 15000, LOGIN_AGAIN_MS = 200 };

/// What one exchange holds; wiped and freed by exchange_end.
struct exchange {
	const struct sasl_login *login;
	struct arena memory;
	struct buf response;
};

static void exchange_end(struct exchange *x)
{
	buf_wipe(&x->response);
	buf_free(&x->response);
	arena_free(&x->memory);
}

/// The client's first message: what came with the command, or the answer to an empty challenge.
FIB static enum ec first_message(struct cx *cx, struct exchange *x, struct sl initial, struct sl *out)
{
	if (initial.p) {
		*out = initial;
		return E_OK;
	}
	enum ec e = x->login->ask(cx, x->login->arg, SL(""), &x->response);
	if (e != E_OK)
		return e;
	*out = buf_sl(&x->response);
	return E_OK;
}

/// True where a client that acts for `authzid` asks for nobody but itself: we have no proxy logins.
static bool is_self(struct sl authzid, struct sl authcid, const struct sasl_result *r)
{
	struct sl address = { r->address, r->address_octets };

	return authzid.n == 0 || sl_eq_ci(authzid, authcid) || sl_eq_ci(authzid, address);
}

/// The store took the password: notes the seat that came with it.
static enum ec result_set(struct cx *cx, const struct sasl_login *l, const struct handle *handle, struct sl address,
	struct sasl_result *out)
{
	*l->seat = (struct seat){ handle->account, client_epoch(l->store) };
	if (address.n > sizeof out->address)
		return fail(cx, E_CORRUPT, "the store answered an address of %zu octets", address.n);
	out->handle = *handle;
	out->address_octets = (uint16_t)address.n;
	memcpy(out->address, address.p, address.n);
	return E_OK;
}

/// Notes who tried, for the log.
static void note_user(const struct sasl_login *l, struct sl user)
{
	if (!l->tried)
		return;
	buf_clear(l->tried);
	buf_add(l->tried, sl_head(user, l->tried->max));
}

/// The user's name as the store knows names; "?", which is nobody, where it cannot be anybody's. The store then answers
/// as for any wrong password, after the same work.
static enum ec prepare_user(struct sl user, struct buf *b, struct sl *out)
{
	enum ec e = saslprep_name(user, SASLPREP_QUERY, b);

	*out = e == E_OK ? buf_sl(b) : SL("?");
	return e == E_TEMP ? E_TEMP : E_OK;
}

/// True where the store was busy and has had a moment since: ask again. Whoever waits here takes no place from others,
/// neither of this front nor in the store's queue, which lets those go first that did not guess.
FIB static bool ask_again(struct cx *cx, struct client *store, int64_t until_ns, enum ec *e)
{
	if (*e != E_TEMP || !client_is_up(store) || clock_mono_ns() >= until_ns)
		return false;
	cx_forget(cx);
	enum ec slept = fib_sleep(cx, LOGIN_AGAIN_MS);
	if (slept != E_OK)
		*e = slept;
	return slept == E_OK;
}

static int64_t patience_ends_ns(void)
{
	return clock_mono_ns() + (int64_t)LOGIN_PATIENCE_MS * 1000000;
}

FIB static enum ec ask_store(
	struct cx *cx, const struct sasl_login *l, struct sl user, struct sl password, struct sasl_result *out)
{
	struct req_login req = { .service = (uint8_t)l->service, .session = l->session, .most = l->most };
	int64_t until_ns = patience_ends_ns();
	struct ans_login ans;
	enum ec e;

	if (field_set(req.user, user) != E_OK)
		(void)field_set(req.user, SL("?"));
	if (field_set(req.password, password) != E_OK)
		(void)field_set(req.user, SL("?"));
	memcpy(req.peer_ip, l->peer_ip, sizeof req.peer_ip);
	do
		e = call_login(cx, l->store, &req, &ans);
	while (ask_again(cx, l->store, until_ns, &e));
	explicit_bzero(&req, sizeof req);
	return e == E_OK ? result_set(cx, l, &ans.handle, FIELD_SL(ans.address), out) : wrap(cx, e, "login");
}

FIB enum ec sasl_password(
	struct cx *cx, const struct sasl_login *l, struct sl user, struct sl password, struct sasl_result *out)
{
	struct buf name = BUF(USER_MAX), prepared = BUF(PREPARED_MAX);
	struct sl who;

	note_user(l, user);
	(void)buf_room(&prepared, PREPARED_MAX); // at once, so that no copy is left behind where it grew
	enum ec e = prepare_user(user, &name, &who);
	enum ec word = e == E_OK ? saslprep(password, SASLPREP_QUERY, &prepared) : e;
	if (word == E_TEMP)
		e = fail(cx, E_TEMP, "login: no memory");
	else
		e = ask_store(cx, l, who, word == E_OK ? buf_sl(&prepared) : password, out);
	// A password that was stored before passwords were prepared.
	if (e == E_AUTH && word == E_OK && !sl_eq(buf_sl(&prepared), password)) {
		cx_forget(cx);
		e = ask_store(cx, l, who, password, out);
	}
	buf_wipe(&prepared);
	buf_free(&prepared);
	buf_free(&name);
	return e;
}

/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// source: RFC 4616 §2.
FIB static enum ec run_plain(struct cx *cx, struct exchange *x, struct sl initial, struct sasl_result *out)
{
	struct sl message = { 0 };
	struct sasl_plain plain;
	struct sasl_result r;
	enum ec e = first_message(cx, x, initial, &message);

	if (e != E_OK)
		return e;
	e = sasl_parse_plain(message, &plain);
	if (e != E_OK)
		return fail(cx, E_SYNTAX, "PLAIN: the message is not well formed");
	e = sasl_password(cx, x->login, plain.authcid, plain.password, &r);
	if (e != E_OK)
		return e;
	if (!is_self(plain.authzid, plain.authcid, &r))
		return fail(cx, E_AUTH, "PLAIN: asks to act for another user");
	*out = r;
	return E_OK;
}

/// Two prompts, two answers. A name that comes with the command is the answer to the first.
/// source: draft-murchison-sasl-login-00.
FIB static enum ec run_login(struct cx *cx, struct exchange *x, struct sl initial, struct sasl_result *out)
{
	const struct sasl_login *l = x->login;
	struct sl answer = initial, user;
	enum ec e = E_OK;

	if (!answer.p || answer.n == 0) {
		e = l->ask(cx, l->arg, SASL_LOGIN_USERNAME, &x->response);
		answer = buf_sl(&x->response);
	}
	if (e != E_OK)
		return e;
	if (sasl_check_login_answer(answer) != E_OK)
		return fail(cx, E_SYNTAX, "LOGIN: the user name is not well formed");
	user = arena_copy(&x->memory, answer);
	if (!user.p)
		return fail(cx, E_TEMP, "LOGIN: no memory");
	e = l->ask(cx, l->arg, SASL_LOGIN_PASSWORD, &x->response);
	if (e != E_OK)
		return e;
	if (sasl_check_login_answer(buf_sl(&x->response)) != E_OK)
		return fail(cx, E_SYNTAX, "LOGIN: the password is not well formed");
	return sasl_password(cx, l, user, buf_sl(&x->response), out);
}

struct scram {
	struct scram_client_first first;
	struct scram_client_final final;
	struct ans_scram_begin begin;
	struct buf name;
	struct sl user; // as the store knows it
	struct buf server_first, auth_message;
};

/// client-first-message, as far as it can be judged without the store.
FIB static enum ec scram_take_first(struct cx *cx, struct exchange *x, struct sl initial, struct scram *s)
{
	struct sl message = { 0 };
	enum ec e = first_message(cx, x, initial, &message);

	if (e != E_OK)
		return e;
	message = arena_copy(&x->memory, message); // the next response overwrites it
	if (!message.p)
		return fail(cx, E_TEMP, "SCRAM: no memory");
	e = scram_parse_client_first(message, &x->memory, &s->first);
	if (e == E_TEMP)
		return fail(cx, E_TEMP, "SCRAM: no memory");
	if (e != E_OK)
		return fail(cx, E_SYNTAX, "SCRAM: the first message is not well formed");
	// "y" is right: the client could bind channels and saw that we offer no PLUS (RFC 5802 §6).
	note_user(x->login, s->first.username);
	if (s->first.cbind == SCRAM_CBIND_USED)
		return fail(cx, E_AUTH, "SCRAM: channel binding is not offered");
	return E_OK;
}

/// AuthMessage = client-first-message-bare "," server-first-message "," client-final-message-without-proof
/// source: RFC 5802 §3.
static enum ec scram_auth_message(struct cx *cx, struct scram *s)
{
	buf_add(&s->auth_message, s->first.bare);
	buf_addc(&s->auth_message, ',');
	buf_add(&s->auth_message, buf_sl(&s->server_first));
	buf_addc(&s->auth_message, ',');
	buf_add(&s->auth_message, s->final.without_proof);
	return s->auth_message.err == E_OK ? E_OK : fail(cx, E_SYNTAX, "SCRAM: the messages are too long");
}

/// server-first-message, and what the client makes of it.
FIB static enum ec scram_challenge(struct cx *cx, struct exchange *x, struct scram *s)
{
	const struct sasl_login *l = x->login;
	struct req_scram_begin req = { 0 };

	enum ec e = prepare_user(s->first.username, &s->name, &s->user);
	if (e == E_OK)
		e = field_set(req.user, s->user);
	if (e != E_OK)
		return fail(cx, e, "SCRAM: no memory");
	memcpy(req.peer_ip, l->peer_ip, sizeof req.peer_ip);
	e = call_scram_begin(cx, l->store, &req, &s->begin);
	if (e != E_OK)
		return wrap(cx, e, "SCRAM: begin");
	struct sl salt = { s->begin.salt, sizeof s->begin.salt }, nonce = { s->begin.nonce, sizeof s->begin.nonce };
	scram_print_server_first(&s->server_first, s->first.nonce, nonce, salt, s->begin.iterations);
	if (s->server_first.err != E_OK)
		return fail(cx, E_SYNTAX, "SCRAM: the client's nonce is too long");
	e = l->ask(cx, l->arg, buf_sl(&s->server_first), &x->response);
	if (e != E_OK)
		return e;
	e = scram_parse_client_final(buf_sl(&x->response), &x->memory, &s->final);
	if (e == E_TEMP)
		return fail(cx, E_TEMP, "SCRAM: no memory");
	if (e != E_OK)
		return fail(cx, E_SYNTAX, "SCRAM: the final message is not well formed");
	if (!scram_final_fits(&s->first, nonce, &s->final))
		return fail(cx, E_AUTH, "SCRAM: the final message belongs to another exchange");
	return scram_auth_message(cx, s);
}

/// The store's judgement of the proof; then the server proves itself and waits for the client's empty answer.
FIB static enum ec scram_prove(struct cx *cx, struct exchange *x, struct scram *s, struct sasl_result *out)
{
	const struct sasl_login *l = x->login;
	struct req_scram_end req = { .service = (uint8_t)l->service, .session = l->session, .most = l->most };
	int64_t until_ns = patience_ends_ns();
	struct ans_scram_end ans;
	struct sasl_result r;

	if (s->final.proof.n != sizeof req.proof)
		return fail(cx, E_AUTH, "SCRAM: a proof of %zu octets", s->final.proof.n);
	enum ec e = field_set(req.user, s->user);
	if (e != E_OK)
		return fail(cx, e, "SCRAM: the user's name");
	memcpy(req.nonce, s->begin.nonce, sizeof req.nonce);
	if (field_set(req.auth_message, buf_sl(&s->auth_message)) != E_OK)
		return fail(cx, E_SYNTAX, "SCRAM: the messages are too long");
	memcpy(req.proof, s->final.proof.p, sizeof req.proof);
	memcpy(req.peer_ip, l->peer_ip, sizeof req.peer_ip);
	do
		e = call_scram_end(cx, l->store, &req, &ans);
	while (ask_again(cx, l->store, until_ns, &e));
	if (e != E_OK)
		return wrap(cx, e, "SCRAM: end");
	e = result_set(cx, l, &ans.handle, FIELD_SL(ans.address), &r);
	if (e != E_OK)
		return e;
	if (!is_self(s->first.authzid, s->first.username, &r))
		return fail(cx, E_AUTH, "SCRAM: asks to act for another user");
	buf_clear(&s->server_first);
	scram_print_server_final(&s->server_first, (struct sl){ ans.server_signature, sizeof ans.server_signature });
	e = s->server_first.err;
	if (e == E_OK)
		e = l->ask(cx, l->arg, buf_sl(&s->server_first), &x->response);
	if (e == E_OK && x->response.n)
		e = fail(cx, E_SYNTAX, "SCRAM: text where the empty answer belongs");
	if (e == E_OK)
		*out = r;
	return e;
}

/// source: RFC 5802 §5, RFC 7677.
FIB static enum ec run_scram(struct cx *cx, struct exchange *x, struct sl initial, struct sasl_result *out)
{
	struct scram *s = arena_alloc(&x->memory, 1, sizeof *s); // too large for a fiber's stack

	if (!s)
		return fail(cx, E_TEMP, "SCRAM: no memory");
	s->name = BUF(USER_MAX);
	s->server_first = BUF(SERVER_MESSAGE_MAX);
	s->auth_message = BUF(sizeof((struct req_scram_end *)0)->auth_message.p);
	enum ec e = scram_take_first(cx, x, initial, s);
	if (e == E_OK)
		e = scram_challenge(cx, x, s);
	if (e == E_OK)
		e = scram_prove(cx, x, s, out);
	buf_free(&s->name);
	buf_free(&s->server_first);
	buf_free(&s->auth_message);
	return e;
}

static const struct {
	struct sl name;
	FIB enum ec (*run)(struct cx *cx, struct exchange *x, struct sl initial, struct sasl_result *out);
} mechanisms[] = {
	{ SL_INIT("PLAIN"), run_plain },
	{ SL_INIT("LOGIN"), run_login },
	{ SL_INIT("SCRAM-SHA-256"), run_scram },
};

struct sl sasl_mechanisms(bool no_scram)
{
	return no_scram ? SL("PLAIN LOGIN") : SL("PLAIN LOGIN SCRAM-SHA-256");
}

FIB enum ec sasl_run(
	struct cx *cx, const struct sasl_login *l, struct sl mechanism, struct sl initial, struct sasl_result *out)
{
	struct exchange x = { .login = l, .response = BUF(RESPONSE_MAX) };

	if (!l->may_plain)
		return fail(cx, E_STATE, "login needs TLS");
	for (size_t i = 0; i < ARRAY_N(mechanisms); i++) {
		if (!sl_eq_ci(mechanism, mechanisms[i].name) || (l->no_scram && mechanisms[i].run == run_scram))
			continue;
		arena_init(&x.memory, EXCHANGE_MEMORY);
		enum ec e = mechanisms[i].run(cx, &x, initial, out);
		exchange_end(&x);
		return e;
	}
	return fail(cx, E_UNSUPPORTED, "no such mechanism");
}
