/// search_key — making keys ready is one switch, deciding them another; both know every key by name.
///
/// Texts of one kind stand in one group: those of fields are looked for one by one, in the field that each names; those
/// of BODY together in one pass over the message, and likewise those of TEXT.
#include "front/imap/search_key.h"

#include "base/clock.h"
#include "base/num.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/message_text.h"

enum {
	SEARCH_TEXT_MAX = 1 << 20, // octets of a searched text as UTF-8
};

// ---- making ready

struct compiler {
	const struct imap *im;
	struct sl charset;
	struct search_program *p;
	struct arena *a;
};

static size_t count_keys(const struct imap_key *k, enum imap_key_op op)
{
	size_t n = 0;

	for (; k; k = k->next) {
		bool parent = k->op == KEY_AND || k->op == KEY_OR || k->op == KEY_NOT;
		n += parent ? count_keys(k->kids, op) : k->op == op;
	}
	return n;
}

static uint8_t stored_flags(unsigned flag)
{
	return (uint8_t)((flag & IMAP_SEEN ? FLAG_SEEN : 0) | (flag & IMAP_ANSWERED ? FLAG_ANSWERED : 0) |
			 (flag & IMAP_FLAGGED ? FLAG_FLAGGED : 0) | (flag & IMAP_DELETED ? FLAG_DELETED : 0) |
			 (flag & IMAP_DRAFT ? FLAG_DRAFT : 0));
}

/// Days since 1970-01-01 of a day on the calendar.
static int64_t day_number(struct imap_date d)
{
	struct civil c = { .year = d.year, .month = d.month, .day = d.day };

	return clock_unix(&c) / 86400; // midnight: nothing is cut
}

/// The text as a folded needle. Text without a charset should be ASCII; where it is not, what it looks like counts.
static enum ec compile_text(struct compiler *c, struct sl text, struct search_needles *group, struct search_key *out)
{
	struct buf utf8 = BUF(SEARCH_TEXT_MAX);
	struct sl charset = c->charset.n ? c->charset : charset_guess(c->p->charsets, text);
	enum ec e = charset_to_utf8(c->p->charsets, charset, text, &utf8, NULL);

	if (e == E_OK)
		e = fold_needle_make(utf8.p ? buf_sl(&utf8) : SL(""), c->a, &group->v[group->n]);
	buf_free(&utf8);
	if (e != E_OK)
		return e;
	out->needle = group->n++;
	return E_OK;
}

static enum ec compile_set(struct compiler *c, const struct imap_key *k, uint32_t max, struct search_key *out)
{
	out->set = k->set;
	if (k->set.saved || (k->op == KEY_SEQUENCE && seqset_largest(&k->set) > max))
		return E_RANGE;
	return seqset_resolve(&out->set, c->a, max);
}

static enum ec compile_key(struct compiler *c, const struct imap_key *k, struct search_key *out);

/// Puts `key` into a list that is sorted by level, behind those of its own level.
static void insert_key(struct search_key **list, struct search_key *key)
{
	while (*list && (*list)->level <= key->level)
		list = &(*list)->next;
	key->next = *list;
	*list = key;
}

static enum ec compile_kids(struct compiler *c, const struct imap_key *k, struct search_key *out)
{
	for (const struct imap_key *kid = k->kids; kid; kid = kid->next) {
		struct search_key *key = arena_alloc(c->a, 1, sizeof *key);
		enum ec e = key ? compile_key(c, kid, key) : E_TEMP;
		if (e != E_OK)
			return e;
		insert_key(&out->kids, key);
		if (out->level < key->level)
			out->level = key->level;
	}
	return E_OK;
}

static enum ec compile_keyword(struct compiler *c, const struct imap_key *k, struct search_key *out)
{
	int bit = view_keyword(c->im->view, k->text);

	out->level = LEVEL_ROW;
	out->keyword = bit < 0 ? 0 : (uint64_t)1 << bit;
	return E_OK;
}

static enum ec compile_field(struct compiler *c, const struct imap_key *k, struct search_key *out)
{
	out->level = LEVEL_HEADER;
	out->field = k->field;
	out->present = k->text.n == 0;
	c->p->reads_header = true;
	return compile_text(c, k->text, &c->p->field, out);
}

static enum ec compile_key(struct compiler *c, const struct imap_key *k, struct search_key *out)
{
	const struct view *v = c->im->view;

