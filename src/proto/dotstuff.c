/// dotstuff — RFC 5321 §4.5.2 and RFC 1939 §3, from the sender's side.
#include "proto/dotstuff.h"

#include <string.h>

#include "base/num.h"

struct dotstuff dotstuff_start(void)
{
	return (struct dotstuff){ .state = STUFF_LINE_START, .empty_line = true };
}

struct dotstuff dotstuff_start_top(uint32_t body_lines)
{
	return (struct dotstuff){
		.state = STUFF_LINE_START, .empty_line = true, .top = true, .lines_left = body_lines
	};
}

/// Input and output of one call; see smtp_data.c.
struct pipe {
	struct sl in;
	size_t at;
	uint8_t *out;
	size_t n, room;
	size_t lf; // no LF stands in [at, lf)
};

/// Copies octets of a line up to the next CR, LF or the end of input or room.
static void copy_plain(struct pipe *p)
{
	if (p->lf <= p->at)
		p->lf = p->at + sl_find(sl_sub(p->in, p->at, p->at + (p->room - p->n)), '\n');
	size_t n = min_size(p->lf - p->at, p->room - p->n);
	struct sl run = sl_sub(p->in, p->at, p->at + n);
	run.n = sl_find(run, '\r');
	if (run.n == 0)
		return;
	memcpy(p->out + p->n, run.p, run.n);
	p->at += run.n;
	p->n += run.n;
}

static void end_line(struct dotstuff *d, struct pipe *p)
{
	p->out[p->n++] = '\r';
	p->out[p->n++] = '\n';
	if (d->in_body && d->lines_left)
		d->lines_left--;
	d->in_body |= d->empty_line; // the header ends with an empty line
	d->empty_line = true;
	d->state = STUFF_LINE_START;
}

static void step(struct dotstuff *d, struct pipe *p, uint8_t c)
{
	if (c == '\n') {
		end_line(d, p);
		return;
	}
	if (d->state == STUFF_CR) { // it was bare
		p->out[p->n++] = ' ';
		d->empty_line = false;
	} else if (d->state == STUFF_LINE_START && c == '.') {
		p->out[p->n++] = '.';
	}
	d->state = c == '\r' ? STUFF_CR : STUFF_TEXT;
	if (c == '\r')
		return;
	d->empty_line = false;
	p->out[p->n++] = c;
}

static bool is_full(const struct dotstuff *d)
{
	return d->top && d->in_body && d->lines_left == 0;
}

struct dotstuff_step dotstuff_feed(struct dotstuff *d, struct sl in, uint8_t *out, size_t room)
{
	struct pipe p = { .in = in, .out = out, .room = room };

	while (!is_full(d) && p.at < in.n && room - p.n >= DOTSTUFF_ROOM_MIN) {
		if (d->state == STUFF_TEXT)
			copy_plain(&p);
		if (p.at < in.n && room - p.n >= DOTSTUFF_ROOM_MIN)
			step(d, &p, in.p[p.at++]);
	}
	return (struct dotstuff_step){ .consumed = p.at, .written = p.n, .full = is_full(d) };
}

size_t dotstuff_finish(struct dotstuff *d, uint8_t *out)
{
	struct pipe p = { .out = out };

	if (d->state == STUFF_CR)
		out[p.n++] = ' ';
	if (d->state != STUFF_LINE_START)
		end_line(d, &p);
	memcpy(out + p.n, ".\r\n", 3);
	return p.n + 3;
}
