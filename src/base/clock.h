#pragma once
/// clock — the two clocks, and civil time without the C library's hidden state.
#include <stdint.h>

/// Nanoseconds that never go back, from an arbitrary start (CLOCK_MONOTONIC). Deadlines are measured with it.
int64_t clock_mono_ns(void);
/// Seconds since 1970-01-01 UTC (CLOCK_REALTIME); may be stepped by the operator.
int64_t clock_now_s(void);

/// Seconds that never go back and that nobody sets, from an arbitrary start that all processes of this machine share
/// until it is started anew; they count while it sleeps, too. For what is to last so long and is checked by another
/// process.
int64_t clock_steady_s(void);

struct civil {
	int64_t year; // 1 … 9999 is what mail can say
	int month;    // 1 … 12
	int day;      // 1 … 31
	int hour, minute, second;
	int weekday; // 0 = Sunday
};

/// Splits `unix_s` seconds since 1970-01-01 UTC into proleptic Gregorian civil time at UTC.
struct civil clock_civil(int64_t unix_s);
/// The inverse; fields beyond their ranges carry over as mktime does. `weekday` is ignored.
int64_t clock_unix(const struct civil *c);
/// This machine's offset from UTC in minutes at `unix_s` (from TZ or /etc/localtime, as loaded at start).
int clock_local_offset_min(int64_t unix_s);
