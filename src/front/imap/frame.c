/// frame — lines and literals in turn. What is refused is still framed, so that the stream stays in step.
#include "front/imap/frame.h"

#include <string.h>

#include "base/num.h"
#include "proto/imap_command.h"

enum { PIECE_OCTETS = 16384 };

static bool has_nul(struct sl s)
{
	return s.n && memchr(s.p, 0, s.n);
}

/// Adds to the command, unless it is useless already. Of a line with NUL what stands before it stays, for the tag.
static void keep(struct frame *f, struct sl s)
{
	const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;

	if (f->fault != E_OK)
		return;
	if (s.n > f->command_max - f->text.n)
		f->fault = E_TOOBIG;
	else
		buf_add(&f->text, nul ? (struct sl){ s.p, (size_t)(nul - s.p) } : s);
	if (nul)
		f->fault = E_SYNTAX;
	if (f->fault == E_OK && f->text.err)
		f->fault = E_TOOBIG; // no memory for it: for this command the same
}

/// True where the literal announced at `at` of the command is the message of APPEND: any but one that is the mailbox
/// name.
static bool is_message(const struct frame *f, size_t at)
{
	struct cur c = cur_over(buf_sl(&f->text));
	struct imap_head head;

	if (f->fault != E_OK || imap_parse_tag_verb(&c, &head) != E_OK || !head.row)
		return false;
	return head.row->flags & IMAP_STREAMS && at != c.at + 1;
}

FIB static enum ec drop_octets(struct cx *cx, struct frame *f, uint64_t n)
{
	uint8_t sink[1024];
	size_t got;

	while (n) {
		cx_deadline_in(cx, f->piece_ms);
		enum ec e = io_read(cx, f->io, sink, n < sizeof sink ? (size_t)n : sizeof sink, &got);
		if (e != E_OK)
			return e;
		n -= got;
	}
	return E_OK;
}

/// Reads a literal's octets into the command.
FIB static enum ec keep_octets(struct cx *cx, struct frame *f, uint64_t n)
{
	size_t got;

	while (n) {
		size_t piece = n < PIECE_OCTETS ? (size_t)n : PIECE_OCTETS;
		uint8_t *p = buf_room(&f->text, piece);
		if (!p) {
			f->fault = E_TOOBIG;
			return drop_octets(cx, f, n);
		}
		cx_deadline_in(cx, f->piece_ms);
		enum ec e = io_read(cx, f->io, p, piece, &got);
		if (e != E_OK)
			return e;
		if (has_nul((struct sl){ p, got }))
			f->fault = E_SYNTAX;
		buf_took(&f->text, got);
		n -= got;
	}
	return E_OK;
}

FIB static enum ec ask_for_octets(struct cx *cx, struct frame *f)
{
	enum ec e = io_put(cx, f->io, SL("+ Ready for the octets\r\n"));

	return e == E_OK ? io_flush(cx, f->io) : e;
}

FIB enum ec frame_take_room(struct cx *cx, struct frame *f, size_t octets)
{
	return room_take(cx, &f->share, max_size(f->share.octets, f->text.cap + octets));
}

/// Room for the command with a literal, where that is long: what it will be parsed into is as long again.
FIB static void take_room(struct cx *cx, struct frame *f, uint64_t literal)
{
	uint64_t want = f->text.n + literal;

	if (f->fault != E_OK || want <= ROOM_FREE_OCTETS)
		return;
	f->fault = room_take(cx, &f->share, max_size(f->share.octets, 2 * f->command_max));
	if (f->fault == E_OK)
		holder_begin(cx, f->tellers, &f->held, f->io); // who stalls now keeps others waiting
}

/// Reads one literal of the command. out: *more — false where the command ends here, since the client waits for a "+"
/// that it will not get.
FIB static enum ec take_literal(struct cx *cx, struct frame *f, const struct imap_literal *lit, bool *more)
{
	keep(f, SL("\r\n"));
	if (f->fault == E_OK && lit->octets > f->command_max - f->text.n)
		f->fault = E_TOOBIG;
	take_room(cx, f, lit->octets);
	*more = f->fault == E_OK || !lit->sync;
	if (f->fault == E_OK) {
		enum ec e = lit->sync ? ask_for_octets(cx, f) : E_OK;
		return e == E_OK ? keep_octets(cx, f, lit->octets) : e;
	}
	if (lit->sync)
		return E_OK;
	if (lit->octets > f->drop_max)
		return fail(cx, E_LIMIT, "a literal of %llu octets", (unsigned long long)lit->octets);
	return drop_octets(cx, f, lit->octets);
}

