#pragma once
/// request — one frame being answered, and the peer it came from: what handlers see of serve.
///
/// A handler either reads through a view and returns (its answer then goes out), or is given the request for good
/// (`start`) and ends it with request_answer, from any thread. A peer outlives its requests.
#include <pthread.h>
#include <stdatomic.h>

#include "ipc/payload.h"
#include "ipc/verbs.h"
#include "store/brake.h"
#include "store/handle.h"
#include "store/mailbox.h"
#include "store/out.h"
#include "store/password.h"
#include "store/quota.h"
#include "store/scram.h"
#include "store/seat.h"
#include "store/serve.h"
#include "store/share.h"
#include "store/watch.h"

struct upload {
	uint64_t id; // 0 = free
	struct blob *blob;
	bool busy; // a job is storing it
	struct share_part part;
};

struct peer {
	struct serve *s;
	int fd, socket_octets; // of the socket's buffer
	struct holder by;
	uint8_t *arena; // NULL before hello
	uint64_t arena_octets;
	atomic_uint refs, inflight;
	atomic_bool closed, note_lost;
	pthread_mutex_t lock; // of the uploads, and between hello and the peer's end
	struct upload upload[UPLOADS_MAX];
	uint32_t watches;          // under the lock of the watches
	uint32_t seats;            // under the lock of the seats
	struct peer *next, **link; // list of serve, until it is freed
};

struct serve {
	struct serve_conf conf;
	struct store *store;
	struct quota *quota;
	struct passwords *passwords;
	struct scram *scram;
	struct brake *brake;
	struct handle_key key;
	uint64_t raise; // of all versions told, see store_version_raise
	struct watches *watches;
	struct pop3_locks *pop3;
	struct seats *seats;
	struct share share; // of uploads
	int epoll, wake;
	unsigned threads;
	pthread_t *thread;
	atomic_bool stopping;
	atomic_uint named;             // threads that have begun
	_Atomic int64_t resend_at_ns;  // when lost notes are made up for
	_Atomic int64_t unread_told_s; // when the log was last told of a body that cannot be read
	atomic_uint_least64_t unread;  // since then
	pthread_mutex_t lock;          // of what follows
	pthread_cond_t idle;
	struct peer *peers;
	uint32_t peer_count, inflight;
};

/// Memory of a request, freed with it.
struct piece {
	struct piece *next;
	size_t n;
	_Alignas(16) uint8_t o[];
};

struct request {
	struct peer *peer;
	struct serve *s;
	uint32_t verb;
	uint64_t seq;
	int64_t now_s; // when it came; of a change: when it is made
	int64_t began_ns;
	const void *in;   // struct req_…, private
	void *out;        // struct ans_…, zeroed
	uint64_t account; // of the checked handle
	struct piece *pieces;
	// changes
	struct job job;
	enum ec (*run)(struct cx *cx, struct txn *t, struct request *r);
	void (*finish)(struct request *r, enum ec e); // before the answer; may be NULL
	enum ec run_result;
	bool ran;
	void *work; // the handler's own, usually a piece
};

struct handler {
	enum ec (*read)(struct cx *cx, struct request *r, struct view *v);
	void (*start)(struct cx *cx, struct request *r);
};
/// The parts of the table of handlers; NULL where the verb is another part's.
const struct handler *handler_login(uint32_t verb);
const struct handler *handler_tree(uint32_t verb);
const struct handler *handler_mail(uint32_t verb);
const struct handler *handler_change(uint32_t verb);
const struct handler *handler_body(uint32_t verb);
const struct handler *handler_admin(uint32_t verb);

/// Sends the answer (the body only on E_OK) and frees the request.
void request_answer(struct request *r, enum ec e);
/// Makes `run` a job of the writer; the request is answered when it is done.
struct request_job {
	bool durable, frees;
};
void request_submit(struct request *r, struct request_job how);

/// Zeroed memory that lives as long as the request; NULL where there is none.
void *request_alloc(struct request *r, size_t n);
/// To be asked after octets were copied out of the arena: E_CLOSED where the peer was closed meanwhile. Zeros may have
/// taken the place of what it sent, and it will ask again on another connection under the same operation id.
[[nodiscard]] enum ec request_arena(const struct request *r);
/// A private copy of a range of the arena. errors: E_TOOBIG (more than max), E_TEMP, E_CLOSED (request_arena).
[[nodiscard]] enum ec request_copy(struct request *r, struct range from, size_t max, struct sl *out);
/// A private, checked set of UIDs: `all`, or what lies in the range. errors: E_SYNTAX (also both), E_TOOBIG, E_TEMP.
[[nodiscard]] enum ec request_set(struct request *r, bool all, struct range from, struct uid_set *out);
/// The arena's octets of a range (checked against its size when the frame came).
uint8_t *request_at(struct request *r, struct range range);
static inline struct out request_out(struct request *r, struct range range)
{
	return out_over(request_at(r, range), range.len);
}
/// Copies a list of fixed entries to a range as far as it fits; false where it does not.
bool request_list(struct request *r, struct range to, const struct buf *list, size_t entry);

/// Versions (modseqs) as peers know them are raised by the same number all the time that the store is open.
/// 0 stays 0: it stands for no change.
static inline uint64_t modseq_told(const struct request *r, uint64_t version)
{
	return version ? version + r->s->raise : 0;
}
static inline uint64_t modseq_heard(const struct request *r, uint64_t modseq)
{
	return modseq > r->s->raise ? modseq - r->s->raise : 0;
}

/// The body of a deliver or append: an upload, or a blob made from ranges.
struct body_in {
	struct blob *blob;
	uint64_t upload; // 0 = made for this request
	struct share_part *part;
};
[[nodiscard]] enum ec body_take(
	struct cx *cx, struct request *r, const struct range *ranges, uint32_t n, uint64_t upload, struct body_in *out);
/// After success an upload is used up; after failure it can be used again.
void body_end(struct request *r, struct body_in *b, bool used);

void peer_ref(struct peer *p);
void peer_unref(struct peer *p);
/// Ends a peer from any thread; its worker takes it out.
void peer_close(struct peer *p);
/// Sends one frame. A hint that does not fit now is dropped and noted; anything else that does not fit ends the peer.
void peer_send(struct peer *p, const struct frame_head *head, const void *body, size_t n, bool hint);
