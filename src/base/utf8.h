#pragma once
/// utf8 — strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/sl.h"

/// Length in octets (1 … 4) of the character at the start of `s`; 0 where `s` is empty or does not begin with valid
/// UTF-8.
size_t utf8_len(struct sl s);
/// The character at the start of `s`, its length in *len; where it is not valid: U+FFFD with *len = 1. `s` not empty.
uint32_t utf8_get(struct sl s, size_t *len);
/// Appends one character; an invalid code point becomes U+FFFD.
void utf8_put(struct buf *b, uint32_t ch);
/// True where the whole of `s` is valid.
bool utf8_valid(struct sl s);
/// Octets at the start of `s` up to the first above 0x7f, eight at a time: the fast way through most text.
size_t utf8_ascii_run(struct sl s);
/// True where no octet of `s` is above 0x7f.
bool sl_is_ascii(struct sl s);
