#pragma once
/// message — the mail that the load generator sends: an exact number of octets, its own Message-ID each.
#include "base/cx.h"
#include "base/sl.h"

enum { MESSAGE_MIN = 512, MESSAGE_MAX = 64 << 20 };

struct message {
	uint8_t *p;
	size_t n, id_at; // where the Message-ID's number stands
};

/// A message of exactly `octets`, CRLF line ends, text that compresses as text does, no line that begins with a dot.
/// errors: E_RANGE (MESSAGE_MIN, MESSAGE_MAX), E_TEMP.
[[nodiscard]] enum ec message_make(struct cx *cx, uint64_t octets, struct message *out);
void message_free(struct message *m);
/// Gives it the Message-ID of `number`; the octets, borrowed until the next call.
struct sl message_number(struct message *m, uint64_t number);
