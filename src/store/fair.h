#pragma once
/// fair — a bounded queue that is fair between those who ask: each gets a turn before anybody gets a second.
///
/// Whoever floods it waits behind himself alone, and where there is no room it is the flood that is put out.
/// Not thread-safe; the caller holds a lock. Work is linear in what waits, which `max` bounds.
#include <stdbool.h>
#include <stdint.h>

enum { FAIR_WHO = 16 };

/// Embed it in what waits.
struct fair_node {
	struct fair_node *next;
	uint64_t round; // in which it is served
	uint8_t who[FAIR_WHO];
};
struct fair {
	struct fair_node *first; // by round, and within one by arrival
	unsigned n, max;
	uint64_t round; // of what was taken last
};

/// Adds `t`, whose `who` is set.
///
/// out: *put_out — one that has to leave for it (perhaps `t` itself), or NULL.
void fair_add(struct fair *q, struct fair_node *t, struct fair_node **put_out);
/// Takes the next one out; NULL where nothing waits.
struct fair_node *fair_take(struct fair *q);
