/// serve — peers and their frames.
///
/// Each worker waits on the one epoll; a peer is armed for one event at a time (EPOLLONESHOT), so its frames are
/// taken in order by one worker: up to FRAMES_PER_TURN, then it is armed again behind the others.
/// Life of a peer: serve_add_peer → turns → hello maps the arena → … → hang-up, a broken frame or peer_close →
/// its worker takes it out of the list → the last request in flight frees it.
#include "store/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/num.h"
#include "store/request.h"
#include "store/sha256.h"

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW, ARENA_MIN = 4096, FDS_PER_FRAME = 4, TICK_MS = 1000 };

// ---- peers

void peer_ref(struct peer *p)
{
	atomic_fetch_add(&p->refs, 1);
}

void peer_unref(struct peer *p)
{
	struct serve *s = p->s;

	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	pthread_mutex_lock(&s->lock);
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	pthread_mutex_unlock(&s->lock);
	for (int i = 0; i < UPLOADS_MAX; i++) {
		blob_free(p->upload[i].blob);
		share_end(&s->share, &p->upload[i].part);
	}
	if (p->arena)
		munmap(p->arena, p->arena_octets);
	close(p->fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/// A closed peer's requests that are still under way go on writing their answers; its chunks may be another session's
/// by then. So before it can learn that it was closed, private memory takes the place of its arena. What is read
/// there or written there since is nobody's: request_arena and peer_send look at `closed`, which is set before.
static void arena_leave(struct peer *p)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

	if (p->arena && mmap(p->arena, p->arena_octets, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		abort(); // nothing else keeps them apart
}

void peer_close(struct peer *p)
{
	pthread_mutex_lock(&p->lock); // whoever comes second may rely on it, too
	if (!atomic_exchange(&p->closed, true)) {
		arena_leave(p);
		shutdown(p->fd, SHUT_RDWR); // wakes its worker
	}
	pthread_mutex_unlock(&p->lock);
}

/// Notes may fill a quarter of the socket: the rest is for answers, which cannot be said later.
static bool is_behind(const struct peer *p)
{
	int unread = 0;

	return ioctl(p->fd, SIOCOUTQ, &unread) == 0 && unread > p->socket_octets / 4;
}

void peer_send(struct peer *p, const struct frame_head *head, const void *body, size_t n, bool hint)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof *head }, { (void *)(uintptr_t)body, n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };

	if (atomic_load(&p->closed))
		return; // its answer may have gone where the front does not see it
	bool behind = hint && is_behind(p);
	if (!behind && sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (behind || (hint && (errno == EAGAIN || errno == ENOBUFS)))
		atomic_store(&p->note_lost, true);
	else
		peer_close(p); // it does not read what it asked for
}

/// A note that did not fit is made up for by one that says: look at everything. By the clock, since workers that have
/// always something to do never find themselves idle.
static void resend_notes(struct serve *s)
{
	int64_t now = clock_mono_ns(), at = atomic_load(&s->resend_at_ns);

	if (now < at || !atomic_compare_exchange_strong(&s->resend_at_ns, &at, now + (int64_t)TICK_MS * 1000000))
		return; // another worker does it
	struct frame_head head = { .verb = VERB_note };
	struct note any = { 0 };

	pthread_mutex_lock(&s->lock);
	for (struct peer *p = s->peers; p; p = p->next)
		if (atomic_exchange(&p->note_lost, false))
			peer_send(p, &head, &any, sizeof any, true);
	pthread_mutex_unlock(&s->lock);
}

static void peer_out(struct peer *p)
{
	struct serve *s = p->s;

	peer_close(p);
	epoll_ctl(s->epoll, EPOLL_CTL_DEL, p->fd, NULL);
	watch_end_peer(s->watches, p);
	pop3_end_peer(s->pop3, p);
	seats_end_peer(s->seats, p);
	pthread_mutex_lock(&s->lock);
	figure_set(FIG_PEERS, 0, --s->peer_count);
	pthread_mutex_unlock(&s->lock);
	peer_unref(p);
}

enum ec serve_add_peer(struct serve *s, int fd, enum peer_kind kind, uint32_t front)
{
	struct peer *p = calloc(1, sizeof *p);
	socklen_t size = sizeof p->socket_octets;

	if (!p) {
		close(fd);
		return E_TEMP;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &p->socket_octets, &size) != 0)
		p->socket_octets = 0; // no socket: no notes
	p->s = s;
	p->fd = fd;
	p->by = (struct holder){ kind, front };
	atomic_init(&p->refs, 1);
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_lock(&s->lock);
	p->next = s->peers;
	p->link = &s->peers;
	if (p->next)
		p->next->link = &p->next;
	s->peers = p;
	figure_set(FIG_PEERS, 0, ++s->peer_count);
	pthread_mutex_unlock(&s->lock);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = p };
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == 0)
		return E_OK;
	peer_out(p);
	return E_IO;
}

