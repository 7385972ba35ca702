/// addr — inet_pton and inet_ntop around one form for both families.
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static void set_v4(struct addr *a, const void *four)
{
	memcpy(a->ip, mapped, 12);
	memcpy(a->ip + 12, four, 4);
	a->v4 = true;
}

static void set_v6(struct addr *a, const void *sixteen)
{
	memcpy(a->ip, sixteen, 16);
	a->v4 = memcmp(a->ip, mapped, 12) == 0;
}

enum ec addr_parse(struct sl text, struct addr *out)
{
	char z[INET6_ADDRSTRLEN];
	uint8_t ip[16];
	struct addr a = { .port = 0 };

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = sl_sub(text, 1, text.n - 1);
	if (text.n == 0 || text.n >= sizeof z || sl_find(text, 0) < text.n)
		return E_SYNTAX;
	memcpy(z, text.p, text.n);
	z[text.n] = 0;
	if (inet_pton(AF_INET, z, ip) == 1)
		set_v4(&a, ip);
	else if (inet_pton(AF_INET6, z, ip) == 1)
		set_v6(&a, ip);
	else
		return E_SYNTAX;
	*out = a;
	return E_OK;
}

void addr_print(struct buf *b, const struct addr *a)
{
	char z[INET6_ADDRSTRLEN];

	if (inet_ntop(a->v4 ? AF_INET : AF_INET6, a->v4 ? a->ip + 12 : a->ip, z, sizeof z))
		buf_puts(b, z);
}

enum ec addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *out)
{
	struct addr a = { .port = 0 };

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *sin = (const void *)ss;
		set_v4(&a, &sin->sin_addr);
		a.port = ntohs(sin->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const void *)ss;
		set_v6(&a, &sin6->sin6_addr);
		a.port = ntohs(sin6->sin6_port);
	} else {
		return E_UNSUPPORTED;
	}
	*out = a;
	return E_OK;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof *ss);
	if (a->v4) {
		struct sockaddr_in *sin = (void *)ss;
		sin->sin_family = AF_INET;
		sin->sin_port = htons(a->port);
		memcpy(&sin->sin_addr, a->ip + 12, 4);
		return sizeof *sin;
	}
	struct sockaddr_in6 *sin6 = (void *)ss;
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(a->port);
	memcpy(&sin6->sin6_addr, a->ip, 16);
	return sizeof *sin6;
}

bool addr_is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a->v4 ? a->ip[12] == 127 : memcmp(a->ip, one, 16) == 0;
}

static bool bit(const uint8_t *ip, unsigned i)
{
	return ip[i / 8] >> (7 - i % 8) & 1;
}

enum ec addr_net_parse(struct sl text, struct addr_net *out)
{
	struct sl rest = text, ip = sl_cut(&rest, '/');
	struct addr_net net = { .bits = 128 };
	uint64_t bits;
	enum ec e = addr_parse(ip, &net.base);

	if (e != E_OK)
		return e;
	if (ip.n < text.n) {
		if (!num_parse(rest, net.base.v4 ? 32 : 128, &bits))
			return E_SYNTAX;
		net.bits = (unsigned)bits + (net.base.v4 ? 96 : 0);
	}
	for (unsigned i = net.bits; i < 128; i++)
		if (bit(net.base.ip, i))
			return E_SYNTAX;
	*out = net;
	return E_OK;
}

bool addr_net_has(const struct addr_net *net, const struct addr *a)
{
	unsigned whole = net->bits / 8;

	if (memcmp(net->base.ip, a->ip, whole) != 0)
		return false;
	for (unsigned i = whole * 8; i < net->bits; i++)
		if (bit(net->base.ip, i) != bit(a->ip, i))
			return false;
	return true;
}

void addr_stranger_key(const struct addr *a, uint8_t key[16])
{
	memcpy(key, a->ip, 16);
	if (!a->v4)
		memset(key + 8, 0, 8);
}
