#pragma once
/// imap_fetch — the grammar of FETCH: which messages, and which of their data.
#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"
#include "proto/imap_lex.h"
#include "proto/seqset.h"

enum {
	IMAP_FETCH_BODIES_MAX = 256, // BODY[…] items of one FETCH; ours
	IMAP_PART_DEPTH_MAX = 64,    // numbers in 1.2.3; no deeper than MIME is parsed
	IMAP_FIELDS_MAX = 512,       // header names in one section; ours
};

/// Message data items that take no argument; each answers under its own name.
enum imap_fetch_att {
	FETCH_ENVELOPE = 1 << 0,
	FETCH_FLAGS = 1 << 1,
	FETCH_INTERNALDATE = 1 << 2,
	FETCH_RFC822_SIZE = 1 << 3,
	FETCH_BODY = 1 << 4, // the structure without extension data
	FETCH_BODYSTRUCTURE = 1 << 5,
	FETCH_UID = 1 << 6,
	FETCH_RFC822 = 1 << 7,
	FETCH_RFC822_HEADER = 1 << 8,
	FETCH_RFC822_TEXT = 1 << 9,
};

/// What of a part is meant; SECTION_ALL is the empty section text.
enum imap_section_text {
	SECTION_ALL,
	SECTION_HEADER,
	SECTION_HEADER_FIELDS,
	SECTION_HEADER_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME,
};

/// One BODY[section]<partial> or BODY.PEEK[…].
struct imap_body {
	uint32_t *part; // the numbers of 1.2.3; NULL for the message itself
	size_t n_part;
	enum imap_section_text text;
	struct imap_texts fields; // header names, as sent
	bool peek;
	bool partial;
	uint64_t from, length; // where partial
};

struct imap_fetch {
	struct seqset set;
	unsigned atts; // of enum imap_fetch_att; ALL, FAST, FULL are spelt out
	struct imap_body *bodies;
	size_t n_bodies;
};

/// fetch = "FETCH" SP sequence-set SP (…), from behind the first SP.
/// source: RFC 9051 §6.4.5 and §9 (fetch, fetch-att, section, partial); RFC822 items: RFC 3501 §6.4.5.
void imap_parse_fetch(struct cur *c, struct arena *a, struct imap_fetch *out);

/// True where fetching this sets \Seen.
/// source: RFC 9051 §6.4.5.
bool imap_fetch_sets_seen(const struct imap_fetch *f);

/// Prints the item as a response names it: `BODY[1.2.HEADER.FIELDS (TO "A B")]<0>`; never .PEEK.
/// source: RFC 9051 §9 (msg-att-static).
void imap_print_body(struct buf *b, const struct imap_body *body);
