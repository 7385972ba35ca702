/// imap_list — RFC 9051 §9, list, status; RFC 3501, lsub. Options are rows of tables.
#include "proto/imap_list.h"

#include "base/num.h"

static const struct imap_word status_words[] = {
	{ SL_INIT("MESSAGES"), STATUS_MESSAGES },
	{ SL_INIT("UIDNEXT"), STATUS_UIDNEXT },
	{ SL_INIT("UIDVALIDITY"), STATUS_UIDVALIDITY },
	{ SL_INIT("UNSEEN"), STATUS_UNSEEN },
	{ SL_INIT("DELETED"), STATUS_DELETED },
	{ SL_INIT("SIZE"), STATUS_SIZE },
	{ SL_INIT("APPENDLIMIT"), STATUS_APPENDLIMIT },
	{ SL_INIT("RECENT"), STATUS_RECENT },
};

static const struct imap_word select_words[] = {
	{ SL_INIT("SUBSCRIBED"), LIST_SELECT_SUBSCRIBED },
	{ SL_INIT("REMOTE"), LIST_SELECT_REMOTE },
	{ SL_INIT("RECURSIVEMATCH"), LIST_SELECT_RECURSIVEMATCH },
	{ SL_INIT("SPECIAL-USE"), LIST_SELECT_SPECIAL_USE },
};

static const struct imap_word return_words[] = {
	{ SL_INIT("SUBSCRIBED"), LIST_RETURN_SUBSCRIBED },
	{ SL_INIT("CHILDREN"), LIST_RETURN_CHILDREN },
	{ SL_INIT("SPECIAL-USE"), LIST_RETURN_SPECIAL_USE },
	{ SL_INIT("STATUS"), LIST_RETURN_STATUS },
};

/// "(" status-att *(SP status-att) ")"
static unsigned parse_status_atts(struct cur *c)
{
	unsigned items = 0;

	cur_need(c, '(');
	do
		items |= imap_parse_word(c, status_words, ARRAY_N(status_words));
	while (cur_take(c, ' '));
	cur_need(c, ')');
	return items;
}

/// list-select-opts = "(" [*(list-select-opt SP) list-select-base-opt *(SP list-select-opt)] ")"
static void parse_list_select_opts(struct cur *c, struct imap_list *out)
{
	cur_need(c, '(');
	if (cur_take(c, ')'))
		return;
	do
		out->select |= imap_parse_word(c, select_words, ARRAY_N(select_words));
	while (cur_take(c, ' '));
	cur_need(c, ')');
	// RECURSIVEMATCH modifies another option and means nothing alone (RFC 5258 §3.5).
	if (out->select & LIST_SELECT_RECURSIVEMATCH &&
		!(out->select & (LIST_SELECT_SUBSCRIBED | LIST_SELECT_SPECIAL_USE)))
		cur_fail(c, E_SYNTAX);
}

/// mbox-or-pat = list-mailbox / patterns
/// patterns = "(" list-mailbox *(SP list-mailbox) ")"
static void parse_mbox_or_pat(struct cur *c, struct arena *a, struct imap_list *out)
{
	bool many = cur_take(c, '(');

	do
		imap_texts_add(c, a, &out->patterns, IMAP_PATTERNS_MAX, imap_parse_list_mailbox(c, a));
	while (many && cur_take(c, ' '));
	if (many)
		cur_need(c, ')');
	out->extended |= many;
}

/// list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"
/// return-option =/ status-option ; "STATUS" SP "(" status-att *(SP status-att) ")"
static void parse_list_return_opts(struct cur *c, struct imap_list *out)
{
	cur_need_ci(c, SL("RETURN"));
	cur_need(c, ' ');
	cur_need(c, '(');
	if (cur_take(c, ')'))
		return;
	do {
		unsigned option = imap_parse_word(c, return_words, ARRAY_N(return_words));
		out->ret |= option;
		if (option == LIST_RETURN_STATUS) {
			cur_need(c, ' ');
			out->status |= parse_status_atts(c);
		}
	} while (cur_take(c, ' '));
	cur_need(c, ')');
}

void imap_parse_list(struct cur *c, struct arena *a, struct imap_list *out)
{
	if (cur_peek(c) == '(') {
		parse_list_select_opts(c, out);
		out->extended = true;
		cur_need(c, ' ');
	}
	out->reference = imap_parse_mailbox(c, a);
	cur_need(c, ' ');
	parse_mbox_or_pat(c, a, out);
	if (cur_take(c, ' ')) {
		parse_list_return_opts(c, out);
		out->extended = true;
	}
}

void imap_parse_lsub(struct cur *c, struct arena *a, struct imap_list *out)
{
	out->reference = imap_parse_mailbox(c, a);
	cur_need(c, ' ');
	imap_texts_add(c, a, &out->patterns, IMAP_PATTERNS_MAX, imap_parse_list_mailbox(c, a));
}

void imap_parse_status(struct cur *c, struct arena *a, struct imap_status *out)
{
	out->mailbox = imap_parse_mailbox(c, a);
	cur_need(c, ' ');
	out->items = parse_status_atts(c);
}
