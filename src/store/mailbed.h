#pragma once
/// mailbed — what the mail tests share: a store over either engine, accounts in it, and jobs written as plain calls.
/// Only tests include this. Built with -DENGINE_MEM over cell_mem.h, otherwise over the real engine in a
/// temporary folder.
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/num.h"
#include "store/account.h"
#include "store/check_mail.h"
#include "store/deliver.h"
#include "store/directory.h"
#include "store/mailbox.h"
#include "store/tree.h"
#ifdef ENGINE_MEM
#include "store/cell_mem.h"
#endif

enum { BED_NOW = 1000000000 };
struct mailbed {
	char dir[64];
	struct store *s;
	struct quota *quota;
	struct cx cx;
	int64_t now_s;
};

static inline void bed_open_store(struct mailbed *b)
{
	struct store_conf conf = {
		.dir = sl_cstr(b->dir), .segment_octets = 4 << 20, .map_octets = 256 << 20, .free_min_octets = 1
	};

	assert_int_equal(store_open(&b->cx, &conf, &b->s), E_OK);
}

static inline struct mailbed *mailbed_new(void)
{
	struct mailbed *b = calloc(1, sizeof *b);

	if (!b)
		abort();
	strcpy(b->dir, "/tmp/hongyan-mail-XXXXXX");
	if (!mkdtemp(b->dir))
		abort();
	b->now_s = BED_NOW;
	assert_int_equal(quota_new(&b->quota), E_OK);
	bed_open_store(b);
	return b;
}

static inline int bed_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void mailbed_free(struct mailbed *b)
{
	store_close(b->s);
	quota_free(b->quota);
	cx_end(&b->cx);
	nftw(b->dir, bed_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(b);
}

/// One call inside a job.
typedef enum ec bed_call(struct mailbed *b, struct cx *cx, struct txn *t, void *arg);
struct bed_job {
	struct mailbed *b;
	bed_call *call;
	void *arg;
};
static inline enum ec bed_job_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct bed_job *j = job->arg;

	return j->call(j->b, cx, t, j->arg);
}
static inline enum ec bed_do(struct mailbed *b, bed_call *call, void *arg)
{
	struct bed_job j = { b, call, arg };

	return store_do(&b->cx, b->s, false, bed_job_run, &j);
}

static inline struct view *bed_view(struct mailbed *b)
{
	struct view *v;

	assert_int_equal(view_open(&b->cx, b->s, &v), E_OK);
	return v;
}

// ---- accounts

struct bed_domain {
	struct sl domain, alias_of;
};
static inline enum ec bed_domain_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct bed_domain *d = arg;

	(void)b;
	return directory_domain_add(cx, t, d->domain, d->alias_of);
}
static inline enum ec bed_domain(struct mailbed *b, struct sl domain, struct sl alias_of)
{
	return bed_do(b, bed_domain_job, &(struct bed_domain){ domain, alias_of });
}

struct bed_user {
	struct account_new n;
	uint64_t id;
};
static inline enum ec bed_user_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct bed_user *u = arg;

	(void)b;
	return account_create(cx, t, &u->n, &u->id);
}
static inline enum ec bed_try_user(struct mailbed *b, struct sl address, uint64_t quota_octets, uint64_t *id)
{
	struct bed_user u = { .n = { .address = address, .quota_octets = quota_octets, .now_s = b->now_s } };
	enum ec e = bed_do(b, bed_user_job, &u);

	*id = u.id;
	return e;
}
static inline uint64_t bed_user(struct mailbed *b, struct sl address, uint64_t quota_octets)
{
	uint64_t id;

	assert_int_equal(bed_try_user(b, address, quota_octets, &id), E_OK);
	return id;
}

static inline enum ec bed_find(struct mailbed *b, uint64_t account, struct sl name, uint64_t *mbox)
{
	enum mbox_use use;
	struct view *v = bed_view(b);
	enum ec e = tree_find(&b->cx, v, account, name, mbox, &use);

	view_close(v);
	return e;
}
static inline uint64_t bed_mbox(struct mailbed *b, uint64_t account, struct sl name)
{
	uint64_t mbox = 0;

	assert_int_equal(bed_find(b, account, name, &mbox), E_OK);
	return mbox;
}

struct bed_create {
	struct tree_op op;
	struct sl name;
	uint64_t mbox;
};
static inline enum ec bed_create_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct bed_create *c = arg;

	(void)b;
	return tree_create(cx, t, &c->op, c->name, MBOX_USE_NONE, &c->mbox);
}
static inline enum ec bed_create(struct mailbed *b, uint64_t account, struct sl name, uint64_t *mbox)
{
	struct bed_create c = { .op = { .account = account, .now_s = b->now_s, .quota = b->quota }, .name = name };
	enum ec e = bed_do(b, bed_create_job, &c);

	*mbox = c.mbox;
	return e;
}

