#pragma once
/// bundle — what the master hands to a role in a sealed memfd: configuration text, certificates, shared secrets.
///
/// So a role needs no right to read the operator's files. Made by the master, read by roles of the same binary.
#include "base/buf.h"
#include "base/cx.h"
#include "main/config.h"

enum { BUNDLE_CERTS_MAX = CONFIG_LIST_MAX, BUNDLE_OCTETS_MAX = 8 << 20, STORE_SECRET = 32, TICKET_KEY = 80 };

struct bundle {
	struct sl path, text;             // of the configuration
	struct sl cert[BUNDLE_CERTS_MAX]; // PEM: chain, then key
	size_t n_certs;
	uint8_t ticket_key[TICKET_KEY];     // TLS session tickets, shared by all fronts
	uint8_t store_secret[STORE_SECRET]; // only the store gets it; zeros for fronts
};

/// Writes it into a new sealed memfd. errors: E_IO, E_TOOBIG.
[[nodiscard]] enum ec bundle_send(struct cx *cx, const struct bundle *b, int *fd);
/// Reads one: *out points into *memory. Closes fd. errors: E_CORRUPT, E_IO, E_TEMP.
[[nodiscard]] enum ec bundle_receive(struct cx *cx, int fd, struct buf *memory, struct bundle *out);
