/// crash_test — stores that bad things happen to: killed processes, torn tails, damage, forged records.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "store/testbed.h"

enum { CELLS = 5, KEYS = 6, VALUE = 400 };

/// What the store must hold.
struct model_cell {
	uint64_t version;
	size_t head_n, n[KEYS];
	bool has[KEYS];
	uint8_t head[VALUE], value[KEYS][VALUE];
};
struct model {
	struct model_cell cell[CELLS];
};

static uint64_t lottery = 88172645463325252ull;

static uint32_t draw(uint32_t below)
{
	lottery ^= lottery << 13;
	lottery ^= lottery >> 7;
	lottery ^= lottery << 17;
	return (uint32_t)(lottery >> 20) % below;
}

static void no_index(struct bed *b)
{
	char path[128];

	snprintf(path, sizeof path, "%s/index/data.mdb", b->dir);
	unlink(path);
}

static void no_state(struct bed *b)
{
	char path[128];

	snprintf(path, sizeof path, "%s/state", b->dir);
	unlink(path);
}

static void seg_path(struct bed *b, uint32_t id, char out[static 128])
{
	snprintf(out, 128, "%s/log/%08x.seg", b->dir, id);
}

struct comparing {
	const struct model_cell *cell;
	unsigned seen;
	bool same;
};

static bool compare_key(void *arg, struct sl key, struct sl value)
{
	struct comparing *c = arg;
	unsigned k = key.n == 1 ? key.p[0] - 'a' : KEYS;

	c->seen++;
	c->same = c->same && k < KEYS && c->cell->has[k] && c->cell->n[k] == value.n &&
	          memcmp(c->cell->value[k], value.p, value.n) == 0;
	return c->same;
}

static bool same_cell(struct view *v, unsigned i, const struct model_cell *m)
{
	struct comparing c = { .cell = m, .same = true };
	struct cell_id id = { i % 2, i };
	uint64_t version = 0;
	struct sl head = { 0 };
	unsigned want = 0;

	enum ec e = cell_head(NULL, v, id, &version, &head);
	if (e == E_NOTFOUND)
		e = E_OK;
	for (unsigned k = 0; k < KEYS; k++)
		want += m->has[k];
	return e == E_OK && version == m->version && head.n == m->head_n &&
	       memcmp(m->head, head.p ? head.p : m->head, head.n) == 0 &&
	       cell_scan(NULL, v, id, SL(""), compare_key, &c) == E_OK && c.same && c.seen == want;
}

static bool same_as(struct store *s, const struct model *m)
{
	struct view *v;
	bool same = true;

	assert_int_equal(view_open(NULL, s, &v), E_OK);
	for (unsigned i = 0; i < CELLS; i++)
		same = same && same_cell(v, i, &m->cell[i]);
	view_close(v);
	return same;
}

static void model_patch(struct model_cell *m, unsigned k, size_t off, struct sl octets)
{
	if (!m->has[k] || m->n[k] < off + octets.n) {
		size_t old = m->has[k] ? m->n[k] : 0;
		memset(m->value[k] + old, 0, off + octets.n - old);
		m->n[k] = off + octets.n;
	}
	m->has[k] = true;
	memcpy(m->value[k] + off, octets.p, octets.n);
}

/// One random commit on the model and the store.
static enum ec run_random(struct cx *cx, struct txn *t, struct job *job)
{
	struct model *m = job->arg;
	unsigned i = draw(CELLS), ops = draw(5);
	struct model_cell *cell = &m->cell[i];
	struct change *c = change_begin(t, (struct cell_id){ i % 2, i }, cell->version);
	uint8_t octets[VALUE];
	uint64_t version;

