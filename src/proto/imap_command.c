/// imap_command — the command table, and the small commands' grammars. The larger ones have files of their own.
#include "proto/imap_command.h"

#include "base/num.h"

static void parse_nothing(struct cur *c, struct arena *a, struct imap_command *out)
{
	(void)c, (void)a, (void)out; // the command's end is checked for all
}

static bool is_base64_octet(uint8_t c)
{
	return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

/// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
/// initial-resp = base64 / "="
static void parse_authenticate(struct cur *c, struct arena *a, struct imap_command *out)
{
	(void)a;
	cur_need(c, ' ');
	out->authenticate.mechanism = imap_parse_atom(c);
	out->authenticate.has_initial = cur_take(c, ' ');
	if (out->authenticate.has_initial)
		out->authenticate.initial = cur_need_while(c, is_base64_octet);
}

/// login = "LOGIN" SP userid SP password
static void parse_login(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	out->login.user = imap_parse_astring(c, a);
	cur_need(c, ' ');
	out->login.password = imap_parse_astring(c, a);
}

/// select = "SELECT" SP mailbox; examine, delete, subscribe, unsubscribe alike
static void parse_mailbox(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	out->mailbox.mailbox = imap_parse_mailbox(c, a);
}

static const struct imap_word use_words[] = {
	{ SL_INIT("All"), USE_ALL },
	{ SL_INIT("Archive"), USE_ARCHIVE },
	{ SL_INIT("Drafts"), USE_DRAFTS },
	{ SL_INIT("Flagged"), USE_FLAGGED },
	{ SL_INIT("Junk"), USE_JUNK },
	{ SL_INIT("Sent"), USE_SENT },
	{ SL_INIT("Trash"), USE_TRASH },
	{ SL_INIT("Important"), USE_IMPORTANT },
};

/// use-attr = "\All" / "\Archive" / … / use-attr-ext
/// use-attr-ext = "\" atom
static void parse_use_attr(struct cur *c, struct imap_create *out)
{
	cur_need(c, '\\');
	struct sl name = imap_parse_atom(c);
	for (size_t i = 0; i < ARRAY_N(use_words); i++) {
		if (sl_eq_ci(name, use_words[i].name)) {
			out->use |= use_words[i].bit;
			return;
		}
	}
	out->use_unknown = true;
}

/// create = "CREATE" SP mailbox [SP "(" create-param ")"]
/// create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"
static void parse_create(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	out->create.mailbox = imap_parse_mailbox(c, a);
	if (!cur_take(c, ' '))
		return;
	cur_need(c, '(');
	cur_need_ci(c, SL("USE"));
	cur_need(c, ' ');
	cur_need(c, '(');
	if (cur_peek(c) != ')') {
		do
			parse_use_attr(c, &out->create);
		while (cur_take(c, ' '));
	}
	cur_need(c, ')');
	cur_need(c, ')');
}

/// rename = "RENAME" SP mailbox SP mailbox
static void parse_rename(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	out->rename.from = imap_parse_mailbox(c, a);
	cur_need(c, ' ');
	out->rename.to = imap_parse_mailbox(c, a);
}

/// copy = "COPY" SP sequence-set SP mailbox; move alike
static void parse_copy(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	seqset_parse(c, a, &out->copy.set);
	cur_need(c, ' ');
	out->copy.mailbox = imap_parse_mailbox(c, a);
}

/// command-select =/ "EXPUNGE"
/// uid-expunge = "EXPUNGE" SP sequence-set ; behind "UID"
static void parse_expunge(struct cur *c, struct arena *a, struct imap_command *out)
{
	if (!out->uid)
		return;
	cur_need(c, ' ');
	seqset_parse(c, a, &out->expunge.set);
}

/// enable = "ENABLE" 1*(SP capability)
static void parse_enable(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	do
		imap_texts_add(c, a, &out->enable.capabilities, IMAP_ENABLE_MAX, imap_parse_atom(c));
	while (cur_take(c, ' '));
}

/// string SP nstring, one pair of an id-params-list
static void parse_id_pair(struct cur *c, struct arena *a, struct imap_id *out)
{
	struct sl name = imap_parse_string(c, a);

	cur_need(c, ' ');
	struct sl value = imap_parse_nstring(c, a);
	if (name.n > IMAP_ID_NAME_MAX || value.n > IMAP_ID_VALUE_MAX)
		cur_fail(c, E_LIMIT);
	imap_texts_add(c, a, &out->names, IMAP_ID_PAIRS_MAX, name);
	imap_texts_add(c, a, &out->values, IMAP_ID_PAIRS_MAX, value);
}

/// id = "ID" SP id-params-list
/// id-params-list = "(" *(string SP nstring) ")" / nil ; source: RFC 2971 §4, with SP between pairs as in its examples
static void parse_id(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	if (imap_take_word(c, SL("NIL")))
		return;
	cur_need(c, '(');
	if (cur_take(c, ')'))
		return;
	do
		parse_id_pair(c, a, &out->id);
	while (cur_take(c, ' '));
	cur_need(c, ')');
}

static void parse_append(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_append_head(c, a, &out->append);
}

static void parse_fetch(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_fetch(c, a, &out->fetch);
}

static void parse_list(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_list(c, a, &out->list);
}

static void parse_lsub(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_lsub(c, a, &out->list);
}

static void parse_search(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_search(c, a, &out->search);
}

static void parse_status(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_status(c, a, &out->status);
}

static void parse_store(struct cur *c, struct arena *a, struct imap_command *out)
{
	cur_need(c, ' ');
	imap_parse_store(c, a, &out->store);
}

/// Short names for the table's columns.
enum {
	NOAUTH = IMAP_NOAUTH,
	AUTHED = IMAP_AUTH | IMAP_SELECTED,
	OPEN = IMAP_SELECTED, // a mailbox is
	ANY = NOAUTH | AUTHED,
	UID = IMAP_UID_TOO,
	STEADY = IMAP_NO_EXPUNGE, // message numbers stay as they are
	SECRET = IMAP_SECRET,
	STREAMS = IMAP_STREAMS,
	WRITES = IMAP_WRITES,
	CHANGE = STEADY | WRITES,
};

// clang-format off
const struct imap_verb_row imap_verbs[IMAP_VERB_COUNT] = {
	{ IMAP_APPEND,       SL_INIT("APPEND"),       AUTHED, STREAMS,      parse_append,       "RFC 9051 §6.3.12" },
	{ IMAP_AUTHENTICATE, SL_INIT("AUTHENTICATE"), NOAUTH, SECRET,       parse_authenticate, "RFC 9051 §6.2.2" },
	{ IMAP_CAPABILITY,   SL_INIT("CAPABILITY"),   ANY,    0,            parse_nothing,      "RFC 9051 §6.1.1" },
	{ IMAP_CHECK,        SL_INIT("CHECK"),        OPEN,   0,            parse_nothing,      "RFC 3501 §6.4.1" },
	{ IMAP_CLOSE,        SL_INIT("CLOSE"),        OPEN,   0,            parse_nothing,      "RFC 9051 §6.4.1" },
	{ IMAP_COPY,         SL_INIT("COPY"),         OPEN,   UID,          parse_copy,         "RFC 9051 §6.4.7" },
	{ IMAP_CREATE,       SL_INIT("CREATE"),       AUTHED, 0,            parse_create,       "RFC 9051 §6.3.4" },
	{ IMAP_DELETE,       SL_INIT("DELETE"),       AUTHED, 0,            parse_mailbox,      "RFC 9051 §6.3.5" },
	{ IMAP_ENABLE,       SL_INIT("ENABLE"),       AUTHED, 0,            parse_enable,       "RFC 9051 §6.3.1" },
	{ IMAP_EXAMINE,      SL_INIT("EXAMINE"),      AUTHED, 0,            parse_mailbox,      "RFC 9051 §6.3.3" },
	{ IMAP_EXPUNGE,      SL_INIT("EXPUNGE"),      OPEN,   UID | WRITES, parse_expunge,      "RFC 9051 §6.4.3" },
	{ IMAP_FETCH,        SL_INIT("FETCH"),        OPEN,   UID | STEADY, parse_fetch,        "RFC 9051 §6.4.5" },
	{ IMAP_ID,           SL_INIT("ID"),           ANY,    0,            parse_id,           "RFC 2971 §3.1" },
	{ IMAP_IDLE,         SL_INIT("IDLE"),         AUTHED, 0,            parse_nothing,      "RFC 9051 §6.3.13" },
	{ IMAP_LIST,         SL_INIT("LIST"),         AUTHED, 0,            parse_list,         "RFC 9051 §6.3.9" },
	{ IMAP_LOGIN,        SL_INIT("LOGIN"),        NOAUTH, SECRET,       parse_login,        "RFC 9051 §6.2.3" },
	{ IMAP_LOGOUT,       SL_INIT("LOGOUT"),       ANY,    0,            parse_nothing,      "RFC 9051 §6.1.3" },
	{ IMAP_LSUB,         SL_INIT("LSUB"),         AUTHED, 0,            parse_lsub,         "RFC 3501 §6.3.9" },
	{ IMAP_MOVE,         SL_INIT("MOVE"),         OPEN,   UID | WRITES, parse_copy,         "RFC 9051 §6.4.8" },
	{ IMAP_NAMESPACE,    SL_INIT("NAMESPACE"),    AUTHED, 0,            parse_nothing,      "RFC 9051 §6.3.10" },
	{ IMAP_NOOP,         SL_INIT("NOOP"),         ANY,    0,            parse_nothing,      "RFC 9051 §6.1.2" },
	{ IMAP_RENAME,       SL_INIT("RENAME"),       AUTHED, 0,            parse_rename,       "RFC 9051 §6.3.6" },
	{ IMAP_SEARCH,       SL_INIT("SEARCH"),       OPEN,   UID | STEADY, parse_search,       "RFC 9051 §6.4.4" },
	{ IMAP_SELECT,       SL_INIT("SELECT"),       AUTHED, 0,            parse_mailbox,      "RFC 9051 §6.3.2" },
	{ IMAP_STARTTLS,     SL_INIT("STARTTLS"),     NOAUTH, 0,            parse_nothing,      "RFC 9051 §6.2.1" },
	{ IMAP_STATUS,       SL_INIT("STATUS"),       AUTHED, 0,            parse_status,       "RFC 9051 §6.3.11" },
	{ IMAP_STORE,        SL_INIT("STORE"),        OPEN,   UID | CHANGE, parse_store,        "RFC 9051 §6.4.6" },
	{ IMAP_SUBSCRIBE,    SL_INIT("SUBSCRIBE"),    AUTHED, 0,            parse_mailbox,      "RFC 9051 §6.3.7" },
	{ IMAP_UNSELECT,     SL_INIT("UNSELECT"),     OPEN,   0,            parse_nothing,      "RFC 9051 §6.4.2" },
	{ IMAP_UNSUBSCRIBE,  SL_INIT("UNSUBSCRIBE"),  AUTHED, 0,            parse_mailbox,      "RFC 9051 §6.3.8" },
};
// clang-format on

static const struct imap_verb_row *find_verb(struct sl name)
{
	for (size_t i = 0; i < ARRAY_N(imap_verbs); i++)
		if (sl_eq_ci(name, imap_verbs[i].name))
			return &imap_verbs[i];
	return NULL;
}

/// command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
/// uid = "UID" SP (copy / move / fetch / search / store / uid-expunge)
enum ec imap_parse_tag_verb(struct cur *c, struct imap_head *out)
{
	struct imap_head h = { .tag = imap_parse_tag(c) };

	if (cur_ok(c) && !cur_end(c))
		cur_need(c, ' ');
	if (!cur_ok(c))
		return c->err;
	h.name = cur_take_while(c, imap_is_atom_char);
	if (sl_eq_ci(h.name, SL("UID")) && cur_take(c, ' ')) {
		h.name = cur_take_while(c, imap_is_atom_char);
		h.uid = true;
	}
	h.row = find_verb(h.name);
	if (h.row && h.uid && !(h.row->flags & IMAP_UID_TOO))
		h.row = NULL;
	*out = h;
	return E_OK;
}

enum ec imap_parse_args(struct cur *c, const struct imap_head *head, struct arena *a, struct imap_command *out)
{
	struct imap_command cmd = { .verb = head->row->verb, .uid = head->uid };

	head->row->parse(c, a, &cmd);
	cur_need_end(c);
	if (cur_ok(c))
		*out = cmd;
	return c->err;
}

bool imap_is_done(struct sl line)
{
	return sl_eq_ci(line, SL("DONE"));
}
