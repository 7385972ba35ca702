/// tree — rows of cell {account,0} beside its head:
///   't' parent(8) name → node(8) mbox(8) use(1)     mbox 0: a parent without mailbox
///   'n' node(8)        → parent(8) name
///   'm' mbox(8)        → node(8)
///   's' hash(16)       → name                       a subscription
///   'g' mbox(8)        → time(8) name               the grave of a mailbox
/// Node 0 is the root. A change first plans with reads, then makes mailbox cells, then commits the tree in one change.
#include "store/tree.h"

#include "base/num.h"
#include "base/utf8.h"
#include "store/grave.h"
#include "store/keys.h"
#include "store/mailbox.h"
#include "store/operation.h"
#include "store/quota.h"
#include "store/sha256.h"
#include "store/tree_rows.h"

/// A way down the tree: what exists of it, and what is missing.
struct path {
	struct sl part[NAME_DEPTH_MAX];
	struct tree_node node[NAME_DEPTH_MAX]; // of the first `found` parts
	unsigned n, found;
};

enum ec mbox_name_check(struct sl name)
{
	struct sl rest = name;
	unsigned depth = 0;

	if (name.n > NAME_MAX_OCTETS)
		return E_TOOBIG;
	if (name.n == 0 || name.p[name.n - 1] == '/' || !utf8_valid(name))
		return E_SYNTAX;
	for (size_t i = 0; i < name.n;) {
		size_t len;
		uint32_t ch = utf8_get(sl_from(name, i), &len);
		if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || ch == 0x2028 || ch == 0x2029) // RFC 5198 §2
			return E_SYNTAX;
		i += len;
	}
	while (rest.n) {
		struct sl part = sl_cut(&rest, '/');
		if (part.n == 0)
			return E_SYNTAX;
		if (part.n > NAME_COMPONENT_MAX || ++depth > NAME_DEPTH_MAX)
			return E_TOOBIG;
	}
	return E_OK;
}

/// Splits a checked name; the first component INBOX is taken in any case (RFC 9051 §5.1).
static void path_split(struct sl name, struct path *p)
{
	p->n = p->found = 0;
	do
		p->part[p->n++] = sl_cut(&name, '/');
	while (name.n);
	if (sl_eq_ci(p->part[0], SL("INBOX")))
		p->part[0] = SL("INBOX");
}

// ---- rows

struct cell_id tree_cell(uint64_t account)
{
	return (struct cell_id){ account, ACCOUNT_NAME };
}

static struct key child_key(uint64_t parent, struct sl name)
{
	struct key k = key_num64('t', parent);

	key_text(&k, name);
	return k;
}

enum ec tree_node_decode(struct cx *cx, struct sl value, struct tree_node *out)
{
	if (value.n != TREE_NODE_OCTETS || value.p[16] >= MBOX_USES)
		return fail(cx, E_CORRUPT, "a tree row of %zu octets", value.n);
	*out = (struct tree_node){ get_le64(value.p), get_le64(value.p + 8), value.p[16] };
	return E_OK;
}

static enum ec child_get(
	struct cx *cx, struct view *v, uint64_t account, uint64_t parent, struct sl name, struct tree_node *out)
{
	struct key k = child_key(parent, name);
	struct sl value;
	enum ec e = cell_get(cx, v, tree_cell(account), key_sl(&k), &value);

	return e == E_OK ? tree_node_decode(cx, value, out) : e;
}

enum ec tree_place_get(struct cx *cx, struct view *v, uint64_t account, uint64_t node, struct tree_place *out)
{
	struct key k = key_num64('n', node);
	struct sl value;
	enum ec e = cell_get(cx, v, tree_cell(account), key_sl(&k), &value);

	if (e != E_OK)
		return e;
	if (value.n < 9 || value.n > 8 + NAME_COMPONENT_MAX)
		return fail(cx, E_CORRUPT, "a node row of %zu octets", value.n);
	*out = (struct tree_place){ get_le64(value.p), sl_from(value, 8) };
	return E_OK;
}

