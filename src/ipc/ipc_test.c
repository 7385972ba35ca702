/// ipc_test — the client against a store played by the test's own fiber; chunks.
#include "base/check.h"
#include "base/num.h"
#include "ipc/client.h"
#include "ipc/wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLERS = 300, WAIT_MS = 60000 };

struct frame {
	struct frame_head head;
	uint8_t body[FRAME_MAX];
	struct wire_fds fds;
};
struct store {
	struct fib_fd f;
};
static struct client *client;

/// A new socket for the client; the other end is ours.
static void store_open(struct cx *cx, struct store *s)
{
	int pair[2];

	MUST(wire_pair(cx, pair) == E_OK && fib_fd_add(cx, &s->f, pair[1]) == E_OK);
	MUST(client_attach(cx, client, pair[0]) == E_OK && client_is_up(client));
}
static void store_close(struct store *s)
{
	int fd = s->f.fd;

	fib_fd_del(&s->f);
	close(fd);
}
/// The next frame from the client; false where `ms` pass without one.
static bool store_next(struct store *s, struct frame *f, int64_t ms)
{
	uint8_t octets[FRAME_MAX];
	struct cx cx = { 0 };
	size_t n;
	enum ec e;

	cx_deadline_in(&cx, ms);
	while ((e = wire_recv(&cx, s->f.fd, octets, sizeof octets, &n, &f->fds)) == E_TEMP) {
		e = fib_wait_readable(&cx, &s->f);
		if (e == E_TIMEOUT)
			return false;
		MUST(e == E_OK);
	}
	MUST(e == E_OK && n >= sizeof f->head);
	memcpy(&f->head, octets, sizeof f->head);
	memcpy(f->body, octets + sizeof f->head, n - sizeof f->head);
	const struct verb_info *info = verb_info(f->head.verb);
	MUST(info && n == sizeof f->head + info->req_octets);
	MUST(info->check(f->body, chunks_octets(client_chunks(client))) == E_OK);
	cx_end(&cx);
	return true;
}
static struct frame store_must(struct store *s, enum verb verb)
{
	struct frame f;

