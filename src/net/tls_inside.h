#pragma once
/// tls_inside — what net/ alone shares of TLS: one connection's state over a socket. OpenSSL's types stay in tls.c.
///
/// Every call runs OpenSSL on the main stack. None waits: E_TEMP says which direction must become ready first, or that
/// the call read its share of the socket and is to be made again when others had their turn.
#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

struct tls_conn;
enum tls_want { TLS_WANT_READ, TLS_WANT_WRITE, TLS_WANT_TURN };

/// The table's side over `fd`, which it borrows. The table is referenced for the connection's life. errors: E_TEMP.
[[nodiscard]] enum ec tls_conn_new(struct cx *cx, struct tls_table *table, int fd, struct tls_conn **out);
void tls_conn_free(struct tls_conn *c); // accepts NULL
/// errors: E_TEMP (*want), E_CLOSED with OpenSSL's words.
[[nodiscard]] enum ec tls_conn_handshake(struct cx *cx, struct tls_conn *c, enum tls_want *want);
[[nodiscard]] enum ec tls_conn_read(
	struct cx *cx, struct tls_conn *c, uint8_t *p, size_t room, size_t *got, enum tls_want *want);
[[nodiscard]] enum ec tls_conn_write(struct cx *cx, struct tls_conn *c, struct sl s, size_t *put, enum tls_want *want);
/// Sends close_notify where that needs no waiting.
void tls_conn_bye(struct tls_conn *c);
struct sl tls_conn_version(const struct tls_conn *c);
struct sl tls_conn_cipher(const struct tls_conn *c);
struct sl tls_conn_sni(const struct tls_conn *c);
