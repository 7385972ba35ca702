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

/// find_user in a view of its own; *id 0 where there is nobody.
static enum ec look_up(struct cx *cx, struct request *r, struct sl user, uint64_t *id, struct account *a)
{
	struct view *v;
	enum ec e = view_open(cx, r->s->store, &v);

	*id = 0;
	if (e != E_OK)
		return e;
	e = find_user(cx, v, user, id, a);
	view_close(v);
	if (e == E_NOTFOUND) {
		*id = 0;
		e = E_OK;
	}
	return e;
}

struct login {
	struct account a;
	struct password_work w;
};

static void login_done(struct password_work *w, enum ec e)
{
	struct request *r = w->arg;
	struct login *l = r->work;
	const struct req_login *q = r->in;
	struct ans_login *a = r->out;
	uint32_t service = 1u << q->service;

	if (e == E_OK && !(l->a.services & service))
		e = E_DENIED;
	if (e == E_OK)
		e = field_set(a->address, account_address(&l->a));
	if (e == E_OK)
		handle_make(&r->s->key, r->peer->by, w->account, &l->a, service, clock_steady_s(), &a->handle);
	request_answer(r, e);
}

static void login(struct cx *cx, struct request *r)
{
	const struct req_login *q = r->in;
	struct login *l = r->work = request_alloc(r, sizeof *l);
	enum ec e = l ? look_up(cx, r, FIELD_SL(q->user), &l->w.account, &l->a) : E_TEMP;

	if (e != E_OK) {
		request_answer(r, e);
		return;
	}
	l->w.kind = PASSWORD_VERIFY;
	l->w.credential_version = l->a.credential_version;
	l->w.cred = l->a.cred;
	l->w.password_octets = q->password.n;
	memcpy(l->w.password, q->password.p, q->password.n);
	password_who(q->peer_ip, l->w.turn.who);
	l->w.done = login_done;
	l->w.arg = r;
	e = password_submit(r->s->passwords, &l->w);
	if (e != E_OK)
		request_answer(r, e);
}

/// What the salt of nobody is made of: names that mean the same user have the same salt, also where there is no user,
/// else the difference would tell.
static enum ec scram_name(struct cx *cx, struct view *v, struct sl user, struct address *memory, struct sl *name)
{
	enum ec e = directory_user_name(cx, v, user, memory);

	if (e != E_OK && e != E_NOTFOUND && e != E_SYNTAX && e != E_TOOBIG)
		return e;
	*name = e == E_OK ? address_text(memory) : user;
	cx_forget(cx);
	return E_OK;
}

static enum ec begin_scram(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_scram_begin *q = r->in;
	struct ans_scram_begin *a = r->out;
	struct scram_challenge c;
	struct account acc;
	struct address memory;
	struct sl name;
	uint64_t id;
	enum ec e = find_user(cx, v, FIELD_SL(q->user), &id, &acc);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	bool known = e == E_OK;
	e = scram_name(cx, v, FIELD_SL(q->user), &memory, &name);
	if (e != E_OK)
		return e;
	scram_begin(r->s->scram, name, known ? &acc.cred : NULL, r->now_s, &c);
	memcpy(a->salt, c.salt, sizeof a->salt);
	memcpy(a->nonce, c.nonce, sizeof a->nonce);
	a->iterations = c.iterations;
	return E_OK;
}

static enum ec end_scram(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_scram_end *q = r->in;
	struct ans_scram_end *a = r->out;
	struct scram_proof proof = { .nonce = { q->nonce, sizeof q->nonce },
		.auth_message = FIELD_SL(q->auth_message),
		.proof = { q->proof, sizeof q->proof } };
	struct account acc;
	struct address memory;
	uint64_t id = 0;
	enum ec e = find_user(cx, v, FIELD_SL(q->user), &id, &acc);

	if (e != E_OK && e != E_NOTFOUND)
		return e;
	bool known = e == E_OK;
	e = scram_name(cx, v, FIELD_SL(q->user), &memory, &proof.user);
	if (e == E_OK)
		e = scram_end(r->s->scram, &proof, known ? &acc.cred : NULL, r->now_s, a->server_signature);
	if (e == E_AUTH)
		password_count_failure(r->s->passwords);
	if (e != E_OK)
		return e;
	if (!(acc.services & 1u << q->service))
		return fail(cx, E_DENIED, "the service is turned off");
	handle_make(&r->s->key, r->peer->by, id, &acc, 1u << q->service, clock_steady_s(), &a->handle);
	return field_set(a->address, account_address(&acc));
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
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
