/// Tests of mailbox: named cases, and random changes compared with a model that keeps every message in an array.
#include "store/mailbed.h"

enum { BOXES = 3, MODEL_MESSAGES = 20000, QUOTA = 3000000 };

// ---- the model

struct model_message {
	bool present;
	uint8_t flags;
	uint64_t keywords, modseq, gone_modseq;
	uint32_t octets;
};
struct model_box {
	struct mbox_ref m;
	uint32_t uidnext;
	uint64_t modseq;
	struct model_message *msg; // by UID
};
struct model {
	struct mailbed *b;
	struct model_box box[BOXES];
	uint64_t op;
	uint64_t seed;
};

static uint64_t roll(struct model *w, uint64_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (w->seed >> 33) % below;
}

static struct model *model_new(struct mailbed *b, uint64_t seed)
{
	struct model *w = calloc(1, sizeof *w);

	assert_non_null(w);
	w->b = b;
	w->seed = seed;
	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	uint64_t account = bed_user(b, SL("bob@example.org"), QUOTA);
	const struct sl name[BOXES] = { SL("INBOX"), SL("Archive"), SL("Trash") };
	for (int i = 0; i < BOXES; i++) {
		w->box[i].m = (struct mbox_ref){ account, bed_mbox(b, account, name[i]) };
		w->box[i].uidnext = 1;
		w->box[i].modseq = bed_status(b, w->box[i].m).modseq;
		w->box[i].msg = calloc(MODEL_MESSAGES, sizeof(struct model_message));
		assert_non_null(w->box[i].msg);
	}
	return w;
}

static void model_free(struct model *w)
{
	for (int i = 0; i < BOXES; i++)
		free(w->box[i].msg);
	mailbed_free(w->b);
	free(w);
}

static uint64_t model_octets(const struct model *w)
{
	uint64_t n = 0;

	for (int i = 0; i < BOXES; i++)
		for (uint32_t u = 1; u < w->box[i].uidnext; u++)
			n += w->box[i].msg[u].present ? w->box[i].msg[u].octets : 0;
	return n;
}

// ---- one change on both

struct change_args {
	struct mbox_op op;
	struct flags_change fc;
	struct uid_set set;
	bool all_flags, move;
	uint64_t to;
	struct mbox_message *msg;
	uint32_t n;
	struct buf out;
	struct flags_result fr;
	struct expunge_result er;
	struct copy_result cr;
	struct append_result ar;
};
static enum ec flags_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct change_args *a = arg;

	(void)b;
	buf_clear(&a->out);
	return mailbox_flags(cx, t, &a->op, &a->fc, &a->out, &a->fr);
}
static enum ec expunge_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct change_args *a = arg;

	(void)b;
	buf_clear(&a->out);
	return mailbox_expunge(cx, t, &a->op, a->set, a->all_flags, &a->out, &a->er);
}
static enum ec copy_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct change_args *a = arg;

	(void)b;
	buf_clear(&a->out);
	return mailbox_copy(cx, t, &a->op, a->to, a->set, a->move, &a->out, &a->cr);
}
static enum ec append_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct change_args *a = arg;

	(void)b;
	return mailbox_append(cx, t, &a->op, a->msg, a->n, QUOTA_STRICT, &a->ar);
}
struct keyword_args {
	struct mbox_ref m;
	struct sl name;
	uint8_t bit;
};
static enum ec keyword_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct keyword_args *a = arg;

	(void)b;
	return mailbox_keyword_make(cx, t, a->m, a->name, &a->bit);
}

static struct change_args args_for(struct model *w, int box)
{
	struct change_args a = {
		.op = { .m = w->box[box].m, .op = bed_op(++w->op), .now_s = w->b->now_s, .quota = w->b->quota },
		.out = BUF(1 << 20)
	};

	return a;
}

