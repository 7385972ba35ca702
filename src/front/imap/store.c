/// store — sets of any length go to the store in parts: as many ranges as a request holds, and where STORE, EXPUNGE or
/// CLOSE mean more messages than one commit holds (E_TOOBIG), half of them, and so on. Each part is one atomic change.
#include "front/imap/store.h"

#include "base/num.h"
#include "front/imap/rows.h"
#include "front/imap/update.h"

/// Ranges of UIDs that a command means.
struct uids {
	struct pl_uids *r;
	size_t n;
};

FIB static enum ec resolve(struct imap *im, const struct seqset *set, bool is_uid, struct uids *out)
{
	return view_resolve(im->view, set, is_uid, &im->cmd, &out->r, &out->n);
}

uint8_t store_flags(unsigned system)
{
	return (uint8_t)((system & IMAP_SEEN ? FLAG_SEEN : 0) | (system & IMAP_ANSWERED ? FLAG_ANSWERED : 0) |
			 (system & IMAP_FLAGGED ? FLAG_FLAGGED : 0) | (system & IMAP_DELETED ? FLAG_DELETED : 0) |
			 (system & IMAP_DRAFT ? FLAG_DRAFT : 0));
}

#define KEYWORDS_USED_UP "The mailbox has used up its 64 keywords; a new mailbox has room for others"

FIB static enum ec keyword_bit(struct cx *cx, struct imap *im, uint64_t mbox, struct sl name, uint64_t *bits)
{
	struct req_mbox_keyword req = { .handle = im->handle, .mbox = mbox };
	struct ans_mbox_keyword ans;
	enum ec e = field_set(req.name, name);

	if (e == E_OK)
		e = call_mbox_keyword(cx, im->store, &req, &ans);
	if (e == E_OK)
		*bits |= (uint64_t)1 << ans.bit;
	return e == E_LIMIT ? imap_refuse(im, e, "LIMIT", KEYWORDS_USED_UP) : e;
}

FIB enum ec store_keyword_bits(
	struct cx *cx, struct imap *im, uint64_t mbox, const struct imap_texts *names, uint64_t *bits)
{
	enum ec e = E_OK;

	*bits = 0;
	for (size_t i = 0; e == E_OK && i < names->n; i++)
		e = keyword_bit(cx, im, mbox, names->p[i], bits);
	return e;
}

// ---- parts

typedef FIB enum ec part_run(struct cx *cx, struct imap *im, struct uids part, void *arg);

/// The UID that ends the first half of `r`, which holds more than one: where the messages in view are halved, so that
/// the one range of a large mailbox is cut in the middle of its messages.
static uint32_t middle(const struct view *v, struct pl_uids r)
{
	uint32_t before = view_count_to(v, r.lo - 1), n = view_count_to(v, r.hi) - before;

	return n > 1 ? view_uid(v, before + n / 2) : r.lo + (r.hi - r.lo) / 2;
}

/// Runs one part, or where it is too much for one commit its halves.
FIB static enum ec run_part(struct cx *cx, struct imap *im, struct uids part, part_run *run, void *arg)
{
	enum ec e = run(cx, im, part, arg);
	struct pl_uids cut[2] = { part.r[0], part.r[part.n - 1] };
	struct uids first = { part.r, part.n / 2 }, second = { part.r + part.n / 2, part.n - part.n / 2 };

	if (e != E_TOOBIG || cut[0].lo == cut[1].hi)
		return e;
	cx_forget(cx);
	if (part.n == 1) {
		cut[0].hi = middle(im->view, part.r[0]);
		cut[1].lo = cut[0].hi + 1;
		first = (struct uids){ &cut[0], 1 };
		second = (struct uids){ &cut[1], 1 };
	}
	e = run_part(cx, im, first, run, arg);
	return e == E_OK ? run_part(cx, im, second, run, arg) : e;
}

FIB static enum ec in_parts(struct cx *cx, struct imap *im, struct uids all, part_run *run, void *arg)
{
	enum ec e = E_OK;

	for (size_t at = 0; e == E_OK && at < all.n; at += ROWS_SET_MAX)
		e = run_part(cx, im, (struct uids){ all.r + at, min_size(all.n - at, ROWS_SET_MAX) }, run, arg);
	return e;
}

// ---- STORE

