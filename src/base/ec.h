#pragma once
/// ec — the one error shape: every function that can fail returns `enum ec`.
///
/// A code says what a *caller* may do about it; the story (which file, which step, which errno) goes into
/// `cx->diag` (base/cx.h). Adding a code breaks the build of every protocol table until each has an answer.

enum ec {
	E_OK = 0,
	E_NOTFOUND,    // the thing named does not exist
	E_EXISTS,      // it exists already
	E_SYNTAX,      // octets from outside do not follow their grammar
	E_TOOBIG,      // larger than a stated limit; a smaller one would be taken
	E_RANGE,       // a number is outside what is allowed or what exists
	E_LIMIT,       // too many of something (per session, account, mailbox)
	E_QUOTA,       // the account's storage is used up
	E_DENIED,      // known who asks, and may not
	E_AUTH,        // not proved who asks (wrong or missing credentials)
	E_CONFLICT,    // the thing changed since it was read; read again and decide
	E_STATE,       // not possible in the present state of this session or object
	E_UNSUPPORTED, // understood, and we do not do that
	E_TEMP,        // a budget is spent or a part is busy; the same request may succeed later
	E_FULL,        // the disk is full (or down to its reserve)
	E_IO,          // a system call failed for a reason nobody can act on but the operator
	E_CORRUPT,     // stored octets do not prove themselves
	E_TIMEOUT,     // the deadline passed
	E_CANCELED,    // somebody asked this work to stop
	E_CLOSED,      // the other side is gone
	E_COUNT
};

/// The code's stable name for log lines and JSON ("notfound", "temp", …).
///
/// in:  any value; an unknown one gives "unknown".
/// out: a static string.
const char *ec_name(enum ec e);