/// A random sorted set; sometimes empty, sometimes all.
static struct uid_set random_set(struct model *w, int box, struct pl_uids r[8])
{
	struct uid_set set = { r, 0, roll(w, 5) == 0 };
	uint32_t at = 0, n = (uint32_t)roll(w, 5), span = w->box[box].uidnext / 4 + 2;

	for (uint32_t i = 0; !set.all && i < n; i++) {
		uint32_t lo = at + 1 + (uint32_t)roll(w, span), hi = lo + (uint32_t)roll(w, span);
		r[set.n++] = (struct pl_uids){ lo, hi };
		at = hi;
	}
	return set;
}

static void do_append(struct model *w, int box)
{
	struct model_box *m = &w->box[box];
	uint32_t n = (uint32_t)roll(w, 90) + 1;
	struct mbox_message msg[90];
	struct change_args a = args_for(w, box);
	uint64_t octets = model_octets(w), more = 0;

	for (uint32_t i = 0; i < n; i++) {
		msg[i] = (struct mbox_message){ .body = { 77 + i, (uint32_t)roll(w, 5000) },
			.flags = (uint8_t)roll(w, 32),
			.date_s = (int64_t)roll(w, 1000) - 500,
			.zone_min = (int16_t)((int)roll(w, 100) - 50) };
		more += msg[i].body.octets;
	}
	a.msg = msg;
	a.n = n;
	enum ec e = bed_do(w->b, append_job, &a);
	assert_int_equal(e, octets + more > QUOTA ? E_QUOTA : E_OK);
	if (e != E_OK)
		return;
	struct append_result first = a.ar;
	assert_int_equal(bed_do(w->b, append_job, &a), E_OK); // the same change again does nothing
	assert_int_equal(a.ar.first_uid, first.first_uid);
	assert_int_equal(a.ar.modseq, first.modseq);
	assert_int_equal(first.first_uid, m->uidnext);
	m->modseq++;
	assert_int_equal(first.modseq, m->modseq);
	for (uint32_t i = 0; i < n; i++)
		m->msg[m->uidnext++] =
			(struct model_message){ true, msg[i].flags, 0, m->modseq, 0, msg[i].body.octets };
}

static void do_flags(struct model *w, int box)
{
	struct model_box *m = &w->box[box];
	struct pl_uids r[8];
	struct change_args a = args_for(w, box);
	uint32_t changed = 0, failed = 0;

	a.fc = (struct flags_change){ .set = random_set(w, box, r),
		.mode = (enum flags_mode)roll(w, FLAGS_MODES),
		.flags = (uint8_t)roll(w, 32),
		.keywords = roll(w, 4),
		.unchanged_since = roll(w, 2) ? UINT64_MAX : m->modseq - roll(w, m->modseq) };
	assert_int_equal(bed_do(w->b, flags_job, &a), E_OK);
	for (uint32_t u = 1; u < m->uidnext; u++) {
		struct model_message *x = &m->msg[u];
		uint8_t f = a.fc.flags;
		uint64_t k = a.fc.keywords;
		if (!x->present || !uid_set_has(a.fc.set, u))
			continue;
		if (x->modseq > a.fc.unchanged_since) {
			failed++;
			continue;
		}
		f = (uint8_t)(a.fc.mode == FLAGS_ADD ? x->flags | f : a.fc.mode == FLAGS_DEL ? x->flags & ~f : f);
		k = a.fc.mode == FLAGS_ADD ? x->keywords | k : a.fc.mode == FLAGS_DEL ? x->keywords & ~k : k;
		if (f == x->flags && k == x->keywords)
			continue;
		changed++;
		x->flags = f;
		x->keywords = k;
		x->modseq = m->modseq + 1;
	}
	m->modseq += changed > 0;
	assert_int_equal(a.fr.changed, changed);
	assert_int_equal(a.fr.failed, failed);
	assert_int_equal(a.fr.modseq, changed ? m->modseq : 0);
	if (changed) {
		struct flags_result before = a.fr;
		size_t list = a.out.n;
		assert_int_equal(bed_do(w->b, flags_job, &a), E_OK);
		assert_memory_equal(&a.fr, &before, sizeof before);
		assert_int_equal(a.out.n, list);
	}
	buf_free(&a.out);
}

