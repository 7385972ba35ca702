/// Tests of mail/html_text: tags, comments, scripts, entities, whole and cut at each octet.
#include "base/check.h"

#include "base/num.h"
#include "mail/html_text.h"
#include "mail/vector.h"

static const struct {
	const char *name, *in, *want;
} cases[] = {
	{ "inline tags join", "<b>w</b>o<span class=\"a>b\">rd</span>", "word" },
	{ "block tags part", "<p>one</p><div>two<br>three", "\none\n\ntwo\nthree" },
	{ "entities", "a &amp;&lt;&#40511;&#x96C1;&nbsp;b", "a &<鸿雁 b" },
	{ "letters", "&eacute;t&eacute; &Uuml;ber gro&szlig; &divide; &yuml;", "été über groß ÷ ÿ" },
	{ "not entities", "a & b &unknown; &; &waytoolongforone; x&y", "a & b &unknown; &; &waytoolongforone; x&y" },
	{ "bad numbers", "&#0;&#x110000;&#99999999999;", "&#0;\xef\xbf\xbd&#99999999999;" },
	{ "comment", "a<!-- x > <b> -- y -->b<!DOCTYPE html>c", "abc" },
	{ "script and style", "a<script>if (a<b) '</div>'</script>b<style>p{}</style>c", "a\nb\nc" },
	{ "not tags", "1 < 2 <3 </ 4", "1 < 2 <3 </ 4" },
	{ "quotes hide", "<img alt='>' src=x>y", "\ny" },
	{ "open tag", "a<b", "a" },
	{ "open entity", "a&am", "a&am" },
	{ "upper case", "<SCRIPT>x</Script>y", "\ny" },
	{ "processing instruction", "<?xml version='1'?>x", "x" },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl in = sl_cstr(cases[i].in);
		for (size_t piece = 1; piece <= in.n; piece++) {
			struct html_text h;
			struct buf out = BUF(200);
			html_begin(&h);
			for (size_t at = 0; at < in.n; at += piece) {
				struct sl part = heap_copy(sl_sub(in, at, at + piece));
				html_feed(&h, part, &out);
				vector_free(part);
			}
			html_end(&h, &out);
			if (!sl_eq(buf_sl(&out), sl_cstr(cases[i].want)))
				print_error("got \"%.*s\"\n", SLF(buf_sl(&out)));
			CHECK(sl_eq(buf_sl(&out), sl_cstr(cases[i].want)), cases[i].name);
			buf_free(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };
	return cmocka_run_group_tests_name("mail/html_text", tests, NULL, NULL);
}
