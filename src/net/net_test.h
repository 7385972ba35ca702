#pragma once
/// net_test — what the tests of net/ share: real sockets, a client in a thread of its own, self-made certificates.
///
/// The client uses blocking or polled sockets and OpenSSL directly, nothing of net/, so that the two sides do not share
/// a mistake. Checks are made on fibers and threads, where cmocka's longjmp cannot go: MUST ends the process.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/num.h"
#include "fiber/fiber.h"
#include "net/io.h"
#include "net/listen.h"

#define WAIT_MS 60000 // a test that hangs ends with E_TIMEOUT

/// A connected pair of loopback TCP sockets: [0] for the server, non-blocking; [1] for the client, blocking.
static inline void tcp_pair(int pair[2])
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof sin;
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	MUST(bind(l, (struct sockaddr *)&sin, n) == 0 && listen(l, 1) == 0);
	MUST(getsockname(l, (struct sockaddr *)&sin, &n) == 0);
	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	MUST(connect(pair[1], (struct sockaddr *)&sin, n) == 0);
	pair[0] = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	MUST(pair[0] >= 0);
	for (int i = 0; i < 2; i++)
		setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	close(l);
}

static inline struct io *io_over(struct cx *cx, int fd)
{
	static const struct addr local = { .ip = { [10] = 0xff, 0xff, 127, 0, 0, 1 }, .port = 1, .v4 = true };
	struct io *io;

	MUST(io_new(cx, fd, &local, &local, &io) == E_OK);
	return io;
}

/// One connection: the server's fiber, the client's thread, and what they agree on.
struct talk {
	void (*server)(struct cx *cx, struct io *io, struct talk *t);
	void (*client)(int fd, struct talk *t); // closes fd
	struct tls_table *tls;
	const char *sni;      // what the client asks for
	SSL_SESSION *session; // in: to be resumed; out: the one made
	uint64_t seed;
	size_t octets;
	bool flag;
	const char *text;
	int fd[2];
};

static inline void talk_fiber(struct cx *cx, void *arg)
{
	struct talk *t = arg;
	struct io *io = io_over(cx, t->fd[0]);

	cx_deadline_in(cx, WAIT_MS);
	t->server(cx, io, t);
	io_close(io);
}
static inline void *talk_thread(void *arg)
{
	struct talk *t = arg;

	t->client(t->fd[1], t);
	return NULL;
}
/// Runs both sides of `n` talks to their end; no buffer is held afterwards.
static inline void talk_all(struct talk *t, size_t n)
{
	struct fib_conf conf = { .fibers_max = 100 };
	pthread_t thread[16];

	MUST(n <= ARRAY_N(thread) && fib_start(NULL, &conf) == E_OK);
	for (size_t i = 0; i < n; i++) {
		if (!t[i].fd[1])
			tcp_pair(t[i].fd);
		MUST(fib_go(talk_fiber, &t[i]) == E_OK);
		MUST(pthread_create(&thread[i], NULL, talk_thread, &t[i]) == 0);
	}
	fib_run(0);
	for (size_t i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	fib_end();
	MUST(io_buffers_held() == 0);
}
static inline void talk_one(struct talk *t)
{
	talk_all(t, 1);
}

static inline void write_all(int fd, struct sl s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
		MUST(n > 0);
		s = sl_from(s, (size_t)n);
	}
}
/// Reads to the end of the stream into p[room]; how much that was.
static inline size_t read_to_end(int fd, char *p, size_t room)
{
	size_t at = 0;
	ssize_t n;

	while (at < room && (n = read(fd, p + at, room - at)) > 0)
		at += (size_t)n;
	return at;
}

/// A pseudo-random stream (xorshift64), the same for the same seed.
static inline uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

// ---- certificates

struct made_cert {
	char chain[2048], key[1024];
	struct tls_cert_pem pem;
};
static inline struct sl bio_text(BIO *b, char *out, size_t room)
{
	int n = BIO_read(b, out, (int)room);

	MUST(n > 0 && (size_t)n < room);
	BIO_free(b);
	return (struct sl){ (uint8_t *)out, (size_t)n };
}
/// A self-signed EC P-256 certificate for a dNSName.
static inline void cert_make(struct made_cert *c, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *chain = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
	char san[128];

	snprintf(san, sizeof san, "DNS:%s", name);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	X509_NAME *subject = X509_get_subject_name(x);
	MUST(X509_set_version(x, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1));
	MUST(X509_gmtime_adj(X509_getm_notBefore(x), 0) && X509_gmtime_adj(X509_getm_notAfter(x), 86400));
	MUST(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0));
	MUST(X509_set_issuer_name(x, subject) && X509_set_pubkey(x, key) && X509_add_ext(x, ext, -1));
	MUST(X509_sign(x, key, EVP_sha256()) && PEM_write_bio_X509(chain, x));
	MUST(PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL));
	c->pem.chain_pem = bio_text(chain, c->chain, sizeof c->chain);
	c->pem.key_pem = bio_text(pem, c->key, sizeof c->key);
	X509_EXTENSION_free(ext);
	X509_free(x);
	EVP_PKEY_free(key);
}

static const uint8_t ticket_key[80] =
	"not so secret, but the same for every table that is made in these tests. padding";
static inline struct tls_table *table_make(const char *a, const char *b)
{
	struct made_cert one, two;
	struct tls_table *t;

	cert_make(&one, a);
	cert_make(&two, b ? b : a);
	struct tls_cert_pem pems[] = { one.pem, two.pem };
	MUST(tls_table_new(NULL, pems, b ? 2 : 1, ticket_key, &t) == E_OK);
	return t;
}

/// A TLS client over a blocking socket, handshake done; *ctx is freed by tls_client_end.
static inline SSL *tls_client(int fd, struct talk *t)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx); // ssl keeps it; a cache in it would spoil t->session at its end
	SSL_set_fd(ssl, fd);
	char sni[64];
	snprintf(sni, sizeof sni, "%s", t->sni ? t->sni : ""); // OpenSSL's macro casts const away
	if (t->sni)
		SSL_set_tlsext_host_name(ssl, sni);
	if (t->session)
		SSL_set_session(ssl, t->session);
	MUST(SSL_connect(ssl) == 1);
	return ssl;
}