static void model_gone(struct model_box *m, uint32_t u, uint64_t modseq)
{
	m->msg[u].present = false;
	m->msg[u].gone_modseq = modseq;
}

static void do_expunge(struct model *w, int box)
{
	struct model_box *m = &w->box[box];
	struct pl_uids r[8];
	struct change_args a = args_for(w, box);
	struct buf want = BUF(1 << 20);
	uint32_t count = 0;

	a.set = random_set(w, box, r);
	a.all_flags = roll(w, 4) == 0;
	assert_int_equal(bed_do(w->b, expunge_job, &a), E_OK);
	for (uint32_t u = 1; u < m->uidnext; u++)
		if (m->msg[u].present && uid_set_has(a.set, u) && (a.all_flags || m->msg[u].flags & FLAG_DELETED)) {
			model_gone(m, u, m->modseq + 1);
			count++;
		}
	m->modseq += count > 0;
	assert_int_equal(a.er.count, count);
	assert_int_equal(a.er.modseq, count ? m->modseq : 0);
	uint32_t listed = 0;
	for (size_t i = 0; i < a.out.n; i += sizeof(struct pl_uids)) {
		struct pl_uids g;
		memcpy(&g, a.out.p + i, sizeof g);
		for (uint32_t u = g.lo; u <= g.hi; u++, listed++)
			assert_true(!m->msg[u].present && m->msg[u].gone_modseq == m->modseq);
	}
	assert_int_equal(listed, count);
	if (count) {
		buf_add(&want, buf_sl(&a.out));
		assert_int_equal(bed_do(w->b, expunge_job, &a), E_OK); // again: the same list
		assert_int_equal(a.er.count, count);
		assert_true(sl_eq(buf_sl(&a.out), buf_sl(&want)));
	}
	buf_free(&want);
	buf_free(&a.out);
}

/// Keyword bits 0 and 1 of box i are names "k0" and "k1" in an order of its own; this maps between boxes.
static uint64_t map_bits(int from, int to, uint64_t k)
{
	return (from ^ to) & 1 ? (k & 1) << 1 | (k >> 1 & 1) : k;
}

static void do_copy(struct model *w, int box)
{
	int to = (int)roll(w, BOXES);
	struct model_box *m = &w->box[box], *d = &w->box[to];
	struct pl_uids r[8];
	struct change_args a = args_for(w, box);
	uint32_t count = 0, before = m->uidnext, first = d->uidnext;
	uint64_t octets = model_octets(w), more = 0;

	a.set = random_set(w, box, r);
	a.move = roll(w, 2);
	a.to = d->m.mbox;
	for (uint32_t u = 1; u < before; u++)
		more += m->msg[u].present && uid_set_has(a.set, u) ? m->msg[u].octets : 0;
	for (uint32_t u = 1; u < before; u++)
		count += m->msg[u].present && uid_set_has(a.set, u);
	enum ec e = bed_do(w->b, copy_job, &a);
	assert_int_equal(e, !a.move && count && octets + more > QUOTA ? E_QUOTA : E_OK);
	if (e == E_OK && count) {
		d->modseq++;
		uint64_t dest_modseq = d->modseq;
		for (uint32_t u = 1; u < before; u++) {
			if (!m->msg[u].present || !uid_set_has(a.set, u))
				continue;
			struct model_message x = m->msg[u];
			x.modseq = dest_modseq;
			x.keywords = map_bits(box, to, x.keywords);
			d->msg[d->uidnext++] = x;
		}
		m->modseq += a.move;
		for (uint32_t u = 1; a.move && u < before; u++)
			if (m->msg[u].present && uid_set_has(a.set, u))
				model_gone(m, u, m->modseq);
		assert_int_equal(a.cr.first_uid, first);
		assert_int_equal(a.cr.modseq, a.move ? m->modseq : dest_modseq);
		struct copy_result was = a.cr;
		size_t list = a.out.n;
		assert_int_equal(bed_do(w->b, copy_job, &a), E_OK);
		assert_memory_equal(&a.cr, &was, sizeof was);
		if (a.move)
			assert_int_equal(a.out.n, list);
	}
	if (e == E_OK)
		assert_int_equal(a.cr.count, count);
	buf_free(&a.out);
}

