#include "front/front.h"
FIB enum ec imap_session(struct cx *cx, struct session *s){ (void)s; return fail(cx, E_CLOSED, "stub"); }
