/// proxy — HAProxy's PROXY protocol, versions 1 and 2.
#include "proto/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cur.h"
#include "base/hash.h"
#include "base/num.h"

static const uint8_t v2_signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

enum {
	V2_HEAD = 16, // signature, version and command, family, length
	V2_TLV_CRC32C = 0x03,
	V2_IPV4_LEN = 12,
	V2_IPV6_LEN = 36,
	PORT_MAX = 65535,
};

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/// True where `in` and `head` agree as far as both go.
static bool may_start_with(struct sl in, struct sl head)
{
	size_t n = min_size(in.n, head.n);
	return sl_eq(sl_head(in, n), sl_head(head, n));
}

static bool is_address_octet(uint8_t c)
{
	return hex_value(c) >= 0 || c == '.' || c == ':';
}

/// One address in its canonical text, then SP.
static void parse_v1_address(struct cur *c, int family, struct proxy_addr *out)
{
	char text[INET6_ADDRSTRLEN];
	struct sl s = cur_need_while(c, is_address_octet);

	cur_need(c, ' ');
	if (!cur_ok(c))
		return;
	if (s.n >= sizeof text) {
		cur_fail(c, E_SYNTAX);
		return;
	}
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	if (inet_pton(family, text, out->ip) != 1)
		cur_fail(c, E_SYNTAX);
}

/// A port without leading zeros, 0 … 65535.
static uint16_t parse_v1_port(struct cur *c)
{
	size_t start = c->at;
	uint16_t port = (uint16_t)cur_need_num(c, PORT_MAX);

	if (cur_ok(c) && c->in.p[start] == '0' && c->at - start > 1)
		cur_fail(c, E_SYNTAX);
	return port;
}

/// "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP port SP port, or "PROXY UNKNOWN" and anything
static enum proxy_result parse_v1_line(struct sl line, struct proxy_header *h)
{
	struct cur c = cur_over(line);

	cur_take_sl(&c, SL("PROXY ")); // the caller looked
	if (cur_take_sl(&c, SL("UNKNOWN")) && (cur_end(&c) || cur_peek(&c) == ' ')) {
		h->local = true;
		return PROXY_DONE;
	}
	h->ipv6 = cur_take_sl(&c, SL("TCP6 "));
	if (!h->ipv6 && !cur_take_sl(&c, SL("TCP4 ")))
		return PROXY_BAD;
	parse_v1_address(&c, h->ipv6 ? AF_INET6 : AF_INET, &h->source);
	parse_v1_address(&c, h->ipv6 ? AF_INET6 : AF_INET, &h->dest);
	h->source.port = parse_v1_port(&c);
	cur_need(&c, ' ');
	h->dest.port = parse_v1_port(&c);
	cur_need_end(&c);
	return cur_ok(&c) ? PROXY_DONE : PROXY_BAD;
}

static enum proxy_result parse_v1(struct sl in, struct proxy_header *h)
{
	struct sl window = sl_head(in, PROXY_V1_MAX);
	size_t end = sl_find_sl(window, SL("\r\n"));

	if (end == window.n)
		return in.n < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
	h->consumed = end + 2;
	return parse_v1_line(sl_head(window, end), h);
}

/// The checksum is that of the whole header with its own four octets zero.
static bool crc_is_right(struct sl header, size_t value_at)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32c(0, sl_head(header, value_at));

	crc = crc32c(crc, (struct sl){ zero, sizeof zero });
	crc = crc32c(crc, sl_from(header, value_at + 4));
	return crc == get_be32(header.p + value_at);
}

/// *(type length value) from `at` to the end of the header.
static bool tlvs_are_right(struct sl header, size_t at)
{
	while (at < header.n) {
		if (header.n - at < 3)
			return false;
		uint8_t type = header.p[at];
		size_t len = get_be16(header.p + at + 1);
		at += 3;
		if (len > header.n - at)
			return false;
		if (type == V2_TLV_CRC32C && (len != 4 || !crc_is_right(header, at)))
			return false;
		at += len;
	}
	return true;
}

static void get_v2_addresses(const uint8_t *p, size_t ip_len, struct proxy_header *h)
{
	memcpy(h->source.ip, p, ip_len);
	memcpy(h->dest.ip, p + ip_len, ip_len);
	h->source.port = get_be16(p + 2 * ip_len);
	h->dest.port = get_be16(p + 2 * ip_len + 2);
}

/// Address family and transport: 0x11 TCP over IPv4, 0x21 TCP over IPv6; what else is defined tells us nothing.
static enum proxy_result parse_v2_addresses(struct sl header, bool local, struct proxy_header *h)
{
	uint8_t family = header.p[13];
	size_t len = header.n - V2_HEAD;

	h->local = local || (family != 0x11 && family != 0x21);
	if (h->local) // the family of a LOCAL connection is to be ignored
		return !local && ((family >> 4) > 3 || (family & 15) > 2) ? PROXY_BAD : PROXY_DONE;
	h->ipv6 = family == 0x21;
	size_t need = h->ipv6 ? V2_IPV6_LEN : V2_IPV4_LEN;
	if (len < need)
		return PROXY_BAD;
	get_v2_addresses(header.p + V2_HEAD, h->ipv6 ? 16 : 4, h);
	return tlvs_are_right(header, V2_HEAD + need) ? PROXY_DONE : PROXY_BAD;
}

static enum proxy_result parse_v2(struct sl in, struct proxy_header *h)
{
	if (in.n < V2_HEAD)
		return PROXY_MORE;
	uint8_t version = in.p[12] >> 4, command = in.p[12] & 15;
	h->consumed = V2_HEAD + (size_t)get_be16(in.p + 14);
	if (version != 2 || command > 1 || h->consumed > PROXY_V2_MAX)
		return PROXY_BAD;
	if (in.n < h->consumed)
		return PROXY_MORE;
	return parse_v2_addresses(sl_head(in, h->consumed), command == 0, h);
}

enum proxy_result proxy_parse(struct sl in, struct proxy_header *out)
{
	struct sl signature = { v2_signature, sizeof v2_signature };
	struct proxy_header h = { 0 };
	enum proxy_result r;

	if (may_start_with(in, SL("PROXY ")))
		r = parse_v1(in, &h);
	else if (may_start_with(in, signature))
		r = parse_v2(in, &h);
	else
		r = PROXY_BAD;
	if (r == PROXY_DONE)
		*out = h;
	return r;
}
