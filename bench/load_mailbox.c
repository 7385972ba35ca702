/// load_mailbox — work on a mailbox that is full already: SELECT, FETCH, STORE, COPY, MOVE.
#include <inttypes.h>

#include "base/clock.h"
#include "base/num.h"
#include "bench/imap.h"

/// Logs in; each session as its own user.
FIB static enum ec begin(struct cx *cx, struct worker *w)
{
	return imap_begin(cx, &w->client, w->load, w->number);
}

FIB static enum ec begin_selected(struct cx *cx, struct worker *w)
{
	enum ec e = begin(cx, w);

	if (e == E_OK)
		e = imap_select(cx, w);
	if (e == E_OK && w->exists == 0)
		e = fail(cx, E_NOTFOUND, "the mailbox is empty");
	return e;
}

FIB static enum ec end(struct cx *cx, struct worker *w)
{
	return imap_end(cx, &w->client);
}

// ---- FETCH

FIB static enum ec fetch_flags_once(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &w->client, &a, "FETCH 1:* (UID FLAGS)");

	if (e == E_OK && a.fetches != w->exists)
		e = fail(cx, E_CORRUPT, "%u answers for %u messages", a.fetches, w->exists);
	return e;
}

/// Asks for all sizes, so that the octets of the bodies can be checked.
FIB static enum ec fetch_bodies_setup(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = begin_selected(cx, w);

	if (e == E_OK)
		e = imap_do(cx, &w->client, &a, "FETCH 1:* RFC822.SIZE");
	w->octets = a.size_octets;
	return e;
}

FIB static enum ec fetch_bodies_once(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &w->client, &a, "FETCH 1:* BODY.PEEK[]");

	if (e == E_OK && (a.fetches != w->exists || a.literals != w->exists || a.literal_octets != w->octets))
		e = fail(cx, E_CORRUPT, "%u messages of %" PRIu64 " octets where %u of %" PRIu64 " are", a.literals,
			a.literal_octets, w->exists, w->octets);
	w->load->octets += a.literal_octets;
	return e;
}

// ---- STORE

/// Begins with no message \Flagged, whatever earlier runs left.
FIB static enum ec store_setup(struct cx *cx, struct worker *w)
{
	enum ec e = begin_selected(cx, w);

	return e == E_OK ? imap_do(cx, &w->client, NULL, "STORE 1:* -FLAGS.SILENT (\\Flagged)") : e;
}

/// Sets \Flagged of one message after the other, and in the next round clears it: each STORE changes something.
FIB static enum ec store_once(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	const struct options *o = &w->load->o;
	uint64_t round = o->all ? w->done : w->done / w->exists;
	char sign = round % 2 ? '-' : '+';
	enum ec e = E_OK;

	if (o->all)
		e = imap_do(cx, &w->client, &a, "STORE 1:* %cFLAGS.SILENT (\\Flagged)", sign);
	else
		e = imap_do(cx, &w->client, &a, "STORE %" PRIu64 " %cFLAGS (\\Flagged)", w->done % w->exists + 1, sign);
	// Dovecot may tell of a change with a later command, then of several: they are counted at the end
	if (e == E_OK && o->all && a.fetches)
		e = fail(cx, E_CORRUPT, "%u answers to a silent STORE", a.fetches);
	w->octets += a.fetches;
	return e;
}

/// Every change was told of.
FIB static enum ec store_goodbye(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &w->client, &a, "NOOP");

	if (e == E_OK && !w->load->o.all && w->octets + a.fetches < w->done)
		e = fail(cx, E_CORRUPT, "%" PRIu64 " answers to %" PRIu64 " STOREs", w->octets + a.fetches, w->done);
	return e == E_OK ? end(cx, w) : e;
}

// ---- COPY, MOVE

/// A mailbox `other`, empty.
FIB static enum ec empty_other(struct cx *cx, struct worker *w)
{
	struct sl other = w->load->o.other;
	enum ec e = imap_do(cx, &w->client, NULL, "DELETE %.*s", SLF(other));

	if (e == E_OK || e == E_DENIED) // there was none
		e = imap_do(cx, &w->client, NULL, "CREATE %.*s", SLF(other));
	return e;
}

FIB static enum ec copy_setup(struct cx *cx, struct worker *w)
{
	enum ec e = begin_selected(cx, w);

	return e == E_OK ? empty_other(cx, w) : e;
}

/// How many messages a mailbox has that is not selected must be this.
FIB static enum ec expect_messages(struct cx *cx, struct worker *w, struct sl mailbox, uint32_t want)
{
	struct imap_answer a = { 0 };
	enum ec e = imap_do(cx, &w->client, &a, "STATUS %.*s (MESSAGES)", SLF(mailbox));

	if (e == E_OK && a.messages != want)
		e = fail(cx, E_CORRUPT, "%u messages where %u should be", a.messages, want);
	return e;
}

FIB static enum ec copy_once(struct cx *cx, struct worker *w)
{
	struct sl other = w->load->o.other;
	enum ec e = imap_do(cx, &w->client, NULL, "COPY 1:* %.*s", SLF(other));

	w->took_ns = clock_mono_ns() - w->began_ns;
	if (e == E_OK)
		e = expect_messages(cx, w, other, w->exists);
	return e == E_OK ? empty_other(cx, w) : e;
}

/// There and, in the next operation, back.
FIB static enum ec move_once(struct cx *cx, struct worker *w)
{
	struct imap_answer a = { 0 };
	struct options *o = &w->load->o;
	struct sl to = w->done % 2 ? o->mailbox : o->other, from = w->done % 2 ? o->other : o->mailbox;
	enum ec e = imap_do(cx, &w->client, &a, "SELECT %.*s", SLF(from));

	if (e == E_OK && a.exists != w->exists)
		e = fail(cx, E_CORRUPT, "%u messages to move where %u should be", a.exists, w->exists);
	w->began_ns = clock_mono_ns();
	if (e == E_OK)
		e = imap_do(cx, &w->client, NULL, "MOVE 1:* %.*s", SLF(to));
	w->took_ns = clock_mono_ns() - w->began_ns;
	return e == E_OK ? expect_messages(cx, w, to, w->exists) : e;
}

const struct work mailbox_works[] = {
	{ "imap-select", "SELECT again and again", NULL, begin, imap_select, NULL, end },
	{ "imap-fetch-flags", "FETCH 1:* (UID FLAGS)", NULL, begin_selected, fetch_flags_once, NULL, end },
	{ "imap-fetch-bodies", "FETCH 1:* BODY.PEEK[]", NULL, fetch_bodies_setup, fetch_bodies_once, NULL, end },
	{ "imap-store", "STORE of one message (all=1: of all)", NULL, store_setup, store_once, NULL, store_goodbye },
	{ "imap-copy", "COPY 1:* other", NULL, copy_setup, copy_once, NULL, end },
	{ "imap-move", "MOVE 1:* other, and back (even count)", NULL, copy_setup, move_once, NULL, end },
	{ 0 },
};
