#pragma once
/// mark — which bodies are named by rows: one walk over the whole index in small views, so that it hinders nobody.
///
/// No reference is counted anywhere: what is alive is what a row names, so a mistake of yesterday cannot lose a body.
/// A walk begins when the index has all that was begun before: what a batch names that is in the log alone would be met
/// nowhere. A row may be copied to where the walk has been; then the row that it was copied from is met, since no row
/// that names a body in a sealed segment goes while a walk goes on. An expunged one names it where it went after the
/// walk's begin, or shortly before (on a disk with room for an hour more: store_conf.hurry_s); pages and cells are
/// removed by the sweep alone, which the same thread makes (grave.h, mbox_sweep.h), or with the whole account, out of
/// which nothing is copied. A clock that is set meanwhile makes the walk void.
#include "base/buf.h"
#include "store/engine.h"

struct marked {
	uint64_t at; // as in struct body_ref
	uint32_t octets;
};

/// Which bodies are collected.
typedef bool mark_wants(void *arg, struct body_ref ref);

struct mark {
	mark_wants *wants;
	void *arg;
	unsigned view_rows; // in one view; 0: as many as is good
	struct buf bodies;  // struct marked: sorted, each once
};

/// Walks. out: m->bodies; free it with buf_free.
/// errors: E_TEMP (memory; the clock was set; the index stays behind the log), E_IO, E_CORRUPT, E_UNSUPPORTED (the
/// store was opened without conf.bodies).
[[nodiscard]] enum ec mark_walk(struct cx *cx, struct store *s, struct mark *m);
/// What was collected, and how much of it.
static inline const struct marked *mark_bodies(const struct mark *m, size_t *n)
{
	*n = m->bodies.n / sizeof(struct marked);
	return (const struct marked *)(const void *)m->bodies.p;
}