	MUST(store_next(s, &f, WAIT_MS));
	if (f.head.verb != verb)
		fprintf(stderr, "verb %u, expected %u\n", f.head.verb, verb);
	MUST(f.head.verb == verb);
	return f;
}
static void store_send(struct store *s, const void *a, size_t an, const void *b, size_t bn)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)a, an }, { (void *)(uintptr_t)b, bn } };
	struct cx cx = { 0 };
	enum ec e;

	while ((e = wire_send(&cx, s->f.fd, iov, 2, NULL)) == E_TEMP)
		MUST(fib_wait_writable(&cx, &s->f) == E_OK);
	MUST(e == E_OK);
}
static void store_answer(struct store *s, const struct frame *f, enum ec status, const void *ans)
{
	struct frame_head head = { .verb = f->head.verb, .status = status, .seq = f->head.seq };

	store_send(s, &head, sizeof head, ans, status == E_OK ? verb_info(f->head.verb)->ans_octets : 0);
}
/// Answers upload_add with a number made from the question.
static void store_echo(struct store *s, const struct frame *f)
{
	struct req_upload_add req;
	struct ans_upload_add ans = { .none_ = { 0 } };

	memcpy(&req, f->body, sizeof req);
	ans.octets = req.upload * 3 + 1;
	store_answer(s, f, E_OK, &ans);
}
/// The first frame on each socket: hello with the sealed arena.
static void store_hello(struct store *s)
{
	struct frame f = store_must(s, VERB_hello);
	struct req_hello req;

	memcpy(&req, f.body, sizeof req);
	MUST(req.build == verbs_build() && req.arena_octets == chunks_octets(client_chunks(client)) && f.fds.n == 1);
	MUST(lseek(f.fds.fd[0], 0, SEEK_END) == (off_t)req.arena_octets);
	MUST(fcntl(f.fds.fd[0], F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	close(f.fds.fd[0]);
	struct ans_hello ans = { .peer = BY_USER };
	store_answer(s, &f, E_OK, &ans);
}

// ---- callers

struct caller {
	uint64_t n;
	enum ec e;
	unsigned ended;
	struct cx *cx;
	uint8_t op[16];
};
static struct caller callers[CALLERS];

static void add_upload(struct cx *cx, void *arg)
{
	struct caller *c = arg;
	struct req_upload_add req = { .upload = c->n };
	struct ans_upload_add ans = { .octets = 0 };

	c->cx = cx;
	c->e = call_upload_add(cx, client, &req, &ans);
	c->ended++;
	MUST(c->e == E_OK ? ans.octets == c->n * 3 + 1 : ans.octets == 0);
}
static void create_mbox(struct cx *cx, void *arg)
{
	struct caller *c = arg;
	struct req_mbox_create req = { .use = MBOX_USE_NONE };
	struct ans_mbox_create ans;

	client_op(req.op);
	memcpy(c->op, req.op, 16);
	MUST(field_set(req.name, SL("name")) == E_OK);
	c->e = call_mbox_create(cx, client, &req, &ans);
	c->ended++;
}
static void callers_go(void (*fn)(struct cx *, void *), unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		callers[i] = (struct caller){ .n = i, .e = E_COUNT };
		MUST(fib_go(fn, &callers[i]) == E_OK);
	}
}
static void callers_ended(struct cx *cx, unsigned from, unsigned n, enum ec e)
{
	for (unsigned i = from; i < from + n; i++) {
		while (!callers[i].ended)
			MUST(fib_sleep(cx, 1) == E_OK);
		if (callers[i].e != e)
			fprintf(stderr, "caller %u: %s\n", i, ec_name(callers[i].e));
		MUST(callers[i].e == e && callers[i].ended == 1);
	}
}

/// Runs `script` as the store, with a client of 3 chunks.
static void play_fiber(struct cx *cx, void *script)
{
	MUST(client_new(cx, 3, &client) == E_OK && !client_is_up(client));
	(*(void (**)(struct cx *))script)(cx);
	MUST(chunks_used(client_chunks(client)) == 0);
	client_free(client);
}
static void play(void (*script)(struct cx *cx))
{
	struct fib_conf conf = { .fibers_max = CALLERS + 10 };

	assert_int_equal(fib_start(NULL, &conf), E_OK);
	assert_int_equal(fib_go(play_fiber, &script), E_OK);
	fib_run(0); // ends although the reader of the last socket was waiting
	fib_end();
}

static void out_of_order(struct cx *cx)
{
	static struct frame f[50];
	struct store s;

	store_open(cx, &s);
	callers_go(add_upload, 0, 50);
	store_hello(&s);
	for (int i = 0; i < 50; i++)
		f[i] = store_must(&s, VERB_upload_add);
	for (int i = 49; i >= 0; i--)
		store_echo(&s, &f[i]);
	callers_ended(cx, 0, 50, E_OK);
	store_close(&s);
}
static void test_out_of_order(void **)
{
	play(out_of_order);
}

static void in_flight(struct cx *cx)
{
	static struct frame f[CALLERS];
	struct store s;

	store_open(cx, &s);
	callers_go(add_upload, 0, CALLERS);
	store_hello(&s);
	for (int i = 0; i < CLIENT_IN_FLIGHT; i++) {
		f[i] = store_must(&s, VERB_upload_add);
		for (int k = 0; k < i; k++)
			MUST(f[k].head.seq != f[i].head.seq);
	}
	for (int i = CLIENT_IN_FLIGHT; i < CALLERS; i++) { // one more for each answer, first come first served
		struct req_upload_add req;
		MUST(!store_next(&s, &f[i], 2));
		store_echo(&s, &f[i - CLIENT_IN_FLIGHT]);
		f[i] = store_must(&s, VERB_upload_add);
		memcpy(&req, f[i].body, sizeof req);
		MUST(req.upload == (uint64_t)i);
	}
	for (int i = CALLERS - CLIENT_IN_FLIGHT; i < CALLERS; i++)
		store_echo(&s, &f[i]);
	callers_ended(cx, 0, CALLERS, E_OK);
	store_close(&s);
}
static void test_in_flight(void **)
{
	play(in_flight);
}

/// Calls in two halves: answers that nobody has come for yet take no place from others, and outlive the store.
static void halves(struct cx *cx)
{
	static struct frame f[CLIENT_IN_FLIGHT];
	static struct client_asked asked[CLIENT_IN_FLIGHT];
	static struct req_upload_add req[CLIENT_IN_FLIGHT];
	static struct ans_upload_add ans[CLIENT_IN_FLIGHT];
	struct store s, old;

	store_open(cx, &s);
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++) {
		req[i].upload = i;
		client_ask(client, VERB_upload_add, &req[i], &ans[i], &asked[i]);
	}
	store_hello(&s);
	for (int i = 0; i < CLIENT_IN_FLIGHT; i++)
		f[i] = store_must(&s, VERB_upload_add);
	for (int i = CLIENT_IN_FLIGHT - 1; i >= 2; i--)
		store_echo(&s, &f[i]);
	callers_go(add_upload, 0, 1);
	struct frame late = store_must(&s, VERB_upload_add);
	store_echo(&s, &late);
	callers_ended(cx, 0, 1, E_OK);
	MUST(client_answer(cx, client, &asked[7]) == E_OK && ans[7].octets == 22);
	MUST(!asked[0].answered && !asked[1].answered && asked[2].answered);
	old = s;
	store_open(cx, &s); // the old one takes requests 0 and 1 with it
	store_close(&old);
	store_hello(&s);
	f[0] = store_must(&s, VERB_upload_add);
	f[1] = store_must(&s, VERB_upload_add);
	MUST(!store_next(&s, &late, 2));
	store_echo(&s, &f[0]);
	store_answer(&s, &f[1], E_NOTFOUND, NULL);
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++)
		MUST(i == 7 || client_answer(cx, client, &asked[i]) == (i == 1 ? E_NOTFOUND : E_OK));
	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++)
		MUST(ans[i].octets == (i == 1 ? 0 : i * 3 + 1));
	cx_forget(cx);
	client_ask(client, VERB_upload_add, &req[0], &ans[0], &asked[0]);
	client_detach(client);
	MUST(client_answer(cx, client, &asked[0]) == E_TEMP);
	cx_forget(cx);
	store_close(&s);
}
static void test_halves(void **)
{
	play(halves);
}

