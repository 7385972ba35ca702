/// client — slots, a reader fiber per socket, resending after a restart of the store.
///
///   client_ask: slot_take → (sent by slot_send | left until client_attach) → answered by read_frames, which frees the
///   slot → client_answer
///
/// Who asks waits for the answer without deadline: what a slot points at stays with that fiber. An answer that nobody
/// has come for yet holds no slot, so that fibers with two requests under way do not wait for each other.
#include "ipc/client.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/figures.h"
#include "base/hash.h"
#include "base/num.h"
#include "ipc/wire.h"

enum { WATCH_BUCKETS = 4096 };
_Static_assert(LABELS_VERB == VERBS - 2, "base/figures.def names each verb of verbs.def, in the same order");

/// In the place of a mailbox's id until mbox_open has told it; no mailbox has this one.
#define WATCH_OPENING UINT64_MAX
/// In the place of an epoch: no socket has this one.
#define WATCH_ASK_AGAIN UINT64_MAX

struct slot {
	bool used;
	enum verb verb;
	uint64_t seq;
	const void *req;
	void *ans;
	struct client_asked *asked;
	uint64_t sent_epoch; // the socket it was sent on
};

/// A fiber that waits for a free slot.
struct turn {
	struct turn *next;
	struct fib_event mine;
};

struct client {
	struct chunks *chunks;
	struct fib_fd socket; // fd -1: no store at present
	unsigned refs;        // the owner's, and one for each fiber of ours
	uint64_t epoch;       // counts sockets: a reader fiber ends when it is not the newest
	uint64_t greeted;     // the epoch whose socket has been sent hello
	int64_t patience_ns;
	int64_t down_since_ns;
	uint64_t next_seq;
	unsigned in_flight;
	struct slot slots[CLIENT_IN_FLIGHT];
	struct turn *first, **last;
	struct fib_lock sending;
	struct fib_event down;
	struct client_watch *watches[WATCH_BUCKETS];
};

struct reader {
	struct client *client;
	uint64_t epoch;
};

enum ec client_new(struct cx *cx, unsigned chunks, struct client **out)
{
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return fail(cx, E_TEMP, "no memory for the connection to the store");
	c->socket.fd = -1;
	c->refs = 1;
	c->patience_ns = (int64_t)CLIENT_PATIENCE_MS * 1000000;
	c->last = &c->first;
	c->down_since_ns = clock_mono_ns();
	enum ec e = chunks_new(cx, chunks, &c->chunks);
	if (e != E_OK) {
		free(c);
		return e;
	}
	*out = c;
	return E_OK;
}

void client_set_patience(struct client *c, int64_t ms)
{
	c->patience_ns = ms * 1000000;
}

struct chunks *client_chunks(struct client *c)
{
	return c->chunks;
}

bool client_is_up(const struct client *c)
{
	return c->socket.fd >= 0;
}

uint64_t client_epoch(const struct client *c)
{
	return c->epoch;
}

FIB enum ec client_wait_down(struct cx *cx, struct client *c)
{
	enum ec e = E_OK;

	while (e == E_OK && client_is_up(c))
		e = fib_event_wait(cx, &c->down);
	return e;
}

static void socket_drop(struct client *c)
{
	if (c->socket.fd < 0)
		return;
	fib_event_set(&c->down);
	int fd = c->socket.fd;
	fib_fd_del(&c->socket);
	c->socket.fd = -1;
	c->down_since_ns = clock_mono_ns();
	close(fd);
}

static void client_unref(struct client *c)
{
	if (--c->refs)
		return;
	chunks_free(c->chunks);
	free(c);
}

/// The low octet of a sequence number is the slot, so that an answer finds it.
static struct slot *slot_of(struct client *c, uint64_t seq)
{
	return &c->slots[seq & 0xff];
}

