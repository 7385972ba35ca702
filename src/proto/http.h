#pragma once
/// http — the little of HTTP/1.1 that a page for Prometheus needs: a request's first line and its fields. Pure.
#include <stdbool.h>

#include "base/ec.h"
#include "base/sl.h"

enum { HTTP_LINE_MAX = 8000, HTTP_FIELDS_MAX = 100 }; // RFC 9112 §3 recommends 8,000 octets at least

struct http_request_line {
	struct sl method; // borrowed, as all below
	struct sl path;   // of the target, without its query; empty for "*" and for an authority
	unsigned minor;   // of HTTP/1.x
};
/// request-line = method SP request-target SP HTTP-version
///
/// in:     line — without its line end.
/// out:    *out — written on E_OK only.
/// errors: E_SYNTAX; E_UNSUPPORTED (well formed, of another major version).
/// source: RFC 9112 §2.3, §3.
[[nodiscard]] enum ec http_parse_request_line(struct sl line, struct http_request_line *out);
/// field-line = field-name ":" OWS field-value OWS
///
/// errors: E_SYNTAX, also for obs-fold, which nobody may send any more. source: RFC 9112 §5.
[[nodiscard]] enum ec http_parse_field(struct sl line, struct sl *name, struct sl *value);
