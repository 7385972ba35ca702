/// check_mail — one step per directory, tree, or 4,096 UIDs of a mailbox; the cursor names the next step.
///
/// cursor = account(30) · position(14) · block(20). Account 0 is the directory, an account's position 0 its tree,
/// position i its i-th mailbox in order of id; the account after the last stands for the search for orphaned cells.
#include "store/check_mail.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "store/directory.h"
#include "store/grave.h"
#include "store/keys.h"
#include "store/mailbox_inner.h"
#include "store/tree_rows.h"

enum { POSITION_SHIFT = 20, ACCOUNT_SHIFT = 34 };

struct checker {
	struct cx *cx;
	struct store *s;
	struct view *v;
	struct quota *quota;
	struct check_slice *slice;
	check_fault *fault;
	void *arg;
	struct cell_id at;                 // what is being looked at
	uint64_t account, position, block; // the step
	uint64_t next_account;
	enum ec err;
};

[[gnu::format(printf, 3, 4)]] static void fault(struct checker *k, unsigned invariant, const char *fmt, ...)
{
	struct buf text = BUF(256);
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	buf_addc(&text, 0);
	k->slice->faults++;
	k->fault(k->arg, invariant, k->at, text.err == E_OK ? (const char *)text.p : "(too long to say)");
	buf_free(&text);
}

static bool broken(enum ec e)
{
	return e == E_NOTFOUND || e == E_CORRUPT;
}

// ---- directory: M1, M2

static bool check_user(void *arg, const struct dir_entry *e)
{
	struct checker *k = arg;
	struct account a;
	enum ec err = account_load(k->cx, k->v, e->account, &a);

	if (broken(err))
		fault(k, 1,
			"user %.*s has no account %llu: remove the user and add it again, and bring its mail from a "
			"backup (restore into another folder, export, import)",
			SLF(e->name), (unsigned long long)e->account);
	else if (err != E_OK)
		k->err = err;
	else if (!sl_eq(account_address(&a), e->name))
		fault(k, 1, "account %llu of %.*s has another address", (unsigned long long)e->account, SLF(e->name));
	else if (e->account >= k->next_account)
		fault(k, 1, "account %llu was never given out", (unsigned long long)e->account);
	return k->err == E_OK;
}

static bool check_alias(void *arg, const struct dir_entry *e)
{
	struct checker *k = arg;
	struct sl rest = e->text;
	struct address a;

	if (rest.n == 0)
		fault(k, 2, "alias %.*s has no target", SLF(e->name));
	while (rest.n) {
		struct sl one = sl_cut(&rest, ' ');
		if (address_parse(one, &a) != E_OK)
			fault(k, 2, "alias %.*s has a target that is no address", SLF(e->name));
	}
	return true;
}

static void step_directory(struct checker *k)
{
	k->err = directory_list(k->cx, k->v, LIST_USERS, (struct sl){ 0 }, check_user, k);
	if (k->err == E_OK)
		k->err = directory_list(k->cx, k->v, LIST_ALIASES, (struct sl){ 0 }, check_alias, k);
	if (k->err == E_CORRUPT) {
		fault(k, 1, "the directory cannot be read");
		k->err = E_OK;
	}
}

// ---- tree: M3, M4, M10, M13

struct tree_check {
	struct checker *k;
	struct account a;
	uint32_t nodes, places, mboxes, in_tree, subs;
	uint64_t highest;
};

static bool tree_has(struct tree_check *c, struct sl key, struct sl *value)
{
	return cell_get(c->k->cx, c->k->v, c->k->at, key, value) == E_OK;
}

/// 't': the node's other row leads back here; a node without mailbox has children.
static void check_child(struct tree_check *c, struct sl key, struct sl value)
{
	struct tree_node n;
	struct tree_place p;
	struct sl of;

	c->nodes++;
	if (key.n < 10 || tree_node_decode(c->k->cx, value, &n) != E_OK) {
		fault(c->k, 3, "a tree row cannot be read");
		return;
	}
	if (tree_place_get(c->k->cx, c->k->v, c->k->at.account, n.node, &p) != E_OK ||
		p.parent != get_be64(key.p + 1) || !sl_eq(p.name, sl_from(key, 9)))
		fault(c->k, 3, "node %llu does not know its place", (unsigned long long)n.node);
	struct key back = key_num64('m', n.mbox), up = key_num64('n', get_be64(key.p + 1));
	if (n.mbox && (!tree_has(c, key_sl(&back), &of) || of.n != 8 || get_le64(of.p) != n.node))
		fault(c->k, 3, "mailbox %llu does not know its node", (unsigned long long)n.mbox);
	if (get_be64(key.p + 1) && !tree_has(c, key_sl(&up), &of))
		fault(c->k, 3, "node %llu has no parent", (unsigned long long)n.node);
	c->in_tree += n.mbox != 0;
	if (n.node > c->highest)
		c->highest = n.node;
	if (n.mbox > c->highest)
		c->highest = n.mbox;
}