static void slot_give(struct client *c, struct slot *s)
{
	struct turn *t = c->first;

	s->used = false;
	if (!t) {
		figure_set(FIG_IPC_IN_FLIGHT, 0, --c->in_flight);
		return;
	}
	c->first = t->next;
	if (!c->first)
		c->last = &c->first;
	fib_event_set(&t->mine);
}

static void slot_finish(struct client *c, struct slot *s, enum ec e)
{
	s->asked->result = e;
	s->asked->answered = true;
	fib_event_set(&s->asked->done);
	slot_give(c, s);
}

void client_detach(struct client *c)
{
	c->epoch++;
	socket_drop(c);
	c->patience_ns = 0;
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++)
		if (c->slots[i].used)
			slot_finish(c, &c->slots[i], E_TEMP);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	client_detach(c);
	client_unref(c);
}

/// Takes the right to send, first come first served.
FIB static void sending_begin(struct client *c)
{
	struct cx quiet = { 0 };

	if (fib_lock(&quiet, &c->sending) != E_OK)
		abort(); // a wait without deadline that nobody can cancel
}

/// Sends one frame on the present socket, waiting for room. The caller holds c->sending.
FIB static enum ec frame_send(
	struct client *c, const struct frame_head *head, const void *body, const struct wire_fds *fds)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof *head },
		{ (void *)(uintptr_t)body, verb_info(head->verb)->req_octets } };
	struct cx quiet = { 0 };

	for (;;) {
		enum ec e = c->socket.fd >= 0 ? wire_send(NULL, c->socket.fd, iov, 2, fds) : E_CLOSED;
		if (e != E_TEMP)
			return e;
		e = fib_wait_writable(&quiet, &c->socket); // E_CLOSED: also where a newer socket has come
		if (e != E_OK)
			return e;
	}
}

/// The first request on a socket brings the arena along. The caller holds c->sending.
FIB static enum ec hello_send(struct client *c)
{
	struct req_hello req = { .build = verbs_build(), .arena_octets = chunks_octets(c->chunks) };
	struct frame_head head = { .verb = VERB_hello, .seq = UINT64_MAX };
	struct wire_fds fds = { .fd = { chunks_fd(c->chunks) }, .n = 1 };

	if (c->greeted == c->epoch)
		return E_OK;
	enum ec e = frame_send(c, &head, &req, &fds);
	if (e == E_OK)
		c->greeted = c->epoch;
	figure_add(FIG_IPC_REQUESTS, VERB_hello - 1, 1);
	return e;
}

/// Sends a slot's request, once for each socket; `seq` tells whether the slot is still that request's when our turn
/// comes. A dead socket is no error: greet sends again.
FIB static void slot_send(struct client *c, struct slot *s, uint64_t seq)
{
	sending_begin(c);
	enum ec e = hello_send(c);
	if (e == E_OK && s->used && s->seq == seq && s->sent_epoch != c->epoch) {
		struct frame_head head = { .verb = s->verb, .seq = seq };
		if (frame_send(c, &head, s->req, NULL) == E_OK && s->seq == seq)
			s->sent_epoch = c->epoch;
	}
	fib_unlock(&c->sending);
}

/// Waits for one of the 256 places, first come first served.
FIB static struct slot *slot_take(struct client *c)
{
	struct cx quiet = { 0 };

	if (c->in_flight == CLIENT_IN_FLIGHT) {
		struct turn t = { .next = NULL };
		*c->last = &t;
		c->last = &t.next;
		if (fib_event_wait(&quiet, &t.mine) != E_OK)
			abort(); // a wait without deadline that nobody can cancel
				 // who ended a call kept in_flight as it was: the place is ours
	} else {
		figure_set(FIG_IPC_IN_FLIGHT, 0, ++c->in_flight);
	}
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++) {
		struct slot *s = &c->slots[(c->next_seq + i) % CLIENT_IN_FLIGHT];
		if (s->used)
			continue;
		*s = (struct slot){ .used = true };
		s->seq = (++c->next_seq) << 8 | (uint64_t)(s - c->slots);
		return s;
	}
	abort(); // in_flight says that one is free
}

