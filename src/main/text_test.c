/// Tests of text: every pair is sound, and which language the environment chooses. Whether the code's texts are all in
/// the table is tested by tests/cli/test_text.py.
#include "main/text.h"

#include <stdio.h>

#include "base/check.h"
#include "base/num.h"
#include "base/utf8.h"

/// Copies the conversions of a printf format, "%-40.*s%u", to `out`; "%%" is none.
static void conversions(const char *format, char out[256])
{
	size_t n = 0;

	for (const char *p = format; *p; p++) {
		if (*p != '%' || *++p == '%')
			continue;
		size_t octets = *p == 'm' ? 1 : strcspn(p, "diouxXcsfegp") + 1;
		CHECK(n + octets + 2 < 256, format);
		out[n++] = '%';
		memcpy(out + n, p, octets);
		n += octets;
		p += octets - 1;
	}
	out[n] = 0;
}

static bool has_chinese(const char *s)
{
	for (struct sl rest = sl_cstr(s); rest.n;) {
		size_t n;
		uint32_t ch = utf8_get(rest, &n);
		if (ch >= 0x4e00 && ch <= 0x9fff)
			return true;
		rest = sl_from(rest, n);
	}
	return false;
}

static void test_pairs(void **state)
{
	const struct text_pair *p;
	int n = text_pairs(&p);
	char english[256], chinese[256];

	(void)state;
	assert_true(n > 100);
	for (int i = 0; i < n; i++) {
		size_t en = strlen(p[i].english), zh = strlen(p[i].chinese);
		CHECK(en && zh && utf8_valid(sl_cstr(p[i].chinese)) && !has_chinese(p[i].english), p[i].english);
		CHECK(has_chinese(p[i].chinese) || strcmp(p[i].english, "%s: %s.\n") == 0 ||
				strstr(p[i].english, "s left"),
			p[i].english);
		conversions(p[i].english, english);
		conversions(p[i].chinese, chinese);
		CHECK(strcmp(english, chinese) == 0, p[i].english);
		CHECK((p[i].english[en - 1] == '\n') == (p[i].chinese[zh - 1] == '\n'), p[i].english);
		CHECK((p[i].english[0] == '\r') == (p[i].chinese[0] == '\r'), p[i].english);
		for (int k = 0; k < i; k++)
			CHECK(strcmp(p[i].english, p[k].english) != 0, p[i].english);
	}
}

static void test_conversions(void **state)
{
	char out[256];

	(void)state;
	conversions("%-40.*s %8s 50%% %llu%u: %m, %zu", out);
	assert_string_equal(out, "%-40.*s%8s%llu%u%m%zu");
}

static void test_choice(void **state)
{
	static const struct {
		const char *all, *messages, *lang;
		bool chinese;
	} cases[] = {
		{ NULL, NULL, NULL, false },
		{ NULL, NULL, "C", false },
		{ NULL, NULL, "en_US.UTF-8", false },
		{ NULL, NULL, "zh_CN.UTF-8", true },
		{ NULL, NULL, "zh_CN.utf8", true },
		{ NULL, NULL, "zh", true },
		{ NULL, NULL, "zh_CN", true },
		{ NULL, NULL, "zh_CN.UTF-8@pinyin", true },
		{ NULL, NULL, "zh_CN.GB18030", false },
		{ NULL, "zh_CN.UTF-8", "en_US.UTF-8", true },
		{ NULL, "C", "zh_CN.UTF-8", false },
		{ "C", "zh_CN.UTF-8", "zh_CN.UTF-8", false },
		{ "zh_CN.UTF-8", "C", "C", true },
		{ "", "", "zh_CN.UTF-8", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		const char *const values[] = { cases[i].all, cases[i].messages, cases[i].lang };
		const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
		for (size_t k = 0; k < 3; k++)
			if (values[k])
				setenv(names[k], values[k], 1);
			else
				unsetenv(names[k]);
		text_choose_english();
		text_choose();
		CHECK(has_chinese(text_of("does not exist")) == cases[i].chinese, cases[i].lang ? cases[i].lang : "-");
	}
	text_choose();
	assert_string_equal(text_of("not in the table"), "not in the table");
	text_choose_english();
	assert_string_equal(text_of("does not exist"), "does not exist");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_choice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
