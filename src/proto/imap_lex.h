#pragma once
/// imap_lex — the words of IMAP: atoms, strings, literals, flags, dates, numbers.
///
/// Every function takes one ABNF rule of RFC 9051 §9 (whose name it carries) from a cursor; errors stay in the cursor
/// (E_SYNTAX, E_RANGE, E_LIMIT, E_TEMP), and what is returned after one means nothing. Literals stand in the octets as
/// received, `{n}` CRLF and n octets. Slices point into the command; only quoted strings with escapes
/// are copied into the arena.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cur.h"

enum {
	IMAP_TAG_MAX = 100,     // octets of a tag; ours
	IMAP_KEYWORDS_MAX = 64, // keywords in one command; ours
	IMAP_KEYWORD_MAX = 128, // octets of a keyword; ours
};

/// Character classes of RFC 9051 §9.
bool imap_is_atom_char(uint8_t c);
bool imap_is_astring_char(uint8_t c);
bool imap_is_list_char(uint8_t c);
bool imap_is_tag_char(uint8_t c);

/// A list of slices that grows in an arena.
struct imap_texts {
	struct sl *p;
	size_t n;
};
/// Room for one more behind the n items: `items` itself, or a copy twice as large. Begin with NULL and 0. NULL and
/// E_TEMP in the cursor where the arena is spent.
void *imap_room_for_one(struct cur *c, struct arena *a, void *items, size_t n, size_t size);
/// Adds `s`; E_LIMIT where there are `max` already.
void imap_texts_add(struct cur *c, struct arena *a, struct imap_texts *list, size_t max, struct sl s);

struct sl imap_parse_atom(struct cur *c);
struct sl imap_parse_tag(struct cur *c);
/// string = quoted / literal. Quoted strings may hold any octet above 0x7f: what they mean is judged later.
struct sl imap_parse_string(struct cur *c, struct arena *a);
struct sl imap_parse_astring(struct cur *c, struct arena *a);
/// nstring = string / nil. out: .p is NULL for NIL.
struct sl imap_parse_nstring(struct cur *c, struct arena *a);
/// list-mailbox = 1*list-char / string
struct sl imap_parse_list_mailbox(struct cur *c, struct arena *a);
/// mailbox = "INBOX" / astring, in its wire form: see mboxname_from_wire.
struct sl imap_parse_mailbox(struct cur *c, struct arena *a);

/// Takes a word of imap_is_atom_char octets and says whether it is `word`, ASCII case folded; nothing taken otherwise.
bool imap_take_word(struct cur *c, struct sl word);

/// A word with a bit: the shape of every table of options here.
struct imap_word {
	struct sl name;
	unsigned bit;
};
/// Takes an atom that is in words[n] and gives its bit; E_SYNTAX where it is not.
unsigned imap_parse_word(struct cur *c, const struct imap_word *words, size_t n);

uint32_t imap_parse_number(struct cur *c);
uint32_t imap_parse_nz_number(struct cur *c);
/// number64 = 1*DIGIT, below 2^63.
uint64_t imap_parse_number64(struct cur *c);

enum imap_flag {
	IMAP_ANSWERED = 1 << 0,
	IMAP_FLAGGED = 1 << 1,
	IMAP_DELETED = 1 << 2,
	IMAP_SEEN = 1 << 3,
	IMAP_DRAFT = 1 << 4,
};
struct imap_flags {
	unsigned system;            // of enum imap_flag
	struct imap_texts keywords; // as sent, each once; they compare with ASCII case folded
};
/// The names of the system flags with their backslash, in the order of their bits; the printer's table too.
extern const struct imap_word imap_flag_words[5];

/// flag-list = "(" [flag *(SP flag)] ")" ; E_SYNTAX where one begins with a backslash and is not of imap_flag_words.
void imap_parse_flag_list(struct cur *c, struct arena *a, struct imap_flags *out);
/// flag *(SP flag), without parentheses, as STORE allows.
void imap_parse_bare_flags(struct cur *c, struct arena *a, struct imap_flags *out);
/// flag-keyword = "$MDNSent" / … / atom. out: .n ≤ IMAP_KEYWORD_MAX.
struct sl imap_parse_flag_keyword(struct cur *c);

struct imap_date {
	int year, month, day; // a valid day of the Gregorian calendar
};
/// date = date-text / DQUOTE date-text DQUOTE
struct imap_date imap_parse_date(struct cur *c);
/// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
///
/// out: seconds since 1970-01-01 UTC; *zone_min is the zone as sent, in minutes east.
int64_t imap_parse_date_time(struct cur *c, int *zone_min);
/// Jan … Dec, index 0 … 11.
extern const char imap_months[12][4];
