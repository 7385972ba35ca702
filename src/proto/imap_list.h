#pragma once
/// imap_list — the grammar of LIST, LSUB and STATUS.
#include "base/arena.h"
#include "base/cur.h"
#include "proto/imap_lex.h"

enum { IMAP_PATTERNS_MAX = 64 }; // patterns of one LIST; ours

enum imap_status_item {
	STATUS_MESSAGES = 1 << 0,
	STATUS_UIDNEXT = 1 << 1,
	STATUS_UIDVALIDITY = 1 << 2,
	STATUS_UNSEEN = 1 << 3,
	STATUS_DELETED = 1 << 4,
	STATUS_SIZE = 1 << 5,
	STATUS_RECENT = 1 << 6,      // IMAP4rev1
	STATUS_APPENDLIMIT = 1 << 7, // RFC 7889
};

enum imap_list_select {
	LIST_SELECT_SUBSCRIBED = 1 << 0,
	LIST_SELECT_REMOTE = 1 << 1,
	LIST_SELECT_RECURSIVEMATCH = 1 << 2,
	LIST_SELECT_SPECIAL_USE = 1 << 3,
};

enum imap_list_return {
	LIST_RETURN_SUBSCRIBED = 1 << 0,
	LIST_RETURN_CHILDREN = 1 << 1,
	LIST_RETURN_SPECIAL_USE = 1 << 2,
	LIST_RETURN_STATUS = 1 << 3, // with `status`
};

struct imap_list {
	bool extended;       // any option or a pattern list stood there: answer LIST only in the extended way
	unsigned select;     // of enum imap_list_select
	unsigned ret;        // of enum imap_list_return
	unsigned status;     // of enum imap_status_item
	struct sl reference; // wire form, as are the patterns
	struct imap_texts patterns;
};

struct imap_status {
	struct sl mailbox; // wire form
	unsigned items;    // of enum imap_status_item
};

/// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts], from behind the first SP.
/// source: RFC 9051 §6.3.9 and §9, RFC 5258 §6, RFC 5819 §4 (STATUS), RFC 6154 §6 (SPECIAL-USE).
void imap_parse_list(struct cur *c, struct arena *a, struct imap_list *out);
/// lsub = "LSUB" SP mailbox SP list-mailbox, from behind the first SP.
/// source: RFC 3501 §6.3.9.
void imap_parse_lsub(struct cur *c, struct arena *a, struct imap_list *out);
/// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")", from behind the first SP.
/// source: RFC 9051 §6.3.11 and §9; SIZE: RFC 8438; RECENT: RFC 3501 §6.3.10.
void imap_parse_status(struct cur *c, struct arena *a, struct imap_status *out);
