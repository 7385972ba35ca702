/// Tests of mbox and Maildir: what is written is read again the same.
#include "base/check.h"

#include <stdio.h>
#include <unistd.h>

#include "base/num.h"
#include "ipc/verbs.h"
#include "main/file.h"
#include "main/letter.h"

/// What a reader gave, copied.
struct seen {
	struct arena memory;
	struct letter letter[16];
	size_t n, left_out;
};

static void leave(void *arg, const char *path)
{
	struct seen *s = arg;
	(void)path;
	s->left_out++;
}

FIB static enum ec take(struct cx *cx, void *arg, const struct letter *l, uint64_t done, uint64_t total)
{
	struct seen *s = arg;
	(void)cx, (void)done, (void)total;
	assert_true(s->n < 16);
	struct letter *copy = &s->letter[s->n++];
	*copy = *l;
	copy->text = arena_copy(&s->memory, l->text);
	for (size_t i = 0; i < l->n_keywords; i++)
		copy->keyword[i] = arena_copy(&s->memory, l->keyword[i]);
	return E_OK;
}

static void in_temp(char path[64], const char *name)
{
	snprintf(path, 64, "/tmp/hongyan-letter-%d-%s", (int)getpid(), name);
}

static const struct {
	const char *text;
	uint8_t flags;
	int64_t date_s;
} letters[] = {
	{ "Subject: one\r\n\r\nFrom here\r\n>From there\r\n\r\n", FLAG_SEEN, 1577836800 },
	{ "Subject: two\r\n\r\nbody without end", FLAG_FLAGGED | FLAG_DRAFT, 0 },
	{ "Subject: three\r\n\r\n", 0, 951782400 },
	{ "Status: mine\r\n\r\nStatus: of the body stays\r\n\r\n\r\n", FLAG_ANSWERED | FLAG_DELETED, 86399 },
};

static void test_mbox_round_trip(void **state)
{
	(void)state;
	struct seen s = { .n = 0 };
	struct buf b = BUF(65536);
	struct cx cx = { 0 };
	char path[64];
	arena_init(&s.memory, 1 << 20);
	for (size_t i = 0; i < ARRAY_N(letters); i++) {
		struct letter l = { .text = sl_cstr(letters[i].text),
			.flags = letters[i].flags,
			.date = { letters[i].date_s, 0 },
			.keyword = { SL("work"), SL("\xe5\xb7\xa5") },
			.n_keywords = i };
		l.n_keywords = min_size(i, 2);
		mbox_print(&b, &l);
	}
	in_temp(path, "mbox");
	unlink(path);
	assert_int_equal(file_create(&cx, path, 0600, buf_sl(&b)), E_OK);
	assert_int_equal(mbox_read(&cx, path, take, &s), E_OK);
	assert_int_equal(s.n, ARRAY_N(letters));
	for (size_t i = 0; i < s.n; i++) {
		struct sl want = sl_cstr(letters[i].text);
		if (i == 1)
			want = SL("Subject: two\r\n\r\nbody without end\r\n"); // a file of lines ends each line
		if (i == 3)
			want = SL("\r\nStatus: of the body stays\r\n\r\n\r\n"); // mbox's own field
		CHECK(sl_eq(s.letter[i].text, want), letters[i].text);
		CHECK(s.letter[i].flags == letters[i].flags, letters[i].text);
		CHECK(s.letter[i].date.unix_s == letters[i].date_s, letters[i].text);
		CHECK(s.letter[i].n_keywords == min_size(i, 2), letters[i].text);
	}
	unlink(path);
	buf_free(&b);
	arena_free(&s.memory);
	cx_end(&cx);
}

