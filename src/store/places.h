#pragma once
/// places — in which pack the bodies of a segment are, for segments that compaction has taken away.
///
/// Any thread. What is not listed is in the segment that its address names.
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cx.h"

struct places {
	pthread_rwlock_t lock;
	struct place {
		uint32_t segment, pack;
	} * all; // by segment
	size_t n, cap;
};

void places_init(struct places *p);
void places_end(struct places *p);
/// From now on the bodies of `segment` are in `pack`. errors: E_TEMP.
[[nodiscard]] enum ec places_put(struct cx *cx, struct places *p, uint32_t segment, uint32_t pack);
/// The pack, or `segment` itself.
uint32_t places_find(struct places *p, uint32_t segment);
