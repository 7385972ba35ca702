/// The page of figures over HTTP, by script and by every cut of a request (front/fake).
#include <unistd.h>

#include "base/board.h"
#include "base/check.h"
#include "base/num.h"
#include "front/fake/fake.h"
#include "proto/http.h"

static const struct board *board;

/// The status of the answer, 0 where there is none. Each answer is whole: its length is what it says.
static unsigned status_of(struct sl answer, struct sl *body)
{
	struct sl mark = SL("\r\n\r\n"), length = SL("\r\nContent-Length: ");
	uint64_t code = 0, n = 0;

	if (answer.n == 0)
		return 0;
	CHECK(sl_starts(answer, SL("HTTP/1.1 ")) && num_parse(sl_sub(answer, 9, 12), 599, &code), "status line");
	size_t end = sl_find_sl(answer, mark), at = sl_find_sl(answer, length) + length.n;
	CHECK(end < answer.n && at < end, "head");
	struct sl rest = sl_from(answer, at);
	CHECK(num_parse(sl_head(rest, sl_find(rest, '\r')), UINT32_MAX, &n), "length");
	*body = sl_from(answer, end + mark.n);
	CHECK(body->n == n || body->n == 0, "octets of the body");
	CHECK(sl_find_sl(sl_head(answer, end), SL("\r\nConnection: close")) < end, "close");
	CHECK(sl_find_sl(sl_head(answer, end), SL(" GMT\r\n")) < end, "date");
	return (unsigned)code;
}

static unsigned ask(struct sl request, const struct board *of, struct buf *out, struct sl *body)
{
	struct fake_talk t = { .kind = PORT_METRICS, .session = metrics_session, .board = of };

	buf_clear(out);
	enum ec e = fake_raw_run(&t, request, out);
	unsigned code = status_of(buf_sl(out), body);
	CHECK((e == E_OK) == (code != 0), "an answer, or the end of the connection");
	return code;
}

#define HOST "Host: localhost\r\n\r\n"

static void test_answers(void **)
{
	static const struct {
		const char *request;
		unsigned want;
		bool body;
	} cases[] = {
		{ "GET /metrics HTTP/1.1\r\n" HOST, 200, true },
		{ "GET /metrics HTTP/1.1\nHost: x\n\n", 200, true }, // RFC 9112 §2.2: a bare LF may end a line
		{ "GET /metrics HTTP/1.0\r\n\r\n", 200, true },
		{ "GET /metrics?a=b HTTP/1.1\r\nAccept: */*\r\n" HOST, 200, true },
		{ "HEAD /metrics HTTP/1.1\r\n" HOST, 200, false },
		{ "GET /metrics HTTP/1.1\r\n" HOST "GET /metrics HTTP/1.1\r\n" HOST, 200,
			true }, // one for a connection
		{ "GET / HTTP/1.1\r\n" HOST, 404, true },
		{ "HEAD / HTTP/1.1\r\n" HOST, 404, false },
		{ "GET /metrics/ HTTP/1.1\r\n" HOST, 404, true },
		{ "GET /METRICS HTTP/1.1\r\n" HOST, 404, true },
		{ "GET /../metrics HTTP/1.1\r\n" HOST, 404, true },
		{ "CONNECT localhost:25 HTTP/1.1\r\n" HOST, 404, true },
		{ "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n" HOST "abc", 405, true },
		{ "get /metrics HTTP/1.1\r\n" HOST, 405, true },
		{ "GET /metrics HTTP/1.1\r\n\r\n", 400, true },             // no Host
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\n" HOST, 400, true }, // two
		{ "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", 400, true },
		{ "GET /metrics HTTP/1.1\r\nX: a\r\n folded\r\n" HOST, 400, true },
		{ "EHLO example.test\r\nMAIL FROM:<>\r\n", 400, true },
		{ "\x16\x03\x01\x02\r\n", 400, true },
		{ "\r\n", 400, true },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, true },
	};
	struct buf out = BUF(64 << 20);
	struct sl body;

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		unsigned code = ask(sl_cstr(cases[i].request), board, &out, &body);
		if (code != cases[i].want)
			print_error("answered %u\n", code);
		CHECK(code == cases[i].want && (body.n > 0) == cases[i].body, cases[i].request);
		bool figures =
			sl_find_sl(body, SL("\nhongyan_sessions{role=\"user\",number=\"2\",proto=\"imap\"} 5\n")) <
			body.n;
		CHECK(figures == (code == 200 && cases[i].body), cases[i].request);
		CHECK((sl_find_sl(buf_sl(&out), SL("\r\nAllow: GET, HEAD\r\n")) < out.n) == (code == 405),
			cases[i].request);
	}
	assert_int_equal(ask(SL("GET /metrics HTTP/1.1\r\n" HOST), NULL, &out, &body), 503);
	buf_free(&out);
}

