/// answer_login — proving users, and what a logged-in session asks about its account.
#include "store/request.h"

#include "base/clock.h"
#include "base/num.h"
#include "store/directory.h"

/// The account behind a user name, with its head. errors: E_NOTFOUND also for what is no address.
static enum ec find_user(struct cx *cx, struct view *v, struct sl user, uint64_t *id, struct account *a)
{
	enum ec e = directory_user_find(cx, v, user, id);

	if (e == E_OK)
		e = account_load(cx, v, *id, a);
	return e == E_SYNTAX || e == E_TOOBIG ? E_NOTFOUND : e;
}

/// The name that a user goes by, whoever it is: for the brake, and for what the salt of nobody is made of. Names that
/// mean the same user are one name, also where there is no user, else the difference would tell.
static enum ec login_name(struct cx *cx, struct view *v, struct sl user, struct address *memory, struct sl *name)
{
	enum ec e = directory_user_name(cx, v, user, memory);

	if (e != E_OK && e != E_NOTFOUND && e != E_SYNTAX && e != E_TOOBIG)
		return e;
	*name = e == E_OK ? address_text(memory) : user;
	cx_forget(cx);
	return E_OK;
}

/// Who wants to log in. id 0: nobody.
struct candidate {
	uint64_t id;
	struct account a;
	struct sl name; // as login_name
	struct address memory;
};

static enum ec look_up(struct cx *cx, struct view *v, struct sl user, struct candidate *c)
{
	enum ec e = find_user(cx, v, user, &c->id, &c->a);

	if (e == E_NOTFOUND)
		c->id = 0;
	else if (e != E_OK)
		return e;
	return login_name(cx, v, user, &c->memory, &c->name);
}

static const struct credentials *credentials_of(const struct candidate *c)
{
	return c->id ? &c->a.cred : NULL;
}

/// Where a login is used and what it counts as.
struct place {
	uint8_t service;
	uint64_t session;
	uint32_t most;
};

/// The password was right.
static enum ec log_in(const struct request *r, const struct candidate *c, const uint8_t who[FAIR_WHO],
	const struct place *at, struct handle *out)
{
	struct seat_place seat = { .account = c->id, .session = at->session };
	uint32_t bit = 1u << at->service;

	if (!(c->a.services & bit))
		return E_DENIED;
	memcpy(seat.who, who, sizeof seat.who);
	enum ec e = seat_take(r->s->seats, r->peer, &seat, at->most);
	if (e != E_OK)
		return e == E_LIMIT ? E_QUOTA : e;
	handle_make(&r->s->key, r->peer->by, c->id, &c->a, bit, clock_steady_s(), out);
	return E_OK;
}

struct login {
	struct candidate c;
	struct brake_try attempt;
	struct password_work w;
};

static void login_done(struct password_work *w, enum ec e)
{
	struct request *r = w->arg;
	struct login *l = r->work;
	const struct req_login *q = r->in;
	struct ans_login *a = r->out;

	if (e == E_LIMIT)
		e = E_TEMP; // too many wait for their hash: the front asks again
	if (e == E_OK)
		e = log_in(r, &l->c, l->w.turn.who, &(struct place){ q->service, q->session, q->most }, &a->handle);
	brake_end(r->s->brake, &l->attempt, clock_steady_s(), e);
	if (e == E_OK)
		e = field_set(a->address, account_address(&l->c.a));
	request_answer(r, e);
}

static enum ec login_look_up(struct cx *cx, struct request *r, struct sl user, struct candidate *c)
{
	struct view *v;
	enum ec e = view_open(cx, r->s->store, &v);

	if (e != E_OK)
		return e;
	e = look_up(cx, v, user, c);
	view_close(v);
	return e;
}

static void login(struct cx *cx, struct request *r)
{
	const struct req_login *q = r->in;
	struct login *l = r->work = request_alloc(r, sizeof *l);
	enum ec e = l ? login_look_up(cx, r, FIELD_SL(q->user), &l->c) : E_TEMP;

	if (e == E_OK) {
		password_who(q->peer_ip, l->w.turn.who);
		e = brake_begin(r->s->brake, l->c.name, l->w.turn.who, clock_steady_s(), &l->attempt);
	}
	if (e != E_OK) {
		request_answer(r, e);
		return;
	}
	l->w.kind = PASSWORD_VERIFY;
	l->w.account = l->c.id;
	l->w.credential_version = l->c.a.credential_version;
	l->w.cred = l->c.a.cred;
	l->w.password_octets = q->password.n;
	memcpy(l->w.password, q->password.p, q->password.n);
	l->w.proven = l->attempt.proven;
	l->w.done = login_done;
	l->w.arg = r;
	e = password_submit(r->s->passwords, &l->w);
	if (e != E_OK)
		login_done(&l->w, e);
}

