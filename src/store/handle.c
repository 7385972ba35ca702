/// handle — making and checking the MAC; every field of a handle is covered.
#include "store/handle.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/num.h"
#include "store/sha256.h"

static void handle_mac(const struct handle_key *k, struct holder by, const struct handle *h, uint8_t mac[16])
{
	uint8_t text[8 + 8 + 4 + 4 + 4 + 4], md[SHA256_OCTETS];

	put_le64(text, h->account);
	put_le64(text + 8, h->expires_s);
	put_le32(text + 16, h->credential_version);
	put_le32(text + 20, h->services);
	put_le32(text + 24, (uint32_t)by.kind);
	put_le32(text + 28, by.front);
	hmac_sha256((struct sl){ k->octets, sizeof k->octets }, (struct sl){ text, sizeof text }, md);
	memcpy(mac, md, 16);
}

void handle_make(const struct handle_key *k, struct holder by, uint64_t account, const struct account *a,
	uint32_t services, int64_t steady_s, struct handle *out)
{
	memset(out, 0, sizeof *out);
	out->account = account;
	out->expires_s = (uint64_t)(steady_s + HANDLE_KEPT_S);
	out->credential_version = a->credential_version;
	out->services = services;
	handle_mac(k, by, out, out->mac);
}

enum ec handle_check(struct cx *cx, const struct handle_key *k, struct holder by, struct view *v,
	const struct handle *h, int64_t steady_s, struct account *a)
{
	uint8_t mac[16];

	handle_mac(k, by, h, mac);
	if (CRYPTO_memcmp(mac, h->mac, sizeof mac) != 0)
		return fail(cx, E_AUTH, "a handle that is not this front's");
	if (steady_s < 0 || h->expires_s < (uint64_t)steady_s)
		return fail(cx, E_AUTH, "the login expired");
	enum ec e = account_load(cx, v, h->account, a);
	if (e == E_NOTFOUND || (e == E_OK && a->credential_version != h->credential_version))
		return fail(cx, E_AUTH, "the account is gone or its password changed");
	if (e == E_OK && h->services & ~(uint32_t)a->services)
		return fail(cx, E_AUTH, "the service was turned off");
	return e;
}
