#pragma once
/// recorder — what a program under the recorder may call; without the recorder the symbol is missing (declare it weak).
#include <stddef.h>

/// Puts a line into the record: whatever the program did before stands before it.
void power_mark(const char *text, size_t n);