/// The store dies with some requests answered, others not; a caller comes while it is away, one right behind the
/// new socket.
static void resending(struct cx *cx)
{
	static struct frame f[12];
	static const struct ans_mbox_create ans = { .mbox = 7 };
	struct store s, old;

	store_open(cx, &s);
	callers_go(create_mbox, 0, 10);
	store_hello(&s);
	for (int i = 0; i < 10; i++)
		f[i] = store_must(&s, VERB_mbox_create);
	for (int i = 0; i < 10; i += 2)
		store_answer(&s, &f[i], E_OK, &ans);
	for (int i = 0; i < 10; i += 2)
		callers_ended(cx, (unsigned)i, 1, E_OK);
	store_close(&s);
	while (client_is_up(client))
		MUST(fib_sleep(cx, 1) == E_OK);
	callers_go(create_mbox, 10, 1);
	MUST(fib_sleep(cx, 5) == E_OK);
	callers_go(create_mbox, 11, 1); // runs after the attach, before the greeting
	store_open(cx, &s);
	store_hello(&s);
	unsigned seen[12] = { 0 };
	for (int i = 0; i < 7; i++) {
		f[i] = store_must(&s, VERB_mbox_create);
		struct req_mbox_create req;
		memcpy(&req, f[i].body, sizeof req);
		for (int k = 0; k < 12; k++)
			seen[k] += memcmp(req.op, callers[k].op, 16) == 0;
	}
	for (int k = 0; k < 12; k++) // the same operation id, once; nothing that was answered
		MUST(seen[k] == (k & 1 || k >= 10));
	MUST(!store_next(&s, &f[7], 5));
	old = s; // a newer socket while the old one still lives: answers on the old one are lost
	store_open(cx, &s);
	store_hello(&s);
	store_close(&old);
	for (int i = 0; i < 7; i++) {
		f[i] = store_must(&s, VERB_mbox_create);
		store_answer(&s, &f[i], i == 0 ? E_EXISTS : E_OK, &ans);
		store_answer(&s, &f[i], E_IO, NULL); // a second answer changes nothing
	}
	unsigned exist = 0;
	for (unsigned i = 0; i < 12; i++) {
		while (!callers[i].ended)
			MUST(fib_sleep(cx, 1) == E_OK);
		MUST(callers[i].ended == 1 && (callers[i].e == E_OK || callers[i].e == E_EXISTS));
		exist += callers[i].e == E_EXISTS;
	}
	MUST(exist == 1);
	store_close(&s);
}
static void test_resending(void **)
{
	play(resending);
}

