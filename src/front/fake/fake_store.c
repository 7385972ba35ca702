/// fake_store — a few mailboxes in memory in place of the store, and the arena. See fake.h.
///
/// Every request is checked with the same table as in the store, so that what a session asks is within its limits.
#include "base/check.h"
#include "base/clock.h"
#include "front/fake/fake.h"

#include "ipc/payload.h"

enum { MBOX_INBOX = 1, MBOX_ARCHIVE = 2, UIDVALIDITY = 7 };

struct fake fake;
static uint8_t map[FAKE_CHUNKS_MAX * CHUNK_OCTETS];
static bool taken[FAKE_CHUNKS_MAX];

void fake_start(void)
{
	fake = (struct fake){
		.epoch = 1,
		.user = { { .address = "alice@example.org", .password = "secret-a", .account = 11, .uidnext = 1 },
			{ .address = "bob@example.org", .password = "secret-b", .account = 12, .uidnext = 1 },
			{ .address = "full@example.org",
				.password = "secret-f",
				.account = 13,
				.uidnext = 1,
				.verdict = RCPT_FULL } },
		.n_users = 3,
		.alias = { .address = "all@example.org", .target = { 11, 12, 13 }, .n = 3 },
		.chunks = FAKE_CHUNKS_MAX,
		.upload = BUF(64 << 20),
		.delivered = BUF(64 << 20),
	};
}

void fake_stop(void)
{
	assert_int_equal(fake.chunks_taken, 0);
	assert_false(fake.uploading);
	for (unsigned i = 0; i < fake.n_users; i++)
		for (unsigned j = 0; j < fake.user[i].n; j++)
			free((void *)(uintptr_t)fake.user[i].message[j].body.p);
	buf_free(&fake.upload);
	buf_free(&fake.delivered);
}

void fake_append(struct fake_user *u, struct sl body)
{
	assert_true(u->n < FAKE_MESSAGES);
	u->message[u->n++] = (struct fake_message){ .uid = u->uidnext++, .body = heap_copy(body) };
}

struct chunks *client_chunks(struct client *c)
{
	return (struct chunks *)c;
}

uint64_t chunks_octets(const struct chunks *)
{
	return (uint64_t)fake.chunks * CHUNK_OCTETS;
}

unsigned chunks_used(const struct chunks *)
{
	return fake.chunks_taken;
}

FIB enum ec chunks_take(struct cx *cx, struct chunks *, struct range *r)
{
	if (fake.chunks_taken == fake.chunks)
		return fail(cx, E_TIMEOUT, "no chunk");
	uint32_t i = 0;
	while (taken[i])
		i++;
	taken[i] = true;
	fake.chunks_taken++;
	fake.chunks_peak = fake.chunks_peak > fake.chunks_taken ? fake.chunks_peak : fake.chunks_taken;
	*r = (struct range){ i * CHUNK_OCTETS, CHUNK_OCTETS };
	memset(map + r->off, 0xee, r->len); // what another session left there
	return E_OK;
}

void chunks_give(struct chunks *, struct range r)
{
	assert_true(taken[r.off / CHUNK_OCTETS]);
	taken[r.off / CHUNK_OCTETS] = false;
	fake.chunks_taken--;
}

uint8_t *chunks_at(struct chunks *, struct range r)
{
	return map + r.off;
}

/// The store of these tests never comes back: who asks again and again would wait for ever.
bool client_is_up(const struct client *)
{
	return fake.up;
}

uint64_t client_epoch(const struct client *)
{
	return fake.epoch;
}

void client_op(uint8_t op[16])
{
	memset(op, 0xab, 16);
}

/// A range that a request names lies in one taken chunk.
static struct sl range_sl(struct range r)
{
	assert_true(taken[r.off / CHUNK_OCTETS] && (r.off % CHUNK_OCTETS) + r.len <= CHUNK_OCTETS);
	return (struct sl){ map + r.off, r.len };
}

static struct fake_user *by_account(uint64_t account)
{
	for (unsigned i = 0; i < fake.n_users; i++)
		if (fake.user[i].account == account)
			return &fake.user[i];
	return NULL;
}

