/// forged_test — a body that holds records, segment headers and maps, at the very places where they would be looked
/// for, is a body: for every start, for one that has to find its way through it behind damage, for compaction and the
/// checker.
#include <stdlib.h>

#include "store/compact_bed.h"

enum { BODY_AT = SEG_DATA + 2 * REC_HEAD, FORGED_MAX = 400 << 10, FORGERIES = 3 };

/// A body that is the first thing in a segment: its octet i stands at BODY_AT + i.
struct forgery {
	struct sl octets;
	struct body_ref ref;
};

/// What stands behind BODY_AT in another segment's file, so that each record in it has its own offset again.
static struct sl copy_of(const struct town *t, uint32_t id)
{
	char path[128], name[SEG_NAME];
	uint8_t *p = calloc(1, FORGED_MAX);

	seg_name(id, name);
	snprintf(path, sizeof path, "%s/log/%s", t->bed.dir, name);
	int fd = open(path, O_RDONLY);
	ssize_t n = pread(fd, p, FORGED_MAX, BODY_AT);
	close(fd);
	assert_true(n > 4096);
	return (struct sl){ p, (size_t)n };
}

/// One record of our own making, right but for the nonce, which nobody knows.
static size_t add_record(uint8_t *p, size_t at, struct rec r, struct sl payload)
{
	static const struct hash_key guessed = { 1, 2 };

	r.at = (uint32_t)(BODY_AT + at);
	r.octets = (uint32_t)payload.n;
	r.crc = crc32c(0, payload);
	r.time_s = 1;
	rec_encode(&guessed, &r, p + at);
	if (payload.n)
		memcpy(p + at + REC_HEAD, payload.p, payload.n);
	return at + REC_HEAD + payload.n;
}

/// A batch that would change a row, a claim that everything was flushed, and the header of a segment.
static struct sl made_up(void)
{
	uint8_t *p = calloc(1, 4096), ops[OP_HEAD + 14] = { 0 };
	struct op put = { .kind = OP_PUT, .key = { ops, 2 }, .value = { ops, 12 } };
	size_t at = 200;

	op_encode(&put, ops);
	memset(ops + OP_HEAD + 2, 7, 12);
	at = add_record(p, at, (struct rec){ .type = REC_BEGIN, .lsn = 5000, .arg = { 1u << 30, 0, 500 } }, SL(""));
	for (unsigned c = 0; c < TOWN_CELLS; c++)
		at = add_record(p, at, (struct rec){ .type = REC_COMMIT, .lsn = 5000, .arg = { 5, 100 + c, 1u << 20 } },
			(struct sl){ ops, sizeof ops });
	at = add_record(p, at, (struct rec){ .type = REC_END, .lsn = 5000, .arg = { 0, 500, TOWN_CELLS } }, SL(""));
	at = add_record(p, at, (struct rec){ .type = REC_SEAL, .lsn = 1u << 30 }, SL(""));
	seg_encode(&(struct seg_head){ .kind = SEG_LOG, .id = 77, .first_lsn = 1 }, p + at);
	return (struct sl){ p, 4096 };
}

static struct body_ref store_body(struct town *t, unsigned i, struct sl octets)
{
	struct put p = { { 6, i + 1 }, 0, 0, SL("k"), SL(""), SL("h"), .outcome = SL("") };
	uint8_t value[12] = { 0 };

	assert_int_equal(store_roll(NULL, t->s), E_OK);
	p.blob = bed_blob(t->s, octets);
	assert_int_equal(store_do(NULL, t->s, true, put_run, &p), E_OK);
	blob_free(p.blob);
	assert_int_equal((uint32_t)p.ref.at, BODY_AT - REC_HEAD);
	put_le64(value, p.ref.at);
	put_le32(value + 8, p.ref.octets);
	struct put row = { p.id, 1, 0, SL("k"), { value, sizeof value }, SL("h"), .outcome = SL("") };
	assert_int_equal(store_do(NULL, t->s, true, put_run, &row), E_OK);
	return p.ref;
}

