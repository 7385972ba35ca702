#pragma once
/// mboxname — which UTF-8 texts may name a mailbox, and their two forms on the wire.
///
/// The hierarchy separator is '/'. Inside the server a name is always UTF-8 (checked here); the wire has modified
/// UTF-7 until the client enables UTF-8.
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	MBOXNAME_MAX = 1000,          // octets of a whole name
	MBOXNAME_COMPONENT_MAX = 255, // octets between separators
	MBOXNAME_DEPTH_MAX = 32,      // components
	MBOXNAME_WIRE_MAX = 2700,     // octets of MBOXNAME_MAX octets in modified UTF-7: 8 for 3, at the worst
};

/// Says whether a mailbox may have this name.
///
/// errors: E_SYNTAX (not UTF-8; control or line separator character; empty, "." or ".." component),
///         E_TOOBIG (name, component or depth above its limit).
/// source: RFC 9051 §5.1, RFC 5198 §2 (Net-Unicode), limits ours.
[[nodiscard]] enum ec mboxname_check(struct sl name);

/// True for INBOX in any case.
/// source: RFC 9051 §5.1.
bool mboxname_is_inbox(struct sl name);

/// Appends the one form (NFC) that names with this text have, so that no two mailboxes look alike because one client
/// writes "ä" and another "a" with a mark.
///
/// errors: E_SYNTAX (not UTF-8), E_TEMP; what was appended then means nothing.
/// source: RFC 9051 §5.1, RFC 5198 §3 (normalised by form C).
[[nodiscard]] enum ec mboxname_compose(struct sl name, struct buf *out);

/// Turns a name from a command into checked, composed UTF-8; INBOX in any case becomes "INBOX", one trailing separator
/// (as in CREATE "foo/", RFC 9051 §6.3.4) is dropped.
///
/// in:     utf8 — the client enabled UTF-8 names (IMAP4rev2 or UTF8=ACCEPT).
/// out:    *name — owned by `a` or a part of `wire`.
/// errors: E_SYNTAX, E_TOOBIG as mboxname_check; E_TEMP.
/// source: RFC 9051 §5.1 and appendix A.1, RFC 3501 §5.1.3.
[[nodiscard]] enum ec mboxname_from_wire(struct sl wire, bool utf8, struct arena *a, struct sl *name);