struct bed_delete {
	struct tree_op op;
	uint64_t mbox;
};
static inline enum ec bed_delete_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct bed_delete *d = arg;

	(void)b;
	return tree_delete(cx, t, &d->op, d->mbox);
}
static inline void bed_delete(struct mailbed *b, struct mbox_ref m, int64_t now_s)
{
	struct bed_delete d = { { .account = m.account, .now_s = now_s, .quota = b->quota }, m.mbox };

	assert_int_equal(bed_do(b, bed_delete_job, &d), E_OK);
}

/// Takes a cell as damage does: what names it stays.
static inline enum ec bed_lose_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	const struct cell_id *id = arg;
	uint64_t version;
	struct sl head;
	enum ec e = cell_head(cx, txn_view(t), *id, &version, &head);

	(void)b;
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, *id, version);
	change_drop(c);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}
static inline void bed_lose(struct mailbed *b, struct cell_id id)
{
	assert_int_equal(bed_do(b, bed_lose_job, &id), E_OK);
}

// ---- messages

struct bed_append {
	struct mbox_op op;
	struct mbox_message msg;
	struct blob *blob;
	struct append_result r;
};
static inline enum ec bed_append_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct bed_append *a = arg;
	enum ec e = blob_put(cx, t, a->blob, &a->msg.body);

	(void)b;
	return e == E_OK ? mailbox_append(cx, t, &a->op, &a->msg, 1, QUOTA_STRICT, &a->r) : e;
}
static inline enum ec bed_append_op(struct mailbed *b, struct mbox_ref m, struct sl body, uint8_t flags,
	uint64_t keywords, struct op_id op, struct append_result *r)
{
	struct bed_append a = { .op = { .m = m, .op = op, .now_s = b->now_s, .quota = b->quota },
		.msg = { .flags = flags, .keywords = keywords, .date_s = 12345, .zone_min = -90 } };
	enum ec e = blob_new(&b->cx, b->s, &a.blob);

	if (e == E_OK)
		e = blob_add(&b->cx, a.blob, body);
	if (e == E_OK)
		e = bed_do(b, bed_append_job, &a);
	blob_free(a.blob);
	*r = a.r;
	return e;
}
static inline uint32_t bed_append(struct mailbed *b, struct mbox_ref m, struct sl body, uint8_t flags)
{
	struct append_result r;

	assert_int_equal(bed_append_op(b, m, body, flags, 0, (struct op_id){ 0 }, &r), E_OK);
	return r.first_uid;
}
static inline struct mbox_status bed_status(struct mailbed *b, struct mbox_ref m)
{
	struct mbox_status st = { 0 };
	struct view *v = bed_view(b);

	assert_int_equal(mailbox_status(&b->cx, v, m, &st), E_OK);
	view_close(v);
	return st;
}
static inline struct op_id bed_op(uint64_t n)
{
	struct op_id op = { { 1 } };

	put_le64(op.octets + 8, n);
	return op;
}

// ---- damage

struct bed_spoil {
	struct mbox_ref m;
	struct sl head;
};
static inline enum ec bed_spoil_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	const struct bed_spoil *sp = arg;
	uint64_t version;
	enum ec e = cell_head(cx, txn_view(t), mbox_cell(sp->m), &version, &(struct sl){ 0 });

	(void)b;
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, mbox_cell(sp->m), version);
	change_head(c, sp->head);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}
/// Gives a mailbox a head that is none.
static inline void bed_spoil(struct mailbed *b, struct mbox_ref m, struct sl head)
{
	assert_int_equal(bed_do(b, bed_spoil_job, &(struct bed_spoil){ m, head }), E_OK);
}

// ---- checking

static inline void bed_fault(void *arg, unsigned invariant, struct cell_id at, const char *what)
{
	unsigned *faults = arg;

	if (invariant == 14)
		return;
	++*faults;
	print_error("M%u %llu/%llu %s\n", invariant, (unsigned long long)at.account, (unsigned long long)at.name, what);
}
/// Nothing is at odds in any cell or body; what is lost (M14) is no matter here.
static inline void bed_check(struct mailbed *b)
{
	struct check_slice slice = { .budget_ns = INT64_MAX / 2, .bodies = true };
	unsigned faults = 0;

	do
		assert_int_equal(check_mail(&b->cx, b->s, b->quota, &slice, bed_fault, &faults), E_OK);
	while (slice.cursor);
	assert_int_equal(faults, 0);
}