	if (cell->version && draw(15) == 0) {
		change_drop(c);
		*cell = (struct model_cell){ 0 };
		return change_commit(cx, c, NULL, SL(""), &version);
	}
	for (unsigned j = 0; j <= ops; j++) {
		unsigned k = draw(KEYS);
		uint8_t name = (uint8_t)('a' + k);
		struct sl key = { &name, 1 }, value = { octets, draw(VALUE / 2) };
		size_t off = draw(VALUE / 2);
		memset(octets, (int)draw(256), sizeof octets);
		switch (draw(4)) {
		case 0:
			change_head(c, value);
			cell->head_n = value.n;
			memcpy(cell->head, octets, value.n);
			break;
		case 1:
			change_del(c, key);
			cell->has[k] = false;
			break;
		case 2:
			change_put(c, key, value);
			cell->has[k] = true;
			cell->n[k] = value.n;
			memcpy(cell->value[k], octets, value.n);
			break;
		default: change_patch(c, key, (uint32_t)off, value); model_patch(cell, k, off, value);
		}
	}
	cell->version++;
	return change_commit(cx, c, NULL, SL(""), &version);
}

/// Random work with reopening in every manner; the store equals the model throughout.
static void test_model(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.segment_octets = 64 << 10;
	struct store *s = bed_open(&b);
	struct model *m = calloc(1, sizeof *m);
	uint64_t raise = 0;

	for (unsigned i = 0; i < 1500; i++) {
		assert_int_equal(store_do(NULL, s, draw(4) == 0, run_random, m), E_OK);
		if (draw(30) == 0)
			assert_true(same_as(s, m));
		if (draw(40))
			continue;
		bool clean = draw(2);
		if (clean)
			store_close(s);
		else
			bed_crash(s);
		bool index_gone = draw(2), state_gone = draw(2);
		if (index_gone)
			no_index(&b);
		if (state_gone)
			no_state(&b);
		s = bed_open(&b);
		raise += state_gone ? 1 << 20 : 0;
		assert_true(store_version_raise(s) == raise);
		assert_true(s->damaged_batches == 0);
		assert_true(same_as(s, m));
	}
	store_close(s);
	free(m);
	bed_remove(&b);
}

struct file {
	uint8_t *p;
	size_t n;
};

static struct file file_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct file out = { 0 };

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	out.n = (size_t)ftell(f);
	rewind(f);
	out.p = malloc(out.n + 1);
	assert_int_equal(fread(out.p, 1, out.n, f), out.n);
	fclose(f);
	return out;
}

static void file_write(const char *path, struct file in, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(in.p, 1, n, f), n);
	fclose(f);
}

/// Leaves only segment `id` with the first `n` octets of `in`, and no index.
static void only_segment(struct bed *b, uint32_t id, struct file in, size_t n)
{
	char path[128];

	for (uint32_t other = 0; other < 16; other++) {
		seg_path(b, other, path);
		unlink(path);
	}
	no_index(b);
	seg_path(b, id, path);
	file_write(path, in, n);
}

/// The log cut at every octet of its last batch: what is left is the batch before.
static void test_torn(void **state)
{
	(void)state;
	struct bed b = bed_make();
	b.conf.segment_octets = 16 << 10;
	struct store *s = bed_open(&b);
	struct model *m = calloc(2, sizeof *m);
	char path[128];

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(store_do(NULL, s, true, run_random, &m[0]), E_OK);
	m[1] = m[0];
	uint64_t from = s->journal.end.at;
	assert_int_equal(store_do(NULL, s, true, run_random, &m[1]), E_OK);
	uint64_t to = s->journal.end.at;
	bed_crash(s);
	seg_path(&b, 1, path);
	struct file log = file_read(path);
	struct file torn = { malloc(log.n), log.n };
	for (uint64_t cut = from; cut <= to; cut++) {
		for (int zeros = 0; zeros < 2; zeros++) { // a short file, or one whose last blocks never came
			memcpy(torn.p, log.p, log.n);
			memset(torn.p + cut, 0, log.n - cut);
			bool whole = memcmp(torn.p, log.p, zeros ? log.n : cut) == 0 && (zeros || cut == to);
			only_segment(&b, 1, torn, zeros ? log.n : cut);
			s = bed_open(&b);
			struct model *now = calloc(1, sizeof *now);
			*now = m[whole];
			assert_true(same_as(s, now));
			assert_true(s->damaged_batches == 0);
			assert_int_equal(store_do(NULL, s, true, run_random, now), E_OK); // and it goes on
			bed_crash(s);
			no_index(&b);
			s = bed_open(&b);
			assert_true(same_as(s, now) && s->damaged_batches == 0);
			bed_crash(s);
			free(now);
		}
	}
	free(torn.p);
	free(log.p);
	free(m);
	bed_remove(&b);
}

