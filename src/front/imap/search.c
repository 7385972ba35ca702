/// search — SEARCH: each batch of rows is decided as far as rows go; what is left over is read, headers first.
///
///   imap_search_run → search_view                                     (no key asks more than the view knows)
///                   → rows_next → decide_rows → decide_read(HEADER) → decide_read(WHOLE)
///
/// Found messages are bits by sequence number, so that memory does not grow with what is found. A message that is gone,
/// damaged or too large to parse does not match. In a long search the client is told now and then that we are at it;
/// that also shows whether it is still there.
#include "front/imap/search.h"

#include "base/clock.h"
#include "base/num.h"
#include "front/imap/fetch_body.h"
#include "front/imap/rows.h"
#include "front/imap/search_key.h"

enum { SEARCH_TEXTS_ONCE = 4 }; // texts that are looked for while a message is decoded once
static const int64_t tell_every_ns = 10000000000;

struct search {
	struct imap *im;
	const struct imap_search *ask;
	bool uid;
	struct search_program program;
	uint64_t *found;      // bit seq - 1
	uint32_t count, seen; // messages found, decided
	int64_t told_ns;
	struct body_work work;
};

static void take_found(struct search *s, uint32_t seq)
{
	uint64_t bit = (uint64_t)1 << (seq - 1) % 64;

	s->count += !(s->found[(seq - 1) / 64] & bit);
	s->found[(seq - 1) / 64] |= bit;
}

/// Decides one message; *open: it takes more than there is.
static enum ec decide(struct search *s, const struct search_subject *subject, bool *open)
{
	enum search_verdict v;

	search_begin(&s->program);
	enum ec e = search_decide(&s->program, subject, &v);
	if (e != E_OK)
		return e;
	*open = v == SEARCH_UNKNOWN;
	if (v == SEARCH_YES)
		take_found(s, subject->seq);
	return E_OK;
}

/// Decides rows; those that take more move to the front. out: *n of them.
static enum ec decide_rows(struct search *s, struct pl_row *rows, size_t *n)
{
	struct search_subject subject = { .view = s->im->view, .level = LEVEL_ROW };
	size_t left = 0;

	for (size_t i = 0; i < *n; i++) {
		bool open;
		subject.row = &rows[i];
		subject.seq = view_seq(s->im->view, rows[i].uid);
		if (subject.seq == 0)
			continue;
		enum ec e = decide(s, &subject, &open);
		if (e != E_OK)
			return e;
		s->seen += !open;
		if (open)
			rows[left++] = rows[i];
	}
	*n = left;
	return E_OK;
}

/// A message that has been read, to be decided, maybe on a helper thread: it is the session's alone meanwhile.
struct trial {
	struct search *s;
	struct search_subject subject;
	struct mime_tree tree;
	enum ec result;
	bool open;
};

static void try_message(struct charset_cache *charsets, void *arg)
{
	struct trial *t = arg;

	t->s->program.charsets = charsets;
	t->subject.tree = &t->tree;
	if (t->subject.level == LEVEL_WHOLE && mime_parse(t->subject.header, &t->s->work.parts, &t->tree) != E_OK)
		t->result = E_LIMIT;
	else
		t->result = decide(t->s, &t->subject, &t->open);
}

static size_t texts_of(const struct search_program *p)
{
	return p->field.n + p->body.n + p->text.n;
}

/// Reads one message as far as `level` needs and decides it.
///
/// errors: E_CORRUPT, E_NOTFOUND, E_LIMIT: this message cannot be searched; others end the search.
FIB static enum ec decide_body(struct cx *cx, struct search *s, struct body *b, enum search_level level, bool *open)
{
	struct trial t = { .s = s, .subject = { .view = s->im->view, .row = b->row, .level = level } };
	struct front *front = s->im->s->front;
	enum ec e;

	t.subject.seq = view_seq(s->im->view, b->row->uid);
	if (level == LEVEL_WHOLE)
		e = body_whole(cx, s->im, b, &s->work, &t.subject.header);
	else
		e = body_header(cx, s->im, b, &s->work, &t.subject.header);
	if (e == E_OK && heavy_is(t.subject.header.n, 1 + texts_of(&s->program) / SEARCH_TEXTS_ONCE))
		e = heavy_run(cx, &front->heavy, try_message, &t);
	else if (e == E_OK)
		try_message(&front->charsets, &t);
	body_work_trim(&s->work);
	room_give(&s->work.share);
	if (e == E_OK && t.result == E_LIMIT)
		return fail(cx, E_LIMIT, "message %u has too much structure", b->row->uid);
	*open = t.open;
	return e ? e : t.result;
}

