/// Tests of folder names: each mailbox has its own, and it is read back.
#include "base/check.h"

#include "base/num.h"
#include "main/maildir_name.h"

static const struct {
	const char *mailbox, *folder;
} cases[] = {
	{ "Sent/2019", ".Sent.2019" },
	{ "x.y", ".x&AC4-y" },
	{ "..", ".&AC4-&AC4-" },
	{ "a./.b", ".a&AC4-.&AC4-b" },
	{ "\xc3\xa9.\xc3\xa8/", ".&AOk-&AC4-&AOg-." },
	{ "&AC4-", ".&-AC4-" },
	{ "&.&", ".&-&AC4-&-" },
	{ "&AH4-1", ".&-AH4-1" },
	{ "\xe6\x96\xb0/2024", ".&ZbA-.2024" },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf folder = BUF(4096), back = BUF(4096);
		bool cut = true;
		CHECK(maildir_name_print(sl_cstr(cases[i].mailbox), 7, &folder, &cut) == E_OK, cases[i].mailbox);
		CHECK(!cut && sl_eq(buf_sl(&folder), sl_cstr(cases[i].folder)), cases[i].mailbox);
		CHECK(maildir_name_parse(buf_sl(&folder), &back) == E_OK, cases[i].mailbox);
		CHECK(sl_eq(buf_sl(&back), sl_cstr(cases[i].mailbox)), cases[i].mailbox);
		buf_free(&folder);
		buf_free(&back);
	}
}

/// Names of every length, of each kind of character: those that do not fit are cut between characters, and told.
static void test_cut(void **state)
{
	static const char *const units[] = { "a", ".", "/a", "\xe6\x96\xb0", "&", "\xf0\x9f\x98\x80" };
	(void)state;
	for (size_t u = 0; u < ARRAY_N(units); u++) {
		struct buf name = BUF(4096);
		while (name.n < 990) {
			struct buf folder = BUF(4096), other = BUF(4096), back = BUF(4096);
			bool cut, cut_too;
			buf_puts(&name, units[u]);
			CHECK(maildir_name_print(buf_sl(&name), UINT64_MAX, &folder, &cut) == E_OK, units[u]);
			CHECK(maildir_name_print(buf_sl(&name), 1, &other, &cut_too) == E_OK, units[u]);
			CHECK(folder.n <= MAILDIR_NAME_MAX && cut == cut_too, units[u]);
			CHECK(sl_eq(buf_sl(&folder), buf_sl(&other)) == !cut, units[u]);
			CHECK(maildir_name_parse(buf_sl(&folder), &back) == (cut ? E_SYNTAX : E_OK), units[u]);
			buf_clear(&back);
			size_t mark = sl_find_sl(buf_sl(&folder), SL("&AH4-"));
			CHECK(maildir_name_parse(sl_head(buf_sl(&folder), mark), &back) == E_OK, units[u]);
			CHECK(cut ? sl_starts(buf_sl(&name), buf_sl(&back)) : sl_eq(buf_sl(&name), buf_sl(&back)),
				units[u]);
			buf_free(&folder);
			buf_free(&other);
			buf_free(&back);
		}
		buf_free(&name);
	}
}

static void test_not_utf8(void **state)
{
	(void)state;
	struct buf b = BUF(100);
	bool cut;
	assert_int_equal(maildir_name_print(SL("a\xff"), 1, &b, &cut), E_SYNTAX);
	assert_int_equal(maildir_name_parse(SL(".&bad"), &b), E_SYNTAX);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_not_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
