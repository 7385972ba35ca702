#pragma once
/// imap_search — the grammar of SEARCH: a tree of keys, its charset and what to return.
#include "base/arena.h"
#include "base/cur.h"
#include "proto/imap_lex.h"
#include "proto/seqset.h"

enum {
	IMAP_SEARCH_DEPTH_MAX = 64,  // of parentheses, NOT and OR; ours
	IMAP_SEARCH_KEYS_MAX = 1000, // keys in one SEARCH; ours
};

/// What a key asks. The many names of RFC 9051 §6.4.4 come down to these: UNSEEN is KEY_NOT_FLAG with IMAP_SEEN, FROM
/// is KEY_HEADER with the field "From".
enum imap_key_op {
	KEY_ALL,
	KEY_AND,      // kids: all of them
	KEY_OR,       // kids: two
	KEY_NOT,      // kids: one
	KEY_SEQUENCE, // set, of message numbers
	KEY_UID,      // set, of UIDs
	KEY_FLAG,     // flag is set
	KEY_NOT_FLAG,
	KEY_RECENT, // IMAP4rev1 only; no message is recent in IMAP4rev2
	KEY_OLD,
	KEY_NEW, // RECENT UNSEEN
	KEY_KEYWORD,
	KEY_UNKEYWORD,
	KEY_BEFORE, // date, of INTERNALDATE
	KEY_ON,
	KEY_SINCE,
	KEY_SENT_BEFORE, // date, of the Date field
	KEY_SENT_ON,
	KEY_SENT_SINCE,
	KEY_LARGER, // number
	KEY_SMALLER,
	KEY_HEADER, // field contains text; an empty text: the field is there
	KEY_BODY,
	KEY_TEXT,
};

struct imap_key {
	enum imap_key_op op;
	struct imap_key *next; // the next kid of the same parent
	union {
		struct imap_key *kids; // the first of them
		struct seqset set;
		unsigned flag; // of enum imap_flag
		struct imap_date date;
		uint64_t number;
		struct {
			struct sl field;
			struct sl text; // searched text or keyword, in the command's charset
		};
	};
};

enum imap_search_return {
	SEARCH_MIN = 1 << 0,
	SEARCH_MAX = 1 << 1,
	SEARCH_ALL = 1 << 2,
	SEARCH_COUNT = 1 << 3,
	SEARCH_SAVE = 1 << 4,
};

struct imap_search {
	bool esearch;         // RETURN (…) stood there: answer with ESEARCH
	unsigned ret;         // of enum imap_search_return; RETURN () is SEARCH_ALL
	struct sl charset;    // empty: US-ASCII (IMAP4rev1) or UTF-8
	struct imap_key *key; // KEY_AND where several keys stand side by side
};

/// search = "SEARCH" [search-return-opts] SP search-program, from behind the first SP.
/// source: RFC 9051 §6.4.4 and §9 (search, search-program, search-key), RFC 4731 (ESEARCH), RFC 5182 (SAVE).
void imap_parse_search(struct cur *c, struct arena *a, struct imap_search *out);
