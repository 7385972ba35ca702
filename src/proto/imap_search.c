/// imap_search — RFC 9051 §9, search and search-key. Each key is a row that says which arguments it takes.
#include "proto/imap_search.h"

#include "base/num.h"

/// What stands behind a key's name.
enum key_arg {
	ARG_NONE,
	ARG_FLAG,     // nothing; the row names the flag
	ARG_FIELD,    // SP astring; the row names the header field
	ARG_HEADER,   // SP header-fld-name SP astring
	ARG_TEXT,     // SP astring
	ARG_KEYWORD,  // SP flag-keyword
	ARG_DATE,     // SP date
	ARG_NUMBER,   // SP number64
	ARG_SET,      // SP sequence-set
	ARG_KEY,      // SP search-key
	ARG_TWO_KEYS, // SP search-key SP search-key
};

struct key_row {
	struct sl name;
	enum imap_key_op op;
	enum key_arg arg;
	unsigned flag;
	struct sl field;
};

/// search-key, in the order of RFC 9051 §6.4.4; NEW, OLD, RECENT from RFC 3501 §6.4.4.
static const struct key_row rows[] = {
	{ SL_INIT("ALL"), KEY_ALL, ARG_NONE },
	{ SL_INIT("ANSWERED"), KEY_FLAG, ARG_FLAG, IMAP_ANSWERED },
	{ SL_INIT("BCC"), KEY_HEADER, ARG_FIELD, 0, SL_INIT("Bcc") },
	{ SL_INIT("BEFORE"), KEY_BEFORE, ARG_DATE },
	{ SL_INIT("BODY"), KEY_BODY, ARG_TEXT },
	{ SL_INIT("CC"), KEY_HEADER, ARG_FIELD, 0, SL_INIT("Cc") },
	{ SL_INIT("DELETED"), KEY_FLAG, ARG_FLAG, IMAP_DELETED },
	{ SL_INIT("DRAFT"), KEY_FLAG, ARG_FLAG, IMAP_DRAFT },
	{ SL_INIT("FLAGGED"), KEY_FLAG, ARG_FLAG, IMAP_FLAGGED },
	{ SL_INIT("FROM"), KEY_HEADER, ARG_FIELD, 0, SL_INIT("From") },
	{ SL_INIT("HEADER"), KEY_HEADER, ARG_HEADER },
	{ SL_INIT("KEYWORD"), KEY_KEYWORD, ARG_KEYWORD },
	{ SL_INIT("LARGER"), KEY_LARGER, ARG_NUMBER },
	{ SL_INIT("NEW"), KEY_NEW, ARG_NONE },
	{ SL_INIT("NOT"), KEY_NOT, ARG_KEY },
	{ SL_INIT("OLD"), KEY_OLD, ARG_NONE },
	{ SL_INIT("ON"), KEY_ON, ARG_DATE },
	{ SL_INIT("OR"), KEY_OR, ARG_TWO_KEYS },
	{ SL_INIT("RECENT"), KEY_RECENT, ARG_NONE },
	{ SL_INIT("SEEN"), KEY_FLAG, ARG_FLAG, IMAP_SEEN },
	{ SL_INIT("SENTBEFORE"), KEY_SENT_BEFORE, ARG_DATE },
	{ SL_INIT("SENTON"), KEY_SENT_ON, ARG_DATE },
	{ SL_INIT("SENTSINCE"), KEY_SENT_SINCE, ARG_DATE },
	{ SL_INIT("SINCE"), KEY_SINCE, ARG_DATE },
	{ SL_INIT("SMALLER"), KEY_SMALLER, ARG_NUMBER },
	{ SL_INIT("SUBJECT"), KEY_HEADER, ARG_FIELD, 0, SL_INIT("Subject") },
	{ SL_INIT("TEXT"), KEY_TEXT, ARG_TEXT },
	{ SL_INIT("TO"), KEY_HEADER, ARG_FIELD, 0, SL_INIT("To") },
	{ SL_INIT("UID"), KEY_UID, ARG_SET },
	{ SL_INIT("UNANSWERED"), KEY_NOT_FLAG, ARG_FLAG, IMAP_ANSWERED },
	{ SL_INIT("UNDELETED"), KEY_NOT_FLAG, ARG_FLAG, IMAP_DELETED },
	{ SL_INIT("UNDRAFT"), KEY_NOT_FLAG, ARG_FLAG, IMAP_DRAFT },
	{ SL_INIT("UNFLAGGED"), KEY_NOT_FLAG, ARG_FLAG, IMAP_FLAGGED },
	{ SL_INIT("UNKEYWORD"), KEY_UNKEYWORD, ARG_KEYWORD },
	{ SL_INIT("UNSEEN"), KEY_NOT_FLAG, ARG_FLAG, IMAP_SEEN },
};

static const struct imap_word return_words[] = {
	{ SL_INIT("MIN"), SEARCH_MIN },
	{ SL_INIT("MAX"), SEARCH_MAX },
	{ SL_INIT("ALL"), SEARCH_ALL },
	{ SL_INIT("COUNT"), SEARCH_COUNT },
	{ SL_INIT("SAVE"), SEARCH_SAVE },
};

/// One SEARCH while it is read.
struct reader {
	struct cur *c;
	struct arena *a;
	size_t keys;
	int depth;
};

