#pragma once
/// pattern — LIST patterns over UTF-8 mailbox names: `*` is anything, `%` anything without '/'.
#include <stdbool.h>

#include "base/sl.h"

/// True where the whole name matches. INBOX as first component matches in any case.
/// source: RFC 9051 §6.3.9.
bool pattern_match(struct sl pattern, struct sl name);
