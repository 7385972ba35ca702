/// Tests of amount, overview, stats and top: words for numbers, what the master shows of roles that live and die, and
/// that no number and no width breaks the picture.
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "front/front.h"
#include "main/amount.h"
#include "main/overview.h"
#include "main/stats.h"
#include "main/text.h"
#include "main/top.h"

static void test_amounts(void **state)
{
	static const struct {
		void (*words)(char out[AMOUNT], uint64_t n);
		uint64_t n;
		const char *want;
	} cases[] = {
		{ amount_count, 0, "0" },
		{ amount_count, 99999, "99999" },
		{ amount_count, 100000, "100k" },
		{ amount_count, 4500000, "4.5M" },
		{ amount_count, UINT64_MAX, "18E" },
		{ amount_octets, 0, "0 B" },
		{ amount_octets, 1023, "1023 B" },
		{ amount_octets, 1024, "1.0 KB" },
		{ amount_octets, 10 << 20, "10 MB" },
		{ amount_octets, 1000 << 20, "1.0 GB" },
		{ amount_octets, UINT64_MAX, "16 EB" },
		{ amount_age, 0, "0:00:00" },
		{ amount_age, 86399, "23:59:59" },
		{ amount_age, 90061, "1 d 1:01:01" },
	};
	static const struct {
		int64_t ns;
		const char *want;
	} times[] = { { 0, "0 µs" }, { 900, "0.9 µs" }, { 75000, "75 µs" }, { 999400, "999 µs" }, { 1400000, "1.4 ms" },
		{ 999900000, "1.0 s" }, { 31200000000, "31 s" } };
	static const struct {
		double per_s;
		const char *want;
	} rates[] = { { 0, "0" }, { 0.04, "0" }, { 0.3, "0.3" }, { 12.44, "12.4" }, { 99.96, "100" }, { 1e30, "1.0E" },
		{ -1, "0" } };
	char out[AMOUNT];

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		cases[i].words(out, cases[i].n);
		CHECK(strcmp(out, cases[i].want) == 0, cases[i].want);
	}
	for (size_t i = 0; i < ARRAY_N(times); i++) {
		amount_time(out, times[i].ns);
		CHECK(strcmp(out, times[i].want) == 0, times[i].want);
	}
	for (size_t i = 0; i < ARRAY_N(rates); i++) {
		amount_rate(out, rates[i].per_s);
		CHECK(strcmp(out, rates[i].want) == 0, rates[i].want);
	}
	amount_age(out, UINT64_MAX); // what a bad clock says
}

static void test_columns(void **state)
{
	static const struct {
		const char *s;
		unsigned columns;
		bool right;
		const char *want;
	} cases[] = {
		{ "abc", 5, false, "abc  " },
		{ "abc", 5, true, "  abc" },
		{ "abcdef", 5, false, "abcde" },
		{ "abcdef", 5, true, "abcde" },
		{ "µs", 4, true, "  µs" },
		{ "鸿雁", 6, false, "鸿雁  " },
		{ "鸿雁", 3, false, "鸿 " },
		{ "鸿雁", 1, true, " " },
		{ "\xff\xfe", 3, false, "\xff\xfe " },
		{ "", 2, false, "  " },
		{ "x", 0, false, "" },
	};
	struct buf b = BUF(1024);

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		buf_clear(&b);
		text_put(&b, cases[i].s, cases[i].columns, cases[i].right);
		CHECK(sl_eq(buf_sl(&b), sl_cstr(cases[i].want)), cases[i].s);
	}
	assert_int_equal(text_columns(SL("鸿雁 Hongyan")), 12);
	buf_free(&b);
}

/// Three roles, of which the last is this process.
static struct overview *begin(const struct board **b)
{
	static const struct config config = { .hostname = { (const uint8_t *)"mail.example.test", 17 } };
	struct overview *o;

	assert_int_equal(overview_new(NULL, &config, &o), E_OK);
	assert_int_equal(overview_add(NULL, o, ROLE_STORE, 0), E_OK);
	assert_int_equal(overview_add(NULL, o, ROLE_MX, 1), E_OK);
	assert_int_equal(overview_add(NULL, o, ROLE_USER, 2), E_OK);
	assert_int_equal(overview_begin(NULL, o), E_OK);
	assert_int_equal(board_map(NULL, overview_board(o), b), E_OK);
	return o;
}