static void child_put(struct change *c, uint64_t parent, struct sl name, const struct tree_node *n)
{
	struct key k = child_key(parent, name), back = key_num64('n', n->node), of = key_num64('m', n->mbox);
	uint8_t row[TREE_NODE_OCTETS], up[8 + NAME_COMPONENT_MAX], id[8];

	put_le64(row, n->node);
	put_le64(row + 8, n->mbox);
	row[16] = (uint8_t)n->use;
	change_put(c, key_sl(&k), (struct sl){ row, sizeof row });
	put_le64(up, parent);
	memcpy(up + 8, name.p, name.n);
	change_put(c, key_sl(&back), (struct sl){ up, 8 + name.n });
	put_le64(id, n->node);
	if (n->mbox)
		change_put(c, key_sl(&of), (struct sl){ id, sizeof id });
}

static enum ec path_walk(struct cx *cx, struct view *v, uint64_t account, struct path *p)
{
	uint64_t parent = 0;

	for (p->found = 0; p->found < p->n; p->found++) {
		struct tree_node *at = &p->node[p->found];
		enum ec e = child_get(cx, v, account, parent, p->part[p->found], at);
		if (e != E_OK)
			return e == E_NOTFOUND ? E_OK : e;
		parent = at->node;
	}
	return E_OK;
}

/// The node of a mailbox and where it stands. errors: E_NOTFOUND.
static enum ec mbox_place(struct cx *cx, struct view *v, uint64_t account, uint64_t mbox, struct tree_place *place,
	struct tree_node *node)
{
	struct key k = key_num64('m', mbox);
	struct sl value;
	enum ec e = cell_get(cx, v, tree_cell(account), key_sl(&k), &value);

	if (e == E_OK && value.n != 8)
		e = fail(cx, E_CORRUPT, "a mailbox row of %zu octets", value.n);
	if (e == E_OK)
		e = tree_place_get(cx, v, account, get_le64(value.p), place);
	return e == E_OK ? child_get(cx, v, account, place->parent, place->name, node) : e;
}

static bool is_inbox(const struct tree_place *p)
{
	return p->parent == 0 && sl_eq(p->name, SL("INBOX"));
}

struct child_search {
	struct key prefix;
	struct sl except;
	bool found;
};
static bool see_child(void *arg, struct sl key, struct sl value)
{
	struct child_search *s = arg;

	(void)value;
	if (!sl_starts(key, key_sl(&s->prefix)))
		return false;
	s->found = !sl_eq(sl_from(key, s->prefix.n), s->except);
	return !s->found;
}

/// Whether a node has a child besides the one called `except` (empty = any).
static enum ec has_child(struct cx *cx, struct view *v, uint64_t account, uint64_t node, struct sl except, bool *found)
{
	struct child_search s = { .prefix = key_num64('t', node), .except = except };
	enum ec e = cell_scan(cx, v, tree_cell(account), key_sl(&s.prefix), see_child, &s);

	if (e == E_OK)
		*found = s.found;
	return e;
}

// ---- reading

enum ec tree_find(struct cx *cx, struct view *v, uint64_t account, struct sl name, uint64_t *mbox, enum mbox_use *use)
{
	struct path p;
	enum ec e = mbox_name_check(name);

	if (e != E_OK)
		return e;
	path_split(name, &p);
	e = path_walk(cx, v, account, &p);
	if (e == E_OK && (p.found < p.n || p.node[p.n - 1].mbox == 0))
		e = fail(cx, E_NOTFOUND, "no such mailbox");
	if (e != E_OK)
		return e;
	*mbox = p.node[p.n - 1].mbox;
	*use = p.node[p.n - 1].use;
	return E_OK;
}

enum ec tree_name(struct cx *cx, struct view *v, uint64_t account, uint64_t mbox, struct buf *out)
{
	struct sl part[NAME_DEPTH_MAX];
	struct tree_place place;
	struct tree_node node;
	unsigned n = 0;
	enum ec e = mbox_place(cx, v, account, mbox, &place, &node);

	while (e == E_OK) {
		if (n == NAME_DEPTH_MAX)
			return fail(cx, E_CORRUPT, "a tree deeper than %d", NAME_DEPTH_MAX);
		part[n++] = place.name;
		if (place.parent == 0)
			break;
		e = tree_place_get(cx, v, account, place.parent, &place);
	}
	for (unsigned i = n; e == E_OK && i-- > 0;) {
		buf_add(out, part[i]);
		if (i)
			buf_addc(out, '/');
	}
	return e == E_OK ? out->err : e;
}

