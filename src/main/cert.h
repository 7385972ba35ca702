#pragma once
/// cert — a private certificate authority and a server certificate, for a start without any outside help.
#include <stdbool.h>

#include "base/buf.h"
#include "base/cx.h"

enum { CERT_TIME = 24 };

/// Makes an authority (ECDSA P-256, 10 years) and one server certificate signed by it (825 days) for the names, with IP
/// addresses 127.0.0.1 and ::1 besides.
///
/// out: *ca_pem the authority's certificate, *ca_key_pem its key, *server_pem certificate, authority and key in one
/// text.
/// errors: E_TEMP where OpenSSL cannot; cx tells.
[[nodiscard]] enum ec cert_make(struct cx *cx, const struct sl *names, size_t n, struct buf *ca_pem,
	struct buf *ca_key_pem, struct buf *server_pem);

/// Whether the first certificate of a PEM text has expired: clients refuse it. False where there is none.
/// out: since — "2026-01-31T12:00:00Z", empty where it cannot be told; written where it has expired.
bool cert_has_expired(struct sl pem, char since[CERT_TIME]);
