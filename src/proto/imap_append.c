/// imap_append — RFC 9051 §9, append and append-message, without the message itself.
#include "proto/imap_append.h"

void imap_parse_append_head(struct cur *c, struct arena *a, struct imap_append *out)
{
	out->mailbox = imap_parse_mailbox(c, a);
	cur_need(c, ' ');
	if (cur_peek(c) == '(') {
		imap_parse_flag_list(c, a, &out->flags);
		cur_need(c, ' ');
	}
	if (cur_peek(c) == '"') {
		out->date_s = imap_parse_date_time(c, &out->zone_min);
		out->has_date = true;
		cur_need(c, ' ');
	}
	if (!cur_ok(c))
		return;
	enum ec e = imap_frame_literal(cur_rest(c), &out->literal);
	if (e != E_OK || out->literal.at != 0)
		cur_fail(c, e == E_TOOBIG ? E_TOOBIG : E_SYNTAX);
	else
		c->at = c->in.n;
}