struct mboxes_walk {
	tree_each_mbox *each;
	void *arg;
};
static bool see_mbox(void *arg, struct sl key, struct sl value)
{
	struct mboxes_walk *w = arg;

	if (key.p[0] != 'm' || key.n != 9 || value.n != 8)
		return false;
	return w->each(w->arg, get_be64(key.p + 1), get_le64(value.p));
}

enum ec tree_mailboxes(struct cx *cx, struct view *v, uint64_t account, tree_each_mbox *each, void *arg)
{
	struct mboxes_walk w = { each, arg };

	return cell_scan(cx, v, tree_cell(account), SL("m"), see_mbox, &w);
}

// ---- changing: common

/// UIDVALIDITY = max(now, the account's last + 1): a name that comes back never means the old UIDs.
static uint32_t next_uidvalidity(struct account *a, int64_t now_s)
{
	uint32_t now = now_s > 0 && now_s < UINT32_MAX ? (uint32_t)now_s : 1;

	a->last_uidvalidity = now > a->last_uidvalidity ? now : a->last_uidvalidity + 1;
	return a->last_uidvalidity;
}

/// Makes the cell of a new mailbox of this account. out: *mbox
static enum ec new_mailbox(
	struct cx *cx, struct txn *t, uint64_t account, struct account *a, int64_t now_s, uint64_t *mbox)
{
	enum ec e;

	do { // an account may have lost that it gave an id away; mend.h leaps behind all, this makes sure
		*mbox = a->next_id++;
		e = mailbox_make(cx, t, (struct mbox_ref){ account, *mbox }, next_uidvalidity(a, now_s));
		if (e == E_EXISTS)
			cx_forget(cx);
	} while (e == E_EXISTS);
	return e;
}

/// Gives the missing parts of a path node ids, and mailboxes to those before the last.
static enum ec path_fill(struct cx *cx, struct txn *t, const struct tree_op *op, struct account *a, struct path *p)
{
	enum ec e = E_OK;

	if (a->mailboxes + (p->n - p->found) > MAILBOXES_MAX)
		return fail(cx, E_LIMIT, "%u mailboxes", a->mailboxes);
	for (unsigned i = p->found; e == E_OK && i < p->n; i++) {
		p->node[i] = (struct tree_node){ .node = a->next_id++ };
		a->mailboxes++;
		if (i + 1 < p->n)
			e = new_mailbox(cx, t, op->account, a, op->now_s, &p->node[i].mbox);
	}
	return e;
}

/// Makes what misses of a path whose name no mailbox has; *from becomes the first part whose row is to be put.
static enum ec path_take(
	struct cx *cx, struct txn *t, const struct tree_op *op, struct account *a, struct path *p, unsigned *from)
{
	*from = p->found < p->n ? p->found : p->n - 1;
	if (p->found == p->n && p->node[p->n - 1].mbox)
		return fail(cx, E_EXISTS, "a mailbox has this name");
	return path_fill(cx, t, op, a, p);
}

/// path_take of a name.
static enum ec name_take(struct cx *cx, struct txn *t, const struct tree_op *op, struct sl name, struct account *a,
	struct path *p, unsigned *from)
{
	path_split(name, p);
	enum ec e = path_walk(cx, txn_view(t), op->account, p);

	return e == E_OK ? path_take(cx, t, op, a, p, from) : e;
}

/// Puts the rows of a path from `from` on.
static void path_put(struct change *c, const struct path *p, unsigned from)
{
	for (unsigned i = from; i < p->n; i++)
		child_put(c, i ? p->node[i - 1].node : 0, p->part[i], &p->node[i]);
}

static bool path_has(const struct path *p, uint64_t node)
{
	for (unsigned i = 0; p && i < p->found; i++)
		if (p->node[i].node == node)
			return true;
	return false;
}

