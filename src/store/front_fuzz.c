/// Fuzz target: a front that has been taken. Octets choose requests made from ipc/verbs.def, so new verbs are in it.
///
/// The taken front holds bob's handle and one that it stole from alice's front. It sends requests that are nearly
/// right, wrong in one field, cut, too long, sent again, too many, with descriptors, of other kinds' verbs; a thread of
/// it writes into its arena all the while. An honest front with alice's session works beside it on the same store.
/// Then: what must be refused is, alice's answers are right, nothing of hers comes to the taken front, nothing crashes.
#include <pthread.h>
#include <stdatomic.h>

#include "base/num.h"
#include "store/request.h"
#include "store/serve_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARKER "pomegranate-4711" // stands in all that is alice's and nowhere else

enum { WORLD_INPUTS = 64, FIELDS_MAX = 16, SEQS = 1024, HONEST_EVERY = 24, BURST = INFLIGHT_MAX + 40, BODY_MAX = 3000 };
enum field_kind {
	FK_U8,
	FK_U32,
	FK_U64,
	FK_I64,
	FK_BOOL,
	FK_STR,
	FK_SECRET,
	FK_BYTES,
	FK_HANDLE,
	FK_OP,
	FK_RANGE,
	FK_RANGES,
	FK_U32S
};

struct field {
	enum field_kind kind;
	const char *name;
	size_t at, octets;
	uint64_t limit;
};

