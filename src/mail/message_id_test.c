/// Tests of mail/message_id: what is present, what is made reads back, domains that must not stand in a header.
#include "base/check.h"

#include "base/num.h"
#include "mail/envelope.h"
#include "mail/message_id.h"

static void test_check(void **state)
{
	(void)state;
	struct message_has has = message_id_check(SL("DATE: x\r\nFrom:\r\n \r\n\r\nMessage-ID: <in@body>\r\n"));
	assert_true(has.date && !has.from && !has.message_id);
	has = message_id_check(SL("message-id: <a@b>\nFrom: a@b\n"));
	assert_true(!has.date && has.from && has.message_id);
}

static void test_make(void **state)
{
	(void)state;
	struct buf a = BUF(200), b = BUF(200);
	struct arena arena;
	struct envelope e;
	struct date when = { 1057049557, 120 }, back;
	assert_int_equal(message_id_make(SL("example.cn"), &a), E_OK);
	assert_int_equal(message_id_make(SL("example.cn"), &b), E_OK);
	assert_false(sl_eq(buf_sl(&a), buf_sl(&b)));
	message_id_date_line(&when, &a);
	arena_init(&arena, 4096);
	assert_int_equal(envelope_parse(buf_sl(&a), &arena, &e), E_OK);
	assert_int_equal(e.message_id.n, 1 + 32 + sizeof "@example.cn>" - 1);
	assert_true(sl_ends_ci(e.message_id, SL("@example.cn>")) && e.message_id.p[0] == '<');
	assert_int_equal(date_parse_mail(e.date, &back), E_OK);
	assert_true(back.unix_s == when.unix_s && back.offset_min == when.offset_min);
	arena_free(&arena);
	buf_free(&a);
	buf_free(&b);
}

static void test_bad_domains(void **state)
{
	(void)state;
	static const struct sl bad[] = { SL_INIT(""), SL_INIT("a b"), SL_INIT("a>\r\nBcc: x"), SL_INIT("a@b"),
		SL_INIT("-a") };
	struct buf out = BUF(200);
	for (size_t i = 0; i < ARRAY_N(bad); i++)
		CHECK(message_id_make(bad[i], &out) == E_SYNTAX && out.n == 0, (const char *)bad[i].p);
	assert_int_equal(message_id_make(SL("[10.0.0.1]"), &out), E_OK);
	buf_free(&out);
	out = BUF(10);
	assert_int_equal(message_id_make(SL("example.cn"), &out), E_TOOBIG);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_bad_domains),
	};
	return cmocka_run_group_tests_name("mail/message_id", tests, NULL, NULL);
}
