#pragma once
/// address — address lists of header fields, and the validity of one addr-spec.
///
/// The list parser is for reading what others sent: it takes RFC 5322 §3.4 with all of §4.4, 8-bit octets, encoded
/// words (left as they are) and anything else, and makes the best of it; it fails only where memory ends. The strict
/// check is for what SMTP is asked to route. Not here: decoding of display names (encword).
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	ADDRESS_LIST_MAX = 10000,    // entries of one list; the rest is dropped and `cut` set
	ADDRESS_COMMENT_DEPTH = 100, // parentheses within parentheses; deeper ones do not nest
	ADDRESS_LOCAL_MAX = 64,      // RFC 5321 §4.5.3.1.1
	ADDRESS_DOMAIN_MAX = 255, // RFC 5321 §4.5.3.1.2 (253 where it is written without its root dot: RFC 1035 §2.3.4)
	ADDRESS_PATH_MAX = 254,   // RFC 5321 §4.5.3.1.3: 256 with the angle brackets
};

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP_START, // mailbox = the group's name
	ADDRESS_GROUP_END,
};

/// One entry, as an IMAP ENVELOPE wants it (RFC 9051 §7.5.2). Texts are unquoted, one line, without NUL; a .p of NULL
/// is NIL. For a mailbox, `mailbox` and `host` are never NULL (a missing domain is the empty host).
struct address {
	struct address *next;
	enum address_kind kind;
	struct sl name;    // display name, or the comment where there is none; encoded words not decoded
	struct sl route;   // "@a,@b" of an obsolete route
	struct sl mailbox; // local part
	struct sl host;    // domain or literal
};

struct address_list {
	struct address *first;
	struct address **tail; // where the next entry goes; NULL while empty
	uint32_t n;
	bool broken; // something did not follow the grammar
	bool cut;    // ADDRESS_LIST_MAX was reached
};

/// Appends the addresses of one field's value to *list (start with a zeroed one; a repeated field goes on in the same).
///
/// in:     value — raw, folded; borrowed for the arena's life.
/// errors: E_TEMP (arena); *list then holds what was read before.
/// source: RFC 5322 §3.4, §4.4; RFC 6532; RFC 2047 §5 (encoded words are atoms of a phrase).
[[nodiscard]] enum ec address_parse_list(struct sl value, struct arena *a, struct address_list *list);

/// What an addr-spec is good for, from the narrowest to the widest grammar.
enum address_class {
	ADDRESS_SMTP,     // a Mailbox of RFC 5321: may stand in an SMTP command as it is
	ADDRESS_CFWS,     // with comments or folding that a header may hold and SMTP may not
	ADDRESS_OBSOLETE, // needs RFC 5322 §4 (or the one-group "::" that RFC 5321 §4.1.3 forbids)
	ADDRESS_WIDE,     // only RFC 5322's grammar: a length, literal or domain that SMTP does not know
	ADDRESS_BAD,
};

/// Classifies one addr-spec.
///
/// in:     utf8 — also take UTF-8 where RFC 6531 and RFC 6532 extend the grammar.
/// source: RFC 5321 §4.1.2, §4.1.3, §4.5.3.1; RFC 5322 §3.4.1, §4.4.
enum address_class address_check_addr_spec(struct sl spec, bool utf8);
