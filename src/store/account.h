#pragma once
/// account — one user's settings and credentials, and the making and removing of accounts.
///
/// Owns: the head of cell {account,0}; the keys of that cell are the mailbox tree (tree.h).
/// An account's id is never used again; its credential version grows with every change of password, which ends handles.
/// Threads: account_load from any thread; what takes a txn inside a job.
#include "ipc/verbs.h"
#include "store/cell.h"
#include "store/directory.h"

enum {
	ARGON2_TEXT_MAX = 160, // "$argon2id$v=19$m=…$salt$hash"
	SCRAM_SALT = 16,
	SCRAM_KEY = 32,
	ACCOUNT_NAME = 0, // the cell {account, ACCOUNT_NAME}
};

/// What proves a user. All zero: nobody can log in.
struct credentials {
	uint16_t argon2_octets;
	uint8_t argon2[ARGON2_TEXT_MAX];
	uint32_t scram_iterations; // 0 = no SCRAM keys kept
	uint8_t scram_salt[SCRAM_SALT];
	uint8_t scram_stored[SCRAM_KEY], scram_server[SCRAM_KEY];
};

/// The decoded head of an account's cell.
struct account {
	uint64_t version; // of the cell
	uint32_t credential_version;
	uint64_t quota_octets, quota_messages; // 0 = no limit
	uint8_t services;                      // bits 1 << enum service
	uint8_t pop3_retr;                     // enum pop3_retr
	uint32_t last_uidvalidity;
	uint64_t next_id; // the next node or mailbox id
	uint32_t mailboxes, subscriptions;
	struct credentials cred;
	uint16_t address_octets;
	uint8_t address[ADDRESS_MAX];
};

/// Reads an account. errors: E_NOTFOUND, E_CORRUPT, E_IO.
[[nodiscard]] enum ec account_load(struct cx *cx, struct view *v, uint64_t id, struct account *out);
/// Puts the head into a change of the account's cell (with tree changes in the same commit).
void account_put(struct change *c, const struct account *a);
static inline struct sl account_address(const struct account *a)
{
	return (struct sl){ a->address, a->address_octets };
}

/// The settings of a new account.
struct account_new {
	struct sl address;
	struct credentials cred;
	uint64_t quota_octets, quota_messages;
	int64_t now_s;
};
/// Makes an account with INBOX, Drafts, Sent, Junk, Trash and Archive, subscribed; then names it in the directory.
/// errors: as directory_user_add.
[[nodiscard]] enum ec account_create(struct cx *cx, struct txn *t, const struct account_new *n, uint64_t *id);
/// Unnames an account and drops its cells. errors: as directory_user_remove.
[[nodiscard]] enum ec account_remove(struct cx *cx, struct txn *t, struct sl address, uint64_t *id);
/// Replaces the credentials and raises the credential version.
[[nodiscard]] enum ec account_set_credentials(
	struct cx *cx, struct txn *t, uint64_t id, const struct credentials *cred);
/// Changes the settings that `which` (bits: enum user_setting) names to those in *s.
[[nodiscard]] enum ec account_set(struct cx *cx, struct txn *t, uint64_t id, uint32_t which, const struct account *s);
/// Leaves out ids of mailboxes and nodes that may have been given away by changes that are lost: none below `least`,
/// and none of the next LEAP_IDS, is given out again. errors: as account_load.
[[nodiscard]] enum ec account_leap(struct cx *cx, struct txn *t, uint64_t id, uint64_t least);