static enum ec on_upload_begin(const struct req_upload_begin *, struct ans_upload_begin *ans)
{
	assert_false(fake.uploading);
	fake.uploading = true;
	buf_clear(&fake.upload);
	ans->upload = 77;
	return E_OK;
}

static enum ec on_upload_add(const struct req_upload_add *req, struct ans_upload_add *ans)
{
	assert_true(fake.uploading && req->upload == 77);
	for (uint32_t i = 0; i < req->body.n; i++)
		buf_add(&fake.upload, range_sl(req->body.r[i]));
	ans->octets = fake.upload.n;
	return E_OK;
}

static enum ec on_upload_drop(const struct req_upload_drop *req, struct ans_upload_drop *)
{
	assert_true(fake.uploading && req->upload == 77);
	fake.uploading = false;
	return E_OK;
}

static enum ec on_resolve(const struct req_resolve *req, struct ans_resolve *ans)
{
	struct buf address = BUF(400);
	uint8_t *out = map + req->out.off;

	assert_int_equal(range_sl(req->out).n, CHUNK_OCTETS);
	buf_add(&address, FIELD_SL(req->local));
	buf_addc(&address, '@');
	buf_add(&address, FIELD_SL(req->domain));
	*ans = (struct ans_resolve){ .verdict = RCPT_UNKNOWN };
	if (sl_eq(buf_sl(&address), SL("postmaster@")))
		*ans = (struct ans_resolve){ .verdict = RCPT_LOCAL, .count = 1 };
	for (unsigned i = 0; i < fake.n_users; i++)
		if (sl_eq_ci(buf_sl(&address), sl_cstr(fake.user[i].address))) {
			*ans = (struct ans_resolve){ .verdict = fake.user[i].verdict, .count = 1 };
			memcpy(out, &fake.user[i].account, 8);
		}
	if (ans->verdict == RCPT_LOCAL && address.p[0] == 'p')
		memcpy(out, &fake.user[0].account, 8);
	if (sl_eq_ci(buf_sl(&address), sl_cstr(fake.alias.address))) {
		*ans = (struct ans_resolve){ .verdict = RCPT_LOCAL, .count = fake.alias.n };
		memcpy(out, fake.alias.target, fake.alias.n * sizeof *fake.alias.target);
	}
	if (!sl_eq_ci(FIELD_SL(req->domain), SL("example.org")) && req->domain.n)
		ans->verdict = RCPT_REMOTE;
	buf_free(&address);
	return E_OK;
}

static enum ec on_deliver(const struct req_deliver *req, struct ans_deliver *ans)
{
	struct sl ids = range_sl(req->targets), out = range_sl(req->out);

	assert_true(ids.n % 8 == 0 && out.n == ids.n / 8 && ids.n);
	buf_clear(&fake.delivered);
	for (uint32_t i = 0; i < req->body.n; i++)
		buf_add(&fake.delivered, range_sl(req->body.r[i]));
	if (req->upload) {
		assert_true(fake.uploading && req->upload == 77 && req->body.n == 0);
		buf_add(&fake.delivered, buf_sl(&fake.upload));
	}
	fake.n_delivered_to = 0;
	*ans = (struct ans_deliver){ 0 };
	for (size_t i = 0; i < out.n; i++) {
		uint64_t id;
		memcpy(&id, ids.p + i * 8, 8);
		struct fake_user *u = by_account(id);
		assert_non_null(u);
		map[req->out.off + i] = (uint8_t)u->status;
		if (u->status != E_OK)
			continue;
		ans->stored++;
		fake.delivered_to[fake.n_delivered_to++] = id;
		fake_append(u, buf_sl(&fake.delivered));
	}
	if (ans->stored)
		fake.uploading = false;
	return E_OK;
}

static enum ec on_login(const struct req_login *req, struct ans_login *ans)
{
	for (unsigned i = 0; i < fake.n_users; i++) {
		struct fake_user *u = &fake.user[i];
		if (!sl_eq_ci(FIELD_SL(req->user), sl_cstr(u->address)) ||
			!sl_eq(FIELD_SL(req->password), sl_cstr(u->password)))
			continue;
		if (u->pop3_off)
			return E_DENIED;
		if (fake.full)
			return E_QUOTA;
		*ans = (struct ans_login){ .handle.account = u->account };
		ans->handle.expires_s = (uint64_t)(clock_steady_s() + HANDLE_KEPT_S - fake.handle_age_s);
		return field_set(ans->address, sl_cstr(u->address));
	}
	return E_AUTH;
}

