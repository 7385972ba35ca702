/// Tests of what is left when peers and requests end: chunks that are no longer theirs, passwords in freed memory.
#include <malloc.h>
#include <stdatomic.h>

#include "store/gate.h"
#include "store/request.h"
#include "store/serve_bed.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_FREE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_FREE 0
#endif
#endif
#ifndef OWN_FREE
#define OWN_FREE 1
#endif

static const char needle[] = "the-needle-that-nobody-may-find";
static atomic_uint found;

#if OWN_FREE
void __libc_free(void *p);
void free(void *p);
/// Looks for the needle in all that is freed.
void free(void *p)
{
	if (p && memmem(p, malloc_usable_size(p), needle, sizeof needle - 1))
		atomic_fetch_add(&found, 1);
	__libc_free(p);
}
#endif

static void ask(struct client *c, uint32_t verb, const void *body, size_t n, enum ec want, const char *name)
{
	assert_true(client_send(c, verb, body, n, -1));
	CHECK(client_answer(c, NULL, 0) == want, name);
}

/// No request leaves a password behind, whatever becomes of it.
static void test_passwords_wiped(void **state)
{
	struct mailbed *b = mailbed_new();
	struct serve *s = bed_serve(b);
	struct client admin = client_new(s, BY_ADMIN, 0), user = client_new(s, BY_USER, 1);
	struct req_domain_add domain = { 0 };
	struct req_user_add add = { 0 };
	struct req_user_passwd passwd = { 0 };
	struct req_login login = { .service = SERVICE_IMAP, .most = UINT32_MAX };
	struct sl secret = { (const uint8_t *)needle, sizeof needle - 1 };

	(void)state;
	assert_int_equal(field_set(domain.domain, SL("example.org")), E_OK);
	assert_int_equal(field_set(add.address, SL("alice@example.org")), E_OK);
	assert_int_equal(field_set(passwd.address, SL("alice@example.org")), E_OK);
	assert_int_equal(field_set(login.user, SL("alice@example.org")), E_OK);
	assert_int_equal(field_set(add.password, secret), E_OK);
	assert_int_equal(field_set(passwd.password, secret), E_OK);
	assert_int_equal(field_set(login.password, secret), E_OK);
	ask(&admin, VERB_domain_add, &domain, sizeof domain, E_OK, "domain");
	ask(&admin, VERB_user_add, &add, sizeof add, E_OK, "user_add");
	ask(&admin, VERB_user_add, &add, sizeof add, E_EXISTS, "user_add again");
	ask(&admin, VERB_user_passwd, &passwd, sizeof passwd, E_OK, "user_passwd");
	ask(&user, VERB_login, &login, sizeof login, E_OK, "login");
	ask(&user, VERB_login, &login, sizeof login, E_OK, "login from the cache");
	ask(&admin, VERB_login, &login, sizeof login, E_DENIED, "login of a peer that may not");
	login.service = SERVICES;
	ask(&user, VERB_login, &login, sizeof login, E_SYNTAX, "login with a bad field");
	client_end(&user);
	client_end(&admin);
	serve_free(s);
	mailbed_free(b);
	assert_int_equal(found, 0);
#if OWN_FREE
	void *p = malloc(100); // what the test looks for can be found
	assert_non_null(p);
	memcpy(p, needle, sizeof needle);
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
	assert_int_equal(found, 1);
#endif
}

#ifndef ENGINE_MEM
static void fetch_handle(struct client *admin, struct handle *h, uint64_t *inbox)
{
	struct req_admin_login login = { 0 };
	struct ans_admin_login logged = { 0 };
	struct req_mbox_find find = { 0 };
	struct ans_mbox_find at = { 0 };

	assert_int_equal(field_set(login.user, SL("alice@example.org")), E_OK);
	assert_int_equal(ASK(admin, admin_login, &login, &logged), E_OK);
	find.handle = *h = logged.handle;
	assert_int_equal(field_set(find.name, SL("INBOX")), E_OK);
	assert_int_equal(ASK(admin, mbox_find, &find, &at), E_OK);
	*inbox = at.mbox;
}

/// A request of a peer that was closed ends after it: its answer no longer goes into the arena, whose chunks may be
/// another session's by then.
static void test_closed_arena(void **state)
{
	struct mailbed *b = mailbed_new();
	struct serve *s = bed_serve(b);
	struct client c = client_new(s, BY_ADMIN, 0);
	struct gate gate;
	struct handle h;
	uint64_t inbox;
	uint8_t octet;

	(void)state;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	bed_user(b, SL("alice@example.org"), 0);
	fetch_handle(&c, &h, &inbox);
	assert_int_equal(bed_append(b, (struct mbox_ref){ h.account, inbox }, SL("x"), FLAG_DELETED), 1);
	gate_close(&gate, b->s);
	struct req_mbox_expunge q = { .handle = h, .mbox = inbox, .all = 1, .out = { 0, 4096 } };
	assert_true(client_send(&c, VERB_mbox_expunge, &q, sizeof q, -1));
	assert_int_equal(send(c.fd, "?", 1, MSG_NOSIGNAL), 1); // no frame: the peer is closed
	assert_true(recv(c.fd, &octet, 1, 0) <= 0);
	memset(c.arena, 0x5a, 4096);
	gate_open(&gate);
	while (bed_status(b, (struct mbox_ref){ h.account, inbox }).messages)
		usleep(1000);
	serve_free(s); // waits for what is under way
	for (int i = 0; i < 4096; i++)
		assert_int_equal(c.arena[i], 0x5a);
	client_end(&c);
	mailbed_free(b);
}

/// What is copied out of an arena that was taken away is nothing that anybody sent: the front asks again elsewhere
/// under the same operation id, and would hear that zeros were stored.
static void test_closed_body(void **state)
{
	struct mailbed *b = mailbed_new();
	struct serve *s = bed_serve(b);
	struct request *r = calloc(1, sizeof *r);
	struct range body = { 0, 5 };
	struct body_in in;
	struct sl copy;
	int pair[2];

	(void)state;
	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	struct peer p = { .s = s, .fd = pair[0], .arena_octets = 4096 };
	p.arena = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p.arena != MAP_FAILED);
	pthread_mutex_init(&p.lock, NULL);
	memcpy(p.arena, "hello", 5);
	r->peer = &p;
	r->s = s;
	r->verb = VERB_deliver;
	assert_int_equal(body_take(NULL, r, &body, 1, 0, &in), E_OK);
	body_end(r, &in, true);
	assert_int_equal(request_copy(r, body, 5, &copy), E_OK);
	peer_close(&p); // in the middle of the request: its arena is zeros from here on
	assert_int_equal(body_take(NULL, r, &body, 1, 0, &in), E_CLOSED);
	assert_int_equal(request_copy(r, body, 5, &copy), E_CLOSED);
	munmap(p.arena, 4096);
	pthread_mutex_destroy(&p.lock);
	while (r->pieces) {
		struct piece *piece = r->pieces;
		r->pieces = piece->next;
		free(piece);
	}
	free(r);
	close(pair[0]);
	close(pair[1]);
	serve_free(s);
	mailbed_free(b);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passwords_wiped),
#ifndef ENGINE_MEM
		cmocka_unit_test(test_closed_arena),
		cmocka_unit_test(test_closed_body),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
