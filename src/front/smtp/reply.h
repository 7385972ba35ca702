#pragma once
/// reply — what SMTP says about a failure: the table from error code to reply, and the words for people.
///
/// source: RFC 5321 §4.2, RFC 3463, RFC 5248 (registry of enhanced codes).
#include "base/ec.h"
#include "base/sl.h"

struct smtp_words {
	unsigned code;
	const char *enhanced; // "5.1.1"; NULL where the reply has none (354, greetings)
	const char *text;     // one line
};

/// The reply to one recipient too many.
///
/// source: RFC 5321 §4.5.3.1.10.
struct smtp_words smtp_words_crowd(void);

/// A request to the store failed while a recipient or a message was looked at.
///
/// in: quota_defer — a full mailbox is temporary.
struct smtp_words smtp_words(enum ec e, bool quota_defer);
/// A command line could not be parsed.
struct smtp_words smtp_words_syntax(enum ec e);
/// A login failed.
struct smtp_words smtp_words_login(enum ec e);
static inline bool smtp_is_temporary(struct smtp_words w)
{
	return w.code / 100 == 4;
}
