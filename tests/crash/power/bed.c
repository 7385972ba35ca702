/// bed — opening, closing, marks, bodies.
#include "bed.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "recorder.h"
#include "store/mend.h"

__attribute__((weak)) __typeof__(power_mark) power_mark;

void bed_mark(const struct bed *b, struct sl line)
{
	if (power_mark)
		power_mark((const char *)line.p, line.n);
	if (b->aloud) {
		printf("%.*s\n", SLF(line));
		fflush(stdout);
	}
}

static void mark_number(const struct bed *b, const char *word, uint64_t n)
{
	char line[64];

	bed_mark(b, (struct sl){ (uint8_t *)line,
			    (size_t)snprintf(line, sizeof line, "%s %llu", word, (unsigned long long)n) });
}

void bed_die(struct cx *cx, const char *step, enum ec e)
{
	char story[1024] = "";

	if (cx)
		cx_story(cx, story, sizeof story);
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s\n", step, ec_name(e), story);
	exit(3);
}

void bed_body(uint64_t seed, uint64_t n, size_t octets, uint8_t *out)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + n;
	uint8_t le[8];

	for (size_t at = 0; at < octets; at += sizeof le) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		put_le64(le, x ^ x >> 29);
		memcpy(out + at, le, min_size(sizeof le, octets - at));
	}
}

void bed_body_name(struct sl body, char out[static 17])
{
	uint8_t md[SHA256_DIGEST_LENGTH];

	bed_spare(true); // libcrypto takes memory for it
	SHA256(body.p, body.n, md);
	bed_spare(false);
	for (size_t i = 0; i < 8; i++)
		snprintf(out + 2 * i, 3, "%02x", md[i]);
}

enum ec bed_try_open(struct cx *cx, struct bed *b)
{
	uint32_t mended, damaged;
	enum ec e = store_open(cx, &b->conf, &b->s);

	if (e)
		return e;
	e = quota_new(&b->quota);
	if (e == E_OK)
		e = mend_damaged(cx, b->s, &mended, &damaged);
	if (e == E_OK)
		return e;
	store_close(b->s);
	quota_free(b->quota);
	b->quota = NULL;
	return e;
}

void bed_open(struct bed *b)
{
	struct cx cx = { 0 };
	enum ec e = bed_try_open(&cx, b);

	if (e)
		bed_die(&cx, "opening the store", e);
	cx_end(&cx);
	mark_number(b, "open", store_version_raise(b->s));
}

void bed_close(struct bed *b)
{
	bed_mark(b, SL("closing"));
	store_close(b->s);
	quota_free(b->quota);
	b->quota = NULL;
	b->s = NULL;
	bed_mark(b, SL("closed"));
}