	out->op = k->op;
	switch (k->op) {
	case KEY_AND:
	case KEY_OR:
	case KEY_NOT: return compile_kids(c, k, out);
	case KEY_ALL:
	case KEY_RECENT:
	case KEY_OLD: return E_OK;
	case KEY_SEQUENCE: return compile_set(c, k, v->exists, out);
	case KEY_UID: return compile_set(c, k, view_last(v), out);
	case KEY_NEW: out->level = LEVEL_ROW; return E_OK;
	case KEY_FLAG:
	case KEY_NOT_FLAG:
		out->level = LEVEL_ROW;
		out->flags = stored_flags(k->flag);
		return E_OK;
	case KEY_KEYWORD:
	case KEY_UNKEYWORD: return compile_keyword(c, k, out);
	case KEY_BEFORE:
	case KEY_ON:
	case KEY_SINCE:
		out->level = LEVEL_ROW;
		out->day = day_number(k->date);
		return E_OK;
	case KEY_SENT_BEFORE:
	case KEY_SENT_ON:
	case KEY_SENT_SINCE:
		out->level = LEVEL_HEADER;
		out->day = day_number(k->date);
		c->p->reads_header = true;
		return E_OK;
	case KEY_LARGER:
	case KEY_SMALLER:
		out->level = LEVEL_ROW;
		out->number = k->number;
		return E_OK;
	case KEY_HEADER: return compile_field(c, k, out);
	case KEY_BODY: out->level = LEVEL_WHOLE; return compile_text(c, k->text, &c->p->body, out);
	case KEY_TEXT: out->level = LEVEL_WHOLE; return compile_text(c, k->text, &c->p->text, out);
	}
	return E_UNSUPPORTED;
}

static bool alloc_needles(
	struct search_needles *group, const struct imap_key *root, enum imap_key_op op, struct arena *a)
{
	group->v = arena_alloc(a, count_keys(root, op), sizeof *group->v);
	return group->v != NULL;
}

enum ec search_compile(
	const struct imap *im, const struct imap_search *search, struct arena *a, struct search_program *out)
{
	struct search_program p = { .charsets = &im->s->front->charsets };
	struct compiler c = { im, search->charset, &p, a };
	const struct imap_key *root = search->key;

	if (search->charset.n && !charset_known(search->charset))
		return E_UNSUPPORTED;
	p.root = arena_alloc(a, 1, sizeof *p.root);
	bool room = p.root && alloc_needles(&p.field, root, KEY_HEADER, a) &&
	            alloc_needles(&p.body, root, KEY_BODY, a) && alloc_needles(&p.text, root, KEY_TEXT, a);
	enum ec e = room ? compile_key(&c, root, p.root) : E_TEMP;
	if (e != E_OK)
		return e;
	p.level = p.root->level;
	*out = p;
	return E_OK;
}

// ---- deciding

/// One decision under way; `err` sticks.
struct judge {
	struct search_program *p;
	const struct search_subject *s;
	enum ec err;
};

static void rewind_needle(struct fold_needle *n)
{
	fold_needle_break(n);
	n->found = n->text.n == 0; // an empty text is in every text
}

void search_begin(struct search_program *p)
{
	p->body.done = p->text.done = false;
}

static enum search_verdict yes_if(bool is)
{
	return is ? SEARCH_YES : SEARCH_NO;
}

/// The calendar day of the internal date as its zone shows it.
static int64_t internal_day(const struct pl_row *row)
{
	struct date d = { row->date_s, row->zone_min };

	return date_day_of(&d).days;
}

/// Compares the Date field's day, time and zone disregarded. A message without a date that can be read is never sent.
static enum search_verdict decide_sent(struct judge *j, const struct search_key *k)
{
	struct header_field f;
	struct date d;

	if (!header_find(j->s->header, SL("Date"), &f) || date_parse_mail(f.value, &d) != E_OK)
		return SEARCH_NO;
	int64_t day = date_day_of(&d).days;
	if (k->op == KEY_SENT_BEFORE)
		return yes_if(day < k->day);
	return yes_if(k->op == KEY_SENT_ON ? day == k->day : day >= k->day);
}

static enum search_verdict decide_field(struct judge *j, const struct search_key *k)
{
	struct search_program *p = j->p;
	struct fold_needle *needle = &p->field.v[k->needle];
	struct header_field f;

