#pragma once
/// verbs — the requests between roles and the store, as C structs made from ipc/verbs.def.
///
/// A frame is a `struct frame_head` and then exactly sizeof(struct req_x) or sizeof(struct ans_x) octets: both ends are
/// the same binary. Structs are zeroed before they are filled, so that padding never carries another session's octets.
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/ec.h"
#include "base/sl.h"

enum peer_kind { BY_MX = 1, BY_USER = 2, BY_OUTBOUND = 4, BY_ADMIN = 8, BY_ANY = 15 };
enum service { SERVICE_IMAP, SERVICE_POP3, SERVICE_SUBMISSION, SERVICES };
enum rcpt_verdict { RCPT_LOCAL, RCPT_UNKNOWN, RCPT_REMOTE, RCPT_FULL, RCPT_VERDICTS };
enum pop3_retr { POP3_KEEP, POP3_DELETE, POP3_ARCHIVE, POP3_RETRS };
enum mbox_use {
	MBOX_USE_NONE,
	MBOX_USE_INBOX,
	MBOX_USE_DRAFTS,
	MBOX_USE_SENT,
	MBOX_USE_JUNK,
	MBOX_USE_TRASH,
	MBOX_USE_ARCHIVE,
	MBOX_USE_ALL,
	MBOX_USE_FLAGGED,
	MBOX_USES
};
enum flags_mode { FLAGS_SET, FLAGS_ADD, FLAGS_DEL, FLAGS_MODES };
/// System flags of a message (RFC 9051 §2.3.2). \Recent is not stored per message.
enum { FLAG_SEEN = 1, FLAG_ANSWERED = 2, FLAG_FLAGGED = 4, FLAG_DELETED = 8, FLAG_DRAFT = 16, FLAG_ALL = 31 };
enum list_what { LIST_DOMAINS, LIST_USERS, LIST_ALIASES, LIST_WHATS };
enum user_setting {
	SET_QUOTA = 1,
	SET_IMAP = 2,
	SET_POP3 = 4,
	SET_SEND = 8,
	SET_POP3_RETR = 16,
	USER_SETTINGS_ALL = 31
};
#define READ_GONE    UINT32_MAX
#define READ_DAMAGED (UINT32_MAX - 1)
enum { READ_PROVE_MAX = 256 * 1024 }; // octets: others wait for them; a whole frame of a compressed body

/// Octets in the arena of the front that asks.
struct range {
	uint32_t off, len;
};
enum { HANDLE_KEPT_S = 24 * 3600 };
/// What a login gives: every later request presents it. mac = MAC(store's key, all other fields and the front).
struct handle {
	uint64_t account;
	uint64_t expires_s; // by clock_steady_s
	uint32_t credential_version;
	uint32_t services; // bits 1 << enum service
	uint8_t mac[16];
};

#define DECL_U8(name, limit)   uint8_t name;
#define DECL_U32(name, limit)  uint32_t name;
#define DECL_U64(name, limit)  uint64_t name;
#define DECL_I64(name, limit)  int64_t name;
#define DECL_BOOL(name, limit) uint8_t name;
#define DECL_STR(name, limit)     \
	struct {                  \
		uint16_t n;       \
		uint8_t p[limit]; \
	} name;
#define DECL_SECRET(name, limit) DECL_STR(name, limit)
#define DECL_BYTES(name, limit)  uint8_t name[limit];
#define DECL_HANDLE(name, limit) struct handle name;
#define DECL_OP(name, limit)     uint8_t name[16];
#define DECL_RANGE(name, limit)  struct range name;
#define DECL_RANGES(name, limit)       \
	struct {                       \
		uint32_t n;            \
		struct range r[limit]; \
	} name;
#define DECL_U32S(name, limit)        uint32_t name[limit];
#define DECL_FIELD(kind, name, limit) DECL_##kind(name, limit)

#define VERB(verb, who)                \
	struct req_##verb {            \
		uint8_t none_[1];      \
		REQ_##verb(DECL_FIELD) \
	};                             \
	struct ans_##verb {            \
		uint8_t none_[1];      \
		ANS_##verb(DECL_FIELD) \
	};
#include "ipc/verbs.def"

enum verb {
	VERB_NONE,
#define VERB(verb, who) VERB_##verb,
#include "ipc/verbs.def"
	VERB_note, // store → front, unasked: struct note
	VERBS
};

/// Something changed; a hint, coalesced. mbox 0: the tree of the account. account 0: any of the watched may have
/// changed.
struct note {
	uint64_t account, mbox, version;
};

/// Every frame begins with it.
struct frame_head {
	uint32_t verb;
	uint32_t status; // answers: enum ec; the body follows on E_OK only
	uint64_t seq;    // chosen by the asker, repeated in the answer
};
enum { FRAME_MAX = 2560 };

/// What the table says about a verb.
struct verb_info {
	const char *name;
	uint32_t who;
	uint16_t req_octets, ans_octets;
	bool secret; // the request holds a password
	/// E_OK where every field of the request is within its limits and every range lies in an arena of
	/// `arena_octets`.
	enum ec (*check)(const void *req, uint64_t arena_octets);
	/// The handle in the request, or NULL where the verb has none.
	const struct handle *(*handle)(const void *req);
};
/// NULL for a number that is no request.
const struct verb_info *verb_info(uint32_t verb);

/// A number that differs between programs whose frames differ; both ends of a connection must agree on it.
uint64_t verbs_build(void);

/// A counted string field as a slice, and filling one: E_TOOBIG where it does not fit.
#define FIELD_SL(f)     ((struct sl){ (f).p, (f).n })
#define field_set(f, s) field_set_(&(f).n, (f).p, sizeof(f).p, (s))
static inline enum ec field_set_(uint16_t *n, uint8_t *p, size_t room, struct sl s)
{
	if (s.n > room)
		return E_TOOBIG;
	if (s.n)
		memcpy(p, s.p, s.n);
	*n = (uint16_t)s.n;
	return E_OK;
}
