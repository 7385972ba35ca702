#pragma once
/// watch — which peer wants to hear of which cell, and which peer holds which account's POP3 session.
///
/// A note is sent once per watched cell until the peer looks at it again: hints are coalesced.
/// Threads: all functions from any thread.
#include "store/cell.h"

struct peer;
struct watches;
[[nodiscard]] enum ec watches_new(struct watches **out);
void watches_free(struct watches *w); // accepts NULL
/// Once for each peer and cell, however often it is asked for. errors: E_LIMIT (WATCHES_MAX per peer), E_TEMP.
[[nodiscard]] enum ec watch_on(struct watches *w, struct peer *p, struct cell_id cell);
void watch_off(struct watches *w, struct peer *p, struct cell_id cell);
/// The peer is about to look: the next change is noted again. Call before the view is opened.
void watch_seen(struct watches *w, struct peer *p, struct cell_id cell);
void watch_end_peer(struct watches *w, struct peer *p);
/// A cell changed.
void watch_changed(struct watches *w, struct cell_id cell, uint64_t version);

struct pop3_locks;
[[nodiscard]] enum ec pop3_locks_new(struct pop3_locks **out);
void pop3_locks_free(struct pop3_locks *l); // accepts NULL
/// errors: E_CONFLICT (held), E_LIMIT, E_TEMP.
[[nodiscard]] enum ec pop3_lock(struct pop3_locks *l, uint64_t account, struct peer *p);
/// errors: E_STATE where this peer does not hold it.
[[nodiscard]] enum ec pop3_lock_drop(struct pop3_locks *l, uint64_t account, struct peer *p);
void pop3_end_peer(struct pop3_locks *l, struct peer *p);