// ---- comparing

static void compare_rows(struct model *w, const struct model_box *m, uint64_t since)
{
	struct rows_query q = { .set.all = true, .changed_since = since, .now_s = w->b->now_s };
	static struct pl_row rows[MODEL_MESSAGES];
	size_t room = (roll(w, 200) + 1) * sizeof *rows;
	uint32_t count = 0, next = 1, u = 1;
	struct view *v = bed_view(w->b);

	while (next) { // a small room: many answers
		struct out out = out_over(rows, room);
		assert_int_equal(mailbox_rows(&w->b->cx, v, m->m, &q, &out, &count, &next), E_OK);
		for (uint32_t i = 0; i < count; i++, u++) {
			while (u < m->uidnext && (!m->msg[u].present || m->msg[u].modseq <= since))
				u++;
			assert_int_equal(rows[i].uid, u);
			assert_int_equal(rows[i].flags, m->msg[u].flags);
			assert_int_equal(rows[i].keywords, m->msg[u].keywords);
			assert_int_equal(rows[i].modseq, m->msg[u].modseq);
			assert_int_equal(rows[i].octets, m->msg[u].octets);
		}
		q.from_uid = next;
	}
	for (; u < m->uidnext; u++)
		assert_false(m->msg[u].present && m->msg[u].modseq > since);
	view_close(v);
}

static void compare_gone(struct model *w, const struct model_box *m, uint64_t since)
{
	static struct pl_uids r[GONE_RANGES_MAX];
	struct out out = out_over(r, sizeof r);
	uint32_t count, at = 0;
	bool unknown;
	struct view *v = bed_view(w->b);

	assert_int_equal(mailbox_gone(&w->b->cx, v, m->m, since, &out, &count, &unknown), E_OK);
	view_close(v);
	if (unknown)
		return;
	for (uint32_t u = 1; u < m->uidnext; u++) {
		bool gone = !m->msg[u].present && m->msg[u].gone_modseq > since;
		while (at < count && r[at].hi < u)
			at++;
		assert_int_equal(gone, at < count && r[at].lo <= u);
	}
}

static void compare_status(struct model *w, const struct model_box *m)
{
	struct mbox_status st = bed_status(w->b, m->m);
	uint32_t n = 0, unseen = 0, deleted = 0, first = 0, got;
	uint64_t octets = 0;

	for (uint32_t u = 1; u < m->uidnext; u++) {
		const struct model_message *x = &m->msg[u];
		if (!x->present)
			continue;
		n++;
		octets += x->octets;
		unseen += !(x->flags & FLAG_SEEN);
		deleted += (x->flags & FLAG_DELETED) != 0;
		if (!first && !(x->flags & FLAG_SEEN))
			first = u;
	}
	assert_int_equal(st.messages, n);
	assert_int_equal(st.unseen, unseen);
	assert_int_equal(st.deleted, deleted);
	assert_int_equal(st.octets, octets);
	assert_int_equal(st.uidnext, m->uidnext);
	assert_int_equal(st.modseq, m->modseq);
	struct view *v = bed_view(w->b);
	assert_int_equal(mailbox_first_unseen(&w->b->cx, v, m->m, &got), E_OK);
	view_close(v);
	assert_int_equal(got, first);
}

