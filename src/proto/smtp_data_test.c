/// Tests of smtp_data: each sample in every split, and the forms by which mail was smuggled through other servers.
#include "base/check.h"

#include "base/buf.h"
#include "base/num.h"
#include "proto/smtp_data.h"

static const struct {
	const char *name;
	struct sl in, out, rest; // rest: behind the end of the data
	bool ended, bare_cr, bare_lf, nul;
} cases[] = {
	{ "plain", SL_INIT("a\r\nb\r\n.\r\nQUIT\r\n"), SL_INIT("a\r\nb\r\n"), SL_INIT("QUIT\r\n"), true },
	{ "empty message", SL_INIT(".\r\n"), SL_INIT(""), SL_INIT(""), true },
	{ "pipelined end", SL_INIT(".\r\n.\r\n"), SL_INIT(""), SL_INIT(".\r\n"), true },
	{ "dots stuffed", SL_INIT("..a\r\n...\r\n..\r\n.\r\n"), SL_INIT(".a\r\n..\r\n.\r\n"), SL_INIT(""), true },
	{ "dot before other text", SL_INIT(".a\r\n.\r\n"), SL_INIT("a\r\n"), SL_INIT(""), true },
	{ "dots inside a line", SL_INIT("a.\r\nb..c\r\n.\r\n"), SL_INIT("a.\r\nb..c\r\n"), SL_INIT(""), true },
	{ "no end yet", SL_INIT("a\r\n.\r"), SL_INIT("a\r\n"), SL_INIT(""), false },
	{ "no line end before the dot", SL_INIT("a.\r\n"), SL_INIT("a.\r\n"), SL_INIT(""), false },
	{ "8-bit octets", SL_INIT("\xff\x80\r\n.\r\n"), SL_INIT("\xff\x80\r\n"), SL_INIT(""), true },

	{ "smuggling LF . LF", SL_INIT("a\n.\nMAIL\r\n.\r\n"), SL_INIT("a\r\n.\r\nMAIL\r\n"), SL_INIT(""), true, false,
		true },
	{ "smuggling LF . CRLF", SL_INIT("a\n.\r\nMAIL\r\n.\r\n"), SL_INIT("a\r\n.\r\nMAIL\r\n"), SL_INIT(""), true,
		false, true },
	{ "smuggling CRLF . LF", SL_INIT("a\r\n.\nMAIL\r\n.\r\n"), SL_INIT("a\r\n\r\nMAIL\r\n"), SL_INIT(""), true,
		false, true },
	{ "smuggling CR . CR", SL_INIT("a\r.\rMAIL\r\n.\r\n"), SL_INIT("a . MAIL\r\n"), SL_INIT(""), true, true },
	{ "smuggling CR . CRLF", SL_INIT("a\r.\r\nMAIL\r\n.\r\n"), SL_INIT("a .\r\nMAIL\r\n"), SL_INIT(""), true,
		true },
	{ "smuggling CRLF . CR", SL_INIT("a\r\n.\rMAIL\r\n.\r\n"), SL_INIT("a\r\n MAIL\r\n"), SL_INIT(""), true, true },
	{ "smuggling CRLF . CR CRLF", SL_INIT("a\r\n.\r\r\nMAIL\r\n.\r\n"), SL_INIT("a\r\n \r\nMAIL\r\n"), SL_INIT(""),
		true, true },
	{ "smuggling CR CRLF . CRLF", SL_INIT("a\r\r\n.\r\nQUIT"), SL_INIT("a \r\n"), SL_INIT("QUIT"), true, true },
	{ "smuggling LF CR . LF CR", SL_INIT("a\n\r.\n\rMAIL\r\n.\r\n"), SL_INIT("a\r\n .\r\n MAIL\r\n"), SL_INIT(""),
		true, true, true },
	{ "smuggling CRLF NUL . CRLF", SL_INIT("a\r\n\0.\r\nMAIL\r\n.\r\n"), SL_INIT("a\r\n\0.\r\nMAIL\r\n"),
		SL_INIT(""), true, false, false, true },
	{ "smuggling CRLF . NUL CRLF", SL_INIT("a\r\n.\0\r\nMAIL\r\n.\r\n"), SL_INIT("a\r\n\0\r\nMAIL\r\n"),
		SL_INIT(""), true, false, false, true },
	{ "smuggling CR NUL LF . CRLF", SL_INIT("a\r\0\n.\r\nMAIL\r\n.\r\n"), SL_INIT("a \0\r\n.\r\nMAIL\r\n"),
		SL_INIT(""), true, true, true, true },
	{ "smuggling first line LF", SL_INIT(".\nMAIL\r\n.\r\n"), SL_INIT("\r\nMAIL\r\n"), SL_INIT(""), true, false,
		true },
	{ "stuffed dot behind a bare LF", SL_INIT("a\n..\r\n.\r\n"), SL_INIT("a\r\n..\r\n"), SL_INIT(""), true, false,
		true },
};

