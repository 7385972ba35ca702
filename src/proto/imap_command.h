#pragma once
/// imap_command — one IMAP command: tag, verb, and its arguments as a struct.
///
/// Two steps on one cursor over the whole command: imap_parse_tag_verb finds the row of the command table (the session
/// then checks the state), imap_parse_args does the rest. After an error `c->err_at` says at which octet. A new command
/// or extension is a row in the table, a member of the union and a parser.
#include <stdbool.h>

#include "base/arena.h"
#include "base/cur.h"
#include "proto/imap_append.h"
#include "proto/imap_fetch.h"
#include "proto/imap_list.h"
#include "proto/imap_search.h"
#include "proto/imap_store.h"
#include "proto/seqset.h"

enum {
	IMAP_ENABLE_MAX = 32,   // capabilities in one ENABLE; ours
	IMAP_ID_PAIRS_MAX = 30, // RFC 2971 §3.3, as are the next two
	IMAP_ID_NAME_MAX = 30,  // octets
	IMAP_ID_VALUE_MAX = 1024,
};

enum imap_verb {
	IMAP_APPEND,
	IMAP_AUTHENTICATE,
	IMAP_CAPABILITY,
	IMAP_CHECK,
	IMAP_CLOSE,
	IMAP_COPY,
	IMAP_CREATE,
	IMAP_DELETE,
	IMAP_ENABLE,
	IMAP_EXAMINE,
	IMAP_EXPUNGE,
	IMAP_FETCH,
	IMAP_ID,
	IMAP_IDLE,
	IMAP_LIST,
	IMAP_LOGIN,
	IMAP_LOGOUT,
	IMAP_LSUB,
	IMAP_MOVE,
	IMAP_NAMESPACE,
	IMAP_NOOP,
	IMAP_RENAME,
	IMAP_SEARCH,
	IMAP_SELECT,
	IMAP_STARTTLS,
	IMAP_STATUS,
	IMAP_STORE,
	IMAP_SUBSCRIBE,
	IMAP_UNSELECT,
	IMAP_UNSUBSCRIBE,
	IMAP_VERB_COUNT
};

/// States of a connection (RFC 9051 §3) as bits, for the rows' `states`.
enum imap_state { IMAP_NOAUTH = 1 << 0, IMAP_AUTH = 1 << 1, IMAP_SELECTED = 1 << 2 };

/// What the session must know of a command before it runs it.
enum imap_verb_flag {
	IMAP_UID_TOO = 1 << 0,    // `UID <verb>` exists as well
	IMAP_NO_EXPUNGE = 1 << 1, // without UID: no untagged EXPUNGE while it runs (RFC 9051 §7.5.1)
	IMAP_SECRET = 1 << 2,     // arguments are never logged
	IMAP_STREAMS = 1 << 3,    // its last literal is taken out by the framer (APPEND)
	IMAP_WRITES = 1 << 4,     // refused in a mailbox opened with EXAMINE
};

struct imap_authenticate {
	struct sl mechanism;
	bool has_initial;
	struct sl initial; // still base64, "=" for an empty one (RFC 4959): see sasl_decode_response
};
struct imap_login {
	struct sl user, password;
};
/// SELECT, EXAMINE, DELETE, SUBSCRIBE, UNSUBSCRIBE
struct imap_mailbox {
	struct sl mailbox; // wire form
};
enum imap_special_use {
	USE_ALL = 1 << 0,
	USE_ARCHIVE = 1 << 1,
	USE_DRAFTS = 1 << 2,
	USE_FLAGGED = 1 << 3,
	USE_JUNK = 1 << 4,
	USE_SENT = 1 << 5,
	USE_TRASH = 1 << 6,
	USE_IMPORTANT = 1 << 7, // RFC 8457
};
struct imap_create {
	struct sl mailbox;
	unsigned use;     // of enum imap_special_use
	bool use_unknown; // USE named an attribute we do not know: NO [USEATTR]
};
struct imap_rename {
	struct sl from, to;
};
/// COPY, MOVE
struct imap_copy {
	struct seqset set;
	struct sl mailbox;
};
/// UID EXPUNGE
struct imap_expunge {
	struct seqset set;
};
struct imap_enable {
	struct imap_texts capabilities;
};
struct imap_id {
	struct imap_texts names, values; // as many of both, none for NIL; a value with .p NULL is NIL
};

struct imap_command {
	enum imap_verb verb;
	bool uid;
	union {
		struct imap_append append;
		struct imap_authenticate authenticate;
		struct imap_copy copy;
		struct imap_create create;
		struct imap_enable enable;
		struct imap_expunge expunge;
		struct imap_fetch fetch;
		struct imap_id id;
		struct imap_list list;
		struct imap_login login;
		struct imap_mailbox mailbox;
		struct imap_rename rename;
		struct imap_search search;
		struct imap_status status;
		struct imap_store store;
	};
};

struct imap_verb_row {
	enum imap_verb verb;
	struct sl name;
	unsigned states; // of enum imap_state
	unsigned flags;  // of enum imap_verb_flag
	void (*parse)(
		struct cur *c, struct arena *a, struct imap_command *out); // takes all arguments, the SP before too
	const char *source;
};
/// One row per verb, in the order of enum imap_verb, which is that of the alphabet.
extern const struct imap_verb_row imap_verbs[IMAP_VERB_COUNT];

struct imap_head {
	struct sl tag;
	struct sl name;                  // as sent; empty where nothing follows the tag
	const struct imap_verb_row *row; // NULL: a verb we do not know
	bool uid;                        // UID stood before the verb, and its row allows that
};

/// Takes `tag SP ["UID" SP] verb`; the cursor then stands behind the verb.
///
/// errors: E_SYNTAX where there is no usable tag: answer `* BAD`. With a tag it is E_OK even where the verb is unknown.
/// source: RFC 9051 §9 (command, tag, uid).
[[nodiscard]] enum ec imap_parse_tag_verb(struct cur *c, struct imap_head *out);

/// Takes the arguments of `head->row` (not NULL) up to the end of the octets.
///
/// in:     c — where imap_parse_tag_verb left it; literals in place; for APPEND ending with the announcement.
/// out:    *out — slices borrowed from the command, lists owned by `a`.
/// errors: E_SYNTAX, E_RANGE (number too large), E_LIMIT (too many or too deep), E_TEMP (arena spent).
[[nodiscard]] enum ec imap_parse_args(
	struct cur *c, const struct imap_head *head, struct arena *a, struct imap_command *out);

/// True for the line that ends IDLE.
/// source: RFC 9051 §6.3.13 (idle), RFC 2177.
bool imap_is_done(struct sl line);
