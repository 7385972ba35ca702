/// damage_test — every kind of octet of every kind of record and file is damaged in turn: it costs what that record
/// holds and nothing else, nothing that differs is ever given out, and the checker tells.
///
/// A small store is made that has every type of record in every kind of segment. For each case a copy of it is damaged
/// in one octet and opened in each way a start may go: from the index, from a snapshot, from the segments alone.
#include "store/compact_bed.h"

#include <stdlib.h>

#include "store/snapshot.h"

enum { BODIES = 64, TARGETS = 4096, EACH = 2 };

/// Where an octet is damaged, and what that may cost.
struct target {
	char file[48], what[80];
	uint64_t at;
	bool covered;        // the checker has to tell
	bool counted;        // a start from the segments has to tell
	uint64_t body;       // this body may be gone
	struct cell_id cell; // rows of this cell may be older than they were; all zero: none
};

struct body_made {
	struct body_ref ref;
	uint32_t seed;
};

struct site {
	char dir[64], work[64]; // as it was made; the copy that is damaged
	struct town *t;
	struct body_made made[BODIES];
	size_t made_n;
	struct target *all;
	size_t n;
	unsigned seen[256]; // targets by type of record
};

// ---- the store

static void put(struct site *s, unsigned cell, unsigned row, uint32_t octets)
{
	assert_int_equal(town_put(s->t, cell, row, octets), E_OK);
	const struct town_row *r = &s->t->rows[cell][row];
	if (octets)
		s->made[s->made_n++] = (struct body_made){ r->ref, r->seed };
}

static void compact(struct site *s)
{
	static const struct compact_conf any_dead = { .dead_percent = 1 };
	struct compact_result r;

	assert_int_equal(compact_run(NULL, s->t->s, &any_dead, &r), E_OK);
	assert_true(r.packs > 0 && r.damaged == 0);
}

/// Everything that compaction makes a pack of, and then as much behind it.
static void fill(struct site *s)
{
	s->t->bed.conf.segment_octets = 128 << 10;
	town_restart(s->t, false);
	put(s, 0, 1, BLOB_INLINE_MAX + 70001);
	put(s, 0, 2, BLOB_INLINE_MAX + 2);
	put(s, 0, 2, 0);
	for (unsigned i = 0; i < 12; i++)
		put(s, i % 3, 3 + i % 4, 900 + 4001 * (i % 5));
	put(s, 1, 9, 200003);
	assert_int_equal(image_write(NULL, s->t->s, town_cell(1), true), E_OK);
	town_restart(s->t, false); // so that the bulk segment is no longer written to
	put(s, 2, 4, 100);
	compact(s);
	for (unsigned i = 0; i < 10; i++)
		put(s, i % 4, 10 + i, 700 + 9001 * (i % 4));
	assert_int_equal(town_copy(s->t, 3, 13, 1), E_OK);
	put(s, 3, 5, BLOB_INLINE_MAX + 66001);
	assert_int_equal(image_write(NULL, s->t->s, town_cell(2), true), E_OK);
	put(s, 3, 6, 150001);
	assert_int_equal(store_roll(NULL, s->t->s), E_OK);
	assert_int_equal(snapshot_take(NULL, s->t->s), E_OK);
	for (unsigned i = 0; i < 4; i++)
		put(s, 3, 20 + i, 3000 + i);
	store_close(s->t->s);
}

// ---- what can be damaged

[[gnu::format(printf, 4, 5)]] static struct target *aim(
	struct site *s, const char *file, uint64_t at, const char *fmt, ...)
{
	struct target *t = &s->all[s->n++];
	va_list ap;

	assert_true(s->n < TARGETS);
	*t = (struct target){ .at = at, .covered = true };
	snprintf(t->file, sizeof t->file, "%s", file);
	va_start(ap, fmt);
	vsnprintf(t->what, sizeof t->what, fmt, ap);
	va_end(ap);
	return t;
}

static void aim_header(struct site *s, const char *file)
{
	static const unsigned fields[] = { 0, 8, 12, 16, 20, 24, 40, 44, 48, 56, 64, 72, 80, 100, 124 };

	for (size_t i = 0; i < ARRAY_N(fields); i++) {
		aim(s, file, fields[i], "segment header at %u", fields[i]);
		aim(s, file, SEG_SECOND + fields[i], "second header at %u", fields[i]);
	}
	aim(s, file, SEG_HEAD + 900, "between the headers")->covered = false;
	aim(s, file, SEG_DATA - 9, "before the records")->covered = false;
}

struct aiming {
	struct site *s;
	struct segfile *f;
	char file[48];
	unsigned of_type[256], left[256]; // records met, and to come
};

/// What the loss of this record may cost.
static void price(const struct aiming *a, const struct rec *r, struct target *t)
{
	bool log = a->f->head.kind == SEG_LOG;

	if (r->type == REC_BLOB)
		t->body = a->f->head.kind == SEG_PACK ? r->arg[BLOB_BIRTH] : (uint64_t)a->f->head.id << 32 | r->at;
	if (r->type == REC_COMMIT || r->type == REC_IMAGE)
		t->cell = (struct cell_id){ r->arg[COMMIT_ACCOUNT], r->arg[COMMIT_NAME] };
	t->counted = r->type != REC_SEAL && r->type != REC_MAP && (log || r->type != REC_BLOB);
	t->covered = r->type != REC_SEAL;
}

