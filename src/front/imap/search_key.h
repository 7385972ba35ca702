#pragma once
/// search_key — the keys of a SEARCH, made ready and evaluated on one message.
///
/// Evaluation has three values and four levels: what the view knows, what the row says, what the header says, what the
/// whole message says. A key that needs more than there is gives SEARCH_UNKNOWN, so that most messages are decided
/// without a look at their octets. Within AND and OR cheap keys come first and the first that decides ends it.
#include "front/imap/imap.h"
#include "mail/fold.h"
#include "mail/mime.h"

enum search_level { LEVEL_VIEW, LEVEL_ROW, LEVEL_HEADER, LEVEL_WHOLE };
enum search_verdict { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };

struct search_key {
	enum imap_key_op op;
	enum search_level level; // what it takes to decide it, at most
	struct search_key *next, *kids;
	struct seqset set; // resolved
	uint8_t flags;     // FLAG_…
	uint64_t keyword;  // its bit, 0 where the mailbox has no such keyword
	int64_t day;       // days since 1970-01-01
	uint64_t number;   // octets
	struct sl field;   // name of a header field
	bool present;      // only asks whether the field is there
	size_t needle;     // index in its group's needles
};

/// Texts that are looked for in one pass over a message.
struct search_needles {
	struct fold_needle *v;
	size_t n;
	bool done; // for the present message
};

struct search_program {
	struct search_key *root;
	enum search_level level; // of the root
	bool reads_header;       // some key is decided by the header
	struct search_needles field, body, text;
	struct charset_cache *charsets;
};

/// One message and what is known of it.
struct search_subject {
	const struct view *view;
	const struct pl_row *row; // only .uid at LEVEL_VIEW
	uint32_t seq;
	enum search_level level;
	struct sl header;             // from LEVEL_HEADER on
	const struct mime_tree *tree; // at LEVEL_WHOLE
};

/// Makes a program: sets resolved, texts converted and folded, cheap keys first.
///
/// in:     search — from the grammar. `a` owns the program.
/// errors: E_UNSUPPORTED (charset), E_RANGE (a set names a message beyond the last), E_TOOBIG (a text), E_TEMP.
/// source: RFC 9051 §6.4.4.
[[nodiscard]] enum ec search_compile(
	const struct imap *im, const struct imap_search *search, struct arena *a, struct search_program *out);

/// Forgets what was found out about the message before.
void search_begin(struct search_program *p);
/// Decides as far as s->level allows; never SEARCH_UNKNOWN where that is p->level.
///
/// out:    *verdict, on E_OK.
/// errors: E_TEMP (no memory for decoding text).
[[nodiscard]] enum ec search_decide(
	struct search_program *p, const struct search_subject *s, enum search_verdict *verdict);
