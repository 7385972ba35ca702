/// Tests of dotstuff: stuffing, mending, TOP's limit.
#include "base/check.h"

#include "base/buf.h"
#include "base/num.h"
#include "proto/dotstuff.h"

static const struct {
	const char *name;
	struct sl in, out;
} cases[] = {
	{ "empty", SL_INIT(""), SL_INIT(".\r\n") },
	{ "one line", SL_INIT("a\r\n"), SL_INIT("a\r\n.\r\n") },
	{ "no line end", SL_INIT("a"), SL_INIT("a\r\n.\r\n") },
	{ "dots", SL_INIT(".\r\n..\r\n.a\r\nb.\r\n"), SL_INIT("..\r\n...\r\n..a\r\nb.\r\n.\r\n") },
	{ "only a dot", SL_INIT("."), SL_INIT("..\r\n.\r\n") },
	{ "bare LF", SL_INIT("a\n.b\n"), SL_INIT("a\r\n..b\r\n.\r\n") },
	{ "bare CR", SL_INIT("a\r.b\r\rc"), SL_INIT("a .b  c\r\n.\r\n") },
	{ "CR at the end", SL_INIT("a\r"), SL_INIT("a \r\n.\r\n") },
	{ "CR, then a line end", SL_INIT("a\r\r\n."), SL_INIT("a \r\n..\r\n.\r\n") },
	{ "NUL", SL_INIT("\0.\r\n"), SL_INIT("\0.\r\n.\r\n") },
};

static const struct {
	const char *name;
	struct sl in;
	uint32_t lines;
	struct sl out;
} tops[] = {
	{ "header only", SL_INIT("A: b\r\n\r\none\r\n"), 0, SL_INIT("A: b\r\n\r\n.\r\n") },
	{ "one line", SL_INIT("A: b\r\n\r\n.one\r\ntwo\r\n"), 1, SL_INIT("A: b\r\n\r\n..one\r\n.\r\n") },
	{ "more than there are", SL_INIT("A: b\r\n\r\none"), 9, SL_INIT("A: b\r\n\r\none\r\n.\r\n") },
	{ "empty lines count", SL_INIT("A: b\r\n\r\n\r\n\r\nx\r\n"), 2, SL_INIT("A: b\r\n\r\n\r\n\r\n.\r\n") },
	{ "no header", SL_INIT("\r\none\r\ntwo\r\n"), 1, SL_INIT("\r\none\r\n.\r\n") },
	{ "no body", SL_INIT("A: b\r\n"), 1, SL_INIT("A: b\r\n.\r\n") },
	{ "a dot is no empty line", SL_INIT(".\r\nB: c\r\n\r\nx\r\n"), 0, SL_INIT("..\r\nB: c\r\n\r\n.\r\n") },
};

/// Feeds `part` in calls of `room` octets.
static void feed(struct dotstuff *d, struct sl part, size_t room, struct buf *out)
{
	struct dotstuff_step s;

	do {
		uint8_t *mem = malloc(room);
		s = dotstuff_feed(d, part, mem, room);
		buf_add(out, (struct sl){ mem, s.written });
		free(mem);
		part = sl_from(part, s.consumed);
	} while (s.consumed && part.n && !s.full);
}

static void check_splits(struct dotstuff start, struct sl in, struct sl want, const char *name)
{
	static const size_t rooms[] = { DOTSTUFF_ROOM_MIN, 5, 4096 };

	for (size_t k = 0; k < ARRAY_N(rooms); k++) {
		for (size_t cut = 0; cut <= in.n; cut++) {
			struct dotstuff d = start;
			struct buf out = BUF(4096);
			uint8_t end[DOTSTUFF_END_MAX];
			feed(&d, sl_head(in, cut), rooms[k], &out);
			feed(&d, sl_from(in, cut), rooms[k], &out);
			buf_add(&out, (struct sl){ end, dotstuff_finish(&d, end) });
			CHECK(sl_eq(buf_sl(&out), want), name);
			buf_free(&out);
		}
	}
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++)
		check_splits(dotstuff_start(), cases[i].in, cases[i].out, cases[i].name);
}

static void test_top(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(tops); i++)
		check_splits(dotstuff_start_top(tops[i].lines), tops[i].in, tops[i].out, tops[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_top) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