static bool check_tree_row(void *arg, struct sl key, struct sl value)
{
	struct tree_check *c = arg;

	switch (key.p[0]) {
	case 't': check_child(c, key, value); break;
	case 'n': c->places++; break;
	case 'm': c->mboxes++; break;
	case 's': c->subs++; break;
	case 'd':
	case 'g': break;
	default: fault(c->k, 3, "a row of unknown kind %d", key.p[0]); break;
	}
	return true;
}

static bool check_mbox_cell(void *arg, uint64_t mbox, uint64_t node)
{
	struct checker *k = arg;
	struct mbox_head h;

	(void)node;
	if (broken(mbox_head_load(k->cx, k->v, (struct cell_id){ k->account, mbox }, &h)))
		fault(k, 4, "mailbox %llu has no cell", (unsigned long long)mbox);
	return true;
}

/// What quota keeps of an account, and what its mailboxes come to.
struct sum_pair {
	struct checker *k;
	struct quota_used kept, sum;
};

static bool sums_differ(const struct sum_pair *p)
{
	return p->kept.octets != p->sum.octets || p->kept.messages != p->sum.messages;
}

static enum ec sums_read(struct cx *cx, struct sum_pair *p, struct view *v)
{
	enum ec e = quota_sum(cx, v, p->k->account, &p->sum);

	return e ? e : quota_read(cx, p->k->quota, v, p->k->account, &p->kept);
}

static enum ec sums_job(struct cx *cx, struct txn *t, struct job *job)
{
	return sums_read(cx, job->arg, txn_view(t));
}

/// What is kept counts jobs that no view shows yet: where the two differ they are read once more, between two jobs.
static void check_sums(struct checker *k)
{
	struct sum_pair p = { .k = k };

	if (sums_read(k->cx, &p, k->v) != E_OK || !sums_differ(&p))
		return;   // M4 says what cannot be read
	view_close(k->v); // no job waits for a reader, nor a reader for a job
	k->v = NULL;
	enum ec e = store_do(k->cx, k->s, false, sums_job, &p);
	k->err = view_open(k->cx, k->s, &k->v);
	if (e == E_OK && sums_differ(&p))
		fault(k, 10, "kept sum %llu, sum of mailboxes %llu", (unsigned long long)p.kept.octets,
			(unsigned long long)p.sum.octets);
}

static void step_tree(struct checker *k)
{
	struct tree_check c = { .k = k };
	struct address addr;
	uint64_t named, inbox;
	enum mbox_use use;
	enum ec e = account_load(k->cx, k->v, k->account, &c.a);

	if (e == E_NOTFOUND)
		return; // removed
	if (e == E_CORRUPT)
		fault(k, 3, "the account's head cannot be read");
	if (e != E_OK) {
		k->err = e == E_CORRUPT ? E_OK : e;
		return;
	}
	if (address_parse(account_address(&c.a), &addr) != E_OK ||
		directory_user_find(k->cx, k->v, account_address(&c.a), &named) != E_OK || named != k->account)
		fault(k, 1, "the directory does not know this account");
	k->err = cell_scan(k->cx, k->v, k->at, SL("\x01"), check_tree_row, &c);
	if (k->err == E_OK)
		k->err = tree_mailboxes(k->cx, k->v, k->account, check_mbox_cell, k);
	if (k->err != E_OK)
		return;
	if (c.nodes != c.places || c.mboxes != c.in_tree)
		fault(k, 3, "%u nodes, %u places; %u mailboxes, %u of them in the tree", c.nodes, c.places, c.mboxes,
			c.in_tree);
	if (tree_find(k->cx, k->v, k->account, SL("INBOX"), &inbox, &use) != E_OK)
		fault(k, 3, "no INBOX");
	if (c.a.mailboxes != c.nodes || c.a.subscriptions != c.subs || c.highest >= c.a.next_id)
		fault(k, 13, "the head counts %u nodes and %u subscriptions, there are %u and %u", c.a.mailboxes,
			c.a.subscriptions, c.nodes, c.subs);
	check_sums(k);
}

