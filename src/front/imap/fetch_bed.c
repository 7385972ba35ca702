/// fetch_bed — one bed at a time; the requests of verbs.def that FETCH and SEARCH make, on an array of messages.
#include "base/check.h"

#include "base/num.h"
#include "front/imap/fetch.h"
#include "front/imap/fetch_bed.h"
#include "front/imap/fetch_body.h"
#include "front/imap/late.h"
#include "front/imap/search.h"
#include "front/imap/select.h"

static struct bed *bed;
static uint8_t arena[BED_CHUNKS * CHUNK_OCTETS];
static bool taken[BED_CHUNKS];

void bed_begin(struct bed *b)
{
	*b = (struct bed){ .modseq = 10 };
	b->conf = (struct front_conf){ .message_max = 1 << 20 };
	b->session = (struct session){ .front = &b->front, .conf = &b->conf, .cx = &b->cx };
	b->im = (struct imap){ .s = &b->session, .tag = "a1", .tag_octets = 2 };
	b->im.view = view_new(7);
	assert_non_null(b->im.view);
	b->im.view->modseq = b->modseq;
	b->im.view->recent_from = UINT32_MAX;
	assert_int_equal(view_name_keyword(b->im.view, 0, SL("$Junk")), E_OK);
	b->front.room = room_make(body_work_room_most(&b->conf));
	b->said = BUF(64 << 20);
	bed = b;
}

void bed_end(struct bed *b)
{
	view_free(b->im.view);
	arena_free(&b->im.cmd);
	buf_free(&b->said);
	buf_free(&b->im.code);
	charset_cache_free(&b->front.charsets);
	heavy_free(&b->front.heavy);
	assert_int_equal(b->front.room.used, 0);
	assert_null(b->front.room.users);
	cx_end(&b->cx);
}

struct bed_message *bed_add(struct bed *b, uint32_t gap, struct sl body)
{
	struct bed_message *m = &b->m[b->n];

	assert_true(b->n < BED_MESSAGES);
	*m = (struct bed_message){ .uid = (b->n ? m[-1].uid : 0) + 1 + gap, .body = body };
	b->n++;
	assert_int_equal(view_add(b->im.view, m->uid), E_OK);
	return m;
}

enum ec bed_run(struct bed *b, struct sl command)
{
	struct buf text = BUF(1 << 16);
	struct imap_head head;
	struct imap_command cmd;

	buf_clear(&b->said);
	b->room_sending = b->front.room.high = 0;
	b->unblamed = b->ahead = b->calls = b->reads = b->chunks_max = b->yields = b->offloads = 0;
	b->im.refusal = (struct imap_words){ 0 };
	arena_free(&b->im.cmd);
	arena_init(&b->im.cmd, IMAP_COMMAND_MEMORY);
	buf_puts(&text, "a1 ");
	buf_add(&text, command);
	struct cur c = cur_over(buf_sl(&text));
	enum ec e = imap_parse_tag_verb(&c, &head);
	if (e == E_OK)
		e = imap_parse_args(&c, &head, &b->im.cmd, &cmd);
	assert_int_equal(e, E_OK);
	e = cmd.verb == IMAP_FETCH ? imap_fetch_run(&b->cx, &b->im, &cmd) : imap_search_run(&b->cx, &b->im, &cmd);
	buf_free(&text);
	assert_int_equal(b->chunks_out, 0); // every chunk was given back, whatever happened
	assert_int_equal(late_asked(), 0);
	assert_int_equal(b->front.room.used, b->taken.octets);
	return e;
}

// ---- the arena, io and fiber

struct chunks *client_chunks(struct client *c)
{
	(void)c;
	return NULL;
}

uint64_t chunks_octets(const struct chunks *c)
{
	(void)c;
	return sizeof arena;
}

unsigned chunks_used(const struct chunks *c)
{
	(void)c;
	return bed->chunks_out + bed->chunks_others;
}

