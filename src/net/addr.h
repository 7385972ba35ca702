#pragma once
/// addr — network addresses: parsing, printing, networks, and the key under which strangers are counted.
#include <stdbool.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/cx.h"
#include "base/sl.h"

struct addr {
	uint8_t ip[16]; // IPv4 as ::ffff:a.b.c.d, so that one comparison serves both
	uint16_t port;  // host order
	bool v4;
};

/// Reads "192.0.2.1", "2001:db8::1", "[2001:db8::1]" (no port). E_SYNTAX. out: *out with port 0.
[[nodiscard]] enum ec addr_parse(struct sl text, struct addr *out);
/// Appends the address without port, as RFC 5952 prints it.
void addr_print(struct buf *b, const struct addr *a);
/// From / to what the socket calls use. IPv4-mapped IPv6 becomes v4.
[[nodiscard]] enum ec addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *out);
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);
/// True for 127.0.0.0/8 and ::1.
bool addr_is_loopback(const struct addr *a);

struct addr_net {
	struct addr base;
	unsigned bits; // of 128, the mapped prefix included for IPv4
};
/// Reads "192.0.2.0/24", "2001:db8::/32" or a single address. E_SYNTAX (also where host bits are set).
[[nodiscard]] enum ec addr_net_parse(struct sl text, struct addr_net *out);
bool addr_net_has(const struct addr_net *net, const struct addr *a);
/// What counts as one stranger: the IPv4 address, or the IPv6 /64. Written to key[16].
void addr_stranger_key(const struct addr *a, uint8_t key[16]);
