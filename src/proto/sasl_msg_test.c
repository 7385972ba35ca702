/// Tests of sasl_msg: PLAIN, LOGIN, SCRAM messages; the exchanges of tests/vectors/scram.
#include "base/check.h"

#include <stdio.h>

#include "base/num.h"
#include "proto/base64.h"
#include "proto/sasl_msg.h"

static const struct {
	const char *name;
	struct sl in;
	enum ec want;
	const char *authzid, *authcid, *password;
} plains[] = {
	{ "RFC 4616 example", SL_INIT("\0tim\0tanstaaftanstaaf"), E_OK, "", "tim", "tanstaaftanstaaf" },
	{ "RFC 4616 authzid", SL_INIT("Ursel\0Kurt\0xipj3plmq"), E_OK, "Ursel", "Kurt", "xipj3plmq" },
	{ "UTF-8", SL_INIT("\0用户\0密码"), E_OK, "", "用户", "密码" },
	{ "one NUL", SL_INIT("tim\0x"), E_SYNTAX },
	{ "no NUL", SL_INIT("tim"), E_SYNTAX },
	{ "three NUL", SL_INIT("\0tim\0a\0b"), E_SYNTAX },
	{ "no name", SL_INIT("\0\0x"), E_SYNTAX },
	{ "no password", SL_INIT("\0tim\0"), E_SYNTAX },
	{ "empty", SL_INIT(""), E_SYNTAX },
	{ "not UTF-8", SL_INIT("\0t\xffm\0x"), E_SYNTAX },
};

static void test_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(plains); i++) {
		struct sl in = heap_copy(plains[i].in);
		struct sasl_plain p = { .authcid = SL("untouched") };
		CHECK(sasl_parse_plain(in, &p) == plains[i].want, plains[i].name);
		CHECK(sl_eq(p.authcid, sl_cstr(plains[i].want ? "untouched" : plains[i].authcid)), plains[i].name);
		CHECK(sl_eq(p.authzid, sl_cstr(plains[i].authzid)), plains[i].name);
		CHECK(sl_eq(p.password, sl_cstr(plains[i].password)), plains[i].name);
		free((void *)(uintptr_t)in.p);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	uint8_t m[2 * SASL_NAME_MAX + 4];
	struct sasl_plain p;
	memset(m, 'x', sizeof m);
	m[0] = m[SASL_NAME_MAX + 1] = 0;
	assert_int_equal(sasl_parse_plain((struct sl){ m, 2 + SASL_NAME_MAX + SASL_PASSWORD_MAX }, &p), E_OK);
	assert_int_equal(sasl_parse_plain((struct sl){ m, 3 + SASL_NAME_MAX + SASL_PASSWORD_MAX }, &p), E_TOOBIG);
	assert_int_equal(sasl_check_login_answer((struct sl){ m + 1, SASL_NAME_MAX }), E_OK);
	m[SASL_NAME_MAX + 1] = 'x';
	assert_int_equal(sasl_check_login_answer((struct sl){ m + 1, SASL_NAME_MAX + 1 }), E_TOOBIG);
	assert_int_equal(sasl_check_login_answer(SL("")), E_SYNTAX);
	assert_int_equal(sasl_check_login_answer(SL("a\0b")), E_SYNTAX);
	assert_int_equal(sasl_check_login_answer(SL("\xff")), E_SYNTAX);
}

static void test_responses(void **state)
{
	(void)state;
	uint8_t mem[64];
	struct arena a = ARENA_OVER(mem, sizeof mem);
	struct sl out = SL("untouched");
	assert_int_equal(sasl_decode_response(SL("*"), &a, &out), E_CANCELED);
	assert_int_equal(sasl_decode_response(SL("**"), &a, &out), E_SYNTAX);
	assert_true(sl_eq(out, SL("untouched")));
	assert_int_equal(sasl_decode_response(SL("="), &a, &out), E_OK);
	assert_int_equal(out.n, 0);
	assert_int_equal(sasl_decode_response(SL("YWI="), &a, &out), E_OK);
	assert_true(sl_eq(out, SL("ab")));
	assert_int_equal(sasl_decode_response(SL(""), &a, &out), E_OK);
	assert_int_equal(out.n, 0);
}