static void patience(struct cx *cx)
{
	struct store s;

	client_set_patience(client, 30);
	callers_go(add_upload, 0, 5);
	callers_ended(cx, 0, 5, E_TEMP); // never was a store
	store_open(cx, &s);
	callers_go(add_upload, 0, 5);
	store_hello(&s);
	for (int i = 0; i < 5; i++)
		(void)store_must(&s, VERB_upload_add);
	store_close(&s); // gone with our requests
	callers_ended(cx, 0, 5, E_TEMP);
	store_open(cx, &s); // and back
	store_hello(&s);
	callers_go(add_upload, 0, 1);
	struct frame f = store_must(&s, VERB_upload_add);
	store_echo(&s, &f);
	callers_ended(cx, 0, 1, E_OK);
	store_close(&s);
}
/// Detached for good: nobody waits out the patience.
static void detached(struct cx *cx)
{
	struct store s;

	store_open(cx, &s);
	callers_go(add_upload, 0, CALLERS); // some of them wait for a place
	store_hello(&s);
	for (int i = 0; i < 100; i++)
		(void)store_must(&s, VERB_upload_add);
	client_detach(client);
	callers_ended(cx, 0, CALLERS, E_TEMP);
	callers_go(add_upload, 0, 1);
	callers_ended(cx, 0, 1, E_TEMP);
	store_close(&s);
}
static void test_patience(void **)
{
	play(patience);
	play(detached);
}

/// Cancelling a caller, before or while it waits, changes nothing: it waits for the answer without spinning.
static void canceled(struct cx *cx)
{
	struct fib_stats before, after;
	struct store s;
	struct frame f[2];

	store_open(cx, &s);
	callers_go(add_upload, 0, 2);
	store_hello(&s);
	f[0] = store_must(&s, VERB_upload_add);
	f[1] = store_must(&s, VERB_upload_add);
	fib_cancel(callers[0].cx);
	fib_get_stats(&before);
	MUST(fib_sleep(cx, 30) == E_OK && !callers[0].ended);
	fib_get_stats(&after);
	MUST(after.switches - before.switches < 20);
	store_echo(&s, &f[0]);
	store_echo(&s, &f[1]);
	callers_ended(cx, 0, 2, E_OK);
	cx->canceled = true; // as a session that was told to stop
	struct client_watch w = {
		.handle = &(struct handle){ .account = 5 }, .mbox = 1, .event = &(struct fib_event){ .set = false }
	};
	client_watch_remove(cx, client, &w); // not in the list: nothing asked
	struct client_watch never = { 0 };
	client_watch_remove(cx, client, &never); // has no handle even
	callers_go(add_upload, 0, 1);
	cx->canceled = false;
	f[0] = store_must(&s, VERB_upload_add);
	store_echo(&s, &f[0]);
	callers_ended(cx, 0, 1, E_OK);
	store_close(&s);
}
static void canceled_self(struct cx *cx, void *arg)
{
	cx->canceled = true;
	add_upload(cx, arg);
}
static void canceled_first(struct cx *cx)
{
	struct store s;

	store_open(cx, &s);
	callers_go(canceled_self, 0, CALLERS); // some of them wait for a place
	store_hello(&s);
	for (int i = 0; i < CALLERS; i++) {
		struct frame f = store_must(&s, VERB_upload_add);
		store_echo(&s, &f);
	}
	callers_ended(cx, 0, CALLERS, E_OK);
	store_close(&s);
}
static void test_canceled(void **)
{
	play(canceled);
	play(canceled_first);
}

