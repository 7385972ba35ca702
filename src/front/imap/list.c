/// list — one pass over the account's names for each pattern, then one that tells those that matched. LSUB is LIST
/// (SUBSCRIBED RECURSIVEMATCH) in other words.
#include "front/imap/list.h"

#include "front/imap/folders.h"
#include "front/imap/pattern.h"
#include "front/imap/tree.h"
#include "proto/imap_print.h"
#include "proto/mboxname.h"
#include "proto/mutf7.h"

/// After so many others get their turn: words of a pattern's sets that were moved on, and names.
enum { STEPS_PER_TURN = 1 << 18, NAMES_PER_TURN = 256 };

/// What one LIST asks: its options, and its patterns behind their reference, in UTF-8.
struct listing {
	bool lsub;
	unsigned select, ret, status;
	struct sl *patterns;
	size_t n_patterns;
};

/// Marks the names that one pattern matches. in: *steps — of the present turn.
FIB static enum ec match_one(struct cx *cx, const struct pattern *p, struct folders *all, uint64_t *steps)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < all->n; i++) {
		struct folder *f = &all->f[i];
		if (f->matched)
			continue;
		f->matched = pattern_match(p, f->name, steps);
		++*steps;
		if (*steps < STEPS_PER_TURN)
			continue;
		*steps = 0;
		e = fib_yield(cx);
	}
	return e;
}

/// Marks the names that any of the patterns matches.
FIB static enum ec match_all(struct cx *cx, struct imap *im, const struct listing *l, struct folders *all)
{
	struct pattern *p = arena_alloc(&im->cmd, 1, sizeof *p);
	uint64_t steps = 0;
	enum ec e = p ? E_OK : E_TEMP;

	for (size_t i = 0; e == E_OK && i < l->n_patterns; i++) {
		pattern_make(p, l->patterns[i]);
		e = match_one(cx, p, all, &steps);
	}
	return e;
}

/// The attribute of a special use, empty for none.
/// source: RFC 6154 §2.
static struct sl use_attribute(uint8_t use)
{
	switch ((enum mbox_use)use) {
	case MBOX_USE_DRAFTS: return SL("\\Drafts");
	case MBOX_USE_SENT: return SL("\\Sent");
	case MBOX_USE_JUNK: return SL("\\Junk");
	case MBOX_USE_TRASH: return SL("\\Trash");
	case MBOX_USE_ARCHIVE: return SL("\\Archive");
	case MBOX_USE_ALL: return SL("\\All");
	case MBOX_USE_FLAGGED: return SL("\\Flagged");
	case MBOX_USE_NONE:
	case MBOX_USE_INBOX:
	case MBOX_USES: break;
	}
	return SL("");
}

/// True where the selection options mean this name. Without any, every name that exists or leads to one that does.
static bool is_selected(const struct listing *l, const struct folder *f)
{
	if (l->select & LIST_SELECT_SUBSCRIBED && !f->subscribed)
		return false;
	if (l->select & LIST_SELECT_SPECIAL_USE && (!f->exists || use_attribute(f->use).n == 0))
		return false;
	return l->select & LIST_SELECT_SUBSCRIBED || f->exists || f->has_children;
}

/// What RECURSIVEMATCH finds below a name.
struct found_below {
	bool any;      // a name below is selected
	bool unlisted; // one that no pattern matches, so that only its parent can tell
};

static struct found_below look_below(const struct listing *l, const struct folder *f)
{
	struct found_below found = { 0 };

	for (size_t i = 1; i <= f->below && !found.unlisted; i++) {
		if (!is_selected(l, &f[i]))
			continue;
		found.any = true;
		found.unlisted = !f[i].matched;
	}
	return found;
}

static void add_attribute(struct buf *b, struct sl word)
{
	if (word.n == 0)
		return;
	if (b->p[b->n - 1] != '(')
		buf_addc(b, ' ');
	buf_add(b, word);
}

/// mbx-list-flags
/// source: RFC 9051 §7.3.1, RFC 5258 §4.
static void print_attributes(struct buf *b, const struct listing *l, const struct folder *f)
{
	if (!f->exists) {
		add_attribute(b, SL("\\NonExistent"));
		add_attribute(b, SL("\\Noselect")); // for clients that know IMAP4rev1 only
	}
	if ((l->select & LIST_SELECT_SUBSCRIBED || l->ret & LIST_RETURN_SUBSCRIBED) && f->subscribed)
		add_attribute(b, SL("\\Subscribed"));
	add_attribute(b, f->has_children ? SL("\\HasChildren") : SL("\\HasNoChildren"));
	if (f->exists)
		add_attribute(b, use_attribute(f->use));
}

