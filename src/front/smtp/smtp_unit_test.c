/// What SMTP sessions stand on: replies, trace header, targets, bodies in chunks.
#include "base/check.h"
#include "front/fake/fake.h"

#include "base/num.h"
#include "front/intake.h"
#include "front/smtp/smtp.h"
#include "front/smtp/reply.h"
#include "front/smtp/targets.h"
#include "front/smtp/trace.h"

/// Every code has an answer whose parts agree: class of the enhanced code, three digits, words.
static void test_words(void **)
{
	for (int e = E_OK; e <= E_COUNT; e++) {
		struct smtp_words all[] = { smtp_words((enum ec)e, false), smtp_words((enum ec)e, true),
			smtp_words_syntax((enum ec)e), smtp_words_login((enum ec)e) };
		for (size_t i = 0; i < ARRAY_N(all); i++) {
			CHECK(all[i].code >= 200 && all[i].code < 560, ec_name((enum ec)e));
			CHECK((unsigned)(all[i].enhanced[0] - '0') == all[i].code / 100, ec_name((enum ec)e));
			CHECK(all[i].enhanced[1] == '.' && strlen(all[i].text) > 1, ec_name((enum ec)e));
			CHECK(i < 2 || e == E_OK || all[i].code >= 400, ec_name((enum ec)e));
		}
	}
	static const struct {
		enum ec e;
		bool defer;
		unsigned code;
		const char *enhanced;
	} cases[] = {
		{ E_NOTFOUND, false, 550, "5.1.1" },
		{ E_QUOTA, false, 552, "5.2.2" },
		{ E_QUOTA, true, 452, "4.2.2" },
		{ E_FULL, false, 452, "4.3.1" },
		{ E_TOOBIG, false, 552, "5.3.4" },
		{ E_TEMP, false, 451, "4.3.0" },
		{ E_LIMIT, false, 452, "4.3.1" },
		{ E_CANCELED, false, 421, "4.3.2" },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct smtp_words w = smtp_words(cases[i].e, cases[i].defer);
		CHECK(w.code == cases[i].code && !strcmp(w.enhanced, cases[i].enhanced), ec_name(cases[i].e));
	}
}

static void test_trace(void **)
{
	static const struct addr peer = { .v4 = true };
	static const struct {
		const char *name, *protocol;
		struct trace t;
		const char *begin;
	} cases[] = {
		{ "plain", "SMTP", { .helo = SL_INIT("a.example") }, "Return-Path: <>\r\nReceived: from a.example ([" },
		{ "helo in tls", "SMTP", { .helo = SL_INIT("a"), .tls = true }, "Return-Path: <>\r\n" },
		{ "esmtp", "ESMTP", { .esmtp = true }, "Return-Path: <>\r\nReceived: from unknown ([" },
		{ "login", "ESMTPA", { .esmtp = true, .authed = true }, "" },
		{ "tls", "ESMTPS", { .esmtp = true, .tls = true }, "" },
		{ "both", "ESMTPSA", { .esmtp = true, .tls = true, .authed = true }, "" },
		{ "lmtp", "LMTP", { .esmtp = true, .lmtp = true }, "" },
		{ "literal", "ESMTP", { .esmtp = true, .helo = SL_INIT("[192.0.2.1]") },
			"Return-Path: <>\r\nReceived: from [192.0.2.1] ([" },
		{ "header in helo", "ESMTP", { .esmtp = true, .helo = SL_INIT("a\rb\nX: (y)") },
			"Return-Path: <>\r\nReceived: from a?b?X:??y? ([" },
		{ "header in path", "ESMTP", { .esmtp = true, .from = SL_INIT("\"a\r\nb\"@c") },
			"Return-Path: <\"a??b\"@c>\r\n" },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct trace t = cases[i].t;
		struct buf b = BUF(4096), with = BUF(64);
		t.peer = &peer;
		t.hostname = SL("mx.example.org");
		t.id = SL("0123");
		CHECK(sl_eq(trace_protocol(&t), sl_cstr(cases[i].protocol)), cases[i].name);
		trace_print(&b, &t);
		buf_printf(&with, " with %s id 0123", cases[i].protocol);
		CHECK(sl_starts(buf_sl(&b), sl_cstr(cases[i].begin)), cases[i].name);
		CHECK(sl_find_sl(buf_sl(&b), buf_sl(&with)) < b.n, cases[i].name);
		CHECK(sl_ends_ci(buf_sl(&b), SL("\r\n")), cases[i].name);
		for (size_t k = 0; k < b.n; k++) // each line of the header is a field or its continuation
			CHECK(b.p[k] != '\n' || (k && b.p[k - 1] == '\r'), cases[i].name);
		buf_free(&b);
		buf_free(&with);
	}
}

