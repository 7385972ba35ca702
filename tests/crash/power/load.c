/// load — random operations on mail: each one job, printing what it did.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "bed.h"
#include "store/account.h"
#include "store/deliver.h"
#include "store/directory.h"
#include "store/tree.h"

enum { TEXT_MAX = 4 << 20, TEXT_USUAL = 32 << 10, BULK_OCTETS = BLOB_INLINE_MAX + (100 << 10), NOW_S = 1600000000 };
enum kind { DELIVER, DELIVER_BULK, APPEND, FLAGS, EXPUNGE, MOVE, COPY, CREATE, RENAME, DELETE, KINDS };
static const unsigned share[KINDS] = { 28, 3, 12, 22, 8, 8, 8, 5, 3, 3 }; // of a hundred
static const char *const kind_name[KINDS] = { "deliver", "deliver", "append", "flags", "expunge", "move", "copy",
	"tree", "tree", "tree" };

struct op {
	struct job job;
	struct bed *b;
	uint64_t n, lottery;
	enum kind kind;
	struct blob *blob;
	size_t octets;
	char body[17];
	struct buf text; // JSON of what it did
	bool ran;
	enum ec result; // of the last run
};

static uint64_t draw64(uint64_t *lottery)
{
	uint64_t z = *lottery += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t draw(struct op *o, uint32_t below)
{
	return (uint32_t)(draw64(&o->lottery) >> 20) % below;
}

static uint64_t lottery_of(const struct bed *b, uint64_t n)
{
	uint64_t l = b->seed * 1000003 + n;

	return draw64(&l);
}

static struct op_id op_id_of(const struct op *o)
{
	struct op_id id = { { 'p' } };

	put_le64(id.octets + 8, o->n);
	return id;
}

// ---- mailboxes

struct boxes {
	unsigned n;
	struct {
		uint64_t mbox;
		char name[BED_NAME];
	} box[BED_BOXES];
};

static bool note_box(void *arg, const struct tree_entry *e)
{
	struct boxes *l = arg;

	if (e->mbox == 0 || e->name.n >= BED_NAME)
		return true;
	l->box[l->n].mbox = e->mbox;
	memcpy(l->box[l->n].name, e->name.p, e->name.n);
	l->box[l->n].name[e->name.n] = 0;
	return ++l->n < BED_BOXES;
}

static enum ec list_boxes(struct cx *cx, struct txn *t, uint64_t account, struct boxes *out)
{
	*out = (struct boxes){ 0 };
	enum ec e = tree_list(cx, txn_view(t), account, SL(""), note_box, out);
	return e == E_OK && out->n == 0 ? E_NOTFOUND : e; // the accounts were not made yet
}

static bool boxes_have(const struct boxes *l, uint64_t mbox)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->box[i].mbox == mbox)
			return true;
	return false;
}

static enum ec pick_box(struct cx *cx, struct txn *t, struct op *o, struct mbox_ref *m)
{
	struct boxes l;

	m->account = 1 + draw(o, BED_ACCOUNTS);
	enum ec e = list_boxes(cx, t, m->account, &l);
	if (e == E_OK)
		m->mbox = draw(o, 2) ? l.box[draw(o, l.n)].mbox : l.box[0].mbox; // often INBOX: there is most
	return e;
}

/// The tree as it is now, and the mailboxes that `before` has not.
static enum ec print_tree(struct cx *cx, struct txn *t, struct op *o, uint64_t account, const struct boxes *before)
{
	struct boxes l;
	struct account a;
	struct mbox_status st;
	enum ec e = list_boxes(cx, t, account, &l);