FIB void client_ask(struct client *c, enum verb verb, const void *req, void *ans, struct client_asked *a)
{
	*a = (struct client_asked){ .verb = verb, .began_ns = clock_mono_ns() };
	struct slot *s = slot_take(c);

	s->verb = verb;
	s->req = req;
	s->ans = ans;
	s->asked = a;
	a->seq = s->seq;
	if (c->socket.fd >= 0)
		slot_send(c, s, s->seq);
}

FIB enum ec client_answer(struct cx *cx, struct client *c, struct client_asked *a)
{
	struct cx quiet = { 0 };

	while (!a->answered) {
		if (c->socket.fd < 0) {
			int64_t left = c->down_since_ns + c->patience_ns - clock_mono_ns();
			quiet.deadline_ns = clock_mono_ns() + (left > 0 ? left : 0);
		} else {
			quiet.deadline_ns = clock_mono_ns() + 1000000000; // look again whether the store is there
		}
		enum ec e = fib_event_wait(&quiet, &a->done);
		if (e == E_TIMEOUT && c->socket.fd < 0 && !a->answered &&
			clock_mono_ns() - c->down_since_ns >= c->patience_ns)
			slot_finish(c, slot_of(c, a->seq), E_TEMP);
	}
	figure_add(FIG_IPC_REQUESTS, a->verb - 1, 1);
	figure_time(FIG_IPC_TIMES, 0, clock_mono_ns() - a->began_ns);
	cx_end(&quiet);
	return a->result ? fail(cx, a->result, "store: %s: %s", verb_info(a->verb)->name, ec_name(a->result)) : E_OK;
}

FIB enum ec client_call(struct cx *cx, struct client *c, enum verb verb, const void *req, void *ans)
{
	struct client_asked a;

	client_ask(c, verb, req, ans, &a);
	return client_answer(cx, c, &a);
}

static void take_answer(struct client *c, const struct frame_head *head, struct sl body)
{
	struct slot *s = slot_of(c, head->seq);
	const struct verb_info *info = verb_info(head->verb);

	if (!s->used || s->seq != head->seq || head->verb != s->verb || !info || s->sent_epoch != c->epoch)
		return; // nobody asked, or not on this socket
	if (head->status >= E_COUNT || (head->status == E_OK && body.n != info->ans_octets)) {
		slot_finish(c, s, E_CORRUPT);
		return;
	}
	if (head->status == E_OK && s->ans)
		memcpy(s->ans, body.p, body.n);
	slot_finish(c, s, (enum ec)head->status);
}

static struct client_watch **watch_bucket(struct client *c, uint64_t account, uint64_t mbox)
{
	return &c->watches[(account * 0x9e3779b97f4a7c15u ^ mbox * 0xc2b2ae3d27d4eb4fu) >> 52];
}

static void watch_fire_all(struct client *c)
{
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (struct client_watch *w = c->watches[i]; w; w = w->next)
			fib_event_set(w->event);
}

/// Sets the events of those who watch `mbox` of the account.
static void watch_fire(struct client *c, uint64_t account, uint64_t mbox)
{
	for (struct client_watch *w = *watch_bucket(c, account, mbox); w; w = w->next)
		if (w->handle->account == account && w->mbox == mbox)
			fib_event_set(w->event);
}

/// Whoever is just opening a mailbox of this account may be meant, too: the answer may come behind the note.
static void take_note(struct client *c, struct sl body)
{
	struct note n;

	if (body.n != sizeof n)
		return;
	memcpy(&n, body.p, sizeof n);
	if (n.account == 0) {
		watch_fire_all(c);
		return;
	}
	watch_fire(c, n.account, n.mbox);
	watch_fire(c, n.account, WATCH_OPENING);
}