// ---- watches

struct watcher {
	struct client_watch w;
	struct fib_event ev;
	uint64_t opens; // the mailbox that its request means
	enum ec e;
	bool opened, go, removed;
};
static void opener_fiber(struct cx *cx, void *arg)
{
	struct watcher *w = arg;
	struct req_mbox_open req = { .handle = *w->w.handle };
	struct ans_mbox_open ans;
	uint8_t digit = (uint8_t)('0' + w->opens);

	w->w.event = &w->ev;
	struct sl name = { &digit, 1 };
	MUST(field_set(req.name, name) == E_OK);
	w->e = client_watch_open(cx, client, &w->w, &req, &ans);
	w->opened = true;
}
static void watcher_fiber(struct cx *cx, void *arg)
{
	struct watcher *w = arg;

	opener_fiber(cx, w);
	while (!w->go)
		MUST(fib_sleep(cx, 1) == E_OK);
	client_watch_remove(cx, client, &w->w);
	w->removed = true;
}
static void watch_answer(struct cx *cx, struct store *s, uint64_t mbox, bool on, enum ec e, bool *until)
{
	static const struct ans_watch ans;
	struct frame f = store_must(s, VERB_watch);
	struct req_watch req;

	memcpy(&req, f.body, sizeof req);
	MUST(req.mbox == mbox && req.on == on && req.handle.account == 5);
	store_answer(s, &f, e, &ans);
	while (until && !*until)
		MUST(fib_sleep(cx, 1) == E_OK);
}
/// The next request opens `mbox`, leaving `leave`.
static struct frame open_must(struct store *s, uint64_t mbox, uint64_t leave)
{
	struct frame f = store_must(s, VERB_mbox_open);
	struct req_mbox_open req;

