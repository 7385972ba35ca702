#pragma once
/// imap_frame — where a command line stops for a literal: the pure half of the framer.
///
/// A framer reads a line, asks here whether it ends with a literal announcement, reads that many octets, reads the next
/// line, and so on; the whole command, CRLF after each announcement included, then goes to the grammar as one slice.
#include <stdbool.h>
#include <stdint.h>

#include "base/ec.h"
#include "base/sl.h"

struct imap_literal {
	uint64_t octets;
	bool sync;   // `{n}`: the client waits for our "+"; `{n+}` does not wait
	bool binary; // `~{n}`: may hold NUL
	size_t at;   // where the announcement begins in its line
};

/// Looks at the end of a line (without its CRLF) for `{n}`, `{n+}`, `~{n}` or `~{n+}`.
///
/// errors: E_NOTFOUND (the line ends the command), E_TOOBIG (an announcement of 2^63 octets or more).
/// source: RFC 9051 §9 (literal, literal8), RFC 7888 §8 (LITERAL+), RFC 3516 §7.
[[nodiscard]] enum ec imap_frame_literal(struct sl line, struct imap_literal *out);