static enum ec on_renew(const struct req_renew *req, struct ans_renew *ans)
{
	ans->handle = req->handle;
	ans->handle.expires_s = (uint64_t)clock_steady_s() + HANDLE_KEPT_S;
	return E_OK;
}

static enum ec on_account(const struct req_account *req, struct ans_account *ans)
{
	struct fake_user *u = by_account(req->handle.account);

	*ans = (struct ans_account){ .pop3_retr = (uint8_t)u->pop3_retr };
	return field_set(ans->address, sl_cstr(u->address));
}

static enum ec on_pop3_lock(const struct req_pop3_lock *req, struct ans_pop3_lock *)
{
	struct fake_user *u = by_account(req->handle.account);

	if (req->on && u->locked)
		return E_CONFLICT;
	assert_true(req->on || u->locked);
	u->locked = req->on;
	return E_OK;
}

static enum ec on_seat_take(const struct req_seat_take *req, struct ans_seat_take *)
{
	assert_true(req->session != 0 && by_account(req->handle.account));
	assert_true(req->most == UINT32_MAX); // for a session that is there already
	return E_OK;
}

static enum ec on_seat_give(const struct req_seat_give *, struct ans_seat_give *)
{
	return E_OK;
}

static enum ec on_mbox_find(const struct req_mbox_find *req, struct ans_mbox_find *ans)
{
	*ans = (struct ans_mbox_find){ .mbox = MBOX_INBOX, .use = MBOX_USE_INBOX };
	return sl_eq(FIELD_SL(req->name), SL("INBOX")) ? E_OK : E_NOTFOUND;
}

static enum ec on_mbox_list(const struct req_mbox_list *req, struct ans_mbox_list *ans)
{
	struct pl_mbox inbox = {
		.size = sizeof inbox + 8, .use = MBOX_USE_INBOX, .exists = 1, .name_octets = 5, .mbox = 1
	};

	*ans = (struct ans_mbox_list){ .count = 1 };
	memcpy(map + req->out.off, &inbox, sizeof inbox);
	memcpy(map + req->out.off + sizeof inbox, "INBOX", 5);
	return E_OK;
}

static enum ec on_mbox_create(const struct req_mbox_create *req, struct ans_mbox_create *ans)
{
	assert_true(sl_eq(FIELD_SL(req->name), SL("Archive")) && req->use == MBOX_USE_ARCHIVE);
	ans->mbox = MBOX_ARCHIVE;
	return E_OK;
}

static enum ec on_mbox_status(const struct req_mbox_status *req, struct ans_mbox_status *ans)
{
	const struct fake_user *u = by_account(req->handle.account);

	*ans = (struct ans_mbox_status){ .uidvalidity = UIDVALIDITY, .messages = u->n + u->lost };
	return E_OK;
}

/// Three rows at a time, so that a session must go on.
static enum ec on_mbox_rows(const struct req_mbox_rows *req, struct ans_mbox_rows *ans)
{
	struct fake_user *u = by_account(req->handle.account);

	assert_true(req->all && req->set.len == 0);
	*ans = (struct ans_mbox_rows){ 0 };
	for (uint32_t i = 0; i < u->n; i++) {
		const struct fake_message *m = &u->message[i];
		struct pl_row row = { .uid = m->uid, .octets = (uint32_t)m->body.n };
		if (m->gone || m->expunged || m->uid < req->from_uid)
			continue;
		if (ans->count == 3) {
			ans->next_uid = m->uid;
			return E_OK;
		}
		memcpy(map + req->out.r[0].off + ans->count++ * sizeof row, &row, sizeof row);
	}
	return E_OK;
}

static struct fake_message *by_uid(struct fake_user *u, uint32_t uid)
{
	for (uint32_t i = 0; i < u->n; i++)
		if (u->message[i].uid == uid)
			return &u->message[i];
	return NULL;
}

