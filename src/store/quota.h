#pragma once
/// quota — how much an account uses: the sum over its mailboxes' heads, kept in memory.
///
/// Only the writer's thread fills and changes the cache (its view holds what the running batch already did); other
/// threads read it or sum for themselves. A batch that failed may have left wrong figures: quota_forget_all then.
#include "store/account.h"
#include "store/cell.h"

enum { QUOTA_WINDOW_S = 4200 }; // as long as a body outlives its expunge

struct quota;
struct quota_used {
	uint64_t octets, messages;
};

[[nodiscard]] enum ec quota_new(struct quota **out);
void quota_free(struct quota *q); // accepts NULL

/// Any thread. errors: E_NOTFOUND (no such account), E_CORRUPT, E_IO.
[[nodiscard]] enum ec quota_read(
	struct cx *cx, struct quota *q, struct view *v, uint64_t account, struct quota_used *out);
/// Inside a job: as quota_read, and kept.
[[nodiscard]] enum ec quota_load(
	struct cx *cx, struct quota *q, struct txn *t, uint64_t account, struct quota_used *out);
/// Inside a job, after a commit that made the account larger or (negative) smaller. An account not kept stays so.
void quota_add(struct quota *q, uint64_t account, int64_t octets, int64_t messages);
/// Summed without the cache (the checker compares both).
[[nodiscard]] enum ec quota_sum(struct cx *cx, struct view *v, uint64_t account, struct quota_used *out);
void quota_forget(struct quota *q, uint64_t account);
void quota_forget_all(struct quota *q);

/// How much may come to an account within QUOTA_WINDOW_S, in percent of its quota: what it appends itself, and, a bit
/// wider, what is delivered to it, so that who fills his own measure still gets mail.
enum { QUOTA_FLOOD_APPEND = 200, QUOTA_FLOOD_DELIVERY = 220 };
/// True where so much came to an account with a quota within QUOTA_WINDOW_S, appended or delivered, that `octets` more
/// pass so many percent of it. What was removed meanwhile still takes room on the disk: else appending, or mailing
/// oneself, and expunging again and again would fill it up for everybody. Any thread.
bool quota_floods(
	struct quota *q, uint64_t id, const struct account *a, uint64_t octets, int64_t now_s, unsigned percent);
/// Inside a job, after a commit: notes octets that came to the account. One not kept is not watched.
void quota_brought(struct quota *q, uint64_t account, uint64_t octets, int64_t now_s);

/// True where `octets` more in `messages` more messages pass a limit of the account (0 = no limit), which
/// `percent` widens (100 = as set).
bool quota_over(
	const struct account *a, const struct quota_used *u, uint64_t octets, uint64_t messages, unsigned percent);
