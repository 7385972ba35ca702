/// cert — X.509 by OpenSSL: two keys, two certificates.
#include "main/cert.h"

#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/hash.h"

enum { CA_DAYS = 3650, SERVER_DAYS = 825 };

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v3;
	X509_EXTENSION *x;

	X509V3_set_ctx_nodb(&v3);
	X509V3_set_ctx(&v3, issuer, cert, NULL, NULL, 0);
	x = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
	bool ok = x && X509_add_ext(cert, x, -1) == 1;
	X509_EXTENSION_free(x);
	return ok;
}

static X509 *cert_begin(EVP_PKEY *key, struct sl common_name, int days)
{
	X509 *cert = X509_new();
	uint64_t serial = random_u64() >> 1 | 1;

	if (!cert || !X509_set_version(cert, X509_VERSION_3) ||
		!ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial) ||
		!X509_gmtime_adj(X509_getm_notBefore(cert), -3600) ||
		!X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) || !X509_set_pubkey(cert, key) ||
		!X509_NAME_add_entry_by_txt(
			X509_get_subject_name(cert), "CN", MBSTRING_UTF8, common_name.p, (int)common_name.n, -1, 0)) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static X509 *make_authority(EVP_PKEY *key)
{
	struct buf name = BUF(128);

	buf_printf(&name, "Hongyan private authority %08x", (unsigned)random_u64());
	X509 *ca = cert_begin(key, buf_sl(&name), CA_DAYS);
	buf_free(&name);
	if (ca && X509_set_issuer_name(ca, X509_get_subject_name(ca)) &&
		add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		add_extension(ca, ca, NID_subject_key_identifier, "hash") && X509_sign(ca, key, EVP_sha256()))
		return ca;
	X509_free(ca);
	return NULL;
}

static X509 *make_server(EVP_PKEY *key, const struct sl *names, size_t n, X509 *ca, EVP_PKEY *ca_key)
{
	struct buf san = BUF(8192);
	X509 *cert = cert_begin(key, names[0], SERVER_DAYS);

	for (size_t i = 0; i < n; i++)
		buf_printf(&san, "DNS:%.*s,", SLF(names[i]));
	buf_puts(&san, "IP:127.0.0.1,IP:::1");
	buf_addc(&san, 0);
	bool ok = cert && !san.err && X509_set_issuer_name(cert, X509_get_subject_name(ca)) &&
	          add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	          add_extension(cert, ca, NID_key_usage, "critical,digitalSignature") &&
	          add_extension(cert, ca, NID_ext_key_usage, "serverAuth") &&
	          add_extension(cert, ca, NID_subject_key_identifier, "hash") &&
	          add_extension(cert, ca, NID_authority_key_identifier, "keyid") &&
	          add_extension(cert, ca, NID_subject_alt_name, (const char *)san.p) &&
	          X509_sign(cert, ca_key, EVP_sha256());
	buf_free(&san);
	if (ok)
		return cert;
	X509_free(cert);
	return NULL;
}

/// Appends what a memory BIO holds.
static void take_bio(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_add(out, (struct sl){ (const uint8_t *)p, n > 0 ? (size_t)n : 0 });
}

static bool print_cert(X509 *cert, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio && PEM_write_bio_X509(bio, cert);

	if (ok)
		take_bio(bio, out);
	BIO_free(bio);
	return ok && !out->err;
}

static bool print_key(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	bool ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);

	if (ok)
		take_bio(bio, out);
	BIO_free(bio);
	return ok && !out->err;
}

enum ec cert_make(struct cx *cx, const struct sl *names, size_t n, struct buf *ca_pem, struct buf *ca_key_pem,
	struct buf *server_pem)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = ca_key ? make_authority(ca_key) : NULL;
	X509 *cert = ca && key ? make_server(key, names, n, ca, ca_key) : NULL;
	bool ok = cert && print_cert(ca, ca_pem) && print_key(ca_key, ca_key_pem) && print_cert(cert, server_pem) &&
	          print_cert(ca, server_pem) && print_key(key, server_pem);

	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return ok ? E_OK : fail(cx, E_TEMP, "OpenSSL could not make a certificate");
}

static void print_time(const ASN1_TIME *at, char out[CERT_TIME])
{
	struct tm t;
	char text[64] = "";

	if (ASN1_TIME_to_tm(at, &t))
		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
			t.tm_hour, t.tm_min, t.tm_sec);
	memcpy(out, text, CERT_TIME - 1);
	out[CERT_TIME - 1] = 0;
}

bool cert_has_expired(struct sl pem, char since[CERT_TIME])
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool over = cert && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;

	if (over)
		print_time(X509_get0_notAfter(cert), since);
	X509_free(cert);
	BIO_free(bio);
	return over;
}
