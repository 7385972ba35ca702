/// Fuzz target: octets become frames of a taken front. The store must answer or close, and never crash or hang.
///
/// Input: one octet chooses the peer's kind; then frames: verb(1) flags(1) octets(1) and that many of the body's
/// octets.
/// flags: 1 — put a good handle where the verb has one; 2 — the body's size is right (else as given); 4 — a descriptor
/// comes along; 8 — the frame's body is written to the arena instead.
#include <fcntl.h>

#include "store/serve_bed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORLD_INPUTS = 256 };
struct world {
	struct mailbed *b;
	struct serve *s;
	struct handle user, admin;
};

static void world_make(struct world *w)
{
	w->b = mailbed_new();
	w->s = bed_serve(w->b);
	struct client admin = client_new(w->s, BY_ADMIN, 1), user = client_new(w->s, BY_USER, 1);
	struct req_domain_add d = { 0 };
	struct req_user_add u = { .quota_octets = 1 << 16 };
	struct req_admin_login al = { 0 };
	struct req_login l = { .most = 1 };
	struct ans_domain_add da;
	struct ans_user_add ua;
	struct ans_admin_login aa;
	struct ans_login la;

	if (field_set(d.domain, SL("x.org")) != E_OK || field_set(u.address, SL("a@x.org")) != E_OK ||
		field_set(u.password, SL("p")) != E_OK || field_set(al.user, SL("a@x.org")) != E_OK ||
		field_set(l.user, SL("a@x.org")) != E_OK || field_set(l.password, SL("p")) != E_OK ||
		ASK(&admin, domain_add, &d, &da) != E_OK || ASK(&admin, user_add, &u, &ua) != E_OK ||
		ASK(&admin, admin_login, &al, &aa) != E_OK || ASK(&user, login, &l, &la) != E_OK)
		abort();
	w->admin = aa.handle;
	w->user = la.handle;
	client_end(&admin);
	client_end(&user);
}

/// One world serves WORLD_INPUTS inputs: making one costs more than an input.
static const struct world *world_get(void)
{
	static struct world w;
	static unsigned inputs;

	if (w.s && ++inputs % WORLD_INPUTS == 0) {
		serve_free(w.s);
		mailbed_free(w.b);
		w.s = NULL;
	}
	if (!w.s)
		world_make(&w);
	return &w;
}

static void send_frame(struct client *c, const struct handle *h, const uint8_t *head, struct sl octets)
{
	_Alignas(16) uint8_t body[FRAME_MAX] = { 0 };
	uint32_t verb = head[0] % (VERBS + 2);
	const struct verb_info *info = verb_info(verb);
	size_t n = octets.n;

	memcpy(body, octets.p, n);
	if (head[1] & 8) {
		memcpy(c->arena + head[0] * 64, octets.p, octets.n);
		return;
	}
	if (info && head[1] & 2)
		n = info->req_octets;
	const struct handle *at = info && head[1] & 1 && n == info->req_octets ? info->handle(body) : NULL;
	if (at)
		memcpy(body + ((const uint8_t *)at - body), h, sizeof *h);
	int fd = head[1] & 4 ? bed_memfd(8192, F_SEAL_SHRINK | F_SEAL_GROW) : -1;
	(void)client_send(c, verb, body, n, fd);
	if (fd >= 0)
		close(fd);
}

/// Takes what has been answered, so that a long input is not closed for greed.
static void drain(struct client *c)
{
	uint8_t frame[FRAME_MAX];

	while (recv(c->fd, frame, sizeof frame, MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const enum peer_kind kinds[] = { BY_USER, BY_ADMIN, BY_MX, BY_OUTBOUND };

	if (size == 0)
		return 0;
	const struct world *w = world_get();
	enum peer_kind kind = kinds[data[0] % 4];
	struct client c = client_new(w->s, kind, 1);
	struct sl rest = { data + 1, size - 1 };
	while (rest.n >= 3) {
		struct sl octets = sl_sub(rest, 3, 3u + rest.p[2]);
		send_frame(&c, kind == BY_ADMIN ? &w->admin : &w->user, rest.p, octets);
		drain(&c);
		rest = sl_from(rest, 3 + octets.n);
	}
	// A well-behaved front is still served.
	struct client well = client_new(w->s, BY_USER, 2);
	struct req_upload_begin q = { 0 };
	struct ans_upload_begin a;
	if (ASK(&well, upload_begin, &q, &a) != E_OK)
		abort();
	client_end(&well);
	client_end(&c);
	while (serve_peers(w->s))
		usleep(100);
	return 0;
}