/// Removes a node's rows, then its parents' as long as they have neither mailbox nor other children.
/// `keep` (may be NULL) is a path whose nodes are about to get a child.
static enum ec prune(struct cx *cx, struct view *v, struct change *c, uint64_t account, struct tree_place place,
	uint64_t node, const struct path *keep, struct account *a)
{
	for (;;) {
		struct key k = child_key(place.parent, place.name), back = key_num64('n', node);
		struct tree_node up;
		struct tree_place above;
		bool others;
		change_del(c, key_sl(&k));
		change_del(c, key_sl(&back));
		a->mailboxes -= a->mailboxes > 0;
		if (place.parent == 0 || path_has(keep, place.parent))
			return E_OK;
		enum ec e = has_child(cx, v, account, place.parent, place.name, &others);
		if (e == E_OK)
			e = tree_place_get(cx, v, account, place.parent, &above);
		if (e == E_OK)
			e = child_get(cx, v, account, above.parent, above.name, &up);
		if (e != E_OK || others || up.mbox)
			return e;
		node = place.parent;
		place = above;
	}
}

// ---- create

enum ec tree_create(
	struct cx *cx, struct txn *t, const struct tree_op *op, struct sl name, enum mbox_use use, uint64_t *mbox)
{
	struct op_id bound = op_bind(&op->op, OP_CREATE, tree_cell(op->account));
	struct account a;
	struct path p;
	struct sl seen;
	uint8_t id[8];
	uint64_t version;
	unsigned from;
	enum ec e = op_earlier(cx, t, &bound, sizeof id, &seen);

	if (e == E_OK)
		*mbox = get_le64(seen.p);
	if (e != E_NOTFOUND)
		return e;
	e = use == MBOX_USE_INBOX ? fail(cx, E_DENIED, "there is one INBOX") : mbox_name_check(name);
	if (e == E_OK)
		e = account_load(cx, txn_view(t), op->account, &a);
	if (e == E_OK)
		e = name_take(cx, t, op, name, &a, &p, &from);
	if (e != E_OK)
		return e;
	struct tree_node *last = &p.node[p.n - 1];
	e = new_mailbox(cx, t, op->account, &a, op->now_s, &last->mbox);
	if (e != E_OK)
		return e;
	last->use = use;
	struct change *c = change_begin(t, tree_cell(op->account), a.version);
	path_put(c, &p, from);
	account_put(c, &a);
	put_le64(id, last->mbox);
	e = change_commit(cx, c, &bound, (struct sl){ id, sizeof id }, &version);
	if (e == E_OK)
		*mbox = get_le64(id);
	return e;
}

// ---- delete

enum ec tree_delete(struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox)
{
	struct cell_id cell = tree_cell(op->account);
	struct mbox_ref m = { op->account, mbox };
	struct op_id bound = op_bind(&op->op, OP_DELETE, mbox_cell(m));
	struct account a;
	struct tree_place place;
	struct tree_node node;
	struct sl seen;
	bool children;
	uint64_t version;
	enum ec e = op_earlier(cx, t, &bound, 0, &seen);

	if (e != E_NOTFOUND)
		return e == E_OK ? grave_close(cx, t, m) : e;
	e = account_load(cx, txn_view(t), op->account, &a);
	if (e == E_OK)
		e = mbox_place(cx, txn_view(t), op->account, mbox, &place, &node);
	if (e == E_OK && is_inbox(&place))
		e = fail(cx, E_DENIED, "INBOX stays");
	if (e == E_OK)
		e = has_child(cx, txn_view(t), op->account, node.node, (struct sl){ 0 }, &children);
	if (e != E_OK)
		return e;
	struct change *c = change_begin(t, cell, a.version);
	e = grave_note(cx, t, op, c, mbox);
	if (e == E_OK && children)
		child_put(c, place.parent, place.name, &(struct tree_node){ .node = node.node });
	else if (e == E_OK)
		e = prune(cx, txn_view(t), c, op->account, place, node.node, NULL, &a);
	if (e != E_OK) {
		change_drop_all(c);
		return e;
	}
	account_put(c, &a);
	e = change_commit(cx, c, &bound, (struct sl){ 0 }, &version);
	if (op->quota)
		quota_forget(op->quota, op->account);
	if (e == E_OK)
		e = grave_close(cx, t, m);
	return e == E_OK ? grave_trim(cx, t, op->account, a.quota_octets) : e;
}