static const struct {
	const char *name;
	struct sl in;
	enum ec want;
	enum scram_cbind cbind;
	const char *cbind_name, *authzid, *gs2, *bare, *username, *nonce;
} firsts[] = {
	{ "RFC 5802 example", SL_INIT("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), E_OK, SCRAM_CBIND_NONE, "", "", "n,,",
		"n=user,r=fyko+d2lbbFgONRv9qkxdawL", "user", "fyko+d2lbbFgONRv9qkxdawL" },
	{ "y flag", SL_INIT("y,,n=u,r=a"), E_OK, SCRAM_CBIND_NOT_SERVER, "", "", "y,,", "n=u,r=a", "u", "a" },
	{ "binding", SL_INIT("p=tls-server-end-point,,n=u,r=a"), E_OK, SCRAM_CBIND_USED, "tls-server-end-point", "",
		"p=tls-server-end-point,,", "n=u,r=a", "u", "a" },
	{ "authzid and escapes", SL_INIT("n,a=x=2Cy,n=u=3Dv=2C,r=a"), E_OK, SCRAM_CBIND_NONE, "", "x,y", "n,a=x=2Cy,",
		"n=u=3Dv=2C,r=a", "u=v,", "a" },
	{ "extensions", SL_INIT("n,,n=u,r=a,x=1,y=2=3"), E_OK, SCRAM_CBIND_NONE, "", "", "n,,", "n=u,r=a,x=1,y=2=3",
		"u", "a" },
	{ "UTF-8 name", SL_INIT("n,,n=用户,r=a"), E_OK, SCRAM_CBIND_NONE, "", "", "n,,", "n=用户,r=a", "用户", "a" },
	{ "mandatory extension", SL_INIT("n,,m=x,n=u,r=a"), E_UNSUPPORTED },
	{ "unknown flag", SL_INIT("x,,n=u,r=a"), E_SYNTAX },
	{ "binding without a name", SL_INIT("p=,,n=u,r=a"), E_SYNTAX },
	{ "no header", SL_INIT("n=u,r=a"), E_SYNTAX },
	{ "no second comma", SL_INIT("n,n=u,r=a"), E_SYNTAX },
	{ "empty name", SL_INIT("n,,n=,r=a"), E_SYNTAX },
	{ "bad escape", SL_INIT("n,,n=a=2c,r=a"), E_SYNTAX },
	{ "cut escape", SL_INIT("n,,n=a=2,r=a"), E_SYNTAX },
	{ "no nonce", SL_INIT("n,,n=u"), E_SYNTAX },
	{ "empty nonce", SL_INIT("n,,n=u,r="), E_SYNTAX },
	{ "space in the nonce", SL_INIT("n,,n=u,r=a b"), E_SYNTAX },
	{ "order", SL_INIT("n,,r=a,n=u"), E_SYNTAX },
	{ "extension without value", SL_INIT("n,,n=u,r=a,x="), E_SYNTAX },
	{ "extension of a digit", SL_INIT("n,,n=u,r=a,1=x"), E_SYNTAX },
	{ "comma last", SL_INIT("n,,n=u,r=a,"), E_SYNTAX },
	{ "NUL", SL_INIT("n,,n=u\0,r=a"), E_SYNTAX },
	{ "not UTF-8", SL_INIT("n,,n=\xff,r=a"), E_SYNTAX },
};

static void test_client_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(firsts); i++) {
		for (size_t room = 0; room <= 128; room += 16) {
			uint8_t mem[128];
			struct arena a = ARENA_OVER(mem, room);
			struct sl in = heap_copy(firsts[i].in);
			struct scram_client_first m = { .nonce = SL("untouched") };
			enum ec e = scram_parse_client_first(in, &a, &m);
			CHECK(e == firsts[i].want || (e == E_TEMP && room < 128), firsts[i].name);
			CHECK(e == E_OK || sl_eq(m.nonce, SL("untouched")), firsts[i].name);
			if (e == E_OK) {
				CHECK(m.cbind == firsts[i].cbind, firsts[i].name);
				CHECK(sl_eq(m.cbind_name, sl_cstr(firsts[i].cbind_name)), firsts[i].name);
				CHECK(sl_eq(m.authzid, sl_cstr(firsts[i].authzid)), firsts[i].name);
				CHECK(sl_eq(m.gs2_header, sl_cstr(firsts[i].gs2)), firsts[i].name);
				CHECK(sl_eq(m.bare, sl_cstr(firsts[i].bare)), firsts[i].name);
				CHECK(sl_eq(m.username, sl_cstr(firsts[i].username)), firsts[i].name);
				CHECK(sl_eq(m.nonce, sl_cstr(firsts[i].nonce)), firsts[i].name);
			}
			free((void *)(uintptr_t)in.p);
		}
	}
}