/// childinfo-extended-item: which selection options names below meet.
static void print_childinfo(struct buf *b, const struct listing *l)
{
	buf_puts(b, " (\"CHILDINFO\" (");
	if (l->select & LIST_SELECT_SUBSCRIBED)
		buf_puts(b, "\"SUBSCRIBED\"");
	if (l->select & LIST_SELECT_SPECIAL_USE)
		buf_puts(b, l->select & LIST_SELECT_SUBSCRIBED ? " \"SPECIAL-USE\"" : "\"SPECIAL-USE\"");
	buf_puts(b, "))");
}

static void print_name(struct buf *b, const struct imap *im, const struct folder *f)
{
	buf_puts(b, ") \"/\" ");
	imap_print_mailbox(b, f->name, imap_is_utf8(im));
}

/// The lines about one name, if it is wanted at all.
FIB static enum ec list_one(
	struct cx *cx, struct imap *im, const struct listing *l, const struct folder *f, struct buf *b)
{
	struct found_below below = { 0 };
	bool self = is_selected(l, f);
	enum ec e = E_OK;

	if (!f->matched)
		return E_OK;
	if (l->select & LIST_SELECT_RECURSIVEMATCH)
		below = look_below(l, f);
	if (!self && !below.unlisted)
		return E_OK;
	buf_puts(b, l->lsub ? "* LSUB (" : "* LIST (");
	if (l->lsub)
		add_attribute(b, self ? SL("") : SL("\\Noselect"));
	else
		print_attributes(b, l, f);
	print_name(b, im, f);
	if (!l->lsub && below.any)
		print_childinfo(b, l);
	buf_puts(b, "\r\n");
	if (l->ret & LIST_RETURN_STATUS && f->exists)
		e = tree_print_status(cx, im, f->name, f->mbox, l->status, b);
	if (e == E_NOTFOUND)
		e = E_OK; // deleted meanwhile
	return e == E_OK ? imap_send_some(cx, im, b) : e;
}

/// Puts reference and patterns together in UTF-8. A pattern that is not modified UTF-7 matches nothing.
static enum ec take_patterns(struct imap *im, const struct imap_list *list, struct listing *l)
{
	struct buf wire = BUF(2 * MBOXNAME_WIRE_MAX), plain = BUF(2 * MBOXNAME_WIRE_MAX);
	struct buf name = BUF(2 * MBOXNAME_WIRE_MAX);
	enum ec e = E_OK;

	l->patterns = arena_alloc(&im->cmd, list->patterns.n, sizeof *l->patterns);
	for (size_t i = 0; l->patterns && i < list->patterns.n; i++) {
		buf_clear(&wire);
		buf_clear(&plain);
		buf_clear(&name);
		buf_add(&wire, list->reference);
		buf_add(&wire, list->patterns.p[i]);
		if (wire.err || mutf7_to_utf8(buf_sl(&wire), &plain) != E_OK ||
			mboxname_compose(buf_sl(&plain), &name) != E_OK)
			continue;
		struct sl copy = arena_copy(&im->cmd, buf_sl(&name));
		if (!copy.p)
			e = E_TEMP;
		l->patterns[l->n_patterns++] = copy;
	}
	buf_free(&wire);
	buf_free(&plain);
	buf_free(&name);
	return l->patterns ? e : E_TEMP;
}

FIB static enum ec list_all(struct cx *cx, struct imap *im, const struct listing *l)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	struct folders all;
	enum ec e = folders_load(cx, im, &all);

	if (e == E_OK)
		e = match_all(cx, im, l, &all);
	for (size_t i = 0; e == E_OK && i < all.n; i++) {
		e = list_one(cx, im, l, &all.f[i], &b);
		if (e == E_OK && i % NAMES_PER_TURN == NAMES_PER_TURN - 1)
			e = fib_yield(cx);
	}
	enum ec sent = imap_send(cx, im, &b);
	buf_free(&b);
	return sent != E_OK ? sent : e;
}

/// source: RFC 9051 §6.3.9, RFC 5258 §3, RFC 5819 §2, RFC 6154 §4; a pattern of "" asks for the separator.
FIB enum ec imap_list_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	const struct imap_list *list = &cmd->list;
	struct listing l = { .select = list->select, .ret = list->ret, .status = list->status };

	if (list->patterns.n == 1 && list->patterns.p[0].n == 0)
		return imap_say(cx, im, "LIST (\\Noselect) \"/\" \"\"");
	enum ec e = take_patterns(im, list, &l);
	return e == E_OK ? list_all(cx, im, &l) : e;
}

/// A name that only leads to subscribed ones is told with \Noselect where `%` hides those.
/// source: RFC 3501 §6.3.9.
FIB enum ec imap_lsub_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct listing l = { .lsub = true, .select = LIST_SELECT_SUBSCRIBED | LIST_SELECT_RECURSIVEMATCH };
	enum ec e = take_patterns(im, &cmd->list, &l);

	return e == E_OK ? list_all(cx, im, &l) : e;
}
