#pragma once
/// spare — the room that compaction keeps on the disk for itself: a pack must be written before what it stands for can
/// go, also where the disk is full.
///
/// It is a file of that length. On a full disk a pack is written into it (pack_new), which makes it the pack; what the
/// pack's segments leave then makes it anew. A pack that comes to nothing, as one that gives less than it takes, leaves
/// it as long as it was.
/// By one thread at a time: who opens the store, then who compacts it.
#include <stdint.h>

#include "store/disk.h"

#define SPARE_NAME "reserve-pack"

struct spare {
	const struct disk *disk;
	int dir;
	uint64_t wanted; // octets
	uint64_t octets; // of the file; 0 = there is none
	uint64_t owed;   // octets that a pack took and that are not there again
};

/// Finds what an earlier run left.
void spare_init(struct spare *s, const struct disk *disk, int dir, uint64_t wanted);
/// Makes it, or makes it larger, as far as that leaves as much room as it takes; what a pack took comes back anyhow.
/// in: room — free octets of the disk; where mail shall still come in, those above what is kept free (disk_reserve).
void spare_fill(struct spare *s, uint64_t room);
/// Looks what a pack left of it, which was written into it and has ended.
void spare_look(struct spare *s);