/// Says that the search goes on, where it has taken long.
FIB static enum ec tell_progress(struct cx *cx, struct search *s)
{
	int64_t now = clock_mono_ns();

	if (now - s->told_ns < tell_every_ns)
		return E_OK;
	s->told_ns = now;
	enum ec e = imap_say(cx, s->im, "OK Still searching, %u of %u messages done", s->seen, s->im->view->exists);
	return e ? e : io_flush(cx, s->im->io);
}

static bool is_only_this(enum ec e)
{
	return e == E_CORRUPT || e == E_NOTFOUND || e == E_LIMIT;
}

/// Decides the messages of one group; rows of those that take more go to rows[*left] and on.
FIB static enum ec decide_group(
	struct cx *cx, struct search *s, enum search_level level, struct bodies *b, struct pl_row *rows, size_t *left)
{
	enum ec e = E_OK;

	for (size_t i = 0; e == E_OK && i < b->n; i++) {
		bool open = false;
		if (b->v[i].state == BODY_HERE)
			e = decide_body(cx, s, &b->v[i], level, &open);
		if (is_only_this(e))
			e = E_OK;
		s->seen += !open;
		if (e == E_OK && open)
			rows[(*left)++] = *b->v[i].row;
		if (e == E_OK)
			e = fib_yield(cx);
	}
	return e;
}

/// Reads rows[*n] to `level` and decides them; those that take more move to the front. out: *n of them.
FIB static enum ec decide_read(struct cx *cx, struct search *s, enum search_level level, struct pl_row *rows, size_t *n)
{
	uint32_t head = level == LEVEL_HEADER ? BODY_HEAD : CHUNK_OCTETS;
	size_t left = 0;
	enum ec e = E_OK;

	for (size_t at = 0; e == E_OK && at < *n;) {
		struct bodies b;
		cx_deadline_in(cx, IMAP_ANSWER_MS);
		e = bodies_read(cx, s->im, rows + at, *n - at, head, &b);
		if (e != E_OK)
			return e;
		at += b.n;
		e = decide_group(cx, s, level, &b, rows, &left);
		bodies_give(s->im, &b);
		if (e == E_OK)
			e = tell_progress(cx, s);
	}
	*n = left;
	return e;
}

/// Decides one batch of rows as far as it takes.
FIB static enum ec search_batch(struct cx *cx, struct search *s, struct rows *w)
{
	size_t n = w->n;
	enum ec e = decide_rows(s, w->row, &n);

	if (e == E_OK && n && s->program.reads_header)
		e = decide_read(cx, s, LEVEL_HEADER, w->row, &n);
	if (e == E_OK && n)
		e = decide_read(cx, s, LEVEL_WHOLE, w->row, &n);
	return e;
}

/// True where the first message found is all that was asked for.
static bool is_enough(const struct search *s)
{
	return s->ask->esearch && s->ask->ret == SEARCH_MIN && s->count;
}

/// A set that every message found must be in, where the keys side by side have one: then other rows need not be read.
static const struct imap_key *narrowing(const struct imap_key *k)
{
	for (k = k->op == KEY_AND ? k->kids : k; k; k = k->next)
		if (k->op == KEY_SEQUENCE || k->op == KEY_UID)
			return k;
	return NULL;
}

FIB static enum ec search_rows(struct cx *cx, struct search *s)
{
	const struct view *v = s->im->view;
	const struct imap_key *k = narrowing(s->ask->key);
	struct pl_uids all = { view_uid(v, 1), view_last(v) }, *set = &all;
	struct rows w = { .n_set = v->exists > 0 };
	enum ec e = k ? view_resolve(v, &k->set, k->op == KEY_UID, &s->im->cmd, &set, &w.n_set) : E_OK;

	w.set = set;
	while (e == E_OK && w.at < w.n_set && !is_enough(s)) {
		e = rows_next(cx, s->im, &w);
		if (e == E_OK)
			e = search_batch(cx, s, &w);
	}
	return e;
}

/// Decides by sequence number and UID alone.
FIB static enum ec search_view(struct cx *cx, struct search *s)
{
	struct pl_row row = { 0 };
	struct search_subject subject = { .view = s->im->view, .row = &row, .level = LEVEL_VIEW };
	enum ec e = E_OK;

	for (uint32_t seq = 1; e == E_OK && seq <= s->im->view->exists && !is_enough(s); seq++) {
		bool open;
		row.uid = view_uid(s->im->view, seq);
		subject.seq = seq;
		e = decide(s, &subject, &open);
		if (e == E_OK && seq % PRESENCE_UIDS == 0)
			e = fib_yield(cx);
	}
	return e;
}