static void compare_presence(struct model *w, const struct model_box *m)
{
	struct pl_presence p[2];
	uint32_t next = 0, blocks, u = 1;
	struct view *v = bed_view(w->b);

	do {
		struct out out = out_over(p, sizeof p);
		assert_int_equal(mailbox_presence(&w->b->cx, v, m->m, next, &out, &blocks, &next), E_OK);
		for (uint32_t i = 0; i < blocks; i++)
			for (; u < m->uidnext && u / PRESENCE_UIDS <= p[i].block; u++) {
				bool has = u / PRESENCE_UIDS == p[i].block &&
				           p[i].present[u / 64 % PRESENCE_WORDS] >> u % 64 & 1;
				assert_int_equal(m->msg[u].present, has);
			}
	} while (next);
	for (; u < m->uidnext; u++)
		assert_false(m->msg[u].present);
	view_close(v);
}

static void compare_all(struct model *w)
{
	struct quota_used used, sum;
	struct view *v = bed_view(w->b);

	assert_int_equal(quota_read(&w->b->cx, w->b->quota, v, w->box[0].m.account, &used), E_OK);
	assert_int_equal(quota_sum(&w->b->cx, v, w->box[0].m.account, &sum), E_OK);
	view_close(v);
	assert_memory_equal(&used, &sum, sizeof used);
	assert_int_equal(used.octets, model_octets(w));
	for (int i = 0; i < BOXES; i++) {
		compare_status(w, &w->box[i]);
		compare_presence(w, &w->box[i]);
		compare_rows(w, &w->box[i], 0);
		compare_rows(w, &w->box[i], roll(w, w->box[i].modseq + 2));
		compare_gone(w, &w->box[i], roll(w, w->box[i].modseq + 2));
	}
}

static void name_keywords(struct model *w)
{
	for (int i = 0; i < BOXES; i++)
		for (int k = 0; k < 2; k++) {
			struct keyword_args a = { w->box[i].m, (k ^ i) & 1 ? SL("$k1") : SL("k0"), 99 };
			assert_int_equal(bed_do(w->b, keyword_job, &a), E_OK);
			assert_int_equal(a.bit, k);
			w->box[i].modseq++;
		}
}

static void model_run(uint64_t seed, int steps, bool twice)
{
	struct model *w = model_new(mailbed_new(), seed);
	int box;

#ifdef ENGINE_MEM
	mem_run_twice(w->b->s, twice);
#else
	(void)twice;
#endif
	name_keywords(w);
	for (int i = 0; i < steps; i++) {
		box = (int)roll(w, BOXES);
		if (w->box[box].uidnext > MODEL_MESSAGES / 2)
			break;
		switch (roll(w, 7)) {
		case 0:
		case 1: do_append(w, box); break;
		case 2:
		case 3: do_flags(w, box); break;
		case 4:
		case 5: do_expunge(w, box); break;
		default: do_copy(w, box); break;
		}
		compare_all(w);
	}
	model_free(w);
}

static void test_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++)
		model_run(seed, 150, false);
}

