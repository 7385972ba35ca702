#pragma once
/// payload — what goes through ranges of the arena: fixed little structs, in this machine's byte order.
///
/// A front reads them from its own memory, which only the store writes; the store copies what it reads from a range to
/// private memory before it checks it, since the front may change it meanwhile.
#include <stdint.h>

/// UIDs lo … hi, both included; sets are sorted ascending without overlap.
struct pl_uids {
	uint32_t lo, hi;
};

/// Presence of 4,096 UIDs: bit u % 64 of word (u / 64) % 64 of block u / 4096.
enum { PRESENCE_UIDS = 4096, PRESENCE_WORDS = 64 };
struct pl_presence {
	uint32_t block, count; // count = bits set
	uint64_t present[PRESENCE_WORDS];
};

/// One message as FETCH needs it without its body.
struct pl_row {
	uint32_t uid;
	uint32_t octets; // RFC822.SIZE
	int64_t date_s;  // internal date
	int64_t saved_s; // when it came into this mailbox
	uint64_t modseq;
	uint64_t keywords; // bits of mbox_keywords
	uint64_t body;     // the body's address: the same in every copy, so it names the content (EMAILID)
	int16_t zone_min;  // internal date's offset from UTC
	uint8_t flags;     // FLAG_…
	uint8_t expunged;  // only where expunged_too asked for them
	uint32_t spare;
};

/// Entries of variable length follow each other, each padded to 8 octets: `size` is the whole entry.
struct pl_mbox {
	uint16_t size;
	uint8_t use;    // enum mbox_use
	uint8_t exists; // 0: only a parent, or only subscribed (\NonExistent)
	uint8_t subscribed, has_children;
	uint16_t name_octets;
	uint64_t mbox;
	uint8_t name[]; // whole name, UTF-8
};
/// A deleted mailbox that is still kept.
struct pl_grave {
	uint16_t size, name_octets;
	uint32_t messages;
	uint64_t mbox, octets;
	int64_t gone_s, kept_until_s;
	uint8_t name[]; // that it had
};
struct pl_keyword {
	uint16_t size;
	uint8_t bit, name_octets;
	uint8_t name[];
};
/// admin_list: a text, then for users the settings; for aliases the targets (space separated) follow the name.
struct pl_entry {
	uint16_t size;
	uint16_t name_octets, targets_octets;
	uint8_t imap, pop3, send, pop3_retr;
	uint8_t lost; // damage took the user's account: the rest is zero but for its id
	uint64_t quota_octets, used_octets, quota_messages, used_messages, account;
	uint8_t text[]; // name, then targets (domains: the domain it is an alias of)
};
