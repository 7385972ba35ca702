#pragma once
/// state — the small file that says how the store stopped: which boot of the machine it ran in, and whether cleanly.
///
/// Written at open and close only.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "store/disk.h"

enum { BOOT_OCTETS = 36, DIED_OFTEN_S = 60 };

struct state {
	uint8_t boot[BOOT_OCTETS]; // /proc/sys/kernel/random/boot_id
	bool clean;                // everything was flushed, the index too
	uint64_t died_s;           // when an unclean stop was last noticed; 0 = never
};

/// This boot of the machine; all zero where the kernel does not say.
void state_boot(uint8_t boot[static BOOT_OCTETS]);
/// errors: E_NOTFOUND, E_CORRUPT (treat as an unclean stop of the machine), E_IO.
[[nodiscard]] enum ec state_read(struct cx *cx, int dir, struct state *out);
/// Replaces the file durably. errors: E_FULL, E_IO.
[[nodiscard]] enum ec state_write(struct cx *cx, const struct disk *d, int dir, const struct state *st);
