#pragma once
/// tree — the mailbox names of one account: (parent node, name) → mailbox, subscriptions, special use.
///
/// Owns: the keys of cell {account,0}. A name is a path of nodes; a node may have a mailbox or only be the parent of
/// others (\NonExistent). Node ids and mailbox ids are never used again, so a rename is one row and a mailbox keeps its
/// cell whatever it is called. Names are UTF-8 with '/'; INBOX (as first component) is found in any case.
/// Order of names everywhere: by octets, with '/' below every other octet, so that children follow their parent.
/// Threads: reading functions from any thread; changing ones inside a job.
/// source: RFC 9051 §5.1, §6.3.4–6.3.9; RFC 6154.
#include "base/buf.h"
#include "ipc/verbs.h"
#include "store/account.h"
#include "store/cell.h"

struct quota;
enum {
	NAME_MAX_OCTETS = 1000,
	NAME_COMPONENT_MAX = 255,
	NAME_DEPTH_MAX = 32,
	MAILBOXES_MAX = 10000,     // nodes per account
	SUBSCRIPTIONS_MAX = 20000, // names outlive their mailboxes
	GRAVE_S = 7 * 24 * 3600,   // deleted mailboxes are kept
	GRAVES_MAX = 1000,         // per account
	GRAVES_DUE_MAX = 20000,    // given up, not swept yet
};

/// errors: E_SYNTAX (not UTF-8, controls, empty component), E_TOOBIG (component, depth or whole).
[[nodiscard]] enum ec mbox_name_check(struct sl name);

/// Who changes the tree, and when.
struct tree_op {
	uint64_t account;
	struct op_id op;
	int64_t now_s;
	struct quota *quota; // told where a mailbox goes; NULL = nobody
};

/// errors: E_NOTFOUND (also for a node without mailbox).
[[nodiscard]] enum ec tree_find(
	struct cx *cx, struct view *v, uint64_t account, struct sl name, uint64_t *mbox, enum mbox_use *use);
/// The whole name of a mailbox, appended to *out. errors: E_NOTFOUND.
[[nodiscard]] enum ec tree_name(struct cx *cx, struct view *v, uint64_t account, uint64_t mbox, struct buf *out);

/// Makes a mailbox and its missing parents. errors: E_EXISTS, E_LIMIT, E_DENIED (use INBOX), mbox_name_check's.
[[nodiscard]] enum ec tree_create(
	struct cx *cx, struct txn *t, const struct tree_op *op, struct sl name, enum mbox_use use, uint64_t *mbox);
/// Removes a mailbox; children stay below a node without mailbox. errors: E_NOTFOUND, E_DENIED (INBOX), E_LIMIT
/// (GRAVES_DUE_MAX).
[[nodiscard]] enum ec tree_delete(struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox);
/// Brings a deleted mailbox back under `name`, making missing parents; its UIDVALIDITY is another. The quota does not
/// stand in the way. errors: E_NOTFOUND (no such grave), E_EXISTS (the name), E_LIMIT, mbox_name_check's.
[[nodiscard]] enum ec tree_restore(
	struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox, struct sl name);
/// Renames a mailbox with everything below it, making missing parents. INBOX: its mailbox gets the new name, a fresh
/// one takes its place, names below INBOX stay. errors: E_NOTFOUND, E_EXISTS, E_STATE (into itself), E_LIMIT, E_TOOBIG.
[[nodiscard]] enum ec tree_rename(
	struct cx *cx, struct txn *t, const struct tree_op *op, uint64_t mbox, struct sl name);
/// errors: E_LIMIT, mbox_name_check's.
[[nodiscard]] enum ec tree_subscribe(struct cx *cx, struct txn *t, uint64_t account, struct sl name, bool on);

/// A new account's tree: makes the cells of its six mailboxes (before the change of the account's cell begins) …
[[nodiscard]] enum ec tree_plant_cells(
	struct cx *cx, struct txn *t, uint64_t account, struct account *a, int64_t now_s);
/// … and their rows, subscriptions too. *a is as tree_plant_cells left it.
void tree_plant_rows(struct change *c, const struct account *a);

/// One line of a listing; `name` borrowed during the call. Return false to stop.
struct tree_entry {
	struct sl name;
	uint64_t mbox; // 0: only a parent, or only subscribed
	enum mbox_use use;
	bool subscribed, has_children;
};
typedef bool tree_each(void *arg, const struct tree_entry *e);
/// Walks names in order from the first > after (empty = all), subscribed ones without mailbox among them.
[[nodiscard]] enum ec tree_list(
	struct cx *cx, struct view *v, uint64_t account, struct sl after, tree_each *each, void *arg);
/// Walks the mailbox ids of an account, ascending.
typedef bool tree_each_mbox(void *arg, uint64_t mbox, uint64_t node);
[[nodiscard]] enum ec tree_mailboxes(struct cx *cx, struct view *v, uint64_t account, tree_each_mbox *each, void *arg);