	memcpy(&req, f.body, sizeof req);
	MUST(req.name.n == 1 && req.name.p[0] == '0' + mbox && req.leave == leave && req.handle.account == 5);
	return f;
}
static void open_answer(struct cx *cx, struct store *s, const struct frame *f, uint64_t mbox, enum ec e, bool *until)
{
	struct ans_mbox_open ans = { .mbox = mbox };

	store_answer(s, f, e, &ans);
	while (until && !*until)
		MUST(fib_sleep(cx, 1) == E_OK);
}
static void note(struct cx *cx, struct store *s, uint64_t account, uint64_t mbox)
{
	struct frame_head head = { .verb = VERB_note };
	struct note n = { account, mbox, 1 };

	store_send(s, &head, sizeof head, &n, sizeof n);
	MUST(fib_sleep(cx, 5) == E_OK);
}
static void watching(struct cx *cx)
{
	struct handle five = { .account = 5, .expires_s = 1 };
	struct watcher w[4] = { 0 };
	struct frame f, other;
	struct store s;

	store_open(cx, &s);
	store_hello(&s);
	for (int i = 0; i < 4; i++) { // mailboxes 1 1 2 3; the last is refused
		w[i].w.handle = &five;
		w[i].opens = i < 2 ? 1 : (uint64_t)i;
		MUST(fib_go(watcher_fiber, &w[i]) == E_OK);
		f = open_must(&s, w[i].opens, 0);
		open_answer(cx, &s, &f, w[i].opens, i == 3 ? E_DENIED : E_OK, &w[i].opened);
	}
	MUST(w[0].e == E_OK && w[3].e == E_DENIED && !w[3].w.event);
	note(cx, &s, 5, 1);
	MUST(w[0].ev.set && w[1].ev.set && !w[2].ev.set && !w[3].ev.set);
	w[0].ev.set = w[1].ev.set = false;
	note(cx, &s, 6, 1); // another account, and one that nobody watches
	note(cx, &s, 5, 9);
	MUST(!w[0].ev.set && !w[1].ev.set && !w[2].ev.set);
	note(cx, &s, 0, 0);
	MUST(w[0].ev.set && w[1].ev.set && w[2].ev.set && !w[3].ev.set);
	w[0].ev.set = w[1].ev.set = w[2].ev.set = false;
	store_close(&s);
	five.expires_s = 2; // renewed meanwhile
	store_open(cx, &s);
	store_hello(&s);
	unsigned of_1 = 0, of_2 = 0;
	for (int i = 0; i < 3; i++) {
		struct req_watch req;
		f = store_must(&s, VERB_watch);
		MUST(!store_next(&s, &other, 5)); // the next when this is answered: thousands would come at once
		store_answer(&s, &f, i == 0 ? E_AUTH : E_OK, &(struct ans_watch){ .none_ = { 0 } });
		memcpy(&req, f.body, sizeof req);
		MUST(req.on && req.handle.account == 5 && req.handle.expires_s == 2);
		of_1 += req.mbox == 1;
		of_2 += req.mbox == 2;
	}
	MUST(of_1 == 2 && of_2 == 1 && !store_next(&s, &other, 5));
	MUST(w[0].ev.set && w[1].ev.set && w[2].ev.set); // something may have changed meanwhile
	w[0].go = true;                                  // the mailbox is watched by another still: nothing is said
	while (!w[0].removed)
		MUST(fib_sleep(cx, 1) == E_OK);
	w[1].go = true;
	watch_answer(cx, &s, 1, false, E_OK, &w[1].removed);
	w[2].go = w[3].go = true;
	watch_answer(cx, &s, 2, false, E_NOTFOUND, &w[2].removed); // whatever it says, it is over
	store_close(&s);
}
static void test_watches(void **)
{
	play(watching);
}

