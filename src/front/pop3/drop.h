#pragma once
/// drop — the maildrop of one session: which messages INBOX held at login, and what the session wants of them.
///
/// A number of the protocol is an index + 1 and means the same message until the end, whatever others do to the
/// mailbox.
#include <stdbool.h>
#include <stdint.h>

#include "base/cx.h"
#include "front/room.h"
#include "ipc/client.h"

/// Messages of one session, oldest first; the rest shows when these are gone.
enum { DROP_MAX = 1 << 20 };

struct drop_msg {
	uint32_t uid;
	uint32_t octets; // with CRLF line ends, before dot-stuffing
};
enum { DROP_DELETED = 1, DROP_RETRIEVED = 2 };

struct drop {
	uint64_t mbox;
	uint32_t uidvalidity;
	struct drop_msg *msg; // ascending by UID
	uint8_t *mark;        // DROP_… of each
	uint32_t n, cap;
	uint64_t octets;         // of all
	uint32_t deleted;        // how many are marked so
	uint64_t deleted_octets; // and their octets
	struct room_share share; // what it takes, where that is worth counting
};

/// Takes the snapshot of the user's INBOX.
///
/// in:     d->share — whose room and of which account; the rest of it empty.
/// out:    *d, on E_OK; free with drop_free. yields: yes.
/// errors: those of mbox_find, mbox_status, mbox_rows; E_TEMP (also where there is no room).
FIB enum ec drop_load(struct cx *cx, struct client *store, const struct handle *handle, struct drop *d);
/// Frees what it holds; its share stays, empty.
void drop_free(struct drop *d);
/// Marks a message as deleted; it must not be yet.
void drop_delete(struct drop *d, uint32_t index);
/// Forgets all marks.
void drop_reset(struct drop *d);

/// Collects UIDs of messages from *index on for which mark & mask == want, as pairs: fills out[room], moves *index
/// behind what was looked at. Only UIDs of such messages lie within the pairs. Returns how many pairs.
uint32_t drop_uids(const struct drop *d, uint8_t mask, uint8_t want, uint32_t *index, void *out, uint32_t room);