/// Separator lines as programs write them, and the empty line at the end of a file.
static void test_from_lines(void **state)
{
	static const struct {
		const char *name, *text, *want;
		int64_t date_s;
		int32_t offset_min;
	} cases[] = {
		{ "ctime", "From a@b Wed Jan  1 00:00:00 2020\nS: x\n\nb\n\n", "S: x\r\n\r\nb\r\n", 1577836800, 0 },
		{ "no seconds", "From a@b Wed Jan  1 00:00 2020\nS: x\n\nb\n\n", "S: x\r\n\r\nb\r\n", 1577836800, 0 },
		{ "zone and year", "From 1@xxx Wed Jan 01 02:00:00 +0200 2020\nS: x\n\nb\n", "S: x\r\n\r\nb\r\n",
			1577836800, 120 },
		{ "year and zone", "From a Tue Dec 31 19:00:00 2019 -0500\nS: x\n\nb\n", "S: x\r\n\r\nb\r\n",
			1577836800, -300 },
		{ "zone by name", "From a Tue Dec 31 19:00:00 EST 2019\nS: x\n\nb\n", "S: x\r\n\r\nb\r\n", 1577836800,
			-300 },
		{ "unknown zone", "From a Wed Jan  1 00:00:00 XYZ 2020\nS: x\n\nb\n", "S: x\r\n\r\nb\r\n", 1577836800,
			0 },
		{ "sender with blanks", "From a b 9:9 c Wed Jan  1 00:00:00 2020\nS: x\n\nb\n", "S: x\r\n\r\nb\r\n",
			1577836800, 0 },
		{ "Date field", "From somebody\nDate: 1 Jan 2020 01:00:00 +0100\n\nb\n",
			"Date: 1 Jan 2020 01:00:00 +0100\r\n\r\nb\r\n", 1577836800, 60 },
		{ "CRLF", "From a Wed Jan  1 00:00:00 2020\r\nS: x\r\n\r\nb\r\n\r\n", "S: x\r\n\r\nb\r\n", 1577836800,
			0 },
		{ "two empty lines", "From a Wed Jan  1 00:00:00 2020\r\nS: x\r\n\r\nb\r\n\r\n\r\n",
			"S: x\r\n\r\nb\r\n\r\n", 1577836800, 0 },
	};
	char path[64];
	(void)state;
	in_temp(path, "from-lines");
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct seen s = { .n = 0 };
		struct cx cx = { 0 };
		arena_init(&s.memory, 1 << 20);
		unlink(path);
		assert_int_equal(file_create(&cx, path, 0600, sl_cstr(cases[i].text)), E_OK);
		assert_int_equal(mbox_read(&cx, path, take, &s), E_OK);
		CHECK(s.n == 1 && sl_eq(s.letter[0].text, sl_cstr(cases[i].want)), cases[i].name);
		CHECK(s.letter[0].date.unix_s == cases[i].date_s, cases[i].name);
		CHECK(s.letter[0].date.offset_min == cases[i].offset_min, cases[i].name);
		arena_free(&s.memory);
		cx_end(&cx);
	}
	unlink(path);
}

/// Lines of a message that begin with "From " and were not quoted by who wrote the file.
static void test_unquoted_from(void **state)
{
	static const struct {
		const char *name, *behind; // behind the first message's empty line
		size_t messages;
	} cases[] = {
		{ "in a body", "From here on\nwe go\n", 1 },
		{ "with a time", "From 9:30 on\nwe go\n", 1 },
		{ "with a year", "From 2019 until 2020\nwe go\n", 1 },
		{ "at the end", "From me", 1 },
		{ "address below", "From me\na@b: c\n", 2 },
		{ "dated", "From me Wed Jan  1 00:00:00 2020\nno field\n", 2 },
		{ "header below", "From me\nSubject: x\n", 2 },
		{ "no empty line before", "x\nFrom me Wed Jan  1 00:00:00 2020\nSubject: x\n", 1 },
	};
	char path[64];
	(void)state;
	in_temp(path, "unquoted");
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct seen s = { .n = 0 };
		struct cx cx = { 0 };
		struct buf b = BUF(1000);
		arena_init(&s.memory, 1 << 20);
		unlink(path);
		buf_printf(&b, "From a Wed Jan  1 00:00:00 2020\nS: x\n\n%s", cases[i].behind);
		assert_int_equal(file_create(&cx, path, 0600, buf_sl(&b)), E_OK);
		assert_int_equal(mbox_read(&cx, path, take, &s), E_OK);
		CHECK(s.n == cases[i].messages, cases[i].name);
		buf_free(&b);
		arena_free(&s.memory);
		cx_end(&cx);
	}
	unlink(path);
}

static void test_maildir_round_trip(void **state)
{
	(void)state;
	struct seen s = { .n = 0 };
	struct cx cx = { 0 };
	char root[64], path[4096], command[128];
	struct maildir_made made;
	struct maildir dir = { root, take, leave, &s };
	struct sl table[2] = { SL("work"), SL("home") };
	struct maildir_folder *folders;
	size_t n;
	arena_init(&s.memory, 1 << 20);
	in_temp(root, "maildir");
	assert_int_equal(maildir_make(&cx, root, SL("INBOX"), 1, &made), E_OK);
	maildir_done(&made);
	assert_int_equal(maildir_make(&cx, root, SL("INBOX"), 1, &made), E_EXISTS);
	assert_int_equal(maildir_make(&cx, root, SL("\xe6\x96\xb0/2024"), 2, &made), E_OK);
	assert_int_equal(maildir_write_keywords(&cx, &made, table, 2), E_OK);
	for (uint32_t i = 0; i < ARRAY_N(letters); i++) {
		struct letter l = { .text = sl_cstr(letters[i].text),
			.flags = letters[i].flags,
			.date = { letters[i].date_s, 0 },
			.keyword = { SL("home") },
			.n_keywords = 1 };
		assert_int_equal(maildir_write(&cx, &made, i + 1, &l, table, 2), E_OK);
	}
	maildir_done(&made);
	assert_int_equal(maildir_folders(&cx, &dir, &s.memory, &folders, &n), E_OK);
	assert_int_equal(n, 1);
	assert_true(sl_eq(folders[0].name, SL("\xe6\x96\xb0/2024")));
	assert_int_equal(maildir_read(&cx, &dir, folders[0].folder), E_OK);
	assert_int_equal(s.n, ARRAY_N(letters));
	for (size_t i = 0; i < s.n; i++) {
		size_t k = 0; // names sort by date here
		while (letters[k].date_s != s.letter[i].date.unix_s)
			k++;
		CHECK(sl_eq(s.letter[i].text, sl_cstr(letters[k].text)), letters[k].text);
		CHECK(s.letter[i].flags == letters[k].flags, letters[k].text);
		CHECK(s.letter[i].n_keywords == 1 && sl_eq(s.letter[i].keyword[0], SL("home")), letters[k].text);
	}
	snprintf(path, sizeof path, "%s/new/1.passed:2,PS", root);
	assert_int_equal(file_create(&cx, path, 0600, SL("Subject: passed on\n\n")), E_OK);
	s.n = 0;
	assert_int_equal(maildir_read(&cx, &dir, "."), E_OK);
	assert_true(s.n == 1 && s.letter[0].flags == FLAG_SEEN && s.letter[0].n_keywords == 1);
	assert_true(sl_eq(s.letter[0].keyword[0], SL("$Forwarded")));
	assert_int_equal(s.left_out, 0);
	snprintf(command, sizeof command, "rm -rf %s", root);
	assert_int_equal(system(command), 0);
	arena_free(&s.memory);
	cx_end(&cx);
}

