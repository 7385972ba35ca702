/// Tests of imap_fetch: items, macros, sections, partials, and their names in responses.
#include "proto/imap_check.h"

#include "base/num.h"

static const struct {
	const char *name, *in;
	enum ec want;
	unsigned atts;
	const char *bodies; // as responses name them, with a space behind each
	bool seen;
} cases[] = {
	{ "one item", "FLAGS", E_OK, FETCH_FLAGS, "", false },
	{ "list", "(UID RFC822.SIZE FLAGS)", E_OK, FETCH_UID | FETCH_RFC822_SIZE | FETCH_FLAGS, "", false },
	{ "ALL", "ALL", E_OK, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE | FETCH_ENVELOPE, "", false },
	{ "FAST", "fast", E_OK, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE, "", false },
	{ "FULL", "FULL", E_OK, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_RFC822_SIZE | FETCH_ENVELOPE | FETCH_BODY, "",
		false },
	{ "structures", "(BODY BODYSTRUCTURE)", E_OK, FETCH_BODY | FETCH_BODYSTRUCTURE, "", false },
	{ "RFC822", "RFC822", E_OK, FETCH_RFC822, "", true },
	{ "RFC822.HEADER", "RFC822.HEADER", E_OK, FETCH_RFC822_HEADER, "", false },
	{ "RFC822.TEXT", "RFC822.TEXT", E_OK, FETCH_RFC822_TEXT, "", true },
	{ "whole message", "BODY[]", E_OK, 0, "BODY[] ", true },
	{ "peek", "body.peek[]", E_OK, 0, "BODY[] ", false },
	{ "part", "BODY.PEEK[1.2.3]", E_OK, 0, "BODY[1.2.3] ", false },
	{ "texts", "(BODY[HEADER] BODY[TEXT] BODY[4.1.MIME] BODY[2.HEADER] BODY[2.TEXT])", E_OK, 0,
		"BODY[HEADER] BODY[TEXT] BODY[4.1.MIME] BODY[2.HEADER] BODY[2.TEXT] ", true },
	{ "fields", "BODY.PEEK[HEADER.FIELDS (Date \"From\" {2}\r\nTo)]", E_OK, 0,
		"BODY[HEADER.FIELDS (Date From To)] ", false },
	{ "fields not", "BODY[3.HEADER.FIELDS.NOT (X)]", E_OK, 0, "BODY[3.HEADER.FIELDS.NOT (X)] ", true },
	{ "partial", "BODY[]<0.2048>", E_OK, 0, "BODY[]<0> ", true },
	{ "partial of 63 bits", "BODY[1]<4294967296.9223372036854775807>", E_OK, 0, "BODY[1]<4294967296> ", true },
	{ "both kinds", "(FLAGS BODY.PEEK[HEADER] UID)", E_OK, FETCH_FLAGS | FETCH_UID, "BODY[HEADER] ", false },
	{ "nothing", "", E_SYNTAX },
	{ "empty list", "()", E_SYNTAX },
	{ "macro in a list", "(ALL)", E_SYNTAX },
	{ "macro with more", "ALL FLAGS", E_SYNTAX },
	{ "two without a list", "FLAGS UID", E_SYNTAX },
	{ "unknown item", "X-FOO", E_SYNTAX },
	{ "MIME without part", "BODY[MIME]", E_SYNTAX },
	{ "part zero", "BODY[0]", E_SYNTAX },
	{ "dot behind a part", "BODY[1.]", E_SYNTAX },
	{ "dot before", "BODY[.1]", E_SYNTAX },
	{ "fields without list", "BODY[HEADER.FIELDS]", E_SYNTAX },
	{ "empty fields", "BODY[HEADER.FIELDS ()]", E_SYNTAX },
	{ "list behind HEADER", "BODY[HEADER (X)]", E_SYNTAX },
	{ "open section", "BODY[TEXT", E_SYNTAX },
	{ "partial of zero octets", "BODY[]<0.0>", E_SYNTAX },
	{ "partial without length", "BODY[]<5>", E_SYNTAX },
	{ "peek of the structure", "BODY.PEEK", E_SYNTAX },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct buf line = BUF(1024), bodies = BUF(1024);
		buf_puts(&line, "a UID FETCH 1,3:* ");
		buf_puts(&line, cases[i].in);
		struct parsed p = parse_text(buf_sl(&line), 1 << 16);
		const struct imap_fetch *f = &p.cmd.fetch;
		CHECK(p.e == cases[i].want, cases[i].name);
		for (size_t k = 0; p.e == E_OK && k < f->n_bodies; k++) {
			imap_print_body(&bodies, &f->bodies[k]);
			buf_addc(&bodies, ' ');
		}
		if (p.e == E_OK) {
			CHECK(f->atts == cases[i].atts && imap_fetch_sets_seen(f) == cases[i].seen, cases[i].name);
			CHECK(sl_eq(buf_sl(&bodies), sl_cstr(cases[i].bodies)), cases[i].name);
		}
		parsed_free(&p);
		buf_addc(&line, 0);
		check_sweep((const char *)line.p, cases[i].name);
		buf_free(&line);
		buf_free(&bodies);
	}
}

/// "a FETCH 1 " head, `unit` n times, tail.
static enum ec fetch_repeated(const char *head, const char *unit, int n, const char *tail)
{
	struct buf b = BUF(1 << 20);

	buf_printf(&b, "a FETCH 1 %s", head);
	for (int i = 0; i < n; i++)
		buf_puts(&b, unit);
	buf_puts(&b, tail);
	struct parsed p = parse_text(buf_sl(&b), 1 << 20);
	enum ec e = p.e;
	parsed_free(&p);
	buf_free(&b);
	return e;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(fetch_repeated("(UID", " BODY[]", IMAP_FETCH_BODIES_MAX, ")"), E_OK);
	assert_int_equal(fetch_repeated("(UID", " BODY[]", IMAP_FETCH_BODIES_MAX + 1, ")"), E_LIMIT);
	assert_int_equal(fetch_repeated("BODY[1", ".1", IMAP_PART_DEPTH_MAX - 1, "]"), E_OK);
	assert_int_equal(fetch_repeated("BODY[1", ".1", IMAP_PART_DEPTH_MAX, "]"), E_LIMIT);
	assert_int_equal(fetch_repeated("BODY[HEADER.FIELDS (x", " x", IMAP_FIELDS_MAX - 1, ")]"), E_OK);
	assert_int_equal(fetch_repeated("BODY[HEADER.FIELDS (x", " x", IMAP_FIELDS_MAX, ")]"), E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