/// The story that the damage tests read: four durable batches; the second has a body.
struct story {
	struct bed b;
	struct file log;
	uint64_t at[5]; // where each batch begins, and the end
	uint64_t body_from, body_to;
	struct body_ref ref;
	struct sl body;
};

static const struct cell_id cell_a = { 1, 1 }, cell_b = { 1, 2 }, cell_c = { 1, 3 };

static struct story story_make(struct sl body)
{
	struct story st = { .b = bed_make(), .body = body };
	struct put p[4] = {
		{ cell_a, 0, 0, SL("k"), SL("one"), SL("head"), .outcome = SL("") },
		{ cell_b, 0, 0, SL("k"), SL("body"), .outcome = SL("outcome"), .op = { "operation" } },
		{ cell_a, 1, 0, SL("k"), SL("two"), .outcome = SL("") },
		{ cell_c, 0, 0, SL("k"), SL("last"), .outcome = SL("") },
	};
	char path[128];

	st.b.conf.segment_octets = 16 << 10;
	struct store *s = bed_open(&st.b);
	p[1].blob = bed_blob(s, body);
	for (size_t i = 0; i < 4; i++) {
		st.at[i] = s->journal.end.at;
		assert_int_equal(store_do(NULL, s, true, put_run, &p[i]), E_OK);
	}
	st.at[4] = s->journal.end.at;
	st.ref = p[1].ref;
	st.body_from = st.ref.at % (1ull << 32) + REC_HEAD;
	st.body_to = st.body_from + body.n;
	blob_free(p[1].blob);
	bed_crash(s);
	seg_path(&st.b, 1, path);
	st.log = file_read(path);
	return st;
}

static void story_end(struct story *st)
{
	free(st->log.p);
	bed_remove(&st->b);
}

/// Every octet of four batches damaged in turn: only what the octet belongs to is lost, and never silently wrong.
static void test_damage(void **state)
{
	(void)state;
	struct story st = story_make(bed_octets(300, 5));

	for (uint64_t at = st.at[0]; at < st.at[4]; at++) {
		char name[64];
		snprintf(name, sizeof name, "octet %u", (unsigned)at);
		st.log.p[at] ^= 0x55;
		only_segment(&st.b, 1, st.log, st.log.n);
		struct store *s = bed_open(&st.b);
		unsigned batch = at < st.at[1] ? 0 : at < st.at[2] ? 1 : at < st.at[3] ? 2 : 3;
		CHECK(batch == 0 || batch == 2 || has(s, cell_a, SL("two")), name);
		CHECK(batch != 0 || has(s, cell_a, SL("two")), name);
		CHECK(batch != 2 || has(s, cell_a, SL("one")) || has(s, cell_a, SL("two")), name);
		CHECK(batch == 1 || has(s, cell_b, SL("body")), name);
		CHECK(batch == 3 || has(s, cell_c, SL("last")), name);
		bool in_body = at >= st.body_from - REC_HEAD && at < st.body_to + 4;
		enum ec e = bed_same_body(s, st.ref, st.body);
		CHECK(e == (in_body ? E_CORRUPT : E_OK), name);
		CHECK(!in_body || has(s, cell_b, SL("body")), name);
		bool seen = s->damaged_batches > 0;
		CHECK(seen == (batch != 3 && (at < st.body_from || at >= st.body_to + 4)), name);
		bed_crash(s);
		st.log.p[at] ^= 0x55;
	}
	sl_free(st.body);
	story_end(&st);
}

