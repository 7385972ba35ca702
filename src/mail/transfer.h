#pragma once
/// transfer — content transfer encodings: streaming decoders that never fail, and two encoders.
///
/// A decoder holds a few octets of state and no memory. It takes what broken senders send (line breaks anywhere,
/// garbage, missing padding or `end` line) and notes in `broken` that it had to. Output errors stick in the buf.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sl.h"

enum {
	TRANSFER_HELD_MAX = 128, // octets held back: blanks at the end of a quoted-printable line, a uuencoded line
	TRANSFER_LINE = 76,      // RFC 2045 §6.7, §6.8: longest encoded line
};

enum transfer {
	TRANSFER_7BIT,
	TRANSFER_8BIT,
	TRANSFER_BINARY,
	TRANSFER_BASE64,
	TRANSFER_QP,
	TRANSFER_UUENCODE,
	TRANSFER_UNKNOWN, // passed through; IMAP BINARY answers UNKNOWN-CTE
};

/// The encoding that a Content-Transfer-Encoding value names; comments and blanks around it are ignored, the empty
/// value is 7bit.
///
/// source: RFC 2045 §6.1.
enum transfer transfer_named(struct sl value);

struct transfer_decoder {
	enum transfer kind;
	bool broken; // input did not follow its encoding
	// base64
	uint32_t bits;
	unsigned have; // characters in `bits`
	// quoted-printable and uuencode hold back what may still become something else
	uint8_t held[TRANSFER_HELD_MAX];
	size_t held_n;
	bool uu_body; // between the `begin` and the `end` line
};

void transfer_begin(struct transfer_decoder *d, enum transfer kind);
/// Decodes the next piece, cut anywhere.
void transfer_feed(struct transfer_decoder *d, struct sl in, struct buf *out);
/// Decodes what was held back at the end of the body.
void transfer_end(struct transfer_decoder *d, struct buf *out);
/// All three for a body in one piece; true where nothing was broken.
bool transfer_decode(enum transfer kind, struct sl in, struct buf *out);

/// Appends `in` as base64 in lines of `line` characters (rounded down to a multiple of 4), each with CRLF; 0 means one
/// line without CRLF.
///
/// source: RFC 2045 §6.8.
void transfer_encode_base64(struct sl in, size_t line, struct buf *out);
/// Appends text with CRLF line ends as quoted-printable; bare CR and LF are encoded.
///
/// source: RFC 2045 §6.7.
void transfer_encode_qp(struct sl in, struct buf *out);
