#pragma once
/// message_id — what submission adds to a message that lacks it: Message-ID and Date.
#include <stdbool.h>

#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"
#include "mail/date.h"

/// Which of the fields that every message needs are there.
struct message_has {
	bool date, from, message_id;
};

/// Looks through the header for the fields that RFC 6409 §8 lets a submission server add.
struct message_has message_id_check(struct sl message);

/// Appends `Message-ID: <random@domain>` CRLF; 128 random bits.
///
/// errors: E_SYNTAX (domain is not a dot-atom or literal), nothing appended; what stuck in `out`.
/// source: RFC 5322 §3.6.4, RFC 6409 §8.3.
[[nodiscard]] enum ec message_id_make(struct sl domain, struct buf *out);

/// Appends `Date: …` CRLF.
///
/// source: RFC 5322 §3.6.1, RFC 6409 §8.2.
void message_id_date_line(const struct date *now, struct buf *out);
