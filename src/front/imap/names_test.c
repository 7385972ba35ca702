/// Tests of pattern (against a matcher that tries everything) and folders, and of the table of words.

#include "base/check.h"
#include "base/num.h"
#include "front/imap/folders.h"
#include "front/imap/pattern.h"

static const struct {
	const char *pattern, *name;
	bool want;
} patterns[] = {
	{ "*", "", true },
	{ "", "", true },
	{ "", "a", false },
	{ "*", "a/b/c", true },
	{ "%", "a", true },
	{ "%", "a/b", false },
	{ "%/%", "a/b", true },
	{ "%/%", "a/b/c", false },
	{ "%/*", "a/b/c", true },
	{ "a%c", "abbc", true },
	{ "a%c", "ab/c", false },
	{ "a*c", "ab/c", true },
	{ "*%c", "x/y/zc", true },
	{ "%b*%d", "abxx/y/d", true },
	{ "%b*%d", "abxx/y/d/", false },
	{ "inbox", "INBOX", true },
	{ "Inbox/%", "INBOX/Sub", true },
	{ "Inbox/sub", "INBOX/Sub", false },
	{ "inbox", "INBOX/Sub", false },
	{ "inboxes", "INBOXES", false },
	{ "i%", "INBOX", true },
	{ "Sent", "sent", false },
	{ "**%%*", "q", true },
};

static struct pattern pattern;

static bool matches(struct sl text, struct sl name)
{
	uint64_t steps = 0;

	pattern_make(&pattern, text);
	return pattern_match(&pattern, name, &steps);
}

static void test_pattern_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(patterns); i++) {
		struct sl p = heap_copy(sl_cstr(patterns[i].pattern)), n = heap_copy(sl_cstr(patterns[i].name));
		CHECK(matches(p, n) == patterns[i].want, patterns[i].pattern);
		free((void *)(uintptr_t)p.p);
		free((void *)(uintptr_t)n.p);
	}
}

/// Tries every way.
static bool naive(struct sl p, struct sl n)
{
	if (p.n == 0)
		return n.n == 0;
	if (p.p[0] == '*' || p.p[0] == '%') {
		if (naive(sl_from(p, 1), n))
			return true;
		return n.n && (p.p[0] == '*' || n.p[0] != '/') && naive(p, sl_from(n, 1));
	}
	return n.n && p.p[0] == n.p[0] && naive(sl_from(p, 1), sl_from(n, 1));
}

/// Small patterns and names, each also behind so many equal octets that what matters lies where two words meet.
static void test_pattern_model(void **state)
{
	static const char pattern_octets[] = "a/*%", name_octets[] = "ab/";
	unsigned yes = 0;

	(void)state;
	for (unsigned seed = 1; seed < 200000; seed++) {
		uint8_t p[80], n[80];
		uint64_t x = seed * 0x9e3779b97f4a7c15u;
		size_t before = seed % 4 ? 0 : 56 + seed / 4 % 16, np = x % 8, nn = (x >> 8) % 8;
		memset(p, 'b', before);
		memset(n, 'b', before);
		for (size_t i = 0; i < 8; i++) {
			p[before + i] = (uint8_t)pattern_octets[x >> (16 + 2 * i) & 3];
			n[before + i] = (uint8_t)name_octets[(x >> (32 + 3 * i) & 7) % 3];
		}
		bool want = naive((struct sl){ p + before, np }, (struct sl){ n + before, nn });
		yes += want;
		assert_int_equal(matches((struct sl){ p, before + np }, (struct sl){ n, before + nn }), want);
	}
	assert_true(yes > 10000);
}

