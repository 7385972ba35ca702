#pragma once
/// handle — the proof of a login that every later request carries.
///
/// mac = HMAC-SHA-256 (16 octets) with the store's key over account, expiry, credential version, services, and the kind
/// and number of the front it was given to. A change of password, the removal of the account or of a service ends it; a
/// handle that is still good gets a fresh one (verb renew), under the same key after a restart of the store as well.
#include "ipc/verbs.h"
#include "store/account.h"
#include "store/cell.h"

struct handle_key {
	uint8_t octets[32];
};
/// Who holds the handle.
struct holder {
	enum peer_kind kind;
	uint32_t front;
};

/// Gives a handle for `services` (bits 1 << enum service; 0 for the operator).
///
/// in: steady_s — clock_steady_s: a clock that is set ends no session.
void handle_make(const struct handle_key *k, struct holder by, uint64_t account, const struct account *a,
	uint32_t services, int64_t steady_s, struct handle *out);
/// errors: E_AUTH (forged, another front's, expired, password changed, account gone, service turned off).
[[nodiscard]] enum ec handle_check(struct cx *cx, const struct handle_key *k, struct holder by, struct view *v,
	const struct handle *h, int64_t steady_s, struct account *a);
