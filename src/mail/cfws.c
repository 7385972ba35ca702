/// cfws — see the header.
#include "mail/cfws.h"

void cfws_skip(struct cur *c)
{
	size_t depth = 0;

	for (; !cur_end(c); c->at++) {
		uint8_t ch = c->in.p[c->at];
		if (ch == '(')
			depth++;
		else if (depth && ch == ')')
			depth--;
		else if (depth && ch == '\\')
			c->at += c->at + 1 < c->in.n;
		else if (!depth && ch != ' ' && ch != '\t' && ch != '\r' && ch != '\n' && ch != 0)
			return;
	}
}