/// Whoever owns the folder puts links where export writes: none is followed, nor what he moves away meanwhile.
static void test_maildir_links(void **state)
{
	static const struct {
		const char *name, *command; // in the root
		enum ec want;
	} cases[] = {
		{ "the folder", "ln -s ../elsewhere .Sent", E_UNSUPPORTED },
		{ "its cur", "mkdir .Sent; ln -s ../../elsewhere .Sent/cur", E_EXISTS },
		{ "its new", "mkdir .Sent; ln -s ../../elsewhere .Sent/new", E_UNSUPPORTED },
		{ "the root", "cd ..; rmdir out; ln -s elsewhere out", E_UNSUPPORTED },
		{ "no link", "true", E_OK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct letter l = { .text = SL("Subject: x\r\n\r\n"), .keyword = { SL("work") }, .n_keywords = 1 };
		char top[64], root[80], command[512];
		struct maildir_made made;
		struct cx cx = { 0 };
		in_temp(top, "links");
		snprintf(root, sizeof root, "%s/out", top);
		snprintf(command, sizeof command, "mkdir -p %s %s/elsewhere; cd %s; %s", root, top, root,
			cases[i].command);
		assert_int_equal(system(command), 0);
		enum ec e = maildir_make(&cx, root, SL("Sent"), 1, &made);
		CHECK(e == cases[i].want, cases[i].name);
		if (e == E_OK) { // a link comes into the way of what is written then
			snprintf(command, sizeof command, "cd %s; mv .Sent moved; ln -s ../elsewhere .Sent", root);
			assert_int_equal(system(command), 0);
			assert_int_equal(maildir_write_keywords(&cx, &made, l.keyword, 1), E_OK);
			assert_int_equal(maildir_write(&cx, &made, 1, &l, l.keyword, 1), E_OK);
			snprintf(command, sizeof command, "rm -r %s/moved", root);
			assert_int_equal(system(command), 0);
			assert_int_equal(maildir_write(&cx, &made, 2, &l, l.keyword, 1), E_NOTFOUND);
			maildir_done(&made);
		}
		snprintf(command, sizeof command, "rmdir %s/elsewhere && rm -r %s", top, top); // nothing is in there
		CHECK(system(command) == 0, cases[i].name);
		cx_end(&cx);
	}
}

static void test_not_mbox(void **state)
{
	(void)state;
	struct seen s = { .n = 0 };
	struct cx cx = { 0 };
	char path[64];
	in_temp(path, "no-mbox");
	unlink(path);
	assert_int_equal(file_create(&cx, path, 0600, SL("Subject: x\n\nFrom me\n")), E_OK);
	assert_int_equal(file_create(&cx, path, 0600, SL("again")), E_EXISTS); // never overwrites
	assert_int_equal(mbox_read(&cx, path, take, &s), E_UNSUPPORTED);
	assert_int_equal(mbox_read(&cx, "/nowhere/at/all", take, &s), E_NOTFOUND);
	assert_int_equal(mbox_read(&cx, "/dev/null", take, &s), E_UNSUPPORTED);
	assert_int_equal(s.n, 0);
	unlink(path);
	cx_end(&cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbox_round_trip),
		cmocka_unit_test(test_unquoted_from),
		cmocka_unit_test(test_from_lines),
		cmocka_unit_test(test_maildir_round_trip),
		cmocka_unit_test(test_maildir_links),
		cmocka_unit_test(test_not_mbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