	if (k->present)
		return yes_if(header_find(j->s->header, k->field, &f));
	rewind_needle(needle);
	enum ec e = text_search_field(p->charsets, j->s->header, k->field, (struct text_needles){ needle, 1 });
	j->err = j->err ? j->err : e;
	return yes_if(needle->found);
}

/// Looks for all texts of the group at once, the first time one of them is asked for.
static enum search_verdict decide_text(struct judge *j, const struct search_key *k)
{
	struct search_needles *group = k->op == KEY_TEXT ? &j->p->text : &j->p->body;

	for (size_t i = 0; !group->done && i < group->n; i++)
		rewind_needle(&group->v[i]);
	if (!group->done) {
		enum ec e = text_search_message(
			j->p->charsets, j->s->tree, k->op == KEY_TEXT, (struct text_needles){ group->v, group->n });
		j->err = j->err ? j->err : e;
	}
	group->done = true;
	return yes_if(group->v[k->needle].found);
}

static enum search_verdict decide(struct judge *j, const struct search_key *k);

/// AND and OR: the first kid that decides ends it; where none does, what is unknown stays so.
static enum search_verdict decide_kids(struct judge *j, const struct search_key *k, enum search_verdict ends)
{
	enum search_verdict all = ends == SEARCH_YES ? SEARCH_NO : SEARCH_YES;

	for (const struct search_key *kid = k->kids; kid; kid = kid->next) {
		enum search_verdict one = decide(j, kid);
		if (one == ends)
			return ends;
		if (one == SEARCH_UNKNOWN)
			all = SEARCH_UNKNOWN;
	}
	return all;
}

static enum search_verdict decide_not(struct judge *j, const struct search_key *k)
{
	enum search_verdict one = decide(j, k->kids);

	return one == SEARCH_UNKNOWN ? one : yes_if(one == SEARCH_NO);
}

static bool is_recent(const struct search_subject *s)
{
	return s->view->recent_from && s->row->uid >= s->view->recent_from;
}

static enum search_verdict decide(struct judge *j, const struct search_key *k)
{
	const struct search_subject *s = j->s;
	const struct pl_row *row = s->row;

	if (k->level > s->level && k->op != KEY_AND && k->op != KEY_OR && k->op != KEY_NOT)
		return SEARCH_UNKNOWN;
	switch (k->op) {
	case KEY_AND: return decide_kids(j, k, SEARCH_NO);
	case KEY_OR: return decide_kids(j, k, SEARCH_YES);
	case KEY_NOT: return decide_not(j, k);
	case KEY_ALL: return SEARCH_YES;
	case KEY_SEQUENCE: return yes_if(seqset_has(&k->set, s->seq));
	case KEY_UID: return yes_if(seqset_has(&k->set, row->uid));
	case KEY_RECENT: return yes_if(is_recent(s));
	case KEY_OLD: return yes_if(!is_recent(s));
	case KEY_NEW: return yes_if(is_recent(s) && !(row->flags & FLAG_SEEN));
	case KEY_FLAG: return yes_if(row->flags & k->flags);
	case KEY_NOT_FLAG: return yes_if(!(row->flags & k->flags));
	case KEY_KEYWORD: return yes_if(row->keywords & k->keyword);
	case KEY_UNKEYWORD: return yes_if(!(row->keywords & k->keyword));
	case KEY_BEFORE: return yes_if(internal_day(row) < k->day);
	case KEY_ON: return yes_if(internal_day(row) == k->day);
	case KEY_SINCE: return yes_if(internal_day(row) >= k->day);
	case KEY_LARGER: return yes_if(row->octets > k->number);
	case KEY_SMALLER: return yes_if(row->octets < k->number);
	case KEY_SENT_BEFORE:
	case KEY_SENT_ON:
	case KEY_SENT_SINCE: return decide_sent(j, k);
	case KEY_HEADER: return decide_field(j, k);
	case KEY_BODY:
	case KEY_TEXT: return decide_text(j, k);
	}
	return SEARCH_NO;
}

enum ec search_decide(struct search_program *p, const struct search_subject *s, enum search_verdict *verdict)
{
	struct judge j = { p, s, E_OK };
	enum search_verdict v = decide(&j, p->root);

	if (j.err == E_OK)
		*verdict = v;
	return j.err;
}
