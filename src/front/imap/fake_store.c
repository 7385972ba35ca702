/// fake_store — the requests of an IMAP session over arrays: naive, one account, nothing durable.
#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "front/imap/fake.h"
#include "front/imap/late.h"

static struct fake_store *store_of(struct client *c)
{
	return (struct fake_store *)c;
}

static struct fake_box *box_of(struct fake_store *st, uint64_t id)
{
	return id >= 1 && id <= FAKE_BOXES && st->box[id - 1].exists ? &st->box[id - 1] : NULL;
}

static struct fake_box *find(struct fake_store *st, struct sl name)
{
	for (int i = 0; i < FAKE_BOXES; i++)
		if (st->box[i].name[0] && sl_eq(sl_cstr(st->box[i].name), name))
			return &st->box[i];
	return NULL;
}

static struct fake_box *add_box(struct fake_store *st, struct sl name, bool exists)
{
	struct fake_box *b = find(st, name);

	for (int i = 0; !b && i < FAKE_BOXES; i++)
		if (!st->box[i].name[0])
			b = &st->box[i];
	if (!b || name.n >= sizeof b->name)
		return NULL;
	memcpy(b->name, name.p, name.n);
	b->exists = exists;
	b->uidvalidity = 77;
	b->uidnext = b->recent_from = b->uidnext ? b->uidnext : 1;
	b->modseq++;
	return b;
}

static struct fake_message *add_message(struct fake_box *b, uint32_t uid, struct sl body)
{
	struct fake_message *m = &b->m[b->n++];

	*m = (struct fake_message){ .uid = uid, .modseq = ++b->modseq, .body = BUF(1 << 24) };
	buf_add(&m->body, body);
	b->uidnext = uid + 1;
	return m;
}

static void remove_message(struct fake_box *b, uint32_t i)
{
	if (b->n_gone < FAKE_MESSAGES) {
		b->gone[b->n_gone].uid = b->m[i].uid;
		b->gone[b->n_gone++].modseq = b->modseq;
	}
	buf_free(&b->m[i].body);
	b->n--;
	memmove(&b->m[i], &b->m[i + 1], (b->n - i) * sizeof *b->m);
}

void fake_store_fill(struct fake_store *st)
{
	static const uint32_t uids[] = { 1, 2, 4, 7 };
	struct fake_box *inbox = add_box(st, SL("INBOX"), true);

	st->epoch = 1;
	for (size_t i = 0; i < ARRAY_N(uids); i++)
		add_message(inbox, uids[i], SL("Subject: x\r\n\r\n"))->flags = i == 0 ? FLAG_SEEN : 0;
	inbox->recent_from = 4;
	add_box(st, SL("Sent"), true)->use = MBOX_USE_SENT;
	add_box(st, SL("Trash"), true)->use = MBOX_USE_TRASH;
	add_box(st, SL("Work/Reports"), true)->subscribed = true;
	add_box(st, SL("Gone"), false)->subscribed = true;
}

void fake_store_free(struct fake_store *st)
{
	for (int i = 0; i < FAKE_BOXES; i++)
		while (st->box[i].n)
			remove_message(&st->box[i], 0);
	buf_free(&st->upload);
	assert_int_equal(st->chunks_out, 0);
	assert_null(st->watch);
}

static void note(struct fake_store *st)
{
	if (st->watch)
		fib_event_set(st->watch->event);
}

void fake_store_other(struct fake_store *st, struct sl words)
{
	struct fake_box *b = &st->box[0];
	struct sl verb = sl_cut(&words, ' '), first = sl_cut(&words, ' ');
	uint64_t uid = 0, bits = 0;

	num_parse(first, UINT32_MAX, &uid);
	num_parse(words, UINT32_MAX, &bits);
	if (sl_eq(verb, SL("deliver")))
		add_message(b, b->uidnext, SL("x"));
	if (sl_eq(verb, SL("remove")))
		b->exists = false;
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->m[i].uid != uid)
			continue;
		b->modseq++;
		if (sl_eq(verb, SL("flag"))) {
			b->m[i].flags = (uint8_t)(bits & FLAG_ALL);
			b->m[i].keywords = bits >> 5;
			b->m[i].modseq = b->modseq;
			if (bits >> 5)
				memcpy(b->keyword[0], "$Work", 6);
		} else {
			remove_message(b, i);
		}
		break;
	}
	note(st);
}