#define NOTE_FIELD(kind, name, limit) \
	f[n++] = (struct field){ FK_##kind, #name, offsetof(type, name), sizeof((type *)0)->name, limit };
#define VERB(verb, who)                              \
	static size_t fields_##verb(struct field *f) \
	{                                            \
		typedef struct req_##verb type;      \
		size_t n = 0;                        \
		(void)f, (void)sizeof(type);         \
		REQ_##verb(NOTE_FIELD) return n;     \
	}
#include "ipc/verbs.def"

static size_t (*const fields_of[VERBS])(struct field *f) = {
#define VERB(verb, who) [VERB_##verb] = fields_##verb,
#include "ipc/verbs.def"
};

struct world {
	struct mailbed *b;
	struct serve *s;
	struct client honest;
	struct handle alice, bob; // bob's for the taken front, alice's for the honest one
	uint64_t own;             // alice's mailbox
	uint32_t letters;         // in it
};

/// One front that is taken, for one input.
struct taken {
	const struct world *w;
	struct sl rest; // octets that still choose
	enum peer_kind kind;
	struct client c;
	int arena_fd;
	uint8_t *arena;   // of all its connections
	bool wrong[SEQS]; // by seq: must not be E_OK
	bool sane;        // this request is to be right
	uint64_t upload;  // the last that was begun
	uint64_t inbox;   // bob's; another after a RENAME
	unsigned sent;
	_Atomic bool racing;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

// ---- the honest front

static uint32_t letter_print(uint8_t *at, uint32_t i)
{
	return (uint32_t)sprintf((char *)at, "Subject: " MARKER "\r\n\r\nletter %u of alice\r\n", i);
}

/// Alice stores a letter and reads it and an older one: each answer must be right.
static void honest_turn(struct world *w)
{
	struct client *c = &w->honest;
	uint8_t text[128];
	uint32_t n = letter_print(text, w->letters + 1);
	struct req_mbox_append q = { .handle = w->alice, .mbox = w->own, .body = { 1, { { 0, n } } } };
	struct ans_mbox_append a = { 0 };

	memcpy(q.op, &w->letters, sizeof w->letters);
	q.op[15] = 1;
	memcpy(c->arena, text, n);
	must(ASK(c, mbox_append, &q, &a) == E_OK && a.uid == w->letters + 1);
	w->letters = a.uid;
	struct req_mbox_read r = { .handle = w->alice,
		.mbox = w->own,
		.uid = { a.uid, a.uid / 2 + 1 },
		.out = { 2, { { 4096, 128 }, { 8192, 128 } } } };
	struct ans_mbox_read got = { 0 };
	memset(c->arena, 0, 16384);
	must(ASK(c, mbox_read, &r, &got) == E_OK && got.got[0] == n && memcmp(c->arena + 4096, text, n) == 0);
	n = letter_print(text, a.uid / 2 + 1);
	must(got.got[1] == n && memcmp(c->arena + 8192, text, n) == 0);
}

static struct handle log_in(struct client *c, struct sl user, struct sl password)
{
	struct req_login q = { .most = UINT32_MAX };
	struct ans_login a;

	must(field_set(q.user, user) == E_OK && field_set(q.password, password) == E_OK &&
		ASK(c, login, &q, &a) == E_OK);
	return a.handle;
}

static void add_account(struct client *admin, struct sl address, struct sl password)
{
	struct req_user_add q = { 0 };
	struct ans_user_add a;

	must(field_set(q.address, address) == E_OK && field_set(q.password, password) == E_OK);
	must(ASK(admin, user_add, &q, &a) == E_OK);
}

static void world_make(struct world *w)
{
	struct req_domain_add d = { 0 };
	struct ans_domain_add added;
	struct req_mbox_create q = { 0 };
	struct ans_mbox_create made = { 0 };

	*w = (struct world){ .b = mailbed_new() };
	w->s = bed_serve(w->b);
	struct client admin = client_new(w->s, BY_ADMIN, 1), taken = client_new(w->s, BY_USER, 7);
	must(field_set(d.domain, SL("x.org")) == E_OK && ASK(&admin, domain_add, &d, &added) == E_OK);
	add_account(&admin, SL("alice@x.org"), SL("not to be guessed"));
	add_account(&admin, SL("bob@x.org"), SL("p"));
	client_end(&admin);
	w->bob = log_in(&taken, SL("bob@x.org"), SL("p"));
	client_end(&taken);
	w->honest = client_new(w->s, BY_USER, 1);
	must(setsockopt(w->honest.fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 60, 0 }, sizeof(struct timeval)) ==
		0);
	w->alice = log_in(&w->honest, SL("alice@x.org"), SL("not to be guessed"));
	q.handle = w->alice;
	must(field_set(q.name, SL(MARKER)) == E_OK && ASK(&w->honest, mbox_create, &q, &made) == E_OK);
	w->own = made.mbox;
}

/// One world serves WORLD_INPUTS inputs: making one costs more than an input.
static struct world *world_get(void)
{
	static struct world w;
	static unsigned inputs;

	if (w.s && ++inputs % WORLD_INPUTS == 0) {
		client_end(&w.honest);
		serve_free(w.s);
		mailbed_free(w.b);
		w.s = NULL;
	}
	if (!w.s)
		world_make(&w);
	return &w;
}

// ---- requests that are nearly right

/// A number below n, as the input says; 0 at its end.
static uint64_t pick(struct taken *t, uint64_t n)
{
	uint64_t v = 0;

	for (uint64_t left = n - 1; left && t->rest.n; left >>= 8) {
		v = v << 8 | t->rest.p[0];
		t->rest = sl_from(t->rest, 1);
	}
	return n ? v % n : v;
}

static uint64_t pick_number(struct taken *t, uint64_t limit)
{
	const uint64_t of[] = { 0, 1, 2, 3, 4, t->upload, limit, limit + 1, limit / 2, UINT32_MAX, UINT64_MAX,
		1ull << 63, t->w->own, pick(t, 1 << 16) };
	uint64_t v = of[pick(t, t->sane ? 6 : ARRAY_N(of))];

	return t->sane && v > limit ? limit : v;
}

/// True where it lies in the arena.
static bool pick_range(struct taken *t, struct range *r)
{
	const struct range of[] = { { 0, sizeof(struct pl_uids) }, { 64, 8 }, { 64, 16 }, { 4096, 65536 }, { 0, 4096 },
		{ (uint32_t)pick(t, BED_ARENA), 1 }, { BED_ARENA - 8, 8 }, { 0, 0 }, { 0, BED_ARENA },
		{ BED_ARENA - 8, 9 }, { BED_ARENA, 1 }, { UINT32_MAX - 3, 8 }, { 8, UINT32_MAX } };

	*r = of[pick(t, t->sane ? 7 : ARRAY_N(of))];
	return r->len == 0 || (uint64_t)r->off + r->len <= BED_ARENA;
}

static bool pick_ranges(struct taken *t, uint8_t *at, const struct field *f)
{
	const uint32_t counts[] = { 1, 2, 0, (uint32_t)f->limit, (uint32_t)f->limit + 1, UINT32_MAX };
	uint32_t n = counts[pick(t, t->sane ? 2 : ARRAY_N(counts))];
	bool right = n <= f->limit;

	memcpy(at, &n, sizeof n);
	for (uint32_t i = 0; i < n && i < f->limit; i++) {
		struct range r;
		right &= pick_range(t, &r);
		memcpy(at + sizeof n + i * sizeof r, &r, sizeof r);
	}
	return right;
}

static bool pick_text(struct taken *t, uint8_t *at, const struct field *f)
{
	static const char *const words[] = { "", "INBOX", "a", "a/b", "alice@x.org", "bob@x.org", "x.org", MARKER "?",
		"\\Seen", "..", "\xff", "alice" };
	const uint64_t lengths[] = { f->limit, f->limit + 1, UINT16_MAX, 0, 1, 2 };
	struct sl word = sl_cstr(words[pick(t, ARRAY_N(words))]);
	uint64_t n = t->sane || pick(t, 4) ? word.n : lengths[pick(t, ARRAY_N(lengths))];

	memcpy(at, &(uint16_t){ (uint16_t)n }, 2);
	memcpy(at + 2, word.p, word.n < f->limit ? word.n : f->limit);
	return n <= f->limit;
}

static bool pick_handle(struct taken *t, uint8_t *at)
{
	struct handle h = pick(t, 8) ? t->w->bob : t->w->alice; // a stolen one is another front's

	if (t->sane)
		h = t->w->bob;
	bool right = memcmp(&h, &t->w->bob, sizeof h) == 0 && t->kind == BY_USER;
	switch (t->sane ? 16 : pick(t, 16)) {
	case 0:
		((uint8_t *)&h)[pick(t, sizeof h)] ^= (uint8_t)(1u << pick(t, 8));
		right = false;
		break;
	case 1:
		h.account = t->w->alice.account;
		right = false;
		break;
	case 2:
		h.expires_s += 1000;
		right = false;
		break;
	default: break;
	}
	memcpy(at, &h, sizeof h);
	return right;
}

/// Where a request is to be right: the places that send_request has filled.
static bool fill_by_name(struct taken *t, uint8_t *at, const struct field *f)
{
	static const struct {
		const char *name;
		struct range r;
	} lists[] = { { "set", { 0, sizeof(struct pl_uids) } }, { "targets", { 64, 8 } }, { "out", { 65536, 65536 } } };

	for (size_t i = 0; f->kind == FK_RANGE && i < ARRAY_N(lists); i++)
		if (strcmp(f->name, lists[i].name) == 0) {
			memcpy(at, &lists[i].r, sizeof lists[i].r);
			return true;
		}
	if (strcmp(f->name, "upload") == 0) {
		memcpy(at, &(uint64_t){ pick(t, 2) ? t->upload : 0 }, 8);
		return true;
	}
	if (strcmp(f->name, "op") == 0) {
		memcpy(at, &t->sent, sizeof t->sent);
		at[15] = 2;
		return true;
	}
	if (f->kind == FK_U64 && f->limit == 0 && pick(t, 4)) {
		memcpy(at, &t->inbox, 8);
		return true;
	}
	return false;
}

/// One field. False where what stands there now must be refused.
static bool fill_field(struct taken *t, uint8_t *at, const struct field *f)
{
	uint64_t v;

	if (t->sane && fill_by_name(t, at, f))
		return true;
	switch (f->kind) {
	case FK_U8:
	case FK_BOOL: *at = (uint8_t)(v = pick_number(t, f->limit) & 0xff); return v <= f->limit;
	case FK_U32:
		v = (uint32_t)pick_number(t, f->limit);
		memcpy(at, &(uint32_t){ (uint32_t)v }, 4);
		return v <= f->limit;
	case FK_U64:
	case FK_I64:
		v = pick_number(t, 5);
		memcpy(at, &v, 8);
		return true;
	case FK_STR:
	case FK_SECRET: return pick_text(t, at, f);
	case FK_BYTES:
	case FK_OP: at[f->octets - 1] = (uint8_t)pick(t, 256); return true;
	case FK_HANDLE: return pick_handle(t, at);
	case FK_RANGE: {
		struct range r;
		bool right = pick_range(t, &r);
		memcpy(at, &r, sizeof r);
		return right;
	}
	case FK_RANGES: return pick_ranges(t, at, f);
	case FK_U32S:
		for (size_t i = 0; i < f->limit; i += 1 + pick(t, 8))
			memcpy(at + i * 4, &(uint32_t){ (uint32_t)pick_number(t, 5) }, 4);
		return true;
	}
	abort();
}

/// What has been answered. A frame that had to be refused was not done.
static void drain(struct taken *t)
{
	uint8_t frame[FRAME_MAX];
	struct frame_head head;
	ssize_t k;

	while ((k = recv(t->c.fd, frame, sizeof frame, MSG_DONTWAIT)) > 0) {
		must((size_t)k >= sizeof head && (size_t)k <= sizeof frame);
		memcpy(&head, frame, sizeof head);
		if (head.verb == VERB_upload_begin && head.status == E_OK)
			memcpy(&t->upload, frame + sizeof head + offsetof(struct ans_upload_begin, upload),
				sizeof t->upload);
		must(head.verb == VERB_note || head.status != E_OK || !t->wrong[head.seq % SEQS]);
		must(!memmem(frame, (size_t)k, SL(MARKER "\r").p, SL(MARKER "\r").n));
	}
}

static void connect_again(struct taken *t)
{
	struct req_hello q = { .build = BED_BUILD, .arena_octets = BED_ARENA };

	if (t->c.fd) {
		drain(t);
		close(t->c.fd);
	}
	t->c = client_raw(t->w->s, t->kind, 7);
	must(client_send(&t->c, VERB_hello, &q, sizeof q, t->arena_fd));
	must(client_answer(&t->c, NULL, 0) == E_OK);
	struct req_mbox_find find = { .handle = t->w->bob };
	struct ans_mbox_find found = { 0 };
	must(field_set(find.name, SL("INBOX")) == E_OK);
	must((ASK(&t->c, mbox_find, &find, &found) == E_OK) == (t->kind == BY_USER));
	t->inbox = found.mbox;
	memset(t->wrong, 0, sizeof t->wrong);
}

/// Sends a body of `n` octets, perhaps with a descriptor, perhaps twice under one number.
static void send_body(struct taken *t, uint32_t verb, const uint8_t *body, size_t n, bool right)
{
	int fd = pick(t, 32) == 0 ? bed_memfd(8192, F_SEAL_SHRINK | F_SEAL_GROW) : -1;
	bool again = pick(t, 16) == 0;
	const struct verb_info *info = verb_info(verb);

	if (!info || n != info->req_octets || !(info->who & (uint32_t)t->kind) || verb == VERB_hello)
		right = false;
	t->wrong[(t->c.seq + 1) % SEQS] = !right;
	bool went = client_send(&t->c, verb, body, n, fd);
	if (went && again) {
		t->c.seq--;
		went = client_send(&t->c, verb, body, n, -1);
	}
	if (fd >= 0)
		close(fd);
	t->sent++;
	if (!went)
		connect_again(t);
}

static void send_request(struct taken *t)
{
	_Alignas(16) uint8_t body[BODY_MAX] = { 0 };
	struct field f[FIELDS_MAX];
	uint32_t verb = (uint32_t)pick(t, VERBS + 2);
	const struct verb_info *info = verb_info(verb);
	size_t n = info ? info->req_octets : (size_t)pick(t, FRAME_MAX);
	bool right = true;

	if (info && !(info->who & (uint32_t)t->kind) && pick(t, 4))
		return; // most of what others may ask is not worth the octets
	t->sane = pick(t, 2);
	memcpy(t->arena, &(struct pl_uids){ 1, 1 }, sizeof(struct pl_uids));
	memcpy(t->arena + 64, (const uint64_t[]){ t->w->bob.account, t->w->alice.account }, 16);
	size_t fields = info ? fields_of[verb](f) : 0;
	for (size_t i = 0; i < fields; i++)
		right &= fill_field(t, body + f[i].at, &f[i]);
	if (!t->sane && pick(t, 12) == 0)
		n = pick(t, 2) ? n / 2 : (size_t)pick(t, BODY_MAX);
	send_body(t, verb, body, n, right);
}

/// More than may be in flight, without looking at an answer.
static void send_burst(struct taken *t)
{
	struct req_mbox_list q = { .handle = t->w->bob, .out = { 0, 65536 } };

	for (unsigned i = 0; i < BURST; i++) {
		t->wrong[(t->c.seq + 1) % SEQS] = t->kind != BY_USER;
		if (!client_send(&t->c, VERB_mbox_list, &q, sizeof q, -1)) {
			connect_again(t);
			return;
		}
	}
}

static void *race(void *arg)
{
	struct taken *t = arg;
	uint32_t x = 1;

	while (t->racing) {
		x = x * 1664525 + 1013904223;
		// mostly bodies, now and then the lists that requests point to
		t->arena[x >> 26 ? 4096 + (x >> 8) % 4096 : (x >> 8) % 128] ^= (uint8_t)x;
		if (x >> 24 == 0)
			usleep(10);
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum peer_kind kinds[] = { BY_USER, BY_MX, BY_OUTBOUND, BY_USER };
	struct world *w = world_get();
	struct taken t = { .w = w,
		.rest = { data, size },
		.arena_fd = bed_memfd(BED_ARENA, F_SEAL_SHRINK | F_SEAL_GROW),
		.racing = true };
	pthread_t racer;

	t.kind = kinds[pick(&t, ARRAY_N(kinds))];
	t.arena = mmap(NULL, BED_ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, t.arena_fd, 0);
	must(t.arena != MAP_FAILED);
	connect_again(&t);
	must(pthread_create(&racer, NULL, race, &t) == 0);
	while (t.rest.n) {
		send_request(&t);
		if (pick(&t, 400) == 0)
			send_burst(&t);
		if (pick(&t, 8) == 0)
			drain(&t);
		if (t.sent % HONEST_EVERY == 0)
			honest_turn(w);
	}
	honest_turn(w);
	drain(&t);
	t.racing = false;
	must(pthread_join(racer, NULL) == 0);
	must(!memmem(t.arena, BED_ARENA, SL(MARKER "\r").p, SL(MARKER "\r").n));
	close(t.c.fd);
	while (serve_peers(w->s) > 1)
		usleep(100);
	munmap(t.arena, BED_ARENA);
	close(t.arena_fd);
	return 0;
}
