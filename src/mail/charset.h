#pragma once
/// charset — text in any charset that mail is written in, to UTF-8.
///
/// Names come from strangers, so only those in our table reach iconv, and each of its converters is opened once per
/// `struct charset_cache` and kept: call charset_preload before a sandbox closes, later nothing opens a file. UTF-8,
/// ISO-8859-1/Windows-1252 and guessing need no iconv. Labels mean what senders mean by them (GB2312 → GB18030,
/// ISO-8859-1 → Windows-1252, KS_C_5601 → CP949, Shift_JIS → CP932, Big5 → Big5-HKSCS).
/// Threads: one cache belongs to one thread, and at most one stream per cache is open; begin closes an earlier one.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ec.h"
#include "base/sl.h"

enum {
	CHARSET_NAME_MAX = 40,   // longer names are unknown
	CHARSET_CONVERTERS = 64, // converters in a cache, the size of our table
	CHARSET_LEFT_MAX = 64,   // octets of an unfinished character or escape sequence between two pieces
};

struct charset_cache {
	void *converters[CHARSET_CONVERTERS]; // iconv_t; NULL = not opened yet
	uint64_t missing;                     // bit i: converter i cannot be opened, do not try again
};

enum charset_how {
	CHARSET_EXACT,    // every octet had a meaning
	CHARSET_REPAIRED, // some became U+FFFD
	CHARSET_GUESSED,  // the name is unknown, or promised ASCII and lied: see charset_guess
};

/// A cache over which nothing is open yet.
#define CHARSET_CACHE_EMPTY ((struct charset_cache){ 0 })

/// Opens every converter of the table.
///
/// errors: E_UNSUPPORTED where this system's iconv lacks some; the others are open, text in those will be guessed.
[[nodiscard]] enum ec charset_preload(struct charset_cache *cc);
/// Closes what is open. Accepts a zeroed cache; it may be used again.
void charset_cache_free(struct charset_cache *cc);

/// Appends `in` as valid UTF-8. Never refuses text: what has no meaning becomes U+FFFD.
///
/// in:     name — the label as sent; the empty name is US-ASCII. `in` borrowed until return.
/// out:    *how (may be NULL), written only on E_OK.
/// errors: what stuck in `out` (E_TOOBIG at its maximum, E_TEMP).
/// source: RFC 2045 §5.2, RFC 2046 §4.1.2; labels: IANA character sets, WHATWG Encoding Standard.
[[nodiscard]] enum ec charset_to_utf8(
	struct charset_cache *cc, struct sl name, struct sl in, struct buf *out, enum charset_how *how);

/// True where we have a converter for this label, so that SEARCH CHARSET and RFC 2231 labels can be answered.
bool charset_known(struct sl name);

enum charset_kind {
	CHARSET_UTF8,
	CHARSET_WINDOWS_1252,
	CHARSET_ICONV,
	CHARSET_UNDECIDED, // guess when the first octet above 0x7f comes
};

/// Text that arrives in pieces.
struct charset_stream {
	struct charset_cache *cc;
	enum charset_kind kind;
	unsigned converter; // for CHARSET_ICONV
	bool hz;            // HZ-GB-2312 (RFC 1843) is made GB 2312 first
	bool hz_gb;         // within ~{ … ~}
	bool hz_tilde;      // a ~ that waits for its second octet
	bool hz_half;       // the second octet of a GB 2312 pair comes next
	enum charset_how how;
	uint8_t left[CHARSET_LEFT_MAX];
	size_t left_n;
};

/// Begins a text with the label `name`. Guessing looks at the piece that holds the first octet above 0x7f.
void charset_begin(struct charset_stream *s, struct charset_cache *cc, struct sl name);
/// Appends the next piece as UTF-8; an unfinished character at its end waits for the next. Errors stick in `out`.
void charset_feed(struct charset_stream *s, struct sl in, struct buf *out);
/// Ends the text: an unfinished character becomes U+FFFD.
void charset_end(struct charset_stream *s, struct buf *out);

/// The charset of unlabelled octets: UTF-8 where `in` is valid UTF-8 (ASCII is), else GB18030 where all of it decodes,
/// else Windows-1252, where everything decodes. In that order because random text is never valid UTF-8, and most
/// unlabelled mail that our users get and that is not UTF-8 is Chinese.
///
/// out: a static name.
struct sl charset_guess(struct charset_cache *cc, struct sl in);