// ---- answering

static bool is_found(const struct search *s, uint32_t seq)
{
	return s->found[(seq - 1) / 64] >> (seq - 1) % 64 & 1;
}

/// The number that the client knows a message by in this command.
static uint32_t number_of(const struct search *s, uint32_t seq)
{
	return s->uid ? view_uid(s->im->view, seq) : seq;
}

/// The next one found after `seq`, 0 where there is none.
static uint32_t next_found(const struct search *s, uint32_t seq)
{
	while (++seq <= s->im->view->exists)
		if (is_found(s, seq))
			return seq;
	return 0;
}

static uint32_t last_found(const struct search *s)
{
	uint32_t seq = s->im->view->exists;

	while (seq && !is_found(s, seq))
		seq--;
	return seq;
}

/// "*" SP "SEARCH" *(SP nz-number) (RFC 3501 §7.2.5)
FIB static enum ec answer_plain(struct cx *cx, struct search *s, struct buf *b)
{
	enum ec e = E_OK;

	buf_puts(b, "* SEARCH");
	for (uint32_t seq = 0; e == E_OK && (seq = next_found(s, seq));) {
		buf_addc(b, ' ');
		buf_num(b, number_of(s, seq));
		e = imap_send_some(cx, s->im, b);
	}
	return e;
}

/// sequence-set of what was found; only numbers that follow each other make a range.
FIB static enum ec answer_set(struct cx *cx, struct search *s, struct buf *b)
{
	const char *gap = " ALL ";
	enum ec e = E_OK;

	for (uint32_t seq = next_found(s, 0); e == E_OK && seq;) {
		uint32_t first = number_of(s, seq), last = first;
		while ((seq = next_found(s, seq)) && number_of(s, seq) == last + 1)
			last++;
		buf_puts(b, gap);
		buf_num(b, first);
		if (last > first) {
			buf_addc(b, ':');
			buf_num(b, last);
		}
		gap = ",";
		e = imap_send_some(cx, s->im, b);
	}
	return e;
}

/// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data) (RFC 9051 §7.3.4)
FIB static enum ec answer_extended(struct cx *cx, struct search *s, struct buf *b)
{
	unsigned ret = s->ask->ret;

	buf_printf(b, "* ESEARCH (TAG \"%.*s\")", (int)s->im->tag_octets, (const char *)s->im->tag);
	buf_puts(b, s->uid ? " UID" : "");
	if (ret & SEARCH_MIN && s->count)
		buf_printf(b, " MIN %u", number_of(s, next_found(s, 0)));
	if (ret & SEARCH_MAX && s->count)
		buf_printf(b, " MAX %u", number_of(s, last_found(s)));
	if (ret & SEARCH_COUNT)
		buf_printf(b, " COUNT %u", s->count);
	return ret & SEARCH_ALL ? answer_set(cx, s, b) : E_OK;
}

FIB static enum ec search_answer(struct cx *cx, struct search *s)
{
	struct buf b = BUF(IMAP_LINES_MAX);
	enum ec e = s->ask->esearch ? answer_extended(cx, s, &b) : answer_plain(cx, s, &b);

	buf_puts(&b, "\r\n");
	if (e == E_OK)
		e = imap_send(cx, s->im, &b);
	buf_free(&b);
	return e;
}

FIB enum ec imap_search_run(struct cx *cx, struct imap *im, const struct imap_command *cmd)
{
	struct search s = { .im = im, .ask = &cmd->search, .uid = cmd->uid, .told_ns = clock_mono_ns() };

	if (s.ask->ret & SEARCH_SAVE)
		return imap_refuse(im, E_UNSUPPORTED, "CANNOT", "This server does not save results");
	enum ec e = search_compile(im, s.ask, &im->cmd, &s.program);
	if (e == E_UNSUPPORTED)
		return imap_refuse(im, e, "BADCHARSET (US-ASCII UTF-8 GB18030 GBK BIG5 ISO-8859-1 SHIFT_JIS EUC-KR)",
			"Text in that charset cannot be searched for");
	s.found = arena_alloc(&im->cmd, im->view->exists / 64 + 1, sizeof *s.found);
	if (e == E_OK && !s.found)
		e = fail(cx, E_TEMP, "no memory for what is found among %u messages", im->view->exists);
	if (e != E_OK)
		return e;
	s.work = body_work_make(im);
	cx_deadline_in(cx, IMAP_ANSWER_MS);
	e = s.program.level == LEVEL_VIEW ? search_view(cx, &s) : search_rows(cx, &s);
	if (e == E_OK)
		e = search_answer(cx, &s);
	body_work_end(&s.work);
	return e;
}
