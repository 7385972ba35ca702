#pragma once
/// folders — all mailbox names of the account as one sorted list, with what LIST and LSUB say about each.
///
/// Order: by octets with '/' below every other, so that the names below a name follow it directly. Parents that nobody
/// made are in the list too.
#include "front/imap/imap.h"

struct folder {
	struct sl name; // UTF-8
	uint64_t mbox;  // 0 = none
	uint8_t use;    // enum mbox_use
	bool exists;    // can be selected
	bool subscribed;
	bool has_children; // something below it exists
	bool matched;      // by a pattern of the command: the caller's
	size_t below;      // how many of the following entries are below it
};
struct folders {
	struct folder *f; // in im->cmd
	size_t n;
};

/// Reads the whole list from the store. errors: those of the store, E_TEMP.
FIB enum ec folders_load(struct cx *cx, struct imap *im, struct folders *out);
/// Sorts, adds missing parents, and fills has_children and below. errors: E_TEMP.
[[nodiscard]] enum ec folders_complete(struct folders *list, struct arena *a);
/// Orders names; <0, 0, >0.
int folders_cmp(struct sl a, struct sl b);
