/// verbs_test — frames between two ends of a socket, and the checks of every verb.
#include "base/check.h"
#include "base/figures.h"
#include "ipc/verbs.h"
#include "ipc/wire.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

// ---- wire

static void test_wire(void **)
{
	struct wire_fds fds = { .n = WIRE_FDS_MAX }, back;
	struct iovec iov = { (void *)(uintptr_t) "abc", 3 };
	struct cx cx = { 0 };
	char got[8];
	int pair[2];
	size_t n;

	assert_int_equal(wire_pair(&cx, pair), E_OK);
	for (unsigned i = 0; i < WIRE_FDS_MAX; i++)
		fds.fd[i] = pair[0];
	assert_int_equal(wire_recv(&cx, pair[1], got, sizeof got, &n, &back), E_TEMP);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wire_send(&cx, pair[0], &iov, 1, &fds), E_OK);
	assert_int_equal(wire_recv(&cx, pair[1], got, sizeof got, &n, &back), E_OK);
	assert_true(n == 3 && back.n == WIRE_FDS_MAX);
	for (unsigned i = 0; i < back.n; i++) {
		assert_true(fcntl(back.fd[i], F_GETFD) & FD_CLOEXEC);
		close(back.fd[i]);
	}
	assert_int_equal(wire_recv(&cx, pair[1], got, sizeof got, &n, NULL), E_OK); // none wanted: closed
	assert_int_equal(wire_recv(&cx, pair[1], got, 2, &n, &back), E_TOOBIG);
	assert_int_equal(fcntl(back.fd[0], F_GETFD), -1);
	close(pair[0]);
	assert_int_equal(wire_recv(&cx, pair[1], got, sizeof got, &n, &back), E_CLOSED);
	assert_int_equal(wire_send(&cx, pair[1], &iov, 1, NULL), E_CLOSED);
	close(pair[1]);
	cx_end(&cx);
}

// ---- every verb's check, made from the table

enum { ARENA = 1 << 20 };
static unsigned checked, refused;
#define REFUSED(verb)                                            \
	do {                                                     \
		CHECK(info->check(r, ARENA) == E_SYNTAX, #verb); \
		refused++;                                       \
	} while (0)
#define BAD_NUMBER(field, limit)                                \
	if ((uint64_t)(limit) < (__typeof__(r->field))-1) {     \
		r->field = (__typeof__(r->field))(limit);       \
		CHECK(info->check(r, ARENA) == E_OK, #field);   \
		r->field = (__typeof__(r->field))((limit) + 1); \
		REFUSED(field);                                 \
		r->field = 0;                                   \
	}
#define BAD_U8(field, limit)  BAD_NUMBER(field, limit)
#define BAD_U32(field, limit) BAD_NUMBER(field, limit)
#define BAD_U64(field, limit)
#define BAD_I64(field, limit)
#define BAD_BOOL(field, limit) BAD_NUMBER(field, 1)
#define BAD_STR(field, limit)                         \
	r->field.n = (limit);                         \
	CHECK(info->check(r, ARENA) == E_OK, #field); \
	r->field.n = (limit) + 1;                     \
	REFUSED(field);                               \
	r->field.n = UINT16_MAX;                      \
	REFUSED(field);                               \
	r->field.n = 0;
#define BAD_SECRET(field, limit)     \
	CHECK(info->secret, #field); \
	BAD_STR(field, limit)
#define BAD_BYTES(field, limit)
#define BAD_HANDLE(field, limit) CHECK(info->handle(r) == &r->field, #field);
#define BAD_OP(field, limit)
#define BAD_ONE_RANGE(what)                              \
	what = (struct range){ ARENA - 1, 1 };           \
	CHECK(info->check(r, ARENA) == E_OK, #what);     \
	what = (struct range){ ARENA, 1 };               \
	REFUSED(what);                                   \
	what = (struct range){ UINT32_MAX, UINT32_MAX }; \
	REFUSED(what);                                   \
	what = (struct range){ 0, ARENA + 1 };           \
	REFUSED(what);                                   \
	what = (struct range){ 0, 0 };
#define BAD_RANGE(field, limit) BAD_ONE_RANGE(r->field)
#define BAD_RANGES(field, limit)                      \
	r->field.n = (limit);                         \
	CHECK(info->check(r, ARENA) == E_OK, #field); \
	BAD_ONE_RANGE(r->field.r[(limit)-1]);         \
	r->field.n = (limit) + 1;                     \
	REFUSED(field);                               \
	r->field.n = UINT32_MAX;                      \
	REFUSED(field);                               \
	r->field.n = 0;
#define BAD_U32S(field, limit)
#define BAD_FIELD(kind, field, limit) BAD_##kind(field, limit)

#define VERB(verb, by)                                                                         \
	static void check_##verb(void)                                                         \
	{                                                                                      \
		const struct verb_info *info = verb_info(VERB_##verb);                         \
		struct req_##verb *r = calloc(1, sizeof *r);                                   \
		CHECK(info && info->who == (by), #verb);                                       \
		CHECK(info->req_octets == sizeof *r && strcmp(info->name, #verb) == 0, #verb); \
		CHECK(info->check(r, 0) == E_OK, #verb);                                       \
		r->none_[0] = 1;                                                               \
		REFUSED(verb);                                                                 \
		r->none_[0] = 0;                                                               \
		REQ_##verb(BAD_FIELD) CHECK(info->check(r, 0) == E_OK, #verb);                 \
		free(r);                                                                       \
		checked++;                                                                     \
	}
#include "ipc/verbs.def"

static void test_verb_checks(void **)
{
#define VERB(verb, by) check_##verb();
#include "ipc/verbs.def"
	assert_int_equal(checked, VERBS - 2); // all but none and note
	print_message("%u verbs, %u refusals\n", checked, refused);
	assert_null(verb_info(VERB_NONE));
	assert_null(verb_info(VERB_note));
	assert_null(verb_info(VERBS));
	assert_null(verb_info(UINT32_MAX));
}

/// What is counted by verb has the verbs' names.
static void test_verb_labels(void **)
{
	for (unsigned v = VERB_NONE + 1; v < VERB_note; v++)
		assert_string_equal(figure_sets[LABEL_VERB].word[v - 1], verb_info(v)->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_verb_checks),
		cmocka_unit_test(test_verb_labels),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
