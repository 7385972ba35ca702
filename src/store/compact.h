#pragma once
/// compact — gives back the room of what nobody needs any more: bodies that no row names, commits that images cover.
///
/// Sealed segments go, their living parts stay in a pack (pack.h), compressed. Order, so that nothing is lost whenever
/// it ends: 1 mark what is named · 2 copy it, checked · 3 flush the pack · 4 wait until the log is durable as far as
/// the index that was asked · 5 give the pack its name, flush the folder · 6 readers go to the pack · 7 unlink the
/// segments.
/// A segment of which anything that is needed fails its checks, or cannot be read, is left as it is, and so is one
/// whose rest no pack has room for; the run goes on without it.
/// By one thread at a time, beside writer and readers; it waits for the disk only.
#include <stdatomic.h>

#include "store/engine.h"

struct compact_conf {
	unsigned dead_percent;   // of a segment, before it is worth the work
	unsigned cool_s;         // younger ones are left alone
	uint64_t pack_max;       // octets of one pack; 0 = as many as one can hold
	const atomic_bool *stop; // NULL, or: end early where it becomes true
	/// Called now and then; NULL: not.
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct compact_result {
	uint64_t segments, packs;         // gone, made
	uint64_t octets_gone, octets_new; // of files
	uint64_t bodies;                  // moved
	uint64_t damaged;                 // segments left alone because something in them is damaged or unreadable
};

/// Compacts what is worth it. out: *out is right after an error, too.
/// errors: E_FULL, E_TEMP, E_IO, E_UNSUPPORTED (conf.bodies of the store), E_CANCELED (stop); what was done stays done.
[[nodiscard]] enum ec compact_run(
	struct cx *cx, struct store *s, const struct compact_conf *conf, struct compact_result *out);