#ifdef ENGINE_MEM
/// A MOVE whose n-th change fails moves nothing and counts nothing.
static void test_model_failing(void **state)
{
	(void)state;
	for (uint64_t seed = 10; seed < 60; seed++) {
		struct model *w = model_new(mailbed_new(), seed);
		name_keywords(w);
		do_append(w, 0);
		struct change_args a = args_for(w, 0);
		a.move = a.set.all = true;
		a.to = w->box[1].m.mbox;
		mem_fail_at(w->b->s, (unsigned)(seed % 4) + 1, E_IO);
		enum ec e = bed_do(w->b, copy_job, &a);
		mem_fail_at(w->b->s, 0, E_OK);
		uint32_t before = w->box[0].uidnext - 1;
		if (e != E_OK) { // nothing moved; a message that arrives before the repetition moves with the others
			assert_int_equal(bed_status(w->b, w->box[0].m).messages, before);
			assert_int_equal(bed_status(w->b, w->box[1].m).messages, 0);
			buf_clear(&a.out);
			bed_append(w->b, w->box[0].m, SL("late"), 0);
			assert_int_equal(bed_do(w->b, copy_job, &a), E_OK);
			before++;
		}
		uint32_t left = bed_status(w->b, w->box[0].m).messages;
		assert_int_equal(left + bed_status(w->b, w->box[1].m).messages, before);
		struct quota_used used, sum;
		struct view *v = bed_view(w->b);
		assert_int_equal(quota_read(&w->b->cx, w->b->quota, v, a.op.m.account, &used), E_OK);
		assert_int_equal(quota_sum(&w->b->cx, v, a.op.m.account, &sum), E_OK);
		view_close(v);
		assert_memory_equal(&used, &sum, sizeof used);
		assert_int_equal(a.cr.first_uid, 1);
		buf_free(&a.out);
		model_free(w);
	}
}
#endif

// ---- named cases

static struct mailbed *one_box(struct mbox_ref *m)
{
	struct mailbed *b = mailbed_new();

	assert_int_equal(bed_domain(b, SL("example.org"), (struct sl){ 0 }), E_OK);
	m->account = bed_user(b, SL("bob@example.org"), 0);
	m->mbox = bed_mbox(b, m->account, SL("INBOX"));
	return b;
}

static enum ec claim_job(struct mailbed *b, struct cx *cx, struct txn *t, void *arg)
{
	struct change_args *a = arg;

	(void)b;
	return mailbox_claim_recent(cx, t, a->op.m, &a->n);
}

static void test_recent(void **state)
{
	struct mbox_ref m;
	struct mailbed *b = one_box(&m);
	struct change_args a = { .op = { .m = m } };

	(void)state;
	bed_append(b, m, SL("a"), 0);
	bed_append(b, m, SL("b"), 0);
	assert_int_equal(bed_status(b, m).recent, 2);
	assert_int_equal(bed_do(b, claim_job, &a), E_OK);
	assert_int_equal(a.n, 1);
	assert_int_equal(bed_status(b, m).recent, 0);
	uint64_t modseq = bed_status(b, m).modseq;
	assert_int_equal(bed_do(b, claim_job, &a), E_OK);
	assert_int_equal(a.n, 3);
	assert_int_equal(bed_status(b, m).modseq, modseq); // nothing to claim changes nothing
	bed_append(b, m, SL("c"), 0);
	assert_int_equal(bed_status(b, m).recent, 1);
	mailbed_free(b);
}

static void test_expunged_readable(void **state)
{
	struct mbox_ref m;
	struct mailbed *b = one_box(&m);
	struct change_args a = { .op = { .m = m, .now_s = b->now_s, .quota = b->quota },
		.set.all = true,
		.all_flags = true,
		.out = BUF(1024) };
	struct pl_row row;
	uint32_t uid = bed_append(b, m, SL("body"), FLAG_SEEN);

	(void)state;
	assert_int_equal(bed_do(b, expunge_job, &a), E_OK);
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_row(&b->cx, v, m, uid, b->now_s + EXPUNGED_READABLE_S - 1, &row), E_OK);
	assert_true(row.expunged && row.octets == 4 && row.keywords == 0);
	assert_int_equal(mailbox_row(&b->cx, v, m, uid, b->now_s + EXPUNGED_READABLE_S, &row), E_NOTFOUND);
	assert_int_equal(mailbox_row(&b->cx, v, m, uid + 1, b->now_s, &row), E_NOTFOUND);
	assert_int_equal(mailbox_row(&b->cx, v, m, 0, b->now_s, &row), E_NOTFOUND);
	uint8_t text[4];
	struct iovec iov = { text, sizeof text };
	struct body_ref ref = { row.body, row.octets };
	view_close(v);
	assert_int_equal(blob_get(&b->cx, b->s, ref, 0, &iov, 1), E_OK);
	assert_memory_equal(text, "body", 4);
	buf_free(&a.out);
	mailbed_free(b);
}

