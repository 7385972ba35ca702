/// imap_store — RFC 9051 §9, store and store-att-flags.
#include "proto/imap_store.h"

/// store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
static void parse_store_att_flags(struct cur *c, struct arena *a, struct imap_store *out)
{
	out->op = cur_take(c, '+') ? STORE_ADD : cur_take(c, '-') ? STORE_DEL : STORE_SET;
	cur_need_ci(c, SL("FLAGS"));
	out->silent = cur_take_ci(c, SL(".SILENT"));
	cur_need(c, ' ');
	if (cur_peek(c) == '(')
		imap_parse_flag_list(c, a, &out->flags);
	else
		imap_parse_bare_flags(c, a, &out->flags);
}

void imap_parse_store(struct cur *c, struct arena *a, struct imap_store *out)
{
	seqset_parse(c, a, &out->set);
	cur_need(c, ' ');
	parse_store_att_flags(c, a, out);
}
