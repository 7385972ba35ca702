#pragma once
/// room — memory for what is large and stays while a session waits: whole messages and what is made of them, and lists
/// of messages, which stay as long as their sessions.
///
/// Counts octets for the role and for each user; takes none itself. A session that finds no room waits for it, first
/// come first served, but not for long: then its command fails and the process lives. One whose user has used up their
/// share lets others pass. What is small (below ROOM_FREE_OCTETS of one session) is not asked for.
#include <stddef.h>
#include <stdint.h>

#include "base/cx.h"
#include "fiber/fiber.h"

enum {
	ROOM_OCTETS = 512 << 20,      // of a role
	ROOM_USER_OCTETS = 128 << 20, // of one user
	ROOM_WAIT_MS = 20000,         // a client gives up after a minute or so
	ROOM_SHORT_MS = 1000,         // so often `shortage` is asked
	ROOM_FREE_OCTETS = 64 << 10,  // what each session may keep uncounted

	ROOM_LISTS_OCTETS = 128 << 20, // of a role, for lists: room that comes free with sessions only, so it is apart
	ROOM_LISTS_USER_OCTETS = 32 << 20,
	ROOM_LISTS_WAIT_MS = 2000, // a session that ends
};

struct room_user;
struct room_wait;
struct room {
	size_t limit, user_limit;
	int64_t wait_ms;
	size_t used, high;              // now, and at most until now
	struct room_user *users;        // who have or want some
	struct room_wait *first, *last; // who wait, the longest first
	void (*shortage)(void *arg);    // asked each second while somebody waits; NULL = nobody is
	void *shortage_arg;
};

/// A session's part of it. Zero-initialised but for `room` and `account` it holds nothing.
struct room_share {
	struct room *room;
	uint64_t account;
	struct room_user *user; // NULL while it holds nothing
	size_t octets;
};

/// An empty one. Its limits are the constants, or more where one message alone needs more.
///
/// in:     alone — octets that a user may always take at once.
struct room room_make(size_t alone);
/// An empty one for lists.
struct room room_make_lists(void);
/// Makes the share `octets` in all; with fewer than it has, the rest is given back at once.
///
/// yields: where it has to wait; the deadline of cx ends that wait too.
/// errors: E_TEMP — no room within wait_ms, or never; E_CANCELED. The share is then what it was.
FIB enum ec room_take(struct cx *cx, struct room_share *s, size_t octets);
/// Gives all of it back. Accepts one that holds nothing.
void room_give(struct room_share *s);
