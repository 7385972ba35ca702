/// A hundred sessions want a large message at once, half of them read nothing until the others are done: FETCH and
/// SEARCH on real fibers, helpers and chunks; the store is one message in memory, and a client is what it got.
#include "base/check.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/num.h"
#include "front/imap/fetch.h"
#include "front/imap/fetch_body.h"
#include "front/imap/late.h"
#include "front/imap/search.h"
#include "front/imap/select.h"

enum { SESSIONS = 100, USERS = 10, MESSAGE_OCTETS = 512 << 10 };

/// What a session takes for its connection: a client that remembers a sum of what it got.
struct io {
	bool stalls; // in the middle of an answer, until nobody else is at work
	uint32_t sum;
	uint64_t octets;
};

static struct crowd {
	struct front front;
	struct front_conf conf;
	struct chunks *chunks;
	struct buf message;
	const char *command;
	unsigned at_work; // sessions that do not stall
	uint32_t sum;     // of a whole answer
	unsigned whole, refused;
	size_t room_sending;
	uint64_t ticks, ticks_read; // of another fiber; when the message had last been read
	bool others_ran;
	bool stalled, made_room; // a client takes nothing; it was its session that had to go
	enum ec end;             // of the last session
	const char *bye;
} crowd;

struct chunks *client_chunks(struct client *c)
{
	(void)c;
	return crowd.chunks;
}

void client_op(uint8_t op[16])
{
	memset(op, 1, 16);
}

enum ec select_take_presence(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t blocks, uint32_t uidnext, struct view *v)
{
	(void)cx, (void)im, (void)c, (void)blocks, (void)uidnext, (void)v;
	return E_UNSUPPORTED;
}

FIB enum ec client_call(struct cx *cx, struct client *c, enum verb verb, const void *req, void *ans)
{
	enum ec e = fib_yield(cx);

	(void)c;
	if (e == E_OK && verb == VERB_mbox_rows) {
		const struct req_mbox_rows *r = req;
		struct pl_row row = { .uid = 1, .octets = (uint32_t)crowd.message.n, .flags = FLAG_SEEN };
		memcpy(chunks_at(crowd.chunks, r->out.r[0]), &row, sizeof row);
		*(struct ans_mbox_rows *)ans = (struct ans_mbox_rows){ .count = 1 };
		return E_OK;
	}
	assert_int_equal(verb, VERB_mbox_read);
	const struct req_mbox_read *r = req;
	struct sl piece = sl_head(sl_from(buf_sl(&crowd.message), r->offset[0]), r->out.r[0].len);
	memcpy(chunks_at(crowd.chunks, r->out.r[0]), piece.p, piece.n);
	((struct ans_mbox_read *)ans)->got[0] = (uint32_t)piece.n;
	crowd.ticks_read = crowd.ticks;
	return e;
}

FIB enum ec io_put(struct cx *cx, struct io *io, struct sl s)
{
	enum ec e = E_OK;

	if (io->octets == 0)
		crowd.others_ran = crowd.ticks > crowd.ticks_read;
	if (!sl_starts(s, SL("* OK Still searching"))) // said where it takes long
		io->sum = crc32c(io->sum, s);
	io->octets += s.n;
	if (crowd.front.room.used > crowd.room_sending)
		crowd.room_sending = crowd.front.room.used;
	crowd.stalled |= io->stalls;
	do
		e = fib_yield(cx);
	while (e == E_OK && io->stalls && crowd.at_work);
	return e;
}

void io_counts(const struct io *io, uint64_t *in, uint64_t *out)
{
	*in = 0;
	*out = io->octets;
}

bool io_waits(const struct io *io)
{
	return io->stalls;
}

int64_t io_waited_ns(const struct io *, int64_t now_ns)
{
	return now_ns;
}

FIB enum ec io_flush(struct cx *cx, struct io *io)
{
	return io_put(cx, io, SL(""));
}

/// A multipart of MESSAGE_OCTETS, one part a page of HTML.
static void make_message(void)
{
	struct buf *m = &crowd.message;

	*m = BUF(MESSAGE_OCTETS + 4096);
	buf_puts(m, "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
		    "--b\r\nContent-Type: text/html; charset=gb18030\r\n\r\n");
	while (m->n < MESSAGE_OCTETS)
		buf_puts(m, "<p>\xc4\xe3\xba\xc3 &amp; <b>hello</b></p>\r\n");
	buf_puts(m, "--b--\r\n");
}

static void begin(const char *command, size_t messages, int64_t wait_ms)
{
	struct fib_conf conf = { .fibers_max = SESSIONS + 2, .offload_threads = HEAVY_SEATS };
	struct cx cx = { 0 };

	crowd = (struct crowd){ .command = command, .conf = { .message_max = 50 << 20 } };
	make_message();
	crowd.front.room = (struct room){ .limit = messages * body_work_room(crowd.message.n),
		.user_limit = body_work_room(crowd.message.n),
		.wait_ms = wait_ms };
	assert_int_equal(chunks_new(&cx, SESSIONS + 8, &crowd.chunks), E_OK);
	assert_int_equal(fib_start(&cx, &conf), E_OK);
}

static void end(void)
{
	fib_end();
	assert_int_equal(crowd.front.room.used, 0);
	assert_null(crowd.front.room.users);
	assert_true(crowd.front.room.high <= crowd.front.room.limit);
	assert_int_equal(chunks_used(crowd.chunks), 0);
	chunks_free(crowd.chunks);
	charset_cache_free(&crowd.front.charsets);
	heavy_free(&crowd.front.heavy);
	buf_free(&crowd.message);
}