/// Names keywords of `m` until all bits have one: prefix0, prefix1 …
static void use_up_keywords(struct mailbed *b, struct mbox_ref m, const char *prefix, int from)
{
	char name[16];

	for (int i = from; i < KEYWORDS_MAX; i++) {
		snprintf(name, sizeof name, "%s%d", prefix, i);
		struct keyword_args a = { m, sl_cstr(name), 99 };
		assert_int_equal(bed_do(b, keyword_job, &a), E_OK);
		assert_int_equal(a.bit, i);
	}
}

static void test_keywords(void **state)
{
	struct mbox_ref m;
	struct mailbed *b = one_box(&m);
	struct append_result r;
	struct keyword_args a = { m, SL("$Important"), 99 };
	uint8_t bit;

	(void)state;
	assert_int_equal(bed_append_op(b, m, SL("x"), 0, 1, (struct op_id){ 0 }, &r), E_RANGE);
	assert_int_equal(bed_do(b, keyword_job, &a), E_OK);
	assert_int_equal(a.bit, 0);
	a.name = SL("$IMPORTANT");
	assert_int_equal(bed_do(b, keyword_job, &a), E_OK);
	assert_int_equal(a.bit, 0);
	a.name = SL("a b");
	assert_int_equal(bed_do(b, keyword_job, &a), E_SYNTAX);
	use_up_keywords(b, m, "k", 1);
	a.name = SL("new");
	assert_int_equal(bed_do(b, keyword_job, &a), E_LIMIT); // though no message carries any: a view may show them
	a.name = SL("K33");
	assert_int_equal(bed_do(b, keyword_job, &a), E_OK);
	assert_int_equal(a.bit, 33);
	struct view *v = bed_view(b);
	assert_int_equal(mailbox_keyword_find(&b->cx, v, m, SL("new"), &bit), E_NOTFOUND);
	view_close(v);
	mailbed_free(b);
}

