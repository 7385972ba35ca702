/// Tests of http: what is a request line, what is a field, at every cut.
#include "proto/http.h"

#include "base/check.h"
#include "base/num.h"

static void test_request_lines(void **)
{
	static const struct {
		const char *line;
		enum ec want;
		const char *method, *path;
		unsigned minor;
	} cases[] = {
		{ "GET /metrics HTTP/1.1", E_OK, "GET", "/metrics", 1 },
		{ "HEAD /metrics HTTP/1.0", E_OK, "HEAD", "/metrics", 0 },
		{ "GET /metrics?name[]=up HTTP/1.1", E_OK, "GET", "/metrics", 1 },
		{ "GET http://localhost:9154/metrics?x HTTP/1.1", E_OK, "GET", "/metrics", 1 },
		{ "GET HTTP://[::1]/metrics HTTP/1.1", E_OK, "GET", "/metrics", 1 },
		{ "GET http://localhost HTTP/1.1", E_OK, "GET", "", 1 },
		{ "GET https://localhost/metrics HTTP/1.1", E_OK, "GET", "", 1 },
		{ "CONNECT localhost:25 HTTP/1.1", E_OK, "CONNECT", "", 1 },
		{ "OPTIONS * HTTP/1.1", E_OK, "OPTIONS", "", 1 },
		{ "get / HTTP/1.9", E_OK, "get", "/", 9 },
		{ "PRI * HTTP/2.0", E_UNSUPPORTED, NULL, NULL, 0 },
		{ "GET / HTTP/0.9", E_UNSUPPORTED, NULL, NULL, 0 },
		{ "GET /", E_SYNTAX, NULL, NULL, 0 },
		{ "GET / HTTP/1.1 ", E_SYNTAX, NULL, NULL, 0 },
		{ "GET  / HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ " GET / HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET /a b HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET /\x80 HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET /\t HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "G(T / HTTP/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET / http/1.1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET / HTTP/11", E_SYNTAX, NULL, NULL, 0 },
		{ "GET / HTTP/1,1", E_SYNTAX, NULL, NULL, 0 },
		{ "GET / HTTP/1.10", E_SYNTAX, NULL, NULL, 0 },
		{ "EHLO example.test", E_SYNTAX, NULL, NULL, 0 },
		{ "", E_SYNTAX, NULL, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl whole = sl_cstr(cases[i].line);
		for (size_t n = 0; n <= whole.n; n++) {
			struct sl line = heap_copy(sl_head(whole, n));
			struct http_request_line r = { .minor = 77 };
			enum ec e = http_parse_request_line(line, &r);
			if (n == whole.n)
				CHECK(e == cases[i].want, cases[i].line);
			else
				CHECK(e != E_OK || cases[i].want != E_OK, cases[i].line);
			if (e != E_OK)
				CHECK(r.minor == 77 && !r.method.p, cases[i].line);
			else if (n == whole.n)
				CHECK(sl_eq(r.method, sl_cstr(cases[i].method)) &&
						sl_eq(r.path, sl_cstr(cases[i].path)) && r.minor == cases[i].minor,
					cases[i].line);
			free((void *)(uintptr_t)line.p);
		}
	}
}

static void test_fields(void **)
{
	static const struct {
		const char *line, *name, *value; // name NULL: none
	} cases[] = {
		{ "Host: localhost:9154", "Host", "localhost:9154" },
		{ "Host:x", "Host", "x" },
		{ "X-Empty:", "X-Empty", "" },
		{ "Accept:\t a b \t", "Accept", "a b" },
		{ "!#$%&'*+-.^_`|~9: \xff", "!#$%&'*+-.^_`|~9", "\xff" },
		{ ": x", NULL, NULL },
		{ "Host : x", NULL, NULL }, // a blank there is how requests are smuggled
		{ " folded", NULL, NULL },
		{ "Host", NULL, NULL },
		{ "H\x7fst: x", NULL, NULL },
		{ "Host: a\rb", NULL, NULL },
		{ "Host: a\x01", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct sl line = heap_copy(sl_cstr(cases[i].line)), name = { 0 }, value = { 0 };
		enum ec e = http_parse_field(line, &name, &value);
		CHECK((e == E_OK) == (cases[i].name != NULL), cases[i].line);
		if (e == E_OK)
			CHECK(sl_eq(name, sl_cstr(cases[i].name)) && sl_eq(value, sl_cstr(cases[i].value)),
				cases[i].line);
		else
			CHECK(e == E_SYNTAX && !name.p, cases[i].line);
		free((void *)(uintptr_t)line.p);
	}
	struct sl name, value;
	assert_int_equal(http_parse_field((struct sl){ (const uint8_t *)"A: \0", 4 }, &name, &value), E_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_lines),
		cmocka_unit_test(test_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
