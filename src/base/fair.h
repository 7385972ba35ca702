#pragma once
/// fair — a bounded queue that is fair between those who ask: each gets a turn before anybody gets a second.
///
/// Whoever floods it waits behind himself alone, and where there is no room it is the flood that is put out. Who has a
/// higher rank waits for all of lower rank, and leaves before them.
/// Not thread-safe; the caller holds a lock. Work is linear in what waits, which `max` bounds.
#include <stdbool.h>
#include <stdint.h>

enum { FAIR_WHO = 16, FAIR_RANKS = 3 };

/// Embed it in what waits.
struct fair_node {
	struct fair_node *next;
	uint64_t round; // of its rank, in which it is served
	uint8_t rank;   // set by the caller, below FAIR_RANKS
	uint8_t who[FAIR_WHO];
};
struct fair {
	struct fair_node *first; // by rank, within one by round, within one by arrival
	unsigned n, max;
	uint64_t round[FAIR_RANKS]; // of what was taken last
};

/// Adds `t`, whose `who` and `rank` are set.
///
/// out: *put_out — one that has to leave for it (perhaps `t` itself), or NULL.
void fair_add(struct fair *q, struct fair_node *t, struct fair_node **put_out);
/// Takes the next one out; NULL where nothing waits.
struct fair_node *fair_take(struct fair *q);
