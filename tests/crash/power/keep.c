/// keep — what the keeper does while a store runs, at moments of its own: images, snapshots, compaction.
#include "bed.h"

#include <string.h>

#include "store/compact.h"
#include "store/image.h"
#include "store/mbox_rows.h"
#include "store/snapshot.h"

/// What is expunged here went long ago, so its bodies may go.
void keep_rules(struct store_conf *conf)
{
	conf->bodies = mbox_bodies;
}

static bool write_image(void *arg, struct cell_id id, uint64_t version, struct sl head)
{
	struct buf *cells = arg;

	(void)version, (void)head;
	buf_add(cells, (struct sl){ (const uint8_t *)&id, sizeof id });
	return cells->err == E_OK;
}

static void write_images(struct bed *b, uint64_t turn)
{
	struct buf cells = BUF(1 << 20);
	struct view *v;

	if (view_open(NULL, b->s, &v) != E_OK)
		return;
	(void)!cell_scan_cells(NULL, v, (struct cell_id){ 0 }, write_image, &cells);
	view_close(v);
	for (size_t at = 0; at < cells.n; at += sizeof(struct cell_id)) {
		struct cell_id id;
		memcpy(&id, cells.p + at, sizeof id);
		if ((id.name + turn) % 3 == 0)
			(void)!image_write(NULL, b->s, id, true);
	}
	buf_free(&cells);
}

void keep_step(struct bed *b, uint64_t turn)
{
	static const struct compact_conf anything = { .dead_percent = 1 };
	struct compact_result r;

	switch ((b->seed + turn) % 4) {
	case 0: write_images(b, turn); break;
	case 1: (void)!snapshot_take(NULL, b->s); break;
	case 2:
		write_images(b, turn);
		(void)!compact_run(NULL, b->s, &anything, &r);
		break;
	default: (void)!compact_run(NULL, b->s, &anything, &r); break;
	}
}