/// The keywords of a STORE. What the view knows needs no asking; a keyword to be removed that nobody knows is on no
/// message.
FIB static enum ec store_keywords(struct cx *cx, struct imap *im, const struct imap_store *st, uint64_t *bits)
{
	bool asked = false;
	enum ec e = E_OK;

	*bits = 0;
	for (size_t i = 0; e == E_OK && i < st->flags.keywords.n; i++) {
		int bit = view_keyword(im->view, st->flags.keywords.p[i]);
		if (bit >= 0) {
			*bits |= (uint64_t)1 << bit;
		} else if (st->op != STORE_DEL) {
			e = keyword_bit(cx, im, im->view->mbox, st->flags.keywords.p[i], bits);
			asked = true;
		}
	}
	return e == E_OK && asked ? update_catch_up(cx, im) : e;
}

/// A STORE under way. `modseq`: up to here nothing but its own parts changed since what the client was told.
struct storing {
	struct req_mbox_flags req; // all but its ranges
	uint64_t modseq;
	bool silent, with_uid;
	struct rows rows; // of the present part, to be told
};

/// Tells the flags as they are now: all of them, so also what others changed.
FIB static enum ec tell_flags(struct cx *cx, struct imap *im, struct storing *st)
{
	struct rows *w = &st->rows;
	struct buf b = BUF(IMAP_LINES_MAX);
	enum ec e = w->n ? E_OK : rows_next(cx, im, w);

	while (e == E_OK && w->n) {
		for (size_t i = 0; e == E_OK && i < w->n; i++) {
			e = update_name_keywords(cx, im, w->row[i].keywords, &b);
			update_print_fetch_flags(&b, im->view, &w->row[i], st->with_uid);
			if (e == E_OK)
				e = imap_send_some(cx, im, &b);
		}
		if (e == E_OK)
			e = rows_next(cx, im, w);
	}
	enum ec sent = imap_send(cx, im, &b);
	buf_free(&b);
	return sent != E_OK ? sent : e;
}

/// Changes the flags of one part, and tells them. arg: struct storing.
FIB static enum ec change_flags(struct cx *cx, struct imap *im, struct uids part, void *arg)
{
	struct storing *st = arg;
	struct ans_mbox_flags ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, part.r, part.n, &c);

	if (e != E_OK)
		return e;
	st->req.set = c.set;
	if (!st->silent)
		st->req.out_rows = c.out;
	client_op(st->req.op);
	e = call_mbox_flags(cx, im->store, &st->req, &ans);
	if (e == E_OK && ans.modseq == st->modseq + 1)
		st->modseq = ans.modseq;
	st->rows.set = part.r;
	st->rows.n_set = part.n;
	if (e == E_OK && !st->silent)
		e = rows_begin(cx, im, &st->rows, &c, ans.rows, ans.next_uid);
	set_chunk_give(im, &c);
	return e == E_OK && !st->silent ? tell_flags(cx, im, st) : e;
}

/// Changes the flags of all parts. Where one fails, what those before it changed is news, even to a silent STORE.
FIB static enum ec change_all_flags(struct cx *cx, struct imap *im, struct uids uids, struct storing *st)
{
	st->modseq = im->view->modseq;
	enum ec e = in_parts(cx, im, uids, change_flags, st);

	if (e == E_OK)
		im->view->modseq = st->modseq;
	else
		im->news.set = true;
	return e;
}

/// A keyword that the view does not know was made: FLAGS is told before the first message that has it. After a refusal
/// all of them are told, so that the client sees those that others made, and that no more can be made.
FIB static enum ec tell_new_keywords(struct cx *cx, struct imap *im, uint64_t keywords)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	enum ec e = update_name_keywords(cx, im, keywords, &b);
	enum ec sent = imap_send(cx, im, &b);

	buf_free(&b);
	return sent != E_OK ? sent : e;
}

