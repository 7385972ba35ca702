#pragma once
/// seat — how many sessions each user has from each address, over all fronts.
///
/// A seat is one session that logged in. It belongs to the connection of the front that has the session, and ends with
/// it, so that no seat outlives its session. After a restart of the store there are none; fronts take them again for
/// the sessions they have (front/seat.h). What a front takes again on a new connection moves there from its old one.
/// Threads: all functions from any thread.
#include <stdint.h>

#include "base/ec.h"
#include "base/fair.h"

enum { SEATS_MAX = 1 << 20 }; // of one connection: more than a front has sessions

struct peer;
struct seats;
[[nodiscard]] enum ec seats_new(struct seats **out);
void seats_free(struct seats *s); // accepts NULL

struct seat_place {
	uint64_t account;
	uint8_t who[FAIR_WHO]; // see password_who
	uint64_t session;      // a number that the front gives to no other session
};
/// Takes a seat; one that this front has already stays one.
///
/// errors: E_LIMIT (`most` are taken by this account from there), E_TEMP (no memory, SEATS_MAX).
[[nodiscard]] enum ec seat_take(struct seats *s, struct peer *p, const struct seat_place *at, uint32_t most);
/// Gives it back. One that this connection does not have is no error.
void seat_give(struct seats *s, struct peer *p, const struct seat_place *at);
void seats_end_peer(struct seats *s, struct peer *p);
/// Taken now.
uint32_t seats_count(struct seats *s);
