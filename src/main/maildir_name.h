#pragma once
/// maildir_name — a mailbox's name as the name of its folder in a Maildir++, and back.
///
/// Folders are divided by '.' and written in modified UTF-7, so ".Sent.2019" is "Sent/2019". A '.' that belongs to a
/// name is written as modified UTF-7 writes other characters, "&AC4-": no other name has that, since what has no need
/// to be written so never is. A name too long for a folder is cut, and goes on with "&AH4-" and the mailbox's id,
/// which no other name has either; what it stands for is in a file inside (main/maildir.c).
#include <stdbool.h>

#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum { MAILDIR_NAME_MAX = 255 }; // octets that file systems allow

/// Appends the folder's name. in: id - what keeps two apart that begin alike. out: *cut - not the whole name is in it.
/// errors: E_SYNTAX (not UTF-8), E_TEMP.
[[nodiscard]] enum ec maildir_name_print(struct sl mailbox, uint64_t id, struct buf *out, bool *cut);
/// Appends the mailbox's name. errors: E_SYNTAX (not modified UTF-7, or cut), E_TEMP; `out` means nothing then.
[[nodiscard]] enum ec maildir_name_parse(struct sl folder, struct buf *out);