// ---- restore

enum ec tree_restore(struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox, struct sl name)
{
	struct mbox_ref m = { op->account, mbox };
	struct account a;
	struct path p;
	uint64_t version;
	unsigned from;
	enum ec e = mbox_name_check(name);

	if (e == E_OK)
		e = account_load(cx, txn_view(t), op->account, &a);
	if (e == E_OK)
		e = grave_find(cx, txn_view(t), m);
	if (e == E_OK)
		e = name_take(cx, t, op, name, &a, &p, &from);
	if (e == E_OK)
		e = grave_open(cx, t, m, next_uidvalidity(&a, op->now_s));
	if (e != E_OK)
		return e;
	p.node[p.n - 1].mbox = mbox;
	p.node[p.n - 1].use = MBOX_USE_NONE;
	struct change *c = change_begin(t, tree_cell(op->account), a.version);
	grave_forget(c, mbox);
	path_put(c, &p, from);
	account_put(c, &a);
	e = change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
	if (op->quota)
		quota_forget(op->quota, op->account);
	return e;
}

// ---- rename

/// Where INBOX's mailbox goes a fresh one takes its place (RFC 9051 §6.3.6); names below INBOX stay.
static enum ec rename_inbox(struct cx *cx, struct txn *t, const struct tree_op *op, struct account *a,
	struct tree_node inbox, struct path *to)
{
	struct op_id bound = op_bind(&op->op, OP_RENAME, tree_cell(op->account));
	struct tree_node *last = &to->node[to->n - 1];
	uint64_t version, fresh;
	unsigned from;
	enum ec e = path_take(cx, t, op, a, to, &from);

	if (e == E_OK)
		e = new_mailbox(cx, t, op->account, a, op->now_s, &fresh);
	if (e != E_OK)
		return e;
	last->mbox = inbox.mbox;
	last->use = MBOX_USE_NONE;
	inbox.mbox = fresh;
	struct change *c = change_begin(t, tree_cell(op->account), a->version);
	path_put(c, to, from);
	child_put(c, 0, SL("INBOX"), &inbox);
	account_put(c, a);
	return change_commit(cx, c, &bound, (struct sl){ 0 }, &version);
}

/// The node and all below it move with one row; what must fit is the longest name below.
static enum ec rename_node(struct cx *cx, struct txn *t, const struct tree_op *op, struct account *a,
	const struct tree_place *place, const struct tree_node *node, struct path *to)
{
	struct op_id bound = op_bind(&op->op, OP_RENAME, tree_cell(op->account));
	struct tree_extent below;
	struct path before;
	uint64_t version;
	size_t octets = to->n - 1;

	if (to->found == to->n)
		return fail(cx, E_EXISTS, "the new name exists");
	if (path_has(to, node->node))
		return fail(cx, E_STATE, "a mailbox cannot move into itself");
	enum ec e = tree_extent(cx, txn_view(t), op->account, node->node, &below);
	for (unsigned i = 0; i < to->n; i++)
		octets += to->part[i].n;
	if (e == E_OK && (to->n + below.depth > NAME_DEPTH_MAX || octets + below.octets > NAME_MAX_OCTETS))
		e = fail(cx, E_TOOBIG, "a name below would be too long");
	before = *to;
	unsigned from = to->found;
	if (e == E_OK)
		e = path_fill(cx, t, op, a, to);
	if (e != E_OK)
		return e;
	to->node[to->n - 1] = *node;
	struct change *c = change_begin(t, tree_cell(op->account), a->version);
	e = prune(cx, txn_view(t), c, op->account, *place, node->node, &before, a);
	if (e != E_OK) {
		change_drop_all(c);
		return e;
	}
	path_put(c, to, from);
	account_put(c, a);
	return change_commit(cx, c, &bound, (struct sl){ 0 }, &version);
}

enum ec tree_rename(struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox, struct sl name)
{
	struct op_id bound = op_bind(&op->op, OP_RENAME, tree_cell(op->account));
	struct account a;
	struct tree_place place;
	struct tree_node node;
	struct path to;
	struct sl seen;
	enum ec e = op_earlier(cx, t, &bound, 0, &seen);

