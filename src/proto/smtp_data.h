#pragma once
/// smtp_data — decodes the octets of DATA (or of BDAT chunks) as they stream in; never waits, never allocates.
///
/// The output has CRLF line ends only: a bare LF becomes CRLF, a bare CR a space, and flags say that they were there,
/// so that a session may refuse instead. Only CRLF "." CRLF ends the data, and only CRLF begins a line for
/// dot-unstuffing, so that no other server's idea of a newline can hide a second message in the first.
///
///     LINE_START --"."--> DOT --CR--> DOT_CR --LF--> ENDED
///     any --CR--> CR --LF--> LINE_START, anything else --> TEXT
#include <stdbool.h>
#include <stdint.h>

#include "base/sl.h"

enum smtp_data_state { DATA_LINE_START, DATA_TEXT, DATA_CR, DATA_DOT, DATA_DOT_CR, DATA_ENDED };

struct smtp_data {
	enum smtp_data_state state;
	bool dots;             // DATA; false for BDAT, where a dot is like any other octet
	bool bare_cr, bare_lf; // one was met (and mended)
	bool nul;              // a NUL was met (and passed on)
	uint64_t octets;       // written so far
};

struct smtp_data_step {
	size_t consumed; // of the input
	size_t written;  // to the output
	bool ended;      // CRLF.CRLF was taken; what follows in the input is the next command
};

/// What one step may need to write for one octet of input; less room makes no progress.
enum { SMTP_DATA_ROOM_MIN = 3 };

/// A decoder at the start of DATA (`dots`) or of the first BDAT chunk.
struct smtp_data smtp_data_start(bool dots);

/// Decodes from `in` into out[room] until the input, the room or the data ends.
///
/// source: RFC 5321 §2.3.8, §4.1.1.4, §4.5.2; RFC 3030 §2.
struct smtp_data_step smtp_data_feed(struct smtp_data *d, struct sl in, uint8_t *out, size_t room);

/// Ends the last BDAT chunk: writes what a CR at its very end became. Returns the octets written (0 or 1).
size_t smtp_data_finish(struct smtp_data *d, uint8_t *out, size_t room);