/// source: RFC 9051 §6.4.6.
FIB enum ec imap_store_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	static const enum flags_mode modes[] = {
		[STORE_SET] = FLAGS_SET, [STORE_ADD] = FLAGS_ADD, [STORE_DEL] = FLAGS_DEL
	};
	const struct imap_store *st = &cmd->store;
	struct storing storing = { .silent = st->silent,
		.with_uid = cmd->uid,
		.req = { .handle = im->handle,
			.mbox = im->view->mbox,
			.mode = (uint8_t)modes[st->op],
			.flags = store_flags(st->flags.system),
			.unchanged_since = UINT64_MAX } };
	struct req_mbox_flags *req = &storing.req;
	struct uids uids;
	enum ec e = resolve(im, &st->set, cmd->uid, &uids);

	if (e != E_OK || uids.n == 0)
		return e;
	e = store_keywords(cx, im, st, &req->keywords);
	if (e == E_OK || e == E_LIMIT) {
		enum ec told = tell_new_keywords(cx, im, e == E_OK ? req->keywords : UINT64_MAX);
		e = told != E_OK ? told : e;
	}
	if (e == E_OK)
		e = change_all_flags(cx, im, uids, &storing);
	return e;
}

// ---- EXPUNGE

/// Expunges one part. out: *c — with the UIDs, still taken, on E_OK only.
FIB static enum ec expunge_part(
	struct cx *cx, struct imap *im, struct uids part, struct set_chunk *c, struct ans_mbox_expunge *ans)
{
	struct req_mbox_expunge req = { .handle = im->handle, .mbox = im->view->mbox };
	enum ec e = set_chunk_take(cx, im, part.r, part.n, c);

	if (e != E_OK)
		return e;
	req.set = c->set;
	req.out = c->out;
	client_op(req.op);
	e = call_mbox_expunge(cx, im->store, &req, ans);
	if (e != E_OK)
		set_chunk_give(im, c);
	return e;
}

/// Expunges one part and tells it. arg: unused.
FIB static enum ec expunge(struct cx *cx, struct imap *im, struct uids part, void *)
{
	struct ans_mbox_expunge ans;
	struct buf b = BUF(IMAP_LINES_MAX);
	struct pl_uids *gone = NULL;
	size_t n_gone = 0;
	struct set_chunk c;
	enum ec e = expunge_part(cx, im, part, &c, &ans);

	if (e == E_OK) {
		e = ans.out_full ? E_OK : set_chunk_uids(cx, im, &c, ans.count, &gone, &n_gone);
		set_chunk_give(im, &c);
	}
	if (!gone) { // failed, or too many for the answer: the sync finds them
		im->news.set = true;
		return e;
	}
	e = update_gone(cx, im, gone, n_gone, &b);
	if (e == E_OK)
		e = imap_send(cx, im, &b);
	buf_free(&b);
	if (e == E_OK && ans.modseq)
		update_own(im, ans.modseq);
	return e;
}

/// Expunges one part without a word. arg: unused.
FIB static enum ec expunge_untold(struct cx *cx, struct imap *im, struct uids part, void *)
{
	struct ans_mbox_expunge ans;
	struct set_chunk c;
	enum ec e = expunge_part(cx, im, part, &c, &ans);

	if (e == E_OK)
		set_chunk_give(im, &c);
	return e;
}

FIB enum ec store_expunge_untold(struct cx *cx, struct imap *im)
{
	struct pl_uids every = { 1, UINT32_MAX };

	return in_parts(cx, im, (struct uids){ &every, 1 }, expunge_untold, NULL);
}

/// EXPUNGE without UID takes messages that the client has not heard of as well.
/// source: RFC 9051 §6.4.3, §6.4.9 (UID EXPUNGE).
FIB enum ec imap_expunge_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct pl_uids every = { 1, UINT32_MAX };
	struct uids uids = { &every, 1 };
	enum ec e = cmd->uid ? resolve(im, &cmd->expunge.set, true, &uids) : E_OK;

	return e == E_OK ? in_parts(cx, im, uids, expunge, NULL) : e;
}

// ---- COPY, MOVE

/// What was copied so far: which source UIDs became which. `whole` is false where one answer had no room for all.
/// `lost_keywords`: the destination had no bit for one of a message.
struct copied {
	uint32_t uidvalidity;
	struct seqset from, to;
	bool whole, lost_keywords;
};

static enum ec note_copied(
	struct imap *im, struct copied *c, const struct ans_mbox_copy *ans, const struct pl_uids *from, size_t n)
{
	enum ec e = E_OK;

	c->uidvalidity = ans->uidvalidity;
	for (size_t i = 0; e == E_OK && i < n; i++)
		e = seqset_append(&c->from, &im->cmd, from[i].lo, from[i].hi);
	if (e == E_OK)
		e = seqset_append(&c->to, &im->cmd, ans->first_uid, ans->first_uid + ans->count - 1);
	return e;
}

