#pragma once
/// cfws — comments and folding white space, which may stand between any two words of a structured field.
#include "base/cur.h"

/// Skips blanks, line ends, NULs and comments, nested to any depth and unclosed ones too. Linear; no recursion.
///
/// source: RFC 5322 §3.2.2, §4.2.
void cfws_skip(struct cur *c);
