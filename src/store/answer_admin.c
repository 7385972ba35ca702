/// answer_admin — requests of the operator: domains, users, aliases, figures, checking.
#include "store/request.h"

#include "base/num.h"
#include "store/check_mail.h"
#include "store/directory.h"
#include "store/keys.h"
#include "store/tree.h"

enum { CHECK_SLICE_NS = 100000000, FAULT_LINE_MAX = 4096 };

static void submit(struct request *r, enum ec (*run)(struct cx *cx, struct txn *t, struct request *r))
{
	r->run = run;
	request_submit(r, (struct request_job){ .durable = true });
}

static enum ec domain_add_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_domain_add *q = r->in;

	return directory_domain_add(cx, t, FIELD_SL(q->domain), FIELD_SL(q->alias_of));
}
static void domain_add(struct cx *cx, struct request *r)
{
	(void)cx;
	submit(r, domain_add_run);
}

static enum ec domain_remove_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_domain_remove *q = r->in;

	return directory_domain_remove(cx, t, FIELD_SL(q->domain));
}
static void domain_remove(struct cx *cx, struct request *r)
{
	(void)cx;
	submit(r, domain_remove_run);
}

// ---- users

static enum ec user_add_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_user_add *q = r->in;
	struct ans_user_add *a = r->out;
	struct password_work *w = r->work;
	struct account_new n = { FIELD_SL(q->address), w->cred, q->quota_octets, q->quota_messages, r->now_s };

	return account_create(cx, t, &n, &a->account);
}

static enum ec user_passwd_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_user_passwd *q = r->in;
	struct password_work *w = r->work;
	uint64_t id;
	enum ec e = directory_user_find(cx, txn_view(t), FIELD_SL(q->address), &id);

	return e == E_OK ? account_set_credentials(cx, t, id, &w->cred) : e;
}

static void made(struct password_work *w, enum ec e)
{
	struct request *r = w->arg;

	if (e == E_OK)
		request_submit(r, (struct request_job){ .durable = true });
	else
		request_answer(r, e == E_LIMIT ? E_TEMP : e); // too many log in at once: try again
}

/// Makes credentials on a helper thread, then runs r->run with them.
static void with_password(struct request *r, struct sl password)
{
	struct password_work *w = r->work = request_alloc(r, sizeof *w);

	if (!w) {
		request_answer(r, E_TEMP);
		return;
	}
	w->kind = PASSWORD_MAKE;
	w->done = made;
	w->arg = r;
	w->password_octets = (uint16_t)password.n;
	memcpy(w->password, password.p, password.n);
	enum ec e = password_submit(r->s->passwords, w);
	if (e != E_OK)
		made(w, e);
}

static void user_add(struct cx *cx, struct request *r)
{
	const struct req_user_add *q = r->in;

	(void)cx;
	r->run = user_add_run;
	with_password(r, FIELD_SL(q->password));
}

static void user_passwd(struct cx *cx, struct request *r)
{
	const struct req_user_passwd *q = r->in;

	(void)cx;
	r->run = user_passwd_run;
	with_password(r, FIELD_SL(q->password));
}

static enum ec user_remove_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_user_remove *q = r->in;
	uint64_t id;
	enum ec e = account_remove(cx, t, FIELD_SL(q->address), &id);

	if (e == E_OK)
		quota_forget(r->s->quota, id);
	return e;
}
static void user_remove(struct cx *cx, struct request *r)
{
	(void)cx;
	submit(r, user_remove_run);
}

static enum ec user_set_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_user_set *q = r->in;
	struct account s = { .quota_octets = q->quota_octets,
		.quota_messages = q->quota_messages,
		.services = (uint8_t)((q->imap ? 1u << SERVICE_IMAP : 0) | (q->pop3 ? 1u << SERVICE_POP3 : 0) |
				      (q->send ? 1u << SERVICE_SUBMISSION : 0)),
		.pop3_retr = q->pop3_retr };
	uint64_t id;
	enum ec e = directory_user_find(cx, txn_view(t), FIELD_SL(q->address), &id);

	return e == E_OK ? account_set(cx, t, id, q->which, &s) : e;
}
static void user_set(struct cx *cx, struct request *r)
{
	(void)cx;
	submit(r, user_set_run);
}

// ---- aliases

static enum ec alias_add_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_alias_add *q = r->in;
	const struct sl *targets = r->work;

	return directory_alias_add(cx, t, FIELD_SL(q->address), *targets, q->replace);
}
static void alias_add(struct cx *cx, struct request *r)
{
	const struct req_alias_add *q = r->in;
	struct sl *targets = r->work = request_alloc(r, sizeof *targets);
	enum ec e = targets ? request_copy(r, q->targets, ALIAS_OCTETS_MAX, targets) : E_TEMP;

	(void)cx;
	if (e == E_OK)
		submit(r, alias_add_run);
	else
		request_answer(r, e == E_TOOBIG ? E_LIMIT : e);
}

