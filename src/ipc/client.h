#pragma once
/// client — a role's connection to the store, for fibers: a call sends a request and waits for its answer.
///
/// Owns: the arena (ipc/chunks.h), the socket, up to 256 requests in flight, the table of watched mailboxes.
/// The store may die and come back: requests without an answer are sent again when the master hands over a new socket
/// (client_attach). Changes carry operation ids, so a change done before the store died is not done twice; its
/// remembered outcome is the answer. While the store stays away calls give E_TEMP after CLIENT_PATIENCE_MS.
/// A call is not cancellable and has no deadline of its own: the store may still use the chunks it names.
#include "base/cx.h"
#include "fiber/fiber.h"
#include "ipc/chunks.h"
#include "ipc/verbs.h"

enum { CLIENT_IN_FLIGHT = 256, CLIENT_PATIENCE_MS = 10000 };

struct client;
/// Makes a client with an arena of `chunks` chunks, not connected yet. errors: E_IO, E_TEMP.
[[nodiscard]] enum ec client_new(struct cx *cx, unsigned chunks, struct client **out);
/// Takes over a socket to the store (from the master, at start and after each restart of the store) and sends what
/// waits.
/// errors: E_TEMP; the socket is closed then.
[[nodiscard]] enum ec client_attach(struct cx *cx, struct client *c, int fd);
/// Drops the connection without waiting for another: its fibers end, calls under way and later ones give E_TEMP.
void client_detach(struct client *c);
/// Detaches and frees; no call may be under way. Accepts NULL.
void client_free(struct client *c);
/// Another patience than CLIENT_PATIENCE_MS (tests).
void client_set_patience(struct client *c, int64_t ms);
struct chunks *client_chunks(struct client *c);
/// True while a store answers.
bool client_is_up(const struct client *c);
/// Counts its connections from 1 on: what the store keeps for a connection is gone with it.
uint64_t client_epoch(const struct client *c);
/// Waits until there is no store, or client_detach. errors: E_TIMEOUT, E_CANCELED. One fiber at a time.
FIB enum ec client_wait_down(struct cx *cx, struct client *c);

/// Sends `req` (a struct req_<verb>) and waits for `ans` (a struct ans_<verb>, written on E_OK only).
/// yields: until answered. errors: those of the verb (ipc/verbs.def); E_TEMP: no store; E_CLOSED never.
FIB enum ec client_call(struct cx *cx, struct client *c, enum verb verb, const void *req, void *ans);

/// A request under way.
struct client_asked {
	enum verb verb;
	uint64_t seq;
	int64_t began_ns;
	bool answered;
	enum ec result;
	struct fib_event done;
};
/// The first half of client_call: meanwhile the fiber can do something else. client_answer must follow, whatever
/// happens, and until then `req`, `ans` and `a` stay where they are.
/// yields: until the request is sent or waits for a store.
FIB void client_ask(struct client *c, enum verb verb, const void *req, void *ans, struct client_asked *a);
/// The second half. yields, errors: as client_call.
FIB enum ec client_answer(struct cx *cx, struct client *c, struct client_asked *a);

/// One typed function per verb: call_login(cx, c, &req, &ans) …
#define VERB(verb, who)                                                                                \
	FIB static inline enum ec call_##verb(                                                         \
		struct cx *cx, struct client *c, const struct req_##verb *req, struct ans_##verb *ans) \
	{                                                                                              \
		return client_call(cx, c, VERB_##verb, req, ans);                                      \
	}
#include "ipc/verbs.def"

/// A session's interest in a mailbox (0: the account's tree). Embed it; it must not move while added.
struct client_watch {
	struct client_watch *next;
	const struct handle *handle; // the session's: borrowed, and renewed in its place
	uint64_t mbox;
	uint64_t epoch;          // the client's: on which socket it was asked for
	struct fib_event *event; // set whenever something may have changed
};
/// Opens a mailbox (verb mbox_open) and moves the watch to it from the one that it watched before, if it did. From its
/// return on, changes behind what the answer tells set the event.
///
/// in:     w — handle and event are set; mbox is what it watches, if it does. req — all but `leave`.
/// errors: those of verb mbox_open; then nothing is watched and w->event is NULL.
FIB enum ec client_watch_open(
	struct cx *cx, struct client *c, struct client_watch *w, struct req_mbox_open *req, struct ans_mbox_open *ans);
/// Ends it. Accepts one that was never added (event == NULL).
FIB void client_watch_remove(struct cx *cx, struct client *c, struct client_watch *w);
/// A fresh random operation id.
void client_op(uint8_t op[16]);
