#pragma once
/// param — `type/subtype; name=value; …`: the structured MIME fields, and RFC 2231 values.
///
/// Reading never fails on broken input but skips what cannot be read. Names and values are kept as sent, only unquoted;
/// param_decode puts continuations together and converts charsets.
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cur.h"
#include "base/ec.h"
#include "base/sl.h"
#include "mail/charset.h"

enum {
	PARAM_MAX = 128,          // parameters of one field; the rest is dropped
	PARAM_SECTIONS_MAX = 128, // continuations of one value
};

struct param {
	struct param *next;
	struct sl name;  // as sent
	struct sl value; // unquoted, one line, otherwise as sent
};

/// Reads a Content-Type.
///
/// out:    *type, *subtype — empty where the field is not `type "/" subtype`; *params in order.
/// errors: E_TEMP (arena), nothing written.
/// source: RFC 2045 §5.1.
[[nodiscard]] enum ec param_parse_type(
	struct sl raw, struct arena *a, struct sl *type, struct sl *subtype, struct param **params);

/// Reads a Content-Disposition: one token and its parameters.
///
/// errors: E_TEMP (arena), nothing written.
/// source: RFC 2183 §2.
[[nodiscard]] enum ec param_parse_disposition(struct sl raw, struct arena *a, struct sl *kind, struct param **params);

/// The value of the first parameter with that name as sent; .p is NULL where there is none.
struct sl param_find(const struct param *params, struct sl name);

/// Appends a parameter's value as UTF-8, from (by preference) `name*`, `name*0*`, `name*0` … or `name`, where encoded
/// words are decoded too, since mailers write them there against RFC 2047 §5.
///
/// errors: E_NOTFOUND, nothing appended; what stuck in `out`.
/// source: RFC 2231 §3, §4.
[[nodiscard]] enum ec param_decode(
	struct charset_cache *cc, const struct param *params, struct sl name, struct buf *out);