	if (e == E_OK)
		e = account_load(cx, txn_view(t), account, &a);
	if (e)
		return e;
	buf_printf(&o->text, ",\"acc\":%llu,\"version\":%llu,\"tree\":{", (unsigned long long)account,
		(unsigned long long)a.version);
	for (unsigned i = 0; i < l.n; i++)
		buf_printf(&o->text, "%s\"%s\":%llu", i ? "," : "", l.box[i].name, (unsigned long long)l.box[i].mbox);
	buf_puts(&o->text, "},\"fresh\":[");
	for (unsigned i = 0, n = 0; i < l.n && e == E_OK; i++) {
		if (boxes_have(before, l.box[i].mbox))
			continue;
		e = mailbox_status(cx, txn_view(t), (struct mbox_ref){ account, l.box[i].mbox }, &st);
		buf_printf(&o->text, "%s[%llu,%u,%llu]", n++ ? "," : "", (unsigned long long)l.box[i].mbox,
			st.uidvalidity, (unsigned long long)st.modseq);
	}
	buf_puts(&o->text, "]");
	return e;
}

static void print_uids(struct op *o, const char *name, const struct buf *ranges)
{
	buf_printf(&o->text, ",\"%s\":[", name);
	for (size_t at = 0; at < ranges->n; at += sizeof(struct pl_uids)) {
		struct pl_uids r;
		memcpy(&r, ranges->p + at, sizeof r);
		buf_printf(&o->text, "%s[%u,%u]", at ? "," : "", r.lo, r.hi);
	}
	buf_puts(&o->text, "]");
}

static void print_box(struct op *o, struct mbox_ref m)
{
	buf_printf(&o->text, ",\"acc\":%llu,\"mbox\":%llu", (unsigned long long)m.account, (unsigned long long)m.mbox);
}

/// Some range of the UIDs that a mailbox has or had.
static enum ec some_uids(struct cx *cx, struct txn *t, struct op *o, struct mbox_ref m, struct pl_uids *out)
{
	struct mbox_status st;
	enum ec e = mailbox_status(cx, txn_view(t), m, &st);

	if (e)
		return e;
	out->lo = 1 + draw(o, st.uidnext);
	out->hi = out->lo + draw(o, 4);
	return E_OK;
}

static struct mbox_op mbox_op_of(struct op *o, struct mbox_ref m)
{
	return (struct mbox_op){ .m = m, .op = op_id_of(o), .now_s = NOW_S, .quota = o->b->quota };
}

// ---- operations

static enum ec run_deliver(struct cx *cx, struct txn *t, struct op *o)
{
	uint64_t targets[BED_ACCOUNTS];
	uint8_t status[BED_ACCOUNTS];
	uint32_t n = 0, stored, first = draw(o, BED_ACCOUNTS);
	struct delivery d = {
		.op = op_id_of(o), .body = o->blob, .target = targets, .now_s = NOW_S, .quota = o->b->quota
	};

	for (uint32_t want = 1 + draw(o, 3); n < want; n++)
		targets[n] = 1 + (first + n) % BED_ACCOUNTS;
	d.targets = n;
	enum ec e = deliver(cx, t, &d, status, &stored);
	buf_printf(&o->text, ",\"body\":\"%s\",\"octets\":%zu,\"to\":[", o->body, o->octets);
	for (uint32_t i = 0; i < n && e == E_OK; i++) {
		struct mbox_ref m = { .account = targets[i] };
		struct mbox_status st;
		enum mbox_use use;
		e = tree_find(cx, txn_view(t), m.account, SL("INBOX"), &m.mbox, &use);
		if (e == E_OK)
			e = mailbox_status(cx, txn_view(t), m, &st);
		if (e == E_OK)
			buf_printf(&o->text, "%s[%llu,%llu,%u,%u,%llu]", i ? "," : "", (unsigned long long)m.account,
				(unsigned long long)m.mbox, status[i], st.uidnext - 1, (unsigned long long)st.modseq);
	}
	buf_puts(&o->text, "]");
	return e;
}

