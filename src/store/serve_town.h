#pragma once
/// serve_town — what the tests of serve share: a served domain with alice and bob, and sessions as plain calls.
/// Only tests include this.
#include "store/serve_bed.h"

/// A served town: alice and bob (password "pw"), an admin and a user front.
struct town {
	struct mailbed *b;
	struct serve *s;
	struct client admin, user;
};

static inline void must(enum ec e, const char *what)
{
	CHECK(e == E_OK, what);
}

static inline void add_user(struct client *c, struct sl address, uint64_t quota)
{
	struct req_user_add q = { .quota_octets = quota };
	struct ans_user_add a = { 0 };

	must(field_set(q.address, address), "address");
	must(field_set(q.password, SL("pw")), "password");
	must(ASK(c, user_add, &q, &a), "user_add");
}

static inline struct town *town_new(void)
{
	struct town *t = calloc(1, sizeof *t);
	struct req_domain_add q = { 0 };
	struct ans_domain_add a = { 0 };

	assert_non_null(t);
	t->b = mailbed_new();
	t->s = bed_serve(t->b);
	t->admin = client_new(t->s, BY_ADMIN, 0);
	t->user = client_new(t->s, BY_USER, 1);
	must(field_set(q.domain, SL("example.org")), "domain");
	must(ASK(&t->admin, domain_add, &q, &a), "domain_add");
	add_user(&t->admin, SL("alice@example.org"), 0);
	add_user(&t->admin, SL("bob@example.org"), 0);
	return t;
}

static inline void town_end(struct town *t)
{
	client_end(&t->user);
	client_end(&t->admin);
	serve_free(t->s);
	mailbed_free(t->b);
	free(t);
}

/// Gives back the seat that its login takes, so that tests count what they take themselves.
static inline enum ec login(
	struct client *c, struct sl user, struct sl password, enum service service, struct handle *h)
{
	struct req_login q = { .service = (uint8_t)service, .session = 1, .most = UINT32_MAX };
	struct ans_login a = { 0 };
	struct req_seat_give seat = { .session = q.session };
	struct ans_seat_give given;

	must(field_set(q.user, user), "user");
	must(field_set(q.password, password), "password");
	enum ec e = ASK(c, login, &q, &a);
	seat.account = a.handle.account;
	if (e == E_OK)
		must(ASK(c, seat_give, &seat, &given), "seat_give");
	*h = a.handle;
	return e;
}

static inline struct handle login_as(struct client *c, struct sl user)
{
	struct handle h;

	must(login(c, user, SL("pw"), SERVICE_IMAP, &h), "login");
	return h;
}

static inline uint64_t find(struct client *c, const struct handle *h, struct sl name)
{
	struct req_mbox_find q = { .handle = *h };
	struct ans_mbox_find a = { 0 };

	must(field_set(q.name, name), "name");
	must(ASK(c, mbox_find, &q, &a), "mbox_find");
	return a.mbox;
}

static inline uint32_t append(struct client *c, const struct handle *h, uint64_t mbox, struct sl body)
{
	struct req_mbox_append q = {
		.handle = *h, .mbox = mbox, .body = { 2, { { 0, 1 }, { 1, (uint32_t)body.n - 1 } } }
	};
	struct ans_mbox_append a = { 0 };

	memcpy(c->arena, body.p, body.n);
	must(ASK(c, mbox_append, &q, &a), "mbox_append");
	return a.uid;
}

/// Sends each verb that takes a handle with `h` in its place, everything else zero. No answer may be E_OK.
static inline void try_handle(struct client *c, enum peer_kind kind, struct handle h, const char *what)
{
	_Alignas(16) uint8_t body[FRAME_MAX];

	for (uint32_t verb = 0; verb < VERBS; verb++) {
		const struct verb_info *info = verb_info(verb);
		memset(body, 0, sizeof body);
		const struct handle *at = info ? info->handle(body) : NULL;
		if (!at || !(info->who & (uint32_t)kind))
			continue;
		memcpy(body + ((const uint8_t *)at - body), &h, sizeof h);
		assert_true(client_send(c, verb, body, info->req_octets, -1));
		CHECK(client_answer(c, NULL, 0) == E_AUTH, what);
	}
}