/// A session that watches something already, or nothing yet, opens another mailbox.
static void mover_open(struct store *s, struct watcher *w, uint64_t mbox, uint64_t leave, struct frame *f)
{
	w->opens = mbox;
	w->opened = false;
	MUST(fib_go(opener_fiber, w) == E_OK);
	*f = open_must(s, mbox, leave);
}
static void moving(struct cx *cx)
{
	struct handle five = { .account = 5 };
	struct watcher a = { .w.handle = &five }, b = { .w.handle = &five };
	struct frame f, g;
	struct store s;

	store_open(cx, &s);
	store_hello(&s);
	mover_open(&s, &a, 1, 0, &f);
	note(cx, &s, 5, 1); // before the answer: nobody knows yet that a's mailbox is meant
	open_answer(cx, &s, &f, 1, E_OK, &a.opened);
	MUST(a.e == E_OK && a.ev.set && a.w.mbox == 1);
	a.ev.set = false;
	mover_open(&s, &a, 2, 1, &f); // its watch moves along
	note(cx, &s, 6, 2);
	MUST(!a.ev.set);
	open_answer(cx, &s, &f, 2, E_OK, &a.opened);
	note(cx, &s, 5, 1);
	MUST(a.e == E_OK && !a.ev.set);
	mover_open(&s, &b, 2, 0, &f);
	open_answer(cx, &s, &f, 2, E_OK, &b.opened);
	mover_open(&s, &a, 3, 0, &f); // b still watches 2
	open_answer(cx, &s, &f, 3, E_OK, &a.opened);
	mover_open(&s, &b, 3, 2, &f);
	MUST(!b.ev.set);
	mover_open(&s, &a, 1, 3, &g); // b may have been given 3 already, whose watch this ends
	open_answer(cx, &s, &f, 3, E_OK, NULL);
	watch_answer(cx, &s, 3, true, E_OK, &b.opened);
	MUST(b.e == E_OK && b.ev.set);
	b.ev.set = false;
	open_answer(cx, &s, &g, 1, E_OK, NULL);
	watch_answer(cx, &s, 3, true, E_OK, &a.opened); // and a cannot know that b has asked again
	MUST(a.e == E_OK && b.ev.set && !a.ev.set);
	b.ev.set = false;
	mover_open(&s, &a, 2, 1, &f);
	store_close(&s); // the request is sent again; its watch is asked for once more
	store_open(cx, &s);
	store_hello(&s);
	f = open_must(&s, 2, 1);
	watch_answer(cx, &s, 3, true, E_OK, NULL); // b's
	open_answer(cx, &s, &f, 2, E_OK, NULL);
	watch_answer(cx, &s, 2, true, E_AUTH, &a.opened);
	MUST(a.e == E_AUTH && !a.w.event);
	store_close(&s);
}
static void test_moves(void **)
{
	play(moving);
}

// ---- a store that sends nonsense

static void nonsense(struct cx *cx)
{
	static const uint8_t zeros[FRAME_MAX + 100];
	struct store s;
	struct frame f, other;
	uint64_t seed = 88172645463325252u;

	store_open(cx, &s);
	store_hello(&s);
	callers_go(add_upload, 0, 2);
	f = store_must(&s, VERB_upload_add);
	other = store_must(&s, VERB_upload_add);
	struct frame_head ok = { .verb = VERB_upload_add, .seq = f.head.seq }, h = ok;
	store_send(&s, zeros, 1, zeros, 0); // shorter than a head
	store_send(&s, zeros, sizeof h, zeros, 0);
	h.verb = VERBS + 7;
	store_send(&s, &h, sizeof h, zeros, 8);
	h.verb = VERB_login; // another verb than was asked
	store_send(&s, &h, sizeof h, zeros, sizeof(struct ans_login));
	h = ok;
	h.seq += 256; // another use of the slot
	store_send(&s, &h, sizeof h, zeros, sizeof(struct ans_upload_add));
	for (uint64_t slot = 0; slot < 256; slot++) { // slots nobody uses
		h.seq = (f.head.seq & ~0xffull) | slot;
		if (h.seq != f.head.seq && h.seq != other.head.seq)
			store_send(&s, &h, sizeof h, zeros, sizeof(struct ans_upload_add));
	}
	h = (struct frame_head){ .verb = VERB_note };
	store_send(&s, &h, sizeof h, zeros, sizeof(struct note) - 1);
	MUST(fib_sleep(cx, 5) == E_OK && !callers[0].ended && !callers[1].ended);
	store_send(&s, &ok, sizeof ok, zeros, sizeof(struct ans_upload_add) - 1); // cut
	callers_ended(cx, 0, 1, E_CORRUPT);
	ok.seq = other.head.seq;
	ok.status = E_COUNT;
	store_send(&s, &ok, sizeof ok, zeros, 0);
	callers_ended(cx, 1, 1, E_CORRUPT);
	for (int i = 0; i < 5000; i++) { // any octets
		uint8_t octets[64];
		for (size_t k = 0; k < sizeof octets; k++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			octets[k] = (uint8_t)seed;
		}
		put_le32(octets, (uint32_t)(seed % (VERBS + 2)));
		store_send(&s, octets, 1 + seed % sizeof octets, zeros, 0);
	}
	MUST(fib_sleep(cx, 5) == E_OK && client_is_up(client));
	cx_deadline_in(cx, 1);
	MUST(client_wait_down(cx, client) == E_TIMEOUT);
	cx_deadline_in(cx, 0);
	store_send(&s, zeros, sizeof zeros, zeros, 0); // longer than any frame: this socket is given up
	MUST(client_wait_down(cx, client) == E_OK && !client_is_up(client));
	MUST(client_wait_down(cx, client) == E_OK); // still
	store_close(&s);
	store_open(cx, &s);
	callers_go(add_upload, 0, 1);
	store_hello(&s);
	f = store_must(&s, VERB_upload_add);
	store_echo(&s, &f);
	callers_ended(cx, 0, 1, E_OK);
	store_close(&s);
}
static void test_nonsense(void **)
{
	play(nonsense);
}

