/// scram — keys, nonces, proofs.
///
/// nonce = base64(random(8) expiry(4) MAC(12)); the MAC covers the first two and the folded user.
#include "store/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/num.h"
#include "store/sha256.h"

enum { NONCE_RAW = 24, NONCE_MAC_AT = 12, USED_SETS = 8192, USED_WAYS = 8 };

struct used {
	uint64_t tag;
	int64_t until_s;
};
struct scram {
	uint8_t secret[32];
	uint32_t iterations;
	pthread_mutex_t lock;
	struct used used[USED_SETS][USED_WAYS];
};

enum ec scram_new(const uint8_t secret[32], uint32_t iterations, struct scram **out)
{
	struct scram *s = calloc(1, sizeof *s);

	if (!s)
		return E_TEMP;
	memcpy(s->secret, secret, sizeof s->secret);
	s->iterations = iterations ? iterations : SCRAM_ITERATIONS;
	pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return E_OK;
}

void scram_free(struct scram *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	OPENSSL_cleanse(s->secret, sizeof s->secret);
	free(s);
}

/// RFC 5802 §3: SaltedPassword := Hi(password, salt, i); StoredKey := H(HMAC(SaltedPassword, "Client Key"));
/// ServerKey := HMAC(SaltedPassword, "Server Key").
enum ec scram_keys(struct sl password, uint32_t iterations, struct credentials *cred)
{
	uint8_t salted[SCRAM_KEY], client[SCRAM_KEY];

	random_octets(cred->scram_salt, SCRAM_SALT);
	if (!PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, cred->scram_salt, SCRAM_SALT, (int)iterations,
		    EVP_sha256(), SCRAM_KEY, salted))
		return E_TEMP;
	hmac_sha256((struct sl){ salted, SCRAM_KEY }, SL("Client Key"), client);
	sha256((struct sl){ client, SCRAM_KEY }, cred->scram_stored);
	hmac_sha256((struct sl){ salted, SCRAM_KEY }, SL("Server Key"), cred->scram_server);
	cred->scram_iterations = iterations;
	OPENSSL_cleanse(salted, sizeof salted);
	OPENSSL_cleanse(client, sizeof client);
	return E_OK;
}

/// HMAC(secret, purpose, head, folded user): what only this store can make.
static void secret_mac(const struct scram *s, uint8_t purpose, struct sl head, struct sl user, uint8_t out[SCRAM_KEY])
{
	uint8_t text[1 + NONCE_MAC_AT + ADDRESS_MAX];
	size_t n = 0;

	text[n++] = purpose;
	for (size_t i = 0; i < head.n; i++)
		text[n++] = head.p[i];
	for (size_t i = 0; i < user.n && i < ADDRESS_MAX; i++)
		text[n++] = to_lower(user.p[i]);
	hmac_sha256((struct sl){ s->secret, sizeof s->secret }, (struct sl){ text, n }, out);
}

void scram_begin(
	struct scram *s, struct sl user, const struct credentials *cred, int64_t now_s, struct scram_challenge *out)
{
	uint8_t raw[NONCE_RAW], mac[SCRAM_KEY], text[SCRAM_NONCE + 1];

	secret_mac(s, 'S', (struct sl){ 0 }, user, mac);
	out->iterations = s->iterations;
	if (cred && cred->scram_iterations) {
		memcpy(out->salt, cred->scram_salt, SCRAM_SALT);
		out->iterations = cred->scram_iterations;
	} else {
		memcpy(out->salt, mac, SCRAM_SALT);
	}
	random_octets(raw, 8);
	put_le32(raw + 8, (uint32_t)(now_s + SCRAM_NONCE_S));
	secret_mac(s, 'N', (struct sl){ raw, NONCE_MAC_AT }, user, mac);
	memcpy(raw + NONCE_MAC_AT, mac, NONCE_RAW - NONCE_MAC_AT);
	EVP_EncodeBlock(text, raw, NONCE_RAW);
	memcpy(out->nonce, text, SCRAM_NONCE);
}

/// Notes a nonce as used until it expires. errors: E_AUTH (used before), E_TEMP (no room).
static enum ec nonce_use(struct scram *s, uint64_t tag, int64_t now_s, int64_t until_s)
{
	struct used *set = s->used[tag % USED_SETS], *room = NULL;
	enum ec e = E_TEMP;

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < USED_WAYS; i++) {
		if (set[i].until_s < now_s)
			room = &set[i];
		else if (set[i].tag == tag)
			e = E_AUTH;
	}
	if (e != E_AUTH && room) {
		*room = (struct used){ tag, until_s };
		e = E_OK;
	}
	pthread_mutex_unlock(&s->lock);
	return e;
}

/// Whether the nonce is ours, this user's, in time and in the message. out: *tag, *until_s — for nonce_use.
static enum ec nonce_check(
	const struct scram *s, const struct scram_proof *pr, int64_t now_s, uint64_t *tag, int64_t *until_s)
{
	uint8_t raw[SCRAM_NONCE], mac[SCRAM_KEY];

	if (pr->nonce.n != SCRAM_NONCE || EVP_DecodeBlock(raw, pr->nonce.p, SCRAM_NONCE) != NONCE_RAW)
		return E_AUTH;
	secret_mac(s, 'N', (struct sl){ raw, NONCE_MAC_AT }, pr->user, mac);
	if (CRYPTO_memcmp(mac, raw + NONCE_MAC_AT, NONCE_RAW - NONCE_MAC_AT) != 0)
		return E_AUTH;
	int64_t until = get_le32(raw + 8);
	if (until < now_s || sl_find_sl(pr->auth_message, pr->nonce) == pr->auth_message.n)
		return E_AUTH;
	*tag = get_le64(raw);
	*until_s = until;
	return E_OK;
}

enum ec scram_end(struct scram *s, const struct scram_proof *pr, const struct credentials *cred, int64_t now_s,
	uint8_t server_signature[SCRAM_KEY])
{
	static const struct credentials nobody;
	uint8_t key[SCRAM_KEY], stored[SCRAM_KEY], sign[SCRAM_KEY];
	const struct credentials *c = cred ? cred : &nobody;
	uint64_t tag;
	int64_t until_s;
	enum ec e = nonce_check(s, pr, now_s, &tag, &until_s);

	if (e != E_OK)
		return e;
	if (pr->proof.n != SCRAM_KEY)
		return E_AUTH;
	// RFC 5802 §3: ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage), and H(ClientKey) must be StoredKey.
	hmac_sha256((struct sl){ c->scram_stored, SCRAM_KEY }, pr->auth_message, key);
	for (int i = 0; i < SCRAM_KEY; i++)
		key[i] ^= pr->proof.p[i];
	sha256((struct sl){ key, SCRAM_KEY }, stored);
	hmac_sha256((struct sl){ c->scram_server, SCRAM_KEY }, pr->auth_message, sign);
	bool same = CRYPTO_memcmp(stored, c->scram_stored, SCRAM_KEY) == 0;
	OPENSSL_cleanse(key, sizeof key);
	if (!same || c->scram_iterations == 0)
		return E_AUTH;
	e = nonce_use(s, tag, now_s, until_s); // only now: who knows no password fills no table
	if (e == E_OK)
		memcpy(server_signature, sign, SCRAM_KEY);
	return e;
}