uint8_t *chunks_at(struct chunks *c, struct range r)
{
	(void)c;
	assert_true((uint64_t)r.off + r.len <= sizeof arena);
	return arena + r.off;
}

FIB enum ec chunks_take(struct cx *cx, struct chunks *c, struct range *r)
{
	(void)cx, (void)c;
	uint32_t i = 0;

	while (i < BED_CHUNKS && taken[i])
		i++;
	assert_true(i < BED_CHUNKS); // here nobody would ever give one back
	taken[i] = true;
	if (++bed->chunks_out > bed->chunks_max)
		bed->chunks_max = bed->chunks_out;
	*r = (struct range){ i * CHUNK_OCTETS, CHUNK_OCTETS };
	memset(arena + r->off, 0xa5, CHUNK_OCTETS); // what an older session left
	return E_OK;
}

void chunks_give(struct chunks *c, struct range r)
{
	(void)c;
	assert_true(taken[r.off / CHUNK_OCTETS]);
	taken[r.off / CHUNK_OCTETS] = false;
	bed->chunks_out--;
}

FIB enum ec io_put(struct cx *cx, struct io *io, struct sl s)
{
	(void)io;
	if (bed->breaks_after && bed->said.n + s.n > bed->breaks_after)
		return fail(cx, E_CLOSED, "the client is gone");
	buf_add(&bed->said, s);
	if (bed->front.room.used > bed->room_sending)
		bed->room_sending = bed->front.room.used;
	bed->ahead += late_asked() > 0;
	const struct holder *h = bed->front.holders.first;
	if (bed->chunks_out && !h)
		bed->unblamed++;
	return E_OK;
}

void io_counts(const struct io *io, uint64_t *in, uint64_t *out)
{
	(void)io;
	*in = 0;
	*out = bed->said.n;
}

bool io_waits(const struct io *)
{
	return true;
}

int64_t io_waited_ns(const struct io *, int64_t now_ns)
{
	return now_ns;
}

void fib_cancel(struct cx *cx)
{
	cx->canceled = true;
}

FIB enum ec io_flush(struct cx *cx, struct io *io)
{
	return io_put(cx, io, SL(""));
}

FIB enum ec fib_yield(struct cx *cx)
{
	bed->yields++;
	return cx_check(cx);
}

FIB enum ec fib_offload(struct cx *cx, void (*fn)(void *arg), void *arg)
{
	(void)cx;
	bed->offloads++;
	fn(arg);
	return E_OK;
}

FIB enum ec fib_lock(struct cx *cx, struct fib_lock *l)
{
	(void)l;
	return cx_check(cx);
}

void fib_unlock(struct fib_lock *l)
{
	(void)l;
}

void fib_event_set(struct fib_event *ev)
{
	ev->set = true;
}

/// Here nobody would ever set it.
FIB enum ec fib_event_wait(struct cx *cx, struct fib_event *ev)
{
	(void)ev;
	return fail(cx, E_TIMEOUT, "nothing happened");
}

void client_op(uint8_t op[16])
{
	memset(op, 1, 16);
}

enum ec select_take_presence(
	struct cx *cx, struct imap *im, const struct set_chunk *c, uint32_t blocks, uint32_t uidnext, struct view *v)
{
	(void)cx, (void)im, (void)c, (void)blocks, (void)uidnext, (void)v;
	return E_UNSUPPORTED;
}

// ---- the store

static bool in_set(struct range set, uint32_t uid)
{
	struct pl_uids r;

	for (uint32_t at = 0; at < set.len; at += (uint32_t)sizeof r) {
		memcpy(&r, arena + set.off + at, sizeof r);
		if (uid >= r.lo && uid <= r.hi)
			return true;
	}
	return false;
}

static struct pl_row row_of(const struct bed_message *m)
{
	return (struct pl_row){ .uid = m->uid,
		.octets = (uint32_t)m->body.n,
		.date_s = m->date_s,
		.zone_min = m->zone_min,
		.flags = m->flags,
		.keywords = m->keywords,
		.modseq = 5,
		.expunged = m->expunged };
}