struct run {
	struct buf out;
	size_t consumed;
	struct smtp_data d;
};

/// Feeds `part` in calls of `room` octets until nothing moves any more.
static void feed(struct run *r, struct sl part, size_t room)
{
	for (;;) {
		uint8_t *mem = malloc(room);
		struct sl in = heap_copy(part);
		struct smtp_data_step s = smtp_data_feed(&r->d, in, mem, room);
		buf_add(&r->out, (struct sl){ mem, s.written });
		free(mem);
		free((void *)(uintptr_t)in.p);
		r->consumed += s.consumed;
		part = sl_from(part, s.consumed);
		if (s.consumed == 0 || part.n == 0 || s.ended)
			return;
	}
}

static void check_case(size_t i, const struct run *r)
{
	CHECK((r->d.state == DATA_ENDED) == cases[i].ended, cases[i].name);
	CHECK(sl_eq(buf_sl(&r->out), cases[i].out), cases[i].name);
	CHECK(r->consumed == cases[i].in.n - cases[i].rest.n, cases[i].name);
	CHECK(r->d.octets == cases[i].out.n, cases[i].name);
	CHECK(r->d.bare_cr == cases[i].bare_cr && r->d.bare_lf == cases[i].bare_lf, cases[i].name);
	CHECK(r->d.nul == cases[i].nul, cases[i].name);
}

/// Every split into two and three parts, several sizes of the output.
static void test_splits(void **state)
{
	(void)state;
	static const size_t rooms[] = { SMTP_DATA_ROOM_MIN, 4, 7, 4096 };
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = cases[i].in;
		for (size_t k = 0; k < ARRAY_N(rooms); k++) {
			for (size_t one = 0; one <= in.n; one++) {
				for (size_t two = one; two <= in.n; two++) {
					struct run r = { .out = BUF(4096), .d = smtp_data_start(true) };
					feed(&r, sl_sub(in, 0, one), rooms[k]);
					feed(&r, sl_sub(in, one, two), rooms[k]);
					feed(&r, sl_from(in, two), rooms[k]);
					check_case(i, &r);
					buf_free(&r.out);
				}
			}
		}
	}
}

static void test_no_room(void **state)
{
	(void)state;
	struct smtp_data d = smtp_data_start(true);
	uint8_t out[SMTP_DATA_ROOM_MIN - 1];
	struct smtp_data_step s = smtp_data_feed(&d, SL("abc"), out, sizeof out);
	assert_true(s.consumed == 0 && s.written == 0 && !s.ended);
}

static const struct {
	const char *name;
	struct sl in, out;
	bool bare_cr, bare_lf;
} chunks[] = {
	{ "dots stay", SL_INIT(".a\r\n.\r\n..\r\n"), SL_INIT(".a\r\n.\r\n..\r\n"), false, false },
	{ "bare LF", SL_INIT("a\nb"), SL_INIT("a\r\nb"), false, true },
	{ "CR at the very end", SL_INIT("a\r"), SL_INIT("a "), true, false },
	{ "no line end", SL_INIT("a"), SL_INIT("a"), false, false },
	{ "nothing", SL_INIT(""), SL_INIT(""), false, false },
};

static void test_bdat(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(chunks); i++) {
		for (size_t cut = 0; cut <= chunks[i].in.n; cut++) {
			struct run r = { .out = BUF(4096), .d = smtp_data_start(false) };
			uint8_t last[1];
			feed(&r, sl_head(chunks[i].in, cut), 8);
			feed(&r, sl_from(chunks[i].in, cut), 8);
			buf_add(&r.out, (struct sl){ last, smtp_data_finish(&r.d, last, 1) });
			CHECK(sl_eq(buf_sl(&r.out), chunks[i].out), chunks[i].name);
			CHECK(r.d.bare_cr == chunks[i].bare_cr && r.d.bare_lf == chunks[i].bare_lf, chunks[i].name);
			buf_free(&r.out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_bdat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