static enum ec begin_scram(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_scram_begin *q = r->in;
	struct ans_scram_begin *a = r->out;
	struct scram_challenge ch;
	struct candidate c = { 0 };
	uint8_t who[FAIR_WHO];
	enum ec e = look_up(cx, v, FIELD_SL(q->user), &c);

	password_who(q->peer_ip, who);
	if (e == E_OK)
		e = brake_look(r->s->brake, c.name, who, clock_steady_s());
	if (e != E_OK)
		return e;
	scram_begin(r->s->scram, c.name, credentials_of(&c), r->now_s, &ch);
	memcpy(a->salt, ch.salt, sizeof a->salt);
	memcpy(a->nonce, ch.nonce, sizeof a->nonce);
	a->iterations = ch.iterations;
	return E_OK;
}

static enum ec end_scram(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_scram_end *q = r->in;
	struct ans_scram_end *a = r->out;
	struct scram_proof proof = { .nonce = { q->nonce, sizeof q->nonce },
		.auth_message = FIELD_SL(q->auth_message),
		.proof = { q->proof, sizeof q->proof } };
	struct candidate c = { 0 };
	struct brake_try attempt;
	uint8_t who[FAIR_WHO];
	enum ec e = look_up(cx, v, FIELD_SL(q->user), &c);

	password_who(q->peer_ip, who);
	if (e == E_OK)
		e = brake_begin(r->s->brake, c.name, who, clock_steady_s(), &attempt);
	if (e != E_OK)
		return e;
	proof.user = c.name;
	e = scram_end(r->s->scram, &proof, credentials_of(&c), r->now_s, a->server_signature);
	if (e == E_AUTH)
		password_count_failure(r->s->passwords);
	if (e == E_OK)
		e = log_in(r, &c, who, &(struct place){ q->service, q->session, q->most }, &a->handle);
	brake_end(r->s->brake, &attempt, clock_steady_s(), e);
	return e == E_OK ? field_set(a->address, account_address(&c.a)) : e;
}

static enum ec admin_login(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_admin_login *q = r->in;
	struct ans_admin_login *a = r->out;
	struct account acc;
	uint64_t id;
	enum ec e = find_user(cx, v, FIELD_SL(q->user), &id, &acc);

	if (e == E_OK)
		handle_make(&r->s->key, r->peer->by, id, &acc, 0, clock_steady_s(), &a->handle);
	return e;
}

static enum ec renew(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_renew *q = r->in;
	struct ans_renew *a = r->out;
	struct account acc;
	enum ec e = account_load(cx, v, r->account, &acc);

	if (e == E_OK)
		handle_make(
			&r->s->key, r->peer->by, r->account, &acc, q->handle.services, clock_steady_s(), &a->handle);
	return e;
}

static enum ec account(struct cx *cx, struct request *r, struct view *v)
{
	struct ans_account *a = r->out;
	struct account acc;
	struct quota_used used;
	enum ec e = account_load(cx, v, r->account, &acc);

	if (e == E_OK)
		e = quota_read(cx, r->s->quota, v, r->account, &used);
	if (e != E_OK)
		return e;
	a->quota_octets = acc.quota_octets;
	a->quota_messages = acc.quota_messages;
	a->used_octets = used.octets;
	a->used_messages = used.messages;
	a->pop3_retr = acc.pop3_retr;
	return field_set(a->address, account_address(&acc));
}

static enum ec lock_pop3(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_pop3_lock *q = r->in;

	(void)cx;
	(void)v;
	return q->on ? pop3_lock(r->s->pop3, r->account, r->peer) : pop3_lock_drop(r->s->pop3, r->account, r->peer);
}

static enum ec take_seat(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_seat_take *q = r->in;
	struct seat_place at = { .account = r->account, .session = q->session };

	(void)cx;
	(void)v;
	password_who(q->peer_ip, at.who);
	return seat_take(r->s->seats, r->peer, &at, q->most);
}

static void give_seat(struct cx *cx, struct request *r)
{
	const struct req_seat_give *q = r->in;
	struct seat_place at = { .account = q->account, .session = q->session };

	(void)cx;
	password_who(q->peer_ip, at.who);
	seat_give(r->s->seats, r->peer, &at);
	request_answer(r, E_OK);
}

const struct handler *handler_login(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_login] = { .start = login },
		[VERB_scram_begin] = { .read = begin_scram },
		[VERB_scram_end] = { .read = end_scram },
		[VERB_admin_login] = { .read = admin_login },
		[VERB_renew] = { .read = renew },
		[VERB_account] = { .read = account },
		[VERB_pop3_lock] = { .read = lock_pop3 },
		[VERB_seat_take] = { .read = take_seat },
		[VERB_seat_give] = { .start = give_seat },
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