// ---- the arena: a chunk is malloc'd, its number is its place in a table

static uint8_t *chunk[64];

FIB enum ec chunks_take(struct cx *cx, struct chunks *c, struct range *r)
{
	(void)cx;
	for (uint32_t i = 0; i < 64; i++) {
		if (chunk[i])
			continue;
		chunk[i] = malloc(CHUNK_OCTETS);
		memset(chunk[i], 0xaa, CHUNK_OCTETS);
		*r = (struct range){ i * CHUNK_OCTETS, CHUNK_OCTETS };
		((struct fake_store *)c)->chunks_out++;
		return E_OK;
	}
	abort();
}

void chunks_give(struct chunks *c, struct range r)
{
	uint32_t i = r.off / CHUNK_OCTETS;

	assert_non_null(chunk[i]);
	free(chunk[i]);
	chunk[i] = NULL;
	((struct fake_store *)c)->chunks_out--;
}

uint64_t chunks_octets(const struct chunks *c)
{
	(void)c;
	return 64 * CHUNK_OCTETS;
}

unsigned chunks_used(const struct chunks *c)
{
	return ((const struct fake_store *)(const void *)c)->chunks_out;
}

uint8_t *chunks_at(struct chunks *c, struct range r)
{
	(void)c;
	return chunk[r.off / CHUNK_OCTETS] + r.off % CHUNK_OCTETS;
}

struct chunks *client_chunks(struct client *c)
{
	return (struct chunks *)c;
}

struct writer {
	uint8_t *p;
	size_t room, n;
};

static struct writer writer_at(struct range r)
{
	return (struct writer){ r.len ? chunks_at(NULL, r) : NULL, r.len, 0 };
}

static bool put(struct writer *w, const void *p, size_t n)
{
	if (n > w->room - w->n)
		return false;
	memcpy(w->p + w->n, p, n);
	w->n += n;
	return true;
}

static bool in_set(bool all, struct range set, uint32_t uid)
{
	assert_true(!all || set.len == 0);
	for (uint32_t i = 0; i < set.len / sizeof(struct pl_uids); i++) {
		struct pl_uids u;
		memcpy(&u, chunks_at(NULL, set) + i * sizeof u, sizeof u);
		assert_true(u.lo && u.lo <= u.hi);
		if (uid >= u.lo && uid <= u.hi)
			return true;
	}
	return all;
}

static void put_uid(struct writer *w, uint32_t uid)
{
	struct pl_uids u = { uid, uid };
	assert_true(put(w, &u, sizeof u));
}

// ---- requests

#define STATUS_OF(b)                                                                                         \
	.uidvalidity = (b)->uidvalidity, .uidnext = (b)->uidnext, .messages = (b)->n, .modseq = (b)->modseq, \
	.unseen = 3, .deleted = 0, .recent = 2, .octets = 100

static enum ec do_list(struct fake_store *st, const struct req_mbox_list *r, struct ans_mbox_list *a)
{
	struct writer w = writer_at(r->out);

	if (r->after.n)
		return E_OK;
	for (int i = 0; i < FAKE_BOXES; i++) {
		const struct fake_box *b = &st->box[i];
		struct sl name = sl_cstr(b->name);
		uint8_t pad[8] = { 0 };
		if (!name.n || (!b->exists && !b->subscribed))
			continue;
		struct pl_mbox m = { .size = (uint16_t)((sizeof m + name.n + 7) / 8 * 8),
			.use = b->use,
			.exists = b->exists,
			.subscribed = b->subscribed,
			.name_octets = (uint16_t)name.n,
			.mbox = b->exists ? (uint64_t)i + 1 : 0 };
		put(&w, &m, sizeof m);
		put(&w, name.p, name.n);
		put(&w, pad, m.size - sizeof m - name.n);
		a->count++;
	}
	return E_OK;
}

static enum ec do_presence(struct fake_box *b, struct range out, uint32_t *blocks)
{
	struct pl_presence p = { 0 };
	struct writer w = writer_at(out);

	for (uint32_t i = 0; i < b->n; i++) {
		p.present[b->m[i].uid / 64] |= (uint64_t)1 << b->m[i].uid % 64;
		p.count++;
	}
	*blocks = b->n && put(&w, &p, sizeof p);
	return E_OK;
}