static enum ec alias_remove_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_alias_remove *q = r->in;

	return directory_alias_remove(cx, t, FIELD_SL(q->address));
}
static void alias_remove(struct cx *cx, struct request *r)
{
	(void)cx;
	submit(r, alias_remove_run);
}

// ---- postmaster

/// Names the owner where the request says one, and gives who it is now.
static enum ec postmaster_answer(struct cx *cx, struct request *r, struct view *v)
{
	struct ans_postmaster *a = r->out;
	struct account acc;
	uint64_t owner = 0;
	enum ec e = directory_postmaster(cx, v, &owner);

	if (e != E_OK || owner == 0)
		return e;
	e = account_load(cx, v, owner, &acc);
	return e == E_OK ? field_set(a->address, account_address(&acc)) : e;
}

static enum ec postmaster_run(struct cx *cx, struct txn *t, struct request *r)
{
	const struct req_postmaster *q = r->in;
	uint64_t id;
	enum ec e = directory_user_find(cx, txn_view(t), FIELD_SL(q->address), &id);

	if (e == E_OK)
		e = directory_set_postmaster(cx, t, id);
	return e == E_OK ? postmaster_answer(cx, r, txn_view(t)) : e;
}
static void postmaster(struct cx *cx, struct request *r)
{
	const struct req_postmaster *q = r->in;
	struct view *v;

	if (q->address.n) {
		submit(r, postmaster_run);
		return;
	}
	enum ec e = view_open(cx, r->s->store, &v);
	if (e == E_OK) {
		e = postmaster_answer(cx, r, v);
		view_close(v);
	}
	request_answer(r, e);
}

// ---- lists

struct admin_list {
	struct cx *cx;
	struct request *r;
	struct view *v;
	struct out out;
	enum ec err;
};

/// One whose account damage has taken is shown so, and keeps no other from being shown.
static enum ec fill_user(struct admin_list *l, uint64_t id, struct pl_entry *p)
{
	struct account a;
	struct quota_used used;
	enum ec e = account_load(l->cx, l->v, id, &a);

	p->account = id;
	p->lost = e == E_NOTFOUND || e == E_CORRUPT;
	if (p->lost) {
		cx_forget(l->cx);
		return E_OK;
	}
	if (e == E_OK)
		e = quota_read(l->cx, l->r->s->quota, l->v, id, &used);
	if (e != E_OK)
		return e;
	p->imap = a.services >> SERVICE_IMAP & 1;
	p->pop3 = a.services >> SERVICE_POP3 & 1;
	p->send = a.services >> SERVICE_SUBMISSION & 1;
	p->pop3_retr = a.pop3_retr;
	p->quota_octets = a.quota_octets;
	p->quota_messages = a.quota_messages;
	p->used_octets = used.octets;
	p->used_messages = used.messages;
	return E_OK;
}

static bool list_entry(void *arg, const struct dir_entry *e)
{
	struct admin_list *l = arg;
	struct ans_admin_list *a = l->r->out;
	static const uint8_t zeros[8];
	size_t text = e->name.n + e->text.n, size = (sizeof(struct pl_entry) + text + 7) & ~(size_t)7;
	struct pl_entry p = {
		.size = (uint16_t)size, .name_octets = (uint16_t)e->name.n, .targets_octets = (uint16_t)e->text.n
	};

	l->err = e->account ? fill_user(l, e->account, &p) : E_OK;
	if (l->err != E_OK)
		return false;
	if (size > l->out.left) {
		a->more = 1;
		l->err = a->count == 0 ? E_TOOBIG : E_OK;
		return false;
	}
	bool fits = out_put(&l->out, &p, sizeof p) && out_put(&l->out, e->name.p, e->name.n) &&
	            out_put(&l->out, e->text.p, e->text.n) && out_put(&l->out, zeros, size - sizeof p - text);
	a->count += fits;
	return fits;
}

static enum ec admin_list(struct cx *cx, struct request *r, struct view *v)
{
	const struct req_admin_list *q = r->in;
	struct admin_list l = { .cx = cx, .r = r, .v = v, .out = request_out(r, q->out) };
	enum ec e = directory_list(cx, v, (enum list_what)q->what, FIELD_SL(q->after), list_entry, &l);

	return e == E_OK ? l.err : e;
}

// ---- figures and checking

static void stat_line(struct out *out, const char *name, uint64_t value)
{
	struct buf line = BUF(128);

	buf_printf(&line, "%s=%llu\n", name, (unsigned long long)value);
	(void)out_put(out, line.p, line.n); // what does not fit is left out
	buf_free(&line);
}

