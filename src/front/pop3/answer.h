#pragma once
/// answer — what POP3 says about a failure: the table from error code to response code and words for people.
///
/// source: RFC 2449 §8 (RESP-CODES: [IN-USE]), RFC 3206 ([AUTH], [SYS/TEMP], [SYS/PERM]).
#include "base/ec.h"

struct pop3_words {
	const char *code; // "SYS/TEMP" without brackets; NULL for none
	const char *text;
};

/// A login failed (E_CONFLICT: another session holds the maildrop).
struct pop3_words pop3_words_login(enum ec e);
/// A message could not be read or removed.
struct pop3_words pop3_words(enum ec e);
