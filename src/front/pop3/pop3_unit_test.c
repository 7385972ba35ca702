/// What POP3 sessions stand on: answers, the snapshot and its sets of UIDs.
#include "base/check.h"
#include "front/fake/fake.h"

#include "base/num.h"
#include "front/pop3/answer.h"
#include "front/pop3/drop.h"
#include "ipc/payload.h"

static void test_words(void **)
{
	for (int e = E_OK; e <= E_COUNT; e++) {
		CHECK(pop3_words((enum ec)e).text, ec_name((enum ec)e));
		CHECK(pop3_words_login((enum ec)e).text, ec_name((enum ec)e));
	}
	assert_string_equal(pop3_words_login(E_AUTH).code, "AUTH");
	assert_string_equal(pop3_words_login(E_CONFLICT).code, "IN-USE");
	assert_string_equal(pop3_words_login(E_TEMP).code, "SYS/TEMP");
	assert_string_equal(pop3_words(E_CORRUPT).code, "SYS/PERM");
	assert_string_equal(pop3_words(E_FULL).code, "SYS/TEMP");
	assert_null(pop3_words(E_NOTFOUND).code);
}

/// Sets name exactly the UIDs that are marked, whatever room each request has.
static void test_uids(void **)
{
	static struct drop_msg msg[] = { { 1, 9 }, { 2, 9 }, { 3, 9 }, { 5, 9 }, { 6, 9 }, { 9, 9 },
		{ UINT32_MAX, 9 } };
	static const struct {
		const char *name;
		uint8_t mark[7];
		uint64_t want; // bits by index
	} cases[] = {
		{ "none", { 0 }, 0 },
		{ "all", { 1, 1, 1, 1, 1, 1, 1 }, 0x7f },
		{ "across a gap", { 0, 0, 1, 1, 0, 0, 0 }, 0x0c },
		{ "with holes", { 1, 0, 1, 0, 1, 0, 1 }, 0x55 },
		{ "another mark", { 2, 1, 3, 2, 0, 0, 0 }, 0x06 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		for (uint32_t room = 1; room <= 7; room++) {
			uint8_t mark[7];
			memcpy(mark, cases[i].mark, sizeof mark);
			struct drop d = { .msg = msg, .mark = mark, .n = 7 };
			uint32_t index = 0, n;
			uint64_t got = 0;
			struct pl_uids out[7];
			while ((n = drop_uids(&d, DROP_DELETED, DROP_DELETED, &index, out, room))) {
				CHECK(n <= room, cases[i].name);
				for (uint32_t k = 0; k < n; k++)
					for (size_t m = 0; m < 7; m++)
						if (msg[m].uid >= out[k].lo && msg[m].uid <= out[k].hi)
							got |= (uint64_t)1 << m;
				for (uint32_t k = 0; k < n; k++) // pairs hold no UID of which the session knows nothing
					CHECK(out[k].hi - out[k].lo < 3, cases[i].name);
			}
			CHECK(got == cases[i].want, cases[i].name);
		}
	}
}

static void test_drop(void **)
{
	struct cx cx = { 0 };
	struct handle handle = { .account = 11 };
	struct room room = room_make_lists();
	struct drop d = { .share = { .room = &room, .account = 11 } };

	fake_start();
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle, &d), E_OK);
	assert_int_equal(d.n, 0);
	drop_reset(&d);
	drop_free(&d);
	for (int i = 0; i < 50; i++)
		fake_append(&fake.user[0], SL("1234567\r\n"));
	fake.user[0].message[7].expunged = true;
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle, &d), E_OK);
	assert_true(d.n == 49 && d.octets == 49 * 9 && d.msg[7].uid == 9);
	drop_delete(&d, 3);
	assert_true(d.deleted == 1 && d.deleted_octets == 9);
	drop_reset(&d);
	assert_true(d.deleted == 0 && d.deleted_octets == 0 && d.mark[3] == 0);
	drop_free(&d);
	drop_free(&d);
	fake.fail_verb = VERB_mbox_rows;
	fake.fail_code = E_IO;
	fake.fail_after = 2;
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle, &d), E_IO);
	assert_null(d.msg);
	fake_stop();
	cx_end(&cx);
}

/// A mailbox of more rows than a chunk holds is read through one chunk where no other is free.
static void test_drop_crowded(void **)
{
	struct cx cx = { 0 };
	struct handle handle = { .account = 11 };
	struct room room = room_make_lists();
	struct drop d = { .share = { .room = &room, .account = 11 } };

	fake_start();
	for (int i = 0; i < FAKE_MESSAGES; i++)
		fake_append(&fake.user[0], SL("1\r\n"));
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle, &d), E_OK);
	assert_true(d.n == FAKE_MESSAGES && fake.chunks_peak == 2);
	drop_free(&d);
	fake.chunks = 1;
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle, &d), E_OK);
	assert_true(d.n == FAKE_MESSAGES && d.msg[d.n - 1].uid == FAKE_MESSAGES);
	drop_free(&d);
	fake_stop();
	cx_end(&cx);
}

/// A long list comes out of its user's share of the room, and goes back there whatever becomes of it.
static void test_drop_room(void **)
{
	enum { LISTS = ROOM_LISTS_USER_OCTETS / (DROP_MAX * (sizeof(struct drop_msg) + 1)) };
	struct cx cx = { 0 };
	struct handle handle[] = { { .account = 11 }, { .account = 12 } };
	struct room room = room_make_lists();
	struct drop d[LISTS + 1], other = { .share = { .room = &room, .account = 12 } };

	fake_start();
	fake.user[0].lost = fake.user[1].lost = DROP_MAX;
	room.wait_ms = 0;
	for (size_t i = 0; i <= LISTS; i++) {
		d[i] = (struct drop){ .share = { .room = &room, .account = 11 } };
		assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle[0], &d[i]), i < LISTS ? E_OK : E_TEMP);
	}
	assert_null(d[LISTS].msg);
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle[1], &other), E_OK);
	assert_true(room.used == (LISTS + 1) * d[0].share.octets && room.used >= (size_t)DROP_MAX * (LISTS + 1) * 9);
	drop_free(&other);
	drop_free(&d[0]);
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle[0], &d[LISTS]), E_OK);
	for (size_t i = 0; i <= LISTS; i++)
		drop_free(&d[i]);
	assert_true(room.used == 0 && !room.users);
	fake.fail_verb = VERB_mbox_rows;
	fake.fail_code = E_IO;
	assert_int_equal(drop_load(&cx, (struct client *)&fake, &handle[0], &d[0]), E_IO);
	assert_true(room.used == 0 && !room.users);
	fake_stop();
	cx_end(&cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_uids),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_drop_crowded),
		cmocka_unit_test(test_drop_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