static uint32_t put_keywords(const struct fake_box *b, struct range out)
{
	struct writer w = writer_at(out);
	uint32_t count = 0;

	for (uint8_t i = 0; i < 64 && b->keyword[i][0]; i++, count++) {
		struct sl name = sl_cstr(b->keyword[i]);
		uint8_t pad[8] = { 0 };
		struct pl_keyword k = {
			.size = (uint16_t)((sizeof k + name.n + 7) / 8 * 8), .bit = i, .name_octets = (uint8_t)name.n
		};
		put(&w, &k, sizeof k);
		put(&w, name.p, name.n);
		put(&w, pad, k.size - sizeof k - name.n);
	}
	return count;
}

static enum ec do_open(
	struct fake_store *st, struct fake_box *b, const struct req_mbox_open *r, struct ans_mbox_open *a)
{
	*a = (struct ans_mbox_open){ STATUS_OF(b), .recent_from = b->recent_from };
	if (r->claim_recent)
		b->recent_from = b->uidnext;
	for (uint32_t i = 0; i < b->n && !a->first_unseen; i++)
		if (!(b->m[i].flags & FLAG_SEEN))
			a->first_unseen = b->m[i].uid;
	a->mbox = (uint64_t)(b - st->box) + 1;
	a->keywords = put_keywords(b, r->out_keywords);
	return do_presence(b, r->out, &a->blocks);
}

static bool put_row(struct writer *w, const struct fake_message *m)
{
	struct pl_row row = { .uid = m->uid,
		.octets = (uint32_t)m->body.n,
		.modseq = m->modseq,
		.flags = m->flags,
		.keywords = m->keywords,
		.date_s = m->date_s,
		.zone_min = m->zone_min };

	return put(w, &row, sizeof row);
}

/// Two rows at a time, so that every walk has several batches. The set's octets lie elsewhere than `out`.
static void put_rows(const struct fake_box *b, const struct req_mbox_rows *r, uint32_t *count, uint32_t *next_uid)
{
	struct writer w = writer_at(r->out.r[0]);

	for (uint32_t i = 0; i < b->n; i++) {
		const struct fake_message *m = &b->m[i];
		if (m->uid < r->from_uid || m->modseq <= r->changed_since || !in_set(r->all, r->set, m->uid))
			continue;
		if (*count == 2) {
			*next_uid = m->uid;
			return;
		}
		assert_true(put_row(&w, m));
		++*count;
	}
}

static enum ec do_rows(struct fake_box *b, const struct req_mbox_rows *r, struct ans_mbox_rows *a)
{
	a->modseq = b->modseq;
	put_rows(b, r, &a->count, &a->next_uid);
	return E_OK;
}

static enum ec do_sync(
	struct fake_store *st, struct fake_box *b, const struct req_mbox_sync *r, struct ans_mbox_sync *a)
{
	struct writer rows = writer_at(r->out_rows), gone = writer_at(r->out_gone);

	*a = (struct ans_mbox_sync){ STATUS_OF(b), .gone_unknown = st->forgets };
	for (uint32_t i = 0; i < b->n; i++) {
		if (b->m[i].modseq <= r->since)
			continue;
		if (a->rows == 1) {
			a->more_rows = 1;
			break;
		}
		put_row(&rows, &b->m[i]);
		a->rows++;
	}
	for (uint32_t i = 0; i < b->n_gone; i++) {
		if (b->gone[i].modseq <= r->since || st->forgets)
			continue;
		put_uid(&gone, b->gone[i].uid);
		a->gone++;
	}
	return E_OK;
}

static enum ec do_keyword(struct fake_box *b, const struct req_mbox_keyword *r, struct ans_mbox_keyword *a)
{
	if (r->name.n >= sizeof b->keyword[0])
		return E_LIMIT;
	for (uint8_t i = 0; i < 3; i++) { // three are enough to run out of them
		if (b->keyword[i][0] && !sl_eq_ci(sl_cstr(b->keyword[i]), FIELD_SL(r->name)))
			continue;
		if (!b->keyword[i][0]) {
			memcpy(b->keyword[i], r->name.p, r->name.n);
			b->modseq++;
		}
		a->bit = i;
		return E_OK;
	}
	return E_LIMIT;
}

/// Whether one change may take so many of the messages with `flags`.
static bool too_many(const struct fake_store *st, const struct fake_box *b, bool all, struct range set, uint8_t flags)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n += in_set(all, set, b->m[i].uid) && (b->m[i].flags & flags) == flags;
	return st->narrow && n > 1;
}