static struct imap_key *parse_search_key(struct reader *r);

/// A zeroed key, counted against the limit; NULL after an error.
static struct imap_key *new_key(struct reader *r, enum imap_key_op op)
{
	if (++r->keys > IMAP_SEARCH_KEYS_MAX)
		cur_fail(r->c, E_LIMIT);
	struct imap_key *k = cur_ok(r->c) ? arena_alloc(r->a, 1, sizeof *k) : NULL;
	if (k)
		k->op = op;
	else
		cur_fail(r->c, E_TEMP); // without effect after an earlier error
	return k;
}

/// search-key *(SP search-key): one key as it is, several as the kids of a KEY_AND.
static struct imap_key *parse_all_keys(struct reader *r)
{
	struct imap_key *first = parse_search_key(r), *last = first;

	if (!cur_ok(r->c) || cur_peek(r->c) != ' ')
		return first;
	struct imap_key *all = new_key(r, KEY_AND);
	while (cur_take(r->c, ' ')) {
		last->next = parse_search_key(r);
		if (!cur_ok(r->c))
			return NULL;
		last = last->next;
	}
	if (all)
		all->kids = first;
	return all;
}

/// The arguments of a row's key, each with the SP before it.
static void parse_key_args(struct reader *r, const struct key_row *row, struct imap_key *k)
{
	struct cur *c = r->c;

	if (row->arg != ARG_NONE && row->arg != ARG_FLAG)
		cur_need(c, ' ');
	switch (row->arg) {
	case ARG_NONE: break;
	case ARG_FLAG: k->flag = row->flag; break;
	case ARG_FIELD:
		k->field = row->field;
		k->text = imap_parse_astring(c, r->a);
		break;
	case ARG_HEADER:
		k->field = imap_parse_astring(c, r->a);
		cur_need(c, ' ');
		k->text = imap_parse_astring(c, r->a);
		break;
	case ARG_TEXT: k->text = imap_parse_astring(c, r->a); break;
	case ARG_KEYWORD: k->text = imap_parse_flag_keyword(c); break;
	case ARG_DATE: k->date = imap_parse_date(c); break;
	case ARG_NUMBER: k->number = imap_parse_number64(c); break;
	case ARG_SET: seqset_parse(c, r->a, &k->set); break;
	case ARG_KEY: k->kids = parse_search_key(r); break;
	case ARG_TWO_KEYS:
		k->kids = parse_search_key(r);
		cur_need(c, ' ');
		if (cur_ok(c))
			k->kids->next = parse_search_key(r);
		break;
	}
}

/// search-key = "ALL" / "ANSWERED" / … by the table
static struct imap_key *parse_named_key(struct reader *r)
{
	size_t start = r->c->at;
	struct sl name = imap_parse_atom(r->c);

	for (size_t i = 0; i < ARRAY_N(rows); i++) {
		if (!sl_eq_ci(name, rows[i].name))
			continue;
		struct imap_key *k = new_key(r, rows[i].op);
		if (k)
			parse_key_args(r, &rows[i], k);
		return k;
	}
	if (cur_ok(r->c))
		r->c->at = start;
	cur_fail(r->c, E_SYNTAX);
	return NULL;
}

/// search-key =/ sequence-set
static struct imap_key *parse_set_key(struct reader *r)
{
	struct imap_key *k = new_key(r, KEY_SEQUENCE);

	if (k)
		seqset_parse(r->c, r->a, &k->set);
	return k;
}

/// search-key = named key / sequence-set / "(" search-key *(SP search-key) ")"
static struct imap_key *parse_search_key(struct reader *r)
{
	struct imap_key *k;
	int ch = cur_peek(r->c);

	if (++r->depth > IMAP_SEARCH_DEPTH_MAX)
		cur_fail(r->c, E_LIMIT);
	if (!cur_ok(r->c))
		return NULL;
	if (cur_take(r->c, '(')) {
		k = parse_all_keys(r);
		cur_need(r->c, ')');
	} else if (ch == '*' || ch == '$' || (ch >= '0' && ch <= '9')) {
		k = parse_set_key(r);
	} else {
		k = parse_named_key(r);
	}
	r->depth--;
	return k;
}

/// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
static void parse_search_return_opts(struct cur *c, struct imap_search *out)
{
	out->esearch = true;
	cur_need(c, ' ');
	cur_need(c, '(');
	if (!cur_take(c, ')')) {
		do
			out->ret |= imap_parse_word(c, return_words, ARRAY_N(return_words));
		while (cur_take(c, ' '));
		cur_need(c, ')');
	}
	if (out->ret == 0)
		out->ret = SEARCH_ALL; // RFC 4731 §3.1
	cur_need(c, ' ');
}

/// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
/// charset = atom / quoted
void imap_parse_search(struct cur *c, struct arena *a, struct imap_search *out)
{
	struct reader r = { .c = c, .a = a };

	if (imap_take_word(c, SL("RETURN")))
		parse_search_return_opts(c, out);
	if (imap_take_word(c, SL("CHARSET"))) {
		cur_need(c, ' ');
		out->charset = imap_parse_astring(c, a);
		cur_need(c, ' ');
	}
	out->key = parse_all_keys(&r);
}