/// Reads one line and looks at its end. A line longer than line_max ends the session: its lost end might announce a
/// literal.
FIB static enum ec take_line(struct cx *cx, struct frame *f, struct imap_literal *lit, bool *has_literal)
{
	struct sl line;

	cx_deadline_in(cx, f->piece_ms);
	enum ec e = io_line(cx, f->io, f->line_max, &line);
	if (e != E_OK)
		return e == E_TOOBIG ? fail(cx, E_LIMIT, "a line of more than %zu octets", f->line_max) : e;
	e = imap_frame_literal(line, lit);
	if (e == E_TOOBIG)
		return fail(cx, E_LIMIT, "a literal of 2^63 octets or more");
	*has_literal = e == E_OK;
	keep(f, line);
	if (f->text.err == E_TEMP && f->text.n == 0) // without a tag no answer would end the client's wait
		return fail(cx, E_TEMP, "no memory for a command");
	if (*has_literal)
		lit->at += f->text.n - min_size(f->text.n, line.n);
	return E_OK;
}

FIB enum ec frame_read(struct cx *cx, struct frame *f)
{
	struct imap_literal lit;
	bool more = true;
	enum ec e = E_OK;

	f->text.max = f->command_max;
	buf_clear(&f->text);
	f->fault = E_OK;
	while (e == E_OK && more) {
		e = take_line(cx, f, &lit, &more);
		if (e == E_OK && more && is_message(f, lit.at)) {
			f->state = MESSAGE_ANNOUNCED;
			f->message = lit;
			f->left = lit.octets;
			more = false;
		} else if (e == E_OK && more) {
			e = take_literal(cx, f, &lit, &more);
		}
	}
	holder_end(&f->held);
	return e ? e : f->fault;
}

FIB enum ec frame_message_begin(struct cx *cx, struct frame *f)
{
	enum ec e = f->message.sync ? ask_for_octets(cx, f) : E_OK;

	if (e == E_OK)
		f->state = MESSAGE_OPEN;
	return e;
}

FIB enum ec frame_message_read(struct cx *cx, struct frame *f, uint8_t *p, size_t room, size_t *got)
{
	cx_deadline_in(cx, f->piece_ms);
	enum ec e = io_read(cx, f->io, p, f->left < room ? (size_t)f->left : room, got);

	if (e == E_OK)
		f->left -= *got;
	return e;
}

/// Reads to the end of a command of which nothing is wanted any more. out: *empty — there was nothing.
FIB static enum ec drop_rest(struct cx *cx, struct frame *f, bool *empty)
{
	struct imap_literal lit;
	bool more = true;
	enum ec e = E_OK;

	f->fault = E_SYNTAX; // nothing of it is kept
	*empty = true;
	while (e == E_OK && more) {
		struct sl line;
		cx_deadline_in(cx, f->piece_ms);
		e = io_line(cx, f->io, f->line_max, &line);
		if (e != E_OK)
			return e == E_TOOBIG ? fail(cx, E_LIMIT, "a line of more than %zu octets", f->line_max) : e;
		*empty = *empty && line.n == 0;
		enum ec announced = imap_frame_literal(line, &lit);
		more = announced == E_OK && !lit.sync;
		if (announced == E_TOOBIG || (more && lit.octets > f->drop_max))
			return fail(cx, E_LIMIT, "a literal behind a message is too long");
		if (more)
			e = drop_octets(cx, f, lit.octets);
	}
	return e;
}

FIB enum ec frame_message_end(struct cx *cx, struct frame *f)
{
	bool empty;
	enum ec e = drop_rest(cx, f, &empty);

	f->state = MESSAGE_NONE;
	if (e != E_OK)
		return e;
	return empty ? E_OK : fail(cx, E_SYNTAX, "octets behind the message");
}

FIB enum ec frame_skip(struct cx *cx, struct frame *f)
{
	enum frame_message state = f->state;
	bool empty;

	f->state = MESSAGE_NONE;
	if (f->text.cap > ROOM_FREE_OCTETS)
		buf_free(&f->text);
	room_give(&f->share);
	if (state == MESSAGE_NONE || (state == MESSAGE_ANNOUNCED && f->message.sync))
		return E_OK;
	if (f->left > f->drop_max)
		return fail(cx, E_LIMIT, "a message of %llu octets", (unsigned long long)f->message.octets);
	enum ec e = drop_octets(cx, f, f->left);
	return e == E_OK ? drop_rest(cx, f, &empty) : e;
}

void frame_free(struct frame *f)
{
	buf_free(&f->text);
	room_give(&f->share);
}
