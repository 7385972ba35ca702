#pragma once
/// dotstuff — encodes a message as a multi-line answer (POP3) or as DATA (SMTP), streaming: dots doubled, CRLF line
/// ends only, a last line of "." . Optionally stops where TOP does: after the header and n lines of the body.
///
/// Never waits, never allocates. A bare LF goes out as CRLF and a bare CR as a space.
#include <stdbool.h>
#include <stdint.h>

#include "base/sl.h"

struct dotstuff {
	enum { STUFF_LINE_START, STUFF_TEXT, STUFF_CR } state;
	bool top;            // limited
	bool in_body;        // the empty line has passed
	bool empty_line;     // nothing but the line's end has come since its start
	uint32_t lines_left; // of the body, where limited
};

struct dotstuff_step {
	size_t consumed, written;
	bool full; // the limit of TOP is reached: finish now
};

/// What one step may need to write for one octet of input; less room makes no progress.
enum { DOTSTUFF_ROOM_MIN = 3 };
/// What dotstuff_finish may write.
enum { DOTSTUFF_END_MAX = 6 };

/// An encoder for a whole message, or for its header and `body_lines` lines.
struct dotstuff dotstuff_start(void);
struct dotstuff dotstuff_start_top(uint32_t body_lines);

/// Encodes from `in` into out[room] until the input, the room or the limit ends.
///
/// source: RFC 1939 §3 and §7 (TOP), RFC 5321 §4.5.2.
struct dotstuff_step dotstuff_feed(struct dotstuff *d, struct sl in, uint8_t *out, size_t room);

/// Writes the missing end of the last line and ".CRLF" into out[DOTSTUFF_END_MAX]; returns how many octets.
size_t dotstuff_finish(struct dotstuff *d, uint8_t *out);