static const struct {
	const char *name, *in;
	enum ec want;
	const char *without_proof;
} finals[] = {
	{ "plain", "c=biws,r=ab,p=Zm9v", E_OK, "c=biws,r=ab" },
	{ "extensions", "c=biws,r=ab,x=1,p=Zm9v", E_OK, "c=biws,r=ab,x=1" },
	{ "no proof", "c=biws,r=ab", E_SYNTAX, NULL },
	{ "empty proof", "c=biws,r=ab,p=", E_SYNTAX, NULL },
	{ "proof not base64", "c=biws,r=ab,p=Zm9", E_SYNTAX, NULL },
	{ "text behind the proof", "c=biws,r=ab,p=Zm9v,x=1", E_SYNTAX, NULL },
	{ "binding not base64", "c=biw,r=ab,p=Zm9v", E_SYNTAX, NULL },
	{ "no binding", "r=ab,p=Zm9v", E_SYNTAX, NULL },
	{ "no nonce", "c=biws,p=Zm9v", E_SYNTAX, NULL },
	{ "proof of 66 octets",
		"c=biws,r=ab,p="
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		E_TOOBIG, NULL },
};

static void test_client_final(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(finals); i++) {
		for (size_t room = 0; room <= 256; room += 16) {
			uint8_t mem[256];
			struct arena a = ARENA_OVER(mem, room);
			struct sl in = heap_copy(sl_cstr(finals[i].in));
			struct scram_client_final m = { .nonce = SL("untouched") };
			enum ec e = scram_parse_client_final(in, &a, &m);
			CHECK(e == finals[i].want || (e == E_TEMP && room < 256), finals[i].name);
			CHECK(e == E_OK || sl_eq(m.nonce, SL("untouched")), finals[i].name);
			if (e == E_OK) {
				CHECK(sl_eq(m.without_proof, sl_cstr(finals[i].without_proof)), finals[i].name);
				CHECK(sl_eq(m.cbind_input, SL("n,,")) && sl_eq(m.proof, SL("foo")), finals[i].name);
			}
			free((void *)(uintptr_t)in.p);
		}
	}
}

static const struct {
	const char *name, *first, *final;
	bool fits;
} pairs[] = {
	{ "same header", "n,,n=u,r=ab", "c=biws,r=abXY,p=Zm9v", true },
	{ "y became n", "y,,n=u,r=ab", "c=biws,r=abXY,p=Zm9v", false },
	{ "other client nonce", "n,,n=u,r=ac", "c=biws,r=abXY,p=Zm9v", false },
	{ "no server nonce", "n,,n=u,r=ab", "c=biws,r=ab,p=Zm9v", false },
	{ "other server nonce", "n,,n=u,r=ab", "c=biws,r=abXZ,p=Zm9v", false },
	{ "more behind the nonce", "n,,n=u,r=ab", "c=biws,r=abXYZ,p=Zm9v", false },
	{ "data without binding", "n,,n=u,r=ab", "c=biwsZGF0YQ==,r=abXY,p=Zm9v", false },
	{ "binding with data", "p=x,,n=u,r=ab", "c=cD14LCxkYXRh,r=abXY,p=Zm9v", true },
	{ "binding without data", "p=x,,n=u,r=ab", "c=cD14LCw=,r=abXY,p=Zm9v", false },
};

