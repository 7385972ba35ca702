#pragma once
/// proxy — the PROXY protocol header, versions 1 and 2, with which a load balancer says who its client is.
///
/// Pure and incremental: parse what has come so far, again from the start when more has. Only listeners whose peers are
/// trusted may ask here at all.
#include <stdbool.h>
#include <stdint.h>

#include "base/sl.h"

/// Longest header: version 1 §2.1 (CRLF included); version 2: what §2 says fits one segment.
enum { PROXY_V1_MAX = 107, PROXY_V2_MAX = 536 };

enum proxy_result {
	PROXY_MORE, // good so far; read more
	PROXY_DONE,
	PROXY_BAD, // not a PROXY header; close the connection
};

struct proxy_addr {
	uint8_t ip[16]; // in network order; 4 octets for IPv4
	uint16_t port;
};

struct proxy_header {
	size_t consumed; // octets of the header; the client's own follow
	bool local;      // UNKNOWN, LOCAL, UNIX, UNSPEC or not a stream: take the connection's own addresses
	bool ipv6;
	struct proxy_addr source, dest; // where not local
};

/// Parses the header at the start of `in`.
///
/// out:    *out — written only on PROXY_DONE.
/// source: HAProxy's "The PROXY protocol", versions 1 & 2, §2.1 and §2.2 (PP2_TYPE_CRC32C is checked, other TLVs are
///         skipped).
enum proxy_result proxy_parse(struct sl in, struct proxy_header *out);