/// Three rows at a time, so that every walk has several batches.
static enum ec do_rows(const struct req_mbox_rows *req, struct ans_mbox_rows *ans)
{
	*ans = (struct ans_mbox_rows){ .modseq = bed->modseq };
	for (uint32_t i = 0; i < bed->n; i++) {
		const struct bed_message *m = &bed->m[i];
		struct pl_row row = row_of(m);
		if (m->gone || (m->expunged && !req->expunged_too) || m->uid < req->from_uid ||
			!in_set(req->set, m->uid))
			continue;
		if (ans->count == 3) {
			ans->next_uid = m->uid;
			return E_OK;
		}
		memcpy(arena + req->out.r[0].off + ans->count++ * sizeof row, &row, sizeof row);
	}
	return E_OK;
}

static struct bed_message *find(uint32_t uid)
{
	for (uint32_t i = 0; i < bed->n; i++)
		if (bed->m[i].uid == uid)
			return &bed->m[i];
	return NULL;
}

static enum ec do_read(const struct req_mbox_read *req, struct ans_mbox_read *ans)
{
	assert_true(req->out.n <= 16);
	bed->reads++;
	for (uint32_t i = 0; i < req->out.n; i++) {
		const struct bed_message *m = find(req->uid[i]);
		struct range r = req->out.r[i];
		assert_true((uint64_t)r.off + r.len <= sizeof arena && (!r.len || taken[r.off / CHUNK_OCTETS]));
		assert_true(r.len == 0 || r.off / CHUNK_OCTETS == (r.off + r.len - 1) / CHUNK_OCTETS);
		if (!m || m->gone) {
			ans->got[i] = READ_GONE;
			continue;
		}
		struct sl piece = sl_head(sl_from(m->body, req->offset[i]), r.len);
		bool damaged = m->damaged_at && req->offset[i] + piece.n > m->damaged_at;
		if (piece.n && !damaged)
			memcpy(arena + r.off, piece.p, piece.n);
		ans->got[i] = damaged ? READ_DAMAGED : (uint32_t)piece.n;
	}
	return E_OK;
}

static enum ec do_flags(const struct req_mbox_flags *req, struct ans_mbox_flags *ans)
{
	assert_true(req->set.len > 0 && req->mode == FLAGS_ADD);
	if (bed->flags_error)
		return bed->flags_error;
	for (uint32_t i = 0; i < bed->n; i++)
		if (in_set(req->set, bed->m[i].uid))
			bed->m[i].flags |= req->flags;
	*ans = (struct ans_mbox_flags){ .modseq = ++bed->modseq };
	return E_OK;
}

static enum ec do_keywords(const struct req_mbox_keywords *req, struct ans_mbox_keywords *ans)
{
	uint8_t entry[16] = { 16, 0, 3, 4, 'w', 'o', 'r', 'k' };

	memcpy(arena + req->out.off, entry, sizeof entry);
	*ans = (struct ans_mbox_keywords){ .count = 1 };
	return E_OK;
}

FIB enum ec client_call(struct cx *cx, struct client *c, enum verb verb, const void *req, void *ans)
{
	(void)c;
	const struct verb_info *info = verb_info(verb);

	bed->calls++;
	assert_int_equal(info->check(req, sizeof arena), E_OK); // what the store would refuse is our fault
	if (bed->away || (bed->away_after && bed->calls > bed->away_after))
		return fail(cx, E_TEMP, "no store");
	switch ((int)verb) {
	case VERB_mbox_rows: return do_rows(req, ans);
	case VERB_mbox_read: return do_read(req, ans);
	case VERB_mbox_flags: return do_flags(req, ans);
	case VERB_mbox_keywords: return do_keywords(req, ans);
	default: return E_UNSUPPORTED;
	}
}
