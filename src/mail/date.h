#pragma once
/// date — date and time of header fields and of IMAP: parsing, printing, comparing by day.
///
/// A date keeps the offset it was written with, since IMAP shows it and SEARCH compares the day as written.
#include <stdint.h>

#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	DATE_OFFSET_MAX = 23 * 60 + 59, // minutes
};

struct date {
	int64_t unix_s;     // seconds since 1970-01-01 UTC; a leap second is the second after it
	int32_t offset_min; // of the zone it was written in; -0000 and unknown zone names are 0
};

/// A calendar day, as days since 1970-01-01.
struct date_day {
	int64_t days;
};

/// Reads a Date field's value; obsolete forms, comments and two-digit years included, and a month in digits or no zone
/// as some senders write. What follows the zone is ignored.
///
/// out:    *d, written only on E_OK.
/// errors: E_SYNTAX, E_RANGE (no such day or time).
/// source: RFC 5322 §3.3, §4.3.
[[nodiscard]] enum ec date_parse_mail(struct sl value, struct date *d);
/// Appends `Tue, 1 Jul 2003 10:52:37 +0200`.
void date_print_mail(const struct date *d, struct buf *out);

/// Reads an IMAP date-time without its quotes: ` 1-Jul-2003 10:52:37 +0200`.
///
/// errors: E_SYNTAX, E_RANGE.
/// source: RFC 9051 §9, date-time.
[[nodiscard]] enum ec date_parse_imap(struct sl text, struct date *d);
/// Appends the same form, without quotes.
void date_print_imap(const struct date *d, struct buf *out);

/// Reads an IMAP date without its quotes: `1-Feb-1994`.
///
/// errors: E_SYNTAX, E_RANGE.
/// source: RFC 9051 §9, date-text.
[[nodiscard]] enum ec date_parse_day(struct sl text, struct date_day *day);
void date_print_day(struct date_day day, struct buf *out);

/// The day that the date's own writer had on the calendar: SEARCH SENTSINCE and its kin disregard time and zone, and
/// SINCE compares the internal date as it is shown.
///
/// source: RFC 9051 §6.4.4.
struct date_day date_day_of(const struct date *d);
