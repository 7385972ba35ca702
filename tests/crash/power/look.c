/// look — the whole state of a store as one line of JSON, every body read; and what the checkers say.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"
#include "store/account.h"
#include "store/check_log.h"
#include "store/check_mail.h"
#include "store/engine.h"
#include "store/mbox_rows.h"
#include "store/tree.h"

enum { LOOK_ACCOUNTS = 16, LOOK_BOXES = 1024 };

struct boxes {
	uint64_t account;
	unsigned n, in_tree;
	uint64_t mbox[LOOK_BOXES];
	uint64_t account_of[LOOK_BOXES];
};

static bool print_entry(void *arg, const struct tree_entry *e)
{
	struct boxes *l = arg;

	if (e->mbox == 0)
		return true;
	if (l->n == LOOK_BOXES)
		bed_die(NULL, "printing the state", E_LIMIT);
	printf("%s\"%.*s\":%llu", l->in_tree++ ? "," : "", SLF(e->name), (unsigned long long)e->mbox);
	l->account_of[l->n] = l->account;
	l->mbox[l->n++] = e->mbox;
	return true;
}

static enum ec print_account(struct bed *b, struct view *v, struct boxes *l)
{
	struct account a;
	struct quota_used kept, sum;
	enum ec e = account_load(NULL, v, l->account, &a);

	if (e)
		return e;
	e = quota_read(NULL, b->quota, v, l->account, &kept);
	if (e == E_OK)
		e = quota_sum(NULL, v, l->account, &sum);
	if (e)
		return e;
	printf("\"%llu\":{\"version\":%llu,\"kept\":[%llu,%llu],\"sum\":[%llu,%llu],\"tree\":{",
		(unsigned long long)l->account, (unsigned long long)a.version, (unsigned long long)kept.octets,
		(unsigned long long)kept.messages, (unsigned long long)sum.octets, (unsigned long long)sum.messages);
	l->in_tree = 0;
	e = tree_list(NULL, v, l->account, SL(""), print_entry, l);
	printf("}}");
	return e;
}

struct printing {
	struct store *s;
	unsigned n;
};

/// A body's name; the code where it cannot be read.
static void body_name(struct store *s, struct body_ref ref, char out[static 17])
{
	uint8_t *p = malloc(ref.octets ? ref.octets : 1);
	struct iovec iov = { p, ref.octets };
	enum ec e = p ? blob_get(NULL, s, ref, 0, &iov, 1) : E_TEMP;

	if (e)
		snprintf(out, 17, "%s", ec_name(e));
	else
		bed_body_name((struct sl){ p, ref.octets }, out);
	free(p);
}

static bool print_row(void *arg, const struct pl_row *row)
{
	struct printing *p = arg;
	char name[17];

	body_name(p->s, (struct body_ref){ row->body, row->octets }, name);
	printf("%s[%u,%u,%llu,%u,\"%s\"]", p->n++ ? "," : "", row->uid, row->flags, (unsigned long long)row->modseq,
		row->octets, name);
	return true;
}

static enum ec print_mailbox(struct bed *b, struct view *v, struct mbox_ref m)
{
	struct printing p = { .s = b->s };
	struct walk w = { .set = { .all = true }, .expunged_after_s = INT64_MAX };
	struct mbox_head h;
	enum ec e = mbox_head_load(NULL, v, mbox_cell(m), &h);

	if (e)
		return e;
	printf("{\"acc\":%llu,\"mbox\":%llu,\"version\":%llu,\"uidvalidity\":%u,\"uidnext\":%u,\"messages\":%u,"
	       "\"unseen\":%u,"
	       "\"octets\":%llu,\"rows\":[",
		(unsigned long long)m.account, (unsigned long long)m.mbox, (unsigned long long)h.version, h.uidvalidity,
		h.uidnext, h.messages, h.unseen, (unsigned long long)h.octets);
	e = mbox_walk(NULL, v, mbox_cell(m), &h, &w, print_row, &p);
	printf("]}");
	return e;
}

static bool count_damaged(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	unsigned *n = arg;

	(void)id, (void)version, (void)head;
	++*n;
	return true;
}

void look_state(struct bed *b)
{
	struct boxes l = { 0 };
	struct view *v;
	unsigned damaged = 0, accounts = 0;
	enum ec e = view_open(NULL, b->s, &v);

	if (e == E_OK)
		e = store_damaged_cells(NULL, v, count_damaged, &damaged);
	if (e)
		bed_die(NULL, "opening a view", e);
	printf("state {\"raise\":%llu,\"damaged_batches\":%llu,\"damaged_cells\":%u,\"start\":%d,\"accounts\":{",
		(unsigned long long)store_version_raise(b->s), (unsigned long long)b->s->damaged_batches, damaged,
		(int)b->s->start);
	for (l.account = 1; l.account <= LOOK_ACCOUNTS && e == E_OK; l.account++) {
		struct account a;
		e = account_load(NULL, v, l.account, &a);
		if (e == E_NOTFOUND) {
			e = E_OK;
			continue;
		}
		printf("%s", accounts++ ? "," : "");
		e = e ? e : print_account(b, v, &l);
	}
	printf("},\"boxes\":[");
	for (unsigned i = 0; i < l.n && e == E_OK; i++) {
		printf("%s", i ? "," : "");
		e = print_mailbox(b, v, (struct mbox_ref){ l.account_of[i], l.mbox[i] });
	}
	printf("]}\n");
	view_close(v);
	if (e)
		bed_die(NULL, "reading the state", e);
}

static void report_log(void *arg, unsigned invariant, struct sl what)
{
	(void)arg;
	printf("fault S%u %.*s\n", invariant, SLF(what));
}

void look_check_log(struct bed *b)
{
	struct check_conf conf = { .dir = b->conf.dir, .map_octets = b->conf.map_octets, .report = report_log };
	struct check_result r;
	struct cx cx = { 0 };
	enum ec e = check_log(&cx, &conf, &r);

	if (e)
		bed_die(&cx, "checking the log", e);
	printf("checked {\"violations\":%llu,\"compared\":%d,\"bodies\":%llu}\n", (unsigned long long)r.violations,
		r.index_compared, (unsigned long long)r.bodies);
}

static void report_mail(void *arg, unsigned invariant, struct cell_id where, const char *what)
{
	(void)arg;
	printf("fault M%u cell %llu,%llu: %s\n", invariant, (unsigned long long)where.account,
		(unsigned long long)where.name, what);
}

void look_check_mail(struct bed *b)
{
	struct check_slice slice = { .budget_ns = 1000000000, .bodies = true };
	struct cx cx = { 0 };

	do {
		enum ec e = check_mail(&cx, b->s, b->quota, &slice, report_mail, NULL);
		if (e)
			bed_die(&cx, "checking the mail", e);
	} while (slice.cursor);
}