/// resp-code-copy = "COPYUID" SP nz-number SP uid-set SP uid-set
/// source: RFC 9051 §7.1 (COPYUID), RFC 4315 §3.
static void print_copyuid(struct buf *b, const struct copied *c)
{
	if (!c->whole || seqset_empty(&c->from))
		return;
	buf_printf(b, "COPYUID %u ", c->uidvalidity);
	seqset_print(b, &c->from);
	buf_addc(b, ' ');
	seqset_print(b, &c->to);
}

/// Copies or moves one part of the set.
FIB static enum ec copy_part(struct cx *cx, struct imap *im, struct req_mbox_copy *req, const struct uids *part,
	struct copied *done, size_t *taken)
{
	struct ans_mbox_copy ans;
	struct set_chunk c;
	enum ec e = set_chunk_take(cx, im, part->r, part->n, &c);

	if (e != E_OK)
		return e;
	*taken = c.taken;
	req->set = c.set;
	req->out = c.out;
	client_op(req->op);
	e = call_mbox_copy(cx, im->store, req, &ans);
	if (e == E_OK && ans.out_full)
		done->whole = false;
	if (e == E_OK && ans.lost_keywords)
		done->lost_keywords = true;
	if (e == E_OK && ans.count && done->whole) {
		struct pl_uids *from;
		size_t n;
		e = set_chunk_uids(cx, im, &c, ans.count, &from, &n);
		if (e == E_OK)
			e = note_copied(im, done, &ans, from, n);
	}
	set_chunk_give(im, &c);
	return e;
}

/// Behind a MOVE: COPYUID first, then what is gone.
/// source: RFC 6851 §3.3, §4.3.
FIB static enum ec tell_moved(struct cx *cx, struct imap *im, const struct copied *done)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	enum ec e = E_OK;

	im->news.set = true; // what the answer had no room for, the sync finds
	if (done->whole && !seqset_empty(&done->from)) {
		buf_puts(&b, "* OK [");
		print_copyuid(&b, done);
		buf_puts(&b, "] Moved\r\n");
	}
	for (size_t i = 0; e == E_OK && i < done->from.n; i++) {
		struct pl_uids gone = { done->from.ranges[i].first, done->from.ranges[i].last };
		e = update_gone(cx, im, &gone, 1, &b);
	}
	enum ec sent = imap_send(cx, im, &b);
	buf_free(&b);
	return sent != E_OK ? sent : e;
}

/// An untagged NO is a warning: the command succeeds.
/// source: RFC 3501 §7.1.2, RFC 9051 §6.4.7 (flags SHOULD be preserved).
FIB static enum ec tell_lost_keywords(struct cx *cx, struct imap *im)
{
	return imap_say(cx, im, "NO [LIMIT] The target mailbox has used up its 64 keywords: some were left out");
}

/// COPY and MOVE. A set of several parts that fails in the middle leaves what was done; MOVE then tells it.
/// source: RFC 9051 §6.4.7, §6.4.8.
FIB enum ec imap_copy_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct req_mbox_copy req = { .handle = im->handle, .mbox = im->view->mbox, .move = cmd->verb == IMAP_MOVE };
	struct copied done = { .whole = true };
	struct uids uids;
	size_t taken = 0;
	enum ec e = resolve(im, &cmd->copy.set, cmd->uid, &uids);

	if (e == E_OK)
		e = imap_find_target(cx, im, cmd->copy.mailbox, &req.to);
	for (size_t at = 0; e == E_OK && at < uids.n; at += taken) {
		struct uids part = { uids.r + at, uids.n - at };
		e = copy_part(cx, im, &req, &part, &done, &taken);
	}
	enum ec told = req.move ? tell_moved(cx, im, &done) : E_OK;
	if (told == E_OK && done.lost_keywords)
		told = tell_lost_keywords(cx, im);
	if (told != E_OK || req.move)
		return e != E_OK && !imap_is_wire_error(told) ? e : told;
	if (e == E_OK)
		print_copyuid(&im->code, &done);
	return e == E_NOTFOUND && !im->refusal.text ? imap_refuse(im, e, "TRYCREATE", "No such mailbox") : e;
}
