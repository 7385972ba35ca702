#pragma once
/// client — one connection of the load generator to a server: lines and counted octets in, text out.
///
/// Owns: the connection and a buffer large enough that a flood of answers costs few system calls. Embed it; zero is a
/// closed one. The buffer is kept between connections, and given up by client_rest.
#include "net/connect.h"
#include "net/io.h"

enum { CLIENT_ROOM = 256 << 10, CLIENT_WAIT_MS = 120000 };

/// The server, and from how many loopback addresses its clients come (0: as the system chooses).
struct target {
	struct addr to;
	struct tls_table *tls; // NULL: plain
	unsigned sources;
};
struct client {
	struct io *io;
	uint8_t *p; // CLIENT_ROOM octets or NULL; [at, n) are unread
	size_t at, n;
	unsigned tag;
	bool literal_plus, literal_minus; // IMAP: literals that need no invitation
};

/// Connects and, where the target says so, makes TLS. `number` chooses the source address.
FIB enum ec client_open(struct cx *cx, struct client *c, const struct target *t, unsigned number);
/// Closes; the buffer is kept.
void client_close(struct client *c);
/// Gives back the buffer, where nothing waits in it.
void client_rest(struct client *c);
void client_free(struct client *c);

/// One line without its CRLF, borrowed until the next call. errors: E_TOOBIG (CLIENT_ROOM), E_CLOSED …
FIB enum ec client_line(struct cx *cx, struct client *c, struct sl *line);
/// Drops `n` octets.
FIB enum ec client_skip(struct cx *cx, struct client *c, uint64_t n);