static void test_targets(void **)
{
	struct targets t = { 0 };
	uint32_t index = 0, n = 0;

	for (uint64_t i = 0; i < TARGETS_MAX; i++) {
		assert_int_equal(smtp_targets_add(&t, i * i << 20, &index), E_OK);
		assert_int_equal(index, i);
	}
	for (uint64_t i = 0; i < TARGETS_MAX; i++) {
		assert_int_equal(smtp_targets_add(&t, i * i << 20, &index), E_OK);
		assert_int_equal(index, i);
	}
	assert_int_equal(smtp_targets_add(&t, 3, &index), E_LIMIT);
	smtp_targets_cut(&t, 10);
	n = t.n;
	assert_int_equal(n, 10);
	assert_int_equal(smtp_targets_add(&t, 3, &index), E_OK);
	assert_int_equal(index, 10);
	assert_int_equal(smtp_targets_add(&t, (uint64_t)81 << 20, &index), E_OK);
	assert_int_equal(index, 9);
	smtp_targets_free(&t);
	smtp_targets_free(&t);
}

static void fill(struct cx *cx, struct intake *b, size_t octets, uint8_t with)
{
	uint8_t *p;
	size_t room;

	while (octets) {
		if (intake_is_full(b))
			assert_int_equal(intake_push(cx, b), E_OK);
		assert_int_equal(intake_room(cx, b, &p, &room), E_OK);
		assert_true(room >= INTAKE_ROOM_MIN);
		size_t n = min_size(room, octets);
		memset(p, with, n);
		intake_took(b, n);
		octets -= n;
	}
}

static void test_body(void **)
{
	struct cx cx = { 0 };
	struct range ranges[INTAKE_CHUNKS];
	uint32_t n;
	uint64_t upload;
	bool whole;

	struct front front = { .store = (struct client *)&fake };

	fake_start();
	struct intake b = intake_start(&front, NULL, INTAKE_HEADROOM);
	assert_int_equal(intake_head(&b, &whole).n, 0);
	assert_true(whole);
	fill(&cx, &b, 100, 'x');
	assert_int_equal(intake_head(&b, &whole).n, 100);
	assert_true(whole);
	assert_int_equal(intake_put_front(&cx, &b, SL("front")), E_OK);
	assert_int_equal(intake_finish(&cx, &b, ranges, &n, &upload), E_OK);
	assert_true(n == 1 && upload == 0 && ranges[0].len == 105);
	assert_memory_equal(chunks_at(NULL, ranges[0]), "frontxx", 7);
	fill(&cx, &b, CHUNK_OCTETS, 'y');
	intake_head(&b, &whole);
	assert_false(whole);
	intake_fail(&cx, &b, E_TOOBIG);
	intake_fail(&cx, &b, E_TEMP);
	assert_int_equal(b.err, E_TOOBIG); // the first reason stays
	assert_int_equal(fake.chunks_taken, 0);

	uint8_t large[INTAKE_HEADROOM + 1] = { 0 };
	b = intake_start(&front, NULL, INTAKE_HEADROOM);
	assert_int_equal(intake_put_front(&cx, &b, (struct sl){ large, sizeof large }), E_TOOBIG);
	assert_int_equal(intake_put_front(&cx, &b, (struct sl){ large, INTAKE_HEADROOM }), E_OK);
	fill(&cx, &b, 3 << 20, 'z');
	assert_true(b.uploading && fake.uploading);
	assert_int_equal(intake_head(&b, &whole).n, 0);
	assert_int_equal(intake_finish(&cx, &b, ranges, &n, &upload), E_OK);
	assert_true(n == 0 && upload && fake.upload.n == (3 << 20) + INTAKE_HEADROOM);
	intake_drop(&cx, &b);
	intake_drop(&cx, &b);
	assert_false(fake.uploading);
	intake_drop(&cx, &(struct intake){ 0 });
	fake_stop();
	cx_end(&cx);
}

static void test_pace(void **)
{
	static const struct {
		const char *name;
		uint64_t octets;
		int64_t ms;
		bool slow;
	} cases[] = {
		{ "just begun", 0, 0, false },
		{ "nothing yet", 0, SMTP_SLOW_MS, false },
		{ "nothing for too long", 0, SMTP_SLOW_MS + 1000, true },
		{ "a modem", (uint64_t)3000 * 3600, 3600 * 1000, false },
		{ "a line now and then", 78 * 20, 3600 * 1000, true },
		{ "more than a day at the pace", (uint64_t)SMTP_PACE * 100000, (int64_t)100000 * 1000, false },
	};
	for (size_t i = 0; i < ARRAY_N(cases); i++)
		CHECK(smtp_is_too_slow(cases[i].octets, cases[i].ms) == cases[i].slow, cases[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