static void test_final_fits_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(pairs); i++) {
		struct arena a;
		struct scram_client_first first;
		struct scram_client_final final;
		arena_init(&a, 4096);
		CHECK(scram_parse_client_first(sl_cstr(pairs[i].first), &a, &first) == E_OK, pairs[i].name);
		CHECK(scram_parse_client_final(sl_cstr(pairs[i].final), &a, &final) == E_OK, pairs[i].name);
		CHECK(scram_final_fits(&first, SL("XY"), &final) == pairs[i].fits, pairs[i].name);
		arena_free(&a);
	}
}

static void check_exchange(struct sl *field, size_t n, const char *line)
{
	enum {
		NAME,
		SALT,
		ITERATIONS,
		CLIENT_NONCE,
		SERVER_NONCE,
		CLIENT_FIRST,
		SERVER_FIRST,
		CLIENT_FINAL,
		SERVER_FINAL
	};
	struct arena a;
	struct scram_client_first first;
	struct scram_client_final final;
	struct sl salt, signature;
	uint64_t iterations = 0;
	struct buf b = BUF(1024);

	arena_init(&a, 8192);
	CHECK(scram_parse_client_first(field[CLIENT_FIRST], &a, &first) == E_OK, line);
	CHECK(sl_eq(first.nonce, field[CLIENT_NONCE]), line);
	CHECK(base64_decode(field[SALT], &a, &salt) == E_OK && num_parse(field[ITERATIONS], UINT32_MAX, &iterations),
		line);
	scram_print_server_first(&b, first.nonce, field[SERVER_NONCE], salt, (uint32_t)iterations);
	CHECK(sl_eq(buf_sl(&b), field[SERVER_FIRST]), line);
	CHECK(scram_parse_client_final(field[CLIENT_FINAL], &a, &final) == E_OK, line);
	CHECK(scram_final_fits(&first, field[SERVER_NONCE], &final), line);
	if (n > SERVER_FINAL && sl_starts(field[SERVER_FINAL], SL("v="))) {
		buf_clear(&b);
		CHECK(base64_decode(sl_from(field[SERVER_FINAL], 2), &a, &signature) == E_OK, line);
		scram_print_server_final(&b, signature);
		CHECK(sl_eq(buf_sl(&b), field[SERVER_FINAL]), line);
	}
	buf_free(&b);
	arena_free(&a);
}

static void test_exchanges(void **state)
{
	(void)state;
	FILE *f = fopen("tests/vectors/scram/exchanges.txt", "r");
	char line[4096];
	unsigned exchanges = 0;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		struct sl field[12], rest = sl_trim(sl_cstr(line));
		size_t n = 0;
		if (line[0] == '#')
			continue;
		while (n < ARRAY_N(field) && rest.n)
			field[n++] = sl_cut(&rest, '\t');
		CHECK(n >= 8, line);
		check_exchange(field, n, line);
		exchanges++;
	}
	fclose(f);
	assert_int_equal(exchanges, 19);
}

static void test_server_error(void **state)
{
	(void)state;
	struct buf b = BUF(64);
	scram_print_server_error(&b, SL("invalid-proof"));
	assert_true(sl_eq(buf_sl(&b), SL("e=invalid-proof")));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_client_first),
		cmocka_unit_test(test_client_final),
		cmocka_unit_test(test_final_fits_first),
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_server_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