/// A body with perfect records — right type, place and number — made with a nonce that is not the segment's.
static void test_forged(void **state)
{
	(void)state;
	uint8_t body[4000] = { 0 };
	struct hash_key nonce = { 1, 2 };

	for (uint32_t at = 0; at + 200 < sizeof body; at += 200) {
		uint8_t ops[OP_HEAD + 4] = { 0 };
		struct op o = { .kind = OP_PUT, .key = SL("k"), .value = SL("bad") };
		op_encode(&o, ops);
		memcpy(ops + OP_HEAD, "kbad", 4);
		struct rec r = {
			.type = at % 400 ? REC_COMMIT : REC_BEGIN,
			.octets = at % 400 ? sizeof ops : 0,
			.crc = crc32c(0, (struct sl){ ops, sizeof ops }),
			.lsn = 2,
			.at = 8192 + 80 + 80 + 64 + 100 + at,
			.arg = { 1, 1, 9 },
		};
		rec_encode(&nonce, &r, body + at);
		memcpy(body + at + REC_HEAD, ops, sizeof ops);
	}
	struct story st = story_make((struct sl){ body, sizeof body });
	// the forger guessed where the body would be: put the right places in, still without the nonce
	for (uint32_t at = 0; at + 200 < sizeof body; at += 200) {
		put_le32(st.log.p + st.body_from + at + 24, (uint32_t)(st.body_from + at));
		put_le64(st.log.p + st.body_from + at,
			hash_keyed(&nonce, (struct sl){ st.log.p + st.body_from + at + 8, REC_HEAD - 8 }));
	}
	st.log.p[st.at[1] + 3] ^= 1;                // BEGIN of the body's batch
	st.log.p[st.body_from - REC_HEAD + 9] ^= 1; // and the body's header: now its octets are scanned
	only_segment(&st.b, 1, st.log, st.log.n);
	struct store *s = bed_open(&st.b);
	assert_true(s->damaged_batches > 0);
	assert_true(has(s, cell_a, SL("two")) && has(s, cell_b, SL("body")) && has(s, cell_c, SL("last")));
	store_close(s);
	story_end(&st);
}

/// Damaged headers: one copy is enough; without both the segment is set aside and what is left is served, at each start
/// alike; later formats are refused.
static void test_segment_headers(void **state)
{
	(void)state;
	struct story st = story_make(SL("body"));
	static const struct {
		const char *name;
		bool first, second;
		int format;
		enum ec want;
		uint64_t damage;
	} cases[] = {
		{ "first copy damaged", true, false, 0, E_OK, 0 },
		{ "second copy damaged", false, true, 0, E_OK, 0 },
		{ "both damaged", true, true, 0, E_OK, 1 },
		{ "nothing left of them", true, true, -1, E_OK, 1 },
		{ "later format", false, false, 2, E_UNSUPPORTED, 0 },
	};

	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct file log = { malloc(st.log.n), st.log.n };
		struct cx cx = { 0 };
		struct store *s = NULL;
		char text[800];
		memcpy(log.p, st.log.p, log.n);
		for (size_t at = 0; at <= SEG_SECOND; at += SEG_SECOND) {
			log.p[at + 40] ^= at ? cases[i].second : cases[i].first;
			if (cases[i].format < 0)
				memset(log.p + at, 0, SEG_HEAD);
			if (cases[i].format > 0) {
				log.p[at + 8] = (uint8_t)cases[i].format;
				put_le32(log.p + at + SEG_HEAD - 4, crc32c(0, (struct sl){ log.p + at, SEG_HEAD - 4 }));
			}
		}
		only_segment(&st.b, 1, log, log.n);
		st.b.conf.dir = sl_cstr(st.b.dir);
		enum ec e = store_open(&cx, &st.b.conf, &s);
		CHECK(e == cases[i].want, cases[i].name);
		cx_story(&cx, text, sizeof text);
		CHECK(e == E_OK || strstr(text, "00000001.seg"), cases[i].name);
		for (int round = 0; e == E_OK && round < 2; round++) {
			char path[200];
			snprintf(path, sizeof path, "%s/log/00000001.seg.lost", st.b.dir);
			CHECK(cases[i].damage || has(s, cell_c, SL("last")), cases[i].name);
			CHECK(store_damage(s) == cases[i].damage, cases[i].name);
			CHECK((access(path, F_OK) == 0) == (cases[i].damage > 0), cases[i].name);
			path[strlen(path) - 5] = 0;
			CHECK((access(path, F_OK) == 0) == (cases[i].damage == 0), cases[i].name); // no id twice
			path[strlen(path)] = '.';
			store_close(s);
			s = bed_open(&st.b);
			if (round)
				(void)unlink(path);
		}
		store_close(s);
		cx_end(&cx);
		free(log.p);
	}
	story_end(&st);
}