uint32_t serve_peers(struct serve *s)
{
	pthread_mutex_lock(&s->lock);
	uint32_t n = s->peer_count;
	pthread_mutex_unlock(&s->lock);
	return n;
}

// ---- hello

/// An arena is a memfd on tmpfs that can no longer change its size: reading it can then never raise SIGBUS.
static enum ec arena_check(struct cx *cx, const struct serve *s, int fd, uint64_t octets)
{
	uint64_t max = s->conf.arena_octets_max ? s->conf.arena_octets_max : UINT64_C(1) << 30;
	struct stat st;
	struct statfs fs;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0)
		return fail(cx, E_IO, "stat the arena");
	if (fs.f_type != TMPFS_MAGIC || seals < 0 || (seals & SEALS) != SEALS)
		return fail(cx, E_DENIED, "an arena that is no sealed memfd");
	if (st.st_size < 0 || (uint64_t)st.st_size != octets || octets < ARENA_MIN || octets > max)
		return fail(cx, E_RANGE, "an arena of %lld octets", (long long)st.st_size);
	return E_OK;
}

/// A front's newest connection ends the ones before: what those still have in flight must not be written into chunks
/// that the front may have given to another session since.
static void end_forerunners(struct peer *p)
{
	struct serve *s = p->s;

	if (p->by.kind == BY_ADMIN)
		return; // each has an arena of its own
	pthread_mutex_lock(&s->lock);
	for (struct peer *o = s->peers; o; o = o->next)
		if (o != p && o->by.kind == p->by.kind && o->by.front == p->by.front)
			peer_close(o);
	pthread_mutex_unlock(&s->lock);
}

static enum ec hello(struct cx *cx, struct request *r, int fd)
{
	const struct req_hello *q = r->in;
	struct ans_hello *a = r->out;
	struct peer *p = r->peer;

	if (p->arena)
		return fail(cx, E_STATE, "a second hello");
	if (q->build != r->s->conf.build)
		return fail(cx, E_UNSUPPORTED, "another build");
	if (fd < 0)
		return fail(cx, E_SYNTAX, "a hello without an arena");
	end_forerunners(p);
	enum ec e = arena_check(cx, r->s, fd, q->arena_octets);
	if (e != E_OK)
		return e;
	void *at = mmap(NULL, q->arena_octets, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return fail(cx, E_TEMP, "map the arena");
	pthread_mutex_lock(&p->lock); // a newer connection may be ending this one
	bool closed = atomic_load(&p->closed);
	if (!closed) {
		p->arena = at;
		p->arena_octets = q->arena_octets;
	}
	pthread_mutex_unlock(&p->lock);
	if (closed) {
		munmap(at, q->arena_octets);
		return fail(cx, E_CLOSED, "a newer connection has come");
	}
	a->peer = p->by.front;
	return E_OK;
}

// ---- frames

static const struct handler *handler_of(uint32_t verb)
{
	const struct handler *(*const parts[])(
		uint32_t) = { handler_login, handler_tree, handler_mail, handler_change, handler_body, handler_admin };

	for (size_t i = 0; i < ARRAY_N(parts); i++) {
		const struct handler *h = parts[i](verb);
		if (h)
			return h;
	}
	return NULL;
}

/// Takes a request into flight. NULL: no memory, or the peer has too many.
static struct request *request_new(struct peer *p, const struct frame_head *head, const struct verb_info *info)
{
	size_t in = ((size_t)info->req_octets + 15) & ~(size_t)15;
	struct request *r = calloc(1, sizeof *r + in + info->ans_octets);

