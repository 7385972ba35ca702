#pragma once
/// channel — what the master and a role say to each other over their SOCK_SEQPACKET pair.
#include "base/cx.h"
#include "ipc/wire.h"

enum { CHANNEL_FD = 3, CHANNEL_TEXT = 400 };

enum channel_word {
	CHAN_NONE,
	// master → role
	CHAN_BUNDLE,  // fd: main/bundle.h; the first message, again at each reload
	CHAN_LISTEN,  // fd: a listening socket; a = enum port_kind
	CHAN_STORE,   // fd: a front's connection to the store
	CHAN_PEER,    // fd: to the store: a peer; a = enum peer_kind, b = front number
	CHAN_PING,    // b: repeated in CHAN_PONG
	CHAN_FIGURES, // fd: the role's page (base/figures.h); before the first bundle
	CHAN_BOARD,   // fd: to a front: figures of all roles (base/board.h)
	CHAN_STOP,    // finish what is under way and end
	// role → master
	CHAN_READY, // serving
	CHAN_PONG,
	CHAN_ASK_STORE, // a front without a connection to the store wants one
	CHAN_FAILED,    // text: why this role cannot work; a = enum ec
};

struct channel_message {
	uint32_t word, a;
	uint64_t b;
	char text[CHANNEL_TEXT];
};

/// Sends one message; fd < 0: none. Short messages never wait long; errors as wire_send.
[[nodiscard]] enum ec channel_send(struct cx *cx, int channel, const struct channel_message *m, int fd);
/// Receives one message if there is one. out: *fd, -1 where none came; more than one are closed. errors as wire_recv;
/// E_CORRUPT.
[[nodiscard]] enum ec channel_receive(struct cx *cx, int channel, struct channel_message *m, int *fd);
/// Waits (blocking) for one message at most `ms`. errors: E_TIMEOUT besides.
[[nodiscard]] enum ec channel_wait(struct cx *cx, int channel, int ms, struct channel_message *m, int *fd);