/// A COPY into a mailbox whose keywords are used up keeps those that it has by name and says how many were lost; a
/// repetition says so too.
static void test_copy_loses_keywords(void **state)
{
	static const struct {
		const char *name;
		uint64_t keywords, want;
		bool move;
		uint32_t lost;
	} cases[] = {
		{ "known by another bit", 1, UINT64_C(1) << 7, false, 0 },
		{ "one known, one not", 3, UINT64_C(1) << 7, false, 1 },
		{ "moved", 3, UINT64_C(1) << 7, true, 1 },
		{ "none known", 2, 0, false, 1 },
		{ "none", 0, 0, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_N(cases); i++) {
		struct model *w = model_new(mailbed_new(), 1);
		struct mailbed *b = w->b;
		struct append_result r;
		struct keyword_args known = { w->box[0].m, SL("K7"), 99 }, unknown = { w->box[0].m, SL("other"), 99 };
		assert_int_equal(bed_do(b, keyword_job, &known), E_OK);
		assert_int_equal(bed_do(b, keyword_job, &unknown), E_OK);
		use_up_keywords(b, w->box[1].m, "k", 0);
		assert_int_equal(
			bed_append_op(b, w->box[0].m, SL("x"), 0, cases[i].keywords, (struct op_id){ 0 }, &r), E_OK);
		struct change_args a = args_for(w, 0);
		a.set.all = true;
		a.move = cases[i].move;
		a.to = w->box[1].m.mbox;
		for (int k = 0; k < 2; k++) {
			CHECK(bed_do(b, copy_job, &a) == E_OK, cases[i].name);
			CHECK(a.cr.lost_keywords == cases[i].lost, cases[i].name);
		}
		struct pl_row row;
		struct view *v = bed_view(b);
		assert_int_equal(mailbox_row(&b->cx, v, w->box[1].m, 1, b->now_s, &row), E_OK);
		view_close(v);
		CHECK(row.keywords == cases[i].want, cases[i].name);
		buf_free(&a.out);
		model_free(w);
	}
}

/// More than GONE_RANGES_MAX ranges in one go: what is older is unknown, what is newer is exact.
static void test_gone_ring(void **state)
{
	struct mbox_ref m;
	struct mailbed *b = one_box(&m);
	struct mbox_message *msg = calloc(10000, sizeof *msg);
	struct change_args a = { .op = { .m = m, .now_s = b->now_s, .quota = b->quota }, .out = BUF(1 << 20) };
	struct pl_uids *r = calloc(GONE_RANGES_MAX, sizeof *r);
	uint32_t count;
	bool unknown;

	(void)state;
	assert_true(msg && r);
	for (int i = 0; i < 10000; i++)
		msg[i] = (struct mbox_message){ .body = { 1, 1 }, .flags = i % 2 ? FLAG_DELETED : 0 };
	a.msg = msg;
	a.n = 10000;
	a.set.all = true;
	assert_int_equal(bed_do(b, append_job, &a), E_OK);
	uint64_t before = bed_status(b, m).modseq;
	assert_int_equal(bed_do(b, expunge_job, &a), E_OK);
	assert_int_equal(a.er.count, 5000);
	struct view *v = bed_view(b);
	struct out out = out_over(r, GONE_RANGES_MAX * sizeof *r);
	assert_int_equal(mailbox_gone(&b->cx, v, m, before, &out, &count, &unknown), E_OK);
	assert_true(unknown);
	assert_int_equal(mailbox_gone(&b->cx, v, m, before + 1, &out, &count, &unknown), E_OK);
	assert_false(unknown);
	assert_int_equal(count, 0);
	view_close(v);
	struct pl_uids one = { 1, 3 };
	a.set = (struct uid_set){ &one, 1, false };
	a.all_flags = true;
	buf_clear(&a.out);
	assert_int_equal(bed_do(b, expunge_job, &a), E_OK);
	v = bed_view(b);
	out = out_over(r, GONE_RANGES_MAX * sizeof *r);
	assert_int_equal(mailbox_gone(&b->cx, v, m, before + 1, &out, &count, &unknown), E_OK);
	view_close(v);
	assert_false(unknown);
	assert_int_equal(count, 2);
	assert_true(r[0].lo == 1 && r[0].hi == 1 && r[1].lo == 3 && r[1].hi == 3);
	buf_free(&a.out);
	free(msg);
	free(r);
	mailbed_free(b);
}

static const struct {
	const char *name;
	struct pl_uids r[3];
	uint32_t n;
	enum ec want;
} sets[] = {
	{ "empty", { { 0, 0 } }, 0, E_OK },
	{ "one", { { 1, 1 } }, 1, E_OK },
	{ "neighbours", { { 1, 2 }, { 3, UINT32_MAX } }, 2, E_OK },
	{ "zero", { { 0, 2 } }, 1, E_SYNTAX },
	{ "backwards", { { 3, 2 } }, 1, E_SYNTAX },
	{ "overlap", { { 1, 5 }, { 5, 6 } }, 2, E_SYNTAX },
	{ "unsorted", { { 7, 8 }, { 1, 2 } }, 2, E_SYNTAX },
	{ "after the last", { { 1, UINT32_MAX }, { 1, 2 } }, 2, E_SYNTAX },
};
static void test_sets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_N(sets); i++)
		CHECK(uid_set_check((struct uid_set){ sets[i].r, sets[i].n, false }) == sets[i].want, sets[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_recent),
		cmocka_unit_test(test_expunged_readable),
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_copy_loses_keywords),
		cmocka_unit_test(test_gone_ring),
		cmocka_unit_test(test_model),
#ifdef ENGINE_MEM
		cmocka_unit_test(test_model_failing),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