/// One session: login and SELECT are over.
FIB static void session(struct cx *cx, void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	struct io io = { .stalls = number % 2 };
	struct session s = { .front = &crowd.front, .conf = &crowd.conf, .cx = cx };
	struct imap im = { .s = &s, .io = &io, .handle.account = 1 + number % USERS, .view = view_new(7) };
	struct imap_command *cmd = malloc(sizeof *cmd);
	struct imap_head head;
	struct cur c = cur_over(sl_cstr(crowd.command));

	assert_non_null(cmd);
	assert_int_equal(view_add(im.view, 1), E_OK);
	arena_init(&im.cmd, IMAP_COMMAND_MEMORY);
	assert_int_equal(imap_parse_tag_verb(&c, &head), E_OK);
	assert_int_equal(imap_parse_args(&c, &head, &im.cmd, cmd), E_OK);
	crowd.at_work += !io.stalls;
	enum ec e = cmd->verb == IMAP_FETCH ? imap_fetch_run(cx, &im, cmd) : imap_search_run(cx, &im, cmd);
	crowd.at_work -= !io.stalls;
	if (e == E_OK && crowd.sum == 0)
		crowd.sum = io.sum; // of the first, which is alone
	crowd.end = e;
	crowd.bye = im.bye;
	crowd.whole += e == E_OK && io.sum == crowd.sum;
	crowd.refused += e == E_TEMP && im.refusal.code && strcmp(im.refusal.code, "LIMIT") == 0;
	view_free(im.view);
	arena_free(&im.cmd);
	buf_free(&im.code);
	free(cmd);
}

/// The first alone, then the others together.
FIB static void start_all(struct cx *cx, void *arg)
{
	assert_int_equal(fib_go(session, NULL), E_OK);
	while (crowd.whole + crowd.refused == 0)
		assert_int_equal(fib_yield(cx), E_OK);
	for (uintptr_t i = 1; i < (uintptr_t)arg; i++)
		assert_int_equal(fib_go(session, (void *)i), E_OK);
}

static const char *const commands[] = {
	"a FETCH 1 (BODYSTRUCTURE ENVELOPE BODY.PEEK[2] BODY.PEEK[HEADER.FIELDS (Subject)])",
	"a SEARCH OR TEXT \"not there\" BODY \"hello\"",
	"a FETCH 1 BODY.PEEK[]",
	"a FETCH 1 (BODY.PEEK[TEXT] BODY.PEEK[HEADER] BODY.PEEK[]<200000.200000>)",
};

/// With room for three messages, everybody is served: who does not read holds none of it.
static void test_all_are_served(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(commands); i++) {
		bool copies = i < 2;
		begin(commands[i], 3, 3600000);
		assert_int_equal(fib_go(start_all, (void *)SESSIONS), E_OK);
		fib_run(0);
		CHECK(crowd.whole == SESSIONS && crowd.refused == 0, commands[i]);
		CHECK((crowd.front.room.high > 0) == copies, commands[i]);
		end();
	}
}

/// Who does not wait is refused, and everybody gets a whole answer or NO [LIMIT].
static void test_some_are_refused(void **state)
{
	(void)state;
	begin(commands[0], 2, 0);
	assert_int_equal(fib_go(start_all, (void *)SESSIONS), E_OK);
	fib_run(0);
	assert_int_equal(crowd.whole + crowd.refused, SESSIONS);
	assert_true(crowd.whole > 0 && crowd.refused > 0);
	end();
}

FIB static void ticker(struct cx *cx, void *arg)
{
	(void)arg;
	while (!crowd.whole) {
		crowd.ticks++;
		assert_int_equal(fib_yield(cx), E_OK);
	}
}

/// Between the last octet read and the first one sent a large message is parsed: other fibers run meanwhile.
static void test_others_go_on(void **state)
{
	(void)state;
	begin("a FETCH 1 (BODYSTRUCTURE BODY.PEEK[2])", 3, 3600000);
	assert_int_equal(fib_go(start_all, (void *)1), E_OK);
	assert_int_equal(fib_go(ticker, NULL), E_OK);
	fib_run(0);
	assert_int_equal(crowd.whole, 1);
	assert_true(crowd.others_ran);
	end();
}

/// Needs a chunk that a client which takes nothing keeps from it.
FIB static void needy(struct cx *cx, void *arg)
{
	(void)arg;
	while (!crowd.stalled)
		assert_int_equal(fib_yield(cx), E_OK);
	assert_true(chunks_used(crowd.chunks) > 0);
	assert_false(holders_make_room(&crowd.front.holders, false, clock_mono_ns())); // it has just begun
	int64_t later_ns = clock_mono_ns() + (int64_t)HOLDER_SAFE_MS * 2000000;
	crowd.made_room = holders_make_room(&crowd.front.holders, false, later_ns);
	crowd.at_work = 0;
}

/// Who stalls in the middle of a FETCH holds chunks that others may need: it can be sent away, and is told why.
static void test_who_stalls_must_go(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(commands); i++) {
		if (commands[i][2] == 'S')
			continue; // SEARCH holds nothing while it speaks
		begin(commands[i], 3, 3600000);
		crowd.at_work = 1;
		assert_int_equal(fib_go(session, (void *)1), E_OK);
		assert_int_equal(fib_go(needy, NULL), E_OK);
		fib_run(0);
		CHECK(crowd.made_room && crowd.end == E_CANCELED && crowd.bye, commands[i]);
		assert_null(crowd.front.holders.first);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_served),
		cmocka_unit_test(test_some_are_refused),
		cmocka_unit_test(test_others_go_on),
		cmocka_unit_test(test_who_stalls_must_go),
	};
	return cmocka_run_group_tests_name("front/imap crowd", tests, NULL, NULL);
}