static enum ec run_append(struct cx *cx, struct txn *t, struct op *o)
{
	struct mbox_ref m;
	struct append_result r;
	struct mbox_message msg = { .flags = (uint8_t)draw(o, FLAG_ALL + 1), .blob = o->blob, .date_s = NOW_S };
	enum ec e = pick_box(cx, t, o, &m);
	struct mbox_op op = mbox_op_of(o, m);

	if (e == E_OK)
		e = mailbox_append(cx, t, &op, &msg, 1, QUOTA_STRICT, &r);
	if (e)
		return e;
	print_box(o, m);
	buf_printf(&o->text, ",\"uid\":%u,\"modseq\":%llu,\"flags\":%u,\"body\":\"%s\",\"octets\":%zu", r.first_uid,
		(unsigned long long)r.modseq, msg.flags, o->body, o->octets);
	return E_OK;
}

static enum ec run_flags(struct cx *cx, struct txn *t, struct op *o)
{
	struct mbox_ref m;
	struct pl_uids set = { 0 };
	struct flags_result r;
	struct buf failed = BUF(TEXT_MAX);
	enum ec e = pick_box(cx, t, o, &m);
	struct mbox_op op = mbox_op_of(o, m);

	if (e == E_OK)
		e = some_uids(cx, t, o, m, &set);
	struct flags_change fc = { .set = { &set, 1, false },
		.mode = (enum flags_mode)draw(o, FLAGS_MODES),
		.flags = (uint8_t)draw(o, FLAG_ALL + 1),
		.unchanged_since = UINT64_MAX };
	if (e == E_OK)
		e = mailbox_flags(cx, t, &op, &fc, &failed, &r);
	buf_free(&failed);
	if (e)
		return e;
	print_box(o, m);
	buf_printf(&o->text, ",\"set\":[%u,%u],\"mode\":%d,\"flags\":%u,\"modseq\":%llu,\"changed\":%u", set.lo, set.hi,
		(int)fc.mode, fc.flags, (unsigned long long)r.modseq, r.changed);
	return E_OK;
}

static enum ec run_expunge(struct cx *cx, struct txn *t, struct op *o)
{
	struct mbox_ref m;
	struct pl_uids set = { 0 };
	struct expunge_result r;
	struct buf gone = BUF(TEXT_MAX);
	enum ec e = pick_box(cx, t, o, &m);
	struct mbox_op op = mbox_op_of(o, m);

	if (e == E_OK)
		e = some_uids(cx, t, o, m, &set);
	if (e == E_OK)
		e = mailbox_expunge(cx, t, &op, (struct uid_set){ &set, 1, false }, draw(o, 3), &gone, &r);
	if (e == E_OK) {
		print_box(o, m);
		buf_printf(&o->text, ",\"modseq\":%llu", (unsigned long long)r.modseq);
		print_uids(o, "gone", &gone);
	}
	buf_free(&gone);
	return e;
}

static enum ec run_copy(struct cx *cx, struct txn *t, struct op *o)
{
	struct mbox_ref m;
	struct boxes l;
	struct pl_uids set = { 0 };
	struct copy_result r;
	struct mbox_status st = { 0 };
	struct buf from = BUF(TEXT_MAX);
	uint64_t to = 0;
	enum ec e = pick_box(cx, t, o, &m);
	struct mbox_op op = mbox_op_of(o, m);

	if (e == E_OK)
		e = some_uids(cx, t, o, m, &set);
	if (e == E_OK)
		e = list_boxes(cx, t, m.account, &l);
	if (e == E_OK)
		to = l.box[draw(o, l.n)].mbox;
	if (e == E_OK)
		e = mailbox_copy(cx, t, &op, to, (struct uid_set){ &set, 1, false }, o->kind == MOVE, &from, &r);
	if (e == E_OK)
		e = mailbox_status(cx, txn_view(t), (struct mbox_ref){ m.account, to }, &st);
	if (e == E_OK) {
		print_box(o, m);
		buf_printf(&o->text, ",\"to\":%llu,\"uid\":%u,\"count\":%u,\"modseq\":%llu,\"to_modseq\":%llu",
			(unsigned long long)to, r.first_uid, r.count, (unsigned long long)r.modseq,
			(unsigned long long)st.modseq);
		print_uids(o, "from", &from);
	}
	buf_free(&from);
	return e;
}

