#pragma once
/// stats — the figures of all roles together, since the server started: `hongyan stats`.
#include <jansson.h>

#include "base/board.h"

/// What all roles have of one label of a counter or gauge. Of gauges below zero, zero.
uint64_t stats_sum(const struct board *b, enum figure f, unsigned label);
/// Of all labels.
uint64_t stats_total(const struct board *b, enum figure f);
/// The histogram of all roles, of one label or (label UINT32_MAX) of all.
struct board_times stats_times(const struct board *b, enum figure f, unsigned label);
/// "imap proxy" for two labels, "imap" for one, "" for none.
void stats_label(char out[64], enum figure f, unsigned label);
/// "store", "front user 2".
void stats_role(char out[64], const struct board_role *r);

/// in: now_ns — by the monotonic clock.
void stats_print(struct buf *out, const struct board *b, int64_t now_ns);
/// The same for programs: docs/OPERATING.md. NULL: no memory.
json_t *stats_json(const struct board *b, int64_t now_ns);
