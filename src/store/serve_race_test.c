/// Tests of peers that are ended by another thread while a worker is at one of their requests.
#include "store/serve_town.h"

enum { ROUNDS = 200, PIECE = BED_ARENA / 16, MESSAGES = 4 };

static bool say_hello(struct client *c, int arena_fd)
{
	struct req_hello q = { .build = BED_BUILD, .arena_octets = BED_ARENA };

	return client_send(c, VERB_hello, &q, sizeof q, arena_fd);
}

/// A second connection of the same front, with the same arena: as after a connection broke.
static struct client again(struct serve *s, const struct client *c, int arena_fd)
{
	struct client n = client_raw(s, BY_USER, 1);

	n.arena = c->arena;
	n.seq = c->seq;
	assert_true(say_hello(&n, arena_fd));
	return n;
}

/// A front sends a change, loses its connection, sends the change again on the next: it is done once, with the octets
/// that were asked for, wherever the first try was when its peer was closed.
static void test_body_of_closed_peer(void **state)
{
	struct town *t = town_new();
	int fd = bed_memfd(BED_ARENA, F_SEAL_SHRINK | F_SEAL_GROW);
	struct client c = { .arena = mmap(NULL, BED_ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) };
	struct req_mbox_append q = { .body = { .n = 15 } };
	struct ans_mbox_append a = { 0 };
	struct ans_hello hello;

	(void)state;
	assert_true(c.arena != MAP_FAILED);
	for (uint32_t i = 0; i < 15; i++)
		q.body.r[i] = (struct range){ i * PIECE, PIECE };
	q.handle = login_as(&t->user, SL("alice@example.org"));
	q.mbox = find(&t->user, &q.handle, SL("INBOX"));
	c = again(t->s, &c, fd);
	assert_int_equal(client_answer(&c, &hello, sizeof hello), E_OK);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		memset(c.arena, 'x', BED_ARENA);
		memset(q.op, 0, sizeof q.op);
		memcpy(q.op, &round, sizeof round);
		assert_true(client_send(&c, VERB_mbox_append, &q, sizeof q, -1));
		usleep(round % 20 * 25);
		struct client next = again(t->s, &c, fd);
		assert_int_equal(client_answer(&next, &hello, sizeof hello), E_OK);
		assert_int_equal(ASK(&next, mbox_append, &q, &a), E_OK);
		close(c.fd);
		c = next;
		assert_int_equal(a.uid, round);
		struct req_mbox_read r = {
			.handle = q.handle, .mbox = q.mbox, .uid = { a.uid }, .out = { 1, { { 0, BED_ARENA } } }
		};
		struct ans_mbox_read got = { 0 };
		memset(c.arena, 0, BED_ARENA);
		assert_int_equal(ASK(&c, mbox_read, &r, &got), E_OK);
		assert_int_equal(got.got[0], 15 * PIECE);
		for (size_t i = 0; i < 15 * PIECE; i++)
			assert_int_equal(c.arena[i], 'x');
	}
	client_end(&c);
	close(fd);
	town_end(t);
}

/// Two connections of one front say hello at once: either may end the other while that maps its arena.
static void test_hello_twice(void **state)
{
	struct town *t = town_new();
	int fd = bed_memfd(BED_ARENA, F_SEAL_SHRINK | F_SEAL_GROW);
	struct ans_hello hello;

	(void)state;
	for (unsigned round = 0; round < 20 * ROUNDS; round++) {
		struct client a = client_raw(t->s, BY_USER, 1), b = client_raw(t->s, BY_USER, 1);
		// the second send may find its peer closed already
		bool a_said = say_hello(&a, fd), b_said = say_hello(&b, fd);
		enum ec first = a_said ? client_answer(&a, &hello, sizeof hello) : E_CLOSED;
		enum ec second = b_said ? client_answer(&b, &hello, sizeof hello) : E_CLOSED;
		assert_true(first == E_OK || first == E_CLOSED);
		assert_true(second == E_OK || second == E_CLOSED);
		close(a.fd);
		close(b.fd);
	}
	close(fd);
	town_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_of_closed_peer),
		cmocka_unit_test(test_hello_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