static enum ec aim_record(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	static const struct {
		const char *name;
		unsigned at;
	} fields[] = { { "check", 3 }, { "type", 8 }, { "flags", 9 }, { "outcome", 10 }, { "length", 13 },
		{ "LSN", 16 }, { "offset", 25 }, { "crc", 30 }, { "first number", 32 }, { "second number", 44 },
		{ "third number", 48 }, { "operation", 60 }, { "time", 72 } };
	struct aiming *a = arg;
	const char *kind = a->f->head.kind == SEG_LOG ? "log" : a->f->head.kind == SEG_BULK ? "bulk" : "pack";

	(void)cx, (void)payload;
	a->s->seen[r->type]++;
	bool first = a->of_type[r->type]++ < EACH, last = --a->left[r->type] == 0;
	if (!first && !last)
		return E_OK;
	for (size_t i = 0; i < ARRAY_N(fields); i++)
		price(a, r,
			aim(a->s, a->file, r->at + fields[i].at, "%s, record %x: %s", kind, r->type, fields[i].name));
	for (unsigned i = 0; i < 5 && r->octets; i++) {
		uint64_t at = r->at + REC_HEAD + (uint64_t)(r->octets - 1) * i / 4;
		struct target *t = aim(a->s, a->file, at, "%s, record %x: payload %u/4", kind, r->type, i);
		price(a, r, t);
		t->counted &= r->type != REC_BLOB; // a start looks at bodies only where they may be torn
	}
	return E_OK;
}

static enum ec count_record(struct cx *cx, void *arg, const struct rec *r, struct sl payload)
{
	struct aiming *a = arg;

	(void)cx, (void)payload;
	a->left[r->type]++;
	return E_OK;
}

/// The header; of each type of record the first ones and the last.
static void aim_segment(struct site *s, int dir, const struct seg_info *info)
{
	struct segfile f;
	struct aiming a = { .s = s, .f = &f };
	char name[SEG_NAME];
	uint64_t bad = 0;

	assert_int_equal(segfile_open(NULL, dir, info->head.id, &f), E_OK);
	seg_name(info->head.id, name);
	snprintf(a.file, sizeof a.file, "log/%s", name);
	struct walk w = { .f = &f, .limit = f.size };
	aim_header(s, a.file);
	assert_int_equal(walk_records(NULL, &w, SEG_DATA, f.size, 0, count_record, &a, &bad), E_OK);
	assert_int_equal(walk_records(NULL, &w, SEG_DATA, f.size, 0, aim_record, &a, &bad), E_OK);
	segfile_close(&f);
}

/// A file outside of the log: each octet of its beginning and its end, by tens. It is needed by nothing.
static void aim_file(struct site *s, const char *file, uint64_t octets)
{
	for (uint64_t at = 0; at < octets; at += at < 200 || octets - at < 300 ? 10 : octets / 8)
		aim(s, file, at, "octet %llu", (unsigned long long)at)->covered = false;
}

static void aim_all(struct site *s)
{
	struct seg_list l;
	char path[128];
	struct stat st;

	snprintf(path, sizeof path, "%s/log", s->dir);
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(seg_list_look(NULL, dir, &l), E_OK);
	for (size_t i = 0; i < l.n; i++)
		if (l.all[i].size && !l.all[i].stale)
			aim_segment(s, dir, &l.all[i]);
	seg_list_free(&l);
	close(dir);
	snprintf(path, sizeof path, "%s/snapshot/0000000000000001.mdb", s->dir);
	for (unsigned n = 1; stat(path, &st); n++)
		snprintf(path, sizeof path, "%s/snapshot/%016x.mdb", s->dir, n);
	aim_file(s, path + strlen(s->dir) + 1, (uint64_t)st.st_size);
	aim_file(s, "state", 64);
}

// ---- a case

static void shell(const char *fmt, const char *a, const char *b)
{
	char command[300];

	snprintf(command, sizeof command, fmt, a, b);
	assert_int_equal(system(command), 0);
}

static void flip(const struct site *s, const struct target *t, uint8_t bits)
{
	char path[160];
	uint8_t octet;

	snprintf(path, sizeof path, "%s/%s", s->work, t->file);
	int fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &octet, 1, (off_t)t->at), 1);
	octet ^= bits;
	assert_int_equal(pwrite(fd, &octet, 1, (off_t)t->at), 1);
	close(fd);
}

static void count_fault(void *arg, unsigned invariant, struct sl what)
{
	(void)invariant, (void)what;
	++*(unsigned *)arg;
}

static unsigned faults(const struct site *s)
{
	unsigned n = 0;
	struct check_conf conf = { .dir = sl_cstr(s->work), .map_octets = 16 << 20, .report = count_fault, .arg = &n };
	struct check_result r;

	assert_int_equal(check_log(NULL, &conf, &r), E_OK);
	assert_int_equal(r.violations, n);
	return n;
}