static enum ec do_flags(
	struct fake_store *st, struct fake_box *b, const struct req_mbox_flags *r, struct ans_mbox_flags *a)
{
	if (too_many(st, b, r->all, r->set, 0))
		return E_TOOBIG;
	if (st->tires && st->flag_changes++)
		return E_TEMP;
	for (uint32_t i = 0; i < b->n; i++) {
		struct fake_message *m = &b->m[i];
		if (!in_set(r->all, r->set, m->uid))
			continue;
		uint8_t flags = r->mode == FLAGS_SET   ? r->flags
		                : r->mode == FLAGS_ADD ? m->flags | r->flags
		                                       : m->flags & ~r->flags;
		uint64_t keywords = r->mode == FLAGS_SET   ? r->keywords
		                    : r->mode == FLAGS_ADD ? m->keywords | r->keywords
		                                           : m->keywords & ~r->keywords;
		if (flags == m->flags && keywords == m->keywords)
			continue;
		m->flags = flags;
		m->keywords = keywords;
		m->modseq = b->modseq + 1;
		a->changed++;
	}
	a->modseq = a->changed ? ++b->modseq : 0;
	struct req_mbox_rows rows = { .all = r->all, .set = r->set, .out = { 1, { r->out_rows } } };
	if (r->out_rows.len)
		put_rows(b, &rows, &a->rows, &a->next_uid);
	return E_OK;
}

static enum ec do_expunge(struct fake_box *b, const struct req_mbox_expunge *r, struct ans_mbox_expunge *a)
{
	struct writer w = writer_at(r->out);

	b->modseq++;
	for (uint32_t i = 0; i < b->n;) {
		if (!(b->m[i].flags & FLAG_DELETED) || !in_set(r->all, r->set, b->m[i].uid)) {
			i++;
			continue;
		}
		if (r->out.len)
			put_uid(&w, b->m[i].uid);
		a->count++;
		remove_message(b, i);
	}
	b->modseq -= a->count == 0;
	a->modseq = a->count ? b->modseq : 0;
	return E_OK;
}

/// Copies never carry keywords here.
static enum ec do_copy(struct fake_box *b, struct fake_box *to, const struct req_mbox_copy *r, struct ans_mbox_copy *a)
{
	struct writer w = writer_at(r->out);
	uint64_t lost = 0;

	if (to->n + b->n > FAKE_MESSAGES)
		return E_QUOTA;
	a->first_uid = to->uidnext;
	a->uidvalidity = to->uidvalidity;
	for (uint32_t i = 0, n = b->n; i < n; i++) {
		if (!in_set(r->all, r->set, b->m[i].uid))
			continue;
		put_uid(&w, b->m[i].uid);
		add_message(to, to->uidnext, buf_sl(&b->m[i].body))->flags = b->m[i].flags;
		lost |= b->m[i].keywords;
		a->count++;
	}
	b->modseq++;
	for (uint32_t i = 0; r->move && i < b->n;) {
		if (in_set(r->all, r->set, b->m[i].uid))
			remove_message(b, i);
		else
			i++;
	}
	a->modseq = b->modseq;
	a->lost_keywords = bits_count(lost);
	return E_OK;
}

static enum ec do_append(
	struct fake_store *st, struct fake_box *b, const struct req_mbox_append *r, struct ans_mbox_append *a)
{
	if (b->n == FAKE_MESSAGES)
		return E_QUOTA;
	struct fake_message *m = add_message(b, b->uidnext, r->upload ? buf_sl(&st->upload) : (struct sl){ 0 });

	for (uint32_t i = 0; i < r->body.n; i++)
		buf_add(&m->body, (struct sl){ chunks_at(NULL, r->body.r[i]), r->body.r[i].len });
	m->flags = r->flags;
	m->keywords = r->keywords;
	m->date_s = r->date_s;
	m->zone_min = (int16_t)r->zone_min;
	*a = (struct ans_mbox_append){ .uidvalidity = b->uidvalidity, .uid = m->uid, .modseq = b->modseq };
	return E_OK;
}

static enum ec do_name(struct fake_store *st, enum verb verb, struct sl name, void *ans)
{
	struct fake_box *b = find(st, name);