/// Receives frames of one socket until it ends or a newer one has come.
/// Not cancellable: calls that must be answered depend on it. client_free ends it.
FIB static void read_frames(struct cx *, void *arg)
{
	struct cx quiet = { 0 };
	struct reader r = *(struct reader *)arg;
	struct client *c = r.client;
	uint8_t frame[FRAME_MAX] __attribute__((aligned(8)));
	enum ec e = E_OK;

	free(arg);
	while (e == E_OK && c->epoch == r.epoch) {
		struct frame_head head;
		size_t n;
		e = wire_recv(NULL, c->socket.fd, frame, sizeof frame, &n, NULL);
		if (e == E_TEMP) {
			e = fib_wait_readable(&quiet, &c->socket);
		} else if (e == E_OK && n >= sizeof head) {
			memcpy(&head, frame, sizeof head);
			struct sl body = { frame + sizeof head, n - sizeof head };
			if (head.verb == VERB_note)
				take_note(c, body);
			else
				take_answer(c, &head, body);
		}
	}
	if (c->epoch == r.epoch) {
		figure_add(FIG_IPC_LOST, 0, 1);
		socket_drop(c);
	}
	client_unref(c);
}

/// One that this socket was not asked for yet, or NULL. What is just being opened is asked for by that request.
static struct client_watch *unwatched(const struct client *c, unsigned bucket)
{
	struct client_watch *w = c->watches[bucket];

	while (w && (w->epoch == c->epoch || w->mbox == WATCH_OPENING))
		w = w->next;
	return w;
}

/// Asks again for what one bucket watches, one after the other: a front has thousands, and their answers must not come
/// faster than they are read. Waiting for an answer, the list may change: it is looked at anew.
FIB static void rewatch_bucket(struct cx *cx, struct client *c, unsigned bucket)
{
	uint64_t epoch = c->epoch;
	struct client_watch *w;
	struct ans_watch ans;

	while (c->epoch == epoch && (w = unwatched(c, bucket))) {
		struct req_watch req = { .handle = *w->handle, .mbox = w->mbox, .on = 1 };
		w->epoch = epoch;
		if (call_watch(cx, c, &req, &ans) != E_OK)
			cx_forget(cx); // its session learns at its next request why
	}
}

/// Says hello on the new socket, watches again what sessions watch, sends again what has no answer.
FIB static void greet(struct cx *cx, void *arg)
{
	struct reader r = *(struct reader *)arg;
	struct client *c = r.client;

	free(arg);
	sending_begin(c);
	if (c->epoch == r.epoch)
		(void)hello_send(c);
	fib_unlock(&c->sending);
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT && c->epoch == r.epoch; i++)
		if (c->slots[i].used)
			slot_send(c, &c->slots[i], c->slots[i].seq);
	for (unsigned i = 0; i < WATCH_BUCKETS && c->epoch == r.epoch; i++)
		rewatch_bucket(cx, c, i);
	if (c->epoch == r.epoch)
		watch_fire_all(c);
	client_unref(c);
}

enum ec client_attach(struct cx *cx, struct client *c, int fd)
{
	struct reader *r = malloc(sizeof *r), *g = malloc(sizeof *g);
	enum ec e = r && g ? E_OK : fail(cx, E_TEMP, "no memory for the connection to the store");

	c->epoch++;
	socket_drop(c);
	if (e == E_OK)
		e = fib_fd_add(cx, &c->socket, fd);
	if (e != E_OK) {
		close(fd);
		c->socket.fd = -1;
		free(r);
		free(g);
		return e;
	}
	*r = *g = (struct reader){ c, c->epoch };
	e = fib_go(read_frames, r);
	if (e != E_OK) {
		socket_drop(c);
		free(r);
		free(g);
		return wrap(cx, e, "hearing the store");
	}
	c->refs++;
	e = fib_go(greet, g);
	if (e != E_OK) { // the reader ends by itself
		socket_drop(c);
		free(g);
		return wrap(cx, e, "greeting the store");
	}
	c->refs++;
	return E_OK;
}