// ---- mailboxes: M5 … M9, M11

struct sums {
	uint32_t messages, unseen, deleted;
	uint64_t octets, keywords, highest;
	uint32_t last_uid;
};

struct block_check {
	struct checker *k;
	const struct mbox_head *h;
	struct sums all;
};

static bool sum_row(void *arg, const struct pl_row *row)
{
	struct sums *s = arg;

	s->messages++;
	s->unseen += !(row->flags & FLAG_SEEN);
	s->deleted += (row->flags & FLAG_DELETED) != 0;
	s->octets += row->octets;
	s->keywords |= row->keywords;
	s->last_uid = row->uid;
	if (row->modseq > s->highest)
		s->highest = row->modseq;
	return true;
}

/// The head against all rows: M5, M6, M8, M9.
static void check_head(struct checker *k, const struct mbox_head *h)
{
	struct walk all = { .set.all = true, .expunged_after_s = INT64_MAX };
	struct mbox_head far = *h;
	struct sums s = { 0 };

	// Rows beyond uidnext show up too: the rest of the last block is looked at.
	if (far.uidnext < UINT32_MAX - SUM_UIDS)
		far.uidnext = (far.uidnext / SUM_UIDS + 1) * SUM_UIDS;
	k->err = mbox_walk(k->cx, k->v, k->at, &far, &all, sum_row, &s);
	if (k->err != E_OK)
		return;
	if (s.messages != h->messages || s.unseen != h->unseen || s.deleted != h->deleted)
		fault(k, 5, "the head counts %u messages, %u unseen, %u deleted; there are %u, %u, %u", h->messages,
			h->unseen, h->deleted, s.messages, s.unseen, s.deleted);
	if (s.last_uid >= h->uidnext || s.highest > h->version)
		fault(k, 6, "UID %u, modseq %llu; the head says %u, %llu", s.last_uid, (unsigned long long)s.highest,
			h->uidnext, (unsigned long long)h->version);
	if (s.octets != h->octets)
		fault(k, 8, "the head counts %llu octets, there are %llu", (unsigned long long)h->octets,
			(unsigned long long)s.octets);
	enum ec e = keywords_known(k->cx, k->v, (struct mbox_ref){ k->at.account, k->at.name }, s.keywords);
	if (e == E_RANGE || e == E_CORRUPT)
		fault(k, 9, "a message carries a keyword without a name");
}

/// One page against its summary: M7, and its bodies: M11.
static void check_page(struct checker *k, const struct summary *s, const struct page *p)
{
	for (uint32_t slot = 0; slot < PAGE_UIDS; slot++) {
		struct pl_row row;
		page_row(p, slot, &row);
		uint32_t group = row.uid % SUM_UIDS / GROUP_UIDS, bit = row.uid % GROUP_UIDS;
		bool here = page_present(p, slot);
		bool seen = here && row.flags & FLAG_SEEN, deleted = here && row.flags & FLAG_DELETED;
		if ((summary_word(s, SUM_PRESENT, group) >> bit & 1) != here ||
			(summary_word(s, SUM_SEEN, group) >> bit & 1) != seen ||
			(summary_word(s, SUM_DELETED, group) >> bit & 1) != deleted ||
			summary_modseq(s, group) < row.modseq)
			fault(k, 7, "UID %u and its summary differ", row.uid);
		if (!here || !k->slice->bodies)
			continue;
		enum ec e = blob_check(k->cx, k->s, (struct body_ref){ row.body, row.octets });
		if (broken(e))
			fault(k, 11, "the body of UID %u cannot be read", row.uid);
		else if (e != E_OK)
			k->err = e;
	}
}

static void check_block(struct checker *k)
{
	struct summary s;
	struct page p;
	uint32_t first = (uint32_t)k->block * (SUM_UIDS / PAGE_UIDS);

	k->err = summary_load(k->cx, k->v, k->at, (uint32_t)k->block, &s);
	for (uint32_t i = 0; k->err == E_OK && i < SUM_UIDS / PAGE_UIDS; i++) {
		k->err = page_load(k->cx, k->v, k->at, first + i, &p);
		if (k->err == E_OK)
			check_page(k, &s, &p);
	}
}

struct nth {
	uint64_t left, mbox;
};
static bool take_nth(void *arg, uint64_t mbox, uint64_t node)
{
	struct nth *n = arg;

	(void)node;
	n->mbox = mbox;
	return --n->left > 0;
}