static void without_index(const struct town *t)
{
	char command[200];

	snprintf(command, sizeof command, "rm -f %s/index/* %s/snapshot/*", t->bed.dir, t->bed.dir);
	assert_int_equal(system(command), 0);
}

static void flip(const struct town *t, uint32_t segment, uint64_t at)
{
	char path[128], name[SEG_NAME];
	uint8_t octet;

	seg_name(segment, name);
	snprintf(path, sizeof path, "%s/log/%s", t->bed.dir, name);
	int fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &octet, 1, (off_t)at), 1);
	octet ^= 1;
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)at), 1);
	close(fd);
}

/// A town with a pack, and the forgeries in segments of their own.
static struct town *town_forged(struct forgery f[FORGERIES])
{
	static const struct compact_conf any_dead = { .dead_percent = 1 };
	struct town *t = town_new(4);
	struct compact_result r;
	struct seg_list l;
	uint32_t pack = 0, log = 0;

	assert_int_equal(town_live(t, 60), E_OK);
	assert_int_equal(compact_run(NULL, t->s, &any_dead, &r), E_OK);
	assert_int_equal(town_live(t, 20), E_OK);
	assert_int_equal(seg_list_look(NULL, t->s->log_fd, &l), E_OK);
	for (size_t i = 0; i < l.n; i++) {
		pack = l.all[i].head.kind == SEG_PACK ? l.all[i].head.id : pack;
		log = l.all[i].head.kind == SEG_LOG && l.all[i].size ? l.all[i].head.id : log;
	}
	seg_list_free(&l);
	f[0].octets = copy_of(t, pack);
	f[1].octets = copy_of(t, log);
	f[2].octets = made_up();
	for (unsigned i = 0; i < FORGERIES; i++)
		f[i].ref = store_body(t, i, f[i].octets);
	return t;
}

static void end(struct town *t, struct forgery f[FORGERIES])
{
	for (unsigned i = 0; i < FORGERIES; i++)
		sl_free(f[i].octets);
	town_free(t);
}

static void test_whole(void **state)
{
	(void)state;
	static const struct compact_conf any_dead = { .dead_percent = 1 };
	struct forgery f[FORGERIES];
	struct town *t = town_forged(f);

	for (unsigned round = 0; round < 3; round++) {
		bed_crash(t->s);
		without_index(t);
		t->s = bed_open(&t->bed);
		assert_true(t->s->start == START_LOG && t->s->damaged_batches == 0);
		town_same(t);
		for (unsigned i = 0; i < FORGERIES; i++)
			assert_int_equal(bed_same_body(t->s, f[i].ref, f[i].octets), E_OK);
		town_restart(t, round == 1); // checks all invariants
		struct compact_result r;
		assert_int_equal(town_put(t, 0, 0, 100), E_OK);
		assert_int_equal(compact_run(NULL, t->s, &any_dead, &r), E_OK);
		assert_int_equal(r.damaged, 0);
	}
	end(t, f);
}

/// The header of the body's record is damaged, or that of its batch: the way on is looked for octet by octet, through
/// the body.
static void test_behind_damage(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * FORGERIES; i++) {
		struct forgery f[FORGERIES];
		struct town *t = town_forged(f);
		const struct forgery *bad = &f[i / 2];
		bed_crash(t->s);
		flip(t, (uint32_t)(bad->ref.at >> 32), i % 2 ? SEG_DATA + 16 : BODY_AT - REC_HEAD + 16);
		without_index(t);
		t->s = bed_open(&t->bed);
		assert_true(t->s->start == START_LOG && t->s->damaged_batches > 0);
		town_same(t);
		for (unsigned k = 0; k < FORGERIES; k++)
			assert_int_equal(bed_same_body(t->s, f[k].ref, f[k].octets),
				&f[k] == bad && i % 2 == 0 ? E_CORRUPT : E_OK);
		end(t, f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_behind_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
