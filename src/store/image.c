/// image — one job for each part.
#include "store/image.h"

#include <string.h>

#include "store/engine.h"

struct image_job {
	struct cell_id id;
	bool anyhow;
	bool began, over;
	struct image_sums before, after; // the part under way
	uint32_t since_first;            // octets of commits when the first part was written
	uint8_t from[CELL_KEY_MAX];
	size_t from_octets; // where the next part begins
	// of the part under way
	struct buf ops;
	uint8_t to[CELL_KEY_MAX];
	size_t to_octets;
};

static void add_op(struct buf *ops, enum op_kind kind, struct sl key, struct sl value)
{
	uint8_t head[OP_HEAD];

	op_encode(&(struct op){ .kind = kind, .key = key, .value = value }, head);
	buf_add(ops, (struct sl){ head, sizeof head });
	buf_add(ops, key);
	buf_add(ops, value);
}

/// Takes keys until the part is full; the first that does not go in begins the next part.
static bool take_key(void *arg, struct sl key, struct sl value)
{
	struct image_job *j = arg;

	if (j->ops.n >= IMAGE_PART) {
		memcpy(j->to, key.p, key.n);
		j->to_octets = key.n;
		return false;
	}
	add_op(&j->ops, OP_PUT, key, value);
	return j->ops.err == E_OK;
}

/// Collects the next part's operations but for its RANGE.
static enum ec collect(struct cx *cx, struct txn *t, struct image_job *j, struct sl head)
{
	buf_clear(&j->ops);
	j->to_octets = 0;
	if (j->from_octets == 0)
		add_op(&j->ops, OP_HEAD_SET, SL(""), head);
	enum ec e = cell_scan(cx, txn_view(t), j->id, (struct sl){ j->from, j->from_octets }, take_key, j);
	return e ? e : j->ops.err;
}

/// The part goes into the batch; with the last one the cell's row says that there is an image.
static enum ec put_part(struct cx *cx, struct txn *t, struct image_job *j, uint64_t version)
{
	struct buf range = BUF(OP_HEAD + 2 * CELL_KEY_MAX);

	add_op(&range, OP_RANGE, (struct sl){ j->from, j->from_octets }, (struct sl){ j->to, j->to_octets });
	enum ec e = range.err ? range.err : batch_check_room(cx, &t->batch, range.n + j->ops.n);
	if (e == E_OK) {
		batch_image(&t->batch, j->id, version, &j->after, buf_sl(&range), buf_sl(&j->ops));
		if (j->to_octets == 0)
			t->broken = e = image_note(cx, t->view.t, j->id, &j->after);
	}
	buf_free(&range);
	return e;
}

/// Repeatable: what it takes from *j changes only once its batch is in the log.
static enum ec part_run(struct cx *cx, struct txn *t, struct job *job)
{
	struct image_job *j = job->arg;
	struct cell_row row;
	struct sl head;
	bool damaged = false;
	enum ec e = cell_row_get(cx, t->view.t, j->id, &row, &head);

	if (e == E_OK)
		e = cell_is_damaged(cx, t->view.t, j->id, &damaged);
	if (e)
		return e;
	bool wanted = j->began || j->anyhow || cell_is_due(&row);
	j->over = row.version == 0 || damaged || !wanted;
	if (j->over)
		return E_OK;
	j->after = j->before;
	if (!j->began) {
		j->after.first = row.version;
		j->since_first = row.since;
	}
	e = collect(cx, t, j, head);
	if (e)
		return e;
	j->after.octets += (uint32_t)(REC_HEAD + j->ops.n);
	j->after.since = row.since - j->since_first;
	return put_part(cx, t, j, row.version);
}

enum ec image_write(struct cx *cx, struct store *s, struct cell_id id, bool anyhow)
{
	struct image_job j = {
		.id = id, .anyhow = anyhow, .ops = BUF(IMAGE_PART + CELL_VALUE_MAX + CELL_HEAD_MAX + 1024)
	};
	enum ec e;

	do {
		e = store_do(cx, s, false, part_run, &j);
		j.began = true;
		j.before = j.after;
		memcpy(j.from, j.to, j.to_octets);
		j.from_octets = j.to_octets;
	} while (e == E_OK && !j.over && j.to_octets);
	buf_free(&j.ops);
	return e ? wrap(cx, e, "image of cell %llu/%llu", (unsigned long long)id.account, (unsigned long long)id.name)
	         : E_OK;
}