/// A body is what it was when it was made, or it does not come.
static enum ec read_made(const struct site *s, struct store *store, struct body_ref ref)
{
	for (size_t i = 0; i < s->made_n; i++)
		if (s->made[i].ref.at == ref.at) {
			struct town_row row = { .seed = s->made[i].seed, .octets = s->made[i].ref.octets };
			struct sl want = town_octets(&row);
			enum ec e = bed_same_body(store, ref, want);
			sl_free(want);
			return e;
		}
	return E_STATE;
}

/// Whether this row is as it was, or as this damage may have made it.
static bool row_stands(
	const struct site *s, struct store *store, struct view *v, const struct target *t, unsigned c, unsigned r)
{
	const struct town_row *row = &s->t->rows[c][r];
	bool hit = t->cell.account && t->cell.name == town_cell(c).name;
	uint8_t key[2] = { (uint8_t)r, 0 };
	struct sl value;
	enum ec e = cell_get(NULL, v, town_cell(c), (struct sl){ key, sizeof key }, &value);

	if (e == E_NOTFOUND)
		return !row->there || hit;
	if (e != E_OK || value.n != 12)
		return false;
	struct body_ref ref = { get_le64(value.p), get_le32(value.p + 8) };
	if (!hit && (!row->there || ref.at != row->ref.at || ref.octets != row->ref.octets))
		return false;
	e = read_made(s, store, ref);
	bool unread = e == E_CORRUPT || e == E_NOTFOUND;
	return e == E_OK || (unread && (t->body == ref.at || hit));
}

static bool all_stand(const struct site *s, struct store *store, const struct target *t)
{
	struct view *v;
	bool good = true;

	assert_int_equal(view_open(NULL, store, &v), E_OK);
	for (unsigned c = 0; good && c < TOWN_CELLS; c++)
		for (unsigned r = 0; good && r < TOWN_ROWS; r++)
			good = row_stands(s, store, v, t, c, r);
	view_close(v);
	return good;
}

enum from { FROM_INDEX, FROM_SNAPSHOT, FROM_LOG, FROMS };

static void one_case(const struct site *s, const struct target *t, enum from from)
{
	static const char *const names[] = { "index", "snapshot", "log" };
	struct put more = { { 9, 9 }, 0, 0, SL("k"), SL("v"), SL("h"), .outcome = SL("") };
	struct bed b = { .conf = s->t->bed.conf, .disk = disk_unflushed() };
	char name[200];

	snprintf(name, sizeof name, "%s at %llu: %s; start from the %s", t->file, (unsigned long long)t->at, t->what,
		names[from]);
	memcpy(b.dir, s->work, sizeof b.dir);
	shell("rm -rf %2$s; cp -a %1$s %2$s", s->dir, s->work);
	flip(s, t, t->at % 2 ? 0x01 : 0x80);
	CHECK(!t->covered || faults(s) > 0, name);
	if (from != FROM_INDEX)
		shell("rm -f %s/index/*%s", s->work, "");
	if (from == FROM_LOG)
		shell("rm -f %s/snapshot/*%s", s->work, "");
	struct store *store = bed_open(&b);
	CHECK(from != FROM_LOG || !t->counted || store->damaged_batches > 0, name);
	CHECK(all_stand(s, store, t), name);
	CHECK(store_do(NULL, store, true, put_run, &more) == E_OK, name); // life goes on
	bed_crash(store);
	(void)faults(s);
	store = bed_open(&b);
	CHECK(has(store, more.id, SL("v")) && all_stand(s, store, t), name);
	bed_crash(store);
}

static struct site *site_new(void)
{
	struct site *s = calloc(1, sizeof *s);

	s->all = calloc(TARGETS, sizeof *s->all);
	s->t = town_new(1);
	fill(s);
	memcpy(s->dir, s->t->bed.dir, sizeof s->dir);
	memcpy(s->work, bed_make().dir, sizeof s->work);
	aim_all(s);
	return s;
}

static void site_free(struct site *s)
{
	shell("rm -rf %s %s", s->dir, s->work);
	free(s->t);
	free(s->all);
	free(s);
}

/// DAMAGE_ALL=1 tries every case from every start (minutes); without it each third one, and the starts take turns.
static void test_every_octet(void **state)
{
	(void)state;
	static const enum rec_type types[] = { REC_BEGIN, REC_END, REC_COMMIT, REC_BLOB, REC_BULK, REC_SEAL, REC_IMAGE,
		REC_MAP };
	struct site *s = site_new();
	const char *wish = getenv("DAMAGE_ALL");

	for (size_t i = 0; i < ARRAY_N(types); i++)
		assert_true(s->seen[types[i]] > 0);
	for (size_t i = 0; i < s->n; i++)
		for (unsigned from = 0; from < FROMS; from++)
			if (wish || i % (FROMS * FROMS) == from * FROMS + from)
				one_case(s, &s->all[i], from);
	site_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_octet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
