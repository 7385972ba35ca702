#pragma once
/// envelope — the fields of a message that an IMAP ENVELOPE lists.
#include "base/arena.h"
#include "base/ec.h"
#include "base/sl.h"
#include "mail/address.h"

/// Texts are one line, not decoded; .p of NULL is NIL. Empty lists are NIL.
struct envelope {
	struct sl date, subject, in_reply_to, message_id;
	struct address_list from, sender, reply_to, to, cc, bcc;
};

/// Reads the envelope from a message or its header. A repeated address field goes on in the same list; of other
/// repeated fields the first counts. Sender and Reply-To default to From.
///
/// errors: E_TEMP (arena), nothing written.
/// source: RFC 9051 §7.5.2 (ENVELOPE).
[[nodiscard]] enum ec envelope_parse(struct sl message, struct arena *a, struct envelope *out);