	if (verb == VERB_mbox_find) {
		if (!b || !b->exists)
			return E_NOTFOUND;
		((struct ans_mbox_find *)ans)->mbox = (uint64_t)(b - st->box) + 1;
		return E_OK;
	}
	if (b && b->exists)
		return E_EXISTS;
	return add_box(st, name, true) ? E_OK : E_LIMIT;
}

static enum ec do_subscribe(struct fake_store *st, const struct req_mbox_subscribe *r)
{
	struct fake_box *b = find(st, FIELD_SL(r->name));

	if (!b && r->on)
		b = add_box(st, FIELD_SL(r->name), false);
	if (b)
		b->subscribed = r->on;
	return b || !r->on ? E_OK : E_LIMIT;
}

static enum ec do_upload(struct fake_store *st, enum verb verb, const void *req, void *ans)
{
	const struct req_upload_add *add = req;

	if (verb == VERB_upload_begin) {
		st->upload = BUF(1 << 24);
		((struct ans_upload_begin *)ans)->upload = 9;
	} else if (verb == VERB_upload_drop) {
		buf_free(&st->upload);
	} else {
		for (uint32_t i = 0; i < add->body.n; i++)
			buf_add(&st->upload, (struct sl){ chunks_at(NULL, add->body.r[i]), add->body.r[i].len });
	}
	return E_OK;
}

/// Requests that name a mailbox by its number.
static enum ec do_box(struct fake_store *st, struct fake_box *b, enum verb verb, const void *req, void *ans)
{
	const struct req_mbox_copy *copy = req;
	const struct req_mbox_expunge *expunge = req;

	switch ((int)verb) {
	case VERB_mbox_status: *(struct ans_mbox_status *)ans = (struct ans_mbox_status){ STATUS_OF(b) }; return E_OK;
	case VERB_mbox_open: return do_open(st, b, req, ans);
	case VERB_mbox_claim:
		if (((const struct req_mbox_claim *)req)->uidnext == b->uidnext)
			b->recent_from = b->uidnext;
		return E_OK;
	case VERB_mbox_presence:
		return do_presence(
			b, ((const struct req_mbox_presence *)req)->out, &((struct ans_mbox_presence *)ans)->blocks);
	case VERB_mbox_rows: return do_rows(b, req, ans);
	case VERB_mbox_sync: return do_sync(st, b, req, ans);
	case VERB_mbox_keywords:
		((struct ans_mbox_keywords *)ans)->count =
			put_keywords(b, ((const struct req_mbox_keywords *)req)->out);
		return E_OK;
	case VERB_mbox_keyword: return do_keyword(b, req, ans);
	case VERB_mbox_flags: return do_flags(st, b, req, ans);
	case VERB_mbox_expunge:
		return too_many(st, b, expunge->all, expunge->set, FLAG_DELETED) ? E_TOOBIG
		                                                                 : do_expunge(b, expunge, ans);
	case VERB_mbox_copy: return box_of(st, copy->to) ? do_copy(b, box_of(st, copy->to), req, ans) : E_NOTFOUND;
	case VERB_mbox_append: return do_append(st, b, req, ans);
	case VERB_mbox_rename:
		if (((const struct req_mbox_rename *)req)->name.n >= sizeof b->name)
			return E_LIMIT;
		memset(b->name, 0, sizeof b->name);
		memcpy(b->name, ((const struct req_mbox_rename *)req)->name.p,
			((const struct req_mbox_rename *)req)->name.n);
		return E_OK;
	case VERB_mbox_delete:
		if (b == st->box)
			return E_DENIED;
		b->exists = false;
		return E_OK;
	default: return E_UNSUPPORTED;
	}
}

/// Every request that names a mailbox has it behind the handle and, where there is one, the operation id.
static uint64_t box_in(enum verb verb, const void *req)
{
	static const size_t at[VERBS] = {
		[VERB_mbox_status] = offsetof(struct req_mbox_status, mbox),
		[VERB_mbox_claim] = offsetof(struct req_mbox_claim, mbox),
		[VERB_mbox_presence] = offsetof(struct req_mbox_presence, mbox),
		[VERB_mbox_rows] = offsetof(struct req_mbox_rows, mbox),
		[VERB_mbox_sync] = offsetof(struct req_mbox_sync, mbox),
		[VERB_mbox_keywords] = offsetof(struct req_mbox_keywords, mbox),
		[VERB_mbox_keyword] = offsetof(struct req_mbox_keyword, mbox),
		[VERB_mbox_flags] = offsetof(struct req_mbox_flags, mbox),
		[VERB_mbox_expunge] = offsetof(struct req_mbox_expunge, mbox),
		[VERB_mbox_copy] = offsetof(struct req_mbox_copy, mbox),
		[VERB_mbox_append] = offsetof(struct req_mbox_append, mbox),
		[VERB_mbox_rename] = offsetof(struct req_mbox_rename, mbox),
		[VERB_mbox_delete] = offsetof(struct req_mbox_delete, mbox),
	};
	uint64_t id = 0;

	if (at[verb])
		memcpy(&id, (const uint8_t *)req + at[verb], sizeof id);
	return id;
}

