#pragma once
/// connect — one TCP connection to a server: non-blocking, close-on-exec, nothing held back for more output.
#include "base/cx.h"
#include "fiber/fiber.h"
#include "net/addr.h"

/// Connects to `to`, from the address `from` (its port does not matter; NULL: the system chooses).
///
/// out:    *fd — for io_new; the caller's.
/// errors: E_CLOSED (refused or out of reach), E_TIMEOUT, E_CANCELED, E_IO; cx says which step.
FIB enum ec connect_open(struct cx *cx, const struct addr *from, const struct addr *to, int *fd);
