#pragma once
/// serve_bed — a serving store over one engine with a client's end of a peer, for tests and the fuzz target.
/// Only tests include this.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "store/mailbed.h"
#include "store/serve.h"

enum { BED_ARENA = 1 << 20, BED_BUILD = 4711 };

struct client {
	int fd;
	uint8_t *arena;
	uint64_t seq;
	uint32_t notes;
	struct note note; // the last
};

static inline struct serve *bed_serve(struct mailbed *b)
{
	struct serve_conf conf = { .store = b->s,
		.build = BED_BUILD,
		.threads = 2,
		.secret = { 42 },
		.password = { .threads = 1, .argon2_kib = 64, .argon2_passes = 1, .scram_iterations = 4096 } };
	struct serve *s = NULL;

	if (serve_new(&b->cx, &conf, &s) != E_OK)
		abort();
	return s;
}

static inline int bed_memfd(size_t n, unsigned seals)
{
	int fd = memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)n) != 0 || fcntl(fd, F_ADD_SEALS, seals) != 0)
		abort();
	return fd;
}

/// Sends a frame with its body and, where arena_fd ≥ 0, a descriptor. False where the peer is gone.
static inline bool client_send(struct client *c, uint32_t verb, const void *body, size_t n, int arena_fd)
{
	struct frame_head head = { .verb = verb, .seq = ++c->seq };
	struct iovec iov[2] = { { &head, sizeof head }, { (void *)(uintptr_t)body, n } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (arena_fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof control;
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &arena_fd, sizeof arena_fd);
	}
	ssize_t k;
	do
		k = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	return k >= 0;
}

/// Waits for the answer to the last frame; notes on the way are counted. E_CLOSED where the peer was closed.
static inline enum ec client_answer(struct client *c, void *out, size_t n)
{
	uint8_t frame[FRAME_MAX];
	struct frame_head head;

	for (;;) {
		ssize_t k = recv(c->fd, frame, sizeof frame, 0);
		if (k < 0 && errno == EINTR)
			continue; // a fuzzer's clock
		if (k < (ssize_t)sizeof head)
			return E_CLOSED;
		memcpy(&head, frame, sizeof head);
		if (head.verb == VERB_note) {
			memcpy(&c->note, frame + sizeof head, sizeof c->note);
			c->notes++;
			continue;
		}
		if (head.seq != c->seq)
			continue; // an earlier answer that nobody waited for
		if (head.status == E_OK && out && (size_t)k == sizeof head + n)
			memcpy(out, frame + sizeof head, n);
		return (enum ec)head.status;
	}
}

#define ASK(c, verb, req, ans) \
	(client_send((c), VERB_##verb, (req), sizeof *(req), -1) ? client_answer((c), (ans), sizeof *(ans)) : E_CLOSED)

static inline struct client client_raw(struct serve *s, enum peer_kind kind, uint32_t front)
{
	struct client c = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	c.fd = pair[0];
	if (serve_add_peer(s, pair[1], kind, front) != E_OK)
		abort();
	return c;
}

static inline struct client client_new(struct serve *s, enum peer_kind kind, uint32_t front)
{
	struct client c = client_raw(s, kind, front);
	struct req_hello q = { .build = BED_BUILD, .arena_octets = BED_ARENA };
	struct ans_hello a;
	int fd = bed_memfd(BED_ARENA, F_SEAL_SHRINK | F_SEAL_GROW);

	c.arena = mmap(NULL, BED_ARENA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c.arena == MAP_FAILED || !client_send(&c, VERB_hello, &q, sizeof q, fd) ||
		client_answer(&c, &a, sizeof a) != E_OK)
		abort();
	close(fd);
	return c;
}

static inline void client_end(struct client *c)
{
	close(c->fd);
	if (c->arena)
		munmap(c->arena, BED_ARENA);
}
