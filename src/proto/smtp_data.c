/// smtp_data — the states of the header's diagram, with runs of plain octets copied whole.
#include "proto/smtp_data.h"

#include <string.h>

#include "base/num.h"

struct smtp_data smtp_data_start(bool dots)
{
	return (struct smtp_data){ .state = dots ? DATA_LINE_START : DATA_TEXT, .dots = dots };
}

/// Input and output of one call.
struct pipe {
	struct sl in;
	size_t at;
	uint8_t *out;
	size_t n, room;
	size_t lf; // no LF stands in [at, lf): each octet is searched once
};

static void put(struct smtp_data *d, struct pipe *p, uint8_t c)
{
	p->out[p->n++] = c;
	d->octets++;
}

/// Copies octets up to the next CR, LF or the end of input or room.
static void copy_plain(struct smtp_data *d, struct pipe *p)
{
	if (p->lf <= p->at)
		p->lf = p->at + sl_find(sl_sub(p->in, p->at, p->at + (p->room - p->n)), '\n');
	size_t n = min_size(p->lf - p->at, p->room - p->n);
	struct sl run = sl_sub(p->in, p->at, p->at + n);
	run.n = sl_find(run, '\r');
	if (run.n == 0)
		return;
	if (!d->nul)
		d->nul = memchr(run.p, 0, run.n) != NULL;
	memcpy(p->out + p->n, run.p, run.n);
	p->at += run.n;
	p->n += run.n;
	d->octets += run.n;
}

/// An octet of a line that is neither CR nor the first: a bare LF is mended.
static void text_octet(struct smtp_data *d, struct pipe *p, uint8_t c)
{
	d->state = DATA_TEXT;
	d->nul |= c == 0;
	if (c == '\r') {
		d->state = DATA_CR;
	} else if (c == '\n') {
		d->bare_lf = true; // begins no line in the sense of dots: see the header
		put(d, p, '\r');
		put(d, p, '\n');
	} else {
		put(d, p, c);
	}
}

/// The CR before this octet was bare.
static void mend_cr(struct smtp_data *d, struct pipe *p)
{
	d->bare_cr = true;
	put(d, p, ' ');
}

static void step(struct smtp_data *d, struct pipe *p, uint8_t c)
{
	switch (d->state) {
	case DATA_LINE_START:
		if (c == '.')
			d->state = DATA_DOT;
		else
			text_octet(d, p, c);
		break;
	case DATA_DOT: // the dot itself is dropped, whatever comes
		if (c == '\r')
			d->state = DATA_DOT_CR;
		else
			text_octet(d, p, c);
		break;
	case DATA_DOT_CR:
		if (c == '\n') {
			d->state = DATA_ENDED;
		} else {
			mend_cr(d, p);
			text_octet(d, p, c);
		}
		break;
	case DATA_CR:
		if (c == '\n') {
			put(d, p, '\r');
			put(d, p, '\n');
			d->state = d->dots ? DATA_LINE_START : DATA_TEXT;
		} else {
			mend_cr(d, p);
			text_octet(d, p, c);
		}
		break;
	case DATA_TEXT: text_octet(d, p, c); break;
	case DATA_ENDED: break;
	}
}

struct smtp_data_step smtp_data_feed(struct smtp_data *d, struct sl in, uint8_t *out, size_t room)
{
	struct pipe p = { .in = in, .out = out, .room = room };

	while (d->state != DATA_ENDED && p.at < in.n && room - p.n >= SMTP_DATA_ROOM_MIN) {
		if (d->state == DATA_TEXT)
			copy_plain(d, &p);
		if (p.at < in.n && room - p.n >= SMTP_DATA_ROOM_MIN)
			step(d, &p, in.p[p.at++]);
	}
	return (struct smtp_data_step){ .consumed = p.at, .written = p.n, .ended = d->state == DATA_ENDED };
}

size_t smtp_data_finish(struct smtp_data *d, uint8_t *out, size_t room)
{
	struct pipe p = { .out = out, .room = room };

	if (d->state == DATA_CR && room > 0)
		mend_cr(d, &p);
	d->state = DATA_ENDED;
	return p.n;
}