static void watch_enter(struct client *c, struct client_watch *w, uint64_t mbox)
{
	struct client_watch **bucket = watch_bucket(c, w->handle->account, mbox);

	w->mbox = mbox;
	w->next = *bucket;
	*bucket = w;
}

/// False where it was not in the table.
static bool watch_take_out(struct client *c, struct client_watch *w)
{
	struct client_watch **at = watch_bucket(c, w->handle->account, w->mbox);

	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = w->next;
	return true;
}

/// A session's watch of a mailbox, or NULL.
static struct client_watch *watch_like(struct client *c, uint64_t account, uint64_t mbox)
{
	struct client_watch *w = *watch_bucket(c, account, mbox);

	while (w && !(w->handle->account == account && w->mbox == mbox))
		w = w->next;
	return w;
}

/// Takes it out of the table. True where the store is to end its watch: no other session has the same. One that is
/// just opening a mailbox of this account may have, without knowing yet: it will ask again.
static bool watch_leave(struct client *c, struct client_watch *w)
{
	uint64_t account = w->handle->account;

	if (!watch_take_out(c, w) || watch_like(c, account, w->mbox))
		return false;
	for (struct client_watch *o = *watch_bucket(c, account, WATCH_OPENING); o; o = o->next)
		if (o->handle->account == account)
			o->epoch = WATCH_ASK_AGAIN;
	return true;
}

/// Asks for it once more; what came meanwhile may have been missed.
FIB static enum ec watch_again(struct cx *cx, struct client *c, struct client_watch *w)
{
	struct req_watch req = { .handle = *w->handle, .mbox = w->mbox, .on = 1 };
	struct ans_watch ans;

	w->epoch = c->epoch;
	fib_event_set(w->event);
	return call_watch(cx, c, &req, &ans);
}

/// Behind the end of a watch: somebody may have begun to watch the same while that call was under way, and it may have
/// ended that too.
FIB static void watch_left(struct cx *cx, struct client *c, uint64_t account, uint64_t mbox)
{
	struct client_watch *late = watch_like(c, account, mbox);

	if (late && watch_again(cx, c, late) != E_OK)
		cx_forget(cx); // its session learns at its next request why
}

FIB enum ec client_watch_open(
	struct cx *cx, struct client *c, struct client_watch *w, struct req_mbox_open *req, struct ans_mbox_open *ans)
{
	req->leave = watch_leave(c, w) ? w->mbox : 0;
	watch_enter(c, w, WATCH_OPENING);
	w->epoch = c->epoch;
	enum ec e = call_mbox_open(cx, c, req, ans);
	watch_take_out(c, w);
	bool again = w->epoch != c->epoch; // another socket, or what watch_leave says
	if (e == E_OK)
		watch_enter(c, w, ans->mbox);
	if (req->leave && !(e == E_OK && req->leave == ans->mbox))
		watch_left(cx, c, w->handle->account, req->leave);
	if (e == E_OK && again) {
		e = watch_again(cx, c, w);
		if (e != E_OK)
			watch_take_out(c, w);
	}
	if (e != E_OK)
		w->event = NULL;
	return e;
}

FIB void client_watch_remove(struct cx *cx, struct client *c, struct client_watch *w)
{
	struct ans_watch ans;

	if (!w->event)
		return; // it never began: it may have no handle to look at
	struct req_watch req = { .handle = *w->handle, .mbox = w->mbox };
	w->event = NULL;
	if (!watch_leave(c, w))
		return;
	if (call_watch(cx, c, &req, &ans) != E_OK)
		cx_forget(cx); // the store forgets by itself when it restarts
	watch_left(cx, c, req.handle.account, req.mbox);
}

void client_op(uint8_t op[16])
{
	random_octets(op, 16);
}