	if (!r)
		return NULL;
	r->peer = p;
	r->s = p->s;
	r->verb = head->verb;
	r->seq = head->seq;
	r->now_s = clock_now_s();
	r->began_ns = clock_mono_ns();
	r->in = (uint8_t *)(r + 1);
	r->out = (uint8_t *)(r + 1) + in;
	peer_ref(p);
	atomic_fetch_add(&p->inflight, 1);
	figure_add(FIG_REQUESTS_IN_FLIGHT, 0, 1);
	pthread_mutex_lock(&p->s->lock);
	p->s->inflight++;
	pthread_mutex_unlock(&p->s->lock);
	return r;
}

/// The handle, then the handler: both through one view where the handler only reads.
static void request_do(struct cx *cx, struct request *r, const struct verb_info *info)
{
	const struct handler *h = handler_of(r->verb);
	const struct handle *handle = info->handle(r->in);
	struct account a;
	struct view *v = NULL;
	enum ec e = h ? E_OK : fail(cx, E_UNSUPPORTED, "no handler");

	if (e == E_OK && handle)
		r->account = handle->account;
	if (e == E_OK && (handle || h->read))
		e = view_open(cx, r->s->store, &v);
	if (e == E_OK && handle)
		e = handle_check(cx, &r->s->key, r->peer->by, v, handle, clock_steady_s(), &a);
	if (e == E_OK && h->read)
		e = h->read(cx, r, v);
	view_close(v);
	if (e == E_OK && h->start)
		h->start(cx, r);
	else
		request_answer(r, e);
}

static void refuse(struct peer *p, const struct frame_head *head, enum ec e)
{
	// An answer never looks like a note, whatever number was asked with.
	struct frame_head answer = {
		.verb = verb_info(head->verb) ? head->verb : VERB_NONE, .status = e, .seq = head->seq
	};

	peer_send(p, &answer, NULL, 0, false);
}

/// One frame; `fd` is what came along (-1 = nothing), still the caller's.
static void frame(struct cx *cx, struct peer *p, struct sl octets, int fd)
{
	struct frame_head head;

	if (octets.n < sizeof head) {
		peer_close(p);
		return;
	}
	memcpy(&head, octets.p, sizeof head);
	struct sl body = sl_from(octets, sizeof head);
	const struct verb_info *info = verb_info(head.verb);
	if (!info || body.n != info->req_octets) {
		refuse(p, &head, info ? E_SYNTAX : E_UNSUPPORTED);
		return;
	}
	if (!(info->who & (uint32_t)p->by.kind) || (!p->arena && head.verb != VERB_hello)) {
		refuse(p, &head, p->arena ? E_DENIED : E_STATE);
		return;
	}
	struct request *r = atomic_load(&p->inflight) < INFLIGHT_MAX ? request_new(p, &head, info) : NULL;
	if (!r) {
		peer_close(p);
		return;
	}
	doing_at(info->name, r->began_ns);
	memcpy((uint8_t *)(r + 1), body.p, body.n);
	if (info->check(r->in, p->arena_octets) != E_OK)
		request_answer(r, E_SYNTAX);
	else if (head.verb == VERB_hello)
		request_answer(r, hello(cx, r, fd));
	else
		request_do(cx, r, info);
}

// ---- turns

struct slot {
	uint8_t octets[FRAME_MAX];
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(FDS_PER_FRAME * sizeof(int))];
};
struct turn {
	struct mmsghdr m[FRAMES_PER_TURN];
	struct iovec iov[FRAMES_PER_TURN];
	struct slot slot[FRAMES_PER_TURN];
};

/// The first descriptor of a frame, or -1; further ones are closed.
static int frame_fd(struct msghdr *m)
{
	int first = -1, fd;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof fd) <= c->cmsg_len; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

