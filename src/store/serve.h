#pragma once
/// serve — hears the requests of the other roles and answers them.
///
/// Owns: worker threads over one epoll, the peers with their arenas, uploads, watches and seats, POP3 locks, the quota
/// cache.
/// A frame is checked in this order: size, verb and who may ask, field limits, handle; then its handler runs. Reads are
/// answered at once; changes become jobs of the writer, whose end answers. What lies in a range is copied to private
/// memory before it is looked at. A peer that breaks the framing, keeps more than INFLIGHT_MAX requests in flight
/// or does not read its answers is closed; nothing it sends can stall the others.
/// Threads: all functions from the thread that made it.
#include "ipc/verbs.h"
#include "store/cell.h"
#include "store/password.h"

enum {
	INFLIGHT_MAX = 320,  // a client keeps 256 and hello
	UPLOADS_MAX = 1024,  // per peer
	WATCHES_MAX = 65536, // per peer
	POP3_LOCKS_MAX = 65536,
	FRAMES_PER_TURN = 8,
	MESSAGE_MAX = 1 << 30, // octets of one body
};

struct serve_conf {
	struct store *store; // borrowed; open for longer than this
	uint64_t build;      // what hello must name
	unsigned threads;    // 0 = 2
	uint8_t secret[32];  // handles and fake salts are made with keys derived from it
	uint8_t life[32];    // the master's, random: handles end with it
	struct password_conf password;
	uint64_t arena_octets_max; // 0 = 1 GiB
};
struct serve;
[[nodiscard]] enum ec serve_new(struct cx *cx, const struct serve_conf *conf, struct serve **out);
/// Adds a peer: takes over `fd`, one end of a SOCK_SEQPACKET pair.
/// errors: E_LIMIT, E_IO; fd is closed then too.
[[nodiscard]] enum ec serve_add_peer(struct serve *s, int fd, enum peer_kind kind, uint32_t front);
/// Takes no more frames, finishes what is in flight, closes all. Accepts NULL.
void serve_free(struct serve *s);
/// Peers connected now (tests wait on it).
uint32_t serve_peers(struct serve *s);
