#pragma once
/// directory — who has mail here: domains, users, aliases, and what an address means.
///
/// Owns: cell {0,0}. Its head holds the next account id and the owner of postmaster; its keys hold domains, users and
/// aliases (docs/FORMAT-MAIL.md). Addresses are "local@domain", at most 320 octets; local parts and domains
/// compare with ASCII letters folded, other UTF-8 octets as they are. "@domain" is the catch-all of a domain.
/// Not here: passwords and settings (account.h), quota (quota.h).
/// Threads: reading functions from any thread; changing ones inside a job.
#include "ipc/verbs.h"
#include "store/cell.h"

enum {
	ADDRESS_MAX = 320,
	ALIAS_TARGETS_MAX = 1000,
	ALIAS_OCTETS_MAX = 60000, // the targets of one alias are one value
	ALIAS_DEPTH_MAX = 10,
	LEAP_IDS = 1 << 16,  // left out where changes are lost that may have given ids away
	RESOLVE_MAX = 10000, // accounts one address may mean, and aliases looked at for it
};
/// The directory's own cell.
#define DIRECTORY_CELL ((struct cell_id){ 0, 0 })

/// An address in its stored form: folded, "local@domain" in one piece.
struct address {
	uint16_t local_octets, domain_octets;
	uint8_t text[ADDRESS_MAX];
};
static inline struct sl address_local(const struct address *a)
{
	return (struct sl){ a->text, a->local_octets };
}
static inline struct sl address_domain(const struct address *a)
{
	return (struct sl){ a->text + a->local_octets + 1, a->domain_octets };
}
static inline struct sl address_text(const struct address *a)
{
	return (struct sl){ a->text, (size_t)a->local_octets + 1 + a->domain_octets };
}
/// Folds the two parts. errors: E_SYNTAX (controls, SP, not UTF-8), E_TOOBIG (local > 64 or domain > 255).
[[nodiscard]] enum ec address_fold(struct sl local, struct sl domain, struct address *out);
/// Splits and folds "local@domain" at the last '@'.
/// errors: E_SYNTAX (no '@', empty domain), address_fold's. An empty local part is accepted (catch-all).
[[nodiscard]] enum ec address_parse(struct sl text, struct address *out);

/// Adds a domain; `alias_of` (may be empty) names a domain whose users it shares.
/// errors: E_EXISTS, E_NOTFOUND (alias_of), E_STATE (alias_of is itself an alias), E_SYNTAX.
[[nodiscard]] enum ec directory_domain_add(struct cx *cx, struct txn *t, struct sl domain, struct sl alias_of);
/// errors: E_NOTFOUND; E_STATE where users, aliases or alias domains are left in it.
[[nodiscard]] enum ec directory_domain_remove(struct cx *cx, struct txn *t, struct sl domain);

/// The id that the next new account gets; used by account_create before directory_user_add.
[[nodiscard]] enum ec directory_next_account(struct cx *cx, struct view *v, uint64_t *account);
/// The store_damage for which everything was mended (mend.h). errors: E_CORRUPT, E_IO.
[[nodiscard]] enum ec directory_mended(struct cx *cx, struct view *v, uint64_t *damage);
/// Notes that, and leaves out ids of accounts as account_leap does.
[[nodiscard]] enum ec directory_set_mended(struct cx *cx, struct txn *t, uint64_t damage, uint64_t least_account);
/// Names an account. The first user of all becomes postmaster.
/// errors: E_EXISTS (a user or alias of that address), E_NOTFOUND (domain), E_STATE (domain is an alias), E_SYNTAX.
[[nodiscard]] enum ec directory_user_add(struct cx *cx, struct txn *t, struct sl address, uint64_t account);
/// The same questions without the change, so that account_create can ask first.
[[nodiscard]] enum ec directory_user_free(struct cx *cx, struct view *v, struct sl address);
/// errors: E_NOTFOUND; E_STATE where it is the postmaster and other users are left.
[[nodiscard]] enum ec directory_user_remove(struct cx *cx, struct txn *t, struct sl address, uint64_t *account);
/// The name under which such a user is kept, whether there is one or not: folded, its domain mapped.
/// errors: E_NOTFOUND (domain), E_SYNTAX, E_TOOBIG.
[[nodiscard]] enum ec directory_user_name(struct cx *cx, struct view *v, struct sl address, struct address *name);
/// The account of exactly this address (alias domains mapped). errors: E_NOTFOUND, E_SYNTAX.
[[nodiscard]] enum ec directory_user_find(struct cx *cx, struct view *v, struct sl address, uint64_t *account);

/// Adds (or replaces) an alias; targets are addresses separated by one space.
/// errors: E_EXISTS (alias without `replace`, or a user), E_NOTFOUND (domain, or a target that is neither user nor
/// alias), E_LIMIT (no target or too many), E_SYNTAX.
[[nodiscard]] enum ec directory_alias_add(
	struct cx *cx, struct txn *t, struct sl address, struct sl targets, bool replace);
[[nodiscard]] enum ec directory_alias_remove(struct cx *cx, struct txn *t, struct sl address);

/// The owner of postmaster and abuse; 0 = nobody yet.
[[nodiscard]] enum ec directory_postmaster(struct cx *cx, struct view *v, uint64_t *account);
[[nodiscard]] enum ec directory_set_postmaster(struct cx *cx, struct txn *t, uint64_t account);

/// A growing set of account ids, ascending.
struct targets {
	uint64_t *id;
	uint32_t n, cap;
};
void targets_free(struct targets *t);

/// What an address means: user or alias, then without "+tag", then postmaster/abuse, then the catch-all.
///
/// in:  domain empty: only the bare <postmaster> of RFC 5321 §4.1.1.3.
/// out: *verdict RCPT_LOCAL, RCPT_UNKNOWN or RCPT_REMOTE (quota is the caller's question); *accounts — deduplicated,
///      malloc'd, for the caller to free; NULL unless RCPT_LOCAL.
/// errors: E_LIMIT (more than RESOLVE_MAX accounts), E_TEMP, E_CORRUPT, E_IO.
[[nodiscard]] enum ec directory_resolve(
	struct cx *cx, struct view *v, const struct address *a, enum rcpt_verdict *verdict, struct targets *out);

/// One line of a listing; all slices borrowed during the call. Return false to stop.
struct dir_entry {
	struct sl name;   // address or domain
	struct sl text;   // aliases: targets; domains: the domain it is an alias of
	uint64_t account; // users
};
typedef bool directory_each(void *arg, const struct dir_entry *e);
/// Walks domains, users or aliases, ordered by domain, then local part, from the first > after.
[[nodiscard]] enum ec directory_list(
	struct cx *cx, struct view *v, enum list_what what, struct sl after, directory_each *each, void *arg);
