#pragma once
/// text — the words of the command line in the language that the environment asks for: English, or Simplified Chinese.
///
/// The English text is the key; text.def has the pairs. Log lines, --json and what lower layers add to an error are
/// always English. Only the process of the command line chooses a language; roles speak English.

/// Reads LC_ALL, LC_MESSAGES and LANG: the first that is set decides. Chinese where it begins with "zh", unless it
/// names an encoding that is not UTF-8.
void text_choose(void);
/// English from here on: what is said next goes to the log.
void text_choose_english(void);
/// The text in the chosen language. in: `english` — a text of text.def. out: static, with the same conversions of
/// printf.
[[gnu::format_arg(1)]] const char *text_of(const char *english);

/// Marks a text in a table that is given to text_of() where it is printed.
#define T(english) english

/// The table, for its test. out: how many pairs.
struct text_pair {
	const char *english, *chinese;
};
int text_pairs(const struct text_pair **out);