// ---- chunks

struct taker {
	struct range r;
	enum ec e;
	unsigned at; // which in order was served
	struct cx *cx;
};
static unsigned served;
static void take_one(struct cx *cx, void *arg)
{
	struct taker *t = arg;

	t->cx = cx;
	t->e = chunks_take(cx, client_chunks(client), &t->r);
	t->at = t->e == E_OK ? ++served : 0;
}
static void exhausted(struct cx *cx)
{
	struct chunks *c = client_chunks(client);
	struct taker t[6] = { 0 };
	struct range r[3], same;

	served = 0;
	for (int i = 0; i < 3; i++) {
		MUST(chunks_take(cx, c, &r[i]) == E_OK && r[i].len == CHUNK_OCTETS && r[i].off % CHUNK_OCTETS == 0);
		memset(chunks_at(c, r[i]), i + 1, r[i].len); // none overlaps another
	}
	for (int i = 0; i < 3; i++)
		MUST(chunks_at(c, r[i])[0] == i + 1 && chunks_at(c, r[i])[CHUNK_OCTETS - 1] == i + 1);
	MUST(chunks_used(c) == 3 && chunks_octets(c) == 3 * CHUNK_OCTETS);
	for (int i = 0; i < 6; i++) {
		t[i].e = E_COUNT;
		MUST(fib_go(take_one, &t[i]) == E_OK);
	}
	MUST(fib_sleep(cx, 2) == E_OK);
	fib_cancel(t[1].cx); // leaves the middle of the queue
	fib_cancel(t[5].cx); // and its end
	MUST(fib_sleep(cx, 2) == E_OK && t[1].e == E_CANCELED && t[5].e == E_CANCELED && t[0].e == E_COUNT);
	chunks_give(c, r[1]);
	MUST(fib_sleep(cx, 2) == E_OK && t[0].at == 1 && t[0].r.off == r[1].off && t[2].e == E_COUNT);
	fib_cancel(t[2].cx); // cancelled and given at once: the next has it
	chunks_give(c, r[0]);
	MUST(fib_sleep(cx, 2) == E_OK && t[2].e == E_CANCELED && t[3].at == 2 && t[3].r.off == r[0].off);
	chunks_give(c, r[2]);
	MUST(fib_sleep(cx, 2) == E_OK && t[4].at == 3 && chunks_used(c) == 3);
	same = (struct range){ t[4].r.off + 100, 5 }; // any range inside names the chunk
	chunks_give(c, same);
	chunks_give(c, t[0].r);
	chunks_give(c, t[3].r);
}
static void test_chunks(void **)
{
	struct chunks *c = NULL;
	struct cx cx = { 0 };

	play(exhausted);
	assert_int_equal(chunks_new(&cx, 0, &c), E_RANGE);
	assert_int_equal(chunks_new(&cx, UINT32_MAX / CHUNK_OCTETS + 2, &c), E_RANGE);
	assert_null(c);
	cx_end(&cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_resending),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_canceled),
		cmocka_unit_test(test_watches),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_chunks),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