/// A name of one to three components, of few that there are: so names meet.
static void some_name(struct op *o, char out[static BED_NAME])
{
	out[0] = 0;
	for (uint32_t parts = 1 + draw(o, 3); parts; parts--)
		snprintf(out + strlen(out), BED_NAME - strlen(out), "%sbox-%c", out[0] ? "/" : "",
			(char)('a' + draw(o, 4)));
}

static enum ec run_tree(struct cx *cx, struct txn *t, struct op *o)
{
	struct tree_op op = {
		.account = 1 + draw(o, BED_ACCOUNTS), .op = op_id_of(o), .now_s = NOW_S, .quota = o->b->quota
	};
	struct boxes before;
	char name[BED_NAME];
	uint64_t mbox;
	enum ec e = list_boxes(cx, t, op.account, &before);

	if (e)
		return e;
	some_name(o, name);
	if (o->kind == CREATE) {
		e = tree_create(cx, t, &op, sl_cstr(name), MBOX_USE_NONE, &mbox);
	} else {
		mbox = before.box[draw(o, before.n)].mbox;
		e = o->kind == DELETE ? tree_delete(cx, t, &op, mbox) : tree_rename(cx, t, &op, mbox, sl_cstr(name));
	}
	return e ? e : print_tree(cx, t, o, op.account, &before);
}

static enum ec run_kind(struct cx *cx, struct txn *t, struct op *o)
{
	switch (o->kind) {
	case DELIVER:
	case DELIVER_BULK: return run_deliver(cx, t, o);
	case APPEND: return run_append(cx, t, o);
	case FLAGS: return run_flags(cx, t, o);
	case EXPUNGE: return run_expunge(cx, t, o);
	case MOVE:
	case COPY: return run_copy(cx, t, o);
	case CREATE:
	case RENAME:
	case DELETE: return run_tree(cx, t, o);
	case KINDS: break;
	}
	abort();
}

static enum ec run_op(struct cx *cx, struct txn *t, struct job *job)
{
	struct op *o = job->arg;

	if (o->ran) // as request.c does it
		quota_forget_all(o->b->quota);
	o->ran = true;
	o->lottery = lottery_of(o->b, o->n);
	buf_clear(&o->text);
	buf_printf(&o->text, "ack {\"n\":%llu,\"order\":%llu,\"lazy\":%d,\"kind\":\"%s\"", (unsigned long long)o->n,
		(unsigned long long)atomic_fetch_add(&o->b->order, 1) + 1, o->kind == FLAGS, kind_name[o->kind]);
	o->result = run_kind(cx, t, o);
	return o->result;
}

/// Memory for what a job prints.
static void begin_text(struct op *o)
{
	bed_spare(true);
	if (!buf_room(&o->text, TEXT_USUAL))
		bed_die(NULL, "memory for a text", o->text.err);
	bed_spare(false);
}

/// A job that failed did nothing, and says only that.
static void acknowledge(struct op *o, enum ec e)
{
	if (e) {
		buf_clear(&o->text);
		buf_printf(&o->text, "ack {\"n\":%llu,\"kind\":\"failed\",\"why\":\"%s\"", (unsigned long long)o->n,
			ec_name(e));
	}
	buf_puts(&o->text, "}");
	if (o->text.err)
		bed_die(NULL, "a line of an acknowledgement", o->text.err);
	bed_mark(o->b, buf_sl(&o->text));
}

static void mark_begin(const struct bed *b, uint64_t n)
{
	char line[40];

	bed_mark(b, (struct sl){ (uint8_t *)line,
			    (size_t)snprintf(line, sizeof line, "begin %llu", (unsigned long long)n) });
}