static int take_frames(struct peer *p, struct turn *t)
{
	for (int i = 0; i < FRAMES_PER_TURN; i++) {
		t->iov[i] = (struct iovec){ t->slot[i].octets, FRAME_MAX };
		t->m[i].msg_hdr = (struct msghdr){ .msg_iov = &t->iov[i],
			.msg_iovlen = 1,
			.msg_control = t->slot[i].control,
			.msg_controllen = sizeof t->slot[i].control };
	}
	return recvmmsg(p->fd, t->m, FRAMES_PER_TURN, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
}

/// A password does not stay where frames are received.
static void wipe_secret(struct slot *slot, size_t n)
{
	struct frame_head head;

	memcpy(&head, slot->octets, sizeof head);
	const struct verb_info *info = verb_info(head.verb);
	if (n >= sizeof head && info && info->secret)
		OPENSSL_cleanse(slot->octets, n);
}

/// False where the peer is at its end.
static bool peer_turn(struct cx *cx, struct peer *p, struct turn *t)
{
	int n = take_frames(p, t);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	for (int i = 0; i < n; i++) {
		struct msghdr *m = &t->m[i].msg_hdr;
		int fd = frame_fd(m);
		if (t->m[i].msg_len == 0 || m->msg_flags & MSG_TRUNC)
			peer_close(p); // an end of stream reads as an empty frame
		else if (!atomic_load(&p->closed))
			frame(cx, p, (struct sl){ t->slot[i].octets, t->m[i].msg_len }, fd);
		wipe_secret(&t->slot[i], t->m[i].msg_len);
		if (fd >= 0)
			close(fd);
	}
	return !atomic_load(&p->closed);
}

static void *serve_loop(void *arg)
{
	struct serve *s = arg;
	struct turn *t = calloc(1, sizeof *t);
	struct cx cx = { 0 };

	doing_begin("worker", atomic_fetch_add(&s->named, 1) + 1);
	figure_add(FIG_WORKERS, 0, 1);
	while (t && !atomic_load(&s->stopping)) {
		struct epoll_event ev;
		int n = epoll_wait(s->epoll, &ev, 1, TICK_MS);
		resend_notes(s);
		if (n <= 0 || !ev.data.ptr)
			continue;
		struct peer *p = ev.data.ptr;
		peer_ref(p); // armed again it may end in another worker at once
		figure_add(FIG_WORKERS_BUSY, 0, 1);
		bool on = peer_turn(&cx, p, t);
		doing(NULL);
		figure_less(FIG_WORKERS_BUSY, 0, 1);
		ev = (struct epoll_event){ .events = EPOLLIN | EPOLLONESHOT, .data.ptr = p };
		if (!on || epoll_ctl(s->epoll, EPOLL_CTL_MOD, p->fd, &ev) != 0)
			peer_out(p);
		peer_unref(p);
	}
	figure_less(FIG_WORKERS, 0, 1);
	doing_end();
	cx_end(&cx);
	free(t);
	return NULL;
}

// ---- birth and end

static void changed(void *arg, struct cell_id id, uint64_t version)
{
	struct serve *s = arg;

	watch_changed(s->watches, id, version + s->raise);
}

static enum ec serve_parts(struct serve *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	uint8_t scram_secret[32], what[6 + sizeof s->conf.life];
	enum ec e = quota_new(&s->quota);

	// steady seconds begin anew with the machine: no handle may live on
	memcpy(what, "handle", 6);
	memcpy(what + 6, s->conf.life, sizeof s->conf.life);
	hmac_sha256((struct sl){ s->conf.secret, 32 }, (struct sl){ what, sizeof what }, s->key.octets);
	hmac_sha256((struct sl){ s->conf.secret, 32 }, SL("scram"), scram_secret);
	if (e == E_OK)
		e = passwords_new(&s->conf.password, &s->passwords);
	if (e == E_OK)
		e = scram_new(scram_secret, s->conf.password.scram_iterations, &s->scram);
	if (e == E_OK)
		e = brake_new(&(struct brake_conf){ 0 }, &s->brake);
	if (e == E_OK)
		e = watches_new(&s->watches);
	if (e == E_OK)
		e = pop3_locks_new(&s->pop3);
	if (e == E_OK)
		e = seats_new(&s->seats);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e == E_OK && (s->epoll < 0 || s->wake < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &ev) != 0))
		e = E_IO;
	return e;
}

enum ec serve_new(struct cx *cx, const struct serve_conf *conf, struct serve **out)
{
	unsigned threads = conf->threads ? conf->threads : 2;
	struct serve *s = calloc(1, sizeof *s);

	if (!s)
		return fail(cx, E_TEMP, "memory for serving");
	s->conf = *conf;
	s->store = conf->store;
	s->epoll = s->wake = -1;
	s->raise = store_version_raise(s->store);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	share_init(&s->share);
	s->thread = calloc(threads, sizeof *s->thread);
	enum ec e = s->thread ? serve_parts(s) : E_TEMP;
	if (e == E_OK)
		store_set_watch(s->store, changed, s);
	while (e == E_OK && s->threads < threads) {
		e = pthread_create(&s->thread[s->threads], NULL, serve_loop, s) ? E_TEMP : E_OK;
		s->threads += e == E_OK;
	}
	if (e != E_OK)
		serve_free(s);
	else
		*out = s;
	return e == E_OK ? E_OK : fail(cx, e, "start serving");
}

void serve_free(struct serve *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	atomic_store(&s->stopping, true);
	if (s->wake >= 0 && write(s->wake, &one, sizeof one) < 0)
		abort(); // an eventfd just made takes one write
	for (unsigned i = 0; i < s->threads; i++)
		pthread_join(s->thread[i], NULL);
	passwords_free(s->passwords); // what is queued becomes jobs or answers
	pthread_mutex_lock(&s->lock);
	while (s->inflight)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	store_set_watch(s->store, NULL, NULL);
	for (struct peer *p = s->peers, *next; p; p = next) {
		next = p->next;
		peer_out(p);
	}
	watches_free(s->watches);
	pop3_locks_free(s->pop3);
	seats_free(s->seats);
	scram_free(s->scram);
	brake_free(s->brake);
	quota_free(s->quota);
	if (s->epoll >= 0)
		close(s->epoll);
	if (s->wake >= 0)
		close(s->wake);
	share_free(&s->share);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	free(s->thread);
	free(s);
}