static void test_life_of_a_role(void **state)
{
	const struct board *b;
	struct overview *o = begin(&b);
	const struct board_role *r = &b->role[2];
	struct buf what = BUF(1024);

	(void)state;
	assert_string_equal(b->hostname, "mail.example.test");
	assert_string_equal(r->kind, "user");
	overview_started(o, 2, getpid());
	assert_int_equal(figures_begin(NULL, dup(overview_page(o, 2))), E_OK);
	figure_add(FIG_CONNECTIONS, PORT_IMAPS, 5);
	figure_set(FIG_SESSIONS, PORT_IMAPS, 3);
	figure_set(FIG_UP, 0, 77); // the master's to say
	figure_set(FIG_HANGS, 0, 77);
	while (clock() < CLOCKS_PER_SEC / 20)
		continue; // so much that /proc tells of it
	doing_begin("fibers", 0);
	doing("imap FETCH");
	overview_step(o, 1000);
	assert_int_equal(board_get(r, FIG_CONNECTIONS, PORT_IMAPS, 0), 5);
	assert_int_equal(board_get(r, FIG_SESSIONS, PORT_IMAPS, 0), 3);
	assert_int_equal(board_get(r, FIG_UP, 0, 0), 0); // not ready yet
	assert_int_equal(board_get(r, FIG_STARTS, 0, 0), 1);
	assert_int_equal(board_get(r, FIG_HANGS, 0, 0), 0);
	assert_true(board_get(r, FIG_RESIDENT, 0, 0) > 100000);
	assert_int_equal(r->pid, getpid());
	overview_doing(o, 2, 0, &what);
	assert_true(sl_eq(buf_sl(&what), SL("fibers: imap FETCH 0.0 s")));
	buf_clear(&what);
	overview_doing(o, 2, 10000, &what);
	assert_int_equal(what.n, 0);
	figure_add(FIG_CONNECTIONS, PORT_IMAPS, 1);
	overview_ready(o, 2);
	overview_step(o, 1000 + OVERVIEW_COPY_MS - 1); // too early
	assert_int_equal(board_get(r, FIG_CONNECTIONS, PORT_IMAPS, 0), 5);
	overview_step(o, 1000 + OVERVIEW_COPY_MS);
	assert_int_equal(board_get(r, FIG_CONNECTIONS, PORT_IMAPS, 0), 6);
	assert_int_equal(board_get(r, FIG_UP, 0, 0), 1);
	doing_end();
	uint64_t cpu_ns = board_get(r, FIG_CPU, 0, 0);
	assert_true(cpu_ns >= 30000000);
	overview_hung(o, 2);
	overview_died(o, 2);
	overview_step(o, 5000);
	assert_int_equal(board_get(r, FIG_CONNECTIONS, PORT_IMAPS, 0), 6);
	assert_int_equal(board_get(r, FIG_SESSIONS, PORT_IMAPS, 0), 0); // nobody's any more
	assert_int_equal(board_get(r, FIG_UP, 0, 0), 0);
	assert_int_equal(board_get(r, FIG_HANGS, 0, 0), 1);
	assert_int_equal(board_get(r, FIG_CPU, 0, 0), cpu_ns); // of all its processes
	assert_int_equal(board_get(r, FIG_RESIDENT, 0, 0), 0);
	assert_int_equal(r->pid, 0);
	overview_named(o, SL("other.example.test"));
	assert_string_equal(b->hostname, "other.example.test");
	buf_free(&what);
	board_unmap(b);
	overview_free(o);
}

static void test_sums(void **state)
{
	struct board *b;
	int fd;
	char label[64];

	(void)state;
	assert_int_equal(board_new(NULL, 3, &fd, &b), E_OK);
	memcpy(b->role[0].kind, "store", 6);
	memcpy(b->role[1].kind, "mx", 3);
	memcpy(b->role[2].kind, "user", 5);
	for (unsigned i = 0; i < 3; i++) {
		b->role[i].figures.place[AT_LOGINS + PORT_POP3 * LABELS_LOGIN + LOGIN_WRONG] = 10 + i;
		b->role[i].figures.place[AT_IMAP_COMMANDS + 3 * TIMES_PLACES + 4] = 5;
		b->role[i].figures.place[AT_SESSIONS] = i == 1 ? UINT64_MAX - 6 : 2;
	}
	assert_int_equal(stats_sum(b, FIG_LOGINS, PORT_POP3 * LABELS_LOGIN + LOGIN_WRONG), 23); // the store has none
	assert_int_equal(stats_total(b, FIG_LOGINS), 23);
	assert_int_equal(stats_total(b, FIG_SESSIONS), 0); // fewer than none
	struct board_times t = stats_times(b, FIG_IMAP_COMMANDS, 3);
	assert_int_equal(board_times_count(&t), 10);
	t = stats_times(b, FIG_IMAP_COMMANDS, 4);
	assert_int_equal(board_times_count(&t), 0);
	t = stats_times(b, FIG_IMAP_COMMANDS, UINT32_MAX);
	assert_int_equal(board_times_count(&t), 10);
	stats_label(label, FIG_LOGINS, PORT_POP3 * LABELS_LOGIN + LOGIN_WRONG);
	assert_string_equal(label, "pop3 wrong");
	stats_label(label, FIG_IMAP_COMMANDS, 3);
	assert_string_equal(label, "fetch");
	stats_label(label, FIG_JOBS, 0);
	assert_string_equal(label, "");
	stats_role(label, &b->role[2]);
	assert_string_equal(label, "front user 0");
	board_unmap(b);
	close(fd);
}