/// A request that ends anywhere before its last octet is none: no answer, no figures.
static void test_cuts(void **)
{
	struct sl whole = SL("GET /metrics HTTP/1.1\r\nAccept: */*\r\nHost: localhost\r\n\r\n");
	struct buf out = BUF(64 << 20);
	struct sl body;

	for (size_t n = 0; n <= whole.n; n++) {
		struct sl part = heap_copy(sl_head(whole, n));
		CHECK(ask(part, board, &out, &body) == (n == whole.n ? 200 : 0), "cut");
		free((void *)(uintptr_t)part.p);
	}
	for (size_t i = 0; i + 2 < whole.n; i++) { // and one wrong octet is no reason to fall
		struct sl wrong = heap_copy(whole);
		((uint8_t *)(uintptr_t)wrong.p)[i] = (uint8_t)(i % 2 ? 0 : 0xff);
		unsigned code = ask(wrong, board, &out, &body);
		CHECK(code == 0 || code == 200 || code >= 400, "a wrong octet");
		free((void *)(uintptr_t)wrong.p);
	}
	buf_free(&out);
}

static void test_limits(void **)
{
	struct buf in = BUF(4 << 20), out = BUF(64 << 20);
	struct sl body;

	buf_puts(&in, "GET /metrics");
	while (in.n < HTTP_LINE_MAX + 100)
		buf_addc(&in, 'x');
	buf_puts(&in, " HTTP/1.1\r\n" HOST);
	assert_int_equal(ask(buf_sl(&in), board, &out, &body), 431);

	buf_clear(&in);
	buf_puts(&in, "GET /metrics HTTP/1.1\r\nX: ");
	while (in.n < HTTP_LINE_MAX + 100)
		buf_addc(&in, 'x');
	buf_puts(&in, "\r\n" HOST);
	assert_int_equal(ask(buf_sl(&in), board, &out, &body), 431);

	for (unsigned fields = HTTP_FIELDS_MAX - 1; fields <= HTTP_FIELDS_MAX; fields++) { // and Host
		buf_clear(&in);
		buf_puts(&in, "GET /metrics HTTP/1.1\r\n");
		for (unsigned i = 0; i < fields; i++)
			buf_puts(&in, "X: y\r\n");
		buf_puts(&in, HOST);
		assert_int_equal(ask(buf_sl(&in), board, &out, &body), fields < HTTP_FIELDS_MAX ? 200 : 431);
	}
	buf_free(&in);
	buf_free(&out);
}

static void test_rest(void **)
{
	struct fake_talk t = { .kind = PORT_METRICS, .session = metrics_session, .board = board };

	assert_int_equal(fake_talk_run(&t, "stop", SL("!: stop\n")), E_CANCELED);
	assert_int_equal(fake_talk_run(&t, "silence", SL("C: GET /metrics HTTP/1.1\n!: silence\n")), E_TIMEOUT);
	t.piece = 1;
	assert_int_equal(fake_talk_run(&t, "slow",
				 SL("C: GET /x HTTP/1.1\nC: Host: a\nC: \nS: HTTP/1.1 404 Not Found\n"
				    "S: Date: *GMT\nS: Content-Type: text/plain; version=0.0.4; charset=utf-8\n"
				    "S: Content-Length: 15\nS: Cache-Control: no-store\n"
				    "S: X-Content-Type-Options: nosniff\nS: Connection: close\nS: \n"
				    "S: 404 Not Found\n")),
		E_OK);
}

static int make_board(void **)
{
	struct board *b;
	int fd;

	fake_start();
	if (board_new(NULL, 1, &fd, &b) != E_OK)
		return -1;
	memcpy(b->role[0].kind, "user", 5);
	b->role[0].number = 2;
	b->role[0].figures.place[AT_SESSIONS + PORT_IMAP] = 5;
	board = b;
	return close(fd);
}

static int drop_board(void **)
{
	board_unmap(board);
	fake_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_rest),
	};
	return cmocka_run_group_tests(tests, make_board, drop_board);
}