static void store_stats(struct cx *cx, struct request *r)
{
	const struct req_store_stats *q = r->in;
	struct ans_store_stats *a = r->out;
	struct out out = request_out(r, q->out);
	struct store_stats s;
	struct password_stats p;

	(void)cx;
	store_get_stats(r->s->store, &s);
	passwords_stats(r->s->passwords, &p);
	const struct {
		const char *name;
		uint64_t value;
	} lines[] = {
		{ "batches", s.batches },
		{ "jobs", s.jobs },
		{ "flushes", s.flushes },
		{ "log_octets", s.log_octets },
		{ "segments", s.segments },
		{ "bodies", s.bodies },
		{ "index_octets", s.index_octets },
		{ "free_octets", s.free_octets },
		{ "applied_lsn", s.applied_lsn },
		{ "durable_lsn", s.durable_lsn },
		{ "read_only", s.read_only },
		{ "peers", serve_peers(r->s) },
		{ "passwords_verified", p.verified },
		{ "passwords_cached", p.cached },
		{ "passwords_failed", p.failed },
		{ "passwords_refused", p.refused },
		{ "passwords_hashed", p.hashed },
		{ "logins_braked", brake_refused(r->s->brake) },
		{ "sessions", seats_count(r->s->seats) },
	};
	for (size_t i = 0; i < ARRAY_N(lines); i++)
		stat_line(&out, lines[i].name, lines[i].value);
	a->octets = (uint32_t)(q->out.len - out.left);
	request_answer(r, E_OK);
}

struct fault_lines {
	struct cx *cx;
	struct store *s;
	struct out out;
};

/// Whose mail it is, and which mailbox, in the words of the operator; nothing of what cannot be read.
static void print_owner(struct fault_lines *f, struct cell_id where, struct buf *line)
{
	struct account a;
	struct view *v;

	if (where.account == 0 || view_open(f->cx, f->s, &v) != E_OK)
		return;
	struct buf name = BUF(FAULT_LINE_MAX);
	if (account_load(f->cx, v, where.account, &a) == E_OK)
		buf_printf(line, " %.*s", SLF(account_address(&a)));
	if (where.name != ACCOUNT_NAME && tree_name(f->cx, v, where.account, where.name, &name) == E_OK)
		buf_printf(line, " \"%.*s\"", SLF(buf_sl(&name)));
	buf_free(&name);
	view_close(v);
	cx_forget(f->cx);
}

static void fault_line(void *arg, unsigned invariant, struct cell_id where, const char *what)
{
	struct fault_lines *f = arg;
	struct buf line = BUF(FAULT_LINE_MAX);

	buf_printf(&line, "M%u account=%llu cell=%llu", invariant, (unsigned long long)where.account,
		(unsigned long long)where.name);
	print_owner(f, where, &line);
	buf_printf(&line, ": %s\n", what);
	(void)out_put(&f->out, line.p, line.n); // the count says that there are more
	buf_free(&line);
}

static void store_check(struct cx *cx, struct request *r)
{
	const struct req_store_check *q = r->in;
	struct ans_store_check *a = r->out;
	struct fault_lines lines = { cx, r->s->store, request_out(r, q->out) };
	struct check_slice slice = { .cursor = q->cursor, .budget_ns = CHECK_SLICE_NS, .bodies = true };
	enum ec e = check_mail(cx, r->s->store, r->s->quota, &slice, fault_line, &lines);

	if (e == E_OK) {
		a->next = slice.cursor;
		a->total = slice.total;
		a->faults = slice.faults;
		a->octets = (uint32_t)(q->out.len - lines.out.left);
	}
	request_answer(r, e);
}

static void compact(struct cx *cx, struct request *r)
{
	const struct req_store_compact *q = r->in;
	struct ans_store_compact *a = r->out;
	struct store_compaction c;
	enum ec e = q->start ? store_compact(cx, r->s->store) : E_OK;

	store_get_compaction(r->s->store, &c);
	*a = (struct ans_store_compact){
		.running = c.running,
		.done = c.done,
		.total = c.total,
		.runs = c.runs,
		.result = c.result,
		.segments = c.segments,
		.packs = c.packs,
		.octets_gone = c.octets_gone,
		.octets_new = c.octets_new,
		.damaged = c.damaged,
	};
	request_answer(r, e);
}

static void hold(struct cx *cx, struct request *r)
{
	const struct req_store_hold *q = r->in;
	struct ans_store_hold *a = r->out;
	struct store_held held = { 0 };
	enum ec e = store_hold(cx, r->s->store, q->roll, &held);

	a->segment = held.segment;
	a->files = held.files;
	request_answer(r, e);
}

const struct handler *handler_admin(uint32_t verb)
{
	static const struct handler handlers[VERBS] = {
		[VERB_domain_add] = { .start = domain_add },
		[VERB_domain_remove] = { .start = domain_remove },
		[VERB_user_add] = { .start = user_add },
		[VERB_user_remove] = { .start = user_remove },
		[VERB_user_passwd] = { .start = user_passwd },
		[VERB_user_set] = { .start = user_set },
		[VERB_alias_add] = { .start = alias_add },
		[VERB_alias_remove] = { .start = alias_remove },
		[VERB_admin_list] = { .read = admin_list },
		[VERB_postmaster] = { .start = postmaster },
		[VERB_store_stats] = { .start = store_stats },
		[VERB_store_check] = { .start = store_check },
		[VERB_store_compact] = { .start = compact },
		[VERB_store_hold] = { .start = hold },
	};

	return handlers[verb].read || handlers[verb].start ? &handlers[verb] : NULL;
}