/// One block of the mailbox at `position`. True where the account has no more.
static bool step_mailbox(struct checker *k)
{
	struct nth n = { .left = k->position };
	struct mbox_head h;
	enum ec e = tree_mailboxes(k->cx, k->v, k->account, take_nth, &n);

	if (e != E_OK || n.left) {
		k->err = e == E_NOTFOUND ? E_OK : e;
		return true;
	}
	k->at = (struct cell_id){ k->account, n.mbox };
	e = mbox_head_load(k->cx, k->v, k->at, &h);
	if (e != E_OK) { // M4 has said so
		k->err = broken(e) ? E_OK : e;
		k->position++;
		k->block = 0;
		return false;
	}
	if (k->block == 0)
		check_head(k, &h);
	if (k->err == E_OK)
		check_block(k);
	if (k->err == E_CORRUPT) {
		fault(k, 7, "a row cannot be read");
		k->err = E_OK;
	}
	if (++k->block > (h.uidnext - 1) / SUM_UIDS) {
		k->position++;
		k->block = 0;
	}
	return false;
}

// ---- orphans: M12

static bool check_cell(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct checker *k = arg;
	struct account a;

	(void)version;
	(void)head;
	k->at = id;
	if (id.account == 0)
		return true; // the directory, and what else belongs to the installation
	if (id.name == ACCOUNT_NAME) {
		uint64_t named;
		enum ec e = account_load(k->cx, k->v, id.account, &a);
		if (e == E_OK &&
			(directory_user_find(k->cx, k->v, account_address(&a), &named) != E_OK || named != id.account))
			fault(k, 12,
				"no user has this account: its mail stays; add the user anew, and bring the mail "
				"from a backup (restore into another folder, export, import)");
	} else if (grave_known(k->cx, k->v, (struct mbox_ref){ id.account, id.name }) != E_OK) {
		fault(k, 12, "a mailbox in no tree");
	}
	return true;
}

/// M14: what start passed over.
static bool see_gap(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct checker *k = arg;

	(void)version, (void)head;
	k->at = id;
	fault(k, 14, "changes are lost");
	return true;
}

static void check_damage(struct checker *k)
{
	uint64_t places = store_damage(k->s);

	k->at = DIRECTORY_CELL;
	if (places)
		fault(k, 14, "the log is damaged in %llu place(s): the newest changes of anybody may be lost",
			(unsigned long long)places);
	k->err = store_damaged_cells(k->cx, k->v, see_gap, k);
}

// ---- steps

/// One step; moves the position on. False where all is done.
static bool step(struct checker *k)
{
	k->at = (struct cell_id){ k->account, ACCOUNT_NAME };
	if (k->account >= k->next_account) {
		check_damage(k);
		if (k->err == E_OK)
			k->err = cell_scan_cells(k->cx, k->v, (struct cell_id){ 0 }, check_cell, k);
		return false;
	}
	if (k->account == 0) {
		step_directory(k);
		k->account = 1;
	} else if (k->position == 0) {
		step_tree(k);
		k->position = 1;
	} else if (step_mailbox(k)) {
		k->account++;
		k->position = k->block = 0;
	}
	return true;
}

enum ec check_mail(
	struct cx *cx, struct store *s, struct quota *q, struct check_slice *slice, check_fault *fault_fn, void *arg)
{
	struct checker k = { .cx = cx,
		.s = s,
		.quota = q,
		.slice = slice,
		.fault = fault_fn,
		.arg = arg,
		.account = slice->cursor >> ACCOUNT_SHIFT,
		.position = slice->cursor >> POSITION_SHIFT & ((1u << (ACCOUNT_SHIFT - POSITION_SHIFT)) - 1),
		.block = slice->cursor & ((1u << POSITION_SHIFT) - 1) };
	int64_t until_ns = clock_mono_ns() + (int64_t)slice->budget_ns;
	bool more = true;

	slice->faults = 0;
	do { // a view per step: none stays open long
		k.err = view_open(cx, s, &k.v);
		if (k.err == E_OK)
			k.err = directory_next_account(cx, k.v, &k.next_account);
		if (k.err == E_OK)
			more = step(&k);
		view_close(k.v);
		k.v = NULL;
	} while (k.err == E_OK && more && clock_mono_ns() < until_ns);
	if (k.err != E_OK)
		return k.err;
	slice->total = k.next_account;
	slice->cursor = more ? k.account << ACCOUNT_SHIFT | k.position << POSITION_SHIFT | k.block : 0;
	return E_OK;
}