// ---- killed processes

/// Commits without end: cell i % CELLS gets two keys that must always agree; each acknowledged number goes to `fd`.
static enum ec run_pair(struct cx *cx, struct txn *t, struct job *job)
{
	const uint64_t *n = job->arg;
	struct cell_id id = { 9, *n % CELLS };
	uint64_t version = 0;
	struct sl head;
	uint8_t octets[8];

	put_be64(octets, *n);
	enum ec e = cell_head(cx, txn_view(t), id, &version, &head);
	if (e != E_OK && e != E_NOTFOUND)
		return e;
	struct change *c = change_begin(t, id, version);
	change_put(c, SL("x"), (struct sl){ octets, 8 });
	change_put(c, SL("y"), (struct sl){ octets, 8 });
	return change_commit(cx, c, NULL, SL(""), &version);
}

static void child_commits(struct bed *b, uint64_t from, int fd)
{
	struct store *s = NULL;

	if (store_open_on(NULL, &b->conf, &b->disk, &s))
		_exit(1);
	for (uint64_t n = from;; n++) {
		if (store_do(NULL, s, n % 3 == 0, run_pair, &n) || write(fd, &n, sizeof n) != sizeof n)
			_exit(2);
	}
}

/// The newest number that a cell holds; both keys must agree.
static uint64_t cell_number(struct store *s, uint64_t cell)
{
	struct view *v;
	struct sl x = { 0 }, y = { 0 };

	assert_int_equal(view_open(NULL, s, &v), E_OK);
	enum ec e = cell_get(NULL, v, (struct cell_id){ 9, cell }, SL("x"), &x);
	assert_int_equal(cell_get(NULL, v, (struct cell_id){ 9, cell }, SL("y"), &y), e);
	assert_true(e == E_NOTFOUND || sl_eq(x, y));
	uint64_t n = e ? 0 : get_be64(x.p);
	view_close(v);
	return n;
}

static void test_kill(void **state)
{
	(void)state;
	struct bed b = bed_make();
	uint64_t acked[CELLS] = { 0 }, next = 1;

	b.conf.dir = sl_cstr(b.dir);
	for (unsigned round = 0; round < 20; round++) {
		int fd[2];
		uint64_t n;
		assert_int_equal(pipe(fd), 0);
		pid_t pid = fork();
		if (pid == 0) {
			close(fd[0]);
			child_commits(&b, next, fd[1]);
		}
		close(fd[1]);
		unsigned wanted = 1 + draw(200);
		for (unsigned got = 0; read(fd[0], &n, sizeof n) == sizeof n;) {
			acked[n % CELLS] = n;
			next = n + 1;
			if (++got == wanted)
				kill(pid, SIGKILL);
		}
		close(fd[0]);
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFSIGNALED(status));
		if (round % 3 == 0)
			no_index(&b);
		struct store *s = bed_open(&b);
		assert_true(s->damaged_batches == 0);
		for (uint64_t c = 0; c < CELLS; c++) {
			n = cell_number(s, c);
			assert_true(n >= acked[c]);
			next = n >= next ? n + 1 : next;
		}
		store_close(s);
	}
	bed_remove(&b);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_segment_headers),
		cmocka_unit_test(test_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