/// Whatever is asked, a name costs its octets times the words that the pattern takes.
static void test_pattern_cost(void **state)
{
	static const struct {
		const char *name, *part; // the pattern: `head`, then this again and again up to `octets`, then `end`
		const char *head, *end;
		size_t octets, most; // words
		bool want;
	} cases[] = {
		{ "star, percent, run", "a", "*%", "b", 127, 2, false },
		{ "percents", "a%", "*%", "b", 127, 2, false },
		{ "stars", "*a", "", "b", 200, 4, false },
		{ "as long as any", "a%", "", "", 2 * MBOXNAME_MAX, PATTERN_WORDS, true },
		{ "longer", "a%", "", "", 2 * MBOXNAME_MAX + 2, 0, false },
		{ "only wildcards", "*%", "", "", 100000, 1, true },
	};
	uint8_t name[MBOXNAME_MAX];

	(void)state;
	memset(name, 'a', sizeof name);
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf b = BUF(1 << 20);
		uint64_t steps = 0;
		buf_puts(&b, cases[i].head);
		while (b.n < cases[i].octets - strlen(cases[i].end))
			buf_puts(&b, cases[i].part);
		buf_puts(&b, cases[i].end);
		pattern_make(&pattern, buf_sl(&b));
		CHECK(pattern_match(&pattern, (struct sl){ name, sizeof name }, &steps) == cases[i].want,
			cases[i].name);
		CHECK(steps <= sizeof name * cases[i].most, cases[i].name);
		buf_free(&b);
	}
}

static void test_folders(void **state)
{
	struct folder f[] = {
		{ .name = SL("a/b/c"), .exists = true, .mbox = 1 },
		{ .name = SL("INBOX"), .exists = true, .mbox = 2 },
		{ .name = SL("a"), .exists = true, .mbox = 3 },
		{ .name = SL("a!"), .exists = true, .mbox = 4 },
		{ .name = SL("x/y"), .subscribed = true },
		{ .name = SL("a/b/d/e"), .exists = true, .mbox = 5 },
	};
	static const struct {
		const char *name;
		uint64_t mbox;
		size_t below;
		bool children;
	} want[] = {
		{ "INBOX", 2, 0, false },
		{ "a", 3, 4, true },
		{ "a/b", 0, 3, true },
		{ "a/b/c", 1, 0, false },
		{ "a/b/d", 0, 1, true },
		{ "a/b/d/e", 5, 0, false },
		{ "a!", 4, 0, false },
		{ "x", 0, 1, false },
		{ "x/y", 0, 0, false },
	};
	struct folders list = { f, ARRAY_N(f) };
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 16);
	assert_int_equal(folders_complete(&list, &(struct arena){ 0 }), E_TEMP);
	assert_int_equal(folders_complete(&list, &a), E_OK);
	assert_int_equal(list.n, ARRAY_N(want));
	for (size_t i = 0; i < list.n; i++) {
		CHECK(sl_eq(list.f[i].name, sl_cstr(want[i].name)), want[i].name);
		CHECK(list.f[i].mbox == want[i].mbox, want[i].name);
		CHECK(list.f[i].below == want[i].below, want[i].name);
		CHECK(list.f[i].has_children == want[i].children, want[i].name);
	}
	arena_free(&a);
	list = (struct folders){ 0 };
	assert_int_equal(folders_complete(&list, &a), E_OK);
	assert_int_equal(list.n, 0);
}

static void test_words(void **state)
{
	(void)state;
	for (int e = E_OK; e <= E_COUNT; e++) {
		struct imap_words w = imap_words((enum ec)e);
		CHECK(w.status && w.text, ec_name((enum ec)e));
		CHECK(!strchr(w.text, '\n') && !strchr(w.text, ']'), w.text);
		CHECK((strcmp(w.status, "OK") == 0) == (e == E_OK), w.text);
		CHECK(strcmp(w.status, "BAD") != 0 || e == E_SYNTAX || e == E_RANGE, w.text);
	}
	assert_string_equal(imap_words(E_AUTH).code, "AUTHENTICATIONFAILED");
	assert_string_equal(imap_words(E_TEMP).code, "UNAVAILABLE");
	assert_string_equal(imap_words(E_QUOTA).code, "OVERQUOTA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pattern_table),
		cmocka_unit_test(test_pattern_model),
		cmocka_unit_test(test_pattern_cost),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
