#pragma once
/// seat — this session as one of its user's: the store counts them over all fronts (store/seat.h).
///
/// The store forgets them with its connection. So a session takes its seat again at its next command (seat_keep), and
/// gives back only what the present connection knows of: there may be too few for a while, never too many.
///
/// Events:
///   login.crowded user= ip= proto=   a right login was refused: its user has sessions_user_ip_max from there
#include "front/front.h"

/// Takes the seat of a session that just logged in; one that it had before is given back.
///
/// errors: E_LIMIT, logged here. Nothing else keeps a user out: what cannot be counted now will be.
[[nodiscard]] FIB enum ec seat_sit(struct cx *cx, struct session *s, const struct handle *handle, struct sl user);
/// Call it before what a command of a logged-in session asks of the store.
FIB void seat_keep(struct cx *cx, struct session *s, const struct handle *handle);
/// Gives it back at the session's end, before its client can know of it. One that was never taken is no error.
FIB void seat_leave(struct cx *cx, struct session *s);