	if (e != E_NOTFOUND)
		return e;
	e = mbox_name_check(name);
	if (e == E_OK)
		e = account_load(cx, txn_view(t), op->account, &a);
	if (e == E_OK)
		e = mbox_place(cx, txn_view(t), op->account, mbox, &place, &node);
	if (e != E_OK)
		return e;
	// Making the cells of missing parents ends what is borrowed of the tree.
	uint8_t own[NAME_COMPONENT_MAX];
	memcpy(own, place.name.p, place.name.n);
	place.name.p = own;
	path_split(name, &to);
	e = path_walk(cx, txn_view(t), op->account, &to);
	if (e != E_OK)
		return e;
	return is_inbox(&place) ? rename_inbox(cx, t, op, &a, node, &to)
	                        : rename_node(cx, t, op, &a, &place, &node, &to);
}

// ---- subscriptions

static struct key subscription_key(struct sl name)
{
	uint8_t md[SHA256_OCTETS];
	struct key k = key_of('s');

	sha256(name, md);
	key_text(&k, (struct sl){ md, 16 });
	return k;
}

/// The name with its first component INBOX in capitals, in out[NAME_MAX_OCTETS].
static struct sl canonical(struct sl name, uint8_t *out)
{
	memcpy(out, name.p, name.n);
	if (sl_eq_ci(sl_head(name, sl_find(name, '/')), SL("INBOX")))
		memcpy(out, "INBOX", 5);
	return (struct sl){ out, name.n };
}

enum ec tree_subscribe(struct cx *cx, struct txn *t, uint64_t account, struct sl name, bool on)
{
	uint8_t text[NAME_MAX_OCTETS];
	struct account a;
	struct sl value;
	uint64_t version;
	enum ec e = mbox_name_check(name);

	if (e == E_OK)
		e = account_load(cx, txn_view(t), account, &a);
	if (e != E_OK)
		return e;
	name = canonical(name, text);
	struct key k = subscription_key(name);
	e = cell_get(cx, txn_view(t), tree_cell(account), key_sl(&k), &value);
	if ((e == E_OK) == on || (e != E_OK && e != E_NOTFOUND))
		return e == E_NOTFOUND ? E_OK : e;
	if (on && a.subscriptions == SUBSCRIPTIONS_MAX)
		return fail(cx, E_LIMIT, "%u subscriptions", a.subscriptions);
	struct change *c = change_begin(t, tree_cell(account), a.version);
	if (on)
		change_put(c, key_sl(&k), name);
	else
		change_del(c, key_sl(&k));
	a.subscriptions += on ? 1 : -1u;
	account_put(c, &a);
	return change_commit(cx, c, NULL, (struct sl){ 0 }, &version);
}

// ---- a new account

static const struct plant {
	struct sl name;
	enum mbox_use use;
} plants[] = {
	{ SL_INIT("INBOX"), MBOX_USE_INBOX },
	{ SL_INIT("Drafts"), MBOX_USE_DRAFTS },
	{ SL_INIT("Sent"), MBOX_USE_SENT },
	{ SL_INIT("Junk"), MBOX_USE_JUNK },
	{ SL_INIT("Trash"), MBOX_USE_TRASH },
	{ SL_INIT("Archive"), MBOX_USE_ARCHIVE },
};

/// Mailbox i has id 2i + 1, its node the id after it.
enum ec tree_plant_cells(struct cx *cx, struct txn *t, uint64_t account, struct account *a, int64_t now_s)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < ARRAY_N(plants); i++) {
		e = mailbox_make(cx, t, (struct mbox_ref){ account, a->next_id }, next_uidvalidity(a, now_s));
		a->next_id += 2;
		a->mailboxes++;
		a->subscriptions++;
	}
	return e;
}

void tree_plant_rows(struct change *c, const struct account *a)
{
	uint64_t first = a->next_id - 2 * ARRAY_N(plants);

	for (size_t i = 0; i < ARRAY_N(plants); i++) {
		struct key k = subscription_key(plants[i].name);
		struct tree_node n = { .mbox = first + 2 * i, .node = first + 2 * i + 1, .use = plants[i].use };
		child_put(c, 0, plants[i].name, &n);
		change_put(c, key_sl(&k), plants[i].name);
	}
}