/// Only the newest handle is good.
static enum ec do_renew(struct fake_store *st, const struct req_renew *r, struct ans_renew *a)
{
	if (st->renew_error)
		return st->renew_error;
	a->handle = r->handle;
	a->handle.expires_s = (uint64_t)clock_steady_s() + HANDLE_KEPT_S;
	a->handle.mac[0] = (uint8_t)++st->renewed;
	return E_OK;
}

/// A session that was let in once is not refused when it is counted again.
static enum ec do_seat(struct fake_store *st, const struct req_seat_take *r)
{
	assert_true(r->most == UINT32_MAX);
	st->seats++;
	return E_OK;
}

FIB enum ec client_call(struct cx *cx, struct client *c, enum verb verb, const void *req, void *ans)
{
	struct fake_store *st = store_of(c);
	struct fake_box *b = verb == VERB_mbox_open ? find(st, FIELD_SL(((const struct req_mbox_open *)req)->name))
	                                            : box_of(st, box_in(verb, req));
	uint64_t before = st->box[0].modseq;
	enum ec e;

	assert_int_equal(verb_info(verb)->check(req, 64 * CHUNK_OCTETS), E_OK);
	if (st->away)
		return fail(cx, E_TEMP, "no store");
	memset(ans, 0, verb_info(verb)->ans_octets);
	const struct handle *handle = verb_info(verb)->handle(req);
	if (handle && st->shut)
		return fail(cx, E_AUTH, "the password changed");
	assert_true(!handle || (handle->account == 7 && handle->mac[0] == st->renewed));
	if (verb == VERB_renew)
		e = do_renew(st, req, ans);
	else if (verb == VERB_mbox_list)
		e = do_list(st, req, ans);
	else if (verb == VERB_mbox_find)
		e = do_name(st, verb, FIELD_SL(((const struct req_mbox_find *)req)->name), ans);
	else if (verb == VERB_mbox_create)
		e = do_name(st, verb, FIELD_SL(((const struct req_mbox_create *)req)->name), ans);
	else if (verb == VERB_mbox_subscribe)
		e = do_subscribe(st, req);
	else if (verb == VERB_seat_take)
		e = do_seat(st, req);
	else if (verb == VERB_upload_begin || verb == VERB_upload_add || verb == VERB_upload_drop)
		e = do_upload(st, verb, req, ans);
	else
		e = b && b->exists ? do_box(st, b, verb, req, ans) : E_NOTFOUND;
	if (st->box[0].modseq != before)
		note(st); // to the session that changed it as well
	return e ? fail(cx, e, "fake store") : E_OK;
}

FIB enum ec client_watch_open(
	struct cx *cx, struct client *c, struct client_watch *w, struct req_mbox_open *req, struct ans_mbox_open *ans)
{
	struct fake_store *st = store_of(c);

	assert_true(!st->watch || st->watch == w);
	req->leave = st->watch ? w->mbox : 0;
	st->watch = w; // from before the answer
	enum ec e = call_mbox_open(cx, c, req, ans);
	if (e == E_OK) {
		w->mbox = ans->mbox;
	} else {
		st->watch = NULL;
		w->event = NULL;
	}
	return e;
}

FIB void client_watch_remove(struct cx *cx, struct client *c, struct client_watch *w)
{
	(void)cx;
	if (!w->event)
		return;
	assert_ptr_equal(store_of(c)->watch, w);
	store_of(c)->watch = NULL;
	w->event = NULL;
}

bool client_is_up(const struct client *c)
{
	(void)c;
	return false; // nobody here is busy for a moment only
}

uint64_t client_epoch(const struct client *c)
{
	return store_of((struct client *)(uintptr_t)c)->epoch;
}

void client_op(uint8_t op[16])
{
	memset(op, 1, 16);
}