/// Whether a read comes upon damage.
static bool meets_damage(const struct fake_message *m, uint64_t offset, uint64_t octets)
{
	return m->damaged || (m->damaged_at && offset <= m->damaged_at && m->damaged_at < offset + octets);
}

static enum ec on_mbox_read(const struct req_mbox_read *req, struct ans_mbox_read *ans)
{
	*ans = (struct ans_mbox_read){ 0 };
	assert_true(!req->prove || req->out.n == 1);
	for (uint32_t i = 0; i < req->out.n; i++) {
		const struct fake_message *m = by_uid(by_account(req->handle.account), req->uid[i]);
		struct sl out = range_sl(req->out.r[i]);
		if (!m || m->gone) {
			ans->got[i] = READ_GONE;
		} else if (meets_damage(m, req->offset[i], out.n > req->prove ? out.n : req->prove)) {
			ans->got[i] = READ_DAMAGED;
		} else {
			struct sl part = sl_head(sl_from(m->body, req->offset[i]), out.n);
			if (part.n)
				memcpy(map + req->out.r[i].off, part.p, part.n);
			ans->got[i] = (uint32_t)part.n;
		}
	}
	return E_OK;
}

static uint32_t take_set(struct fake_user *u, struct sl set)
{
	uint32_t n = 0;

	for (; set.n >= sizeof(struct pl_uids); set = sl_from(set, sizeof(struct pl_uids))) {
		struct pl_uids pair;
		memcpy(&pair, set.p, sizeof pair);
		assert_true(pair.lo <= pair.hi);
		for (uint32_t uid = pair.lo; uid <= pair.hi; uid++) {
			struct fake_message *m = by_uid(u, uid);
			n += m && !m->expunged && !m->gone;
			if (m)
				m->expunged = true;
		}
	}
	assert_int_equal(set.n, 0);
	return n;
}

static enum ec on_mbox_expunge(const struct req_mbox_expunge *req, struct ans_mbox_expunge *ans)
{
	assert_true(req->all_flags && req->set.len && !req->all && req->mbox == MBOX_INBOX);
	*ans = (struct ans_mbox_expunge){ .count = take_set(by_account(req->handle.account), range_sl(req->set)) };
	return E_OK;
}

static enum ec on_mbox_copy(const struct req_mbox_copy *req, struct ans_mbox_copy *ans)
{
	struct fake_user *u = by_account(req->handle.account);

	assert_true(req->move && req->set.len && !req->all && req->mbox == MBOX_INBOX && req->to == MBOX_ARCHIVE);
	*ans = (struct ans_mbox_copy){ .count = take_set(u, range_sl(req->set)) };
	u->archived += ans->count;
	return E_OK;
}

FIB enum ec client_call(struct cx *cx, struct client *, enum verb verb, const void *req, void *ans)
{
	const struct verb_info *info = verb_info(verb);

	assert_non_null(info);
	assert_int_equal(info->check(req, chunks_octets(NULL)), E_OK);
	fake.calls[verb]++;
	if (verb == fake.fail_verb && fake.fail_after-- == 0) {
		fake.fail_verb = VERB_NONE;
		return fail(cx, fake.fail_code, "the test wants it");
	}
#define ON(name)                                              \
	if (verb == VERB_##name) {                            \
		enum ec e = on_##name(req, ans);              \
		return e ? fail(cx, e, "fake " #name) : E_OK; \
	}
	ON(upload_begin)
	ON(upload_add)
	ON(upload_drop)
	ON(resolve)
	ON(deliver)
	ON(login)
	ON(renew)
	ON(account)
	ON(pop3_lock)
	ON(seat_take)
	ON(seat_give)
	ON(mbox_find)
	ON(mbox_list)
	ON(mbox_create)
	ON(mbox_status)
	ON(mbox_rows)
	ON(mbox_read)
	ON(mbox_expunge)
	ON(mbox_copy)
	print_error("ERROR: nobody expects verb %s here\n", info->name);
	_fail(__FILE__, __LINE__);
	return E_UNSUPPORTED;
}