/// The widest line of a picture, escape sequences not counted.
static unsigned widest(struct sl text)
{
	unsigned most = 0;

	while (text.n) {
		struct sl line = sl_cut(&text, '\n');
		struct buf plain = BUF(65536);
		for (size_t i = 0; i < line.n; i++) {
			if (line.p[i] == 0x1b)
				while (i < line.n && line.p[i] != 'm')
					i++;
			else
				buf_addc(&plain, line.p[i]);
		}
		most = (unsigned)max_size(most, text_columns(buf_sl(&plain)));
		buf_free(&plain);
	}
	return most;
}

static size_t lines_of(struct sl text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

static void show(const struct board *before, const struct board *now, unsigned lines)
{
	struct buf out = BUF(1 << 20);

	for (unsigned columns = 0; columns <= 200; columns++) {
		for (int way = 0; way < 4; way++) {
			struct top_look look = { before, now, INT64_MAX / 2, "14:02:33", { 0 }, way & 1, columns, lines,
				way & 2, way & 1 };
			memset(look.memory, way ? 0xff : 0, sizeof look.memory);
			buf_clear(&out);
			top_print(&out, &look);
			assert_true(out.err == E_OK && out.n);
			assert_true(widest(buf_sl(&out)) <= columns);
			assert_true(way & 2 || sl_find(buf_sl(&out), 0x1b) == out.n);
			if (lines >= 24)
				assert_true(lines_of(buf_sl(&out)) <= lines);
		}
	}
	buf_free(&out);
}

/// Any numbers in any width: lines never wider than the screen, and the picture no longer than it.
static void test_any_numbers(void **state)
{
	static const uint8_t fill[] = { 0, 0xff, 0x80, 0x01, 'q' };
	struct board *b;
	struct buf out = BUF(1 << 20);
	int fd;

	(void)state;
	assert_int_equal(board_new(NULL, BOARD_ROLES_MAX, &fd, &b), E_OK);
	for (unsigned k = 0; k < b->n_roles; k++)
		snprintf(b->role[k].kind, sizeof b->role[k].kind, k == 0 ? "store" : k == 1 ? "mx" : "user");
	for (size_t i = 0; i < ARRAY_N(fill); i++) {
		struct board *before = board_copy(b);
		assert_non_null(before);
		b->fresh_ns += 1000000000;
		for (unsigned k = 0; k < b->n_roles; k++)
			memset(&b->role[k].figures, fill[i], sizeof b->role[k].figures);
		for (unsigned k = 2; k < b->n_roles && i; k++) // an overlong list of what threads do is cut
			memset(b->role[k].figures.doing, 0, sizeof b->role[k].figures.doing);
		show(before, b, 0);
		show(b, before, 30);
		text_choose_english();
		buf_clear(&out);
		stats_print(&out, b, INT64_MAX / 2);
		assert_true(out.err == E_OK && out.n);
		json_t *o = stats_json(b, INT64_MAX / 2);
		assert_non_null(o);
		assert_int_equal(json_array_size(json_object_get(o, "roles")), BOARD_ROLES_MAX);
		json_decref(o);
		free(before);
	}
	buf_free(&out);
	board_unmap(b);
	close(fd);
}

static void test_chinese(void **state)
{
	struct board *b;
	int fd;

	(void)state;
	setenv("LC_ALL", "zh_CN.UTF-8", 1);
	text_choose();
	assert_int_equal(board_new(NULL, 3, &fd, &b), E_OK);
	for (unsigned k = 0; k < 3; k++)
		snprintf(b->role[k].kind, sizeof b->role[k].kind, k == 0 ? "store" : k == 1 ? "mx" : "user");
	show(b, b, 24);
	text_choose_english();
	board_unmap(b);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_life_of_a_role),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_any_numbers),
		cmocka_unit_test(test_chinese),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
