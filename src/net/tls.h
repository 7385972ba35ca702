#pragma once
/// tls — the certificate table with SNI, and TLS over non-blocking sockets (OpenSSL on the main stack).
///
/// A `struct tls_table` is an immutable snapshot with a reference count: a reload makes a new one, sessions keep
/// theirs. TLS 1.2 or newer; session tickets with keys that all fronts share; ECDSA P-256 preferred; no
/// renegotiation, no compression.
#include <stddef.h>

#include "base/cx.h"
#include "base/sl.h"

struct tls_table;
struct tls_cert_pem {
	struct sl chain_pem, key_pem; // leaf first; borrowed
};

/// Makes a table from PEM texts. The names of each certificate (SAN dNSName, wildcards too) choose it by SNI;
/// the first is the default.
/// in: ticket_key — 80 random octets shared by all fronts of this server.
/// errors: E_SYNTAX with words naming the certificate and what is wrong (bad PEM, key does not match); E_TEMP.
[[nodiscard]] enum ec tls_table_new(struct cx *cx, const struct tls_cert_pem *certs, size_t n,
	const uint8_t ticket_key[80], struct tls_table **out);
/// The table of a side that connects. Whoever answers is not proved: for TLS that is better than none, and for
/// measuring. No session is resumed. errors: E_TEMP.
[[nodiscard]] enum ec tls_table_connect(struct cx *cx, struct tls_table **out);
void tls_table_ref(struct tls_table *t);
void tls_table_unref(struct tls_table *t); // accepts NULL
