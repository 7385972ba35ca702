/// role_store — the store's process: opens the data folder (its working directory), serves peers, ends when told.
///
/// Its main thread only listens to the master; the work is done by the threads of store/serve and store/writer.
#include <signal.h>
#include <unistd.h>

#include "base/figures.h"
#include "base/log.h"
#include "main/role.h"
#include "store/cell.h"
#include "store/mailstore.h"
#include "store/mend.h"
#include "store/serve.h"

/// A worker may wait for the disk: more than cores, so that others go on.
enum { STORE_THREADS_MIN = 4 };

struct store_role {
	struct store *store;
	struct serve *serve;
};

/// What is damaged is said at each start, until the operator has seen to it.
static enum ec mend(struct cx *cx, struct store *s)
{
	uint32_t mended, damaged = 0;
	enum ec e = mend_damaged(cx, s, &mended, &damaged);

	if (e == E_OK && (damaged || store_damage(s)))
		LOG(cx, LOG_ERROR, "store.damaged", kv_u("places", store_damage(s)), kv_u("cells", damaged),
			kv_u("mended", mended));
	return e;
}

static void tell_missing(struct cx *cx, const struct store *s)
{
	const uint32_t *segment;
	size_t n = store_missing(s, &segment);

	for (size_t i = 0; i < n; i++) {
		char name[16];
		snprintf(name, sizeof name, "%08x.seg", segment[i]);
		LOG(cx, LOG_ERROR, "store.segment.missing", kv_sl("file", sl_cstr(name)));
	}
}

static enum ec open_all(struct cx *cx, const struct bundle *b, const struct config *c, struct store_role *r)
{
	struct store_conf sc = {
		.dir = SL("."),
		.free_min_octets = (uint64_t)c->disk_reserve,
		.keep = true,
	};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct serve_conf conf = { .build = verbs_build(),
		.threads = cores > STORE_THREADS_MIN ? (unsigned)cores : STORE_THREADS_MIN,
		.password = { .no_scram = !c->scram } };
	mailstore_rules(&sc);
	enum ec e = store_open(cx, &sc, &r->store);

	if (e == E_OK) {
		tell_missing(cx, r->store);
		e = mend(cx, r->store);
	}
	if (e != E_OK)
		return wrap(cx, e, "opening the store");
	memcpy(conf.secret, b->store_secret, sizeof conf.secret);
	memcpy(conf.life, b->ticket_key, sizeof conf.life);
	conf.store = r->store;
	return serve_new(cx, &conf, &r->serve);
}

static enum ec hear(struct cx *cx, struct store_role *r, const struct channel_message *m, int fd)
{
	struct channel_message answer = { .word = CHAN_PONG, .b = m->b };
	enum ec e;

	switch (m->word) {
	case CHAN_PING: figures_look_at_heap(); return channel_send(cx, CHANNEL_FD, &answer, -1);
	case CHAN_PEER:
		e = serve_add_peer(r->serve, fd, (enum peer_kind)m->a, (uint32_t)m->b);
		if (e != E_OK)
			log_failure(cx, LOG_WARN, "peer.refused", e);
		return E_OK;
	default: return E_OK; // a reload: what the store takes from the configuration needs a restart
	}
}

int role_store_main(void)
{
	struct cx cx = { 0 };
	struct buf memory = BUF(BUNDLE_OCTETS_MAX);
	struct bundle bundle;
	struct config config = { 0 };
	struct store_role r = { 0 };
	struct channel_message m = { .word = CHAN_READY };
	int fd;

	signal(SIGPIPE, SIG_IGN);
	enum ec e = role_begin(&cx, ROLE_STORE, &memory, &bundle, &config);
	if (e == E_OK)
		e = role_confine(&cx, ROLE_STORE, &config);
	if (e == E_OK)
		e = open_all(&cx, &bundle, &config, &r);
	if (e != E_OK) {
		role_failed(&cx, e);
	} else {
		e = channel_send(&cx, CHANNEL_FD, &m, -1);
		while (e == E_OK && m.word != CHAN_STOP) {
			e = channel_wait(&cx, CHANNEL_FD, -1, &m, &fd);
			if (e == E_OK)
				e = hear(&cx, &r, &m, fd);
		}
	}
	serve_free(r.serve);
	store_close(r.store);
	config_free(&config);
	buf_free(&memory);
	cx_end(&cx);
	return e == E_OK || e == E_CLOSED ? 0 : 1;
}
