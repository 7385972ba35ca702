#pragma once
/// seat — this session as one of its user's: the store counts them over all fronts (store/seat.h).
///
/// A login takes it. The store forgets it with its connection: so a session takes its seat again at its next command
/// (seat_keep), and gives back only what the present connection knows of. There may be too few for a while, never too
/// many.
#include "front/front.h"

/// Call it before what a command of a logged-in session asks of the store.
FIB void seat_keep(struct cx *cx, struct session *s, const struct handle *handle);
/// Gives it back: at the session's end, before its client can know of it, and before another login. One that was never
/// taken is no error.
FIB void seat_leave(struct cx *cx, struct session *s);
