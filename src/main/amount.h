#pragma once
/// amount — numbers as people read them, and text in columns of a terminal.
#include "base/buf.h"

enum { AMOUNT = 32 };

/// "0", "12345", "123k", "4.5M": at most 6 columns.
void amount_count(char out[AMOUNT], uint64_t n);
/// "0.3", "12.4", "310", "123k".
void amount_rate(char out[AMOUNT], double per_s);
/// "512 B", "12.4 MB": powers of 1,024.
void amount_octets(char out[AMOUNT], uint64_t octets);
/// "85 µs", "1.4 ms", "2.1 s".
void amount_time(char out[AMOUNT], int64_t ns);
/// "3:12:45", "12 d 3:12:45".
void amount_age(char out[AMOUNT], uint64_t s);

/// How many columns a text takes: two for each Chinese character.
unsigned text_columns(struct sl s);
/// Appends `s` in `columns`: filled up with blanks, behind it or (right) before it; cut where it is longer.
void text_put(struct buf *b, const char *s, unsigned columns, bool right);
