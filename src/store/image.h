#pragma once
/// image — writing what a cell holds into the log once more, so that its older commits are needless.
///
/// A cell of some size goes in parts, each a job of its own, so that no batch waits long: part after part stands for a
/// range of keys as of the version at that moment. A start applies them in the order of the log between the commits:
/// whatever a part says about its range already holds all commits before it, and those behind it follow.
/// Any thread but the writer's.
#include "store/cell.h"

enum { IMAGE_PART = 128 << 10 }; // octets of a part, about

/// Writes an image of the cell, where one is due or `anyhow`. A cell that is not there, or goes meanwhile, is fine.
/// yields: until its last part is in the log; flushed within flush_lazy_ms.
/// errors: E_FULL, E_TEMP, E_IO, E_CORRUPT, E_CLOSED; the image before is good until the last part is in the log.
[[nodiscard]] enum ec image_write(struct cx *cx, struct store *s, struct cell_id id, bool anyhow);
