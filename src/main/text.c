/// text — choosing a language, and looking texts up; once a command, so a table in any order will do.
#include "main/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/sl.h"

static const struct text_pair pairs[] = {
#define TEXT(english, chinese) { english, chinese },
#include "main/text.def"
#undef TEXT
};

static bool is_chinese; // set once, before threads

static bool wants_chinese(struct sl locale)
{
	struct sl encoding = sl_from(locale, sl_find(locale, '.'));

	encoding = sl_head(encoding, sl_find(encoding, '@'));
	return sl_starts(locale, SL("zh")) &&
	       (encoding.n == 0 || sl_eq_ci(encoding, SL(".UTF-8")) || sl_eq_ci(encoding, SL(".utf8")));
}

void text_choose(void)
{
	static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

	for (size_t i = 0; i < ARRAY_N(names); i++) {
		const char *value = getenv(names[i]);
		if (value && *value) {
			is_chinese = wants_chinese(sl_cstr(value));
			return;
		}
	}
}

void text_choose_english(void)
{
	is_chinese = false;
}

const char *text_of(const char *english)
{
	for (size_t i = 0; is_chinese && i < ARRAY_N(pairs); i++)
		if (strcmp(pairs[i].english, english) == 0)
			return pairs[i].chinese;
	return english;
}

int text_pairs(const struct text_pair **out)
{
	*out = pairs;
	return (int)ARRAY_N(pairs);
}