static enum kind kind_of(const struct bed *b, uint64_t n)
{
	uint64_t l = lottery_of(b, n) ^ 1;
	unsigned at = (unsigned)(draw64(&l) >> 20) % 100, kind = 0;

	while (at >= share[kind])
		at -= share[kind++];
	return (enum kind)kind;
}

bool load_is_delivery(const struct bed *b, uint64_t n)
{
	return kind_of(b, n) <= DELIVER_BULK;
}

/// The body of a delivery or an append, in the store's hands.
static enum ec give_body(struct cx *cx, struct op *o)
{
	uint64_t l = lottery_of(o->b, o->n) ^ 2;
	unsigned size = (unsigned)(draw64(&l) >> 20) % 4;

	o->octets = o->kind == DELIVER_BULK ? BULK_OCTETS + (unsigned)o->n % 5000
	                                    : (unsigned)(draw64(&l) >> 20) % (200u << size * 3 % 11) + 1;
	bed_spare(true);
	uint8_t *p = malloc(o->octets);
	bed_spare(false);
	if (!p)
		bed_die(cx, "memory for a body", E_TEMP);
	bed_body(o->b->seed, o->n, o->octets, p);
	bed_body_name((struct sl){ p, o->octets }, o->body);
	enum ec e = blob_new(cx, o->b->s, &o->blob);
	if (e == E_OK)
		e = blob_add(cx, o->blob, (struct sl){ p, o->octets });
	free(p);
	return e;
}

enum ec load_one(struct bed *b, uint64_t n)
{
	struct op o = { .b = b, .n = n, .kind = kind_of(b, n), .text = BUF(TEXT_MAX) };
	struct cx cx = { 0 };

	begin_text(&o);
	mark_begin(b, n);
	enum ec e = o.kind <= APPEND ? give_body(&cx, &o) : E_OK;
	if (e == E_OK)
		e = store_do(&cx, b->s, o.kind != FLAGS, run_op, &o);
	if (e && o.ran && o.result == E_OK)
		quota_forget_all(b->quota);
	acknowledge(&o, e);
	blob_free(o.blob);
	buf_free(&o.text);
	cx_end(&cx);
	return e;
}

// ---- accounts

static enum ec run_account(struct cx *cx, struct txn *t, struct job *job)
{
	struct op *o = job->arg;
	char address[40];
	struct account_new a = { .now_s = NOW_S };
	struct boxes none = { 0 };
	uint64_t id;
	enum ec e = o->n == 1 ? directory_domain_add(cx, t, SL("power.test"), SL("")) : E_OK;

	snprintf(address, sizeof address, "user-%llu@power.test", (unsigned long long)o->n);
	a.address = sl_cstr(address);
	a.quota_octets = o->n == BED_ACCOUNTS ? 200 << 10 : 0;
	if (e == E_OK)
		e = account_create(cx, t, &a, &id);
	if (e == E_OK && id != o->n)
		e = fail(cx, E_STATE, "account %llu", (unsigned long long)id);
	buf_printf(&o->text, "ack {\"n\":%llu,\"order\":%llu,\"lazy\":0,\"kind\":\"tree\"", (unsigned long long)o->n,
		(unsigned long long)atomic_fetch_add(&o->b->order, 1) + 1);
	return e ? e : print_tree(cx, t, o, id, &none);
}

void load_accounts(struct bed *b)
{
	for (uint64_t n = 1; n <= BED_ACCOUNTS; n++) {
		struct op o = { .b = b, .n = n, .text = BUF(TEXT_MAX) };
		struct cx cx = { 0 };
		mark_begin(b, n);
		enum ec e = store_do(&cx, b->s, true, run_account, &o);
		if (e)
			bed_die(&cx, "making an account", e);
		acknowledge(&o, e);
		buf_free(&o.text);
	}
	atomic_store(&b->next, BED_ACCOUNTS + 1);
}
